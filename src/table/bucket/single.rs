//! One bucket by itself, as sweeps look at it.

use super::{Busy, Map, SLOTS, Slot, lock::Guard};

impl<'t> Map<'t> {
    /// One bucket, locked, for the sweep.
    pub(crate) fn lock_bucket(&self, index: usize) -> Result<Single<'t>, Busy> {
        Ok(Single { guard: self.guard(index)?, moved: Moved { map: *self, firsts: [None; SLOTS] } })
    }
}

/// One bucket, locked until dropped.
#[derive(Debug)]
pub(crate) struct Single<'t> {
    // Dropped in this order: first buckets are told under their locks, and no writer waits for the lock of a lower
    // bucket while it holds that of a higher one.
    guard: Guard<'t>,
    moved: Moved<'t>,
}

/// The first buckets of entries that were removed from here, where it was their second; they count such entries, and
/// are told when this is dropped.
#[derive(Debug)]
struct Moved<'t> {
    map: Map<'t>,
    firsts: [Option<usize>; SLOTS],
}

impl Single<'_> {
    /// Whatever is in the bucket.
    pub(crate) fn slots(&self) -> [Option<Slot>; SLOTS] {
        core::array::from_fn(|slot| self.moved.map.slot(self.guard.line(), self.guard.index(), slot))
    }

    pub(crate) fn remove(&mut self, slot: usize) {
        let Some(moved) = self.moved.firsts.get_mut(slot) else { return };
        let first = self.moved.map.places(self.guard.key(slot)).0;
        *moved = (first != self.guard.index()).then_some(first);
        self.guard.clear(&self.moved.map, slot);
    }

    pub(crate) fn set_stamp(&mut self, slot: usize, stamp: u16) {
        self.guard.set_stamp(slot, stamp);
    }
}

impl Drop for Moved<'_> {
    fn drop(&mut self) {
        self.firsts.into_iter().flatten().for_each(|first| self.map.uncount_overflow(first));
    }
}
