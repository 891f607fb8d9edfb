//! What learning does with a frame's source: row by row what Linux does, and where we do better.

use std::{net::IpAddr, time::Duration};

use encap::{
    table::{
        Capacity, Change, Destination, Filter, LearnFrom, Learned, Line, Lookup, NewEntry, Refusal, Remote,
        Settings, State, Tables,
    },
    time::Instant,
    wire::{MacAddr, Vni},
};

use crate::common::{NEW, NOW, VNI, is_at, later, mac, remote, small, tables, with};

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
        let expected = if moves { Learned::Moved { from: a.into() } } else { Learned::Refreshed };
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
        assert_eq!(fdb.learn(later(100), VNI, mac(number), b), Learned::Moved { from: a.into() });
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
    assert_eq!(fdb.learn(NOW, VNI, mac(1), id), Learned::Moved { from: old.into() });
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

/// Somebody's suggestion that the host is on this side, or nowhere, moves like any other; an order does not.
#[test]
fn a4_3e_a_dynamic_entry_without_a_remote_moves_too() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for (number, to) in [(1, Destination::Local), (2, Destination::Blackhole)] {
        fdb.add(VNI, mac(number), NewEntry::to(to).dynamic(NOW)).unwrap();
        assert_eq!(fdb.learn(NOW, VNI, mac(number), a), Learned::Moved { from: to });
        assert_eq!(fdb.lookup(NOW, VNI, mac(number)), Lookup::Found(a.into()));
        assert_eq!(fdb.get(NOW, VNI, mac(number)).unwrap().state, State::Dynamic);
        fdb.add(VNI, mac(10 + number), NewEntry::to(to).as_static()).unwrap();
        assert_eq!(fdb.learn(NOW, VNI, mac(10 + number), a), Learned::Refused(Refusal::Static));
    }
}
