//! The IPv6 header (RFC 8200, section 3) and the chain of its extension headers (section 4).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-----------+---+---------------------------------------+
//! |Version|   DSCP    |ECN|              Flow Label               |
//! +-------+-----------+---+-------+---------------+---------------+
//! |        Payload Length         |  Next Header  |   Hop Limit   |
//! +-------------------------------+---------------+---------------+
//! |                   Source Address (16 bytes)                   |
//! +---------------------------------------------------------------+
//! |                Destination Address (16 bytes)                 |
//! +---------------------------------------------------------------+
//! ```
//!
//! Out of scope: jumbograms (RFC 2675).

use core::net::Ipv6Addr;

use super::{Dscp, Ecn, Error, FlowLabel, FragmentOffset, IpProtocol, Layer, LengthSource, ds_field};

/// An IPv6 header.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// How routers should treat the packet.
    pub dscp: Dscp,
    /// Congestion notification.
    pub ecn: Ecn,
    /// Names the flow.
    pub flow_label: FlowLabel,
    /// Length of what follows this header, extension headers included, in bytes.
    pub payload_len: u16,
    /// What follows.
    pub next_header: IpProtocol,
    /// How many more routers may forward the packet.
    pub hop_limit: u8,
    /// Who sent the packet.
    pub source: Ipv6Addr,
    /// Who the packet is for.
    pub destination: Ipv6Addr,
}

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 40;

    /// The header in these bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] other than 6.
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, Error> {
        #[rustfmt::skip]
        let [
            w0, w1, w2, w3, l0, l1, next_header, hop_limit,
            s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15,
            d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14, d15,
        ] = *bytes;
        #[rustfmt::skip]
        let (source, destination) = (
            [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15],
            [d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14, d15],
        );
        let first = u32::from_be_bytes([w0, w1, w2, w3]);
        if first >> 28 != 6 {
            return Err(Error::Version { layer: Layer::Ipv6, version: (first >> 28) as u8 });
        }
        let ds = (first >> 20) as u8;
        Ok(Self {
            dscp: Dscp::from_ds_field(ds),
            ecn: Ecn::from_ds_field(ds),
            flow_label: FlowLabel::truncate(first),
            payload_len: u16::from_be_bytes([l0, l1]),
            next_header: IpProtocol(next_header),
            hop_limit,
            source: Ipv6Addr::from_bits(u128::from_be_bytes(source)),
            destination: Ipv6Addr::from_bits(u128::from_be_bytes(destination)),
        })
    }

    /// The header at the front of `bytes`, and what follows it, which [`payload`](Self::payload) trims
    /// to the length that the header states.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] for fewer than [`LEN`](Self::LEN) bytes, [`Error::Version`] other than 6.
    pub const fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        match bytes.split_first_chunk() {
            Some((head, rest)) => match Self::from_bytes(head) {
                Ok(header) => Ok((header, rest)),
                Err(error) => Err(error),
            },
            None => Err(Error::truncated(Layer::Ipv6, Self::LEN, bytes.len())),
        }
    }

    /// The payload: as much of `rest`, the bytes behind the header, as payload length says.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] where it says more than there is.
    pub fn payload<'a>(&self, rest: &'a [u8]) -> Result<&'a [u8], Error> {
        rest.get(..self.payload_len.into()).ok_or(Error::Truncated {
            layer: Layer::Ipv6,
            needed_by: LengthSource::PayloadLength,
            need: Self::LEN + usize::from(self.payload_len),
            have: Self::LEN + rest.len(),
        })
    }

    /// The header in network byte order.
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let ds = ds_field(self.dscp, self.ecn) as u32;
        let [w0, w1, w2, w3] = (6 << 28 | ds << 20 | self.flow_label.value()).to_be_bytes();
        let [l0, l1] = self.payload_len.to_be_bytes();
        let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15] = self.source.octets();
        let [d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14, d15] =
            self.destination.octets();
        #[rustfmt::skip]
        let bytes = [
            w0, w1, w2, w3, l0, l1, self.next_header.0, self.hop_limit,
            s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15,
            d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14, d15,
        ];
        bytes
    }
}

/// Sets the ECN bits of the header in `bytes`.
#[inline]
pub fn set_ecn(bytes: &mut [u8; Header::LEN], ecn: Ecn) {
    let [_, byte, ..] = bytes;
    *byte = *byte & !0x30 | ecn.value() << 4;
}

