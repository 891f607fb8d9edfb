//! Two-choice buckets of four: the map under every table, read without waiting.
//!
//! A bucket is one [`Line`]:
//!
//! ```text
//! byte 0        4       8           16              32              48              64
//!      +--------+-------+-----------+---------------+---------------+---------------+
//!      |control | 4 tags| 4 stamps  |   4 values    | 4 mixed words | 4 high words  |
//!      |        | of 8  | of 16     |   of 32       | of the keys   | of the keys   |
//!      +--------+-------+-----------+---------------+---------------+---------------+
//! control: version (25 bits) | overflow (6) | lock (1)
//! ```
//!
//! A value of zero is an empty slot; its cold words are zero too. A key may lie in its first bucket or, where that was
//! full, in its second; `overflow` counts those of the first that lie in their second, so most misses read one line.
//!
//! # Protocol
//!
//! Readers never write and never wait; writers hold the locks of the buckets that they change.
//!
//! - A key changes only while its value is zero, and after the version has changed: stored with Release and
//!   fenced, so that whoever reads a word of the new key also reads the new version. (A Relaxed version passes
//!   every stress test on x86 and is wrong.)
//! - Publishing, moving to another destination and deleting are one store of the value.
//! - A tag changes as a key does or, later, once a value does not need it any more; the version has changed between,
//!   for those who have read the value before. So does the stamp of an entry that is pointed elsewhere by somebody who
//!   does not know its age: what has expired must not be found with the new one.
//! - A relocated entry is copied first and cleared second, under both locks. Between the two the first bucket's
//!   control word changes: the overflow is counted or, on the way back, the version is changed once more, for those
//!   who began after the copy was announced and before it was there.
//! - A reader loads the control word, finds a key, loads its value with Acquire, compares the key again, and
//!   then the control word. A miss compares those of both buckets. Whatever has changed means: once more, and
//!   after [`RETRIES`] times [`Busy`]. So a stalled writer stops no reader, and an entry that is there during a
//!   whole call is found by it.
//! - The version wraps after 2^25 inserts into one bucket; a reader would have to stand still for as long.
//!
//! An entry is pointed elsewhere under the lock of its bucket, and added under that of its first one where it fits in
//! there; for the rest both buckets of a key are locked. Nothing of a key comes to either bucket without the lock of
//! the first one, so who holds that and does not find the key in the second, which is not locked, knows that it is not
//! there.
//!
//! Taking a lock is SeqCst: whoever then asks, by SeqCst loads, whether what an entry is to name is still there sees
//! that it is gone, or a sweep which begins with a fence after it went sees the lock.
//!
//! Locking is bounded too: a writer that does not get a lock answers [`Busy`]. What interrupts a writer may read,
//! but must not write: it could spin for a lock that its own processor holds.

mod berth;
mod held;
mod home;
mod lock;
mod relocate;
mod single;

use core::sync::atomic::Ordering::{Acquire, Relaxed};

pub(crate) use self::{
    berth::Spot,
    home::{Glimpse, Home, Look, Peek, Said},
    lock::{Added, Locked, Place},
    relocate::Dead,
    single::Single,
};
use super::{
    hash::{Places, Seed},
    line::{Line, Words, fence, spin_loop},
};

/// Inserts kept completing in the same place, or somebody holds a lock: try again later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Busy;

/// Exactly what is looked for; all bits are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Key(pub(crate) u64);

impl Key {
    /// The word of a key that is compared first: it is made of both halves, so that keys which share one half differ in
    /// it. (Hosts of one vendor share the first bytes of their addresses.)
    #[inline(always)]
    const fn mixed(self) -> u32 {
        (self.0 ^ self.0 >> 32) as u32
    }

    /// The upper half of a key; the lower one follows from this and the mixed word.
    #[inline(always)]
    const fn high(self) -> u32 {
        (self.0 >> 32) as u32
    }

    const fn of_words(mixed: u32, high: u32) -> Self {
        Self((high as u64) << 32 | (mixed ^ high) as u64)
    }
}

/// What an entry says besides its key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Content {
    /// Never zero.
    pub(crate) value: u32,
    pub(crate) tag: u8,
    pub(crate) stamp: u16,
}

/// The words that a lookup does not need, where a table has them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Cold {
    pub(crate) cookie: u32,
    pub(crate) origin: u8,
}

/// All of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Slot {
    pub(crate) key: Key,
    pub(crate) content: Content,
    pub(crate) cold: Cold,
}

/// A view of buckets and, where the table has them, cold words; `Copy`, so that one serves every call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Map<'t> {
    buckets: &'t [Line],
    cold: Words<'t>,
    seed: Seed,
}

impl<'t> Map<'t> {
    /// Buckets for a table that promises `entries`: three quarters full then, where relocation never fails in
    /// practice; small tables, in which chance is larger, get some more.
    pub(crate) const fn buckets(entries: usize) -> usize {
        // As many as two buckets hold always fit, also where all have the same two. Of more, nine may have the same two
        // buckets, and one of those is refused: with four buckets more that is a chance of 10^-9.
        match entries {
            0 => 0,
            1..=3 => 2,
            4..=ALWAYS_FIT => entries.div_ceil(2),
            _ => entries.div_ceil(3).saturating_add(4),
        }
    }

