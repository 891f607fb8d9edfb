//! What one worker counts.

use core::{fmt, marker::PhantomData, ops::AddAssign};

use super::DropReason;
use crate::table::Refusal;

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
    /// Answers given in place of others.
    pub replies: u64,
    /// Lookups that found their place busy, and were treated as unknown.
    pub busy: u64,
    /// Misses that were not told, because there was no room for them.
    pub misses_lost: u64,
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
        replies: 0,
        busy: 0,
        misses_lost: 0,
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
        self.replies = self.replies.wrapping_add(other.replies);
        self.busy = self.busy.wrapping_add(other.busy);
        self.misses_lost = self.misses_lost.wrapping_add(other.misses_lost);
        self.unlearned = self.unlearned.wrapping_add(other.unlearned);
        self.neighbors_lost = self.neighbors_lost.wrapping_add(other.neighbors_lost);
        self.refusals += other.refusals;
        self.drops += other.drops;
    }
}

/// What is counted one by one.
trait Reason: Copy + fmt::Debug + 'static {
    const ALL: &'static [Self];

    /// Its place in the list.
    fn index(self) -> usize;
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

/// A counter for each of `N` reasons.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Counts<R, const N: usize>([u64; N], PhantomData<R>);

impl<R: Reason, const N: usize> Counts<R, N> {
    const NONE: Self = Self([0; N], PhantomData);

    fn of(&self, reason: R) -> u64 {
        self.0.get(reason.index()).copied().unwrap_or(0)
    }

    fn add(&mut self, reason: R, count: u64) {
        if let Some(counter) = self.0.get_mut(reason.index()) {
            *counter = counter.wrapping_add(count);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (R, u64)> + '_ {
        R::ALL.iter().copied().zip(self.0).filter(|&(_, count)| count > 0)
    }
}

impl<R: Reason, const N: usize> Default for Counts<R, N> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<R: Reason, const N: usize> AddAssign for Counts<R, N> {
    fn add_assign(&mut self, other: Self) {
        other.iter().for_each(|(reason, count)| self.add(reason, count));
    }
}

impl<R: Reason, const N: usize> fmt::Debug for Counts<R, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Pairs of the reasons that occurred and their counts. Not a map: its keys would have to be texts in most formats, and
/// some reasons of decapsulation have the same names as those of the VTEP.
#[cfg(feature = "serde")]
impl<R: Reason + serde::Serialize, const N: usize> serde::Serialize for Counts<R, N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;

        let mut pairs = serializer.serialize_seq(Some(self.iter().count()))?;
        for pair in self.iter() {
            pairs.serialize_element(&pair)?;
        }
        pairs.end()
    }
}

#[cfg(feature = "serde")]
impl<'de, R: Reason + serde::Deserialize<'de>, const N: usize> serde::Deserialize<'de> for Counts<R, N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<R, const N: usize>(PhantomData<R>);

        impl<'de, R: Reason + serde::Deserialize<'de>, const N: usize> serde::de::Visitor<'de> for Visitor<R, N> {
            type Value = Counts<R, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pairs of reasons and counts")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
                let mut counts = Counts::NONE;
                while let Some((reason, count)) = pairs.next_element()? {
                    counts.add(reason, count);
                }
                Ok(counts)
            }
        }

        deserializer.deserialize_seq(Visitor(PhantomData))
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use serde_test::{Token, assert_tokens};

    use super::*;

    /// Formats that write lengths ahead have to know them.
    #[test]
    fn counts_have_a_length() {
        let mut counts = Counts::<DropReason, { DropReason::ALL.len() }>::NONE;
        counts.add(DropReason::NoDestination, 7);
        let reason = Token::UnitVariant { name: "DropReason", variant: "NoDestination" };
        let pair = [Token::Tuple { len: 2 }, reason, Token::U64(7), Token::TupleEnd];
        assert_tokens(&counts, &[&[Token::Seq { len: Some(1) }][..], &pair, &[Token::SeqEnd]].concat());
    }
}
