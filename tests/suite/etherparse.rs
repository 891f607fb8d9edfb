//! The feature `etherparse`: what goes there and comes back is the same, and both sides emit the same
//! bytes.

use core::fmt::Debug;

use encap::wire::{
    Dscp, Ecn, Error, EtherType, FlowLabel, FragmentOffset, IpProtocol, Layer, Pcp, VlanId, arp, ethernet,
    icmpv4, icmpv6, ipv4, ipv6, ndp, ndp_option::OptionType, udp, vlan,
};
use etherparse::{
    Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, Ipv6FragmentHeader,
    err::arp::ArpEthIpv4FromError,
    icmpv6::{NdpOptionType, NeighborAdvertisementPayload, NeighborSolicitationPayload},
};
use proptest::{collection::vec, prelude::*};

use crate::strategies as any_header;

/// There and back, from both ends.
#[track_caller]
fn survives<Ours, Theirs>(ours: Ours) -> Theirs
where
    Ours: Clone + Debug + PartialEq + From<Theirs>,
    Theirs: Clone + Debug + PartialEq + From<Ours>,
{
    let theirs = Theirs::from(ours.clone());
    assert_eq!(Ours::from(theirs.clone()), ours);
    assert_eq!(Theirs::from(Ours::from(theirs.clone())), theirs);
    theirs
}

