//! What is not ours, and who takes what in which framing.

use std::net::{IpAddr, Ipv6Addr};

use encap::{
    Packet,
    tunnel::{self, DecapMeta, Framing, Link, OuterFacts},
    vtep::{Config, Output},
    wire::MacAddr,
};

use crate::{common::*, frames::*};

use super::{FRAME, both, node, outer, over_ipv6, where_is};

#[test]
fn what_is_for_somebody_else_passes_whatever_is_wrong_with_it() {
    for config in both() {
        let mut node = node(config);
        let port = node.vtep.config().dstport;
        let to = |source: [u8; 4], destination: [u8; 4], protocol: u8, payload: &[u8]| {
            ip(source.into(), destination.into(), protocol, 0, payload)
        };
        let (a, b) = ([192, 0, 2, 1], [192, 0, 2, 2]);
        node.passes(&Outer::new(port + 1, &FRAME).bytes());
        node.passes(&to(a, b, 6, &[0; 20]));
        node.passes(&to(a, b, 1, &[8, 0, 0, 0, 0, 0, 0, 0]));
        // A question for an address: from nobody to everybody.
        let dhcp = to([0; 4], [255; 4], 17, &[0, 68, 0, 67, 0, 8, 0, 0]);
        node.passes(&dhcp);
        // Both fragments of a long ping.
        for (flags, offset) in [(0x20, 0), (0, 185)] {
            let mut fragment = to(a, b, 1, &[8; 100]);
            (fragment[6], fragment[7]) = (flags, offset);
            node.passes(&fix_ipv4(fragment));
        }
        // Nor does a later fragment of UDP say whose it is, of which the first is ours or not.
        let mut fragment = to(a, b, 17, &[8; 100]);
        fragment[7] = 185;
        node.passes(&fix_ipv4(fragment));
        let mut first = Outer::new(port + 1, &[0; 100]).bytes();
        first[6] = 0x20;
        node.passes(&fix_ipv4(first));
        let mut ours = Outer::new(port, &FRAME).bytes();
        ours[6] = 0x20;
        node.refuses(&fix_ipv4(ours), tunnel::DropReason::Fragment);
        // A broken checksum is for those to find for whom it is.
        let mut broken = Outer::new(port + 1, &FRAME).bytes();
        broken[26] = 0xff;
        node.passes(&broken);
        // Another family.
        let (_, packet) = over_ipv6(config);
        node.passes(&packet.bytes());
    }
}

#[test]
fn over_ipv6_the_rest_of_the_network_goes_on() {
    for config in both() {
        let (mut node, packet) = over_ipv6(config);
        // Duplicate address detection comes from nobody.
        let (from, to) = (Ipv6Addr::UNSPECIFIED, encap::wire::ndp::solicited_node(v6(2)));
        let probe = icmpv6_checksum(from, to, [&[135, 0, 0, 0, 0, 0, 0, 0][..], &v6(2).octets()].concat());
        node.passes(&ip(from.into(), to.into(), 58, 0, &probe));
        node.passes(&ip(packet.source, packet.destination, 6, 0, &[0; 20]));
        node.passes(&Outer { port: 53, ..packet }.bytes());
    }
}

/// With Ethernet in front, ARP and the like are the network stack's, too; tags of the underlay are read over.
#[test]
fn with_ethernet_framing() {
    for config in both() {
        let link = Link { source: mac(0xaa), next_hop: mac(0xbb), vlan: None };
        let mut node = node(with(config, |c| c.framing = Framing::Ethernet(link)));
        let packet = outer(&node, &FRAME).bytes();
        let whole = frame(mac(0xaa), mac(0xbb), 0x0800, &packet);
        assert_eq!(node.delivers(&whole), FRAME);
        assert_eq!(node.delivers(&tagged(5, &whole)), FRAME);
        node.passes(&arp(MacAddr::BROADCAST, 1, (mac(0xbb), [192, 0, 2, 1]), [192, 0, 2, 2]));
        node.passes(&frame(mac(0xaa), mac(0xbb), 0x88cc, &[1, 2, 3]));
        node.passes(&frame(mac(0xaa), mac(0xbb), 0x86dd, &[0x60; 40]));
    }
}

