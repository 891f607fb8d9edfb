//! Remotes: what names them, when they go, and when their place is taken again.

mod addresses;
mod handles;
mod mtu;
mod storage;

use std::net::IpAddr;

use encap::{
    table::{
        Capacity, Error, HandleKind, LearnFrom, Learned, Line, Lookup, NewEntry, Quota, Remote, RemoteId,
        Resource, Settings, Tables,
    },
    wire::MacAddr,
};

use crate::common::{NEW, NOW, VNI, mac, remote, small, tables};

const STALE: Error = Error::Stale(HandleKind::Remote);

fn at(last: u8) -> Remote {
    Remote::new([192, 0, 2, last].into(), 4789)
}

fn sweep(tables: &Tables<Box<[Line]>>) {
    assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
}

#[test]
fn what_is_added_is_found_and_read() {
    let tables = tables(small(), Settings::default());
    let remotes = tables.remotes();
    let all = [
        at(1),
        Remote::new([192, 0, 2, 1].into(), 0),
        at(1).vni(VNI),
        at(1).egress(u32::MAX),
        at(2).mtu(u16::MAX).next_hop(mac(9)).quota(Quota::Shared(3)),
        at(3).next_hop(MacAddr([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff])),
        Remote::new([0x2001, 0xdb8, 1, 2, 3, 4, 5, 6].into(), 65_535),
        // The IPv4 address in front of nothing: another one.
        Remote::new(IpAddr::from([0xc000, 0x0201, 0, 0, 0, 0, 0, 0]), 4789),
    ];
    let ids = all.map(|remote| remotes.add(&remote).unwrap());
    for (remote, id) in all.iter().zip(ids) {
        assert_eq!((remotes.get(id), remotes.find(remote)), (Some(*remote), Some(id)));
        assert_eq!(remotes.add(remote), Err(Error::Exists));
        assert_eq!(remotes.find_or_add(remote), Ok(id));
        assert!(remotes.is_configured(id));
    }
    assert_eq!(remotes.iter().collect::<Vec<_>>(), ids.into_iter().zip(all).collect::<Vec<_>>());
    assert_eq!((remotes.count(), remotes.find(&at(9))), (8, None));
}

/// Groups are configured; nobody sends from one, so that none is learned.
#[test]
fn groups_are_not_learned() {
    let tables = tables(small(), Settings::default());
    for address in ["224.0.0.1", "239.1.1.1", "ff02::1"] {
        let remote = Remote::new(address.parse().unwrap(), 4789);
        assert_eq!(tables.remotes().find_or_learn(&remote), Err(Error::NotUnicast), "{address}");
        let id = tables.remotes().add(&remote).unwrap();
        assert_eq!(tables.remotes().get(id), Some(remote));
    }
    assert_eq!(tables.remotes().count(), 3);
}

#[test]
fn addresses_of_nobody_are_refused() {
    let tables = tables(small(), Settings::default());
    for address in ["0.0.0.0", "255.255.255.255", "::"] {
        let remote = Remote::new(address.parse().unwrap(), 4789);
        assert_eq!(tables.remotes().add(&remote), Err(Error::NotUnicast), "{address}");
        assert_eq!(tables.remotes().find_or_add(&remote), Err(Error::NotUnicast), "{address}");
        assert_eq!(tables.remotes().find_or_learn(&remote), Err(Error::NotUnicast), "{address}");
    }
    let mapped = Remote::new("::ffff:192.0.2.1".parse().unwrap(), 4789);
    assert_eq!(tables.remotes().add(&mapped), Err(Error::Ipv4Mapped));
    assert_eq!(tables.remotes().find_or_learn(&mapped), Err(Error::Ipv4Mapped));
    // Packets are sent to groups, and never come from them.
    for address in ["224.0.0.1", "239.1.1.1", "ff02::1"] {
        let remote = Remote::new(address.parse().unwrap(), 4789);
        assert_eq!(tables.remotes().find_or_learn(&remote), Err(Error::NotUnicast), "{address}");
        let id = tables.remotes().add(&remote).unwrap();
        assert_eq!(tables.remotes().get(id), Some(remote));
        tables.remotes().remove(id).unwrap();
    }
    let unknown = Err(Error::NoSuchQuota { quota: 4, had: 4 });
    assert_eq!(tables.remotes().add(&at(1).quota(Quota::Shared(4))), unknown);
    assert_eq!(tables.remotes().count(), 0);
}

