//! What holds while somebody else is at work.

extern crate std;

use std::vec::Vec;

use super::*;
use crate::{
    table::{Capacity, Remote},
    wire::{MacAddr, Vni},
};

fn tables() -> Tables<Vec<Line>> {
    let capacity = Capacity::fdb(256);
    Tables::new((0..capacity.lines()).map(|_| Line::new()).collect(), capacity, [1, 2]).unwrap()
}

fn sweep(tables: &Tables<Vec<Line>>) {
    assert!(tables.age(Instant::from_secs(1), usize::MAX, |_| {}).complete);
}

/// Nobody knows whom the entries of a locked bucket name.
#[test]
fn a_remote_stays_where_a_bucket_could_not_be_looked_at() {
    let (vni, mac) = (Vni::truncate(42), MacAddr([2, 0, 0, 0, 0, 1]));
    let tables = tables();
    let fdb = tables.fdb();
    let stranger = tables.remotes().find_or_learn(&Remote::new([192, 0, 2, 1].into(), 4789)).unwrap();
    fdb.add(vni, mac, stranger).unwrap();
    for bucket in 0..fdb.map.len() {
        sweep(&tables);
        let held = fdb.map.lock_bucket(bucket).unwrap();
        sweep(&tables);
        drop(held);
        assert!(tables.remotes().get(stranger).is_some(), "bucket {bucket}");
    }
    // A sweep that looked at everything takes what nobody names any more.
    let _ = fdb.delete(Instant::from_secs(1), vni, mac).unwrap();
    (0..2).for_each(|_| sweep(&tables));
    assert_eq!(tables.remotes().get(stranger), None);
}
