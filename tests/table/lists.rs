//! Replication lists and next-hop groups.

use encap::{
    table::{Capacity, Change, Error, HandleKind, Lists, Lookup, Members, RemoteId, Resource, Settings},
    wire::{MacAddr, Vni},
};

use crate::common::{NOW, VNI, remote, small, tables};

fn members(lists: &Lists<'_>, list: impl Into<Members>) -> Vec<RemoteId> {
    lists.members(list).collect()
}

#[test]
fn members_are_met_once_and_in_order() {
    let tables = tables(small(), Settings::default());
    let lists = tables.lists();
    let all: Vec<_> = (1..=60).map(|last| remote(&tables, last)).collect();
    for len in [0, 1, 2, 11, 12, 13, 24, 25, 60] {
        let list = lists.add_list(&all[..len]).unwrap();
        assert_eq!(members(&lists, list), all[..len]);
        assert_eq!(lists.used(), len.div_ceil(12).max(1));
        // Said twice is there once.
        for &member in &all[..len] {
            assert_eq!(lists.append(list, member), Ok(false));
        }
        lists.remove(list).unwrap();
        assert_eq!(lists.used(), 0);
    }
    let twice = lists.add_list(&[all[3], all[1], all[3], all[1]]).unwrap();
    assert_eq!(members(&lists, twice), [all[3], all[1]]);
}

#[test]
fn order_survives_deletions_and_lines_are_given_back() {
    let tables = tables(small(), Settings::default());
    let lists = tables.lists();
    let all: Vec<_> = (1..=60).map(|last| remote(&tables, last)).collect();
    let list = lists.add_list(&all).unwrap();
    let mut left = all.clone();
    // Every third, then from the front, then from the back.
    let gone = all.iter().step_by(3).chain(all.iter().take(30)).chain(all.iter().rev());
    for &member in gone {
        assert_eq!(lists.delete(list, member), Ok(left.contains(&member)));
        left.retain(|&other| other != member);
        assert_eq!(members(&lists, list), left);
    }
    assert_eq!((members(&lists, list), lists.used()), (vec![], 1));
    for &member in all.iter().rev() {
        assert_eq!(lists.append(list, member), Ok(true));
    }
    assert!(members(&lists, list).into_iter().eq(all.iter().rev().copied()));
}

#[test]
fn removed_lists_are_nothing() {
    let tables = tables(small(), Settings::default());
    let (lists, a) = (tables.lists(), remote(&tables, 1));
    let list = lists.add_list(&[a]).unwrap();
    let group = lists.add_group(&[a]).unwrap();
    lists.remove(list).unwrap();
    lists.remove(group).unwrap();
    for (members, kind) in [(Members::from(list), HandleKind::List), (group.into(), HandleKind::Group)] {
        let stale = Error::Stale(kind);
        assert_eq!(lists.remove(members), Err(stale));
        assert_eq!(lists.append(members, a), Err(stale));
        assert_eq!(lists.delete(members, a), Err(stale));
        assert_eq!(lists.members(members).count(), 0);
    }
    assert_eq!(lists.pick(group, 1), None);
    // Whoever takes the place is somebody else.
    let b = remote(&tables, 2);
    for _ in 0..200 {
        let next = lists.add_list(&[b]).unwrap();
        assert!(next != list && lists.members(list).count() == 0);
        lists.remove(next).unwrap();
    }
}

/// A walk that is under way when its list goes, or when its place is taken, ends.
#[test]
fn a_walk_ends_with_its_list() {
    let tables = tables(Capacity { lists: 1, members: 24, ..small() }, Settings::default());
    let lists = tables.lists();
    let [a, b] = [1, 2].map(|last| remote(&tables, last));
    let list = lists.add_list(&[a, b]).unwrap();
    let mut walk = lists.members(list);
    assert_eq!(walk.next(), Some(a));
    lists.remove(list).unwrap();
    for _ in 0..5 {
        let next = lists.add_list(&[b, a]).unwrap();
        assert_eq!(walk.clone().next(), None);
        lists.remove(next).unwrap();
    }
}

/// What comes or goes behind or before a walk does not make it skip or repeat.
#[test]
fn a_walk_meets_whoever_is_there_throughout_exactly_once() {
    let tables = tables(small(), Settings::default());
    let lists = tables.lists();
    let all: Vec<_> = (1..=60).map(|last| remote(&tables, last)).collect();
    let (stay, others) = all.split_at(20);
    for step in 0..40 {
        let list = lists.add_list(&[]).unwrap();
        for (stays, comes) in stay.iter().zip(others.chunks(2)) {
            lists.append(list, comes[0]).unwrap();
            lists.append(list, *stays).unwrap();
            lists.append(list, comes[1]).unwrap();
        }
        let mut met = Vec::new();
        for (at, member) in lists.members(list).enumerate() {
            met.push(member);
            // One that was met, and one that was not, go; another one comes, as the last.
            lists.delete(list, others[(at + step) % 40]).unwrap();
            if at < 40 {
                lists.append(list, others[(at * 7 + step) % 40]).unwrap();
            }
        }
        met.retain(|member| stay.contains(member));
        assert_eq!(met, stay);
        lists.remove(list).unwrap();
    }
}

