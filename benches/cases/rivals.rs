//! Maps of the crates that everybody has, at their best: a key of 64 bits, a remote's number as the value, no VNI
//! to find, nothing that expires, and no writer meanwhile.

use std::{hash::BuildHasher, hint::black_box};

use super::fdb::{Contestant, Key, Work, packed};

/// A hash map of hashbrown's, which std's is too.
pub struct Hashbrown<H>(&'static str, hashbrown::HashMap<u64, u32, H>);

impl<H: BuildHasher + Default> Hashbrown<H> {
    pub fn new(name: &'static str, work: &Work) -> Self {
        let mut map = hashbrown::HashMap::with_capacity_and_hasher(work.entries.len(), H::default());
        map.extend(work.entries.iter().map(|&(key, remote)| (packed(key), remote)));
        Self(name, map)
    }
}

/// hashbrown with foldhash, seeded by chance.
pub fn foldhash(work: &Work) -> impl Contestant + use<> {
    Hashbrown::<foldhash::fast::RandomState>::new("hashbrown+foldhash", work)
}

/// hashbrown with FxHash, which has no seed.
pub fn fxhash(work: &Work) -> impl Contestant + use<> {
    Hashbrown::<rustc_hash::FxBuildHasher>::new("hashbrown+FxHash", work)
}

/// What std has: SipHash.
pub fn std_map(work: &Work) -> impl Contestant + use<> {
    Hashbrown::<std::hash::RandomState>::new("std HashMap", work)
}

impl<H: BuildHasher> Contestant for Hashbrown<H> {
    fn name(&self) -> String {
        self.0.into()
    }

    fn answer(&self, key: Key) -> Option<u32> {
        self.1.get(&packed(key)).copied()
    }

    fn single(&self, keys: &[Key]) -> usize {
        keys.iter().filter(|&&key| black_box(self.1.get(&packed(key)).copied()).is_some()).count()
    }
}

/// One load from a random line of as much memory as our table has: what no table can be faster than.
pub struct Touch {
    lines: Vec<[u64; 8]>,
}

impl Touch {
    /// As many lines as our buckets for the same entries: five of eight slots in use.
    pub fn new(work: &Work) -> Self {
        Self { lines: vec![[1; 8]; (2 * work.entries.len()).div_ceil(5) + 4] }
    }
}

impl Contestant for Touch {
    fn name(&self) -> String {
        "touch of a line".into()
    }

    fn answer(&self, _: Key) -> Option<u32> {
        unreachable!("it knows nothing")
    }

    fn single(&self, keys: &[Key]) -> usize {
        let count = self.lines.len() as u64;
        let mut sum = 0;
        for &(_, mac) in keys {
            let [_, _, a, b, c, d] = mac.0;
            let at = (u64::from(u32::from_ne_bytes([a, b, c, d])) * count) >> 32;
            sum += self.lines[at as usize][0];
        }
        black_box(sum) as usize
    }
}
