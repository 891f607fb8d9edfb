//! The rivals in decapsulation, each with all checks, as its users would write them.

use std::net::Ipv4Addr;

use etherparse::{EtherType, Ethernet2HeaderSlice, IpNumber, Ipv4HeaderSlice, UdpHeaderSlice};
use pnet_packet::{
    Packet,
    ethernet::{EtherTypes, EthernetPacket},
    ip::IpNextHeaderProtocols,
    ipv4::{self, Ipv4Packet},
    udp::{self, UdpPacket},
    vxlan::VxlanPacket,
};
use smoltcp::wire;

use super::{Decap, Opened};
use crate::traffic::LOCAL;

/// All of them, with the address and the port that are ours, as if from memory.
pub struct Rivals {
    pub etherparse: Etherparse,
    pub pnet: Pnet,
    pub smoltcp: Smoltcp,
    pub pdu: Pdu,
}

#[derive(Clone, Copy)]
pub struct Ours {
    local: Ipv4Addr,
    port: u16,
}

impl Default for Rivals {
    fn default() -> Self {
        let ours = std::hint::black_box(Ours { local: LOCAL, port: 4789 });
        Self { etherparse: Etherparse(ours), pnet: Pnet(ours), smoltcp: Smoltcp(ours), pdu: Pdu(ours) }
    }
}

impl Ours {
    /// Whether two hosts can have sent this to each other.
    #[inline(always)]
    fn between(&self, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        let martian = source.is_unspecified()
            || source.is_multicast()
            || source.is_broadcast()
            || source.is_loopback() && !destination.is_loopback();
        !martian && source != self.local && (destination == self.local || destination.is_multicast())
    }
}

pub struct Etherparse(Ours);

impl Decap for Etherparse {
    fn name(&self) -> String {
        "etherparse".into()
    }

    #[inline(always)]
    fn open(&self, packet: &[u8]) -> Option<Opened> {
        let link = Ethernet2HeaderSlice::from_slice(packet).ok()?;
        if link.ether_type() != EtherType::IPV4 {
            return None;
        }
        let rest = packet.get(14..)?;
        let ip = Ipv4HeaderSlice::from_slice(rest).ok()?;
        let good = etherparse::checksum::Sum16BitWords::new().add_slice(ip.slice()).ones_complement() == 0;
        let between = self.0.between(ip.source_addr(), ip.destination_addr());
        if !good || ip.is_fragmenting_payload() || ip.protocol() != IpNumber::UDP || !between {
            return None;
        }
        let datagram = rest.get(..ip.total_len().into())?.get(ip.slice().len()..)?;
        let udp = UdpHeaderSlice::from_slice(datagram).ok()?;
        if udp.destination_port() != self.0.port || udp.length() < 8 {
            return None;
        }
        let payload = datagram.get(..udp.length().into())?.get(8..)?;
        if udp.checksum() != 0 {
            let sum = udp.to_header().calc_checksum_ipv4_raw(ip.source(), ip.destination(), payload).ok()?;
            if sum != udp.checksum() {
                return None;
            }
        }
        let &[flags, _, _, _, v0, v1, v2, _] = payload.first_chunk()?;
        let start = 14 + ip.slice().len() + 16;
        let opened = Opened {
            vni: u32::from_be_bytes([0, v0, v1, v2]),
            start,
            end: start + payload.len() - 8,
            ecn: ip.ecn().value(),
        };
        (flags & 8 != 0).then_some(opened)
    }
}

pub struct Pnet(Ours);

impl Decap for Pnet {
    fn name(&self) -> String {
        "pnet_packet".into()
    }

