//! What the tables refuse.

use core::time::Duration;

use super::handle::Destination;

/// Why a change to a table was refused; the table is as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another writer is at work in the same place: try again.
    #[error("another writer is at work in the same place: try again")]
    Busy,
    /// The key is there already; add never changes it (Linux: EEXIST).
    #[error("there is an entry of this key already")]
    Exists,
    /// There is nothing of this key (Linux: ENOENT).
    #[error("there is no entry of this key")]
    NotFound,
    /// The entry has other destinations than this one, and stays as it is. (Linux: success, and nothing done.)
    #[error("the entry does not have this destination")]
    NoSuchDestination,
    /// No room (Linux: ENOSPC).
    #[error("no room for another: at most {limit} {what}")]
    Full {
        /// What there would be too many of.
        what: Resource,
        /// The most that there may be.
        limit: u32,
    },
    /// The handle is of something that was freed.
    #[error("the handle is of a {0} that was freed")]
    Stale(HandleKind),
    /// The address is not of the underlay that the tables were built for (Linux: EAFNOSUPPORT), or that of a group's
    /// source not of the group's family.
    #[error("the address is of the wrong family: the other of IPv4 and IPv6 is needed")]
    Family,
    /// The VTEP has no address in the family of the remote's, so that there is no way to it.
    #[error("there is no way to an address of this family: the VTEP's own is of the other of IPv4 and IPv6")]
    NoLocal,
    /// A remote of a VTEP that is not reached from its own address: a link-local one is somebody's only together with
    /// an egress, and from a link-local address none of another scope is reached (Linux refuses both).
    #[error("a link-local address needs an egress, and from one of ours only others of the link are reached")]
    Scope,
    /// UDP port 0, of a VTEP's remote or a route's peer: nothing can be sent there.
    #[error("UDP port 0: a port must be at least 1")]
    PortZero,
    /// The address is no group's.
    #[error("the address is no multicast address")]
    NotMulticast,
    /// The address is nobody's: unspecified, broadcast, or a group's where one host is meant.
    #[error("the address is no unicast address")]
    NotUnicast,
    /// The address of a remote, or of a route's next hop, is `::ffff:a.b.c.d`: to a socket that is an IPv4 address, and
    /// to Linux's vxlan device an IPv6 address like others, at which nobody is. The IPv4 address is taken
    /// ([`to_canonical`](core::net::IpAddr::to_canonical)).
    #[error("the address is an IPv4 address in IPv6's form: `IpAddr::to_canonical` makes one of it")]
    Ipv4Mapped,
    /// The operation is not for MAC addresses of this kind (Linux: EOPNOTSUPP).
    #[error("{operation} is not for {kind} MAC addresses")]
    MacKind {
        /// Name of the operation.
        operation: &'static str,
        /// The kind of the address.
        kind: MacKind,
    },
    /// The MAC address of a remote's next hop is no host's: all-zero, or a group's where the remote is none.
    #[error(
        "a next hop has the MAC address of a host, or of a group where the remote is one; `None`: not known"
    )]
    NextHopMac,
    /// A neighbour with the all-zero MAC address, which is nobody's.
    #[error("a neighbour's MAC address must not be all zeroes")]
    ZeroMac,
    /// The entry of a unicast MAC has another destination, and takes only one (Linux: success, and nothing appended).
    #[error("the entry has another destination: only those of all-zero and multicast MACs take several")]
    OneDestination,
    /// The entry or the request has a destination of another kind than the operation is for (Linux: EOPNOTSUPP).
    #[error("{operation} is not for this kind of destination")]
    DestinationKind {
        /// Name of the operation.
        operation: &'static str,
    },
    /// The outer header does not fit into a remote.
    #[error("an outer header of {needed} bytes: the tables were built for {had}")]
    HeaderTooLong {
        /// Length of the header.
        needed: usize,
        /// Bytes that a remote holds.
        had: usize,
    },
    /// There is only room that was freed since a registered worker's last quiescent point, and sweeps do not change
    /// that: each worker has to call [`Tables::quiesce`](super::Tables::quiesce) once per burst.
    #[error("a registered worker may still use what was removed: room comes when each has called `quiesce`")]
    QuiescePending,
    /// A number or room may be used again only after complete sweeps, two as a rule: call
    /// [`Tables::age`](super::Tables::age).
    #[error(
        "complete sweeps have to come first: `age`, or a VTEP's `handle_timeout`, until they are through"
    )]
    SweepPending,
    /// The quota group is not one of those that the tables were built with.
    #[error("quota group {quota}: the tables were built with {had}")]
    NoSuchQuota {
        /// Number of the group.
        quota: u16,
        /// How many groups there are.
        had: u32,
    },
}

