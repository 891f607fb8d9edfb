//! What a decision needs of a VTEP, put together once: for a burst, a call, or as long as its caller keeps it.

use core::net::IpAddr;

use super::{Config, own::Own, straight::Straight};
use crate::{
    table::{Fdb, Groups, Neighbors, Routes, Snooping, TableSet, Tally, Vlans},
    tunnel::vxlan,
};

/// What handles a [`Vtep`](super::Vtep)'s frames and packets: it knows where the tables lie. Whoever handles them one
/// by one keeps one. The same methods of the VTEP put one together for each call, which takes as long as a frame does;
/// for a burst that matters little. It may be kept for as long as the VTEP is there: what changes is seen at once.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use encap::{
///     Packet,
///     table::{Capacity, Line},
///     time::Instant,
///     vtep::{Config, Output, OverlayMeta, Vtep, Worker},
///     wire::{MacAddr, Vni},
/// };
///
/// const CAPACITY: Capacity = Capacity::fdb(1_024);
/// static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
/// let config = Config::new().local("192.0.2.1".parse()?);
/// let vtep = Vtep::new(&LINES, config, CAPACITY, [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210])?;
/// let (engine, mut worker) = (vtep.engine(), Worker::new(1));
///
/// let (vni, mac) = (Vni::truncate(42), MacAddr([2, 0, 0, 0, 0, 1]));
/// vtep.fdb().add(vni, mac, vtep.remote("192.0.2.2".parse()?)?)?;
/// for _ in 0..3 {
///     let mut buffer = [2; 256]; // a frame of 100 bytes, behind 100 bytes of room
///     buffer[100..106].copy_from_slice(&mac.0);
///     let mut packet = Packet::new(&mut buffer, 100, 100)?;
///     let output = engine.handle_overlay(&mut worker, Instant::ZERO, &OverlayMeta::new(vni), &mut packet);
///     assert!(matches!(output, Output::Send { .. }));
/// }
/// # Ok(())
/// # }
/// ```
// What most frames are decided by is here; the rest is made where a frame asks for it, since a call for one frame may
// pay for all of it.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'t> {
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
        endpoints: [Option<&'t vxlan::Endpoint>; 2],
        own: &'t Own,
    ) -> Self {
        let (fdb, [ipv4, ipv6]) = (tables.fdb(), endpoints);
        Self {
            config,
            ipv4,
            ipv6,
            own,
            straight: Straight::of(config, endpoints),
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

    pub(super) const fn endpoint(&self, address: IpAddr) -> Option<&'t vxlan::Endpoint> {
        match address {
            IpAddr::V4(_) => self.ipv4,
            IpAddr::V6(_) => self.ipv6,
        }
    }

    pub(super) fn is_local(&self, address: IpAddr) -> bool {
        self.endpoint(address).is_some_and(|endpoint| endpoint.local() == address)
    }
}
