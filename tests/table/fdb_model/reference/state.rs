//! What the model knows of each thing.

use encap::{
    table::{Destination, LearnFrom, Remote, RemoteId, State},
    time::Instant,
    wire::Vni,
};

#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) entries: u32,
    pub(crate) learned: u32,
    pub(crate) quota: u32,
    pub(crate) vni: u32,
    pub(crate) vnis: u32,
    pub(crate) remotes: u32,
    pub(crate) unconfigured: u32,
    pub(crate) quotas: u32,
    pub(crate) learn_from: LearnFrom,
}

/// A remote.
pub(crate) struct Far {
    pub(crate) remote: Remote,
    pub(crate) header: Vec<u8>,
    pub(crate) alive: bool,
    pub(crate) configured: bool,
    /// Flushes of what was learned from it.
    pub(crate) flushes: u32,
}

/// A VNI, from its coming to its going.
#[derive(Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) flushes: u32,
    pub(crate) limit: Option<u32>,
}

pub(crate) struct Listed {
    pub(crate) members: Vec<RemoteId>,
    /// Made for an entry.
    pub(crate) owned: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) vni: Vni,
    pub(crate) to: Destination,
    pub(crate) state: State,
    pub(crate) router: bool,
    pub(crate) sticky: bool,
    pub(crate) origin: u8,
    pub(crate) cookie: u32,
    pub(crate) confirmed: Instant,
    pub(crate) learned: Option<Learning>,
}

/// When an entry was learned, and who pays for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Learning {
    pub(crate) vni_flushes: u32,
    pub(crate) remote_flushes: u32,
    pub(crate) account: Account,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Account {
    Own(RemoteId),
    /// Of a VNI.
    Unconfigured(u32),
    Shared(u16),
}

/// How many there are at least, and at most: the dead may or may not have been found already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    pub(crate) live: u32,
    pub(crate) all: u32,
}

impl Count {
    pub(crate) fn admits(self, count: usize) -> bool {
        (self.live as usize..=self.all as usize).contains(&count)
    }

    pub(crate) const fn must_be_full(self, limit: u32) -> bool {
        self.live >= limit
    }

    pub(crate) const fn may_be_full(self, limit: u32) -> bool {
        self.all >= limit
    }
}
