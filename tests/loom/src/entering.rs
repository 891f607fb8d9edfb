//! Entries on their way into the forwarding database while what they name goes, and its number is given again.

use std::sync::atomic::Ordering::{Acquire, Release, SeqCst};

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

/// The ways in.
const WAYS: [fn(&Tables); 4] = [
    |tables| {
        let _ = tables.fdb().add(FIRST, MAC, ONE);
    },
    |tables| {
        let _: Learned = tables.fdb().learn(NOW, FIRST, MAC, ONE);
    },
    |tables| tables.fdb().add_batch(&[(FIRST, MAC, NewEntry::to(ONE))], &mut [Ok(())]),
    |tables| tables.fdb().learn_batch(NOW, &[(FIRST, MAC, ONE)], &mut [Learned::Busy]),
];

/// A VNI is removed, and another one gets its number after a sweep that saw no lock and found nothing any more, while
/// an entry comes into the first one: it is not the second one's. At most 2 preemptions.
pub fn an_entry_that_comes_is_not_that_of_the_next_vni() {
    WAYS.into_iter().for_each(coming);
}

fn coming(way: fn(&Tables)) {
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
                assert_eq!(tables.fdb().lookup(NOW, SECOND, MAC), Lookup::Unknown, "another one's");
            } else if tables.fdb().knows(FIRST) {
                let found = tables.fdb().lookup(NOW, FIRST, MAC);
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

const NOW: Instant = Instant::from_secs(1);
const FIRST: Vni = Vni::truncate(0x0100);
const SECOND: Vni = Vni::truncate(0x0201);
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
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
