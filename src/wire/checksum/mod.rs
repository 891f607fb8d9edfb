//! The Internet checksum (RFC 1071), its incremental update (RFC 1624) and pseudo headers (RFC 768,
//! RFC 8200, section 8.1).
//!
//! ```
//! use encap::wire::checksum::{self, Sum};
//!
//! // One sum over several slices, odd lengths anywhere.
//! let sum = Sum::ZERO.add_bytes(&[0x45, 0x00, 0x00]).add_bytes(&[0x21]);
//! assert_eq!(sum.checksum(), checksum::of(&[0x45, 0x00, 0x00, 0x21]));
//! ```

#[cfg(not(all(feature = "simd", target_arch = "x86_64", target_feature = "sse2")))]
mod lanes;
#[cfg(test)]
mod tests;
#[cfg(all(feature = "simd", target_arch = "x86_64", target_feature = "sse2"))]
mod vectors;
mod words;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(not(all(feature = "simd", target_arch = "x86_64", target_feature = "sse2")))]
use self::lanes::{LONG, MOST, STEP, WIDTH, sum_steps};
#[cfg(all(feature = "simd", target_arch = "x86_64", target_feature = "sse2"))]
use self::vectors::{LONG, MOST, STEP, WIDTH, sum_steps};
use self::words::{add_words, carry, fold, fold64, sum_bytes, sum_rest};
use super::IpProtocol;

/// A one's complement sum that is still growing.
///
/// Words are added in the machine's own byte order, which RFC 1071, section 2(B), allows, and swapped
/// once at the end.
///
/// Two sums are equal where their [values](Self::value) are, and both are of an even or of an odd number of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    /// Sum of 16-bit words modulo 2^16 - 1, in native order; zero only while every byte was zero.
    sum: u32,
    /// Whether the next byte is the second one of a word.
    odd: bool,
}

impl Sum {
    /// Nothing added yet.
    pub const ZERO: Self = Self { sum: 0, odd: false };

    /// What `len` bytes add up to whose sum is known to be `value`, in host order.
    #[inline]
    pub(crate) const fn known(value: u16, len: usize) -> Self {
        Self { sum: value.to_be() as u32, odd: len % 2 == 1 }
    }

    /// The sum with `bytes` behind what was added before.
    #[must_use]
    #[inline]
    pub fn add_bytes(self, bytes: &[u8]) -> Self {
        self.join(Self { sum: sum_bytes(bytes).into(), odd: bytes.len() % 2 == 1 })
    }

    /// As [`add_bytes`](Self::add_bytes), for so few bytes that a loop is not worth its while.
    #[must_use]
    #[inline(always)]
    pub(crate) fn add_array<const N: usize>(self, bytes: &[u8; N]) -> Self {
        self.join(Self { sum: fold64(sum_rest(bytes, bytes)).into(), odd: N % 2 == 1 })
    }

    /// The sum with the word `word`, in host order, added. Where it stands does not matter as long as
    /// it starts at an even place.
    #[must_use]
    #[inline]
    pub const fn add_word(self, word: u16) -> Self {
        Self { sum: carry(self.sum) + word.to_be() as u32, odd: self.odd }
    }

    /// The sum with the bytes of `other` behind what was added before.
    #[must_use]
    #[inline]
    pub const fn join(self, other: Self) -> Self {
        // RFC 1071, section 2(B): bytes that come to lie in the other half of their words swap the sum.
        let behind = if self.odd { fold(other.sum).swap_bytes() as u32 } else { carry(other.sum) };
        Self { sum: carry(self.sum) + behind, odd: self.odd ^ other.odd }
    }

    /// The sum without the bytes of `other`, which were [added](Self::join) last. Where nothing but zeros is left, this
    /// is the sum of 0xffff: what the zeros were cannot be told.
    #[must_use]
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        let (sum, odd) = (fold(other.sum), self.odd ^ other.odd);
        let behind = if odd { sum.swap_bytes() } else { sum };
        Self { sum: carry(self.sum) + !behind as u32, odd }
    }

    /// The pseudo header of a segment of `len` bytes over IPv4 (RFC 768).
    #[inline]
    pub fn pseudo_ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: IpProtocol, len: u16) -> Self {
        Self::ZERO
            .add_bytes(&source.octets())
            .add_bytes(&destination.octets())
            .add_word(u16::from(protocol.0))
            .add_word(len)
    }

    /// The pseudo header of a segment of `len` bytes over IPv6 (RFC 8200, section 8.1).
    #[inline]
    pub fn pseudo_ipv6(source: Ipv6Addr, destination: Ipv6Addr, protocol: IpProtocol, len: u32) -> Self {
        Self::ZERO
            .add_bytes(&source.octets())
            .add_bytes(&destination.octets())
            .add_word(u16::from(protocol.0))
            .add_word((len >> 16) as u16)
            .add_word(len as u16)
    }

    /// The pseudo header between two addresses, or `None` where they are of different families. IPv4 has
    /// room for the low 16 bits of the length only.
    #[inline]
    pub fn pseudo(source: IpAddr, destination: IpAddr, protocol: IpProtocol, len: u32) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                Some(Self::pseudo_ipv4(source, destination, protocol, len as u16))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Some(Self::pseudo_ipv6(source, destination, protocol, len))
            }
            _ => None,
        }
    }

    /// The sum itself, in host order.
    #[inline]
    pub const fn value(self) -> u16 {
        u16::from_be(fold(self.sum))
    }

    /// What the checksum field must hold: the complement of the sum, in host order.
    #[inline]
    pub const fn checksum(self) -> u16 {
        !self.value()
    }

    /// What UDP's checksum field must hold: a computed zero is sent as all ones, since zero means that
    /// there is none (RFC 768). This rule is UDP's alone.
    #[inline]
    pub const fn udp_checksum(self) -> u16 {
        match self.checksum() {
            0 => 0xffff,
            checksum => checksum,
        }
    }

    /// Whether what was summed, its checksum field included, is intact.
    #[inline]
    pub const fn is_good(self) -> bool {
        self.value() == 0xffff
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        (fold(self.sum), self.odd) == (fold(other.sum), other.odd)
    }
}

