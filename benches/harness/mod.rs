//! The one way in which all benches measure: a group has work of so many packets and bytes, and each contestant does
//! it; criterion tells packets per second and bytes per second.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};

/// Criterion with times that suit work of microseconds.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .sample_size(40)
        .configure_from_args()
}

/// Contestants that do the same work.
pub struct Group<'c> {
    group: BenchmarkGroup<'c, WallTime>,
    packets: u64,
    bytes: u64,
}

impl<'c> Group<'c> {
    /// Work of `packets`, which have `bytes` in all.
    pub fn new(c: &'c mut Criterion, name: &str, packets: usize, bytes: usize) -> Self {
        Self { group: c.benchmark_group(name), packets: packets as u64, bytes: bytes as u64 }
    }

    /// Measures one contestant.
    pub fn bench<T>(&mut self, name: &str, mut work: impl FnMut() -> T) -> &mut Self {
        // Once in any case: the answers are looked at, also where the command line names other contestants.
        black_box(work());
        self.group.throughput(Throughput::Elements(self.packets));
        self.group.bench_function(format!("{name}, packets"), |b| b.iter(|| black_box(work())));
        self.group.throughput(Throughput::BytesDecimal(self.bytes));
        self.group.bench_function(format!("{name}, bytes"), |b| b.iter(|| black_box(work())));
        self
    }
}
