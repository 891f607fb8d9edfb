//! The Geneve header (RFC 8926, section 3.4): eight bytes and up to 252 bytes of options between UDP and the
//! payload.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---+-----------+-+-+-----------+-------------------------------+
//! |Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
//! +---+-----------+-+-+-----------+---------------+---------------+
//! |        Virtual Network Identifier (VNI)       |    Reserved   |
//! +-----------------------------------------------+---------------+
//! |                    Variable-Length Options                    |
//! +---------------------------------------------------------------+
//! ```
//!
//! The header keeps all 64 bits, so that what a policy says of the reserved ones is one AND. The options are
//! in [`geneve_option`](super::geneve_option).

use super::{
    Error, EtherType, Layer, LengthSource, Vni, bounded::bounded, debug::debug_as, geneve_option::Options,
};

/// UDP destination port (IANA).
pub const PORT: u16 = 6081;

bounded! {
    /// Length of a header's options in words of four bytes: 0 to 63.
    OptionsLen(u8), max 63
}

impl OptionsLen {
    /// Length in bytes.
    pub const fn bytes(self) -> usize {
        self.value() as usize * 4
    }

    /// The length of this many bytes, or `None` where it is no multiple of four or more than 252.
    pub const fn from_bytes(bytes: usize) -> Option<Self> {
        if bytes % 4 == 0 && bytes <= Self::MAX.bytes() {
            Some(Self::truncate((bytes / 4) as u8))
        } else {
            None
        }
    }
}

/// A Geneve header without its options, every bit of it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(try_from = "u64", into = "u64"))]
pub struct Header(u64);

debug_as! { "geneve::Header", Header: protocol, vni, options_len, is_control, is_critical, reserved }

impl Header {
    /// Length without options, in bytes.
    pub const LEN: usize = 8;
    /// Length with as many options as there can be, in bytes.
    pub const MAX_LEN: usize = 260;

    /// The header of a payload of this kind on segment `vni`, without options; reserved bits zero.
    #[inline]
    pub const fn new(protocol: EtherType, vni: Vni) -> Self {
        Self((protocol.0 as u64) << PROTOCOL_SHIFT | (vni.value() as u64) << VNI_SHIFT)
    }

    /// With this length of options.
    #[must_use]
    pub const fn with_options_len(self, len: OptionsLen) -> Self {
        Self(self.0 & !OPT_LEN | (len.value() as u64) << OPT_LEN_SHIFT)
    }

    /// With the C flag, which says that there are critical options, set or clear.
    #[must_use]
    pub const fn with_critical(self, critical: bool) -> Self {
        Self(if critical { self.0 | C } else { self.0 & !C })
    }

    /// With the O flag, which says that the payload is a control message, set or clear.
    #[must_use]
    pub const fn with_control(self, control: bool) -> Self {
        Self(if control { self.0 | O } else { self.0 & !O })
    }

    /// The header in these bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] other than 0 (section 3.4: such packets must be dropped).
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, Error> {
        let bits = u64::from_be_bytes(*bytes);
        match (bits >> VERSION_SHIFT) as u8 {
            0 => Ok(Self(bits)),
            version => Err(Error::Version { layer: Layer::Geneve, version }),
        }
    }

    /// The header at the front of `bytes`, and what follows it: the options, all of which are there, and the
    /// payload. [`split_options`](Self::split_options) tells them apart.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] where header or options are cut off, [`Error::Version`] other than 0.
    #[inline]
    pub const fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let Some((head, rest)) = bytes.split_first_chunk() else {
            return Err(Error::truncated(Layer::Geneve, Self::LEN, bytes.len()));
        };
        match Self::from_bytes(head) {
            Ok(header) if rest.len() >= header.options_len().bytes() => Ok((header, rest)),
            Ok(header) => Err(Error::Truncated {
                layer: Layer::Geneve,
                needed_by: LengthSource::OptLen,
                need: Self::LEN + header.options_len().bytes(),
                have: bytes.len(),
            }),
            Err(error) => Err(error),
        }
    }

    /// Options and payload, from what [`parse`](Self::parse) found behind the header. With less than that,
    /// the options end early.
    #[inline]
    pub fn split_options<'a>(&self, rest: &'a [u8]) -> (Options<'a>, &'a [u8]) {
        let (options, payload) = rest.split_at_checked(self.options_len().bytes()).unwrap_or((rest, &[]));
        (Options::new(options), payload)
    }

    /// The header in network byte order, without its options.
    #[inline(always)]
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0.to_be_bytes()
    }

    /// What the payload is; [`EtherType::TEB`] for Ethernet.
    #[inline]
    pub const fn protocol(self) -> EtherType {
        EtherType((self.0 >> PROTOCOL_SHIFT) as u16)
    }

    /// The segment.
    #[inline]
    pub const fn vni(self) -> Vni {
        Vni::truncate((self.0 >> VNI_SHIFT) as u32)
    }

    /// Length of the options.
    #[inline]
    pub const fn options_len(self) -> OptionsLen {
        OptionsLen::truncate((self.0 >> OPT_LEN_SHIFT) as u8)
    }

    /// Whether the payload is a control message, not to be forwarded (section 3.4, the O flag).
    #[inline]
    pub const fn is_control(self) -> bool {
        self.0 & O != 0
    }

    /// Whether there are critical options (section 3.4, the C flag).
    #[inline]
    pub const fn is_critical(self) -> bool {
        self.0 & C != 0
    }

    /// The reserved bits: sent as zero, ignored on receipt (section 3.4).
    #[inline]
    pub const fn reserved(self) -> u64 {
        self.0 & RESERVED
    }
}

