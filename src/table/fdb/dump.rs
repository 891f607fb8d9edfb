//! All entries, one after the other, in as many steps as it takes.

use core::sync::atomic::Ordering::Acquire;

use super::{
    super::{clock::Now, cursor::Cursor},
    Fdb,
    entry::Entry,
};
use crate::time::Instant;

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

impl Iterator for Dump<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.cursor.note(self.fdb.meta.relocations().load(Acquire));
        let slots = core::iter::from_fn(|| self.cursor.next(&self.fdb.map));
        slots
            .filter(|slot| !self.fdb.is_dead(self.now, slot))
            .find_map(|slot| self.fdb.entry(self.now, &slot))
    }
}
