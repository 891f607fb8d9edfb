//! Many entries at once: flushes by filters, dumps, resyncs, VNIs that come and go.

use encap::{
    table::{
        Capacity, Destination, Error, Event, Fdb, Filter, Learned, Lookup, NewEntry, Remote, RemoteId,
        Resource, Settings, State,
    },
    wire::{MacAddr, Vni},
};

use crate::common::{NOW, VNI, mac, remote, small, tables};

const GROUP: MacAddr = MacAddr([0x01, 0, 0x5e, 0, 0, 1]);
const OTHER_VNI: Vni = Vni::truncate(43);

/// The remotes of an entry, in order.
fn remotes(fdb: &Fdb<'_>, vni: Vni, mac: MacAddr) -> Vec<RemoteId> {
    let entry = fdb.get(NOW, vni, mac).unwrap();
    assert_eq!(fdb.lookup(NOW, vni, mac), Lookup::Found(entry.destination));
    fdb.remotes_of(entry.destination).collect()
}

/// All of a flush; how many entries and remotes went.
fn flush(fdb: &Fdb<'_>, filter: &Filter, mut each: impl FnMut(Event)) -> (usize, usize) {
    let (mut cursor, mut entries, mut remotes) = (Default::default(), 0, 0);
    loop {
        let flushed = fdb.flush(NOW, filter, cursor, 7, &mut each);
        entries += flushed.entries;
        remotes += flushed.remotes;
        match flushed.next {
            Some(next) => cursor = next,
            None => return (entries, remotes),
        }
    }
}

#[test]
fn a6_flush_without_filter_is_of_everything() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    fdb.add(OTHER_VNI, mac(1), NewEntry::to(Destination::Local).sticky()).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(2), a), Learned::New { evicted: None });
    let (mut seen, dump) = (Vec::new(), fdb.dump(NOW).collect::<Vec<_>>());
    assert_eq!(flush(&fdb, &Filter::ALL, |event| seen.push(event)), (3, 0));
    assert_eq!(seen, dump.into_iter().map(Event::Removed).collect::<Vec<_>>());
    assert_eq!((fdb.count(), fdb.dump(NOW).count(), tables.lists().used()), (0, 0, 0));
    assert_eq!(Filter::ALL, Filter::default());
}

