//! What learning does with a frame's source: row by row what Linux does, and where we do better.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

use encap::{
    table::{
        Capacity, Change, Destination, Evicted, Fdb, Filter, LearnFrom, Learned, Line, Lookup, NewEntry,
        Quota, Refusal, Remote, RemoteId, Settings, State, Tables,
    },
    time::Instant,
    wire::{MacAddr, Vni},
};

use crate::common::{NOW, VNI, mac, remote, small, tables};

const NEW: Learned = Learned::New { evicted: None };

/// Tables that know the VNI, with these settings.
fn with(capacity: Capacity, set: impl FnOnce(&mut Settings)) -> Tables<Box<[Line]>> {
    let mut settings = Settings::default();
    set(&mut settings);
    let tables = tables(capacity, settings);
    tables.fdb().add_vni(VNI).unwrap();
    tables
}

fn later(seconds: u64) -> Instant {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn is_at(fdb: &Fdb<'_>, now: Instant, mac: MacAddr, to: impl Into<Destination>) {
    assert_eq!(fdb.lookup(now, VNI, mac), Lookup::Found(to.into()));
}

fn sweep(tables: &Tables<Box<[Line]>>, now: Instant) {
    assert!(tables.age(now, usize::MAX, |_| {}).complete);
}

#[test]
fn a4_1_invalid_sources() {
    let tables = with(small(), |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for mac in
        [MacAddr::ZERO, MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1]), MacAddr([3, 0, 0, 0, 0, 1])]
    {
        assert_eq!(fdb.learn(NOW, VNI, mac, a), Learned::Refused(Refusal::InvalidSource));
    }
    assert_eq!(fdb.count(), 0);
}

/// A link-local address says something only together with the interface.
#[test]
fn a4_2_interface_counts_for_link_local_sources() {
    for (address, moves) in [
        (IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]), true),
        ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), false),
    ] {
        let tables = with(small(), |_| {});
        let fdb = tables.fdb();
        let [a, b] =
            [1, 2].map(|egress| tables.remotes().add(&Remote::new(address, 4789).egress(egress)).unwrap());
        assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
        let expected = if moves { Learned::Moved { from: a } } else { Learned::Refreshed };
        assert_eq!(fdb.learn(NOW, VNI, mac(1), b), expected);
        is_at(&fdb, NOW, mac(1), if moves { b } else { a });
    }
}

