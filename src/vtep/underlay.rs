//! A packet from the underlay.

use core::net::IpAddr;

use super::{DropReason, Engine, Output, Worker, overlay::Front};
use crate::{
    packet::Packet,
    table::{LearnFrom, Learned, Refusal, Remote, RemoteId},
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
            Err(DropReason::Decap(reason)) if is_not_ours(reason) => Output::Pass,
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
        let (inner, carried) = endpoint.open(packet.as_slice(), meta)?;
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
        let remote = inner.outer.and_then(|outer| self.sender(&outer));
        // Last of all checks, since everything before it may have refused the packet.
        if self.config.learning && !policy.is_some_and(|policy| policy.dont_learn) {
            self.learn(now, vni, source, remote)?;
        }
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
        let is_ipv6 = match self.config.framing {
            Framing::Payload => meta.outer.map_or(self.ipv4.is_none(), |outer| outer.source.is_ipv6()),
            Framing::Ip => bytes.first().is_some_and(|first| first >> 4 == 6),
            Framing::Ethernet(_) => Front::of(bytes)?.ethertype == EtherType::IPV6,
        };
        if is_ipv6 { self.ipv6 } else { self.ipv4 }
    }

    /// The remote that sent a packet; with learning from anybody, a new one if need be.
    fn sender(&self, outer: &OuterFacts) -> Option<RemoteId> {
        let link_local = matches!(outer.source, IpAddr::V6(address) if address.is_unicast_link_local());
        // Without an interface a link-local address names nobody.
        if link_local {
            return None;
        }
        let remote = Remote::new(outer.source, self.config.dstport);
        if self.config.learning && self.config.tables.learn_from == LearnFrom::Any {
            return self.fdb.remotes.find_or_learn(&remote).ok();
        }
        self.fdb.remotes.find(&remote)
    }

    fn learn(
        &self,
        now: Instant,
        vni: Vni,
        source: MacAddr,
        remote: Option<RemoteId>,
    ) -> Result<(), DropReason> {
        if !source.is_unicast() {
            return Err(DropReason::InvalidSource);
        }
        // From somebody whom nobody knows nothing is learned; the frame is as good as it is.
        let Some(remote) = remote else { return Ok(()) };
        match self.fdb.learn(now, vni, source, remote) {
            Learned::Refused(Refusal::Static | Refusal::Sticky) => Err(DropReason::SourceElsewhere),
            _ => Ok(()),
        }
    }
}

/// Whether a packet was never meant for this tunnel.
const fn is_not_ours(reason: tunnel::DropReason) -> bool {
    matches!(
        reason,
        tunnel::DropReason::NotIp
            | tunnel::DropReason::OtherDestination
            | tunnel::DropReason::OtherProtocol
            | tunnel::DropReason::OtherPort
    )
}
