//! Bytes of memory for what the tables promise to hold, from `Capacity` itself.

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

/// What, and how many more of it.
type More = (&'static str, fn(&mut Capacity, u32), u32);

/// Prints the table of README.
pub fn print() {
    let kinds: [More; 9] = [
        ("FDB entry", |capacity, n| capacity.entries = n, 1 << 20),
        ("VNI", |capacity, n| capacity.vnis = n, 1 << 14),
        ("remote", |capacity, n| capacity.remotes = n, 1 << 18),
        ("list or group", |capacity, n| capacity.lists = n, 1 << 16),
        ("member of one", |capacity, n| capacity.members = n, 1 << 16),
        ("neighbour", |capacity, n| capacity.neighbors = n, 1 << 17),
        ("route", |capacity, n| capacity.routes = n, 1 << 17),
        ("multicast group", |capacity, n| capacity.groups = n, 1 << 17),
        ("VLAN", |capacity, n| capacity.vlans = n, 1 << 11),
    ];
    println!("bytes for each");
    for (name, more, count) in kinds {
        println!("{name:<16} {:>7.1}", each(more, count));
    }
}