proptest! {
    #[test]
    fn numbers_survive(bits in any::<u32>()) {
        let (byte, word) = (bits as u8, bits as u16);
        prop_assert_eq!(survives::<_, etherparse::EtherType>(EtherType(word)).0, word);
        prop_assert_eq!(survives::<_, etherparse::IpNumber>(IpProtocol(byte)).0, byte);
        prop_assert_eq!(survives::<_, etherparse::ArpOperation>(arp::Operation(word)).0, word);
        prop_assert_eq!(survives::<_, NdpOptionType>(OptionType(byte)).0, byte);
        prop_assert_eq!(survives::<_, etherparse::VlanId>(VlanId::truncate(word)).value(), word & 0x0fff);
        prop_assert_eq!(survives::<_, etherparse::VlanPcp>(Pcp::truncate(byte)).value(), byte & 7);
        prop_assert_eq!(survives::<_, etherparse::IpDscp>(Dscp::truncate(byte)).value(), byte & 63);
        prop_assert_eq!(survives::<_, etherparse::IpEcn>(Ecn::from_ds_field(byte)).value(), byte & 3);
        let label: etherparse::Ipv6FlowLabel = survives(FlowLabel::truncate(bits));
        prop_assert_eq!(label.value(), bits & 0x000f_ffff);
        let offset: etherparse::IpFragOffset = survives(FragmentOffset::truncate(word));
        prop_assert_eq!(offset.value(), word & 0x1fff);
    }

    #[test]
    fn an_ethernet_header_survives(header in any_header::ethernet()) {
        let theirs: etherparse::Ethernet2Header = survives(header);
        prop_assert_eq!(theirs.to_bytes(), header.to_bytes());
    }

    #[test]
    fn a_vlan_tag_survives(header in any_header::vlan()) {
        let theirs: etherparse::SingleVlanHeader = survives(header);
        prop_assert_eq!(theirs.to_bytes(), header.to_bytes());
    }

    #[test]
    fn an_arp_packet_survives(header in any_header::arp()) {
        let theirs: etherparse::ArpEthIpv4Packet = survives(header);
        prop_assert_eq!(theirs.to_bytes(), header.to_bytes());
        let theirs = etherparse::ArpPacket::from(header);
        assert_eq!(theirs.to_bytes()[..], header.to_bytes()[..]);
        prop_assert_eq!(arp::Header::try_from(&theirs), Ok(header));
    }

    #[test]
    fn an_ipv4_header_survives(header in any_header::ipv4(), total_len in any::<u16>()) {
        let theirs: etherparse::Ipv4Header = survives(header);
        assert_eq!(theirs.to_bytes()[..], header.to_bytes()[..header.header_len()]);
        survives::<_, etherparse::Ipv4Options>(header.options);
        // A header that neither side would send is the same on both, too.
        survives::<_, etherparse::Ipv4Header>(ipv4::Header { total_len, ..header });
    }

    #[test]
    fn an_ipv6_header_survives(header in any_header::ipv6()) {
        let theirs: etherparse::Ipv6Header = survives(header);
        prop_assert_eq!(theirs.to_bytes(), header.to_bytes());
    }

    #[test]
    fn a_udp_header_survives(header in any_header::udp(), length in any::<u16>()) {
        let theirs: etherparse::UdpHeader = survives(header);
        prop_assert_eq!(theirs.to_bytes(), header.to_bytes());
        survives::<_, etherparse::UdpHeader>(udp::Header { length, ..header });
    }

    #[test]
    fn an_icmp_header_survives(header in any_header::icmpv4()) {
        let theirs = Icmpv4Header::from(header);
        assert_eq!(theirs.to_bytes()[..], header.to_bytes());
        prop_assert_eq!(icmpv4::Header::try_from(theirs), Ok(header));
    }

    #[test]
    fn an_icmpv6_header_survives(header in any_header::icmpv6()) {
        let theirs: Icmpv6Header = survives(header);
        assert_eq!(theirs.to_bytes()[..], header.to_bytes());
    }

    #[test]
    fn a_neighbor_solicitation_survives(message in any_header::solicitation()) {
        let (header, target) = <(Icmpv6Header, NeighborSolicitationPayload)>::from(message);
        prop_assert_eq!([&header.to_bytes()[..], &target.to_bytes()].concat(), message.to_bytes());
        prop_assert_eq!(ndp::Solicitation::try_from((header, target)), Ok(message));
    }

    #[test]
    fn a_neighbor_advertisement_survives(message in any_header::advertisement()) {
        let (header, target) = <(Icmpv6Header, NeighborAdvertisementPayload)>::from(message);
        prop_assert_eq!([&header.to_bytes()[..], &target.to_bytes()].concat(), message.to_bytes());
        prop_assert_eq!(ndp::Advertisement::try_from((header, target)), Ok(message));
    }

    #[test]
    fn a_fragment_header_survives(mut bytes in any::<[u8; 8]>()) {
        (bytes[1], bytes[3]) = (0, bytes[3] & !0x06); // reserved
        let extension = ipv6::Extension { protocol: IpProtocol::FRAGMENT, bytes: &bytes };
        let theirs = Ipv6FragmentHeader::try_from(extension).unwrap();
        assert_eq!(theirs.to_bytes()[..], bytes);
        prop_assert_eq!(Some(ipv6::Fragment::from(theirs)), extension.fragment());
    }

    /// From their end: whatever they read becomes what we read from the same bytes.
    #[test]
    fn what_they_read_is_what_we_read(bytes in vec(any::<u8>(), 60)) {
        let (theirs, _) = etherparse::Ethernet2Header::from_slice(&bytes).unwrap();
        prop_assert_eq!(ethernet::Header::from(theirs), ethernet::Header::parse(&bytes).unwrap().0);
        let (theirs, _) = etherparse::SingleVlanHeader::from_slice(&bytes).unwrap();
        prop_assert_eq!(vlan::Header::from(theirs), vlan::Header::parse(&bytes).unwrap().0);
        let (theirs, _) = etherparse::UdpHeader::from_slice(&bytes).unwrap();
        prop_assert_eq!(udp::Header::from(theirs), udp::Header::from_bytes(bytes.first_chunk().unwrap()));

        let mut ip = bytes;
        (ip[0], ip[2]) = (0x4f, 0xff);
        let (theirs, _) = etherparse::Ipv4Header::from_slice(&ip).unwrap();
        prop_assert_eq!(ipv4::Header::from(theirs), ipv4::Header::parse(&ip).unwrap().0);
        ip[0] = 0x6f;
        let (theirs, _) = etherparse::Ipv6Header::from_slice(&ip).unwrap();
        prop_assert_eq!(ipv6::Header::from(theirs), ipv6::Header::parse(&ip).unwrap().0);
    }
}

/// What our ARP packet cannot hold is refused by name.
#[test]
fn arp_for_others_is_refused() {
    let packet = |hardware, protocol, mac: &[u8], ip: &[u8]| {
        let operation = etherparse::ArpOperation::REQUEST;
        let (hardware, protocol) = (etherparse::ArpHardwareId(hardware), etherparse::EtherType(protocol));
        etherparse::ArpPacket::new(hardware, protocol, operation, mac, ip, mac, ip).unwrap()
    };
    let refusal = |packet| arp::Header::try_from(&packet).unwrap_err();
    assert!(arp::Header::try_from(&packet(1, 0x0800, &[2; 6], &[1; 4])).is_ok());
    assert_eq!(
        refusal(packet(6, 0x0800, &[2; 6], &[1; 4])),
        ArpEthIpv4FromError::NonMatchingHwType(etherparse::ArpHardwareId(6))
    );
    assert_eq!(
        refusal(packet(1, 0x86dd, &[2; 6], &[1; 4])),
        ArpEthIpv4FromError::NonMatchingProtocolType(etherparse::EtherType(0x86dd))
    );
    assert_eq!(refusal(packet(1, 0x0800, &[], &[1; 4])), ArpEthIpv4FromError::NonMatchingHwAddrSize(0));
    assert_eq!(
        refusal(packet(1, 0x0800, &[2; 6], &[1; 16])),
        ArpEthIpv4FromError::NonMatchingProtoAddrSize(16)
    );
}

