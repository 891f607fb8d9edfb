//! Who sent a frame, and what is learned from it.

use core::net::IpAddr;

use super::{DropReason, Engine, Worker, pace};
use crate::{
    table::{Destination, LearnFrom, Learned, Lookup, Refusal, Remote, RemoteId, Snooping, scope},
    time::Instant,
    tunnel::{DecapMeta, OuterFacts},
    wire::{MacAddr, Vni, is_host, is_link_local},
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

    /// The remote that sent a packet of this segment, if it is one that we know. Those that somebody configured come
    /// before others, and of either those with the configured port and without a VNI of their own.
    pub(super) fn sender(
        &self,
        now: Instant,
        vni: Vni,
        outer: &OuterFacts,
        meta: &DecapMeta,
    ) -> Option<RemoteId> {
        let remotes = self.fdb.remotes;
        let exact = remotes.find(&self.stranger(outer.source, meta.ingress));
        if exact.is_some_and(|exact| remotes.is_configured(exact)) {
            return exact;
        }
        let by_address = remotes.find_by_address(outer.source, meta.ingress);
        let by_address = by_address.and_then(|id| self.of_segment(now, vni, id, outer.source, meta.ingress));
        by_address.filter(|&id| remotes.is_configured(id)).or(exact).or(by_address)
    }

    /// Whether somebody configured a remote at this address, of whatever segment.
    pub(super) fn is_configured(&self, outer: &OuterFacts, meta: &DecapMeta) -> bool {
        let remotes = self.fdb.remotes;
        let by_address = remotes.find_by_address(outer.source, meta.ingress);
        by_address.is_some_and(|id| remotes.is_configured(id))
    }

    /// The remote `id`, if it has no VNI of its own, or this one; or else the one at its address that the segment's
    /// unknown frames go to. A remote with another VNI has the hosts of that segment behind it, and none of this one.
    fn of_segment(
        &self,
        now: Instant,
        vni: Vni,
        id: RemoteId,
        address: IpAddr,
        ingress: u32,
    ) -> Option<RemoteId> {
        let remotes = self.fdb.remotes;
        if remotes.get(id)?.vni.is_none_or(|own| own == vni) {
            return Some(id);
        }
        let is_there = |&id: &RemoteId| remotes.is_at(id, address, ingress);
        let members = match self.fdb.lookup_apart(now, vni, MacAddr::ZERO) {
            Lookup::Found(Destination::Remote(id)) => return Some(id).filter(is_there),
            Lookup::Found(Destination::List(list)) => self.fdb.lists().members(list),
            Lookup::Found(Destination::Group(group)) => self.fdb.lists().members(group),
            _ => return None,
        };
        members.take(MEMBERS).find(is_there)
    }

    /// What a sender is of whom nothing else is known.
    const fn stranger(&self, address: IpAddr, ingress: u32) -> Remote {
        Remote::new(address, self.config.dstport).egress(scope(address, ingress))
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
        let teaches = self.may_learn(worker, now, vni, source, sender);
        if let Some(remote) = known.filter(|_| teaches) {
            let learned = self.learn_from(worker, now, vni, source, remote)?;
            if !matches!(learned, Learned::Refused(Refusal::UnconfiguredRemote | Refusal::StaleRemote)) {
                return Ok(known);
            }
        }
        let Some(outer) = outer else { return Ok(known) };
        // Also where nothing is learned from the sender: else it could send in the name of hosts with static entries,
        // which those who are learned from cannot.
        self.check(now, vni, source, outer.source, ingress)?;
        if !(known.is_none() && teaches && sender.somebody().is_some()) {
            return Ok(known);
        }
        let Ok(stranger) = self.fdb.remotes.find_or_learn(&self.stranger(outer.source, ingress)) else {
            // More strangers than there may be.
            worker.counters.refuse(Refusal::UnconfiguredRemote);
            return Ok(None);
        };
        let _ = self.learn_from(worker, now, vni, source, stranger)?;
        Ok(Some(stranger))
    }

    /// Learns where the source of a frame is, and tells what came of it.
    fn learn_from(
        &self,
        worker: &mut Worker,
        now: Instant,
        vni: Vni,
        source: MacAddr,
        remote: RemoteId,
    ) -> Result<Learned, DropReason> {
        let learned = self.fdb.learn(now, vni, source, remote);
        worker.note_learned(vni, source, remote, learned);
        match learned {
            Learned::Refused(Refusal::Static | Refusal::Sticky) => Err(DropReason::SourceElsewhere),
            learned => Ok(learned),
        }
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
        if !self.teaches(sender) {
            if sender.teaches {
                worker.counters.refuse(Refusal::UnconfiguredRemote);
            }
            return false;
        }
        let Some(outer) = sender.outer else { return true };
        match self.fdb.lookup_apart(now, vni, source) {
            Lookup::Found(Destination::Remote(there))
                if self.fdb.remotes.is_at(there, outer.source, sender.ingress) =>
            {
                true
            }
            // An address that cannot move does not count as a move: the table refuses it.
            Lookup::Found(_) => {
                let is_fixed = self.check(now, vni, source, outer.source, sender.ingress).is_err();
                is_fixed || self.may_move(worker, now, vni, pace::of_mac(source))
            }
            Lookup::Unknown => self.may_discover(worker, now, pace::of_ip(outer.source)),
            _ => true,
        }
    }

    /// Whether anything is learned from this sender: it may say that nothing is to be, and others than configured ones
    /// count where that is wanted.
    pub(super) fn teaches(&self, sender: &Sender) -> bool {
        let is_configured = || sender.known.is_some_and(|known| self.fdb.remotes.is_configured(known));
        sender.teaches && (self.config.tables.learn_from != LearnFrom::Configured || is_configured())
    }

    /// Whether something new may be learned from this sender now; then it counts.
    fn may_discover(&self, worker: &mut Worker, now: Instant, sender: u64) -> bool {
        let learn_rate = self.config.learn_rate;
        let may = learn_rate == u32::MAX || worker.pace.may_discover(now, sender, learn_rate);
        worker.count_unlearned(!may);
        may
    }

    /// Whether an address may move now; then it counts.
    fn may_move(&self, worker: &mut Worker, now: Instant, vni: Vni, address: u64) -> bool {
        let move_rate = self.config.move_rate;
        let may = move_rate == u32::MAX || worker.pace.may_move(now, vni, address, move_rate);
        worker.count_unlearned(!may);
        may
    }

    /// Whether it may be learned now that a neighbour is at this MAC address. A new neighbour counts for the limit of
    /// its sender, and one that moves for its own; what changes nothing does not count.
    pub(super) fn may_snoop(
        &self,
        worker: &mut Worker,
        now: Instant,
        vni: Vni,
        (address, mac): (IpAddr, Option<MacAddr>),
        sender: u64,
    ) -> bool {
        let Some(mac) = mac.filter(|mac| is_host(address) && mac.is_unicast()) else { return true };
        match self.neighbors.lookup(now, vni, address) {
            Ok(Some(known)) => {
                let stays = known.mac == mac || !known.is_valid() || !known.state.ages();
                stays || self.may_move(worker, now, vni, pace::of_ip(address))
            }
            _ => self.config.tables.snooping != Snooping::All || self.may_discover(worker, now, sender),
        }
    }

    /// Whether an entry that nothing learned can change leaves the source where the packet comes from.
    fn check(
        &self,
        now: Instant,
        vni: Vni,
        source: MacAddr,
        sender: IpAddr,
        ingress: u32,
    ) -> Result<(), DropReason> {
        let Lookup::Found(destination) = self.fdb.lookup_apart(now, vni, source) else { return Ok(()) };
        match destination {
            Destination::Remote(id) if self.fdb.remotes.is_at(id, sender, ingress) => return Ok(()),
            // A host behind several remotes: none of them may send in its name.
            Destination::List(_) | Destination::Group(_) => return Err(DropReason::SourceElsewhere),
            _ => {}
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

impl Sender {
    /// The address of who it is: without an interface, a link-local one that we do not know names nobody.
    pub(super) fn somebody(&self) -> Option<IpAddr> {
        let address = self.outer?.source;
        (self.known.is_some() || !is_link_local(address) || self.ingress != 0).then_some(address)
    }
}

/// Members of a list or a group that are looked at for a sender with a VNI of its own: no packet asks for more.
const MEMBERS: usize = 256;