#[test]
fn as_many_lines_as_promised() {
    let tables = tables(Capacity { lists: 4, members: 36, ..small() }, Settings::default());
    let (lists, fdb) = (tables.lists(), tables.fdb());
    let all: Vec<_> = (1..=60).map(|last| remote(&tables, last)).collect();
    // A line for each list, and three more for 36 members.
    let full = Error::Full { what: Resource::Members, limit: 7 };
    let list = lists.add_list(&all[..48]).unwrap();
    assert_eq!(lists.used(), 4);
    for _ in 0..3 {
        lists.add_group(&all[..12]).unwrap();
    }
    assert_eq!(lists.append(list, all[50]), Err(full));
    assert_eq!(lists.add_list(&[]).map(|_| ()), Err(full));
    assert_eq!(fdb.add(VNI, MacAddr::ZERO, all[0]), Err(full));
    assert_eq!((fdb.count(), fdb.count_vni(VNI)), (0, (0, 0)), "nothing is left of what was refused");
    assert_eq!(members(&lists, list), all[..48]);
    // A gap is better than none: then the order is lost, no member is.
    lists.delete(list, all[5]).unwrap();
    assert_eq!(lists.append(list, all[50]), Ok(true));
    assert_eq!(members(&lists, list).len(), 48);
}

/// A list that could not be made as a whole is not made.
#[test]
fn a_stale_member_makes_no_list() {
    let tables = tables(small(), Settings::default());
    let (lists, a, b) = (tables.lists(), remote(&tables, 1), remote(&tables, 2));
    tables.remotes().remove(b).unwrap();
    let stale = Err(Error::Stale(HandleKind::Remote));
    assert_eq!(lists.add_list(&[a, b]).map(|_| ()), stale);
    assert_eq!(lists.add_group(&[b, a]).map(|_| ()), stale);
    assert_eq!(lists.used(), 0);
}

#[test]
fn removed_remotes_are_no_members_and_the_sweep_gives_their_room_back() {
    let tables = tables(small(), Settings::default());
    let lists = tables.lists();
    let all: Vec<_> = (1..=36).map(|last| remote(&tables, last)).collect();
    let list = lists.add_list(&all).unwrap();
    for &gone in &all[12..24] {
        tables.remotes().remove(gone).unwrap();
    }
    let left: Vec<_> = all[..12].iter().chain(&all[24..]).copied().collect();
    assert_eq!((members(&lists, list), lists.used()), (left.clone(), 3));
    assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
    assert_eq!((members(&lists, list), lists.used()), (left, 2));
}

#[test]
fn lines_are_taken_again_after_a_quiescent_point() {
    let tables = tables(Capacity { lists: 1, members: 0, ..small() }, Settings::default());
    let (lists, a) = (tables.lists(), remote(&tables, 1));
    let worker = tables.register().unwrap();
    let list = lists.add_list(&[a]).unwrap();
    lists.remove(list).unwrap();
    assert_eq!(lists.add_list(&[a]).map(|_| ()), Err(Error::QuiescePending));
    tables.quiesce(&worker);
    lists.add_list(&[a]).unwrap();
}

/// What was taken out of lists before an epoch is held by nobody once that has passed.
#[test]
fn an_epoch_has_passed_when_every_registered_worker_has_quiesced_in_it() {
    let tables = tables(small(), Settings::default());
    assert!(tables.has_passed(tables.begin_epoch()), "there is no worker");
    let [first, second] = [tables.register().unwrap(), tables.register().unwrap()];
    let before = tables.begin_epoch();
    assert!(!tables.has_passed(before));
    tables.quiesce(&first);
    tables.quiesce(&first);
    assert!(!tables.has_passed(before), "the other has not");
    let after = tables.begin_epoch();
    tables.quiesce(&second);
    assert!(tables.has_passed(before) && !tables.has_passed(after));
    // Who registers later knows nothing of what was withdrawn; who is gone holds nothing.
    let third = tables.register().unwrap();
    assert!(!tables.has_passed(after));
    tables.unregister(first);
    assert!(tables.has_passed(after) && tables.has_passed(before));
    tables.unregister(second);
    tables.unregister(third);
}

