//! All tables on one piece of storage.

use core::sync::atomic::Ordering::Relaxed;

use super::{
    Ageing, BuildError, Capacity, Error, Fdb, Groups, Line, Lists, Neighbors, Remotes, Resource, Routes,
    Settings, Vlans, VniCounters, WorkerId,
    bucket::Map,
    fdb::Limits,
    hash::Seed,
    line::{Words, nowhere},
    meta::Meta,
    record::Records,
    regions::{Layout, Regions},
    remote,
    route::Lengths,
    settings::{self, Clocks},
    store::Store,
    tally::Tally,
    vni::Vnis,
    worker::{Epoch, Workers},
};
use crate::wire::Vni;

/// The tables of a data plane, on storage that the caller provides: an array in a `static`, a borrowed slice, a
/// `Box`, a `Vec`, an `Arc<[Line]>`.
///
/// Every method takes `&self`: one value serves all cores, in an `Arc` or a `static`. What the tables hand out
/// is `Copy`; a worker keeps one of each for a burst of packets, rather than asking for it per packet.
///
/// A handler of interrupts or signals may look things up, whatever it has interrupted. One that can interrupt a call
/// which adds, learns, changes, removes or sweeps must do none of that itself, nor receive packets by a
/// [`Vtep`](crate::vtep::Vtep) that learns: the lock that it would wait for may be held by that very call, which cannot
/// give it back meanwhile. It would not wait for ever, but in vain, until [`Error::Busy`].
#[derive(Debug)]
pub struct Tables<S> {
    storage: S,
    plan: Plan,
}

/// All that tables are, but their storage.
#[derive(Debug)]
struct Plan {
    capacity: Capacity,
    layout: Layout,
    settings: Settings,
    clocks: Clocks,
    seeds: Seeds,
}

/// Tables on whatever storage: each is put together where it is asked for, so that who needs one does not pay for all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableSet<'t> {
    plan: &'t Plan,
    regions: Regions<'t>,
    meta: Meta<'t>,
}

/// One seed per purpose.
#[derive(Clone, Copy, Debug)]
struct Seeds {
    fdb: Seed,
    vnis: Seed,
    remotes: Seed,
    lists: Seed,
    neighbors: Seed,
    routes: Seed,
    groups: Seed,
}

