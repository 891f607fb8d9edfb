//! When entries are given up: to the tick, whatever the clock does and however seldom the sweep comes by.

use std::time::Duration;

use encap::{
    table::{
        Ageing, BuildError, Capacity, Change, Cursor, Error, Event, Filter, Learned, Line, Lookup, NewEntry,
        Refusal, RemoteId, Settings, State, Tables,
    },
    time::Instant,
    wire::{MacAddr, Vni},
};

use crate::common::{NEW, NOW, VNI, mac, remote, small, tables};

/// Tables of this ageing time that know the VNI, and a remote.
fn ageing(ageing: Ageing) -> (Tables<Box<[Line]>>, RemoteId) {
    let mut settings = Settings::default();
    settings.ageing = ageing;
    let tables = tables(small(), settings);
    tables.fdb().add_vni(VNI).unwrap();
    let remote = remote(&tables, 1);
    (tables, remote)
}

fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// What an entry may live longer than its time, less than.
fn slack(ageing: Duration) -> Duration {
    (ageing / 256).max(Duration::from_millis(1))
}

fn seconds(seconds: u64) -> Ageing {
    Ageing::After(Duration::from_secs(seconds))
}

fn sweep(tables: &Tables<Box<[Line]>>, now: Instant) -> Vec<Event> {
    let mut events = Vec::new();
    assert!(tables.age(now, usize::MAX, |event| events.push(event)).complete);
    events
}

/// Never before its time, and less than max(1 ms, ageing / 256) after it; as lookups see it, not as sweeps do.
#[test]
fn a5_expires_exactly() {
    let times = [
        1,
        999,
        1_000,
        1_023,
        1_024,
        4_000,
        35_000,
        256_000,
        262_143,
        262_144,
        300_000,
        524_289,
        1_000_000,
        1_023_999,
        9_999_999,
        30_000_000,
        300_000_000,
        3_600_000_000,
        86_400_000_000,
        604_800_000_000,
    ];
    for after in times.map(micros) {
        let (tables, a) = ageing(Ageing::After(after));
        let fdb = tables.fdb();
        for (number, offset) in
            (0..).zip([0, 1, 100, 255, 256, 257, 511, 512, 1_023, 12_345, 999_999, 1 << 19, 1 << 33])
        {
            let start = Instant::from_micros((1 << 45) + 77_777 + offset);
            // Whatever was swept last.
            sweep(&tables, start);
            assert_eq!(fdb.learn(start, VNI, mac(number), a), NEW);
            fdb.add(VNI, mac(1_000 + number), NewEntry::to(a).dynamic(start)).unwrap();
            let before = start.saturating_add(after - micros(1));
            let later = start.saturating_add(after + slack(after) - micros(1));
            for mac in [mac(number), mac(1_000 + number)] {
                assert_eq!(fdb.lookup(start, VNI, mac), Lookup::Found(a.into()));
                assert_eq!(fdb.lookup(before, VNI, mac), Lookup::Found(a.into()), "{after:?} {offset}");
                assert_eq!(fdb.lookup(later, VNI, mac), Lookup::Unknown, "{after:?} {offset}");
                let mut answers = [Lookup::Busy; 1];
                fdb.lookup_batch(later, &[(VNI, mac)], &mut answers);
                assert_eq!(answers, [Lookup::Unknown]);
                assert_eq!(fdb.get(later, VNI, mac), Err(Error::NotFound));
                let age = fdb.get(before, VNI, mac).unwrap().age.unwrap();
                assert!(age.abs_diff(after) <= slack(after), "{age:?} {after:?}");
            }
            let later = start.saturating_add(after + slack(after));
            assert!(!fdb.dump(later).any(|entry| entry.mac == mac(number)));
        }
    }
}

/// Stamps are of 16 bits: no tick is different from the rest where they come around.
#[test]
fn a5_expires_exactly_where_stamps_come_around() {
    let after = Duration::from_secs(300);
    for number in (0..0x1_0000_u64).step_by(257).chain(0..4).chain(0xfffc..0x1_0000) {
        let (tables, a) = ageing(Ageing::After(after));
        let fdb = tables.fdb();
        let start = Instant::from_micros((7 << 35) + (number << 19));
        assert_eq!(fdb.learn(start, VNI, mac(1), a), NEW);
        let before = start.saturating_add(after - micros(1));
        assert_eq!(fdb.lookup(before, VNI, mac(1)), Lookup::Found(a.into()), "{number}");
        let later = start.saturating_add(after + slack(after) - micros(1));
        assert_eq!(fdb.lookup(later, VNI, mac(1)), Lookup::Unknown, "{number}");
    }
}

