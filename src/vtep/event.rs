//! Events: what a worker has learned.

use core::net::IpAddr;

use crate::{
    table::{Destination, Evicted, RemoteId},
    wire::{MacAddr, Vni},
};

/// Something that a frame has changed in the tables, as `bridge monitor fdb` and `ip monitor neigh` tell it.
///
/// Together with what sweeps and flushes tell ([`table::Event`](crate::table::Event)) they keep a copy of what is
/// learned up to date, on another machine say. Of one address that several workers learn, events may come in either
/// order: what holds is told by [`Fdb::get`](crate::table::Fdb::get). Where
/// [`Counters::events_lost`](super::Counters::events_lost) or
/// [`Tables::untold`](crate::table::Tables::untold) has changed, the copy is made anew by
/// [`Fdb::dump`](crate::table::Fdb::dump) and [`Neighbors::dump`](crate::table::Neighbors::dump).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A MAC address is known that was not.
    Learned {
        /// The overlay segment.
        vni: Vni,
        /// The address.
        mac: MacAddr,
        /// Where it is.
        remote: RemoteId,
    },
    /// A MAC address is elsewhere.
    Moved {
        /// The overlay segment.
        vni: Vni,
        /// The address.
        mac: MacAddr,
        /// Where it was.
        from: Destination,
        /// Where it is.
        to: RemoteId,
    },
    /// A learned entry had to go, for another one.
    Evicted(Evicted),
    /// A neighbour is known, or its MAC address, that was not.
    NeighborLearned {
        /// The overlay segment.
        vni: Vni,
        /// IP address of the neighbour.
        address: IpAddr,
        /// Its MAC address.
        mac: MacAddr,
    },
    /// A neighbour has another MAC address.
    NeighborMoved {
        /// The overlay segment.
        vni: Vni,
        /// IP address of the neighbour.
        address: IpAddr,
        /// Its MAC address before.
        from: MacAddr,
        /// Its MAC address.
        to: MacAddr,
    },
}
