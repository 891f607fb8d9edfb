//! Which lengths of prefixes there are, so that a lookup tries no others.
//!
//! ```text
//! word 0              2                          7       8           41                    170
//!      +--------------+--------------------------+-------+-----------+---------------------+
//!      | bits of IPv4 |       bits of IPv6       | lock  | 33 counts | 129 counts of IPv6  |
//!      +--------------+--------------------------+-------+-----------+---------------------+
//! ```
//!
//! Bit and count change together, under the lock of all who add and delete. A length is marked before its first
//! route is published, and unmarked when its last one is gone: a reader that loads the marks first misses none.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{
    super::{
        bucket::Busy,
        line::{AtomicU32, Words, spin_loop},
    },
    Prefix,
};

/// Words of this region.
pub(crate) const LENGTH_WORDS: usize = IPV6_COUNTS + 129;

/// The lengths in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths<'t>(pub(crate) Words<'t>);

impl<'t> Lengths<'t> {
    /// The lengths in use in a family, from the longest down.
    #[inline]
    pub(super) fn longest_first(self, ipv6: bool) -> impl Iterator<Item = u8> {
        let (first, last) = if ipv6 { (IPV6_BITS, LOCK) } else { (0, IPV6_BITS) };
        (first..last).rev().flat_map(move |word| {
            let mut bits = self.0.get(word).map_or(0, |bits| bits.load(Acquire));
            let base = (word.wrapping_sub(first) as u32).wrapping_mul(32);
            core::iter::from_fn(move || {
                let bit = bits.checked_ilog2()?;
                bits &= !(1 << bit);
                Some(base.wrapping_add(bit) as u8)
            })
        })
    }

    /// Keeps others from adding and deleting.
    pub(super) fn lock(self) -> Result<Changing<'t>, Busy> {
        let lock = self.0.get(LOCK).ok_or(Busy)?;
        for _ in 0..SPINS {
            if lock.load(Relaxed) == 0 && lock.compare_exchange(0, 1, Acquire, Relaxed).is_ok() {
                return Ok(Changing { lengths: self, lock });
            }
            spin_loop();
        }
        Err(Busy)
    }
}

/// The lock, given back when dropped.
#[derive(Debug)]
pub(super) struct Changing<'t> {
    lengths: Lengths<'t>,
    lock: &'t AtomicU32,
}

impl Changing<'_> {
    /// One more of this length, to be published from now on.
    pub(super) fn add(&self, prefix: Prefix) {
        self.change(prefix, |count| count.saturating_add(1));
    }

    /// One fewer, which is gone.
    pub(super) fn remove(&self, prefix: Prefix) {
        self.change(prefix, |count| count.saturating_sub(1));
    }

    fn change(&self, prefix: Prefix, change: impl Fn(u32) -> u32) {
        let (bits, counts) =
            if prefix.address().is_ipv6() { (IPV6_BITS, IPV6_COUNTS) } else { (0, IPV4_COUNTS) };
        let len = usize::from(prefix.prefix_len());
        let words = self.lengths.0;
        let (Some(bits), Some(count)) =
            (words.get(bits.wrapping_add(len / 32)), words.get(counts.wrapping_add(len)))
        else {
            return;
        };
        let next = change(count.load(Relaxed));
        count.store(next, Relaxed);
        let (word, bit) = (bits.load(Relaxed), 1 << (len % 32));
        bits.store(if next > 0 { word | bit } else { word & !bit }, Release);
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.lock.store(0, Release);
    }
}

const IPV6_BITS: usize = 2;
const LOCK: usize = 7;
const IPV4_COUNTS: usize = 8;
const IPV6_COUNTS: usize = IPV4_COUNTS + 33;

/// How often a writer tries to get the lock.
const SPINS: usize = 256;

#[cfg(test)]
mod tests {
    extern crate std;

    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::vec::Vec;

    use super::{super::super::line::Line, *};

    #[test]
    fn every_length_is_marked_while_there_is_one() {
        let lines: Vec<Line> = (0..Words::lines(LENGTH_WORDS)).map(|_| Line::new()).collect();
        let lengths = Lengths(Words(&lines));
        let used = |ipv6| lengths.longest_first(ipv6).collect::<Vec<_>>();
        let families: [(IpAddr, u8); 2] =
            [(Ipv4Addr::UNSPECIFIED.into(), 32), (Ipv6Addr::UNSPECIFIED.into(), 128)];
        for (zero, max) in families {
            for len in 0..=max {
                let prefix = Prefix::of(zero, len).unwrap();
                let changing = lengths.lock().unwrap();
                changing.add(prefix);
                changing.add(prefix);
                changing.remove(prefix);
                assert_eq!(used(zero.is_ipv6()), (0..=len).rev().collect::<Vec<_>>());
            }
        }
        assert_eq!(used(false).len(), 33, "the other family changes nothing");
        for (zero, max) in families {
            for len in 0..=max {
                lengths.lock().unwrap().remove(Prefix::of(zero, len).unwrap());
                assert_eq!(used(zero.is_ipv6()), (len + 1..=max).rev().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_lock_is_one_writers() {
        let lines: Vec<Line> = (0..Words::lines(LENGTH_WORDS)).map(|_| Line::new()).collect();
        let lengths = Lengths(Words(&lines));
        let first = lengths.lock().unwrap();
        assert_eq!(lengths.lock().map(|_| ()), Err(Busy));
        drop(first);
        assert!(lengths.lock().is_ok());
    }
}
