//! The rules of the neighbour table, each by name.

use std::{net::IpAddr, time::Duration};

use encap::{
    table::{
        Ageing, BuildError, Capacity, Change, Error, Line, NeighborCursor, NeighborLearned, NeighborRefusal,
        NeighborState, Neighbors, NewNeighbor, Resource, Settings, Snooping, Tables,
    },
    time::Instant,
    wire::{MacAddr, Vni},
};

use crate::common::{NOW, VNI, mac, small, tables, with};

pub(crate) const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 0, 2));
pub(crate) const HOST6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 2);

/// A table that learns, and knows [`VNI`].
pub(crate) fn snooping(snooping: Snooping) -> Tables<Box<[Line]>> {
    let mut settings = Settings::default();
    settings.snooping = snooping;
    let tables = tables(small(), settings);
    tables.fdb().add_vni(VNI).unwrap();
    tables
}

pub(crate) fn after(seconds: u64) -> Instant {
    NOW.saturating_add(Duration::from_secs(seconds))
}

pub(crate) fn state(neighbors: &Neighbors<'_>, now: Instant, address: IpAddr) -> Option<NeighborState> {
    neighbors.lookup(now, VNI, address).unwrap().map(|neighbor| neighbor.state)
}

#[test]
fn a_mac_address_alone_is_a_permanent_neighbour() {
    let tables = tables(small(), Settings::default());
    let neighbors = tables.neighbors();
    neighbors.add(VNI, HOST, mac(1)).unwrap();
    let neighbor = neighbors.get(NOW, VNI, HOST).unwrap();
    assert_eq!((neighbor.vni, neighbor.address, neighbor.mac), (VNI, HOST, mac(1)));
    assert_eq!((neighbor.state, neighbor.router, neighbor.age), (NeighborState::Permanent, false, None));
    assert!(neighbor.answers() && neighbor.is_valid());
    assert_eq!(neighbors.lookup(Instant::from_secs(1 << 40), VNI, HOST), Ok(Some(neighbor)));
}

#[test]
fn text_is_that_of_ip_neigh() {
    let tables = tables(small(), Settings::default());
    let neighbors = tables.neighbors();
    let mac = MacAddr([2, 0, 0, 0, 1, 2]);
    neighbors.add(VNI, HOST, NewNeighbor::new(mac).router()).unwrap();
    let neighbor = neighbors.get(NOW, VNI, HOST).unwrap();
    assert_eq!(neighbor.to_string(), "10.1.0.2 lladdr 02:00:00:00:01:02 router PERMANENT");
    assert_eq!(format!("{neighbor:#}"), "10.1.0.2 vni 42 lladdr 02:00:00:00:01:02 router PERMANENT");
    let stale = NewNeighbor::new(mac).state(NeighborState::Stale, NOW);
    neighbors.add(VNI, HOST6.into(), stale).unwrap();
    let neighbor = neighbors.get(NOW, VNI, HOST6.into()).unwrap();
    assert_eq!(neighbor.to_string(), "fd01::2 lladdr 02:00:00:00:01:02 STALE");
    assert_eq!(neighbors.replace(VNI, HOST, NewNeighbor::unknown(NOW)), Ok(Change::Updated));
    assert_eq!(neighbors.get(NOW, VNI, HOST).unwrap().to_string(), "10.1.0.2 INCOMPLETE");
}

#[test]
fn states_say_who_answers() {
    use NeighborState::{Delay, Failed, Incomplete, NoArp, Permanent, Probe, Reachable, Stale};
    let rows = [
        (Permanent, "PERMANENT", false, true, true),
        (NoArp, "NOARP", false, true, true),
        (Reachable, "REACHABLE", true, true, true),
        (Stale, "STALE", true, false, true),
        (Delay, "DELAY", true, false, true),
        (Probe, "PROBE", true, false, true),
        (Incomplete, "INCOMPLETE", true, false, false),
        (Failed, "FAILED", true, false, false),
    ];
    let tables = tables(small(), Settings::default());
    for (state, text, ages, answers, valid) in rows {
        assert_eq!((state.to_string().as_str(), state.ages()), (text, ages));
        assert_eq!((state.answers(), state.is_valid()), (answers, valid));
        let _ = tables.neighbors().replace(VNI, HOST, NewNeighbor::new(mac(1)).state(state, NOW)).unwrap();
        let neighbor = tables.neighbors().get(NOW, VNI, HOST).unwrap();
        assert_eq!((neighbor.state, neighbor.age.is_some()), (state, ages));
        let late = tables.neighbors().lookup(after(302), VNI, HOST).unwrap();
        assert_eq!(late.is_none(), ages);
    }
}

