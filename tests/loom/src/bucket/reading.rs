//! What readers see of entries that change.

use crate::{
    model::{Image, READERS, assert_content, assert_present, check, crossed_keys, entry, roamed, spawn},
    table::bucket::Key,
};

/// While an entry is deleted and another is inserted into its slot, a reader finds the content that belongs to the
/// key which it looks for, or nothing; a key that has a half of each is never there. At most 3 preemptions, 2 for
/// those.
pub fn no_torn_entry() {
    let [old, new, mixed, other_mixed] = crossed_keys();
    let image = Image::new(2, |world| world.add(&entry(old, 0)));
    for (sought, find) in
        [old, new, mixed, other_mixed].into_iter().flat_map(|key| READERS.map(|find| (key, find)))
    {
        let image = image.clone();
        let ever_there = sought == old || sought == new;
        check(if ever_there { 3 } else { 2 }, move || {
            let world = image.world();
            let writer = spawn(&world, move |world| {
                world.remove(old);
                world.add(&entry(new, 0));
            });
            let found = find(&world, sought);
            assert_content(found, sought, &[0]);
            assert!(found.is_none() || ever_there, "torn: a key that never was");
            writer.join().expect("the writer");
        });
    }
}

/// A slot is used for another key and then for the first one again: all parts of what is found are of one time.
/// At most 2 preemptions.
pub fn a_slot_used_again_is_noticed() {
    let [key, other, ..] = crossed_keys();
    let image = Image::new(2, |world| world.add(&entry(key, 0)));
    for find in READERS {
        let image = image.clone();
        check(2, move || {
            let world = image.world();
            let writer = spawn(&world, move |world| {
                let mut locked = world.map().lock(key).expect("a free lock");
                let mut replace = |old: Key, new| {
                    let (place, _) = locked.find(old).expect("the entry");
                    locked.remove(place);
                    locked.insert(&new).expect("a free slot");
                };
                replace(key, entry(other, 0));
                replace(other, entry(key, 1));
            });
            assert_content(find(&world, key), key, &[0, 1]);
            writer.join().expect("the writer");
        });
    }
}

/// A dump of a bucket has whole entries, with the cold words of their own. At most 1 preemption.
pub fn no_torn_dump() {
    let [old, new, ..] = crossed_keys();
    let image = Image::with_cold(2, |world| world.add(&entry(old, 0)));
    check(1, move || {
        let world = image.world();
        let writer = spawn(&world, move |world| {
            world.remove(old);
            world.add(&entry(new, 0));
        });
        for slot in world.bucket(0) {
            assert!(slot == entry(old, 0) || slot == entry(new, 0), "torn: {slot:?}");
        }
        writer.join().expect("the writer");
    });
}

/// While the cold words of an entry change, a reader finds all the old ones or all the new ones, or that the bucket
/// is busy. At most 3 preemptions.
pub fn cold_words_are_old_or_new() {
    let [key, ..] = crossed_keys();
    let image = Image::with_cold(2, |world| world.add(&entry(key, 0)));
    check(3, move || {
        let world = image.world();
        let writer = spawn(&world, move |world| {
            let (mut held, _) = world.map().hold(key).expect("a free lock").expect("the entry");
            held.set_cold(entry(key, 1).cold);
        });
        let [old, new] = [entry(key, 0), entry(key, 1)].map(|slot| slot.cold);
        let cold = world.map().slot_of(key, entry(key, 0).content.value).map(|slot| slot.cold);
        assert!(cold.is_none_or(|cold| [old, new].contains(&cold)), "torn: {cold:?}");
        writer.join().expect("the writer");
    });
}

/// An entry is pointed to another destination: a reader sees the old one or the new one, and not the old one again
/// after the new one. At most 3 preemptions.
pub fn a_roaming_entry_never_vanishes() {
    let [key, ..] = crossed_keys();
    let image = Image::new(2, |world| world.add(&entry(key, 0)));
    check(3, move || {
        let world = image.world();
        let writer = spawn(&world, move |world| world.roam(key));
        let [old, new] = [entry(key, 0).content, roamed(key)];
        let mut last = old;
        for _ in 0..3 {
            let found = world.find(key).expect("vanished: it is there all the time");
            assert!(found == new || found == old && last == old, "torn: {found:?} after {last:?}");
            last = found;
        }
        writer.join().expect("the writer");
    });
}

/// Other entries of a bucket come and go, next to one that stays. At most 3 preemptions.
pub fn present_entry_is_found_beside_others() {
    let [stays, goes, comes, _] = crossed_keys();
    let image = Image::new(2, |world| [goes, stays].iter().for_each(|&key| world.add(&entry(key, 0))));
    for find in READERS {
        let image = image.clone();
        check(3, move || {
            let world = image.world();
            let writer = spawn(&world, move |world| {
                world.remove(goes);
                world.add(&entry(comes, 0));
            });
            assert_present(find(&world, stays), stays, &[0]);
            writer.join().expect("the writer");
        });
    }
}

/// An entry that counts by its tag becomes one that does not, and then gets another tag and another stamp: whoever
/// looks for it finds it all the time, with either value, and never the old one with the new tag or the new stamp. At
/// most 3 preemptions.
pub fn an_entry_that_is_rewritten_never_vanishes() {
    let [key, ..] = crossed_keys();
    let image = Image::new(2, |world| world.add(&entry(key, 0)));
    let (old, new) = (entry(key, 0).content, roamed(key));
    check(3, move || {
        let world = image.world();
        let writer = spawn(&world, move |world| {
            let mut locked = world.map().lock(key).expect("a free lock");
            let (place, _) = locked.find(key).expect("the entry");
            locked.set_value(place, new.value);
            locked.set_said(place, old.tag.wrapping_add(1), old.stamp.wrapping_add(1));
        });
        let counts = |value, tag| value != old.value || tag == old.tag;
        let found = world.map().find(key, counts).expect("not busy").expect("it is there");
        assert!(found == old || found.value == new.value, "torn: {found:?}");
        writer.join().expect("the writer");
    });
}
