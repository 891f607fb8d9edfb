//! Lookups, by what is in the tables and who looks up.

use std::{
    hint::black_box,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use encap::{
    table::{Capacity, Learned, Remote, Settings, Tables},
    wire::{MacAddr, Vni},
};

use crate::{
    cases::{
        Random,
        fdb::{self, BATCH, Contestant as _, NOW, Ours, Work, key},
        rivals::{self, Touch},
    },
    goals::fdb::{batch, single},
    machine,
    measure::{Contestant, Effort, interleave},
    traffic::address,
};

use super::Growing;

pub(super) fn entries(effort: Effort, quick: bool) -> Growing {
    let mut growing = Growing::new(
        "growth-entries",
        "Forwarding database: hits, by its size",
        "entries, table full",
        "ns per lookup",
        effort,
    );
    let most = if quick { 20 } else { 23 };
    let sizes: Vec<usize> = [10, 12, 14, 16, 18, 20, 22, 23]
        .into_iter()
        .filter(|&bits| bits <= most)
        .map(|bits| 1 << bits)
        .collect();
    let works: Vec<Work> = sizes.iter().map(|&size| Work::new(size, 1 << 20)).collect();
    let filled: Vec<_> = works
        .iter()
        .map(|work| {
            let (ours, fold, line) = (Ours::new(work), rivals::foldhash(work), Touch::new(work));
            assert!(work.hits.iter().take(1 << 12).all(|&key| ours.answer(key) == fold.answer(key)));
            (&work.hits, ours, fold, line)
        })
        .collect();
    let mut everybody = Vec::new();
    for (keys, ours, fold, line) in &filled {
        everybody.extend([batch(ours, keys), single(ours, keys), single(fold, keys), single(line, keys)]);
    }
    growing.measure_all(4, &sizes, &mut everybody);
    growing
}

/// 64K hosts in ever more segments.
pub(super) fn vnis(effort: Effort, _: bool) -> Growing {
    const HOSTS: usize = 1 << 16;
    let mut growing = Growing::new(
        "growth-vnis",
        "Forwarding database of 64K entries: hits, by the number of VNIs",
        "VNIs",
        "ns per lookup",
        effort,
    );
    const COUNTS: [u32; 9] = [1, 4, 16, 64, 256, 1 << 10, 1 << 12, 1 << 14, 0xffff];
    let filled: Vec<_> = COUNTS
        .iter()
        .map(|&vnis| {
            let capacity = Capacity { vnis, ..Capacity::fdb(HOSTS as u32) };
            let tables = Tables::with_capacity(capacity, Settings::default(), [3, 4]).unwrap();
            let fdb = tables.fdb();
            let remote = tables.remotes().add(&Remote::new(address(1).into(), 4789)).unwrap();
            let host = |number: usize| (Vni::truncate(1 + number as u32 % vnis), key(number as u64).1);
            (0..vnis).for_each(|vni| fdb.add_vni(Vni::truncate(1 + vni)).unwrap());
            for number in 0..HOSTS {
                let (vni, mac) = host(number);
                assert_eq!(fdb.learn(NOW, vni, mac, remote), Learned::New { evicted: None });
            }
            let mut random = Random(4);
            let keys: Vec<(Vni, MacAddr)> = (0..1 << 16).map(|_| host(random.below(HOSTS))).collect();
            (tables, keys)
        })
        .collect();
    let mut everybody = Vec::new();
    for (tables, keys) in &filled {
        let fdb = tables.fdb();
        everybody.push(Contestant::new("batch of 32", move |slice| {
            let mut answers = [Default::default(); BATCH];
            for keys in fdb::slice(keys, slice).chunks(BATCH) {
                fdb.lookup_batch(NOW, keys, &mut answers);
                assert!(black_box(&answers).iter().all(|answer| answer.destination().is_some()));
            }
            fdb::SLICE
        }));
        everybody.push(Contestant::new("single", move |slice| {
            let known = |&&(vni, mac): &&(Vni, MacAddr)| fdb.lookup(NOW, vni, mac).destination().is_some();
            assert_eq!(fdb::slice(keys, slice).iter().filter(known).count(), fdb::SLICE);
            fdb::SLICE
        }));
    }
    growing.measure_all(4, &COUNTS.map(|vnis| vnis as usize), &mut everybody);
    growing
}

/// One and two cores on one table of 64K entries, both reading, and one of them learning.
pub(super) fn cores(effort: Effort, _: bool) -> Growing {
    const SIZE: usize = 1 << 16;
    let mut growing = Growing::new(
        "growth-cores",
        "Forwarding database of 64K entries: cores that look up at once",
        "cores",
        "ns per lookup on each",
        effort,
    );
    let work = Work::new(SIZE, 1 << 18);
    let ours = Ours::new(&work);
    growing.measure(1, &mut [batch(&ours, &work.hits), single(&ours, &work.hits)]);
    if machine::processors() < 2 {
        return growing;
    }
    for learning in [false, true] {
        let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            let _stop = machine::Stop(&stop);
            scope.spawn(|| {
                machine::pin(1);
                let mut random = Random(5);
                while !stop.load(Relaxed) {
                    let turn = done.fetch_add(1, Relaxed);
                    if learning {
                        for &((vni, mac), _) in work.entries.iter().skip(random.below(SIZE - 64)).take(64) {
                            let to = ours.remote(random.below(fdb::REMOTES as usize) as u32);
                            let _ = ours.fdb().learn(NOW, vni, mac, to);
                        }
                    } else {
                        let keys = fdb::slice(&work.hits, turn);
                        assert_eq!(ours.batch(keys), Some(keys.len()));
                    }
                }
            });
            let how = if learning { "; the other moves hosts" } else { "" };
            let mut everybody = [batch(&ours, &work.hits), single(&ours, &work.hits)];
            let series = interleave(growing.effort, &mut everybody);
            let values: Vec<_> =
                series.iter().map(|series| (format!("{}{how}", series.name), series.median())).collect();
            growing.add(2, &values);
        });
        assert!(done.load(Relaxed) > 0, "the other core was at work");
    }
    growing
}