    /// The same for a table that is looked up in for every packet: five eighths full. One entry in twelve is not in its
    /// first bucket then, and not one in eight; and fewer misses look for it in the second.
    pub(crate) const fn roomy(entries: usize) -> usize {
        let (least, roomy) = (Self::buckets(entries), entries.saturating_mul(2) / 5);
        if roomy > least { roomy } else { least }
    }

    /// Lines of cold words for so many buckets.
    pub(crate) const fn cold_lines(buckets: usize) -> usize {
        Words::lines(buckets.saturating_mul(COLD_WORDS))
    }

    pub(crate) const fn new(buckets: &'t [Line], cold: &'t [Line], seed: Seed) -> Self {
        Self { buckets, cold: Words(cold), seed }
    }

    pub(crate) const fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Numbers of the two buckets of `key`; they differ where there are two.
    #[inline]
    fn places(&self, key: Key) -> (usize, usize) {
        let places = self.seed.places(key.0);
        let first = places.first(self.buckets.len());
        (first, self.second(places, first))
    }

    #[inline]
    const fn second(&self, places: Places, first: usize) -> usize {
        let count = self.buckets.len();
        let second = places.second(count);
        let next = if second.wrapping_add(1) < count { second.wrapping_add(1) } else { 0 };
        if first != second { second } else { next }
    }

    /// Where to look for `key` first; `None` in a table without buckets.
    #[inline(always)]
    pub(crate) fn home(&self, key: Key) -> Option<Home<'t>> {
        self.buckets.get(self.seed.places(key.0).first(self.buckets.len())).map(Home)
    }

    /// Where to look for `key` then.
    #[inline]
    pub(crate) fn away(&self, key: Key) -> Option<Home<'t>> {
        self.buckets.get(self.places(key).1).map(Home)
    }

    /// The entry of `key` among those that are `live` by value and tag.
    #[inline]
    pub(crate) fn find(&self, key: Key, live: impl Fn(u32, u8) -> bool) -> Result<Option<Content>, Busy> {
        let Some(home) = self.home(key) else { return Ok(None) };
        let is_live = |content: &Content| content.value != 0 && live(content.value, content.tag);
        match home.look(key) {
            Look::Here(content) if is_live(&content) => Ok(Some(content)),
            Look::NotHere(control) if home.is_all(control) => Ok(None),
            Look::NotHere(control) => {
                let Some(away) = self.away(key) else { return Ok(None) };
                match away.look(key) {
                    Look::Here(content) if is_live(&content) => Ok(Some(content)),
                    Look::NotHere(second) if home.is_unchanged(control) && away.is_unchanged(second) => {
                        Ok(None)
                    }
                    _ => self.find_anywhere(key, live),
                }
            }
            _ => self.find_anywhere(key, live),
        }
    }

    /// The same, by a look at all slots of both buckets, and by another one where something has changed meanwhile:
    /// [`RETRIES`] at most.
    #[inline(never)]
    pub(crate) fn find_anywhere(
        &self,
        key: Key,
        live: impl Fn(u32, u8) -> bool,
    ) -> Result<Option<Content>, Busy> {
        let (first, second) = self.places(key);
        let (Some(first), Some(second)) = (self.buckets.get(first), self.buckets.get(second)) else {
            return Ok(None);
        };
        for _ in 0..RETRIES {
            let (control, hit) = scan(first, key, &live);
            if hit.is_some() || control & OVERFLOW == 0 {
                if unchanged(first, control) {
                    return Ok(hit);
                }
                continue;
            }
            let (control_of_second, hit) = scan(second, key, &live);
            if hit.is_some() {
                if unchanged(second, control_of_second) {
                    return Ok(hit);
                }
            } else if unchanged(first, control) && unchanged(second, control_of_second) {
                return Ok(None);
            }
        }
        Err(Busy)
    }

    /// All that is in a bucket, cold words too: for dumps and sweeps. [`Busy`] where a writer holds it all the time:
    /// something may be on its way into it.
    pub(crate) fn bucket(&self, index: usize) -> Result<[Option<Slot>; SLOTS], Busy> {
        let Some(line) = self.buckets.get(index) else { return Ok([None; SLOTS]) };
        for _ in 0..RETRIES {
            let control = line.word(CONTROL).load(Acquire);
            let slots = core::array::from_fn(|slot| self.slot(line, index, slot));
            if control & LOCK == 0 && unchanged(line, control) {
                return Ok(slots);
            }
            spin_loop();
        }
        Err(Busy)
    }

    /// A slot as it is now; consistent under the lock, or where the control word is compared after.
    fn slot(&self, line: &Line, bucket: usize, slot: usize) -> Option<Slot> {
        let content = content(line, slot);
        (content.value != 0).then(|| Slot { key: key_of(line, slot), content, cold: self.cold(bucket, slot) })
    }

    /// All of the entry of `key` that says `value`; `None` where it says something else by now.
    pub(crate) fn slot_of(&self, key: Key, value: u32) -> Option<Slot> {
        let (first, second) = self.places(key);
        [first, second].into_iter().find_map(|index| {
            let slots = self.bucket(index).ok()?;
            slots.into_iter().flatten().find(|slot| slot.key == key && slot.content.value == value)
        })
    }

    fn cold(&self, bucket: usize, slot: usize) -> Cold {
        let word = |index: usize| {
            let index = bucket.wrapping_mul(COLD_WORDS).wrapping_add(index);
            self.cold.get(index).map_or(0, |word| word.load(Relaxed))
        };
        Cold { cookie: word(slot), origin: byte(word(4), slot) }
    }

    /// Only under the bucket's lock.
    fn set_cold(&self, bucket: usize, slot: usize, cold: Cold) {
        let first = bucket.wrapping_mul(COLD_WORDS);
        // A word that is right already is not written: most are zero and stay so, and their lines need not be fetched
        // for writing.
        let set = |index: usize, change: &dyn Fn(u32) -> u32| {
            let Some(word) = self.cold.get(first.wrapping_add(index)) else { return };
            let old = word.load(Relaxed);
            let new = change(old);
            if new != old {
                word.store(new, Relaxed);
            }
        };
        set(slot, &|_| cold.cookie);
        set(4, &|word| with_byte(word, slot, cold.origin));
    }
}

