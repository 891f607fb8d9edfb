//! Against other implementations: etherparse 0.21 and pdu 1.5, on every header that they know too.
//!
//! Both sides take and refuse the same bytes, read the same fields, emit the same bytes and compute the
//! same checksums. Where they do not, the test that meets the difference names it:
//!
//! | header | they | we | why |
//! |---|---|---|---|
//! | Ethernet | pdu refuses type fields below 0x600 | keep them | a length is as good (IEEE 802.3, 3.2.6) |
//! | ARP | pdu takes any hardware and protocol | refuse others by name | RFC 826, "Packet Reception" |
//! | IPv4 | etherparse takes a total length below IHL | refuse | RFC 791, 3.1: it includes the header |
//! | IPv4 | etherparse steps over an authentication header | do not | it is the payload (RFC 4302, 2) |
//! | IPv6 | etherparse: payload length 0 is all there is | an empty payload | RFC 8200, 3; no jumbograms here |
//! | IPv6 chain | both follow it without end | up to 8 headers | RFC 8200, 4.1: each kind once |
//! | IPv6 chain | both take hop-by-hop options anywhere | only in front | RFC 8200, 4: elsewhere 0 is unknown |
//! | IPv6 chain | pdu reads on behind 59 | stop | RFC 8200, 4.7: nothing follows |
//! | IPv6 chain | pdu stops at 51, 135, 139, 140 | step over them | RFC 7045, 4: extension headers, too |
//! | UDP | both take lengths below 8 | refuse | RFC 768: "the minimum value of the length is eight" |
//! | UDP | etherparse: length 0 is all there is | refuse | the same; only jumbograms have it (RFC 2675, 4) |
//! | GRE | pdu ignores the R bit | refuse | RFC 2784, 2.3; fields would be read from wrong places |
//! | GRE | pdu compares checksums as numbers | as one's complement | RFC 1624, 3: 0x0000 and 0xffff are both zero |
//! | ICMP | etherparse takes timestamps of 20 bytes alone | any | RFC 792: who reads them is to say |
//! | ICMP, ICMPv6 | etherparse drops what is unused or reserved from headers and sums | keep it | RFC 4443, 2.3: over all |
//! | ND options | etherparse: fixed lengths of prefixes, redirects, MTUs | any | RFC 4861, 4.6: only addresses are read |

mod icmp;
mod ip;

use core::fmt::Debug;

use encap::wire::{
    Error, EtherType, IpProtocol, arp,
    checksum::{self, State, Sum},
    ethernet, gre, ipv4, ipv6, udp, vlan,
};
use etherparse::{
    ArpPacket, Ethernet2Header, SingleVlanHeader, UdpHeader, UdpSlice, checksum::Sum16BitWords,
};
use pdu::{ArpPdu, EthernetPdu, GrePdu, Ip, UdpPdu};
use proptest::{collection::vec, prelude::*};

use crate::strategies as any_header;

/// The emitted header with bytes behind it, some of it damaged.
fn packets<H: Debug>(
    header: impl Strategy<Value = H>,
    emit: impl Fn(&H) -> Vec<u8>,
) -> impl Strategy<Value = Vec<u8>> {
    let good =
        (header, vec(any::<u8>(), 0..60)).prop_map(move |(header, tail)| [emit(&header), tail].concat());
    any_header::damaged(good)
}

fn arp_packets() -> impl Strategy<Value = Vec<u8>> {
    packets(any_header::arp(), |header| header.to_bytes().to_vec())
}

fn udp_packets() -> impl Strategy<Value = Vec<u8>> {
    packets(any_header::udp(), |header| header.to_bytes().to_vec())
}

