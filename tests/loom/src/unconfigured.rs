//! Remotes that nobody configured: somebody does, or the sweep removes them.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::Ordering::Relaxed,
};

use crate::{
    model::check,
    planted::assert_fails,
    table::{
        Learned, Remote, RemoteId,
        handle::Handle,
        line::{Access, Kind, observed},
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

/// A remote that nothing names is configured just when the sweep comes by: it stays. At most 3 preemptions.
pub fn a_sweep_leaves_what_was_just_configured() {
    let modelled = |part, line| match (part, line) {
        (Part::Names, 0) => NAMES,
        (Part::States | Part::Index, _) => 1,
        _ => 0,
    };
    let (image, ()) = Image::new(SHAPE, modelled, |tables| {
        assert_eq!(tables.remotes().find_or_learn(&A), Ok(ONE));
        tables.meta().passes().store(1, Relaxed);
    });
    check(3, move || {
        let tables = image.tables();
        let sweep = spawn(&tables, |tables| tables.remotes().remove_unused(0));
        let configured = tables.remotes().find_or_add(&A);
        sweep.join().expect("the sweep");
        if let Ok(id) = configured {
            assert_eq!(tables.remotes().get(id), Some(A), "lost");
        }
    });
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

const NOW: Instant = Instant::from_secs(1);
const VNI: Vni = Vni::truncate(0x0100);
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const ONE: RemoteId = RemoteId(Handle::new(Handle::REMOTE, 0, 0));
const A: Remote = Remote::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1);
const SHAPE: Shape = Shape { remotes: 2, vnis: 1, buckets: 2, ..Shape::NONE };

// The names of the first remote.
const NAMES: u16 = 0b11;

// A word of its account.
const LEARNED: u16 = 1;
