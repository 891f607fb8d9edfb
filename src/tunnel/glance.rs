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
        let head = ip.first_chunk()?;
        // What is the same in all packets to us, in one go: version and header length, no fragment, protocol, our
        // address, our port. Eight bytes at a time, for a branch each costs more than the comparison.
        let ends = if is_udp { word(ip, 16) & ENDS } else { half(head, 16).into() };
        let differs = (word(head, 0) & FIXED ^ VERSION)
            | (word(head, 8) & PROTOCOL
                ^ u64::from_ne_bytes([
                    0,
                    if is_udp { IpProtocol::UDP.0 } else { self.protocol.0 },
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                ]))
            | (ends ^ self.glance_ends);
        if differs != 0 {
            return None;
        }
        let source = u32::from_be(half(head, 12));
        // Neither unspecified nor loopback nor a group; with the addresses behind groups, of which one is the
        // broadcast.
        let is_host = (source.wrapping_sub(1) < 0xe000_0000 - 1) & (source >> 24 != 127);
        if !(is_host & (source != self.local_ipv4.to_bits())) || ipv4::verify_fixed(head) != State::Good {
            return None;
        }
        let [_, ds_field, l0, l1, _, _, _, _, ttl, ..] = *head;
        let total_len = usize::from(u16::from_be_bytes([l0, l1]));
        if total_len < least {
            return None;
        }
        let payload = ip.get(ipv4::Header::MIN_LEN..total_len)?;
        let (source, destination) = (Ipv4Addr::from_bits(source), self.local_ipv4);
        let facts = OuterFacts::new(source.into(), destination.into());
        let facts = OuterFacts { ttl, ds_field, vlan: meta.vlan, ..facts };
        let glance = Glance { facts, payload, end: link.len().wrapping_add(total_len) };
        if !is_udp {
            return Some(glance);
        }
        self.glance_udp(glance, |datagram| verify_ipv4(source, destination, datagram), meta, policy)
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
        let facts = OuterFacts::new(source.into(), destination.into());
        let facts = OuterFacts { ttl, ds_field, vlan: meta.vlan, ..facts };
        let end = link.len().wrapping_add(ipv6::Header::LEN).wrapping_add(behind.len());
        let glance = Glance { facts, payload: behind, end };
        if !is_udp {
            return Some(glance);
        }
        if behind.first_chunk().is_none_or(|udp| udp::Header::from_bytes(udp).destination_port != self.port) {
            return None;
        }
        self.glance_udp(glance, |datagram| verify_ipv6(head, datagram), meta, policy)
    }

    /// Looks at the UDP header at the front of what was seen, whose port is ours.
    #[inline(always)]
    fn glance_udp<'a>(
        &self,
        glance: Glance<'a>,
        verify: impl FnOnce(&[u8]) -> State,
        meta: &DecapMeta,
        policy: &Policy,
    ) -> Option<Glance<'a>> {
        let Glance { mut facts, payload, end } = glance;
        let udp = udp::Header::from_bytes(payload.first_chunk()?);
        // A datagram that ends before its IP packet does is legal, and rare.
        if usize::from(udp.length) != payload.len() {
            return None;
        }
        facts.source_port = udp.source_port;
        facts.destination_port = udp.destination_port;
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
            match verify(payload) {
                State::Good => State::Good,
                _ => return None,
            }
        };
        let payload = payload.get(udp::Header::LEN..)?;
        Some(Glance { facts, payload, end })
    }
}

/// What [`Outer::glance_ends`] is: where packets over UDP and IPv4 go, as 8 bytes of them say it.
pub(crate) const fn ends(local: Ipv4Addr, port: u16, is_udp: bool) -> u64 {
    let [a, b, c, d] = local.octets();
    if !is_udp {
        return u32::from_ne_bytes([a, b, c, d]) as u64;
    }
    let [p0, p1] = port.to_be_bytes();
    u64::from_ne_bytes([a, b, c, d, 0, 0, p0, p1])
}

/// Eight bytes as the machine reads them; those that are not there count as zero.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_ne_bytes(*word))
}

/// Four of them.
#[inline(always)]
fn half(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_ne_bytes(*word))
}

// What is looked at of the first, second and third eight bytes of an IPv4 header with UDP's behind it.
const FIXED: u64 = u64::from_ne_bytes([0xff, 0, 0, 0, 0, 0, 0x3f, 0xff]);
const PROTOCOL: u64 = u64::from_ne_bytes([0, 0xff, 0, 0, 0, 0, 0, 0]);
const ENDS: u64 = u64::from_ne_bytes([0xff, 0xff, 0xff, 0xff, 0, 0, 0xff, 0xff]);

/// Version 4 and a header of 20 bytes.
const VERSION: u64 = u64::from_ne_bytes([0x45, 0, 0, 0, 0, 0, 0, 0]);

// Out of line, and with few arguments: most packets over IPv4 have no checksum.
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
