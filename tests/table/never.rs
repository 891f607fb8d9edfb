//! Where nothing expires: stamps come round all the same, and ages must not.

use std::time::Duration;

use encap::table::{
    Ageing, BuildError, Error, Learned, Line, Lookup, NeighborLearned, NeighborRefusal, NeighborState,
    NewEntry, Refusal, Snooping, Tables,
};

use crate::{
    common::{NEW, VNI, is_at, later, mac, remote, small, with},
    neighbor::{HOST, state},
};

fn never() -> Tables<Box<[Line]>> {
    with(small(), |settings| {
        (settings.ageing, settings.neighbor_ageing) = (Ageing::Never, Ageing::Never);
        settings.snooping = Snooping::All;
    })
}

fn sweep(tables: &Tables<Box<[Line]>>, seconds: u64) {
    assert!(tables.age(later(seconds), usize::MAX, |event| panic!("{event:?}")).complete);
}

/// 65,535 ticks of half a second are nine and a half hours.
#[test]
fn what_is_old_does_not_get_younger() {
    let (tables, mut last) = (never(), Duration::ZERO);
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    assert_eq!(fdb.learn(later(0), VNI, mac(1), a), NEW);
    for minutes in 0..3_000 {
        let seconds = 60 * minutes;
        sweep(&tables, seconds);
        let age = fdb.get(later(seconds), VNI, mac(1)).unwrap().age.unwrap();
        let told = Duration::from_secs(seconds.min(100 * 60));
        assert!(age >= last && age + Duration::from_secs(1) > told, "{minutes} minutes: {age:?}");
        last = age;
    }
    // Nor is it young where ages count again.
    let now = 3_000 * 60;
    assert_eq!(fdb.learn(later(now), VNI, mac(2), a), NEW);
    is_at(&fdb, later(now), mac(1), a);
    tables.set_ageing(Ageing::After(Duration::from_secs(300))).unwrap();
    assert_eq!(fdb.lookup(later(now), VNI, mac(1)), Lookup::Unknown);
    is_at(&fdb, later(now), mac(2), a);
}

#[test]
fn a_stale_neighbour_is_not_reachable_again() {
    let tables = never();
    let neighbors = tables.neighbors();
    assert_eq!(neighbors.learn(later(0), VNI, HOST, mac(1), None), NeighborLearned::New);
    assert_eq!(state(&neighbors, later(0), HOST), Some(NeighborState::Reachable));
    for minutes in 1..300 {
        sweep(&tables, 60 * minutes);
        assert_eq!(state(&neighbors, later(60 * minutes), HOST), Some(NeighborState::Stale), "{minutes}");
    }
    assert_eq!(neighbors.learn(later(18_000), VNI, HOST, mac(1), None), NeighborLearned::Refreshed);
    assert_eq!(state(&neighbors, later(18_000), HOST), Some(NeighborState::Reachable));
}

/// It would be old at once: nobody could tell it from what is.
#[test]
fn nothing_new_is_learned_where_it_is_not_swept_in_time() {
    let tables = never();
    let (fdb, neighbors, [a, b]) =
        (tables.fdb(), tables.neighbors(), [1, 2].map(|last| remote(&tables, last)));
    let other = [10, 1, 0, 77].into();
    assert_eq!(fdb.learn(later(0), VNI, mac(1), a), NEW);
    assert_eq!(neighbors.learn(later(0), VNI, HOST, mac(1), None), NeighborLearned::New);
    let late = later(36_000);
    let dynamic = |to| NewEntry::to(to).dynamic(late);
    assert_eq!(fdb.learn(late, VNI, mac(2), a), Learned::Refused(Refusal::SweepPending));
    let mut answers = [Learned::Busy; 2];
    fdb.learn_batch(late, &[(VNI, mac(1), a), (VNI, mac(2), a)], &mut answers);
    assert_eq!(answers, [Learned::Refreshed, Learned::Refused(Refusal::SweepPending)]);
    assert_eq!(fdb.add(VNI, mac(2), dynamic(a)), Err(Error::SweepPending));
    assert_eq!(fdb.add(VNI, mac(3), a), Ok(()));
    let refused = NeighborLearned::Refused(NeighborRefusal::SweepPending);
    assert_eq!(neighbors.learn(late, VNI, other, mac(2), None), refused);
    // What is there is found, and known.
    is_at(&fdb, late, mac(1), a);
    assert_eq!(fdb.learn(late, VNI, mac(1), a), Learned::Refreshed);
    assert_eq!(fdb.learn(late, VNI, mac(1), b), Learned::Moved { from: a.into() });
    assert_eq!(neighbors.learn(late, VNI, HOST, mac(1), None), NeighborLearned::Refreshed);
    assert_eq!(neighbors.learn(late, VNI, HOST, mac(2), None), NeighborLearned::Moved { from: mac(1) });
    assert_eq!(state(&neighbors, late, HOST), Some(NeighborState::Stale));
    sweep(&tables, 36_000);
    assert_eq!(fdb.learn(late, VNI, mac(2), a), NEW);
    assert_eq!(neighbors.learn(late, VNI, other, mac(2), None), NeighborLearned::New);
    assert_eq!(fdb.get(late, VNI, mac(2)).unwrap().age, Some(Duration::ZERO));
    assert_eq!(fdb.add(VNI, mac(4), dynamic(a)), Ok(()));
}

