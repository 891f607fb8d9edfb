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
    /// Where nothing is.
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
        // Also where somebody only took or gave back the lock: that is seldom, and told apart with less haste.
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

    /// The same for one lookup alone, with branches that are foretold right: what the slot says of the key, or whether
    /// the key is nowhere.
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

    /// The words of tags and stamps, for the slot of which is said.
    #[inline(always)]
    fn said(self, slot: usize) -> Said {
        let stamps = self.0.word(STAMPS | (slot / 2 % 2)).load(Relaxed);
        Said { tags: self.0.word(TAGS).load(Relaxed), stamps, slot }
    }

    /// The control word, and the only slot that has the key's mixed word, nearly always: where several have it this may
    /// be another one, but not the first. Without a branch, because nobody can predict which one that is.
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

    /// Whether `key` is neither here, its first bucket, nor in its second; by one look, which may miss that.
    #[inline(always)]
    pub(crate) fn lacks(self, second: Self, key: Key) -> bool {
        let controls = [self, second].map(|bucket| bucket.0.word(CONTROL).load(Acquire));
        let has = |bucket: Self| (0..SLOTS).any(|slot| bucket.key(slot).0 == key.mixed());
        // Whatever has the first half of the key is not looked at any closer.
        if has(self) || (controls[0] & OVERFLOW != 0 && has(second)) {
            return false;
        }
        fence(Acquire);
        (self.0.word(CONTROL).load(Relaxed), second.0.word(CONTROL).load(Relaxed)) == controls.into()
    }

    /// Whether nothing that belongs here can be anywhere else, by the control word of before, which still holds.
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
    /// Something moved, or has the key's mixed word and is another one, maybe with it behind.
    Unsure,
}

/// What one look at a key's first bucket tells, mostly.
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

/// What one look at a bucket tells, all at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peek {
    /// What the slot says of the key, be that empty.
    pub(crate) value: u32,
    pub(crate) stamp: u16,
    /// Zero if that is so.
    pub(crate) differs: u32,
    mixed: u32,
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

/// For each slot: its tag in their word, where it does not count and where it does, and what moves its stamp to the
/// upper half of their word.
const OF_SLOTS: [u32; 3 * SLOTS] = [0, 0, 0, 0, 0xff, 0xff00, 0xff_0000, 0xff00_0000, 1 << 16, 1, 1 << 16, 1];
