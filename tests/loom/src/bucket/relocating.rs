//! What readers see of entries that move from bucket to bucket.

use std::sync::atomic::Ordering::{Acquire, Relaxed};

use super::Street;
use crate::model::{Image, READERS, assert_present, check, entry, keys, roamed, spawn};

/// An entry moves from its first bucket to its second, of which nobody was before: a reader finds it, though it
/// reads the second bucket only where the first one's count says so. At most 3 preemptions.
pub fn present_entry_is_found_while_it_moves_to_its_second() {
    present_entry_is_found(true);
}

/// An entry moves from its second bucket to its first, which is read before. At most 3 preemptions.
pub fn present_entry_is_found_while_it_moves_to_its_first() {
    present_entry_is_found(false);
}

fn present_entry_is_found(to_second: bool) {
    let street = Street::new();
    let image = street.image(!to_second);
    for find in READERS {
        let image = image.clone();
        check(3, move || {
            let world = image.world();
            let writer = spawn(&world, move |world| street.relocate(world, to_second));
            assert_present(find(&world, street.key), street.key, &[0]);
            writer.join().expect("the writer");
        });
    }
}

/// An entry moves to its second bucket and back. At most 1 preemption.
pub fn present_entry_is_found_while_it_moves_there_and_back() {
    let street = Street::new();
    let image = street.image(false);
    for find in READERS {
        let image = image.clone();
        check(1, move || {
            let world = image.world();
            let writer = spawn(&world, move |world| {
                street.relocate(world, true);
                street.relocate(world, false);
            });
            assert_present(find(&world, street.key), street.key, &[0]);
            writer.join().expect("the writer");
        });
    }
}

/// Two entries lie in their second bucket, and one is removed, by its key or by the sweep: the other is found, since
/// the count does not fall too far. At most 3 preemptions.
pub fn present_entry_is_found_while_its_neighbour_goes() {
    let inhabitants: Vec<_> = keys(2, 0, 1).take(6).collect();
    let [stays, goes] = [inhabitants[4], inhabitants[5]];
    let image = Image::new(2, |world| inhabitants.iter().for_each(|&key| world.add(&entry(key, 0))));
    for (sweep, find) in [false, true].into_iter().flat_map(|sweep| READERS.map(|find| (sweep, find))) {
        let image = image.clone();
        check(3, move || {
            let world = image.world();
            let writer =
                spawn(&world, move |world| if sweep { world.sweep_out(1, goes) } else { world.remove(goes) });
            assert_present(find(&world, stays), stays, &[0]);
            writer.join().expect("the writer");
            assert_eq!(world.overflow(0), 1);
        });
    }
}

/// An entry is pointed to another destination and then moves: a reader sees the old one or the new one, never none.
/// At most 2 preemptions.
pub fn a_moved_entry_never_vanishes() {
    let street = Street::new();
    for (to_second, find) in [true, false].into_iter().flat_map(|to| READERS.map(|find| (to, find))) {
        let image = street.image(!to_second);
        check(2, move || {
            let world = image.world();
            let writer = spawn(&world, move |world| {
                world.roam(street.key);
                street.relocate(world, to_second);
            });
            let found = find(&world, street.key).expect("vanished: it is there all the time");
            assert!([entry(street.key, 0).content, roamed(street.key)].contains(&found), "torn: {found:?}");
            writer.join().expect("the writer");
        });
    }
}

/// A dump that does not meet an entry because it moves sees that the count of relocations has changed. At most 1
/// preemption.
pub fn a_dump_notices_relocations() {
    let street = Street::new();
    for to_second in [true, false] {
        let image = street.image(!to_second);
        check(1, move || {
            let world = image.world();
            let writer = spawn(&world, move |world| street.relocate(world, to_second));
            let before = world.relocations.load(Acquire);
            let met = world.entries(street.key);
            let after = world.relocations.load(Relaxed);
            assert!(!met.is_empty() || before != after, "vanished: not met, and not told");
            writer.join().expect("the writer");
        });
    }
}
