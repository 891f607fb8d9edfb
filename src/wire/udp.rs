//! The UDP header (RFC 768), with the zero checksum over IPv6 of RFC 6935 and RFC 6936.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-------------------------------+
//! |          Source Port          |       Destination Port        |
//! +-------------------------------+-------------------------------+
//! |            Length             |           Checksum            |
//! +-------------------------------+-------------------------------+
//! ```

use super::{
    Error, Layer, LengthSource,
    checksum::{State, Sum},
    debug::debug_as,
};

/// A UDP header.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// Port of the sender, zero where it wants no answer.
    pub source_port: u16,
    /// Port of the receiver.
    pub destination_port: u16,
    /// Length of header and payload in bytes.
    pub length: u16,
    /// Checksum over pseudo header, header and payload; zero where there is none.
    pub checksum: u16,
}

debug_as! { "udp::Header", Header { source_port, destination_port, length, checksum } }

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 8;

    /// The fields in these bytes, whatever they hold. [`parse`](Self::parse) checks the length.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let [s0, s1, d0, d1, l0, l1, c0, c1] = *bytes;
        Self {
            source_port: u16::from_be_bytes([s0, s1]),
            destination_port: u16::from_be_bytes([d0, d1]),
            length: u16::from_be_bytes([l0, l1]),
            checksum: u16::from_be_bytes([c0, c1]),
        }
    }

    /// The header at the front of `bytes`, and what follows it, which [`payload`](Self::payload) trims
    /// to the length that the header states.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] for fewer than [`LEN`](Self::LEN) bytes, [`Error::Length`] where the length
    /// field says less than that.
    pub const fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let Some((head, rest)) = bytes.split_first_chunk() else {
            return Err(Error::truncated(Layer::Udp, Self::LEN, bytes.len()));
        };
        let header = Self::from_bytes(head);
        match header.payload_len() {
            Some(_) => Ok((header, rest)),
            None => Err(Error::Length {
                layer: Layer::Udp,
                field: LengthSource::UdpLength,
                stated: header.length as usize,
                min: Self::LEN,
            }),
        }
    }

    /// The payload's length in bytes, or `None` where the length field leaves no room for the header.
    pub const fn payload_len(&self) -> Option<usize> {
        (self.length as usize).checked_sub(Self::LEN)
    }

    /// The payload: as much of `rest`, the bytes behind the header, as the length field says.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] where it says more than there is, [`Error::Length`] as for
    /// [`parse`](Self::parse).
    pub fn payload<'a>(&self, rest: &'a [u8]) -> Result<&'a [u8], Error> {
        let stated = self.length.into();
        let field = LengthSource::UdpLength;
        let len =
            self.payload_len().ok_or(Error::Length { layer: Layer::Udp, field, stated, min: Self::LEN })?;
        rest.get(..len).ok_or(Error::Truncated {
            layer: Layer::Udp,
            needed_by: field,
            need: stated,
            have: Self::LEN + rest.len(),
        })
    }

    /// The header in network byte order.
    #[inline(always)]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [s0, s1] = self.source_port.to_be_bytes();
        let [d0, d1] = self.destination_port.to_be_bytes();
        let [l0, l1] = self.length.to_be_bytes();
        let [c0, c1] = self.checksum.to_be_bytes();
        [s0, s1, d0, d1, l0, l1, c0, c1]
    }

    /// The same header with the checksum over `pseudo`, itself and `payload`; zero becomes 0xffff.
    #[must_use]
    pub fn with_checksum(self, pseudo: Sum, payload: &[u8]) -> Self {
        let header = Self { checksum: 0, ..self };
        let checksum = pseudo.add_bytes(&header.to_bytes()).add_bytes(payload).udp_checksum();
        Self { checksum, ..self }
    }
}

/// Whether the checksum of `datagram`, header and payload and nothing behind them, is right. Zero means
/// that there is none: legal over IPv4 (RFC 768), over IPv6 only where it was agreed on (RFC 6935).
#[inline]
pub fn verify(pseudo: Sum, datagram: &[u8]) -> State {
    match datagram.first_chunk().map(Header::from_bytes) {
        Some(Header { checksum: 0, .. }) => State::Absent,
        Some(_) => State::verified(pseudo.add_bytes(datagram)),
        None => State::Bad,
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;
    use crate::wire::IpProtocol;

    const GOLDEN: [u8; 13] = [
        0x03, 0xe8, 0x07, 0xd0, // ports 1000 and 2000
        0x00, 0x0d, 0x9c, 0x45, // length 13; checksum
        0x68, 0x65, 0x6c, 0x6c, 0x6f, // "hello"
    ];

    fn pseudo() -> Sum {
        let (source, destination) = (Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(10, 1, 0, 2));
        Sum::pseudo_ipv4(source, destination, IpProtocol::UDP, 13)
    }

    #[test]
    fn golden() {
        let (header, rest) = Header::parse(&GOLDEN).unwrap();
        let expected = Header { source_port: 1000, destination_port: 2000, length: 13, checksum: 0x9c45 };
        assert_eq!((header, rest), (expected, &b"hello"[..]));
        assert_eq!(header.with_checksum(pseudo(), rest), header);
        assert_eq!(header.to_bytes(), GOLDEN[..8]);
        assert_eq!(verify(pseudo(), &GOLDEN), State::Good);
    }

    #[test]
    fn rfc768_zero_means_no_checksum_and_any_flipped_bit_is_found() {
        for at in 0..GOLDEN.len() * 8 {
            let mut bytes = GOLDEN;
            bytes[at / 8] ^= 1 << (at % 8);
            assert_eq!(verify(pseudo(), &bytes), State::Bad, "bit {at}");
        }
        let mut bytes = GOLDEN;
        [bytes[6], bytes[7]] = [0, 0];
        assert_eq!(verify(pseudo(), &bytes), State::Absent);
        assert_eq!(verify(pseudo(), &GOLDEN[..7]), State::Bad);
    }

    #[test]
    fn rfc768_the_payload_ends_where_the_length_says() {
        for length in 0..=u16::MAX {
            let mut bytes = GOLDEN;
            [bytes[4], bytes[5]] = length.to_be_bytes();
            let parsed = Header::parse(&bytes).and_then(|(header, rest)| header.payload(rest));
            let stated = usize::from(length);
            match parsed {
                Ok(payload) => assert_eq!(payload.len() + 8, stated),
                Err(Error::Length { field: LengthSource::UdpLength, stated: s, min: 8, .. }) => {
                    assert!(s == stated && stated < 8);
                }
                Err(Error::Truncated { needed_by: LengthSource::UdpLength, need, have: 13, .. }) => {
                    assert!(need == stated && stated > 13);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn rfc768_a_computed_zero_is_sent_as_all_ones() {
        let header = Header { source_port: 0, destination_port: 0, length: 8, checksum: 0 };
        // Payload that makes the sum of everything all ones.
        let sum = pseudo().add_bytes(&header.to_bytes()).checksum();
        let header = header.with_checksum(pseudo(), &sum.to_be_bytes());
        assert_eq!(header.checksum, 0xffff);
    }
}
