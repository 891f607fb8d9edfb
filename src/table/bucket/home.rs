//! One look at a bucket, without a lock and without looking again.

use core::sync::atomic::Ordering::{Acquire, Relaxed};

use super::{
    super::line::{Line, empty, fence},
    CONTROL, Content, HIGHS, Key, MIXED, OVERFLOW, SLOTS, STAMPS, TAGS, VALUES, content, stamp, unchanged,
};

/// Where a key most likely is: its first bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home<'t>(pub(super) &'t Line);

impl Home<'static> {
    /// A bucket with nothing in it.
    pub(crate) fn empty() -> Self {
        Self(empty())
    }
}

impl Home<'_> {
    /// Asks for the bucket: see [`Line::touch`].
    #[inline(always)]
    pub(crate) fn touch(self) -> u32 {
        self.0.touch()
    }

    /// One look at this bucket alone, and at only one slot.
    #[inline(always)]
    pub(crate) fn look(self, key: Key) -> Look {
        let (control, slot) = self.slot(key);
        let content = content(self.0, slot);
        let (mixed, high) = self.key(slot);
        if mixed != key.mixed() {
            return if slot == 0 { Look::NotHere(control) } else { Look::Unsure };
        }
        fence(Acquire);
        // Unsure also where somebody only took the lock or gave it back: that is seldom, and who is unsure looks
        // closely.
        let unchanged = self.0.word(CONTROL).load(Relaxed) == control;
        if unchanged && high == key.high() { Look::Here(content) } else { Look::Unsure }
    }

    /// The same without a branch.
    #[inline(always)]
    pub(crate) fn peek(self, key: Key) -> Peek {
        let (control, slot) = self.slot(key);
        let value = self.0.word(VALUES | (slot % SLOTS)).load(Acquire);
        let (tags, stamp) = (self.0.word(TAGS).load(Relaxed), stamp(self.0, slot));
        let (mixed, high) = self.key(slot);
        fence(Acquire);
        let changed = self.0.word(CONTROL).load(Relaxed) ^ control;
        let differs = changed | mixed ^ key.mixed() | high ^ key.high();
        let not_all = u64::from(changed | control & OVERFLOW | slot as u32);
        Peek { value, stamp, differs, mixed: mixed ^ key.mixed(), not_all, tags, slot }
    }

    /// The same for one lookup alone: what the slot says of the key, or whether the key is nowhere. With branches, most
    /// of which the processor foretells right.
    #[inline(always)]
    pub(crate) fn glimpse(self, key: Key) -> Glimpse {
        let (control, slot) = self.slot(key);
        let value = self.0.word(VALUES | (slot % SLOTS)).load(Acquire);
        let said = self.said(slot);
        let (mixed, high) = self.key(slot);
        fence(Acquire);
        let unchanged = self.0.word(CONTROL).load(Relaxed) == control;
        if mixed == key.mixed() {
            if unchanged && high == key.high() { Glimpse::Here(value, said) } else { Glimpse::Unsure }
        } else if slot == 0 && control & OVERFLOW == 0 && unchanged {
            Glimpse::Nowhere
        } else {
            Glimpse::Unsure
        }
    }

    /// The words that have the tag and the stamp of a slot.
    #[inline(always)]
    fn said(self, slot: usize) -> Said {
        let stamps = self.0.word(STAMPS | (slot / 2 % 2)).load(Relaxed);
        Said { tags: self.0.word(TAGS).load(Relaxed), stamps, slot }
    }

    /// The control word, and the slot that has the key's mixed word; 0 also where none has it. Seldom several have it:
    /// then this may be any slot but 0. Without a branch, because nobody can predict which slot it is.
    #[inline(always)]
    fn slot(self, key: Key) -> (u32, usize) {
        let control = self.0.word(CONTROL).load(Acquire);
        let is = |slot: usize| usize::from(self.0.word(MIXED | (slot % SLOTS)).load(Relaxed) == key.mixed());
        (control, is(1) | (is(2) << 1) | (is(3) * 3))
    }

    /// The words of the key of a slot.
    #[inline(always)]
    fn key(self, slot: usize) -> (u32, u32) {
        let word = |words| self.0.word(words | (slot % SLOTS)).load(Relaxed);
        (word(MIXED), word(HIGHS))
    }

    /// Whether anything that belongs here may be elsewhere.
    #[inline(always)]
    pub(crate) fn overflows(self) -> bool {
        self.0.word(CONTROL).load(Relaxed) & OVERFLOW != 0
    }

    /// Whether `key` is neither here, its first bucket, nor in its second. One look, which says no where it is not
    /// sure.
    #[inline(always)]
    pub(crate) fn lacks(self, second: Self, key: Key) -> bool {
        let controls = [self, second].map(|bucket| bucket.0.word(CONTROL).load(Acquire));
        let has = |bucket: Self| (0..SLOTS).any(|slot| bucket.key(slot).0 == key.mixed());
        // A slot with the key's mixed word may have the key: it is not looked at any closer.
        if has(self) || (controls[0] & OVERFLOW != 0 && has(second)) {
            return false;
        }
        fence(Acquire);
        (self.0.word(CONTROL).load(Relaxed), second.0.word(CONTROL).load(Relaxed)) == controls.into()
    }

    /// Whether all that belongs here is here, and nothing has changed since the control word was loaded.
    #[inline(always)]
    pub(crate) fn is_all(self, control: u32) -> bool {
        fence(Acquire);
        control & OVERFLOW == 0 && self.0.word(CONTROL).load(Relaxed) == control
    }

    /// Whether nothing was put here and nothing moved since the control word was loaded.
    #[inline]
    pub(crate) fn is_unchanged(self, control: u32) -> bool {
        unchanged(self.0, control)
    }
}

