//! Records that are read where they lie, word by word, while remotes change, go, and come in each other's place.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::Ordering::{self, Acquire, Relaxed},
};

use crate::{
    model::check,
    planted::assert_fails,
    table::{
        Fields, Raw, Remote, RemoteId,
        line::{Access, Kind, observed},
    },
    tables::{Image, Part, Shape, Tables, spawn},
    wire::MacAddr,
};

/// What packets are told of a remote: port, MTU, next hop, a word of the header in the record's first line and one in
/// its second.
type Seen = (u16, u16, Option<MacAddr>, u8, u8);

/// What is read in place, in the order of an encapsulation, if it is whole.
fn in_place(tables: &Tables, id: RemoteId) -> Option<Seen> {
    let record = tables.remotes().record_of(id)?;
    let (hop, mtu, len) = (record.next_hop(), record.mtu(), record.header_len());
    // The header as it is copied before a frame: from its second word on.
    let mut header = [0; HEADER - 4];
    record.copy_header(4, &mut header);
    let [first, ..] = record.header_word::<0>();
    let port = record.port();
    // One that was added a moment ago has none.
    let last = if len == HEADER { header[HEADER - 5] } else { first };
    record.is_whole().then_some((port, mtu, hop, first, last))
}

/// What is copied out.
fn copied(tables: &Tables, id: RemoteId) -> Option<Seen> {
    let mut raw = Raw::EMPTY;
    tables.remotes().read_raw(id, &mut raw)?;
    let header = raw.header();
    let (first, last) = (header.first().copied(), header.last().copied());
    Some((raw.port(), raw.mtu(), raw.next_hop(), first.unwrap_or_default(), last.unwrap_or_default()))
}

/// MTU, next hop and header change one after the other; the second change fills again the record that is read. What is
/// whole is of one time. At most 3 preemptions.
pub fn a_whole_record_is_of_one_time() {
    changing(in_place, 3, |tables, id| STEPS[..2].iter().for_each(|step| step(tables, id)));
}

/// The same with more changes, in which the header comes first. At most 2 preemptions.
pub fn a_whole_record_is_of_one_time_while_it_keeps_changing() {
    changing(in_place, 2, |tables, id| STEPS.iter().for_each(|step| step(tables, id)));
}

/// The same where it is copied out. At most 2 preemptions.
pub fn a_copied_record_is_of_one_time() {
    changing(copied, 2, |tables, id| STEPS[..2].iter().for_each(|step| step(tables, id)));
}

/// The remote is removed, or the last two changes are those of a remote that has taken its place: what is whole is the
/// first one's. At most 3 preemptions.
pub fn a_whole_record_is_not_of_the_next_remote() {
    replaced(in_place, 3, replace);
}

/// The same where it is copied out. At most 2 preemptions.
pub fn a_copied_record_is_not_of_the_next_remote() {
    replaced(copied, 2, replace);
}

/// Whether a remote is at an address is not answered by the one that takes its place, nor by both together. At most 3
/// preemptions.
pub fn an_address_is_not_that_of_the_next_remote() {
    let modelled = |part, _| match part {
        Part::States => 1,
        Part::Records => FIRST | ADDRESS,
        _ => 0,
    };
    let (image, a) = Image::new(SHAPE, modelled, |tables| tables.remotes().add(&A).expect("room"));
    check(3, move || {
        let tables = image.tables();
        let writer = spawn(&tables, move |tables| {
            tables.remotes().set_mtu(a, 1).expect("a free lock");
            tables.remotes().remove(a).expect("a free lock");
            let b = tables.remotes().add(&Remote { address: ELSEWHERE, ..B }).expect("room");
            tables.remotes().set_mtu(b, 1).expect("a free lock");
        });
        assert!(!tables.remotes().is_at(a, ELSEWHERE, 0), "another one: it was never there");
        writer.join().expect("the writer");
    });
}

fn replace(tables: &Tables, a: RemoteId) {
    let remotes = tables.remotes();
    remotes.remove(a).expect("a free lock");
    // The next one is written to where nobody reads, and its header to where the first was.
    let b = remotes.add(&B).expect("room");
    remotes.set_header(b, &[9; HEADER]).expect("a free lock");
}

const STEPS: [fn(&Tables, RemoteId); 4] = [
    |tables, id| tables.remotes().set_header(id, &[1; HEADER]).expect("a free lock"),
    |tables, id| tables.remotes().set_next_hop(id, Some(hop(1))).expect("a free lock"),
    |tables, id| tables.remotes().set_mtu(id, 1).expect("a free lock"),
    |tables, id| tables.remotes().set_header(id, &[2; HEADER]).expect("a free lock"),
];

