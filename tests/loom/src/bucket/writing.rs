//! Writers among themselves.

use super::{HOME, OTHER, Street};
use crate::{
    model::{Image, World, assert_present, bare, check, entry, keys, roamed, spawn},
    table::bucket::{Added, Busy, Slot},
};

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
            let other = spawn(&world, move |world| world.try_add(&entry(key, 1)));
            let mine = world.try_add(&entry(key, 0));
            let salt = match (mine, other.join().expect("the other writer")) {
                (Ok(Added::New), Ok(Added::There(there))) if there == bare(key, 0) => 0,
                (Ok(Added::There(there)), Ok(Added::New)) if there == bare(key, 1) => 1,
                answers => panic!("locks: {answers:?}"),
            };
            assert_eq!(world.entries(key), [bare(key, salt)], "locks");
            assert_present(world.find(key), key, &[salt]);
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
