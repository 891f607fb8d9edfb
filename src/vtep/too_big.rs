//! Frames that are too long for the way to a remote: their senders are told.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{
    DropReason, Engine, Output, OverlayMeta, TooBig, Worker,
    overlay::{Front, MAX_FRONT},
    report::{Answer, TTL},
};
use crate::{
    packet::Packet,
    time::Instant,
    wire::{EtherType, MacAddr, icmpv4, icmpv6, ipv4, ipv6, is_host, vlan},
};

impl Engine<'_> {
    /// Tells the sender of a frame that is too long, in its place, if it may be told: never by fragments.
    pub(super) fn too_big(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        max: usize,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        if self.config.too_big == TooBig::Drop {
            return Err(DropReason::TooBig);
        }
        let front = Front::of(packet.as_slice()).ok_or(DropReason::TooBig)?;
        let Front { link, l3, .. } = front;
        // About what goes to many nobody is told (RFC 1122, section 3.2.2), nor many about anything; and an answer
        // comes from the frame's destination, so that must be a host's.
        if !link.destination.is_unicast() || !link.source.is_unicast() {
            return Err(DropReason::TooBig);
        }
        let ip = packet.as_slice().get(l3..).unwrap_or_default();
        let mtu = max.saturating_sub(l3);
        // Our own router answers for itself (RFC 1812, section 4.3.2.4), where it has an address; a bridge has none.
        let is_routed = link.source == self.config.address;
        let answer = match front.ethertype {
            EtherType::IPV4 => too_long_v4(ip, mtu, self.config.router.filter(|_| is_routed)),
            EtherType::IPV6 => too_long_v6(ip, mtu, self.config.router6.filter(|_| is_routed)),
            _ => None,
        };
        let answer = answer.ok_or(DropReason::TooBig)?;
        // The tag of a trunk is put back afterwards.
        let tag = if meta.trunk { vlan::Header::LEN } else { 0 };
        answer.allow(worker, now, self.config.icmp_rate, packet.headroom().saturating_sub(tag))?;
        // In front of the IP packet go the answer's headers; Ethernet's, tags and all, is put before them again.
        let mut head = [0; MAX_FRONT];
        let head = head.get_mut(..l3).ok_or(DropReason::TooBig)?;
        head.copy_from_slice(packet.as_slice().get(..l3).unwrap_or_default());
        if let Some(addresses) = head.first_chunk_mut() {
            let MacAddr([d0, d1, d2, d3, d4, d5]) = link.source;
            let MacAddr([s0, s1, s2, s3, s4, s5]) = link.destination;
            *addresses = [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5];
        }
        // There is room for all of it.
        let no_room = |_| DropReason::NoHeadroom;
        packet.strip(l3).map_err(no_room)?;
        answer.put(packet)?;
        packet.prepend_bytes(head).map_err(no_room)?;
        Ok(Output::Reply)
    }
}

/// That only so much of an IPv4 packet fits, told by this router or, without one, as if by the packet's destination.
/// `None` where its sender may not be told: below the least MTU nobody is, nor is anybody as if by a destination that
/// no host has (RFC 4443, section 2.2).
fn too_long_v4(ip: &[u8], mtu: usize, router: Option<Ipv4Addr>) -> Option<Answer> {
    let (header, _) = ipv4::Header::parse(ip).ok()?;
    let mtu = u16::try_from(mtu).ok().filter(|&mtu| mtu >= ipv4::MIN_ACCEPTED)?;
    if !header.dont_fragment || header.more_fragments || header.fragment_offset.value() != 0 {
        return None;
    }
    let problem = icmpv4::Problem::FragmentationNeeded { mtu };
    match router {
        Some(router) => Answer::v4(ip, problem, router, TTL),
        None if is_host(header.destination.into()) => Answer::v4(ip, problem, header.destination, header.ttl),
        None => None,
    }
}

/// The same of an IPv6 packet.
fn too_long_v6(ip: &[u8], mtu: usize, router: Option<Ipv6Addr>) -> Option<Answer> {
    let (header, _) = ipv6::Header::parse(ip).ok()?;
    let mtu = u32::try_from(mtu).ok().filter(|&mtu| mtu >= ipv6::MIN_MTU.into())?;
    let problem = icmpv6::Problem::PacketTooBig { mtu };
    match router {
        Some(router) => Answer::v6(ip, problem, router, TTL),
        None if is_host(header.destination.into()) => {
            Answer::v6(ip, problem, header.destination, header.hop_limit)
        }
        None => None,
    }
}
