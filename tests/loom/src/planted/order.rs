//! Every memory ordering of the protocol, weakened one at a time; the models are run over the crate's own code.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::Ordering::{self, Acquire, Relaxed, Release},
    },
};

use super::assert_fails;
use crate::{
    bucket,
    model::{Image, check, spawn},
    table::line::{Access, Kind, Observer, observed},
};

/// Not a fault of the protocol but of loom: without what [`line`](crate::table::line) does about it, this would see
/// one outcome only. At most 2 preemptions.
pub fn every_order_is_run() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let image = Image::new(1, |_| ());
    let outcomes = Arc::clone(&seen);
    check(2, move || {
        let world = image.world();
        let other = spawn(&world, |world| {
            let word = world.line(0).word(1);
            word.store(word.load(Relaxed) + 1, Relaxed);
        });
        outcomes.lock().expect("one thread").insert(world.line(0).word(1).load(Relaxed));
        other.join().expect("the writer");
    });
    assert_eq!(*seen.lock().expect("one thread"), BTreeSet::from([0, 1]));
}

/// The new version is stored Relaxed and not fenced: what passes every stress test on x86.
pub fn planted_version_without_order() {
    let fault = |access| match access {
        Access { kind: Kind::Fence, order: Release, .. } => Relaxed,
        _ => version_relaxed(access),
    };
    found("torn", fault, bucket::no_torn_entry);
    found("vanished", fault, bucket::present_entry_is_found_while_it_moves_to_its_first);
}

/// The new version is fenced, but stored Relaxed: who reads it may still see what was before.
pub fn planted_version_stored_relaxed() {
    found("torn", version_relaxed, bucket::no_torn_entry);
    // Not in dumps: they read no bucket that is locked, and what comes after has the lock's order.
    found("vanished", version_relaxed, bucket::present_entry_is_found_while_it_moves_to_its_first);
}

/// The new version is stored with Release, but not fenced: the new key may be seen before it.
pub fn planted_version_not_fenced() {
    let fault = |access| match access {
        Access { kind: Kind::Fence, order: Release, .. } => Relaxed,
        access => access.order,
    };
    found("torn", fault, bucket::no_torn_entry);
    found("torn", fault, bucket::a_slot_used_again_is_noticed);
    found("torn", fault, bucket::no_torn_dump);
}

/// Readers compare the version without a fence before.
pub fn planted_comparison_not_fenced() {
    let fault = |access| match access {
        Access { kind: Kind::Fence, order: Acquire, .. } => Relaxed,
        access => access.order,
    };
    found("torn", fault, bucket::no_torn_entry);
    found("torn", fault, bucket::a_slot_used_again_is_noticed);
    found("torn", fault, bucket::no_torn_dump);
}

/// Readers load the version Relaxed to begin with.
pub fn planted_version_read_relaxed() {
    let fault = |access| match access {
        Access { kind: Kind::Load, word: CONTROL, .. } => Relaxed,
        access => access.order,
    };
    found("torn", fault, bucket::no_torn_entry);
    found("torn", fault, bucket::no_torn_dump);
    found("vanished", fault, bucket::present_entry_is_found_while_it_moves_to_its_first);
}

/// The value that publishes an entry is stored Relaxed.
pub fn planted_value_published_relaxed() {
    let fault = |access| match access {
        Access { kind: Kind::Store(1..), word: VALUES..VALUES_END, .. } => Relaxed,
        access => access.order,
    };
    found("torn", fault, bucket::no_torn_entry);
    found("torn", fault, bucket::stalled_writer_stops_no_reader);
}

/// The value is cleared with Relaxed: who misses the entry there may not see where it went.
pub fn planted_value_cleared_relaxed() {
    let fault = |access| match access {
        Access { kind: Kind::Store(0), word: VALUES..VALUES_END, .. } => Relaxed,
        access => access.order,
    };
    found("vanished", fault, bucket::present_entry_is_found_while_it_moves_to_its_second);
    found("vanished", fault, bucket::a_moved_entry_never_vanishes);
}

/// Readers load the value Relaxed.
pub fn planted_value_read_relaxed() {
    let fault = |access| match access {
        Access { kind: Kind::Load, word: VALUES..VALUES_END, .. } => Relaxed,
        access => access.order,
    };
    found("torn", fault, bucket::no_torn_entry);
    found("torn", fault, bucket::stalled_writer_stops_no_reader);
}

/// Locks are taken with Relaxed.
pub fn planted_lock_taken_relaxed() {
    let fault = |access| match access {
        Access { kind: Kind::Update, word: CONTROL, .. } => Relaxed,
        access => access.order,
    };
    WRITERS.into_iter().for_each(|model| found("locks", fault, model));
}

/// Locks are given back with Relaxed.
pub fn planted_lock_given_back_relaxed() {
    let fault = |access| match access {
        Access { kind: Kind::Store(control), word: CONTROL, .. } if control & LOCK == 0 => Relaxed,
        access => access.order,
    };
    WRITERS.into_iter().for_each(|model| found("locks", fault, model));
}

const WRITERS: [fn(); 4] = [
    bucket::two_writers_of_one_key,
    bucket::two_writers_of_two_keys,
    bucket::relocation_and_removal,
    bucket::relocation_and_roaming,
];

fn version_relaxed(access: Access) -> Ordering {
    match access {
        Access { kind: Kind::Store(control), word: CONTROL, .. } if control & LOCK != 0 => Relaxed,
        access => access.order,
    }
}

#[track_caller]
fn found(message: &str, fault: Observer, model: fn()) {
    assert_fails(message, || observed(fault, model));
}

// Where things are in a bucket's line, as its module's diagram says.
const CONTROL: usize = 0;
const LOCK: u32 = 1;
const VALUES: usize = 4;
const VALUES_END: usize = 8;
