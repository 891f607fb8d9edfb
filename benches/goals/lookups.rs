//! F1 to F4: who only reads.

use super::{
    cases::{
        fdb::{self, Contestant, Key, NOW, Ours, Work},
        measure::{Series, Timed, interleave},
        rivals::{self, Touch},
    },
    machine,
    report::{Goal, Report},
};
use encap::table::Learned;

const ROUNDS: usize = 30;

/// Lookups before the same ones come again.
const LOOKUPS: usize = 1 << 20;

/// The contestant at work on slices of keys.
pub fn single<'a>(contestant: &'a dyn Contestant, keys: &'a [Key]) -> Timed<'a> {
    let run = move |slice| {
        let keys = fdb::slice(keys, slice);
        contestant.single(keys);
        keys.len()
    };
    (contestant.name(), Box::new(run))
}

pub fn batch<'a>(contestant: &'a dyn Contestant, keys: &'a [Key]) -> Timed<'a> {
    let run = move |slice| {
        let keys = fdb::slice(keys, slice);
        contestant.batch(keys);
        keys.len()
    };
    (contestant.name() + " batch", Box::new(run))
}

/// F2 and F3.
pub fn hits(report: &mut Report) {
    let sizes = [
        ("1K", 1 << 10, (0.8, 1.3), (0.8, 1.0), None),
        ("64K", 1 << 16, (1.0, 1.6), (0.9, 1.2), None),
        ("1M", 1 << 20, (1.5, 2.5), (1.0, 1.5), Some((1.5, 1.15))),
        ("8M", 1 << 23, (1.8, 3.0), (1.2, 1.8), Some((1.5, 1.15))),
    ];
    if !report.wants(&["F2", "F3"]) {
        return;
    }
    for (name, size, in_batch, alone, touch) in sizes {
        let work = Work::new(size, LOOKUPS);
        let (ours, line) = (Ours::new(&work), Touch::new(&work));
        let (fold, fx, std) = (rivals::foldhash(&work), rivals::fxhash(&work), rivals::std_map(&work));
        fdb::check(&work, &[&ours, &fold, &fx, &std]);
        let keys = &work.hits;
        let mut everybody = [
            batch(&ours, keys),
            single(&ours, keys),
            single(&fold, keys),
            single(&line, keys),
            single(&fx, keys),
            single(&std, keys),
        ];
        let series = interleave(ROUNDS, &mut everybody);
        let [batched, single, fold, touched, fx, std] = series.as_slice() else { return };
        let pages = if machine::huge_pages() > 0 { ", huge pages" } else { "" };
        let work = |how| format!("hit, {name}, {how}{pages}");
        report.row("F2", &work("batch of 32"), batched, fold, Goal::Faster(in_batch.0, in_batch.1));
        report.row("F2", &work("single"), single, fold, Goal::Faster(alone.0, alone.1));
        for other in [fx, std] {
            report.row("F2i", &work("batch of 32"), batched, other, Goal::None);
            report.row("F2i", &work("single"), single, other, Goal::None);
        }
        let goal = touch.map_or(Goal::None, |(gate, stretch)| Goal::Time(gate, stretch));
        report.row("F3", &work("batch of 32"), batched, touched, goal);
    }
}

/// F4: what is not there, and what is learned again.
pub fn misses_and_learning(report: &mut Report) {
    if !report.wants(&["F4"]) {
        return;
    }
    for (name, size) in [("64K", 1 << 16), ("1M", 1 << 20)] {
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
            ("learn".into(), Box::new(learn)),
            batch(&ours, &work.hits),
            batch(&ours, &work.misses),
        ];
        let mut series = interleave(ROUNDS, &mut everybody);
        for (series, name) in series.iter_mut().zip(["hit", "miss", "learn", "hit batch", "miss batch"]) {
            series.name = name.into();
        }
        let [hit, miss, learn, hits, misses]: &[Series] = series.as_slice() else { return };
        report.row("F4", &format!("miss, {name}, full, single"), miss, hit, Goal::Time(1.3, 1.0));
        report.row("F4", &format!("miss, {name}, full, batch"), misses, hits, Goal::Time(1.3, 1.0));
        report.row("F4", &format!("learn what is known, {name}"), learn, hit, Goal::Time(1.2, 1.05));
    }
}
