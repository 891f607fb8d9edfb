//! Remotes that go: somebody removes them, or nobody configured them and nothing names them any more.
//!
//! A sweep comes by all that names remotes before it comes by those, and notes at each that it finds which sweep this
//! is, over the number of an earlier one. Whoever has something new name a remote that nobody configured [notes
//! that](Remotes::begin_use) as well, under the lock of the place where it goes:
//!
//! - If the sweep comes by that place later, it finds it locked, and then removes no remote at all; or it finds what is
//!   there by then, which names the remote.
//! - If it came by before, the number that is noted here is this sweep's: its number is read SeqCst after the lock was
//!   taken SeqCst, and the sweep begins with a fence. The note is made under the remote's own lock, under which the
//!   sweep looks at it again before it removes: either it finds the note, or who would make it finds the remote gone.

use core::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};

use super::{
    super::{
        Error, RemoteId,
        handle::{GENERATIONS, Handle},
    },
    Remotes,
    slot::{
        CONFIGURED, GENERATION_SHIFT, LIVE, LOCK, REMOVED_EPOCH, REMOVED_PASSES, STALE, USED_PASS,
        generation, is_alive, name,
    },
};

impl Remotes<'_> {
    /// Removes a remote: entries and members that name it are as if they were not there. Its room is used again
    /// when every registered worker has passed a quiescent point. A frame that a VTEP's worker is sending there just
    /// then is dropped (`NoRemote`), also where its next-hop group has other members. That is least likely if the
    /// remote is first taken out of groups and lists ([`Lists::delete`](super::super::Lists::delete)) and out of
    /// entries, and removed once every registered worker has begun another burst: once
    /// [`has_passed`](super::super::Tables::has_passed) says so of an epoch that
    /// [`began`](super::super::Tables::begin_epoch) in between.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Busy`], or [`Error::SweepPending`] where too much was flushed since the last
    /// sweep.
    pub fn remove(&self, id: RemoteId) -> Result<(), Error> {
        self.remove_if(id, |_| true)
    }

    /// The same where it `goes` by its state, asked under its lock; otherwise [`Error::Busy`].
    fn remove_if(&self, id: RemoteId, goes: impl Fn(u32) -> bool) -> Result<(), Error> {
        let remote = self.get(id).ok_or(STALE)?;
        let mut index_of = self.map.lock(self.key(&remote))?;
        let state = self.lock(id)?;
        let index = id.0.index();
        let begun = if goes(state) { self.begin_generation(index, state) } else { Err(Error::Busy) };
        let state = match begun {
            Ok((state, _)) => state,
            Err(error) => {
                self.set_state(index, state & !LOCK);
                return Err(error);
            }
        };
        if let Some((place, _)) =
            index_of.find(self.key(&remote)).filter(|(_, slot)| slot.content.value == id.0.0)
        {
            index_of.remove(place);
        }
        let next = generation(state).wrapping_add(1) & GENERATIONS;
        let removed = state & !(LIVE | GENERATIONS << GENERATION_SHIFT) | next << GENERATION_SHIFT;
        // Withdrawn first: who reads the epoch that begins now does not find it any more.
        self.set_state(index, removed);
        if let (Some(epoch), Some(passes)) =
            (self.account(index, REMOVED_EPOCH), self.account(index, REMOVED_PASSES))
        {
            self.workers.note_freed(epoch, passes);
        }
        self.set_state(index, removed & !LOCK);
        drop(index_of);
        self.count_out(state);
        self.meta.note_deaths();
        self.stand_down(index, &remote);
        Ok(())
    }

    /// Removes a remote that was not configured if nothing names it any more; for the sweep.
    pub(crate) fn remove_unused(&self, index: usize) {
        let Some(state) = self.states.get(index).map(|state| state.load(Acquire)) else { return };
        let is_unused = |state: u32| {
            let used = self.account(index, USED_PASS).map_or(0, |pass| pass.load(Relaxed));
            state & (LIVE | CONFIGURED) == LIVE
                && used != self.meta.passes().load(Relaxed)
                && self.learned_at(index).read().1 == 0
        };
        if is_unused(state) {
            // Asked again under the lock. What is learned from it just then goes with it; somebody at work here leaves
            // it for next time.
            let _ = self.remove_if(RemoteId(name(index, state)), is_unused);
        }
    }

    /// Notes that something which was not learned names a remote, or soon will, so that this sweep leaves it: for the
    /// sweep, for those who move what it has not come by yet, and for new remotes.
    pub(crate) fn note_use(&self, handle: Handle) {
        // One that nobody configured was counted before anybody could find it.
        if self.meta.unconfigured().load(Relaxed) > 0 {
            self.note_pass(handle.index());
        }
    }

    /// The same under the lock of where something comes that names the remote: a list, a multicast group or an entry,
    /// also one whose host moves there. [`Error::Stale`] where it was removed, [`Error::Busy`]. For who holds the lock
    /// of a bucket it also asks what [`is_still`](Self::is_still) does.
    #[inline(always)]
    pub(crate) fn begin_use(&self, id: RemoteId) -> Result<(), Error> {
        let state = self.states.get(id.0.index()).map_or(0, |state| state.load(SeqCst));
        if is_alive(state, id.0) && state & CONFIGURED != 0 { Ok(()) } else { self.begin_use_locked(id) }
    }

    #[inline(never)]
    fn begin_use_locked(&self, id: RemoteId) -> Result<(), Error> {
        let (index, state) = (id.0.index(), self.lock(id)?);
        self.note_pass(index);
        self.set_state(index, state & !LOCK);
        Ok(())
    }

    /// Never over the number of a later sweep, which may begin between the two.
    fn note_pass(&self, index: usize) {
        let now = self.meta.passes().load(SeqCst);
        if let Some(pass) = self.account(index, USED_PASS) {
            let is_later = |noted: u32| (now.wrapping_sub(noted) as i32) > 0;
            // Not noted: a later one is.
            let _ = pass.fetch_update(Relaxed, Relaxed, |noted| is_later(noted).then_some(now));
        }
    }
}
