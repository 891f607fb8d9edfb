//! A place for an entry that is not there yet: the short way in, for most.

use core::sync::atomic::Ordering::{Acquire, Relaxed};

use super::{
    super::{
        hash::Places,
        line::{self, Line},
    },
    CONTROL, Key, MIXED, Map, OVERFLOW, SLOTS, Slot, VALUES,
    lock::Guard,
};

/// A key, and where it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) key: Key,
    places: Places,
    first: usize,
}

impl<'t> Map<'t> {
    #[inline(always)]
    pub(crate) fn spot(&self, key: Key) -> Spot {
        let places = self.seed.places(key.0);
        Spot { key, places, first: places.first(self.buckets.len()) }
    }

    /// Asks for the first bucket: see [`Line::touch`].
    #[inline(always)]
    pub(crate) fn touch(&self, spot: &Spot) -> u32 {
        self.buckets.get(spot.first).map_or(0, Line::touch)
    }

    /// The same for the cold words of that bucket.
    #[inline(always)]
    pub(crate) fn touch_cold(&self, spot: &Spot) -> u32 {
        self.cold.get(cold_start(spot.first)).map_or(0, line::touch)
    }

    /// Asks for the second bucket if that is likely to be needed: where entries of the first one lie in their second
    /// ones, or where the first one is full, as its last slot tells. If it is full and cold words are to be written,
    /// also for those of the second.
    #[inline(always)]
    pub(crate) fn touch_away(&self, spot: &Spot, cold: bool) -> u32 {
        let Some(line) = self.buckets.get(spot.first) else { return 0 };
        let last = line.word(VALUES | (SLOTS - 1)).load(Relaxed);
        if last == 0 && line.word(CONTROL).load(Relaxed) & OVERFLOW == 0 {
            return 0;
        }
        let second = self.second(spot.places, spot.first);
        let cold = self.cold.get(cold_start(second)).filter(|_| cold && last != 0);
        self.buckets.get(second).map_or(0, Line::touch) | cold.map_or(0, line::touch)
    }

    /// Whether a key is nowhere, as far as one look without a lock tells.
    #[inline(always)]
    pub(crate) fn seems_new(&self, spot: &Spot) -> bool {
        let Some(line) = self.buckets.get(spot.first) else { return false };
        let is = |slot: usize| line.word(MIXED | (slot % SLOTS)).load(Relaxed) == spot.key.mixed();
        !(is(0) | is(1) | is(2) | is(3))
            && (line.word(CONTROL).load(Relaxed) & OVERFLOW == 0 || self.is_not_away(spot))
    }

    #[inline(never)]
    fn is_not_away(&self, spot: &Spot) -> bool {
        let second = self.second(spot.places, spot.first);
        self.buckets.get(second).is_some_and(|line| slots(line, spot.key).1 == 0)
    }

    /// A free slot for a key that is nowhere; `None` where it may be somewhere, where both of its buckets are full, or
    /// where somebody else is at work on them: then [`lock_to_add`](Self::lock_to_add) tells which.
    ///
    /// One bucket is locked if it has room, also where some of its entries lie in others: nobody puts or moves an entry
    /// of this key without that lock, so a second bucket that does not have the key does not get it either.
    #[inline(always)]
    pub(crate) fn berth(&self, spot: &Spot) -> Option<Berth<'_, 't>> {
        let guard = Guard::take(self.buckets.get(spot.first)?, spot.first)?;
        let (free, same) = slots(guard.line(), spot.key);
        if same != 0 || guard.overflows() && !self.is_not_away(spot) {
            return None;
        }
        if free == 0 {
            return self.berth_away(spot, guard);
        }
        Some(Berth { map: self, guard, first: None, slot: free.trailing_zeros() as usize })
    }

    #[inline(never)]
    fn berth_away(&self, spot: &Spot, first: Guard<'t>) -> Option<Berth<'_, 't>> {
        let second = self.second(spot.places, spot.first);
        // Taken now or not at all: who does not wait need not keep the order of locks.
        let guard = Guard::take(self.buckets.get(second)?, second)?;
        let (free, same) = slots(guard.line(), spot.key);
        let berth = Berth { map: self, guard, first: Some(first), slot: free.trailing_zeros() as usize };
        (free != 0 && same == 0).then_some(berth)
    }
}

/// A free slot, its bucket locked until dropped; and the key's first bucket, where that is another one.
#[derive(Debug)]
pub(crate) struct Berth<'a, 't> {
    map: &'a Map<'t>,
    guard: Guard<'t>,
    first: Option<Guard<'t>>,
    slot: usize,
}

impl Berth<'_, '_> {
    /// Puts the entry for whose key the slot was asked.
    // Inlined, so that the berth stays in registers: one that is written and read again is waited for.
    #[inline(always)]
    pub(crate) fn fill(mut self, entry: &Slot) {
        if let Some(first) = &mut self.first {
            // Counted before it is there: a reader that sees the value sees the count.
            first.count_overflow(true);
        }
        self.guard.put(self.map, self.slot, entry);
    }
}

/// Which slots are free, and which have an entry that may be that of `key`: a bit for each. The key is looked for with
/// branches, since it is nowhere, mostly; which slot is free nobody can foretell.
#[inline(always)]
fn slots(line: &Line, key: Key) -> (u32, u32) {
    let is = |slot: usize| line.word(MIXED | (slot % SLOTS)).load(Relaxed) == key.mixed();
    let free = (0..SLOTS).fold(0, |free, slot| {
        let value = line.word(VALUES | (slot % SLOTS)).load(Acquire);
        free | u32::from(value == 0) << slot
    });
    if !(is(0) || is(1) || is(2) || is(3)) {
        return (free, 0);
    }
    let same = (0..SLOTS).fold(0, |same, slot| same | u32::from(is(slot)) << slot);
    (free, same & !free)
}

/// The first cold word of a bucket.
const fn cold_start(bucket: usize) -> usize {
    bucket.wrapping_mul(super::COLD_WORDS)
}
