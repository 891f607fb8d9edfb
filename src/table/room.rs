//! Counters that say how much room is left.

use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::line::AtomicU32;

/// Room that two kinds of things share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'t> {
    /// How many there are of this kind,
    pub(crate) counter: &'t AtomicU32,
    /// how many there may be,
    pub(crate) most: u32,
    /// how many there are of the other,
    pub(crate) others: &'t AtomicU32,
    /// and how many there may be of both together.
    pub(crate) limit: u32,
}

impl Room<'_> {
    /// Counts so many more if there is room for all of them. Of two that count at the same time, one of either kind,
    /// whoever is later sees the other: there are never more, though both may be refused the last room.
    #[inline]
    pub(crate) fn count(self, more: u32) -> bool {
        self.count_and_leave(more, 0)
    }

    /// Counts so many more at once, of which some may not come and are given back then. Only where [`SPARE`] room is
    /// left: so nobody is refused room for what does not come. Answers how many were counted: all or none.
    pub(crate) fn count_ahead(self, more: u32) -> u32 {
        if self.count_and_leave(more, SPARE) { more } else { 0 }
    }

    /// Gives back what was counted ahead and did not come.
    pub(crate) fn give_back(self, fewer: u32) {
        if fewer > 0 {
            self.counter.fetch_sub(fewer, Relaxed);
        }
    }

    #[inline(always)]
    fn count_and_leave(self, more: u32, spare: u32) -> bool {
        let most = self.most.min(self.limit).saturating_sub(spare);
        let count = |count: u32| count.checked_add(more).filter(|&count| count <= most);
        let Ok(before) = self.counter.fetch_update(SeqCst, Relaxed, count) else { return false };
        let room = self.limit.saturating_sub(self.others.load(SeqCst)).saturating_sub(spare);
        if before.saturating_add(more) <= room {
            return true;
        }
        self.give_back(more);
        false
    }
}

/// Room that is left by who counts ahead: for 32 that do so at the same time, 32 each.
const SPARE: u32 = 1024;

/// Counts one more unless there are `limit`.
pub(crate) fn count_below(counter: &AtomicU32, limit: u32) -> bool {
    counter.fetch_update(Relaxed, Relaxed, |count| (count < limit).then(|| count.wrapping_add(1))).is_ok()
}

/// Counts one fewer, never below none; answers how many there were.
pub(crate) fn uncount(counter: &AtomicU32) -> u32 {
    counter.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1)).unwrap_or(0)
}
