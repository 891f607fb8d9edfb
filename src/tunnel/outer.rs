//! The outer headers on the way out: their settings, and what is written once per remote.

use core::net::{IpAddr, Ipv4Addr};

use super::{
    ConfigError, DontFragment, Framing, Link, OuterDscp, OuterFlowLabel, Remote, Ttl, UdpChecksum, ecn,
    encap::FIRST,
    entropy::{Keys, SourcePorts},
    inner::IpVersion,
    remote::Facts,
};
use crate::{
    packet::{Header, MAX_OVERHEAD},
    wire::{
        Dscp, EtherType, IpProtocol, MacAddr, checksum::Sum, ethernet, ipv4, ipv6, is_ipv4_mapped, udp, vlan,
    },
};

/// The validated settings of the outer headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer {
    pub(crate) local: IpAddr,
    pub(crate) framing: Framing,
    pub(crate) protocol: IpProtocol,
    pub(crate) ttl: Ttl,
    pub(crate) dscp: OuterDscp,
    pub(crate) marks: ecn::Marks,
    /// The highest ECN code point that plain encapsulation copies.
    pub(crate) max_plain_ecn: u8,
    pub(crate) dont_fragment: DontFragment,
    pub(crate) flow_label: OuterFlowLabel,
    pub(crate) udp_checksum: UdpChecksum,
    pub(crate) source_ports: SourcePorts,
    pub(crate) port: u16,
    pub(crate) mtu: u16,
    pub(crate) keys: Keys,
    /// The local address once more, where it is one of IPv4.
    pub(crate) local_ipv4: Ipv4Addr,
    /// Bytes before the IP header of most packets that are received: none, or Ethernet's.
    pub(crate) glance_l3: u8,
    /// Whether more of the IP header than lengths, ECN and checksum differs from packet to packet.
    pub(crate) varies: bool,
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
        if is_ipv4_mapped(address) {
            return Err(ConfigError::Ipv4Mapped(address));
        }
        if self.local.is_ipv4() != address.is_ipv4() {
            return Err(ConfigError::FamilyMismatch { local: self.local, remote: address });
        }
        if address.is_unspecified() {
            return Err(ConfigError::RemoteUnspecified(address));
        }
        if address == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(ConfigError::RemoteBroadcast(address));
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
        let ip = match (self.framing, address) {
            (Framing::Payload, _) => None,
            (_, IpAddr::V4(_)) => Some(IpVersion::V4),
            (_, IpAddr::V6(_)) => Some(IpVersion::V6),
        };
        let is_plain = matches!(self.framing, Framing::Ip | Framing::Ethernet(Link { vlan: None, .. }));
        let usual = match (ip, self.framing) {
            _ if !is_plain || !self.is_udp() => 0,
            _ if tunnel.len() == USUAL_TUNNEL => header.len(),
            (Some(IpVersion::V4), Framing::Ip) => FIRST,
            _ => 0,
        };
        let facts = Facts {
            ipv4_sum: pseudo
                .add_word(0x4500 | u16::from(constant.ds_field))
                .add_word(constant.flags)
                .add_word(u16::from(constant.ttl) << 8)
                .value(),
            udp_sum: pseudo.add_word(port).value(),
            max_inner: max_inner as u16,
            ip,
            usual: usual as u8,
            l3: link_len as u8,
            tunnel: written as u8,
            auto_ttl,
        };
        Ok(Remote::new(facts, header, address, port))
    }

    /// What is the same in every packet to a remote.
    fn constant(&self, auto_ttl: u8) -> Constant {
        let dscp = match self.dscp {
            OuterDscp::Fixed(dscp) => dscp,
            OuterDscp::Inherit => Dscp::default(),
        };
        let label = match self.flow_label {
            OuterFlowLabel::Fixed(label) => label.value(),
            OuterFlowLabel::FromHash | OuterFlowLabel::Inherit => 0,
        };
        let flags = if self.dont_fragment == DontFragment::Set { DF } else { 0 };
        let ttl = if let Ttl::Fixed(ttl) = self.ttl { ttl } else { auto_ttl };
        Constant { ds_field: dscp.value() << 2, ttl, flags, label }
    }

    /// Writes all outer headers before the tunnel's own; what is patched later is zero.
    fn write(&self, out: &mut [u8], address: IpAddr, port: u16, constant: Constant) {
        let mut out = Writer(out);
        if let Framing::Ethernet(Link { source, next_hop, vlan }) = self.framing {
            // No router is between us and a group.
            let destination = MacAddr::of_group(address).unwrap_or(next_hop);
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
pub(crate) fn first_word(ds_field: u8, label: u32) -> [u8; 4] {
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

/// Bytes of the headers of most tunnels.
pub(crate) const USUAL_TUNNEL: usize = 8;

/// The longest IP packet: IPv4's total length, and as much of IPv6, which could have 40 bytes more.
pub(crate) const MAX_LEN: usize = 65_535;

pub(crate) const DEFAULT_TTL: u8 = 64;
pub(crate) const DF: u16 = 0x4000;
