//! The outer headers on the way out: written once per remote, patched per packet.

use core::net::IpAddr;

use super::{
    ConfigError, DontFragment, EncapMeta, Framing, Link, OuterDscp, OuterFlowLabel, Ttl, UdpChecksum, ecn,
    entropy::{self, Keys},
    inner::{IpVersion, Peek},
    offload,
};
use crate::{
    packet::{Header, MAX_OVERHEAD},
    wire::{
        Dscp, EtherType, IpProtocol, MacAddr,
        checksum::{self, Sum},
        ethernet, ipv4, ipv6, udp, vlan,
    },
};

/// The other end of a tunnel: prebuilt outer headers, and what is patched into them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remote {
    /// Sum of what never changes of the IPv4 header.
    ipv4_sum: u16,
    /// Sum of what never changes for the UDP checksum: addresses, protocol, destination port.
    udp_sum: Sum,
    ip: Option<IpVersion>,
    /// Where the IP header starts.
    l3: u8,
    /// Where the tunnel's own header starts.
    pub(crate) tunnel: u8,
    /// What [`Ttl::Auto`] means for this remote.
    auto_ttl: u8,
    /// The DS field of every packet, before ECN; zero where it is inherited.
    ds_field: u8,
    /// The longest packet that fits.
    pub(crate) max_inner: u16,
    pub(crate) header: Header,
    address: IpAddr,
    port: u16,
}

impl Remote {
    /// Address of the other end.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// UDP destination port; zero for tunnels that are not over UDP.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Bytes of outer headers before the tunnel's payload.
    pub fn overhead(&self) -> usize {
        self.header.len()
    }

    /// The longest packet that can be sent to this remote, in bytes: a frame with its Ethernet header where
    /// the tunnel carries frames.
    pub const fn max_inner(&self) -> usize {
        self.max_inner as usize
    }

    /// The remote as bytes, for a table to keep: [`FACTS`](Self::FACTS) of what patches need, then the outer
    /// headers. They are meant for [`from_bytes`](Self::from_bytes) of the same build, and for nothing else.
    pub fn to_bytes(&self, out: &mut [u8]) -> Option<usize> {
        let len = Self::FACTS.saturating_add(self.header.len());
        let (facts, header) = out.get_mut(..len)?.split_first_chunk_mut::<{ Self::FACTS }>()?;
        let ip = match self.ip {
            None => 0,
            Some(IpVersion::V4) => 4,
            Some(IpVersion::V6) => 6,
        };
        let [i0, i1] = self.ipv4_sum.to_be_bytes();
        let [u0, u1] = self.udp_sum.value().to_be_bytes();
        let [m0, m1] = self.max_inner.to_be_bytes();
        *facts = [i0, i1, u0, u1, ip, self.l3, self.tunnel, self.auto_ttl, self.ds_field, 0, m0, m1];
        header.iter_mut().zip(&*self.header).for_each(|(to, from)| *to = *from);
        Some(len)
    }

    /// The remote at `address` and `port` that was made to `bytes`.
    pub fn from_bytes(address: IpAddr, port: u16, bytes: &[u8]) -> Option<Self> {
        let (&[i0, i1, u0, u1, ip, l3, tunnel, auto_ttl, ds_field, _, m0, m1], header) =
            bytes.split_first_chunk::<{ Self::FACTS }>()?;
        Some(Self {
            ipv4_sum: u16::from_be_bytes([i0, i1]),
            udp_sum: Sum::ZERO.add_word(u16::from_be_bytes([u0, u1])),
            ip: match ip {
                4 => Some(IpVersion::V4),
                6 => Some(IpVersion::V6),
                _ => None,
            },
            l3,
            tunnel,
            auto_ttl,
            ds_field,
            max_inner: u16::from_be_bytes([m0, m1]),
            header: Header::new(header)?,
            address,
            port,
        })
    }

    /// Bytes of [`to_bytes`](Self::to_bytes) before the outer headers.
    pub const FACTS: usize = 12;

    /// The same remote behind another next hop; nothing changes where the framing has no Ethernet header.
    #[must_use]
    pub fn with_next_hop(mut self, next_hop: MacAddr) -> Self {
        if usize::from(self.l3) >= ethernet::Header::LEN {
            if let Some(destination) = self.header.as_mut_slice().first_chunk_mut() {
                *destination = next_hop.0;
            }
        }
        self
    }
}

