//! What one core has for itself: counters, the IPv4 identification, misses to tell.

use core::ops::AddAssign;

use super::{
    Config, DropReason,
    miss::{Log, Miss},
    pace::Pace,
    rate::Bucket,
};
use crate::{table::WorkerId, time::Instant, tunnel};

/// Counters of one worker; add those of several up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counters {
    /// Packets sent into the underlay, one for each copy of a flooded frame.
    pub sent: u64,
    /// Bytes of frames that those carried.
    pub sent_bytes: u64,
    /// Frames that came out of tunnels.
    pub delivered: u64,
    /// Bytes of those.
    pub delivered_bytes: u64,
    /// Answers given in place of others.
    pub replies: u64,
    /// Lookups that found their place busy, and were treated as unknown.
    pub busy: u64,
    /// Misses that were not told, because there was no room for them.
    pub misses_lost: u64,
    /// Frames from which nothing was learned because of [`Config::learn_rate`] or [`Config::move_rate`].
    pub unlearned: u64,
    drops: [u64; DROPS],
}

const DROPS: usize = DropReason::OWN.len() + tunnel::DropReason::ALL.len();

impl Counters {
    /// Nothing counted.
    pub const ZERO: Self = Self {
        sent: 0,
        sent_bytes: 0,
        delivered: 0,
        delivered_bytes: 0,
        replies: 0,
        busy: 0,
        misses_lost: 0,
        unlearned: 0,
        drops: [0; DROPS],
    };

    /// How often something was dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.get(reason.index()).copied().unwrap_or(0)
    }

    /// Every reason that occurred, with its count.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        let own = DropReason::OWN.iter().copied();
        let decap = tunnel::DropReason::ALL.iter().copied().map(DropReason::Decap);
        own.chain(decap).zip(self.drops).filter(|&(_, count)| count > 0)
    }

    pub(super) fn drop(&mut self, reason: DropReason) {
        if let Some(count) = self.drops.get_mut(reason.index()) {
            *count = count.wrapping_add(1);
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::ZERO
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.sent = self.sent.wrapping_add(other.sent);
        self.sent_bytes = self.sent_bytes.wrapping_add(other.sent_bytes);
        self.delivered = self.delivered.wrapping_add(other.delivered);
        self.delivered_bytes = self.delivered_bytes.wrapping_add(other.delivered_bytes);
        self.replies = self.replies.wrapping_add(other.replies);
        self.busy = self.busy.wrapping_add(other.busy);
        self.misses_lost = self.misses_lost.wrapping_add(other.misses_lost);
        self.unlearned = self.unlearned.wrapping_add(other.unlearned);
        for (to, from) in self.drops.iter_mut().zip(other.drops) {
            *to = to.wrapping_add(from);
        }
    }
}

/// State of one core; everything else of a [`Vtep`](super::Vtep) is shared. `'a` is how long memory for misses was
/// lent, and `'static` where none was.
#[derive(Debug, Default)]
pub struct Worker<'a> {
    pub(super) counters: Counters,
    identification: u16,
    reports: Bucket,
    /// How fast is learned.
    pub(super) pace: Pace,
    misses: Log<'a>,
    /// Where this worker counts what happens in each VNI.
    pub(super) slot: Option<u32>,
}

impl<'a> Worker<'a> {
    /// A worker that has done nothing yet, and tells nothing of misses: those are only counted. `seed` spreads the
    /// first IPv4 identification.
    pub fn new(seed: u16) -> Self {
        Self { identification: seed, ..Self::default() }
    }

    /// With this memory for misses that wait for [`poll_miss`](Self::poll_miss); what is in it is lost. A miss that
    /// waits already does not wait twice, for which it is compared with all that wait: some tens are enough.
    ///
    /// ```
    /// use encap::vtep::Worker;
    ///
    /// let mut misses = [None; 16];
    /// let mut worker = Worker::new(1).with_misses(&mut misses);
    /// assert_eq!(worker.poll_miss(), None);
    /// ```
    #[must_use]
    pub fn with_misses(mut self, memory: &'a mut [Option<Miss>]) -> Self {
        self.misses = Log::on(memory);
        self
    }

    /// The same, with memory of its own for so many misses.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_miss_capacity(mut self, misses: usize) -> Self {
        self.misses = Log::with_capacity(misses);
        self
    }

    /// Has the worker count by VNI, too, under this registration; the tables must have
    /// [`Capacity::vni_counters`](crate::table::Capacity::vni_counters). One registration is for one worker: of two
    /// that count under the same one, counts are lost. A registered worker must call
    /// [`Vtep::quiesce`](super::Vtep::quiesce) once per burst: otherwise nothing that is removed ever makes room.
    #[must_use]
    pub fn counting_as(mut self, id: &WorkerId) -> Self {
        self.slot = Some(id.0);
        self
    }

    /// What happened so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The next miss, if one waits: the one that waits longest.
    pub fn poll_miss(&mut self) -> Option<Miss> {
        self.misses.poll()
    }

    pub(super) fn drop(&mut self, reason: DropReason) {
        self.counters.drop(reason);
    }

    pub(super) fn count_unlearned(&mut self, unlearned: bool) {
        self.counters.unlearned = self.counters.unlearned.wrapping_add(unlearned.into());
    }

    /// Where that is wanted.
    pub(super) fn miss_l3(&mut self, config: &Config, miss: Miss) {
        if config.l3miss {
            self.miss(miss);
        }
    }

    // Far from the way that frames take whose destination is known.
    #[cold]
    pub(super) fn miss(&mut self, miss: Miss) {
        if !self.misses.note(miss) {
            self.counters.misses_lost = self.counters.misses_lost.wrapping_add(1);
        }
    }

    /// Whether an ICMP error may be sent now.
    pub(super) fn may_report(&mut self, now: Instant, per_second: u32) -> bool {
        self.reports.take(now, per_second, REPORTS)
    }

    pub(super) fn next_identification(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }
}

/// ICMP errors at once, as many as Linux allows by default.
const REPORTS: u32 = 50;
