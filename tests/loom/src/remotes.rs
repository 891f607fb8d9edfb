//! Remotes that change, go, and come in each other's place.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::Ordering::{Acquire, Relaxed, Release},
    },
};

use crate::{
    model::check,
    planted::assert_fails,
    table::{
        Error, Remote, RemoteId,
        line::{Access, Kind, observed},
    },
    tables::{Image, Part, Shape, Tables, spawn},
    wire::MacAddr,
};

/// What a reader is told.
type Seen = (u16, Option<MacAddr>, [u8; 4]);

/// MTU, next hop and header change: all parts of what a reader is told are of one time, and it is told something. The
/// third change fills the record of the first again. At most 2 preemptions.
pub fn no_torn_remote() {
    reading(2, |tables, id| STEPS[..3].iter().for_each(|step| step(tables, id)));
}

/// The same while each of them changes twice, and the reader begins anew as often. At most 1 preemption.
pub fn no_torn_remote_that_keeps_changing() {
    reading(1, |tables, id| STEPS.iter().for_each(|step| step(tables, id)));
}

const STEPS: [fn(&Tables, RemoteId); 6] = [
    |tables, id| tables.remotes().set_mtu(id, 1).expect("a free lock"),
    |tables, id| tables.remotes().set_next_hop(id, Some(HOPS[1])).expect("a free lock"),
    |tables, id| tables.remotes().set_header(id, &[1; 4]).expect("a free lock"),
    |tables, id| tables.remotes().set_mtu(id, 2).expect("a free lock"),
    |tables, id| tables.remotes().set_next_hop(id, Some(HOPS[2])).expect("a free lock"),
    |tables, id| tables.remotes().set_header(id, &[2; 4]).expect("a free lock"),
];

const STATES: [Seen; 7] = [
    (0, Some(HOPS[0]), [0; 4]),
    (1, Some(HOPS[0]), [0; 4]),
    (1, Some(HOPS[1]), [0; 4]),
    (1, Some(HOPS[1]), [1; 4]),
    (2, Some(HOPS[1]), [1; 4]),
    (2, Some(HOPS[2]), [1; 4]),
    (2, Some(HOPS[2]), [2; 4]),
];

const HOPS: [MacAddr; 3] = [hop(0), hop(1), hop(2)];

