//! Writers that stop in the middle.

use std::{
    cell::Cell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::Ordering,
};

use super::Street;
use crate::{
    model::{Image, READERS, World, assert_content, assert_present, check, crossed_keys, entry, spawn},
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
    for (sought, find) in [there, new, never].into_iter().flat_map(|key| READERS.map(|find| (key, find))) {
        let image = image.clone();
        check(3, move || {
            let world = image.world();
            let writer = spawn(&world, move |world| {
                let mut locked = world.map().lock(new).expect("a free lock");
                locked.insert(&entry(new, 0)).expect("a free slot");
                // For ever.
                mem::forget(locked);
            });
            let found = find(&world, sought);
            assert_content(found, sought, &[0]);
            assert!(found.is_some() || sought != there, "vanished: it is there all the time");
            assert!(found.is_none() || sought != never, "torn: a key that never was");
            writer.join().expect("the writer");
            assert_present(find(&world, new), new, &[0]);
            assert_eq!(world.map().lock(there).err(), Some(Busy));
        });
    }
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
            for find in READERS {
                STEPS.set(0);
                let found = observed(count, || find(&world, key));
                assert!(STEPS.get() <= STEPS_OF_A_TRY, "{name}: {} steps", STEPS.get());
                assert_content(found, key, &[0]);
                assert!(found.is_some() || fleeting.contains(&key), "vanished: {key:?} in {name}");
            }
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

/// Of both buckets: a glance, which is the control word, three low words, and five words of one slot; the fence and
/// the control word; then all slots, the same way.
const STEPS_OF_A_TRY: usize = 2 * (1 + 3 + 5 + 2) + 2 * (1 + 4 + 4 * 5 + 2);
