//! What writers of buckets hold: locks that are never waited for long.

use core::sync::atomic::Ordering::{Relaxed, Release, SeqCst};

use super::{
    super::line::{AtomicU32, Line, fence, spin_loop},
    Busy, CONTROL, Cold, Dead, HIGHS, Key, LOCK, MIXED, Map, OVERFLOW, SLOTS, STAMPS, Slot, TAGS, VALUES,
    key_of, with_byte, with_half,
};

impl<'t> Map<'t> {
    pub(super) fn guard(&self, index: usize) -> Result<Guard<'t>, Busy> {
        Guard::lock(self.buckets.get(index).ok_or(Busy)?, index).ok_or(Busy)
    }

    /// Both buckets of `key`, locked, in the order that all writers keep.
    pub(crate) fn lock(&self, key: Key) -> Result<Locked<'t>, Busy> {
        let (first, second) = self.places(key);
        let (low, high) = (self.guard(first.min(second))?, self.guard(first.max(second))?);
        let (first, second) = if first < second { (low, high) } else { (high, low) };
        Ok(Locked { map: *self, first, second: Some(second) })
    }

    /// What has to be locked to add `key`: its first bucket alone where that has room and none of its entries lies in
    /// its second bucket, so that this one cannot either. That is a line less to wait for, for most.
    pub(crate) fn lock_to_add(&self, key: Key) -> Result<Locked<'t>, Busy> {
        let (first, second) = self.places(key);
        let guard = self.guard(first)?;
        if guard.control & OVERFLOW == 0 && guard.free().is_some() {
            return Ok(Locked { map: *self, first: guard, second: None });
        }
        if first < second {
            return Ok(Locked { map: *self, first: guard, second: Some(self.guard(second)?) });
        }
        drop(guard);
        self.lock(key)
    }

    /// Puts an entry where its key may be, if there is none of that key, and makes room for it if need be;
    /// `relocations` counts what moves.
    pub(crate) fn add(&self, slot: &Slot, relocations: &AtomicU32) -> Result<Added, Busy> {
        if let Some(berth) = self.berth(&self.spot(slot.key)) {
            berth.fill(slot);
            return Ok(Added::New);
        }
        for _ in 0..ROOM_TRIES {
            let mut locked = self.lock_to_add(slot.key)?;
            if let Some((_, there)) = locked.find(slot.key) {
                return Ok(Added::There(there));
            }
            if locked.insert(slot).is_some() {
                return Ok(Added::New);
            }
            drop(locked);
            if !self.relocate(slot.key, relocations, &Dead::NONE)? {
                return Ok(Added::Full);
            }
        }
        Err(Busy)
    }

    /// The bucket that has the entry of `key`, locked. Both are locked to find it, so that `None` is certain.
    pub(super) fn lock_where(&self, key: Key) -> Result<Option<(Guard<'t>, usize, Slot)>, Busy> {
        let Locked { first, second, .. } = self.lock(key)?;
        let found = |guard: Guard<'t>| guard.find(self, key).map(|(at, slot)| (guard, at, slot));
        Ok([Some(first), second].into_iter().flatten().find_map(found))
    }
}

/// What became of an entry that was to be added.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Added {
    New,
    /// Not added: its key is there.
    There(Slot),
    /// Not added: there is no room.
    Full,
}

/// The buckets of one key in which something may change, locked until dropped: both, or only the first.
#[derive(Debug)]
pub(crate) struct Locked<'t> {
    map: Map<'t>,
    first: Guard<'t>,
    second: Option<Guard<'t>>,
}

/// A slot of a locked pair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    second: bool,
    slot: usize,
}

impl<'t> Locked<'t> {
    /// To be called after locking, before it is asked whether what an entry names is still there. A sweep begins with a
    /// fence, too. So if something was removed before a sweep began, that sweep finds this lock, or who asks here finds
    /// it removed.
    pub(crate) fn fence(&self) {
        fence(SeqCst);
    }

