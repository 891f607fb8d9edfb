//! What the programs do with bytes: the kernel runs it, and so does `run`, to compare.

use core::net::Ipv4Addr;

use encap::wire::{
    Dscp, Ecn, EtherType, IpProtocol, MacAddr, Vni, arp, checksum, ethernet, geneve, gre, icmpv4, icmpv6,
    ipv4, ipv6, ndp, nvgre, udp, vlan, vxlan, vxlan_gpe, wccp,
};

/// Calls `each!` with all codecs: a name, how many bytes are read, how many are written, and what is done: a header is
/// read and written back; `None` for bytes that are refused.
macro_rules! for_each_codec {
    ($each:ident) => {
        $each! {
            ethernet: 14 => 14, |bytes| Some(ethernet::Header::from_bytes(bytes).to_bytes());
            vlan: 4 => 4, |bytes| Some(vlan::Header::from_bytes(bytes).to_bytes());
            arp: 28 => 28, |bytes| Some(arp::Header::from_bytes(bytes).ok()?.to_bytes());
            ipv4: 20 => 20, |bytes| Some(ipv4::Header::from_bytes(bytes).ok()?.with_checksum().fixed_bytes());
            ipv6: 40 => 40, |bytes| Some(ipv6::Header::from_bytes(bytes).ok()?.to_bytes());
            udp: 8 => 8, |bytes| Some(udp::Header::from_bytes(bytes).to_bytes());
            icmpv4: 8 => 8, |bytes| Some(icmpv4::Header::from_bytes(bytes).to_bytes());
            icmpv6: 8 => 8, |bytes| Some(icmpv6::Header::from_bytes(bytes).to_bytes());
            solicitation: 24 => 24, |bytes| Some(ndp::Solicitation::from_bytes(bytes).ok()?.to_bytes());
            advertisement: 24 => 24, |bytes| Some(ndp::Advertisement::from_bytes(bytes).ok()?.to_bytes());
            vxlan: 8 => 8, |bytes| Some(vxlan::Header::from_bytes(bytes).to_bytes());
            group_policy: 8 => 8, |bytes| {
                let header = vxlan::Header::from_bytes(bytes);
                Some(header.with_group_policy(header.group_policy()?).to_bytes())
            };
            vxlan_gpe: 8 => 8, |bytes| Some(vxlan_gpe::Header::from_bytes(bytes).to_bytes());
            geneve: 8 => 8, |bytes| Some(geneve::Header::from_bytes(bytes).ok()?.to_bytes());
            gre: 4 => 16, |bytes| Some(gre::Header::from_bytes(bytes).ok()?.to_bytes());
            nvgre: 8 => 8, |bytes| Some(nvgre::Header::from_bytes(bytes).ok()?.to_bytes());
            wccp: 4 => 4, |bytes| Some(wccp::Header::from_bytes(bytes).to_bytes());
        }
    };
}
pub(crate) use for_each_codec;

macro_rules! functions {
    ($($name:ident: $read:literal => $write:literal, |$bytes:ident| $body:expr;)*) => { $(
        #[inline(always)]
        pub(crate) fn $name($bytes: &[u8; $read]) -> Option<[u8; $write]> {
            $body
        }
    )* };
}
for_each_codec!(functions);

/// Outer headers: Ethernet, IPv4, UDP and VXLAN.
pub(crate) const OUTER: usize = 50;

/// The outer headers of a frame of so many bytes.
#[inline(always)]
pub(crate) fn outer(frame: u16) -> [u8; OUTER] {
    let [source, destination] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
    let ethernet = ethernet::Header {
        destination: MacAddr([2, 0, 0, 0, 0, 2]),
        source: MacAddr([2, 0, 0, 0, 0, 1]),
        ethertype: EtherType::IPV4,
    };
    let ipv4 = ipv4::Header {
        dscp: Dscp::default(),
        ecn: Ecn::default(),
        total_len: frame.wrapping_add(36),
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: ipv4::FragmentOffset::default(),
        ttl: 64,
        protocol: IpProtocol::UDP,
        checksum: 0,
        source,
        destination,
        options: ipv4::Options::NONE,
    };
    let udp = udp::Header {
        source_port: 49_152 | frame,
        destination_port: vxlan::PORT,
        length: frame.wrapping_add(16),
        checksum: 0,
    };
    let mut bytes = [0; OUTER];
    bytes[..14].copy_from_slice(&ethernet.to_bytes());
    bytes[14..34].copy_from_slice(&ipv4.with_checksum().fixed_bytes());
    bytes[34..42].copy_from_slice(&udp.to_bytes());
    bytes[42..].copy_from_slice(&vxlan::Header::new(VNI).to_bytes());
    bytes
}

/// Whether a packet that begins so is one of the segment's: all of its headers are looked at, and the checksum of IPv4.
#[inline(always)]
pub(crate) fn is_inner(bytes: &[u8; OUTER]) -> Option<()> {
    let (link, rest) = bytes.split_first_chunk()?;
    let (network, rest) = rest.split_first_chunk()?;
    let (transport, tunnel) = rest.split_first_chunk()?;
    let ip = ipv4::Header::from_bytes(network).ok()?;
    let udp = udp::Header::from_bytes(transport);
    let vxlan = vxlan::Header::from_bytes(tunnel.first_chunk()?);
    let is_ours = ethernet::Header::from_bytes(link).ethertype == EtherType::IPV4
        && !ip.is_fragment()
        && ipv4::verify(network) == checksum::State::Good
        && ip.protocol == IpProtocol::UDP
        && udp.destination_port == vxlan::PORT
        && vxlan.vni() == Some(VNI);
    is_ours.then_some(())
}

const VNI: Vni = Vni::truncate(42);
