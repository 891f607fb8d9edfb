//! A packet from the underlay.

use core::net::IpAddr;

use super::{DropReason, Engine, Output, Worker, overlay::Front};
use crate::{
    packet::Packet,
    table::{Destination, LearnFrom, Learned, Lookup, Refusal, Remote, RemoteId},
    time::Instant,
    tunnel::{self, DecapMeta, Framing, OuterFacts, vxlan},
    wire::{EtherType, MacAddr, Vni},
};

impl<'t> Engine<'t> {
    pub(super) fn underlay(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
    ) -> Output {
        match self.receive(worker, now, meta, packet) {
            Ok(output) => output,
            Err(DropReason::Decap(_)) if self.is_for_others(meta, packet) => Output::Pass,
            Err(reason) => {
                worker.counters.drop(reason);
                Output::Drop(reason)
            }
        }
    }

    fn receive(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        let endpoint = self.receiver(meta, packet).ok_or(tunnel::DropReason::NotIp)?;
        let (inner, carried) = endpoint.checked(packet.as_slice(), meta)?;
        let vni = inner.encapsulation.vni().ok_or(tunnel::DropReason::VxlanNoVni)?;
        if !self.fdb.knows(vni) {
            return Err(DropReason::UnknownVni);
        }
        let front = Front::of(carried.bytes(packet.as_slice())).ok_or(DropReason::FrameTruncated)?;
        let source = front.link.source;
        if source == self.config.address && source != MacAddr::ZERO {
            return Err(DropReason::OwnMac);
        }
        let policy = inner.encapsulation.group_policy();
        let sender = inner.outer.and_then(|outer| self.sender(&outer));
        // Last of all checks, since everything before it may have refused the packet.
        let remote = if self.config.learning {
            let teaches = !policy.is_some_and(|policy| policy.dont_learn);
            self.learn(now, vni, source, &Sender { outer: inner.outer, known: sender, teaches })?
        } else {
            sender
        };
        carried.strip_from(packet);
        worker.counters.delivered = worker.counters.delivered.wrapping_add(1);
        worker.counters.delivered_bytes = worker.counters.delivered_bytes.wrapping_add(packet.len() as u64);
        if self.is_routed(&front.link) {
            // The Ethernet header is there, so this cannot fail.
            let _ = packet.strip(front.l3);
            return Ok(Output::DeliverIp { vni, source: remote });
        }
        Ok(Output::Deliver { vni, source: remote, policy })
    }

    /// The endpoint for the family of this packet.
    fn receiver(&self, meta: &DecapMeta, packet: &Packet<'_>) -> Option<&'t vxlan::Endpoint> {
        let bytes = packet.as_slice();
        let is_ipv6 = match (meta.outer, self.config.framing) {
            (Some(outer), _) => outer.source.is_ipv6(),
            (None, Framing::Payload) => self.ipv4.is_none(),
            (None, Framing::Ip) => bytes.first().is_some_and(|first| first >> 4 == 6),
            (None, Framing::Ethernet(_)) => Front::of(bytes)?.ethertype == EtherType::IPV6,
        };
        if is_ipv6 { self.ipv6 } else { self.ipv4 }
    }

    /// The remote that sent a packet, if it is one that we know.
    fn sender(&self, outer: &OuterFacts) -> Option<RemoteId> {
        // Without an interface a link-local address names nobody.
        if is_link_local(outer.source) {
            return None;
        }
        self.fdb.remotes.find(&Remote::new(outer.source, self.config.dstport))
    }

    /// Learns where the source of a frame is; answers the remote, which may be a new one.
    fn learn(
        &self,
        now: Instant,
        vni: Vni,
        source: MacAddr,
        sender: &Sender,
    ) -> Result<Option<RemoteId>, DropReason> {
        if !source.is_unicast() {
            return Err(DropReason::InvalidSource);
        }
        let Sender { outer, known, teaches } = *sender;
        if let Some(remote) = known.filter(|_| teaches) {
            match self.fdb.learn(now, vni, source, remote) {
                Learned::Refused(Refusal::Static | Refusal::Sticky) => {
                    return Err(DropReason::SourceElsewhere);
                }
                Learned::Refused(Refusal::UnconfiguredRemote | Refusal::StaleRemote) => {}
                _ => return Ok(known),
            }
        }
        let Some(outer) = outer else { return Ok(known) };
        // Who teaches nothing is held to what is certain all the same: else a stranger could send in the name of
        // hosts in whose name no remote can.
        self.check(now, vni, source, &outer)?;
        let anybody = self.config.tables.learn_from == LearnFrom::Any && !is_link_local(outer.source);
        if !(known.is_none() && teaches && anybody) {
            return Ok(known);
        }
        let remote = Remote::new(outer.source, self.config.dstport);
        let stranger = self.fdb.remotes.find_or_learn(&remote).ok();
        Ok(stranger.inspect(|&stranger| {
            let _ = self.fdb.learn(now, vni, source, stranger);
        }))
    }

    /// Whether an entry that nothing learned can change leaves the source where the packet comes from.
    fn check(&self, now: Instant, vni: Vni, source: MacAddr, outer: &OuterFacts) -> Result<(), DropReason> {
        let Lookup::Found(destination) = self.fdb.lookup(now, vni, source) else { return Ok(()) };
        if let Destination::Remote(id) = destination {
            if self.fdb.remotes.get(id).is_some_and(|remote| remote.address == outer.source) {
                return Ok(());
            }
        }
        match self.fdb.get(now, vni, source) {
            Ok(entry) if !entry.state.moves() || entry.sticky => Err(DropReason::SourceElsewhere),
            _ => Ok(()),
        }
    }

    /// Whether a packet that was refused was never meant for this tunnel, whatever else is wrong with it.
    fn is_for_others(&self, meta: &DecapMeta, packet: &Packet<'_>) -> bool {
        let endpoint = self.receiver(meta, packet);
        endpoint.is_none_or(|endpoint| endpoint.is_for_others(packet.as_slice(), meta))
    }
}

/// Who sent a frame.
#[derive(Clone, Copy, Debug)]
struct Sender {
    outer: Option<OuterFacts>,
    known: Option<RemoteId>,
    /// Whether it wants to be learned from: the D bit of Group Based Policy is clear.
    teaches: bool,
}

const fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
