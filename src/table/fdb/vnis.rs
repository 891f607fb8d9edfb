//! The VNIs of the forwarding database: which there are, how much each may have, and has.

use core::{num::NonZeroU32, sync::atomic::Ordering::Relaxed};

use super::{super::Error, Fdb};
use crate::wire::Vni;

impl Fdb<'_> {
    /// Makes `vni` known, which operations that add do by themselves; learning does not.
    ///
    /// # Errors
    ///
    /// [`Error::Full`], [`Error::Busy`]; [`Error::SweepPending`] or [`Error::QuiescePending`] where there is only room
    /// of a VNI that was removed, and that sweeps, or a worker's quiescent point, have yet to free.
    pub fn add_vni(&self, vni: Vni) -> Result<(), Error> {
        self.vnis.find_or_add(vni).map(|_| ())
    }

    /// Forgets `vni`: at once none of its entries and neighbours is found any more. Its room is used again after
    /// two sweeps and a quiescent point of every registered worker.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Busy`].
    pub fn remove_vni(&self, vni: Vni) -> Result<(), Error> {
        self.vnis.remove(vni)
    }

    /// Whether the tables know `vni`.
    pub fn knows(&self, vni: Vni) -> bool {
        matches!(self.vnis.find(vni), Ok(Some(_)))
    }

    /// Sets the most entries of `vni`, learned or not (Linux: `maxaddress`); `None` for what
    /// [`Settings::vni_limit`](super::super::Settings::vni_limit) says. What is there stays, and none comes above it,
    /// nor does anybody give way; but of two that come for the last room at the same time, one added and one learned,
    /// both may be refused it.
    ///
    /// # Errors
    ///
    /// Those of [`add_vni`](Self::add_vni), where the VNI has to be added first.
    pub fn set_limit(&self, vni: Vni, limit: Option<NonZeroU32>) -> Result<(), Error> {
        let limit = limit.map_or(0, NonZeroU32::get);
        self.vnis.find_or_add(vni)?.limit().store(limit, Relaxed);
        Ok(())
    }

    /// Entries that take room: those of all VNIs, and what died but was not swept yet.
    pub fn count(&self) -> usize {
        let (configured, learned) = (self.meta.configured().load(Relaxed), self.meta.learned().load(Relaxed));
        configured.saturating_add(learned) as usize
    }

    /// Entries of `vni`: added ones and learned ones. Those that expired, or whose remote was flushed or removed, count
    /// until they are swept.
    pub fn count_vni(&self, vni: Vni) -> (usize, usize) {
        match self.vnis.find(vni) {
            Ok(Some(domain)) => {
                let configured = domain.configured().load(Relaxed);
                (configured as usize, domain.learned().read().1 as usize)
            }
            _ => (0, 0),
        }
    }
}
