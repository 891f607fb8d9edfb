//! One look at a bucket, without a lock and without looking again.

use core::sync::atomic::Ordering::{Acquire, Relaxed};

use super::{
    super::line::{Line, empty, fence},
    CONTROL, Content, HIGHS, Key, MIXED, OVERFLOW, SLOTS, content, unchanged,
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
    /// Loads a word of the bucket: the processor fetches the line while others are asked for.
    #[inline]
    pub(crate) fn touch(self) -> u32 {
        self.0.word(CONTROL).load(Relaxed)
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
        let content = content(self.0, slot);
        let (mixed, high) = self.key(slot);
        fence(Acquire);
        let changed = self.0.word(CONTROL).load(Relaxed) ^ control;
        let differs = changed | mixed ^ key.mixed() | high ^ key.high();
        // One comparison: two would be two branches, one of which nobody can predict.
        let not_all = u64::from(changed | control & OVERFLOW | slot as u32) << 32;
        let all = (not_all | u64::from(mixed ^ key.mixed())).wrapping_sub(1) < 0xffff_ffff;
        Peek { content, differs, all }
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

/// What one look at a bucket tells, all at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peek {
    /// What the slot says of the key, be that empty.
    pub(crate) content: Content,
    /// Zero if that is so.
    pub(crate) differs: u32,
    /// It is nowhere.
    pub(crate) all: bool,
}