/// `None` says that a next hop is not known; to a group packets may go by a group's address.
#[test]
fn a_next_hop_has_the_mac_address_of_a_host() {
    let tables = tables(small(), Settings::default());
    let (remotes, there) = (tables.remotes(), remote(&tables, 1));
    remotes.set_next_hop(there, Some(mac(7))).unwrap();
    let group = MacAddr([1, 0, 0x5e, 1, 1, 1]);
    for nobody in [MacAddr::ZERO, MacAddr::BROADCAST, group] {
        assert_eq!(remotes.set_next_hop(there, Some(nobody)), Err(Error::NextHopMac), "{nobody}");
        assert_eq!(remotes.get(there), Some(at(1).next_hop(mac(7))));
        let other = at(2).next_hop(nobody);
        let answers = [remotes.add(&other), remotes.find_or_add(&other), remotes.find_or_learn(&other)];
        assert_eq!(answers, [Err(Error::NextHopMac); 3], "{nobody}");
    }
    remotes.set_next_hop(there, None).unwrap();
    let many = Remote::new([239, 1, 1, 1].into(), 4789).next_hop(group);
    let id = remotes.add(&many).unwrap();
    for some in [MacAddr::BROADCAST, mac(7)] {
        remotes.set_next_hop(id, Some(some)).unwrap();
    }
    assert_eq!(remotes.set_next_hop(id, Some(MacAddr::ZERO)), Err(Error::NextHopMac));
    assert_eq!(remotes.get(id), Some(many.next_hop(mac(7))));
}

#[test]
fn what_does_not_name_it_can_be_changed() {
    let tables = tables(small(), Settings::default());
    let (remotes, id) = (tables.remotes(), remote(&tables, 1));
    remotes.set_header(id, &[1, 2, 3, 4, 5]).unwrap();
    remotes.set_next_hop(id, Some(mac(7))).unwrap();
    remotes.set_mtu(id, 1_450).unwrap();
    let mut header = [0; 88];
    assert_eq!(remotes.read(id, &mut header), Some((at(1).next_hop(mac(7)).mtu(1_450), 5)));
    assert_eq!(header[..6], [1, 2, 3, 4, 5, 0]);
    let mut short = [0; 2];
    assert_eq!(remotes.read(id, &mut short).unwrap().1, 2);
    remotes.set_next_hop(id, None).unwrap();
    let all: Vec<_> = (1..89).collect();
    for len in (0..=88).rev() {
        remotes.set_header(id, &all[..len]).unwrap();
        let mut header = [0; 94];
        assert_eq!(remotes.read(id, &mut header), Some((at(1).mtu(1_450), len)));
        assert_eq!(header[..len], all[..len]);
        assert!(header[len..].iter().all(|&byte| byte == 0));
    }
    assert_eq!(remotes.set_header(id, &[0; 89]), Err(Error::HeaderTooLong { needed: 89, had: 88 }));
    assert_eq!(remotes.find(&at(1)), Some(id));
}

