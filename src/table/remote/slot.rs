//! A remote's place in the table: its state, its two records, its account.
//!
//! The word of its state:
//!
//! ```text
//!  0                       12              20                29    32
//! +-----------------------+---------------+-----------------+-+-+-+
//! |         flips         |    learned    |   generation    |L|C|A|
//! +-----------------------+---------------+-----------------+-+-+-+
//! flips: how often the other record was made the one that holds; the lowest bit says which of the two that is
//! learned: the generation of what was learned from the remote
//! generation: that of its handles
//! L: somebody has the lock, C: it is configured, A: it is there (LIVE)
//! ```

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{
    super::{
        Error, HandleKind, Quota, RemoteId,
        bucket::Key,
        census::{Census, LAST},
        generation::Window,
        handle::{GENERATIONS, Handle},
        line::{AtomicU32, Line, Words, fence, nowhere, spin_loop},
        room,
    },
    HEADER_LEN, RECORD_WORDS, Remote, Remotes,
    raw::Fields as _,
};

impl<'t> Remotes<'t> {
    /// Locks a slot that nobody uses and that no worker can still name.
    pub(super) fn claim(&self, search: usize) -> Result<(usize, u32), Error> {
        let count = self.count as usize;
        let start = self.meta.remote_rotor().load(Relaxed) as usize;
        // Where none of the slots has to wait for anything, there is room elsewhere: the next search goes on there.
        let mut refused = Error::Busy;
        for at in 0..count.min(search) {
            let index = start.wrapping_add(at) % count;
            let Some(word) = self.states.get(index) else { break };
            let state = word.load(Acquire);
            if state & (LIVE | LOCK) != 0 {
                continue;
            }
            if let Err(pending) = self.check_nobodys(index, state) {
                refused = pending.or_before(refused);
                continue;
            }
            if word.compare_exchange(state, state | LOCK, Acquire, Relaxed).is_ok() {
                self.meta.remote_rotor().store(index.wrapping_add(1) as u32, Relaxed);
                return Ok((index, state | LOCK));
            }
        }
        // The next search goes on where this one ended.
        self.meta
            .remote_rotor()
            .store(start.wrapping_add(search.min(count)) as u32 % self.count.max(1), Relaxed);
        Err(refused)
    }

    /// Whether no worker can hold a handle of this slot, and no entry can carry the next generation.
    fn check_nobodys(&self, index: usize, state: u32) -> Result<(), Error> {
        match (self.account(index, REMOVED_EPOCH), self.account(index, REMOVED_PASSES)) {
            (Some(epoch), Some(passes)) => self.workers.check_freed(epoch, passes, generation(state) == 0),
            _ => Ok(()),
        }
    }

    /// Under the lock: the state with the next generation of what is learned, and how many entries that ends.
    pub(super) fn begin_generation(&self, index: usize, state: u32) -> Result<(u32, u32), Error> {
        let (Some(marks), Some(passes)) =
            (self.account(index, WINDOW_MARKS), self.account(index, WINDOW_PASSES))
        else {
            return Err(STALE);
        };
        let census = self.learned_at(index);
        let next = Window { marks, passes }.next(census.read().0, LAST, self.meta.passes().load(Acquire));
        let next = next.ok_or(Error::SweepPending)?;
        let flushed = census.begin(next);
        let own = self.record(index).is_some_and(|remote| remote.quota == Quota::Own);
        if flushed > 0 && own && state & CONFIGURED != 0 {
            room::uncount(self.meta.active_quotas());
        }
        Ok((with_learned(state, next), flushed))
    }

    /// Changes what does not name a remote.
    pub(super) fn change(&self, id: RemoteId, change: impl FnOnce(&mut Remote)) -> Result<(), Error> {
        let state = self.lock(id)?;
        let changed = self.change_locked(id.0.index(), state, change);
        self.set_state(id.0.index(), changed & !LOCK);
        Ok(())
    }