const fn hop(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

fn reading(preemptions: usize, writer: fn(&Tables, RemoteId)) {
    let modelled = |part, _| match part {
        Part::States => 1,
        Part::Records => MTU | MAC_LOW | HEADER,
        _ => 0,
    };
    let (image, id) = Image::new(SINGLE, modelled, |tables| {
        let id = tables.remotes().add(&A.mtu(0).next_hop(HOPS[0])).expect("room");
        tables.remotes().set_header(id, &[0; 4]).expect("a free lock");
        id
    });
    check(preemptions, move || {
        let tables = image.tables();
        let writer = spawn(&tables, move |tables| writer(tables, id));
        let mut header = [9; 4];
        let (remote, len) =
            tables.remotes().read(id, &mut header).expect("vanished: it is there all the time");
        let seen = (remote.mtu, remote.next_hop, header);
        assert!(len == 4 && STATES.contains(&seen), "torn: {seen:?}");
        writer.join().expect("the writer");
    });
}

/// A remote is removed and another takes its place: who has the handle of the first, or that of what was learned
/// from it, is told of the first or of none. At most 3 preemptions.
pub fn a_handle_of_a_freed_remote_is_never_used() {
    freed(|tables, a| {
        tables.remotes().remove(a).expect("a free lock");
        tables.remotes().add(&B).expect("room");
    });
}

fn freed(writer: fn(&Tables, RemoteId)) {
    let modelled = |part, line| match (part, line) {
        (Part::Names, 0) => NAMES,
        (Part::States, _) => 1,
        (Part::Records, _) => MTU | PORT,
        _ => 0,
    };
    let (image, a) = Image::new(SINGLE, modelled, |tables| tables.remotes().add(&A).expect("room"));
    let reading = image.clone();
    check(3, move || {
        let tables = reading.tables();
        let writer = spawn(&tables, move |tables| writer(tables, a));
        let found = tables.remotes().get(a);
        assert!(found.is_none_or(|found| found == A), "another one: {found:?}");
        writer.join().expect("the writer");
    });
    check(3, move || {
        let tables = image.tables();
        let learned = tables.remotes().learned_handle(a).expect("a live one");
        let writer = spawn(&tables, move |tables| writer(tables, a));
        for handle in [learned, a.0] {
            let found = tables.remotes().resolve(handle);
            assert!(found.is_none_or(|found| found == a), "another one: {found:?}");
        }
        writer.join().expect("the writer");
        for handle in [learned, a.0] {
            assert_eq!(tables.remotes().resolve(handle), None, "another one");
        }
    });
}

/// Room that a worker may still have a handle of is not used again; when it has said that it has none, it is.
pub fn reuse_waits_for_quiescence() {
    Image::new(
        WORKER,
        |_, _| 0,
        |tables| {
            let worker = tables.workers().register().expect("room");
            let a = tables.remotes().add(&A).expect("room");
            tables.remotes().remove(a).expect("a free lock");
            assert_eq!(tables.remotes().add(&B), Err(Error::QuiescePending));
            tables.workers().quiesce(&worker);
            let b = tables.remotes().add(&B).expect("room");
            assert_eq!((b.0.index(), tables.remotes().get(a)), (a.0.index(), None));
        },
    );
}

/// A worker says that it has no handle, and then looks for one: if its room is used again, it has found none. At
/// most 3 preemptions.
pub fn reuse_waits_for_a_quiescence_after_the_removal() {
    let (image, (a, id)) = Image::new(WORKER, epochs, |tables| {
        let a = tables.remotes().add(&A).expect("room");
        (a, Arc::new(tables.workers().register().expect("room")))
    });
    check(3, move || {
        let tables = image.tables();
        let id = Arc::clone(&id);
        let worker = spawn(&tables, move |tables| {
            tables.workers().quiesce(&id);
            tables.remotes().resolve(a.0).is_some()
        });
        tables.remotes().remove(a).expect("a free lock");
        let reused = tables.remotes().add(&B).is_ok();
        let held = worker.join().expect("the worker");
        assert!(!(held && reused), "used again while a worker has its handle");
    });
}

/// A worker registers, and then finds a handle: its room is not used again. At most 3 preemptions.
pub fn reuse_waits_for_a_worker_that_has_just_registered() {
    let (image, a) = Image::new(WORKER, epochs, |tables| tables.remotes().add(&A).expect("room"));
    check(3, move || {
        let tables = image.tables();
        let worker = spawn(&tables, move |tables| {
            tables.workers().register().expect("room");
            tables.remotes().resolve(a.0).is_some()
        });
        tables.remotes().remove(a).expect("a free lock");
        let reused = tables.remotes().add(&B).is_ok();
        let held = worker.join().expect("the worker");
        assert!(!(held && reused), "used again while a worker has its handle");
    });
}

/// The sweep comes by just when a packet brings a remote: nothing is left behind that keeps it from being brought
/// again. At most 2 preemptions.
pub fn the_sweep_and_a_new_remote() {
    let modelled = |part, _| match part {
        Part::States => 1,
        Part::Index => 1,
        _ => 0,
    };
    let (image, ()) = Image::new(SINGLE, modelled, |_| ());
    check(2, move || {
        let tables = image.tables();
        let sweep = spawn(&tables, |tables| tables.remotes().remove_unused(0));
        let _ = tables.remotes().find_or_learn(&A);
        sweep.join().expect("the sweep");
        let id = tables.remotes().find_or_learn(&A);
        assert!(id.is_ok_and(|id| tables.remotes().get(id) == Some(A)), "left behind: {id:?}");
        assert_eq!(tables.remotes().count(), 1);
    });
}

/// Writes the record that holds.
pub fn planted_no_flip() {
    assert_fails("torn", || {
        reading(2, |tables, _| {
            let state = tables.lines(Part::States)[0].word(0).load(Relaxed);
            let record = &tables.lines(Part::Records)[(state >> 20 & 1) as usize];
            record.word(0).store(1 << 16 | 4 << 8 | 4, Relaxed);
            record.word(9).store(1 << 16 | 1, Relaxed);
        });
    });
}

/// What is written is not fenced: it may be seen before the state of before.
pub fn planted_record_not_fenced() {
    let fault = |access| match access {
        Access { kind: Kind::Fence, .. } => Relaxed,
        access => access.order,
    };
    assert_fails("torn", || observed(fault, no_torn_remote));
}

/// The next remote has the generation of the one before.
pub fn planted_generation_of_before() {
    assert_fails("another one", || {
        freed(|tables, a| {
            let state = tables.lines(Part::States)[0].word(0);
            let before = state.load(Relaxed);
            tables.remotes().remove(a).expect("a free lock");
            let generation = 0x1ff << 3;
            state.store(state.load(Relaxed) & !generation | before & generation, Release);
            // Generation 0 is given again after a sweep, of which this does not know.
            tables.lines(Part::Accounts)[0].word(3).store(0, Relaxed);
            tables.remotes().add(&B).expect("room");
        });
    });
}

/// A worker reads the epoch Relaxed: it may then still see what was withdrawn before.
pub fn planted_epoch_read_relaxed() {
    let fault = |access| match access {
        Access { kind: Kind::Load, word: 3, order: Acquire } => Relaxed,
        access => access.order,
    };
    assert_fails("used again", || {
        observed(fault, reuse_waits_for_a_quiescence_after_the_removal);
    });
}

/// Words that the removal and a worker share.
fn epochs(part: Part, line: usize) -> u16 {
    match (part, line) {
        (Part::Meta, 0) => 1 << 3,
        (Part::Workers, _) => 0b11,
        (Part::Names, 0) => NAMES,
        _ => 0,
    }
}

// The names of the first remote.
const NAMES: u16 = 0b11;

// Words of a record that change.
const MTU: u16 = 1;
const PORT: u16 = 1 << 5;
const MAC_LOW: u16 = 1 << 9;
const HEADER: u16 = 1 << 10;

const SINGLE: Shape = Shape { remotes: 1, ..Shape::NONE };
const WORKER: Shape = Shape { workers: 1, ..SINGLE };

const A: Remote = Remote::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1).mtu(1_001);
const B: Remote = Remote::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 2).mtu(1_002);