#[test]
fn add_never_changes_what_is_there() {
    let tables = tables(small(), Settings::default());
    let neighbors = tables.neighbors();
    neighbors.add(VNI, HOST, mac(1)).unwrap();
    assert_eq!(neighbors.add(VNI, HOST, mac(2)), Err(Error::Exists));
    assert_eq!(neighbors.get(NOW, VNI, HOST).unwrap().mac, mac(1));
    // The same address elsewhere is somebody else's.
    neighbors.add(Vni::truncate(43), HOST, mac(2)).unwrap();
    assert_eq!(neighbors.get(NOW, VNI, HOST).unwrap().mac, mac(1));
    assert_eq!(neighbors.count(), 2);
}

#[test]
fn replace_says_what_it_did() {
    let tables = tables(small(), Settings::default());
    let neighbors = tables.neighbors();
    assert_eq!(neighbors.replace(VNI, HOST, mac(1)), Ok(Change::Created));
    assert_eq!(neighbors.replace(VNI, HOST, mac(1)), Ok(Change::Unchanged));
    assert_eq!(neighbors.replace(VNI, HOST, mac(2)), Ok(Change::Updated));
    assert_eq!(neighbors.replace(VNI, HOST, NewNeighbor::new(mac(2)).router()), Ok(Change::Updated));
    let heard_of = NewNeighbor::new(mac(2)).state(NeighborState::Reachable, NOW);
    assert_eq!(neighbors.replace(VNI, HOST, heard_of), Ok(Change::Updated));
    let again = NewNeighbor::new(mac(2)).state(NeighborState::Reachable, after(20));
    assert_eq!(neighbors.replace(VNI, HOST, again), Ok(Change::Unchanged));
    assert_eq!(neighbors.get(after(20), VNI, HOST).unwrap().age, Some(Duration::ZERO));
    assert_eq!(neighbors.count(), 1);
}

#[test]
fn delete_answers_what_it_was() {
    let tables = tables(small(), Settings::default());
    let neighbors = tables.neighbors();
    assert_eq!(neighbors.delete(NOW, VNI, HOST), Err(Error::NotFound));
    neighbors.add(VNI, HOST, mac(1)).unwrap();
    assert_eq!(neighbors.delete(NOW, Vni::truncate(43), HOST), Err(Error::NotFound));
    assert_eq!(neighbors.delete(NOW, VNI, HOST).unwrap().mac, mac(1));
    assert_eq!(neighbors.delete(NOW, VNI, HOST), Err(Error::NotFound));
    assert_eq!((neighbors.count(), neighbors.lookup(NOW, VNI, HOST)), (0, Ok(None)));
}

#[test]
fn addresses_of_nobody_are_refused() {
    let tables = snooping(Snooping::All);
    let neighbors = tables.neighbors();
    for address in ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1"] {
        let address = address.parse().unwrap();
        assert_eq!(neighbors.add(VNI, address, mac(1)), Err(Error::NotUnicast));
        assert_eq!(neighbors.replace(VNI, address, mac(1)), Err(Error::NotUnicast));
        let refused = NeighborLearned::Refused(NeighborRefusal::InvalidAddress);
        assert_eq!(neighbors.learn(NOW, VNI, address, mac(1), None), refused);
    }
    assert_eq!(neighbors.add(VNI, HOST, MacAddr::ZERO), Err(Error::ZeroMac));
    assert_eq!(neighbors.replace(VNI, HOST, MacAddr::ZERO), Err(Error::ZeroMac));
    for mac in [MacAddr::ZERO, MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
        let refused = NeighborLearned::Refused(NeighborRefusal::InvalidMac);
        assert_eq!(neighbors.learn(NOW, VNI, HOST, mac, None), refused);
    }
    let refused = NeighborLearned::Refused(NeighborRefusal::InvalidAddress);
    assert_eq!(neighbors.learn(NOW, VNI, [127, 0, 0, 1].into(), mac(1), None), refused);
    assert_eq!(neighbors.count(), 0);
}