#[cfg(feature = "serde")]
impl TryFrom<u64> for Header {
    type Error = Error;

    fn try_from(bits: u64) -> Result<Self, Error> {
        Self::from_bytes(&bits.to_be_bytes())
    }
}

#[cfg(feature = "serde")]
impl From<Header> for u64 {
    fn from(header: Header) -> Self {
        header.0
    }
}

/// The reserved bits: as a number, the first byte on the wire at the top.
pub const RESERVED: u64 = 0x003f_0000_0000_00ff;

const VERSION_SHIFT: u32 = 62;
const OPT_LEN: u64 = 0x3f00_0000_0000_0000;
const OPT_LEN_SHIFT: u32 = 56;
const O: u64 = 0x0080_0000_0000_0000;
const C: u64 = 0x0040_0000_0000_0000;
const PROTOCOL_SHIFT: u32 = 32;
const VNI_SHIFT: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [u8; 16] = [
        0x02, 0x40, // version 0, two words of options; C
        0x65, 0x58, // Ethernet
        0x00, 0x00, 0x2a, 0x00, // VNI 42; reserved
        0x01, 0x08, 0x81, 0x01, 0xca, 0xfe, 0xba, 0xbe, // one option
    ];

    #[test]
    fn golden() {
        let header = Header::new(EtherType::TEB, Vni::truncate(42))
            .with_options_len(OptionsLen::truncate(2))
            .with_critical(true);
        assert_eq!(Header::parse(&GOLDEN), Ok((header, &GOLDEN[8..])));
        assert_eq!(header.to_bytes(), GOLDEN[..8]);
        let (options, payload) = header.split_options(&GOLDEN[8..]);
        assert_eq!((options.count(), payload), (1, &[][..]));
    }

    #[test]
    fn rfc8926_s3_4_every_version_and_option_length() {
        let mut bytes = [0; 260];
        for byte in 0..=u8::MAX {
            bytes[0] = byte;
            match Header::parse(&bytes) {
                Ok((header, rest)) => {
                    assert_eq!(byte >> 6, 0);
                    assert_eq!(header.options_len().bytes(), usize::from(byte) * 4);
                    let (_, payload) = header.split_options(rest);
                    assert_eq!(payload.len(), 252 - usize::from(byte) * 4);
                    let need = 8 + usize::from(byte) * 4;
                    let error = Error::Truncated {
                        layer: Layer::Geneve,
                        needed_by: if need == 8 { LengthSource::Header } else { LengthSource::OptLen },
                        need,
                        have: need - 1,
                    };
                    assert_eq!(Header::parse(&bytes[..need - 1]), Err(error));
                }
                Err(error) => {
                    assert_ne!(byte >> 6, 0);
                    assert_eq!(error, Error::Version { layer: Layer::Geneve, version: byte >> 6 });
                }
            }
        }
    }

    #[test]
    fn rfc8926_s3_4_every_flag_byte() {
        for byte in 0..=u8::MAX {
            let bytes = [0, byte, 0x65, 0x58, 0, 0, 0, 0];
            let header = Header::from_bytes(&bytes).unwrap();
            assert_eq!((header.is_control(), header.is_critical()), (byte & 0x80 != 0, byte & 0x40 != 0));
            assert_eq!(header.reserved() != 0, byte & 0x3f != 0);
            assert_eq!(header.to_bytes(), bytes);
            let clean = Header::new(EtherType::TEB, Vni::truncate(0));
            let same = clean.with_control(header.is_control()).with_critical(header.is_critical());
            assert_eq!(same.to_bytes()[1], byte & 0xc0);
        }
    }

    #[test]
    fn option_lengths_are_whole_words_up_to_252_bytes() {
        for bytes in 0..300 {
            let len = OptionsLen::from_bytes(bytes);
            assert_eq!(len.map(OptionsLen::bytes), (bytes % 4 == 0 && bytes <= 252).then_some(bytes));
        }
    }
}
