//! F5 to F7: who writes, and who reads meanwhile.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::Instant,
};

use encap::{
    table::{LearnFrom, Learned, Line, NewEntry, Remote, RemoteId, Settings, Tables},
    wire::MacAddr,
};

use super::{
    cases::{
        Random,
        fdb::{self, Contestant, Key, NOW, Ours, Work, key, vni},
        measure::{Series, Timed, interleave, quantile},
    },
    lookups::{batch, single},
    machine,
    report::{Goal, Report},
};

/// F5: each insert until the promised capacity. Every run inserts the same into the same places, so of several
/// runs an insert's shortest time is its own, and the rest is the machine's.
pub fn inserts(report: &mut Report) {
    const RUNS: usize = 7;
    if !report.wants(&["F5"]) {
        return;
    }
    for (name, size) in [("64K", 1 << 16), ("1M", 1 << 20)] {
        let work = Work::new(size, 1);
        for learned in [false, true] {
            let mut shortest = vec![f64::MAX; size];
            for _ in 0..RUNS {
                let ours = Ours::empty(size, Settings::default());
                let fdb = ours.fdb();
                for (&((vni, mac), remote), shortest) in work.entries.iter().zip(&mut shortest) {
                    let remote = ours.remote(remote);
                    let start = Instant::now();
                    if learned {
                        let Learned::New { .. } = fdb.learn(NOW, vni, mac, remote) else { panic!("{mac}") };
                    } else {
                        fdb.add(vni, mac, NewEntry::to(remote)).unwrap();
                    }
                    *shortest = shortest.min(start.elapsed().as_nanos() as f64);
                }
                assert_eq!(fdb.count(), size);
            }
            let how = if learned { "learn" } else { "add" };
            let (median, tail) = (quantile(&shortest, 0.5), quantile(&shortest, 0.999));
            report.own("F5", &format!("{how} until full, {name}"), median, tail, 20.0, 8.0);
        }
    }
}

/// F6: a reader while the other core moves hosts from remote to remote, in its table or in another one.
pub fn moves(report: &mut Report) {
    const SIZE: usize = 1 << 16;
    const LEN: usize = 1 << 18;
    const ROUNDS: usize = 30;
    if !report.wants(&["F6"]) {
        return;
    }
    let work = Work::new(SIZE, LEN);
    let (table, other) = (Ours::new(&work), Ours::new(&work));
    let (own, stop, moved) = (AtomicBool::new(false), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            machine::pin(1);
            let mut random = Random(6);
            while !stop.load(Relaxed) {
                let at = if own.load(Relaxed) { &table } else { &other };
                let fdb = at.fdb();
                for _ in 0..64 {
                    let ((vni, mac), _) = work.entries[random.below(SIZE)];
                    let to = at.remote(random.below(1024) as u32);
                    moved.fetch_add(
                        matches!(fdb.learn(NOW, vni, mac, to), Learned::Moved { .. }).into(),
                        Relaxed,
                    );
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
        let mut everybody: [Timed<'_>; 4] = [
            ("moves, batch".to_owned(), Box::new(reader(true, true))),
            ("unrelated moves".to_owned(), Box::new(reader(false, true))),
            ("moves, single".to_owned(), Box::new(reader(true, false))),
            ("unrelated moves".to_owned(), Box::new(reader(false, false))),
        ];
        let series = interleave(ROUNDS, &mut everybody);
        stop.store(true, Relaxed);
        let [batch, batch_alone, single, single_alone]: &[Series] = series.as_slice() else { return };
        report.row("F6", "64K, hosts move, batch of 32", batch, batch_alone, Goal::Time(1.1, 1.02));
        report.row("F6", "64K, hosts move, single", single, single_alone, Goal::Time(1.1, 1.02));
        let time: f64 = series.iter().flat_map(|s| &s.samples).sum::<f64>() * fdb::SLICE as f64 * 32.0;
        println!("F6: {:.0} ns per move", time / moved.load(Relaxed) as f64);
    });
}

/// F7: who was there, and how fast they are found, after floods from one remote and from sources that do not exist.
pub fn flood(report: &mut Report) {
    const SIZE: usize = 1 << 16;
    const FORGED: u32 = 1_000_000;
    const LEN: usize = 1 << 16;
    const ROUNDS: usize = 30;
    if !report.wants(&["F7"]) {
        return;
    }
    // Quiet remotes have half of the room.
    let mut work = Work::new(SIZE, LEN);
    work.entries.truncate(SIZE / 2);
    let mut random = Random(7);
    let hits: Vec<Key> = (0..LEN).map(|_| work.entries[random.below(SIZE / 2)].0).collect();
    let full = || {
        let mut settings = Settings::default();
        settings.learn_from = LearnFrom::Any;
        let ours = Ours::empty(SIZE, settings);
        for &((vni, mac), remote) in &work.entries {
            let Learned::New { .. } = ours.fdb().learn(NOW, vni, mac, ours.remote(remote)) else {
                panic!("{mac}")
            };
        }
        // The rest is somebody's who is not quiet.
        for number in 0..SIZE / 2 {
            let (vni, mac) = key((SIZE + number) as u64);
            let _ = ours.fdb().learn(NOW, vni, mac, loud(&ours.tables));
        }
        ours
    };
    let (calm, flooded) = (full(), full());
    let start = Instant::now();
    for number in 0..FORGED {
        let [_, a, b, c] = number.to_be_bytes();
        let mac = MacAddr([6, 1, a, b, c, 0]);
        let remote = Remote::new([172, 16 | a & 15, b, c].into(), 4789);
        if let Ok(id) = flooded.tables.remotes().find_or_learn(&remote) {
            let _ = flooded.fdb().learn(NOW, vni(number % 64), mac, id);
        }
        let mac = MacAddr([6, 2, a, b, c, 0]);
        let _ = flooded.fdb().learn(NOW, vni(number % 64), mac, loud(&flooded.tables));
    }
    println!("F7: {:.0} ns per forged packet", start.elapsed().as_nanos() as f64 / f64::from(2 * FORGED));
    let lost = work.entries.iter().filter(|(key, remote)| flooded.answer(*key) != Some(*remote)).count();
    report.count("F7", "quiet entries after 2 x 10^6 forged", lost);
    let mut everybody: [Timed<'_>; 4] =
        [batch(&flooded, &hits), batch(&calm, &hits), single(&flooded, &hits), single(&calm, &hits)];
    let mut series = interleave(ROUNDS, &mut everybody);
    series.iter_mut().for_each(|series| series.name = "before the flood".into());
    let [batch, batch_calm, single, single_calm]: &[Series] = series.as_slice() else { return };
    report.row("F7", "quiet remotes, batch of 32", batch, batch_calm, Goal::Time(f64::INFINITY, 1.03));
    report.row("F7", "quiet remotes, single", single, single_calm, Goal::Time(f64::INFINITY, 1.03));
}

/// The remote that floods.
fn loud(tables: &Tables<Box<[Line]>>) -> RemoteId {
    tables.remotes().find_or_add(&Remote::new([192, 0, 2, 66].into(), 4789)).unwrap()
}
