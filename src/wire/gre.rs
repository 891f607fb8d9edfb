//! The GRE header, version 0 (RFC 2784, section 2, with the key and sequence number of RFC 2890).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-----------------+-----+-------------------------------+
//! |C|R|K|S|    Reserved0    | Ver |         Protocol Type         |
//! +-+-+-+-+-----------------+-----+-------------------------------+
//! |      Checksum (if C)          |       Reserved1 (if C)        |
//! +-------------------------------+-------------------------------+
//! |                          Key (if K)                           |
//! +---------------------------------------------------------------+
//! |                    Sequence Number (if S)                     |
//! +---------------------------------------------------------------+
//! ```
//!
//! Receivers differ in what they do about the bits of Reserved0, so the header keeps those that it
//! received; which of them are fatal is one AND in the tunnel's policy.
//!
//! Out of scope: the source routes of RFC 1701, and version 1, the enhanced GRE of PPTP, which is in
//! [`gre1`](super::gre1). Both are refused by name.

use core::fmt;

use super::{
    Error, EtherType, Layer,
    checksum::{State, Sum},
    debug::debug_as,
};

/// UDP destination port of GRE in UDP (RFC 8086, section 3.2.2).
pub const UDP_PORT: u16 = 4754;

/// Names a tunnel between two addresses (RFC 2890, section 2.1).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Key(pub u32);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A GRE header. What is `None` is absent on the wire.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// The bits of Reserved0 as received, in their place in the flag word; constructors leave zero.
    pub reserved: Reserved0,
    /// What the payload is.
    pub protocol: EtherType,
    /// Checksum over header and payload, as received or as to be sent.
    pub checksum: Option<u16>,
    /// The tunnel's key.
    pub key: Option<Key>,
    /// Number of this packet in its flow (RFC 2890, section 2.2).
    pub sequence: Option<u32>,
}

debug_as! { "gre::Header", Header { reserved, protocol, checksum, key, sequence } }

impl Header {
    /// Length without optional fields, in bytes.
    pub const MIN_LEN: usize = 4;
    /// Length with all optional fields, in bytes.
    pub const MAX_LEN: usize = 16;

    /// The header of a payload of this kind, without optional fields.
    pub const fn new(protocol: EtherType) -> Self {
        Self { reserved: Reserved0::NONE, protocol, checksum: None, key: None, sequence: None }
    }

    /// Length of this header in bytes: 4, 8, 12 or 16.
    pub const fn header_len(&self) -> usize {
        let fields =
            self.checksum.is_some() as usize + self.key.is_some() as usize + self.sequence.is_some() as usize;
        Self::MIN_LEN + 4 * fields
    }