#[test]
fn a5_permanent_static_and_extern_learned_entries_do_not_age() {
    let (tables, a) = ageing(seconds(1));
    let fdb = tables.fdb();
    let entries = [
        NewEntry::to(a),
        NewEntry::to(a).as_static(),
        NewEntry::to(a).extern_learn(),
        NewEntry::to(a).dynamic(NOW).extern_learn(),
        NewEntry::to(a).dynamic(NOW),
    ];
    for (number, entry) in (0..).zip(entries) {
        fdb.add(VNI, mac(number), entry).unwrap();
    }
    for later in
        [NOW, Instant::from_secs(100_000), Instant::from_secs(1 << 40), Instant::from_micros(u64::MAX)]
    {
        for number in 0..4 {
            assert_eq!(fdb.lookup(later, VNI, mac(number)), Lookup::Found(a.into()));
            assert_eq!(fdb.get(later, VNI, mac(number)).unwrap().age, None);
        }
        let gone = if later == NOW { Lookup::Found(a.into()) } else { Lookup::Unknown };
        assert_eq!(fdb.lookup(later, VNI, mac(4)), gone);
        sweep(&tables, later);
    }
    assert_eq!(fdb.count(), 4);
}

/// Linux has no such thing that works.
#[test]
fn never_is_never() {
    for swept in [false, true] {
        let (tables, a) = ageing(Ageing::Never);
        let fdb = tables.fdb();
        assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
        fdb.add(VNI, mac(2), NewEntry::to(a).dynamic(NOW)).unwrap();
        for hours in [1, 4, 5, 8, 9, 10, 24, 8_760, 876_000] {
            let later = Instant::from_secs(1_000 + hours * 3_600);
            assert!(!swept || sweep(&tables, later).is_empty());
            assert_eq!(fdb.lookup(later, VNI, mac(1)), Lookup::Found(a.into()), "{hours} hours");
            assert_eq!(fdb.lookup(later, VNI, mac(2)), Lookup::Found(a.into()), "{hours} hours");
        }
    }
}

#[test]
fn a5_confirmed_by_learning_moving_and_whoever_says_so_again() {
    let (tables, a) = ageing(seconds(300));
    let (fdb, b) = (tables.fdb(), remote(&tables, 2));
    let at = |seconds: u64| Instant::from_secs(1_000 + seconds);
    assert_eq!(fdb.learn(at(0), VNI, mac(1), a), NEW);
    assert_eq!(fdb.learn(at(200), VNI, mac(1), a), Learned::Refreshed);
    assert_eq!(fdb.lookup(at(499), VNI, mac(1)), Lookup::Found(a.into()));
    assert_eq!(fdb.learn(at(400), VNI, mac(1), b), Learned::Moved { from: a.into() });
    assert_eq!(fdb.lookup(at(699), VNI, mac(1)), Lookup::Found(b.into()));
    fdb.replace(VNI, mac(1), NewEntry::to(b).dynamic(at(600))).unwrap();
    assert_eq!(fdb.lookup(at(899), VNI, mac(1)), Lookup::Found(b.into()));
    fdb.append(VNI, mac(1), NewEntry::to(b).dynamic(at(800))).unwrap();
    assert_eq!(fdb.lookup(at(1_099), VNI, mac(1)), Lookup::Found(b.into()));
    // Lookups keep nothing alive (as in Linux since 6.18).
    assert_eq!(fdb.lookup(at(1_102), VNI, mac(1)), Lookup::Unknown);
}

#[test]
fn a5_the_sweep_tells_and_gives_room_back() {
    let (tables, a) = ageing(seconds(300));
    let fdb = tables.fdb();
    for number in 0..100 {
        assert_eq!(fdb.learn(Instant::from_secs(1_000 + 10 * number), VNI, mac(number as u32), a), NEW);
    }
    fdb.add(VNI, mac(999), a).unwrap();
    let now = Instant::from_secs(1_000 + 490 + 305);
    let live: Vec<_> = fdb.dump(now).map(|entry| entry.mac).collect();
    let events = sweep(&tables, now);
    assert_eq!(events.len(), 50);
    for event in events {
        let Event::Expired(entry) = event else { panic!("{event:?}") };
        assert_eq!((entry.state, entry.destination), (State::Learned, a.into()));
        assert!(entry.age.unwrap() >= Duration::from_secs(300) && !live.contains(&entry.mac));
    }
    assert_eq!((fdb.count(), fdb.count_vni(VNI), tables.remotes().learned(a)), (51, (1, 50), Some(50)));
}

