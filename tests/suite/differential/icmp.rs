//! ICMP, ICMPv6 and Neighbor Discovery.

use std::net::Ipv6Addr;

use encap::wire::{
    Error, IpProtocol,
    checksum::{State, Sum},
    icmpv4, icmpv6, ipv4, ipv6, ndp,
    ndp_option::Options,
};
use etherparse::{
    Icmpv4Header, Icmpv4Slice, Icmpv6Slice, Icmpv6Type,
    icmpv6::{Icmpv6PayloadSlice, NdpOptionsIterator},
};
use pdu::{IcmpPdu, Ip};
use proptest::{collection::vec, prelude::*};

use crate::strategies as any_header;

use super::packets;

fn icmpv4_packets() -> impl Strategy<Value = Vec<u8>> {
    packets(any_header::icmpv4(), |header| header.to_bytes().to_vec())
}

fn icmpv6_packets() -> impl Strategy<Value = Vec<u8>> {
    packets(any_header::icmpv6(), |header| header.to_bytes().to_vec())
}

/// Options of all kinds, most of them well-formed.
fn options() -> impl Strategy<Value = Vec<u8>> {
    let option = (0..8u8, prop_oneof![9 => 1..5u8, 1 => 0..9u8]).prop_flat_map(|(kind, units)| {
        let rest = usize::from(units.max(1)) * 8 - 2;
        vec(any::<u8>(), rest).prop_map(move |rest| [&[kind, units], &rest[..]].concat())
    });
    any_header::damaged(vec(option, 0..4).prop_map(|options| options.concat()))
}

