//! Words that all tables share: clocks and counters.

use core::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};

use super::{
    clock::Ages,
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
    /// Entries of the forwarding database.
    entries = written[0],
    /// Those of them that were learned.
    learned = written[1],
    /// Quota groups that have learned entries.
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
    /// VNIs.
    vnis = written[11],
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

    /// The ageing of the forwarding database.
    #[inline]
    pub(crate) fn fdb_ages(self) -> Ages<'t> {
        Ages { swept: self.fdb_swept(), limit: self.fdb_limit() }
    }

    /// The ageing of the neighbour table.
    #[inline]
    pub(crate) fn neighbor_ages(self) -> Ages<'t> {
        Ages { swept: self.neighbors_swept(), limit: self.neighbors_limit() }
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

/// Counts one fewer, never below none.
pub(crate) fn uncount(counter: &AtomicU32) -> u32 {
    counter.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1)).unwrap_or(0)
}
