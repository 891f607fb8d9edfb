//! The options of an IPv4 header (RFC 791, section 3.1), as bytes.

/// The options of an IPv4 header: up to 40 bytes, a multiple of four.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Options {
    len: u8,
    bytes: [u8; 40],
}

impl Options {
    /// No options.
    pub const NONE: Self = Self { len: 0, bytes: [0; 40] };

    /// These options, or `None` where there are more than 40 bytes or no multiple of four.
    pub fn new(options: &[u8]) -> Option<Self> {
        let mut bytes = [0; 40];
        bytes.get_mut(..options.len())?.copy_from_slice(options);
        let len = u8::try_from(options.len()).ok().filter(|len| len % 4 == 0)?;
        Some(Self { len, bytes })
    }

    /// Length of the options in bytes, at most 40.
    pub const fn byte_len(&self) -> u8 {
        self.len
    }

    /// All bytes, zeros behind the options.
    pub(super) const fn padded(&self) -> &[u8; 40] {
        &self.bytes
    }

    /// The options, padding included.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::NONE
    }
}

impl core::fmt::Debug for Options {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_bytes().fmt(f)
    }
}

/// Whether a source route among the options of an IPv4 header has hops left, so that the packet is to go on (RFC 791,
/// section 3.1). Options that do not make sense end the list.
#[cold]
#[inline(never)]
pub(crate) fn leads_on(mut options: &[u8]) -> bool {
    loop {
        match *options {
            [NO_OPERATION, ref rest @ ..] => options = rest,
            [END, ..] | [_, 0 | 1, ..] => return false,
            // The pointer counts from one, and is behind the end once all hops were made.
            [LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE, len, pointer, ..] if len > 2 && pointer <= len => {
                return true;
            }
            [_, len, ..] => options = options.get(len.into()..).unwrap_or_default(),
            _ => return false,
        }
    }
}

// RFC 791, section 3.1.
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;

#[cfg(feature = "serde")]
super::serde_bytes::bounded_bytes!(Options, 40, "at most 40 bytes of IPv4 options, a multiple of four");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_whole_words_up_to_40_bytes() {
        for len in 0..=44 {
            let fits = len <= 40 && len % 4 == 0;
            assert_eq!(Options::new(&[1; 44][..len]).is_some(), fits, "{len} bytes");
        }
    }
}
