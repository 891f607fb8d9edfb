//! What a VTEP is made of: its tables and its settings.

use super::{Config, Vtep};
use crate::{
    table::{Fdb, Groups, Line, Lists, Neighbors, Remotes, Routes, Tables, Vlans, VniCounters},
    wire::Vni,
};

impl<S: AsRef<[Line]>> Vtep<S> {
    /// The forwarding database.
    pub fn fdb(&self) -> Fdb<'_> {
        self.tables.fdb()
    }

    /// The neighbours.
    pub fn neighbors(&self) -> Neighbors<'_> {
        self.tables.neighbors()
    }

    /// The remotes.
    pub fn remotes(&self) -> Remotes<'_> {
        self.tables.remotes()
    }

    /// The replication lists and next-hop groups.
    pub fn lists(&self) -> Lists<'_> {
        self.tables.lists()
    }

    /// The routes.
    pub fn routes(&self) -> Routes<'_> {
        self.tables.routes()
    }

    /// The multicast groups.
    pub fn groups(&self) -> Groups<'_> {
        self.tables.groups()
    }

    /// Which VLAN of a trunk is which segment.
    pub fn vlans(&self) -> Vlans<'_> {
        self.tables.vlans()
    }

    /// What happened in a segment; see [`Tables::vni_counters`].
    pub fn vni_counters(&self, vni: Vni) -> VniCounters {
        self.tables.vni_counters(vni)
    }

    /// All tables.
    pub const fn tables(&self) -> &Tables<S> {
        &self.tables
    }

    /// The settings.
    pub const fn config(&self) -> &Config {
        &self.config
    }
}
