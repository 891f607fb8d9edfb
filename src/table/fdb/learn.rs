//! Learning: a frame from this MAC came from that remote.

use core::hint::black_box;

use super::{
    super::{
        Destination, LearnFrom, RemoteId,
        bucket::{Busy, Cold, Content, Key, Slot},
        clock::{ETERNAL, Now},
        handle::Handle,
        vni::Domain,
    },
    Fdb, State,
    account::{Account, Limit},
    create::Put,
    current,
    entry::{Attributes, Entry},
    evict::Newcomer,
    key,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

/// What came of a frame's source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum Learned {
    /// There is a new entry; in a full table another one went for it.
    New {
        /// The entry that went.
        evicted: Option<Evicted>,
    },
    /// All this was known.
    Refreshed,
    /// The address was elsewhere before.
    Moved {
        /// Where: behind another remote or, by a dynamic entry of somebody's, on this side or nowhere.
        from: Destination,
    },
    /// Somebody else is at work in the same place: the next packet learns.
    Busy,
    /// An entry went, but somebody else was faster to take its room: the next packet learns.
    Evicted(Evicted),
    /// Nothing was learned.
    Refused(Refusal),
}

/// A learned entry that had to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Evicted {
    /// The overlay segment.
    pub vni: Vni,
    /// The address.
    pub mac: MacAddr,
    /// Where it was.
    pub remote: RemoteId,
}

impl Evicted {
    fn of(entry: Entry) -> Option<Self> {
        let Destination::Remote(remote) = entry.destination else { return None };
        Some(Self { vni: entry.vni, mac: entry.mac, remote })
    }
}

/// Why nothing was learned.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Refusal {
    /// The source is no host's address: all-zero, multicast or broadcast.
    InvalidSource,
    /// The tables do not know the VNI.
    UnknownVni,
    /// The remote was removed.
    StaleRemote,
    /// The remote was not configured, and only configured ones teach.
    UnconfiguredRemote,
    /// A permanent or static entry says that the address is elsewhere, or several places. (Linux drops the frame.)
    Static,
    /// A sticky entry says that the address is elsewhere.
    Sticky,
    /// The table is full, and nobody here has more than a fair share.
    TableFull,
    /// The VNI has as many entries as it may have.
    VniLimit,
    /// The remote's quota group has as many entries as it may have.
    QuotaLimit,
    /// The table was not swept in time, and knows no age: call [`Tables::age`](super::super::Tables::age).
    SweepPending,
}

impl Refusal {
    /// Every reason.
    pub const ALL: &[Self] = &[
        Self::InvalidSource,
        Self::UnknownVni,
        Self::StaleRemote,
        Self::UnconfiguredRemote,
        Self::Static,
        Self::Sticky,
        Self::TableFull,
        Self::VniLimit,
        Self::QuotaLimit,
        Self::SweepPending,
    ];
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::InvalidSource => "source MAC of no host",
            Self::UnknownVni => "unknown VNI",
            Self::StaleRemote => "remote that was removed",
            Self::UnconfiguredRemote => "remote that is not configured",
            Self::Static => "static entry elsewhere",
            Self::Sticky => "sticky entry elsewhere",
            Self::TableFull => "table full",
            Self::VniLimit => "limit of the VNI",
            Self::QuotaLimit => "limit of the quota group",
            Self::SweepPending => "a sweep is overdue",
        })
    }
}

impl<'t> Fdb<'t> {
    /// Notes that frames from `mac` come from `remote`. To be called last, when everything else about the packet
    /// has been found good. What is known already is read, and written once per tick at most.
    #[inline]
    pub fn learn(&self, now: Instant, vni: Vni, mac: MacAddr, remote: RemoteId) -> Learned {
        let present = self.clock.at(now, self.meta.fdb_ages());
        // An address that was learned is a host's: that need not be asked.
        if self.is_fresh(present, vni, mac, remote) {
            return Learned::Refreshed;
        }
        self.learn_anew(now, present, vni, mac, remote)
    }