#[test]
fn the_budget_bounds_the_work_and_the_sweep_resumes() {
    let (tables, a) = ageing(seconds(300));
    let fdb = tables.fdb();
    for number in 0..200 {
        assert_eq!(fdb.learn(NOW, VNI, mac(number), a), NEW);
    }
    let later = Instant::from_secs(2_000);
    let (lines, mut removed, mut steps) = (tables.sweep_lines(), 0, 0);
    loop {
        let aged = tables.age(later, 3, |_| {});
        assert!(aged.removed <= 12, "three buckets of four");
        (removed, steps) = (removed + aged.removed, steps + 1);
        assert_eq!(aged.complete, steps * 3 >= lines);
        if aged.complete {
            break;
        }
    }
    assert_eq!((removed, fdb.count()), (200, 0));
    let nothing = tables.age(later, 0, |_| {});
    assert_eq!((nothing.removed, nothing.complete), (0, false));
}

/// Before a sweep comes by, too: whoever says what time it is finds nothing that has expired, and whoever has it away
/// leaves nothing. Without a time it is there.
#[test]
fn a5_what_has_expired_is_in_nobodys_way() {
    let later = Instant::from_secs(2_000);
    for mac in [mac(1), MacAddr::ZERO, MacAddr::BROADCAST] {
        for way in 0..6 {
            let tables = tables(small(), Settings::default());
            let (fdb, [a, b]) = (tables.fdb(), [1, 2].map(|last| remote(&tables, last)));
            assert_eq!(fdb.append(VNI, mac, NewEntry::to(a).dynamic(NOW)), Ok(Change::Created));
            assert_eq!(fdb.lookup(later, VNI, mac), Lookup::Unknown);
            assert_eq!(fdb.add(VNI, mac, b), Err(Error::Exists));
            let mut told = Vec::new();
            let new = match way {
                0 => NewEntry::to(b).at(later),
                1 => NewEntry::to(b).at(later).as_static(),
                2 => NewEntry::to(b).extern_learn().at(later),
                3 => {
                    assert_eq!(fdb.delete(later, VNI, mac), Err(Error::NotFound));
                    NewEntry::to(b)
                }
                4 => {
                    assert_eq!(fdb.delete_destination(later, VNI, mac, a), Err(Error::NotFound));
                    NewEntry::to(b)
                }
                _ => {
                    for (vni, count) in [(Vni::truncate(7), 1), (VNI, 0)] {
                        let mut filter = Filter::ALL;
                        filter.vni = Some(vni);
                        let tell = |event| told.push(event);
                        let flushed = fdb.flush(later, &filter, Cursor::default(), usize::MAX, tell);
                        assert_eq!((flushed.entries, fdb.count()), (0, count));
                    }
                    NewEntry::to(b)
                }
            };
            assert_eq!(told.len(), usize::from(way == 5));
            assert!(told.iter().all(|event| matches!(event, Event::Expired(entry) if entry.mac == mac)));
            assert_eq!(fdb.append(VNI, mac, new), Ok(Change::Created));
            let entry = fdb.get(later, VNI, mac).unwrap();
            assert_eq!((entry.age, fdb.count()), (None, 1));
            assert_eq!(fdb.remotes_of(entry.destination).collect::<Vec<_>>(), [b]);
        }
        let (tables, a) = ageing(seconds(1));
        let b = remote(&tables, 2);
        tables.fdb().add(VNI, mac, NewEntry::to(a).dynamic(NOW)).unwrap();
        if mac.is_unicast() {
            assert_eq!(tables.fdb().replace(VNI, mac, NewEntry::to(b).at(later)), Ok(Change::Created));
        } else {
            assert_eq!(tables.fdb().append(VNI, mac, b), Ok(Change::Updated), "with the one that there was");
        }
    }
}

