//! Lookups of the forwarding database, one at a time and in batches, while VNIs, what is learned, and buckets change.

use std::sync::atomic::Ordering::{self, Acquire, Relaxed};

use crate::{
    model::{check, places},
    planted::assert_fails,
    table::{
        Change, Destination, Learned, Lookup, Remote, RemoteId,
        bucket::{Dead, Key},
        handle::Handle,
        line::{Access, Kind, looking, observed},
    },
    tables::{Image, Part, Shape, Tables, spawn},
    time::Instant,
    wire::{MacAddr, Vni},
};

/// The ways to look for an address in the first VNI: alone, in a batch, and in a batch behind another one.
const READERS: [fn(&Tables, MacAddr) -> Lookup; 3] = [
    |tables, mac| tables.fdb().lookup(NOW, FIRST, mac),
    |tables, mac| {
        let mut answers = [Lookup::Busy];
        tables.fdb().lookup_batch(NOW, &[(FIRST, mac)], &mut answers);
        answers[0]
    },
    |tables, mac| {
        let mut answers = [Lookup::Busy; 2];
        tables.fdb().lookup_batch(NOW, &[(FIRST, NOBODY), (FIRST, mac)], &mut answers);
        assert!(!matches!(answers[0], Lookup::Found(_)), "nobody's: {:?}", answers[0]);
        answers[1]
    },
];

/// Where a frame's source is known to be, or [`Lookup::Unknown`].
fn settled(tables: &Tables, mac: MacAddr) -> Lookup {
    let settled = tables.fdb().settled(NOW, FIRST, mac).map(Destination::Remote);
    settled.map_or(Lookup::Unknown, Lookup::Found)
}

/// A VNI is removed, and another one gets its number and has an entry for the same address: who looks in the first is
/// told of the first one's entry, or of none. At most 2 preemptions, 1 for batches.
pub fn an_entry_is_not_that_of_the_next_vni() {
    reused(2, READERS[0], reuse);
    reused(1, READERS[1], reuse);
    reused(2, settled, reuse);
}

fn reuse(tables: &Tables) {
    let fdb = tables.fdb();
    fdb.remove_vni(FIRST).expect("nobody is at work");
    give_again(tables);
}

fn give_again(tables: &Tables) {
    let fdb = tables.fdb();
    for bucket in 0..fdb.map.len() {
        let mut locked = fdb.map.lock_bucket(bucket).expect("a free lock");
        let slots = locked.slots();
        (0..slots.len()).filter(|&slot| slots[slot].is_some()).for_each(|slot| locked.remove(slot));
    }
    tables.meta().passes().fetch_add(2, Ordering::Release);
    fdb.add_vni(SECOND).expect("a number that nothing names");
    assert_eq!(fdb.learn(NOW, SECOND, MAC, OTHER), Learned::New { evicted: None });
}

fn reused(preemptions: usize, find: fn(&Tables, MacAddr) -> Lookup, writer: fn(&Tables)) {
    let modelled = |part, line| match (part, line) {
        (Part::Meta, 0) => EPOCH,
        (Part::VniFront, 0) => 0b1111,
        (Part::VniMap, _) => CONTROL | VALUES,
        (Part::Vnis, _) => NAME | LEARNED,
        (Part::Fdb, _) => CONTROL | TAGS | VALUE_0,
        _ => 0,
    };
    let (image, ()) = Image::new(Shape { buckets: 2, ..SHAPE }, modelled, fill);
    check(preemptions, move || {
        let tables = image.tables();
        let thread = spawn(&tables, writer);
        let found = find(&tables, MAC);
        assert!([found_at(ONE), Lookup::Unknown].contains(&found), "another one's: {found:?}");
        thread.join().expect("the writer");
        assert_eq!(find(&tables, MAC), Lookup::Unknown);
        assert_eq!(tables.fdb().lookup(NOW, SECOND, MAC), found_at(OTHER));
    });
}

