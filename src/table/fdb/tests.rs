//! What is promised while somebody else is between two steps, and at limits that nobody has memory for.

extern crate std;

use core::{cell::Cell, sync::atomic::Ordering::Relaxed};
use std::vec::Vec;

use super::{
    super::{Capacity, Cursor, Destination, Line, Remote, RemoteId, Tables, census::Census},
    Filter, Learned, Lookup, Refusal,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

fn tables() -> Tables<Vec<Line>> {
    let capacity = Capacity::fdb(64);
    let lines = (0..capacity.lines()).map(|_| Line::new()).collect();
    let tables = Tables::new(lines, capacity, [1, 2]).unwrap();
    tables.fdb().add_vni(VNI).unwrap();
    tables
}

fn remote(tables: &Tables<Vec<Line>>, last: u8) -> RemoteId {
    tables.remotes().add(&Remote::new([192, 0, 2, last].into(), 4789)).unwrap()
}

/// Who asks for a remote to be flushed is not told that all is done while it is still in a list.
#[test]
fn a_flush_does_not_pass_by_a_list_that_is_locked() {
    let tables = tables();
    let (fdb, lists) = (tables.fdb(), tables.lists());
    let [a, b] = [1, 2].map(|last| remote(&tables, last));
    for remote in [a, b] {
        let _ = fdb.append(VNI, MacAddr::ZERO, remote).unwrap();
    }
    let Lookup::Found(Destination::List(list)) = fdb.lookup(NOW, VNI, MacAddr::ZERO) else {
        panic!("a list of its own")
    };
    let filter = Filter { address: Some([192, 0, 2, 1].into()), ..Filter::ALL };
    let flush = |from| fdb.flush(NOW, &filter, from, usize::MAX, |_| {});
    let first = Cell::new(None);
    // Asked under the list's lock.
    let while_locked = |_| {
        first.set(Some(flush(Cursor::default())));
        false
    };
    assert_eq!(lists.delete_where(list.0, while_locked), Ok((0, true)));
    let first = first.get().unwrap();
    assert_eq!((first.entries, first.remotes), (0, 0));
    let then = flush(first.next.expect("not at its end"));
    assert_eq!((then.entries, then.remotes, then.next), (0, 1, None));
    assert!(lists.members(list).eq([b]));
}

/// Else the fair share of everybody would be less, for ever.
#[test]
fn a_flush_between_the_steps_of_a_first_entry_leaves_no_account_behind() {
    let tables = tables();
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let handle = tables.remotes().learned_handle(a).unwrap();
    for _ in 0..3 {
        // As in `enter_learned`, where the flush comes between the two.
        let generation = tables.remotes().learned_handle(a).unwrap().generation();
        assert_eq!(tables.remotes().learned_at(handle.index()).add(generation, u32::MAX), Ok(0));
        assert_eq!(fdb.flush_learned_from(a), Ok(1));
        fdb.note_active();
        assert_eq!(fdb.meta.active(), 0);
    }
    assert_eq!(fdb.learn(NOW, VNI, MAC, a), Learned::New { evicted: None });
    assert_eq!(fdb.meta.active(), 1);
    fdb.delete(NOW, VNI, MAC).unwrap();
    assert_eq!(fdb.meta.active(), 0);
}

/// What the settings call no limit is one of 24 bits, for what is learned.
#[test]
fn a_vni_and_a_remote_learn_no_more_than_16_777_215_addresses() {
    let tables = tables();
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let handle = tables.remotes().learned_handle(a).unwrap();
    let of_vni = fdb.vnis.find(VNI).unwrap().unwrap().learned();
    let of_remote = tables.remotes().learned_at(handle.index());
    for (Census(census), limit) in [(of_vni, Refusal::VniLimit), (of_remote, Refusal::QuotaLimit)] {
        let none = census.load(Relaxed);
        census.store(none + 16_777_215, Relaxed);
        assert_eq!(fdb.learn(NOW, VNI, MAC, a), Learned::Refused(limit));
        census.store(none + 16_777_214, Relaxed);
        assert_eq!(fdb.learn(NOW, VNI, MAC, a), Learned::New { evicted: None });
        fdb.delete(NOW, VNI, MAC).unwrap();
        census.store(none, Relaxed);
    }
}

const VNI: Vni = Vni::truncate(42);
const NOW: Instant = Instant::from_secs(1_000);
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
