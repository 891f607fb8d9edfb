//! Route short circuit: frames to a router whose destination is known go there at once (Linux: `rsc`).
//!
//! The router's entry in the forwarding database is marked as one, the destination's IP address is in the neighbour
//! table: the frame gets the MAC addresses that it would have behind the router. As a router does, ours takes one from
//! the TTL, and leaves a packet that would expire to the router; Linux changes nothing, and does not care whether the
//! neighbour is still valid.

use super::{
    DropReason, Engine, Miss, Output, OverlayMeta, ShortCircuit, Worker, forwarding::Ip, overlay::Front,
    send::Origin, trunk::Membership,
};
use crate::{
    packet::Packet,
    table::Destination,
    time::Instant,
    wire::{EtherType, MacAddr, rewrite, stays_on_link},
};

/// Where a frame goes instead of to its router.
#[derive(Clone, Copy, Debug)]
struct Shortcut {
    mac: MacAddr,
    router: MacAddr,
    destination: Destination,
    decrements: bool,
}

/// What a shortcut changed, to be put back.
#[derive(Clone, Copy, Debug)]
struct Before {
    addresses: [u8; 2 * 6],
    /// As much of the IP header as the TTL and the checksum are in.
    ip: Option<[u8; IP_FRONT]>,
}

impl Engine<'_> {
    /// Sends a frame by its shortcut, if there is one.
    #[inline(never)]
    pub(super) fn send_short(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        front: &Front,
        member: Membership,
        packet: &mut Packet<'_>,
    ) -> Option<Result<Output, DropReason>> {
        let shortcut = self.shortcut(worker, now, meta, front, packet.as_slice())?;
        let before = shortcut.take(front, packet)?;
        let sent = self.untagged(member, packet, |packet| {
            self.forward(worker, now, meta, Origin::Routed, shortcut.destination, packet)
        });
        match sent {
            Ok(Output::Resolve { .. }) | Err(_) => before.put_back(front, packet),
            Ok(Output::Reply) => before.answer(packet),
            _ => {}
        }
        Some(sent)
    }

    fn shortcut(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        front: &Front,
        frame: &[u8],
    ) -> Option<Shortcut> {
        let router = front.link.destination;
        let routable = matches!(front.ethertype, EtherType::IPV4 | EtherType::IPV6) && router.is_unicast();
        // The neighbours of a VNI are those of no VLAN in it.
        if self.config.rsc == ShortCircuit::Off || !routable || front.tagged {
            return None;
        }
        if !self.fdb.get(now, meta.vni, router).is_ok_and(|entry| entry.router) {
            return None;
        }
        let Ip { destination: address, ttl, .. } = Ip::of(frame.get(front.l3..)?)?;
        let decrements = self.config.rsc == ShortCircuit::Route;
        if (decrements && ttl <= 1) || address.is_multicast() || stays_on_link(address) {
            return None;
        }
        let Some(neighbor) = self.neighbors.lookup(now, meta.vni, address).ok()? else {
            worker.miss_l3(self.config, Miss::L3 { vni: meta.vni, address });
            return None;
        };
        // A neighbour that is still being asked for has no MAC address yet (Linux takes it to be all zeroes).
        let is_known = neighbor.mac.is_unicast() && (neighbor.is_valid() || !decrements);
        if neighbor.mac == router || !is_known {
            return None;
        }
        let destination = self.destination(worker, now, meta.vni, neighbor.mac).ok()?;
        Some(Shortcut { mac: neighbor.mac, router, destination, decrements })
    }
}

impl Shortcut {
    /// Gives the frame the addresses that it has behind the router; `None` for a packet with a broken header, which is
    /// left to the router.
    fn take(&self, front: &Front, packet: &mut Packet<'_>) -> Option<Before> {
        let frame = packet.as_mut_slice();
        let mut before = Before { addresses: *frame.first_chunk()?, ip: None };
        if self.decrements {
            let ip = frame.get_mut(front.l3..)?;
            before.ip = ip.first_chunk().copied();
            rewrite::decrement_ttl(ip).ok()?;
        }
        let link = frame.first_chunk_mut()?;
        let (MacAddr([d0, d1, d2, d3, d4, d5]), MacAddr([s0, s1, s2, s3, s4, s5])) = (self.mac, self.router);
        *link = [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5];
        Some(before)
    }
}

impl Before {
    /// Makes the frame what it was, since it goes nowhere.
    fn put_back(&self, front: &Front, packet: &mut Packet<'_>) {
        let frame = packet.as_mut_slice();
        if let Some(link) = frame.first_chunk_mut() {
            *link = self.addresses;
        }
        // As bytes, not by counting up: one header can have two right checksums, and only one of them was there.
        let ip = frame.get_mut(front.l3..).and_then(<[u8]>::first_chunk_mut);
        if let (Some(before), Some(ip)) = (self.ip, ip) {
            *ip = before;
        }
    }

    /// Has an answer come from the router that was asked, to who asked it.
    fn answer(&self, packet: &mut Packet<'_>) {
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5] = self.addresses;
        if let Some(link) = packet.as_mut_slice().first_chunk_mut() {
            *link = [s0, s1, s2, s3, s4, s5, d0, d1, d2, d3, d4, d5];
        }
    }
}

/// Bytes of an IP header up to the end of its TTL and checksum.
const IP_FRONT: usize = 12;
