//! One entry that stays where it is, with nothing locked but its bucket.

use super::{Busy, Cold, Key, Map, SLOTS, Slot, key_of, lock::Guard};

impl<'t> Map<'t> {
    /// The entry of `key`, live or not, held. Whoever moves or removes it has its bucket locked too, so that is enough
    /// to point it elsewhere; and whoever reads the other bucket has its line undisturbed.
    pub(crate) fn hold(&self, key: Key) -> Result<Option<(Held<'t>, Slot)>, Busy> {
        let (first, second) = self.places(key);
        for index in [first, second] {
            let line = self.buckets.get(index).ok_or(Busy)?;
            // Looked at first without a lock: most are in their first bucket, and no other line is to be written.
            if (0..SLOTS).any(|slot| key_of(line, slot) == key) {
                let guard = self.guard(index)?;
                if let Some((at, slot)) = guard.find(self, key) {
                    return Ok(Some((Held { map: *self, guard, at }, slot)));
                }
            }
        }
        // Nowhere, or on its way from one to the other.
        let found = self.lock_where(key)?;
        Ok(found.map(|(guard, at, slot)| (Held { map: *self, guard, at }, slot)))
    }
}

/// An entry, its bucket locked until dropped.
#[derive(Debug)]
pub(crate) struct Held<'t> {
    map: Map<'t>,
    guard: Guard<'t>,
    at: usize,
}

impl Held<'_> {
    /// Points it elsewhere: one store, no reader notices anything else.
    pub(crate) fn set_value(&mut self, value: u32) {
        self.guard.set_value(self.at, value);
    }

    pub(crate) fn set_stamp(&mut self, stamp: u16) {
        self.guard.set_stamp(self.at, stamp);
    }

    /// Changes the cold words.
    pub(crate) fn set_cold(&mut self, cold: Cold) {
        self.guard.set_cold(&self.map, self.at, cold);
    }
}
