//! How a frame is sent, and what is not.

use encap::{
    table::Remote,
    tunnel::{Framing, InnerChecksum, Link},
    vtep::{Config, DropReason, Output, OverlayMeta},
    wire::{MacAddr, Vni, vxlan_gbp::GroupPolicy},
};

use crate::{common::*, frames::*};

use super::{both, read};

#[test]
fn a7_a_an_inner_header_that_is_cut_off_is_not_sent() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2]);
        for len in 0..14 {
            node.refuses_frame(&datagram(mac(9), mac(1), 10)[..len], DropReason::FrameTruncated);
        }
        for (ethertype, need) in [(0x0800, 20), (0x86dd, 40)] {
            for len in [0, need - 1] {
                node.refuses_frame(
                    &frame(mac(9), mac(1), ethertype, &vec![0x45; len]),
                    DropReason::FrameTruncated,
                );
            }
            node.sends(&frame(mac(9), mac(1), ethertype, &vec![0x45; need]), 2);
        }
        // 14 bytes are a frame, sent and not dropped.
        node.sends(&frame(mac(9), mac(1), 0x88b5, &[]), 2);
    }
}

/// Before anybody asks where it goes: what needs no tunnel, alone or as a copy, is held to the same.
#[test]
fn a7_a_nor_is_it_handed_over() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2]);
        let other = Vni::truncate(77);
        node.vtep.fdb().add_vni(other).unwrap();
        let us = node.vtep.add_remote(&Remote::new(address(1), config.dstport).vni(other)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), us).unwrap();
        node.vtep.fdb().append(VNI, MacAddr::ZERO, us).unwrap();
        node.refuses_frame(&frame(mac(9), mac(1), 0x0800, &[0x45; 19]), DropReason::FrameTruncated);
        assert!(node.packets(NOW, &frame(MacAddr::BROADCAST, mac(1), 0x86dd, &[0x60; 39])).is_empty());
        assert_eq!((node.worker.counters().delivered, node.drops(DropReason::FrameTruncated)), (0, 3));
    }
}

#[test]
fn a7_c_a_remote_can_have_a_vni_and_a_port_of_its_own() {
    for config in both() {
        let mut node = Node::new(1, config);
        let other = Vni::truncate(77);
        let remote = node.vtep.add_remote(&Remote::new(address(2), 9_999).vni(other).egress(5)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), remote).unwrap();
        let (output, packet) = node.send(NOW, &datagram(mac(9), mac(1), 10));
        let frame = datagram(mac(9), mac(1), 10);
        assert!(matches!(output, Output::Send { port: 9_999, egress: 5, gso: None, .. }), "{output:?}");
        let Output::Send { remote: to, address: at, outer, checksum, .. } = output else { unreachable!() };
        assert_eq!((to, at, checksum), (remote, address(2), InnerChecksum::Unknown));
        assert_eq!(usize::from(outer) + frame.len(), packet.len());
        let (_, port, vni, _) = read(&packet);
        assert_eq!((port, vni), (9_999, other));
    }
}

/// One remote serves many segments, each packet has its own.
#[test]
fn a7_c_otherwise_the_segment_is_the_frames() {
    for config in both() {
        let mut node = Node::new(1, config);
        let remote = node.vtep.remote(address(2)).unwrap();
        for vni in [0, 1, 0xff_ffff].map(Vni::truncate) {
            node.vtep.fdb().append(vni, MacAddr::ZERO, remote).unwrap();
            let (_, packet) = node.send_with(NOW, &OverlayMeta::new(vni), &datagram(mac(9), mac(1), 10));
            assert_eq!(read(&packet).2, vni);
        }
    }
}

#[test]
fn a7_f_a_frame_to_ourselves_is_handed_over() {
    for config in both() {
        let mut node = Node::new(1, config);
        let other = Vni::truncate(77);
        let us = node.vtep.add_remote(&Remote::new(address(1), config.dstport).vni(other)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), us).unwrap();
        let frame = datagram(mac(9), mac(1), 10);
        node.refuses_frame(&frame, DropReason::UnknownVni);
        node.vtep.fdb().add_vni(other).unwrap();
        // The port that it came in by comes back, so that the frame does not.
        let mut meta = OverlayMeta::new(VNI);
        meta.port = 7;
        let deliver = Output::Deliver { vni: other, source: None, port: Some(7), policy: None, vlan: None };
        assert_eq!(node.send_with(NOW, &meta, &frame), (deliver, frame.clone()));
        let counters = node.worker.counters();
        assert_eq!((counters.delivered, counters.delivered_bytes, counters.sent), (1, frame.len() as u64, 0));
    }
}