/// A cluster of servers may have one address at a group's MAC: somebody says so, nobody learns it.
#[test]
fn a_groups_mac_address_can_be_added() {
    let tables = tables(small(), Settings::default());
    let group = MacAddr([3, 0xbf, 0, 0, 0, 1]);
    tables.neighbors().add(VNI, HOST, group).unwrap();
    assert_eq!(tables.neighbors().get(NOW, VNI, HOST).unwrap().mac, group);
}

#[test]
fn exactly_as_many_fit_as_promised() {
    for count in [1, 2, 3, 7, 64, 1_000] {
        let tables = tables(Capacity { neighbors: count, ..small() }, Settings::default());
        let neighbors = tables.neighbors();
        let address = |number: u32| IpAddr::from((0x0a01_0000 + number).to_be_bytes());
        for number in 0..count {
            neighbors.add(VNI, address(number), mac(number)).unwrap();
        }
        let full = Error::Full { what: Resource::Neighbors, limit: count };
        assert_eq!(neighbors.add(VNI, address(count), mac(0)), Err(full));
        // A refused one adds no VNI either.
        assert_eq!(neighbors.add(Vni::truncate(43), address(0), mac(0)), Err(full));
        assert!(!tables.fdb().knows(Vni::truncate(43)));
        for number in 0..count {
            assert_eq!(neighbors.get(NOW, VNI, address(number)).unwrap().mac, mac(number));
            assert_eq!(neighbors.replace(VNI, address(number), mac(number + 1)), Ok(Change::Updated));
        }
        assert_eq!(neighbors.count(), count as usize);
        let _ = neighbors.delete(NOW, VNI, address(0)).unwrap();
        neighbors.add(VNI, address(count), mac(0)).unwrap();
    }
}

#[test]
fn a_table_for_none_takes_none() {
    let tables = tables(Capacity { neighbors: 0, ..small() }, Settings::default());
    let neighbors = tables.neighbors();
    assert_eq!(neighbors.lookup(NOW, VNI, HOST), Ok(None));
    assert_eq!(neighbors.add(VNI, HOST, mac(1)), Err(Error::Full { what: Resource::Neighbors, limit: 0 }));
    assert_eq!(neighbors.delete(NOW, VNI, HOST), Err(Error::NotFound));
    assert_eq!(neighbors.dump(NOW).count(), 0);
}

#[test]
fn reachable_becomes_stale_and_goes() {
    let tables = snooping(Snooping::All);
    let neighbors = tables.neighbors();
    assert_eq!(neighbors.learn(NOW, VNI, HOST, mac(1), None), NeighborLearned::New);
    assert_eq!(state(&neighbors, after(30), HOST), Some(NeighborState::Reachable));
    assert_eq!(state(&neighbors, after(31), HOST), Some(NeighborState::Stale));
    assert_eq!(state(&neighbors, after(300), HOST), Some(NeighborState::Stale));
    assert_eq!(state(&neighbors, after(302), HOST), None);
    assert_eq!(neighbors.dump(after(302)).count(), 0);
    let age = neighbors.get(after(100), VNI, HOST).unwrap().age.unwrap();
    assert!((99_900..=100_100).contains(&age.as_millis()), "{age:?}");
    // Confirmed again, it is reachable again.
    assert_eq!(neighbors.learn(after(200), VNI, HOST, mac(1), None), NeighborLearned::Refreshed);
    assert_eq!(state(&neighbors, after(230), HOST), Some(NeighborState::Reachable));
    assert_eq!(neighbors.learn(after(502), VNI, HOST, mac(2), None), NeighborLearned::New);
    assert_eq!(neighbors.count(), 1);
}

