//! All neighbours, one after the other; flushing those that somebody names; and the sweep.

use super::{
    super::{bucket::Busy, clock::Now, cursor::Cursor, store::Stored},
    Neighbor, Neighbors, RECORD_WORDS, Record, has_expired,
};
use crate::time::Instant;

/// Where a dump or a flush of neighbours goes on; the default is the beginning.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NeighborCursor(Cursor);

impl NeighborCursor {
    /// Whether a neighbour that was there all the time may have been missed or met twice: some were moved in
    /// storage, or kept changing, since the dump or the flush began.
    pub const fn may_have_skipped(&self) -> bool {
        self.0.skipped
    }
}

/// Neighbours, in no order that means anything.
#[derive(Clone, Copy, Debug)]
pub struct NeighborDump<'t> {
    neighbors: Neighbors<'t>,
    now: Now,
    cursor: Cursor,
}

/// How far a flush came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct NeighborsFlushed {
    /// Neighbours that went, without those that had expired.
    pub neighbors: usize,
    /// Where to go on; `None` when all has been seen.
    pub next: Option<NeighborCursor>,
    /// Whether a neighbour that was there all the time may have been missed, since some were moved in storage after
    /// the flush began: then all that are to go are gone only after another one.
    pub may_have_skipped: bool,
}

impl<'t> Neighbors<'t> {
    /// All neighbours that a lookup finds. Those that come or go meanwhile may be among them.
    pub fn dump(&self, now: Instant) -> NeighborDump<'t> {
        self.dump_from(now, NeighborCursor::default())
    }

    /// The neighbours from where another dump was.
    pub fn dump_from(&self, now: Instant, cursor: NeighborCursor) -> NeighborDump<'t> {
        NeighborDump { neighbors: *self, now: self.now(now), cursor: cursor.0 }
    }

    /// Removes the neighbours for which `goes` holds from at most `budget` buckets of four: those of a VNI, say,
    /// or those that were learned. What has expired goes like that, too: its age says so. A bucket that somebody else
    /// keeps locked ends the step early. What it is told it must not change: the bucket is locked.
    pub fn flush(
        &self,
        now: Instant,
        from: NeighborCursor,
        budget: usize,
        mut goes: impl FnMut(&Neighbor) -> bool,
    ) -> NeighborsFlushed {
        let now = self.now(now);
        let mut flushed = NeighborsFlushed { neighbors: 0, next: None, may_have_skipped: false };
        let mut cursor = from.0;
        self.store.note(&mut cursor);
        let mut bucket = from.0.bucket as usize;
        let end = bucket.saturating_add(budget).min(self.buckets());
        while bucket < end {
            let goes = |stored: &Stored<RECORD_WORDS>| {
                let record = Record::from_words(stored.words);
                let Some(vni) = self.vni_of(&record) else { return false };
                let gone = goes(&self.show(now, vni, record, stored.stamp));
                let counts = gone && !has_expired(now, &record, stored.stamp);
                flushed.neighbors = flushed.neighbors.saturating_add(counts.into());
                gone
            };
            if self.store.sweep_bucket(bucket, goes, |_| None).is_err() {
                break;
            }
            bucket = bucket.saturating_add(1);
        }
        self.store.note(&mut cursor);
        flushed.may_have_skipped = cursor.skipped;
        flushed.next = (bucket < self.buckets()).then_some(NeighborCursor(cursor.at(bucket)));
        flushed
    }

    /// How many buckets a sweep looks at.
    pub(crate) fn buckets(&self) -> usize {
        self.store.map.len()
    }

    /// Removes from a bucket what has expired, and tells each, and what is of VNIs that were removed; answers how
    /// many went.
    pub(crate) fn sweep_bucket(
        &self,
        now: Now,
        bucket: usize,
        each: &mut dyn FnMut(Neighbor),
    ) -> Result<usize, Busy> {
        // Looked at first without a lock: most buckets have no dead.
        let is_old = |stored: &Stored<RECORD_WORDS>| now.held_back(stored.stamp).is_some();
        if !self.store.any_in_bucket(bucket, |stored| is_old(stored) || self.is_dead(now, stored))? {
            return Ok(0);
        }
        let goes = |stored: &Stored<RECORD_WORDS>| {
            let record = Record::from_words(stored.words);
            let Some(vni) = self.vni_of(&record) else { return true };
            let expired = has_expired(now, &record, stored.stamp);
            if expired {
                each(self.show(now, vni, record, stored.stamp));
            }
            expired
        };
        self.store.sweep_bucket(bucket, goes, |stamp| now.held_back(stamp))
    }
}

impl NeighborDump<'_> {
    /// Where it is: to go on later, and to see whether it met everything.
    pub fn cursor(&self) -> NeighborCursor {
        let mut cursor = self.cursor;
        self.neighbors.store.note(&mut cursor);
        NeighborCursor(cursor)
    }
}

impl Iterator for NeighborDump<'_> {
    type Item = Neighbor;

    fn next(&mut self) -> Option<Neighbor> {
        loop {
            let stored = self.neighbors.store.next(&mut self.cursor)?;
            let vni = self.neighbors.vni_of(&Record::from_words(stored.words));
            if let Some(neighbor) = vni.and_then(|vni| self.neighbors.live(self.now, vni, stored)) {
                return Some(neighbor);
            }
        }
    }
}
