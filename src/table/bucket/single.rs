//! One bucket by itself, as sweeps look at it.

use super::{Busy, Map, SLOTS, Slot, lock::Guard};

impl<'t> Map<'t> {
    /// One bucket, locked, for the sweep.
    pub(crate) fn lock_bucket(&self, index: usize) -> Result<Single<'t>, Busy> {
        Ok(Single { map: *self, guard: Some(self.guard(index)?), moved: [None; SLOTS] })
    }
}

/// One bucket, locked until dropped.
#[derive(Debug)]
pub(crate) struct Single<'t> {
    map: Map<'t>,
    /// `Some` until dropped.
    guard: Option<Guard<'t>>,
    /// First buckets of those that were removed from here, their second: to be told when this one is free again,
    /// since no writer waits for a lower bucket while it holds a higher one.
    moved: [Option<usize>; SLOTS],
}

impl Single<'_> {
    /// Whatever is in the bucket.
    pub(crate) fn slots(&self) -> [Option<Slot>; SLOTS] {
        let slot =
            |slot| self.guard.as_ref().and_then(|guard| self.map.slot(guard.line(), guard.index(), slot));
        core::array::from_fn(slot)
    }

    pub(crate) fn remove(&mut self, slot: usize) {
        let (Some(guard), Some(moved)) = (&mut self.guard, self.moved.get_mut(slot)) else { return };
        let first = self.map.places(guard.key(slot)).0;
        *moved = (first != guard.index()).then_some(first);
        guard.clear(&self.map, slot);
    }

    pub(crate) fn set_stamp(&mut self, slot: usize, stamp: u16) {
        if let Some(guard) = &self.guard {
            guard.set_stamp(slot, stamp);
        }
    }
}

impl Drop for Single<'_> {
    fn drop(&mut self) {
        self.guard = None;
        self.moved.into_iter().flatten().for_each(|first| self.map.uncount_overflow(first));
    }
}
