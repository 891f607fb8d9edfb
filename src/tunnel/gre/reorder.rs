//! A buffer that puts packets back into the order in which they were sent (RFC 2890, section 2.2).
//!
//! ```text
//!        last   last + 1                      last + 2^31
//!  -------|--------|------------------------------|--------
//!   late  |  next  |  a gap: held until the rest  |  late
//!         |        |  comes, or time is up        |
//! ```

use core::time::Duration;

use super::SequenceFilter;
use crate::time::Instant;

/// Puts the packets of one flow, those with one key from one sender, back in order: what comes before its turn is
/// held, no longer than the RFC's `OUTOFORDER_TIMER`, and no more packets than there are slots, the RFC's
/// `MAX_PERFLOW_BUFFER`.
///
/// `T` is whatever stands for a packet with the caller: its memory, or a number of it. The tunnel itself has `iseq`
/// off: numbers are judged here. Keepalives have numbers, too, and are not delivered: [`skip`](Self::skip) takes those.
/// A packet that the tunnel refuses is as one that was lost: those behind it wait for the timer.
///
/// ```
/// # fn main() {
/// use std::time::Duration;
/// use encap::{time::Instant, tunnel::gre::{Pushed, Reorder, SequenceFilter, SequenceRule, Slot}};
///
/// let mut slots = [const { Slot::EMPTY }; 8];
/// let filter = SequenceFilter::new(SequenceRule::Rfc2890, Some(Duration::from_secs(10)));
/// let mut buffer = Reorder::new(&mut slots, filter, Duration::from_millis(50));
/// let now = Instant::from_secs(1);
///
/// assert_eq!(buffer.push(now, Some(1), "second"), Pushed::Held);
/// assert_eq!(buffer.push(now, Some(0), "first"), Pushed::Deliver("first"));
/// assert_eq!(buffer.poll(now), Some("second"));
/// assert_eq!(buffer.push(now, Some(3), "fourth"), Pushed::Held);
/// assert_eq!(buffer.poll(now), None);
/// let late = buffer.poll_timeout().unwrap(); // nobody waits any longer for the third
/// assert_eq!(buffer.poll(late), Some("fourth"));
/// # }
/// ```
#[derive(Debug)]
pub struct Reorder<'s, T> {
    slots: &'s mut [Slot<T>],
    filter: SequenceFilter,
    timer: Duration,
}

/// A place for a packet that waits.
#[derive(Clone, Copy, Debug)]
pub struct Slot<T>(Option<Waiting<T>>);