/// Before a sweep comes by, too: whoever has it away leaves nothing.
#[test]
fn what_has_expired_is_in_nobodys_way() {
    let (late, other) = (after(302), Vni::truncate(43));
    for flushes in [false, true] {
        let tables = snooping(Snooping::All);
        let neighbors = tables.neighbors();
        assert_eq!(neighbors.learn(NOW, VNI, HOST, mac(1), None), NeighborLearned::New);
        assert_eq!(neighbors.get(late, VNI, HOST), Err(Error::NotFound));
        assert_eq!(neighbors.add(VNI, HOST, mac(2)), Err(Error::Exists), "nobody says what time it is");
        if flushes {
            for (vni, count) in [(other, 1), (VNI, 0)] {
                let mut ages = Vec::new();
                let flushed = neighbors.flush(late, NeighborCursor::default(), usize::MAX, |neighbor| {
                    ages.extend(neighbor.age);
                    neighbor.vni == vni
                });
                assert_eq!((flushed.neighbors, neighbors.count()), (0, count));
                assert!(matches!(ages[..], [age] if age > Duration::from_secs(300)), "{ages:?}");
            }
        } else {
            assert_eq!(neighbors.delete(late, VNI, HOST), Err(Error::NotFound));
            assert_eq!(neighbors.count(), 0);
        }
        neighbors.add(VNI, HOST, mac(2)).unwrap();
    }
}

/// As entries of the forwarding database are: what nobody would find is not said to be there.
#[test]
fn what_ages_is_refused_while_a_sweep_is_overdue() {
    let tables = tables(small(), Settings::default());
    let neighbors = tables.neighbors();
    let ages = |now| NewNeighbor::new(mac(1)).state(NeighborState::Reachable, now);
    neighbors.add(VNI, HOST, ages(NOW)).unwrap();
    neighbors.add(VNI, HOST6.into(), mac(1)).unwrap();
    let late = after(1_000_000);
    let (other, pending) = (IpAddr::from([10, 1, 0, 3]), Error::SweepPending);
    assert_eq!(neighbors.add(VNI, other, ages(late)), Err(pending));
    assert_eq!(neighbors.add(Vni::truncate(43), other, ages(late)), Err(pending));
    assert!(!tables.fdb().knows(Vni::truncate(43)), "what is refused adds no VNI");
    // Be it what is there already, or a permanent one.
    assert_eq!(neighbors.replace(VNI, HOST, ages(late)), Err(pending));
    assert_eq!(neighbors.replace(VNI, HOST6.into(), ages(late)), Err(pending));
    assert_eq!(state(&neighbors, late, HOST6.into()), Some(NeighborState::Permanent));
    // What does not age needs no time.
    neighbors.add(VNI, other, NewNeighbor::new(mac(1)).state(NeighborState::NoArp, late)).unwrap();
    assert!(tables.age(late, usize::MAX, |_| {}).complete);
    assert_eq!(neighbors.replace(VNI, HOST, ages(late)), Ok(Change::Created));
    assert_eq!(state(&neighbors, late, HOST), Some(NeighborState::Reachable));
}

#[test]
fn never_ageing_neighbours_become_stale_but_stay() {
    let mut settings = Settings::default();
    (settings.snooping, settings.neighbor_ageing) = (Snooping::All, Ageing::Never);
    let tables = tables(small(), settings);
    tables.fdb().add_vni(VNI).unwrap();
    assert_eq!(tables.neighbors().learn(NOW, VNI, HOST, mac(1), None), NeighborLearned::New);
    assert_eq!(state(&tables.neighbors(), after(900), HOST), Some(NeighborState::Stale));
}

