//! Geneve options (RFC 8926, section 3.5): type, length, value.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-+-------------+-----+---------+
//! |          Option Class         |C|    Type     |R|R|R| Length  |
//! +-------------------------------+-+-------------+-----+---------+
//! |                  Variable-Length Option Data                  |
//! +---------------------------------------------------------------+
//! ```
//!
//! ```
//! use encap::wire::geneve_option::{OptionClass, OptionType, Options, TypedOption, Writer};
//!
//! /// The flow cookie of AWS Gateway Load Balancer.
//! struct FlowCookie([u8; 4]);
//!
//! impl TypedOption for FlowCookie {
//!     const CLASS: OptionClass = OptionClass(0x0108);
//!     const KIND: OptionType = OptionType(3);
//!     type Data = [u8; 4];
//!
//!     fn to_data(&self) -> [u8; 4] {
//!         self.0
//!     }
//!     fn from_data(data: [u8; 4]) -> Option<Self> {
//!         Some(Self(data))
//!     }
//! }
//!
//! let mut buffer = [0; 32];
//! let mut writer = Writer::new(&mut buffer);
//! writer.push_typed(&FlowCookie([1, 2, 3, 4]))?;
//! let options = Options::new(writer.as_bytes());
//! assert_eq!(options.find::<FlowCookie>().map(|cookie| cookie.0), Some([1, 2, 3, 4]));
//! # Ok::<(), encap::wire::geneve_option::WriteError>(())
//! ```

use core::{fmt, iter::FusedIterator};

use super::{Error, Layer, LengthSource, geneve::OptionsLen};

/// Who defines an option's types (IANA: Geneve Option Class).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct OptionClass(pub u16);

/// What an option is, within its class; the highest bit is the critical bit.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct OptionType(pub u8);

impl OptionType {
    /// Whether a receiver that does not know the option must drop the packet (section 3.5, the C bit).
    #[inline]
    pub const fn is_critical(self) -> bool {
        self.0 & 0x80 != 0
    }
}

impl fmt::Display for OptionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

impl fmt::Display for OptionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

/// One option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GeneveOption<'a> {
    /// Who defines the type.
    pub class: OptionClass,
    /// What the option is.
    pub kind: OptionType,
    /// Its value: a multiple of four bytes, at most 124.
    pub data: &'a [u8],
}

/// The options of a packet, one after the other. Ends at the first error.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
}

impl<'a> Options<'a> {
    /// The options in these bytes, all of which are options.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes of the options that were not read yet.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }

    /// The first option of this type whose value makes sense.
    pub fn find<T: TypedOption>(self) -> Option<T> {
        self.map_while(Result::ok).find_map(|option| {
            let ours = option.class == T::CLASS && option.kind == T::KIND;
            let data = T::Data::try_from(option.data).ok().filter(|_| ours)?;
            T::from_data(data)
        })
    }

    #[inline]
    fn split(&self) -> Result<(GeneveOption<'a>, &'a [u8]), Error> {
        let truncated = |needed_by, need| Error::Truncated {
            layer: Layer::GeneveOption,
            needed_by,
            need,
            have: self.rest.len(),
        };
        let Some((&[c0, c1, kind, length], rest)) = self.rest.split_first_chunk() else {
            return Err(truncated(LengthSource::Header, HEADER_LEN));
        };
        let len = usize::from(length & LENGTH) * 4;
        let (data, rest) =
            rest.split_at_checked(len).ok_or(truncated(LengthSource::OptionLength, HEADER_LEN + len))?;
        Ok((
            GeneveOption { class: OptionClass(u16::from_be_bytes([c0, c1])), kind: OptionType(kind), data },
            rest,
        ))
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<GeneveOption<'a>, Error>;

    /// # Errors
    ///
    /// [`Error::Truncated`] where an option is longer than what is left: the lengths of the options must add
    /// up to the header's (section 3.5). It is the last item.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match self.split() {
            Ok((option, rest)) => {
                self.rest = rest;
                Some(Ok(option))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

impl FusedIterator for Options<'_> {}

/// An option with a meaning: a vendor's, say. The value is an array of bytes.
pub trait TypedOption: Sized {
    /// Who defines the type.
    const CLASS: OptionClass;
    /// What the option is.
    const KIND: OptionType;
    /// The value on the wire: `[u8; N]`, N a multiple of four up to 124.
    type Data: AsRef<[u8]> + for<'a> TryFrom<&'a [u8]>;

    /// The value, in network byte order.
    fn to_data(&self) -> Self::Data;

    /// The option with this value, or `None` where it makes no sense.
    fn from_data(data: Self::Data) -> Option<Self>;
}

/// Writes options into a caller's buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
    critical: bool,
}

impl<'a> Writer<'a> {
    /// No options yet.
    pub const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0, critical: false }
    }