#[test]
fn a7_f_without_localbypass_a_packet_is_sent() {
    for config in both() {
        let mut node = Node::new(1, with(config, |c| c.localbypass = false)).peers(&[1]);
        node.sends(&datagram(mac(9), mac(1), 10), 1);
    }
}

/// Another VTEP on this host, at another port, is not us.
#[test]
fn a7_f_our_address_with_another_port_is_somebody_else() {
    for config in both() {
        let mut node = Node::new(1, config);
        let other = node.vtep.add_remote(&Remote::new(address(1), 9_999)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), other).unwrap();
        node.sends(&datagram(mac(9), mac(1), 10), 1);
    }
}

#[test]
fn inner_vlan_tags_are_a_choice() {
    for config in both() {
        let frame = tagged(5, &datagram(mac(9), mac(1), 10));
        let mut node = Node::new(1, with(config, |c| c.inner_vlan = false)).peers(&[2]);
        node.refuses_frame(&frame, DropReason::InnerVlan);
        let mut node = Node::new(1, with(config, |c| c.inner_vlan = true)).peers(&[2]);
        let packet = node.sends(&frame, 2);
        assert_eq!(read(&packet).3, frame);
    }
}

#[test]
fn headroom_is_needed_and_a_byte_less_is_refused_untouched() {
    let link = Link { source: mac(0xaa), next_hop: mac(0xbb), vlan: None };
    for config in both() {
        for (framing, need) in [(Framing::Payload, 8), (Framing::Ip, 36), (Framing::Ethernet(link), 50)] {
            let mut node = Node::new(1, with(config, |c| c.framing = framing)).peers(&[2]);
            let frame = datagram(mac(9), mac(1), 10);
            assert!(matches!(node.send_behind(need, &frame).0, Output::Send { .. }));
            let refused = node.send_behind(need - 1, &frame);
            assert_eq!(refused, (Output::Drop(DropReason::NoHeadroom), frame));
            assert_eq!(node.drops(DropReason::NoHeadroom), 1);
        }
    }
}

/// What Linux sends if nobody may be told goes out as well when nobody can be told now.
#[test]
fn a11_what_is_not_told_now_is_fragmented_where_that_is_wanted() {
    let mut node = Node::new(1, with(Config::linux(), |c| c.icmp_rate = 0)).peers(&[2]);
    let long = sized(mac(9), mac(1), 1_500, true);
    node.sends(&long, 2);
    // Room for outer headers of 36 bytes, and not for the 48 of an answer.
    let ip = ip(v6(1).into(), v6(9).into(), 17, 0, &[0x5a; 1_460]);
    let output = node.send_behind(47, &frame(mac(9), mac(1), 0x86dd, &ip)).0;
    assert!(matches!(output, Output::Send { .. }), "{output:?}");
}

#[test]
fn a_next_hop_that_is_not_known_is_asked_for() {
    for config in both() {
        let link = Link::resolving(mac(0xaa));
        let mut node = Node::new(1, with(config, |c| c.framing = Framing::Ethernet(link)));
        let remote = node.vtep.add_remote(&Remote::new(address(2), config.dstport).egress(3)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), remote).unwrap();
        let frame = datagram(mac(9), mac(1), 10);
        let resolve = Output::Resolve { remote, address: address(2), egress: 3 };
        assert_eq!(node.send(NOW, &frame), (resolve, frame.clone()));
        assert_eq!((node.worker.counters().sent, node.worker.counters().drops().count()), (0, 0));
        for next_hop in [mac(0xbb), mac(0xcc)] {
            node.vtep.remotes().set_next_hop(remote, Some(next_hop)).unwrap();
            let packet = node.sends(&frame, 2);
            assert_eq!(
                (&packet[..6], &packet[6..12], &packet[12..14]),
                (&next_hop.0[..], &mac(0xaa).0[..], &[8, 0][..])
            );
            assert_eq!(read(&packet[14..]).3, frame);
        }
        node.vtep.remotes().set_next_hop(remote, None).unwrap();
        assert_eq!(node.send(NOW, &frame).0, resolve);
    }
}

