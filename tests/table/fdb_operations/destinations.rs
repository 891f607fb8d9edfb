//! Where entries lead to: lists, groups, this side, nowhere.

use encap::{
    table::{Change, Cursor, Destination, Error, Filter, Lookup, MacKind, Remote, Settings},
    wire::MacAddr,
};

use crate::common::{NOW, VNI, mac, remote, small, tables};

use super::{GROUP, LISTED, OTHER_VNI, remotes};

#[test]
fn lists_are_not_for_unicast() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let list = tables.lists().add_list(&[a]).unwrap();
    let refused = Error::MacKind { operation: "a replication list", kind: MacKind::Unicast };
    assert_eq!(fdb.add(VNI, mac(1), list), Err(refused));
    assert_eq!(fdb.append(VNI, mac(1), list), Err(refused));
    assert_eq!(fdb.replace(VNI, mac(1), list), Err(refused));
    for mac in LISTED {
        fdb.add(VNI, mac, list).unwrap();
        assert_eq!(fdb.lookup(NOW, VNI, mac), Lookup::Found(list.into()));
    }
    // It is whose it was, not the entries'.
    for mac in LISTED {
        fdb.delete(NOW, VNI, mac).unwrap();
    }
    assert_eq!(tables.lists().members(list).collect::<Vec<_>>(), [a]);
}

/// The list that an entry made for itself goes with the entry, so it cannot be another's.
#[test]
fn the_list_of_an_entry_is_not_shared() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    let own = fdb.lookup(NOW, VNI, MacAddr::ZERO).destination().unwrap();
    let refused = Error::DestinationKind { operation: "add" };
    assert_eq!(fdb.add(OTHER_VNI, MacAddr::ZERO, own), Err(refused));
    assert_eq!(fdb.add(VNI, GROUP, own), Err(refused));
    assert_eq!(remotes(&fdb, VNI, MacAddr::ZERO), [a]);
}

/// What one VNI does to its entry changes nothing for another that has the same list.
#[test]
fn a_list_that_entries_share_stays_as_it_is() {
    let tables = tables(small(), Settings::default());
    let (fdb, [a, b, c]) = (tables.fdb(), [1, 2, 3].map(|last| remote(&tables, last)));
    let list = tables.lists().add_list(&[a, b]).unwrap();
    fdb.add(VNI, MacAddr::ZERO, list).unwrap();
    fdb.add(OTHER_VNI, MacAddr::ZERO, list).unwrap();
    assert_eq!(fdb.append(VNI, MacAddr::ZERO, c), Err(Error::DestinationKind { operation: "append" }));
    assert_eq!(fdb.delete_destination(NOW, VNI, MacAddr::ZERO, a), Err(Error::NoSuchDestination));
    let mut filter = Filter::ALL;
    filter.vni = Some(VNI);
    let flush = |filter: &Filter| fdb.flush(NOW, filter, Cursor::default(), usize::MAX, |_| {});
    filter.address = Some([192, 0, 2, 1].into());
    assert_eq!((flush(&filter).entries, flush(&filter).remotes), (0, 0));
    assert_eq!([VNI, OTHER_VNI].map(|vni| remotes(&fdb, vni, MacAddr::ZERO)), [[a, b], [a, b]]);
    // An entry goes where all are named.
    (filter.address, filter.port) = (None, Some(4789));
    assert_eq!(flush(&filter).entries, 1);
    assert_eq!(fdb.lookup(NOW, VNI, MacAddr::ZERO), Lookup::Unknown);
    assert_eq!(remotes(&fdb, OTHER_VNI, MacAddr::ZERO), [a, b]);
    assert_eq!(fdb.delete_destination(NOW, OTHER_VNI, MacAddr::ZERO, list), Ok(Change::Removed));
    assert_eq!(tables.lists().members(list).collect::<Vec<_>>(), [a, b]);
}

