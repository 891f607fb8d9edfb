//! F5: inserts until the promised capacity.

use std::{ops::Range, time::Instant};

use encap::{
    table::{Destination, Error, Learned, NewEntry, Settings},
    wire::{MacAddr, Vni},
};

use super::pages;
use crate::{
    cases::fdb::{NOW, Ours, Work},
    measure::{Ratio, Series, quantile},
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

/// Entries that come together, where they do.
const BURST: usize = 32;

/// How entries come in, and what that is called.
const WAYS: [(&str, bool, bool); 4] = [
    ("learn until full", true, false),
    ("learn until full, in bursts of 32", true, true),
    ("add until full", false, false),
    ("add until full, in bursts of 32", false, true),
];

/// A burst: gathered from where the entries are, as everybody's is, and given as a whole.
fn insert_burst(ours: &Ours, entries: &[(crate::cases::fdb::Key, u32)], learned: bool) {
    let fdb = ours.fdb();
    if learned {
        let mut sources = [(Vni::default(), MacAddr::ZERO, ours.remote(0)); BURST];
        for (source, &((vni, mac), remote)) in sources.iter_mut().zip(entries) {
            *source = (vni, mac, ours.remote(remote));
        }
        let mut answers = [Learned::Busy; BURST];
        fdb.learn_batch(NOW, &sources[..entries.len()], &mut answers);
        assert!(answers[..entries.len()].iter().all(|answer| matches!(answer, Learned::New { .. })));
    } else {
        let mut new = [(Vni::default(), MacAddr::ZERO, NewEntry::to(Destination::Blackhole)); BURST];
        for (new, &((vni, mac), remote)) in new.iter_mut().zip(entries) {
            *new = (vni, mac, NewEntry::to(ours.remote(remote)));
        }
        let mut answers = [Err(Error::Busy); BURST];
        fdb.add_batch(&new[..entries.len()], &mut answers);
        assert!(answers[..entries.len()].iter().all(Result::is_ok));
    }
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

/// Inserts the entries of a range, which follows the one before.
type Insert<'a> = Box<dyn FnMut(Range<usize>) + 'a>;

/// A contestant: makes a new table, not timed, that can be filled.
struct Filled<'a> {
    name: &'static str,
    empty: Box<dyn Fn() -> Insert<'a> + 'a>,
}

impl Filled<'_> {
    /// Nanoseconds per insert. Every build inserts the same into the same places, so of several builds the shortest
    /// time of each stretch is its own, and the rest is the machine's: a whole build is too long not to be interrupted.
    fn time(&self, size: usize) -> f64 {
        const BUILDS: usize = 3;
        const STRETCH: usize = 1024;
        let mut shortest = vec![f64::MAX; size / STRETCH];
        for _ in 0..BUILDS {
            let mut insert = (self.empty)();
            for (number, shortest) in shortest.iter_mut().enumerate() {
                let start = Instant::now();
                insert(number * STRETCH..(number + 1) * STRETCH);
                *shortest = shortest.min(start.elapsed().as_nanos() as f64);
            }
        }
        shortest.iter().sum::<f64>() / size as f64
    }
}

/// A table from empty to full, beside DPDK's.
fn beside_dpdk(report: &mut Report, name: &str, work: &Work) {
    let size = work.entries.len();
    let ours = |(_, learned, bursts)| Filled {
        name: "encap",
        empty: Box::new(move || {
            let ours = Ours::empty(size, Settings::default());
            Box::new(move |range| {
                if bursts {
                    work.entries[range].chunks(BURST).for_each(|burst| insert_burst(&ours, burst, learned));
                    return;
                }
                let fdb = ours.fdb();
                for &(key, remote) in &work.entries[range] {
                    insert(&fdb, key, ours.remote(remote), learned);
                }
            })
        }),
    };
    let everybody = [
        ours(WAYS[0]),
        ours(WAYS[1]),
        ours(WAYS[2]),
        ours(WAYS[3]),
        #[cfg(dpdk)]
        Filled {
            name: "rte_hash_add_key_data",
            empty: Box::new(move || {
                let mut table = super::maps::Rte::empty(size);
                Box::new(move |range| table.fill(&work.entries[range]))
            }),
        },
    ];
    let mut series: Vec<_> =
        everybody.iter().map(|filled| Series { name: filled.name.into(), samples: Vec::new() }).collect();
    let rounds = if size > 1 << 16 { 4 } else { 30 };
    for round in 0..rounds {
        let mut order: Vec<_> = everybody.iter().zip(&mut series).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        order.into_iter().for_each(|(filled, series)| series.samples.push(filled.time(size)));
    }
    for (series_of, (how, ..)) in series.iter().zip(WAYS) {
        let work = format!("{how}; {name}{}", pages(report));
        // One at a time: there is no other way into it.
        match series.get(WAYS.len()) {
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
