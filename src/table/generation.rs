//! Generations that are used again only when nothing carries them any more.
//!
//! An entry that carries a generation other than the current one is dead: that is how everything of one kind
//! goes at once. The dead stay in place until a sweep comes by. A number is given again only when a complete sweep
//! began and ended after it was last current.

use core::sync::atomic::Ordering::Relaxed;

use super::line::AtomicU32;

/// Where a generation was when sweeps were last looked at: `low` is the oldest that any entry may still carry.
///
/// ```text
///  0               16      24      32
/// +---------------+-------+-------+   +-------------------------------+
/// |     began     | mark  |  low  |   |      sweeps at the mark       |
/// +---------------+-------+-------+   +-------------------------------+
/// began: sweeps when the current generation began, the lower bits
/// mark: the generation that was current when sweeps were last noted
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'t> {
    pub(crate) marks: &'t AtomicU32,
    pub(crate) passes: &'t AtomicU32,
}

impl Window<'_> {
    /// The generation after `current` out of `1..=last`, which are 255 at most; `None` where an entry may still carry
    /// it. Only one caller at a time.
    pub(crate) fn next(self, current: u32, last: u32, passes: u32) -> Option<u32> {
        let marks = self.marks.load(Relaxed);
        let (began, mut mark, mut low) = (marks >> 16, marks >> 8 & 0xff, marks & 0xff);
        // Two more: one that may have been under way, and one whole.
        if passes.wrapping_sub(began) as u16 >= 2 {
            // The one before may have been current for a moment longer than the sweeps were counted.
            low = if current > 1 { current.wrapping_sub(1) } else { last };
            mark = current;
            self.passes.store(passes, Relaxed);
        } else if passes.wrapping_sub(self.passes.load(Relaxed)) >= 2 {
            (low, mark) = (mark, current);
            self.passes.store(passes, Relaxed);
        }
        let next = if current >= last { 1 } else { current.wrapping_add(1) };
        // Before the first mark everything since generation 1 may be there.
        let next = (next != low.max(1)).then_some(next);
        let began = next.map_or(began, |_| passes);
        self.marks.store(began << 16 | mark << 8 | low, Relaxed);
        next
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
        assert_eq!(window.next(current, 7, 2), Some(1), "6 may be there, and those before are not");
        for generation in 1..5 {
            assert_eq!(window.next(generation, 7, 2), Some(generation + 1));
        }
        assert_eq!(window.next(5, 7, 2), None);
        assert_eq!(window.next(5, 7, 3), None, "6 and others may still be there");
        assert_eq!(window.next(5, 7, 4), Some(6));
    }

    /// One that begins with each sweep: nothing is known of those since, but of those before the mark.
    #[test]
    fn no_generation_returns_while_others_come_and_go() {
        let (marks, passes) = (AtomicU32::new(0), AtomicU32::new(0));
        let window = Window { marks: &marks, passes: &passes };
        let mut ended = [0; 8];
        let mut current = 1;
        for call in 0..10_000_u32 {
            let passes = call / 2;
            if let Some(next) = window.next(current, 7, passes) {
                // The sweep that was under way when it ended, and one more.
                let last = ended[next as usize];
                assert!(last == 0 || passes >= last + 2, "{next} is back after {last}, at {passes}");
                ended[current as usize] = passes;
                current = next;
            }
        }
        assert!(ended[1..].iter().all(|&ended| ended > 4_000), "it goes on: {ended:?}");
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
