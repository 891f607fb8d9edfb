//! The words themselves: add, append, replace, delete and get.

use encap::{
    table::{Change, Destination, Error, Learned, Lookup, MacKind, NewEntry, Settings, State},
    wire::MacAddr,
};

use crate::common::{NOW, VNI, mac, remote, small, tables};

use super::{GROUP, LISTED, remotes};

#[test]
fn a6_add_creates() {
    let tables = tables(small(), Settings::default());
    let (fdb, to) = (tables.fdb(), remote(&tables, 1));
    for mac in [mac(1), MacAddr::ZERO, MacAddr::BROADCAST, GROUP] {
        assert_eq!(fdb.get(NOW, VNI, mac), Err(Error::NotFound));
        assert_eq!(fdb.lookup(NOW, VNI, mac), Lookup::Unknown);
        fdb.add(VNI, mac, to).unwrap();
        assert_eq!(remotes(&fdb, VNI, mac), [to]);
        let entry = fdb.get(NOW, VNI, mac).unwrap();
        assert_eq!((entry.vni, entry.mac, entry.state, entry.age), (VNI, mac, State::Permanent, None));
        assert_eq!((entry.router, entry.sticky, entry.origin, entry.cookie), (false, false, 0, 0));
    }
    assert_eq!((fdb.count(), fdb.count_vni(VNI)), (4, (4, 0)));
}

#[test]
fn a6_add_existing_is_refused_even_with_another_destination() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    for mac in [mac(1), MacAddr::ZERO, GROUP] {
        fdb.add(VNI, mac, a).unwrap();
        let before = fdb.get(NOW, VNI, mac).unwrap();
        for to in [NewEntry::to(a), NewEntry::to(b), NewEntry::to(Destination::Local).as_static()] {
            assert_eq!(fdb.add(VNI, mac, to), Err(Error::Exists));
        }
        assert_eq!(fdb.get(NOW, VNI, mac), Ok(before));
        assert_eq!(remotes(&fdb, VNI, mac), [a]);
    }
    // What was learned is there as well.
    assert_eq!(fdb.learn(NOW, VNI, mac(2), a), Learned::New { evicted: None });
    assert_eq!(fdb.add(VNI, mac(2), b), Err(Error::Exists));
}

#[test]
fn a6_append_creates() {
    let tables = tables(small(), Settings::default());
    let (fdb, to) = (tables.fdb(), remote(&tables, 1));
    for mac in [mac(1), MacAddr::ZERO, MacAddr::BROADCAST, GROUP] {
        assert_eq!(fdb.append(VNI, mac, to), Ok(Change::Created));
        assert_eq!(remotes(&fdb, VNI, mac), [to]);
    }
}

#[test]
fn a6_append_of_what_is_there_changes_nothing() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    for mac in LISTED {
        fdb.add(VNI, mac, a).unwrap();
        assert_eq!(fdb.append(VNI, mac, b), Ok(Change::Updated));
        for again in [a, b] {
            assert_eq!(fdb.append(VNI, mac, again), Ok(Change::Unchanged));
        }
        assert_eq!(remotes(&fdb, VNI, mac), [a, b]);
    }
}

#[test]
fn a6_append_adds_at_the_tail() {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    // More than the first line of a list holds.
    let all: Vec<_> = (1..=40).map(|last| remote(&tables, last)).collect();
    for mac in LISTED {
        for &to in &all {
            fdb.append(VNI, mac, to).unwrap();
        }
        assert_eq!(remotes(&fdb, VNI, mac), all);
    }
}

#[test]
fn a6_append_to_unicast_reports_what_linux_keeps_silent() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    fdb.add(VNI, mac(1), a).unwrap();
    let refused = Err(Error::OneDestination);
    assert_eq!(fdb.append(VNI, mac(1), NewEntry::to(b).as_static()), refused);
    assert_eq!(remotes(&fdb, VNI, mac(1)), [a]);
    assert_eq!(fdb.get(NOW, VNI, mac(1)).unwrap().state, State::Permanent);
}

#[test]
fn a6_append_updates_state_and_flags() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for mac in [mac(1), MacAddr::ZERO, GROUP] {
        fdb.add(VNI, mac, a).unwrap();
        let new = NewEntry::to(a).as_static().router().origin(7, 9);
        assert_eq!(fdb.append(VNI, mac, new), Ok(Change::Updated));
        let entry = fdb.get(NOW, VNI, mac).unwrap();
        assert_eq!((entry.state, entry.router, entry.origin, entry.cookie), (State::Static, true, 7, 9));
        assert_eq!(remotes(&fdb, VNI, mac), [a]);
        assert_eq!(fdb.append(VNI, mac, new), Ok(Change::Unchanged));
    }
}

#[test]
fn a6_replace_creates() {
    let tables = tables(small(), Settings::default());
    let (fdb, to) = (tables.fdb(), remote(&tables, 1));
    assert_eq!(fdb.replace(VNI, mac(1), to), Ok(Change::Created));
    assert_eq!(remotes(&fdb, VNI, mac(1)), [to]);
}

#[test]
fn a6_replace_resets_all_that_is_not_said_again() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    let old = NewEntry::to(a).as_static().router().sticky().origin(7, 9);
    fdb.add(VNI, mac(1), old).unwrap();
    assert_eq!(fdb.replace(VNI, mac(1), old), Ok(Change::Unchanged));
    assert_eq!(fdb.replace(VNI, mac(1), b), Ok(Change::Updated));
    let entry = fdb.get(NOW, VNI, mac(1)).unwrap();
    assert_eq!((entry.destination, entry.state), (b.into(), State::Permanent));
    assert_eq!((entry.router, entry.sticky, entry.origin, entry.cookie), (false, false, 0, 0));
    assert_eq!(fdb.count(), 1);
}

