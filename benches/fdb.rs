//! The forwarding database, beside hash maps that know neither VNIs nor ages nor remotes that go.
//!
//! For watching one number while working on it; `goals` compares in turns and judges.
#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench, not the packet path; its cases are for other packages too"
)]

mod cases;

use cases::{
    fdb::{self, Contestant, NOW, Ours, Work},
    rivals::{self, Touch},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use encap::table::{Learned, Settings};

const LEN: usize = 1 << 14;

fn lookups(c: &mut Criterion) {
    for (name, size) in [("1K", 1 << 10), ("64K", 1 << 16), ("1M", 1 << 20)] {
        let work = Work::new(size, LEN);
        let (ours, line) = (Ours::new(&work), Touch::new(&work));
        let (fold, fx) = (rivals::foldhash(&work), rivals::fxhash(&work));
        fdb::check(&work, &[&ours, &fold, &fx]);
        let mut group = c.benchmark_group(format!("{LEN} lookups of {name}"));
        group.throughput(Throughput::Elements(LEN as u64));
        group.bench_function("F1: hit, batch", |b| b.iter(|| ours.batch(&work.hits)));
        group.bench_function("F2: hit, single", |b| b.iter(|| ours.single(&work.hits)));
        group.bench_function("F4: miss, batch", |b| b.iter(|| ours.batch(&work.misses)));
        group.bench_function("F4: miss, single", |b| b.iter(|| ours.single(&work.misses)));
        group.bench_function("F4: learn what is known", |b| {
            let sources: Vec<_> = work.hits.iter().map(|&key| (key, ours.answer(key).unwrap())).collect();
            b.iter(|| {
                for &((vni, mac), remote) in &sources {
                    assert_eq!(ours.fdb().learn(NOW, vni, mac, ours.remote(remote)), Learned::Refreshed);
                }
            });
        });
        for other in [&fold as &dyn Contestant, &fx, &line] {
            group.bench_function(other.name(), |b| b.iter(|| other.single(&work.hits)));
        }
        group.finish();
    }
}

/// F5: a table from empty to full.
fn inserts(c: &mut Criterion) {
    let work = Work::new(1 << 16, 1);
    let mut group = c.benchmark_group("F5: 64K inserts");
    group.throughput(Throughput::Elements(1 << 16)).sample_size(10);
    group.bench_function("learn", |b| {
        b.iter_with_setup(
            || Ours::empty(1 << 16, Settings::default()),
            |ours| {
                for &((vni, mac), remote) in &work.entries {
                    let learned = ours.fdb().learn(NOW, vni, mac, ours.remote(remote));
                    assert_eq!(learned, Learned::New { evicted: None });
                }
                ours
            },
        );
    });
    group.bench_function("hashbrown+foldhash", |b| b.iter(|| rivals::foldhash(&work)));
    group.finish();
}

criterion_group!(benches, lookups, inserts);
criterion_main!(benches);