    /// Adds an option; reserved bits are zero.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; nothing is written.
    pub fn push(&mut self, class: OptionClass, kind: OptionType, data: &[u8]) -> Result<(), WriteError> {
        if data.len() % 4 != 0 || data.len() > MAX_DATA_LEN {
            return Err(WriteError::DataLen(data.len()));
        }
        let need = self.len.saturating_add(HEADER_LEN).saturating_add(data.len());
        let have = self.out.len().min(OptionsLen::MAX.bytes());
        let full = WriteError::Full { need, have };
        let free = self.out.get_mut(self.len..have).and_then(<[u8]>::split_first_chunk_mut);
        let (head, rest) = free.ok_or(full)?;
        let value = rest.get_mut(..data.len()).ok_or(full)?;
        let [c0, c1] = class.0.to_be_bytes();
        *head = [c0, c1, kind.0, (data.len() / 4) as u8];
        value.copy_from_slice(data);
        self.len = need;
        self.critical |= kind.is_critical();
        Ok(())
    }

    /// Adds an option with a meaning.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; nothing is written.
    pub fn push_typed<T: TypedOption>(&mut self, option: &T) -> Result<(), WriteError> {
        self.push(T::CLASS, T::KIND, option.to_data().as_ref())
    }

    /// The options that were written.
    pub fn as_bytes(&self) -> &[u8] {
        self.out.get(..self.len).unwrap_or_default()
    }

    /// Their length, for the header.
    pub const fn options_len(&self) -> OptionsLen {
        OptionsLen::truncate((self.len / 4) as u8)
    }

    /// Whether one of them is critical, for the header's C flag.
    pub const fn is_critical(&self) -> bool {
        self.critical
    }
}

/// Why an option cannot be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The value is no multiple of four bytes, or longer than 124.
    #[error("an option's value of {0} bytes: a multiple of 4 is needed, at most 124")]
    DataLen(usize),
    /// There is no room, or no more than 252 bytes of options can be.
    #[error("{need} bytes of options, and room for {have}")]
    Full {
        /// Bytes that the options would have.
        need: usize,
        /// Bytes that they may have.
        have: usize,
    },
}

/// Bytes of an option, as the last byte of its header says.
#[inline(always)]
pub(crate) const fn option_len(byte: u8) -> usize {
    HEADER_LEN + (byte & LENGTH) as usize * 4
}

const HEADER_LEN: usize = 4;
const MAX_DATA_LEN: usize = 124;
const LENGTH: u8 = 0x1f;

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    #[test]
    fn rfc8926_s3_5_every_type_and_length_byte() {
        let mut bytes = [0x11; 128];
        for byte in 0..=u8::MAX {
            (bytes[2], bytes[3]) = (byte, byte);
            let mut options = Options::new(&bytes);
            let option = options.next().unwrap().unwrap();
            assert_eq!((option.class.0, option.kind.0), (0x1111, byte));
            assert_eq!(option.kind.is_critical(), byte >= 0x80);
            assert_eq!(option.data.len(), usize::from(byte % 32) * 4, "reserved bits are ignored");
        }
    }

    #[test]
    fn rfc8926_s3_5_lengths_must_add_up() {
        let bytes = [0, 1, 2, 1, 9, 9, 9, 9, 0, 1, 3, 2, 8, 8, 8, 8];
        let found: Vec<_> = Options::new(&bytes).collect();
        let error = Error::Truncated {
            layer: Layer::GeneveOption,
            needed_by: LengthSource::OptionLength,
            need: 12,
            have: 8,
        };
        assert_eq!((found.len(), found[1]), (2, Err(error)));
        let error = Error::truncated(Layer::GeneveOption, 4, 3);
        assert_eq!(Options::new(&[0; 3]).collect::<Vec<_>>(), [Err(error)]);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut buffer = [0; 300];
        let mut writer = Writer::new(&mut buffer);
        let data: Vec<u8> = (0..124).collect();
        writer.push(OptionClass(0x0102), OptionType(3), &[]).unwrap();
        writer.push(OptionClass(0xffff), OptionType(0x84), &data).unwrap();
        assert!(writer.is_critical());
        assert_eq!(writer.push(OptionClass(1), OptionType(1), &[0; 5]), Err(WriteError::DataLen(5)));
        assert_eq!(writer.push(OptionClass(1), OptionType(1), &[0; 128]), Err(WriteError::DataLen(128)));
        let full = WriteError::Full { need: 260, have: 252 };
        assert_eq!(writer.push(OptionClass(1), OptionType(1), &data), Err(full));
        assert_eq!(writer.options_len().bytes(), 132);
        let found: Vec<_> = Options::new(writer.as_bytes()).map(Result::unwrap).collect();
        let options = [
            GeneveOption { class: OptionClass(0x0102), kind: OptionType(3), data: &[] },
            GeneveOption { class: OptionClass(0xffff), kind: OptionType(0x84), data: &data },
        ];
        assert_eq!(found, options);
    }
}