/// Without sweeps nobody knows how old anything is: it stays, and is not said to be young.
#[test]
fn what_is_not_swept_in_time_is_old() {
    let tables = never();
    let (fdb, neighbors, a) = (tables.fdb(), tables.neighbors(), remote(&tables, 1));
    assert_eq!(fdb.learn(later(0), VNI, mac(1), a), NEW);
    assert_eq!(neighbors.learn(later(0), VNI, HOST, mac(1), None), NeighborLearned::New);
    for minutes in (1..=600).chain([6_000, 60_000]) {
        assert_eq!(state(&neighbors, later(60 * minutes), HOST), Some(NeighborState::Stale), "{minutes}");
        is_at(&fdb, later(60 * minutes), mac(1), a);
    }
    // As old as it was, or older: its stamp is round again.
    let round = 0xffff * (1 << 19) / 1_000_000 + 1;
    sweep(&tables, round);
    assert!(fdb.get(later(round), VNI, mac(1)).unwrap().age.unwrap() > Duration::from_secs(6_000));
    is_at(&fdb, later(round), mac(1), a);
    tables.set_ageing(Ageing::After(Duration::from_secs(300))).unwrap();
    assert_eq!(fdb.lookup(later(round), VNI, mac(1)), Lookup::Unknown);
}

/// They count in ticks of half a second, of which 12,288 can be told, and the one that had begun.
#[test]
fn tables_in_which_nothing_expired_take_an_ageing_time_of_107_minutes() {
    let tables = never();
    let set = |micros| tables.set_ageing(Ageing::After(Duration::from_micros(micros)));
    assert_eq!([107 * 60 * 1_000_000, 6_442_000_000, 12_288 << 19].map(set), [Ok(()); 3]);
    let time = Duration::from_micros((12_288 << 19) + 1);
    let refused = set((12_288 << 19) + 1).unwrap_err();
    assert_eq!(refused, BuildError::Ageing { field: "ageing", time });
    assert!(refused.to_string().contains("(107 minutes for `Never`)"), "{refused}");
}

/// Those that were built with another time count in its ticks.
#[test]
fn ages_are_told_up_to_12_times_what_tables_were_built_with() {
    for (built_with, longest) in [(1, 12), (300, 3_600)] {
        let tables =
            with(small(), |settings| settings.ageing = Ageing::After(Duration::from_secs(built_with)));
        let (fdb, a) = (tables.fdb(), remote(&tables, 1));
        tables.set_ageing(Ageing::Never).unwrap();
        assert_eq!(fdb.learn(later(0), VNI, mac(1), a), NEW);
        for seconds in (0..100 * built_with).step_by(built_with as usize) {
            sweep(&tables, seconds);
            let age = fdb.get(later(seconds), VNI, mac(1)).unwrap().age.unwrap();
            assert!(
                age + Duration::from_secs(1) > Duration::from_secs(seconds.min(longest)),
                "{seconds} s: {age:?}"
            );
        }
        let age = fdb.get(later(100 * built_with), VNI, mac(1)).unwrap().age.unwrap();
        assert!(age < Duration::from_secs(25 * built_with), "{age:?}");
    }
}
