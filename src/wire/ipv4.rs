//! The IPv4 header (RFC 791, section 3.1), options included.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------+-----------+---+-------------------------------+
//! |Version|  IHL  |   DSCP    |ECN|         Total Length          |
//! +-------+-------+-----------+---+-----+-------------------------+
//! |        Identification         |0|D|M|     Fragment Offset     |
//! +---------------+---------------+-----+-------------------------+
//! |  Time to Live |    Protocol   |        Header Checksum        |
//! +---------------+---------------+-------------------------------+
//! |                        Source Address                         |
//! +---------------------------------------------------------------+
//! |                     Destination Address                       |
//! +---------------------------------------------------------------+
//! |                     Options (0 to 40 bytes)                   |
//! +---------------------------------------------------------------+
//! ```
//!
//! Options are carried as bytes. What they mean is out of scope, but for source routes: whether a packet has arrived is
//! not to be said without them.

use core::net::Ipv4Addr;

pub use super::ipv4_options::Options;
pub(crate) use super::ipv4_options::leads_on;
use super::{
    Dscp, Ecn, Error, IpProtocol, Layer, LengthSource,
    bounded::bounded,
    checksum::{self, State, Sum},
    debug::debug_as,
    ds_field,
};

bounded! {
    /// Where a fragment starts in its datagram, in units of eight bytes.
    FragmentOffset(u16), max 0x1fff
}

/// Bytes of a packet that every host accepts, in fragments or whole (RFC 791, section 3.1).
pub const MIN_ACCEPTED: u16 = 576;

/// An IPv4 header.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// How routers should treat the packet.
    pub dscp: Dscp,
    /// Congestion notification.
    pub ecn: Ecn,
    /// Length of header and payload in bytes.
    pub total_len: u16,
    /// Names the datagram that a fragment belongs to.
    pub identification: u16,
    /// Whether routers must not fragment the packet.
    pub dont_fragment: bool,
    /// Whether this is a fragment and not the last one.
    pub more_fragments: bool,
    /// Where this fragment starts.
    pub fragment_offset: FragmentOffset,
    /// How many more routers may forward the packet.
    pub ttl: u8,
    /// What the payload is.
    pub protocol: IpProtocol,
    /// Checksum of the header, as received or as to be sent.
    pub checksum: u16,
    /// Who sent the packet.
    pub source: Ipv4Addr,
    /// Who the packet is for.
    pub destination: Ipv4Addr,
    /// The options, their padding included.
    pub options: Options,
}

debug_as! { "ipv4::Header", Header {
    dscp, ecn, total_len, identification, dont_fragment, more_fragments, fragment_offset, ttl, protocol, checksum,
    source, destination, options,
} }

impl Header {
    /// Length without options, in bytes.
    pub const MIN_LEN: usize = 20;
    /// Length with as many options as there can be, in bytes.
    pub const MAX_LEN: usize = 60;

    /// Length of this header in bytes: a multiple of four.
    pub const fn header_len(&self) -> usize {
        Self::MIN_LEN + self.options.byte_len() as usize
    }

