//! Three buckets in which one entry has somewhere to go.

use crate::{
    model::{Image, World, entry, keys},
    table::bucket::{Dead, Key},
};

/// Two buckets are full, the one where `key` is at home and one that is nobody's other; the third has a free slot.
/// To make room for `newcomer`, which may lie in the full two, the only way is that `key` moves to the third.
#[derive(Clone, Copy)]
pub(crate) struct Street {
    pub(crate) key: Key,
    newcomer: Key,
    /// For which `key` moves back.
    returner: Key,
}

/// The first bucket of `key`.
pub(crate) const HOME: usize = 0;
const BETWEEN: usize = 1;
/// The second bucket of `key`.
pub(crate) const OTHER: usize = 2;

impl Street {
    pub(crate) fn new() -> Self {
        let nth = |first, second, n| keys(3, first, second).nth(n).expect("infinitely many");
        Self { key: nth(HOME, OTHER, 0), newcomer: nth(HOME, BETWEEN, 9), returner: nth(OTHER, BETWEEN, 9) }
    }

    /// With `key` in its second bucket or in its first.
    pub(crate) fn image(self, second: bool) -> Image {
        Image::new(3, |world| {
            let fill = |first, second, count| {
                keys(3, first, second).take(count).for_each(|key| world.add(&entry(key, 0)));
            };
            fill(HOME, BETWEEN, 3);
            world.add(&entry(self.key, 0));
            fill(BETWEEN, HOME, 4);
            fill(OTHER, BETWEEN, 3);
            if second {
                self.relocate(world, true);
            }
        })
    }

    /// Moves `key` to its second bucket or back.
    pub(crate) fn relocate(self, world: &World, to_second: bool) {
        assert!(self.try_relocate(world, to_second), "there was a free slot");
    }

    /// Does so unless somebody else has removed `key`.
    pub(crate) fn try_relocate(self, world: &World, to_second: bool) -> bool {
        world.map().relocate(
            if to_second { self.newcomer } else { self.returner },
            &world.relocations,
            &Dead::NONE,
        ) == Ok(true)
    }
}
