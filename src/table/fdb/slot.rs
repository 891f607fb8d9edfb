//! A slot of the forwarding database: what it says, when it is dead, and how it goes.

use core::sync::atomic::Ordering::Relaxed;

use super::{
    super::{
        Error, Event, RemoteId,
        bucket::{Busy, Key, Locked, Place, SLOTS, Single, Slot},
        clock::Now,
        handle::Handle,
        vni::Domain,
    },
    Fdb, State,
    account::Account,
    entry::{Attributes, Entry},
};
use crate::wire::MacAddr;

impl<'t> Fdb<'t> {
    /// The entry of a slot, dead or alive; `None` where its VNI or its destination is gone.
    pub(crate) fn entry(&self, now: Now, slot: &Slot) -> Option<Entry> {
        let (domain, mac) = parts(slot.key);
        let Attributes { state, router, sticky } = Attributes::of(slot.content);
        let learned = state == State::Learned;
        Some(Entry {
            vni: self.vnis.domain(domain)?.vni()?,
            mac,
            destination: self.destination(Handle(slot.content.value))?,
            state,
            router,
            sticky,
            origin: slot.cold.origin,
            cookie: if learned { 0 } else { slot.cold.cookie },
            age: state.ages().then(|| self.clock.duration(now.age(slot.content.stamp))),
        })
    }

    /// Whether no lookup finds this entry any more.
    pub(crate) fn is_dead(&self, now: Now, slot: &Slot) -> bool {
        let Some(domain) = self.domain_of(slot.key).filter(|domain| domain.vni().is_some()) else {
            return true;
        };
        let handle = Handle(slot.content.value);
        !is_current(&domain, slot) || now.expired(slot.content.stamp) || self.destination(handle).is_none()
    }

    /// Whether an entry was not flushed with others of its VNI.
    pub(crate) fn is_current(&self, slot: &Slot) -> bool {
        self.domain_of(slot.key).is_some_and(|domain| is_current(&domain, slot))
    }

    /// The entry of a slot that is dead because it has expired. What was flushed or removed went when that was asked
    /// for.
    pub(super) fn expired(&self, now: Now, slot: &Slot) -> Option<Entry> {
        self.entry(now, slot).filter(|_| self.is_current(slot))
    }

    /// Counts a dead entry that makes room, if nobody has been told that it goes.
    pub(super) fn note_untold(&self, now: Now, slot: &Slot) {
        if self.expired(now, slot).is_some() {
            self.meta.untold().fetch_add(1, Relaxed);
        }
    }

