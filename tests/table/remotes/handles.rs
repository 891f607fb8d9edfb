//! Handles that are kept after what they name was removed.

use encap::table::{Capacity, Error, Settings};

use crate::common::{remote, small, tables};

use super::{at, sweep};

/// A handle has nine bits for who has its place.
#[test]
fn a_removed_handle_finds_nothing_while_511_others_have_its_place() {
    let tables = tables(Capacity { remotes: 1, lists: 1, members: 0, ..small() }, Settings::default());
    let (remotes, lists) = (tables.remotes(), tables.lists());
    let first = remotes.add(&at(1)).unwrap();
    let list = lists.add_list(&[first]).unwrap();
    lists.remove(list).unwrap();
    remotes.remove(first).unwrap();
    for round in 0..511 {
        (0..2).for_each(|_| sweep(&tables));
        let other = remotes.add(&at(1)).unwrap();
        let other_list = lists.add_list(&[other]).unwrap();
        assert_eq!((remotes.get(first), lists.members(list).next()), (None, None), "round {round}");
        assert!(remotes.remove(first).is_err() && lists.append(list, other).is_err(), "round {round}");
        lists.remove(other_list).unwrap();
        remotes.remove(other).unwrap();
    }
}

/// Who is registered may keep handles until he says that he has none from before.
#[test]
fn a_place_is_not_taken_again_while_a_worker_may_know_who_had_it() {
    let tables = tables(Capacity { remotes: 2, ..small() }, Settings::default());
    let remotes = tables.remotes();
    let worker = tables.register().unwrap();
    let [kept, stays] = [1, 2].map(|last| remote(&tables, last));
    remotes.remove(kept).unwrap();
    for _ in 0..600 {
        sweep(&tables);
        assert_eq!(remotes.add(&at(3)), Err(Error::QuiescePending));
        assert_eq!(remotes.get(kept), None);
    }
    tables.quiesce(&worker);
    let other = remotes.add(&at(3)).unwrap();
    assert!(![kept, stays].contains(&other));
}