    /// What is not known already.
    #[inline(never)]
    fn learn_anew(&self, now: Instant, present: Now, vni: Vni, mac: MacAddr, remote: RemoteId) -> Learned {
        if let Some(aim) = self.aim(vni, &mac) {
            black_box(self.touch_aim(&aim, self.writes_cold()));
            if self.map.seems_new(&aim.spot) && self.enter_learned(present, &aim, remote, &mut 0) {
                return Learned::New { evicted: None };
            }
        }
        self.learn_closely(now, present, vni, mac, remote)
    }

    /// The same, where something may be in the way.
    #[inline(never)]
    pub(super) fn learn_closely(
        &self,
        now: Instant,
        present: Now,
        vni: Vni,
        mac: MacAddr,
        remote: RemoteId,
    ) -> Learned {
        if !mac.is_unicast() {
            return Learned::Refused(Refusal::InvalidSource);
        }
        let domain = match self.vnis.find(vni) {
            Ok(Some(domain)) => domain,
            Ok(None) => return Learned::Refused(Refusal::UnknownVni),
            Err(Busy) => return Learned::Busy,
        };
        let Some(handle) = self.remotes.learned_handle(remote) else {
            return Learned::Refused(Refusal::StaleRemote);
        };
        let configured = self.remotes.is_configured(remote);
        if !configured && self.limits.learn_from == LearnFrom::Configured {
            return Learned::Refused(Refusal::UnconfiguredRemote);
        }
        let source = Source { vni, domain, key: key(domain.number, mac), remote, handle, configured };
        let found = self.map.find(source.key, current(domain));
        match found.map(|found| found.filter(|known| !present.expired(known.stamp))) {
            // The remote was just found alive.
            Ok(Some(known)) if names(known, &source) => self.refresh(present, known, &source),
            Ok(Some(known)) if self.destination(Handle(known.value)).is_some() => {
                self.elsewhere(present, known, &source)
            }
            Ok(_) if present.trusts_no_stamp() => Learned::Refused(Refusal::SweepPending),
            Ok(_) => {
                self.clock.start(now, self.meta.fdb_ages());
                self.discover(self.clock.at(now, self.meta.fdb_ages()), &source)
            }
            Err(Busy) => Learned::Busy,
        }
    }

    /// The entry says the same: all that may change is when it was confirmed.
    #[inline]
    fn refresh(&self, now: Now, known: Content, source: &Source<'t>) -> Learned {
        if known.stamp == ETERNAL || !now.renews(known.stamp) {
            return Learned::Refreshed;
        }
        match self.map.hold(source.key) {
            Ok(Some((mut held, slot))) if slot.content.value == known.value => {
                if now.renews(slot.content.stamp) {
                    held.set_stamp(now.stamp());
                }
                Learned::Refreshed
            }
            _ => Learned::Busy,
        }
    }

    /// The entry says something else.
    fn elsewhere(&self, now: Now, known: Content, source: &Source<'t>) -> Learned {
        // For learning, remotes of one host are the same.
        let place = |id| self.remotes.get(id).map(|remote| remote.place());
        let from = match self.destination(Handle(known.value)) {
            // The same host by another handle, with a port of its own, say: the address counts.
            Some(Destination::Remote(there)) if place(there) == place(source.remote) => {
                return self.refresh(now, known, source);
            }
            // A list or a group is several places, even if frames go to one at a time.
            Some(Destination::List(_) | Destination::Group(_)) => return Learned::Refused(Refusal::Static),
            Some(from) => from,
            None => return Learned::Busy,
        };
        // The slot is read as a whole: the tag that came with the value may be that of the value before.
        let Some(slot) = self.map.slot_of(source.key, known.value) else { return Learned::Busy };
        let attributes = Attributes::of(slot.content);
        if !attributes.state.moves() {
            return Learned::Refused(Refusal::Static);
        }
        if attributes.sticky {
            return Learned::Refused(Refusal::Sticky);
        }
        match self.roam(now, known, from, source) {
            // The account may be full of what died and was not removed yet.
            Learned::Refused(Refusal::QuotaLimit) if self.help(now) => self.roam(now, known, from, source),
            answer => answer,
        }
    }

