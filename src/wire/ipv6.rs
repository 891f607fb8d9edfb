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

pub use super::ipv6_extension::{Extension, Extensions, Fragment, MAX_EXTENSIONS, is_extension};
use super::{Dscp, Ecn, Error, FlowLabel, IpProtocol, Layer, LengthSource, debug::debug_as, ds_field};

/// Bytes of a packet that every link carries (RFC 8200, section 5).
pub const MIN_MTU: u16 = 1280;

/// An IPv6 header.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
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

debug_as! { "ipv6::Header", Header { dscp, ecn, flow_label, payload_len, next_header, hop_limit, source, destination } }

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 40;

    /// The header in these bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] other than 6.
    #[inline(always)]
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
    #[inline(always)]
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
}
