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

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::IpProtocol;

/// A one's complement sum that is still growing.
///
/// Words are added in the machine's own byte order, which RFC 1071, section 2(B), allows, and swapped
/// once at the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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
        self.join(Self { sum: sum_rest(0, bytes).into(), odd: N % 2 == 1 })
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

    /// The sum with what `other` holds taken away again.
    #[must_use]
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        Self { sum: carry(self.sum) + !fold(other.sum) as u32, odd: self.odd }
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
#[inline(always)]
pub(crate) fn is_good_header(bytes: &[u8; 20]) -> bool {
    sum_rest(0, bytes) == 0xffff
}

/// The checksum after one of the words that it covers changed from `old` to `new`: equation 3 of
/// RFC 1624, section 3. All values in host order.
#[inline]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    !fold(!checksum as u32 + !old as u32 + new as u32)
}

/// The sum of the words of `bytes` as the machine reads them, folded to 16 bits.
fn sum_bytes(bytes: &[u8]) -> u16 {
    let mut total = 0;
    let mut rest = bytes;
    while let (true, Some((block, after))) =
        (rest.len() >= LANES, rest.split_at_checked(rest.len().min(MAX_BLOCK) & !(LANES - 1)))
    {
        total = add_carry(total, sum_block(block));
        rest = after;
    }
    sum_rest(total, rest)
}

/// The sum of 64-bit words, of which there are fewer than 2^32.
///
/// One accumulator holds the sum modulo 2^64, the other that of the upper halves; that of the lower halves is what
/// they differ by. The compiler makes vectors of any width of it, three operations each, where sums with carries or
/// of halves one by one take four and more.
#[inline]
fn sum_block(block: &[u8]) -> u64 {
    let (mut all, mut upper) = (0u64, 0u64);
    for word in block.chunks_exact(8) {
        let word = word.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word));
        all = all.wrapping_add(word);
        upper = upper.wrapping_add(word >> 32);
    }
    add_carry(all.wrapping_sub(upper << 32), upper)
}

/// `total` and the words of less than [`LANES`] bytes, or of as many as an array has: each piece is one chain of
/// carries without a loop.
#[inline(always)]
fn sum_rest(mut total: u64, mut rest: &[u8]) -> u16 {
    while let Some((words, after)) = rest.split_first_chunk::<64>() {
        total = add_words(total, words);
        rest = after;
    }
    if let Some((words, after)) = rest.split_first_chunk::<32>() {
        total = add_words(total, words);
        rest = after;
    }
    if let Some((words, after)) = rest.split_first_chunk::<16>() {
        total = add_words(total, words);
        rest = after;
    }
    if let Some((word, after)) = rest.split_first_chunk() {
        total = add_carry(total, u64::from_ne_bytes(*word));
        rest = after;
    }
    if let Some((word, after)) = rest.split_first_chunk() {
        total = add_carry(total, u32::from_ne_bytes(*word).into());
        rest = after;
    }
    // The padding of an odd last byte is behind it, whatever the byte order.
    let last = match *rest {
        [a, b, c] => u32::from_ne_bytes([a, b, c, 0]),
        [a, b] => u16::from_ne_bytes([a, b]).into(),
        [a] => u16::from_ne_bytes([a, 0]).into(),
        _ => 0,
    };
    fold64(add_carry(total, last.into()))
}

/// `sum` and the words of `bytes`, as one chain of carries.
#[inline(always)]
fn add_words<const N: usize>(mut sum: u64, bytes: &[u8; N]) -> u64 {
    let mut carry = false;
    for word in bytes.chunks_exact(8) {
        let word = word.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word));
        (sum, carry) = carrying_add(sum, word, carry);
    }
    sum.wrapping_add(carry.into())
}

/// Addition with a carry in and a carry out.
#[inline]
const fn carrying_add(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry as u64);
    (sum, first | second)
}

/// One's complement addition.
#[inline]
const fn add_carry(a: u64, b: u64) -> u64 {
    let (sum, carry) = carrying_add(a, b, false);
    sum.wrapping_add(carry as u64)
}