    /// The entry of `key`, live or not.
    pub(crate) fn find(&self, key: Key) -> Option<(Place, Slot)> {
        let in_bucket = |guard: &Guard<'t>, second| {
            guard.find(&self.map, key).map(|(slot, found)| (Place { second, slot }, found))
        };
        in_bucket(&self.first, false).or_else(|| in_bucket(self.second.as_ref()?, true))
    }

    /// Whatever is in these buckets.
    pub(crate) fn slots(&self) -> [Option<(Place, Slot)>; 2 * SLOTS] {
        core::array::from_fn(|at| {
            let place = Place { second: at >= SLOTS, slot: at % SLOTS };
            let guard = if place.second { self.second.as_ref()? } else { &self.first };
            Some((place, self.map.slot(guard.line, guard.index, place.slot)?))
        })
    }

    /// Puts an entry whose key is not there into a free slot, of the first bucket if it has one; `None` where
    /// there is none.
    pub(crate) fn insert(&mut self, slot: &Slot) -> Option<Place> {
        if let Some(free) = self.first.free() {
            self.first.put(&self.map, free, slot);
            return Some(Place { second: false, slot: free });
        }
        let second = self.second.as_mut()?;
        let free = second.free()?;
        // Counted before it is there: a reader that sees the value sees the count.
        self.first.count_overflow(true);
        second.put(&self.map, free, slot);
        Some(Place { second: true, slot: free })
    }

    /// Points an entry elsewhere: one store, no reader notices anything else.
    pub(crate) fn set_value(&mut self, place: Place, value: u32) {
        self.guard(place.second).set_value(place.slot, value);
    }

    /// Changes tag and stamp, when the value is one already that does not need the old ones. The version changes first:
    /// who has read the value before that looks again.
    pub(crate) fn set_said(&mut self, place: Place, tag: u8, stamp: u16) {
        let guard = self.guard(place.second);
        guard.begin();
        guard.set_tag(place.slot, tag);
        guard.set_stamp(place.slot, stamp);
    }

    pub(crate) fn set_stamp(&mut self, place: Place, stamp: u16) {
        self.guard(place.second).set_stamp(place.slot, stamp);
    }

    /// Changes the cold words; whoever reads them at the same time tries again.
    pub(crate) fn set_cold(&mut self, place: Place, cold: Cold) {
        let map = self.map;
        self.guard(place.second).set_cold(&map, place.slot, cold);
    }

    /// Removes an entry, be it of the key that was locked or of another.
    pub(crate) fn remove(&mut self, place: Place) {
        let map = self.map;
        let guard = self.guard(place.second);
        let first = map.places(guard.key(place.slot)).0;
        let bucket = guard.index;
        guard.clear(&map, place.slot);
        if first == bucket {
            return;
        }
        let both = [Some(&mut self.first), self.second.as_mut()];
        match both.into_iter().flatten().find(|guard| guard.index == first) {
            Some(guard) => guard.count_overflow(false),
            None => self.map.uncount_overflow(first),
        }
    }

    /// Moves the entry of `key` from one bucket to the other: copied first, cleared second; `relocations` counts it
    /// between, so that a dump which was too early for the one and too late for the other sees another count.
    /// A dead entry is removed instead: its slot is as good as a free one.
    pub(super) fn shift(
        &mut self,
        key: Key,
        from: usize,
        to: usize,
        relocations: &AtomicU32,
        dead: &Dead<'_>,
    ) -> bool {
        let Some(second) = &mut self.second else { return false };
        let to_second = (self.first.index, second.index) == (from, to);
        if !to_second && (second.index, self.first.index) != (from, to) {
            return false;
        }
        let (source, sink) =
            if to_second { (&self.first, &mut *second) } else { (&*second, &mut self.first) };
        let (Some((old, slot)), Some(free)) = (source.find(&self.map, key), sink.free()) else {
            return false;
        };
        if (dead.is)(&slot) {
            self.remove(Place { second: !to_second, slot: old });
            (dead.settle)(&slot);
            return true;
        }
        sink.put(&self.map, free, &slot);
        relocations.fetch_add(1, Release);
        if to_second {
            self.first.count_overflow(true);
            self.first.clear(&self.map, old);
        } else {
            // A reader that came after the copy was announced and before it was there must not miss both.
            self.first.begin();
            second.clear(&self.map, old);
            self.first.count_overflow(false);
        }
        true
    }

    fn guard(&mut self, second: bool) -> &mut Guard<'t> {
        self.second.as_mut().filter(|_| second).unwrap_or(&mut self.first)
    }
}

impl Map<'_> {
    /// One entry fewer lies in its second bucket. Where the lock of the first is not to be had the count stays:
    /// too high costs misses one more line, too low would cost a hit.
    pub(super) fn uncount_overflow(&self, first: usize) {
        if let Ok(mut guard) = self.guard(first) {
            guard.count_overflow(false);
        }
    }
}

/// A lock, given back when dropped.
#[derive(Debug)]
pub(super) struct Guard<'t> {
    line: &'t Line,
    index: usize,
    /// The control word, which only the holder changes.
    control: u32,
}

impl<'t> Guard<'t> {
    fn lock(line: &'t Line, index: usize) -> Option<Self> {
        for _ in 0..SPINS {
            if let Some(guard) = Self::take(line, index) {
                return Some(guard);
            }
            spin_loop();
        }
        None
    }

