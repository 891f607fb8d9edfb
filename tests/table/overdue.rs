//! How late a sweep may be, and how far a clock may run back.

use std::time::Duration;

use encap::{
    table::{Ageing, Learned, Lookup, NeighborLearned, NeighborRefusal, Refusal, Snooping},
    time::Instant,
};

use crate::{
    common::{NEW, NOW, VNI, is_at, later, mac, remote, small, with},
    neighbor::HOST,
};

/// By the ageing time that they were built with, whatever it is now.
#[test]
fn entries_wait_20_ageing_times_for_a_sweep() {
    for ageing in [20, 300, 3_600] {
        let tables = with(small(), |_| {});
        let (fdb, a) = (tables.fdb(), remote(&tables, 1));
        tables.set_ageing(Ageing::After(Duration::from_secs(ageing))).unwrap();
        assert_eq!(fdb.learn(NOW, VNI, mac(1), a), NEW);
        for seconds in (0..=6_000).step_by(10) {
            assert_eq!(fdb.learn(later(seconds), VNI, mac(1), a), Learned::Refreshed, "{seconds} s");
            is_at(&fdb, later(seconds), mac(1), a);
        }
        let late = later(12_000);
        assert_eq!(fdb.learn(late, VNI, mac(1), a), Learned::Refused(Refusal::SweepPending));
        assert_eq!(fdb.lookup(late, VNI, mac(1)), Lookup::Unknown);
    }
}

/// By the time that they count as reachable, however long they stay.
#[test]
fn neighbours_wait_20_times_as_long_as_they_are_reachable_for_a_sweep() {
    let tables = with(small(), |settings| settings.snooping = Snooping::All);
    let neighbors = tables.neighbors();
    let learn = |seconds| neighbors.learn(later(seconds), VNI, HOST, mac(1), None);
    assert_eq!(learn(0), NeighborLearned::New);
    for seconds in (0..=600).step_by(10) {
        assert_eq!(learn(seconds), NeighborLearned::Refreshed, "{seconds} s");
    }
    assert_eq!(learn(1_200), NeighborLearned::Refused(NeighborRefusal::SweepPending));
    assert_eq!(neighbors.lookup(later(1_200), VNI, HOST), Ok(None));
}

/// Wherever in a tick they begin: this is the longest ageing time of such ticks, and these are 20,480 of them.
#[test]
fn all_of_20_ageing_times_are_in_time() {
    let ageing = Duration::from_micros((1 << 28) - 1);
    let tables = with(small(), |settings| settings.ageing = Ageing::After(ageing));
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let swept = Instant::from_micros((100 << 18) + 20);
    assert!(tables.age(swept, usize::MAX, |_| {}).complete);
    assert_eq!(fdb.learn(swept.saturating_add(20 * ageing), VNI, mac(1), a), NEW);
    let late = swept.saturating_add(20 * ageing + Duration::from_micros(1 << 18));
    assert_eq!(fdb.learn(late, VNI, mac(2), a), Learned::Refused(Refusal::SweepPending));
}

/// Its stamp comes round after 65,535 ticks of 512 µs, swept at that time or never.
#[test]
fn what_was_learned_when_time_began_does_not_come_back() {
    for swept in [false, true] {
        let tables = with(small(), |settings| settings.ageing = Ageing::After(Duration::from_millis(300)));
        let (fdb, a) = (tables.fdb(), remote(&tables, 1));
        assert_eq!(fdb.learn(Instant::ZERO, VNI, mac(1), a), NEW);
        assert!(!swept || tables.age(Instant::ZERO, usize::MAX, |_| {}).complete);
        for tick in (1_200..70_000).step_by(100) {
            let now = Instant::from_micros(tick * 512);
            assert_eq!(fdb.lookup(now, VNI, mac(1)), Lookup::Unknown, "swept {swept}, tick {tick}");
        }
    }
}

/// A tick is the largest power of two of microseconds that is not longer than 300 s / 512.
#[test]
fn a_clock_may_run_back_by_0x7ffd_ticks() {
    for (ticks, is_there) in [(1, true), (0x7ffd, true), (0x7ffe, false), (0x8002, false), (0x1_0000, false)]
    {
        let tables = with(small(), |_| {});
        let (fdb, a) = (tables.fdb(), remote(&tables, 1));
        let ahead = Instant::from_micros(later(1 << 16).as_micros() + (ticks << 19));
        assert_eq!(fdb.learn(ahead, VNI, mac(1), a), NEW);
        let found = fdb.lookup(later(1 << 16), VNI, mac(1));
        assert_eq!(found, if is_there { Lookup::Found(a.into()) } else { Lookup::Unknown }, "{ticks:#x}");
    }
}

/// What is confirmed after a clock was set back expires in time, by the clock as it is now.
#[test]
fn what_is_confirmed_after_a_clock_was_set_back_has_the_new_time() {
    let tables = with(small(), |settings| settings.snooping = Snooping::All);
    let (fdb, neighbors, a) = (tables.fdb(), tables.neighbors(), remote(&tables, 1));
    let host = [10, 1, 0, 2].into();
    let learn = |now| {
        let known = neighbors.learn(now, VNI, host, mac(1), None);
        (fdb.learn(now, VNI, mac(1), a), known)
    };
    let refreshed = (Learned::Refreshed, NeighborLearned::Refreshed);
    assert_eq!(learn(later(900)), (NEW, NeighborLearned::New));
    for seconds in (0..100).step_by(10) {
        assert_eq!(learn(later(seconds)), refreshed);
        assert!(tables.age(later(seconds), usize::MAX, |_| {}).complete);
    }
    for (seconds, there) in [(389, true), (400, false)] {
        assert!(tables.age(later(seconds), usize::MAX, |_| {}).complete);
        assert_eq!(fdb.get(later(seconds), VNI, mac(1)).is_ok(), there);
        assert_eq!(neighbors.get(later(seconds), VNI, host).is_ok(), there);
    }
}
