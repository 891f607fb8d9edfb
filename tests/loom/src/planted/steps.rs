//! The steps of a relocation in other orders. The readers are the crate's own; the writer is not.

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::assert_fails;
use crate::{
    bucket::{HOME, OTHER, Street},
    model::{Image, READERS, World, assert_present, check, spawn},
    table::line::{Line, fence},
};

/// A step of a relocation.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Puts the entry where it goes: announced, written, published.
    Put,
    /// Counts it, or counts it no more.
    Count,
    /// Announces once more that something changes in the first bucket.
    Announce,
    /// Removes it from where it was.
    Clear,
}

use Step::{Announce, Clear, Count, Put};

/// The orders of the crate, done by the writer of this module: it does what it is meant to. At most 2 preemptions.
pub fn steps_in_the_right_order() {
    relocate(true, &[Put, Count, Clear]);
    relocate(false, &[Put, Announce, Clear, Count]);
}

/// An entry that is cleared first is nowhere for a while.
pub fn planted_clear_before_copy() {
    vanishes(true, &[Clear, Put, Count]);
    vanishes(true, &[Count, Clear, Put]);
    vanishes(false, &[Clear, Put, Announce, Count]);
}

/// An entry that is not counted where it is cleared is not looked for in the second bucket.
pub fn planted_overflow_counted_after_the_clear() {
    vanishes(true, &[Put, Clear, Count]);
}

/// An entry that is counted no more is not looked for in the second bucket either.
pub fn planted_overflow_counted_back_before_the_copy() {
    vanishes(false, &[Count, Put, Announce, Clear]);
}

/// A reader may begin when the copy has been announced, miss it, and come to the second bucket when all is over.
pub fn planted_relocation_back_announced_once() {
    vanishes(false, &[Put, Clear, Count]);
    vanishes(false, &[Put, Clear, Announce, Count]);
}

#[track_caller]
fn vanishes(to_second: bool, steps: &'static [Step]) {
    assert_fails("vanished", || relocate(to_second, steps));
}

/// A reader looks for an entry that is moved by these steps.
fn relocate(to_second: bool, steps: &'static [Step]) {
    let street = Street::new();
    let image = street.image(!to_second);
    let after = street.image(to_second);
    for find in READERS {
        let (image, after) = (image.clone(), after.clone());
        check(2, move || {
            let world = image.world();
            let (before, after) = (image.clone(), after.clone());
            let writer = spawn(&world, move |world| {
                for step in steps {
                    step.take(world, &before, &after, to_second);
                }
            });
            assert_present(find(&world, street.key), street.key, &[0]);
            writer.join().expect("the writer");
            assert_present(find(&world, street.key), street.key, &[0]);
        });
    }
}

impl Step {
    fn take(self, world: &World, before: &Image, after: &Image, to_second: bool) {
        let (source, sink) = if to_second { (HOME, OTHER) } else { (OTHER, HOME) };
        let value_that_changes = |bucket: usize| {
            let changes = |word: &usize| before.buckets[bucket][*word] != after.buckets[bucket][*word];
            (VALUES..VALUES_END).find(changes).expect("an entry that comes or goes")
        };
        match self {
            Put => {
                announce(world.line(sink));
                let value = value_that_changes(sink);
                let words = &after.buckets[sink];
                for word in (TAGS..VALUES).chain([value + 4, value + 8]) {
                    world.line(sink).word(word).store(words[word], Relaxed);
                }
                world.line(sink).word(value).store(words[value], Release);
            }
            Count => {
                let control = world.line(HOME).word(CONTROL);
                let count = if to_second { OVERFLOW_ONE } else { 0 };
                control.store(control.load(Relaxed) & !OVERFLOW | count, Release);
            }
            Announce => announce(world.line(HOME)),
            Clear => world.line(source).word(value_that_changes(source)).store(0, Release),
        }
    }
}

fn announce(line: &Line) {
    let control = line.word(CONTROL);
    control.store(control.load(Relaxed).wrapping_add(VERSION), Release);
    fence(Release);
}

// Where things are in a bucket's line, as its module's diagram says.
const CONTROL: usize = 0;
const TAGS: usize = 1;
const VALUES: usize = 4;
const VALUES_END: usize = 8;
const OVERFLOW: u32 = 0x7e;
const OVERFLOW_ONE: u32 = 2;
const VERSION: u32 = 0x80;
