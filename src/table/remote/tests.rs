//! What holds while somebody else is at work in the index.

extern crate std;

use core::sync::atomic::Ordering::Relaxed;
use std::vec::Vec;

use super::*;
use crate::{
    table::{Capacity, Error, Line, Tables},
    time::Instant,
};

fn tables() -> Tables<Vec<Line>> {
    let capacity = Capacity::fdb(256);
    Tables::new((0..capacity.lines()).map(|_| Line::new()).collect(), capacity, [1, 2]).unwrap()
}

fn at(host: u16) -> Remote {
    let [c, d] = host.to_be_bytes();
    Remote::new([10, 1, c, d].into(), 4789)
}

#[test]
fn remotes_that_nobody_configured_are_counted_once() {
    let tables = tables();
    let remotes = tables.remotes();
    let there = || remotes.iter().filter(|(id, _)| !remotes.is_configured(*id)).count();
    let counted = || remotes.meta.unconfigured().load(Relaxed) as usize;
    for host in 0..8 {
        remotes.find_or_learn(&at(host)).unwrap();
    }
    let mut refused = 0;
    for bucket in 0..remotes.map.len() {
        let held = remotes.map.lock_bucket(bucket).unwrap();
        for host in 1_000..1_040 {
            refused += u32::from(remotes.find_or_learn(&at(host)) == Err(Error::Busy));
            assert_eq!(there(), counted(), "bucket {bucket}, host {host}");
        }
        drop(held);
        (0..2).for_each(|_| assert!(tables.age(Instant::from_secs(1), usize::MAX, |_| {}).complete));
        assert_eq!((there(), counted()), (0, 0));
        assert_eq!(remotes.count(), 0);
    }
    assert!(refused > 0);
}
