//! What `bridge fdb` has a word for, row by row of the behaviour of Linux, and where we tell more than Linux does.

use encap::{
    table::{
        Capacity, Change, Destination, Error, Fdb, HandleKind, Learned, Lookup, MacKind, NewEntry, Remote,
        RemoteId, Resource, Settings, State,
    },
    wire::{MacAddr, Vni},
};

use crate::common::{NOW, VNI, mac, remote, small, tables};

const GROUP: MacAddr = MacAddr([0x01, 0, 0x5e, 0, 0, 1]);
const LISTED: [MacAddr; 3] = [MacAddr::ZERO, MacAddr::BROADCAST, GROUP];
const OTHER_VNI: Vni = Vni::truncate(43);

/// The remotes of an entry, in order.
fn remotes(fdb: &Fdb<'_>, vni: Vni, mac: MacAddr) -> Vec<RemoteId> {
    let entry = fdb.get(NOW, vni, mac).unwrap();
    assert_eq!(fdb.lookup(NOW, vni, mac), Lookup::Found(entry.destination));
    fdb.remotes_of(entry.destination).collect()
}

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
    let refused = Err(Error::MacKind { operation: "append", kind: MacKind::Unicast });
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

/// All four of address, port, VNI and egress name a destination.
#[test]
fn a6_identity_is_address_port_vni_and_egress() {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    let plain = Remote::new([192, 0, 2, 1].into(), 4789);
    let others = [
        Remote::new([192, 0, 2, 2].into(), 4789),
        Remote::new([192, 0, 2, 1].into(), 8472),
        plain.vni(VNI),
        plain.egress(3),
    ];
    let all = [plain, others[0], others[1], others[2], others[3]].map(|remote| {
        let id = tables.remotes().find_or_add(&remote).unwrap();
        let again = remote.mtu(1_400).next_hop(mac(9));
        assert_eq!(tables.remotes().find_or_add(&again), Ok(id), "the rest names nothing");
        id
    });
    for to in all.into_iter().chain(all) {
        fdb.append(VNI, MacAddr::ZERO, to).unwrap();
    }
    assert_eq!(remotes(&fdb, VNI, MacAddr::ZERO), all);
    assert_eq!(fdb.delete_destination(NOW, VNI, MacAddr::ZERO, all[2]), Ok(Change::Updated));
    assert_eq!(remotes(&fdb, VNI, MacAddr::ZERO), [all[0], all[1], all[3], all[4]]);
}

/// Port, VNI, egress and what else is not said.
#[test]
fn a6_remote_defaults() {
    let tables = tables(small(), Settings::default());
    let remote = tables.remotes().get(remote(&tables, 1)).unwrap();
    assert_eq!((remote.port, remote.vni, remote.egress), (4789, None, 0));
    assert_eq!((remote.next_hop, remote.mtu), (None, 0));
}

#[test]
fn a6_key_is_mac_and_vni() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    for mac in [mac(1), MacAddr::ZERO] {
        fdb.add(VNI, mac, a).unwrap();
        fdb.add(OTHER_VNI, mac, b).unwrap();
        assert_eq!((remotes(&fdb, VNI, mac), remotes(&fdb, OTHER_VNI, mac)), (vec![a], vec![b]));
        fdb.delete(NOW, VNI, mac).unwrap();
        assert_eq!(remotes(&fdb, OTHER_VNI, mac), [b]);
    }
    // VNIs that meet in the index by their low bits, and the largest.
    for vni in [0, 0x00_0100, 0xff_ff00, 0xff_ffff].map(Vni::truncate) {
        fdb.add(vni, mac(1), a).unwrap();
        assert_eq!(fdb.get(NOW, vni, mac(1)).unwrap().vni, vni);
        assert_eq!(fdb.lookup(NOW, vni, mac(2)), Lookup::Unknown);
    }
}

