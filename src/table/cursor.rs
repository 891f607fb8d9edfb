//! A walk over all entries of a map, in as many steps as it takes.

use super::bucket::{Map, SLOTS, Slot};

/// Where a dump or a flush goes on; the default is the beginning.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cursor {
    pub(super) bucket: u32,
    slot: u8,
    /// Relocations before the first step.
    relocations: Option<u32>,
    /// Whether there were any since, or a bucket could not be read.
    pub(super) skipped: bool,
}

impl Cursor {
    /// Where a flush that came from here goes on.
    pub(super) const fn at(self, bucket: usize) -> Self {
        Self { bucket: bucket as u32, slot: 0, ..self }
    }

    /// Whether an entry that was there all the time may have been missed or met twice: entries were moved between
    /// buckets, or one of those was never still, since the dump or the flush began.
    pub const fn may_have_skipped(&self) -> bool {
        self.skipped
    }

    /// Compares the relocations so far with those at the beginning.
    pub(super) fn note(&mut self, relocations: u32) {
        let before = *self.relocations.get_or_insert(relocations);
        self.skipped |= relocations != before;
    }

    /// The next slot that is in use.
    pub(super) fn next(&mut self, map: &Map<'_>) -> Option<Slot> {
        while (self.bucket as usize) < map.len() {
            let slots = map.bucket(self.bucket as usize).unwrap_or_else(|_| {
                self.skipped = true;
                [None; SLOTS]
            });
            while let Some(slot) = slots.get(usize::from(self.slot)) {
                self.slot = self.slot.saturating_add(1);
                if slot.is_some() {
                    return *slot;
                }
            }
            self.bucket = self.bucket.saturating_add(1);
            self.slot = 0;
        }
        None
    }
}
