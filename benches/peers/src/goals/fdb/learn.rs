//! F5: inserts until the promised capacity.

use std::time::Instant;

use encap::table::{Learned, NewEntry, Settings};

use super::pages;
use crate::{
    cases::fdb::{NOW, Ours, Work},
    measure::{Contestant, Effort, Ratio, interleave, quantile},
    report::{Goal, Report},
};

pub fn run(report: &mut Report) {
    if !report.wants(&["F5"]) {
        return;
    }
    let sizes: &[_] = if report.quick { &[("64K", 1 << 16)] } else { &[("64K", 1 << 16), ("1M", 1 << 20)] };
    for &(name, size) in sizes {
        let work = Work::new(size, 1);
        beside_dpdk(report, name, &work);
        for learned in [false, true] {
            tail(report, name, &work, learned);
        }
    }
}

fn fill(ours: &Ours, work: &Work, learned: bool) {
    let fdb = ours.fdb();
    for &((vni, mac), remote) in &work.entries {
        insert(&fdb, (vni, mac), ours.remote(remote), learned);
    }
    assert_eq!(fdb.count(), work.entries.len());
}

#[inline(always)]
fn insert(
    fdb: &encap::table::Fdb<'_>,
    (vni, mac): crate::cases::fdb::Key,
    remote: encap::table::RemoteId,
    learned: bool,
) {
    if learned {
        let Learned::New { .. } = fdb.learn(NOW, vni, mac, remote) else { panic!("{mac}") };
    } else {
        fdb.add(vni, mac, NewEntry::to(remote)).unwrap();
    }
}

/// A table from empty to full, beside DPDK's; made anew each time, not timed.
fn beside_dpdk(report: &mut Report, name: &str, work: &Work) {
    let size = work.entries.len();
    let ours = |learned| {
        Contestant::prepared(
            "encap",
            None,
            move |table: &mut Option<Ours>| *table = Some(Ours::empty(size, Settings::default())),
            move |table, _| {
                fill(table.as_ref().unwrap(), work, learned);
                size
            },
        )
    };
    let mut everybody = vec![ours(true), ours(false)];
    #[cfg(dpdk)]
    {
        use super::maps::Rte;
        everybody.push(Contestant::prepared(
            "rte_hash_add_key_data",
            None,
            move |table: &mut Option<Rte>| {
                // There is room for one, by its name.
                *table = None;
                *table = Some(Rte::empty(size));
            },
            move |table, _| {
                table.as_mut().unwrap().fill(work);
                size
            },
        ));
    }
    let rounds = if size > 1 << 16 { 3 } else { 15 };
    let series = interleave(Effort { rounds, turn: 2 }, &mut everybody);
    for (series_of, how) in series.iter().zip(["learn", "add"]) {
        let work = format!("{how} until full; {name}{}", pages(report));
        match series.get(2) {
            Some(rte) => report.row("F5", &work, series_of, rte, Goal::Faster(1.0, 3.0)),
            None => report.skip("F5", &work, "DPDK is not installed"),
        }
    }
}

/// Each insert by itself. Every run inserts the same into the same places, so of several runs an insert's shortest time
/// is its own, and the rest is the machine's.
fn tail(report: &mut Report, name: &str, work: &Work, learned: bool) {
    const RUNS: usize = 5;
    let size = work.entries.len();
    let mut shortest = vec![f64::MAX; size];
    for _ in 0..RUNS {
        let ours = Ours::empty(size, Settings::default());
        let fdb = ours.fdb();
        for (&(key, remote), shortest) in work.entries.iter().zip(&mut shortest) {
            let remote = ours.remote(remote);
            let start = Instant::now();
            insert(&fdb, key, remote, learned);
            *shortest = shortest.min(start.elapsed().as_nanos() as f64);
        }
    }
    let how = if learned { "learn" } else { "add" };
    let (median, tail) = (quantile(&shortest, 0.5), quantile(&shortest, 0.999));
    let value = tail / median;
    report.push(
        "F5",
        &format!("{how} until full; {name}; p99.9{}", pages(report)),
        format!("{tail:.0} ns"),
        format!("own median {median:.0} ns"),
        Some(Ratio { value, low: value, high: value }),
        Goal::Time(20.0, 8.0),
    );
}