/// The validated settings of the outer headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer {
    pub(crate) local: IpAddr,
    pub(crate) framing: Framing,
    pub(crate) protocol: IpProtocol,
    pub(crate) ttl: Ttl,
    pub(crate) dscp: OuterDscp,
    pub(crate) ecn: ecn::Mode,
    pub(crate) dont_fragment: DontFragment,
    pub(crate) flow_label: OuterFlowLabel,
    pub(crate) udp_checksum: UdpChecksum,
    pub(crate) source_ports: (u16, u16),
    pub(crate) port: u16,
    pub(crate) mtu: u16,
    pub(crate) keys: Keys,
    /// Whether more of the IP header than lengths, ECN and checksum differs from packet to packet.
    pub(crate) varies: bool,
}

/// What the patches need, besides the settings.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "in a signature of the sealed `Protocol`")]
pub struct Flow<'a> {
    /// The packet to encapsulate.
    pub(crate) packet: &'a [u8],
    pub(crate) peek: &'a Peek,
    pub(crate) meta: &'a EncapMeta,
    /// Flow hash, where one is needed.
    pub(crate) hash: u32,
}

impl Outer {
    /// Bytes before the IP header.
    pub(crate) const fn link_len(&self) -> usize {
        match self.framing {
            Framing::Payload | Framing::Ip => 0,
            Framing::Ethernet(link) => {
                ethernet::Header::LEN + if link.vlan.is_some() { vlan::Header::LEN } else { 0 }
            }
        }
    }

    /// Bytes of IP and UDP headers, whoever writes them.
    pub(crate) const fn network_len(&self) -> usize {
        let ip = if self.local.is_ipv6() { ipv6::Header::LEN } else { ipv4::Header::MIN_LEN };
        ip + if self.is_udp() { udp::Header::LEN } else { 0 }
    }

    /// Bytes of IP and UDP headers that are ours to write.
    pub(crate) const fn written_network_len(&self) -> usize {
        if matches!(self.framing, Framing::Payload) { 0 } else { self.network_len() }
    }

    pub(crate) const fn is_udp(&self) -> bool {
        self.protocol.0 == IpProtocol::UDP.0
    }

    /// Whether the outer headers hold bits of the flow hash.
    #[inline]
    pub(crate) const fn needs_hash(&self) -> bool {
        let written = !matches!(self.framing, Framing::Payload);
        written && (self.is_udp() || matches!(self.flow_label, OuterFlowLabel::FromHash))
    }

    /// The outer headers towards `address` and `port`, `tunnel` being the tunnel's own header.
    pub(crate) fn remote(&self, address: IpAddr, port: u16, tunnel: &[u8]) -> Result<Remote, ConfigError> {
        if self.local.is_ipv4() != address.is_ipv4() {
            return Err(ConfigError::FamilyMismatch { local: self.local, remote: address });
        }
        if address.is_unspecified() {
            return Err(ConfigError::RemoteUnspecified(address));
        }
        if self.is_udp() && port == 0 {
            return Err(ConfigError::PortZero);
        }
        let link_len = self.link_len();
        let written = link_len + self.written_network_len();
        let overhead = self.network_len() + tunnel.len();
        // IPv6 counts without its own header (RFC 8200, section 3), but an MTU does not.
        let max = usize::from(self.mtu);
        let too_small = ConfigError::Mtu { mtu: max, overhead, max: MAX_LEN };
        let max_inner = max.checked_sub(overhead).filter(|&left| left > 0).ok_or(too_small)?;

        let auto_ttl = if address.is_multicast() { 1 } else { DEFAULT_TTL };
        let constant = if self.varies { Constant::default() } else { self.constant(auto_ttl) };
        let mut header = Header::EMPTY;
        let too_long = ConfigError::Overhead { overhead: written + tunnel.len(), max: MAX_OVERHEAD };
        let bytes = header.resize(written + tunnel.len()).ok_or(too_long)?;
        if let Some((outer, behind)) = bytes.split_at_mut_checked(written) {
            self.write(outer, address, port, constant);
            behind.copy_from_slice(tunnel);
        }
        let pseudo = Sum::pseudo(self.local, address, self.protocol, 0).unwrap_or(Sum::ZERO);
        Ok(Remote {
            ipv4_sum: pseudo
                .add_word(0x4500 | u16::from(constant.ds_field))
                .add_word(constant.flags)
                .add_word(u16::from(constant.ttl) << 8)
                .value(),
            udp_sum: pseudo.add_word(port),
            ip: match (self.framing, address) {
                (Framing::Payload, _) => None,
                (_, IpAddr::V4(_)) => Some(IpVersion::V4),
                (_, IpAddr::V6(_)) => Some(IpVersion::V6),
            },
            l3: link_len as u8,
            tunnel: written as u8,
            auto_ttl,
            ds_field: constant.ds_field,
            max_inner: max_inner as u16,
            header,
            address,
            port,
        })
    }

