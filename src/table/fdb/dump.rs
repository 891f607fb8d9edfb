//! All entries, one after the other, in as many steps as it takes.

use core::sync::atomic::Ordering::Acquire;

use super::{
    super::{bucket::SLOTS, clock::Now},
    Fdb,
    entry::Entry,
};
use crate::time::Instant;

/// Where a dump or a flush goes on; the default is the beginning.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cursor {
    pub(super) bucket: u32,
    slot: u8,
    /// Relocations before the first step, and whether any was seen since or a bucket could not be read.
    relocations: Option<u32>,
    skipped: bool,
}

impl Cursor {
    pub(super) const fn at(bucket: u32) -> Self {
        Self { bucket, slot: 0, relocations: None, skipped: false }
    }

    /// Whether an entry that was there all the time may have been missed or met twice: entries were moved between
    /// buckets, or one of those was never still, since the dump began.
    pub const fn may_have_skipped(&self) -> bool {
        self.skipped
    }
}

/// The entries of the forwarding database, in no order that means anything.
#[derive(Clone, Copy, Debug)]
pub struct Dump<'t> {
    fdb: Fdb<'t>,
    now: Now,
    cursor: Cursor,
}

impl<'t> Fdb<'t> {
    /// All entries that a lookup finds. Entries that come or go meanwhile may be among them.
    pub fn dump(&self, now: Instant) -> Dump<'t> {
        self.dump_from(now, Cursor::default())
    }

    /// The entries from where another dump was.
    pub fn dump_from(&self, now: Instant, cursor: Cursor) -> Dump<'t> {
        Dump { fdb: *self, now: self.clock.at(now, self.meta.fdb_ages()), cursor }
    }
}

impl Dump<'_> {
    /// Where it is: to go on later, and to see whether it met everything.
    pub fn cursor(&self) -> Cursor {
        let mut cursor = self.cursor;
        cursor.note(self.fdb.meta.relocations().load(Acquire));
        cursor
    }
}

impl Cursor {
    /// Compares the relocations with those at the beginning.
    fn note(&mut self, relocations: u32) {
        let before = *self.relocations.get_or_insert(relocations);
        self.skipped |= relocations != before;
    }
}

impl Iterator for Dump<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.cursor.note(self.fdb.meta.relocations().load(Acquire));
        while (self.cursor.bucket as usize) < self.fdb.map.len() {
            let slots = self.fdb.map.bucket(self.cursor.bucket as usize).unwrap_or_else(|_| {
                self.cursor.skipped = true;
                [None; SLOTS]
            });
            while let Some(slot) = slots.get(usize::from(self.cursor.slot)) {
                self.cursor.slot = self.cursor.slot.saturating_add(1);
                let live = slot.filter(|slot| !self.fdb.is_dead(self.now, slot));
                if let Some(entry) = live.and_then(|slot| self.fdb.entry(self.now, &slot)) {
                    return Some(entry);
                }
            }
            self.cursor.bucket = self.cursor.bucket.saturating_add(1);
            self.cursor.slot = 0;
        }
        None
    }
}