#[test]
fn times_too_far_apart_are_refused() {
    let mut settings = Settings::default();
    settings.reachable = Duration::from_millis(1);
    let refused = |settings| Tables::with_capacity(small(), settings, [1, 2]).map(|_| ()).unwrap_err();
    let (ageing, reachable) = (Duration::from_secs(300), Duration::from_millis(1));
    assert_eq!(refused(settings), BuildError::NeighborAgeing { ageing, reachable });
    let text = refused(settings).to_string();
    assert_eq!(text, "`neighbor_ageing` is 300s and `reachable` 1ms: at most 12 times as long, and 305 days");
    settings.reachable = Duration::ZERO;
    assert_eq!(refused(settings), BuildError::NoAge { field: "reachable" });
    settings.reachable = Duration::MAX;
    assert_eq!(refused(settings), BuildError::Ageing { field: "reachable", time: Duration::MAX });
}

/// Also where `reachable` is nearly 1,024 ticks.
#[test]
fn neighbours_may_stay_twelve_times_as_long_as_they_are_reachable() {
    for micros in
        (0..=41).flat_map(|doublings| [(1 << doublings) - 1, 1 << doublings]).filter(|&time| time > 0)
    {
        let mut settings = Settings::default();
        settings.reachable = Duration::from_micros(micros);
        settings.neighbor_ageing = Ageing::After(settings.reachable * 12);
        tables(small(), settings);
    }
}

#[test]
fn a_removed_vni_takes_its_neighbours_with_it() {
    let tables = snooping(Snooping::All);
    let neighbors = tables.neighbors();
    neighbors.add(VNI, HOST, mac(1)).unwrap();
    tables.fdb().remove_vni(VNI).unwrap();
    assert_eq!(neighbors.lookup(NOW, VNI, HOST), Ok(None));
    assert_eq!(neighbors.dump(NOW).count(), 0);
    tables.fdb().add_vni(VNI).unwrap();
    assert_eq!(neighbors.lookup(NOW, VNI, HOST), Ok(None));
}

/// The next VNI that gets the number, which there is only one of, finds none of them.
#[test]
fn a_sweep_takes_the_neighbours_of_a_removed_vni() {
    let tables = with(Capacity { neighbors: 4, vnis: 1, ..small() }, |_| {});
    let (fdb, neighbors, next) = (tables.fdb(), tables.neighbors(), Vni::truncate(43));
    for last in 1..5 {
        neighbors.add(VNI, [10, 1, 0, last].into(), mac(1)).unwrap();
    }
    fdb.remove_vni(VNI).unwrap();
    assert!(tables.age(NOW, usize::MAX, |event| panic!("{event:?}")).complete);
    assert_eq!(neighbors.count(), 0);
    (0..2).for_each(|_| assert!(tables.age(NOW, usize::MAX, |_| {}).complete));
    fdb.add_vni(next).unwrap();
    for last in 1..5 {
        assert_eq!(neighbors.lookup(NOW, next, [10, 1, 0, last].into()), Ok(None));
    }
}

#[test]
fn a_flush_looks_at_no_more_buckets_than_it_may() {
    let tables = with(small(), |_| {});
    let neighbors = tables.neighbors();
    for last in 1..=64 {
        neighbors.add(VNI, [10, 1, 0, last].into(), mac(1)).unwrap();
    }
    let flush = |budget| neighbors.flush(NOW, NeighborCursor::default(), budget, |_| true);
    let nothing = flush(0);
    assert_eq!((nothing.neighbors, nothing.next.is_some()), (0, true));
    let step = flush(1);
    assert!(step.neighbors <= 4 && step.next.is_some(), "{step:?}");
}

#[cfg(feature = "serde")]
#[test]
fn neighbours_survive_json() {
    let tables = tables(small(), Settings::default());
    for (address, state) in [(HOST, NeighborState::Permanent), (HOST6.into(), NeighborState::Reachable)] {
        let new = NewNeighbor::new(mac(1)).state(state, NOW).router();
        tables.neighbors().add(VNI, address, new).unwrap();
        let neighbor = tables.neighbors().get(after(1), VNI, address).unwrap();
        let json = serde_json::to_string(&neighbor).unwrap();
        assert_eq!(serde_json::from_str::<encap::table::Neighbor>(&json).unwrap(), neighbor, "{json}");
    }
}
