//! Remotes that nobody configured: somebody does, or the sweep removes them.

use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst},
};

use crate::{
    model::check,
    planted::assert_fails,
    table::{
        Destination, Error, Learned, ListId, Lookup, Remote, RemoteId,
        handle::Handle,
        line::{Access, Kind, Observer, fence, observed, sequential},
    },
    tables::{Image, Part, Shape, Tables, spawn},
    time::Instant,
    wire::{MacAddr, Vni},
};

/// A packet of a remote comes while that is configured: what is learned counts on the account that it is given back to
/// when it is flushed. At most 3 preemptions.
pub fn what_is_learned_while_its_remote_is_configured_counts_once() {
    let modelled = |part, line| match (part, line) {
        (Part::Names, 0) => NAMES,
        (Part::States, _) => 1,
        (Part::Accounts, 0) => LEARNED,
        _ => 0,
    };
    let (image, ()) = Image::new(SHAPE, modelled, |tables| {
        tables.fdb().add_vni(VNI).expect("room");
        assert_eq!(tables.remotes().find_or_learn(&A), Ok(ONE));
    });
    check(3, move || {
        let tables = image.tables();
        let active = || tables.meta().active_quotas().load(Relaxed);
        let none = active();
        let writer = spawn(&tables, |tables| tables.remotes().find_or_add(&A));
        let learned = tables.fdb().learn(NOW, VNI, MAC, ONE);
        assert_eq!(writer.join().expect("the writer"), Ok(ONE));
        tables.remotes().flush_learned(ONE).expect("a free lock");
        bury(&tables);
        assert_eq!(active(), none, "counted twice: {learned:?}");
        assert!(matches!(tables.fdb().learn(NOW, VNI, MAC, ONE), Learned::New { .. }));
        assert_eq!(active(), none + 1, "counted twice: {learned:?}");
    });
}

/// A remote that nothing names is configured just when the sweep comes by: it stays. At most 2 preemptions.
pub fn a_sweep_leaves_what_was_just_configured() {
    let modelled = |part, line| match (part, line) {
        (Part::Names, 0) => NAMES,
        (Part::States, _) => 1,
        _ => 0,
    };
    let (image, ()) = Image::new(SHAPE, modelled, |tables| {
        assert_eq!(tables.remotes().find_or_learn(&A), Ok(ONE));
        tables.meta().passes().store(1, Relaxed);
    });
    check(2, move || {
        let tables = image.tables();
        let sweep = spawn(&tables, |tables| tables.remotes().remove_unused(0));
        let configured = tables.remotes().find_or_add(&A);
        sweep.join().expect("the sweep");
        if let Ok(id) = configured {
            assert_eq!(tables.remotes().get(id), Some(A), "lost");
        }
    });
}

/// Something comes that names a remote which nobody configured, just when a sweep ends and another one begins, which
/// finds nothing else that does: it stays. At most 2 preemptions.
pub fn a_sweep_leaves_what_is_just_named() {
    WAYS.into_iter().for_each(|way| sequential(|| naming(way)));
}

/// How a remote comes to be named, and whether it was; what asks whether it is then still there.
const WAYS: [fn(&Tables) -> Result<Named, Error>; 3] = [
    |tables| tables.fdb().add(VNI, MAC, ONE).map(|()| Named::Entry(MAC)),
    |tables| tables.fdb().replace(VNI, BESIDE, ONE).map(|_| Named::Entry(BESIDE)),
    |tables| tables.lists().add_list(&[ONE]).map(Named::List),
];

enum Named {
    Entry(MacAddr),
    List(ListId),
}

/// What changes while something comes that names a remote, and a sweep comes by.
const fn words(part: Part, line: usize) -> u16 {
    match (part, line) {
        (Part::Names, 0) => NAMES,
        (Part::States, _) => 1,
        (Part::Accounts, 0) => USED_PASS,
        (Part::Meta, 0) => PASSES,
        (Part::Meta, 1) => UNCONFIGURED,
        (Part::Fdb, _) => CONTROL | VALUES,
        (Part::Lists, _) => STATE | MEMBER,
        _ => 0,
    }
}

