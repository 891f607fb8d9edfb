//! What this crate is after and what it reaches, as ratios to baselines of the same run: F1 to F7.
//!
//! `cargo bench --bench goals -- [part of an id ...]`, on an idle machine with two cores or more. The verdict is
//! that of the bad end of the interval. Both page kinds: again with `GLIBC_TUNABLES=glibc.malloc.hugetlb=1`; for
//! the machine's own vectors: again with `RUSTFLAGS=-Ctarget-cpu=native`.
#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench, not the packet path; its cases are for other packages too"
)]

#[path = "../cases/mod.rs"]
mod cases;
mod lookups;
mod machine;
mod report;
mod writers;

use report::Report;

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    // Without `--bench` it is not cargo bench that calls: nothing to measure.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let parts: Vec<_> = std::iter::from_fn(|| arguments.next()).filter(|a| !a.starts_with("--")).collect();
    machine::pin(0);
    let mut report = Report::new(parts);
    machine::describe();
    lookups::hits(&mut report);
    lookups::misses_and_learning(&mut report);
    writers::inserts(&mut report);
    writers::moves(&mut report);
    writers::flood(&mut report);
    println!("{report}");
}
