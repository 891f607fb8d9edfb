//! Who may still hold a handle: quiescent points.
//!
//! Whatever is freed notes the epoch that its freeing began. A worker says from time to time that it holds no
//! handle from before; what was freed before that is nobody's any more, once all workers have said so.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::{
    Error, Resource,
    line::{AtomicU32, Line, fence},
    meta::Meta,
};

/// Names a registered worker.
#[derive(Debug, Eq, PartialEq)]
pub struct WorkerId(pub(crate) u32);

/// A moment at which something was withdrawn that registered workers may still hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Epoch(u32);

/// A line for each worker; a line of zero is free.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workers<'t> {
    pub(crate) lines: &'t [Line],
    pub(crate) meta: Meta<'t>,
}

impl Workers<'_> {
    pub(crate) fn register(self) -> Result<WorkerId, Error> {
        for (index, line) in (0..u32::MAX).zip(self.lines) {
            if line.word(ONLINE).compare_exchange(0, 1, SeqCst, Relaxed).is_ok() {
                let worker = WorkerId(index);
                // Who frees something sees this worker; or this worker does not find any more what was freed.
                fence(SeqCst);
                self.quiesce(&worker);
                return Ok(worker);
            }
        }
        Err(Error::Full { what: Resource::Workers, limit: self.lines.len() as u32 })
    }

    #[inline]
    pub(crate) fn quiesce(self, worker: &WorkerId) {
        if let Some(line) = self.lines.get(worker.0 as usize) {
            let epoch = self.meta.epoch().load(Acquire);
            if line.word(EPOCH).load(Relaxed) != epoch {
                line.word(EPOCH).store(epoch, SeqCst);
            }
        }
    }

    pub(crate) fn unregister(self, worker: WorkerId) {
        if let Some(line) = self.lines.get(worker.0 as usize) {
            line.word(ONLINE).store(0, SeqCst);
        }
    }

    pub(crate) fn begin_epoch(self) -> Epoch {
        Epoch(self.meta.next_epoch())
    }

    pub(crate) fn has_passed(self, Epoch(epoch): Epoch) -> bool {
        self.passed(epoch)
    }

    /// Notes in two words of what was just withdrawn, under its lock, in which epoch that was and how many sweeps were
    /// complete by then.
    pub(crate) fn note_freed(self, epoch: &AtomicU32, passes: &AtomicU32) {
        // Never 0: that is what the word of something says that was never withdrawn.
        epoch.store(self.meta.next_epoch().max(1), Release);
        passes.store(self.meta.passes().load(Acquire), Release);
    }

    /// Whether what these words were noted of can be used again. No worker may hold a handle of before; and where the
    /// next handle may be `carried` by something of before, two sweeps must have come by since.
    pub(crate) fn check_freed(
        self,
        epoch: &AtomicU32,
        passes: &AtomicU32,
        carried: bool,
    ) -> Result<(), Error> {
        let epoch = epoch.load(Relaxed);
        if epoch == 0 {
            return Ok(());
        }
        let passes = self.meta.passes().load(Acquire).wrapping_sub(passes.load(Relaxed));
        match (!carried || passes >= 2, self.passed(epoch)) {
            (true, true) => Ok(()),
            (true, false) => Err(Error::QuiescePending),
            (false, _) => Err(Error::SweepPending),
        }
    }

    fn passed(self, epoch: u32) -> bool {
        fence(SeqCst);
        self.lines.iter().all(|line| {
            line.word(ONLINE).load(SeqCst) == 0
                || (line.word(EPOCH).load(SeqCst).wrapping_sub(epoch) as i32) >= 0
        })
    }
}

const ONLINE: usize = 0;
const EPOCH: usize = 1;
