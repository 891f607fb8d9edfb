//! All tables on one piece of storage.

use core::sync::atomic::Ordering::Relaxed;

use super::{
    Ageing, BuildError, Capacity, Error, Fdb, Groups, Line, Lists, Neighbors, Remotes, Resource, Routes,
    Settings, Vlans, VniCounters, WorkerId,
    bucket::Map,
    fdb::Limits,
    group,
    hash::Seed,
    line::Words,
    meta::Meta,
    neighbor,
    regions::{Layout, Regions},
    remote,
    route::{self, Lengths},
    settings::Clocks,
    store::Store,
    tally::Tally,
    vni::Vnis,
    worker::Workers,
};
use crate::wire::Vni;

/// The tables of a data plane, on storage that the caller provides: an array in a `static`, a borrowed slice, a
/// `Box`, a `Vec`, an `Arc<[Line]>`.
///
/// Every method takes `&self`: one value serves all cores, in an `Arc` or a `static`. What the tables hand out
/// is `Copy`; a worker keeps one of each for a burst of packets, rather than asking for it per packet.
#[derive(Debug)]
pub struct Tables<S> {
    storage: S,
    capacity: Capacity,
    layout: Layout,
    settings: Settings,
    clocks: Clocks,
    seeds: Seeds,
}

/// The tables that frames are decided by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct All<'t> {
    pub(crate) fdb: Fdb<'t>,
    pub(crate) neighbors: Neighbors<'t>,
    pub(crate) routes: Routes<'t>,
    pub(crate) groups: Groups<'t>,
    pub(crate) vlans: Vlans<'t>,
    pub(crate) tally: Tally<'t>,
}

/// One seed per purpose.
#[derive(Clone, Copy, Debug)]
struct Seeds {
    fdb: Seed,
    vnis: Seed,
    remotes: Seed,
    groups: Seed,
    neighbors: Seed,
    routes: Seed,
    multicast: Seed,
}

impl<S: AsRef<[Line]>> Tables<S> {
    /// Tables on `storage`, which must be new: all zeroes. The seed must be nobody else's guess: from the
    /// system's random numbers, say.
    ///
    /// # Errors
    ///
    /// [`BuildError`] where the storage is too short, or the capacity larger than can be told apart.
    pub fn new(storage: S, capacity: Capacity, seed: [u64; 2]) -> Result<Self, BuildError> {
        Self::with_settings(storage, capacity, Settings::default(), seed)
    }

    /// The same with other settings than the default ones.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and for ageing times that are zero or too far apart.
    pub fn with_settings(
        storage: S,
        capacity: Capacity,
        settings: Settings,
        seed: [u64; 2],
    ) -> Result<Self, BuildError> {
        if let Some((what, asked, most)) = capacity.excess() {
            return Err(BuildError::Capacity { what, asked, most });
        }
        let clocks = settings.clocks()?;
        let (needed, had) = (capacity.lines(), storage.as_ref().len());
        if had < needed {
            return Err(BuildError::Storage { needed, had });
        }
        let seeds = Seeds {
            fdb: Seed::derive(seed, 1),
            vnis: Seed::derive(seed, 2),
            remotes: Seed::derive(seed, 3),
            groups: Seed::derive(seed, 4),
            neighbors: Seed::derive(seed, 5),
            routes: Seed::derive(seed, 6),
            multicast: Seed::derive(seed, 7),
        };
        let layout = Layout::of(&capacity);
        let tables = Self { storage, capacity, layout, settings, clocks, seeds };
        let meta = Meta::new(tables.regions().meta);
        meta.fdb_limit().store(clocks.fdb_limit.into(), Relaxed);
        meta.neighbors_limit().store(clocks.neighbors_limit.into(), Relaxed);
        meta.mtu_limit().store(remote::ticks(settings.mtu_expires), Relaxed);
        tables.remotes().found();
        Ok(tables)
    }

