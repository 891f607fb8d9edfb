//! Options of what outer headers hold.

use std::{collections::BTreeSet, net::Ipv4Addr};

use encap::{
    tunnel::{DontFragment, OuterDscp, OuterFlowLabel, Ttl},
    vtep::{Config, Output},
    wire::{Dscp, FlowLabel, MacAddr, ipv6, udp},
};

use crate::{
    common::*,
    frames::*,
    receive::{FRAME, both, node},
};

use super::{sent, unknown};

/// The same over IPv6: header and datagram.
fn sent6(config: Config, frame: &[u8]) -> (ipv6::Header, Vec<u8>) {
    let mut node = Node::new(1, config.local(v6(1).into()));
    let remote = node.vtep.remote(v6(2).into()).unwrap();
    node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
    let (output, packet) = node.send(NOW, frame);
    assert!(matches!(output, Output::Send { .. }), "{output:?}");
    let (header, datagram) = ipv6::Header::parse(&packet).unwrap();
    (header, datagram.to_vec())
}

fn udp_of(datagram: &[u8]) -> udp::Header {
    udp::Header::parse(datagram).unwrap().0
}

#[test]
fn a2_4_a2_17_local_is_the_source_of_outer_packets() {
    for config in both() {
        assert_eq!(read_ipv4(&sent(config, &unknown())).0.source, Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(sent6(config, &unknown()).0.source, v6(1));
    }
}

#[test]
fn a2_5_a2_28_ttl_auto_a_number_or_inherited() {
    for config in both() {
        let ttl = |ttl, inner: u8| {
            let mut frame = unknown();
            frame[22] = inner;
            let ip = fix_ipv4(frame.split_off(14));
            let (config, frame) = (with(config, |c| c.ttl = ttl), [frame, ip].concat());
            let (v4, v6) = (read_ipv4(&sent(config, &frame)).0.ttl, sent6(config, &frame).0.hop_limit);
            assert_eq!(v4, v6);
            v4
        };
        assert_eq!(config.ttl, Ttl::Auto);
        assert_eq!((ttl(Ttl::Auto, 9), ttl(Ttl::Fixed(1), 9), ttl(Ttl::Fixed(255), 9)), (64, 1, 255));
        assert_eq!((ttl(Ttl::Inherit, 9), ttl(Ttl::Inherit, 0)), (9, 64));
        let inherit = with(config, |c| c.ttl = Ttl::Inherit);
        let arp = arp(MacAddr::BROADCAST, 1, (mac(1), [10, 1, 0, 1]), [10, 1, 0, 2]);
        assert_eq!(read_ipv4(&sent(inherit, &arp)).0.ttl, 64);
    }
}

#[test]
fn a2_6_tos_a_number_or_inherited() {
    for config in both() {
        let mut frame = unknown();
        frame[15] = 46 << 2 | 1;
        let ip = fix_ipv4(frame.split_off(14));
        let frame = [frame, ip].concat();
        let tos = |tos| sent(with(config, |c| c.tos = tos), &frame)[1];
        // The ECN field is the inner packet's whatever the rest is.
        assert_eq!(tos(OuterDscp::default()), 1);
        assert_eq!(tos(OuterDscp::Fixed(Dscp::truncate(10))), 10 << 2 | 1);
        assert_eq!(tos(OuterDscp::Inherit), 46 << 2 | 1);
        let arp = arp(MacAddr::BROADCAST, 1, (mac(1), [10, 1, 0, 1]), [10, 1, 0, 2]);
        assert_eq!(sent(with(config, |c| c.tos = OuterDscp::Inherit), &arp)[1], 0);
    }
}

#[test]
fn a2_29_df_unset_set_or_inherited() {
    for config in both() {
        let df = |df, inner| {
            let config = with(config, |c| (c.df, c.too_big) = (df, Config::new().too_big));
            read_ipv4(&sent(config, &sized(mac(9), mac(1), 100, inner))).0.dont_fragment
        };
        use DontFragment::{Inherit, Set, Unset};
        assert_eq!(
            [df(Unset, true), df(Set, false), df(Inherit, true), df(Inherit, false)],
            [false, true, true, false]
        );
    }
    assert_eq!((Config::new().df, Config::linux().df), (DontFragment::Set, DontFragment::Unset));
}

/// `flowlabel`, and its policy (32).
#[test]
fn a2_26_a2_32_label_fixed_or_inherited_over_ipv6() {
    let label = FlowLabel::truncate(0xabcde);
    let mut inner = ip(v6(3).into(), v6(4).into(), 17, 0, &[0x5a; 20]);
    inner[1..4].copy_from_slice(&[0x01, 0x23, 0x45]);
    let inner = frame(mac(9), mac(1), 0x86dd, &inner);
    for config in both() {
        let of = |label, frame: &[u8]| sent6(with(config, |c| c.label = label), frame).0.flow_label.value();
        assert_eq!(of(OuterFlowLabel::default(), &inner), 0);
        assert_eq!(of(OuterFlowLabel::Fixed(label), &unknown()), 0xabcde);
        assert_eq!(of(OuterFlowLabel::Inherit, &inner), 0x12345);
        assert_eq!(of(OuterFlowLabel::Inherit, &unknown()), 0);
    }
}

/// Both ends are of the range, and one port is one; the kernel takes its default range for that.
#[test]
fn a2_10_srcport_is_a_range() {
    for config in both() {
        for range in [(5_000, 5_000), (5_000, 5_001)] {
            let config = with(config, |c| c.srcport = range);
            let mut node = Node::new(1, config).peers(&[2]);
            let ports: BTreeSet<_> = (0..100)
                .map(|flow| {
                    let mut frame = unknown();
                    frame[35] = flow;
                    udp_of(&node.sends(&frame, 2)[20..]).source_port
                })
                .collect();
            assert_eq!(ports, (range.0..=range.1).collect());
        }
    }
}

#[test]
fn a2_15_dstport_is_sent_to_and_listened_on() {
    for (config, port) in both().into_iter().zip([4_789, 8_472]) {
        for port in [port, 9_999] {
            let config = with(config, |c| c.dstport = port);
            assert_eq!(udp_of(&sent(config, &unknown())[20..]).destination_port, port);
            let mut node = node(config);
            node.delivers(&Outer::new(port, &FRAME).bytes());
            node.passes(&Outer::new(port + 1, &FRAME).bytes());
        }
    }
}

/// `udpcsum` for IPv4, `udp6zerocsumtx` for IPv6: what is there is right.
#[test]
fn a2_18_a2_19_a7_i_checksums_that_are_sent() {
    assert_eq!((Config::new().udpcsum, Config::linux().udpcsum), (false, true));
    for config in both() {
        assert!(!config.udp6zerocsumtx);
        for on in [false, true] {
            let config = with(config, |c| (c.udpcsum, c.udp6zerocsumtx) = (on, !on));
            let (v4, (header, v6)) = (sent(config, &unknown()), sent6(config, &unknown()));
            let v4_addresses = (address(1), address(2));
            for ((source, destination), datagram) in
                [(v4_addresses, &v4[20..]), ((header.source.into(), header.destination.into()), &v6[..])]
            {
                let udp = udp_of(datagram);
                assert_eq!(udp.checksum != 0, on);
                let protocol = encap::wire::IpProtocol::UDP;
                let pseudo =
                    encap::wire::checksum::Sum::pseudo(source, destination, protocol, udp.length.into());
                assert!(!on || udp.with_checksum(pseudo.unwrap(), &datagram[8..]) == udp);
            }
        }
    }
}
