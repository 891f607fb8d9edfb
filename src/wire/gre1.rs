//! Enhanced GRE, version 1: the data packets of PPTP (RFC 2637, section 4.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-----+-+-------+-----+-------------------------------+
//! |C|R|K|S|s|Recur|A| Flags | Ver |         Protocol Type         |
//! +-+-+-+-+-+-----+-+-------+-----+-------------------------------+
//! |    Key (HW) Payload Length    |       Key (LW) Call ID        |
//! +-------------------------------+-------------------------------+
//! |                  Sequence Number (if S)                       |
//! +---------------------------------------------------------------+
//! |               Acknowledgment Number (if A)                    |
//! +---------------------------------------------------------------+
//! ```
//!
//! For analysis: this crate has no endpoint for it.

use super::{
    Error, EtherType, Layer,
    debug::debug_as,
    gre::{CHECKSUM, KEY, ROUTING, SEQUENCE, VERSION},
};

/// An enhanced GRE header. What is `None` is absent on the wire.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// What the payload is: 0x880b, PPP, as a rule.
    pub protocol: EtherType,
    /// Length of the payload in bytes.
    pub payload_len: u16,
    /// The receiver's call ID.
    pub call_id: u16,
    /// Number of this packet; there where it has a payload.
    pub sequence: Option<u32>,
    /// The highest number received by the sender.
    pub acknowledgment: Option<u32>,
}

debug_as! { "gre1::Header", Header { protocol, payload_len, call_id, sequence, acknowledgment } }

impl Header {
    /// Length without optional fields, in bytes.
    pub const MIN_LEN: usize = 8;
    /// Length with all optional fields, in bytes.
    pub const MAX_LEN: usize = 16;

    /// Length of this header in bytes: 8, 12 or 16.
    pub const fn header_len(&self) -> usize {
        Self::MIN_LEN + 4 * (self.sequence.is_some() as usize + self.acknowledgment.is_some() as usize)
    }

    /// The header at the front of `bytes`, and what follows it.
    ///
    /// Section 4.1: C, R, s, recursion and flags must be zero and K one. Of these, C, R and K are refused where they
    /// are not, the others ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] other than 1; [`Error::SourceRouting`] with R; [`Error::Unsupported`] with C or without
    /// K; [`Error::Truncated`] where the fields that the flags announce are not all there.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let truncated = |need| Error::truncated(Layer::EnhancedGre, need, bytes.len());
        let Some((&[f0, f1, p0, p1], rest)) = bytes.split_first_chunk() else {
            return Err(truncated(Self::MIN_LEN));
        };
        let flags = u16::from_be_bytes([f0, f1]);
        if flags & VERSION != 1 {
            return Err(Error::Version { layer: Layer::EnhancedGre, version: (flags & VERSION) as u8 });
        }
        if flags & ROUTING != 0 {
            return Err(Error::SourceRouting);
        }
        if flags & (CHECKSUM | KEY) != KEY {
            return Err(Error::Unsupported { layer: Layer::EnhancedGre, field: "flags", value: flags });
        }
        let need = Self::MIN_LEN + 4 * (flags & (SEQUENCE | ACKNOWLEDGMENT)).count_ones() as usize;
        let (&[l0, l1, c0, c1], mut rest) = rest.split_first_chunk().ok_or(truncated(need))?;
        let mut word = |flag| {
            if flags & flag == 0 {
                return Ok(None);
            }
            let (word, after) = rest.split_first_chunk().ok_or(truncated(need))?;
            rest = after;
            Ok(Some(u32::from_be_bytes(*word)))
        };
        let sequence = word(SEQUENCE)?;
        let acknowledgment = word(ACKNOWLEDGMENT)?;
        let header = Self {
            protocol: EtherType(u16::from_be_bytes([p0, p1])),
            payload_len: u16::from_be_bytes([l0, l1]),
            call_id: u16::from_be_bytes([c0, c1]),
            sequence,
            acknowledgment,
        };
        Ok((header, rest))
    }

    /// The header in network byte order: the first [`header_len`](Self::header_len) bytes of the array, zeros
    /// behind them.
    pub fn to_bytes(&self) -> [u8; Self::MAX_LEN] {
        let sequence = if self.sequence.is_some() { SEQUENCE } else { 0 };
        let acknowledgment = if self.acknowledgment.is_some() { ACKNOWLEDGMENT } else { 0 };
        let first = u32::from(KEY | sequence | acknowledgment | 1) << 16 | u32::from(self.protocol.0);
        let key = u32::from(self.payload_len) << 16 | u32::from(self.call_id);
        let words = [first, key].into_iter().chain(self.sequence).chain(self.acknowledgment);
        let mut bytes = [0; Self::MAX_LEN];
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
        super::emit(Layer::EnhancedGre, &self.to_bytes(), self.header_len(), out)
    }
}

const ACKNOWLEDGMENT: u16 = 0x0080;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let bytes = [
            0x30, 0x81, 0x88, 0x0b, // K, S, A; version 1; PPP
            0x00, 0x0c, 0x00, 0x18, // 12 bytes for call 24
            0, 0, 0, 7, // sequence number
            0, 0, 0, 6, // acknowledgment
        ];
        let header = Header {
            protocol: EtherType(0x880b),
            payload_len: 12,
            call_id: 24,
            sequence: Some(7),
            acknowledgment: Some(6),
        };
        assert_eq!(Header::parse(&bytes), Ok((header, &[][..])));
        assert_eq!(header.to_bytes(), bytes);
    }

    #[test]
    fn rfc2637_s4_1_every_flag_word() {
        let mut bytes = [0xff; 20];
        for flags in 0..=u16::MAX {
            [bytes[0], bytes[1]] = flags.to_be_bytes();
            match Header::parse(&bytes) {
                Ok((header, rest)) => {
                    assert_eq!(flags & 0xe007, 0x2001, "{flags:#06x}");
                    assert_eq!(header.header_len() + rest.len(), 20);
                    let len = header.header_len();
                    let mut expected = bytes;
                    [expected[0], expected[1]] = (flags & 0x3087).to_be_bytes();
                    assert_eq!(header.to_bytes()[..len], expected[..len]);
                    for have in 8..len {
                        let error = Error::truncated(Layer::EnhancedGre, len, have);
                        assert_eq!(Header::parse(&bytes[..have]), Err(error));
                    }
                }
                Err(Error::Version { version, .. }) => {
                    assert!(u16::from(version) == flags & 7 && version != 1)
                }
                Err(Error::SourceRouting) => assert_ne!(flags & 0x4000, 0),
                Err(error) => {
                    assert_ne!(flags & 0xa000, 0x2000);
                    let field = "flags";
                    assert_eq!(error, Error::Unsupported { layer: Layer::EnhancedGre, field, value: flags });
                }
            }
        }
    }
}
