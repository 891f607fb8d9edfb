//! What one worker counts.

use core::{fmt, ops::AddAssign};

use super::{DropReason, drop_reason::COUNT};

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
    /// Bytes of those.
    pub delivered_bytes: u64,
    /// Answers given in place of others.
    pub replies: u64,
    /// Lookups that found their place busy, and were treated as unknown.
    pub busy: u64,
    /// Misses that were not told, because there was no room for them.
    pub misses_lost: u64,
    /// Frames from which nothing was learned because of [`Config::learn_rate`](super::Config::learn_rate) or
    /// [`Config::move_rate`](super::Config::move_rate).
    pub unlearned: u64,
    drops: Drops,
}

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
        drops: Drops::NONE,
    };

    /// How often something was dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.0.get(reason.index()).copied().unwrap_or(0)
    }

    /// Every reason that occurred, with its count.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        self.drops.iter()
    }

    pub(super) fn drop(&mut self, reason: DropReason) {
        self.drops.add(reason, 1);
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
        for (to, from) in self.drops.0.iter_mut().zip(other.drops.0) {
            *to = to.wrapping_add(from);
        }
    }
}

/// A counter for each [`DropReason`].
#[derive(Clone, Copy, Eq, PartialEq)]
struct Drops([u64; COUNT]);

impl Drops {
    const NONE: Self = Self([0; COUNT]);

    fn add(&mut self, reason: DropReason, count: u64) {
        if let Some(counter) = self.0.get_mut(reason.index()) {
            *counter = counter.wrapping_add(count);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.iter().copied().zip(self.0).filter(|&(_, count)| count > 0)
    }
}

impl fmt::Debug for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Pairs of the reasons that occurred and their counts. Not a map: its keys would have to be texts in most formats, and
/// some reasons of decapsulation have the same names as those of the VTEP.
#[cfg(feature = "serde")]
impl serde::Serialize for Drops {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Drops {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Drops;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pairs of reasons and counts")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut pairs: A) -> Result<Drops, A::Error> {
                let mut drops = Drops::NONE;
                while let Some((reason, count)) = pairs.next_element()? {
                    drops.add(reason, count);
                }
                Ok(drops)
            }
        }

        deserializer.deserialize_seq(Visitor)
    }
}
