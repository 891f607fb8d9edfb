//! How fast a worker learns: so many new addresses from one sender, so many moves of one address, be they MAC addresses
//! or those of neighbours.
//!
//! Without limits whoever can send into a tunnel fills tables as fast as packets come, or has an address flap between
//! two remotes with every frame; so does a loop. Beyond the limits frames go on as ever, and teach nothing.

use core::net::IpAddr;

use super::rate::Bucket;
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

/// Senders whose hashes are equal share a bucket: who wants to use up another's can as well send in its name. Addresses
/// that move do not share, since all hosts of a remote move at once when another one takes over. Those that moved most
/// of late are remembered; where more of them flap at once, some are not held back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    discoveries: [Bucket; BUCKETS],
    moves: [[Mover; WAYS]; SETS],
}

/// An address that has moved, and how often of late.
#[derive(Clone, Copy, Debug, Default)]
struct Mover {
    key: u64,
    bucket: Bucket,
}

const BUCKETS: usize = 64;

/// Addresses are looked for in sets of so many.
const WAYS: usize = 4;
const SETS: usize = 32;

impl Pace {
    /// Whether a new address may be learned from this sender now; then it counts.
    pub(super) fn may_discover(&mut self, now: Instant, sender: u64, per_second: u32) -> bool {
        let bucket = self.discoveries.get_mut(place::<BUCKETS>(sender));
        bucket.is_some_and(|bucket| bucket.take(now, per_second, per_second))
    }

    /// Whether an address may move now; then it counts.
    pub(super) fn may_move(&mut self, now: Instant, vni: Vni, address: u64, per_second: u32) -> bool {
        let key = address ^ u64::from(vni.value()).wrapping_mul(ODD);
        let Some(set) = self.moves.get_mut(place::<SETS>(key)) else { return false };
        // The address itself, if it is remembered; else the one that moved least makes room for it.
        let mover = set.iter_mut().min_by_key(|mover| (mover.key != key, mover.bucket.used(now, per_second)));
        mover.is_some_and(|mover| {
            if mover.key != key {
                *mover = Mover { key, ..Mover::default() };
            }
            mover.bucket.take(now, per_second, per_second)
        })
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { discoveries: [Bucket::default(); BUCKETS], moves: [[Mover::default(); WAYS]; SETS] }
    }
}

/// The number of an IP address.
pub(super) fn of_ip(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => {
            let [upper, lower] = halves(address.to_bits());
            upper.wrapping_mul(ODD) ^ lower
        }
    }
}

/// That of a MAC address.
pub(super) const fn of_mac(MacAddr([a, b, c, d, e, f]): MacAddr) -> u64 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// That of the local hosts of a segment, who send together: an IPv4 address like that is nobody's.
pub(super) const fn of_hosts(vni: Vni) -> u64 {
    vni.value() as u64
}

/// Which of `N` places is that of a key.
const fn place<const N: usize>(key: u64) -> usize {
    (key.wrapping_mul(ODD) >> (u64::BITS - N.ilog2())) as usize
}

const fn halves(bits: u128) -> [u64; 2] {
    [(bits >> 64) as u64, bits as u64]
}

/// The golden ratio in 64 bits, by which multiplication spreads (Knuth, section 6.4).
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