    /// The domain that a key says.
    pub(super) fn domain_of(&self, key: Key) -> Option<Domain<'t>> {
        self.vnis.domain(parts(key).0)
    }

    /// Notes that a remote is in use which an entry names that was not learned.
    pub(crate) fn note_use(&self, slot: &Slot) {
        let handle = Handle(slot.content.value);
        if handle.kind() == Handle::REMOTE {
            self.remotes.note_use(handle);
        }
    }

    /// The same where an entry is about to name one, under the lock of its place: see
    /// [`Remotes::begin_use`](super::super::Remotes::begin_use).
    pub(super) fn begin_use(&self, handle: Handle) -> Result<(), Error> {
        if handle.kind() == Handle::REMOTE { self.remotes.begin_use(RemoteId(handle)) } else { Ok(()) }
    }

    /// Takes an entry that was just removed out of all counts, and frees the list that was made for it.
    pub(crate) fn settle(&self, slot: &Slot) {
        let handle = Handle(slot.content.value);
        let Some(domain) = self.domain_of(slot.key) else { return };
        if handle.is_learned() {
            self.give_learned(&domain, slot.content.tag.into());
            self.give_account(&domain, handle, Account::from_cookie(slot.cold.cookie));
        } else {
            self.give_configured(&domain);
            if handle.kind() == Handle::LIST {
                self.lists().free_owned(handle);
            }
        }
    }

    /// Removes an entry from a locked pair, with all that it counts for.
    pub(super) fn remove_from(&self, locked: &mut Locked<'t>, place: Place, slot: &Slot) {
        locked.remove(place);
        self.settle(slot);
    }

    /// The same from one locked bucket.
    pub(super) fn remove_from_bucket(&self, locked: &mut Single<'t>, place: usize, slot: &Slot) {
        locked.remove(place);
        self.settle(slot);
    }

    /// Removes the dead from both buckets of a locked pair; answers whether there were any.
    pub(super) fn bury(&self, now: Now, locked: &mut Locked<'t>) -> bool {
        let mut any = false;
        for (place, slot) in locked.slots().into_iter().flatten() {
            if self.is_dead(now, &slot) {
                self.note_untold(now, &slot);
                self.remove_from(locked, place, &slot);
                any = true;
            }
        }
        any
    }

    /// Removes the dead from a bucket that nobody else holds; answers whether there were any.
    pub(super) fn bury_bucket(&self, now: Now, bucket: usize) -> bool {
        let Ok(mut locked) = self.map.lock_bucket(bucket) else { return false };
        let mut any = false;
        for (place, slot) in (0..SLOTS).zip(locked.slots()) {
            if let Some(slot) = slot.filter(|slot| self.is_dead(now, slot)) {
                self.note_untold(now, &slot);
                self.remove_from_bucket(&mut locked, place, &slot);
                any = true;
            }
        }
        any
    }

    /// Removes the dead from a bucket, and tells those that expired; for the sweep. Answers how many went.
    pub(crate) fn sweep_bucket(
        &self,
        now: Now,
        bucket: usize,
        each: &mut impl FnMut(Event),
    ) -> Result<usize, Busy> {
        // Looked at first without a lock: most buckets have no dead. Not while somebody else holds it, though: what
        // he is about to put there may be dead by now.
        let slots = self.map.bucket(bucket)?;
        if self.meta.unconfigured().load(Relaxed) > 0 {
            let live = slots.iter().flatten().filter(|slot| !self.is_dead(now, slot));
            live.for_each(|slot| self.note_use(slot));
        }
        let held_back = |slot: &Slot| now.held_back(slot.content.stamp);
        if !slots.iter().flatten().any(|slot| held_back(slot).is_some() || self.is_dead(now, slot)) {
            return Ok(0);
        }
        let mut removed = 0usize;
        let mut locked = self.map.lock_bucket(bucket)?;
        for (place, slot) in (0..SLOTS).zip(locked.slots()) {
            let Some(slot) = slot else { continue };
            if !self.is_dead(now, &slot) {
                if let Some(stamp) = held_back(&slot) {
                    locked.set_stamp(place, stamp);
                }
                continue;
            }
            let expired = self.expired(now, &slot);
            self.remove_from_bucket(&mut locked, place, &slot);
            removed = removed.saturating_add(1);
            if let Some(entry) = expired {
                each(Event::Expired(entry));
            }
        }
        Ok(removed)
    }
}

fn is_current(domain: &Domain<'_>, slot: &Slot) -> bool {
    current(*domain)(slot.content.value, slot.content.tag)
}

/// Tells of an entry's value and tag whether it was learned since the VNI's last flush, or was not learned.
#[inline]
pub(super) fn current(domain: Domain<'_>) -> impl Fn(u32, u8) -> bool {
    move |value, tag| !Handle(value).is_learned() || u32::from(tag) == domain.learned().read().0
}

/// The key of a MAC address of a VNI, which has this domain.
#[inline(always)]
pub(super) const fn key(domain: u16, mac: MacAddr) -> Key {
    let [a, b, c, d, e, f] = mac.0;
    let (low, high) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]));
    Key(((domain as u64) << 16 | high as u64) << 32 | low as u64)
}

/// What a key was made of.
const fn parts(key: Key) -> (u16, MacAddr) {
    let [a, b, c, d, e, f, low, high] = key.0.to_le_bytes();
    (u16::from_le_bytes([low, high]), MacAddr([a, b, c, d, e, f]))
}
