//! Records found by a key of any length: a map whose values name records that never change.
//!
//! The map's key is a fingerprint of 64 bits; what is compared is the whole key, in the record. A record is
//! replaced by another one that is published in one store. Order of a change: value, then the old record's
//! generation, then the stamp. So whoever reads the new stamp finds the old record gone, and what has expired is
//! never found with the age of what replaces it.

use core::sync::atomic::Ordering::{Acquire, Relaxed};

use super::{
    Error, Resource,
    bucket::{Busy, Cold, Content, Dead, Key, Locked, Look, Map, SLOTS, Slot},
    cursor::Cursor,
    handle::Handle,
    line::AtomicU32,
    record::Records,
    room,
};

/// Records of `N` words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Store<'t, const N: usize> {
    pub(crate) map: Map<'t>,
    pub(crate) records: Records<'t, N>,
    /// How many there are.
    pub(crate) count: &'t AtomicU32,
    /// How many there may be.
    pub(crate) limit: u32,
    /// What they are.
    pub(crate) what: Resource,
    pub(crate) relocations: &'t AtomicU32,
    /// How many dead ones have made room.
    pub(crate) buried: &'t AtomicU32,
}

/// A record, and when it was confirmed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stored<const N: usize> {
    pub(crate) words: [u32; N],
    pub(crate) stamp: u16,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step<const N: usize> {
    /// It stays, or nothing comes.
    Keep,
    /// It is confirmed.
    Touch(u16),
    /// This one takes its place.
    Put(Stored<N>),
    /// It goes.
    Remove,
}

