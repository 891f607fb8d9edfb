//! Trunks: one port for many segments, told apart by VLANs (RFC 7348, section 6.1).

use std::net::IpAddr;

use encap::{
    Packet,
    table::{Capacity, Error, Resource},
    tunnel::DecapMeta,
    vtep::{Config, DropReason, Gso, Output, OverlayMeta, Proxy, Vtep, Worker},
    wire::{MacAddr, VlanId, Vni},
};

use crate::{common::*, frames::*};

const OTHER: Vni = Vni::truncate(43);

fn vlan(id: u16) -> VlanId {
    VlanId::truncate(id)
}

/// VTEP `last` with VLAN 100 as the segment, VLAN 0 as another one, and its peers.
fn node(last: u8, config: Config, peers: &[u8]) -> Node {
    let capacity = Capacity { neighbors: 64, vlans: 4_096, ..Capacity::fdb(256) };
    let vtep = Vtep::with_capacity(config.local(address(last)), capacity, [7, last.into()]).unwrap();
    vtep.vlans().map(vlan(100), VNI).unwrap();
    vtep.vlans().map(vlan(0), OTHER).unwrap();
    for &peer in peers {
        let remote = vtep.remote(address(peer)).unwrap();
        for vni in [VNI, OTHER] {
            vtep.fdb().append(vni, MacAddr::ZERO, remote).unwrap();
        }
    }
    Node { vtep, worker: Worker::new(last.into()) }
}

fn trunk(node: &mut Node, frame: &[u8]) -> (Output, Vec<u8>) {
    node.send_with(NOW, &OverlayMeta::trunk(), frame)
}

#[test]
fn rfc7348_s6_1_the_tag_says_the_segment_and_stays_here() {
    for config in [Config::new(), Config::linux()] {
        let (mut near, mut far) = (node(1, config, &[2]), node(2, config, &[1]));
        let frame = datagram(mac(2), mac(1), 30);
        for (sent, vni, id) in [
            (tagged(100, &frame), VNI, 100),
            // Priority 5, drop eligible: not carried over.
            (tagged(0xb064, &frame), VNI, 100),
            (frame.clone(), OTHER, 0),
            (tagged(0xa000, &frame), OTHER, 0),
        ] {
            let (output, packet) = trunk(&mut near, &sent);
            assert!(matches!(output, Output::Send { .. }), "{output:?}");
            assert_eq!(packet[36..], frame, "no tag in the tunnel");
            let (output, received) = far.receive(NOW, &packet);
            let Output::Deliver { vni: found, vlan: Some(found_vlan), .. } = output else {
                panic!("{output:?}")
            };
            assert_eq!((found, found_vlan), (vni, vlan(id)));
            // VLAN 0 stands for frames without a tag: out of the tunnel they have none.
            assert_eq!(received, if id == 0 { frame.clone() } else { tagged(id, &frame) });
        }
    }
}

#[test]
fn a_tag_that_a_card_has_taken_off_says_the_segment_too() {
    let mut node = node(1, Config::new(), &[2]);
    let frame = datagram(mac(2), mac(1), 30);
    let mut meta = OverlayMeta::trunk();
    meta.vlan = Some(vlan(100));
    let (output, packet) = node.send_with(NOW, &meta, &frame);
    assert!(matches!(output, Output::Send { .. }));
    assert_eq!(packet[32..35], [0, 0, 42], "the VNI");
    // What is tagged all the same has a tag of its host's.
    let inner = tagged(7, &frame);
    assert_eq!(node.send_with(NOW, &meta, &inner), (Output::Drop(DropReason::InnerVlan), inner));
}

/// The tag is gone by then.
#[test]
fn headers_of_segments_are_counted_without_the_trunks_tag() {
    let mut node = node(1, Config::new(), &[2]);
    let mut meta = OverlayMeta::trunk();
    meta.gso = Some(Gso::new(42, 1_000));
    let (output, packet) = node.send_with(NOW, &meta, &tagged(100, &datagram(mac(2), mac(1), 3_000)));
    assert!(matches!(output, Output::Send { gso: Some(gso), .. } if gso == Gso::new(36 + 42, 1_000)));
    assert_eq!(packet.len(), 36 + 42 + 3_000);
}

