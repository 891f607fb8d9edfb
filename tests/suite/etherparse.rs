//! The feature `etherparse`: what goes there and comes back is the same, and both sides emit the same
//! bytes.

use core::fmt::Debug;

use encap::wire::{
    Dscp, Ecn, EtherType, FlowLabel, FragmentOffset, IpProtocol, Pcp, VlanId, arp, ethernet, ipv4, ipv6, udp,
    vlan,
};
use etherparse::err::arp::ArpEthIpv4FromError;
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