/// Each filter alone, over entries of which it names some.
#[test]
fn a6_flush_filters() {
    let make = || {
        let tables = tables(small(), Settings::default());
        let (fdb, a, b) = (tables.fdb(), remote(&tables, 1), remote(&tables, 2));
        let group = tables.lists().add_group(&[a]).unwrap();
        fdb.add(OTHER_VNI, mac(1), a).unwrap();
        fdb.add(VNI, mac(2), NewEntry::to(b).as_static()).unwrap();
        fdb.add(VNI, mac(3), NewEntry::to(a).router().origin(5, 1)).unwrap();
        fdb.add(VNI, mac(4), NewEntry::to(a).sticky().extern_learn().origin(6, 1)).unwrap();
        fdb.add(VNI, mac(5), group).unwrap();
        assert_eq!(fdb.learn(NOW, VNI, mac(6), a), Learned::New { evicted: None });
        fdb.add(VNI, mac(7), NewEntry::to(Destination::Blackhole).dynamic(NOW)).unwrap();
        (tables, group)
    };
    type Case = (fn(&mut Filter), &'static [u32]);
    let cases: [Case; 13] = [
        (|filter| filter.vni = Some(OTHER_VNI), &[1]),
        (|filter| filter.vni = Some(Vni::truncate(9)), &[]),
        (|filter| filter.state = Some(State::Permanent), &[1, 3, 5]),
        (|filter| filter.state = Some(State::Static), &[2]),
        (|filter| filter.state = Some(State::Learned), &[6]),
        (|filter| filter.state = Some(State::ExternLearn), &[4]),
        (|filter| filter.state = Some(State::Dynamic), &[7]),
        (|filter| filter.router = Some(true), &[3]),
        (|filter| filter.sticky = Some(true), &[4]),
        (|filter| filter.origin = Some(5), &[3]),
        (|filter| (filter.router, filter.sticky) = (Some(false), Some(false)), &[1, 2, 5, 6, 7]),
        (|filter| filter.address = Some([192, 0, 2, 2].into()), &[2]),
        (
            |filter| (filter.address, filter.state) = (Some([192, 0, 2, 1].into()), Some(State::Permanent)),
            &[1, 3],
        ),
    ];
    for (set, gone) in cases {
        let (tables, _) = make();
        let mut filter = Filter::ALL;
        set(&mut filter);
        let mut seen: Vec<_> = Vec::new();
        let count = flush(&tables.fdb(), &filter, |event| seen.push(event));
        assert_eq!(count, (gone.len(), 0), "{filter:?}");
        let mut left: Vec<_> = tables.fdb().dump(NOW).map(|entry| entry.mac).collect();
        left.sort();
        let all = (1..=7).filter(|number| !gone.contains(number)).map(mac).collect::<Vec<_>>();
        assert_eq!(left, all, "{filter:?}");
        assert!(
            seen.iter().all(|event| matches!(event, Event::Removed(entry) if !left.contains(&entry.mac)))
        );
    }
    let (tables, group) = make();
    let mut filter = Filter::ALL;
    filter.group = Some(group);
    assert_eq!(flush(&tables.fdb(), &filter, |_| {}), (1, 0));
    assert_eq!(tables.fdb().get(NOW, VNI, mac(5)), Err(Error::NotFound));
}

#[test]
fn a6_flush_removes_only_matching_remotes_and_the_entry_with_its_last() {
    let set: [fn(&mut Filter); 4] = [
        |filter| filter.address = Some([192, 0, 2, 9].into()),
        |filter| filter.port = Some(8_472),
        |filter| filter.remote_vni = Some(OTHER_VNI),
        |filter| filter.egress = Some(3),
    ];
    let plain = Remote::new([192, 0, 2, 1].into(), 4789);
    let named = [
        Remote::new([192, 0, 2, 9].into(), 4789),
        Remote::new([192, 0, 2, 1].into(), 8_472),
        plain.vni(OTHER_VNI),
        plain.egress(3),
    ];
    for (set, named) in set.into_iter().zip(named) {
        let tables = tables(small(), Settings::default());
        let fdb = tables.fdb();
        let [plain, named] = [plain, named].map(|remote| tables.remotes().add(&remote).unwrap());
        fdb.append(VNI, MacAddr::ZERO, named).unwrap();
        fdb.append(VNI, MacAddr::ZERO, plain).unwrap();
        fdb.add(VNI, GROUP, named).unwrap();
        fdb.add(VNI, mac(1), named).unwrap();
        fdb.add(VNI, mac(2), plain).unwrap();
        fdb.add(VNI, mac(3), Destination::Local).unwrap();
        let mut filter = Filter::ALL;
        set(&mut filter);
        let (mut removed, mut thinned) = (Vec::new(), Vec::new());
        let count = flush(&fdb, &filter, |event| match event {
            Event::Removed(entry) => removed.push(entry.mac),
            Event::RemotesRemoved { entry, remotes } => thinned.push((entry.mac, remotes)),
            other => panic!("{other:?}"),
        });
        removed.sort();
        assert_eq!(count, (2, 1), "{filter:?}");
        assert_eq!((removed, thinned), (vec![GROUP, mac(1)], vec![(MacAddr::ZERO, 1)]));
        removed = Vec::new();
        removed.extend(fdb.dump(NOW).map(|entry| entry.mac));
        removed.sort();
        assert_eq!(removed, [MacAddr::ZERO, mac(2), mac(3)]);
        assert_eq!(remotes(&fdb, VNI, MacAddr::ZERO), [plain]);
    }
}

/// A remote without a VNI of its own is sent that of the entry.
#[test]
fn a6_flush_by_remote_vni_knows_the_default() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add(VNI, mac(1), a).unwrap();
    fdb.add(OTHER_VNI, mac(1), a).unwrap();
    let mut filter = Filter::ALL;
    filter.remote_vni = Some(VNI);
    assert_eq!(flush(&fdb, &filter, |_| {}), (1, 0));
    assert_eq!(fdb.get(NOW, VNI, mac(1)), Err(Error::NotFound));
    assert_eq!(remotes(&fdb, OTHER_VNI, mac(1)), [a]);
}

#[test]
fn resync_removes_what_it_did_not_touch() {
    // Generations of a resync are counted around.
    for first in [1, u32::MAX, 0x7fff_ffff] {
        let tables = tables(small(), Settings::default());
        let (fdb, a) = (tables.fdb(), remote(&tables, 1));
        for number in 0..10 {
            fdb.add(VNI, mac(number), NewEntry::to(a).origin(7, first)).unwrap();
        }
        fdb.add(VNI, mac(20), NewEntry::to(a).origin(8, first)).unwrap();
        assert_eq!(fdb.learn(NOW, VNI, mac(21), a), Learned::New { evicted: None });
        let next = first.wrapping_add(1);
        for number in 5..12 {
            fdb.replace(VNI, mac(number), NewEntry::to(a).origin(7, next)).unwrap();
        }
        assert_eq!(flush(&fdb, &Filter::untouched(7, next), |_| {}), (5, 0));
        let mut left: Vec<_> = fdb.dump(NOW).map(|entry| entry.mac).collect();
        left.sort();
        assert_eq!(left, (5..12).chain(20..22).map(mac).collect::<Vec<_>>());
    }
}

