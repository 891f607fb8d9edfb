//! Words that all tables share: clocks and counters.

use core::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};

use super::{
    clock::{Ages, Began},
    line::{AtomicU32, Line, fence, nowhere},
};

/// Lines of these words.
pub(crate) const LINES: usize = 2;

/// The first line is read by all and seldom written, the second is written by whoever learns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta<'t> {
    read: &'t Line,
    written: &'t Line,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $line:ident[$index:literal],)*) => {
        impl<'t> Meta<'t> {
            $($(#[$doc])*
            #[inline]
            pub(crate) fn $name(self) -> &'t AtomicU32 {
                self.$line.word($index)
            })*
        }
    };
}

words! {
    fdb_swept = read[0],
    fdb_limit = read[1],
    neighbors_swept = read[4],
    neighbors_limit = read[5],
    /// Complete sweeps.
    passes = read[2],
    /// Counts what was freed, for [`Workers`](super::worker::Workers).
    epoch = read[3],
    /// MAC addresses of the gateways in the underlay.
    gateway_high = read[6],
    gateway_low = read[7],
    gateway6_high = read[8],
    gateway6_low = read[9],
    /// Ticks for which an MTU holds that was learned.
    mtu_limit = read[11],
    /// Stamps of the time at which this sweep began, or the last one; 0 before the first.
    fdb_sweep_stamp = read[12],
    neighbors_sweep_stamp = read[13],
    /// VNIs.
    vnis = read[14],
    /// Entries of the forwarding database that were not learned.
    configured = written[0],
    /// Those that were.
    learned = written[1],
    /// [`NO_QUOTAS`], and one for each quota group that has learned entries.
    active_quotas = written[2],
    /// Entries moved between buckets.
    relocations = written[3],
    /// Remotes that were not configured.
    unconfigured = written[4],
    /// Where the search for a free remote starts.
    remote_rotor = written[5],
    /// Where the search for a free line of members starts.
    list_rotor = written[6],
    /// Neighbours.
    neighbors = written[7],
    /// Routes.
    routes = written[8],
    /// Multicast groups; looked at for every multicast packet.
    groups = read[10],
    /// Where the sweep goes on.
    sweep_cursor = written[9],
    /// Who sweeps, and whether the sweep could look at everything.
    sweep_state = written[10],
    /// Where somebody who adds looks for what has to give way, after others found nothing elsewhere.
    evict_rotor = written[11],
    /// Ticks at which this sweep began.
    fdb_sweep_began = written[12],
    neighbors_sweep_began = written[14],
    /// Remotes in use.
    remotes = written[13],
    /// Buckets, from the first on, in which entries may have died without being removed; more than there are for
    /// all.
    dead_buckets = written[15],
}

impl<'t> Meta<'t> {
    /// Without storage all counters are one that nobody looks at.
    pub(crate) fn new(lines: &'t [Line]) -> Self {
        match lines {
            [read, written, ..] => Self { read, written },
            _ => Self { read: nowhere(), written: nowhere() },
        }
    }

    /// What new tables say.
    pub(crate) fn found(self) {
        self.active_quotas().store(NO_QUOTAS, Relaxed);
    }

    /// Quota groups that have learned entries.
    pub(crate) fn active(self) -> u32 {
        self.active_quotas().load(Relaxed).saturating_sub(NO_QUOTAS)
    }

    /// The ageing of the forwarding database.
    #[inline]
    pub(crate) fn fdb_ages(self) -> Ages<'t> {
        Ages { swept: self.fdb_swept(), limit: self.fdb_limit() }
    }

    /// When its sweep began.
    pub(crate) fn fdb_began(self) -> Began<'t> {
        Began { tick: self.fdb_sweep_began(), stamp: self.fdb_sweep_stamp() }
    }

    /// The ageing of the neighbour table.
    #[inline]
    pub(crate) fn neighbor_ages(self) -> Ages<'t> {
        Ages { swept: self.neighbors_swept(), limit: self.neighbors_limit() }
    }

    /// When its sweep began.
    pub(crate) fn neighbors_began(self) -> Began<'t> {
        Began { tick: self.neighbors_sweep_began(), stamp: self.neighbors_sweep_stamp() }
    }

    /// Notes that entries may have died without being removed: who finds the table full then looks for them.
    pub(crate) fn note_deaths(self) {
        self.dead_buckets().store(u32::MAX, Relaxed);
    }

    /// Ends the epoch in which what was just withdrawn could still be found; answers the next one.
    pub(crate) fn next_epoch(self) -> u32 {
        fence(SeqCst);
        self.epoch().fetch_add(1, SeqCst).wrapping_add(1)
    }
}

/// Counts one more unless there are `limit`.
pub(crate) fn count_below(counter: &AtomicU32, limit: u32) -> bool {
    counter.fetch_update(Relaxed, Relaxed, |count| (count < limit).then(|| count.wrapping_add(1))).is_ok()
}

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

    /// Counts so many more at once if they are but a small part of the room; answers how many were: all or none. Those
    /// that do not come are given back, and nobody is refused room for them meanwhile.
    pub(crate) fn count_ahead(self, more: u32) -> u32 {
        if self.count_and_leave(more, SPARE) { more } else { 0 }
    }

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

/// Where the count of quota groups that have learned entries begins. The first entry of a group is counted in two
/// steps, and a flush between them counts it out before it was counted in: a count that stopped at none would keep that
/// one.
const NO_QUOTAS: u32 = 1 << 31;

/// Counts one fewer, never below none.
pub(crate) fn uncount(counter: &AtomicU32) -> u32 {
    counter.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1)).unwrap_or(0)
}