fn naming(way: fn(&Tables) -> Result<Named, Error>) {
    let (image, ()) = Image::new(SHAPE, words, |tables| {
        assert_eq!(tables.remotes().find_or_learn(&A), Ok(ONE));
        tables.fdb().add(VNI, BESIDE, Destination::Local).expect("room");
    });
    check(2, move || {
        let tables = image.tables();
        let sweep = spawn(&tables, sweep);
        let named = way(&tables);
        sweep.join().expect("the sweep");
        match named {
            Ok(Named::Entry(mac)) => {
                let found = tables.fdb().lookup(NOW, VNI, mac);
                assert_eq!(found, Lookup::Found(Destination::Remote(ONE)), "lost");
            }
            Ok(Named::List(list)) => assert!(tables.lists().members(list).eq([ONE]), "lost"),
            Err(_) => {}
        }
    });
}

/// Who would name a remote once more, and is refused, began before the sweep that has found where it is named: its
/// number stays noted. At most 2 preemptions.
pub fn an_older_number_does_not_replace_a_later_one() {
    for [there, refused] in [[MAC, BESIDE], [BESIDE, MAC]] {
        let (image, ()) = Image::new(SHAPE, words, |tables| {
            assert_eq!(tables.remotes().find_or_learn(&A), Ok(ONE));
            tables.fdb().add(VNI, there, ONE).expect("room");
            tables.fdb().set_limit(VNI, NonZeroU32::new(1)).expect("a VNI");
        });
        sequential(|| {
            check(2, move || {
                let tables = image.tables();
                let sweep = spawn(&tables, sweep);
                assert!(tables.fdb().add(VNI, refused, ONE).is_err());
                sweep.join().expect("the sweep");
                let found = tables.fdb().lookup(NOW, VNI, there);
                assert_eq!(found, Lookup::Found(Destination::Remote(ONE)), "lost");
            });
        });
    }
}

/// A sweep begins when the one before has ended; it goes on as far as it can look.
fn sweep(tables: &Tables) {
    tables.meta().passes().fetch_add(1, Release);
    fence(SeqCst);
    let fdb = tables.fdb();
    for bucket in 0..fdb.map.len() {
        let Ok(slots) = fdb.map.bucket(bucket) else { return };
        slots.iter().flatten().for_each(|slot| fdb.note_use(slot));
    }
    if (0..tables.lists().lines.len()).all(|line| tables.lists().sweep(line).is_ok()) {
        tables.remotes().remove_unused(0);
    }
}

/// Removes all entries, as the sweep does with those that are dead.
fn bury(tables: &Tables) {
    let fdb = tables.fdb();
    for bucket in 0..fdb.map.len() {
        let mut locked = fdb.map.lock_bucket(bucket).expect("a free lock");
        for (place, slot) in locked.slots().into_iter().enumerate() {
            if let Some(slot) = slot {
                locked.remove(place);
                fdb.settle(&slot);
            }
        }
    }
}

/// A new name is told Relaxed: who learns by it may still see that nobody has configured the remote.
pub fn planted_name_told_relaxed() {
    let fault = |access| match access {
        Access { kind: Kind::Store(_), word: 1, .. } => Relaxed,
        access => access.order,
    };
    assert_fails("counted twice", || {
        observed(fault, what_is_learned_while_its_remote_is_configured_counts_once);
    });
}

/// Locks are taken without a place in the order of all: who has one may still see the number of the sweep before.
pub fn planted_place_locked_out_of_order() {
    let fault: Observer = |access| match access {
        Access { kind: Kind::Update, order: SeqCst, .. } => Acquire,
        access => access.order,
    };
    for way in WAYS {
        assert_fails("lost", || observed(fault, || sequential(|| naming(way))));
    }
}

const NOW: Instant = Instant::from_secs(1);
const VNI: Vni = Vni::truncate(0x0100);
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const BESIDE: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const ONE: RemoteId = RemoteId(Handle::new(Handle::REMOTE, 0, 0));
const A: Remote = Remote::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1);
const SHAPE: Shape = Shape { remotes: 2, lists: 1, vnis: 1, buckets: 2, ..Shape::NONE };

// The names of the first remote.
const NAMES: u16 = 0b11;

// Words of its account.
const LEARNED: u16 = 1;
const USED_PASS: u16 = 1 << 5;

// Words that all tables share.
const PASSES: u16 = 1 << 2;
const UNCONFIGURED: u16 = 1 << 4;

// Words of a bucket that change.
const CONTROL: u16 = 1;
const VALUES: u16 = 0b1111 << 4;

// Words of a list that change.
const STATE: u16 = 1;
const MEMBER: u16 = 1 << 2;
