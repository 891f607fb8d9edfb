//! Limits of what is learned, and who gives way in a full table: who floods it loses his own.

use std::num::NonZeroU32;

use encap::{
    table::{
        Capacity, Change, Destination, Error, Evicted, LearnFrom, Learned, Line, Lookup, NewEntry, Quota,
        Refusal, Remote, RemoteId, Resource, Settings, Tables,
    },
    wire::{MacAddr, Vni},
};

use crate::common::{NEW, NOW, VNI, is_at, later, mac, remote, small, with};

/// A frame is never lost to a full table (Linux too); the answer says why nothing was learned.
#[test]
fn limit_of_the_table() {
    let tables = with(Capacity { entries: 16, ..small() }, |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for number in 0..16 {
        fdb.add(VNI, mac(number), a).unwrap();
    }
    assert_eq!(fdb.learn(NOW, VNI, mac(99), a), Learned::Refused(Refusal::TableFull));
    assert!((0..16).all(|number| fdb.get(NOW, VNI, mac(number)).is_ok()), "nothing static gave way");
}

#[test]
fn limit_of_what_is_learned_leaves_room_for_others() {
    let tables = with(Capacity { entries: 16, ..small() }, |settings| settings.learned_limit = 10);
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for number in 0..1_000 {
        let _ = fdb.learn(NOW, VNI, mac(number), a);
    }
    assert_eq!(fdb.count_vni(VNI), (0, 10));
    for number in 2_000..2_006 {
        fdb.add(VNI, mac(number), a).unwrap();
    }
    assert_eq!(fdb.count(), 16);
}

#[test]
fn limit_of_the_vni() {
    let tables = with(small(), |settings| settings.vni_limit = 2);
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
    assert_eq!(fdb.learn(NOW, VNI, mac(2), a), Learned::Refused(Refusal::VniLimit));
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), Learned::Refreshed);
    fdb.set_limit(VNI, NonZeroU32::new(3)).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(2), a), NEW);
    let other = Vni::truncate(43);
    fdb.add_vni(other).unwrap();
    assert_eq!(fdb.learn(NOW, other, mac(2), a), NEW);
}

/// What is refused adds no VNI; one that is known may have a limit of its own.
#[test]
fn a_limit_of_no_entries_for_a_vni_takes_no_vni() {
    let tables = with(Capacity { vnis: 2, ..small() }, |settings| settings.vni_limit = 0);
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let full = Error::Full { what: Resource::EntriesOfVni, limit: 0 };
    for number in 50..60 {
        let vni = Vni::truncate(number);
        assert_eq!(fdb.add(vni, mac(1), a), Err(full));
        assert_eq!(fdb.add(vni, MacAddr::ZERO, a), Err(full));
        assert!(!fdb.knows(vni), "{number}");
    }
    assert_eq!(fdb.add(VNI, mac(1), a), Err(full));
    let other = Vni::truncate(60);
    fdb.set_limit(other, NonZeroU32::new(1)).unwrap();
    fdb.add(other, mac(1), a).unwrap();
}

#[test]
fn limit_of_the_quota_group() {
    let tables = with(small(), |settings| settings.quota_limit = 2);
    let fdb = tables.fdb();
    let add = |last, quota| {
        tables.remotes().add(&Remote::new([192, 0, 2, last].into(), 4789).quota(quota)).unwrap()
    };
    let own = add(1, Quota::Own);
    let shared = [add(2, Quota::Shared(1)), add(3, Quota::Shared(1))];
    let refused = Learned::Refused(Refusal::QuotaLimit);
    assert_eq!([1, 2, 3].map(|number| fdb.learn(NOW, VNI, mac(number), own)), [NEW, NEW, refused]);
    assert_eq!(fdb.learn(NOW, VNI, mac(4), shared[0]), NEW);
    assert_eq!(fdb.learn(NOW, VNI, mac(5), shared[1]), NEW);
    assert_eq!(shared.map(|from| fdb.learn(NOW, VNI, mac(6), from)), [refused; 2]);
    // To roam into a full group is refused as well; out of it is not, and makes room.
    assert_eq!(fdb.learn(NOW, VNI, mac(4), own), refused);
    is_at(&fdb, NOW, mac(4), shared[0]);
    fdb.delete(NOW, VNI, mac(1)).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(4), own), Learned::Moved { from: shared[0].into() });
    assert_eq!(fdb.learn(NOW, VNI, mac(6), shared[1]), NEW);
}

