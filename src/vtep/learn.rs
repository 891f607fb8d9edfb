//! Who sent a frame, and what is learned from it.

use core::net::IpAddr;

use super::{Config, DropReason, Engine, Worker};
use crate::{
    table::{Destination, LearnFrom, Learned, Lookup, Refusal, Remote, RemoteId},
    time::Instant,
    tunnel::{DecapMeta, OuterFacts},
    wire::{MacAddr, Vni},
};

impl Engine<'_> {
    /// The remote that sent a frame, if the forwarding database says that its source is there, and there is nothing to
    /// learn.
    #[inline(always)]
    pub(super) fn settled(
        &self,
        now: Instant,
        vni: Vni,
        source: MacAddr,
        outer: Option<OuterFacts>,
        ingress: u32,
    ) -> Option<RemoteId> {
        let remote = self.fdb.settled(now, vni, source).filter(|_| source.is_unicast())?;
        self.fdb.remotes.is_at(remote, outer?.source, ingress).then_some(remote)
    }

    /// The remote that sent a packet, if it is one that we know: one to which we send as to most, or else one at this
    /// address with a port, a VNI or an egress of its own.
    pub(super) fn sender(&self, outer: &OuterFacts, meta: &DecapMeta) -> Option<RemoteId> {
        let remote = self.stranger(outer.source, meta.ingress);
        let remotes = self.fdb.remotes;
        let exact = remotes.find(&remote);
        if exact.is_some_and(|exact| remotes.is_configured(exact)) {
            return exact;
        }
        let by_address = remotes.find_by_address(outer.source, meta.ingress);
        by_address.filter(|&id| remotes.is_configured(id)).or(exact).or(by_address)
    }

    /// What a sender is of whom nothing else is known.
    const fn stranger(&self, address: IpAddr, ingress: u32) -> Remote {
        let remote = Remote::new(address, self.config.dstport);
        // A link-local address is somebody's on one interface only.
        if is_link_local(address) { remote.egress(ingress) } else { remote }
    }

    /// Learns where the source of a frame is; answers the remote, which may be a new one.
    pub(super) fn learn(
        &self,
        worker: &mut Worker,
        now: Instant,
        vni: Vni,
        source: MacAddr,
        sender: &Sender,
    ) -> Result<Option<RemoteId>, DropReason> {
        if !source.is_unicast() {
            return Err(DropReason::InvalidSource);
        }
        let Sender { outer, ingress, known, .. } = *sender;
        let teaches = sender.teaches && self.may_learn(worker, now, vni, source, sender);
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
        // Without an interface a link-local address names nobody.
        let somebody = !is_link_local(outer.source) || ingress != 0;
        if !(known.is_none() && teaches && somebody) {
            return Ok(known);
        }
        let remote = self.stranger(outer.source, ingress);
        let stranger = self.fdb.remotes.find_or_learn(&remote).ok();
        Ok(stranger.inspect(|&stranger| {
            let _ = self.fdb.learn(now, vni, source, stranger);
        }))
    }

    /// Whether this sender is learned from, and it is not too much now.
    fn may_learn(
        &self,
        worker: &mut Worker,
        now: Instant,
        vni: Vni,
        source: MacAddr,
        sender: &Sender,
    ) -> bool {
        let Config { learn_rate, move_rate, tables, .. } = *self.config;
        let configured = sender.known.is_some_and(|known| self.fdb.remotes.is_configured(known));
        if !configured && tables.learn_from == LearnFrom::Configured {
            return false;
        }
        let Some(outer) = sender.outer else { return true };
        let may = match self.fdb.lookup_apart(now, vni, source) {
            Lookup::Found(Destination::Remote(there))
                if self.fdb.remotes.is_at(there, outer.source, sender.ingress) =>
            {
                true
            }
            Lookup::Found(_) if move_rate < u32::MAX => worker.pace.may_move(now, vni, source, move_rate),
            Lookup::Unknown if learn_rate < u32::MAX => {
                worker.pace.may_discover(now, outer.source, learn_rate)
            }
            _ => true,
        };
        if !may {
            worker.counters.unlearned = worker.counters.unlearned.wrapping_add(1);
        }
        may
    }

    /// Whether an entry that nothing learned can change leaves the source where the packet comes from.
    fn check(&self, now: Instant, vni: Vni, source: MacAddr, outer: &OuterFacts) -> Result<(), DropReason> {
        let Lookup::Found(destination) = self.fdb.lookup_apart(now, vni, source) else { return Ok(()) };
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
}

/// Who sent a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) outer: Option<OuterFacts>,
    pub(super) ingress: u32,
    pub(super) known: Option<RemoteId>,
    /// Whether it wants to be learned from: the D bit of Group Based Policy is clear.
    pub(super) teaches: bool,
}

const fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}