/// What is sent counts: a remote without a VNI is sent that of the entry.
#[test]
fn a6_a_destination_with_the_default_vni_is_the_same_as_without_one() {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    let plain = Remote::new([192, 0, 2, 1].into(), 4789);
    let [a, with, other] =
        [plain, plain.vni(VNI), plain.vni(OTHER_VNI)].map(|remote| tables.remotes().add(&remote).unwrap());
    for zero in [MacAddr::ZERO, GROUP] {
        assert_eq!(fdb.append(VNI, zero, a), Ok(Change::Created));
        assert_eq!(fdb.append(VNI, zero, with), Ok(Change::Unchanged));
        assert_eq!(fdb.append(VNI, zero, other), Ok(Change::Updated));
        assert_eq!(remotes(&fdb, VNI, zero), [a, other]);
        assert_eq!(fdb.delete_destination(NOW, VNI, zero, with), Ok(Change::Updated));
        assert_eq!(fdb.delete_destination(NOW, VNI, zero, with), Err(Error::NoSuchDestination));
        assert_eq!(remotes(&fdb, VNI, zero), [other]);
        // For another VNI they are two.
        assert_eq!(fdb.append(OTHER_VNI, zero, a), Ok(Change::Created));
        assert_eq!(fdb.append(OTHER_VNI, zero, with), Ok(Change::Updated));
        assert_eq!(fdb.append(OTHER_VNI, zero, other), Ok(Change::Unchanged));
        assert_eq!(remotes(&fdb, OTHER_VNI, zero), [a, with]);
    }
    fdb.add(VNI, mac(1), a).unwrap();
    assert_eq!(fdb.append(VNI, mac(1), with), Ok(Change::Unchanged));
    assert_eq!(remotes(&fdb, VNI, mac(1)), [a]);
    assert_eq!(fdb.append(VNI, mac(1), other), Err(Error::OneDestination));
    assert_eq!(fdb.delete_destination(NOW, VNI, mac(1), other), Err(Error::NoSuchDestination));
    assert_eq!(fdb.delete_destination(NOW, VNI, mac(1), with), Ok(Change::Removed));
    // A list that is somebody's own has no VNI: handles count there.
    let list = tables.lists().add_list(&[a, with]).unwrap();
    assert_eq!(tables.lists().members(list).collect::<Vec<_>>(), [a, with]);
}

#[test]
fn a6_groups() {
    let tables = tables(small(), Settings::default());
    let (fdb, lists) = (tables.fdb(), tables.lists());
    let [a, b] = [1, 2].map(|last| remote(&tables, last));
    let group = lists.add_group(&[a, b]).unwrap();
    let other = lists.add_group(&[a]).unwrap();
    let mixed = |operation| Err(Error::DestinationKind { operation });

    // A normal entry does not become one of a group, nor the other way round.
    fdb.add(VNI, mac(1), a).unwrap();
    assert_eq!(fdb.replace(VNI, mac(1), group), mixed("replace"));
    fdb.add(VNI, mac(2), group).unwrap();
    assert_eq!(fdb.replace(VNI, mac(2), a), mixed("replace"));
    assert_eq!(fdb.replace(VNI, mac(2), other), Ok(Change::Updated));
    assert_eq!(fdb.replace(VNI, mac(2), group), Ok(Change::Updated));
    assert_eq!(remotes(&fdb, VNI, mac(1)), [a]);

    // The zero MAC may have a group: then BUM goes to one of its members, not to all.
    fdb.add(VNI, MacAddr::ZERO, group).unwrap();
    assert_eq!(fdb.lookup(NOW, VNI, MacAddr::ZERO), Lookup::Found(group.into()));
    assert_eq!(fdb.append(VNI, MacAddr::ZERO, a), mixed("append"));
    assert_eq!(fdb.append(VNI, MacAddr::ZERO, group), Ok(Change::Unchanged));
    assert_eq!(fdb.delete_destination(NOW, VNI, MacAddr::ZERO, a), Err(Error::NoSuchDestination));
    fdb.add(VNI, GROUP, a).unwrap();
    assert_eq!(fdb.append(VNI, GROUP, group), mixed("append"));

    // With the group go its entries.
    lists.remove(group).unwrap();
    assert_eq!(fdb.lookup(NOW, VNI, mac(2)), Lookup::Unknown);
    assert_eq!(fdb.get(NOW, VNI, MacAddr::ZERO), Err(Error::NotFound));
    assert_eq!(fdb.dump(NOW).count(), 2);
    // Their keys are free.
    fdb.add(VNI, mac(2), a).unwrap();
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
}