#[test]
fn handles_die_with_their_remote() {
    let tables = tables(small(), Settings::default());
    let (fdb, remotes, a, b) = (tables.fdb(), tables.remotes(), remote(&tables, 1), remote(&tables, 2));
    fdb.add(VNI, mac(1), a).unwrap();
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    fdb.append(VNI, MacAddr::ZERO, b).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(2), a), NEW);
    fdb.add(VNI, mac(3), NewEntry::to(a).extern_learn()).unwrap();
    let group = tables.lists().add_group(&[a, b]).unwrap();
    remotes.remove(a).unwrap();

    assert_eq!((remotes.get(a), remotes.find(&at(1)), remotes.is_configured(a)), (None, None, false));
    assert_eq!((remotes.learned(a), remotes.read(a, &mut [])), (None, None));
    assert_eq!(remotes.remove(a), Err(STALE));
    assert_eq!(remotes.set_mtu(a, 1), Err(STALE));
    assert_eq!(remotes.set_next_hop(a, None), Err(STALE));
    assert_eq!(remotes.set_header(a, &[]), Err(STALE));
    assert_eq!(fdb.flush_learned_from(a), Err(STALE));
    assert_eq!(tables.lists().append(group, a), Err(STALE));
    for number in [1, 2, 3] {
        assert_eq!(fdb.lookup(NOW, VNI, mac(number)), Lookup::Unknown);
        assert_eq!(fdb.get(NOW, VNI, mac(number)), Err(Error::NotFound));
    }
    let flood = fdb.lookup(NOW, VNI, MacAddr::ZERO).destination().unwrap();
    assert_eq!(fdb.remotes_of(flood).collect::<Vec<_>>(), [b]);
    assert!((0..100).all(|flow| tables.lists().pick(group, flow) == Some(b)));

    // Whoever comes, also the same one: none of that is his.
    for last in [1, 3, 4] {
        let next = remote(&tables, last);
        assert_ne!(next, a);
        assert_eq!(remotes.get(a), None);
        assert_eq!(fdb.lookup(NOW, VNI, mac(1)), Lookup::Unknown);
    }
    sweep(&tables);
    assert_eq!(fdb.count(), 1);
}

/// The same place, again and again: a handle of before never means who is there now.
#[test]
fn no_handle_comes_back() {
    let tables = tables(Capacity { remotes: 1, ..small() }, Settings::default());
    let (fdb, remotes) = (tables.fdb(), tables.remotes());
    let mut before: Vec<RemoteId> = Vec::new();
    for round in 0..2_000_u32 {
        let [_, _, c, d] = round.to_be_bytes();
        let id = match remotes.add(&Remote::new([10, 0, c, d].into(), 4789)) {
            // Generations have come around: what could still name one has to be swept first.
            Err(Error::SweepPending) => {
                sweep(&tables);
                sweep(&tables);
                before.clear();
                assert_eq!(fdb.count(), 0);
                remotes.add(&Remote::new([10, 0, c, d].into(), 4789)).unwrap()
            }
            added => added.unwrap(),
        };
        assert!(!before.contains(&id), "round {round}");
        assert!(before.iter().rev().take(20).all(|&id| remotes.get(id).is_none()));
        fdb.replace(VNI, mac(round % 200), id).unwrap();
        assert_eq!(fdb.dump(NOW).count(), 1, "round {round}");
        before.push(id);
        if remotes.remove(id) == Err(Error::SweepPending) {
            // Also what is learned from it has generations, fewer of them.
            for _ in 0..4 {
                sweep(&tables);
                let _ = fdb.flush_learned_from(id);
            }
            remotes.remove(id).unwrap();
        }
    }
}

#[test]
fn a_place_is_taken_again_after_every_workers_quiescent_point() {
    let tables = tables(Capacity { remotes: 2, workers: 2, ..small() }, Settings::default());
    let (remotes, a) = (tables.remotes(), remote(&tables, 1));
    let workers = [tables.register().unwrap(), tables.register().unwrap()];
    assert_eq!(tables.register(), Err(Error::Full { what: Resource::Workers, limit: 2 }));
    remote(&tables, 2);
    assert_eq!(remotes.add(&at(3)), Err(Error::Full { what: Resource::Remotes, limit: 2 }));
    remotes.remove(a).unwrap();
    assert_eq!(remotes.add(&at(3)), Err(Error::QuiescePending));
    tables.quiesce(&workers[0]);
    assert_eq!(remotes.add(&at(3)), Err(Error::QuiescePending));
    tables.quiesce(&workers[1]);
    let c = remotes.add(&at(3)).unwrap();

    // One that is gone holds nothing.
    remotes.remove(c).unwrap();
    let [first, second] = workers;
    tables.quiesce(&first);
    assert_eq!(remotes.add(&at(4)), Err(Error::QuiescePending));
    tables.unregister(second);
    remotes.add(&at(4)).unwrap();
}