fn gre_packets() -> impl Strategy<Value = Vec<u8>> {
    packets(any_header::gre(), |header| header.to_bytes()[..header.header_len()].to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// At once, and in two pieces of any length.
    #[test]
    fn checksums_etherparse(bytes in vec(any::<u8>(), 0..3000), cut in any::<proptest::sample::Index>()) {
        let theirs = Sum16BitWords::new().add_slice(&bytes).ones_complement().to_be();
        prop_assert_eq!(checksum::of(&bytes), theirs);
        let (front, back) = bytes.split_at(cut.index(bytes.len() + 1));
        prop_assert_eq!(Sum::ZERO.add_bytes(front).add_bytes(back).checksum(), theirs);
    }

    #[test]
    fn ethernet_etherparse(bytes in packets(any_header::ethernet(), |header| header.to_bytes().to_vec())) {
        let (ours, theirs) = (ethernet::Header::parse(&bytes), Ethernet2Header::from_slice(&bytes));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        if let (Ok((ours, our_rest)), Ok((theirs, their_rest))) = (ours, theirs) {
            prop_assert_eq!(our_rest, their_rest);
            prop_assert_eq!(ours.destination.0, theirs.destination);
            prop_assert_eq!(ours.source.0, theirs.source);
            prop_assert_eq!(ours.ethertype.0, theirs.ether_type.0);
            prop_assert_eq!(ours.to_bytes(), theirs.to_bytes());
        }
    }

    #[test]
    fn vlan_etherparse(bytes in packets(any_header::vlan(), |header| header.to_bytes().to_vec())) {
        let (ours, theirs) = (vlan::Header::parse(&bytes), SingleVlanHeader::from_slice(&bytes));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
        if let (Ok((ours, our_rest)), Ok((theirs, their_rest))) = (ours, theirs) {
            prop_assert_eq!(our_rest, their_rest);
            prop_assert_eq!(ours.priority.value(), theirs.pcp.value());
            prop_assert_eq!(ours.drop_eligible, theirs.drop_eligible_indicator);
            prop_assert_eq!(ours.id.value(), theirs.vlan_id.value());
            prop_assert_eq!(ours.ethertype.0, theirs.ether_type.0);
            prop_assert_eq!(ours.to_bytes(), theirs.to_bytes());
        }
    }

    /// One pdu is the header and, where it is announced by 0x8100, one tag.
    #[test]
    fn ethernet_and_vlan_pdu(bytes in packets(
        (any_header::ethernet(), any_header::vlan(), any::<bool>()),
        |(header, tag, tagged)| {
            let ethertype = if *tagged { EtherType::VLAN } else { header.ethertype };
            [&ethernet::Header { ethertype, ..*header }.to_bytes()[..], &tag.to_bytes()].concat()
        },
    )) {
        let ours = ethernet::Header::parse(&bytes).and_then(|(header, rest)| {
            let tag = (header.ethertype == EtherType::VLAN).then(|| vlan::Header::parse(rest)).transpose()?;
            Ok((header, tag.map(|(tag, _)| tag), tag.map_or(rest, |(_, rest)| rest)))
        });
        match (ours, EthernetPdu::new(&bytes)) {
            (Ok((header, tag, rest)), Ok(theirs)) => {
                prop_assert_eq!(header.destination.0, theirs.destination_address());
                prop_assert_eq!(header.source.0, theirs.source_address());
                prop_assert_eq!(header.ethertype.0, theirs.tpid());
                prop_assert_eq!(tag.map_or(header.ethertype, |tag| tag.ethertype).0, theirs.ethertype());
                prop_assert_eq!(tag.map(|tag| tag.id.value()), theirs.vlan());
                prop_assert_eq!(tag.map(|tag| tag.priority.value()), theirs.vlan_pcp());
                prop_assert_eq!(tag.map(|tag| tag.drop_eligible), theirs.vlan_dei());
                prop_assert_eq!(bytes.len() - rest.len(), theirs.computed_ihl());
            }
            (Err(Error::Truncated { .. }), Err(pdu::Error::Truncated)) => {}
            // Their refusal of lengths in place of a type.
            (Ok((header, tag, _)), Err(pdu::Error::Malformed)) => {
                prop_assert!(tag.map_or(header.ethertype, |tag| tag.ethertype).0 < 0x600);
            }
            (ours, theirs) => prop_assert!(false, "{ours:?} and {theirs:?}"),
        }
    }

    #[test]
    fn arp_etherparse(bytes in arp_packets()) {
        let ours = arp::Header::parse(&bytes).ok();
        let theirs = ArpPacket::from_slice(&bytes).ok().and_then(|packet| packet.try_eth_ipv4().ok());
        prop_assert_eq!(ours.is_some(), theirs.is_some());
        if let (Some((ours, _)), Some(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.operation.0, theirs.operation.0);
            prop_assert_eq!(ours.sender_mac.0, theirs.sender_mac);
            prop_assert_eq!(ours.sender_ip, theirs.sender_ipv4_addr());
            prop_assert_eq!(ours.target_mac.0, theirs.target_mac);
            prop_assert_eq!(ours.target_ip, theirs.target_ipv4_addr());
            prop_assert_eq!(ours.to_bytes(), theirs.to_bytes());
        }
    }

    #[test]
    fn arp_pdu(bytes in arp_packets()) {
        match (arp::Header::parse(&bytes), ArpPdu::new(&bytes)) {
            (Ok((ours, _)), Ok(theirs)) => {
                prop_assert_eq!(ours.operation.0, theirs.opcode());
                prop_assert_eq!(ours.sender_mac.0, theirs.sender_hardware_address());
                prop_assert_eq!(ours.sender_ip.octets(), theirs.sender_protocol_address());
                prop_assert_eq!(ours.target_mac.0, theirs.target_hardware_address());
                prop_assert_eq!(ours.target_ip.octets(), theirs.target_protocol_address());
            }
            // Hardware and protocol that they do not look at.
            (Err(Error::Unsupported { field: "hardware type" | "protocol type", .. }), _) => {}
            (ours, theirs) => prop_assert!(ours.is_err() && theirs.is_err(), "{ours:?} and {theirs:?}"),
        }
    }

    #[test]
    fn udp_etherparse(bytes in udp_packets()) {
        match (udp::Header::parse(&bytes), UdpHeader::from_slice(&bytes)) {
            (Ok((ours, our_rest)), Ok((theirs, their_rest))) => {
                prop_assert_eq!(our_rest, their_rest);
                prop_assert_eq!(ours.source_port, theirs.source_port);
                prop_assert_eq!(ours.destination_port, theirs.destination_port);
                prop_assert_eq!(ours.length, theirs.length);
                prop_assert_eq!(ours.checksum, theirs.checksum);
                prop_assert_eq!(ours.to_bytes(), theirs.to_bytes());
            }
            // The length that they do not look at.
            (Err(Error::Length { .. }), Ok((theirs, _))) => prop_assert!(theirs.length < 8),
            (ours, theirs) => prop_assert!(ours.is_err() && theirs.is_err(), "{ours:?} and {theirs:?}"),
        }

        let ours = udp::Header::parse(&bytes).and_then(|(header, rest)| header.payload(rest));
        match UdpSlice::from_slice(&bytes) {
            // Their length 0 means whatever there is.
            Ok(theirs) if theirs.length() == 0 => prop_assert!(ours.is_err()),
            theirs => prop_assert_eq!(ours.ok(), theirs.ok().map(|slice| slice.payload())),
        }
    }

    #[test]
    fn udp_pdu(bytes in udp_packets()) {
        match (udp::Header::parse(&bytes), UdpPdu::new(&bytes)) {
            (Ok((ours, _)), Ok(theirs)) => {
                prop_assert_eq!(ours.source_port, theirs.source_port());
                prop_assert_eq!(ours.destination_port, theirs.destination_port());
                prop_assert_eq!(ours.length, theirs.length());
                prop_assert_eq!(ours.checksum, theirs.checksum());
            }
            // The length that they do not look at.
            (Err(Error::Length { .. }), Ok(theirs)) => prop_assert!(theirs.length() < 8),
            (ours, theirs) => prop_assert!(ours.is_err() && theirs.is_err(), "{ours:?} and {theirs:?}"),
        }
    }

    /// The same checksum from all three, for whole packets over either IP, and a verdict on each.
    #[test]
    fn udp_checksums(
        header in any_header::udp(),
        v4 in any_header::ipv4(),
        v6 in any_header::ipv6(),
        payload in vec(any::<u8>(), 0..200),
    ) {
        let length = 8 + payload.len() as u16;
        let header = udp::Header { length, ..header };
        let etherparse = UdpHeader {
            source_port: header.source_port,
            destination_port: header.destination_port,
            length,
            checksum: 0,
        };

        let total_len = v4.header_len() as u16 + length;
        let v4 = ipv4::Header { total_len, protocol: IpProtocol::UDP, ..v4 };
        let pseudo = Sum::pseudo_ipv4(v4.source, v4.destination, IpProtocol::UDP, length);
        let (source, destination) = (v4.source.octets(), v4.destination.octets());
        let theirs = etherparse.calc_checksum_ipv4_raw(source, destination, &payload).unwrap();
        let packet = [&v4.to_bytes()[..v4.header_len()], &header.to_bytes(), &payload].concat();
        same_udp_checksum(header, pseudo, &packet, v4.header_len(), theirs);

        let v6 = ipv6::Header { payload_len: length, next_header: IpProtocol::UDP, ..v6 };
        let pseudo = Sum::pseudo_ipv6(v6.source, v6.destination, IpProtocol::UDP, length.into());
        let (source, destination) = (v6.source.octets(), v6.destination.octets());
        let theirs = etherparse.calc_checksum_ipv6_raw(source, destination, &payload).unwrap();
        let packet = [&v6.to_bytes(), &header.to_bytes()[..], &payload].concat();
        same_udp_checksum(header, pseudo, &packet, 40, theirs);
    }

    #[test]
    fn gre_pdu(bytes in gre_packets()) {
        match (gre::Header::parse(&bytes), GrePdu::new(&bytes)) {
            (Ok((ours, rest)), Ok(theirs)) => {
                prop_assert_eq!(ours.protocol.0, theirs.ethertype());
                prop_assert_eq!(ours.checksum, theirs.checksum());
                prop_assert_eq!(ours.key.map(|key| key.0), theirs.key());
                prop_assert_eq!(ours.sequence, theirs.sequence_number());
                prop_assert_eq!(bytes.len() - rest.len(), theirs.computed_ihl());
                let state = match (theirs.checksum(), theirs.computed_checksum()) {
                    (None, _) => State::Absent,
                    (Some(0xffff), Some(0)) => State::Good,
                    (found, computed) if found == computed => State::Good,
                    _ => State::Bad,
                };
                prop_assert_eq!(gre::verify(&bytes), state);
            }
            // The bit that they do not look at.
            (Err(Error::SourceRouting), _) => prop_assert!(bytes[0] & 0x40 != 0),
            (ours, theirs) => prop_assert!(ours.is_err() && theirs.is_err(), "{ours:?} and {theirs:?}"),
        }
    }

    #[test]
    fn gre_checksum_pdu(header in any_header::gre(), payload in vec(any::<u8>(), 0..200)) {
        let header = header.with_checksum(&payload);
        let packet = [&header.to_bytes()[..header.header_len()], &payload].concat();
        prop_assert_eq!(header.checksum, GrePdu::new(&packet).unwrap().computed_checksum());
    }
}

/// Of the datagram that stands at `at` in an IP packet.
#[track_caller]
fn same_udp_checksum(header: udp::Header, pseudo: Sum, packet: &[u8], at: usize, etherparse: u16) {
    let datagram = &packet[at..];
    let ours = header.with_checksum(pseudo, &datagram[8..]).checksum;
    let pdu = UdpPdu::new(datagram).unwrap().computed_checksum(&Ip::new(packet).unwrap());
    assert_eq!((ours, ours), (etherparse, pdu));
    let expected = match header.checksum {
        0 => State::Absent,
        checksum if checksum == ours => State::Good,
        _ => State::Bad,
    };
    assert_eq!(udp::verify(pseudo, datagram), expected);
}