    #[inline(always)]
    fn open(&self, packet: &[u8]) -> Option<Opened> {
        let link = EthernetPacket::new(packet)?;
        if link.get_ethertype() != EtherTypes::Ipv4 {
            return None;
        }
        let ip = Ipv4Packet::new(link.payload())?;
        let (header_len, total_len) =
            (usize::from(ip.get_header_length()) * 4, usize::from(ip.get_total_length()));
        // Its getters panic, or read nonsense, where the lengths are not checked before.
        if ip.get_version() != 4 || header_len < 20 || total_len < header_len || total_len > ip.packet().len()
        {
            return None;
        }
        if header_len > ip.packet().len() || ipv4::checksum(&ip) != ip.get_checksum() {
            return None;
        }
        let is_fragment = ip.get_flags() & 1 != 0 || ip.get_fragment_offset() != 0;
        let is_udp = ip.get_next_level_protocol() == IpNextHeaderProtocols::Udp;
        if is_fragment || !is_udp || !self.0.between(ip.get_source(), ip.get_destination()) {
            return None;
        }
        let datagram = link.payload().get(header_len..total_len)?;
        let udp = UdpPacket::new(datagram)?;
        let length = usize::from(udp.get_length());
        if udp.get_destination() != self.0.port || length < 16 || length > datagram.len() {
            return None;
        }
        if udp.get_checksum() != 0 {
            let whole = UdpPacket::new(datagram.get(..length)?)?;
            if udp::ipv4_checksum(&whole, &ip.get_source(), &ip.get_destination()) != udp.get_checksum() {
                return None;
            }
        }
        let vxlan = VxlanPacket::new(datagram.get(8..length)?)?;
        let start = 14 + header_len + 16;
        let opened = Opened { vni: vxlan.get_vni(), start, end: start + length - 16, ecn: ip.get_ecn() };
        (vxlan.get_flags() & 8 != 0).then_some(opened)
    }
}

pub struct Smoltcp(Ours);

impl Decap for Smoltcp {
    fn name(&self) -> String {
        "smoltcp".into()
    }

    #[inline(always)]
    fn open(&self, packet: &[u8]) -> Option<Opened> {
        let link = wire::EthernetFrame::new_checked(packet).ok()?;
        if link.ethertype() != wire::EthernetProtocol::Ipv4 {
            return None;
        }
        let ip = wire::Ipv4Packet::new_checked(link.payload()).ok()?;
        // It takes a header length below 20 bytes.
        if ip.version() != 4 || ip.header_len() < 20 || !ip.verify_checksum() {
            return None;
        }
        let is_fragment = ip.more_frags() || ip.frag_offset() != 0;
        let is_udp = ip.next_header() == wire::IpProtocol::Udp;
        if is_fragment || !is_udp || !self.0.between(ip.src_addr(), ip.dst_addr()) {
            return None;
        }
        let udp = wire::UdpPacket::new_checked(ip.payload()).ok()?;
        if udp.dst_port() != self.0.port {
            return None;
        }
        if udp.checksum() != 0 && !udp.verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into()) {
            return None;
        }
        let payload = udp.payload();
        let &[flags, _, _, _, v0, v1, v2, _] = payload.first_chunk()?;
        let start = 14 + usize::from(ip.header_len()) + 16;
        let opened = Opened {
            vni: u32::from_be_bytes([0, v0, v1, v2]),
            start,
            end: start + payload.len() - 8,
            ecn: ip.ecn(),
        };
        (flags & 8 != 0).then_some(opened)
    }
}

pub struct Pdu(Ours);

impl Decap for Pdu {
    fn name(&self) -> String {
        "pdu".into()
    }

    #[inline(always)]
    fn open(&self, packet: &[u8]) -> Option<Opened> {
        let link = pdu::EthernetPdu::new(packet).ok()?;
        let pdu::Ethernet::Ipv4(ip) = link.inner().ok()? else { return None };
        let total_len = usize::from(ip.total_length());
        let bytes = ip.buffer();
        let good = ip.computed_checksum() == ip.checksum();
        let is_fragment = ip.more_fragments() || ip.fragment_offset() != 0;
        let between = self.0.between(ip.source_address().into(), ip.destination_address().into());
        if !good || is_fragment || ip.protocol() != 17 || !between || link.vlan().is_some() {
            return None;
        }
        let datagram = bytes.get(..total_len)?.get(ip.computed_ihl()..)?;
        let udp = pdu::UdpPdu::new(datagram).ok()?;
        let length = usize::from(udp.length());
        if udp.destination_port() != self.0.port || length < 16 || length > datagram.len() {
            return None;
        }
        if udp.checksum() != 0 {
            let whole = pdu::UdpPdu::new(datagram.get(..length)?).ok()?;
            let computed = whole.computed_checksum(&pdu::Ip::Ipv4(ip));
            // It knows nothing of a computed zero.
            if if computed == 0 { 0xffff } else { computed } != udp.checksum() {
                return None;
            }
        }
        let &[flags, _, _, _, v0, v1, v2, _] = datagram.get(8..)?.first_chunk()?;
        let start = 14 + ip.computed_ihl() + 16;
        let opened = Opened {
            vni: u32::from_be_bytes([0, v0, v1, v2]),
            start,
            end: start + length - 16,
            ecn: ip.ecn(),
        };
        (flags & 8 != 0).then_some(opened)
    }
}
