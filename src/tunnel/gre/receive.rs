//! A tunnel's packets on receipt: whose they are, whether they are in order, and keepalives among them.

use core::net::IpAddr;

use super::{ChecksumRule, Tunnel, keepalive};
use crate::{
    packet::Packet,
    time::Instant,
    tunnel::{
        Anomalies, DecapMeta, DropReason, Encapsulation, Framing, Inner, OuterFacts,
        carried::{Carried, ecn_of},
        inner::goes_back,
        protocol::Opened,
        view::View,
    },
    wire::{gre, is_unicast, rewrite},
};

/// What a packet that was received turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "the answer to a keepalive is to be sent"]
#[non_exhaustive]
pub enum Received {
    /// An inner packet, which is what the packet is now.
    Packet(Inner),
    /// A keepalive of the remote's. The packet is now its answer, with the outer headers of the tunnel's framing: to
    /// be sent like those that were encapsulated. Where a socket has taken outer headers, and answers go out with an
    /// Ethernet header, the packet needs headroom for that, 18 bytes at most.
    KeepaliveRequest {
        /// The sequence number that it had, for [`Reorder::skip`](super::Reorder::skip).
        sequence: Option<u32>,
    },
    /// Our own keepalive, which the remote has sent back. The packet is left as it was.
    KeepaliveAnswer,
}

impl Tunnel {
    /// Checks the outer headers of `packet`, which must come from the remote, judges its sequence number and strips
    /// them, or finds that it is a keepalive.
    ///
    /// # Errors
    ///
    /// The first [`DropReason`] that applies; the packet is left as it was. As in Linux, a sequence number counts as
    /// received even where the inner packet is then refused.
    #[inline]
    pub fn decap(&mut self, now: Instant, packet: &mut Packet<'_>) -> Result<Received, DropReason> {
        self.decap_with(now, packet, &DecapMeta::new())
    }

    /// As [`decap`](Self::decap), with what the caller knows of the packet.
    ///
    /// # Errors
    ///
    /// The first [`DropReason`] that applies; the packet is left as it was.
    #[inline]
    pub fn decap_with(
        &mut self,
        now: Instant,
        packet: &mut Packet<'_>,
        meta: &DecapMeta,
    ) -> Result<Received, DropReason> {
        let mut seen = Anomalies::NONE;
        let received = self.receive(now, packet, meta, &mut seen);
        match &received {
            Ok(Received::Packet(inner)) => {
                let is_multicast = inner.outer.is_some_and(|outer| outer.destination.is_multicast());
                self.counters.delivered(packet.len(), is_multicast);
            }
            Ok(_) => self.counters.keepalive(),
            Err(reason) => {
                // What is for others is not this tunnel's to count, whatever else is wrong with it.
                if !seen.with(*reason).into_iter().any(DropReason::is_not_ours) {
                    self.counters.drop(*reason);
                }
            }
        }
        if received.is_ok() {
            self.last_received = Some(now);
        }
        received
    }

    #[inline(always)]
    fn receive(
        &mut self,
        now: Instant,
        packet: &mut Packet<'_>,
        meta: &DecapMeta,
        seen: &mut Anomalies,
    ) -> Result<Received, DropReason> {
        let (fatal, remote) = (self.endpoint.fatal, self.address);
        let judge = |from: IpAddr, to: IpAddr, seen: &mut Anomalies| {
            let is_group = remote.is_multicast();
            let is_from_any = is_group || remote.is_unspecified();
            seen.insert_if(!is_from_any && from != remote, DropReason::OtherSource);
            let is_known = !to.is_unspecified();
            let is_other = if is_group { to != remote && is_known } else { to.is_multicast() };
            seen.insert_if(is_other, DropReason::OtherDestination);
        };
        let opened = self.endpoint.open(View::whole(packet.as_slice()), meta, seen, judge);
        *seen = seen.and(fatal);
        let (outer, opened) = opened.map_err(|reason| {
            *seen = seen.with(reason);
            seen.first().unwrap_or(reason)
        })?;
        let Opened { encapsulation: Encapsulation::Gre { header, .. }, protocol, payload } = opened else {
            return Err(DropReason::OtherProtocol);
        };
        let is_other = self.rules.key_by_value && value(header.key) != value(self.rules.ikey);
        seen.insert_if(is_other, DropReason::GreKey);
        let of_keepalives = Anomalies::NONE.with(DropReason::GreKeepalive).with(DropReason::GreProtocol);
        if self.rules.keepalives && *seen == of_keepalives {
            return Ok(Received::KeepaliveAnswer);
        }
        if let Some(reason) = seen.first() {
            return Err(reason);
        }
        match (header.checksum, self.rules.icsum, self.rules.checksum) {
            (None, true, _) | (Some(_), false, ChecksumRule::Linux) => {
                return Err(DropReason::GreChecksumFlag);
            }
            _ => {}
        }
        if self.rules.iseq {
            self.filter.accept(now, header.sequence)?;
        }
        let inner = payload.bytes();
        let carried = Carried::new(opened, ecn_of(outer), &self.endpoint.policy, seen)?;
        if let Some(reason) = seen.and(fatal).first() {
            return Err(reason);
        }
        if self.rules.keepalives || self.rules.discard_loops {
            let encapsulator = outer.map_or(remote, |outer| outer.source);
            // A group encapsulates nothing: nobody has told who did.
            if goes_back(protocol, inner, encapsulator) && is_unicast(encapsulator) {
                let request = keepalive::find_request(inner, self.here(outer), encapsulator);
                match request.filter(|_| self.rules.keepalives) {
                    Some(request) => {
                        let room = packet.headroom().saturating_add(carried.inner(outer).stripped);
                        if room < self.endpoint.outer.link_len() {
                            return Err(DropReason::KeepaliveHeadroom);
                        }
                        carried.strip_from(packet);
                        self.answer(packet, &request);
                        return Ok(Received::KeepaliveRequest { sequence: header.sequence });
                    }
                    None if self.rules.discard_loops => return Err(DropReason::InnerLoop),
                    None => {}
                }
            }
        }
        carried.strip_from(packet);
        Ok(Received::Packet(carried.inner(outer)))
    }

    /// Our own address: where that is left to a socket, the one that the packet came to.
    fn here(&self, outer: Option<OuterFacts>) -> IpAddr {
        match outer {
            Some(outer) if !is_unicast(self.local()) => outer.destination,
            _ => self.local(),
        }
    }

    /// Makes the answer of what was inside a keepalive: one hop less, and the framing of this tunnel.
    fn answer(&self, packet: &mut Packet<'_>, request: &keepalive::Request) {
        // The packet is as long, has hops left, and the room before it was measured: nothing fails here.
        let _ = packet.trim(request.end);
        let _ = rewrite::decrement_ttl(packet.as_mut_slice());
        match self.endpoint.outer.framing {
            Framing::Payload => {
                let _ = packet.strip(request.gre);
            }
            Framing::Ip => {}
            Framing::Ethernet(_) => {
                let len = self.endpoint.outer.link_len();
                if let Some(link) = self.remote.as_ref().and_then(|remote| remote.header.get(..len)) {
                    let _ = packet.prepend_bytes(link);
                }
            }
        }
    }
}

/// No key and key zero, which are the same to Linux over IPv6.
#[inline]
const fn value(key: Option<gre::Key>) -> u32 {
    match key {
        Some(key) => key.0,
        None => 0,
    }
}