#[test]
fn a_default_next_hop_serves_remotes_without_one() {
    let link = Link { source: mac(0xaa), next_hop: mac(0xdd), vlan: None };
    let mut node = Node::new(1, with(Config::new(), |c| c.framing = Framing::Ethernet(link)));
    let plain = node.vtep.remote(address(2)).unwrap();
    let own = node.vtep.add_remote(&Remote::new(address(3), 4_789).next_hop(mac(0xbb))).unwrap();
    node.vtep.fdb().add(VNI, mac(8), plain).unwrap();
    node.vtep.fdb().add(VNI, mac(9), own).unwrap();
    assert_eq!(node.sends(&datagram(mac(8), mac(1), 10), 2)[..6], mac(0xdd).0);
    assert_eq!(node.sends(&datagram(mac(9), mac(1), 10), 3)[..6], mac(0xbb).0);
}

#[test]
fn what_the_caller_says_must_fit_the_frame() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let frame = datagram(mac(9), mac(1), 10);
    let mut meta = OverlayMeta::new(VNI);
    meta.inner_checksum = InnerChecksum::Partial { start: 34, offset: 6 };
    // What is to be finished is behind the outer headers now.
    let (Output::Send { outer, checksum, .. }, packet) = node.send_with(NOW, &meta, &frame) else { panic!() };
    assert_eq!(usize::from(outer) + frame.len(), packet.len());
    assert_eq!(checksum, InnerChecksum::Partial { start: outer + 34, offset: 6 });
    meta.inner_checksum = InnerChecksum::Good;
    let (Output::Send { checksum, .. }, _) = node.send_with(NOW, &meta, &frame) else { panic!() };
    assert_eq!(checksum, InnerChecksum::Good);
    for (offset, drops) in [(600, 1), (7, 2)] {
        meta.inner_checksum = InnerChecksum::Partial { start: 34, offset };
        assert_eq!(node.send_with(NOW, &meta, &frame), (Output::Drop(DropReason::BadMeta), frame.clone()));
        assert_eq!(node.drops(DropReason::BadMeta), drops);
    }
}

/// Section F: the mark's policy in the first eight bytes.
#[test]
fn a7_h_the_policy_is_sent_where_gbp_is_on() {
    let bytes = |on, policy| {
        let mut node = Node::new(1, with(Config::new(), |c| c.gbp = on)).peers(&[2]);
        let mut meta = OverlayMeta::new(VNI);
        meta.policy = policy;
        let (_, packet) = node.send_with(NOW, &meta, &datagram(mac(9), mac(1), 10));
        packet[28..36].to_vec()
    };
    let policy = |id, dont_learn, applied| Some(GroupPolicy { id, dont_learn, applied });
    assert_eq!(bytes(true, policy(0x1234, false, false)), hex("8800123400002a00"));
    assert_eq!(bytes(true, policy(5, true, true)), hex("8848000500002a00"));
    assert_eq!(bytes(true, policy(0, false, false)), hex("8800000000002a00"));
    assert_eq!(bytes(true, None), hex("0800000000002a00"));
    assert_eq!(bytes(false, policy(5, true, true)), hex("0800000000002a00"));
}

/// A frame that needs no tunnel has the policy that one would have carried.
#[test]
fn a7_f_a7_h_the_policy_is_handed_over_where_gbp_is_on() {
    for config in both() {
        for gbp in [true, false] {
            let mut node = Node::new(1, with(config, |c| c.gbp = gbp));
            let other = Vni::truncate(77);
            node.vtep.fdb().add_vni(other).unwrap();
            let us = node.vtep.add_remote(&Remote::new(address(1), config.dstport).vni(other)).unwrap();
            node.vtep.fdb().add(VNI, mac(9), us).unwrap();
            let mut meta = OverlayMeta::new(VNI);
            meta.policy = Some(GroupPolicy { id: 5, dont_learn: true, applied: true });
            let (output, _) = node.send_with(NOW, &meta, &datagram(mac(9), mac(1), 10));
            let Output::Deliver { policy, .. } = output else { panic!("{output:?}") };
            assert_eq!(policy, meta.policy.filter(|_| gbp));
        }
    }
}