    /// What is the same in every packet to a remote.
    fn constant(&self, auto_ttl: u8) -> Constant {
        let dscp = match self.dscp {
            OuterDscp::Fixed(dscp) => dscp,
            OuterDscp::Inherit => Dscp::default(),
        };
        let label = match self.flow_label {
            OuterFlowLabel::Fixed(label) => label.value(),
            OuterFlowLabel::FromHash => 0,
        };
        let flags = if self.dont_fragment == DontFragment::Set { DF } else { 0 };
        let ttl = if let Ttl::Fixed(ttl) = self.ttl { ttl } else { auto_ttl };
        Constant { ds_field: dscp.value() << 2, ttl, flags, label }
    }

    /// Writes all outer headers before the tunnel's own; what is patched later is zero.
    fn write(&self, out: &mut [u8], address: IpAddr, port: u16, constant: Constant) {
        let mut out = Writer(out);
        if let Framing::Ethernet(Link { source, next_hop: destination, vlan }) = self.framing {
            let ip = if address.is_ipv4() { EtherType::IPV4 } else { EtherType::IPV6 };
            let ethertype = if vlan.is_some() { EtherType::VLAN } else { ip };
            out.put(ethernet::Header { destination, source, ethertype }.to_bytes());
            if let Some((id, priority)) = vlan {
                out.put(vlan::Header { priority, drop_eligible: false, id, ethertype: ip }.to_bytes());
            }
        }
        let Constant { ds_field, ttl, flags, label } = constant;
        match (self.local, address) {
            _ if self.framing == Framing::Payload => return,
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let [f0, f1] = flags.to_be_bytes();
                out.put([0x45, ds_field, 0, 0, 0, 0, f0, f1, ttl, self.protocol.0, 0, 0]);
                out.put(source.octets());
                out.put(destination.octets());
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let [w0, w1, w2, w3] = first_word(ds_field, label);
                out.put([w0, w1, w2, w3, 0, 0, self.protocol.0, ttl]);
                out.put(source.octets());
                out.put(destination.octets());
            }
            // The caller has compared the families.
            _ => return,
        }
        if self.is_udp() {
            let udp = udp::Header { source_port: 0, destination_port: port, length: 0, checksum: 0 };
            out.put(udp.to_bytes());
        }
    }

    /// Completes the outer headers in `header`, a copy of the remote's, for one packet: the tunnel's own
    /// header must be finished already.
    #[inline(always)]
    pub(crate) fn patch(&self, remote: &Remote, header: &mut [u8], flow: &Flow<'_>) {
        let Some(l3) = header.get_mut(remote.l3.into()..) else { return };
        match remote.ip {
            Some(IpVersion::V4) => {
                let Some((ip, rest)) = l3.split_first_chunk_mut() else { return };
                self.patch_ipv4(remote, ip, len(rest, flow), flow);
                self.patch_udp(remote, rest, flow);
            }
            Some(IpVersion::V6) => {
                let Some((ip, rest)) = l3.split_first_chunk_mut() else { return };
                self.patch_ipv6(remote, ip, len(rest, flow), flow);
                self.patch_udp(remote, rest, flow);
            }
            None => {}
        }
    }

    /// `len`: bytes behind this header.
    #[inline(always)]
    fn patch_ipv4(&self, remote: &Remote, ip: &mut [u8; ipv4::Header::MIN_LEN], len: u16, flow: &Flow<'_>) {
        let total_len = len.wrapping_add(ipv4::Header::MIN_LEN as u16);
        let ecn = self.ecn.outer(flow.peek.ecn()).value();
        if self.varies {
            return self.patch_varying_ipv4(remote, ip, total_len, ecn, flow);
        }
        let [_, ds_field, l0, l1, _, _, _, _, _, _, c0, c1, ..] = ip;
        *ds_field = remote.ds_field | ecn;
        [*l0, *l1] = total_len.to_be_bytes();
        [*c0, *c1] = checksum::of_words(remote.ipv4_sum, [total_len, ecn.into()]).to_be_bytes();
    }

    fn patch_varying_ipv4(
        &self,
        remote: &Remote,
        ip: &mut [u8; ipv4::Header::MIN_LEN],
        total_len: u16,
        ecn: u8,
        flow: &Flow<'_>,
    ) {
        let dont_fragment = match self.dont_fragment {
            DontFragment::Unset => false,
            DontFragment::Set => true,
            DontFragment::Inherit => flow.peek.dont_fragment(flow.packet),
            DontFragment::InheritIpv4 => {
                flow.peek.version == Some(IpVersion::V4) && flow.peek.dont_fragment(flow.packet)
            }
        };
        let (identification, flags) = if dont_fragment { (0, DF) } else { (self.identification(flow), 0) };
        let ds_field = self.dscp(flow.peek) | ecn;
        let ttl = self.ttl(remote, flow);
        let changing = [ds_field.into(), total_len, identification, flags, u16::from(ttl) << 8];
        let [l0, l1] = total_len.to_be_bytes();
        let [i0, i1] = identification.to_be_bytes();
        let [f0, f1] = flags.to_be_bytes();
        let [c0, c1] = checksum::of_words(remote.ipv4_sum, changing).to_be_bytes();
        let [fixed @ .., _, _, _, _, _, _, _, _] = ip;
        *fixed = [0x45, ds_field, l0, l1, i0, i1, f0, f1, ttl, self.protocol.0, c0, c1];
    }

    #[inline(always)]
    fn patch_ipv6(&self, remote: &Remote, ip: &mut [u8; ipv6::Header::LEN], len: u16, flow: &Flow<'_>) {
        let ecn = self.ecn.outer(flow.peek.ecn()).value();
        let [w0, w1, w2, w3, l0, l1, _, hop_limit, ..] = ip;
        [*l0, *l1] = len.to_be_bytes();
        if !self.varies {
            // The upper half of this byte is the lower half of the DS field.
            *w1 |= ecn << 4;
            return;
        }
        let label = match self.flow_label {
            OuterFlowLabel::Fixed(label) => label.value(),
            OuterFlowLabel::FromHash => (flow.hash >> 12).max(1),
        };
        [*w0, *w1, *w2, *w3] = first_word(self.dscp(flow.peek) | ecn, label);
        *hop_limit = self.ttl(remote, flow);
    }

    /// `datagram`: what stands in the header behind IP.
    #[inline(always)]
    fn patch_udp(&self, remote: &Remote, datagram: &mut [u8], flow: &Flow<'_>) {
        if !self.is_udp() {
            return;
        }
        let length = len(datagram, flow);
        let Some((udp, tunnel)) = datagram.split_first_chunk_mut() else { return };
        let (min, max) = self.source_ports;
        let source_port = entropy::port(flow.hash, min, max);
        let [s0, s1, _, _, l0, l1, c0, c1]: &mut [u8; udp::Header::LEN] = udp;
        [*s0, *s1] = source_port.to_be_bytes();
        [*l0, *l1] = length.to_be_bytes();
        if self.udp_checksum != UdpChecksum::Zero {
            let sum = remote
                .udp_sum
                .add_word(source_port)
                .add_word(length)
                .add_word(length)
                .add_bytes(tunnel)
                .join(offload::inner_sum(self.udp_checksum, flow));
            [*c0, *c1] = sum.udp_checksum().to_be_bytes();
        }
    }

    /// The DS field without ECN.
    fn dscp(&self, peek: &Peek) -> u8 {
        match self.dscp {
            OuterDscp::Fixed(dscp) => dscp.value() << 2,
            OuterDscp::Inherit => peek.ds_field & !3,
        }
    }

    fn ttl(&self, remote: &Remote, flow: &Flow<'_>) -> u8 {
        match self.ttl {
            Ttl::Auto => remote.auto_ttl,
            Ttl::Fixed(ttl) => ttl,
            Ttl::Inherit => match flow.peek.ttl(flow.packet) {
                0 => DEFAULT_TTL,
                ttl => ttl,
            },
        }
    }

    fn identification(&self, flow: &Flow<'_>) -> u16 {
        match flow.meta.identification {
            Some(identification) => identification,
            None => self.keys.bytes(flow.packet.get(..64).unwrap_or(flow.packet)) as u16,
        }
    }
}