/// What died with its VNI, and no sweep has seen yet, makes room for who needs it.
#[test]
fn lists_of_entries_that_died_are_taken_again() {
    let tables = tables(Capacity { lists: 1, members: 0, ..small() }, Settings::default());
    let (fdb, a) = (tables.fdb(), remote(&tables, 1));
    let other = Vni::truncate(VNI.value() ^ 1);
    let full = Err(Error::Full { what: Resource::Members, limit: 1 });
    fdb.add(VNI, MacAddr::ZERO, a).unwrap();
    assert_eq!(fdb.add(other, MacAddr::ZERO, a), full, "nothing died");
    fdb.remove_vni(VNI).unwrap();
    assert_eq!(fdb.add(other, MacAddr::ZERO, a), Ok(()));
    assert_eq!(fdb.add(other, MacAddr::BROADCAST, a).map_err(|e| e == Error::SweepPending), Err(true));
    assert!((0..100).any(|_| fdb.add(other, MacAddr::BROADCAST, a) == full), "all was looked at");
}

/// An entry goes with the last of its remotes, however that goes: then the default destination counts again.
#[test]
fn an_entry_whose_remotes_were_all_removed_is_not_there() {
    let tables = tables(small(), Settings::default());
    let (fdb, remotes) = (tables.fdb(), tables.remotes());
    let (a, b, c) = (remote(&tables, 1), remote(&tables, 2), remote(&tables, 3));
    let group = MacAddr([0x01, 0, 0x5e, 0, 0, 7]);
    fdb.append(VNI, group, a).unwrap();
    fdb.append(VNI, group, b).unwrap();
    remotes.remove(a).unwrap();
    assert!(matches!(fdb.lookup(NOW, VNI, group), Lookup::Found(_)));
    remotes.remove(b).unwrap();
    assert_eq!(fdb.lookup(NOW, VNI, group), Lookup::Unknown);
    assert_eq!(fdb.get(NOW, VNI, group), Err(Error::NotFound));
    // It can be added anew, and its room comes back.
    assert_eq!(fdb.append(VNI, group, c), Ok(Change::Created));
    remotes.remove(c).unwrap();
    assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
    assert_eq!((fdb.count(), tables.lists().used()), (0, 0));

    // Somebody's own list may wait for members.
    let list = tables.lists().add_list(&[]).unwrap();
    fdb.add(VNI, group, list).unwrap();
    assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
    assert_eq!(fdb.lookup(NOW, VNI, group), Lookup::Found(list.into()));
}

/// Where there is no line to spare, one who comes takes the place of one who went, wherever that was.
#[test]
fn without_a_line_to_spare_the_order_is_lost_before_a_member_is() {
    let tables = tables(Capacity { lists: 1, members: 0, ..small() }, Settings::default());
    let lists = tables.lists();
    let all: Vec<_> = (1..=14).map(|last| remote(&tables, last)).collect();
    let list = lists.add_list(&all[..12]).unwrap();
    let full = Error::Full { what: Resource::Members, limit: 1 };
    let text = full.to_string();
    assert!(text.contains("Capacity::lists") && text.contains("Capacity::members"), "{text}");
    assert_eq!(lists.append(list, all[12]), Err(full));
    lists.delete(list, all[3]).unwrap();
    assert_eq!(lists.append(list, all[12]), Ok(true));
    let expected: Vec<_> = (0..12).map(|at| all[if at == 3 { 12 } else { at }]).collect();
    assert_eq!(members(&lists, list), expected);
    assert_eq!(lists.append(list, all[13]), Err(full));
    // Room at the end is taken first.
    lists.delete(list, all[0]).unwrap();
    lists.delete(list, all[11]).unwrap();
    assert_eq!(lists.append(list, all[13]), Ok(true));
    assert_eq!(members(&lists, list).last(), Some(&all[13]));
}

/// Room that a worker may still be reading is no lack of room: it comes when he has passed a quiescent point.
#[test]
fn what_quiescing_would_free_is_said_to_be_pending() {
    let tables = tables(Capacity { lists: 2, members: 0, ..small() }, Settings::default());
    let (lists, worker) = (tables.lists(), tables.register().unwrap());
    let all: Vec<_> = (1..=13).map(|last| remote(&tables, last)).collect();
    let [list, other] = [&all[..12], &all[..1]].map(|members| lists.add_list(members).unwrap());
    assert!(matches!(lists.append(list, all[12]), Err(Error::Full { .. })), "both are in use");
    lists.remove(other).unwrap();
    assert_eq!(lists.append(list, all[12]), Err(Error::QuiescePending));
    assert_eq!(lists.add_list(&all[..1]).err(), Some(Error::QuiescePending));
    let zero = tables.fdb().add(VNI, MacAddr::ZERO, all[0]);
    assert_eq!(zero, Err(Error::QuiescePending), "a permanent entry needs a list, too");
    tables.quiesce(&worker);
    assert_eq!(lists.append(list, all[12]), Ok(true));
    assert_eq!(members(&lists, list), all);
}