/// Who moves within an account takes nothing more of it, be it full: nothing goes, nothing comes, and no count drifts.
#[test]
fn a_move_within_a_full_account_is_not_refused() {
    for configured in [true, false] {
        let tables = with(small(), |settings| {
            (settings.quota_limit, settings.learn_from) = (2, LearnFrom::Any);
        });
        let new = |last| {
            let remote = Remote::new([192, 0, 2, last].into(), 4789).quota(Quota::Shared(0));
            let remotes = tables.remotes();
            if configured { remotes.add(&remote) } else { remotes.find_or_learn(&remote) }.unwrap()
        };
        let (fdb, a, b, own) = (tables.fdb(), new(1), new(2), remote(&tables, 3));
        let learned = || [a, b].map(|id| tables.remotes().learned(id).unwrap());
        let refused = Learned::Refused(Refusal::QuotaLimit);
        assert_eq!([1, 2, 3].map(|number| fdb.learn(NOW, VNI, mac(number), a)), [NEW, NEW, refused]);
        for (to, from, counts) in [(b, a, [1, 1]), (a, b, [2, 0]), (b, a, [1, 1])] {
            assert_eq!(fdb.learn(NOW, VNI, mac(1), to), Learned::Moved { from: from.into() });
            assert_eq!(learned(), counts);
            assert_eq!(fdb.learn(NOW, VNI, mac(3), to), refused);
        }
        // Out of it is a move to another account: it makes room for one, and no more.
        assert_eq!(fdb.learn(NOW, VNI, mac(1), own), Learned::Moved { from: b.into() });
        assert_eq!([3, 4].map(|number| fdb.learn(NOW, VNI, mac(number), b)), [NEW, refused]);
        // Empty again, it has room for as many as at first.
        for number in 1..=3 {
            fdb.delete(NOW, VNI, mac(number)).unwrap();
        }
        assert_eq!(learned(), [0, 0]);
        assert_eq!([4, 5, 6].map(|number| fdb.learn(NOW, VNI, mac(number), b)), [NEW, NEW, refused]);
    }
}

/// What expired in the newcomer's own place does not stand in its way, swept or not.
#[test]
fn an_address_that_expired_is_learned_again_at_the_limit() {
    let sets: [fn(&mut Settings); 3] = [
        |settings| settings.vni_limit = 1,
        |settings| settings.quota_limit = 1,
        |settings| settings.learned_limit = 1,
    ];
    for set in sets {
        let tables = with(small(), set);
        let (fdb, a) = (tables.fdb(), remote(&tables, 1));
        assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
        assert_eq!(fdb.lookup(later(302), VNI, mac(1)), Lookup::Unknown);
        assert_eq!(fdb.learn(later(302), VNI, mac(1), a), NEW);
        assert_eq!(fdb.count(), 1);
    }
}

/// A full table of learned entries: one that is above its fair share gives way.
#[test]
fn eviction_takes_from_who_has_more_than_a_fair_share() {
    let tables = with(Capacity { entries: 64, ..small() }, |_| {});
    let (fdb, rich, poor) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    for number in 0..64 {
        assert_eq!(fdb.learn(NOW, VNI, mac(number), rich), NEW);
    }
    // Up to its half the poor one takes from the rich one, wherever there is one of his in its place.
    let mut known = 0;
    for number in 1_000..1_200 {
        match fdb.learn(NOW, VNI, mac(number), poor) {
            Learned::New { evicted: Some(Evicted { vni, mac, remote, .. }) } => {
                assert_eq!(vni, VNI);
                assert_eq!(fdb.lookup(NOW, VNI, mac), Lookup::Unknown);
                if remote == rich {
                    known += 1;
                } else {
                    assert!(known > 32, "{known} are no more than a fair share");
                }
            }
            Learned::Refused(Refusal::TableFull) => assert!(known >= 32),
            other => panic!("{other:?}"),
        }
        assert_eq!(fdb.count(), 64);
    }
    let learned = |id| tables.remotes().learned(id).unwrap();
    assert_eq!((learned(rich), learned(poor)), (32, 32));
}

