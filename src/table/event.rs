//! What happened to entries without anybody naming them one by one.

use super::{Neighbor, fdb::Entry};

/// A change that a sweep or a flush tells of; nothing keeps them for later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The entry was not confirmed in time.
    Expired(Entry),
    /// The neighbour was not confirmed in time.
    NeighborExpired(Neighbor),
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