#[test]
fn remotes_that_come_by_themselves_are_capped_and_go_by_the_sweep() {
    let mut settings = Settings::default();
    settings.learn_from = LearnFrom::Any;
    settings.unconfigured_remotes = 3;
    let tables = tables(small(), settings);
    let (fdb, remotes) = (tables.fdb(), tables.remotes());
    fdb.add_vni(VNI).unwrap();
    let [a, b, c] = [1, 2, 3].map(|last| remotes.find_or_learn(&at(last)).unwrap());
    assert_eq!(remotes.find_or_learn(&at(2)), Ok(b));
    let full = Err(Error::Full { what: Resource::UnconfiguredRemotes, limit: 3 });
    assert_eq!(remotes.find_or_learn(&at(4)), full);
    // A configured one is none of them.
    remotes.add(&at(4)).unwrap();
    assert_eq!(remotes.add(&at(1)), Err(Error::Exists));
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
    assert_eq!(fdb.learn(NOW, VNI, mac(2), b), NEW);
    // Whoever has just come is about to be used.
    for there in [true, false] {
        sweep(&tables);
        assert_eq!([a, b, c].map(|id| remotes.get(id).is_some()), [true, true, there]);
    }
    assert_eq!(fdb.lookup(NOW, VNI, mac(1)), Lookup::Found(a.into()));
    fdb.delete(NOW, VNI, mac(1)).unwrap();
    assert_eq!(remotes.find_or_add(&at(2)), Ok(b), "somebody's from now on");
    assert_eq!((remotes.learned(b), fdb.lookup(NOW, VNI, mac(2))), (Some(0), Lookup::Unknown));
    sweep(&tables);
    assert_eq!([a, b].map(|id| remotes.get(id).is_some()), [false, true]);
    for last in [11, 12, 13] {
        remotes.find_or_learn(&at(last)).unwrap();
    }
    assert_eq!(remotes.find_or_learn(&at(14)), full);
}

/// A host whose dynamic entry has moved behind a stranger stays there, swept or not.
#[test]
fn a_remote_that_nobody_configured_stays_as_long_as_an_entry_names_it() {
    let mut settings = Settings::default();
    settings.learn_from = LearnFrom::Any;
    let tables = tables(small(), settings);
    let (fdb, remotes, a) = (tables.fdb(), tables.remotes(), remote(&tables, 1));
    let stranger = remotes.find_or_learn(&at(9)).unwrap();
    fdb.add(VNI, mac(1), NewEntry::to(a).dynamic(NOW)).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(1), stranger), Learned::Moved { from: a.into() });
    fdb.add(VNI, mac(2), stranger).unwrap();
    for host in [2, 1] {
        for _ in 0..3 {
            sweep(&tables);
            assert_eq!(fdb.lookup(NOW, VNI, mac(1)), Lookup::Found(stranger.into()));
        }
        fdb.delete(NOW, VNI, mac(host)).unwrap();
    }
    (0..2).for_each(|_| sweep(&tables));
    assert_eq!(remotes.get(stranger), None);
}

/// So does one that a list, a next-hop group or a multicast group names.
#[test]
fn a_remote_that_nobody_configured_stays_as_long_as_a_list_or_a_group_names_it() {
    let tables = tables(Capacity { groups: 8, ..small() }, Settings::default());
    let (fdb, remotes, lists, groups) = (tables.fdb(), tables.remotes(), tables.lists(), tables.groups());
    let (a, group) = (remote(&tables, 1), [239, 1, 1, 1].into());
    let [flooded, listed, chosen, joined] =
        [2, 3, 4, 5].map(|last| remotes.find_or_learn(&at(last)).unwrap());
    for to in [a, flooded] {
        fdb.append(VNI, MacAddr::ZERO, to).unwrap();
    }
    let list = lists.add_list(&[a, listed]).unwrap();
    let choice = lists.add_group(&[chosen]).unwrap();
    groups.add(VNI, group, None, joined).unwrap();
    for _ in 0..4 {
        sweep(&tables);
        let flood = fdb.lookup(NOW, VNI, MacAddr::ZERO).destination().unwrap();
        assert_eq!(fdb.remotes_of(flood).collect::<Vec<_>>(), [a, flooded]);
        assert_eq!(lists.members(list).collect::<Vec<_>>(), [a, listed]);
        assert_eq!(lists.members(choice).collect::<Vec<_>>(), [chosen]);
        assert_eq!(groups.lookup(VNI, group, at(9).address), Some(joined.into()));
    }
    // Also one that comes to a list between the sweep's look at that and its look at the remotes.
    let late = remotes.find_or_learn(&at(6)).unwrap();
    sweep(&tables);
    while !tables.age(NOW, 1, |_| {}).complete {
        assert_eq!(lists.append(list, late).map(|_| ()), Ok(()));
    }
    assert_eq!(lists.members(list).collect::<Vec<_>>(), [a, listed, late]);
    // They go when nobody names them any more.
    fdb.delete_destination(NOW, VNI, MacAddr::ZERO, flooded).unwrap();
    lists.remove(list).unwrap();
    lists.remove(choice).unwrap();
    groups.delete(VNI, group, None).unwrap();
    (0..2).for_each(|_| sweep(&tables));
    assert_eq!([flooded, listed, chosen, joined, late].map(|id| remotes.get(id)), [None; 5]);
}