/// Bytes from `written`, the last of the headers, to the end of the packet: [`Remote::max_inner`] sees to
/// it that they are fewer than 2^16.
#[inline(always)]
fn len(written: &[u8], flow: &Flow<'_>) -> u16 {
    (written.len() as u16).wrapping_add(flow.packet.len() as u16)
}

/// What of an IP header is the same in every packet; all zero where it is not.
#[derive(Clone, Copy, Debug, Default)]
struct Constant {
    /// DSCP in its place in the DS field, ECN zero.
    ds_field: u8,
    ttl: u8,
    /// IPv4's flags and fragment offset.
    flags: u16,
    /// IPv6's flow label.
    label: u32,
}

/// The first four bytes of an IPv6 header.
fn first_word(ds_field: u8, label: u32) -> [u8; 4] {
    (6 << 28 | u32::from(ds_field) << 20 | label).to_be_bytes()
}

/// Fills a slice from front to back.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some((to, rest)) = core::mem::take(&mut self.0).split_first_chunk_mut() {
            *to = bytes;
            self.0 = rest;
        }
    }
}

/// The longest IP packet: IPv4's total length, and as much of IPv6, which could have 40 bytes more.
pub(crate) const MAX_LEN: usize = 65_535;

const DEFAULT_TTL: u8 = 64;
const DF: u16 = 0x4000;