/// What was learned is flushed, and then learned from elsewhere: who has found the new one does not find the old one
/// any more. At most 1 preemption.
pub fn what_was_flushed_does_not_come_back() {
    let modelled = |part, line| match (part, line) {
        (Part::VniFront, 0) => 0b11,
        (Part::Vnis, _) => LEARNED,
        (Part::Fdb, _) => CONTROL | TAGS | VALUE_0,
        _ => 0,
    };
    let (image, ()) = Image::new(Shape { buckets: 2, ..SHAPE }, modelled, fill);
    check(1, move || {
        let tables = image.tables();
        let writer = spawn(&tables, |tables| {
            assert_eq!(tables.fdb().flush_learned(FIRST), Ok(1));
            assert_eq!(tables.fdb().learn(NOW, FIRST, MAC, OTHER), Learned::New { evicted: None });
        });
        let found = [READERS[1], READERS[0]].map(|find| find(&tables, MAC));
        let known = [found_at(ONE), found_at(OTHER), Lookup::Unknown];
        assert!(found.iter().all(|found| known.contains(found)), "torn: {found:?}");
        assert!(found[0] != known[1] || found[1] == known[1], "came back: {found:?}");
        writer.join().expect("the writer");
        assert_eq!(READERS[0](&tables, MAC), known[1]);
    });
}

/// An entry that has expired is replaced by somebody who says no time: whoever looks it up finds the new one, or
/// nothing. At most 2 preemptions, 1 for batches.
pub fn an_expired_entry_that_is_replaced_is_not_found_again() {
    let modelled = |part, _| match part {
        Part::Fdb => CONTROL | TAGS | STAMPS | VALUE_0,
        _ => 0,
    };
    let ways: [fn(&Tables) -> Lookup; 2] = [
        |tables| tables.fdb().lookup(LATE, FIRST, MAC),
        |tables| {
            let mut answers = [Lookup::Busy];
            tables.fdb().lookup_batch(LATE, &[(FIRST, MAC)], &mut answers);
            answers[0]
        },
    ];
    for (find, preemptions) in ways.into_iter().zip([2, 1]) {
        let (image, ()) = Image::new(Shape { buckets: 2, ..SHAPE }, modelled, fill);
        check(preemptions, move || {
            let tables = image.tables();
            let writer = spawn(&tables, |tables| {
                assert_eq!(tables.fdb().replace(FIRST, MAC, OTHER), Ok(Change::Updated));
            });
            let found = find(&tables);
            assert!([Lookup::Unknown, found_at(OTHER)].contains(&found), "came back: {found:?}");
            writer.join().expect("the writer");
            assert_eq!(find(&tables), found_at(OTHER));
        });
    }
}

/// An entry moves to its second bucket, or back, while it is looked up: it is found. At most 1 preemption. What comes
/// after four looks at buckets, or six for two addresses, is run in one way only.
pub fn an_entry_that_is_moved_is_found() {
    let ways = [(READERS[0], 4), (READERS[1], 4), (READERS[2], 6)];
    for ((find, looks), back) in ways.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let modelled = |part, _| match part {
            Part::Fdb => CONTROL | TAGS | STAMP_3 | VALUE_3 | MIXED_3 | HIGH_3,
            _ => 0,
        };
        let (image, (mac, newcomer)) = Image::new(Shape { buckets: 3, ..SHAPE }, modelled, |tables| {
            fill_street(tables);
            if back {
                relocate(tables, newcomer(true));
            }
            (sought(), newcomer(!back))
        });
        check(1, move || {
            let tables = image.tables();
            let writer = spawn(&tables, move |tables| relocate(tables, newcomer));
            let found = looking(looks, || find(&tables, mac));
            assert_eq!(found, found_at(ONE), "vanished: it is there all the time");
            writer.join().expect("the writer");
        });
    }
}

/// Three buckets as in the models of relocation: two are full, and only the sought entry can make room, by moving into
/// the third.
fn fill_street(tables: &Tables) {
    tables.fdb().add_vni(FIRST).expect("room");
    for remote in [ONE, OTHER] {
        assert_eq!(tables.remotes().add(&remote_at(remote)), Ok(remote));
    }
    let add = |mac, remote| tables.fdb().add(FIRST, mac, remote).expect("room");
    let fill = |first, second, count| macs(first, second).take(count).for_each(|mac| add(mac, OTHER));
    fill(HOME, BETWEEN, 3);
    add(sought(), ONE);
    fill(BETWEEN, HOME, 4);
    fill(AWAY, BETWEEN, 3);
}

fn sought() -> MacAddr {
    macs(HOME, AWAY).next().expect("infinitely many")
}

