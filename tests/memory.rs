//! What README says of memory is what [`Capacity`] asks for.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
#![cfg(target_has_atomic = "32")]

use encap::table::{Capacity, Line};

/// Bytes that one more of something takes, in a table that has many.
fn each(more: impl Fn(&mut Capacity, u32), count: u32) -> f64 {
    let bytes = |count: u32| {
        let mut capacity = Capacity::NONE;
        more(&mut capacity, count);
        (capacity.lines() * size_of::<Line>()) as f64
    };
    (bytes(2 * count) - bytes(count)) / f64::from(count)
}

/// The numbers in the last column of the row of README that starts with this.
fn promised(row: &str) -> Vec<f64> {
    let readme = include_str!("../README.md");
    let line = readme.lines().find(|line| line.starts_with(&format!("| {row} |"))).unwrap();
    let cell = line.trim_end_matches(" |").rsplit('|').next().unwrap();
    cell.split_whitespace().filter_map(|word| word.trim_matches(',').parse().ok()).collect()
}

fn assert_close(row: &str, promised: f64, real: f64) {
    assert!((promised - real).abs() <= 0.5, "{row}: README says {promised} bytes, and it is {real:.1}");
}

/// A row, what it counts, and how many of them.
type More = (&'static str, fn(&mut Capacity, u32), u32);

#[test]
fn the_table_in_readme_is_true() {
    let entry = each(|capacity, count| capacity.entries = count, 1 << 20);
    let hot_and_cold = promised("`Fdb`");
    assert_close("Fdb", hot_and_cold.iter().sum(), entry);
    assert!(hot_and_cold[0] <= 32.0 && hot_and_cold[1] <= 8.0, "32 bytes hot and 8 cold at most");

    let one: [More; 6] = [
        ("VNIs", |capacity, count| capacity.vnis = count, 1 << 14),
        ("`Remotes`", |capacity, count| capacity.remotes = count, 1 << 18),
        ("`Neighbors`", |capacity, count| capacity.neighbors = count, 1 << 17),
        ("`Routes`", |capacity, count| capacity.routes = count, 1 << 17),
        ("`Groups`", |capacity, count| capacity.groups = count, 1 << 17),
        ("`Vlans`", |capacity, count| capacity.vlans = count, 1 << 11),
    ];
    for (row, more, count) in one {
        assert_close(row, promised(row)[0], each(more, count));
    }
    let lists = promised("`Lists`");
    assert_close("Lists", lists[0], each(|capacity, count| capacity.lists = count, 1 << 16));
    assert_close("members", lists[1], each(|capacity, count| capacity.members = count, 1 << 16));
}