#[test]
fn a6_replace_of_a_learned_entry_makes_it_ones_own() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add_vni(VNI).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), Learned::New { evicted: None });
    assert_eq!((fdb.count_vni(VNI), tables.remotes().learned(a)), ((0, 1), Some(1)));
    assert_eq!(fdb.replace(VNI, mac(1), a), Ok(Change::Updated));
    assert_eq!((fdb.count(), fdb.count_vni(VNI), tables.remotes().learned(a)), (1, (1, 0), Some(0)));
    assert_eq!(fdb.get(NOW, VNI, mac(1)).unwrap().state, State::Permanent);
    // It is no longer what was learned: a flush of that passes it by.
    assert_eq!(fdb.flush_learned(VNI), Ok(0));
    assert_eq!(remotes(&fdb, VNI, mac(1)), [a]);
}

#[test]
fn a6_replace_is_not_for_zero_and_multicast() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for there in [false, true] {
        for (mac, kind) in [
            (MacAddr::ZERO, MacKind::Zero),
            (MacAddr::BROADCAST, MacKind::Multicast),
            (GROUP, MacKind::Multicast),
        ] {
            let refused = Err(Error::MacKind { operation: "replace", kind });
            assert_eq!(fdb.replace(VNI, mac, a), refused);
            assert_eq!(fdb.get(NOW, VNI, mac).is_ok(), there);
            fdb.append(VNI, mac, a).unwrap();
        }
    }
    assert_eq!(fdb.count(), 3);
}

#[test]
fn a6_delete_without_destination_removes_the_whole_entry() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    let free = tables.lists().used();
    for mac in [mac(1), MacAddr::ZERO, GROUP] {
        fdb.add(VNI, mac, NewEntry::to(a).origin(3, 4)).unwrap();
        if mac.is_multicast() || mac == MacAddr::ZERO {
            assert_eq!(fdb.append(VNI, mac, NewEntry::to(b).origin(3, 4)), Ok(Change::Updated));
        }
        let before = fdb.get(NOW, VNI, mac);
        assert_eq!(fdb.delete(NOW, VNI, mac), before);
        assert_eq!(fdb.lookup(NOW, VNI, mac), Lookup::Unknown);
        assert_eq!((fdb.count(), tables.lists().used()), (0, free));
    }
}

#[test]
fn a6_delete_destination_leaves_the_others_in_order() {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    let [a, b, c, d] = [1, 2, 3, 4].map(|last| remote(&tables, last));
    for mac in LISTED {
        for to in [a, b, c, d] {
            fdb.append(VNI, mac, to).unwrap();
        }
        assert_eq!(fdb.delete_destination(NOW, VNI, mac, b), Ok(Change::Updated));
        assert_eq!(remotes(&fdb, VNI, mac), [a, c, d]);
        assert_eq!(fdb.delete_destination(NOW, VNI, mac, a), Ok(Change::Updated));
        // It comes back as the last one.
        assert_eq!(fdb.append(VNI, mac, a), Ok(Change::Updated));
        assert_eq!(remotes(&fdb, VNI, mac), [c, d, a]);
    }
}

#[test]
fn a6_delete_of_the_last_destination_removes_the_entry() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    for mac in [mac(1), MacAddr::ZERO, GROUP] {
        fdb.add(VNI, mac, a).unwrap();
        if mac != self::mac(1) {
            fdb.append(VNI, mac, b).unwrap();
            assert_eq!(fdb.delete_destination(NOW, VNI, mac, b), Ok(Change::Updated));
        }
        assert_eq!(fdb.delete_destination(NOW, VNI, mac, a), Ok(Change::Removed));
        assert_eq!(fdb.get(NOW, VNI, mac), Err(Error::NotFound));
        assert_eq!((fdb.count(), fdb.count_vni(VNI), tables.lists().used()), (0, (0, 0), 0));
    }
}

/// What was removed elsewhere does not keep an entry alive.
#[test]
fn a6_the_last_destination_is_the_last_that_is_there() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    assert_eq!(fdb.append(VNI, MacAddr::ZERO, b), Ok(Change::Updated));
    tables.remotes().remove(a).unwrap();
    assert_eq!(remotes(&fdb, VNI, MacAddr::ZERO), [b]);
    assert_eq!(fdb.delete_destination(NOW, VNI, MacAddr::ZERO, b), Ok(Change::Removed));
    assert_eq!(fdb.get(NOW, VNI, MacAddr::ZERO), Err(Error::NotFound));
}

#[test]
fn a6_delete_of_a_destination_that_is_not_there_reports_what_linux_keeps_silent() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    for mac in [mac(1), MacAddr::ZERO, GROUP] {
        fdb.add(VNI, mac, a).unwrap();
        for other in [b.into(), Destination::Local, Destination::Blackhole] {
            assert_eq!(fdb.delete_destination(NOW, VNI, mac, other), Err(Error::NoSuchDestination));
        }
        assert_eq!(remotes(&fdb, VNI, mac), [a]);
    }
}

#[test]
fn a6_delete_and_get_of_no_entry() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for known in [false, true] {
        assert_eq!(fdb.knows(VNI), known);
        for mac in [mac(1), MacAddr::ZERO, GROUP] {
            assert_eq!(fdb.delete(NOW, VNI, mac), Err(Error::NotFound));
            assert_eq!(fdb.delete_destination(NOW, VNI, mac, a), Err(Error::NotFound));
            assert_eq!(fdb.get(NOW, VNI, mac), Err(Error::NotFound));
        }
        fdb.add_vni(VNI).unwrap();
    }
}
