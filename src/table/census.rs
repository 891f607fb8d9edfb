//! How many entries carry the current generation: a count that starts again with each generation.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use super::line::AtomicU32;

/// A generation and the number of entries that carry it, in one word.
///
/// ```text
///  0               8                                              32
/// +---------------+-----------------------------------------------+
/// |  generation   |                     count                     |
/// +---------------+-----------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct Census<'t>(pub(crate) &'t AtomicU32);

/// Why an entry cannot be counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    /// Its generation is over.
    Over,
    /// There are as many as there may be.
    Full,
}

impl Census<'_> {
    /// The current generation, and how many carry it.
    #[inline]
    pub(crate) fn read(self) -> (u32, u32) {
        let word = self.0.load(Acquire);
        (word >> 24, word & COUNT)
    }

    /// One more of `generation`; answers how many there were.
    pub(crate) fn add(self, generation: u32, limit: u32) -> Result<u32, Refused> {
        let limit = limit.min(COUNT);
        let add =
            |word: u32| (word >> 24 == generation && word & COUNT < limit).then(|| word.wrapping_add(1));
        match self.0.fetch_update(AcqRel, Relaxed, add) {
            Ok(word) => Ok(word & COUNT),
            Err(word) if word >> 24 == generation => Err(Refused::Full),
            Err(_) => Err(Refused::Over),
        }
    }

    /// One fewer of `generation`, if that is the current one; answers how many there were.
    pub(crate) fn remove(self, generation: u32) -> Option<u32> {
        let remove = |word: u32| (word >> 24 == generation && word & COUNT > 0).then(|| word.wrapping_sub(1));
        self.0.fetch_update(AcqRel, Relaxed, remove).ok().map(|word| word & COUNT)
    }

    /// Begins a generation that nobody carries; answers how many carried the one before.
    pub(crate) fn begin(self, generation: u32) -> u32 {
        self.0.swap(generation << 24, AcqRel) & COUNT
    }
}

const COUNT: u32 = 0x00ff_ffff;

/// The largest generation that can be counted; 0 is none.
pub(crate) const LAST: u32 = 0xff;
