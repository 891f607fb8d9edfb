//! Sequence numbers on receipt (RFC 2890, section 2.2): late packets and duplicates are found, gaps are not.
//!
//! ```text
//!        last                        last + 2^31
//!  -------|----------------------------|------------------------
//!    late |   in sequence: delivered   | late, or a duplicate
//! ```

use core::time::Duration;

use crate::{time::Instant, tunnel::DropReason};

/// Which sequence numbers count as in sequence. The two differ in what comes first, and in packets without a number.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum SequenceRule {
    /// RFC 2890, section 2.2: the first number may be 0 to 2^31 - 1; a packet without a number is in sequence.
    #[default]
    Rfc2890,
    /// As Linux: any number may come first, and once more after 2^32 - 1, where its counter is zero again; a packet
    /// without a number is refused.
    Linux,
}

/// What is remembered of the sequence numbers of one flow: those with one key from one sender.
///
/// A gap is accepted and what is late is dropped, so that packets leave in the order in which they were sent, each of
/// them once. Nothing is held back to be reordered: that is [`Reorder`](super::Reorder)'s.
///
/// A sender that restarts begins at zero: all that it sends is late until its numbers reach the old ones. So with
/// `reset_after`, a number that is late is taken all the same where none was accepted for so long; and so is any first
/// one. After a silence of zero, everything would be.
///
/// ```
/// use std::time::Duration;
/// use encap::{time::Instant, tunnel::{DropReason, gre::{SequenceFilter, SequenceRule}}};
///
/// let mut filter = SequenceFilter::new(SequenceRule::Rfc2890, Some(Duration::from_secs(10)));
/// assert_eq!(filter.accept(Instant::from_secs(1), Some(7)), Ok(()));
/// assert_eq!(filter.accept(Instant::from_secs(2), Some(0)), Err(DropReason::GreSequence));
/// assert_eq!(filter.accept(Instant::from_secs(11), Some(1)), Ok(()));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SequenceFilter {
    rule: SequenceRule,
    reset_after: Option<Duration>,
    /// One more than the last number: zero at first, which is what RFC 2890's initial 2^32 - 1 comes to.
    expected: u32,
    /// When a number was last accepted.
    accepted: Option<Instant>,
}

impl SequenceFilter {
    /// A flow of which nothing was received yet.
    pub const fn new(rule: SequenceRule, reset_after: Option<Duration>) -> Self {
        Self { rule, reset_after, expected: 0, accepted: None }
    }

    /// Takes the sequence number of a packet that was received, `None` where it has none.
    ///
    /// # Errors
    ///
    /// [`DropReason::GreSequenceMissing`] and [`DropReason::GreSequence`]: the packet is to be dropped, and nothing
    /// is remembered of its number.
    #[inline]
    pub fn accept(&mut self, now: Instant, sequence: Option<u32>) -> Result<(), DropReason> {
        let Some(sequence) = sequence else {
            return match self.rule {
                SequenceRule::Rfc2890 => Ok(()),
                SequenceRule::Linux => Err(DropReason::GreSequenceMissing),
            };
        };
        if self.is_late(sequence) && !self.takes_any(now) {
            return Err(DropReason::GreSequence);
        }
        self.expected = sequence.wrapping_add(1);
        self.accepted = Some(now);
        Ok(())
    }

    /// The number that the next packet has, if none is lost.
    pub const fn expected(&self) -> u32 {
        self.expected
    }

    /// Forgets what was received, as where the other end is known to have restarted.
    pub const fn reset(&mut self) {
        *self = Self::new(self.rule, self.reset_after);
    }

    /// Whether the number lies in the half of all numbers that end before the expected one.
    #[inline]
    pub(super) const fn is_late(&self, sequence: u32) -> bool {
        (sequence.wrapping_sub(self.expected) as i32) < 0
    }

    /// Whether even a late number is taken now. Where the clock was set back, the silence counts from now on.
    fn takes_any(&mut self, now: Instant) -> bool {
        self.accepted = self.accepted.map(|accepted| accepted.min(now));
        let is_unset = self.rule == SequenceRule::Linux && self.expected == 0;
        let is_silent = match (self.reset_after, self.accepted) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(after), Some(accepted)) => now.saturating_since(accepted) >= after,
        };
        is_unset || is_silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Result<(), DropReason> = Err(DropReason::GreSequence);
    const NEVER: Option<Duration> = None;

    /// A filter that has accepted `last`.
    fn after(rule: SequenceRule, last: u32) -> SequenceFilter {
        SequenceFilter { expected: last.wrapping_add(1), ..SequenceFilter::new(rule, NEVER) }
    }

    fn accept(mut filter: SequenceFilter, sequence: u32) -> Result<(), DropReason> {
        filter.accept(Instant::ZERO, Some(sequence))
    }

    #[test]
    fn rfc2890_s2_2_the_edges_of_the_window_from_everywhere() {
        for last in [0, 1, 7, (1 << 31) - 1, 1 << 31, u32::MAX - 1, u32::MAX] {
            let at = |distance: u32| accept(after(SequenceRule::Rfc2890, last), last.wrapping_add(distance));
            assert_eq!(at(0), LATE, "a duplicate of {last}");
            assert_eq!(at(1), Ok(()));
            assert_eq!(at(1 << 31), Ok(()), "the last of the window behind {last}");
            assert_eq!(at((1 << 31) + 1), LATE, "the oldest that counts as late");
            assert_eq!(at(u32::MAX), LATE, "the one before {last}");
        }
    }

    #[test]
    fn rfc2890_s2_2_the_first_number_lies_in_the_lower_half() {
        let new = SequenceFilter::new(SequenceRule::Rfc2890, NEVER);
        assert_eq!([accept(new, 0), accept(new, (1 << 31) - 1)], [Ok(()); 2]);
        assert_eq!([accept(new, 1 << 31), accept(new, u32::MAX)], [LATE; 2]);
    }

    #[test]
    fn b4_linux_takes_any_number_first_and_after_the_last_one() {
        for filter in [SequenceFilter::new(SequenceRule::Linux, NEVER), after(SequenceRule::Linux, u32::MAX)]
        {
            for sequence in [0, 7, 1 << 31, u32::MAX - 5, u32::MAX] {
                assert_eq!(accept(filter, sequence), Ok(()), "{sequence}");
            }
        }
        // Everywhere else its window is that of the RFC.
        for last in [0, 7, 1 << 31, u32::MAX - 1] {
            for distance in [0, 1, 1 << 31, (1 << 31) + 1, u32::MAX] {
                let [linux, rfc] = [SequenceRule::Linux, SequenceRule::Rfc2890]
                    .map(|rule| accept(after(rule, last), last.wrapping_add(distance)));
                assert_eq!(linux, rfc, "{last} + {distance}");
            }
        }
    }

    #[test]
    fn a_number_that_is_refused_leaves_no_trace() {
        let filter = after(SequenceRule::Rfc2890, 100);
        let mut same = filter;
        assert_eq!(same.accept(Instant::from_secs(1), Some(100)), LATE);
        assert_eq!(same, filter);
    }
}