/// What somebody adds comes before what was learned, be it the first entry of a VNI; who has most of that gives way.
#[test]
fn what_is_added_finds_room_in_a_table_full_of_what_was_learned() {
    for (few, many) in [(0, 64), (16, 48)] {
        let tables = with(Capacity { entries: 64, ..small() }, |_| {});
        let (fdb, rich, poor) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
        for number in 0..64 {
            assert_eq!(fdb.learn(NOW, VNI, mac(number), if number < few { poor } else { rich }), NEW);
        }
        let other = Vni::truncate(43);
        assert_eq!(fdb.append(VNI, MacAddr::ZERO, rich), Ok(Change::Created));
        fdb.add(other, mac(1), rich).unwrap();
        for number in 100..130 {
            fdb.add(VNI, mac(number), NewEntry::to(poor).dynamic(NOW)).unwrap();
            assert_eq!(fdb.count(), 64);
        }
        assert!((100..130).all(|number| fdb.get(NOW, VNI, mac(number)).is_ok()));
        assert!(fdb.get(NOW, VNI, MacAddr::ZERO).is_ok() && fdb.get(NOW, other, mac(1)).is_ok());
        let learned = |id| tables.remotes().learned(id);
        assert_eq!((learned(rich), learned(poor)), (Some(many - 32), Some(few)));
    }
    // Nothing configured gives way, nor anything for what its VNI has no room for.
    let tables = with(Capacity { entries: 64, ..small() }, |settings| settings.vni_limit = 64);
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for number in 0..64 {
        assert_eq!(fdb.learn(NOW, VNI, mac(number), a), NEW);
    }
    let full = |what| Err(Error::Full { what, limit: 64 });
    assert_eq!(fdb.add(VNI, mac(100), a), full(Resource::EntriesOfVni));
    assert_eq!(tables.remotes().learned(a), Some(64));
    let tables = with(Capacity { entries: 64, ..small() }, |_| {});
    for number in 0..64 {
        tables.fdb().add(VNI, mac(number), Destination::Local).unwrap();
    }
    assert_eq!(tables.fdb().add(VNI, mac(100), Destination::Local), full(Resource::Entries));
}

/// Also where nobody has more than a fair share.
#[test]
fn what_is_added_finds_room_among_many_who_have_the_same() {
    let tables = with(Capacity { entries: 4_096, remotes: 64, ..small() }, |_| {});
    let fdb = tables.fdb();
    let remotes: Vec<_> = (0..64).map(|last| remote(&tables, last)).collect();
    let learned = || remotes.iter().map(|&id| tables.remotes().learned(id).unwrap());
    for (number, from) in (0..4_096).zip(remotes.iter().cycle()) {
        assert_eq!(fdb.learn(NOW, VNI, mac(number), *from), NEW);
    }
    for number in 10_000..12_048 {
        assert_eq!(fdb.add(VNI, mac(number), Destination::Local), Ok(()), "{number}");
    }
    assert_eq!((fdb.count(), fdb.count_vni(VNI)), (4_096, (2_048, 2_048)));
    assert!(learned().all(|left| (16..48).contains(&left)), "{:?}", learned().collect::<Vec<_>>());
}