#[test]
fn a_vlan_of_no_segment_is_dropped_untouched() {
    let mut node = node(1, Config::new(), &[2]);
    let frame = tagged(101, &datagram(mac(2), mac(1), 30));
    assert_eq!(trunk(&mut node, &frame), (Output::Drop(DropReason::UnknownVlan), frame.clone()));
    node.vtep.vlans().map(vlan(101), Vni::truncate(7)).unwrap();
    assert_eq!(trunk(&mut node, &frame), (Output::Drop(DropReason::NoDestination), frame));
    assert_eq!((node.drops(DropReason::UnknownVlan), node.drops(DropReason::NoDestination)), (1, 1));
}

/// Tags behind the trunk's are the hosts' own, and go by the setting for those.
#[test]
fn rfc7348_s6_1_a_second_tag_is_the_hosts_own() {
    let double = tagged(100, &tagged(7, &datagram(mac(2), mac(1), 30)));
    let mut refuses = node(1, Config::new(), &[2]);
    assert_eq!(trunk(&mut refuses, &double), (Output::Drop(DropReason::InnerVlan), double.clone()));
    let mut takes = node(1, with(Config::new(), |c| c.inner_vlan = true), &[2]);
    let (output, packet) = trunk(&mut takes, &double);
    assert!(matches!(output, Output::Send { .. }));
    assert_eq!(packet[36..], tagged(7, &datagram(mac(2), mac(1), 30)));
}

#[test]
fn answers_have_the_trunks_tag() {
    let mut node = node(1, with(Config::new(), |c| c.proxy = Proxy::NeighSuppress), &[2]);
    node.vtep.neighbors().add(VNI, IpAddr::from([10, 1, 0, 2]), mac(2)).unwrap();
    let question = arp(MacAddr([0xff; 6]), 1, (mac(1), [10, 1, 0, 1]), [10, 1, 0, 2]);
    let (output, answer) = trunk(&mut node, &tagged(100, &question));
    assert_eq!(output, Output::Reply);
    assert_eq!((&answer[..6], &answer[12..18]), (&mac(1).0[..], &[0x81, 0, 0, 100, 8, 6][..]));
    // In the other segment nobody knows him.
    let (output, _) = trunk(&mut node, &question);
    assert!(matches!(output, Output::Send { .. }), "{output:?}");

    // Linux's proxy looks at the trunk's frames as its bridge would hand them over: without the tag.
    let mut linux = self::node(1, with(Config::linux(), |c| c.proxy = Proxy::KernelProxy), &[2]);
    linux.vtep.neighbors().add(VNI, IpAddr::from([10, 1, 0, 2]), mac(2)).unwrap();
    assert_eq!(trunk(&mut linux, &tagged(100, &question)).0, Output::Reply);
}

