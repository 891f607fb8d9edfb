//! Records that never change: what does not fit into a bucket's value.
//!
//! A map's value names a record by index and generation. To change one, a new record is written beside it and
//! the map's value is pointed there; the old one is freed, and its generation changes. So a reader that still
//! reads it notices, and looks the key up again.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{
    handle::{GENERATIONS, Handle},
    line::{AtomicU32, Line, Words, fence},
};

/// How records of one kind lie in storage: a bit each for being in use, then the records, as many in each line as fit
/// whole; the first word of each is the generation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Words of a record, the generation included.
    pub(crate) words: usize,
}

impl Shape {
    /// Lines for so many records, and one line more of them: a change at full capacity needs a second copy.
    pub(crate) const fn lines(self, records: usize) -> usize {
        if records == 0 {
            return 0;
        }
        let records = self.capacity(records);
        Words::lines(records.div_ceil(32)) + records.div_ceil(Line::WORDS / self.words)
    }

    const fn capacity(self, records: usize) -> usize {
        records.saturating_add(SPARE)
    }

    pub(crate) fn records<'t>(self, lines: &'t [Line], records: usize) -> Records<'t> {
        let capacity = if records == 0 { 0 } else { self.capacity(records) };
        let (used, records) = lines.split_at_checked(Words::lines(capacity.div_ceil(32))).unwrap_or_default();
        Records { words: self.words, capacity, used: Words(used), records }
    }
}

/// Records beyond those promised: so many writers can change one each at the same time.
const SPARE: usize = 16;

/// Records of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'t> {
    words: usize,
    capacity: usize,
    used: Words<'t>,
    records: &'t [Line],
}

impl<'t> Records<'t> {
    fn word(self, index: usize, word: usize) -> Option<&'t AtomicU32> {
        let per_line = Line::WORDS.checked_div(self.words)?;
        let first = index.checked_rem(per_line)?.wrapping_mul(self.words);
        Some(self.records.get(index.checked_div(per_line)?)?.word(first.wrapping_add(word)))
    }

    /// Writes a record and answers its handle, of kind 1; `None` where none is free. The search starts in place
    /// `hint` and is as long as there are words of 32 bits.
    pub(crate) fn add(self, hint: usize, content: &[u32]) -> Option<Handle> {
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
                // Whoever reads a word of this record also reads that the one before is gone.
                fence(Release);
                let index = word.wrapping_mul(32).wrapping_add(bit as usize);
                for (at, &value) in content.iter().enumerate().take(self.words.wrapping_sub(1)) {
                    self.word(index, at.wrapping_add(1))?.store(value, Relaxed);
                }
                let generation = self.word(index, 0)?.load(Relaxed);
                return Some(Handle::new(1, generation, index as u32));
            }
        }
        None
    }

    /// Asks for a record of `N` words: see [`Line::touch`].
    #[inline(always)]
    pub(crate) fn touch<const N: usize>(self, handle: Handle) -> u32 {
        let per_line = const { Line::WORDS / (N + 1) };
        self.records.get(handle.index() / per_line).map_or(0, Line::touch)
    }

    /// The words of a record after its generation; `None` where it was freed meanwhile.
    #[inline(always)]
    pub(crate) fn get<const N: usize>(self, handle: Handle) -> Option<[u32; N]> {
        let per_line = const { Line::WORDS / (N + 1) };
        let line = self.records.get(handle.index() / per_line)?;
        let first = handle.index() % per_line * (N + 1);
        let generation = line.word(first);
        if generation.load(Acquire) & GENERATIONS != handle.generation() {
            return None;
        }
        let content =
            core::array::from_fn(|at| line.word(first.wrapping_add(1).wrapping_add(at)).load(Relaxed));
        fence(Acquire);
        (generation.load(Relaxed) & GENERATIONS == handle.generation()).then_some(content)
    }

    /// Frees a record that no value of the map names any more.
    pub(crate) fn remove(self, handle: Handle) {
        let (index, bit) = (handle.index() / 32, handle.index() % 32);
        let (Some(generation), Some(bits)) = (self.word(handle.index(), 0), self.used.get(index)) else {
            return;
        };
        generation.store(handle.generation().wrapping_add(1) & GENERATIONS, Release);
        fence(Release);
        bits.fetch_and(!(1 << bit), Release);
    }
}