    fn roam(&self, now: Now, known: Content, from: Destination, source: &Source<'t>) -> Learned {
        let account = self.account(source.remote, source.configured);
        // Others who read this bucket take its line away from here, once more after each store: little is done under
        // the lock.
        let (mut held, slot) = match self.map.hold(source.key) {
            Ok(Some(found)) if found.1.content.value == known.value => found,
            _ => return Learned::Busy,
        };
        let state = Attributes::of(slot.content).state;
        let before = Account::from_cookie(slot.cold.cookie);
        let value = if state == State::Learned {
            if let Err(limit) = self.take_over(&source.domain, source.handle, account, before) {
                return refused(limit);
            }
            if slot.cold.cookie != account.to_cookie() {
                held.set_cold(Cold { cookie: account.to_cookie(), ..slot.cold });
            }
            source.handle
        } else {
            if self.remotes.begin_use(source.remote).is_err() {
                return Learned::Busy;
            }
            source.remote.0
        };
        held.set_value(value.0);
        if state.ages() && slot.content.stamp != now.stamp() {
            held.set_stamp(now.stamp());
        }
        drop(held);
        if state == State::Learned {
            self.give_over(&source.domain, Handle(slot.content.value), before, account);
        }
        Learned::Moved { from }
    }

    /// There is no entry.
    fn discover(&self, now: Now, source: &Source<'t>) -> Learned {
        let Source { vni, domain, key, remote, handle, configured } = *source;
        let account = self.account(remote, configured);
        let generation = domain.learned().read().0;
        // The account first: for one that is refused by its own limit nobody else gives way.
        let take = || {
            self.take_account(&domain, handle, account)?;
            self.take_learned(&domain, domain.learned().peek(), generation, &mut 0)
                .inspect_err(|_| self.give_account(&domain, handle, account))
        };
        let mut taken = take();
        if taken.is_err() && self.bury_at(now, key) {
            taken = take();
        }
        if taken.is_err() && self.help(now) {
            taken = take();
        }
        let mut evicted = None;
        if taken == Err(Limit::Table) {
            let is_new = self.is_new(&domain, handle, account);
            let newcomer = if is_new { Newcomer::Account } else { Newcomer::Learned };
            if let Some(gone) = self.give_way(now, key, newcomer) {
                (evicted, taken) = (gone.and_then(Evicted::of), take());
            }
        }
        let instead = |answer| evicted.map_or(answer, Learned::Evicted);
        if let Err(limit) = taken {
            return instead(refused(limit));
        }
        let content = Content { value: handle.0, tag: generation as u8, stamp: now.stamp() };
        let cold = Cold { cookie: account.to_cookie(), origin: 0 };
        let put = self.put(now, vni, &Slot { key, content, cold });
        if put != Ok(Put::New) {
            self.give_account(&domain, handle, account);
            self.give_learned(&domain, generation);
        }
        match put {
            Ok(Put::New) => Learned::New { evicted },
            Ok(Put::Full) => instead(Learned::Refused(Refusal::TableFull)),
            Ok(Put::There | Put::Dead) | Err(Busy) => instead(Learned::Busy),
        }
    }

    /// Removes the dead where the newcomer may go; answers whether there were any.
    fn bury_at(&self, now: Now, key: Key) -> bool {
        self.map.lock(key).is_ok_and(|mut locked| self.bury(now, &mut locked))
    }
}

/// What a frame says.
#[derive(Clone, Copy, Debug)]
struct Source<'t> {
    vni: Vni,
    domain: Domain<'t>,
    key: Key,
    remote: RemoteId,
    handle: Handle,
    configured: bool,
}

/// Whether an entry names the remote that the frame came from, learned or not.
#[inline]
fn names(known: Content, source: &Source<'_>) -> bool {
    known.value == source.handle.0 || known.value == source.remote.0.0
}

const fn refused(limit: Limit) -> Learned {
    match limit {
        Limit::Table => Learned::Refused(Refusal::TableFull),
        Limit::Vni => Learned::Refused(Refusal::VniLimit),
        Limit::Quota => Learned::Refused(Refusal::QuotaLimit),
        Limit::Over => Learned::Busy,
    }
}
