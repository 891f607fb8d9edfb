//! Sums of many words by vectors, two operations for each of them (RFC 1071, section 2).
//!
//! One is the addition, in lanes of 64 bits. What gets lost is how often a lane overflowed. That is told by what its
//! upper 16 bits add up to, and an estimate will do, for which means are cheap: the second operation, and two more for
//! the mean of all vectors of a step.
//!
//! ```text
//! V  what the upper 16 bits of n vectors add up to, carries from below included, of which there are fewer than n
//! S  the means' sum, times the vectors that each is the mean of: too much by up to 2 n
//!
//! The lane holds V mod 2^16, and S - 2 n <= V < S + n. For n <= 2^12, of the 2^16 numbers that end with S + 2^12
//! only V is the same mod 2^16.
//! ```

#[cfg(not(target_feature = "avx2"))]
use safe_arch::{
    add_i64_m128i as add, average_u16_m128i as mean, m128i as Vector, set_splat_i64_m128i as splat,
    shl_imm_u64_m128i as shift_left, shr_imm_u64_m128i as shift_right, sub_i64_m128i as sub,
};
#[cfg(target_feature = "avx2")]
use safe_arch::{
    add_i64_m256i as add, average_u16_m256i as mean, m256i as Vector, set_splat_i64_m256i as splat,
    shl_imm_u64_m256i as shift_left, shr_imm_u64_m256i as shift_right, sub_i64_m256i as sub,
};

use super::words::{add_carry, add_words};

/// Bytes of a vector.
pub(super) const WIDTH: usize = size_of::<Vector>();

/// So many bytes that it pays to begin where a vector lies on one cache line: of wide ones every second does not.
pub(super) const LONG: usize = if WIDTH == 16 { 4096 } else { 1024 };

/// Vectors of a step.
const VECTORS: usize = 128 / WIDTH;

/// Bytes of a step that the units of the processor add which have nothing to do with vectors. Wide vectors are done
/// before those are.
const WORDS: usize = if WIDTH == 16 { 32 } else { 0 };

/// Bytes of a step.
pub(super) const STEP: usize = VECTORS * WIDTH + WORDS;

/// So many vectors that their overflows can be told by far.
const MOST_VECTORS: usize = 1 << 12;

/// Bytes of no more than those.
pub(super) const MOST: usize = MOST_VECTORS * WIDTH / STEP * STEP;

/// The sum of the 64-bit words of whole steps in at most [`MOST`] bytes, and the bytes behind them.
#[inline(always)]
pub(super) fn sum_steps(bytes: &[u8]) -> (u64, &[u8]) {
    let zero = Vector::default();
    let (mut sums, mut means, mut words, mut rest) = ([zero; 4], zero, 0, bytes);
    while let Some((step, after)) = rest.split_first_chunk::<STEP>() {
        let vectors = vectors(step);
        for four in vectors.chunks_exact(4) {
            sums.iter_mut().zip(four).for_each(|(sum, &vector)| *sum = add(*sum, vector));
        }
        means = add(means, shift_right::<48>(mean_of(vectors)));
        if let Some(last) = step.last_chunk::<WORDS>() {
            words = add_words(words, last);
        }
        rest = after;
    }
    let [a, b, c, d] = sums;
    let sums = add(add(a, b), add(c, d));
    let most = add(shift_left::<{ VECTORS.ilog2() as i32 }>(means), splat(MOST_VECTORS as i64));
    let overflows = shift_right::<16>(sub(most, shift_right::<48>(sums)));
    // Halves of 32 bits, so that no carry is lost any more.
    let lower = shift_right::<32>(shift_left::<32>(sums));
    let total = add(add(overflows, lower), shift_right::<32>(sums));
    (add_carry(words, lanes(total).into_iter().fold(0, u64::wrapping_add)), rest)
}

#[inline(always)]
fn vectors(step: &[u8; STEP]) -> [Vector; VECTORS] {
    let mut bytes = step.chunks_exact(WIDTH);
    core::array::from_fn(|_| {
        let bytes = bytes.next().and_then(<[u8]>::first_chunk::<WIDTH>);
        bytes.map_or(Vector::default(), |&bytes| Vector::from(bytes))
    })
}

/// The mean of all vectors, 16 bits by 16 bits, each of which may be rounded up three times by a half.
#[inline(always)]
fn mean_of(mut vectors: [Vector; VECTORS]) -> Vector {
    let mut count = VECTORS;
    while count > 1 {
        count /= 2;
        for at in 0..count {
            if let (Some(&a), Some(&b)) = (vectors.get(2 * at), vectors.get(2 * at + 1)) {
                if let Some(to) = vectors.get_mut(at) {
                    *to = mean(a, b);
                }
            }
        }
    }
    vectors.first().copied().unwrap_or_default()
}

fn lanes(vector: Vector) -> [u64; WIDTH / 8] {
    vector.into()
}