    /// Whether this is a fragment of a datagram.
    pub const fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset.value() != 0
    }

    /// The header without options in these bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] other than 4; [`Error::Length`] where IHL or total length say less than this
    /// header has; [`Error::Truncated`] where IHL announces options.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::MIN_LEN]) -> Result<Self, Error> {
        match Self::fixed(bytes) {
            Ok((header, 0)) => Ok(header),
            Ok((_, options)) => Err(truncated(LengthSource::Ihl, Self::MIN_LEN + options, Self::MIN_LEN)),
            Err(error) => Err(error),
        }
    }

    /// The header at the front of `bytes`, and what follows it, which [`payload`](Self::payload) trims
    /// to the length that the header states. The checksum is for [`verify`] to check; the reserved flag
    /// is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] other than 4; [`Error::Length`] where IHL says less than 20 bytes or total
    /// length less than IHL; [`Error::Truncated`] where the bytes end before the header does.
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let Some((head, rest)) = bytes.split_first_chunk() else {
            return Err(Error::truncated(Layer::Ipv4, Self::MIN_LEN, bytes.len()));
        };
        let (mut header, len) = Self::fixed(head)?;
        let Some((options, rest)) = rest.split_at_checked(len) else {
            return Err(truncated(LengthSource::Ihl, Self::MIN_LEN + len, bytes.len()));
        };
        header.options = Options::new(options).unwrap_or(Options::NONE);
        Ok((header, rest))
    }

    /// The header without its options, and how many bytes of those IHL announces.
    #[inline(always)]
    pub(crate) const fn fixed(bytes: &[u8; Self::MIN_LEN]) -> Result<(Self, usize), Error> {
        #[rustfmt::skip]
        let [
            v_ihl, ds, l0, l1, i0, i1, f0, f1, ttl, protocol, c0, c1,
            s0, s1, s2, s3, d0, d1, d2, d3,
        ] = *bytes;
        if v_ihl >> 4 != 4 {
            return Err(Error::Version { layer: Layer::Ipv4, version: v_ihl >> 4 });
        }
        let len = (v_ihl & 0x0f) as usize * 4;
        let Some(options) = len.checked_sub(Self::MIN_LEN) else {
            return Err(length(LengthSource::Ihl, len, Self::MIN_LEN));
        };
        let total_len = u16::from_be_bytes([l0, l1]);
        if (total_len as usize) < len {
            return Err(length(LengthSource::TotalLength, total_len as usize, len));
        }
        let fragment = u16::from_be_bytes([f0, f1]);
        let header = Self {
            dscp: Dscp::from_ds_field(ds),
            ecn: Ecn::from_ds_field(ds),
            total_len,
            identification: u16::from_be_bytes([i0, i1]),
            dont_fragment: fragment & DF != 0,
            more_fragments: fragment & MF != 0,
            fragment_offset: FragmentOffset::truncate(fragment),
            ttl,
            protocol: IpProtocol(protocol),
            checksum: u16::from_be_bytes([c0, c1]),
            source: Ipv4Addr::new(s0, s1, s2, s3),
            destination: Ipv4Addr::new(d0, d1, d2, d3),
            options: Options::NONE,
        };
        Ok((header, options))
    }

    /// The payload's length in bytes, as total length and header length say.
    pub const fn payload_len(&self) -> usize {
        (self.total_len as usize).saturating_sub(self.header_len())
    }

    /// The payload: as much of `rest`, the bytes behind the header, as total length says. What follows
    /// is padding of the link.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] where it says more than there is.
    pub fn payload<'a>(&self, rest: &'a [u8]) -> Result<&'a [u8], Error> {
        let have = self.header_len() + rest.len();
        rest.get(..self.payload_len()).ok_or(truncated(
            LengthSource::TotalLength,
            self.total_len.into(),
            have,
        ))
    }

    /// The header without its options in network byte order, the reserved flag zero.
    #[inline(always)]
    pub const fn fixed_bytes(&self) -> [u8; Self::MIN_LEN] {
        let [l0, l1] = self.total_len.to_be_bytes();
        let [i0, i1] = self.identification.to_be_bytes();
        let flags = if self.dont_fragment { DF } else { 0 } | if self.more_fragments { MF } else { 0 };
        let [f0, f1] = (flags | self.fragment_offset.value()).to_be_bytes();
        let [c0, c1] = self.checksum.to_be_bytes();
        let [s0, s1, s2, s3] = self.source.octets();
        let [d0, d1, d2, d3] = self.destination.octets();
        let v_ihl = 0x45 + self.options.byte_len() / 4;
        let ds = ds_field(self.dscp, self.ecn);
        #[rustfmt::skip]
        let bytes = [
            v_ihl, ds, l0, l1, i0, i1, f0, f1, self.ttl, self.protocol.0, c0, c1,
            s0, s1, s2, s3, d0, d1, d2, d3,
        ];
        bytes
    }

    /// The header in network byte order: the first [`header_len`](Self::header_len) bytes of the array,
    /// zeros behind them.
    pub fn to_bytes(&self) -> [u8; Self::MAX_LEN] {
        let mut bytes = [0; Self::MAX_LEN];
        if let Some((fixed, options)) = bytes.split_first_chunk_mut() {
            *fixed = self.fixed_bytes();
            options.copy_from_slice(self.options.padded());
        }
        bytes
    }

    /// Writes the header to the front of `out` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] where `out` is shorter than the header.
    pub fn emit(&self, out: &mut [u8]) -> Result<usize, Error> {
        super::emit(Layer::Ipv4, &self.to_bytes(), self.header_len(), out)
    }

    /// The same header with the checksum that belongs to it.
    #[inline]
    #[must_use]
    pub fn with_checksum(self) -> Self {
        let fixed = Self { checksum: 0, ..self }.fixed_bytes();
        let sum = Sum::ZERO.add_bytes(&fixed).add_bytes(self.options.as_bytes());
        Self { checksum: sum.checksum(), ..self }
    }
}

/// Whether the checksum of the header in `bytes`, options included and nothing behind them, is right.
#[inline]
pub fn verify(bytes: &[u8]) -> State {
    State::verified(Sum::ZERO.add_bytes(bytes))
}

/// As [`verify`], for a header without options.
#[inline(always)]
pub(crate) fn verify_fixed(bytes: &[u8; Header::MIN_LEN]) -> State {
    if checksum::is_good_header(bytes) { State::Good } else { State::Bad }
}