/// Their typed messages become ours, byte by byte as they emit them; timestamps are another test's.
#[test]
fn every_icmp_type_and_code_of_theirs_survives() {
    for (kind, code) in (0..=u8::MAX).flat_map(|kind| (0..=u8::MAX).map(move |code| (kind, code))) {
        for rest in [[0; 4], [0x15, 0x26, 0x37, 0x48]] {
            let bytes = [&[kind, code, 1, 2], &rest[..]].concat();
            let (theirs, _) = Icmpv6Header::from_slice(&bytes).unwrap();
            let ours = icmpv6::Header::from(theirs.clone());
            assert_eq!(ours.to_bytes()[..], theirs.to_bytes()[..]);
            assert_eq!(Icmpv6Header::from(ours), theirs);
            if let Ok((theirs, _)) = Icmpv4Header::from_slice(&bytes) {
                let ours = icmpv4::Header::try_from(theirs.clone()).unwrap();
                assert_eq!(ours.to_bytes()[..], theirs.to_bytes()[..]);
                assert_eq!(Icmpv4Header::from(ours), theirs);
            } else {
                assert!(matches!(kind, 13 | 14) && code == 0);
            }
        }
    }
}

/// The length of RFC 4884, section 4.1, is none of their types' business.
#[test]
fn what_their_icmp_types_cannot_hold_is_unknown() {
    let header = |rest| icmpv4::Header { kind: icmpv4::Type::UNREACHABLE, code: 1, checksum: 7, rest };
    let of = |rest| Icmpv4Header::from(header(rest)).icmp_type;
    assert!(matches!(of([0; 4]), Icmpv4Type::DestinationUnreachable(_)));
    let unknown = Icmpv4Type::Unknown { type_u8: 3, code_u8: 1, bytes5to8: [0, 32, 0, 0] };
    assert_eq!(of([0, 32, 0, 0]), unknown);

    let header = |rest| icmpv6::Header { kind: icmpv6::Type::UNREACHABLE, code: 1, checksum: 7, rest };
    let of = |rest| Icmpv6Header::from(header(rest)).icmp_type;
    assert!(matches!(of([0; 4]), Icmpv6Type::DestinationUnreachable(_)));
    let unknown = Icmpv6Type::Unknown { type_u8: 1, code_u8: 1, bytes5to8: [16, 0, 0, 0] };
    assert_eq!(of([16, 0, 0, 0]), unknown);
}

/// What our ICMP headers and messages cannot hold is refused by name.
#[test]
fn icmp_for_others_is_refused() {
    let unsupported = |layer, field, value| Error::Unsupported { layer, field, value };
    let stamp = [[13, 0, 0, 0], [1; 4], [2; 4], [3; 4], [4; 4]].concat();
    let (theirs, _) = Icmpv4Header::from_slice(&stamp).unwrap();
    assert_eq!(icmpv4::Header::try_from(theirs), Err(unsupported(Layer::Icmpv4, "type", 13)));

    let target_address = "fd00::1".parse().unwrap();
    let echo = Icmpv6Header::from(icmpv6::Header::from_bytes(&[128, 0, 0, 0, 0, 1, 0, 2]));
    let other = unsupported(Layer::NeighborDiscovery, "type", 128);
    let payload = NeighborSolicitationPayload { target_address };
    assert_eq!(ndp::Solicitation::try_from((echo.clone(), payload)), Err(other));
    let payload = NeighborAdvertisementPayload { target_address };
    assert_eq!(ndp::Advertisement::try_from((echo, payload)), Err(other));

    let options = ipv6::Extension { protocol: IpProtocol::DESTINATION_OPTIONS, bytes: &[0; 8] };
    let other = unsupported(Layer::Ipv6Extension, "protocol", 60);
    assert_eq!(Ipv6FragmentHeader::try_from(options), Err(other));
}