    /// The same under the lock; answers the state in which the change holds.
    pub(super) fn change_locked(&self, index: usize, state: u32, change: impl FnOnce(&mut Remote)) -> u32 {
        let start = self.record_start(index, state);
        let old = self.words(start).unwrap_or_default();
        let mut remote = Remote::from_words(old);
        change(&mut remote);
        let mut new = remote.to_words();
        new[0] |= old[0] & HEADER_LEN;
        let mut header = [0; 64];
        let words = self.header.div_ceil(4);
        let header = header.get_mut(..words).unwrap_or_default();
        for (at, word) in (0..words).zip(&mut *header) {
            let word_of_header = start.wrapping_add(RECORD_WORDS).wrapping_add(at);
            *word = self.records.get(word_of_header).map_or(0, |word| word.load(Relaxed));
        }
        self.write(index, state, &new, header)
    }

    pub(crate) fn learned_at(&self, index: usize) -> Census<'t> {
        Census(self.account(index, LEARNED).unwrap_or_else(|| nowhere().word(0)))
    }

    pub(super) fn key(&self, remote: &Remote) -> Key {
        Key(self.seed.fingerprint(&remote.identity()))
    }

    pub(super) fn account(&self, index: usize, word: usize) -> Option<&'t AtomicU32> {
        self.accounts.get(index.wrapping_mul(ACCOUNT_WORDS).wrapping_add(word))
    }

    pub(super) fn lock(&self, id: RemoteId) -> Result<u32, Error> {
        let word = self.states.get(id.0.index()).ok_or(STALE)?;
        for _ in 0..SPINS {
            let state = word.load(Acquire);
            if !is_alive(state, id.0) {
                return Err(STALE);
            }
            let free = state & LOCK == 0;
            if free && word.compare_exchange(state, state | LOCK, Acquire, Relaxed).is_ok() {
                return Ok(state | LOCK);
            }
            spin_loop();
        }
        Err(Error::Busy)
    }

    /// Only by who holds the lock.
    pub(super) fn set_state(&self, index: usize, state: u32) {
        self.set_names(index, state);
        if let Some(word) = self.states.get(index) {
            word.store(state, Release);
        }
    }

    /// In a new table, has the handle 0 name nobody: an empty slot of the forwarding database says that.
    pub(crate) fn found(&self) {
        self.set_names(0, 0);
    }

    /// Sets the two words that handles of a remote in this state are equal to. The name is the first to come and the
    /// last to go: see [`peek`](Self::peek).
    fn set_names(&self, index: usize, state: u32) {
        let learned = Handle::new(Handle::LEARNED, learned_generation(state), index as u32);
        let set = |handle: Handle, value: u32| {
            let word = self.names.get(handle.line()).map(|line| line.word(handle.word()));
            if let Some(word) = word.filter(|word| word.load(Relaxed) != value) {
                word.store(value, Release);
            }
        };
        if state & LIVE != 0 {
            set(name(index, state), name(index, state).0);
            set(learned, learned.0);
        } else {
            set(learned, NOBODY);
            set(name(index, state), NOBODY);
        }
    }

    /// The record that holds, under the lock.
    pub(super) fn record(&self, index: usize) -> Option<Remote> {
        let state = self.states.get(index)?.load(Relaxed);
        Some(Remote::from_words(self.words(self.record_start(index, state))?))
    }

    /// First word of the record that holds by this state.
    #[inline]
    pub(super) const fn record_start(&self, index: usize, state: u32) -> usize {
        index.wrapping_mul(2).wrapping_add((state >> FLIPS_SHIFT & 1) as usize).wrapping_mul(self.stride)
    }

    pub(super) fn words(&self, start: usize) -> Option<[u32; RECORD_WORDS]> {
        let line = self.records.0.get(start / Line::WORDS)?;
        Some(core::array::from_fn(|word| line.word(word).load(Relaxed)))
    }

    /// As many bytes of a record's header as there are and as fit; answers how many.
    pub(super) fn read_header(
        &self,
        start: usize,
        words: &[u32; RECORD_WORDS],
        header: &mut [u8],
    ) -> Option<usize> {
        let len = words.header_len().min(header.len());
        for (at, to) in (RECORD_WORDS..self.stride).zip(header.get_mut(..len)?.chunks_mut(4)) {
            let word = self.records.get(start.wrapping_add(at)).map_or(0, |word| word.load(Relaxed));
            to.iter_mut().zip(word.to_ne_bytes()).for_each(|(to, from)| *to = from);
        }
        Some(len)
    }

    /// Fills the record that does not hold, under the lock; answers the state in which it does.
    pub(super) fn write(&self, index: usize, state: u32, words: &[u32; RECORD_WORDS], header: &[u32]) -> u32 {
        let flipped = state.wrapping_add(1 << FLIPS_SHIFT);
        let start = self.record_start(index, flipped);
        // Whoever reads a word of this record also reads that the state has changed before.
        fence(Release);
        for (at, &word) in (0..self.stride).zip(words.iter().chain(header)) {
            if let Some(to) = self.records.get(start.wrapping_add(at)) {
                to.store(word, Relaxed);
            }
        }
        flipped
    }
}

