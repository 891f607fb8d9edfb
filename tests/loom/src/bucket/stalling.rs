//! Writers that stop in the middle.

use std::{
    cell::Cell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::Ordering,
};

use super::Street;
use crate::{
    model::{Image, World, assert_content, assert_present, check, crossed_keys, entry, spawn},
    table::{
        bucket::{Busy, Key},
        line::{Access, Kind, observed},
    },
};

/// A writer that keeps both locks for ever: a reader answers, and rightly; another writer is told [`Busy`].
/// At most 3 preemptions.
pub fn stalled_writer_stops_no_reader() {
    let [there, new, never, _] = crossed_keys();
    let image = Image::new(2, |world| world.add(&entry(there, 0)));
    check(3, move || {
        let world = image.world();
        let writer = spawn(&world, move |world| {
            let mut locked = world.map().lock(new).expect("a free lock");
            locked.insert(&entry(new, 0)).expect("a free slot");
            // For ever.
            mem::forget(locked);
        });
        assert_present(world.find(there), there, &[0]);
        assert_content(world.find(new), new, &[0]);
        assert_eq!(world.find(never), None);
        writer.join().expect("the writer");
        assert_present(world.find(new), new, &[0]);
        assert_eq!(world.map().lock(there).err(), Some(Busy));
    });
}

/// A writer stops before any of its stores: readers that come then need a single try. One thread.
pub fn writer_stalled_anywhere_stops_no_reader() {
    let street = Street::new();
    let [old, new, ..] = crossed_keys();
    let image = Image::with_cold(2, |world| world.add(&entry(old, 0)));
    stall_anywhere("insert", &image, &[old], &[new], |world| world.add(&entry(new, 0)));
    stall_anywhere("remove", &image, &[], &[old], |world| world.remove(old));
    for to_second in [true, false] {
        let image = street.image(!to_second);
        stall_anywhere("relocate", &image, &[street.key], &[], |world| street.relocate(world, to_second));
    }
}

/// `present` are there all the time, `fleeting` come or go.
fn stall_anywhere(name: &str, image: &Image, present: &[Key], fleeting: &[Key], write: impl Fn(&World)) {
    for stores in 0.. {
        let world = image.world();
        STORES_LEFT.set(stores);
        let stalled = observed(stall, || catch_unwind(AssertUnwindSafe(|| write(&world)))).is_err();
        for &key in present.iter().chain(fleeting) {
            STEPS.set(0);
            let found = observed(count, || world.find(key));
            assert!(STEPS.get() <= STEPS_OF_A_TRY, "{name}: {} steps", STEPS.get());
            assert_content(found, key, &[0]);
            assert!(found.is_some() || fleeting.contains(&key), "vanished: {key:?} in {name}");
        }
        if !stalled {
            assert!(stores >= 3, "{name} has {stores} stores");
            println!("{name} stalled before each of its {stores} stores");
            return;
        }
    }
}

/// Counts the accesses of a reader.
fn count(access: Access) -> Ordering {
    STEPS.set(STEPS.get() + 1);
    access.order
}

/// Ends a writer before a store; nothing is stored while its locks are dropped.
fn stall(access: Access) -> Ordering {
    if matches!(access.kind, Kind::Store(_)) {
        match STORES_LEFT.get().checked_sub(1) {
            Some(left) => STORES_LEFT.set(left),
            None => resume_unwind(Box::new("stalled")),
        }
    }
    access.order
}

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
    static STORES_LEFT: Cell<usize> = const { Cell::new(0) };
}

/// Of both buckets: the control word, four low words, five words of each slot, the fence, the control word.
const STEPS_OF_A_TRY: usize = 2 * (1 + 4 + 4 * 5 + 2);