/// Both halves added, the carry brought back: the upper half of a sum with itself turned round is that.
#[inline]
const fn fold64(sum: u64) -> u16 {
    fold((sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32)
}

#[inline]
const fn fold(sum: u32) -> u16 {
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}

/// The same sum in 17 bits.
#[inline]
const fn carry(sum: u32) -> u32 {
    (sum >> 16) + (sum & 0xffff)
}

/// Bytes that one round of vectors adds up, whatever the width of vectors: what is left is summed word by word.
const LANES: usize = 128;

/// The most bytes that two accumulators are used for: 2^29 words, where they would do for 2^32.
const MAX_BLOCK: usize = u32::MAX as usize;

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{vec, vec::Vec};

    use super::*;

    /// RFC 1071, section 1, word by word.
    fn naive(bytes: &[u8]) -> u16 {
        let mut sum: u64 = 0;
        for pair in bytes.chunks(2) {
            sum += u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u64::from(low));
        }
        while sum >> 16 != 0 {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        sum as u16
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_u32;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    }

    #[test]
    fn rfc1071_s3_example() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::ZERO.add_bytes(&bytes).value(), 0xddf2);
        assert_eq!(of(&bytes), 0x220d);
    }

    #[test]
    fn every_length_agrees_with_the_naive_sum() {
        let bytes = noise(1600);
        for len in 0..bytes.len() {
            assert_eq!(Sum::ZERO.add_bytes(&bytes[..len]).value(), naive(&bytes[..len]), "length {len}");
        }
    }

    #[test]
    fn carries_survive_everywhere() {
        for len in [1, 2, 7, 8, 63, 64, 65, 128, 1500, 9000, 65_535] {
            for byte in [0x00, 0x01, 0x80, 0xff] {
                let bytes = vec![byte; len];
                assert_eq!(Sum::ZERO.add_bytes(&bytes).value(), naive(&bytes), "{len} bytes {byte:#04x}");
            }
        }
    }

    #[test]
    fn rfc1071_s2_slices_may_be_cut_anywhere() {
        let bytes = noise(100);
        for first in 0..100 {
            for second in [first, (first + 1).min(100), (first + 7).min(100), 100] {
                let sum = Sum::ZERO
                    .add_bytes(&bytes[..first])
                    .add_bytes(&bytes[first..second])
                    .add_bytes(&bytes[second..]);
                assert_eq!(sum.value(), naive(&bytes), "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn rfc1624_s4_example() {
        // The case in which equation 4 of RFC 1141 gives 0xffff.
        assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    #[test]
    fn rfc1624_s3_update_is_a_full_recomputation() {
        let mut bytes = noise(40);
        for at in (0..40).step_by(2) {
            for new in [0x0000, 0x0001, 0x7fff, 0x8000, 0xfffe, 0xffff] {
                let (before, old) = (of(&bytes), u16::from_be_bytes([bytes[at], bytes[at + 1]]));
                [bytes[at], bytes[at + 1]] = u16::to_be_bytes(new);
                assert_eq!(update(before, old, new), of(&bytes), "word at {at} becomes {new:#06x}");
            }
        }
    }

    #[test]
    fn without_undoes_join() {
        let (a, b) = (Sum::ZERO.add_bytes(&noise(31)[..30]), Sum::ZERO.add_bytes(&noise(52)[32..]));
        assert_eq!(a.join(b).without(b).value(), a.value());
    }

    #[test]
    fn rfc768_only_udp_turns_zero_into_all_ones() {
        let sum = Sum::ZERO.add_bytes(&[0xff, 0xff]);
        assert_eq!(sum.checksum(), 0);
        assert_eq!(sum.udp_checksum(), 0xffff);
        assert_eq!(Sum::ZERO.add_bytes(&[0xff, 0xfe]).udp_checksum(), 1);
    }

    #[test]
    fn pseudo_headers_are_the_bytes_of_the_rfcs() {
        let (a, b) = (Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(10, 1, 0, 2));
        let bytes = [10, 1, 0, 1, 10, 1, 0, 2, 0, 17, 0x12, 0x34];
        assert_eq!(Sum::pseudo_ipv4(a, b, IpProtocol::UDP, 0x1234).value(), naive(&bytes));

        let (a6, b6) = (a.to_ipv6_mapped(), b.to_ipv6_mapped());
        let mut bytes = [a6.octets(), b6.octets()].concat();
        bytes.extend([0x00, 0x01, 0x02, 0x03, 0, 0, 0, 58]);
        assert_eq!(Sum::pseudo_ipv6(a6, b6, IpProtocol::ICMPV6, 0x0001_0203).value(), naive(&bytes));

        assert_eq!(Sum::pseudo(a.into(), b6.into(), IpProtocol::UDP, 8), None);
    }
}
