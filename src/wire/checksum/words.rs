//! Sums of words as the machine reads them (RFC 1071, section 2).

use super::{LONG, MOST, STEP, WIDTH, sum_steps};

/// The sum of the words of `bytes`, folded to 16 bits.
pub(super) fn sum_bytes(bytes: &[u8]) -> u16 {
    if bytes.len() < STEP { fold64(sum_rest(bytes, bytes)) } else { sum_many(bytes) }
}

/// The same of more bytes than a step has.
#[inline(never)]
fn sum_many(bytes: &[u8]) -> u16 {
    if bytes.len() >= LONG {
        return sum_long(bytes);
    }
    let (total, rest) = sum_steps(bytes);
    fold64(add_carry(total, sum_rest(bytes, rest)))
}

/// The same of so many bytes that it pays to sum up to a vector's worth of them by themselves: vectors that lie on one
/// cache line each are read in one go.
#[inline(never)]
fn sum_long(bytes: &[u8]) -> u16 {
    let before = bytes.as_ptr().align_offset(WIDTH);
    // What is before them has to be a whole number of words.
    let (head, aligned) = bytes.split_at_checked(before & !1).unwrap_or((bytes, &[]));
    let (mut total, mut rest) = (sum_rest(head, head), aligned);
    while rest.len() >= STEP {
        let (now, later) = rest.split_at_checked(MOST).unwrap_or((rest, &[]));
        let (sum, left) = sum_steps(now);
        total = add_carry(total, sum);
        rest = if later.is_empty() { left } else { later };
    }
    fold64(add_carry(total, sum_rest(bytes, rest)))
}

/// The sum of the words of `rest`, the end of `bytes`: of less than [`STEP`] bytes, or of as many as an array has. Each
/// piece is one chain of carries without a loop.
#[inline(always)]
pub(super) fn sum_rest(bytes: &[u8], mut rest: &[u8]) -> u64 {
    let mut total = 0;
    while let Some((words, after)) = rest.split_first_chunk::<64>() {
        total = add_words(total, words);
        rest = after;
    }
    // Branches and carries want the same units of a processor: each branch less is time.
    if rest.is_empty() {
        return total;
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
    add_carry(total, last_word(bytes, rest))
}

/// `last`, the last bytes of `bytes`, fewer than eight, as a word: the padding of an odd last one is behind it,
/// whatever the byte order.
#[inline(always)]
fn last_word(bytes: &[u8], last: &[u8]) -> u64 {
    let known = bytes.len().checked_sub(8).and_then(|at| bytes.get(at..)?.first_chunk());
    if let Some(word) = known {
        // What is before them in their word is shifted out.
        let before = 64 - 8 * (last.len() as u32 & 7);
        return u64::from_le_bytes(*word).checked_shr(before).unwrap_or(0).to_le();
    }
    let mut word = [0; 8];
    word.iter_mut().zip(last).for_each(|(to, from)| *to = *from);
    u64::from_ne_bytes(word)
}

/// `sum` and the words of `bytes`, of which there is an even number, as one chain of carries.
// By pieces of what is there: bytes by value are put together one by one, where some of them are known already.
#[inline(always)]
pub(super) fn add_words<const N: usize>(mut sum: u64, bytes: &[u8; N]) -> u64 {
    let mut carry = false;
    let words = bytes.chunks_exact(8);
    let rest = words.remainder();
    for word in words {
        (sum, carry) = carrying_add(sum, self::word(word), carry);
    }
    if let Some((half, _)) = rest.split_first_chunk() {
        (sum, carry) = carrying_add(sum, u32::from_ne_bytes(*half).into(), carry);
    }
    if let (2, Some(last)) = (N % 4, bytes.last_chunk()) {
        (sum, carry) = carrying_add(sum, u16::from_ne_bytes(*last).into(), carry);
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
pub(super) const fn add_carry(a: u64, b: u64) -> u64 {
    let (sum, carry) = carrying_add(a, b, false);
    sum.wrapping_add(carry as u64)
}

/// The word of eight bytes.
#[inline(always)]
pub(super) fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |word| u64::from_ne_bytes(*word))
}

/// Both halves added, the carry brought back: the upper half of a sum with itself turned round is that.
#[inline]
pub(super) const fn fold64(sum: u64) -> u16 {
    fold((sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32)
}

#[inline]
pub(super) const fn fold(sum: u32) -> u16 {
    (sum.wrapping_add(sum.rotate_left(16)) >> 16) as u16
}

/// The same sum in 17 bits.
#[inline]
pub(super) const fn carry(sum: u32) -> u32 {
    (sum >> 16) + (sum & 0xffff)
}