#[test]
fn a6_flow_picks_one_member_of_a_group() {
    let tables = tables(small(), Settings::default());
    let lists = tables.lists();
    let all = [1, 2, 3, 4].map(|last| remote(&tables, last));
    let group = lists.add_group(&all).unwrap();
    assert_eq!(tables.fdb().remotes_of(group.into()).collect::<Vec<_>>(), all);
    let picks: Vec<_> = (0..4_096).map(|flow| lists.pick(group, flow).unwrap()).collect();
    for member in all {
        let share = picks.iter().filter(|&&pick| pick == member).count();
        assert!((820..1_230).contains(&share), "{share} of 4,096");
    }
    // One that goes takes none of the flows of others with it.
    assert_eq!(lists.delete(group, all[2]), Ok(true));
    for (flow, before) in (0..4_096).zip(picks) {
        let pick = lists.pick(group, flow).unwrap();
        assert!(pick != all[2] && (pick == before || before == all[2]));
    }
    lists.remove(group).unwrap();
    assert_eq!(lists.pick(group, 1), None);
}

#[test]
fn a6_local_and_blackhole() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for (number, to) in [(1, Destination::Local), (2, Destination::Blackhole)] {
        fdb.add(VNI, mac(number), to).unwrap();
        assert_eq!(fdb.lookup(NOW, VNI, mac(number)), Lookup::Found(to));
        assert_eq!(fdb.remotes_of(to).count(), 0);
        assert_eq!(fdb.append(VNI, mac(number), to), Ok(Change::Unchanged));
        assert_eq!(fdb.delete_destination(NOW, VNI, mac(number), a), Err(Error::NoSuchDestination));
        assert_eq!(fdb.delete_destination(NOW, VNI, mac(number), to), Ok(Change::Removed));
    }
    fdb.add(VNI, GROUP, Destination::Local).unwrap();
    assert_eq!(fdb.append(VNI, GROUP, a), Err(Error::DestinationKind { operation: "append" }));
    assert_eq!(fdb.append(VNI, GROUP, Destination::Local), Ok(Change::Unchanged));
    assert_eq!(fdb.get(NOW, VNI, GROUP).unwrap().destination, Destination::Local);
}

/// The rule for broadcast, unknown unicast and multicast: the MAC itself first, then the zero MAC.
#[test]
fn a7_explicit_multicast_entry_overrides_the_default_destination() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    let to = |mac| {
        let lookup = |mac| fdb.lookup(NOW, VNI, mac).destination();
        lookup(mac).or_else(|| lookup(MacAddr::ZERO)).map(|to| fdb.remotes_of(to).collect::<Vec<_>>())
    };
    assert_eq!(to(MacAddr::BROADCAST), None);
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    for mac in [MacAddr::BROADCAST, GROUP, mac(1)] {
        assert_eq!(fdb.lookup(NOW, VNI, mac), Lookup::Unknown, "exactly the key that is asked for");
        assert_eq!(to(mac), Some(vec![a]));
    }
    fdb.add(VNI, MacAddr::BROADCAST, b).unwrap();
    assert_eq!((to(MacAddr::BROADCAST), to(GROUP)), (Some(vec![b]), Some(vec![a])));
}
