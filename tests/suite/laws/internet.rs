//! IP, extension headers and UDP.

use core::net::{Ipv4Addr, Ipv6Addr};

use encap::wire::{
    Error, IpProtocol, Layer, LengthSource,
    checksum::{State, Sum},
    ipv4, ipv6, udp,
};

use super::{Codec, be16, emitted, good_bytes, other_version, too_short};

impl Codec for ipv4::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        let length = |field, stated, min| {
            (stated < min).then_some(Error::Length { layer: Layer::Ipv4, field, stated, min })
        };
        // RFC 791, section 3.1: version 4; "the minimum value for a correct header is 5"; total length
        // includes the header.
        let ihl = || usize::from(bytes[0] & 0x0f) * 4;
        too_short(Layer::Ipv4, LengthSource::Header, 20, bytes)
            .or_else(|| other_version(Layer::Ipv4, bytes[0] >> 4, 4))
            .or_else(|| length(LengthSource::Ihl, ihl(), 20))
            .or_else(|| length(LengthSource::TotalLength, be16(bytes, 2).into(), ihl()))
            .or_else(|| too_short(Layer::Ipv4, LengthSource::Ihl, ihl(), bytes))
    }

    /// The reserved flag: "must be zero".
    fn clear_ignored(header: &mut [u8]) {
        header[6] &= 0x7f;
    }

    good_bytes!(20);

    fn emitted(&self) -> Vec<u8> {
        assert_eq!(self.to_bytes()[..20], self.fixed_bytes());
        emitted(Layer::Ipv4, self.header_len(), &self.to_bytes(), |out| self.emit(out))
    }

    fn behind(&self, tail: &[u8]) {
        payload(
            self.payload(tail),
            (Layer::Ipv4, LengthSource::TotalLength),
            self.header_len(),
            usize::from(self.total_len) - self.header_len(),
            tail,
        );
        let header = self.with_checksum();
        assert_eq!(Self { checksum: self.checksum, ..header }, *self);
        assert_eq!(ipv4::verify(&header.emitted()), State::Good);
    }
}

impl Codec for ipv6::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Ipv6, LengthSource::Header, 40, bytes)
            .or_else(|| other_version(Layer::Ipv6, bytes[0] >> 4, 6))
    }

    good_bytes!(40);

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, tail: &[u8]) {
        let stated = self.payload_len.into();
        payload(self.payload(tail), (Layer::Ipv6, LengthSource::PayloadLength), 40, stated, tail);
    }
}

impl Codec for udp::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        // RFC 768, "Length": "the minimum value of the length is eight".
        let length = || {
            let stated = be16(bytes, 4).into();
            let field = LengthSource::UdpLength;
            (stated < 8).then_some(Error::Length { layer: Layer::Udp, field, stated, min: 8 })
        };
        too_short(Layer::Udp, LengthSource::Header, 8, bytes).or_else(length)
    }

    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        Self::parse(bytes)
    }

    fn from_array(bytes: &[u8]) -> Option<(Result<Self, Error>, usize)> {
        let header = bytes.first_chunk().map(Self::from_bytes)?;
        (header.length >= 8).then_some((Ok(header), 8))
    }

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, tail: &[u8]) {
        let stated = usize::from(self.length) - 8;
        payload(self.payload(tail), (Layer::Udp, LengthSource::UdpLength), 8, stated, tail);
        assert_eq!(self.payload_len(), Some(stated));

        let (a, b) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2));
        let (a6, b6) = (Ipv6Addr::LOCALHOST, b.to_ipv6_mapped());
        for pseudo in [
            Sum::pseudo_ipv4(a, b, IpProtocol::UDP, self.length),
            Sum::pseudo_ipv6(a6, b6, IpProtocol::UDP, self.length.into()),
        ] {
            let header = self.with_checksum(pseudo, tail);
            assert_eq!(Self { checksum: self.checksum, ..header }, *self);
            let datagram = [&header.emitted(), tail].concat();
            assert_eq!(udp::verify(pseudo, &datagram), State::Good);

            // RFC 768: a computed zero, which the old checksum as one more word makes, is sent as all ones.
            let mut tail = tail.to_vec();
            tail.resize(tail.len().next_multiple_of(2), 0);
            tail.extend(header.checksum.to_be_bytes());
            assert_eq!(self.with_checksum(pseudo, &tail).checksum, 0xffff);
        }
    }
}

