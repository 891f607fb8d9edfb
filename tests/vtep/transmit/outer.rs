//! Fields of the outer headers.

use std::collections::BTreeSet;

use encap::{
    table::Capacity,
    tunnel::{DontFragment, OuterDscp, Ttl},
    vtep::Config,
    wire::{Dscp, MacAddr, udp},
};

use crate::{common::*, frames::*};

use super::{both, read};

/// Section F: a packet of the running kernel, which has CE inside and ECT(0) outside.
#[test]
fn f_the_kernels_packet() {
    let inner =
        hex("02000000010202000000000108004503002100010000401166c40a0100010a01000203e807d0000d9c4568656c6c6f");
    let outer = hex("45020053d795000040118eee0a0900010a090002e3e612b5003f00000800000000002a00");
    let udp = hex("e3e612b5003fc9df");
    for udpcsum in [false, true] {
        let config = with(Config::linux(), |c| (c.udpcsum, c.dstport) = (udpcsum, 4_789));
        let mut node = Node::new(1, config);
        let vtep =
            encap::vtep::Vtep::with_capacity(config.local([10, 9, 0, 1].into()), Capacity::fdb(16), [1, 2]);
        node.vtep = vtep.unwrap();
        let remote = node.vtep.remote([10, 9, 0, 2].into()).unwrap();
        node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
        let (_, packet) = node.send(NOW, &inner);
        read_ipv4(&packet);
        // Identification, the checksum over it, and the source port are arbitrary.
        let fixed = |packet: &[u8]| [&packet[..4], &packet[6..10], &packet[12..20], &packet[22..26]].concat();
        assert_eq!(fixed(&packet), fixed(&outer));
        assert_eq!(packet[28..], [&outer[28..], &inner].concat());
        if udpcsum {
            // With the kernel's port the checksum is the kernel's.
            let pseudo = encap::wire::checksum::Sum::pseudo(
                [10, 9, 0, 1].into(),
                [10, 9, 0, 2].into(),
                encap::wire::IpProtocol::UDP,
                63,
            );
            let header = udp::Header::from_bytes(udp[..].first_chunk().unwrap());
            assert_eq!(header.with_checksum(pseudo.unwrap(), &packet[28..]).checksum, 0xc9df);
            let got = udp::Header::from_bytes(packet[20..].first_chunk().unwrap());
            assert_eq!(got.with_checksum(pseudo.unwrap(), &packet[28..]), got);
        }
    }
}

/// TTL, DSCP and ECN by configuration, as the engine hands them on.
#[test]
fn a9_ttl_tos_and_df() {
    let sent = |config, ttl, ds_field, dont_fragment: bool| {
        let mut node = Node::new(1, config).peers(&[2]);
        let mut frame = datagram(mac(9), mac(1), 10);
        (frame[15], frame[22], frame[20]) = (ds_field, ttl, if dont_fragment { 0x40 } else { 0 });
        let ip = fix_ipv4(frame.split_off(14));
        let packet = node.sends(&[frame, ip].concat(), 2);
        let (header, _) = read_ipv4(&packet);
        (header.ttl, packet[1], header.dont_fragment)
    };
    assert_eq!(sent(Config::new(), 9, 0xff, false), (64, 3, true));
    assert_eq!(sent(Config::linux(), 9, 0xff, true), (64, 2, false));
    let fixed = with(Config::new(), |c| {
        (c.ttl, c.tos, c.df) = (Ttl::Fixed(7), OuterDscp::Fixed(Dscp::truncate(46)), DontFragment::Inherit);
    });
    assert_eq!(sent(fixed, 9, 1, true), (7, 46 << 2 | 1, true));
    assert_eq!(sent(fixed, 9, 1, false), (7, 46 << 2 | 1, false));
    let inherit = with(Config::new(), |c| (c.ttl, c.tos) = (Ttl::Inherit, OuterDscp::Inherit));
    assert_eq!(sent(inherit, 9, 0xb9, false), (9, 0xb9, true));
    assert_eq!(sent(inherit, 0, 0xb9, false).0, 64);
}

/// Inner ECN of each value, and what has none: RFC 6040's normal mode, and the kernel's.
#[test]
fn a9_all_cells_of_ecn_on_the_way_in() {
    for (config, cells) in both().into_iter().zip([[0, 1, 2, 3], [0, 1, 2, 2]]) {
        let mut node = Node::new(1, with(config, |c| c.inner_vlan = true)).peers(&[2]);
        for (inner, expected) in (0..).zip(cells) {
            let mut v4 = datagram(mac(9), mac(1), 10);
            v4[15] = 0xb8 | inner;
            let packet = fix_ipv4(v4.split_off(14));
            let v4 = [v4, packet].concat();
            let v6 =
                frame(mac(9), mac(1), 0x86dd, &ip(v6(1).into(), v6(9).into(), 17, 0xb8 | inner, &[0; 8]));
            for frame in [&v4, &v6, &tagged(5, &v4), &tagged(5, &v6)] {
                let packet = node.sends(frame, 2);
                assert_eq!(packet[1], expected, "the DSCP stays inside");
                assert_eq!(packet[36..], frame[..]);
            }
        }
        assert_eq!(node.sends(&arp(MacAddr::BROADCAST, 1, (mac(1), [10, 1, 0, 1]), [10, 1, 0, 2]), 2)[1], 0);
    }
}

#[test]
fn a7_j_without_df_every_packet_has_an_identification_of_its_own() {
    let mut node = Node::new(1, Config::linux()).peers(&[2, 3]);
    let frame = datagram(mac(9), mac(1), 10);
    let ids: BTreeSet<_> =
        (0..50).flat_map(|_| node.packets(NOW, &frame)).map(|(_, packet)| [packet[4], packet[5]]).collect();
    assert_eq!(ids.len(), 100);
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    assert_eq!(node.sends(&frame, 2)[4..6], [0, 0], "RFC 6864, section 4.1: with DF it is zero");
}

#[test]
fn a10_source_ports_are_the_flows() {
    for (config, range) in both().into_iter().zip([49_152..=65_535, 32_768..=60_999]) {
        let mut node = Node::new(1, config).peers(&[2]);
        let mut ports = BTreeSet::new();
        for flow in 0..=255 {
            let mut port = |len| {
                let mut frame = datagram(mac(9), mac(1), len);
                frame[34] = flow;
                read(&node.sends(&frame, 2)).0
            };
            assert_eq!(port(10), port(1_000), "of one flow, one port");
            ports.insert(port(0));
        }
        assert!(ports.iter().all(|port| range.contains(port)));
        assert!(ports.len() > 240, "{} ports for 256 flows", ports.len());
    }
}