#[derive(Clone, Copy, Debug)]
struct Waiting<T> {
    /// None where only the number counts: it was a keepalive's.
    packet: Option<T>,
    sequence: u32,
    since: Instant,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum Pushed<T> {
    /// Deliver this one, and then what [`Reorder::poll`] has: it is the next, or the first of more than can be held.
    Deliver(T),
    /// It waits for those before it.
    Held,
    /// Drop it: it is a duplicate, or others that were sent after it have been delivered.
    Late(T),
}

impl<T> Slot<T> {
    /// A free place.
    pub const EMPTY: Self = Self(None);
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'s, T> Reorder<'s, T> {
    /// A buffer on these slots. `filter` judges the numbers, and knows when a sender has restarted; `timer` is how long
    /// a packet may wait.
    pub const fn new(slots: &'s mut [Slot<T>], filter: SequenceFilter, timer: Duration) -> Self {
        Self { slots, filter, timer }
    }

    /// Takes a packet with this sequence number. One without is in sequence, or late if the rule is Linux's.
    pub fn push(&mut self, now: Instant, sequence: Option<u32>, packet: T) -> Pushed<T> {
        match self.take(now, sequence, Some(packet)) {
            Pushed::Deliver(Some(packet)) => Pushed::Deliver(packet),
            Pushed::Late(Some(packet)) => Pushed::Late(packet),
            // The first of more than can be held was a keepalive, before which nobody waits any more.
            Pushed::Deliver(None) => self.poll(now).map_or(Pushed::Held, Pushed::Deliver),
            Pushed::Held | Pushed::Late(None) => Pushed::Held,
        }
    }

    /// Counts a packet that has come, but is not to be delivered, as a
    /// [keepalive](super::Received::KeepaliveRequest): nobody waits for it any longer. Deliver what it answers, and
    /// then what [`poll`](Self::poll) has.
    pub fn skip(&mut self, now: Instant, sequence: Option<u32>) -> Option<T> {
        match self.take(now, sequence, None) {
            Pushed::Deliver(None) => self.poll(now),
            Pushed::Deliver(first) => first,
            Pushed::Held | Pushed::Late(_) => None,
        }
    }

    fn take(&mut self, now: Instant, sequence: Option<u32>, packet: Option<T>) -> Pushed<Option<T>> {
        let Some(sequence) = sequence else { return self.deliver(now, None, packet) };
        self.hold_to(now);
        let waits = |slot: &Slot<T>| slot.0.as_ref().is_some_and(|it| it.sequence == sequence);
        if self.slots.iter().any(waits) {
            return Pushed::Late(packet);
        }
        let is_late = self.filter.is_late(sequence);
        if is_late && !self.is_empty() {
            // Its sender has not restarted: packets wait that were sent shortly before.
            return Pushed::Late(packet);
        }
        if is_late || sequence == self.filter.expected() {
            return self.deliver(now, Some(sequence), packet);
        }
        let new = Waiting { packet, sequence, since: now };
        if let Some(free) = self.slots.iter_mut().find(|slot| slot.0.is_none()) {
            free.0 = Some(new);
            return Pushed::Held;
        }
        // One too many: the first of all goes, in spite of the gap before it.
        let distance = sequence.wrapping_sub(self.filter.expected()) as i32;
        let first = match self.first() {
            Some((of_first, slot)) if of_first < distance => match slot.0.replace(new) {
                Some(first) => first,
                None => return Pushed::Held,
            },
            _ => new,
        };
        Pushed::Deliver(self.release(now, first))
    }

    /// The next packet to deliver: one that is in sequence now; or the first, where one has waited for so long that
    /// gaps do not count any more. Ask until there is none, after each packet that was delivered, at
    /// [`poll_timeout`](Self::poll_timeout), and after the [`sequence_filter`](Self::sequence_filter) was reset: what
    /// waits and is late by its new count comes out at once, as it was sent before all that is still to come.
    pub fn poll(&mut self, now: Instant) -> Option<T> {
        self.hold_to(now);
        // Each time one slot less is taken.
        loop {
            let is_due = self.poll_timeout().is_some_and(|due| due <= now);
            let (distance, slot) = self.first()?;
            if distance > 0 && !is_due {
                return None;
            }
            let first = slot.0.take()?;
            if let Some(packet) = self.release(now, first) {
                return Some(packet);
            }
        }
    }

    /// When to call [`poll`](Self::poll) if nothing arrives meanwhile.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let due = |slot: &Slot<T>| slot.0.as_ref().map(|it| it.since.saturating_add(self.timer));
        self.slots.iter().filter_map(due).min()
    }

    /// Whether no packet waits, nor the number of one that was [skipped](Self::skip).
    pub fn is_empty(&self) -> bool {
        self.slots.iter().all(|slot| slot.0.is_none())
    }

    /// What is remembered of sequence numbers.
    pub const fn sequence_filter(&mut self) -> &mut SequenceFilter {
        &mut self.filter
    }

    /// Where the clock was set back, what waits has waited since now.
    fn hold_to(&mut self, now: Instant) {
        for waiting in self.slots.iter_mut().filter_map(|slot| slot.0.as_mut()) {
            waiting.since = waiting.since.min(now);
        }
    }

    fn deliver(&mut self, now: Instant, sequence: Option<u32>, packet: Option<T>) -> Pushed<Option<T>> {
        match self.filter.accept(now, sequence) {
            Ok(()) => Pushed::Deliver(packet),
            Err(_) => Pushed::Late(packet),
        }
    }

    /// A packet that has waited, which is delivered in any case. The filter has no say where it has been reset
    /// meanwhile: the packet is of the flow that it has forgotten.
    fn release(&mut self, now: Instant, waiting: Waiting<T>) -> Option<T> {
        if !self.filter.is_late(waiting.sequence) {
            // What is not late is accepted.
            let _ = self.filter.accept(now, Some(waiting.sequence));
        }
        waiting.packet
    }

