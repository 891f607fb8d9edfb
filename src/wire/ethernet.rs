//! The Ethernet II header (IEEE 802.3, clause 3.2; RFC 894).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------------------------------------------------------+
//! |                      Destination Address                      |
//! |                               +-------------------------------+
//! |                               |                               |
//! +-------------------------------+        Source Address         |
//! |                                                               |
//! +-------------------------------+-------------------------------+
//! |           EtherType           |
//! +-------------------------------+
//! ```
//!
//! Values of the last field up to 1500 are the length of an 802.3 frame; they are kept as they are.
//! Out of scope: preamble and frame check sequence, which software does not see.

use super::{Error, EtherType, Layer, MacAddr, debug::debug_as};

/// An Ethernet II header.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// Who the frame is for.
    pub destination: MacAddr,
    /// Who sent it.
    pub source: MacAddr,
    /// What follows.
    pub ethertype: EtherType,
}

debug_as! { "ethernet::Header", Header { destination, source, ethertype } }

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 14;

    /// Any fourteen bytes are a header.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *bytes;
        Self {
            destination: MacAddr([d0, d1, d2, d3, d4, d5]),
            source: MacAddr([s0, s1, s2, s3, s4, s5]),
            ethertype: EtherType(u16::from_be_bytes([t0, t1])),
        }
    }

    /// The header at the front of `bytes`, and what follows it.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] for fewer than [`LEN`](Self::LEN) bytes.
    pub const fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        match bytes.split_first_chunk() {
            Some((head, rest)) => Ok((Self::from_bytes(head), rest)),
            None => Err(Error::truncated(Layer::Ethernet, Self::LEN, bytes.len())),
        }
    }

    /// The header in network byte order.
    #[inline(always)]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [d0, d1, d2, d3, d4, d5] = self.destination.0;
        let [s0, s1, s2, s3, s4, s5] = self.source.0;
        let [t0, t1] = self.ethertype.0.to_be_bytes();
        [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let bytes = [
            0x02, 0, 0, 0, 0, 0x0b, // destination
            0x02, 0, 0, 0, 0, 0x0a, // source
            0x08, 0x00, // IPv4
        ];
        let header = Header {
            destination: MacAddr([2, 0, 0, 0, 0, 0x0b]),
            source: MacAddr([2, 0, 0, 0, 0, 0x0a]),
            ethertype: EtherType::IPV4,
        };
        assert_eq!(Header::parse(&bytes), Ok((header, &[][..])));
        assert_eq!(header.to_bytes(), bytes);
    }
}
