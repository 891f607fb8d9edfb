//! Writers among themselves.

use std::rc::Rc;

use super::{HOME, OTHER, Street};
use crate::{
    model::{Image, World, assert_present, bare, check, entry, keys, roamed, spawn},
    table::bucket::{Added, Busy, Key, Slot},
};

/// Two threads add an entry of this key: one of them does, the other one is told, and it is there once.
fn add_twice(world: &Rc<World>, key: Key) {
    let other = spawn(world, move |world| world.try_add(&entry(key, 1)));
    let mine = world.try_add(&entry(key, 0));
    let salt = match (mine, other.join().expect("the other writer")) {
        (Ok(Added::New), Ok(Added::There(there))) if there == bare(key, 0) => 0,
        (Ok(Added::There(there)), Ok(Added::New)) if there == bare(key, 1) => 1,
        answers => panic!("locks: {answers:?}"),
    };
    assert_eq!(world.entries(key), [bare(key, salt)], "locks");
    assert_present(world.find(key), key, &[salt]);
}

/// Two threads add an entry of the same key, to a bucket with room and to one without: it is there once. At most 3
/// preemptions.
pub fn two_writers_of_one_key() {
    let inhabitants: Vec<_> = keys(2, 0, 1).take(5).collect();
    let key = inhabitants[4];
    for others in [1, 4] {
        let others = &inhabitants[..others];
        let image = Image::new(2, |world| others.iter().for_each(|&key| world.add(&entry(key, 0))));
        let full = others.len() == 4;
        check(3, move || {
            let world = image.world();
            add_twice(&world, key);
            assert_eq!(world.overflow(0), full.into(), "locks");
        });
    }
}

/// Two threads add entries of different keys where one of them finds room in its first bucket: both are there. At
/// most 3 preemptions.
pub fn two_writers_of_two_keys() {
    let inhabitants: Vec<_> = keys(2, 0, 1).take(5).collect();
    let [one, two] = [inhabitants[3], inhabitants[4]];
    let image = Image::new(2, |world| inhabitants[..3].iter().for_each(|&key| world.add(&entry(key, 0))));
    check(3, move || {
        let world = image.world();
        let other = spawn(&world, move |world| world.try_add(&entry(two, 0)));
        let mine = world.try_add(&entry(one, 0));
        assert_eq!(
            (mine, other.join().expect("the other writer")),
            (Ok(Added::New), Ok(Added::New)),
            "locks"
        );
        for key in [one, two] {
            assert_eq!(world.entries(key), [bare(key, 0)], "locks");
            assert_present(world.find(key), key, &[0]);
        }
        assert_eq!(world.overflow(0), 1, "locks");
    });
}

/// An entry moves while another thread removes it: it is gone afterwards, and no longer counted. At most 3
/// preemptions.
pub fn relocation_and_removal() {
    let street = Street::new();
    for to_second in [true, false] {
        let image = street.image(!to_second);
        check(3, move || {
            let world = image.world();
            let other = spawn(&world, move |world| street.try_relocate(world, to_second));
            world.remove(street.key);
            other.join().expect("the other writer");
            assert_eq!(world.entries(street.key), [], "locks");
            assert_eq!(world.find(street.key), None, "locks");
            assert_eq!(world.overflow(HOME), 0, "locks");
        });
    }
}

/// An entry moves while another thread points it elsewhere: it is there once, and points there. At most 3
/// preemptions.
pub fn relocation_and_roaming() {
    let street = Street::new();
    for to_second in [true, false] {
        let image = street.image(!to_second);
        check(3, move || {
            let world = image.world();
            let other = spawn(&world, move |world| street.try_relocate(world, to_second));
            world.roam(street.key);
            assert!(other.join().expect("the other writer"), "locks");
            let slot = Slot { content: roamed(street.key), ..bare(street.key, 0) };
            assert_eq!(world.entries(street.key), [slot], "locks");
            assert_eq!(world.bucket(if to_second { OTHER } else { HOME }).len(), 4, "locks");
            assert_eq!(world.overflow(HOME), to_second.into(), "locks");
        });
    }
}