#[test]
fn a4_3a_what_is_confirmed_stays() {
    let tables = with(small(), |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
    fdb.add(VNI, mac(2), NewEntry::to(a).dynamic(NOW)).unwrap();
    for step in 1..10 {
        for number in [1, 2] {
            assert_eq!(fdb.learn(later(200 * step), VNI, mac(number), a), Learned::Refreshed);
            is_at(&fdb, later(200 * step + 299), mac(number), a);
        }
    }
}

#[test]
fn a4_3b_next_hop_groups_refuse_whoever_it_is() {
    let tables = with(small(), |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let group = tables.lists().add_group(&[a]).unwrap();
    for (number, entry) in (1..).zip([NewEntry::to(group), NewEntry::to(group).dynamic(NOW)]) {
        fdb.add(VNI, mac(number), entry).unwrap();
        assert_eq!(fdb.learn(NOW, VNI, mac(number), a), Learned::Refused(Refusal::Static));
        is_at(&fdb, NOW, mac(number), group);
    }
}

#[test]
fn a4_3c_from_where_it_is_known_to_be() {
    let tables = with(small(), |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let entries = [
        NewEntry::to(a),
        NewEntry::to(a).as_static(),
        NewEntry::to(a).dynamic(NOW),
        NewEntry::to(a).extern_learn(),
        NewEntry::to(a).sticky(),
    ];
    for (number, entry) in (1..).zip(entries) {
        fdb.add(VNI, mac(number), entry).unwrap();
        let before = fdb.get(NOW, VNI, mac(number));
        assert_eq!(fdb.learn(NOW, VNI, mac(number), a), Learned::Refreshed);
        assert_eq!(fdb.get(NOW, VNI, mac(number)), before);
    }
}

/// Linux drops every frame of a MAC that has a static entry `via` an interface. The address is what counts.
#[test]
fn a4_3c_static_entries_via_an_interface_are_no_trap() {
    let tables = with(small(), |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let via = tables.remotes().add(&Remote::new([192, 0, 2, 1].into(), 4789).egress(3)).unwrap();
    let port = tables.remotes().add(&Remote::new([192, 0, 2, 1].into(), 8472)).unwrap();
    for (number, to) in [(1, via), (2, port)] {
        fdb.add(VNI, mac(number), to).unwrap();
        assert_eq!(fdb.learn(NOW, VNI, mac(number), a), Learned::Refreshed);
        is_at(&fdb, NOW, mac(number), to);
    }
}

#[test]
fn a4_3d_permanent_and_static_do_not_move() {
    let tables = with(small(), |_| {});
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    let entries = [
        NewEntry::to(a),
        NewEntry::to(a).as_static(),
        NewEntry::to(Destination::Local).as_static(),
        NewEntry::to(Destination::Blackhole),
    ];
    for (number, entry) in (1..).zip(entries) {
        fdb.add(VNI, mac(number), entry).unwrap();
        let before = fdb.get(NOW, VNI, mac(number));
        assert_eq!(fdb.learn(NOW, VNI, mac(number), b), Learned::Refused(Refusal::Static));
        assert_eq!(fdb.get(NOW, VNI, mac(number)), before);
    }
}

/// The roaming table: who moves, and what stays of what was said of the entry.
#[test]
fn a4_3e_roaming() {
    let tables = with(small(), |_| {});
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
    fdb.add(VNI, mac(2), NewEntry::to(a).dynamic(NOW).router().origin(1, 2)).unwrap();
    fdb.add(VNI, mac(3), NewEntry::to(a).extern_learn().origin(3, 4)).unwrap();
    for number in 1..=3 {
        let before = fdb.get(NOW, VNI, mac(number)).unwrap();
        assert_eq!(fdb.learn(later(100), VNI, mac(number), b), Learned::Moved { from: a });
        let mut expected = before;
        expected.destination = b.into();
        // Those that age were confirmed by that.
        assert_eq!(fdb.get(later(100), VNI, mac(number)), Ok(expected));
    }
    assert_eq!((tables.remotes().learned(a), tables.remotes().learned(b)), (Some(0), Some(1)));
    // Those that age are gone in time, the other one is not.
    assert_eq!(fdb.lookup(later(403), VNI, mac(1)), Lookup::Unknown);
    assert_eq!(fdb.lookup(later(403), VNI, mac(2)), Lookup::Unknown);
    is_at(&fdb, later(1_000_000), mac(3), b);
}

/// Linux replaces the address and keeps port, VNI and interface. Here the entry goes to the remote that the frame
/// came from, as that is known: with its own port, VNI and egress.
#[test]
fn a4_3e_moves_to_the_remote_as_a_whole() {
    let tables = with(small(), |_| {});
    let fdb = tables.fdb();
    let old = Remote::new([192, 0, 2, 1].into(), 8472).vni(Vni::truncate(7)).egress(1);
    let new = Remote::new([192, 0, 2, 2].into(), 4789);
    let [old, id] = [old, new].map(|remote| tables.remotes().add(&remote).unwrap());
    fdb.add(VNI, mac(1), NewEntry::to(old).dynamic(NOW)).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(1), id), Learned::Moved { from: old });
    let Some(Destination::Remote(to)) = fdb.lookup(NOW, VNI, mac(1)).destination() else { panic!() };
    assert_eq!(tables.remotes().get(to), Some(new));
}

/// Linux: the flag has no effect in vxlan.
#[test]
fn a4_sticky_sticks() {
    let tables = with(small(), |_| {});
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    let entries = [NewEntry::to(a).dynamic(NOW).sticky(), NewEntry::to(a).extern_learn().sticky()];
    for (number, entry) in (1..).zip(entries) {
        fdb.add(VNI, mac(number), entry).unwrap();
        assert_eq!(fdb.learn(NOW, VNI, mac(number), b), Learned::Refused(Refusal::Sticky));
        is_at(&fdb, NOW, mac(number), a);
    }
}

#[test]
fn a4_4_new_entries() {
    let tables = with(small(), |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
    let entry = fdb.get(NOW, VNI, mac(1)).unwrap();
    assert_eq!((entry.state, entry.destination, entry.age), (State::Learned, a.into(), Some(Duration::ZERO)));
    assert_eq!((entry.router, entry.sticky, entry.origin, entry.cookie), (false, false, 0, 0));
    assert_eq!((fdb.count(), fdb.count_vni(VNI), tables.remotes().learned(a)), (1, (0, 1), Some(1)));
}

#[test]
fn unknown_vnis_are_not_learned_in() {
    let tables = with(small(), |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let unknown = Vni::truncate(9);
    assert_eq!(fdb.learn(NOW, unknown, mac(1), a), Learned::Refused(Refusal::UnknownVni));
    assert!(!fdb.knows(unknown));
}

#[test]
fn removed_remotes_teach_nothing() {
    let tables = with(small(), |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    tables.remotes().remove(a).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), Learned::Refused(Refusal::StaleRemote));
}

/// Linux learns from anybody.
#[test]
fn only_configured_remotes_teach_unless_asked_for() {
    for (from, expected) in
        [(LearnFrom::Configured, Learned::Refused(Refusal::UnconfiguredRemote)), (LearnFrom::Any, NEW)]
    {
        let tables = with(small(), |settings| settings.learn_from = from);
        let host = Remote::new([192, 0, 2, 1].into(), 4789);
        let id = tables.remotes().find_or_learn(&host).unwrap();
        assert!(!tables.remotes().is_configured(id));
        assert_eq!(tables.fdb().learn(NOW, VNI, mac(1), id), expected);
        // From now on it is configured, and what names it goes on naming it.
        tables.fdb().add(VNI, mac(2), id).unwrap();
        assert_eq!(tables.remotes().find_or_add(&host), Ok(id));
        is_at(&tables.fdb(), NOW, mac(2), id);
        assert_eq!(tables.fdb().learn(NOW, VNI, mac(1), id), NEW);
    }
    assert_eq!(Settings::default().learn_from, LearnFrom::Configured);
}

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
    assert_eq!(fdb.learn(NOW, VNI, mac(4), own), Learned::Moved { from: shared[0] });
    assert_eq!(fdb.learn(NOW, VNI, mac(6), shared[1]), NEW);
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
fn a_flush_of_a_vni_is_of_all_that_was_learned_in_it() {
    let tables = with(small(), |_| {});
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let other = Vni::truncate(43);
    fdb.add(VNI, mac(99), NewEntry::to(a).dynamic(NOW)).unwrap();
    fdb.add_vni(other).unwrap();
    for round in 0..600 {
        for number in 0..20 {
            assert_eq!(fdb.learn(NOW, VNI, mac(number), a), NEW);
        }
        assert_eq!(fdb.flush_learned(VNI), Ok(20), "round {round}");
        assert!((0..20).all(|number| fdb.lookup(NOW, VNI, mac(number)) == Lookup::Unknown));
        assert_eq!(fdb.count_vni(VNI), (1, 0));
        is_at(&fdb, NOW, mac(99), a);
        sweep(&tables, NOW);
        assert_eq!((fdb.count(), tables.remotes().learned(a)), (1, Some(0)));
    }
    assert_eq!(fdb.learn(NOW, other, mac(1), a), NEW);
    assert_eq!(fdb.flush_learned(VNI), Ok(0));
    assert_eq!(fdb.lookup(NOW, other, mac(1)), Lookup::Found(a.into()));
    assert_eq!(fdb.flush_learned(Vni::truncate(9)), Err(encap::table::Error::NotFound));
}

/// What a flush left behind makes room when the table is full, before anybody gives way.
#[test]
fn what_was_flushed_makes_room_first() {
    let tables = with(Capacity { entries: 64, ..small() }, |_| {});
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    for number in 0..64 {
        assert_eq!(fdb.learn(NOW, VNI, mac(number), if number < 32 { a } else { b }), NEW);
    }
    assert_eq!(fdb.flush_learned_from(a), Ok(32));
    for number in 100..132 {
        assert_eq!(fdb.learn(NOW, VNI, mac(number), b), NEW);
    }
    assert!((32..64).all(|number| fdb.lookup(NOW, VNI, mac(number)) == Lookup::Found(b.into())));
    fdb.remove_vni(VNI).unwrap();
    let other = Vni::truncate(43);
    for number in 0..64 {
        assert_eq!(fdb.replace(other, mac(number), a), Ok(Change::Created));
    }
}

/// What is known is read, and written once per tick: then not a bit of the storage changes.
#[test]
fn a_refresh_writes_once_per_tick_and_a_lookup_never() {
    let capacity = small();
    let lines: Box<[Line]> = (0..capacity.lines()).map(|_| Line::new()).collect();
    let tables = Tables::new(&*lines, capacity, [1, 2]).unwrap();
    let fdb = tables.fdb();
    let [a, b] =
        [1, 2].map(|last| tables.remotes().add(&Remote::new([192, 0, 2, last].into(), 4789)).unwrap());
    fdb.add_vni(VNI).unwrap();
    fdb.add(VNI, mac(2), a).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
    let bits = || format!("{lines:?}");

    let before = bits();
    for _ in 0..3 {
        assert_eq!(fdb.learn(NOW, VNI, mac(1), a), Learned::Refreshed);
    }
    assert_eq!(fdb.learn(later(100), VNI, mac(2), a), Learned::Refreshed, "of what does not age");
    assert_eq!(fdb.learn(later(100), VNI, mac(2), b), Learned::Refused(Refusal::Static));
    is_at(&fdb, later(100), mac(1), a);
    fdb.lookup_batch(later(100), &[(VNI, mac(1)), (VNI, mac(3))], &mut [Lookup::Unknown; 2]);
    assert!(bits() == before, "something was written");

    assert_eq!(fdb.learn(later(100), VNI, mac(1), a), Learned::Refreshed);
    let after = bits();
    assert!(after != before, "the time of it was not");
    assert_eq!(fdb.learn(later(100), VNI, mac(1), a), Learned::Refreshed);
    assert!(bits() == after);
}

#[test]
fn flushes_by_filter_see_learned_entries_by_their_remote() {
    let tables = with(small(), |_| {});
    let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
    for number in 0..20 {
        assert_eq!(fdb.learn(NOW, VNI, mac(number), if number % 2 == 0 { a } else { b }), NEW);
    }
    let mut filter = Filter::ALL;
    filter.address = Some([192, 0, 2, 1].into());
    let flushed = fdb.flush(NOW, &filter, Default::default(), usize::MAX, |_| {});
    assert_eq!((flushed.entries, flushed.next), (10, None));
    assert_eq!((tables.remotes().learned(a), tables.remotes().learned(b)), (Some(0), Some(10)));
}