/// The chain of extension headers that begins with a header of the kind of the first byte.
pub(super) fn extensions(data: &[u8]) {
    let Some((&kind, bytes)) = data.split_first() else { return };
    let mut chain = ipv6::Extensions::new(IpProtocol(kind), bytes);
    let (mut kind, mut rest) = (kind, bytes);
    let mut refused = None;
    let mut is_later_fragment = false;
    for index in 0.. {
        // RFC 8200, section 4.1, and the IANA's list of extension header types, those without ESP, whose
        // length is a secret.
        let is_extension = matches!(kind, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140);
        assert_eq!(ipv6::is_extension(IpProtocol(kind)), is_extension);
        // RFC 8200, section 4: a zero in another header than IPv6's is not recognized.
        let is_extension = is_extension && (kind != 0 || index == 0);
        assert_eq!(chain.is_later_fragment(), is_later_fragment);
        let Some(item) = chain.next() else {
            assert!(!is_extension || is_later_fragment);
            break;
        };
        assert!(is_extension && !is_later_fragment);

        let truncated = |needed_by, need| too_short(Layer::Ipv6Extension, needed_by, need, rest);
        let stated = |rest: &[u8]| match kind {
            44 => 8,
            51 => 4 * (usize::from(rest[1]) + 2),
            _ => 8 * (usize::from(rest[1]) + 1),
        };
        let too_many = Error::TooMany { layer: Layer::Ipv6Extension, max: ipv6::MAX_EXTENSIONS };
        refused = (index == ipv6::MAX_EXTENSIONS)
            .then_some(too_many)
            .or_else(|| truncated(LengthSource::Header, 8))
            .or_else(|| truncated(LengthSource::HdrExtLen, stated(rest)));
        assert_eq!(item.err(), refused);
        let Ok(extension) = item else { break };

        let (head, tail) = rest.split_at(stated(rest));
        assert_eq!(extension.protocol, IpProtocol(kind));
        assert!(core::ptr::eq(extension.bytes, head));
        assert_eq!(extension.fragment().is_some(), kind == 44);
        if let Some(fragment) = extension.fragment() {
            let word = fragment.offset.value() << 3 | u16::from(fragment.more_fragments);
            assert_eq!(word, be16(head, 2) & 0xfff9);
            assert_eq!(fragment.identification.to_be_bytes(), head[4..]);
            assert_eq!(fragment.is_atomic(), word == 0);
            is_later_fragment = word >> 3 != 0;
        }
        (kind, rest) = (head[0], tail);
    }
    // Ended for good. What was yielded and what is left is the input: each header was compared with the
    // bytes at its place.
    assert!(chain.by_ref().next().is_none() && chain.next().is_none());
    assert!(core::ptr::eq(chain.rest(), rest));
    let end = if refused.is_some() { IpProtocol::NO_NEXT_HEADER } else { IpProtocol(kind) };
    assert_eq!(chain.protocol(), end);
}

/// A payload of `stated` bytes behind a header of `header_len` is the front of `tail`, or `tail` is too
/// short for it.
fn payload(
    found: Result<&[u8], Error>,
    (layer, needed_by): (Layer, LengthSource),
    header_len: usize,
    stated: usize,
    tail: &[u8],
) {
    let (need, have) = (header_len + stated, header_len + tail.len());
    match tail.get(..stated) {
        Some(payload) => assert!(found.is_ok_and(|found| core::ptr::eq(found, payload))),
        None => assert_eq!(found, Err(Error::Truncated { layer, needed_by, need, have })),
    }
}
