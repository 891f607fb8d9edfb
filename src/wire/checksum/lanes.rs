//! Sums of many words in a loop that the compiler makes vectors of, of any width (RFC 1071, section 2).
//!
//! One accumulator holds the sum modulo 2^64, the other that of the upper halves; that of the lower halves is what they
//! differ by: three operations for each vector, where sums with carries or of halves one by one take four and more.

use super::words::{add_carry, word};

/// Bytes that one round of vectors adds up, whatever the width of vectors.
pub(super) const STEP: usize = 128;

/// Bytes of the widest vectors.
pub(super) const WIDTH: usize = 64;

/// So many bytes that it pays to begin where vectors lie on one cache line each.
pub(super) const LONG: usize = 4096;

/// The most bytes that two accumulators are used for: 2^28 words, where they would do for 2^32, or fewer where no slice
/// has as many.
pub(super) const MOST: usize = 1 << if usize::BITS > 31 { 31 } else { usize::BITS - 1 };

/// The sum of the 64-bit words of whole steps in at most [`MOST`] bytes, and the bytes behind them.
#[inline(always)]
pub(super) fn sum_steps(bytes: &[u8]) -> (u64, &[u8]) {
    let (steps, rest) = bytes.split_at_checked(bytes.len() & !(STEP - 1)).unwrap_or((&[], bytes));
    let (mut all, mut upper) = (0u64, 0u64);
    for bytes in steps.chunks_exact(8) {
        let word = word(bytes);
        all = all.wrapping_add(word);
        upper = upper.wrapping_add(word >> 32);
    }
    (add_carry(all.wrapping_sub(upper << 32), upper), rest)
}