impl<const N: usize> Store<'_, N> {
    /// The record of `key` for which `is` holds.
    #[inline]
    pub(crate) fn find(&self, key: Key, is: impl Fn(&[u32; N]) -> bool) -> Result<Option<Stored<N>>, Busy> {
        for _ in 0..RETRIES {
            let Some(found) = self.map.find(key, |_, _| true)? else { return Ok(None) };
            // Freed meanwhile: another one took its place, or none.
            if let Some(stored) = self.stored(found) {
                return Ok(Some(stored).filter(|stored| is(&stored.words)));
            }
        }
        Err(Busy)
    }

    /// The record of `key`, where one look at its first bucket finds it. It may be that of something else with the same
    /// fingerprint.
    #[inline(always)]
    pub(crate) fn glance(&self, key: Key) -> Option<Stored<N>> {
        match self.map.home(key)?.look(key) {
            Look::Here(content) if content.value != 0 => self.stored(content),
            _ => None,
        }
    }

    /// Lets `decide` say, under the locks of its buckets, what becomes of the record of `key` for which `is`
    /// holds. In a full table those that are `dead` make room. `decide` may be asked again.
    pub(crate) fn change<T>(
        &self,
        key: Key,
        is: impl Fn(&[u32; N]) -> bool,
        dead: impl Fn(&Stored<N>) -> bool,
        decide: impl Fn(Option<Stored<N>>) -> Result<(T, Step<N>), Error>,
    ) -> Result<T, Error> {
        if self.map.len() == 0 {
            let (answer, step) = decide(None)?;
            return if matches!(step, Step::Put(_)) { Err(self.full()) } else { Ok(answer) };
        }
        for _ in 0..TRIES {
            let mut locked = self.map.lock(key)?;
            locked.fence();
            let found = locked.find(key);
            let old = match found {
                Some((_, slot)) => Some(self.stored(slot.content).ok_or(Error::Busy)?),
                None => None,
            };
            // Two keys of one fingerprint, which is one chance in 2^64: there is no room for the second.
            if old.is_some_and(|old| !is(&old.words)) {
                return Err(self.full());
            }
            let (answer, step) = decide(old)?;
            match (step, found) {
                (Step::Put(new), Some((place, slot))) => {
                    let handle = self.records.add(key.0 as usize, &new.words).ok_or(Error::Busy)?;
                    locked.set_value(place, handle.0);
                    self.records.remove(Handle(slot.content.value));
                    locked.set_stamp(place, new.stamp);
                }
                (Step::Put(new), None) => {
                    if !self.insert(&mut locked, key, new, &dead)? {
                        drop(locked);
                        let dead = Dead {
                            is: &|slot| self.stored(slot.content).is_some_and(|stored| dead(&stored)),
                            settle: &|slot| {
                                self.buried.fetch_add(1, Relaxed);
                                self.free(Handle(slot.content.value));
                            },
                        };
                        if !self.map.relocate(key, self.relocations, &dead)? {
                            return Err(self.full());
                        }
                        continue;
                    }
                }
                (Step::Touch(stamp), Some((place, _))) => locked.set_stamp(place, stamp),
                (Step::Remove, Some((place, slot))) => {
                    locked.remove(place);
                    self.free(Handle(slot.content.value));
                }
                (Step::Keep | Step::Touch(_) | Step::Remove, _) => {}
            }
            return Ok(answer);
        }
        Err(Error::Busy)
    }

    /// Whether a record for which `is` holds is in a bucket; [`Busy`] while a writer holds that.
    pub(crate) fn any_in_bucket(&self, bucket: usize, is: impl Fn(&Stored<N>) -> bool) -> Result<bool, Busy> {
        let slots = self.map.bucket(bucket)?;
        Ok(slots.into_iter().flatten().any(|slot| self.stored(slot.content).is_none_or(|stored| is(&stored))))
    }

    /// Removes from a bucket what `goes`, and gives others the stamp that `stamp` says; answers how many went.
    pub(crate) fn sweep_bucket(
        &self,
        bucket: usize,
        mut goes: impl FnMut(&Stored<N>) -> bool,
        stamp: impl Fn(u16) -> Option<u16>,
    ) -> Result<usize, Busy> {
        let mut gone = 0usize;
        let mut locked = self.map.lock_bucket(bucket)?;
        for (place, slot) in (0..SLOTS).zip(locked.slots()) {
            let Some(slot) = slot else { continue };
            if self.stored(slot.content).is_some_and(|stored| goes(&stored)) {
                locked.remove(place);
                self.free(Handle(slot.content.value));
                gone = gone.saturating_add(1);
            } else if let Some(stamp) = stamp(slot.content.stamp) {
                locked.set_stamp(place, stamp);
            }
        }
        Ok(gone)
    }

    /// The next record of a dump.
    pub(crate) fn next(&self, cursor: &mut Cursor) -> Option<Stored<N>> {
        self.note(cursor);
        while let Some(slot) = cursor.next(&self.map) {
            // Replaced meanwhile: whatever has its key is as good.
            match self.stored(slot.content).map_or_else(|| self.find(slot.key, |_| true), |is| Ok(Some(is))) {
                Ok(Some(stored)) => return Some(stored),
                Ok(None) => {}
                Err(Busy) => cursor.skipped = true,
            }
        }
        None
    }

    /// Has the cursor of a dump know whether anything was moved.
    pub(crate) fn note(&self, cursor: &mut Cursor) {
        cursor.note(self.relocations.load(Acquire));
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Relaxed) as usize
    }

    pub(crate) const fn full(&self) -> Error {
        Error::Full { what: self.what, limit: self.limit }
    }

    /// What a slot names; `None` where it was freed meanwhile, never under the lock.
    #[inline(always)]
    fn stored(&self, content: Content) -> Option<Stored<N>> {
        let words = self.records.get(Handle(content.value))?;
        Some(Stored { words, stamp: content.stamp })
    }

    /// Puts a record whose key is not there into a locked pair, if it has room.
    fn insert(
        &self,
        locked: &mut Locked<'_>,
        key: Key,
        new: Stored<N>,
        dead: &impl Fn(&Stored<N>) -> bool,
    ) -> Result<bool, Error> {
        let count = || room::count_below(self.count, self.limit);
        if !(count() || self.bury(locked, dead) && count()) {
            return Err(self.full());
        }
        let Some(handle) = self.records.add(key.0 as usize, &new.words) else {
            room::uncount(self.count);
            return Err(Error::Busy);
        };
        let content = Content { value: handle.0, tag: 0, stamp: new.stamp };
        let slot = Slot { key, content, cold: Cold::default() };
        if locked.insert(&slot).is_some() || (self.bury(locked, dead) && locked.insert(&slot).is_some()) {
            return Ok(true);
        }
        self.free(handle);
        Ok(false)
    }

    /// Removes the dead from a locked pair; answers whether there were any.
    fn bury(&self, locked: &mut Locked<'_>, dead: &impl Fn(&Stored<N>) -> bool) -> bool {
        let mut any = false;
        for (place, slot) in locked.slots().into_iter().flatten() {
            if self.stored(slot.content).is_some_and(|stored| dead(&stored)) {
                locked.remove(place);
                self.buried.fetch_add(1, Relaxed);
                self.free(Handle(slot.content.value));
                any = true;
            }
        }
        any
    }

    /// Frees a record that nothing names any more.
    fn free(&self, handle: Handle) {
        self.records.remove(handle);
        room::uncount(self.count);
    }
}

/// How often a reader looks again for a record that is replaced all the time.
const RETRIES: usize = 8;

/// How often room is made for a record before somebody else takes it.
const TRIES: usize = 4;
