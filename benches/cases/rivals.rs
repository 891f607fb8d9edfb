//! Maps of the crates that everybody has, at their best: a key of 64 bits, a remote's number as the value, no VNI
//! to find, nothing that expires, and no writer meanwhile.

use std::{hash::BuildHasher, hint::black_box};

use super::fdb::{BATCH, Contestant, Key, Work, packed};

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
    ask: Option<fn(&[u64; 8])>,
}

impl Touch {
    /// As many lines as our buckets for the same entries: five of eight slots in use.
    pub fn new(work: &Work) -> Self {
        Self { lines: vec![[1; 8]; (2 * work.entries.len()).div_ceil(5) + 4], ask: None }
    }

    /// Where there is a way to ask for lines before they are loaded: those of a batch together.
    pub fn asking(self, ask: fn(&[u64; 8])) -> Self {
        Self { ask: Some(ask), ..self }
    }

    /// The line of a key.
    fn line(&self, (_, mac): Key) -> &[u64; 8] {
        let [_, _, a, b, c, d] = mac.0;
        let at = (u64::from(u32::from_ne_bytes([a, b, c, d])) * self.lines.len() as u64) >> 32;
        &self.lines[at as usize]
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
        black_box(keys.iter().map(|&key| self.line(key)[0]).sum::<u64>()) as usize
    }

    fn batch(&self, keys: &[Key]) -> Option<usize> {
        let ask = self.ask?;
        let known = keys.chunks(BATCH).map(|keys| {
            keys.iter().for_each(|&key| ask(self.line(key)));
            self.single(keys)
        });
        Some(known.sum())
    }
}