/// The sweep removes an entry from its second bucket, and then tells the first one, while another thread adds one
/// there. Either may find the other at work and give up: the writer says so, and the sweep leaves the count too high,
/// never too low. At most 3 preemptions.
pub fn sweep_and_insertion() {
    let inhabitants: Vec<_> = keys(2, 0, 1).take(6).collect();
    let [goes, comes] = [inhabitants[4], inhabitants[5]];
    let image = Image::new(2, |world| inhabitants[..5].iter().for_each(|&key| world.add(&entry(key, 0))));
    check(3, move || {
        let world = image.world();
        let other = spawn(&world, move |world: &World| world.try_add(&entry(comes, 0)));
        world.sweep_out(1, goes);
        let added = other.join().expect("the other writer");
        assert!(matches!(added, Ok(Added::New) | Err(Busy)), "locks: {added:?}");
        assert_eq!(world.find(goes), None, "locks");
        assert_eq!(world.find(comes), added.ok().map(|_| entry(comes, 0).content), "locks");
        let (count, there) = (world.overflow(0), world.entries(comes).len());
        assert!((there..=there + 1).contains(&count), "locks: {count} for {there}");
    });
}

/// Two threads add an entry of the same key to a bucket which has room and an entry elsewhere, so that they look into
/// its second one without its lock: it is there once. At most 3 preemptions.
pub fn two_writers_of_one_key_beside_others_elsewhere() {
    let (image, inhabitants) = overflowing();
    let key = inhabitants[5];
    check(3, move || {
        let world = image.world();
        add_twice(&world, key);
        assert_eq!(world.overflow(0), 1, "locks");
    });
}

/// An entry in its second bucket is swept out while another thread adds one of the same key, for which there is room in
/// the first: it is there once, or the other one was there before. At most 3 preemptions.
pub fn sweep_and_insertion_of_one_key() {
    let (image, inhabitants) = overflowing();
    let key = inhabitants[4];
    check(3, move || {
        let world = image.world();
        let other = spawn(&world, move |world: &World| world.try_add(&entry(key, 1)));
        world.sweep_out(1, key);
        match other.join().expect("the other writer") {
            Ok(Added::New) => assert_eq!(world.entries(key), [bare(key, 1)], "locks"),
            Ok(Added::There(there)) => {
                assert_eq!((there, world.entries(key).len()), (bare(key, 0), 0), "locks");
            }
            answer => assert_eq!((answer, world.entries(key).len()), (Err(Busy), 0), "locks"),
        }
    });
}

/// An entry moves, there or back, while another thread adds one of the same key: it is there once, the one that moves.
/// At most 3 preemptions.
pub fn relocation_and_insertion_of_one_key() {
    let street = Street::new();
    for to_second in [true, false] {
        let image = street.image(!to_second);
        check(3, move || {
            let world = image.world();
            let other = spawn(&world, move |world| street.try_relocate(world, to_second));
            let mine = world.try_add(&entry(street.key, 1));
            other.join().expect("the other writer");
            let there = bare(street.key, 0);
            assert!(
                matches!(mine, Ok(Added::There(found)) if found == there) || mine == Err(Busy),
                "locks: {mine:?}"
            );
            assert_eq!(world.entries(street.key), [there], "locks");
            assert_present(world.find(street.key), street.key, &[0]);
        });
    }
}

/// Two buckets, of which the first has a free slot and one entry in the second; and six keys at home in the first, of
/// which the first is gone again, the last not there yet and the one before in the second bucket.
fn overflowing() -> (Image, Vec<Key>) {
    let inhabitants: Vec<_> = keys(2, 0, 1).take(6).collect();
    let image = Image::new(2, |world| {
        inhabitants[..5].iter().for_each(|&key| world.add(&entry(key, 0)));
        world.remove(inhabitants[0]);
    });
    (image, inhabitants)
}