    /// What the tables were built for.
    pub const fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// What the tables were told.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The forwarding database.
    pub fn fdb(&self) -> Fdb<'_> {
        self.fdb_in(&self.regions())
    }

    /// The remotes.
    pub fn remotes(&self) -> Remotes<'_> {
        self.remotes_in(&self.regions())
    }

    /// The replication lists and next-hop groups.
    pub fn lists(&self) -> Lists<'_> {
        self.lists_in(&self.regions())
    }

    /// The neighbours.
    pub fn neighbors(&self) -> Neighbors<'_> {
        self.neighbors_in(&self.regions())
    }

    /// The routes.
    pub fn routes(&self) -> Routes<'_> {
        self.routes_in(&self.regions())
    }

    /// The multicast groups.
    pub fn groups(&self) -> Groups<'_> {
        self.groups_in(&self.regions())
    }

    /// Which VLAN is which VNI.
    pub fn vlans(&self) -> Vlans<'_> {
        self.vlans_in(&self.regions())
    }

    /// What happened in a VNI, all workers taken together, where [`Capacity::vni_counters`] says that it is counted.
    /// May be called by anybody at any time.
    pub fn vni_counters(&self, vni: Vni) -> VniCounters {
        let regions = self.regions();
        let domain = self.vnis_in(&regions).find(vni).ok().flatten();
        domain.map_or(VniCounters::default(), |domain| self.tally_in(&regions).sum(vni, &domain))
    }

    /// All that frames are decided by.
    pub(crate) fn all(&self) -> All<'_> {
        let regions = self.regions();
        All {
            fdb: self.fdb_in(&regions),
            neighbors: self.neighbors_in(&regions),
            routes: self.routes_in(&regions),
            groups: self.groups_in(&regions),
            vlans: self.vlans_in(&regions),
            tally: self.tally_in(&regions),
        }
    }

    fn vlans_in<'t>(&self, regions: &Regions<'t>) -> Vlans<'t> {
        Vlans { words: Words(regions.vlans), count: self.capacity.vlans, vnis: self.vnis_in(regions) }
    }

    const fn tally_in<'t>(&self, regions: &Regions<'t>) -> Tally<'t> {
        Tally { lines: regions.tally, vnis: self.capacity.vnis }
    }

    /// Registers a worker: one that keeps handles ([`RemoteId`](super::RemoteId), members of a list) from one call
    /// to the next while others remove what they name. From now on nothing that is removed makes room before this
    /// worker has said [`quiesce`](Self::quiesce).
    ///
    /// # Errors
    ///
    /// [`Error::Full`] where there are as many as [`Capacity::workers`] says.
    pub fn register(&self) -> Result<WorkerId, Error> {
        self.workers_in(&self.regions()).register()
    }

    /// A quiescent point: the worker holds no handle from before. Once per burst of packets is well.
    pub fn quiesce(&self, worker: &WorkerId) {
        self.workers_in(&self.regions()).quiesce(worker);
    }

    /// The worker is gone, and with it all its handles.
    pub fn unregister(&self, worker: WorkerId) {
        self.workers_in(&self.regions()).unregister(worker);
    }

    /// Changes how long entries that age stay; what is there ages by it at once.
    ///
    /// # Errors
    ///
    /// [`BuildError::NoAge`] for no time; [`BuildError::Ageing`] for one that is more than 12 times as long as the
    /// one that the tables were built with, which sets how finely they count.
    pub fn set_ageing(&self, ageing: Ageing) -> Result<(), BuildError> {
        if ageing == Ageing::After(core::time::Duration::ZERO) {
            return Err(BuildError::NoAge);
        }
        let limit = self.clocks.fdb.ticks(ageing).ok_or(BuildError::Ageing)?;
        Meta::new(self.regions().meta).fdb_limit().store(limit.into(), Relaxed);
        Ok(())
    }

    pub(super) fn regions(&self) -> Regions<'_> {
        Regions::new(&self.layout, self.storage.as_ref())
    }

    pub(super) fn fdb_in<'t>(&self, regions: &Regions<'t>) -> Fdb<'t> {
        Fdb {
            map: Map::new(regions.fdb, regions.fdb_cold, self.seeds.fdb),
            vnis: self.vnis_in(regions),
            remotes: self.remotes_in(regions),
            lists: self.lists_in(regions),
            quotas: Words(regions.quotas),
            meta: Meta::new(regions.meta),
            clock: self.clocks.fdb,
            limits: Limits {
                entries: self.capacity.entries,
                learned: self.settings.learned_limit,
                quota: self.settings.quota_limit,
                vni: self.settings.vni_limit,
                learn_from: self.settings.learn_from,
            },
        }
    }

    pub(super) fn neighbors_in<'t>(&self, regions: &Regions<'t>) -> Neighbors<'t> {
        let meta = Meta::new(regions.meta);
        Neighbors {
            store: Store {
                map: Map::new(regions.neighbor_map, &[], self.seeds.neighbors),
                records: neighbor::RECORDS
                    .records(regions.neighbor_records, self.capacity.neighbors as usize),
                count: meta.neighbors(),
                limit: self.capacity.neighbors,
                what: Resource::Neighbors,
                relocations: meta.relocations(),
            },
            vnis: self.vnis_in(regions),
            meta,
            clock: self.clocks.neighbors,
            reachable: self.clocks.reachable,
            snooping: self.settings.snooping,
            seed: self.seeds.neighbors,
        }
    }

    fn routes_in<'t>(&self, regions: &Regions<'t>) -> Routes<'t> {
        let meta = Meta::new(regions.meta);
        Routes {
            store: Store {
                map: Map::new(regions.route_map, &[], self.seeds.routes),
                records: route::RECORDS.records(regions.route_records, self.capacity.routes as usize),
                count: meta.routes(),
                limit: self.capacity.routes,
                what: Resource::Routes,
                relocations: meta.relocations(),
            },
            lengths: Lengths(Words(regions.route_lengths)),
            seed: self.seeds.routes,
        }
    }

    fn groups_in<'t>(&self, regions: &Regions<'t>) -> Groups<'t> {
        let meta = Meta::new(regions.meta);
        Groups {
            store: Store {
                map: Map::new(regions.group_map, &[], self.seeds.multicast),
                records: group::RECORDS.records(regions.group_records, self.capacity.groups as usize),
                count: meta.groups(),
                limit: self.capacity.groups,
                what: Resource::Groups,
                relocations: meta.relocations(),
            },
            fdb: self.fdb_in(regions),
            seed: self.seeds.multicast,
        }
    }

    fn workers_in<'t>(&self, regions: &Regions<'t>) -> Workers<'t> {
        Workers { lines: regions.workers, meta: Meta::new(regions.meta) }
    }

    fn vnis_in<'t>(&self, regions: &Regions<'t>) -> Vnis<'t> {
        Vnis {
            map: Map::new(regions.vni_map, &[], self.seeds.vnis),
            front: regions.vni_front,
            lines: regions.vnis,
            meta: Meta::new(regions.meta),
            workers: self.workers_in(regions),
        }
    }

    fn remotes_in<'t>(&self, regions: &Regions<'t>) -> Remotes<'t> {
        Remotes {
            map: Map::new(regions.remote_map, &[], self.seeds.remotes),
            names: regions.remote_names,
            states: Words(regions.remote_states),
            accounts: Words(regions.remote_accounts),
            records: Words(regions.remote_records),
            stride: remote::record_lines(self.capacity.header).saturating_mul(Line::WORDS),
            header: self.capacity.header as usize,
            count: self.capacity.remotes,
            quotas: self.capacity.quotas,
            unconfigured_limit: self.settings.unconfigured_remotes,
            underlay: self.settings.underlay,
            seed: self.seeds.remotes,
            meta: Meta::new(regions.meta),
            workers: self.workers_in(regions),
        }
    }

    fn lists_in<'t>(&self, regions: &Regions<'t>) -> Lists<'t> {
        Lists {
            lines: regions.lists,
            remotes: self.remotes_in(regions),
            seed: self.seeds.groups,
            meta: Meta::new(regions.meta),
            workers: self.workers_in(regions),
        }
    }
}

#[cfg(feature = "alloc")]
impl Tables<alloc::boxed::Box<[Line]>> {
    /// Tables on storage of their own.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_capacity(capacity: Capacity, settings: Settings, seed: [u64; 2]) -> Result<Self, BuildError> {
        if let Some((what, asked, most)) = capacity.excess() {
            return Err(BuildError::Capacity { what, asked, most });
        }
        let storage = (0..capacity.lines()).map(|_| Line::new()).collect();
        Self::with_settings(storage, capacity, settings, seed)
    }
}