    /// The header without optional fields in these bytes.
    ///
    /// # Errors
    ///
    /// [`Error::SourceRouting`] with the R bit, [`Error::Version`] other than 0, [`Error::Truncated`]
    /// where the flags announce optional fields.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::MIN_LEN]) -> Result<Self, Error> {
        match Self::fixed(bytes) {
            Ok((header, flags)) => match optional_len(flags) {
                0 => Ok(header),
                more => Err(Error::truncated(Layer::Gre, Self::MIN_LEN + more, Self::MIN_LEN)),
            },
            Err(error) => Err(error),
        }
    }

    /// The header at the front of `bytes`, and the payload.
    ///
    /// Reserved1 is ignored (RFC 2784, section 2.6). The checksum is for [`verify`] to check: it covers
    /// the payload, whose end only the caller knows.
    ///
    /// # Errors
    ///
    /// [`Error::SourceRouting`] with the R bit, [`Error::Version`] other than 0, [`Error::Truncated`]
    /// where the fields that the flags announce are not all there.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let Some((head, mut rest)) = bytes.split_first_chunk() else {
            return Err(Error::truncated(Layer::Gre, Self::MIN_LEN, bytes.len()));
        };
        let (mut header, flags) = Self::fixed(head)?;
        let mut word = |flag| {
            if flags & flag == 0 {
                return Ok(None);
            }
            let need = Self::MIN_LEN + optional_len(flags);
            let (word, after) =
                rest.split_first_chunk().ok_or(Error::truncated(Layer::Gre, need, bytes.len()))?;
            rest = after;
            Ok(Some(u32::from_be_bytes(*word)))
        };
        header.checksum = word(CHECKSUM)?.map(|word| (word >> 16) as u16);
        header.key = word(KEY)?.map(Key);
        header.sequence = word(SEQUENCE)?;
        Ok((header, rest))
    }

    /// The header without its optional fields, and the flag word that announces them.
    const fn fixed(bytes: &[u8; Self::MIN_LEN]) -> Result<(Self, u16), Error> {
        let [f0, f1, p0, p1] = *bytes;
        let flags = u16::from_be_bytes([f0, f1]);
        if flags & ROUTING != 0 {
            return Err(Error::SourceRouting);
        }
        if flags & VERSION != 0 {
            return Err(Error::Version { layer: Layer::Gre, version: (flags & VERSION) as u8 });
        }
        let header = Self::new(EtherType(u16::from_be_bytes([p0, p1])));
        Ok((Self { reserved: Reserved0::from_flags(flags), ..header }, flags))
    }

    /// The header in network byte order: the first [`header_len`](Self::header_len) bytes of the array,
    /// zeros behind them. Reserved1 is zero.
    pub fn to_bytes(&self) -> [u8; Self::MAX_LEN] {
        let flag = |present, bit| if present { bit } else { 0 };
        let flags = self.reserved.0
            | flag(self.checksum.is_some(), CHECKSUM)
            | flag(self.key.is_some(), KEY)
            | flag(self.sequence.is_some(), SEQUENCE);
        let first = u32::from(flags) << 16 | u32::from(self.protocol.0);
        let optional =
            [self.checksum.map(|sum| u32::from(sum) << 16), self.key.map(|key| key.0), self.sequence];

        let mut bytes = [0; Self::MAX_LEN];
        let words = core::iter::once(first).chain(optional.into_iter().flatten());
        for (field, word) in bytes.chunks_exact_mut(4).zip(words) {
            field.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    /// Writes the header to the front of `out` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] where `out` is shorter than the header.
    pub fn emit(&self, out: &mut [u8]) -> Result<usize, Error> {
        super::emit(Layer::Gre, &self.to_bytes(), self.header_len(), out)
    }

    /// The same header with the checksum over itself and `payload` (RFC 2784, section 2.5).
    #[must_use]
    pub fn with_checksum(self, payload: &[u8]) -> Self {
        let header = Self { checksum: Some(0), ..self };
        // Zeros behind the header add nothing, and its length is even.
        Self { checksum: Some(checksum(&header.to_bytes(), payload)), ..self }
    }
}

/// Bits 4 to 12 of the flag word: strict source route, recursion control and what RFC 2784 reserves.
///
/// Section 2.3: a receiver that does not speak RFC 1701 must discard a packet with any of bits 1 to 5
/// set, and must ignore bits 6 to 12.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Reserved0(u16);

impl Reserved0 {
    /// All bits zero, as they must be sent.
    pub const NONE: Self = Self(0);
    /// All bits of the field.
    pub const ALL: Self = Self(0x0ff8);
    /// Bits 4 and 5: those for which RFC 2784 demands that the packet be discarded, besides R, K and S,
    /// which the header reads.
    pub const MUST_DISCARD: Self = Self(0x0c00);

    /// The field's bits in a flag word.
    pub const fn from_flags(flags: u16) -> Self {
        Self(flags & Self::ALL.0)
    }

    /// The bits, in their place in the flag word.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// Whether the two have a bit in common.
    #[inline]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Reserved0 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Reserved0 {
    /// Bits outside of the field are refused.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::{Error as _, Unexpected};

        let flags = u16::deserialize(deserializer)?;
        if flags & !Self::ALL.0 == 0 {
            Ok(Self(flags))
        } else {
            Err(D::Error::invalid_value(Unexpected::Unsigned(flags.into()), &"bits of Reserved0, 0x0ff8"))
        }
    }
}

/// The checksum over a header, its checksum field zero, and the payload (RFC 2784, section 2.5).
#[inline]
pub fn checksum(header: &[u8], payload: &[u8]) -> u16 {
    Sum::ZERO.add_bytes(header).add_bytes(payload).checksum()
}

/// Whether the checksum of `packet`, header and payload without the link's padding, is right. Where the
/// packet ends before the field does, there is nothing that could be.
#[inline]
pub fn verify(packet: &[u8]) -> State {
    match packet {
        [f0, f1, _, _, ..] if u16::from_be_bytes([*f0, *f1]) & CHECKSUM == 0 => State::Absent,
        [_, _, _, _, _, _, _, _, ..] => State::verified(Sum::ZERO.add_bytes(packet)),
        _ => State::Bad,
    }
}

/// Bytes of the optional fields that `flags` announce.
const fn optional_len(flags: u16) -> usize {
    4 * (flags & (CHECKSUM | KEY | SEQUENCE)).count_ones() as usize
}

