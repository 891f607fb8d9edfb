//! Words that all tables share: clocks and counters.

use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::{
    clock::{Ages, Began},
    line::{AtomicU32, Line, fence, nowhere},
};

/// Lines of these words.
pub(crate) const LINES: usize = 3;

/// The first line is read by all and seldom written, the second is written by whoever learns, the third by whoever
/// finds a table full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta<'t> {
    read: &'t Line,
    written: &'t Line,
    full: &'t Line,
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
    /// [`Ages`] of the forwarding database.
    fdb_swept = read[0],
    fdb_limit = read[1],
    /// Complete sweeps.
    passes = read[2],
    /// Goes on by one when something is withdrawn, for [`Workers`](super::worker::Workers).
    epoch = read[3],
    /// Those of the neighbour table.
    neighbors_swept = read[4],
    neighbors_limit = read[5],
    /// MAC addresses of the gateways in the underlay.
    gateway_high = read[6],
    gateway_low = read[7],
    gateway6_high = read[8],
    gateway6_low = read[9],
    /// Multicast groups; looked at for every multicast packet.
    groups = read[10],
    /// Ticks for which an MTU holds that was learned.
    mtu_limit = read[11],
    /// Stamps of the time at which this sweep began, or the last one, by either clock; 0 before the first.
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
    /// Where the sweep goes on.
    sweep_cursor = written[9],
    /// Who sweeps, and whether the sweep could look at everything.
    sweep_state = written[10],
    /// How often nothing was found that gives way: who looks next looks elsewhere.
    evict_rotor = written[11],
    /// The tick at which this sweep began, or the last one, in the forwarding database's time.
    fdb_sweep_began = written[12],
    /// Remotes in use.
    remotes = written[13],
    /// The same in the neighbour table's time.
    neighbors_sweep_began = written[14],
    /// How many buckets, from the first on, may have entries that died and were not removed; where it is more than
    /// there are, all may.
    dead_buckets = written[15],
    /// Entries and neighbours that went without anybody being told.
    untold = full[0],
}

impl<'t> Meta<'t> {
    /// Without storage the words are those of a line that nobody looks at.
    pub(crate) fn new(lines: &'t [Line]) -> Self {
        match lines {
            [read, written, full, ..] => Self { read, written, full },
            _ => Self { read: nowhere(), written: nowhere(), full: nowhere() },
        }
    }

    /// Sets the words that are not zero in new tables.
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

/// Where the count of quota groups that have learned entries begins. The first entry of a group is counted in two
/// steps, and a flush between them counts it out before it was counted in: a count that stopped at none would keep that
/// one.
const NO_QUOTAS: u32 = 1 << 31;