/// A UDP socket has taken the outer headers, and says what they were.
#[test]
fn with_payload_framing() {
    for config in both() {
        let mut node = node(with(config, |c| c.framing = Framing::Payload));
        let packet =
            [&encap::wire::vxlan::Header::new(VNI).to_bytes()[..], &datagram(mac(2), mac(1), 5)].concat();
        let mut give = |facts: Option<OuterFacts>| {
            let mut buffer = packet.clone();
            let mut packet = Packet::new(&mut buffer, 0, packet.len()).unwrap();
            let mut meta = DecapMeta::new();
            meta.outer = facts;
            let output = node.vtep.handle_underlay(&mut node.worker, NOW, &meta, &mut packet);
            (output, where_is(&node, mac(1)))
        };
        let deliver = |source| Output::Deliver { vni: VNI, source, port: None, policy: None, vlan: None };
        assert_eq!(give(None), (deliver(None), None), "nobody is learned from");
        let mut facts = OuterFacts::new(address(1), address(2));
        facts.ds_field = 3;
        let reason = tunnel::DropReason::InnerEcn.into();
        assert_eq!(give(Some(facts)), (Output::Drop(reason), None));
        facts.ds_field = 0;
        let (output, learned) = give(Some(facts));
        assert!(matches!(output, Output::Deliver { source: Some(_), .. }));
        assert_eq!(learned, Some(address(1)));
    }
}

/// Who sends by a raw socket and receives by one of UDP has one VTEP for both.
#[test]
fn what_a_socket_has_taken_is_told_in_any_framing() {
    let link = Link { source: mac(0xbb), next_hop: mac(0xaa), vlan: None };
    for framing in [Framing::Payload, Framing::Ip, Framing::Ethernet(link)] {
        for config in both() {
            let mut node = node(with(config.local(v6(2).into()), |c| c.framing = framing));
            for (source, destination) in [(address(1), address(2)), (v6(1).into(), v6(2).into())] {
                let header = encap::wire::vxlan::Header::new(VNI).to_bytes();
                let mut buffer = [&header[..], &FRAME].concat();
                let len = buffer.len();
                let mut packet = Packet::new(&mut buffer, 0, len).unwrap();
                let meta = DecapMeta::new().outer(OuterFacts::new(source, destination));
                let output = node.vtep.handle_underlay(&mut node.worker, NOW, &meta, &mut packet);
                assert!(matches!(output, Output::Deliver { vni: VNI, .. }), "{framing:?}: {output:?}");
                assert_eq!(packet.as_slice(), FRAME);
            }
        }
    }
}

/// RFC 4291, section 2.5.5.2: a socket of both families tells IPv4 addresses as IPv6 ones, and says for its own that it
/// is any.
#[test]
fn rfc4291_s2_5_5_2_a_socket_of_both_families() {
    let mapped = |address: IpAddr| match address {
        IpAddr::V4(address) => IpAddr::V6(address.to_ipv6_mapped()),
        IpAddr::V6(_) => address,
    };
    for config in both() {
        let config = with(config.local(v6(2).into()), |c| c.framing = Framing::Payload);
        for (source, destination) in [(address(1), address(2)), (v6(1).into(), v6(2).into())] {
            for to in [mapped(destination), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
                let mut node = node(config);
                let remote = node.vtep.remote(source).unwrap();
                let header = encap::wire::vxlan::Header::new(VNI).to_bytes();
                let mut buffer = [&header[..], &FRAME].concat();
                let len = buffer.len();
                let mut packet = Packet::new(&mut buffer, 0, len).unwrap();
                let meta = DecapMeta::new().outer(OuterFacts::new(mapped(source), to));
                let output = node.vtep.handle_underlay(&mut node.worker, NOW, &meta, &mut packet);
                assert!(
                    matches!(output, Output::Deliver { source, .. } if source == Some(remote)),
                    "{output:?}"
                );
                assert_eq!(where_is(&node, mac(1)), Some(source));
            }
        }
    }
}

/// One VTEP, both families.
#[test]
fn two_underlays_at_once() {
    let mut config = Config::new().local(IpAddr::V6(v6(2)));
    config.udp6zerocsumrx = true;
    let mut node = node(config);
    let v6 = Outer { source: v6(1).into(), destination: v6(2).into(), ..outer(&node, &FRAME) }.bytes();
    let v4 = outer(&node, &FRAME).bytes();
    assert_eq!((node.delivers(&v6), node.delivers(&v4)), (FRAME.to_vec(), FRAME.to_vec()));
    assert_eq!(where_is(&node, mac(1)), Some(address(1)));
}
