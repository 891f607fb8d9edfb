//! Maps that several threads share, and DPDK's.

use std::{hint::black_box, sync::RwLock};

use crate::cases::fdb::{BATCH, Key, Work, packed};

/// A seeded hasher that is as fast as any.
pub type Hasher = foldhash::fast::RandomState;

/// A map that one thread can look keys up in while another one learns.
pub trait Shared: Sync {
    fn name(&self) -> &'static str;

    /// Notes where a key is now.
    fn learn(&self, key: u64, value: u32);

    /// Looks keys up, as many at a time as suits it; answers how many are known.
    fn lookups(&self, keys: &[Key]) -> usize;

    fn answer(&self, key: u64) -> Option<u32>;
}

fn hashed<M>(work: &Work, make: impl Fn(usize, Hasher) -> M, learn: impl Fn(&M, u64, u32)) -> M {
    let map = make(work.entries.len(), Hasher::default());
    work.entries.iter().for_each(|&(key, value)| learn(&map, packed(key), value));
    map
}

pub struct Papaya(papaya::HashMap<u64, u32, Hasher>);

impl Papaya {
    pub fn new(work: &Work) -> Self {
        Self(hashed(work, papaya::HashMap::with_capacity_and_hasher, |map, key, value| {
            map.pin().insert(key, value);
        }))
    }
}

impl Shared for Papaya {
    fn name(&self) -> &'static str {
        "papaya"
    }

    fn learn(&self, key: u64, value: u32) {
        self.0.pin().insert(key, value);
    }

    fn lookups(&self, keys: &[Key]) -> usize {
        keys.chunks(BATCH)
            .map(|keys| {
                let map = self.0.pin();
                keys.iter().filter(|&&key| black_box(map.get(&packed(key)).copied()).is_some()).count()
            })
            .sum()
    }

    fn answer(&self, key: u64) -> Option<u32> {
        self.0.pin().get(&key).copied()
    }
}

pub struct Scc(scc::HashMap<u64, u32, Hasher>);

impl Scc {
    pub fn new(work: &Work) -> Self {
        Self(hashed(work, scc::HashMap::with_capacity_and_hasher, |map, key, value| {
            let _ = map.upsert_sync(key, value);
        }))
    }
}

impl Shared for Scc {
    fn name(&self) -> &'static str {
        "scc"
    }

    fn learn(&self, key: u64, value: u32) {
        let _ = self.0.upsert_sync(key, value);
    }

    fn lookups(&self, keys: &[Key]) -> usize {
        keys.iter()
            .filter(|&&key| black_box(self.0.read_sync(&packed(key), |_, &value| value)).is_some())
            .count()
    }

    fn answer(&self, key: u64) -> Option<u32> {
        self.0.read_sync(&key, |_, &value| value)
    }
}

pub struct DashMap(dashmap::DashMap<u64, u32, Hasher>);

impl DashMap {
    pub fn new(work: &Work) -> Self {
        Self(hashed(work, dashmap::DashMap::with_capacity_and_hasher, |map, key, value| {
            map.insert(key, value);
        }))
    }
}

impl Shared for DashMap {
    fn name(&self) -> &'static str {
        "dashmap"
    }

    fn learn(&self, key: u64, value: u32) {
        self.0.insert(key, value);
    }

    fn lookups(&self, keys: &[Key]) -> usize {
        keys.iter().filter(|&&key| black_box(self.0.get(&packed(key)).map(|value| *value)).is_some()).count()
    }

    fn answer(&self, key: u64) -> Option<u32> {
        self.0.get(&key).map(|value| *value)
    }
}

pub struct Locked(RwLock<hashbrown::HashMap<u64, u32, Hasher>>);

impl Locked {
    pub fn new(work: &Work) -> Self {
        let mut map = hashbrown::HashMap::with_capacity_and_hasher(work.entries.len(), Hasher::default());
        map.extend(work.entries.iter().map(|&(key, value)| (packed(key), value)));
        Self(RwLock::new(map))
    }
}

impl Shared for Locked {
    fn name(&self) -> &'static str {
        "RwLock over hashbrown"
    }

    fn learn(&self, key: u64, value: u32) {
        self.0.write().unwrap().insert(key, value);
    }

    fn lookups(&self, keys: &[Key]) -> usize {
        keys.chunks(BATCH)
            .map(|keys| {
                let map = self.0.read().unwrap();
                keys.iter().filter(|&&key| black_box(map.get(&packed(key)).copied()).is_some()).count()
            })
            .sum()
    }

    fn answer(&self, key: u64) -> Option<u32> {
        self.0.read().unwrap().get(&key).copied()
    }
}

#[cfg(dpdk)]
pub use rte::Rte;

#[cfg(dpdk)]
mod rte {
    use super::{BATCH, Key, Work, packed};
    use crate::{cases::fdb::Contestant, ffi::dpdk::Table};

    /// `rte_hash` whose readers take no lock.
    pub struct Rte(Table);

    impl Rte {
        /// With as much room as it takes for no insert to fail.
        pub fn empty(size: usize) -> Self {
            Self(Table::new("fdb", (size + size / 3) as u32).expect("memory for rte_hash"))
        }

        pub fn new(work: &Work) -> Self {
            let mut table = Self::empty(work.entries.len());
            table.fill(&work.entries);
            table
        }

        pub fn fill(&mut self, entries: &[(Key, u32)]) {
            for &(key, value) in entries {
                assert!(self.0.add(packed(key), value), "rte_hash has no room");
            }
        }
    }

    impl Contestant for Rte {
        fn name(&self) -> String {
            "rte_hash".into()
        }

        fn answer(&self, key: Key) -> Option<u32> {
            self.0.get(packed(key))
        }

        fn single(&self, keys: &[Key]) -> usize {
            in_batches(keys, |keys| self.0.single(keys))
        }

        fn batch(&self, keys: &[Key]) -> Option<usize> {
            Some(in_batches(keys, |keys| self.0.bulk(keys)))
        }
    }

    /// Keys in 64 bits, as many as go into a call.
    fn in_batches(keys: &[Key], known: impl Fn(&[u64]) -> usize) -> usize {
        keys.chunks(BATCH)
            .map(|keys| {
                let mut words = [0; BATCH];
                words.iter_mut().zip(keys).for_each(|(word, &key)| *word = packed(key));
                known(&words[..keys.len()])
            })
            .sum()
    }
}