impl Eq for Sum {}

/// A sum of few words whose carries are not brought back yet: of fewer than 2^32 halves of 64 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Few(u64);

impl Few {
    pub(crate) const NONE: Self = Self(0);

    /// With this word, in host order.
    #[inline(always)]
    pub(crate) const fn word(self, word: u16) -> Self {
        Self(self.0.wrapping_add(word.to_be() as u64))
    }

    /// With these two words, the first one in the upper half, in host order.
    #[inline(always)]
    pub(crate) const fn double(self, words: u32) -> Self {
        Self(self.0.wrapping_add(words.to_be() as u64))
    }

    /// With these bytes, of which there is an even number.
    #[inline(always)]
    pub(crate) fn array<const N: usize>(self, bytes: &[u8; N]) -> Self {
        let halves = bytes.chunks_exact(4);
        let last = halves.remainder().first_chunk().map_or(0, |word| u16::from_ne_bytes(*word));
        let halves = halves.map(|half| half.first_chunk().map_or(0, |half| u32::from_ne_bytes(*half)));
        Self(halves.fold(self.0.wrapping_add(last.into()), |sum, half| sum.wrapping_add(half.into())))
    }

    #[inline(always)]
    pub(crate) const fn sum(self) -> Sum {
        Sum { sum: fold64(self.0) as u32, odd: false }
    }

    /// With these bytes, of which there is an even number, by carries: of words of eight bytes, which are not to be
    /// read where smaller ones have been written just now. The carries of these are brought back.
    #[inline(always)]
    pub(crate) fn with<const N: usize>(self, bytes: &[u8; N]) -> Self {
        Self(add_words(self.0, bytes))
    }

    /// What UDP's checksum field must hold: see [`Sum::udp_checksum`].
    #[inline(always)]
    pub(crate) const fn udp_checksum(self) -> u16 {
        match !u16::from_be(fold64(self.0)) {
            0 => 0xffff,
            checksum => checksum,
        }
    }
}

/// What is known of a received checksum.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum State {
    /// There is none.
    #[default]
    Absent,
    /// It is right.
    Good,
    /// It is wrong.
    Bad,
    /// There is one, but bytes that it covers are missing or were not looked at.
    Unverified,
}

impl State {
    /// The verdict on a checksum that is there.
    #[inline]
    pub const fn verified(sum: Sum) -> Self {
        if sum.is_good() { Self::Good } else { Self::Bad }
    }
}

/// The checksum of `bytes`, in host order, an odd last byte padded with zero (RFC 1071, section 1).
#[inline]
pub fn of(bytes: &[u8]) -> u16 {
    Sum::ZERO.add_bytes(bytes).checksum()
}

/// The checksum of a few words besides what adds up to `sum`, all in host order: the carries are brought back in one
/// go.
#[inline(always)]
pub(crate) fn of_words<const N: usize>(sum: u16, words: [u16; N]) -> u16 {
    // Each word adds less than 2^16 to 32 bits.
    !fold(words.into_iter().fold(sum.into(), |total: u32, word| total.wrapping_add(word.into())))
}

/// Whether the 20 bytes of an IPv4 header, its checksum included, add up: the same as [`Sum::is_good`], in one go.
///
/// The sum of 64 bits need not be folded, for it is a multiple of 2^16 - 1 if that is what it folds to. Of 2^16 - 1 and
/// `ONES` the product is 2^64 - 1: n times the former, n from 1 to `ONES`, becomes -n when multiplied by the latter,
/// and nothing else does.
#[inline(always)]
pub(crate) fn is_good_header(bytes: &[u8; 20]) -> bool {
    const ONES: u64 = 0x0001_0001_0001_0001;
    add_words(0, bytes).wrapping_mul(ONES) >= ONES.wrapping_neg()
}

/// The checksum after one of the words that it covers changed from `old` to `new`: equation 3 of
/// RFC 1624, section 3. All values in host order.
#[inline]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    !fold(!checksum as u32 + !old as u32 + new as u32)
}