impl Error {
    /// Of two reasons why there is no room, the one to be told: that a quiescent point frees some comes before that
    /// sweeps do, and both before any other.
    pub(crate) const fn or_before(self, other: Self) -> Self {
        match (self, other) {
            (Self::SweepPending, Self::QuiescePending) => other,
            _ => self,
        }
    }
}

impl From<super::bucket::Busy> for Error {
    fn from(_: super::bucket::Busy) -> Self {
        Self::Busy
    }
}

/// What there can be too many of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Resource {
    /// Entries of the forwarding database.
    Entries,
    /// Entries of one VNI.
    EntriesOfVni,
    /// Lines of replication lists and next-hop groups: one for each of [`Capacity::lists`](super::Capacity::lists), and
    /// one for each 12 of [`Capacity::members`](super::Capacity::members).
    Members,
    /// Multicast groups.
    Groups,
    /// Neighbours.
    Neighbors,
    /// Remotes.
    Remotes,
    /// Remotes that were not configured.
    UnconfiguredRemotes,
    /// Routes.
    Routes,
    /// VLANs that are mapped to VNIs.
    Vlans,
    /// VNIs.
    Vnis,
    /// Registered workers.
    Workers,
}

impl core::fmt::Display for Resource {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Entries => "entries",
            Self::EntriesOfVni => "entries of the VNI",
            Self::Members => "lines for `Capacity::lists`, one each, and for `Capacity::members`, one for 12",
            Self::Groups => "groups",
            Self::Neighbors => "neighbours",
            Self::Remotes => "remotes",
            Self::UnconfiguredRemotes => "remotes that are not configured",
            Self::Routes => "routes",
            Self::Vlans => "VLANs",
            Self::Vnis => "VNIs",
            Self::Workers => "workers",
        })
    }
}

/// What a handle is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum HandleKind {
    /// [`RemoteId`](super::RemoteId).
    Remote,
    /// [`ListId`](super::ListId).
    List,
    /// [`GroupId`](super::GroupId).
    Group,
}

impl HandleKind {
    /// What names this destination.
    pub(crate) const fn of(destination: Destination) -> Self {
        match destination {
            Destination::List(_) => Self::List,
            Destination::Group(_) => Self::Group,
            _ => Self::Remote,
        }
    }
}

impl core::fmt::Display for HandleKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Remote => "remote",
            Self::List => "replication list",
            Self::Group => "next-hop group",
        })
    }
}

/// The kinds of MAC addresses that a forwarding database tells apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MacKind {
    /// A host's.
    Unicast,
    /// A group's, broadcast included.
    Multicast,
    /// The default destination.
    Zero,
}

impl core::fmt::Display for MacKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Unicast => "unicast",
            Self::Multicast => "multicast",
            Self::Zero => "all-zero",
        })
    }
}

/// Why tables cannot be built.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The storage is too short.
    #[error("storage of {needed} lines is needed, there are {had}")]
    Storage {
        /// [`Capacity::lines`](super::Capacity::lines).
        needed: usize,
        /// Length of the storage.
        had: usize,
    },
    /// The storage is not all zeroes: other tables lie on it, or lay on it before.
    #[error(
        "the storage was used before: tables, a VTEP and a backend each need lines of their own, all zeroes"
    )]
    Used,
    /// A number of the capacity is too large.
    #[error("capacity for {asked} {what}: at most {most}")]
    Capacity {
        /// Name of the field; of the header, bytes of it.
        what: &'static str,
        /// What it says.
        asked: u32,
        /// The most that it may say.
        most: u32,
    },
    /// There is not so much memory.
    #[error("no memory for {lines} lines of 64 bytes")]
    Memory {
        /// [`Capacity::lines`](super::Capacity::lines).
        lines: usize,
    },
    /// A neighbour would stay for too long after it is stale for both times to be told in the same ticks.
    #[error(
        "`neighbor_ageing` is {ageing:?} and `reachable` {reachable:?}: at most 12 times as long, and 305 days"
    )]
    NeighborAgeing {
        /// [`Settings::neighbor_ageing`](super::Settings::neighbor_ageing).
        ageing: Duration,
        /// [`Settings::reachable`](super::Settings::reachable).
        reachable: Duration,
    },
    /// The time is too long for the ticks that the tables count in.
    #[error(
        "`{field}` is {time:?}: at most 12 times what tables were built with (107 minutes for `Never`), and 305 days"
    )]
    Ageing {
        /// Name of the field of [`Settings`](super::Settings).
        field: &'static str,
        /// What it says.
        time: Duration,
    },
    /// A time of zero.
    #[error("`{field}` is zero: nothing would ever be known")]
    NoAge {
        /// Name of the field of [`Settings`](super::Settings).
        field: &'static str,
    },
}
