//! How fast a worker learns: so many new addresses from one sender, so many moves of one address.
//!
//! Without limits whoever can send into a tunnel fills tables as fast as packets come, or has an address flap between
//! two remotes with every frame; so does a loop. Beyond the limits frames go on as ever, and teach nothing.

use core::net::IpAddr;

use super::rate::Bucket;
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

/// A bucket for each sender and each address, which those share whose hashes are equal: who wants another's bucket to be
/// empty can as well send in the other's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    discoveries: [Bucket; BUCKETS],
    moves: [Bucket; BUCKETS],
}

const BUCKETS: usize = 64;

impl Pace {
    /// Whether a new address may be learned from this sender now; then it counts.
    pub(super) fn may_discover(&mut self, now: Instant, sender: IpAddr, per_second: u32) -> bool {
        let sender = match sender {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => {
                let [upper, lower] = halves(address.to_bits());
                upper.wrapping_mul(ODD) ^ lower
            }
        };
        take(&mut self.discoveries, sender, now, per_second)
    }

    /// Whether an address may move now; then it counts.
    pub(super) fn may_move(&mut self, now: Instant, vni: Vni, mac: MacAddr, per_second: u32) -> bool {
        let MacAddr([a, b, c, d, e, f]) = mac;
        let key = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        take(&mut self.moves, key ^ u64::from(vni.value()).wrapping_mul(ODD), now, per_second)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { discoveries: [Bucket::default(); BUCKETS], moves: [Bucket::default(); BUCKETS] }
    }
}

fn take(buckets: &mut [Bucket; BUCKETS], key: u64, now: Instant, per_second: u32) -> bool {
    let place = key.wrapping_mul(ODD) >> (u64::BITS - BUCKETS.ilog2());
    let bucket = buckets.get_mut(place as usize);
    bucket.is_some_and(|bucket| bucket.take(now, per_second, per_second))
}

const fn halves(bits: u128) -> [u64; 2] {
    [(bits >> 64) as u64, bits as u64]
}

/// The golden ratio in 64 bits, by which multiplication spreads (Knuth, section 6.4).
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
