//! Outer headers by themselves, and how they are copied before a packet.

use core::{fmt, ops::Deref};

/// Outer headers as a small value of their own, for scatter/gather I/O: send `[&header, frame]`.
///
/// Dereferences to its bytes.
#[derive(Clone, Copy, Eq, PartialEq)]
// The length comes first, to be found in the cache line where the bytes begin.
#[repr(C)]
pub struct Header {
    len: u8,
    bytes: [u8; MAX_OVERHEAD],
}

/// The most bytes that encapsulation puts before a packet.
pub const MAX_OVERHEAD: usize = 128;

impl Header {
    /// No bytes yet.
    pub(crate) const EMPTY: Self = Self { bytes: [0; MAX_OVERHEAD], len: 0 };

    /// The bytes of `header`, or `None` where there are more than [`MAX_OVERHEAD`].
    #[inline]
    pub fn new(header: &[u8]) -> Option<Self> {
        let mut new = Self::EMPTY;
        copy(new.resize(header.len())?, header);
        Some(new)
    }

    /// Sets the length and lends the bytes; `None`, and nothing changed, where there are not as many.
    #[inline]
    pub(crate) fn resize(&mut self, len: usize) -> Option<&mut [u8]> {
        let bytes = self.bytes.get_mut(..len)?;
        self.len = u8::try_from(len).ok()?;
        Some(bytes)
    }

    /// The bytes, of which there are always as many as the length says.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.bytes.get(..self.len.into())
    }

    /// The first `N` bytes, for who knows that there are as many.
    #[inline(always)]
    pub(crate) fn first<const N: usize>(&self) -> Option<&[u8; N]> {
        self.bytes.first_chunk()
    }

    /// The bytes, to be changed in place.
    #[inline]
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len.into()).unwrap_or_default()
    }
}

/// Copies a header over all of `to`, which is as long: fixed copies that may overlap serve all lengths between one and
/// two times theirs, and no call is made for them.
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], header: &[u8]) {
    match header.len() {
        32..=64 => copy_ends::<32>(to, header),
        65..=MAX_OVERHEAD => copy_ends::<64>(to, header),
        16..=31 => copy_ends::<16>(to, header),
        _ => copy_short(to, header),
    }
}

#[inline(never)]
fn copy_short(to: &mut [u8], header: &[u8]) {
    to.iter_mut().zip(header).for_each(|(to, from)| *to = *from);
}

const _: () = assert!(MAX_OVERHEAD <= 2 * 64);

/// The first and the last `N` bytes, which is all of between `N` and `2 N`.
#[inline(always)]
fn copy_ends<const N: usize>(to: &mut [u8], header: &[u8]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), header.first_chunk()) {
        *to = *from;
    }
    let from = header.len().checked_sub(N).and_then(|at| header.get(at..)?.first_chunk());
    if let (Some(to), Some(from)) = (tail::<N>(to), from) {
        *to = *from;
    }
}

/// The last `N` bytes: as `last_chunk_mut`, which for all that the optimiser sees can panic.
#[inline(always)]
pub(crate) fn tail<const N: usize>(bytes: &mut [u8]) -> Option<&mut [u8; N]> {
    let at = bytes.len().checked_sub(N)?;
    bytes.get_mut(at..)?.first_chunk_mut()
}

impl Deref for Header {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes().unwrap_or_default()
    }
}

impl AsRef<[u8]> for Header {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_holds_up_to_its_maximum() {
        let bytes = [7; MAX_OVERHEAD + 1];
        assert_eq!(&*Header::new(&bytes[1..]).unwrap(), &bytes[1..]);
        assert_eq!(Header::new(&bytes), None);
    }
}
