//! Sweeps: of the dead, when they are due, and of what a control plane does not want any more.

use std::time::Duration;

use encap::{
    table::{
        Ageing, Capacity, Cursor, Destination, Error, Event, Filter, LearnFrom, Learned, Line, NewEntry,
        Remote, Settings, Tables,
    },
    time::Instant,
    wire::Vni,
};

use crate::common::*;

/// Also while newcomers take the room that the sweep makes, and move others for it.
#[test]
fn whatever_was_dead_when_a_sweep_began_is_gone_when_it_ends() {
    const STAY: usize = 24_000;
    const COME_AND_GO: usize = 6_000;
    const OTHER: Vni = Vni::truncate(43);
    let tables = tables(Capacity::fdb((STAY + COME_AND_GO) as u32), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    fdb.add_vni(VNI).unwrap();
    fdb.add_vni(OTHER).unwrap();
    let mut hosts = 0..;
    let mut learn = |vni| {
        assert_eq!(fdb.learn(NOW, vni, mac(hosts.next().unwrap()), a), Learned::New { evicted: None });
    };
    (0..STAY).for_each(|_| learn(VNI));
    (0..COME_AND_GO).for_each(|_| learn(OTHER));
    for round in 0..3 {
        assert_eq!(fdb.flush_learned(OTHER), Ok(COME_AND_GO));
        // The sweep and newcomers take turns: as many come as go.
        while !tables.age(NOW, 1, |event| panic!("nothing expires: {event:?}")).complete {
            while fdb.count() < STAY + COME_AND_GO {
                learn(OTHER);
            }
        }
        while fdb.count() < STAY + COME_AND_GO {
            learn(OTHER);
        }
        assert_eq!(fdb.dump(NOW).count(), fdb.count(), "round {round}");
    }
}

#[test]
fn a_sweep_by_origin_takes_what_a_resync_did_not_touch() {
    let tables = tables(small(), Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    // Sync 4,294,967,295 of control plane 7 brought these; sync 0 came next, and brought only the even ones again.
    for host in 0..20 {
        fdb.add(VNI, mac(host), NewEntry::to(a).origin(7, u32::MAX)).unwrap();
    }
    fdb.add(VNI, mac(100), NewEntry::to(a).origin(8, u32::MAX)).unwrap();
    fdb.add(VNI, mac(101), a).unwrap();
    for host in (0..20).step_by(2) {
        fdb.replace(VNI, mac(host), NewEntry::to(a).origin(7, 0)).unwrap();
    }
    let (mut cursor, mut gone) = (Some(Cursor::default()), vec![]);
    while let Some(from) = cursor {
        let step = fdb.sweep(NOW, 7, 0, from, 10, |event| match event {
            Event::Removed(entry) => gone.push(entry.mac),
            other => panic!("{other:?}"),
        });
        cursor = step.next;
    }
    gone.sort();
    assert_eq!(gone, (1..20).step_by(2).map(mac).collect::<Vec<_>>());
    assert_eq!(fdb.count(), 12);
}

#[test]
fn the_next_sweep_is_due_an_eighth_of_the_shortest_time_after_the_last_one() {
    let tables = with(small(), |settings| settings.ageing = Ageing::After(Duration::from_secs(80)));
    assert_eq!(tables.next_sweep(NOW), NOW, "the first one at once");
    let next = |tables: &Tables<Box<[Line]>>, now| {
        assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
        (tables.next_sweep(now).as_micros() - now.as_micros() + 500_000) / 1_000_000
    };
    assert_eq!((next(&tables, NOW), next(&tables, later(4))), (10, 6));
    let earlier = Instant::from_secs(900);
    assert_eq!(next(&tables, earlier), 10, "a clock that was set back is no reason to wait longer, or less");
    assert!(!tables.age(NOW, 1, |_| {}).complete);
    assert_eq!(tables.next_sweep(NOW), NOW, "one that is under way goes on at once");
    // MTUs that were learned go by sweeps, too.
    let tables = with(small(), |settings| settings.mtu_expires = Ageing::After(Duration::from_secs(24)));
    assert_eq!(next(&tables, NOW), 3);
}

/// Whoever was at work may have ended then; sweeps one after the other would only keep him from it.
#[test]
fn after_a_sweep_that_could_not_look_everywhere_the_next_one_is_due_in_a_tick() {
    let tables = with(small(), |settings| settings.ageing = Ageing::After(Duration::from_secs(64)));
    let fdb = tables.fdb();
    fdb.add(VNI, mac(1), Destination::Local).unwrap();
    let due = |now| tables.next_sweep(now).as_micros() - now.as_micros();
    let sweep = |now| tables.age(now, usize::MAX, |_| {});
    assert!(sweep(later(0)).complete && !sweep(later(0)).skipped);
    // 2^16 µs, 977 of which make an ageing time.
    let now = later(9);
    assert_eq!(due(now), 0);
    let mut called = 0;
    let _ = fdb.flush(now, &Filter::ALL, Cursor::default(), usize::MAX, |_| {
        called += 1;
        let swept = sweep(now);
        assert!(swept.complete && swept.skipped && !swept.busy);
        assert!((1..=1 << 16).contains(&due(now)), "{}", due(now));
        let next = Instant::from_micros(now.as_micros() + due(now));
        assert_eq!(due(next), 0);
        // Nor if it takes longer than that.
        assert!(!tables.age(next, 1, |_| {}).complete);
        let end = Instant::from_micros(next.as_micros() + (3 << 16));
        assert!(sweep(end).skipped);
        assert_eq!(due(end), 1 << 16);
    });
    assert_eq!(called, 1);
    let swept = sweep(now);
    assert!(swept.complete && !swept.skipped);
    assert!((7_900_000..=8_000_000).contains(&due(now)), "{}", due(now));
}

/// Who is named where nobody could look may be in use.
#[test]
fn a_sweep_that_could_not_look_everywhere_leaves_all_remotes() {
    let tables = with(Capacity { entries: 16, ..small() }, |settings| settings.learn_from = LearnFrom::Any);
    let fdb = tables.fdb();
    let stranger = |host: u8| {
        let remote = tables.remotes().find_or_learn(&Remote::new([192, 0, 2, host].into(), 4789)).unwrap();
        fdb.add(VNI, mac(host.into()), remote).unwrap();
        (mac(host.into()), remote)
    };
    let strangers: Vec<_> = (0..8).map(stranger).collect();
    for host in 8..16 {
        fdb.add(VNI, mac(host.into()), NewEntry::to(Destination::Local).origin(host, 0)).unwrap();
    }
    // One after the other goes, some of them from where one is that names a stranger.
    for host in 8..16 {
        assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
        let mut filter = Filter::ALL;
        filter.origin = Some(host);
        assert_eq!(sweeps_that_skip(&tables, &filter), 1);
        strangers.iter().for_each(|&(mac, remote)| is_at(&fdb, NOW, mac, remote));
    }
}

/// Nor does it count as one after which the number of a removed VNI may be another one's.
#[test]
fn a_sweep_that_could_not_look_everywhere_gives_no_number_to_another_vni() {
    let [removed, next] = [43, 44].map(Vni::truncate);
    let tables = with(Capacity { entries: 16, vnis: 2, ..small() }, |_| {});
    let fdb = tables.fdb();
    assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
    for host in 0..16 {
        fdb.add(if host % 2 == 0 { VNI } else { removed }, mac(host), Destination::Local).unwrap();
    }
    fdb.remove_vni(removed).unwrap();
    let mut filter = Filter::ALL;
    filter.vni = Some(VNI);
    assert_eq!(sweeps_that_skip(&tables, &filter), 8);
    assert_eq!(fdb.add_vni(next), Err(Error::SweepPending));
    (0..2).for_each(|_| assert!(tables.age(NOW, usize::MAX, |_| {}).complete));
    fdb.add_vni(next).unwrap();
}

/// Flushes, with a sweep for each entry that goes, which cannot look where that was; answers how many go.
fn sweeps_that_skip(tables: &Tables<Box<[Line]>>, filter: &Filter) -> usize {
    let sweep = |_| assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
    tables.fdb().flush(NOW, filter, Cursor::default(), usize::MAX, sweep).entries
}