const STATES: [Seen; 5] = [
    (1, 1_001, Some(hop(0)), 0, 0),
    (1, 1_001, Some(hop(0)), 1, 1),
    (1, 1_001, Some(hop(1)), 1, 1),
    (1, 1, Some(hop(1)), 1, 1),
    (1, 1, Some(hop(1)), 2, 2),
];

const fn hop(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

/// A remote that `writer` changes.
fn changing(read: fn(&Tables, RemoteId) -> Option<Seen>, preemptions: usize, writer: fn(&Tables, RemoteId)) {
    let modelled = |part, line| match (part, line % 2) {
        (Part::States, _) => 1,
        (Part::Records, 0) => FIRST | MAC_LOW | HEADER_FIRST,
        (Part::Records, _) => HEADER_LAST,
        _ => 0,
    };
    run(modelled, read, preemptions, writer, &STATES);
}

/// A remote that `writer` removes.
fn replaced(read: fn(&Tables, RemoteId) -> Option<Seen>, preemptions: usize, writer: fn(&Tables, RemoteId)) {
    let modelled = |part, line| match (part, line % 2) {
        (Part::States, _) => 1,
        (Part::Records, 0) => FIRST | PORT | MAC_LOW | HEADER_FIRST,
        (Part::Records, _) => HEADER_LAST,
        _ => 0,
    };
    run(modelled, read, preemptions, writer, &STATES[..1]);
}

fn run(
    modelled: fn(Part, usize) -> u16,
    read: fn(&Tables, RemoteId) -> Option<Seen>,
    preemptions: usize,
    writer: fn(&Tables, RemoteId),
    states: &'static [Seen],
) {
    let (image, id) = Image::new(SHAPE, modelled, |tables| {
        let id = tables.remotes().add(&A).expect("room");
        tables.remotes().set_header(id, &[0; HEADER]).expect("a free lock");
        id
    });
    check(preemptions, move || {
        let tables = image.tables();
        let writer = spawn(&tables, move |tables| writer(tables, id));
        let seen = read(&tables, id);
        assert!(seen.is_none_or(|seen| states.contains(&seen)), "torn: {seen:?}");
        writer.join().expect("the writer");
    });
}

/// What is written is not fenced, or what was read is not: words of the next version are taken for those of before.
pub fn planted_record_in_place_not_fenced() {
    let fault = |access| match access {
        Access { kind: Kind::Fence, order: Ordering::Release, .. } => Relaxed,
        access => access.order,
    };
    assert_fails("torn", || observed(fault, a_whole_record_is_of_one_time));
    let fault = |access| match access {
        Access { kind: Kind::Fence, order: Acquire, .. } => Relaxed,
        access => access.order,
    };
    assert_fails("torn", || observed(fault, a_whole_record_is_of_one_time));
}

/// The state is read Relaxed: what it says is there may not have come yet.
pub fn planted_state_of_a_record_read_relaxed() {
    let fault = |access| match access {
        Access { kind: Kind::Load, word: 0, order: Acquire } => Relaxed,
        access => access.order,
    };
    assert_fails("torn", || observed(fault, a_whole_record_is_of_one_time));
}

/// The next remote has state and flips of the one before, but for the lock.
pub fn planted_state_of_before() {
    assert_fails("torn", || {
        replaced(in_place, 3, |tables, a| {
            let state = tables.lines(Part::States)[0].word(0);
            let before = state.load(Relaxed);
            replace(tables, a);
            state.store(before, Ordering::Release);
        });
    });
}

// Words of a record that change.
const FIRST: u16 = 1;
const ADDRESS: u16 = 1 << 1;
const PORT: u16 = 1 << 5;
const MAC_LOW: u16 = 1 << 9;
const HEADER_FIRST: u16 = 1 << 10;
/// In the second line.
const HEADER_LAST: u16 = 1;

/// Bytes of a header that ends with the first word of the second line.
const HEADER: usize = 28;

const SHAPE: Shape = Shape { remotes: 1, header: HEADER as u32, ..Shape::NONE };

const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
const A: Remote = Remote::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1).mtu(1_001).next_hop(hop(0));
const B: Remote = Remote::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 2).mtu(1_002).next_hop(hop(9));
