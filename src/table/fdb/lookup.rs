//! Lookups: where a frame goes.
//!
//! There are two ways. The short one reads each word once and has an answer for what is as it should be: a VNI in
//! front, a bucket that nobody is at work on, an entry that was not flushed. Whatever else it meets it leaves to the
//! long one, which asks the lines that are right whatever happens, and looks again.
//!
//! In a table that is larger than the caches each lookup waits for one line. The fewer steps a lookup has, the more of
//! them a processor has under way, waiting at the same time: so there are no more steps than an answer takes.

use core::sync::atomic::Ordering::{Acquire, Relaxed};

use super::{
    super::{
        Destination, GroupId, ListId, RemoteId,
        bucket::{Busy, Content, Glimpse, Home, Key, Look, Peek, Said},
        clock::{ETERNAL, Now},
        handle::Handle,
        line::fence,
    },
    Fdb, current, key,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

/// What the forwarding database knows of an address. This enum is complete.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[must_use]
pub enum Lookup {
    /// Where it is.
    Found(Destination),
    /// Nothing: no entry, or one that is expired or whose remote was removed.
    #[default]
    Unknown,
    /// Entries kept moving in its place; to be treated as unknown.
    Busy,
}

impl Lookup {
    /// Where the address is, if that is known.
    pub const fn destination(self) -> Option<Destination> {
        match self {
            Self::Found(destination) => Some(destination),
            _ => None,
        }
    }
}

impl<'t> Fdb<'t> {
    /// Where `mac` is. Exactly this entry: whoever floods what is unknown looks [`MacAddr::ZERO`] up next.
    #[inline(always)]
    pub fn lookup(&self, now: Instant, vni: Vni, mac: MacAddr) -> Lookup {
        let epoch = self.meta.epoch().load(Acquire);
        if let Some(sought) = self.seek(vni, &mac) {
            match sought.home.glimpse(sought.key) {
                Glimpse::Here(value, said) => {
                    if let Some(remote) = self.remote(now, &sought, value, said) {
                        if self.is_epoch(epoch) {
                            return Lookup::Found(Destination::Remote(remote));
                        }
                    }
                }
                Glimpse::Nowhere if self.is_epoch(epoch) => return Lookup::Unknown,
                _ => {}
            }
        }
        self.look_further(now, vni, mac)
    }

    /// The same as a call, for those that need it seldom.
    #[inline(never)]
    pub(crate) fn lookup_apart(&self, now: Instant, vni: Vni, mac: MacAddr) -> Lookup {
        self.lookup(now, vni, mac)
    }

    /// The same by the second bucket. It starts anew: so a lookup that does not come here keeps nothing for this.
    #[inline(never)]
    fn look_further(&self, now: Instant, vni: Vni, mac: MacAddr) -> Lookup {
        let present = || self.clock.at(now, self.meta.fdb_ages());
        let epoch = self.meta.epoch().load(Acquire);
        let Some(sought) = self.seek(vni, &mac) else { return self.look_closely(present(), vni, mac) };
        if let Some(away) = self.away(sought.home, sought.key) {
            let answer = match away.glimpse(sought.key) {
                Glimpse::Here(value, said) => {
                    let remote = self.remote(now, &sought, value, said);
                    remote.map(|remote| Lookup::Found(Destination::Remote(remote)))
                }
                _ if sought.home.lacks(away, sought.key) => Some(Lookup::Unknown),
                _ => None,
            };
            if let Some(answer) = answer.filter(|_| self.is_epoch(epoch)) {
                return answer;
            }
        }
        self.look_on(present(), vni, mac, &sought, epoch)
    }

    /// The remote that an entry names, if it is young and was not flushed. With branches: one that is foretold right is
    /// not waited for, and most are.
    #[inline(always)]
    fn remote(&self, now: Instant, sought: &Sought<'t>, value: u32, said: Said) -> Option<RemoteId> {
        let (handle, now) = (Handle(value), self.clock.at(now, self.meta.fdb_ages()));
        let flushed = said.other_tag(sought.generation, handle.is_learned());
        if flushed == 0 && now.is_young_above(said.stamp()) { self.remotes.resolve(handle) } else { None }
    }

    /// The remote that a look at a bucket found for a key, and zero if that is the answer: if the slot has the key, the
    /// entry is young and was not flushed, and the remote is there.
    #[inline(always)]
    pub(super) fn judge(&self, now: Now, peek: &Peek, generation: u32) -> (RemoteId, u32) {
        let handle = Handle(peek.value);
        let flushed = peek.other_tag(generation, handle.is_learned());
        let (remote, gone) = self.remotes.peek(handle);
        (remote, peek.differs | flushed | gone | u32::from(!now.is_young(peek.stamp)))
    }

    /// The second bucket, if there may be anything that belongs into the first.
    #[inline(always)]
    pub(super) fn away(&self, home: Home<'t>, key: Key) -> Option<Home<'t>> {
        if home.overflows() { self.map.away(key) } else { None }
    }

    /// Asks for where `mac` most likely is: see [`Line::touch`](super::super::line::Line::touch).
    #[inline(always)]
    pub(crate) fn touch(&self, vni: Vni, mac: MacAddr) -> u32 {
        self.seek(vni, &mac).map_or(0, |sought| sought.home.touch())
    }

    /// Where to look for `mac`, if its VNI is in front.
    #[inline(always)]
    pub(crate) fn seek(&self, vni: Vni, mac: &MacAddr) -> Option<Sought<'t>> {
        let (number, generation) = self.vnis.glance(vni)?;
        let key = key(number, *mac);
        Some(Sought { home: self.map.home(key)?, key, generation })
    }

    /// Whether `mac` was learned from this remote in this tick: the short way of learning. Whether the remote is
    /// configured was asked when it was learned.
    #[inline(always)]
    pub(super) fn is_fresh(&self, now: Now, vni: Vni, mac: MacAddr, remote: RemoteId) -> bool {
        let epoch = self.meta.epoch().load(Acquire);
        let (Some(sought), Some(learned)) = (self.seek(vni, &mac), self.remotes.learned_word(remote)) else {
            return false;
        };
        let is_in = |bucket: Home<'t>| match bucket.glimpse(sought.key) {
            Glimpse::Here(value, said) => {
                let older = said.stamp() >> 16 ^ u32::from(now.stamp());
                said.other_tag(sought.generation, true) | older | value ^ learned == 0
            }
            _ => false,
        };
        (is_in(sought.home) || self.away(sought.home, sought.key).is_some_and(is_in))
            && !now.is_overdue()
            && self.is_epoch(epoch)
    }

    /// The remote behind which `mac` is, if there is nothing to learn from a frame that comes from there: it was
    /// learned in this tick, or somebody said so for good.
    #[inline(always)]
    pub(crate) fn settled(&self, now: Instant, vni: Vni, mac: MacAddr) -> Option<RemoteId> {
        self.settled_at(self.moment(now), &self.seek(vni, &mac)?)
    }

    /// The moment before a key is [sought](Self::seek), for [`settled_at`](Self::settled_at).
    #[inline(always)]
    pub(crate) fn moment(&self, now: Instant) -> Moment {
        Moment { now: self.clock.at(now, self.meta.fdb_ages()), epoch: self.meta.epoch().load(Acquire) }
    }

    /// [`settled`](Self::settled), of a key that was sought after this moment.
    #[inline(always)]
    pub(crate) fn settled_at(&self, Moment { now, epoch }: Moment, sought: &Sought<'t>) -> Option<RemoteId> {
        let content = self.seen(sought)?;
        let handle = Handle(content.value);
        let settled = if handle.is_learned() {
            sought.is_current(content.tag) && content.stamp == now.stamp() && !now.is_overdue()
        } else {
            content.stamp == ETERNAL
        };
        self.remotes.resolve(handle).filter(|_| settled && self.is_epoch(epoch))
    }

    /// What is in the buckets of a key, if one look at each tells.
    #[inline(always)]
    fn seen(&self, sought: &Sought<'t>) -> Option<Content> {
        match sought.home.look(sought.key) {
            Look::Here(content) => Some(content),
            // What nobody knows yet is mostly told by one line.
            Look::NotHere(control) if sought.home.is_all(control) => None,
            Look::NotHere(_) => match self.map.away(sought.key)?.look(sought.key) {
                Look::Here(content) => Some(content),
                _ => None,
            },
            Look::Unsure => None,
        }
    }

    /// What is to be said of a key, if its first bucket does not name the remote of a young entry.
    #[inline(never)]
    pub(super) fn look_on(
        &self,
        now: Now,
        vni: Vni,
        mac: MacAddr,
        sought: &Sought<'t>,
        epoch: u32,
    ) -> Lookup {
        let found = match sought.home.look(sought.key) {
            Look::Here(content) => Some(content),
            Look::NotHere(control) if sought.home.is_all(control) => None,
            Look::NotHere(control) => {
                match self.map.away(sought.key).map(|away| (away, away.look(sought.key))) {
                    Some((_, Look::Here(content))) => Some(content),
                    Some((away, Look::NotHere(second)))
                        if sought.home.is_unchanged(control) && away.is_unchanged(second) =>
                    {
                        None
                    }
                    _ => return self.look_closely(now, vni, mac),
                }
            }
            Look::Unsure => return self.look_closely(now, vni, mac),
        };
        let answer = match found {
            None => Lookup::Unknown,
            Some(found) => {
                let handle = Handle(found.value);
                let current = sought.is_current(found.tag) || !handle.is_learned();
                if found.value == 0 || !current {
                    return self.look_closely(now, vni, mac);
                }
                self.answer(now, found)
            }
        };
        if self.is_epoch(epoch) { answer } else { self.look_closely(now, vni, mac) }
    }

    /// What an entry says, if it still says something.
    #[inline]
    fn answer(&self, now: Now, found: Content) -> Lookup {
        match self.destination(Handle(found.value)) {
            Some(destination) if !now.expired(found.stamp) => Lookup::Found(destination),
            _ => Lookup::Unknown,
        }
    }

    /// Whether nothing that the tables can be asked for was removed since the epoch was looked at: what was found as
    /// that of a VNI was of that VNI.
    #[inline(always)]
    pub(super) fn is_epoch(&self, epoch: u32) -> bool {
        fence(Acquire);
        self.meta.epoch().load(Relaxed) == epoch
    }

    /// The long way.
    #[inline(never)]
    pub(super) fn look_closely(&self, now: Now, vni: Vni, mac: MacAddr) -> Lookup {
        let domain = match self.vnis.find(vni) {
            Ok(Some(domain)) => domain,
            Ok(None) => return Lookup::Unknown,
            Err(Busy) => return Lookup::Busy,
        };
        match self.map.find_anywhere(key(domain.number, mac), current(domain)) {
            Ok(Some(found)) => {
                let answer = self.answer(now, found);
                // The number that was looked up was this VNI's all the time.
                if domain.is(vni) { answer } else { Lookup::Unknown }
            }
            Ok(None) => Lookup::Unknown,
            Err(Busy) => Lookup::Busy,
        }
    }

    /// What a value says, if what it names is still there.
    #[inline]
    pub(crate) fn destination(&self, handle: Handle) -> Option<Destination> {
        match self.remotes.resolve(handle) {
            Some(remote) => Some(Destination::Remote(remote)),
            None => self.other_destination(handle),
        }
    }

    fn other_destination(&self, handle: Handle) -> Option<Destination> {
        match handle.kind() {
            Handle::LIST if self.lists().leads_on(handle) => Some(Destination::List(ListId(handle))),
            Handle::GROUP if self.lists().is_alive(handle) => Some(Destination::Group(GroupId(handle))),
            _ if handle == Handle::LOCAL => Some(Destination::Local),
            _ if handle == Handle::BLACKHOLE => Some(Destination::Blackhole),
            _ => None,
        }
    }
}

/// When something is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    now: Now,
    epoch: u32,
}

/// A key on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sought<'t> {
    pub(super) home: Home<'t>,
    pub(super) key: Key,
    /// What is learned of the VNI, by the front: four times the tag of its entries.
    pub(super) generation: u32,
}

impl Sought<'_> {
    /// Asks for where the key most likely is.
    #[inline(always)]
    pub(crate) fn touch(&self) -> u32 {
        self.home.touch()
    }

    /// Whether an entry with this tag was learned since the last flush.
    #[inline(always)]
    const fn is_current(&self, tag: u8) -> bool {
        self.generation as u8 == tag
    }
}
