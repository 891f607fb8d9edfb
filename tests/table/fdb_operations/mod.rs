//! What `bridge fdb` has a word for, row by row of the behaviour of Linux, and where we tell more than Linux does.

mod destinations;
mod words;

use encap::{
    table::{
        Capacity, Change, Destination, Error, Fdb, HandleKind, Learned, Lookup, NewEntry, Remote, RemoteId,
        Resource, Settings, State,
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

/// All four of address, port, VNI and egress name a destination.
#[test]
fn a6_identity_is_address_port_vni_and_egress() {
    let tables = tables(small(), Settings::default());
    let fdb = tables.fdb();
    let plain = Remote::new([192, 0, 2, 1].into(), 4789);
    let others = [
        Remote::new([192, 0, 2, 2].into(), 4789),
        Remote::new([192, 0, 2, 1].into(), 8472),
        plain.vni(OTHER_VNI),
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
    for _ in 0..2 {
        assert_eq!(fdb.get(NOW, VNI, mac(1)), Err(Error::NotFound));
        assert_eq!(fdb.delete(NOW, VNI, mac(1)), Err(Error::NotFound));
        assert_eq!(fdb.lookup(NOW, VNI, mac(1)), Lookup::Unknown);
        // Be the VNI known or not.
        fdb.add_vni(VNI).unwrap();
    }
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
