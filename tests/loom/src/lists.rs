//! Lists that are walked while members come and go.
//!
//! The walk stands at the end of the list's first line when the other thread begins: what it does before, it does
//! alone. The first line's state is not loom's, but for its lock nobody changes it.

use std::sync::atomic::Ordering::{Relaxed, Release};

use crate::{
    model::check,
    planted::assert_fails,
    table::{
        ListId, RemoteId,
        handle::Handle,
        line::{Access, Kind, Line, observed},
    },
    tables::{Image, Part, Shape, Tables, spawn},
};

/// The middle one of three lines becomes empty and is unlinked: the walk meets who is after it once. At most 2
/// preemptions.
pub fn a_member_after_an_unlinked_line_is_yielded_once() {
    present(|tables, list| assert_eq!(tables.lists().delete(list, MIDDLE), Ok(true)));
}

/// Members come and go beside one that stays, which the walk meets once. At most 2 preemptions.
pub fn a_member_present_throughout_is_yielded_once() {
    present(|tables, list| {
        assert_eq!(tables.lists().append(list, COMES), Ok(true));
        assert_eq!(tables.lists().delete(list, COMES), Ok(true));
    });
}

/// The same, and a line is unlinked between. At most 2 preemptions.
pub fn a_member_present_throughout_is_yielded_once_while_lines_go() {
    present(|tables, list| {
        assert_eq!(tables.lists().append(list, COMES), Ok(true));
        assert_eq!(tables.lists().delete(list, MIDDLE), Ok(true));
    });
}

fn present(writer: fn(&Tables, ListId)) {
    // A registered worker that walks: nothing is used again.
    let (image, list) = image(1, 4);
    check(2, move || {
        let tables = image.tables();
        let mut walk = tables.lists().members(list);
        let before: Vec<_> = walk.by_ref().take(12).collect();
        assert!(before.iter().copied().eq((0..12).map(remote)));
        let writer = spawn(&tables, move |tables| writer(tables, list));
        let after: Vec<_> = walk.collect();
        let times = |member| after.iter().filter(|&&met| met == member).count();
        assert_eq!(times(LAST), 1, "once and only once: {after:?}");
        assert!(times(MIDDLE) <= 1 && times(COMES) <= 1, "once and only once: {after:?}");
        assert!(after.iter().all(|member| [MIDDLE, LAST, COMES].contains(member)), "another's: {after:?}");
        writer.join().expect("the writer");
    });
}

/// Without workers a line that is unlinked is used again at once: the walk that stands before it meets no members of
/// the other list. At most 2 preemptions.
pub fn a_line_that_was_reused_is_not_walked_into() {
    reused(
        12,
        |_, _| {},
        |tables, list| {
            assert_eq!(tables.lists().delete(list, MIDDLE), Ok(true));
            tables.lists().add_list(&[OTHERS]).expect("a line that was given back");
        },
    );
}

/// The walk stands on a line that was unlinked; the line after it was, too, and is used again. At most 2 preemptions.
pub fn a_line_after_an_unlinked_one_is_not_walked_into() {
    reused(
        13,
        |tables, list| {
            assert_eq!(tables.lists().delete(list, MIDDLE), Ok(true));
            assert_eq!(tables.lists().delete(list, LAST), Ok(true));
            tables.meta().list_rotor().store(2, Relaxed);
        },
        |tables, _| {
            tables.lists().add_list(&[OTHERS]).expect("a line that was given back");
        },
    );
}

/// `before` happens when the walk has met so many members, and before the writer begins.
fn reused(met: usize, before: fn(&Tables, ListId), writer: fn(&Tables, ListId)) {
    let (image, list) = image(0, 3);
    check(2, move || {
        let tables = image.tables();
        let mut walk = tables.lists().members(list);
        assert_eq!(walk.by_ref().take(met).count(), met);
        before(&tables, list);
        let writer = spawn(&tables, move |tables| writer(tables, list));
        let next = walk.next();
        assert!(next != Some(OTHERS), "another's: {next:?}");
        writer.join().expect("the writer");
    });
}

/// A list is removed and another takes its line: the walk of the first meets no members of the second. At most 2
/// preemptions.
pub fn a_removed_list_yields_nothing_of_the_next() {
    let modelled = |part, _| if part == Part::Lists { STATE | NEXT | MEMBER } else { 0 };
    let shape = Shape { lists: 1, ..Shape::NONE };
    let (image, list) = Image::new(shape, modelled, |tables| {
        remotes(tables);
        tables.lists().add_list(&[MIDDLE]).expect("room")
    });
    check(2, move || {
        let tables = image.tables();
        let writer = spawn(&tables, move |tables| {
            tables.lists().remove(list).expect("a free lock");
            tables.lists().add_list(&[OTHERS]).expect("room")
        });
        let met = tables.lists().members(list).next();
        assert!(met.is_none_or(|met| met == MIDDLE), "another's: {met:?}");
        writer.join().expect("the writer");
    });
}

/// A line is given back without being unlinked.
pub fn planted_retired_without_unlinking() {
    assert_fails("once and only once", || {
        present(|tables, _| {
            // What its next user does to it, who need not wait for anybody.
            let line = &tables.lines(Part::Lists)[1];
            line.word(2).store(0, Release);
            line.word(0).store(line.word(0).load(Relaxed) + (1 << 6), Release);
            line.word(1).store(0, Release);
        });
    });
}

/// Who takes a line changes its members before its generation.
pub fn planted_line_taken_without_fence() {
    let fault = |access| match access {
        Access { kind: Kind::Store(1..), word: 2, .. } => Relaxed,
        Access { kind: Kind::Fence, .. } => Relaxed,
        access => access.order,
    };
    assert_fails("another's", || observed(fault, a_removed_list_yields_nothing_of_the_next));
}

/// A list of so many lines, of which the first is full and the second and third have one member.
fn image(workers: usize, lists: usize) -> (Image, ListId) {
    let modelled = |part, line| match part {
        Part::Lists if line == 0 => NEXT,
        Part::Lists => STATE | NEXT | MEMBER | MEMBER << 1,
        _ => 0,
    };
    Image::new(Shape { workers, lists, ..Shape::NONE }, modelled, |tables| {
        remotes(tables);
        (0..workers).for_each(|_| drop(tables.workers().register().expect("room")));
        let list = tables.lists().add_list(&(0..25).map(remote).collect::<Vec<_>>()).expect("room");
        for goes in 13..24 {
            assert_eq!(tables.lists().delete(list, remote(goes)), Ok(true));
        }
        list
    })
}

/// Remotes that are there and configured, and no more.
fn remotes(tables: &Tables) {
    for RemoteId(handle) in (0..32).map(remote) {
        tables.lines(Part::Names)[handle.line()].word(handle.word()).store(handle.0, Relaxed);
        let state = &tables.lines(Part::States)[handle.index() / Line::WORDS];
        state.word(handle.index() % Line::WORDS).store(0b11, Relaxed);
    }
}

const fn remote(index: u32) -> RemoteId {
    RemoteId(Handle::new(Handle::REMOTE, 0, index))
}

const MIDDLE: RemoteId = remote(12);
const LAST: RemoteId = remote(24);
const COMES: RemoteId = remote(25);
const OTHERS: RemoteId = remote(26);

// Words of a line that change.
const STATE: u16 = 1;
const NEXT: u16 = 1 << 1;
const MEMBER: u16 = 1 << 2;
