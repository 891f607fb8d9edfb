//! F2c and F6: who reads while the other core writes.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use encap::table::Learned;

use super::{
    maps::{DashMap, Locked, Papaya, Scc, Shared},
    pages,
};
use crate::{
    cases::{
        Random,
        fdb::{self, Contestant as Lookups, Key, NOW, Ours, Work, packed},
    },
    goals::encap::named,
    machine,
    measure::{Contestant, Series, fastest, interleave},
    report::{Goal, Report},
};

const SIZE: usize = 1 << 16;
const LEN: usize = 1 << 18;

pub fn run(report: &mut Report) {
    if !report.wants(&["F2c", "F6"]) {
        return;
    }
    if machine::processors() < 2 {
        report.skip("F2c", "64K; the other core learns", "one processor only");
        report.skip("F6", "64K; the other core moves hosts", "one processor only");
        return;
    }
    let work = Work::new(SIZE, LEN);
    if report.wants(&["F2c"]) {
        rivals(report, &work);
    }
    if report.wants(&["F6"]) {
        moves(report, &work);
    }
}

/// Ours as one of the shared maps.
struct Fdb<'a> {
    ours: Ours,
    work: &'a Work,
}

impl Shared for Fdb<'_> {
    fn name(&self) -> &'static str {
        "encap"
    }

    fn learn(&self, key: u64, value: u32) {
        // The number of an entry, for who wants the key as it was.
        let ((vni, mac), _) = self.work.entries[key as usize];
        let _ = self.ours.fdb().learn(NOW, vni, mac, self.ours.remote(value));
    }

    fn lookups(&self, keys: &[Key]) -> usize {
        self.ours.batch(keys).unwrap_or(0)
    }

    fn answer(&self, key: u64) -> Option<u32> {
        self.ours.answer(self.work.entries[key as usize].0)
    }
}

/// F2c: a core that looks up while another one learns in the same table as fast as it can.
fn rivals(report: &mut Report, work: &Work) {
    let ours = Fdb { ours: Ours::new(work), work };
    let (papaya, scc, dash, locked) =
        (Papaya::new(work), Scc::new(work), DashMap::new(work), Locked::new(work));
    let maps: [&dyn Shared; 5] = [&ours, &papaya, &scc, &dash, &locked];
    for (number, &(key, value)) in work.entries.iter().enumerate() {
        assert_eq!(ours.answer(number as u64), Some(value));
        for map in &maps[1..] {
            assert_eq!(map.answer(packed(key)), Some(value), "{}", map.name());
        }
    }
    let (current, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let learned: [AtomicUsize; 5] = Default::default();
    let series = thread::scope(|scope| {
        let _stop = machine::Stop(&stop);
        scope.spawn(|| {
            machine::pin(1);
            let mut random = Random(6);
            while !stop.load(Relaxed) {
                let at = current.load(Relaxed);
                for _ in 0..64 {
                    let number = random.below(SIZE);
                    let key = if at == 0 { number as u64 } else { packed(work.entries[number].0) };
                    maps[at].learn(key, random.below(fdb::REMOTES as usize) as u32);
                }
                learned[at].fetch_add(64, Relaxed);
            }
        });
        let mut everybody: Vec<_> = maps
            .iter()
            .enumerate()
            .map(|(at, &map)| {
                let current = &current;
                Contestant::new(map.name(), move |slice| {
                    current.store(at, Relaxed);
                    let keys = fdb::slice(&work.hits, slice);
                    assert_eq!(
                        map.lookups(keys),
                        keys.len(),
                        "an entry that moves is found by {}",
                        map.name()
                    );
                    keys.len()
                })
            })
            .collect();
        interleave(report.effort, &mut everybody)
    });
    let (ours, others) = (&series[0], &series[1..]);
    let pages = pages(report);
    let work = format!("hit; 64K; the other core learns{pages}");
    report.row("F2c", &work, ours, fastest(others), Goal::Faster(1.5, 3.0));
    for other in others {
        report.row("F2c", &format!("{work}; each"), ours, other, Goal::Info);
    }
    for (series, learned) in series.iter().zip(&learned) {
        let samples = (series.samples.len() * report.effort.turn * fdb::SLICE) as f64;
        let each = samples * series.median() / learned.load(Relaxed).max(1) as f64;
        println!("F2c: {} learns in about {each:.0} ns meanwhile", series.name);
    }
}

/// F6: a reader while the other core moves hosts from remote to remote, in its table or in another one.
fn moves(report: &mut Report, work: &Work) {
    let (table, other) = (Ours::new(work), Ours::new(work));
    let (own, stop, moved) = (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0));
    let series = thread::scope(|scope| {
        let _stop = machine::Stop(&stop);
        scope.spawn(|| {
            machine::pin(1);
            let mut random = Random(6);
            while !stop.load(Relaxed) {
                let at = if own.load(Relaxed) { &table } else { &other };
                let fdb = at.fdb();
                for _ in 0..64 {
                    let ((vni, mac), _) = work.entries[random.below(SIZE)];
                    let to = at.remote(random.below(fdb::REMOTES as usize) as u32);
                    let is_move = matches!(fdb.learn(NOW, vni, mac, to), Learned::Moved { .. });
                    moved.fetch_add(is_move.into(), Relaxed);
                }
            }
        });
        let reader = |in_own: bool, batch: bool| {
            let (table, own, keys) = (&table, &own, &work.hits);
            move |slice: usize| {
                own.store(in_own, Relaxed);
                let keys = fdb::slice(keys, slice);
                let known = if batch { table.batch(keys) } else { Some(table.single(keys)) };
                assert_eq!(known, Some(keys.len()), "an entry that moves is found");
                keys.len()
            }
        };
        let mut everybody = [
            Contestant::new("encap", reader(true, true)),
            Contestant::new("unrelated moves", reader(false, true)),
            Contestant::new("encap", reader(true, false)),
            Contestant::new("unrelated moves", reader(false, false)),
        ];
        interleave(report.effort, &mut everybody)
    });
    let [batch, batch_alone, single, single_alone]: &[Series] = series.as_slice() else {
        unreachable!("one series each")
    };
    let pages = pages(report);
    let goal = Goal::Time(1.1, 1.02);
    report.row("F6", &format!("64K; hosts move; batch of 32{pages}"), batch, batch_alone, goal);
    let alone = named(single_alone, "unrelated moves");
    report.row("F6", &format!("64K; hosts move; single{pages}"), single, &alone, goal);
    assert!(moved.load(Relaxed) > 0, "hosts moved");
}