/// For whom the sought entry moves to its second bucket, or back.
fn newcomer(to_second: bool) -> Key {
    let home = if to_second { HOME } else { AWAY };
    key(macs(home, BETWEEN).nth(9).expect("infinitely many"))
}

/// Moves the sought entry to make room.
fn relocate(tables: &Tables, newcomer: Key) {
    let moved = tables.fdb().map.relocate(newcomer, tables.meta().relocations(), &Dead::NONE);
    assert_eq!(moved, Ok(true), "there was a free slot");
}

/// Addresses of the first VNI whose first and second bucket, of three, are these.
fn macs(first: usize, second: usize) -> impl Iterator<Item = MacAddr> {
    let mac = |n: u32| {
        let [a, b, c, d] = n.to_be_bytes();
        MacAddr([2, 0, a, b, c, d])
    };
    (1..).map(mac).filter(move |&mac| places(3, key(mac)) == (first, second))
}

/// The key of an address in the VNI that has the first number.
fn key(mac: MacAddr) -> Key {
    let [a, b, c, d, e, f] = mac.0;
    Key(u64::from_le_bytes([a, b, c, d, e, f, 1, 0]))
}

/// An entry that was learned.
fn fill(tables: &Tables) {
    tables.fdb().add_vni(FIRST).expect("room");
    for remote in [ONE, OTHER] {
        assert_eq!(tables.remotes().add(&remote_at(remote)), Ok(remote));
    }
    assert_eq!(tables.fdb().learn(NOW, FIRST, MAC, ONE), Learned::New { evicted: None });
}

fn remote_at(id: RemoteId) -> Remote {
    Remote::new([192, 0, 2, id.0.index() as u8 + 1].into(), 4_789)
}

fn found_at(remote: RemoteId) -> Lookup {
    Lookup::Found(Destination::Remote(remote))
}

/// The epoch is read Relaxed at first: the VNI may then still seem to be in front.
pub fn planted_epoch_of_a_lookup_read_relaxed() {
    let fault = |access| match access {
        Access { kind: Kind::Load, word: 3, order: Acquire } => Relaxed,
        access => access.order,
    };
    assert_fails("another one's", || observed(fault, || reused(2, READERS[0], reuse)));
    assert_fails("another one's", || observed(fault, || reused(1, READERS[1], reuse)));
}

/// The number of a VNI is given again without a new epoch.
pub fn planted_number_given_again_in_the_same_epoch() {
    let writer: fn(&Tables) = |tables| {
        let epoch = tables.meta().epoch();
        let before = epoch.load(Relaxed);
        tables.fdb().remove_vni(FIRST).expect("nobody is at work");
        epoch.store(before, Ordering::Release);
        give_again(tables);
    };
    READERS.into_iter().for_each(|find| assert_fails("another one's", || reused(2, find, writer)));
}

const NOW: Instant = Instant::from_secs(1);
/// When all that was learned has expired.
const LATE: Instant = Instant::from_secs(400);
const FIRST: Vni = Vni::truncate(0x0100);
const SECOND: Vni = Vni::truncate(0x0201);
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
/// Whose address no model has an entry of.
const NOBODY: MacAddr = MacAddr([6, 0, 0, 0, 0, 1]);
const ONE: RemoteId = RemoteId(Handle::new(Handle::REMOTE, 0, 0));
const OTHER: RemoteId = RemoteId(Handle::new(Handle::REMOTE, 0, 1));
const SHAPE: Shape = Shape { remotes: 2, vnis: 1, ..Shape::NONE };

// Buckets: where what is sought is at home, where it moves, and one that is nobody's other.
const HOME: usize = 0;
const BETWEEN: usize = 1;
const AWAY: usize = 2;

// Words of a bucket that change.
const CONTROL: u16 = 1;
const TAGS: u16 = 1 << 1;
const STAMPS: u16 = 0b11 << 2;
const STAMP_3: u16 = 1 << 3;
const VALUES: u16 = 0b1111 << 4;
const VALUE_0: u16 = 1 << 4;
const VALUE_3: u16 = 1 << 7;
const MIXED_3: u16 = 1 << 11;
const HIGH_3: u16 = 1 << 15;

// Words of a domain's line, and of those that all tables share.
const NAME: u16 = 1;
const LEARNED: u16 = 1 << 1;
const EPOCH: u16 = 1 << 3;