#[inline]
pub(super) const fn is_alive(state: u32, handle: Handle) -> bool {
    let alive = LIVE | handle.generation() << GENERATION_SHIFT;
    (state ^ alive) & (LIVE | GENERATIONS << GENERATION_SHIFT) == 0
}

/// Whether what was read of a record is whole, by the state before and after. Writers fill the record that does not
/// hold, so only the second change of two can have torn this one.
#[inline(always)]
pub(super) const fn is_whole(before: u32, after: u32) -> bool {
    let before = before & !LOCK;
    after & !LOCK == before || after == before.wrapping_add(1 << FLIPS_SHIFT)
}

#[inline]
pub(super) const fn generation(state: u32) -> u32 {
    state >> GENERATION_SHIFT & GENERATIONS
}

/// The handle of a remote in this state.
#[inline]
pub(super) const fn name(index: usize, state: u32) -> Handle {
    Handle::new(Handle::REMOTE, generation(state), index as u32)
}

#[inline]
const fn learned_generation(state: u32) -> u32 {
    state >> LEARNED_SHIFT & LAST
}

/// A state with another generation of what is learned.
pub(super) const fn with_learned(state: u32, generation: u32) -> u32 {
    state & !(LAST << LEARNED_SHIFT) | generation << LEARNED_SHIFT
}

/// Lines of a record that holds an outer header of so many bytes.
pub(crate) const fn record_lines(header: u32) -> usize {
    Words::lines(RECORD_WORDS + header.div_ceil(4) as usize)
}

pub(super) const STALE: Error = Error::Stale(HandleKind::Remote);

// Bits of the state: see above.
pub(super) const LIVE: u32 = 1;
pub(super) const CONFIGURED: u32 = 2;
pub(super) const LOCK: u32 = 4;
pub(super) const GENERATION_SHIFT: u32 = 3;
const LEARNED_SHIFT: u32 = 12;
const FLIPS_SHIFT: u32 = 20;

/// What no handle is: zero would be that of an empty slot.
const NOBODY: u32 = 1;

/// Words of each remote that only writers need.
pub(crate) const ACCOUNT_WORDS: usize = 8;
const LEARNED: usize = 0;
const WINDOW_MARKS: usize = 1;
const WINDOW_PASSES: usize = 2;
pub(super) const REMOVED_EPOCH: usize = 3;
pub(super) const REMOVED_PASSES: usize = 4;
pub(super) const USED_PASS: usize = 5;
pub(super) const MTU_BEFORE: usize = 6;
pub(super) const MTU_LEARNED: usize = 7;

/// How often a writer tries to get a lock.
const SPINS: usize = 64;

const _: () = assert!(Line::WORDS == 16 && record_lines(88) == 2 && record_lines(152) == 3);
