//! A keyed hash of 64 bits: without the seed nobody can tell which keys meet.

use crate::mix::mix;

/// What keys are hashed with, one seed per table.
#[derive(Clone, Copy)]
pub(crate) struct Seed(u64, u64);

impl Seed {
    /// The seed for one purpose, from the caller's: one table's places say nothing about another's.
    pub(crate) const fn derive(seed: [u64; 2], purpose: u64) -> Self {
        let [a, b] = seed;
        let a = mix(a ^ purpose, b | 1);
        let b = mix(b ^ purpose.rotate_left(32), a | 1);
        // Odd: a multiplication loses nothing of the key.
        Self(mix(a, MULTIPLIER), mix(b, MULTIPLIER) | 1)
    }

    /// Two foldings of a full product: the first by a secret, the second spreads to all bits.
    #[inline]
    pub(crate) const fn hash(self, key: u64) -> u64 {
        mix(mix(key ^ self.0, self.1) ^ self.0, MULTIPLIER)
    }

    /// Where `key` may be.
    #[inline]
    pub(crate) const fn places(self, key: u64) -> Places {
        Places(mix(key ^ self.0, self.1))
    }

    /// A key of 64 bits for what is longer; what has the same is told apart by comparing it whole.
    #[inline]
    pub(crate) fn fingerprint(self, words: &[u32]) -> u64 {
        words
            .iter()
            .fold(self.1, |hash, &word| mix(hash ^ self.0 ^ u64::from(word), MULTIPLIER).rotate_left(23))
    }
}

/// The seed is the one thing that must not be printed.
impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed")
    }
}

/// A key's folded product with the secret, and the places that follow from it.
///
/// Each is the upper half of a second product. Keys that are counted up, as people's are, lie on two lattices, one in
/// either half of the first product; folding and the second product leave none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places(u64);

impl Places {
    /// One of `count` places, fewer than 2^32.
    #[inline]
    pub(crate) const fn first(self, count: usize) -> usize {
        scale(self.0, count)
    }

    /// Another one, which may be the same.
    #[inline]
    pub(crate) const fn second(self, count: usize) -> usize {
        scale(self.0.rotate_left(32), count)
    }
}

#[inline]
const fn scale(hash: u64, count: usize) -> usize {
    ((hash.wrapping_mul(MULTIPLIER) as u128).wrapping_mul(count as u128) >> 64) as usize
}

/// Fraction of the golden ratio: no pattern of its own.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed::derive([0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321], 7);

    /// Each bit of a key changes each bit of the hash in about half of all cases.
    #[test]
    fn one_bit_changes_half_of_all_bits() {
        const KEYS: u64 = 4_096;
        for bit in 0..64 {
            let mut changed = [0u32; 64];
            for key in 0..KEYS {
                let key = key.wrapping_mul(0x0001_0000_0100_0193);
                let difference = SEED.hash(key) ^ SEED.hash(key ^ 1 << bit);
                for (out, count) in changed.iter_mut().enumerate() {
                    *count += u32::from(difference >> out & 1 != 0);
                }
            }
            for (out, count) in changed.into_iter().enumerate() {
                assert!((1_700..2_400).contains(&count), "bit {bit} changes bit {out} in {count} of {KEYS}");
            }
        }
    }

    /// The same for both places.
    #[test]
    fn one_bit_changes_half_of_all_places() {
        const KEYS: u64 = 4_096;
        let places = |key: u64| {
            let places = SEED.places(key);
            places.first(1 << 24) as u64 | (places.second(1 << 24) as u64) << 24
        };
        for bit in 0..64 {
            let mut changed = [0u32; 48];
            for key in 0..KEYS {
                let key = key.wrapping_mul(0x0001_0000_0100_0193);
                let difference = places(key) ^ places(key ^ 1 << bit);
                for (out, count) in changed.iter_mut().enumerate() {
                    *count += u32::from(difference >> out & 1 != 0);
                }
            }
            for (out, count) in changed.into_iter().enumerate() {
                assert!((1_700..2_400).contains(&count), "bit {bit} changes bit {out} in {count} of {KEYS}");
            }
        }
    }

    /// Keys that are counted up in any of their bytes are spread as random ones are, in either place and in the pairs
    /// of both, whatever the seed: the sum of squares of what meets is that of chance.
    #[test]
    fn keys_that_are_counted_up_are_spread_by_chance() {
        const KEYS: u64 = 2_048;
        const COUNT: usize = 512;
        for seed in 0..200 {
            let seed = Seed::derive([seed, seed ^ 0xabcd], 1);
            for (shift, step) in [(0, 1), (8, 1), (16, 3), (32, 1), (40, 1), (44, 16), (48, 1)] {
                let mut meets = [[0u32; COUNT]; 3];
                for n in 0..KEYS {
                    let places = seed.places(0x0001_4202_0000_0000 ^ (n * step) << shift);
                    let (first, second) = (places.first(COUNT), places.second(COUNT));
                    for (meets, at) in meets.iter_mut().zip([first, second, (first * 5 + second) % COUNT]) {
                        meets[at] += 1;
                    }
                }
                for (which, meets) in meets.iter().enumerate() {
                    // 8192 + 2048 by chance, with a deviation of 64 * sqrt(2): far more is a pattern.
                    let squares: u32 = meets.iter().map(|count| count * count).sum();
                    assert!(squares < 10_240 + 900, "{squares} in {which}, shift {shift}, step {step}");
                }
            }
        }
    }

    #[test]
    fn purposes_and_seeds_place_keys_apart() {
        let other = [
            Seed::derive([1, 2], 1),
            Seed::derive([1, 2], 2),
            Seed::derive([2, 1], 1),
            Seed::derive([0; 2], 0),
        ];
        for (i, a) in other.iter().enumerate() {
            for b in other.iter().skip(i + 1) {
                let same = (0..65_536).filter(|&key| a.hash(key) >> 56 == b.hash(key) >> 56).count();
                assert!((128..512).contains(&same), "{same} of 65,536 in the same of 256 places");
            }
        }
    }

    /// The tags of XOR-linear hashes fail this: the difference of two keys would tell that of their hashes.
    #[test]
    fn not_xor_linear() {
        let difference = SEED.hash(1) ^ SEED.hash(0);
        assert!((2..1_000).all(|key: u64| SEED.hash(key << 1 | 1) ^ SEED.hash(key << 1) != difference));
    }
}