#[test]
fn a6_states() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let entries = [
        (NewEntry::to(a), State::Permanent, false, false),
        (NewEntry::to(a).as_static(), State::Static, false, false),
        (NewEntry::to(a).dynamic(NOW), State::Dynamic, true, true),
        (NewEntry::to(a).extern_learn(), State::ExternLearn, false, true),
        (NewEntry::to(a).dynamic(NOW).extern_learn(), State::ExternLearn, false, true),
        (NewEntry::to(a).dynamic(NOW).as_static(), State::Static, false, false),
    ];
    for (number, (new, state, ages, moves)) in (0..).zip(entries) {
        fdb.add(VNI, mac(number), new).unwrap();
        let entry = fdb.get(NOW, VNI, mac(number)).unwrap();
        assert_eq!((entry.state, state.ages(), state.moves()), (state, ages, moves));
        assert_eq!(entry.age.is_some(), ages);
        assert!(!entry.router && !entry.sticky);
    }
    assert_eq!(fdb.learn(NOW, VNI, mac(99), a), Learned::New { evicted: None });
    let entry = fdb.get(NOW, VNI, mac(99)).unwrap();
    assert_eq!((entry.state, entry.age), (State::Learned, Some(core::time::Duration::ZERO)));
    assert!(State::Learned.ages() && State::Learned.moves());
}

#[test]
fn a6_flags_cookie_and_origin_are_kept() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let mut number = 0;
    for router in [false, true] {
        for sticky in [false, true] {
            for (origin, cookie) in [(0, 0), (1, u32::MAX), (255, 0x8000_0001)] {
                let mut new = NewEntry::to(a).origin(origin, cookie);
                new = if router { new.router() } else { new };
                new = if sticky { new.sticky() } else { new };
                fdb.add(VNI, mac(number), new).unwrap();
                let entry = fdb.get(NOW, VNI, mac(number)).unwrap();
                assert_eq!((entry.router, entry.sticky), (router, sticky));
                assert_eq!((entry.origin, entry.cookie), (origin, cookie));
                number += 1;
            }
        }
    }
    // None of them was written over by its neighbours.
    assert_eq!(fdb.dump(NOW).filter(|entry| entry.router).count(), 6);
    assert_eq!(fdb.dump(NOW).filter(|entry| entry.cookie == 0x8000_0001).count(), 4);
}

#[test]
fn a6_destination_of_another_family_is_refused() {
    let settings = |underlay| {
        let mut settings = Settings::default();
        settings.underlay = underlay;
        settings
    };
    let v4 = Remote::new([192, 0, 2, 1].into(), 4789);
    let v6 = Remote::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), 4789);
    use encap::table::Underlay::{Both, Ipv4, Ipv6};
    for (underlay, accepted) in [(Both, [true, true]), (Ipv4, [true, false]), (Ipv6, [false, true])] {
        let tables = tables(small(), settings(underlay));
        for (remote, accepted) in [v4, v6].into_iter().zip(accepted) {
            let added = tables.remotes().add(&remote);
            assert_eq!(added.is_ok(), accepted);
            assert!(accepted || added == Err(Error::Family));
        }
    }
}

#[test]
fn a6_full_table_refuses_the_next_entry_and_nothing_else() {
    let capacity = Capacity { entries: 64, ..small() };
    let tables = tables(capacity, Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    // The default destination counts as one.
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    for number in 1..64 {
        fdb.add(VNI, mac(number), a).unwrap();
    }
    let full = Error::Full { what: Resource::Entries, limit: 64 };
    assert_eq!(fdb.add(VNI, mac(64), a), Err(full));
    assert_eq!(fdb.append(VNI, mac(64), a), Err(full));
    assert_eq!(fdb.append(VNI, GROUP, a), Err(full));
    assert_eq!(fdb.replace(VNI, mac(64), a), Err(full));
    assert_eq!(fdb.get(NOW, VNI, mac(64)), Err(Error::NotFound));
    // What is there can be changed, and remotes appended to it.
    assert_eq!(fdb.replace(VNI, mac(1), b), Ok(Change::Updated));
    assert_eq!(fdb.append(VNI, MacAddr::ZERO, b), Ok(Change::Updated));
    assert_eq!((fdb.count(), tables.lists().used()), (64, 1));
    fdb.delete(NOW, VNI, mac(2)).unwrap();
    fdb.add(VNI, mac(64), a).unwrap();
}

#[test]
fn limit_of_a_vni_counts_all_its_entries() {
    let mut settings = Settings::default();
    settings.vni_limit = 3;
    let tables = tables(small(), settings);
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), Learned::New { evicted: None });
    fdb.add(VNI, mac(2), a).unwrap();
    let full = |limit| Err(Error::Full { what: Resource::EntriesOfVni, limit });
    assert_eq!(fdb.add(VNI, mac(3), a), full(3));
    fdb.add(OTHER_VNI, mac(3), a).unwrap();
    // A limit of its own, and back.
    fdb.set_limit(VNI, core::num::NonZeroU32::new(4)).unwrap();
    fdb.add(VNI, mac(3), a).unwrap();
    assert_eq!(fdb.add(VNI, mac(4), a), full(4));
    fdb.set_limit(VNI, None).unwrap();
    assert_eq!(fdb.add(VNI, mac(4), a), full(3));
    assert_eq!(fdb.count_vni(VNI), (3, 1), "what is there stays");
}

