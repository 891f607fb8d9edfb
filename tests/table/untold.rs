//! Nothing goes without a word: what has expired is told by a sweep, or counted where something new took its room.

use std::net::IpAddr;

use encap::{
    table::{Capacity, Event, Learned, Line, NeighborState, NewEntry, NewNeighbor, Settings, Tables},
    time::Instant,
    wire::MacAddr,
};

use crate::common::{NOW, VNI, later, mac, remote};

const ENTRIES: u32 = 512;

/// Tables whose places this seed says.
fn seeded(seed: u64) -> Tables<Box<[Line]>> {
    let capacity = Capacity { neighbors: ENTRIES, ..Capacity::fdb(ENTRIES) };
    Tables::with_capacity(capacity, Settings::default(), [seed, 0x5eed]).unwrap()
}

/// How many a whole sweep tells of.
fn told(tables: &Tables<Box<[Line]>>, now: Instant) -> u32 {
    let mut told = 0;
    assert!(
        tables
            .age(now, usize::MAX, |event| {
                assert!(matches!(event, Event::Expired(_) | Event::NeighborExpired(_)));
                told += 1;
            })
            .complete
    );
    told
}

/// Learned and dynamic entries that make room for others in every way: in the newcomer's place, elsewhere in a full
/// table, and where they would have been moved.
#[test]
fn entries_that_expire_are_told_or_counted() {
    for seed in 0..32 {
        let tables = seeded(seed);
        let (fdb, remote) = (tables.fdb(), remote(&tables, 1));
        fdb.add_vni(VNI).unwrap();
        for host in 0..ENTRIES {
            match host % 4 {
                0 | 1 => fdb.add(VNI, mac(host), remote).unwrap(),
                2 => assert_eq!(fdb.learn(NOW, VNI, mac(host), remote), Learned::New { evicted: None }),
                _ => fdb.add(VNI, mac(host), NewEntry::to(remote).dynamic(NOW)).unwrap(),
            }
        }
        let now = later(400);
        let (mut came, mut added) = (Vec::new(), 0);
        for host in (1_000..1_200).map(mac) {
            // Where the search for room ends without any, a newcomer is refused.
            if fdb.learn(now, VNI, host, remote) == (Learned::New { evicted: None }) {
                came.push(host);
            }
            let other = MacAddr([6, 0, 0, 0, host.0[4], host.0[5]]);
            added += u32::from(fdb.add(VNI, other, NewEntry::to(remote).at(now)).is_ok());
        }
        let untold = tables.untold();
        assert!(came.len() > 20 && added > 20 && untold > 100, "{} {added} {untold}", came.len());
        // Some that were just learned may have gone for what was added.
        let gone = came.iter().filter(|&&host| fdb.get(now, VNI, host).is_err()).count() as u32;
        assert_eq!(untold + told(&tables, now), ENTRIES / 2 + gone, "seed {seed}");
        assert_eq!(tables.untold(), untold);
    }
}

#[test]
fn neighbours_that_expire_are_told_or_counted() {
    let address = |host: u32| IpAddr::from((0x0a01_0000 | host).to_be_bytes());
    for seed in 0..32 {
        let tables = seeded(seed);
        let neighbors = tables.neighbors();
        for host in 0..ENTRIES {
            let new = NewNeighbor::new(mac(host));
            let new = if host % 2 == 0 { new } else { new.state(NeighborState::Reachable, NOW) };
            neighbors.add(VNI, address(host), new).unwrap();
        }
        let now = later(4_000);
        let mut added = 0;
        for host in 0..200 {
            added += u32::from(
                neighbors
                    .add(
                        VNI,
                        address(1_000 + host),
                        NewNeighbor::new(mac(host)).state(NeighborState::Permanent, now),
                    )
                    .is_ok(),
            );
        }
        assert!(added > 100, "{added}");
        assert!(tables.untold() >= added);
        assert_eq!(tables.untold() + told(&tables, now), ENTRIES / 2);
    }
}
