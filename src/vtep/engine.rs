//! What a decision needs of a VTEP, put together for a call or a burst.

use super::{Config, own::Own, straight::Straight};
use crate::{
    table::{Fdb, Groups, Neighbors, Routes, Snooping, TableSet, Tally, Vlans},
    tunnel::vxlan,
};

/// A VTEP, the storage's type aside. What most frames are decided by is here; the rest is made where a frame asks for
/// it, since a call for one frame pays for all of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Engine<'t> {
    pub(super) config: &'t Config,
    pub(super) ipv4: Option<&'t vxlan::Endpoint>,
    pub(super) ipv6: Option<&'t vxlan::Endpoint>,
    pub(super) own: &'t Own,
    pub(super) straight: Option<Straight<'t>>,
    pub(super) fdb: Fdb<'t>,
    pub(super) neighbors: Neighbors<'t>,
    pub(super) tally: Tally<'t>,
    pub(super) tables: TableSet<'t>,
}

impl<'t> Engine<'t> {
    pub(super) fn new(
        tables: TableSet<'t>,
        config: &'t Config,
        [ipv4, ipv6]: [Option<&'t vxlan::Endpoint>; 2],
        own: &'t Own,
    ) -> Self {
        let fdb = tables.fdb();
        Self {
            config,
            ipv4,
            ipv6,
            own,
            straight: Straight::of(config, ipv4),
            fdb,
            neighbors: tables.neighbors(fdb.vnis),
            tally: tables.tally(),
            tables,
        }
    }

    /// Whether neighbours are learned from what hosts say of themselves.
    pub(super) fn snoops(&self) -> bool {
        self.config.tables.snooping != Snooping::Off
    }

    pub(super) fn routes(&self) -> Routes<'t> {
        self.tables.routes()
    }

    pub(super) fn groups(&self) -> Groups<'t> {
        self.tables.groups(self.fdb)
    }

    pub(super) fn vlans(&self) -> Vlans<'t> {
        self.tables.vlans(self.fdb.vnis)
    }
}
