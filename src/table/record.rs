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

/// Records of `N` words. First a bit for each that says whether it is in use; then the records, as many in each line as
/// fit whole. Each is a word with its generation, and then its own words.
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
                // Whoever reads a word of this record also reads that the one before is gone.
                fence(Release);
                let index = word.wrapping_mul(32).wrapping_add(bit as usize);
                for (at, &value) in content.iter().enumerate() {
                    self.word(index, at.wrapping_add(1))?.store(value, Relaxed);
                }
                let generation = self.word(index, 0)?.load(Relaxed);
                return Some(Handle::new(1, generation, index as u32));
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
