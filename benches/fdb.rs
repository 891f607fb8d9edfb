//! The forwarding database, beside hash maps that know neither VNIs nor ages nor remotes that go, and beside a touch of a
//! line of memory.
//!
//! For watching one number while working on it; `benches/peers` compares in turns and judges.
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
mod harness;

use cases::{
    fdb::{self, Contestant, NOW, Ours, Work},
    rivals::{self, Touch},
};
use criterion::{Criterion, criterion_group, criterion_main};
use encap::table::{Learned, Settings};
use harness::Group;

const LEN: usize = 1 << 14;

/// Bytes of a key: VNI and MAC address.
const KEY: usize = 9;

fn lookups(c: &mut Criterion) {
    for (name, size) in [("1K", 1 << 10), ("64K", 1 << 16), ("1M", 1 << 20)] {
        let work = Work::new(size, LEN);
        let (ours, line) = (Ours::new(&work), Touch::new(&work));
        let (fold, fx) = (rivals::foldhash(&work), rivals::fxhash(&work));
        fdb::check(&work, &[&ours, &fold, &fx]);
        let mut group = Group::new(c, &format!("fdb: {LEN} lookups of {name}"), LEN, LEN * KEY);
        group.bench("F1: hit, batch", || assert_eq!(ours.batch(&work.hits), Some(LEN)));
        group.bench("F2: hit, single", || assert_eq!(ours.single(&work.hits), LEN));
        group.bench("F4: miss, batch", || assert_eq!(ours.batch(&work.misses), Some(0)));
        group.bench("F4: miss, single", || assert_eq!(ours.single(&work.misses), 0));
        let sources: Vec<_> = work.hits.iter().map(|&key| (key, ours.answer(key).unwrap())).collect();
        group.bench("F4: learn what is known", || {
            for &((vni, mac), remote) in &sources {
                assert_eq!(ours.fdb().learn(NOW, vni, mac, ours.remote(remote)), Learned::Refreshed);
            }
        });
        for other in [&fold as &dyn Contestant, &fx] {
            group.bench(&other.name(), || assert_eq!(other.single(&work.hits), LEN));
        }
        group.bench(&format!("F3: {}", line.name()), || line.single(&work.hits));
    }
}

/// F5: a table from empty to full, its memory included.
fn inserts(c: &mut Criterion) {
    const SIZE: usize = 1 << 14;
    let work = Work::new(SIZE, 1);
    let mut group = Group::new(c, "fdb: 16K inserts", SIZE, SIZE * KEY);
    group.bench("F5: learn", || {
        let ours = Ours::empty(SIZE, Settings::default());
        for &((vni, mac), remote) in &work.entries {
            let learned = ours.fdb().learn(NOW, vni, mac, ours.remote(remote));
            assert_eq!(learned, Learned::New { evicted: None });
        }
        ours
    });
    group.bench("hashbrown+foldhash", || rivals::foldhash(&work));
}

criterion_group!(name = benches; config = harness::criterion(); targets = lookups, inserts);
criterion_main!(benches);
