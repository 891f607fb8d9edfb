//! Generations that are used again only when nothing carries them any more.
//!
//! An entry that carries a generation other than the current one is dead: that is how everything of one kind
//! goes at once. The dead stay in place until a sweep comes by. A number of `B` bits is given again only when a
//! complete sweep began and ended after it was last current.

use core::sync::atomic::Ordering::Relaxed;

use super::line::AtomicU32;

/// Where a generation was when sweeps were last looked at: `low` is the oldest that any entry may still carry.
///
/// ```text
///  0               16              32
/// +---------------+---------------+   +-------------------------------+
/// |     mark      |      low      |   |      sweeps at the mark       |
/// +---------------+---------------+   +-------------------------------+
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'t> {
    pub(crate) marks: &'t AtomicU32,
    pub(crate) passes: &'t AtomicU32,
}

impl Window<'_> {
    /// The generation after `current` out of `1..=last`; `None` where an entry may still carry it. Only one
    /// caller at a time.
    pub(crate) fn next(self, current: u32, last: u32, passes: u32) -> Option<u32> {
        let marks = self.marks.load(Relaxed);
        let (mut mark, mut low) = (marks >> 16, marks & 0xffff);
        // Two more: one that may have been under way at the mark, and one whole.
        if passes.wrapping_sub(self.passes.load(Relaxed)) >= 2 {
            (low, mark) = (mark, current);
            self.passes.store(passes, Relaxed);
            self.marks.store(mark << 16 | low, Relaxed);
        }
        let next = if current >= last { 1 } else { current.wrapping_add(1) };
        // Before the first mark everything since generation 1 may be there.
        (next != low.max(1)).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_generation_returns_before_a_sweep_began_and_ended() {
        let (marks, passes) = (AtomicU32::new(0), AtomicU32::new(0));
        let window = Window { marks: &marks, passes: &passes };
        let mut current = 1;
        for _ in 0..6 {
            current = window.next(current, 7, 0).unwrap();
        }
        assert_eq!(current, 7);
        assert_eq!(window.next(current, 7, 0), None, "1 may still be there");
        assert_eq!(window.next(current, 7, 1), None, "the first sweep may have begun before");
        // The first two sweeps only set the mark; generations before it are gone after two more.
        assert_eq!(window.next(current, 7, 2), None);
        assert_eq!(window.next(current, 7, 4), Some(1));
        assert_eq!(window.next(1, 7, 4), Some(2));
        for generation in 2..6 {
            assert_eq!(window.next(generation, 7, 4), Some(generation + 1));
        }
        assert_eq!(window.next(6, 7, 4), None, "7 was current at the mark and may still be there");
        assert_eq!(window.next(6, 7, 6), None, "7 was current after the mark, too, for all that this knows");
        assert_eq!(window.next(6, 7, 8), Some(7));
    }

    /// With a sweep now and then, the numbers never run out.
    #[test]
    fn sweeps_keep_the_numbers_coming() {
        let (marks, passes) = (AtomicU32::new(0), AtomicU32::new(0));
        let window = Window { marks: &marks, passes: &passes };
        let mut current = 1;
        for sweep in 0..10_000 {
            current = window.next(current, 255, sweep).unwrap();
        }
    }
}
