//! Ethernet, tags and ARP.

use encap::wire::{Error, EtherType, Layer, LengthSource, arp, ethernet, vlan};

use super::{Codec, any_bytes, be16, good_bytes, too_short};

impl Codec for ethernet::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Ethernet, LengthSource::Header, 14, bytes)
    }

    any_bytes!(14);

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

impl Codec for vlan::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        too_short(Layer::Vlan, LengthSource::Header, 4, bytes)
    }

    any_bytes!(4);

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

impl Codec for arp::Header {
    fn refusal(bytes: &[u8]) -> Option<Error> {
        let other = |field, value, expected| {
            (value != expected).then_some(Error::Unsupported { layer: Layer::Arp, field, value })
        };
        // RFC 826, "Packet Generation": hardware, protocol, and the lengths of their addresses.
        too_short(Layer::Arp, LengthSource::Header, 28, bytes)
            .or_else(|| other("hardware type", be16(bytes, 0), 1))
            .or_else(|| other("protocol type", be16(bytes, 2), 0x0800))
            .or_else(|| other("hardware address length", bytes[4].into(), 6))
            .or_else(|| other("protocol address length", bytes[5].into(), 4))
    }

    good_bytes!(28);

    fn emitted(&self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }
}

/// The stack of VLAN tags that the EtherType in the first two bytes announces.
pub(super) fn tags(data: &[u8]) {
    let Some((ethertype, bytes)) = data.split_first_chunk() else { return };
    let first = u16::from_be_bytes(*ethertype);
    let (mut ethertype, mut rest) = (first, bytes);
    let mut stack = Vec::new();
    let mut refused = None;
    while matches!(ethertype, 0x8100 | 0x88a8 | 0x9100) {
        refused = (stack.len() == vlan::MAX_TAGS)
            .then_some(Error::TooMany { layer: Layer::Vlan, max: vlan::MAX_TAGS })
            .or_else(|| too_short(Layer::Vlan, LengthSource::Header, 4, rest));
        if refused.is_some() {
            break;
        }
        let (tag, after) = vlan::Header::parse(rest).unwrap();
        stack.push(tag);
        (ethertype, rest) = (tag.ethertype.0, after);
    }
    let found = vlan::skip_tags(EtherType(first), bytes);
    assert_eq!(found.err(), refused);
    let Ok(found) = found else { return };
    assert_eq!((found.outer, found.ethertype), (stack.first().copied(), EtherType(ethertype)));
    assert!(core::ptr::eq(found.payload, rest));
    assert_eq!(stack.len() * 4 + found.payload.len(), bytes.len());
}