/// Where there is little of what was learned, whoever is refused finds it by and by.
#[test]
fn what_is_refused_in_a_full_table_is_not_refused_for_ever() {
    let tables = with(Capacity { entries: 1_024, ..small() }, |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    (0..1_000).for_each(|number| fdb.add(VNI, mac(number), Destination::Local).unwrap());
    (1_000..1_024).for_each(|number| assert_eq!(fdb.learn(NOW, VNI, mac(number), a), NEW));
    let full = Error::Full { what: Resource::Entries, limit: 1_024 };
    for number in 2_000..2_016 {
        let mut answers = (0..100).map(|_| fdb.add(VNI, mac(number), Destination::Local));
        assert_eq!(answers.find(|answer| *answer != Err(full)), Some(Ok(())), "{number}");
    }
    assert_eq!((fdb.count_vni(VNI), tables.remotes().learned(a)), ((1_016, 8), Some(8)));
}

/// What others configured, and what nobody may learn, is not shared.
#[test]
fn a_fair_share_is_of_the_room_for_what_is_learned() {
    for (configured, learned_limit) in [(0, 16), (48, u32::MAX)] {
        let tables =
            with(Capacity { entries: 64, ..small() }, |settings| settings.learned_limit = learned_limit);
        let (fdb, rich, poor) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
        (0..configured).for_each(|number| fdb.add(VNI, mac(number), Destination::Local).unwrap());
        for number in 1_000..1_016 {
            assert_eq!(fdb.learn(NOW, VNI, mac(number), rich), NEW);
        }
        let (mut known, mut refused) = (0, 0);
        for number in 2_000..2_400 {
            match fdb.learn(NOW, VNI, mac(number), poor) {
                Learned::New { evicted: Some(Evicted { remote, .. }) } => known += u32::from(remote == rich),
                Learned::Refused(Refusal::TableFull) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(known, 8, "{refused} refused");
    }
}

/// One who is refused by his own limit must not cost others anything.
#[test]
fn nobody_gives_way_for_one_that_is_refused_anyway() {
    let tables = with(Capacity { entries: 64, ..small() }, |settings| settings.quota_limit = 24);
    let fdb = tables.fdb();
    let [a, b, c] = [1, 2, 3].map(|last| remote(&tables, last));
    for (from, numbers) in [(a, 0..24), (b, 100..124), (c, 200..216)] {
        for number in numbers {
            assert_eq!(fdb.learn(NOW, VNI, mac(number), from), NEW);
        }
    }
    assert_eq!(fdb.count(), 64);
    for number in 1_000..2_000 {
        assert_eq!(fdb.learn(NOW, VNI, mac(number), a), Learned::Refused(Refusal::QuotaLimit));
    }
    assert_eq!([a, b, c].map(|id| tables.remotes().learned(id)), [Some(24), Some(24), Some(16)]);
}

/// Hazard: exhaustion by random source MACs. Who floods loses only his own.
#[test]
fn a_flood_of_addresses_costs_only_the_flooder() {
    let tables = with(Capacity { entries: 512, ..small() }, |_| {});
    let fdb = tables.fdb();
    let [flooder, neighbour, other] = [1, 2, 3].map(|last| remote(&tables, last));
    for number in 0..100 {
        fdb.add(VNI, mac(number), neighbour).unwrap();
        assert_eq!(fdb.learn(NOW, VNI, mac(1_000 + number), neighbour), NEW);
        assert_eq!(fdb.learn(NOW, VNI, mac(2_000 + number), other), NEW);
    }
    for number in 10_000..60_000 {
        let _ = fdb.learn(NOW, VNI, mac(number), flooder);
    }
    for number in 0..100 {
        is_at(&fdb, NOW, mac(number), neighbour);
        is_at(&fdb, NOW, mac(1_000 + number), neighbour);
        is_at(&fdb, NOW, mac(2_000 + number), other);
    }
    // And who comes later finds room, at the flooder's cost.
    let late = remote(&tables, 4);
    let new = (3_000..3_100)
        .filter(|&number| matches!(fdb.learn(NOW, VNI, mac(number), late), Learned::New { .. }));
    assert!(new.count() > 50);
    assert_eq!(tables.remotes().learned(neighbour), Some(100));
}

/// The same with forged addresses of tunnel endpoints: all that were not configured share one account.
#[test]
fn a_flood_of_endpoints_costs_only_the_unconfigured() {
    let tables = with(Capacity { entries: 256, ..small() }, |settings| settings.learn_from = LearnFrom::Any);
    let (fdb, known) = (tables.fdb(), remote(&tables, 1));
    for number in 0..100 {
        assert_eq!(fdb.learn(NOW, VNI, mac(number), known), NEW);
    }
    let mut forged = 0;
    for number in 0..20_000_u32 {
        let [_, _, c, d] = number.to_be_bytes();
        if let Ok(id) = tables.remotes().find_or_learn(&Remote::new([10, 9, c, d].into(), 4789)) {
            forged += 1;
            let _ = fdb.learn(NOW, VNI, mac(10_000 + number), id);
        }
        let _ = fdb.learn(NOW, VNI, mac(100_000 + number), known_or(&tables, number));
    }
    assert_eq!(forged, 61, "64 places, and three were taken");
    assert!((0..100).all(|number| fdb.lookup(NOW, VNI, mac(number)) == Lookup::Found(known.into())));
}

/// One of two remotes that were not configured.
fn known_or(tables: &Tables<Box<[Line]>>, number: u32) -> RemoteId {
    let last = 200 + (number % 2) as u8;
    tables.remotes().find_or_learn(&Remote::new([192, 0, 2, last].into(), 4789)).unwrap()
}

#[test]
fn what_is_refused_adds_no_vni() {
    const OTHER: Vni = Vni::truncate(43);
    let tables = with(Capacity { entries: 2, vnis: 2, remotes: 1, lists: 1, ..Capacity::NONE }, |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    let full = |what, limit| Error::Full { what, limit };
    assert_eq!(fdb.add(OTHER, MacAddr::BROADCAST, a), Err(full(Resource::Members, 1)));
    assert_eq!((fdb.knows(OTHER), fdb.count()), (false, 1));
    fdb.add(VNI, mac(1), a).unwrap();
    let refused = full(Resource::Entries, 2);
    assert_eq!(fdb.add(OTHER, mac(1), a), Err(refused));
    assert_eq!(fdb.append(OTHER, mac(1), a), Err(refused));
    assert_eq!(fdb.replace(OTHER, mac(1), a), Err(refused));
    assert_eq!((fdb.knows(OTHER), fdb.count()), (false, 2));
    // So there is one left for another one.
    fdb.delete(NOW, VNI, mac(1)).unwrap();
    fdb.add(Vni::truncate(44), mac(1), a).unwrap();
}

/// What was flushed is on its account until it is removed.
#[test]
fn a_host_moves_to_a_remote_whose_account_is_full_of_what_was_flushed() {
    const OTHER: Vni = Vni::truncate(43);
    let tables = with(small(), |settings| settings.quota_limit = 4);
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    fdb.add_vni(OTHER).unwrap();
    (0..4).for_each(|number| assert_eq!(fdb.learn(NOW, VNI, mac(number), b), NEW));
    assert_eq!(fdb.learn(NOW, OTHER, mac(9), a), NEW);
    assert_eq!(fdb.learn(NOW, OTHER, mac(9), b), Learned::Refused(Refusal::QuotaLimit));
    fdb.flush_learned(VNI).unwrap();
    let answers = (0..100).map(|_| fdb.learn(NOW, OTHER, mac(9), b));
    let moved = Learned::Moved { from: a.into() };
    assert_eq!(
        answers.into_iter().find(|answer| *answer != Learned::Refused(Refusal::QuotaLimit)),
        Some(moved)
    );
}

/// With a seed by which nine of them meet in the same two of six buckets.
#[test]
fn a_small_table_takes_all_that_it_is_built_for() {
    let capacity = Capacity { entries: 12, vnis: 1, ..Capacity::NONE };
    let tables = Tables::with_capacity(capacity, Settings::default(), [6_128, 5]).unwrap();
    for n in 9..=20 {
        let fdb = tables.fdb();
        assert_eq!(fdb.add(VNI, mac(n), Destination::Local), Ok(()), "{} are there", fdb.count());
    }
}