/// What one look at a bucket tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    /// What its slot says, be that empty.
    Here(Content),
    /// It is not here, if the control word was this one and still is.
    NotHere(u32),
    /// Something has changed meanwhile; or the slot has another key with the same mixed word, and there may be one
    /// more.
    Unsure,
}

/// What one look at a key's first bucket tells; at its second, only `Here` means something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Glimpse {
    /// What its slot says, be that empty.
    Here(u32, Said),
    /// It is neither here nor in its second bucket.
    Nowhere,
    /// Anything else.
    Unsure,
}

/// What is said of an entry besides its value, as it lies in the bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    tags: u32,
    stamps: u32,
    slot: usize,
}

impl Said {
    /// The stamp in the upper half; in the lower one may be anything.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "the index is in bounds by its mask")]
    pub(crate) fn stamp(&self) -> u32 {
        // A product, since to shift by a number of bits that is not known beforehand takes more steps.
        self.stamps.wrapping_mul(OF_SLOTS[(self.slot % SLOTS) | (2 * SLOTS)])
    }

    /// Zero if the slot has this tag, given four times over, or its tag does not count.
    #[inline(always)]
    pub(crate) fn other_tag(&self, tag: u32, counts: bool) -> u32 {
        other_tag(self.tags, self.slot, tag, counts)
    }
}

/// What one look at a bucket tells, as numbers that can be compared all together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peek {
    /// What the slot says of the key, be that empty.
    pub(crate) value: u32,
    pub(crate) stamp: u16,
    /// Zero if the slot has the key and nothing has changed meanwhile.
    pub(crate) differs: u32,
    /// Zero if the slot has the key's mixed word.
    mixed: u32,
    /// Zero if nothing has changed meanwhile, all that belongs into the bucket is there, and the slot is 0.
    not_all: u64,
    tags: u32,
    slot: usize,
}

impl Peek {
    /// Whether the key is nowhere. One comparison: two would be two branches, one of which nobody can predict.
    #[inline(always)]
    pub(crate) fn is_nowhere(&self) -> bool {
        self.not_all.wrapping_add(u64::from(self.mixed == 0)) == 0
    }

    /// Zero if the slot has this tag, given four times over, or its tag does not count.
    #[inline(always)]
    pub(crate) fn other_tag(&self, tag: u32, counts: bool) -> u32 {
        other_tag(self.tags, self.slot, tag, counts)
    }
}

/// Zero if a slot has this tag among those of all, or its tag does not count.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "the index is in bounds by its masks")]
const fn other_tag(tags: u32, slot: usize, tag: u32, counts: bool) -> u32 {
    // A mask from memory: to shift the tag to where it can be compared takes four steps more.
    (tags ^ tag) & OF_SLOTS[(slot % SLOTS) | (counts as usize * SLOTS)]
}

/// Three times a number for each slot: a mask of nothing, for a tag that does not count; the mask of its tag in the
/// word of tags; what its word of stamps is multiplied by to have its stamp in the upper half.
const OF_SLOTS: [u32; 3 * SLOTS] = [0, 0, 0, 0, 0xff, 0xff00, 0xff_0000, 0xff00_0000, 1 << 16, 1, 1 << 16, 1];
