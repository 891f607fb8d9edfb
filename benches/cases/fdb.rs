//! Lookups in a forwarding database: keys, the order in which they come, and the crate's own table.

use std::{collections::HashMap, hint::black_box, net::Ipv4Addr};

use encap::{
    table::{Capacity, Destination, Fdb, Learned, Line, Lookup, Remote, RemoteId, Settings, Tables},
    time::Instant,
    wire::{MacAddr, Vni},
};

use super::Random;

/// What a frame says.
pub type Key = (Vni, MacAddr);

/// Remotes of every table.
pub const REMOTES: u32 = 1024;

/// VNIs of every table. Neighbouring keys are of different ones.
pub const VNIS: u32 = 64;

/// Lookups of a slice of work.
pub const SLICE: usize = 1 << 12;

/// Lookups that are given at once.
pub const BATCH: usize = 32;

/// When all this happens.
pub const NOW: Instant = Instant::from_secs(1_000);

/// Keys of a table, where they point, and who asks for them in which order.
pub struct Work {
    pub entries: Vec<(Key, u32)>,
    /// Random entries.
    pub hits: Vec<Key>,
    /// Keys of the same VNIs that are not there.
    pub misses: Vec<Key>,
}

impl Work {
    /// A table of `size` entries, and `lookups` of each kind.
    pub fn new(size: usize, lookups: usize) -> Self {
        let mut random = Random(size as u64);
        let entries: Vec<_> =
            (0..size).map(|n| (key(n as u64), random.below(REMOTES as usize) as u32)).collect();
        let hits = (0..lookups).map(|_| entries[random.below(size)].0).collect();
        let misses = (0..lookups).map(|_| key((size + random.below(size)) as u64)).collect();
        Self { entries, hits, misses }
    }
}

/// The keys of a slice.
pub fn slice<T>(keys: &[T], slice: usize) -> &[T] {
    let at = slice * SLICE % keys.len();
    &keys[at..at + SLICE]
}

/// The key of a number; another one for each below 2^40, and no pattern that a hash could profit from.
pub fn key(number: u64) -> Key {
    const MASK: u64 = (1 << 40) - 1;
    let mut x = number;
    for shift in [21, 17, 23] {
        x = x.wrapping_add(0x5_1234_5678).wrapping_mul(0x9e37_79b9_7f4a_7c15) & MASK;
        x ^= x >> shift;
    }
    let [_, _, _, a, b, c, d, e] = x.to_be_bytes();
    (vni((x >> 3) as u32 % VNIS), MacAddr([2, a, b, c, d, e]))
}

/// The VNI of a number.
pub fn vni(number: u32) -> Vni {
    Vni::truncate(0x0a_1000 + number)
}

/// The key in 64 bits, for tables that know no VNI: 16 bits of it are enough for those of [`VNIS`].
#[inline]
pub fn packed((vni, mac): Key) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    let [high, low] = (vni.value() as u16).to_be_bytes();
    u64::from_be_bytes([high, low, a, b, c, d, e, f])
}

/// Who takes part: a table that holds the entries of a [`Work`].
pub trait Contestant {
    fn name(&self) -> String;
    /// The remote of a key: for comparing answers, not for timing.
    fn answer(&self, key: Key) -> Option<u32>;
    /// Looks all keys up one after the other and leaves every answer in memory; answers how many are known.
    fn single(&self, keys: &[Key]) -> usize;
    /// The same by batches of [`BATCH`], where there is such a thing.
    fn batch(&self, keys: &[Key]) -> Option<usize> {
        let _ = keys;
        None
    }
}

/// Whether everybody knows the same.
pub fn check(work: &Work, contestants: &[&dyn Contestant]) {
    for contestant in contestants {
        let name = contestant.name();
        for &(key, remote) in &work.entries {
            assert_eq!(contestant.answer(key), Some(remote), "{name}");
        }
        for &key in &work.misses {
            assert_eq!(contestant.answer(key), None, "{name}");
        }
        for (keys, known) in [(&work.hits, work.hits.len()), (&work.misses, 0)] {
            assert_eq!(contestant.single(keys), known, "{name}");
            assert_eq!(contestant.batch(keys).unwrap_or(known), known, "{name}");
        }
    }
}

/// The crate's own table.
pub struct Ours {
    pub tables: Tables<Box<[Line]>>,
    pub remotes: Vec<RemoteId>,
    numbers: HashMap<RemoteId, u32>,
}

impl Ours {
    /// A table with the remotes and no entries yet; `size` is what it promises.
    pub fn empty(size: usize, settings: Settings) -> Self {
        let capacity = Capacity { vnis: VNIS, remotes: 2 * REMOTES, ..Capacity::fdb(size as u32) };
        let tables = Tables::with_capacity(capacity, settings, [0x0123_4567_89ab_cdef, 0xfedc]).unwrap();
        let remote = |n| tables.remotes().add(&Remote::new(address(n).into(), 4789)).unwrap();
        let remotes: Vec<_> = (0..REMOTES).map(remote).collect();
        for number in 0..VNIS {
            tables.fdb().add_vni(vni(number)).unwrap();
        }
        let numbers = remotes.iter().zip(0..).map(|(&id, number)| (id, number)).collect();
        Self { tables, remotes, numbers }
    }

    /// A full table, all learned: a lookup compares ages and generations.
    pub fn new(work: &Work) -> Self {
        let ours = Self::empty(work.entries.len(), Settings::default());
        let fdb = ours.tables.fdb();
        for &((vni, mac), remote) in &work.entries {
            let learned = fdb.learn(NOW, vni, mac, ours.remote(remote));
            assert_eq!(learned, Learned::New { evicted: None });
        }
        ours
    }

    pub fn remote(&self, number: u32) -> RemoteId {
        self.remotes[number as usize]
    }

    pub fn fdb(&self) -> Fdb<'_> {
        self.tables.fdb()
    }
}

/// The address of a remote.
pub fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0001 + number)
}

impl Contestant for Ours {
    fn name(&self) -> String {
        "encap".into()
    }

    fn answer(&self, (vni, mac): Key) -> Option<u32> {
        match self.fdb().lookup(NOW, vni, mac) {
            Lookup::Found(Destination::Remote(id)) => self.numbers.get(&id).copied(),
            Lookup::Unknown => None,
            other => panic!("{other:?}"),
        }
    }

    fn single(&self, keys: &[Key]) -> usize {
        let fdb = self.fdb();
        let now = black_box(NOW);
        keys.iter()
            .filter(|&&(vni, mac)| black_box(fdb.lookup(now, vni, mac)).destination().is_some())
            .count()
    }

    fn batch(&self, keys: &[Key]) -> Option<usize> {
        let fdb = self.fdb();
        let now = black_box(NOW);
        let mut answers = [Lookup::Unknown; BATCH];
        let mut known = 0;
        for keys in keys.chunks(BATCH) {
            fdb.lookup_batch(now, keys, &mut answers);
            known += black_box(&answers)[..keys.len()].iter().filter(|l| l.destination().is_some()).count();
        }
        Some(known)
    }
}
