//! What holds while somebody else is at work in the index.

extern crate std;

use core::sync::atomic::Ordering::Relaxed;
use std::vec::Vec;

use super::*;
use crate::{
    table::{Capacity, Error, Line, RemoteId, Tables, bucket::Slot},
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

fn sweep(tables: &Tables<Vec<Line>>) {
    assert!(tables.age(Instant::from_secs(1), usize::MAX, |_| {}).complete);
}

/// How many keys the index has.
fn keys(remotes: &Remotes<'_>) -> usize {
    (0..remotes.map.len()).map(|bucket| remotes.map.bucket(bucket).unwrap().iter().flatten().count()).sum()
}

/// Locks the bucket that says who stands for the address of a remote which does, while `f` is at work.
fn while_place_is_held<R>(remotes: &Remotes<'_>, id: RemoteId, f: impl FnOnce() -> R) -> R {
    let says = |slot: &Slot| slot.content.value == id.0.0 && slot.content.stamp > 0;
    let is_there = |&bucket: &usize| remotes.map.bucket(bucket).unwrap().iter().flatten().any(says);
    let bucket = (0..remotes.map.len()).find(is_there).unwrap();
    let _held = remotes.map.lock_bucket(bucket).unwrap();
    f()
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
        (0..2).for_each(|_| sweep(&tables));
        assert_eq!((there(), counted()), (0, 0));
        assert_eq!(remotes.count(), 0);
    }
    assert!(refused > 0);
}

/// Whoever goes while somebody else is at work at his address leaves that to the sweep.
#[test]
fn a_sweep_finds_whoever_else_is_at_an_address_or_that_nobody_is() {
    let tables = tables();
    let remotes = tables.remotes();
    let mut left = 0;
    for host in 0..400 {
        let (usual, other) = (at(host), Remote { port: 9, ..at(host) });
        let [first, second] = [usual, other].map(|remote| remotes.add(&remote).unwrap());
        for (goes, heir) in [(first, Some(second)), (second, None)] {
            let gone = while_place_is_held(&remotes, goes, || remotes.remove(goes));
            // Nothing was done where its own key lies in the same bucket.
            if gone.is_err() {
                remotes.remove(goes).unwrap();
            }
            left += u32::from(remotes.find_by_address(usual.address, 0) != heir);
            sweep(&tables);
            assert_eq!(remotes.find_by_address(usual.address, 0), heir, "host {host}");
        }
        assert_eq!(keys(&remotes), 0, "host {host}");
        sweep(&tables);
    }
    assert!(left > 0);
}

/// One that is there although its address was held when it came, as it could not go again either.
#[test]
fn a_sweep_finds_who_could_not_be_known_by_an_address() {
    let tables = tables();
    let remotes = tables.remotes();
    let mut unknown = 0;
    for bucket in 0..remotes.map.len() {
        let held = remotes.map.lock_bucket(bucket).unwrap();
        let stays = (0..64).find(|&host| {
            let refused = remotes.add(&at(host)) == Err(Error::Busy);
            refused && remotes.find(&at(host)).is_some()
        });
        drop(held);
        unknown +=
            usize::from(stays.is_some_and(|host| remotes.find_by_address(at(host).address, 0).is_none()));
        sweep(&tables);
        for (id, remote) in remotes.iter() {
            assert_eq!(remotes.find_by_address(remote.address, 0), Some(id));
            remotes.remove(id).unwrap();
        }
        assert_eq!((remotes.count(), keys(&remotes)), (0, 0));
        (0..2).for_each(|_| sweep(&tables));
    }
    assert!(unknown > 0);
}

/// What was refused asks again, and is done then.
#[test]
fn a_remote_that_is_configured_stands_for_its_address_or_it_is_refused() {
    let tables = tables();
    let remotes = tables.remotes();
    let mut refused = 0;
    for host in 0..50 {
        let (usual, other) = (at(host), Remote { port: 9, ..at(host) });
        let [first, second] = [usual, other].map(|remote| remotes.find_or_learn(&remote).unwrap());
        let answer = while_place_is_held(&remotes, first, || remotes.find_or_add(&other));
        assert_eq!(answer, Err(Error::Busy));
        refused += u32::from(remotes.is_configured(second));
        assert_eq!(remotes.find_or_add(&other), Ok(second));
        assert_eq!(remotes.find_by_address(usual.address, 0), Some(second), "host {host}");
        [first, second].into_iter().for_each(|id| remotes.remove(id).unwrap());
        (0..2).for_each(|_| sweep(&tables));
    }
    assert!(refused > 0);
}
