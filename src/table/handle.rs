//! Handles: 32 bits that name a remote, a list or a group, or say what to do without one.

/// What a value word of the forwarding database says; never zero.
///
/// ```text
///  0 1 2 3             12                                     32
/// +-----+---------------+---------------------------------------+
/// |kind |  generation   |                 index                 |
/// +-----+---------------+---------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Handle(pub(crate) u32);

impl Handle {
    pub(crate) const REMOTE: u32 = 1;
    /// A remote, by an entry that was learned: the generation is that of what was learned from it.
    pub(crate) const LEARNED: u32 = 2;
    pub(crate) const LIST: u32 = 3;
    pub(crate) const GROUP: u32 = 4;
    pub(crate) const LOCAL: Self = Self::new(5, 0, 0);
    pub(crate) const BLACKHOLE: Self = Self::new(6, 0, 0);

    #[inline]
    pub(crate) const fn new(kind: u32, generation: u32, index: u32) -> Self {
        Self(kind << 29 | (generation & GENERATIONS) << 20 | index & 0xf_ffff)
    }

    #[inline]
    pub(crate) const fn kind(self) -> u32 {
        self.0 >> 29
    }

    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        self.0 >> 20 & GENERATIONS
    }

    #[inline]
    pub(crate) const fn index(self) -> usize {
        (self.0 & 0xf_ffff) as usize
    }
}

/// The largest generation; also the mask of one.
pub(crate) const GENERATIONS: u32 = 0x1ff;

/// Names a remote, as long as it is not removed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RemoteId(pub(crate) Handle);

/// Names a replication list, as long as it is not removed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ListId(pub(crate) Handle);

/// Names a next-hop group, as long as it is not removed.
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
    /// Nowhere: the owner is on this side of the tunnel. (Linux: a destination of 0.0.0.0.) Proxies leave its
    /// ARP and ND to it.
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