#[test]
fn flush_goes_on_where_it_was() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for number in 0..256 {
        fdb.add(VNI, mac(number), a).unwrap();
    }
    let (mut cursor, mut steps, mut gone) = (Default::default(), 0, 0);
    loop {
        let flushed = fdb.flush(NOW, &Filter::ALL, cursor, 1, |_| gone += 1);
        assert!(flushed.entries <= 4, "a bucket at a time");
        steps += 1;
        match flushed.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert_eq!((gone, fdb.count()), (256, 0));
    assert!(steps >= 64);
    assert!(
        fdb.flush(NOW, &Filter::ALL, Default::default(), 0, |_| {}).next.is_some(),
        "no work, no progress"
    );
}

#[test]
fn dump_meets_every_entry_once_and_resumes() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let all: Vec<_> = (0..200).map(mac).collect();
    for &mac in &all {
        fdb.add(VNI, mac, a).unwrap();
    }
    for step in [1, 3, 50, 1_000] {
        let (mut cursor, mut seen) = (Default::default(), Vec::new());
        loop {
            let mut dump = fdb.dump_from(NOW, cursor);
            let before = seen.len();
            seen.extend(dump.by_ref().take(step).map(|entry| entry.mac));
            cursor = dump.cursor();
            if seen.len() < before + step {
                break;
            }
        }
        seen.sort();
        assert_eq!(seen, all);
        assert!(!cursor.may_have_skipped());
    }
}

#[test]
fn dump_says_when_entries_moved_meanwhile() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    for number in 0..100 {
        fdb.add(VNI, mac(number), a).unwrap();
    }
    let mut dump = fdb.dump(NOW);
    assert!(dump.next().is_some());
    assert!(!dump.cursor().may_have_skipped());
    // The last entries find room only because others are moved.
    for number in 100..256 {
        fdb.add(VNI, mac(number), a).unwrap();
    }
    assert!(dump.cursor().may_have_skipped());
    assert!(dump.by_ref().count() > 0);
    assert!(dump.cursor().may_have_skipped());
    assert!(!fdb.dump(NOW).cursor().may_have_skipped(), "the next dump knows nothing of it");
}

#[test]
fn vnis_come_and_go() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    assert_eq!(fdb.remove_vni(VNI), Err(Error::NotFound));
    fdb.add(VNI, mac(1), a).unwrap();
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    fdb.add(OTHER_VNI, mac(1), a).unwrap();
    assert_eq!(fdb.learn(NOW, VNI, mac(2), a), Learned::New { evicted: None });
    fdb.remove_vni(VNI).unwrap();
    assert!(!fdb.knows(VNI) && fdb.knows(OTHER_VNI));
    for mac in [mac(1), mac(2), MacAddr::ZERO] {
        assert_eq!(fdb.lookup(NOW, VNI, mac), Lookup::Unknown);
        assert_eq!(fdb.get(NOW, VNI, mac), Err(Error::NotFound));
    }
    assert_eq!((fdb.dump(NOW).count(), fdb.count_vni(VNI)), (1, (0, 0)));
    // What it was is not there again when it comes back.
    fdb.add_vni(VNI).unwrap();
    assert_eq!(fdb.lookup(NOW, VNI, mac(1)), Lookup::Unknown);
    fdb.add(VNI, mac(1), a).unwrap();
    assert_eq!((fdb.dump(NOW).count(), fdb.count_vni(VNI)), (2, (1, 0)));
    // The sweep takes what died, its list included.
    let aged = tables.age(NOW, usize::MAX, |event| panic!("{event:?}"));
    assert_eq!((aged.removed, aged.complete), (3, true));
    assert_eq!((fdb.count(), tables.lists().used()), (2, 0));
}

#[test]
fn as_many_vnis_as_promised_and_again_after_sweeps() {
    let tables = tables(Capacity { vnis: 300, ..small() }, Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let vni = |number: u32| Vni::truncate(number * 256 + number / 7);
    for number in 0..300 {
        fdb.add_vni(vni(number)).unwrap();
    }
    assert_eq!(fdb.add_vni(Vni::MAX), Err(Error::Full { what: Resource::Vnis, limit: 300 }));
    assert!((0..300).all(|number| fdb.knows(vni(number))) && !fdb.knows(Vni::MAX));
    fdb.add(vni(7), mac(1), a).unwrap();
    fdb.remove_vni(vni(7)).unwrap();
    // An entry may still carry its number.
    assert_eq!(fdb.add_vni(Vni::MAX), Err(Error::SweepPending));
    let sweep = || assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
    sweep();
    assert_eq!(fdb.add_vni(Vni::MAX), Err(Error::SweepPending));
    sweep();
    fdb.add_vni(Vni::MAX).unwrap();
    assert_eq!(fdb.lookup(NOW, Vni::MAX, mac(1)), Lookup::Unknown);
    assert_eq!((fdb.count(), fdb.count_vni(Vni::MAX)), (0, (0, 0)));
}
