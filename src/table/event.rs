//! What happened to entries without anybody naming them one by one.

use super::{Neighbor, RemoteId, fdb::Entry};

/// A change that a sweep or a flush tells of; nothing keeps them for later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The entry was not confirmed in time.
    Expired(Entry),
    /// The neighbour was not confirmed in time.
    NeighborExpired(Neighbor),
    /// The MTU of a remote that was [learned](super::Remotes::learn_mtu) has held for its time: what was set does
    /// again.
    MtuExpired {
        /// The remote.
        remote: RemoteId,
        /// What was set; 0 for the MTU of the underlay.
        mtu: u16,
    },
    /// The entry was flushed.
    Removed(Entry),
    /// Some remotes of the entry were flushed; others stay.
    RemotesRemoved {
        /// The entry.
        entry: Entry,
        /// How many went.
        remotes: usize,
    },
}
