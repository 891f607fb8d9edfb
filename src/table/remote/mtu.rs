//! The MTU of the way to a remote: what was set, and for a time what ICMP errors told (RFC 1191, section 6.3; RFC 8201,
//! section 5.3).
//!
//! The record says the MTU that holds, and packets look at nothing else. If that was learned, two words of the remote's
//! account say what held before, and since when; they change under the remote's lock, together with the record.

use core::sync::atomic::Ordering::Relaxed;

use super::{
    super::{Ageing, Error, RemoteId, clock::SWEEPS, line::AtomicU32},
    Remotes,
    slot::{LOCK, MTU_BEFORE, MTU_LEARNED, name},
};
use crate::time::{Instant, micros};

impl Remotes<'_> {
    /// Sets the MTU of the way there, in bytes of outer IP packet; 0 for that of the underlay. What was learned is
    /// forgotten.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Busy`].
    pub fn set_mtu(&self, id: RemoteId, mtu: u16) -> Result<(), Error> {
        let (index, state) = (id.0.index(), self.lock(id)?);
        self.forget_learned_mtu(index);
        let changed = self.change_locked(index, state, |remote| remote.mtu = mtu);
        self.set_state(index, changed & !LOCK);
        Ok(())
    }

    /// Has an MTU hold that the underlay told, in bytes of outer IP packet, for as long as
    /// [`Settings::mtu_expires`](super::super::Settings::mtu_expires) says; then what was set does again, with the next
    /// sweep. Answers whether it does: only if it is less than what holds now, or the same and was learned before,
    /// whose time begins anew.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Busy`].
    pub fn learn_mtu(&self, now: Instant, id: RemoteId, mtu: u16) -> Result<bool, Error> {
        let (index, state) = (id.0.index(), self.lock(id)?);
        let holds = self.record(index).map_or(0, |remote| remote.mtu);
        let before = self.mtu_before(index);
        let is_less = |holds: u16| holds == 0 || mtu < holds;
        let taken = match before {
            // What is too old counts no more, whether or not the sweep has come by.
            Some(before) if self.is_mtu_old(now, index) => is_less(before),
            Some(_) => mtu <= holds,
            None => is_less(holds),
        };
        let taken = taken && mtu != 0;
        let mut left = state;
        if taken {
            self.set_mtu_word(index, MTU_BEFORE, LEARNED | u32::from(before.unwrap_or(holds)));
            self.set_mtu_word(index, MTU_LEARNED, tick(now));
            left = self.change_locked(index, state, |remote| remote.mtu = mtu);
        }
        self.set_state(index, left & !LOCK);
        Ok(taken)
    }

    /// Has what was set hold again where the MTU was learned too long ago; for the sweep. Answers of which remote, and
    /// what that is. Somebody else at work on the remote leaves it for next time.
    pub(crate) fn expire_mtu(&self, now: Instant, index: usize) -> Option<(RemoteId, u16)> {
        self.mtu_before(index).filter(|_| self.is_mtu_old(now, index))?;
        let id = RemoteId(name(index, self.states.get(index)?.load(Relaxed)));
        let state = self.lock(id).ok()?;
        // Learned anew, set, or another remote's by now: only under the lock is it known.
        let before = self.mtu_before(index).filter(|_| self.is_mtu_old(now, index));
        let mut left = state;
        if let Some(before) = before {
            self.forget_learned_mtu(index);
            left = self.change_locked(index, state, |remote| remote.mtu = before);
        }
        self.set_state(index, left & !LOCK);
        before.map(|before| (id, before))
    }

    /// Under the lock: nothing was learned.
    pub(super) fn forget_learned_mtu(&self, index: usize) {
        self.set_mtu_word(index, MTU_BEFORE, 0);
    }

    /// What was set, where something else was learned.
    fn mtu_before(&self, index: usize) -> Option<u16> {
        let before = self.account(index, MTU_BEFORE)?.load(Relaxed);
        (before & LEARNED != 0).then_some(before as u16)
    }

    fn is_mtu_old(&self, now: Instant, index: usize) -> bool {
        let age = tick(now).wrapping_sub(self.account(index, MTU_LEARNED).map_or(0, load));
        // A larger one is of a clock that was ahead.
        (load(self.meta.mtu_limit())..=LONGEST).contains(&age)
    }

    fn set_mtu_word(&self, index: usize, word: usize, value: u32) {
        if let Some(word) = self.account(index, word) {
            word.store(value, Relaxed);
        }
    }
}

fn load(word: &AtomicU32) -> u32 {
    word.load(Relaxed)
}

const fn tick(now: Instant) -> u32 {
    (now.as_micros() >> SHIFT) as u32
}

/// Whole ticks that are not shorter than `ageing`; more than [`LONGEST`] for ever.
pub(crate) fn ticks(ageing: Ageing) -> u32 {
    let ticks = match ageing {
        Ageing::After(duration) => micros(duration).div_ceil(1 << SHIFT).saturating_add(1),
        Ageing::Never => u64::MAX,
    };
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// Microseconds to wait from one sweep to the next, as far as what was learned is concerned.
pub(crate) fn sweep_period(ageing: Ageing) -> u64 {
    match ticks(ageing) {
        ticks @ ..=LONGEST => u64::from(ticks / u32::from(SWEEPS)).max(1) << SHIFT,
        _ => u64::MAX,
    }
}

/// A tick is 66 ms, so that half of those that 32 bits can tell apart last for four years.
const SHIFT: u32 = 16;
const LONGEST: u32 = u32::MAX / 2;

/// Marks what held before as something that holds again; 16 bits of MTU.
const LEARNED: u32 = 1 << 16;
