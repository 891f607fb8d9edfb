//! What most received packets are, seen at a glance: IP without options or extensions, whole, sent by one host to us,
//! all its lengths and checksums right.
//!
//! Everything else is for [`underlay`](super::underlay) to read, header by header, which also finds the reason for a
//! drop. What is seen here is what it would have found.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{DecapMeta, OuterFacts, Policy, outer::Outer};
use crate::wire::{
    EtherType, IpProtocol,
    checksum::{State, Sum},
    ipv4, ipv6, udp,
};

/// A packet that was seen: what its outer headers said, the payload of IP or UDP, and where in the packet that ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance<'a> {
    pub(crate) facts: OuterFacts,
    pub(crate) payload: &'a [u8],
    pub(crate) end: usize,
}

impl Outer {
    /// Looks at the outer headers of a packet over IPv4; `None` where it takes more than that, and where fewer than
    /// `min` bytes are left. This and `is_udp` are known to the compiler where this is called.
    #[inline(always)]
    pub(crate) fn glance_ipv4<'a>(
        &self,
        is_udp: bool,
        min: usize,
        packet: &'a [u8],
        meta: &DecapMeta,
        policy: &Policy,
    ) -> Option<Glance<'a>> {
        // One comparison for the lengths of all headers to come.
        let least = ipv4::Header::MIN_LEN + if is_udp { udp::Header::LEN } else { 0 } + min;
        if packet.len() < least.wrapping_add(self.glance_l3.into()) {
            return None;
        }
        let (link, ip) = packet.split_at_checked(self.glance_l3.into())?;
        if link.last_chunk().is_some_and(|ethertype| *ethertype != EtherType::IPV4.0.to_be_bytes()) {
            return None;
        }
        let head: &[u8; ipv4::Header::MIN_LEN] = ip.first_chunk()?;
        // Each field by itself, and before the checksum reads them all: what is read at once is taken apart by shifts.
        let &[v_ihl, ds_field, l0, l1, _, _, _, _, ttl, _, _, _, first, ..] = head;
        let source = half(head, 12);
        let protocol = if is_udp { IpProtocol::UDP } else { self.protocol };
        // What is the same in all packets to us: version and header length, no fragment, protocol, our address.
        let fixed = half(head, 6) & FIXED ^ u32::from_ne_bytes([0, 0, 0, protocol.0]);
        let local = u32::from_ne_bytes(self.local_ipv4.octets());
        if v_ihl != VERSION || fixed != 0 || half(head, 16) != local {
            return None;
        }
        // Neither unspecified, nor loopback, nor a group or anything above groups, where the broadcast is.
        let is_host = (u32::from_be(source).wrapping_sub(1) < 0xe000_0000 - 1) & (first != 127);
        if !is_host || source == local {
            return None;
        }
        let total_len = usize::from(u16::from_be_bytes([l0, l1]));
        if total_len < least || ipv4::verify_fixed(head) != State::Good {
            return None;
        }
        let payload = ip.get(ipv4::Header::MIN_LEN..total_len)?;
        let (source, destination) = (Ipv4Addr::from(source.to_ne_bytes()), self.local_ipv4);
        let facts = OuterFacts::between(source.into(), destination.into());
        let mut facts = OuterFacts { ttl, ds_field, vlan: meta.vlan, ..facts };
        let verify = |datagram: &[u8]| verify_ipv4(source, destination, datagram);
        let payload =
            if is_udp { self.glance_udp(&mut facts, payload, verify, meta, policy)? } else { payload };
        Some(Glance { facts, payload, end: link.len().wrapping_add(total_len) })
    }

    /// The same over IPv6.
    #[inline(always)]
    pub(crate) fn glance_ipv6<'a>(
        &self,
        is_udp: bool,
        local: Ipv6Addr,
        packet: &'a [u8],
        meta: &DecapMeta,
        policy: &Policy,
    ) -> Option<Glance<'a>> {
        let (link, ip) = packet.split_at_checked(self.glance_l3.into())?;
        if link.last_chunk().is_some_and(|ethertype| *ethertype != EtherType::IPV6.0.to_be_bytes()) {
            return None;
        }
        let (head, behind) = ip.split_first_chunk()?;
        let header = ipv6::Header::from_bytes(head).ok()?;
        let ipv6::Header { source, destination, .. } = header;
        let is_host = !source.is_unspecified() && !source.is_multicast() && !source.is_loopback();
        if header.next_header != self.protocol || destination != local || !is_host || source == local {
            return None;
        }
        let behind = behind.get(..header.payload_len.into())?;
        if behind.is_empty() {
            return None;
        }
        let [b0, b1, _, _, _, _, _, ttl, ..] = *head;
        let ds_field = b0 << 4 | b1 >> 4;
        let facts = OuterFacts::between(source.into(), destination.into());
        let mut facts = OuterFacts { ttl, ds_field, vlan: meta.vlan, ..facts };
        let end = link.len().wrapping_add(ipv6::Header::LEN).wrapping_add(behind.len());
        let verify = |datagram: &[u8]| verify_ipv6(head, datagram);
        let payload =
            if is_udp { self.glance_udp(&mut facts, behind, verify, meta, policy)? } else { behind };
        Some(Glance { facts, payload, end })
    }

    /// Looks at the UDP header at the front of a datagram, adds what it says to `facts`, and answers what is behind it.
    #[inline(always)]
    fn glance_udp<'a>(
        &self,
        facts: &mut OuterFacts,
        datagram: &'a [u8],
        verify: impl FnOnce(&[u8]) -> State,
        meta: &DecapMeta,
        policy: &Policy,
    ) -> Option<&'a [u8]> {
        let (head, payload) = datagram.split_first_chunk()?;
        let udp = udp::Header::from_bytes(head);
        let &[_, _, p0, p1, ..] = head;
        // The port in network byte order, which saves turning it. A datagram that ends before its IP packet does is
        // legal, and rare.
        if [p0, p1] != self.port.to_be_bytes() || usize::from(udp.length) != datagram.len() {
            return None;
        }
        facts.udp_checksum = if udp.checksum == 0 {
            if facts.source.is_ipv6() && !policy.allow_zero_checksum_ipv6 {
                return None;
            }
            State::Absent
        } else if meta.udp_checksum_verified {
            State::Good
        } else if !policy.verify_udp_checksum {
            State::Unverified
        } else {
            match verify(datagram) {
                State::Good => State::Good,
                _ => return None,
            }
        };
        facts.source_port = udp.source_port;
        facts.destination_port = udp.destination_port;
        Some(payload)
    }
}

/// Four bytes as the machine reads them; those that are not there count as zero.
#[inline(always)]
fn half(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_ne_bytes(*word))
}

// What is looked at behind an IPv4 header's identification: fragmentation and protocol, not TTL.
const FIXED: u32 = u32::from_ne_bytes([0x3f, 0xff, 0, 0xff]);

/// Version 4 and a header of 20 bytes.
const VERSION: u8 = 0x45;

// Out of line, and with few arguments: most packets over IPv4 have no checksum.
#[cold]
#[inline(never)]
fn verify_ipv4(source: Ipv4Addr, destination: Ipv4Addr, datagram: &[u8]) -> State {
    let pseudo = Sum::pseudo_ipv4(source, destination, IpProtocol::UDP, datagram.len() as u16);
    State::verified(pseudo.add_bytes(datagram))
}

#[inline(never)]
fn verify_ipv6(header: &[u8; ipv6::Header::LEN], datagram: &[u8]) -> State {
    let [_, _, _, _, _, _, _, _, addresses @ ..] = header;
    let pseudo =
        Sum::ZERO.add_array(addresses).add_word(IpProtocol::UDP.0.into()).add_word(datagram.len() as u16);
    State::verified(pseudo.add_bytes(datagram))
}
