//! How many entries carry the current generation: a count that starts again with each generation.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};

use super::line::AtomicU32;

/// A generation and the number of entries that carry it, in one word. An entry is refused where there are as many as 24
/// bits can count, whatever the limit.
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

    /// How many there are, for who has counted something else by a SeqCst update before: of two who count and then ask
    /// for what the other one counts, the later one sees the other.
    #[inline]
    pub(crate) fn count(self) -> u32 {
        self.0.load(SeqCst) & COUNT
    }

    /// What is there now, for [`add_to`](Self::add_to).
    #[inline]
    pub(crate) fn peek(self) -> Seen {
        Seen(self.0.load(Acquire))
    }

    /// One more of `generation` to what was seen, or else to what is there; answers how many there were.
    #[inline]
    pub(crate) fn add_to(self, seen: Seen, generation: u32, limit: u32) -> Result<u32, Refused> {
        let fits = seen.generation() == generation && seen.count() < limit.min(COUNT);
        let more = seen.0.wrapping_add(1);
        if fits && self.0.compare_exchange(seen.0, more, SeqCst, Relaxed).is_ok() {
            return Ok(seen.count());
        }
        self.add(generation, limit)
    }

    /// One more of `generation`; answers how many there were.
    pub(crate) fn add(self, generation: u32, limit: u32) -> Result<u32, Refused> {
        let limit = limit.min(COUNT);
        let add =
            |word: u32| (word >> 24 == generation && word & COUNT < limit).then(|| word.wrapping_add(1));
        // Also asks whether the generation is still the current one, under the lock of where the entry goes: see
        // `Domain::is_still`.
        match self.0.fetch_update(SeqCst, Relaxed, add) {
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

/// A census as it was at some time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen(u32);

impl Seen {
    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        self.0 >> 24
    }

    #[inline]
    pub(crate) const fn count(self) -> u32 {
        self.0 & COUNT
    }
}

const COUNT: u32 = 0x00ff_ffff;

/// The largest generation that can be counted; 0 is none.
pub(crate) const LAST: u32 = 0xff;
