//! ICMP and neighbour discovery.

use core::net::Ipv6Addr;

use encap::wire::{
    Error, IpProtocol, Layer, LengthSource,
    checksum::{State, Sum},
    icmpv4, icmpv6, ndp, ndp_option,
};

use super::{Codec, any_bytes, good_bytes, too_short};

impl Codec for icmpv4::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Icmpv4, LengthSource::Header, 8, bytes)
    }

    any_bytes!(8);

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, tail: &[u8]) {
        let header = self.with_checksum(tail);
        assert_eq!(Self { checksum: self.checksum, ..header }, *self);
        assert_eq!(icmpv4::verify(&[&header.emitted(), tail].concat()), State::Good);
        // What a problem says is all that its header says, but for bytes that it leaves unused.
        if let Some(problem) = self.problem() {
            let header = problem.header();
            assert_eq!((header.kind, header.code), (self.kind, self.code));
            assert!(header.rest.iter().zip(self.rest).all(|(&said, found)| said == found || said == 0));
            assert_eq!(header.problem(), Some(problem));
        }
    }
}

impl Codec for icmpv6::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Icmpv6, LengthSource::Header, 8, bytes)
    }

    any_bytes!(8);

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn behind(&self, tail: &[u8]) {
        let len = 8 + tail.len() as u32;
        let pseudo = Sum::pseudo_ipv6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, IpProtocol::ICMPV6, len);
        let header = self.with_checksum(pseudo, tail);
        assert_eq!(Self { checksum: self.checksum, ..header }, *self);
        assert_eq!(icmpv6::verify(pseudo, &[&header.emitted(), tail].concat()), State::Good);
        if let Some(problem) = self.problem() {
            assert!(self.kind.is_error());
            assert_eq!(problem.header().kind, self.kind);
            assert_eq!(problem.header().problem(), Some(problem));
        }
    }
}

/// The type of a message of neighbour discovery and its code, zero (RFC 4861, sections 4.3 and 4.4).
fn neighbor_refusal(bytes: &[u8], kind: u8) -> Option<Error> {
    let other = |field, at: usize, expected: u8| {
        let value = bytes[at].into();
        (bytes[at] != expected).then_some(Error::Unsupported {
            layer: Layer::NeighborDiscovery,
            field,
            value,
        })
    };
    too_short(Layer::NeighborDiscovery, LengthSource::Header, 24, bytes)
        .or_else(|| other("type", 0, kind))
        .or_else(|| other("code", 1, 0))
}

impl Codec for ndp::Solicitation {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        neighbor_refusal(bytes, 135)
    }

    /// Reserved: "MUST be ignored by the receiver".
    fn clear_ignored(header: &mut [u8]) {
        header[4..8].fill(0);
    }

    good_bytes!(24);

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

impl Codec for ndp::Advertisement {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        neighbor_refusal(bytes, 136)
    }

    /// Reserved: "MUST be ignored by the receiver".
    fn clear_ignored(header: &mut [u8]) {
        header[4] &= 0xe0;
        header[5..8].fill(0);
    }

    good_bytes!(24);

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

/// The options of a message of neighbour discovery (RFC 4861, section 4.6): lengths in units of eight bytes,
/// zero invalid.
pub(super) fn neighbor_options(bytes: &[u8]) {
    let mut options = ndp_option::Options::new(bytes);
    let mut rest = bytes;
    while let Some(item) = options.next() {
        let (layer, field) = (Layer::NeighborOption, LengthSource::OptionLength);
        let zero = || (rest[1] == 0).then_some(Error::Length { layer, field, stated: 0, min: 8 });
        let refused = too_short(layer, LengthSource::Header, 2, rest)
            .or_else(zero)
            .or_else(|| too_short(layer, field, 8 * usize::from(rest[1]), rest));
        assert_eq!(item.err(), refused);
        let Ok(option) = item else {
            // Ended for good.
            assert!(options.next().is_none() && options.next().is_none());
            return;
        };
        let (head, tail) = rest.split_at(8 * usize::from(rest[1]));
        assert!(core::ptr::eq(option.bytes, head));
        assert_eq!(option.kind.0, head[0]);
        assert_eq!(option.mac().is_some(), head[0].wrapping_sub(1) < 2 && head.len() == 8);
        rest = tail;
    }
    // What was yielded adds up to the length.
    assert!(rest.is_empty());
}