/// Sets the ECN bits of the header in `bytes` and corrects its checksum (RFC 1624).
#[inline]
pub fn set_ecn(bytes: &mut [u8; Header::MIN_LEN], ecn: Ecn) {
    let [v_ihl, ds, _, _, _, _, _, _, _, _, c0, c1, ..] = bytes;
    let old = u16::from_be_bytes([*v_ihl, *ds]);
    *ds = *ds & !3 | ecn.value();
    let checksum = u16::from_be_bytes([*c0, *c1]);
    [*c0, *c1] = checksum::update(checksum, old, u16::from_be_bytes([*v_ihl, *ds])).to_be_bytes();
}

const fn truncated(needed_by: LengthSource, need: usize, have: usize) -> Error {
    Error::Truncated { layer: Layer::Ipv4, needed_by, need, have }
}

const fn length(field: LengthSource, stated: usize, min: usize) -> Error {
    Error::Length { layer: Layer::Ipv4, field, stated, min }
}

const DF: u16 = 0x4000;
const MF: u16 = 0x2000;

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [u8; 24] = [
        0x46, 0xb9, 0x00, 0x1d, // version 4, IHL 6; DSCP 46, ECT(1); total length 29
        0x12, 0x34, 0x40, 0x00, // identification; DF
        0x40, 0x11, 0x7e, 0xda, // TTL 64; UDP; checksum
        10, 1, 0, 1, // source
        10, 1, 0, 2, // destination
        0x94, 0x04, 0x00, 0x00, // router alert
    ];

    fn header() -> Header {
        Header {
            dscp: Dscp::truncate(46),
            ecn: Ecn::Ect1,
            total_len: 29,
            identification: 0x1234,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: FragmentOffset::default(),
            ttl: 64,
            protocol: IpProtocol::UDP,
            checksum: 0x7eda,
            source: Ipv4Addr::new(10, 1, 0, 1),
            destination: Ipv4Addr::new(10, 1, 0, 2),
            options: Options::new(&[0x94, 4, 0, 0]).unwrap(),
        }
    }

    #[test]
    fn golden() {
        assert_eq!(Header::parse(&GOLDEN), Ok((header(), &[][..])));
        assert_eq!(header().to_bytes()[..24], GOLDEN);
        assert_eq!(header().with_checksum(), header());
        assert_eq!(verify(&GOLDEN), State::Good);
    }

    #[test]
    fn rfc791_s3_1_every_version_and_ihl() {
        for byte in 0..=u8::MAX {
            let mut bytes = [0; 60];
            (bytes[0], bytes[3]) = (byte, 60);
            let (version, ihl) = (byte >> 4, usize::from(byte & 15));
            match Header::parse(&bytes) {
                Ok((header, rest)) => {
                    assert!(version == 4 && ihl >= 5);
                    assert_eq!((header.header_len(), rest.len()), (ihl * 4, 60 - ihl * 4));
                }
                Err(Error::Version { version: v, .. }) => assert!(v == version && v != 4),
                Err(error) => {
                    assert!(version == 4 && ihl < 5);
                    assert_eq!(error, length(LengthSource::Ihl, ihl * 4, 20));
                }
            }
        }
    }

    #[test]
    fn rfc791_s3_1_total_length_covers_the_header_and_ends_the_payload() {
        for total_len in 0..=u16::MAX {
            let mut bytes = GOLDEN;
            [bytes[2], bytes[3]] = total_len.to_be_bytes();
            let stated = usize::from(total_len);
            match Header::parse(&bytes) {
                Err(error) => {
                    assert!(stated < 24);
                    assert_eq!(error, length(LengthSource::TotalLength, stated, 24));
                }
                Ok((header, _)) => {
                    let rest = [0; 100];
                    let expected =
                        rest.get(..stated - 24).ok_or(truncated(LengthSource::TotalLength, stated, 124));
                    assert_eq!(header.payload(&rest), expected);
                }
            }
        }
    }

    #[test]
    fn rfc791_s3_1_every_fragment_word() {
        for word in 0..=u16::MAX {
            let mut bytes = GOLDEN;
            [bytes[6], bytes[7]] = word.to_be_bytes();
            let (header, _) = Header::parse(&bytes).unwrap();
            assert_eq!(header.is_fragment(), word & 0x3fff != 0);
            let [f0, f1] = (word & 0x7fff).to_be_bytes();
            assert_eq!(header.fixed_bytes()[6..8], [f0, f1], "the reserved flag is sent as zero");
        }
    }

    #[test]
    fn rfc3168_s5_ecn_is_set_and_the_checksum_follows() {
        for ecn in [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce] {
            let plain = Header { options: Options::NONE, ..header() }.with_checksum();
            let mut bytes = plain.fixed_bytes();
            set_ecn(&mut bytes, ecn);
            assert_eq!(bytes, Header { ecn, ..plain }.with_checksum().fixed_bytes());
        }
    }
}
