//! F1 to F4: who only reads.

use encap::table::Learned;

use super::{LOOKUPS, batch, pages, single};
use crate::{
    cases::{
        fdb::{self, BATCH, Contestant as Lookups, NOW, Ours, Work},
        rivals::{self, Touch},
    },
    goals::encap::named,
    measure::{Contestant, Effort, Series, interleave},
    report::{Goal, Report},
};

/// A size, and its goals: batch and single beside hashbrown, beside a touch.
struct Size {
    name: &'static str,
    entries: usize,
    batch: Goal,
    single: Goal,
    touch: Goal,
}

const SIZES: [Size; 4] = [
    Size {
        name: "1K",
        entries: 1 << 10,
        batch: Goal::Faster(0.8, 1.3),
        single: Goal::Faster(0.8, 1.0),
        touch: Goal::Info,
    },
    Size {
        name: "64K",
        entries: 1 << 16,
        batch: Goal::Faster(1.0, 1.6),
        single: Goal::Faster(0.9, 1.2),
        touch: Goal::Info,
    },
    Size {
        name: "1M",
        entries: 1 << 20,
        batch: Goal::Faster(1.5, 2.5),
        single: Goal::Faster(1.0, 1.5),
        touch: Goal::Time(1.5, 1.15),
    },
    Size {
        name: "8M",
        entries: 1 << 23,
        batch: Goal::Faster(1.8, 3.0),
        single: Goal::Faster(1.2, 1.8),
        touch: Goal::Time(1.5, 1.15),
    },
];

pub fn run(report: &mut Report) {
    if report.wants(&["F1", "F2", "F3"]) {
        for size in &SIZES {
            if report.quick && size.entries > 1 << 20 {
                for id in ["F1", "F2", "F3"] {
                    report.skip(id, &format!("hit; {}", size.name), "--quick");
                }
            } else {
                hits(report, size);
            }
        }
    }
    if report.wants(&["F4"]) {
        for (name, size) in [("64K", 1 << 16), ("1M", 1 << 20)] {
            misses_and_learning(report, name, size);
        }
    }
}

fn hits(report: &mut Report, size: &Size) {
    let work = Work::new(size.entries, LOOKUPS);
    let [forth, back] = [false, true].map(|back| everybody(&work, report.effort.half(), back));
    let series: Vec<_> = forth.into_iter().zip(back).map(|(forth, back)| forth.and(back)).collect();
    let [batched, alone, touched, fold, fx, std, others @ ..] = series.as_slice() else {
        unreachable!("one series each")
    };
    let named = |name: &str| others.iter().find(|series| series.name == name);
    let asked = named("touch of a line batch");
    let work = |how| format!("hit; {}; {how}{}", size.name, pages(report));
    let (in_batch, in_single) = (work("batch of 32"), work("single"));
    match (named("rte_hash"), named("rte_hash batch")) {
        (Some(one), Some(rte)) => {
            report.row("F1", &in_batch, batched, rte, Goal::Faster(1.2, 2.5));
            report.row("F1", &in_single, alone, one, Goal::Info);
        }
        _ => report.skip("F1", &in_batch, "DPDK is not installed"),
    }
    report.row("F2", &in_batch, batched, fold, size.batch);
    report.row("F2", &in_single, alone, fold, size.single);
    for other in [fx, std] {
        report.row("F2", &in_batch, batched, other, Goal::Info);
        report.row("F2", &in_single, alone, other, Goal::Info);
    }
    report.row("F3", &in_batch, batched, touched, size.touch);
    if let Some(asked) = asked {
        report.row("F3", &format!("{in_batch} beside lines asked for"), batched, asked, Goal::Info);
    }
}

/// Loads of lines; where that is possible, of lines that were asked for.
fn touch(work: &Work) -> Touch {
    let touch = Touch::new(work);
    #[cfg(target_arch = "x86_64")]
    let touch = touch.asking(safe_arch::prefetch_t0);
    touch
}

type Maker = fn(&Work) -> Box<dyn Lookups>;

/// Who takes part, and how their tables are made.
const MAKERS: &[Maker] = &[
    |work| Box::new(Ours::new(work)),
    |work| Box::new(touch(work)),
    |work| Box::new(rivals::foldhash(work)),
    |work| Box::new(rivals::fxhash(work)),
    |work| Box::new(rivals::std_map(work)),
    #[cfg(dpdk)]
    |work| Box::new(super::maps::Rte::new(work)),
];

/// Everybody's hits: ours in batches and single, a touch, the others. `back` is the order in which tables are made,
/// which both have to be measured: of two large ones that are the same the one made first is slower.
fn everybody(work: &Work, effort: Effort, back: bool) -> Vec<Series> {
    let mut made: Vec<_> = MAKERS.iter().map(|_| None).collect();
    let mut order: Vec<_> = (0..MAKERS.len()).collect();
    if back {
        order.reverse();
    }
    order.into_iter().for_each(|at| made[at] = Some(MAKERS[at](work)));
    let made: Vec<_> = made.into_iter().flatten().collect();
    let [ours, touch, rivals @ ..] = made.as_slice() else { unreachable!("one of each") };
    fdb::check(work, &[ours.as_ref()]);
    rivals.iter().for_each(|rival| fdb::check(work, &[rival.as_ref()]));
    let keys = &work.hits;
    let mut contestants =
        vec![batch(ours.as_ref(), keys), single(ours.as_ref(), keys), single(touch.as_ref(), keys)];
    contestants.extend(rivals.iter().map(|rival| single(rival.as_ref(), keys)));
    let others = made[1..].iter().filter(|other| other.batch(&keys[..BATCH]).is_some());
    contestants.extend(others.map(|other| batch(other.as_ref(), keys)));
    interleave(effort, &mut contestants)
}

fn misses_and_learning(report: &mut Report, name: &str, size: usize) {
    let work = Work::new(size, LOOKUPS);
    let ours = Ours::new(&work);
    fdb::check(&work, &[&ours]);
    let sources: Vec<_> = work.hits.iter().map(|&key| (key, ours.answer(key).unwrap())).collect();
    let learn = |slice: usize| {
        let fdb = ours.fdb();
        for &((vni, mac), remote) in fdb::slice(&sources, slice) {
            let learned = fdb.learn(NOW, vni, mac, ours.remote(remote));
            assert!(matches!(learned, Learned::Refreshed));
        }
        fdb::SLICE
    };
    let mut everybody = [
        single(&ours, &work.hits),
        single(&ours, &work.misses),
        Contestant::new("learn", learn),
        batch(&ours, &work.hits),
        batch(&ours, &work.misses),
    ];
    let series = interleave(report.effort, &mut everybody);
    let [hit, miss, learn, hits, misses]: &[Series] = series.as_slice() else {
        unreachable!("one series each")
    };
    let (hit, hits) = (named(hit, "own hit"), named(hits, "own hit"));
    let pages = pages(report);
    report.row("F4", &format!("miss; {name}; full; single{pages}"), miss, &hit, Goal::Time(1.3, 1.0));
    report.row("F4", &format!("miss; {name}; full; batch{pages}"), misses, &hits, Goal::Time(1.3, 1.0));
    report.row("F4", &format!("learn what is known; {name}{pages}"), learn, &hit, Goal::Time(1.2, 1.05));
}
