//! What is inside: which protocols are carried, and what their headers must be like.

use encap::{
    tunnel::{
        DropReason, EncapMeta, Framing, Payload,
        gre::{Config, Received, Tunnel},
    },
    wire::{Ecn, EtherType, ethernet, gre::Header, ipv4},
};

use super::super::{Set, outer, peer, receive, to_peer, tunnel};
use crate::common::{edit, ends, fix_ipv4, ip, ipv4_packet, ipv6_packet};

use super::{PLAIN, payload, verdict};

#[test]
fn b2_6_wccp_becomes_what_it_carries() {
    for linux in [false, true] {
        for v6 in [false, true] {
            let carried = if v6 { ipv6_packet(Ecn::NotEct, 64, b"x") } else { payload() };
            let receive = |gre: &[u8]| {
                let mut peer = peer(v6, |c| if linux { c.linux() } else { c });
                receive(&mut peer, &outer(ends(v6).0, ends(v6).1, gre)).map(
                    |(received, inner)| match received {
                        Received::Packet(facts) => (facts.protocol, inner),
                        other => panic!("{other:?}"),
                    },
                )
            };
            let protocol = if v6 { EtherType::IPV6 } else { EtherType::IPV4 };
            let redirect = [&[0, 0, 0x88, 0x3e, 0, 0, 0, 0][..], &carried].concat();
            assert_eq!(receive(&redirect), Ok((protocol, carried.clone())));
            let plain = [&[0, 0, 0x88, 0x3e][..], &carried].concat();
            assert_eq!(receive(&plain), Ok((protocol, carried.clone())));
            // With a flag it is some protocol, even with one that is ignored.
            let flagged = [&[1, 0, 0x88, 0x3e][..], &carried].concat();
            let expected =
                if linux { Ok((EtherType(0x883e), carried)) } else { Err(DropReason::GreProtocol) };
            assert_eq!(receive(&flagged), expected);
        }
    }
}

#[test]
fn b2_8_b8_other_protocols_are_discarded_or_delivered_as_linux_does() {
    for (protocol, linux) in [
        (0x8847, None), // MPLS
        (0x0806, None),
        (0x6558, None),                          // where there is no gretap
        (0x88be, Some(DropReason::GreProtocol)), // for erspan
        (0x22eb, Some(DropReason::GreProtocol)),
    ] {
        let header = Header::new(EtherType(protocol));
        assert_eq!(verdict(false, |c| c, header), Some(DropReason::GreProtocol), "RFC 2784, section 2.4");
        assert_eq!(verdict(false, Config::linux, header), linux, "{protocol:#06x}");
        let frames = |c: Config| c.payload(Payload::Ethernet).linux();
        assert_eq!(verdict(false, frames, header).is_none(), protocol == 0x6558);
    }
    let delivered =
        receive(&mut peer(false, Config::linux), &to_peer(false, Header::new(EtherType(0x8847)), &[9]));
    assert_eq!(delivered.err(), Some(DropReason::GreTruncated));
    let labels = to_peer(false, Header::new(EtherType(0x8847)), &[9; 12]);
    let (received, inner) = receive(&mut peer(false, Config::linux), &labels).unwrap();
    let Received::Packet(facts) = received else { panic!("{received:?}") };
    assert_eq!((facts.protocol, inner), (EtherType(0x8847), vec![9; 12]));
}

#[test]
fn b2_10_b2_13_the_inner_header_must_be_there() {
    for (protocol, need, set) in [
        (EtherType::IPV4, 20, (|c| c) as fn(Config) -> Config),
        (EtherType::IPV6, 40, |c| c),
        (EtherType::TEB, ethernet::Header::LEN, |c| c.payload(Payload::Ethernet)),
    ] {
        for linux in [false, true] {
            let mut peer = peer(false, |c| if linux { set(c).linux() } else { set(c) });
            let mut verdict =
                |len| receive(&mut peer, &to_peer(false, Header::new(protocol), &vec![1; len])).err();
            assert_eq!(verdict(need - 1), Some(DropReason::InnerTruncated));
            assert_eq!(verdict(need), None);
            assert_eq!(peer.counters().rx_length_errors, 1);
        }
    }
}

#[test]
fn b2_14_a_mark_goes_inside() {
    for linux in [false, true] {
        let mut peer = peer(false, |c| if linux { c.linux() } else { c });
        let mut packet = to_peer(false, PLAIN, &ipv4_packet(Ecn::Ect0, false, 64, b"x"));
        packet[1] = Ecn::Ce.value();
        fix_ipv4(&mut packet);
        let (_, inner) = receive(&mut peer, &packet).unwrap();
        assert_eq!(inner, ipv4_packet(Ecn::Ce, false, 64, b"x"));
    }
}

#[test]
fn b2_15_the_inner_ttl_is_left_alone() {
    let (_, inner) = receive(&mut peer(false, |c| c), &to_peer(false, PLAIN, &payload())).unwrap();
    assert_eq!(ipv4::Header::parse(&inner).unwrap().0.ttl, 64);
}

#[test]
fn b8_rfc2784_s3_1_a_packet_for_the_encapsulator_is_discarded() {
    let for_encapsulator = |v6: bool| {
        let (a, _) = ends(v6);
        let source = if v6 { ip("fd01::7") } else { ip("10.1.0.7") };
        // UDP of nobody's, and protocol 47 from a third host.
        let mut packet = outer(source, a, &[0; 20]);
        packet[if v6 { 6 } else { 9 }] = 17;
        if !v6 {
            fix_ipv4(&mut packet);
        }
        [packet, outer(source, a, &[0; 4])]
    };
    for v6 in [false, true] {
        let header = if v6 { Header::new(EtherType::IPV6) } else { PLAIN };
        for inner in for_encapsulator(v6) {
            let packet = to_peer(v6, header, &inner);
            let mut here = peer(v6, |c| c);
            assert_eq!(receive(&mut here, &packet).err(), Some(DropReason::InnerLoop));
            assert_eq!(here.counters().rx_errors, 1);
            assert_eq!(here.last_received(), None);
            for set in [(|c| c.discard_loops(false)) as fn(Config) -> Config, Config::linux] {
                assert_eq!(receive(&mut peer(v6, set), &packet).unwrap().1, inner);
            }
        }
    }
}

/// Without the facts of a socket, the remote is all that is known of who encapsulated.
#[test]
fn b8_rfc2784_s3_1_a_group_is_no_encapsulator() {
    for (local, group) in [("192.0.2.1", "239.1.1.1"), ("2001:db8::1", "ff0e::9")] {
        let config = Tunnel::new(ip(local), ip(group)).framing(Framing::Payload);
        let inner = outer(ip(local), ip(group), &[0, 0, 8, 0]);
        let header = if local.contains(':') { Header::new(EtherType::IPV6) } else { PLAIN };
        let packet = [&header.to_bytes()[..4], &inner].concat();
        assert_eq!(receive(&mut config.build().unwrap(), &packet).unwrap().1, inner, "routed to the group");
    }
}

#[test]
fn both_ip_versions_are_carried_over_both() {
    let set: Set<'_> = &|c| c;
    for v6 in [false, true] {
        for packet in [payload(), ipv6_packet(Ecn::Ect1, 64, b"x")] {
            let made = edit(&packet, |packet| tunnel(v6, set).encap_with(packet, &EncapMeta::new()));
            assert_eq!(receive(&mut peer(v6, set), &made.unwrap().1).unwrap().1, packet);
        }
    }
}