/// The callback of a sweep may look around, and another sweep meanwhile does nothing.
#[test]
fn one_sweep_at_a_time() {
    let (tables, a) = ageing(seconds(300));
    assert_eq!(tables.fdb().learn(NOW, VNI, mac(1), a), NEW);
    let later = Instant::from_secs(2_000);
    let mut seen = 0;
    let aged = tables.age(later, usize::MAX, |_| {
        let inner = tables.age(later, usize::MAX, |_| panic!());
        assert!(inner.busy && !inner.complete && inner.removed == 0);
        assert_eq!(tables.fdb().lookup(later, VNI, mac(1)), Lookup::Unknown);
        seen += 1;
    });
    assert!(aged.complete && !aged.busy && seen == 1);
}

#[test]
fn a_clock_that_runs_back_makes_nothing_older() {
    let (tables, a) = ageing(seconds(300));
    let fdb = tables.fdb();
    assert_eq!(fdb.learn(Instant::from_secs(10_000), VNI, mac(1), a), NEW);
    fdb.add(VNI, mac(2), NewEntry::to(a).dynamic(Instant::from_secs(10_000))).unwrap();
    for earlier in [9_999, 9_700, 9_000, 5_000, 0] {
        let earlier = Instant::from_secs(earlier);
        for number in [1, 2] {
            assert_eq!(fdb.lookup(earlier, VNI, mac(number)), Lookup::Found(a.into()));
            assert_eq!(fdb.get(earlier, VNI, mac(number)).unwrap().age, Some(Duration::ZERO));
        }
        assert!(sweep(&tables, earlier).is_empty());
    }
    // It runs forward again: the entry, which nobody has confirmed meanwhile, is as old as it was.
    sweep(&tables, Instant::from_secs(10_299));
    assert_eq!(fdb.lookup(Instant::from_secs(10_299), VNI, mac(1)), Lookup::Found(a.into()));
    assert_eq!(fdb.lookup(Instant::from_secs(10_302), VNI, mac(1)), Lookup::Unknown);
}

#[test]
fn the_first_and_the_last_times_there_are() {
    for start in [0, 1, u64::MAX - 301_000_000, u64::MAX - 10] {
        let (tables, a) = ageing(seconds(300));
        let (fdb, start) = (tables.fdb(), Instant::from_micros(start));
        assert_eq!(fdb.learn(start, VNI, mac(1), a), NEW);
        let later = start.saturating_add(Duration::from_secs(299));
        assert_eq!(fdb.lookup(later, VNI, mac(1)), Lookup::Found(a.into()));
        assert!(sweep(&tables, later).is_empty());
    }
}

/// Stamps come around in 65,536 ticks: a table that nobody sweeps trusts none of them.
#[test]
fn a_table_that_is_not_swept_trusts_no_stamp() {
    let ageings = [Duration::from_secs(300), Duration::from_millis(35), Duration::from_secs(3)];
    for after in ageings {
        let (tables, a) = ageing(Ageing::After(after));
        let fdb = tables.fdb();
        assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
        let mut tick = micros(1);
        while tick * 2 <= slack(after) / 2 {
            tick *= 2;
        }
        // All that look young by 16 bits are among them, up to 32 bits of ticks.
        for since in (0..32)
            .flat_map(|doublings| [10, 11, 13].map(|factor: u32| after * factor * 2_u32.pow(doublings)))
        {
            if since < tick * 0xffff_0000 {
                assert_eq!(
                    fdb.lookup(NOW.saturating_add(since), VNI, mac(1)),
                    Lookup::Unknown,
                    "{after:?} {since:?}"
                );
            }
        }
        for turns in [1, 2, 3, 0x7fff, 0x8000, 0xff00] {
            let since = tick * 0x1_0000 * turns;
            assert_eq!(
                fdb.lookup(NOW.saturating_add(since), VNI, mac(1)),
                Lookup::Unknown,
                "{after:?} {turns}"
            );
        }
        // A sweep makes it good again.
        let later = NOW.saturating_add(tick * 0x1_0000);
        assert_eq!(sweep(&tables, later).len(), 1);
        assert_eq!(fdb.learn(later, VNI, mac(1), a), NEW);
        assert_eq!(fdb.lookup(later, VNI, mac(1)), Lookup::Found(a.into()));
    }
}

/// Swept now and then, it may live for ever.
#[test]
fn a_table_that_is_swept_keeps_what_is_confirmed_for_ever() {
    let (tables, a) = ageing(seconds(300));
    let fdb = tables.fdb();
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
    for step in 1..2_000 {
        let now = Instant::from_secs(1_000 + step * 290);
        assert_eq!(fdb.learn(now, VNI, mac(1), a), Learned::Refreshed);
        if step % 15 == 0 {
            assert!(sweep(&tables, now).is_empty());
        }
    }
}