impl<S: AsRef<[Line]>> Tables<S> {
    /// Tables on `storage`, which must be new: all zeroes, as [`Line::new`] makes lines. The seed must be nobody else's
    /// guess: from the system's random numbers, say.
    ///
    /// # Errors
    ///
    /// [`BuildError`] where the storage is too short or was used before, or the capacity larger than can be told apart.
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
        capacity.check()?;
        let (clocks, [fdb_limit, neighbors_limit]) = settings.clocks()?;
        let (needed, had) = (capacity.lines(), storage.as_ref().len());
        if had < needed {
            return Err(BuildError::Storage { needed, had });
        }
        // What lies there would be taken for entries.
        if !storage.as_ref().iter().take(needed).all(Line::is_new) {
            return Err(BuildError::Used);
        }
        let seeds = Seeds {
            fdb: Seed::derive(seed, 1),
            vnis: Seed::derive(seed, 2),
            remotes: Seed::derive(seed, 3),
            lists: Seed::derive(seed, 4),
            neighbors: Seed::derive(seed, 5),
            routes: Seed::derive(seed, 6),
            groups: Seed::derive(seed, 7),
        };
        let layout = Layout::of(&capacity);
        let tables = Self { storage, plan: Plan { capacity, layout, settings, clocks, seeds } };
        let meta = tables.set().meta;
        meta.found();
        meta.fdb_limit().store(fdb_limit.into(), Relaxed);
        meta.neighbors_limit().store(neighbors_limit.into(), Relaxed);
        meta.mtu_limit().store(remote::ticks(settings.mtu_expires), Relaxed);
        tables.remotes().found();
        Ok(tables)
    }

    /// What the tables were built for.
    pub const fn capacity(&self) -> Capacity {
        self.plan.capacity
    }

    /// What the tables were told when they were built; [`set_ageing`](Self::set_ageing) does not change it.
    pub const fn settings(&self) -> &Settings {
        &self.plan.settings
    }

    /// The forwarding database.
    pub fn fdb(&self) -> Fdb<'_> {
        self.set().fdb()
    }

    /// The remotes.
    pub fn remotes(&self) -> Remotes<'_> {
        self.set().remotes()
    }

    /// The replication lists and next-hop groups.
    pub fn lists(&self) -> Lists<'_> {
        self.set().lists()
    }

    /// The neighbours.
    pub fn neighbors(&self) -> Neighbors<'_> {
        let set = self.set();
        set.neighbors(set.vnis())
    }

    /// The routes.
    pub fn routes(&self) -> Routes<'_> {
        self.set().routes()
    }

    /// The multicast groups.
    pub fn groups(&self) -> Groups<'_> {
        let set = self.set();
        set.groups(set.fdb())
    }

    /// Which VLAN is which VNI.
    pub fn vlans(&self) -> Vlans<'_> {
        let set = self.set();
        set.vlans(set.vnis())
    }

    /// What happened in a VNI, all workers taken together, where [`Capacity::vni_counters`] says that it is counted.
    /// May be called by anybody at any time.
    pub fn vni_counters(&self, vni: Vni) -> VniCounters {
        let set = self.set();
        let domain = set.vnis().find(vni).ok().flatten();
        domain.map_or(VniCounters::default(), |domain| set.tally().sum(vni, &domain))
    }

    /// Registers a worker. Until it calls [`quiesce`](Self::quiesce), the room of what is removed is not used again.
    /// Most users need not register. Who counts by VNI must
    /// ([`Worker::counting_as`](crate::vtep::Worker::counting_as)), and who keeps handles
    /// ([`RemoteId`](super::RemoteId), members of a list) from one call to the next while others remove what they name.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] where there are as many as [`Capacity::workers`] says.
    pub fn register(&self) -> Result<WorkerId, Error> {
        self.set().workers().register()
    }

    /// A quiescent point: the worker holds no handle from before. A registered worker must call this once per burst of
    /// packets, also where it has none for a while: otherwise nothing that is removed ever makes room, and adding is
    /// refused as [`Error::QuiescePending`] once all room was used.
    pub fn quiesce(&self, worker: &WorkerId) {
        self.set().workers().quiesce(worker);
    }

    /// Begins an epoch: [`has_passed`](Self::has_passed) tells when every registered worker has passed a quiescent
    /// point in it, so that none holds what was withdrawn before.
    #[must_use]
    pub fn begin_epoch(&self) -> Epoch {
        self.set().workers().begin_epoch()
    }

    /// Whether every registered worker has passed a quiescent point since this epoch began. Of others nobody knows.
    pub fn has_passed(&self, epoch: Epoch) -> bool {
        self.set().workers().has_passed(epoch)
    }

    /// The worker is gone, and with it all its handles.
    pub fn unregister(&self, worker: WorkerId) {
        self.set().workers().unregister(worker);
    }

    /// How many entries and neighbours have gone, counted around, of which no [`Event`](super::Event) and no answer
    /// tells: what had expired and made room before a sweep came by, and what was learned and made room for what
    /// somebody [added](Fdb::add); and neighbours of VNIs that were removed. All that happens only where there is
    /// little room left. Who keeps a copy of the tables makes it anew when this has changed, by [`Fdb::dump`] and
    /// [`Neighbors::dump`].
    pub fn untold(&self) -> u32 {
        self.set().meta.untold().load(Relaxed)
    }

    /// Changes how long entries that age stay; what is there ages by it at once. How often a sweep has to come around
    /// stays as it is: see [`age`](Self::age).
    ///
    /// # Errors
    ///
    /// [`BuildError::NoAge`] for no time; [`BuildError::Ageing`] for one that is more than 12 times as long as the
    /// one that the tables were built with, which sets how finely they count, or than 305 days. Tables that were built
    /// with [`Ageing::Never`] count in ticks of half a second (524,288 µs), and take at most 6,442 s: 107 minutes.
    pub fn set_ageing(&self, ageing: Ageing) -> Result<(), BuildError> {
        if ageing == Ageing::After(core::time::Duration::ZERO) {
            return Err(BuildError::NoAge { field: "ageing" });
        }
        let limit = settings::ticks(self.plan.clocks.fdb, "ageing", ageing)?;
        self.set().meta.fdb_limit().store(limit.into(), Relaxed);
        Ok(())
    }

    #[inline]
    pub(crate) fn set(&self) -> TableSet<'_> {
        let regions = Regions { layout: &self.plan.layout, lines: self.storage.as_ref() };
        TableSet { plan: &self.plan, regions, meta: Meta::new(regions.meta()) }
    }
}

impl<'t> TableSet<'t> {
    pub(crate) fn vlans(&self, vnis: Vnis<'t>) -> Vlans<'t> {
        Vlans { words: Words(self.regions.vlans()), count: self.plan.capacity.vlans, vnis }
    }

    pub(crate) fn tally(&self) -> Tally<'t> {
        Tally { lines: self.regions.tally(), vnis: self.plan.capacity.vnis }
    }

