//! Entries that others move about while a sweep, a flush or a walk is under way.

use std::{net::IpAddr, time::Duration};

use encap::{
    table::{
        Ageing, Capacity, Cursor, Fdb, Filter, Groups, LearnFrom, Learned, Line, Lookup, NeighborCursor,
        NeighborLearned, Neighbors, NewEntry, Remote, RemoteId, Snooping, Tables,
    },
    wire::Vni,
};

use crate::common::*;

const OTHER: Vni = Vni::truncate(43);

/// A full table in which the oldest entries of another VNI go and new ones come, so that some are moved.
struct Churn {
    old: u32,
    next: u32,
}

impl Churn {
    fn new() -> Self {
        Self { old: 1 << 24, next: 1 << 24 }
    }

    /// Three come, for three that go where the table is full; and as many more as there is room for.
    fn step(&mut self, limit: usize, count: impl Fn() -> usize, delete: impl Fn(u32), add: impl Fn(u32)) {
        for _ in 0..3 {
            if count() >= limit {
                delete(self.old);
                self.old += 1;
            }
            add(self.next);
            self.next += 1;
        }
        while count() < limit {
            add(self.next);
            self.next += 1;
        }
    }

    fn entries(&mut self, fdb: &Fdb<'_>, limit: usize, to: RemoteId) {
        let delete = |host| assert!(fdb.delete(NOW, OTHER, mac(host)).is_ok());
        self.step(limit, || fdb.count(), delete, |host| fdb.add(OTHER, mac(host), to).unwrap());
    }

    fn groups(&mut self, groups: &Groups<'_>, limit: usize, to: RemoteId) {
        let delete = |group| groups.delete(OTHER, multicast(group), None).unwrap();
        let add = |group| groups.add(OTHER, multicast(group), None, to).unwrap();
        self.step(limit, || groups.count(), delete, add);
    }

    fn neighbors(&mut self, neighbors: &Neighbors<'_>, limit: usize) {
        let delete = |host| assert!(neighbors.delete(NOW, OTHER, address(host)).is_ok());
        let add = |host| neighbors.add(OTHER, address(host), mac(host)).unwrap();
        self.step(limit, || neighbors.count(), delete, add);
    }
}

fn multicast(number: u32) -> IpAddr {
    IpAddr::from((0xe100_0000 + number).to_be_bytes())
}

/// The address of a neighbour.
fn address(host: u32) -> IpAddr {
    IpAddr::from(host.to_be_bytes())
}

/// A remote that nobody configured.
fn learned(tables: &Tables<Box<[Line]>>, number: u32) -> RemoteId {
    let address = (0x0a00_0000 + number).to_be_bytes();
    tables.remotes().find_or_learn(&Remote::new(address.into(), 4789)).unwrap()
}

/// Sweeps line by line, with something between, and looks for so many remotes that are only named.
fn sweep_among_moves(
    capacity: Capacity,
    name: impl Fn(&Tables<Box<[Line]>>, u32, RemoteId),
    mut between: impl FnMut(&Tables<Box<[Line]>>, RemoteId),
) {
    let capacity = Capacity { vnis: 2, remotes: 512, ..capacity };
    let tables = with(capacity, |settings| settings.unconfigured_remotes = 512);
    let (a, named) = (remote(&tables, 1), 0..200);
    let named: Vec<_> = named.map(|number| (number, learned(&tables, number))).collect();
    named.iter().for_each(|&(number, remote)| name(&tables, number, remote));
    for _ in 0..30 {
        while !tables.age(NOW, 1, |_| {}).complete {
            between(&tables, a);
        }
    }
    assert!(named.iter().all(|&(_, remote)| tables.remotes().get(remote).is_some()));
}

#[test]
fn a_sweep_leaves_the_remotes_that_moving_entries_name() {
    let mut churn = Churn::new();
    sweep_among_moves(
        Capacity { entries: 512, ..Capacity::NONE },
        |tables, host, remote| tables.fdb().add(VNI, mac(host), remote).unwrap(),
        |tables, a| churn.entries(&tables.fdb(), 512, a),
    );
}

/// Wherever the sweep is when they do, and whether or not it has seen the remote in use.
#[test]
fn a_sweep_leaves_the_remotes_that_entries_roam_to() {
    let capacity = Capacity { entries: 32, vnis: 1, remotes: 8, ..Capacity::NONE };
    for at in 0.. {
        let mut has_roamed = false;
        for idle in 0..2 {
            let tables = with(capacity, |settings| {
                (settings.unconfigured_remotes, settings.learn_from) = (8, LearnFrom::Any);
            });
            let (fdb, a) = (tables.fdb(), remote(&tables, 1));
            fdb.add(VNI, mac(1), NewEntry::to(a).extern_learn()).unwrap();
            let stranger = learned(&tables, 1);
            (0..idle).for_each(|_| assert!(tables.age(NOW, usize::MAX, |_| {}).complete));
            let mut steps = 0;
            while !tables.age(NOW, 1, |_| {}).complete {
                if steps == at && tables.remotes().get(stranger).is_some() {
                    assert!(matches!(fdb.learn(NOW, VNI, mac(1), stranger), Learned::Moved { .. }));
                    has_roamed = true;
                }
                steps += 1;
            }
            let found = fdb.lookup(NOW, VNI, mac(1)).destination();
            assert!(
                found == Some(a.into()) || found == Some(stranger.into()),
                "step {at}, {idle} sweeps before"
            );
        }
        if !has_roamed {
            assert!(at > 4, "in the middle of a sweep as well");
            break;
        }
    }
}

