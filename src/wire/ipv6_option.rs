//! The options in hop-by-hop and destination options headers of IPv6 (RFC 8200, section 4.2): type, length, value.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---+-+---------+---------------+-------------------------------+
//! |Act|C|  Type   | Opt Data Len  |          Option Data          |
//! +---+-+---------+---------------+-------------------------------+
//! ```
//!
//! The whole first byte is the type. Its bits Act say what is done about an option that is not known, and C whether its
//! data may change on the way. Pad1 is a byte of zero and nothing else.

use core::iter::FusedIterator;

use super::{Error, Layer, LengthSource};

/// One option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ipv6Option<'a> {
    pub(crate) kind: u8,
    pub(crate) data: &'a [u8],
    /// Where in the header the data starts.
    pub(crate) at: usize,
}

impl Ipv6Option<'_> {
    /// Whether who does not know the option skips it, and does not discard the packet (section 4.2).
    pub(crate) const fn is_skipped(&self) -> bool {
        self.kind & ACTION == 0
    }
}

/// The options of a header, one after the other, without Pad1. Ends at the first error.
#[derive(Clone, Debug)]
pub(crate) struct Options<'a> {
    header: &'a [u8],
    at: usize,
}

impl<'a> Options<'a> {
    /// Those of this header, which begins with its two bytes of next header and length.
    pub(crate) const fn new(header: &'a [u8]) -> Self {
        Self { header, at: 2 }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<Ipv6Option<'a>, Error>;

    /// # Errors
    ///
    /// [`Error::Truncated`] for an option that is longer than what is left. It is the last item.
    fn next(&mut self) -> Option<Self::Item> {
        let rest = loop {
            match self.header.get(self.at..).unwrap_or_default() {
                [] => return None,
                [PAD1, ..] => self.at = self.at.saturating_add(1),
                rest => break rest,
            }
        };
        let at = self.at.saturating_add(2);
        let option = option(rest).map(|(kind, data)| Ipv6Option { kind, data, at });
        self.at = option.map_or(self.header.len(), |option| at.saturating_add(option.data.len()));
        Some(option)
    }
}

impl FusedIterator for Options<'_> {}

/// Type and data of the option at the front of `bytes`.
fn option(bytes: &[u8]) -> Result<(u8, &[u8]), Error> {
    let (layer, have) = (Layer::Ipv6Extension, bytes.len());
    let (&[kind, len], rest) = bytes.split_first_chunk().ok_or(Error::truncated(layer, 2, have))?;
    let need = 2 + usize::from(len);
    let data = rest.get(..len.into()).ok_or(Error::Truncated {
        layer,
        needed_by: LengthSource::OptionLength,
        need,
        have,
    })?;
    Ok((kind, data))
}

const PAD1: u8 = 0;
/// The two bits of a type that are 00 where an option that is not known is skipped.
const ACTION: u8 = 0xc0;

#[cfg(test)]
mod tests {
    extern crate alloc;
    use alloc::vec::Vec;

    use super::*;

    #[rustfmt::skip]
    const HEADER: [u8; 16] = [
        59, 1, // next header, length
        4, 1, 7, // tunnel encapsulation limit
        0, // Pad1
        1, 2, 0, 0, // PadN
        0x05, 2, 1, 2, // router alert
        1, 0, // PadN without data
    ];

    #[test]
    fn s4_2_options_come_in_their_order_without_pad1() {
        let options: Vec<_> = Options::new(&HEADER).map(Result::unwrap).collect();
        let expected: [(u8, &[u8], usize); 4] =
            [(4, &[7], 4), (1, &[0, 0], 8), (5, &[1, 2], 12), (1, &[], 16)];
        assert!(options.iter().map(|it| (it.kind, it.data, it.at)).eq(expected));
    }

    #[test]
    fn s4_2_two_bits_of_the_type_say_whether_it_is_skipped() {
        for kind in 0..=255 {
            let option = Ipv6Option { kind, data: &[], at: 4 };
            assert_eq!(option.is_skipped(), kind < 64, "{kind}");
        }
    }

    #[test]
    fn options_end_where_the_header_does() {
        for len in 0..=HEADER.len() {
            let mut options = Options::new(&HEADER[..len]);
            let whole = options.by_ref().take_while(Result::is_ok).count();
            assert_eq!(options.next(), None, "{len}");
            // Between two options, or in the middle of one.
            let error = Options::new(&HEADER[..len]).find_map(Result::err);
            let ends = [(2, 0), (5, 1), (6, 1), (10, 2), (14, 3), (16, 4)];
            match ends.iter().find(|(end, _)| *end == len) {
                Some(&(_, count)) => assert_eq!((whole, error), (count, None), "{len}"),
                None if len < 2 => assert_eq!((whole, error), (0, None), "{len}"),
                None => assert!(matches!(error, Some(Error::Truncated { .. })), "{len}: {error:?}"),
            }
        }
    }

    #[test]
    fn an_error_says_what_was_needed() {
        let error = |bytes: &[u8]| Options::new(bytes).next().unwrap().unwrap_err();
        let layer = Layer::Ipv6Extension;
        assert_eq!(error(&[59, 0, 4]), Error::truncated(layer, 2, 1));
        let needed_by = LengthSource::OptionLength;
        assert_eq!(error(&[59, 0, 4, 9, 0]), Error::Truncated { layer, needed_by, need: 11, have: 3 });
    }
}
