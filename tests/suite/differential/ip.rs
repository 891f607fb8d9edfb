//! IPv4, IPv6 and its extension headers.

use encap::wire::{Error, IpProtocol, LengthSource, ipv4, ipv6};
use etherparse::{Ipv4Header, Ipv4Slice, Ipv6FragmentHeader, Ipv6Header, Ipv6Slice};
use pdu::{Ipv4Pdu, Ipv6Pdu};
use proptest::prelude::*;

use crate::strategies as any_header;

use super::packets;

fn ipv4_packets() -> impl Strategy<Value = Vec<u8>> {
    packets(any_header::ipv4(), |header| header.to_bytes()[..header.header_len()].to_vec())
}

fn ipv6_packets() -> impl Strategy<Value = Vec<u8>> {
    packets(any_header::ipv6(), |header| header.to_bytes().to_vec())
}

/// An IPv6 header and a chain of extension headers, which its length covers.
fn ipv6_chains() -> impl Strategy<Value = Vec<u8>> {
    packets((any_header::ipv6(), any_header::extension_chain()), |(header, (first, chain, _))| {
        let header = ipv6::Header { next_header: *first, payload_len: chain.len() as u16, ..*header };
        [&header.to_bytes(), &chain[..]].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn ipv4_etherparse(bytes in ipv4_packets()) {
        match (ipv4::Header::parse(&bytes), Ipv4Header::from_slice(&bytes)) {
            (Ok((ours, our_rest)), Ok((theirs, their_rest))) => {
                prop_assert_eq!(our_rest, their_rest);
                prop_assert_eq!(ours.dscp.value(), theirs.dscp.value());
                prop_assert_eq!(ours.ecn.value(), theirs.ecn.value());
                prop_assert_eq!(ours.total_len, theirs.total_len);
                prop_assert_eq!(ours.identification, theirs.identification);
                prop_assert_eq!(ours.dont_fragment, theirs.dont_fragment);
                prop_assert_eq!(ours.more_fragments, theirs.more_fragments);
                prop_assert_eq!(ours.fragment_offset.value(), theirs.fragment_offset.value());
                prop_assert_eq!(ours.is_fragment(), theirs.is_fragmenting_payload());
                prop_assert_eq!(ours.ttl, theirs.time_to_live);
                prop_assert_eq!(ours.protocol.0, theirs.protocol.0);
                prop_assert_eq!(ours.checksum, theirs.header_checksum);
                prop_assert_eq!(ours.source.octets(), theirs.source);
                prop_assert_eq!(ours.destination.octets(), theirs.destination);
                prop_assert_eq!(ours.options.as_bytes(), theirs.options.as_slice());
                prop_assert_eq!(Ok(ours.payload_len() as u16), theirs.payload_len());
                prop_assert_eq!(&ours.to_bytes()[..ours.header_len()], &theirs.to_bytes()[..]);
                prop_assert_eq!(ours.with_checksum().checksum, theirs.calc_header_checksum());
            }
            // The total length that they do not look at.
            (Err(Error::Length { field: LengthSource::TotalLength, .. }), Ok((theirs, _))) => {
                prop_assert!(theirs.payload_len().is_err());
            }
            (ours, theirs) => prop_assert!(ours.is_err() && theirs.is_err(), "{ours:?} and {theirs:?}"),
        }
    }

    #[test]
    fn ipv4_payload_etherparse(bytes in ipv4_packets()) {
        let ours = ipv4::Header::parse(&bytes).and_then(|(header, rest)| Ok((header, header.payload(rest)?)));
        // The authentication header over IPv4, which they step over.
        if ours.is_ok_and(|(header, _)| header.protocol == IpProtocol::AUTHENTICATION) {
            return Ok(());
        }
        let theirs = Ipv4Slice::from_slice(&bytes);
        prop_assert_eq!(ours.ok().map(|(_, payload)| payload), theirs.ok().map(|slice| slice.payload().payload));
    }

    #[test]
    fn ipv4_pdu(bytes in ipv4_packets()) {
        let (ours, theirs) = (ipv4::Header::parse(&bytes), Ipv4Pdu::new(&bytes));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        if let (Ok((ours, rest)), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.dscp.value(), theirs.dscp());
            prop_assert_eq!(ours.ecn.value(), theirs.ecn());
            prop_assert_eq!(ours.total_len, theirs.total_length());
            prop_assert_eq!(ours.identification, theirs.identification());
            prop_assert_eq!(ours.dont_fragment, theirs.dont_fragment());
            prop_assert_eq!(ours.more_fragments, theirs.more_fragments());
            prop_assert_eq!(ours.fragment_offset.value(), theirs.fragment_offset());
            prop_assert_eq!(ours.ttl, theirs.ttl());
            prop_assert_eq!(ours.protocol.0, theirs.protocol());
            prop_assert_eq!(ours.checksum, theirs.checksum());
            prop_assert_eq!(ours.source.octets(), theirs.source_address());
            prop_assert_eq!(ours.destination.octets(), theirs.destination_address());
            prop_assert_eq!(bytes.len() - rest.len(), theirs.computed_ihl());
            // Theirs covers the reserved flag, which ours has cleared.
            if bytes[6] & 0x80 == 0 {
                prop_assert_eq!(ours.with_checksum().checksum, theirs.computed_checksum());
            }
        }
    }

    #[test]
    fn ipv6_etherparse(bytes in ipv6_packets()) {
        let (ours, theirs) = (ipv6::Header::parse(&bytes), Ipv6Header::from_slice(&bytes));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        if let (Ok((ours, our_rest)), Ok((theirs, their_rest))) = (ours, theirs) {
            prop_assert_eq!(our_rest, their_rest);
            prop_assert_eq!(ours.dscp.value(), theirs.traffic_class >> 2);
            prop_assert_eq!(ours.ecn.value(), theirs.traffic_class & 3);
            prop_assert_eq!(ours.flow_label.value(), theirs.flow_label.value());
            prop_assert_eq!(ours.payload_len, theirs.payload_length);
            prop_assert_eq!(ours.next_header.0, theirs.next_header.0);
            prop_assert_eq!(ours.hop_limit, theirs.hop_limit);
            prop_assert_eq!(ours.source, theirs.source_addr());
            prop_assert_eq!(ours.destination, theirs.destination_addr());
            prop_assert_eq!(ours.to_bytes(), theirs.to_bytes());
        }
    }

    #[test]
    fn ipv6_payload_etherparse(bytes in ipv6_packets()) {
        let ours = ipv6::Header::parse(&bytes).and_then(|(header, rest)| Ok((header, header.payload(rest)?)));
        match ours {
            // They step over extension headers; their length 0 means whatever there is.
            Ok((header, _)) if ipv6::is_extension(header.next_header) || header.payload_len == 0 => {}
            ours => {
                let (ours, theirs) = (ours.ok(), Ipv6Slice::from_slice(&bytes).ok());
                prop_assert_eq!(ours.map(|(_, payload)| payload), theirs.map(|slice| slice.payload().payload));
            }
        }
    }

    #[test]
    fn ipv6_chain_etherparse(
        (first, bytes) in any_header::extension_chain()
            .prop_flat_map(|(first, bytes, _)| (Just(first), any_header::damaged(Just(bytes)))),
    ) {
        let mut chain = ipv6::Extensions::new(first, &bytes);
        let mut error = None;
        for item in &mut chain {
            match item {
                Ok(extension) => {
                    let Some(ours) = extension.fragment() else { continue };
                    let (theirs, _) = Ipv6FragmentHeader::from_slice(extension.bytes).unwrap();
                    prop_assert_eq!(ours.offset.value(), theirs.fragment_offset.value());
                    prop_assert_eq!(ours.more_fragments, theirs.more_fragments);
                    prop_assert_eq!(ours.identification, theirs.identification);
                    prop_assert_eq!(ours.is_atomic(), !theirs.is_fragmenting_payload());
                }
                Err(found) => error = Some(found),
            }
        }
        let theirs = Ipv6Header::skip_all_header_extensions_in_slice(&bytes, etherparse::IpNumber(first.0));
        match error {
            // They read on in the payload of a later fragment, and in hop-by-hop options behind another header.
            None if chain.is_later_fragment() || chain.protocol() == IpProtocol::HOP_BY_HOP => {}
            None => {
                let (protocol, rest) = theirs.unwrap();
                prop_assert_eq!((chain.protocol().0, chain.rest()), (protocol.0, rest));
            }
            // They have no limit.
            Some(Error::TooMany { .. }) => {}
            Some(error) => prop_assert!(theirs.is_err(), "{error}"),
        }
    }

    #[test]
    fn ipv6_pdu(bytes in prop_oneof![ipv6_packets(), ipv6_chains()]) {
        let ours = ipv6::Header::parse(&bytes);
        let theirs = Ipv6Pdu::new(&bytes);
        let Ok((header, rest)) = ours else {
            prop_assert!(theirs.is_err());
            return Ok(());
        };

        // As far as they step over headers.
        let mut chain = ipv6::Extensions::new(header.next_header, rest);
        let (mut len, mut fragment, mut error) = (ipv6::Header::LEN, None, None);
        while matches!(chain.protocol().0, 0 | 43 | 44 | 60) {
            let Some(item) = chain.next() else { break };
            match item {
                Ok(extension) => {
                    len += extension.bytes.len();
                    fragment = fragment.or(extension.fragment());
                }
                Err(found) => error = Some(found),
            }
        }
        match error {
            // They have no limit.
            Some(Error::TooMany { .. }) => return Ok(()),
            Some(error) => {
                prop_assert!(theirs.is_err(), "{error}");
                return Ok(());
            }
            // They read on behind the end, in the payload of a later fragment, and in hop-by-hop options anywhere.
            None if chain.is_later_fragment() => return Ok(()),
            None if chain.protocol() == IpProtocol::HOP_BY_HOP => return Ok(()),
            None if chain.protocol() == IpProtocol::NO_NEXT_HEADER => return Ok(()),
            None => {}
        }
        let theirs = theirs.unwrap();
        prop_assert_eq!(header.dscp.value(), theirs.dscp());
        prop_assert_eq!(header.ecn.value(), theirs.ecn());
        prop_assert_eq!(header.flow_label.value(), theirs.flow_label());
        prop_assert_eq!(header.payload_len, theirs.payload_length());
        prop_assert_eq!(header.next_header.0, theirs.next_header());
        prop_assert_eq!(header.hop_limit, theirs.hop_limit());
        prop_assert_eq!(header.source.octets(), theirs.source_address());
        prop_assert_eq!(header.destination.octets(), theirs.destination_address());
        prop_assert_eq!((len, chain.protocol().0), (theirs.computed_ihl(), theirs.computed_protocol()));
        prop_assert_eq!(fragment.map(|f| f.identification), theirs.computed_identification());
        prop_assert_eq!(fragment.map(|f| f.more_fragments), theirs.computed_more_fragments());
        prop_assert_eq!(fragment.map(|f| f.offset.value() * 8), theirs.computed_fragment_offset());
    }
}