#[test]
fn generations_of_a_remote_are_reused_only_after_sweeps() {
    let tables = tables(small(), Settings::default());
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    fdb.add_vni(VNI).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(999), b), NEW);
    for round in 0..254 {
        assert_eq!(fdb.learn(NOW, VNI, mac(round % 200), a), NEW);
        assert_eq!(fdb.flush_learned_from(a), Ok(1));
        assert_eq!(fdb.lookup(NOW, VNI, mac(round % 200)), Lookup::Unknown);
    }
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
    assert_eq!(fdb.flush_learned_from(a), Err(Error::SweepPending));
    assert_eq!(fdb.lookup(NOW, VNI, mac(1)), Lookup::Found(a.into()), "refused means nothing was done");
    assert_eq!(tables.remotes().remove(a), Err(Error::SweepPending));
    // What was refused asks again after sweeps.
    let mut sweeps = 0;
    while fdb.flush_learned_from(a) == Err(Error::SweepPending) {
        sweep(&tables);
        sweeps += 1;
        assert!(sweeps <= 4);
    }
    assert_eq!(fdb.lookup(NOW, VNI, mac(1)), Lookup::Unknown);
    // With sweeps now and then it goes on for ever.
    for round in 0..2_000 {
        assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
        fdb.flush_learned_from(a).unwrap();
        if round % 50 == 0 {
            sweep(&tables);
        }
    }
    assert_eq!(fdb.lookup(NOW, VNI, mac(999)), Lookup::Found(b.into()), "nobody else lost anything");
    tables.remotes().remove(a).unwrap();
}

/// However often it was flushed before them, and whether or not anybody flushed between.
#[test]
fn after_four_sweeps_anything_can_be_flushed() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add_vni(VNI).unwrap();
    for sweeps in [4, 5, 1_000] {
        while fdb.flush_learned(VNI).is_ok() {}
        while fdb.flush_learned_from(a).is_ok() {}
        assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
        (0..sweeps).for_each(|_| sweep(&tables));
        assert_eq!(fdb.flush_learned(VNI), Ok(1), "{sweeps} sweeps");
        assert_eq!(fdb.flush_learned_from(a), Ok(1), "{sweeps} sweeps");
    }
}

#[test]
fn generations_of_a_vni_are_reused_only_after_sweeps() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add_vni(VNI).unwrap();
    for round in 0..254 {
        assert_eq!(fdb.learn(NOW, VNI, mac(round % 200), a), NEW);
        assert_eq!(fdb.flush_learned(VNI), Ok(1));
    }
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
    assert_eq!(fdb.flush_learned(VNI), Err(Error::SweepPending));
    assert_eq!(fdb.lookup(NOW, VNI, mac(1)), Lookup::Found(a.into()));
    let mut sweeps = 0;
    while fdb.flush_learned(VNI) == Err(Error::SweepPending) {
        sweep(&tables);
        sweeps += 1;
        assert!(sweeps <= 4);
    }
    assert_eq!(fdb.lookup(NOW, VNI, mac(1)), Lookup::Unknown);
}
