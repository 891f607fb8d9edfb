//! The work of the benchmarks, apart from who does it: whoever wants to compare another table includes this
//! module by `#[path]`, implements [`fdb::Contestant`] for it, and gets the same keys, the same order of lookups
//! and the same check of every answer.

pub mod fdb;
pub mod rivals;
pub mod traffic;
pub mod vtep;

/// A pseudo-random generator that is good enough for test traffic (splitmix64).
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }
}
