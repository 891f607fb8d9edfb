//! Records that never change: what does not fit into a bucket's value.
//!
//! A map's value names a record by index and generation. To change one, a new record is written beside it and
//! the map's value is pointed there; the old one is freed, and its generation changes. So a reader that still
//! reads it notices, and looks the key up again.
//!
//! A handle has only some bits of the generation. Who was stopped before he read a record, and goes on when its
//! generation has come around, may find another one there, but a whole one: while a record is written its count is odd.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{
    handle::{GENERATIONS, Handle},
    line::{AtomicU32, Line, Words, fence},
};

/// Records of `N` words. First a bit for each that says whether it is in use; then the records, as many in each line as
/// fit whole. Each is a word that counts, and then its own words: the count goes on by one when the record is freed,
/// and by one more when it is written again; half of it is the generation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'t, const N: usize> {
    capacity: usize,
    used: Words<'t>,
    records: &'t [Line],
}

/// Records beyond those promised. Who changes one writes a second one beside it first, also in a full table: so many
/// writers can do that at the same time.
const SPARE: usize = 16;

impl<'t, const N: usize> Records<'t, N> {
    /// Records of a line.
    const PER_LINE: usize = Line::WORDS / (N + 1);

    /// Lines for so many records and [`SPARE`] more.
    pub(crate) const fn lines(records: usize) -> usize {
        let capacity = Self::capacity(records);
        Words::lines(capacity.div_ceil(32)) + capacity.div_ceil(Self::PER_LINE)
    }

    const fn capacity(records: usize) -> usize {
        if records == 0 { 0 } else { records.saturating_add(SPARE) }
    }

    pub(crate) fn new(lines: &'t [Line], records: usize) -> Self {
        let capacity = Self::capacity(records);
        let (used, records) = lines.split_at_checked(Words::lines(capacity.div_ceil(32))).unwrap_or_default();
        Self { capacity, used: Words(used), records }
    }

    #[inline(always)]
    fn word(self, index: usize, word: usize) -> Option<&'t AtomicU32> {
        let first = index % Self::PER_LINE * (N + 1);
        Some(self.records.get(index / Self::PER_LINE)?.word(first.wrapping_add(word)))
    }

    /// Writes a record and answers its handle; `None` where none is free. The search begins somewhere, which `hint`
    /// says, and looks at each word of bits once. The kind of such a handle means nothing; it is 1 so that the handle
    /// is never zero: that would be the value of an empty slot.
    pub(crate) fn add(self, hint: usize, content: &[u32; N]) -> Option<Handle> {
        let words = self.capacity.div_ceil(32);
        let start = hint.checked_rem(words)?;
        for word in (start..words).chain(0..start) {
            let bits = self.used.get(word)?;
            let full = match self.capacity.saturating_sub(word.saturating_mul(32)) {
                left @ 0..32 => !0 << left,
                _ => 0,
            };
            for _ in 0..32 {
                let bit = (bits.load(Relaxed) | full).trailing_ones();
                if bit == 32 {
                    break;
                }
                if bits.fetch_or(1 << bit, Acquire) & 1 << bit != 0 {
                    continue;
                }
                let index = word.wrapping_mul(32).wrapping_add(bit as usize);
                let count = self.word(index, 0)?;
                let writing = count.load(Relaxed) | NOBODYS;
                count.store(writing, Relaxed);
                // Whoever reads a word of this record also reads that the one before is gone.
                fence(Release);
                for (at, &value) in content.iter().enumerate() {
                    self.word(index, at.wrapping_add(1))?.store(value, Relaxed);
                }
                let written = writing.wrapping_add(1);
                count.store(written, Release);
                return Some(Handle::new(1, written >> 1, index as u32));
            }
        }
        None
    }

    /// Asks for a record: see [`Line::touch`].
    #[inline(always)]
    pub(crate) fn touch(self, handle: Handle) -> u32 {
        self.records.get(handle.index() / Self::PER_LINE).map_or(0, Line::touch)
    }

    /// The words of a record after its generation; `None` where it was freed meanwhile.
    #[inline(always)]
    pub(crate) fn get(self, handle: Handle) -> Option<[u32; N]> {
        let line = self.records.get(handle.index() / Self::PER_LINE)?;
        let first = handle.index() % Self::PER_LINE * (N + 1);
        let count = line.word(first);
        let before = count.load(Acquire);
        if (before ^ handle.generation() << 1) & (GENERATIONS << 1 | NOBODYS) != 0 {
            return None;
        }
        let content =
            core::array::from_fn(|at| line.word(first.wrapping_add(1).wrapping_add(at)).load(Relaxed));
        fence(Acquire);
        (count.load(Relaxed) == before).then_some(content)
    }

    /// Frees a record that no value of the map names any more.
    pub(crate) fn remove(self, handle: Handle) {
        let (index, bit) = (handle.index() / 32, handle.index() % 32);
        let (Some(count), Some(bits)) = (self.word(handle.index(), 0), self.used.get(index)) else {
            return;
        };
        count.store(count.load(Relaxed).wrapping_add(1), Release);
        fence(Release);
        bits.fetch_and(!(1 << bit), Release);
    }
}

/// The bit of a count that is set while the record is free, or being written.
const NOBODYS: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// Handles repeat after as many generations as they can tell apart; what is found by an old one then is whole.
    #[test]
    fn a_handle_that_comes_around_finds_a_whole_record_or_none() {
        const LINES: usize = Records::<3>::lines(1);
        let lines = [const { Line::new() }; LINES];
        let records = Records::<3>::new(&lines, 1);
        let first = records.add(0, &[0; 3]);
        let (old, mut handle) = (first.unwrap_or(Handle::LOCAL), first);
        for number in 1..=GENERATIONS + 1 {
            handle.into_iter().for_each(|handle| records.remove(handle));
            assert_eq!(records.get(old), None, "{number}");
            handle = records.add(0, &[number; 3]);
            assert_eq!(handle.and_then(|handle| records.get(handle)), Some([number; 3]));
            assert_eq!(records.get(old).is_some(), number == GENERATIONS + 1);
        }
        assert_eq!((handle, records.get(old)), (first, Some([GENERATIONS + 1; 3])));
        // Somebody has freed it and is at work on the next one of this generation.
        let count = records.word(old.index(), 0).map(|count| count.fetch_or(NOBODYS, Relaxed));
        assert_eq!((count.map(|count| count & NOBODYS), records.get(old)), (Some(0), None));
    }
}
