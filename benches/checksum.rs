//! The Internet checksum, beside a plain copy of as many bytes and beside etherparse's.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench, not the packet path"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use encap::wire::checksum;

fn checksum(c: &mut Criterion) {
    let bytes: Vec<u8> = (0..9000u32).map(|n| ((n * n) >> 3) as u8).collect();
    let mut copy = vec![0; bytes.len()];
    let mut group = c.benchmark_group("checksum");
    for len in [20, 64, 1500, 9000] {
        let bytes = black_box(&bytes[..len]);
        let expected = !etherparse::checksum::Sum16BitWords::new().add_slice(bytes).ones_complement();
        assert_eq!(checksum::of(bytes), !expected.to_be());
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_with_input(BenchmarkId::new("C1: ours", len), bytes, |b, bytes| {
            b.iter(|| checksum::of(black_box(bytes)));
        });
        group.bench_with_input(BenchmarkId::new("etherparse", len), bytes, |b, bytes| {
            b.iter(|| {
                etherparse::checksum::Sum16BitWords::new().add_slice(black_box(bytes)).ones_complement()
            });
        });
        group.bench_with_input(BenchmarkId::new("C2: memcpy", len), bytes, |b, bytes| {
            b.iter(|| black_box(&mut copy)[..len].copy_from_slice(black_box(bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, checksum);
criterion_main!(benches);
