//! The redirect header of WCCP version 2 (draft-wilson-wrec-wccp-v2-01, section 4.12): between GRE and a redirected
//! IP packet.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-----------+---------------+---------------+---------------+
//! |T|A|     U     |  Service ID   |  Alt Bucket   |  Pri Bucket   |
//! +-+-+-----------+---------------+---------------+---------------+
//! ```
//!
//! WCCP version 1 uses the same GRE protocol without this header; its packets start with the version of IP.

use super::{Error, EtherType, Layer, debug::debug_as};

/// GRE's protocol of redirected packets.
pub const ETHERTYPE: EtherType = EtherType(0x883e);

/// A redirect header.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// Whether the service is a dynamic one (T).
    pub dynamic: bool,
    /// Whether the alternative bucket was used (A).
    pub alternative: bool,
    /// The service.
    pub service: u8,
    /// Bucket of the alternative hash.
    pub alternative_bucket: u8,
    /// Bucket of the primary hash.
    pub primary_bucket: u8,
}

debug_as! { "wccp::Header", Header { dynamic, alternative, service, alternative_bucket, primary_bucket } }

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 4;

    /// The fields in these bytes. The reserved bits (U) are ignored.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let [flags, service, alternative_bucket, primary_bucket] = *bytes;
        Self {
            dynamic: flags & 0x80 != 0,
            alternative: flags & 0x40 != 0,
            service,
            alternative_bucket,
            primary_bucket,
        }
    }

    /// The header at the front of a GRE payload with WCCP's protocol, if it has one, and the redirected packet:
    /// where the payload starts with a version of IP there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] for fewer than [`LEN`](Self::LEN) bytes that do not start with a version of IP.
    pub const fn parse(bytes: &[u8]) -> Result<(Option<Self>, &[u8]), Error> {
        match bytes {
            [first, ..] if matches!(*first >> 4, 4 | 6) => Ok((None, bytes)),
            _ => match bytes.split_first_chunk() {
                Some((head, rest)) => Ok((Some(Self::from_bytes(head)), rest)),
                None => Err(Error::truncated(Layer::Wccp, Self::LEN, bytes.len())),
            },
        }
    }

    /// The header in network byte order, reserved bits zero.
    ///
    /// With A and without T the first four bits are those of IPv4's version, and a receiver takes the header for a
    /// packet: the protocol has no better way to tell them apart.
    #[inline(always)]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let flags = if self.dynamic { 0x80 } else { 0 } | if self.alternative { 0x40 } else { 0 };
        [flags, self.service, self.alternative_bucket, self.primary_bucket]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_and_without_redirect_header() {
        let header = Header {
            dynamic: true,
            alternative: false,
            service: 61,
            alternative_bucket: 1,
            primary_bucket: 2,
        };
        let bytes = [0x80, 61, 1, 2, 0x45];
        assert_eq!(Header::parse(&bytes), Ok((Some(header), &[0x45][..])));
        assert_eq!(header.to_bytes(), bytes[..4]);
        assert_eq!(Header::parse(&[0x45, 0]), Ok((None, &[0x45, 0][..])));
        assert_eq!(Header::parse(&[0x60, 0]), Ok((None, &[0x60, 0][..])));
        assert_eq!(Header::parse(&[0x80, 61, 1]), Err(Error::truncated(Layer::Wccp, 4, 3)));
        assert_eq!(Header::parse(&[]), Err(Error::truncated(Layer::Wccp, 4, 0)));
    }

    #[test]
    fn every_flag_byte() {
        for byte in 0..=u8::MAX {
            let header = Header::from_bytes(&[byte, 0, 0, 0]);
            assert_eq!((header.dynamic, header.alternative), (byte & 0x80 != 0, byte & 0x40 != 0));
            assert_eq!(header.to_bytes()[0], byte & 0xc0);
        }
    }
}
