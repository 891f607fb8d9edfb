//! The step that all keyed hashes here are made of.

/// Folded multiplication: both halves of the product, so that every input bit reaches every output bit.
#[inline(always)]
pub(crate) const fn mix(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    product as u64 ^ (product >> 64) as u64
}
