//! What one core has for itself: counters, the IPv4 identification, misses to tell.

use core::{net::IpAddr, ops::AddAssign};

use super::{Config, DropReason, rate::Bucket};
use crate::{
    table::{RemoteId, WorkerId},
    time::Instant,
    tunnel,
    wire::{MacAddr, Vni},
};

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
    /// Misses that were not told, because there were too many.
    pub events_lost: u64,
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
        events_lost: 0,
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
        self.events_lost = self.events_lost.wrapping_add(other.events_lost);
        for (to, from) in self.drops.iter_mut().zip(other.drops) {
            *to = to.wrapping_add(from);
        }
    }
}

/// Something that nobody knows, for a control plane to find out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Miss {
    /// Where is this MAC address? (Linux: `l2miss`.) Only where there is no default destination either.
    L2 {
        /// The overlay segment.
        vni: Vni,
        /// The address.
        mac: MacAddr,
    },
    /// Which MAC address has this IP address? (Linux: `l3miss`.)
    L3 {
        /// The overlay segment.
        vni: Vni,
        /// The address.
        address: IpAddr,
    },
    /// Which MAC address leads to this remote? A copy of a flooded frame was dropped for it; a frame to this remote
    /// alone is [`Output::Resolve`](super::Output::Resolve).
    NextHop {
        /// The remote.
        remote: RemoteId,
        /// Address of the next hop: the remote's, or that of the gateway.
        address: IpAddr,
        /// What packets to it leave by.
        egress: u32,
    },
}

/// State of one core; everything else of a [`Vtep`](super::Vtep) is shared.
#[derive(Clone, Debug, Default)]
pub struct Worker {
    pub(super) counters: Counters,
    identification: u16,
    reports: Bucket,
    misses: [Option<Miss>; MISSES],
    /// Where this worker counts what happens in each VNI.
    pub(super) slot: Option<u32>,
}

/// Misses that wait to be told; the same one waits once.
const MISSES: usize = 16;

impl Worker {
    /// A worker that has done nothing yet. `seed` spreads the first IPv4 identification.
    pub fn new(seed: u16) -> Self {
        Self { identification: seed, ..Self::default() }
    }

    /// Has the worker count by VNI, too, under this registration; the tables must have
    /// [`Capacity::vni_counters`](crate::table::Capacity::vni_counters). One registration is for one worker: of two that
    /// count under the same one, counts are lost.
    #[must_use]
    pub fn counting_as(mut self, id: &WorkerId) -> Self {
        self.slot = Some(id.0);
        self
    }

    /// What happened so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The next miss, if there is one.
    pub fn poll_event(&mut self) -> Option<Miss> {
        let first = self.misses.first().copied().flatten();
        self.misses.rotate_left(1);
        if let Some(last) = self.misses.last_mut() {
            *last = None;
        }
        first
    }

    pub(super) fn drop(&mut self, reason: DropReason) {
        self.counters.drop(reason);
    }

    /// Where that is wanted.
    pub(super) fn miss_l3(&mut self, config: &Config, miss: Miss) {
        if config.l3miss {
            self.miss(miss);
        }
    }

    pub(super) fn miss(&mut self, miss: Miss) {
        for slot in &mut self.misses {
            match slot {
                Some(waiting) if *waiting == miss => return,
                Some(_) => {}
                None => {
                    *slot = Some(miss);
                    return;
                }
            }
        }
        self.counters.events_lost = self.counters.events_lost.wrapping_add(1);
    }

    /// Whether an ICMP error may be sent now.
    pub(super) fn may_report(&mut self, now: Instant, per_second: u32) -> bool {
        self.reports.take(now, per_second)
    }

    pub(super) fn next_identification(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }
}
