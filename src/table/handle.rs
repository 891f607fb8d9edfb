//! Handles: 32 bits that name a remote, a list or a group, or say what to do without one.

/// What a value word of the forwarding database says; never zero.
///
/// ```text
///  0                               17  19                28    31 32
/// +-------------------------------+---+-----------------+-----+-+
/// |    upper bits of the index    | k |   generation    | low |L|
/// +-------------------------------+---+-----------------+-----+-+
/// k and L: the kind. k is 1 for a remote, 2 for a list, 3 for a group, and 0 for this side and for nowhere, which the
/// index tells apart. L is set in a remote's handle by an entry that was learned.
/// low: lower bits of the index
/// ```
///
/// The first 17 bits of a remote's handle and its last four say which line and which word of it is equal to the handle
/// as long as that holds: see [`Remotes`](super::Remotes).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Handle(pub(crate) u32);

impl Handle {
    pub(crate) const REMOTE: u32 = 1;
    /// A remote, by an entry that was learned: the generation is that of what was learned from it.
    pub(crate) const LEARNED: u32 = Self::REMOTE | 4;
    pub(crate) const LIST: u32 = 2;
    pub(crate) const GROUP: u32 = 3;
    pub(crate) const LOCAL: Self = Self::new(0, 0, 1);
    pub(crate) const BLACKHOLE: Self = Self::new(0, 0, 2);

    #[inline]
    pub(crate) const fn new(kind: u32, generation: u32, index: u32) -> Self {
        let (upper, lower) = (index >> 3 & 0x1_ffff, index & 7);
        Self(upper << 15 | (kind & 3) << 13 | (generation & GENERATIONS) << 4 | lower << 1 | kind >> 2)
    }

    #[inline]
    pub(crate) const fn kind(self) -> u32 {
        self.0 >> 13 & 3 | (self.0 & 1) << 2
    }

    /// Whether it is that of an entry that was learned.
    #[inline]
    pub(crate) const fn is_learned(self) -> bool {
        self.0 & 1 != 0
    }

    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        self.0 >> 4 & GENERATIONS
    }

    #[inline]
    pub(crate) const fn index(self) -> usize {
        (self.0 >> 15 << 3 | self.0 >> 1 & 7) as usize
    }

    /// The line of what is equal to it.
    #[inline]
    pub(crate) const fn line(self) -> usize {
        (self.0 >> 15) as usize
    }

    /// The word in that line.
    #[inline]
    pub(crate) const fn word(self) -> usize {
        (self.0 & 15) as usize
    }
}

/// The largest generation; also the mask of one.
pub(crate) const GENERATIONS: u32 = 0x1ff;

/// Names a remote, as long as it is not removed.
///
/// What was removed finds nothing, whoever has its place next. A handle has nine bits for that: it would name the 512th
/// that has the place after. Sweeps see to it that no table has such a handle; who keeps one himself, while others
/// remove what it names, is a [registered](super::Tables::register) worker, and drops it before his next quiescent
/// point.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RemoteId(pub(crate) Handle);

/// Names a replication list, as long as it is not removed; to be kept as a [`RemoteId`] is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ListId(pub(crate) Handle);

/// Names a next-hop group, as long as it is not removed; to be kept as a [`RemoteId`] is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GroupId(pub(crate) Handle);

/// Where the forwarding database sends a frame.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Destination {
    /// To one remote.
    Remote(RemoteId),
    /// To every member of a replication list.
    List(ListId),
    /// To one member of a next-hop group, chosen by the flow.
    Group(GroupId),
    /// Not into a tunnel: the host is on this side. (Linux: a destination of 0.0.0.0.) Proxies leave its ARP and ND to
    /// it.
    Local,
    /// Nowhere: frames are dropped.
    Blackhole,
}

impl Destination {
    pub(crate) const fn handle(self) -> Handle {
        match self {
            Self::Remote(RemoteId(handle)) | Self::List(ListId(handle)) | Self::Group(GroupId(handle)) => {
                handle
            }
            Self::Local => Handle::LOCAL,
            Self::Blackhole => Handle::BLACKHOLE,
        }
    }
}

impl From<RemoteId> for Destination {
    fn from(remote: RemoteId) -> Self {
        Self::Remote(remote)
    }
}

impl From<ListId> for Destination {
    fn from(list: ListId) -> Self {
        Self::List(list)
    }
}

impl From<GroupId> for Destination {
    fn from(group: GroupId) -> Self {
        Self::Group(group)
    }
}