#[test]
fn a_sweep_leaves_the_remotes_that_moving_groups_name() {
    let mut churn = Churn::new();
    sweep_among_moves(
        Capacity { groups: 512, ..Capacity::NONE },
        |tables, number, to| tables.groups().add(VNI, multicast(number), None, to).unwrap(),
        |tables, a| churn.groups(&tables.groups(), 512, a),
    );
}

#[test]
fn a_flush_takes_entries_that_move_or_says_that_it_may_have_missed_some() {
    let tables = with(Capacity { entries: 4096, vnis: 2, remotes: 2, ..Capacity::NONE }, |_| {});
    let (fdb, a, b, mut churn) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2), Churn::new());
    (0..2000).for_each(|host| fdb.add(VNI, mac(host), b).unwrap());
    let mut filter = Filter::ALL;
    filter.vni = Some(VNI);
    let mut flush = |moving: bool| {
        let mut cursor = Cursor::default();
        loop {
            if moving {
                churn.entries(&fdb, 4096, a);
            }
            let step = fdb.flush(NOW, &filter, cursor, 1, |_| {});
            match step.next {
                Some(next) => cursor = next,
                None => return step.may_have_skipped,
            }
        }
    };
    assert!(flush(true), "entries were moved");
    assert!(fdb.count_vni(VNI).0 > 0, "and some missed");
    assert!(!flush(false), "none was moved");
    assert_eq!(fdb.count_vni(VNI).0, 0);
}

#[test]
fn a_flush_of_neighbours_says_that_it_may_have_missed_some() {
    let tables = with(Capacity { neighbors: 1024, vnis: 2, ..Capacity::NONE }, |_| {});
    let (neighbors, mut churn) = (tables.neighbors(), Churn::new());
    (1..500).for_each(|host| neighbors.add(VNI, address(host), mac(host)).unwrap());
    let mut flush = |moving: bool| {
        let mut cursor = NeighborCursor::default();
        loop {
            if moving {
                churn.neighbors(&neighbors, 1024);
            }
            let step = neighbors.flush(NOW, cursor, 1, |neighbor| neighbor.vni == VNI);
            match step.next {
                Some(next) => cursor = next,
                None => return step.may_have_skipped,
            }
        }
    };
    assert!(flush(true), "neighbours were moved");
    assert!(!flush(false), "none was moved");
    assert!(neighbors.dump(NOW).all(|neighbor| neighbor.vni == OTHER));
}

/// As a dump does of what was moved after its last step.
#[test]
fn a_flush_of_neighbours_knows_of_moves_until_it_ends() {
    let tables = with(Capacity { neighbors: 1024, vnis: 2, ..Capacity::NONE }, |_| {});
    let (neighbors, mut churn) = (tables.neighbors(), Churn::new());
    (1..500).for_each(|host| neighbors.add(VNI, address(host), mac(host)).unwrap());
    churn.neighbors(&neighbors, 900);
    let mut dump = neighbors.dump(NOW);
    assert!(dump.next().is_some() && !dump.cursor().may_have_skipped());
    let mut hosts = 1 << 25..;
    let flushed = neighbors.flush(NOW, NeighborCursor::default(), 1, |_| {
        // Not into the bucket that is locked.
        hosts
            .by_ref()
            .take(200)
            .for_each(|host| neighbors.add(OTHER, address(host), mac(host)).unwrap_or(()));
        false
    });
    assert!(flushed.may_have_skipped && dump.cursor().may_have_skipped());
}

#[test]
fn what_has_expired_does_not_move_out_of_a_sweeps_way() {
    let ageing = Ageing::After(Duration::from_secs(262));
    let tables = with(Capacity { entries: 4096, vnis: 2, remotes: 2, ..Capacity::NONE }, |settings| {
        settings.ageing = ageing;
    });
    let (fdb, a, mut churn) = (tables.fdb(), remote(&tables, 1), Churn::new());
    (0..2000).for_each(|host| assert_eq!(fdb.learn(NOW, VNI, mac(host), a), NEW));
    churn.entries(&fdb, 4096, a);
    assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
    // 19 ageing times later entries that say no time are added, and 14 later the stamps have come round.
    while !tables.age(later(5000), 1, |_| {}).complete {
        churn.entries(&fdb, 4096, a);
    }
    for seconds in [5000, 8600] {
        let found = |&host: &u32| fdb.lookup(later(seconds), VNI, mac(host)) != Lookup::Unknown;
        assert_eq!((0..2000).filter(found).count(), 0, "after {seconds} s");
    }
}

#[test]
fn a_neighbour_that_has_expired_does_not_move_out_of_a_sweeps_way() {
    let capacity = Capacity { neighbors: 1024, vnis: 2, ..Capacity::NONE };
    let tables = with(capacity, |settings| settings.snooping = Snooping::All);
    let (neighbors, mut churn) = (tables.neighbors(), Churn::new());
    for host in 1..500 {
        assert_eq!(neighbors.learn(NOW, VNI, address(host), mac(host), None), NeighborLearned::New);
    }
    assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
    churn.neighbors(&neighbors, 1024);
    while !tables.age(later(600), 1, |_| {}).complete {
        churn.neighbors(&neighbors, 1024);
    }
    for seconds in [600, 1200] {
        let found = |&host: &u32| neighbors.lookup(later(seconds), VNI, address(host)) != Ok(None);
        assert_eq!((1..500).filter(found).count(), 0, "after {seconds} s");
    }
}