    /// The lock, if it is free.
    #[inline]
    pub(super) fn take(line: &'t Line, index: usize) -> Option<Self> {
        let control = line.word(CONTROL).load(Relaxed);
        let free = control & LOCK == 0;
        let word = line.word(CONTROL);
        let taken = free && word.compare_exchange(control, control | LOCK, SeqCst, Relaxed).is_ok();
        // No guard is made where the lock was not taken: dropped, it would give the lock back.
        if taken { Some(Self { line, index, control: control | LOCK }) } else { None }
    }

    pub(super) const fn line(&self) -> &'t Line {
        self.line
    }

    /// The number of the bucket.
    pub(super) const fn index(&self) -> usize {
        self.index
    }

    pub(super) const fn overflows(&self) -> bool {
        self.control & OVERFLOW != 0
    }

    pub(super) fn key(&self, slot: usize) -> Key {
        key_of(self.line, slot)
    }

    pub(super) fn find(&self, map: &Map<'_>, key: Key) -> Option<(usize, Slot)> {
        // The key first: cold words are on another line, which is not to be read for other keys.
        let is = |&slot: &usize| key_of(self.line, slot) == key;
        (0..SLOTS).filter(is).find_map(|slot| Some((slot, map.slot(self.line, self.index, slot)?)))
    }

    fn free(&self) -> Option<usize> {
        (0..SLOTS).find(|&slot| self.line.word(VALUES | (slot % SLOTS)).load(Relaxed) == 0)
    }

    /// Announces that words change which readers compare.
    fn begin(&mut self) {
        self.control = self.control.wrapping_add(VERSION);
        self.line.word(CONTROL).store(self.control, Release);
        fence(Release);
    }

    /// Fills a free slot; the value, stored last, publishes it.
    #[inline(always)]
    pub(super) fn put(&mut self, map: &Map<'_>, slot: usize, entry: &Slot) {
        self.begin();
        let word = |index: usize| self.line.word(index);
        word(MIXED | (slot % SLOTS)).store(entry.key.mixed(), Relaxed);
        word(HIGHS | (slot % SLOTS)).store(entry.key.high(), Relaxed);
        self.set_tag(slot, entry.content.tag);
        self.set_stamp(slot, entry.content.stamp);
        // The cold words of a free slot are zero, and so are those of most entries: then their line is not waited for.
        if entry.cold != Cold::default() {
            map.set_cold(self.index, slot, entry.cold);
        }
        word(VALUES | (slot % SLOTS)).store(entry.content.value, Release);
    }

    pub(super) fn set_value(&self, slot: usize, value: u32) {
        self.line.word(VALUES | (slot % SLOTS)).store(value, Release);
    }

    /// Whoever reads the cold words at the same time tries again.
    pub(super) fn set_cold(&mut self, map: &Map<'_>, slot: usize, cold: Cold) {
        self.begin();
        map.set_cold(self.index, slot, cold);
    }

    fn set_tag(&self, slot: usize, tag: u8) {
        let word = self.line.word(TAGS);
        word.store(with_byte(word.load(Relaxed), slot, tag), Relaxed);
    }

    pub(super) fn set_stamp(&self, slot: usize, stamp: u16) {
        let word = self.line.word(STAMPS | (slot % SLOTS / 2));
        word.store(with_half(word.load(Relaxed), slot, stamp), Relaxed);
    }

    /// Frees a slot, and clears the cold words for who comes next.
    pub(super) fn clear(&mut self, map: &Map<'_>, slot: usize) {
        self.set_value(slot, 0);
        if map.cold(self.index, slot) != Cold::default() {
            self.set_cold(map, slot, Cold::default());
        }
    }

    /// One more, or one fewer, of this bucket's entries lies in its second bucket. A count that was ever full
    /// stays so.
    pub(super) fn count_overflow(&mut self, more: bool) {
        let count = self.control & OVERFLOW;
        self.control = match (more, count) {
            (_, OVERFLOW) | (false, 0) => return,
            (true, _) => self.control.wrapping_add(OVERFLOW_ONE),
            (false, _) => self.control.wrapping_sub(OVERFLOW_ONE),
        };
        self.line.word(CONTROL).store(self.control, Release);
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.line.word(CONTROL).store(self.control & !LOCK, Release);
    }
}

// Steps of the control word.
const OVERFLOW_ONE: u32 = 2;
const VERSION: u32 = 0x80;

/// How often room is made for an entry before somebody else takes it.
const ROOM_TRIES: usize = 4;

/// How often a writer tries to get a lock.
const SPINS: usize = 64;