/// The extension headers of a packet, one after the other; ends at the first header of another kind, at
/// the first error, and after [`MAX_EXTENSIONS`].
///
/// ```
/// use encap::wire::{IpProtocol, ipv6};
///
/// // Destination options with a tunnel encapsulation limit, as Linux puts them before GRE.
/// let bytes = [47, 0, 4, 1, 4, 1, 1, 0, /* GRE */ 0, 0, 8, 0];
/// let mut chain = ipv6::Extensions::new(IpProtocol::DESTINATION_OPTIONS, &bytes);
/// assert!(chain.by_ref().all(|extension| extension.is_ok()));
/// assert_eq!((chain.protocol(), chain.rest()), (IpProtocol::GRE, &bytes[8..]));
/// ```
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    next: IpProtocol,
    rest: &'a [u8],
    left: usize,
}

/// One extension header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extension<'a> {
    /// Which one.
    pub protocol: IpProtocol,
    /// All of it, its first byte being the next header's number.
    pub bytes: &'a [u8],
}

/// How many extension headers in a row are followed. Each kind may stand once, destination options
/// twice (RFC 8200, section 4.1).
pub const MAX_EXTENSIONS: usize = 8;

impl<'a> Extensions<'a> {
    /// The chain that begins with a header of kind `next` at the front of `bytes`.
    pub const fn new(next: IpProtocol, bytes: &'a [u8]) -> Self {
        Self { next, rest: bytes, left: MAX_EXTENSIONS }
    }

    /// What follows the headers that were read: the upper layer once the iterator has ended.
    pub const fn protocol(&self) -> IpProtocol {
        self.next
    }

    /// The bytes behind the headers that were read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn split(&self) -> Result<(Extension<'a>, &'a [u8]), Error> {
        let truncated = |needed_by, need| Error::Truncated {
            layer: Layer::Ipv6Extension,
            needed_by,
            need,
            have: self.rest.len(),
        };
        let &[_, len, ..] = self.rest.first_chunk::<8>().ok_or(truncated(LengthSource::Header, 8))?;
        let len = match self.next {
            IpProtocol::FRAGMENT => 8,
            // RFC 4302, section 2.2: in words of four bytes, without the first two.
            IpProtocol::AUTHENTICATION => (usize::from(len) + 2) * 4,
            _ => (usize::from(len) + 1) * 8,
        };
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(truncated(LengthSource::HdrExtLen, len))?;
        Ok((Extension { protocol: self.next, bytes }, rest))
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if !is_extension(self.next) {
            return None;
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.next = IpProtocol::NO_NEXT_HEADER;
            return Some(Err(Error::TooMany { layer: Layer::Ipv6Extension, max: MAX_EXTENSIONS }));
        };
        self.left = left;
        match self.split() {
            Ok((extension, rest)) => {
                self.next =
                    extension.bytes.first().map_or(IpProtocol::NO_NEXT_HEADER, |&next| IpProtocol(next));
                self.rest = rest;
                Some(Ok(extension))
            }
            Err(error) => {
                self.next = IpProtocol::NO_NEXT_HEADER;
                Some(Err(error))
            }
        }
    }
}

impl core::iter::FusedIterator for Extensions<'_> {}

impl Extension<'_> {
    /// What a fragment header says, or `None` for other headers.
    pub const fn fragment(&self) -> Option<Fragment> {
        match (self.protocol, self.bytes) {
            (IpProtocol::FRAGMENT, &[_, _, o0, o1, i0, i1, i2, i3]) => Some(Fragment {
                offset: FragmentOffset::truncate(u16::from_be_bytes([o0, o1]) >> 3),
                more_fragments: o1 & 1 != 0,
                identification: u32::from_be_bytes([i0, i1, i2, i3]),
            }),
            _ => None,
        }
    }
}

/// What a fragment header says (RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Fragment {
    /// Where this fragment starts.
    pub offset: FragmentOffset,
    /// Whether it is not the last one.
    pub more_fragments: bool,
    /// Names the datagram that it belongs to.
    pub identification: u32,
}

impl Fragment {
    /// Whether this is the whole datagram in one fragment (RFC 6946).
    pub const fn is_atomic(&self) -> bool {
        self.offset.value() == 0 && !self.more_fragments
    }
}

