//! What one core has for itself: counters, the IPv4 identification, misses and events to tell.

use core::net::IpAddr;

use super::{Config, Counters, Event, Miss, log::Log, pace::Pace, rate::Bucket};
use crate::{
    table::{Learned, NeighborLearned, NeighborRefusal, RemoteId, WorkerId},
    time::Instant,
    wire::{MacAddr, Vni},
};

/// State of one core; everything else of a [`Vtep`](super::Vtep) is shared. `'a` is how long memory for misses and
/// events was lent, and `'static` where none was.
#[derive(Debug, Default)]
pub struct Worker<'a> {
    pub(super) counters: Counters,
    identification: u16,
    reports: Bucket,
    /// How fast is learned.
    pub(super) pace: Pace,
    misses: Log<'a, Miss>,
    events: Log<'a, Event>,
    /// Where this worker counts what happens in each VNI.
    pub(super) slot: Option<u32>,
}

impl<'a> Worker<'a> {
    /// A worker that has done nothing yet, and tells nothing of misses and events: misses are only counted. `seed`
    /// spreads the first IPv4 identification.
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
    ///
    /// # Panics
    ///
    /// As `Vec` does: where so many would take more than `isize::MAX` bytes, or there is no memory for them.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_miss_capacity(mut self, misses: usize) -> Self {
        self.misses = Log::with_capacity(misses);
        self
    }

    /// With this memory for events that wait for [`poll_event`](Self::poll_event); what is in it is lost. There may be
    /// one for each packet of a burst, and two where the tables are full; room for what comes between two polls is
    /// enough.
    ///
    /// ```
    /// use encap::vtep::Worker;
    ///
    /// let mut events = [None; 64];
    /// let mut worker = Worker::new(1).with_events(&mut events);
    /// assert_eq!(worker.poll_event(), None);
    /// ```
    #[must_use]
    pub fn with_events(mut self, memory: &'a mut [Option<Event>]) -> Self {
        self.events = Log::on(memory);
        self
    }

    /// The same, with memory of its own for so many events.
    ///
    /// # Panics
    ///
    /// As for [`with_miss_capacity`](Self::with_miss_capacity).
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn with_event_capacity(mut self, events: usize) -> Self {
        self.events = Log::with_capacity(events);
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

    /// The next event, if one waits: the one that waits longest. A registered worker polls all before its next
    /// quiescent point, after which the remotes that they name may be others' ([`RemoteId`]).
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.poll()
    }

    pub(super) fn count_unlearned(&mut self, unlearned: bool) {
        self.counters.unlearned = self.counters.unlearned.wrapping_add(unlearned.into());
    }

    /// Notes what came of a frame's source.
    pub(super) fn note_learned(&mut self, vni: Vni, mac: MacAddr, remote: RemoteId, learned: Learned) {
        match learned {
            Learned::New { evicted } => {
                if let Some(evicted) = evicted {
                    self.tell(Event::Evicted(evicted));
                }
                self.tell(Event::Learned { vni, mac, remote });
            }
            Learned::Moved { from } => self.tell(Event::Moved { vni, mac, from, to: remote }),
            Learned::Evicted(evicted) => self.tell(Event::Evicted(evicted)),
            Learned::Refused(reason) => self.counters.refuse(reason),
            Learned::Refreshed | Learned::Busy => {}
        }
    }

    /// Notes what came of what was said of a neighbour.
    pub(super) fn note_heard(
        &mut self,
        vni: Vni,
        (address, mac): (IpAddr, Option<MacAddr>),
        heard: NeighborLearned,
    ) {
        match (heard, mac) {
            (NeighborLearned::New, Some(mac)) => self.tell(Event::NeighborLearned { vni, address, mac }),
            (NeighborLearned::Moved { from }, Some(to)) => {
                self.tell(Event::NeighborMoved { vni, address, from, to });
            }
            (NeighborLearned::Refused(NeighborRefusal::TableFull), _) => {
                self.counters.neighbors_lost = self.counters.neighbors_lost.wrapping_add(1);
            }
            _ => {}
        }
    }

    // Of a host that is new here, or new there: far from the way of the others.
    #[cold]
    fn tell(&mut self, event: Event) {
        if self.events.has_memory() && !self.events.push(event) {
            self.counters.events_lost = self.counters.events_lost.wrapping_add(1);
        }
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
        if !(self.misses.contains(miss) || self.misses.push(miss)) {
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