/// A table built for nothing is full, rather than busy for ever.
#[test]
fn a_table_for_no_entries_is_full() {
    let tables = tables(Capacity { entries: 0, ..small() }, Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let full = Error::Full { what: Resource::Entries, limit: 0 };
    assert_eq!(fdb.add(VNI, mac(1), a), Err(full));
    assert_eq!(fdb.replace(VNI, mac(1), a), Err(full));
    assert_eq!(fdb.append(VNI, MacAddr::ZERO, a), Err(full));
    assert_eq!(fdb.get(NOW, VNI, mac(1)), Err(Error::NotFound));
    assert_eq!(fdb.delete(NOW, VNI, mac(1)), Err(Error::NotFound));
    assert_eq!(fdb.lookup(NOW, VNI, mac(1)), Lookup::Unknown);
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), Learned::Refused(encap::table::Refusal::TableFull));
    assert_eq!(fdb.dump(NOW).count(), 0);
}

#[test]
fn stale_destinations_are_refused() {
    let tables = tables(small(), Settings::default());
    let (fdb, lists, a) = (tables.fdb(), tables.lists(), remote(&tables, 1));
    let (list, group) = (lists.add_list(&[a]).unwrap(), lists.add_group(&[a]).unwrap());
    tables.remotes().remove(a).unwrap();
    lists.remove(list).unwrap();
    lists.remove(group).unwrap();
    for (to, kind) in [
        (Destination::Remote(a), HandleKind::Remote),
        (Destination::List(list), HandleKind::List),
        (Destination::Group(group), HandleKind::Group),
    ] {
        assert_eq!(fdb.add(VNI, MacAddr::ZERO, to), Err(Error::Stale(kind)));
        assert_eq!(fdb.append(VNI, MacAddr::ZERO, to), Err(Error::Stale(kind)));
        if kind != HandleKind::List {
            assert_eq!(fdb.replace(VNI, mac(1), to), Err(Error::Stale(kind)));
        }
    }
    assert_eq!(fdb.count(), 0);
}

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

#[test]
fn lookup_batch_answers_as_lookups_do() {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    for number in 0..100 {
        let vni = if number % 3 == 0 { OTHER_VNI } else { VNI };
        fdb.add(vni, mac(number), remote(&tables, 1 + (number % 7) as u8)).unwrap();
    }
    for len in [0, 1, 31, 32, 33, 64, 100, 200] {
        let keys: Vec<_> = (0..len)
            .map(|number| ([VNI, OTHER_VNI, Vni::truncate(9)][number as usize % 3], mac(number * 7 % 120)))
            .collect();
        let mut answers = vec![Lookup::Busy; keys.len()];
        fdb.lookup_batch(NOW, &keys, &mut answers);
        for (&(vni, mac), answer) in keys.iter().zip(answers) {
            assert_eq!(answer, fdb.lookup(NOW, vni, mac));
        }
    }
    // The shorter slice counts.
    let keys = [(VNI, mac(1)), (VNI, mac(2))];
    let mut answers = [Lookup::Busy; 3];
    fdb.lookup_batch(NOW, &keys, &mut answers);
    assert_eq!(answers[2], Lookup::Busy);
    let mut answers = [Lookup::Busy; 1];
    fdb.lookup_batch(NOW, &keys, &mut answers);
    assert_eq!(answers[0], fdb.lookup(NOW, VNI, mac(1)));
}