#[test]
fn a11_too_big_from_a_trunk_is_told_to_the_trunk() {
    let mut node = node(1, Config::new(), &[2]);
    let frame = tagged(100, &sized(mac(2), mac(1), 1_500, true));
    let (output, answer) = trunk(&mut node, &frame);
    assert_eq!(output, Output::Reply);
    assert_eq!(answer[..16], [&mac(1).0[..], &mac(2).0, &[0x81, 0, 0, 100]].concat());
    let (header, _) = read_ipv4(&answer[18..]);
    assert_eq!(header.protocol, encap::wire::IpProtocol::ICMP);
    // The room for the tag is part of what an answer needs.
    for headroom in 0..60 {
        let mut buffer = vec![0xee; headroom];
        buffer.extend_from_slice(&frame);
        let mut packet = Packet::new(&mut buffer, headroom, frame.len()).unwrap();
        let output = node.vtep.handle_overlay(&mut node.worker, NOW, &OverlayMeta::trunk(), &mut packet);
        match output {
            Output::Reply => assert!(packet.as_slice()[12..16] == [0x81, 0, 0, 100]),
            Output::Drop(DropReason::NoHeadroom | DropReason::ReportLimit) => {
                assert_eq!(packet.as_slice(), frame);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// By way of ourselves into a segment with a VLAN.
#[test]
fn a7_f_what_is_handed_over_here_gets_the_tag_of_its_new_segment() {
    let mut node = node(1, Config::new(), &[]);
    let frame = datagram(mac(2), mac(1), 30);
    for (from, to, id, tags) in [
        (VNI, OTHER, 0, [tagged(100, &frame), frame.clone()]),
        (OTHER, VNI, 100, [frame.clone(), tagged(100, &frame)]),
    ] {
        let remote = encap::table::Remote::new(address(1), 4789).vni(to);
        let remote = node.vtep.add_remote(&remote).unwrap();
        node.vtep.fdb().add(from, mac(2), remote).unwrap();
        let (output, moved) = trunk(&mut node, &tags[0]);
        assert!(
            matches!(output, Output::Deliver { vni, vlan: Some(found), .. } if (vni, found) == (to, vlan(id)))
        );
        assert_eq!(moved, tags[1]);
    }
}

#[test]
fn one_vlan_has_one_segment() {
    let node = node(1, Config::new(), &[]);
    let vlans = node.vtep.vlans();
    assert_eq!(vlans.map(vlan(100), VNI), Ok(()), "as it is");
    assert_eq!(vlans.map(vlan(100), Vni::truncate(9)), Err(Error::Exists));
    assert!(!node.vtep.fdb().knows(Vni::truncate(9)), "what is refused adds no VNI");
    assert_eq!(vlans.map(vlan(5), VNI), Err(Error::Exists));
    assert_eq!(vlans.iter().collect::<Vec<_>>(), [(vlan(0), OTHER), (vlan(100), VNI)]);
    vlans.unmap(vlan(100)).unwrap();
    assert_eq!((vlans.vni(vlan(100)), vlans.vlan(VNI)), (None, None));
    assert_eq!(vlans.unmap(vlan(100)), Err(Error::NotFound));
    vlans.map(vlan(4_095), VNI).unwrap();
    assert_eq!(vlans.vlan(VNI), Some(vlan(4_095)));
    // A segment that is forgotten leaves its VLAN free, and comes back without one.
    node.vtep.fdb().remove_vni(VNI).unwrap();
    assert_eq!(vlans.vni(vlan(4_095)), None);
    node.vtep.fdb().add_vni(VNI).unwrap();
    assert_eq!((vlans.vni(vlan(4_095)), vlans.vlan(VNI)), (None, None));
    vlans.map(vlan(4_095), Vni::truncate(9)).unwrap();
}

#[test]
fn vlans_beyond_the_capacity_are_refused() {
    let capacity = Capacity { vlans: 10, ..Capacity::fdb(16) };
    let vtep = Vtep::with_capacity(Config::new().local(address(1)), capacity, [1, 2]).unwrap();
    vtep.vlans().map(vlan(9), VNI).unwrap();
    let full = Error::Full { what: Resource::Vlans, limit: 10 };
    assert_eq!(vtep.vlans().map(vlan(10), OTHER), Err(full));
    assert_eq!(vtep.vlans().map(vlan(4_095), OTHER), Err(full));
    assert_eq!(vtep.vlans().vni(vlan(15)), None);
    let mut buffer = tagged(10, &datagram(mac(2), mac(1), 3));
    let len = buffer.len();
    let mut packet = Packet::new(&mut buffer, 0, len).unwrap();
    let mut worker = Worker::new(0);
    let output = vtep.handle_overlay(&mut worker, NOW, &OverlayMeta::trunk(), &mut packet);
    assert_eq!(output, Output::Drop(DropReason::UnknownVlan));
}

/// In a segment without a VLAN frames come out as they are.
#[test]
fn without_a_vlan_there_is_no_tag() {
    let mut node = node(2, Config::new(), &[1]);
    node.vtep.vlans().unmap(vlan(100)).unwrap();
    let frame = datagram(mac(2), mac(1), 5);
    let packet = Outer::new(4789, &frame).bytes();
    let mut buffer = packet.clone();
    let mut packet = Packet::new(&mut buffer, 0, packet.len()).unwrap();
    let output = node.vtep.handle_underlay(&mut node.worker, NOW, &DecapMeta::new(), &mut packet);
    assert!(matches!(output, Output::Deliver { vlan: None, .. }));
    assert_eq!(packet.as_slice(), frame);
}

/// More tags than are followed, or one that is cut off, are the hosts' own: they lead into no other segment.
#[test]
fn rfc7348_s6_1_the_first_tag_says_the_segment_whatever_is_behind_it() {
    let mut near = node(1, Config::linux(), &[2]);
    let mut frame = datagram(MacAddr::BROADCAST, mac(1), 30);
    for tags in 1..=12 {
        frame = tagged(100, &frame);
        let (output, packet) = trunk(&mut near, &frame);
        assert!(matches!(output, Output::Send { .. }), "{tags} tags: {output:?}");
        assert_eq!(packet[32..35], [0, 0, 42], "{tags} tags");
    }
    for len in 14..18 {
        let cut = &tagged(100, &datagram(MacAddr::BROADCAST, mac(1), 30))[..len];
        assert_eq!(trunk(&mut near, cut).0, Output::Drop(DropReason::FrameTruncated));
    }
}
