//! What one worker counts.

use core::ops::AddAssign;

use super::DropReason;
use crate::{
    table::Refusal,
    tunnel::{Counts, Reason},
};

/// Counters of one worker; add those of several up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Counters {
    /// Packets sent into the underlay, one for each copy of a flooded frame.
    pub sent: u64,
    /// Bytes of frames that those carried.
    pub sent_bytes: u64,
    /// Frames and packets for this side: out of tunnels, and those that need none because their remote is us.
    pub delivered: u64,
    /// Bytes of those as they were in the segment: with the Ethernet header of what is handed over as an IP packet
    /// ([`Output::DeliverIp`](super::Output::DeliverIp)), and without a trunk's tag. Of
    /// [`ip_udp`](super::ip_udp), bytes of IP packets.
    pub delivered_bytes: u64,
    /// Delivered packets whose congestion marks, outside and inside, do not come about together in tunnels that work
    /// (RFC 6040, section 4.2).
    pub ecn_suspicious: u64,
    /// Answers given in place of others.
    pub replies: u64,
    /// Lookups that found their place busy, and were treated as unknown.
    pub busy: u64,
    /// Misses that were not told, because there was no room for them.
    pub misses_lost: u64,
    /// Events that were not told, because there was no room for them; none of a worker without memory for events.
    pub events_lost: u64,
    /// Addresses and neighbours that were not learned, or not moved, because of
    /// [`Config::learn_rate`](super::Config::learn_rate) or [`Config::move_rate`](super::Config::move_rate): a frame
    /// can say one of each.
    pub unlearned: u64,
    /// Neighbours that were not learned, because there was no room for them.
    pub neighbors_lost: u64,
    refusals: Counts<Refusal, { Refusal::ALL.len() }>,
    drops: Counts<DropReason, { DropReason::ALL.len() }>,
}

impl Counters {
    /// Nothing counted.
    pub const ZERO: Self = Self {
        sent: 0,
        sent_bytes: 0,
        delivered: 0,
        delivered_bytes: 0,
        ecn_suspicious: 0,
        replies: 0,
        busy: 0,
        misses_lost: 0,
        events_lost: 0,
        unlearned: 0,
        neighbors_lost: 0,
        refusals: Counts::NONE,
        drops: Counts::NONE,
    };

    /// How often something was dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.of(reason)
    }

    /// Every reason that occurred, with its count.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        self.drops.iter()
    }

    /// How often the source of a frame was not learned for this reason, whether the frame was delivered or then dropped
    /// ([`DropReason::SourceElsewhere`]): [`UnconfiguredRemote`](Refusal::UnconfiguredRemote) also where nobody said
    /// who sent it. What was not to be learned from, by Group Based Policy, does not count.
    pub fn refused(&self, reason: Refusal) -> u64 {
        self.refusals.of(reason)
    }

    /// Every reason not to learn that occurred, with its count.
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        self.refusals.iter()
    }

    pub(super) fn sent(&mut self, packets: u64, bytes: u64) {
        self.sent = self.sent.wrapping_add(packets);
        self.sent_bytes = self.sent_bytes.wrapping_add(bytes);
    }

    pub(super) fn delivered(&mut self, bytes: u64) {
        self.delivered = self.delivered.wrapping_add(1);
        self.delivered_bytes = self.delivered_bytes.wrapping_add(bytes);
    }

    pub(super) fn count_ecn(&mut self, suspicious: bool) {
        self.ecn_suspicious = self.ecn_suspicious.wrapping_add(suspicious.into());
    }

    pub(super) fn replied(&mut self) {
        self.replies = self.replies.wrapping_add(1);
    }

    pub(super) fn drop(&mut self, reason: DropReason) {
        self.drops.add(reason, 1);
    }

    pub(super) fn refuse(&mut self, reason: Refusal) {
        self.refusals.add(reason, 1);
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
        self.ecn_suspicious = self.ecn_suspicious.wrapping_add(other.ecn_suspicious);
        self.replies = self.replies.wrapping_add(other.replies);
        self.busy = self.busy.wrapping_add(other.busy);
        self.misses_lost = self.misses_lost.wrapping_add(other.misses_lost);
        self.events_lost = self.events_lost.wrapping_add(other.events_lost);
        self.unlearned = self.unlearned.wrapping_add(other.unlearned);
        self.neighbors_lost = self.neighbors_lost.wrapping_add(other.neighbors_lost);
        self.refusals += other.refusals;
        self.drops += other.drops;
    }
}

impl Reason for DropReason {
    const ALL: &'static [Self] = Self::ALL;

    fn index(self) -> usize {
        self.index()
    }
}

impl Reason for Refusal {
    const ALL: &'static [Self] = Self::ALL;

    fn index(self) -> usize {
        self as usize
    }
}
