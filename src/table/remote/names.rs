//! Whether a handle still names a remote, without a look at the state and the records of that.

use core::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};

use super::{
    super::{RemoteId, handle::Handle},
    Remotes,
};

impl Remotes<'_> {
    /// What a value word of the forwarding database names, if that is a remote and still there.
    #[inline]
    pub(crate) fn resolve(&self, handle: Handle) -> Option<RemoteId> {
        let (remote, gone) = self.peek(handle);
        if gone == 0 { Some(remote) } else { None }
    }

    /// The same without a branch: zero if the handle holds.
    #[inline(always)]
    pub(crate) fn peek(&self, handle: Handle) -> (RemoteId, u32) {
        let Some(line) = self.names.get(handle.line()) else { return nowhere(handle) };
        // The name first: it comes before the learned handle and goes after it. So where that holds, the name that was
        // read is of the same remote.
        let name = line.word(handle.word() & !1).load(Acquire);
        (RemoteId(Handle(name)), line.word(handle.word()).load(Relaxed) ^ handle.0)
    }

    /// What a learned entry says to name this remote, if that is still there.
    #[inline]
    pub(crate) fn learned_handle(&self, id: RemoteId) -> Option<Handle> {
        self.learned_word(id).map(Handle).filter(|handle| handle.is_learned())
    }

    /// The same; while the remote is going it may be what no entry says. (While it comes, nobody knows its name yet.)
    #[inline(always)]
    pub(crate) fn learned_word(&self, id: RemoteId) -> Option<u32> {
        let line = self.names.get(id.0.line())?;
        // Here the name comes second: it goes last, so where it still holds, the learned handle was the remote's.
        let learned = line.word(id.0.word() | 1).load(Acquire);
        (line.word(id.0.word()).load(Relaxed) == id.0.0).then_some(learned)
    }

    /// Whether a handle holds, asked under the lock of a bucket that an entry with it goes into: as
    /// [`Domain::is_still`](super::super::vni::Domain::is_still).
    #[inline]
    pub(crate) fn is_still(&self, handle: Handle) -> bool {
        self.names.get(handle.line()).is_some_and(|line| line.word(handle.word()).load(SeqCst) == handle.0)
    }
}

/// A handle of no remote there ever was.
#[cold]
const fn nowhere(handle: Handle) -> (RemoteId, u32) {
    (RemoteId(handle), 1)
}