fn verdict(is_valid: bool) -> State {
    if is_valid { State::Good } else { State::Bad }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn icmpv4_etherparse(bytes in icmpv4_packets()) {
        match (icmpv4::Header::parse(&bytes), Icmpv4Slice::from_slice(&bytes)) {
            (Ok((ours, rest)), Ok(theirs)) => {
                prop_assert_eq!((ours.kind.0, ours.code), (theirs.type_u8(), theirs.code_u8()));
                prop_assert_eq!((ours.checksum, ours.rest), (theirs.checksum(), theirs.bytes5to8()));
                prop_assert_eq!(&bytes[8..], rest);
            }
            // Their fixed length of timestamps.
            (Ok((ours, _)), Err(_)) => {
                prop_assert!(matches!((ours.kind.0, ours.code), (13 | 14, 0)) && bytes.len() != 20);
            }
            (ours, theirs) => prop_assert!(ours.is_err() && theirs.is_err(), "{ours:?} and {theirs:?}"),
        }
    }

    #[test]
    fn icmpv4_pdu(bytes in icmpv4_packets()) {
        match (icmpv4::Header::parse(&bytes), IcmpPdu::new(&bytes)) {
            (Ok((ours, _)), Ok(theirs)) => {
                prop_assert_eq!((ours.kind.0, ours.code), (theirs.message_type(), theirs.message_code()));
                prop_assert_eq!(ours.checksum, theirs.checksum());
            }
            (ours, theirs) => prop_assert!(ours.is_err() && theirs.is_err(), "{ours:?} and {theirs:?}"),
        }
    }

    /// From all three, and a verdict of ours on each.
    #[test]
    fn icmpv4_checksums(
        header in any_header::icmpv4(),
        ip in any_header::ipv4(),
        payload in vec(any::<u8>(), 0..200),
    ) {
        let made = header.with_checksum(&payload);
        let message = [&made.to_bytes()[..], &payload].concat();
        prop_assert_eq!(icmpv4::verify(&message), State::Good);
        let total_len = (ip.header_len() + message.len()) as u16;
        let ip = ipv4::Header { total_len, protocol: IpProtocol::ICMP, ..ip };
        let packet = [&ip.to_bytes()[..ip.header_len()], &message].concat();
        let pdu = IcmpPdu::new(&message).unwrap().computed_checksum(&Ip::new(&packet).unwrap());
        prop_assert_eq!(made.checksum, pdu);

        let as_sent = [&header.to_bytes()[..], &payload].concat();
        prop_assert_eq!(icmpv4::verify(&as_sent), verdict(header.checksum == made.checksum));
        if let Ok((mut etherparse, rest)) = Icmpv4Header::from_slice(&as_sent) {
            etherparse.update_checksum(rest);
            // What they do not keep of a header is not in their sum: that is one of what they would send.
            let theirs = [&etherparse.to_bytes()[..], rest].concat();
            prop_assert_eq!(icmpv4::verify(&theirs), State::Good);
            prop_assert_eq!(&theirs[8..], &message[8..]);
            if theirs[4..8] == message[4..8] {
                prop_assert_eq!(theirs, message);
            } else {
                prop_assert!(matches!(made.kind.0, 3 | 11 | 12), "{made:?}");
            }
        }
    }

    #[test]
    fn icmpv6_etherparse(bytes in icmpv6_packets(), a in any::<Ipv6Addr>(), b in any::<Ipv6Addr>()) {
        match (icmpv6::Header::parse(&bytes), Icmpv6Slice::from_slice(&bytes)) {
            (Ok((ours, rest)), Ok(theirs)) => {
                prop_assert_eq!((ours.kind.0, ours.code), (theirs.type_u8(), theirs.code_u8()));
                prop_assert_eq!((ours.checksum, ours.rest), (theirs.checksum(), theirs.bytes5to8()));
                prop_assert_eq!(theirs.payload(), rest);
                let pseudo = Sum::pseudo_ipv6(a, b, IpProtocol::ICMPV6, bytes.len() as u32);
                let expected = verdict(theirs.is_checksum_valid(a.octets(), b.octets()));
                prop_assert_eq!(icmpv6::verify(pseudo, &bytes), expected);
            }
            (ours, theirs) => prop_assert!(ours.is_err() && theirs.is_err(), "{ours:?} and {theirs:?}"),
        }
    }

    #[test]
    fn icmpv6_pdu(bytes in icmpv6_packets()) {
        match (icmpv6::Header::parse(&bytes), IcmpPdu::new(&bytes)) {
            (Ok((ours, _)), Ok(theirs)) => {
                prop_assert_eq!((ours.kind.0, ours.code), (theirs.message_type(), theirs.message_code()));
                prop_assert_eq!(ours.checksum, theirs.checksum());
            }
            (ours, theirs) => prop_assert!(ours.is_err() && theirs.is_err(), "{ours:?} and {theirs:?}"),
        }
    }

    #[test]
    fn icmpv6_checksums(
        header in any_header::icmpv6(),
        ip in any_header::ipv6(),
        payload in vec(any::<u8>(), 0..200),
    ) {
        let message = [&header.to_bytes()[..], &payload].concat();
        same_icmpv6_checksum(&ip, &message)?;
    }

    /// Of messages with options.
    #[test]
    fn neighbor_discovery_checksums(
        solicitation in any_header::solicitation(),
        advertisement in any_header::advertisement(),
        ip in any_header::ipv6(),
        options in options(),
    ) {
        same_icmpv6_checksum(&ip, &[&solicitation.to_bytes()[..], &options].concat())?;
        same_icmpv6_checksum(&ip, &[&advertisement.to_bytes()[..], &options].concat())?;
    }

    #[test]
    fn solicitation_etherparse(
        bytes in packets(any_header::solicitation(), |message| message.to_bytes().to_vec()),
    ) {
        let theirs = Icmpv6Slice::from_slice(&bytes).ok().and_then(|slice| {
            match (slice.icmp_type(), slice.payload_slice()) {
                (Icmpv6Type::NeighborSolicitation, Ok(Icmpv6PayloadSlice::NeighborSolicitation(payload))) => {
                    Some((slice, payload))
                }
                _ => None,
            }
        });
        match (ndp::Solicitation::parse(&bytes), theirs) {
            (Ok((ours, rest)), Some((slice, payload))) => {
                prop_assert_eq!((ours.checksum, ours.target), (slice.checksum(), payload.target_address()));
                prop_assert_eq!(rest, payload.options());
            }
            (Err(Error::Truncated { .. } | Error::Unsupported { .. }), None) => {}
            (ours, theirs) => prop_assert!(false, "{ours:?} and {theirs:?}"),
        }
    }

    #[test]
    fn advertisement_etherparse(
        bytes in packets(any_header::advertisement(), |message| message.to_bytes().to_vec()),
    ) {
        let theirs = Icmpv6Slice::from_slice(&bytes).ok().and_then(|slice| {
            match (slice.icmp_type(), slice.payload_slice()) {
                (
                    Icmpv6Type::NeighborAdvertisement(header),
                    Ok(Icmpv6PayloadSlice::NeighborAdvertisement(payload)),
                ) => Some((slice, header, payload)),
                _ => None,
            }
        });
        match (ndp::Advertisement::parse(&bytes), theirs) {
            (Ok((ours, rest)), Some((slice, header, payload))) => {
                prop_assert_eq!((ours.checksum, ours.target), (slice.checksum(), payload.target_address()));
                prop_assert_eq!((ours.router, ours.solicited), (header.router, header.solicited));
                prop_assert_eq!(ours.overrides, header.r#override);
                prop_assert_eq!(&ours.to_bytes()[4..8], &header.to_bytes());
                prop_assert_eq!(rest, payload.options());
            }
            (Err(Error::Truncated { .. } | Error::Unsupported { .. }), None) => {}
            (ours, theirs) => prop_assert!(false, "{ours:?} and {theirs:?}"),
        }
    }

    #[test]
    fn neighbor_options_etherparse(bytes in options()) {
        let mut theirs = NdpOptionsIterator::from_slice(&bytes);
        for ours in Options::new(&bytes) {
            match (ours, theirs.next().unwrap()) {
                (Ok(ours), Ok(theirs)) => {
                    prop_assert_eq!((ours.kind.0, ours.bytes), (theirs.option_type().0, theirs.as_bytes()));
                }
                // Their lengths of options that are not for hosts here: prefixes, redirects and MTUs.
                (Ok(ours), Err(_)) => {
                    prop_assert!(matches!(ours.kind.0, 3..=5), "{ours:?}");
                    return Ok(());
                }
                (ours, theirs) => prop_assert!(ours.is_err() && theirs.is_err(), "{ours:?} and {theirs:?}"),
            }
        }
        prop_assert!(theirs.next().is_none());
    }
}

/// From all three, of this message over this IP header, and a verdict of ours on each.
fn same_icmpv6_checksum(ip: &ipv6::Header, message: &[u8]) -> Result<(), TestCaseError> {
    let (header, payload) = icmpv6::Header::parse(message).unwrap();
    let pseudo = Sum::pseudo_ipv6(ip.source, ip.destination, IpProtocol::ICMPV6, message.len() as u32);
    let made = header.with_checksum(pseudo, payload);
    let sent = [&made.to_bytes()[..], payload].concat();
    prop_assert_eq!(icmpv6::verify(pseudo, &sent), State::Good);
    prop_assert_eq!(icmpv6::verify(pseudo, message), verdict(header.checksum == made.checksum));

    let ip = ipv6::Header { payload_len: message.len() as u16, next_header: IpProtocol::ICMPV6, ..*ip };
    let packet = [&ip.to_bytes()[..], &sent].concat();
    let pdu = IcmpPdu::new(&sent).unwrap().computed_checksum(&Ip::new(&packet).unwrap());
    prop_assert_eq!(made.checksum, pdu);

    let mut etherparse = Icmpv6Slice::from_slice(message).unwrap().header();
    etherparse.update_checksum(ip.source.octets(), ip.destination.octets(), payload).unwrap();
    // What they do not keep of a header is not in their sum: that is one of what they would send.
    let theirs = [&etherparse.to_bytes()[..], payload].concat();
    prop_assert_eq!(icmpv6::verify(pseudo, &theirs), State::Good);
    if theirs[4..8] == sent[4..8] {
        prop_assert_eq!(theirs, sent);
    } else {
        prop_assert!(matches!(made.kind.0, 1 | 3 | 133 | 134 | 135 | 136 | 137), "{made:?}");
    }
    Ok(())
}
