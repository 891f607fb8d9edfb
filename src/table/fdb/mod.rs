//! The forwarding database: which remote has this MAC.
//!
//! (VNI, MAC) names a destination. A lookup reads the place of the VNI in front, one bucket of the map (two for those
//! that were displaced), and the names of the remote; it writes nothing and waits for nobody.

mod account;
mod batch;
mod burst;
mod create;
mod dump;
mod enter;
mod entry;
mod evict;
mod flush;
mod learn;
mod lookup;
mod operations;
mod show;
mod slot;
mod vnis;

pub use self::{
    dump::Dump,
    entry::{Entry, NewEntry, State},
    flush::{Filter, Flushed},
    learn::{Evicted, Learned, Refusal},
    lookup::Lookup,
    operations::Change,
    show::{Row, Show, Target},
};

pub(crate) use self::lookup::{Moment, Sought};
use self::slot::{current, key};
use super::{
    LearnFrom, Lists, Remotes,
    bucket::Map,
    clock::Clock,
    hash::Seed,
    line::{Line, Words},
    meta::Meta,
    vni::Vnis,
};

/// The forwarding database of [`Tables`](super::Tables).
#[derive(Clone, Copy, Debug)]
pub struct Fdb<'t> {
    pub(crate) map: Map<'t>,
    pub(crate) vnis: Vnis<'t>,
    pub(crate) remotes: Remotes<'t>,
    /// The lines of [`lists`](Self::lists), and their seed.
    pub(crate) members: (&'t [Line], Seed),
    pub(crate) quotas: Words<'t>,
    pub(crate) meta: Meta<'t>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
}

impl<'t> Fdb<'t> {
    /// The replication lists and next-hop groups, made of what is here already: few entries name one.
    #[inline]
    pub(crate) fn lists(&self) -> Lists<'t> {
        let (lines, seed) = self.members;
        Lists { lines, remotes: self.remotes, seed, meta: self.meta, workers: self.remotes.workers }
    }
}

/// What the settings say about the forwarding database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) entries: u32,
    pub(crate) learned: u32,
    pub(crate) quota: u32,
    pub(crate) vni: u32,
    pub(crate) learn_from: LearnFrom,
}

#[cfg(test)]
mod tests;