#[test]
fn a5_another_ageing_time_holds_at_once() {
    let (tables, a) = ageing(seconds(300));
    let fdb = tables.fdb();
    let at = |seconds: u64| Instant::from_secs(1_000 + seconds);
    assert_eq!(fdb.learn(at(0), VNI, mac(1), a), NEW);
    assert_eq!(fdb.lookup(at(100), VNI, mac(1)), Lookup::Found(a.into()));
    tables.set_ageing(seconds(50)).unwrap();
    assert_eq!(fdb.lookup(at(100), VNI, mac(1)), Lookup::Unknown);
    tables.set_ageing(seconds(3_600)).unwrap();
    assert_eq!(fdb.lookup(at(3_599), VNI, mac(1)), Lookup::Found(a.into()));
    assert_eq!(fdb.lookup(at(3_602), VNI, mac(1)), Lookup::Unknown);
    tables.set_ageing(Ageing::Never).unwrap();
    assert_eq!(fdb.lookup(at(1_000_000), VNI, mac(1)), Lookup::Found(a.into()));

    assert_eq!(tables.set_ageing(Ageing::After(Duration::ZERO)), Err(BuildError::NoAge { field: "ageing" }));
    let time = Duration::from_secs(300 * 100);
    assert_eq!(tables.set_ageing(seconds(300 * 100)), Err(BuildError::Ageing { field: "ageing", time }));
}

/// Twelve times as long as it was built with can always be told, also where that is nearly 1,024 ticks.
#[test]
fn twelve_times_the_ageing_time_can_be_set() {
    let longest =
        (0..=41).flat_map(|doublings| [(1 << doublings) - 1, 1 << doublings]).filter(|&time| time > 0);
    for after in (1..2_000).map(|number| number * number * number).chain(longest).map(micros) {
        let (tables, _) = ageing(Ageing::After(after));
        tables.set_ageing(Ageing::After(after * 12)).unwrap();
    }
}

#[test]
fn ageing_times_that_cannot_be() {
    let build = |ageing| {
        let mut settings = Settings::default();
        settings.ageing = ageing;
        Tables::with_capacity(Capacity::fdb(16), settings, [1, 2]).map(|_| ())
    };
    assert_eq!(build(Ageing::After(Duration::ZERO)), Err(BuildError::NoAge { field: "ageing" }));
    assert_eq!(
        build(Ageing::After(Duration::MAX)),
        Err(BuildError::Ageing { field: "ageing", time: Duration::MAX })
    );
    // 12,288 ticks of 2^31 µs.
    assert_eq!(build(Ageing::After(Duration::from_micros(12_288 << 31))), Ok(()));
    assert_eq!((12_288 << 31) / 86_400_000_000_u64, 305, "days");
    let time = Duration::from_micros((12_288 << 31) + 1);
    assert_eq!(build(Ageing::After(time)), Err(BuildError::Ageing { field: "ageing", time }));
    assert_eq!(build(Ageing::Never), Ok(()));
}

/// Whoever forgets to sweep is told so by name, and nothing is lost that does not age.
#[test]
fn a_table_that_was_not_swept_in_time_says_so() {
    let (tables, a) = ageing(seconds(300));
    let fdb = tables.fdb();
    assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
    fdb.add(VNI, mac(2), a).unwrap();
    let late = Instant::from_secs(100_000);
    assert_eq!(fdb.learn(late, VNI, mac(1), a), Learned::Refused(Refusal::SweepPending));
    assert_eq!(fdb.add(VNI, mac(3), NewEntry::to(a).dynamic(late)), Err(Error::SweepPending));
    // Else the entry would be gone.
    assert_eq!(fdb.replace(VNI, mac(2), NewEntry::to(a).dynamic(late)), Err(Error::SweepPending));
    assert_eq!(fdb.lookup(late, VNI, mac(2)), Lookup::Found(a.into()));
    fdb.add(VNI, mac(4), a).unwrap();
    sweep(&tables, late);
    assert_eq!(fdb.learn(late, VNI, mac(1), a), NEW);
    fdb.add(VNI, mac(3), NewEntry::to(a).dynamic(late)).unwrap();
}