    #[inline(always)]
    pub(crate) fn fdb(&self) -> Fdb<'t> {
        Fdb {
            map: Map::new(self.regions.fdb(), self.regions.fdb_cold(), self.plan.seeds.fdb),
            vnis: self.vnis(),
            remotes: self.remotes(),
            members: (self.regions.lists(), self.plan.seeds.lists),
            quotas: Words(self.regions.quotas()),
            meta: self.meta,
            clock: self.plan.clocks.fdb,
            limits: Limits {
                entries: self.plan.capacity.entries,
                learned: self.plan.settings.learned_limit,
                quota: self.plan.settings.quota_limit,
                vni: self.plan.settings.vni_limit,
                learn_from: self.plan.settings.learn_from,
            },
        }
    }

    pub(crate) fn neighbors(&self, vnis: Vnis<'t>) -> Neighbors<'t> {
        Neighbors {
            store: Store {
                map: Map::new(self.regions.neighbor_map(), &[], self.plan.seeds.neighbors),
                records: Records::new(self.regions.neighbor_records(), self.plan.capacity.neighbors as usize),
                count: self.meta.neighbors(),
                limit: self.plan.capacity.neighbors,
                what: Resource::Neighbors,
                relocations: self.meta.relocations(),
                buried: self.meta.untold(),
            },
            vnis,
            meta: self.meta,
            clock: self.plan.clocks.neighbors,
            reachable: self.plan.clocks.reachable,
            snooping: self.plan.settings.snooping,
            seed: self.plan.seeds.neighbors,
        }
    }

    pub(crate) fn routes(&self) -> Routes<'t> {
        Routes {
            store: Store {
                map: Map::new(self.regions.route_map(), &[], self.plan.seeds.routes),
                records: Records::new(self.regions.route_records(), self.plan.capacity.routes as usize),
                count: self.meta.routes(),
                limit: self.plan.capacity.routes,
                what: Resource::Routes,
                relocations: self.meta.relocations(),
                buried: nowhere().word(0),
            },
            lengths: Lengths(Words(self.regions.route_lengths())),
            seed: self.plan.seeds.routes,
        }
    }

    pub(crate) fn groups(&self, fdb: Fdb<'t>) -> Groups<'t> {
        Groups {
            store: Store {
                map: Map::new(self.regions.group_map(), &[], self.plan.seeds.groups),
                records: Records::new(self.regions.group_records(), self.plan.capacity.groups as usize),
                count: self.meta.groups(),
                limit: self.plan.capacity.groups,
                what: Resource::Groups,
                relocations: self.meta.relocations(),
                buried: nowhere().word(0),
            },
            fdb,
            seed: self.plan.seeds.groups,
        }
    }

    /// Whether there may be VLANs of segments.
    pub(crate) const fn has_vlans(&self) -> bool {
        self.plan.capacity.vlans != 0
    }

    /// Whether there is any multicast group.
    pub(crate) fn has_groups(&self) -> bool {
        self.meta.groups().load(Relaxed) != 0
    }

    pub(crate) fn workers(&self) -> Workers<'t> {
        Workers { lines: self.regions.workers(), meta: self.meta }
    }

    #[inline]
    pub(crate) fn vnis(&self) -> Vnis<'t> {
        Vnis {
            map: Map::new(self.regions.vni_map(), &[], self.plan.seeds.vnis),
            front: self.regions.vni_front(),
            lines: self.regions.vnis(),
            meta: self.meta,
            workers: self.workers(),
        }
    }

    #[inline(always)]
    pub(crate) fn remotes(&self) -> Remotes<'t> {
        Remotes {
            map: Map::new(self.regions.remote_map(), &[], self.plan.seeds.remotes),
            names: self.regions.remote_names(),
            states: Words(self.regions.remote_states()),
            accounts: Words(self.regions.remote_accounts()),
            records: Words(self.regions.remote_records()),
            stride: remote::record_lines(self.plan.capacity.header).saturating_mul(Line::WORDS),
            header: self.plan.capacity.header as usize,
            count: self.plan.capacity.remotes,
            quotas: self.plan.capacity.quotas,
            unconfigured_limit: self.plan.settings.unconfigured_remotes,
            underlay: self.plan.settings.underlay,
            seed: self.plan.seeds.remotes,
            meta: self.meta,
            workers: self.workers(),
        }
    }

    pub(crate) fn lists(&self) -> Lists<'t> {
        self.fdb().lists()
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
        Self::with_settings(capacity.storage()?, capacity, settings, seed)
    }
}