pub(super) const CHECKSUM: u16 = 0x8000;
pub(super) const ROUTING: u16 = 0x4000;
pub(super) const KEY: u16 = 0x2000;
pub(super) const SEQUENCE: u16 = 0x1000;
pub(super) const VERSION: u16 = 0x0007;

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    /// An IPv4 packet of 33 bytes: an odd length, so that the padding of the checksum counts.
    const PAYLOAD: [u8; 33] = [
        0x45, 0x00, 0x00, 0x21, 0x00, 0x01, 0x00, 0x00, 0x40, 0x11, 0x66, 0xc7, 0x0a, 0x01, 0x00, 0x01, 0x0a,
        0x01, 0x00, 0x02, 0x03, 0xe8, 0x07, 0xd0, 0x00, 0x0d, 0x9c, 0x45, 0x68, 0x65, 0x6c, 0x6c, 0x6f,
    ];

    fn packet(head: &[u8]) -> Vec<u8> {
        [head, &PAYLOAD].concat()
    }

    #[test]
    fn golden_every_shape() {
        let plain = Header::new(EtherType::IPV4);
        let key = Some(Key(0x0102_0304));
        let shapes: [(&[u8], Header, State); 5] = [
            (&[0x00, 0, 8, 0], plain, State::Absent),
            (&[0x20, 0, 8, 0, 1, 2, 3, 4], Header { key, ..plain }, State::Absent),
            (&[0x10, 0, 8, 0, 0, 0, 0, 7], Header { sequence: Some(7), ..plain }, State::Absent),
            (&[0x80, 0, 8, 0, 0x8c, 0x22, 0, 0], Header { checksum: Some(0x8c22), ..plain }, State::Good),
            (
                &[
                    0xb0, 0, 8, 0, // C, K, S; IPv4
                    0x58, 0x15, 0, 0, // checksum; Reserved1
                    1, 2, 3, 4, // key
                    0, 0, 0, 7, // sequence number
                ],
                Header { checksum: Some(0x5815), key, sequence: Some(7), ..plain },
                State::Good,
            ),
        ];
        for (bytes, header, state) in shapes {
            let packet = packet(bytes);
            assert_eq!(Header::parse(&packet), Ok((header, &PAYLOAD[..])));
            assert_eq!(header.to_bytes()[..header.header_len()], *bytes);
            assert_eq!(verify(&packet), state);
            if header.checksum.is_some() {
                assert_eq!(Header { checksum: None, ..header }.with_checksum(&PAYLOAD), header);
            }
        }
    }

    #[test]
    fn rfc2784_s2_5_any_flipped_bit_is_found() {
        let good = packet(&[0xb0, 0, 8, 0, 0x58, 0x15, 0, 0, 1, 2, 3, 4, 0, 0, 0, 7]);
        for bit in 1..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(verify(&bytes), State::Bad, "bit {bit}");
        }
    }

    /// Bytes that happen to sum up to all ones are no checksum.
    #[test]
    fn rfc2784_s2_5_a_packet_without_the_whole_field_is_bad() {
        let bytes = [0x80, 0, 0x7f, 0xff, 0, 0, 0, 0];
        assert_eq!(verify(&bytes), State::Good);
        for len in 0..8 {
            assert_eq!(verify(&bytes[..len]), State::Bad, "{len} bytes");
        }
        assert_eq!(verify(&[0xff, 0xff]), State::Bad);
    }

    /// All 65,536 flag words: refused for a named bit, or read and written back as they were.
    #[test]
    fn rfc2784_s2_every_flag_word() {
        let mut bytes = [0xff; 17];
        for flags in 0..=u16::MAX {
            [bytes[0], bytes[1]] = flags.to_be_bytes();
            match Header::parse(&bytes) {
                Err(Error::SourceRouting) => assert_ne!(flags & 0x4000, 0),
                Err(Error::Version { version, .. }) => {
                    assert!(flags & 0x4000 == 0 && u16::from(version) == flags & 7)
                }
                Err(error) => panic!("{flags:#06x}: {error}"),
                Ok((header, payload)) => {
                    assert_eq!(flags & 0x4007, 0);
                    let len = header.header_len();
                    assert_eq!(len + payload.len(), bytes.len());
                    assert_eq!(header.reserved.value(), flags & 0x0ff8);
                    let mut expected = bytes;
                    if header.checksum.is_some() {
                        [expected[6], expected[7]] = [0, 0]; // Reserved1
                    }
                    assert_eq!(header.to_bytes()[..len], expected[..len], "{flags:#06x}");
                }
            }
        }
    }

    #[test]
    fn every_truncation_says_what_the_flags_need() {
        for flags in 0..16u8 {
            let bytes = [flags << 4, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let Ok((header, _)) = Header::parse(&bytes) else {
                continue;
            };
            for have in 0..header.header_len() {
                let need = if have < 4 { 4 } else { header.header_len() };
                assert_eq!(Header::parse(&bytes[..have]), Err(Error::truncated(Layer::Gre, need, have)));
            }
        }
    }
}
