//! The one unit of storage of all tables.

use core::sync::atomic::Ordering::Relaxed;
// From here, so that tests/loom can put its own in their place.
pub(crate) use core::{
    hint::spin_loop,
    sync::atomic::{AtomicU32, fence},
};

/// Sixteen 32-bit words on a cache line of their own: what every table is made of.
///
/// The caller owns the lines, as an array, a borrowed slice, a `Box`, a `Vec`, an `Arc<[Line]>`; the tables carve
/// them up. A line starts out as zeroes.
///
/// ```
/// use encap::table::{Capacity, Line};
///
/// const SMALL: Capacity = Capacity::fdb(256);
/// static LINES: [Line; SMALL.lines()] = [const { Line::new() }; SMALL.lines()];
/// ```
#[derive(Debug)]
#[repr(align(64))]
pub struct Line([AtomicU32; Self::WORDS]);

impl Line {
    pub(crate) const WORDS: usize = 16;

    /// A line of zeroes.
    #[expect(clippy::new_without_default, reason = "a line is storage, not a value")]
    pub const fn new() -> Self {
        Self([const { AtomicU32::new(0) }; Self::WORDS])
    }

    /// Whether nobody has written on the line.
    pub(crate) fn is_new(&self) -> bool {
        self.0.iter().all(|word| word.load(Relaxed) == 0)
    }

    /// A word, counted from 0 and around.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the index is in bounds by its mask")]
    pub(crate) fn word(&self, index: usize) -> &AtomicU32 {
        &self.0[index % Self::WORDS]
    }

    /// Asks for the line: the processor fetches it while others are asked for. Where nothing but a load does that, this
    /// is what was loaded: to be kept, or nobody loads it.
    #[inline(always)]
    pub(crate) fn touch(&self) -> u32 {
        touch(self.word(0))
    }
}

/// Asks for the line that a word is on: see [`Line::touch`].
#[inline(always)]
pub(crate) fn touch(word: &AtomicU32) -> u32 {
    #[cfg(all(feature = "simd", target_arch = "x86_64", target_feature = "sse2"))]
    safe_arch::prefetch_t0(word);
    if FETCHES { 0 } else { word.load(Relaxed) }
}

/// Whether there is a way to have a line fetched but to load from it. A load is waited for in the end: where there is
/// no other way, lines are best asked for one after the other, with nothing between.
pub(crate) const FETCHES: bool = cfg!(all(feature = "simd", target_arch = "x86_64", target_feature = "sse2"));

/// A line that nobody looks at: what those count on who have none.
pub(crate) fn nowhere() -> &'static Line {
    static NOWHERE: Line = Line::new();
    &NOWHERE
}

/// A line that nobody changes: zeroes for ever.
pub(crate) fn empty() -> &'static Line {
    static EMPTY: Line = Line::new();
    &EMPTY
}

/// Lines read as one run of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'t>(pub(crate) &'t [Line]);

impl<'t> Words<'t> {
    /// How many lines hold so many words.
    pub(crate) const fn lines(words: usize) -> usize {
        words.div_ceil(Line::WORDS)
    }

    #[inline]
    pub(crate) fn get(self, index: usize) -> Option<&'t AtomicU32> {
        Some(self.0.get(index / Line::WORDS)?.word(index))
    }
}

const _: () = assert!(size_of::<Line>() == 64 && align_of::<Line>() == 64);