    /// The packet that comes first of those that wait, and how many should come before it; less than zero where it is
    /// late.
    fn first(&mut self) -> Option<(i32, &mut Slot<T>)> {
        let expected = self.filter.expected();
        let distance = |slot: &Slot<T>| slot.0.as_ref().map(|it| it.sequence.wrapping_sub(expected) as i32);
        let waiting = self.slots.iter_mut().filter_map(|slot| Some((distance(slot)?, slot)));
        waiting.min_by_key(|(distance, _)| *distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tunnel::gre::SequenceRule;

    const TIMER: Duration = Duration::from_millis(50);

    fn filter() -> SequenceFilter {
        SequenceFilter::new(SequenceRule::Rfc2890, Some(Duration::from_secs(10)))
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(1_000 + millis)
    }

    #[test]
    fn rfc2890_s2_2_what_came_before_its_turn_follows() {
        let mut slots = [const { Slot::EMPTY }; 4];
        let mut buffer = Reorder::new(&mut slots, filter(), TIMER);
        assert_eq!([3, 1, 2].map(|n| buffer.push(at(0), Some(n), n)), [Pushed::Held; 3]);
        assert_eq!((buffer.poll(at(0)), buffer.is_empty()), (None, false));
        assert_eq!(buffer.push(at(1), Some(2), 2), Pushed::Late(2), "a duplicate of one that waits");
        assert_eq!(buffer.push(at(1), Some(0), 0), Pushed::Deliver(0));
        assert_eq!([(); 4].map(|()| buffer.poll(at(1))), [Some(1), Some(2), Some(3), None]);
        assert!(buffer.is_empty());
        assert_eq!(buffer.push(at(1), Some(3), 3), Pushed::Late(3));
        assert_eq!(buffer.sequence_filter().expected(), 4);
    }

    #[test]
    fn rfc2890_s2_2_no_packet_waits_longer_than_the_timer() {
        let mut slots = [const { Slot::EMPTY }; 4];
        let mut buffer = Reorder::new(&mut slots, filter(), TIMER);
        // The second of them has waited for so long, so the first goes before it; the third waits on.
        assert_eq!(buffer.push(at(0), Some(5), 5), Pushed::Held);
        assert_eq!(buffer.push(at(20), Some(3), 3), Pushed::Held);
        assert_eq!(buffer.push(at(20), Some(8), 8), Pushed::Held);
        assert_eq!((buffer.poll(at(49)), buffer.poll_timeout()), (None, Some(at(50))));
        assert_eq!([(); 3].map(|()| buffer.poll(at(50))), [Some(3), Some(5), None]);
        assert_eq!(buffer.poll_timeout(), Some(at(70)));
        assert_eq!(buffer.push(at(60), Some(4), 4), Pushed::Late(4));
        assert_eq!((buffer.poll(at(70)), buffer.poll_timeout()), (Some(8), None));
    }

    #[test]
    fn rfc2890_s2_2_nor_does_it_where_the_clock_is_set_back() {
        let mut slots = [const { Slot::EMPTY }; 4];
        let mut buffer = Reorder::new(&mut slots, filter(), TIMER);
        assert_eq!(buffer.push(at(100_000), Some(1), 1), Pushed::Held);
        assert_eq!((buffer.poll(at(10)), buffer.poll_timeout()), (None, Some(at(60))));
        assert_eq!(buffer.push(at(0), Some(3), 3), Pushed::Held);
        assert_eq!(buffer.poll_timeout(), Some(at(50)));
        assert_eq!([buffer.poll(at(50)), buffer.poll(at(50))], [Some(1), Some(3)]);
    }

    #[test]
    fn rfc2890_s2_2_of_more_than_fit_the_first_goes() {
        let mut slots = [const { Slot::EMPTY }; 2];
        let mut buffer = Reorder::new(&mut slots, filter(), TIMER);
        assert_eq!([4, 6].map(|n| buffer.push(at(0), Some(n), n)), [Pushed::Held; 2]);
        assert_eq!(buffer.push(at(0), Some(9), 9), Pushed::Deliver(4));
        assert_eq!(buffer.push(at(0), Some(5), 5), Pushed::Deliver(5), "the next one is not too many");
        assert_eq!(buffer.poll(at(0)), Some(6));
        assert_eq!(buffer.push(at(0), Some(10), 10), Pushed::Held);
        assert_eq!(buffer.push(at(0), Some(8), 8), Pushed::Deliver(8), "it is the first itself");
        assert_eq!([(); 3].map(|()| buffer.poll(at(0))), [Some(9), Some(10), None]);
        // Without a slot, gaps are accepted at once.
        let mut none = Reorder::new(&mut [], filter(), TIMER);
        assert_eq!([7, 7].map(|n| none.push(at(0), Some(n), n)), [Pushed::Deliver(7), Pushed::Late(7)]);
    }

    #[test]
    fn rfc2890_s2_2_nobody_waits_for_a_keepalive() {
        let mut slots = [const { Slot::EMPTY }; 2];
        let mut buffer = Reorder::new(&mut slots, filter(), TIMER);
        assert_eq!((buffer.skip(at(0), Some(0)), buffer.skip(at(0), None)), (None, None));
        assert_eq!(buffer.push(at(0), Some(1), 1), Pushed::Deliver(1));
        // Before its turn.
        assert_eq!((buffer.skip(at(0), Some(3)), buffer.poll(at(0))), (None, None));
        assert_eq!(buffer.push(at(0), Some(4), 4), Pushed::Held);
        assert_eq!(buffer.push(at(0), Some(2), 2), Pushed::Deliver(2));
        assert_eq!([(); 2].map(|()| buffer.poll(at(0))), [Some(4), None]);
        // As the one for which others wait.
        assert_eq!(buffer.push(at(0), Some(6), 6), Pushed::Held);
        assert_eq!((buffer.skip(at(0), Some(5)), buffer.poll(at(0))), (Some(6), None));
        // As the first of more than can be held, and as the one that is too many.
        assert_eq!((buffer.skip(at(0), Some(8)), buffer.push(at(0), Some(9), 9)), (None, Pushed::Held));
        assert_eq!((buffer.push(at(0), Some(11), 11), buffer.poll(at(0))), (Pushed::Deliver(9), None));
        assert_eq!(buffer.push(at(0), Some(13), 13), Pushed::Held);
        assert_eq!((buffer.skip(at(0), Some(15)), buffer.poll(at(0))), (Some(11), None));
        // Alone, until nobody waits for what is before it.
        assert_eq!([(); 2].map(|()| buffer.poll(at(50))), [Some(13), None]);
        assert!(buffer.is_empty());
        assert_eq!(buffer.push(at(50), Some(14), 14), Pushed::Late(14));
    }

    #[test]
    fn rfc2890_s2_2_packets_without_a_number_are_in_sequence() {
        let mut slots = [const { Slot::EMPTY }; 2];
        let mut buffer = Reorder::new(&mut slots, filter(), TIMER);
        assert_eq!(buffer.push(at(0), Some(1), 1), Pushed::Held);
        assert_eq!(buffer.push(at(0), None, 77), Pushed::Deliver(77));
        assert_eq!((buffer.poll(at(0)), buffer.is_empty()), (None, false));
        let linux = SequenceFilter::new(SequenceRule::Linux, None);
        let mut buffer = Reorder::new(&mut slots, linux, TIMER);
        assert_eq!(buffer.push(at(0), None, 77), Pushed::Late(77));
    }

    #[test]
    fn rfc2890_s2_2_what_waits_comes_out_when_the_filter_is_reset() {
        for reset_after in [None, Some(Duration::from_secs(10))] {
            let mut slots = [const { Slot::EMPTY }; 3];
            let filter = SequenceFilter::new(SequenceRule::Rfc2890, reset_after);
            let mut buffer = Reorder::new(&mut slots, filter, TIMER);
            for n in [0x7fff_ffff, 0xffff_fff0] {
                assert_eq!(buffer.push(at(0), Some(n), n), Pushed::Held);
                assert_eq!(buffer.poll(at(50)), Some(n));
            }
            let old = [0xffff_fff7, 0xffff_fff5];
            assert_eq!(old.map(|n| buffer.push(at(60), Some(n), n)), [Pushed::Held; 2]);
            buffer.sequence_filter().reset();
            assert_eq!([(); 2].map(|()| buffer.poll(at(60))), [Some(old[1]), Some(old[0])]);
            assert!(buffer.is_empty());
            // The new count is not disturbed by them.
            assert_eq!(buffer.push(at(61), Some(0), 0), Pushed::Deliver(0));
            // Nor is anything lost where the buffer is full of them.
            let gap = [0x4000_0000, 0x4000_0002, 0x4000_0001].map(|n| buffer.push(at(61), Some(n), n));
            assert_eq!(gap, [Pushed::Held; 3]);
            assert_eq!(buffer.sequence_filter().accept(at(61), Some(0x7000_0000)), Ok(()));
            assert_eq!(buffer.push(at(61), Some(0x7000_0002), 2), Pushed::Deliver(0x4000_0000));
            assert_eq!([(); 3].map(|()| buffer.poll(at(61))), [Some(0x4000_0001), Some(0x4000_0002), None]);
            assert_eq!(buffer.push(at(61), Some(0x7000_0001), 1), Pushed::Deliver(1));
            assert_eq!((buffer.poll(at(61)), buffer.is_empty()), (Some(2), true));
        }
    }

    #[test]
    fn a_restarted_sender_is_heard_after_a_silence_and_numbers_wrap() {
        let mut slots = [const { Slot::EMPTY }; 2];
        let mut buffer = Reorder::new(&mut slots, filter(), TIMER);
        let last = u32::MAX - 1;
        assert_eq!(buffer.push(at(0), Some(1_000), 1_000), Pushed::Held);
        assert_eq!(buffer.poll(at(50)), Some(1_000));
        assert_eq!(buffer.push(at(60), Some(0), 0), Pushed::Late(0));
        assert_eq!(buffer.push(at(10_060), Some(last), last), Pushed::Deliver(last), "any number");
        assert_eq!(buffer.push(at(10_060), Some(0), 0), Pushed::Held);
        assert_eq!(buffer.push(at(10_061), Some(u32::MAX), u32::MAX), Pushed::Deliver(u32::MAX));
        assert_eq!(buffer.poll(at(10_061)), Some(0));
    }
}