/// Whether a header of this kind is one to step over on the way to the upper layer.
#[inline]
pub const fn is_extension(protocol: IpProtocol) -> bool {
    matches!(
        protocol,
        IpProtocol::HOP_BY_HOP
            | IpProtocol::ROUTING
            | IpProtocol::FRAGMENT
            | IpProtocol::AUTHENTICATION
            | IpProtocol::DESTINATION_OPTIONS
            | IpProtocol::MOBILITY
            | IpProtocol::HIP
            | IpProtocol::SHIM6
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&[
            0x6b, 0x9a, 0xbc, 0xde, // version 6; DSCP 46, ECT(1); flow label 0xabcde
            0x00, 0x20, 0x3a, 0xff, // payload length 32; ICMPv6; hop limit 255
        ]);
        (bytes[8], bytes[23]) = (0xfd, 1);
        (bytes[24], bytes[39]) = (0xfd, 2);
        let header = Header {
            dscp: Dscp::truncate(46),
            ecn: Ecn::Ect1,
            flow_label: FlowLabel::truncate(0xabcde),
            payload_len: 32,
            next_header: IpProtocol::ICMPV6,
            hop_limit: 255,
            source: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1),
            destination: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2),
        };
        assert_eq!(Header::parse(&bytes), Ok((header, &[][..])));
        assert_eq!(header.to_bytes(), bytes);
        assert_eq!(header.payload(&[0; 40]).map(<[u8]>::len), Ok(32));
        let error = Error::Truncated {
            layer: Layer::Ipv6,
            needed_by: LengthSource::PayloadLength,
            need: 72,
            have: 71,
        };
        assert_eq!(header.payload(&[0; 31]), Err(error));
    }

    #[test]
    fn rfc3168_s5_ecn_is_set_and_nothing_else() {
        for ecn in [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce] {
            let mut bytes = [0x6f; 40];
            let before = Header::from_bytes(&bytes).unwrap();
            set_ecn(&mut bytes, ecn);
            assert_eq!(Header::from_bytes(&bytes), Ok(Header { ecn, ..before }));
        }
    }

    #[test]
    fn rfc8200_s3_every_first_byte() {
        for byte in 0..=u8::MAX {
            let mut bytes = [0; 40];
            bytes[0] = byte;
            match Header::from_bytes(&bytes) {
                Ok(header) => assert_eq!((byte >> 4, header.to_bytes()), (6, bytes)),
                Err(error) => {
                    assert_ne!(byte >> 4, 6);
                    assert_eq!(error, Error::Version { layer: Layer::Ipv6, version: byte >> 4 });
                }
            }
        }
    }

    #[test]
    fn rfc8200_s4_a_chain_of_every_kind() {
        let mut bytes = [0; 64];
        bytes[..2].copy_from_slice(&[43, 1]); // hop-by-hop, 16 bytes
        bytes[16..18].copy_from_slice(&[44, 0]); // routing, 8 bytes
        bytes[24..32].copy_from_slice(&[51, 99, 0x12, 0x39, 1, 2, 3, 4]); // fragment: its length is fixed
        bytes[32..34].copy_from_slice(&[60, 1]); // authentication, 12 bytes
        bytes[44..46].copy_from_slice(&[17, 0]); // destination options, 8 bytes
        let mut chain = Extensions::new(IpProtocol::HOP_BY_HOP, &bytes);
        let mut lens = [0; 5];
        for (len, extension) in lens.iter_mut().zip(&mut chain) {
            let extension = extension.unwrap();
            *len = extension.bytes.len();
            let fragment = Fragment {
                offset: FragmentOffset::truncate(0x1239 >> 3),
                more_fragments: true,
                identification: 0x0102_0304,
            };
            let expected = (extension.protocol == IpProtocol::FRAGMENT).then_some(fragment);
            assert_eq!(extension.fragment(), expected);
        }
        assert_eq!(lens, [16, 8, 8, 12, 8]);
        assert_eq!(chain.next(), None);
        assert_eq!((chain.protocol(), chain.rest()), (IpProtocol::UDP, &bytes[52..]));
    }

    #[test]
    fn rfc8200_s4_the_walk_ends_at_the_cap() {
        let endless = [0; 1024]; // hop-by-hop after hop-by-hop
        let mut chain = Extensions::new(IpProtocol::HOP_BY_HOP, &endless);
        assert_eq!(chain.by_ref().filter(Result::is_ok).count(), MAX_EXTENSIONS);
        assert_eq!(chain.next(), None);
        let mut chain = Extensions::new(IpProtocol::HOP_BY_HOP, &endless);
        let too_many = Error::TooMany { layer: Layer::Ipv6Extension, max: MAX_EXTENSIONS };
        assert_eq!(chain.nth(MAX_EXTENSIONS), Some(Err(too_many)));
    }

    #[test]
    fn rfc8200_s4_lengths_past_the_end_are_refused() {
        for len in 0..=u8::MAX {
            let mut bytes = [0; 80];
            (bytes[0], bytes[1]) = (59, len);
            for (protocol, need) in [
                (IpProtocol::ROUTING, 8 + 8 * usize::from(len)),
                (IpProtocol::AUTHENTICATION, 8 + 4 * usize::from(len)),
            ] {
                let first = Extensions::new(protocol, &bytes).next().unwrap();
                match first {
                    Ok(extension) => assert_eq!(extension.bytes.len(), need),
                    Err(error) => {
                        let needed_by = LengthSource::HdrExtLen;
                        let layer = Layer::Ipv6Extension;
                        assert_eq!(error, Error::Truncated { layer, needed_by, need, have: 80 });
                        assert!(need > 80);
                    }
                }
            }
        }
    }
}
