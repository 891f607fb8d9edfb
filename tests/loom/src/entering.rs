//! Entries on their way into the forwarding database while what they name goes, and its number is given again.

use std::{
    num::NonZeroU32,
    sync::atomic::Ordering::{AcqRel, Acquire, Release, SeqCst},
};

use crate::{
    model::check,
    planted::assert_fails,
    table::{
        Destination, Learned, Lookup, NewEntry, Remote, RemoteId,
        handle::Handle,
        line::{Access, Kind, Observer, fence, observed, sequential},
    },
    tables::{Image, Part, Shape, Tables, spawn},
    time::Instant,
    wire::{MacAddr, Vni},
};

/// The ways in, and the last address that comes by each.
const WAYS: [(fn(&Tables), MacAddr); 6] = [
    (
        |tables| {
            let _ = tables.fdb().add(FIRST, MAC, ONE);
        },
        MAC,
    ),
    (
        |tables| {
            let _: Learned = tables.fdb().learn(NOW, FIRST, MAC, ONE);
        },
        MAC,
    ),
    (|tables| add_all(tables, &[MAC]), MAC),
    (|tables| learn_all(tables, &[MAC]), MAC),
    (|tables| add_all(tables, &[MAC, BESIDE]), BESIDE),
    (|tables| learn_all(tables, &[MAC, BESIDE]), BESIDE),
];

fn add_all(tables: &Tables, macs: &[MacAddr]) {
    let entries: Vec<_> = macs.iter().map(|&mac| (FIRST, mac, NewEntry::to(ONE))).collect();
    tables.fdb().add_batch(&entries, &mut [const { Ok(()) }; 2]);
}

fn learn_all(tables: &Tables, macs: &[MacAddr]) {
    let sources: Vec<_> = macs.iter().map(|&mac| (FIRST, mac, ONE)).collect();
    tables.fdb().learn_batch(NOW, &sources, &mut [Learned::Busy; 2]);
}

/// A VNI is removed, and another one gets its number after a sweep that saw no lock and found nothing any more, while
/// an entry comes into the first one: it is not the second one's. At most 2 preemptions.
pub fn an_entry_that_comes_is_not_that_of_the_next_vni() {
    WAYS.into_iter().for_each(coming);
}

fn coming((way, last): (fn(&Tables), MacAddr)) {
    let modelled = |part, line| match (part, line) {
        (Part::VniFront, 0) => 0b1111,
        (Part::VniMap, _) => CONTROL | VALUES,
        (Part::Vnis, _) => NAME | LEARNED | CONFIGURED,
        (Part::Fdb, _) => CONTROL | TAGS | VALUES,
        _ => 0,
    };
    let (image, ()) = Image::new(SHAPE, modelled, |tables| {
        tables.fdb().add_vni(FIRST).expect("room");
        assert_eq!(tables.remotes().add(&Remote::new([192, 0, 2, 1].into(), 4_789)), Ok(ONE));
        // Time has begun.
        tables.meta().fdb_swept().store(1, Release);
    });
    sequential(|| {
        check(2, move || {
            let tables = image.tables();
            let writer = spawn(&tables, |tables| tables.fdb().remove_vni(FIRST).is_ok() && replace(tables));
            way(&tables);
            if writer.join().expect("the writer") {
                for mac in [MAC, BESIDE] {
                    assert_eq!(tables.fdb().lookup(NOW, SECOND, mac), Lookup::Unknown, "another one's");
                }
            } else if tables.fdb().knows(FIRST) {
                // Who adds makes the VNI known again; what came before is then gone with the one that was removed.
                let found = tables.fdb().lookup(NOW, FIRST, last);
                assert_eq!(found, Lookup::Found(Destination::Remote(ONE)), "lost");
            }
        });
    });
}

/// A sweep, as far as it comes, and then another VNI; answers whether it came to its end.
fn replace(tables: &Tables) -> bool {
    let fdb = tables.fdb();
    fence(SeqCst);
    for bucket in 0..fdb.map.len() {
        // Whoever holds a lock may be about to put something there.
        let Ok(slots) = fdb.map.bucket(bucket) else { return false };
        if slots.iter().any(Option::is_some) {
            let Ok(mut locked) = fdb.map.lock_bucket(bucket) else { return false };
            let slots = locked.slots();
            (0..slots.len()).filter(|&slot| slots[slot].is_some()).for_each(|slot| locked.remove(slot));
        }
    }
    tables.meta().passes().fetch_add(2, Release);
    fdb.add_vni(SECOND).is_ok()
}

/// One entry is added and another one learned where a VNI has room for one: there are never two. Both may be refused.
/// At most 2 preemptions.
pub fn a_vni_has_no_more_entries_than_its_limit() {
    LAST_ROOM.into_iter().for_each(|ways| sequential(|| last_room(ways)));
}