/// The control word before, and what was found.
#[inline]
fn scan(line: &Line, key: Key, live: impl Fn(u32, u8) -> bool) -> (u32, Option<Content>) {
    let control = line.word(CONTROL).load(Acquire);
    let mut candidates = 0u32;
    for slot in 0..SLOTS {
        candidates |= u32::from(line.word(MIXED | (slot % SLOTS)).load(Relaxed) == key.mixed()) << slot;
    }
    while candidates != 0 {
        let slot = candidates.trailing_zeros() as usize;
        candidates &= candidates.wrapping_sub(1);
        let content = content(line, slot);
        if content.value != 0 && key_of(line, slot) == key && live(content.value, content.tag) {
            return (control, Some(content));
        }
    }
    (control, None)
}

/// Whether no insert and no relocation has begun since `control` was loaded.
#[inline]
fn unchanged(line: &Line, control: u32) -> bool {
    fence(Acquire);
    (line.word(CONTROL).load(Relaxed) ^ control) & !LOCK == 0
}

/// What a slot says. A key that is read after this belongs to it, or came later: then the version has changed.
#[inline]
fn content(line: &Line, slot: usize) -> Content {
    let value = line.word(VALUES | (slot % SLOTS)).load(Acquire);
    Content { value, tag: tag(line, slot), stamp: stamp(line, slot) }
}

#[inline]
fn key_of(line: &Line, slot: usize) -> Key {
    let word = |words| line.word(words | (slot % SLOTS)).load(Relaxed);
    Key::of_words(word(MIXED), word(HIGHS))
}

#[inline]
fn tag(line: &Line, slot: usize) -> u8 {
    byte(line.word(TAGS).load(Relaxed), slot)
}

#[inline]
fn stamp(line: &Line, slot: usize) -> u16 {
    (line.word(STAMPS | (slot % SLOTS / 2)).load(Relaxed) >> (slot % 2 * 16)) as u16
}

const fn byte(word: u32, index: usize) -> u8 {
    (word >> (index % 4 * 8)) as u8
}

// Masks from memory: to shift by a number of bits that is not known beforehand takes more steps.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "the index is in bounds by its mask")]
const fn with_byte(word: u32, index: usize, byte: u8) -> u32 {
    const MASKS: [u32; 4] = [0xff, 0xff00, 0xff_0000, 0xff00_0000];
    word ^ (word ^ (byte as u32).wrapping_mul(0x0101_0101)) & MASKS[index % 4]
}

#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "the index is in bounds by its mask")]
const fn with_half(word: u32, index: usize, half: u16) -> u32 {
    const MASKS: [u32; 2] = [0xffff, 0xffff_0000];
    word ^ (word ^ (half as u32).wrapping_mul(0x1_0001)) & MASKS[index % 2]
}

/// Entries of a bucket.
pub(crate) const SLOTS: usize = 4;

/// So many entries always fit: those of two buckets.
const ALWAYS_FIT: usize = 2 * SLOTS;

/// Cold words of a bucket: a cookie each, four origins.
const COLD_WORDS: usize = 5;

// Words of a bucket.
const CONTROL: usize = 0;
const TAGS: usize = 1;
const STAMPS: usize = 2;
const VALUES: usize = 4;
const MIXED: usize = 8;
const HIGHS: usize = 12;

// Bits of the control word.
const LOCK: u32 = 1;
const OVERFLOW: u32 = 0x7e;

/// How often a reader looks again before it answers [`Busy`].
const RETRIES: usize = 8;

#[cfg(test)]
mod tests;
