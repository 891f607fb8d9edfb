//! Bytes of memory for what the tables promise to hold, from `Capacity` itself.

use encap::table::{Capacity, Line};

/// Bytes that one more of something takes, in a table that has many.
fn each(base: Capacity, more: impl Fn(&mut Capacity, u32), count: u32) -> f64 {
    let mut larger = base;
    more(&mut larger, count);
    let bytes = |capacity: Capacity| (capacity.lines() * size_of::<Line>()) as f64;
    (bytes(larger) - bytes(base)) / f64::from(count)
}

/// What, and how many more of it.
type More = (&'static str, fn(&mut Capacity, u32), u32);

/// Prints the table of README.
pub fn print() {
    let kinds: [More; 7] = [
        ("FDB entry", |capacity, n| capacity.entries += n, 1 << 20),
        ("VNI", |capacity, n| capacity.vnis += n, 32_768),
        ("remote", |capacity, n| capacity.remotes += n, 1 << 19),
        ("list or group", |capacity, n| capacity.lists += n, 1 << 16),
        ("member of one", |capacity, n| capacity.members += n, 1 << 16),
        ("neighbour", |capacity, n| capacity.neighbors += n, 1 << 18),
        ("route", |capacity, n| capacity.routes += n, 1 << 18),
    ];
    println!("bytes for each");
    for (name, more, count) in kinds {
        println!("{name:<16} {:>7.1}", each(Capacity::NONE, more, count));
    }
}