fn last_room([add, learn]: [fn(&Tables); 2]) {
    let modelled = |part, _| match part {
        Part::Vnis => LEARNED | CONFIGURED,
        Part::Fdb => CONTROL | VALUES,
        _ => 0,
    };
    let (image, ()) = Image::new(SHAPE, modelled, |tables| {
        tables.fdb().set_limit(FIRST, NonZeroU32::new(1)).expect("room");
        assert_eq!(tables.remotes().add(&Remote::new([192, 0, 2, 1].into(), 4_789)), Ok(ONE));
        // Time has begun.
        tables.meta().fdb_swept().store(1, Release);
    });
    check(2, move || {
        let tables = image.tables();
        let writer = spawn(&tables, add);
        learn(&tables);
        writer.join().expect("the writer");
        let fdb = tables.fdb();
        let found = [MAC, BESIDE].map(|mac| fdb.lookup(NOW, FIRST, mac) != Lookup::Unknown);
        assert_eq!(fdb.count_vni(FIRST), (found[0].into(), found[1].into()), "what is there is counted");
        assert_ne!(found, [true; 2], "more than the limit");
    });
}

/// The ways of an entry that is added, and of one that is learned.
const LAST_ROOM: [[fn(&Tables); 2]; 2] = [
    [
        |tables| {
            let _ = tables.fdb().add(FIRST, MAC, ONE);
        },
        |tables| {
            let _: Learned = tables.fdb().learn(NOW, FIRST, BESIDE, ONE);
        },
    ],
    [|tables| add_all(tables, &[MAC]), |tables| learn_all(tables, &[BESIDE])],
];

/// While a VNI is added, another one takes the number that was free, has an entry, and goes; no sweep comes by. The
/// entry is still in its bucket, and not that of the VNI which is added. At most 1 preemption.
pub fn an_entry_of_a_vni_that_came_and_went_is_not_that_of_the_next() {
    let modelled = |part, line| match (part, line) {
        (Part::VniFront, 0) => 0b1111,
        (Part::VniMap, _) => CONTROL | VALUES,
        (Part::Vnis, _) => NAME | LEARNED | CONFIGURED,
        (Part::Meta, 1) => META_VNIS,
        (Part::Fdb, _) => CONTROL | VALUES,
        _ => 0,
    };
    let (image, ()) = Image::new(Shape { vnis: 3, ..SHAPE }, modelled, |tables| {
        let others = [0x0300, 0x0401, 0x0502].map(Vni::truncate);
        others.into_iter().for_each(|vni| tables.fdb().add_vni(vni).expect("room"));
        tables.fdb().remove_vni(others[1]).expect("nobody is at work");
        // Two sweeps, which find nothing: one number is free, and another one will be.
        tables.meta().passes().fetch_add(2, Release);
        tables.fdb().remove_vni(others[0]).expect("nobody is at work");
        assert_eq!(tables.remotes().add(&Remote::new([192, 0, 2, 1].into(), 4_789)), Ok(ONE));
    });
    check(1, move || {
        let tables = image.tables();
        let writer = spawn(&tables, |tables| {
            if tables.fdb().add(FIRST, MAC, ONE).is_ok() {
                tables.fdb().remove_vni(FIRST).expect("nobody else removes it");
            }
        });
        let added = tables.fdb().add_vni(SECOND);
        writer.join().expect("the writer");
        if added.is_ok() {
            assert_eq!(tables.fdb().lookup(NOW, SECOND, MAC), Lookup::Unknown, "another one's");
        }
    });
}

/// Locks are taken without a place in the order of all: who has one may still see the VNI that a sweep has seen go.
pub fn planted_lock_taken_out_of_order() {
    let fault: Observer = |access| match access {
        Access { kind: Kind::Update, order: SeqCst, .. } => Acquire,
        access => access.order,
    };
    for way in WAYS {
        assert_fails("another one's", || observed(fault, || coming(way)));
    }
}

/// Counts are taken without a place in the order of all: who counts and then looks at the other one may miss it.
pub fn planted_counts_of_a_vni_taken_out_of_order() {
    let fault: Observer = |access| match access {
        Access { kind: Kind::Update, word: 1 | 2, order: SeqCst } => AcqRel,
        access => access.order,
    };
    for ways in LAST_ROOM {
        assert_fails("more than the limit", || observed(fault, || sequential(|| last_room(ways))));
    }
}

const NOW: Instant = Instant::from_secs(1);
const FIRST: Vni = Vni::truncate(0x0100);
const SECOND: Vni = Vni::truncate(0x0201);
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const BESIDE: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const ONE: RemoteId = RemoteId(Handle::new(Handle::REMOTE, 0, 0));
const SHAPE: Shape = Shape { remotes: 2, vnis: 1, buckets: 2, ..Shape::NONE };

// Words of a bucket that change.
const CONTROL: u16 = 1;
const TAGS: u16 = 1 << 1;
const VALUES: u16 = 0b1111 << 4;

// Words of a domain's line.
const NAME: u16 = 1;
const LEARNED: u16 = 1 << 1;
const CONFIGURED: u16 = 1 << 2;

// A word that all tables share.
const META_VNIS: u16 = 1 << 11;
