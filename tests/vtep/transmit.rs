//! Transmission, by the pipeline of behaviour.md, sections A7, A9 and A10.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use encap::{
    Packet,
    table::{Capacity, Destination, NewEntry, Remote},
    tunnel::{DontFragment, Framing, InnerChecksum, Link, OuterDscp, Ttl},
    vtep::{Config, DropReason, Miss, Output, OverlayMeta, Proxy, Worker},
    wire::{Dscp, MacAddr, Vni, udp, vxlan, vxlan_gbp::GroupPolicy},
};

use crate::{common::*, frames::*};

fn both() -> [Config; 2] {
    [Config::new(), Config::linux()]
}

const GROUP: MacAddr = MacAddr([1, 0, 0x5e, 1, 2, 3]);

/// Source port, destination port, VNI and frame of a packet over IPv4.
fn read(packet: &[u8]) -> (u16, u16, Vni, &[u8]) {
    let (_, rest) = read_ipv4(packet);
    let (udp, rest) = udp::Header::parse(rest).unwrap();
    let (vxlan, frame) = vxlan::Header::parse(rest).unwrap();
    (udp.source_port, udp.destination_port, vxlan.vni().unwrap(), frame)
}

fn misses(node: &mut Node) -> Vec<Miss> {
    std::iter::from_fn(|| node.worker.poll_event()).collect()
}

// ------------------------------------------------------------------------------------------------ where to

#[test]
fn a7_5_the_entry_of_the_destination_decides() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3]);
        node.vtep.fdb().add(VNI, mac(5), node.vtep.remote(address(5)).unwrap()).unwrap();
        let frame = datagram(mac(5), mac(1), 10);
        let packet = node.sends(&frame, 5);
        let (_, port, vni, inner) = read(&packet);
        assert_eq!((port, vni, inner), (config.dstport, VNI, &frame[..]));
        assert_eq!(misses(&mut node), []);
    }
}

/// Without an entry broadcast, multicast and unknown unicast go the same way.
#[test]
fn a7_7_what_has_no_entry_goes_to_the_default() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3]);
        for destination in [MacAddr::BROADCAST, GROUP, mac(9), MacAddr::ZERO, mac(1)] {
            let to: Vec<_> =
                node.packets(NOW, &datagram(destination, mac(1), 10)).into_iter().map(|(to, _)| to).collect();
            assert_eq!(to, [address(2), address(3)]);
        }
        assert_eq!(misses(&mut node), []);
        // One remote alone gets the packet at once.
        let mut node = Node::new(1, config).peers(&[2]);
        for destination in [MacAddr::BROADCAST, GROUP, mac(9), MacAddr::ZERO] {
            node.sends(&datagram(destination, mac(1), 10), 2);
        }
    }
}

#[test]
fn a7_7_an_entry_for_a_group_replaces_flooding_for_that_group() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3]);
        for (group, last) in [(GROUP, 7), (MacAddr::BROADCAST, 8)] {
            node.vtep.fdb().append(VNI, group, node.vtep.remote(address(last)).unwrap()).unwrap();
            node.sends(&datagram(group, mac(1), 10), last);
        }
        let other = MacAddr([1, 0, 0x5e, 1, 2, 4]);
        assert_eq!(node.packets(NOW, &datagram(other, mac(1), 10)).len(), 2);
    }
}

#[test]
fn a7_7_a_default_can_be_anything() {
    for config in both() {
        let mut node = Node::new(1, config);
        let frame = datagram(mac(9), mac(1), 10);
        node.vtep.fdb().add(VNI, MacAddr::ZERO, Destination::Blackhole).unwrap();
        node.refuses_frame(&frame, DropReason::Blackhole);
        node.vtep.fdb().delete(NOW, VNI, MacAddr::ZERO).unwrap();
        node.vtep.fdb().add(VNI, MacAddr::ZERO, Destination::Local).unwrap();
        node.refuses_frame(&frame, DropReason::LocalDestination);
        assert_eq!(misses(&mut node), []);
    }
}

#[test]
fn a7_8_a_flow_stays_with_one_member_of_a_group() {
    for config in both() {
        let mut node = Node::new(1, config);
        let members = [2, 3, 4, 5].map(|last| node.vtep.remote(address(last)).unwrap());
        let group = node.vtep.lists().add_group(&members).unwrap();
        node.vtep.fdb().add(VNI, mac(9), group).unwrap();
        let mut chosen = BTreeMap::new();
        for flow in 0..200u8 {
            for len in [10, 500] {
                let mut frame = datagram(mac(9), mac(1), len);
                frame[34] = flow;
                let [(to, _)] = &node.packets(NOW, &frame)[..] else { panic!("one copy") };
                assert_eq!(chosen.entry(flow).or_insert(*to), to, "its length does not matter");
            }
        }
        let used: BTreeSet<_> = chosen.values().collect();
        assert_eq!(used.len(), 4, "all members carry something");
        // A member that goes takes no flows but its own with it.
        node.vtep.lists().delete(group, members[0]).unwrap();
        for (flow, before) in chosen {
            let mut frame = datagram(mac(9), mac(1), 10);
            frame[34] = flow;
            let [(to, _)] = &node.packets(NOW, &frame)[..] else { panic!("one copy") };
            assert_eq!(*to != before, before == address(2));
        }
        for member in &members[1..] {
            node.vtep.lists().delete(group, *member).unwrap();
        }
        node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoRemote);
    }
}

/// Metadata names a remote; of a group the caller picks one, as the engine does.
#[test]
fn a7_3_the_caller_names_a_member_of_a_group() {
    for config in both() {
        let mut node = Node::new(1, config);
        let members = [2, 3, 4].map(|last| node.vtep.remote(address(last)).unwrap());
        let group = node.vtep.lists().add_group(&members).unwrap();
        node.vtep.fdb().add(VNI, mac(9), group).unwrap();
        let mut chosen = BTreeSet::new();
        for hash in (0..50u32).map(|flow| flow.wrapping_mul(0x9e37_79b9)) {
            let mut meta = OverlayMeta::new(VNI);
            meta.hash = Some(hash);
            let by_entry = node.send_with(NOW, &meta, &datagram(mac(9), mac(1), 10));
            meta.remote = node.vtep.lists().pick(group, hash);
            chosen.insert(node.vtep.remotes().get(meta.remote.unwrap()).unwrap().address);
            let (output, packet) = node.send_with(NOW, &meta, &datagram(mac(9), mac(1), 10));
            assert_eq!((output, &packet[28..]), (by_entry.0, &by_entry.1[28..]));
        }
        assert_eq!(chosen.len(), 3);
    }
}

/// A group can be the default: then what is flooded goes to one member, not all (A6).
#[test]
fn a6_a_group_as_the_default_gets_one_copy() {
    for config in both() {
        let mut node = Node::new(1, config);
        let members = [2, 3].map(|last| node.vtep.remote(address(last)).unwrap());
        let group = node.vtep.lists().add_group(&members).unwrap();
        node.vtep.fdb().add(VNI, MacAddr::ZERO, group).unwrap();
        assert_eq!(node.packets(NOW, &datagram(MacAddr::BROADCAST, mac(1), 10)).len(), 1);
    }
}

/// The caller's hash counts instead of the packet's.
#[test]
fn a_hash_of_the_network_card_is_taken() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let frame = datagram(mac(9), mac(1), 10);
    let mut port = |hash| {
        let mut meta = OverlayMeta::new(VNI);
        meta.hash = hash;
        let (output, packet) = node.send_with(NOW, &meta, &frame);
        assert!(matches!(output, Output::Send { .. }));
        read(&packet).0
    };
    assert_eq!((port(Some(0)), port(Some(u32::MAX))), (49_152, 65_535));
    assert_eq!(port(None), port(None));
}

#[test]
fn no_split_horizon_in_linux_but_in_the_bridge() {
    for config in both() {
        let mut node = Node::new(1, with(config, |c| c.proxy = Proxy::KernelProxy)).peers(&[2]);
        node.vtep.neighbors().add(VNI, [10, 1, 0, 2].into(), mac(2)).unwrap();
        let mut meta = OverlayMeta::new(VNI);
        meta.from_tunnel = true;
        let question = arp(MacAddr::BROADCAST, 1, (mac(7), [10, 1, 0, 7]), [10, 1, 0, 2]);
        for frame in [datagram(mac(9), mac(1), 10), datagram(MacAddr::BROADCAST, mac(1), 10), question] {
            let sent = node.send_with(NOW, &meta, &frame);
            assert_eq!(sent, (Output::Drop(DropReason::SplitHorizon), frame));
        }
        assert_eq!((node.drops(DropReason::SplitHorizon), node.worker.counters().replies), (3, 0));
    }
}

#[test]
fn a7_b_local_and_blackhole_are_dropped_by_name() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2]);
        node.vtep.fdb().add(VNI, mac(8), Destination::Local).unwrap();
        node.vtep.fdb().add(VNI, mac(9), Destination::Blackhole).unwrap();
        node.refuses_frame(&datagram(mac(8), mac(1), 10), DropReason::LocalDestination);
        node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::Blackhole);
    }
}

#[test]
fn a_remote_that_was_removed_gets_nothing() {
    for config in both() {
        let mut node = Node::new(1, config);
        let remote = node.vtep.remote(address(2)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), remote).unwrap();
        node.sends(&datagram(mac(9), mac(1), 10), 2);
        node.vtep.remotes().remove(remote).unwrap();
        node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoDestination);
    }
}

// ------------------------------------------------------------------------------------------------ how

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

#[test]
fn a7_c_a_remote_can_have_a_vni_and_a_port_of_its_own() {
    for config in both() {
        let mut node = Node::new(1, config);
        let other = Vni::truncate(77);
        let remote = node.vtep.add_remote(&Remote::new(address(2), 9_999).vni(other).egress(5)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), remote).unwrap();
        let (output, packet) = node.send(NOW, &datagram(mac(9), mac(1), 10));
        assert_eq!(output, Output::Send { remote, address: address(2), port: 9_999, egress: 5, gso: None });
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
        for framing in [Framing::Payload, Framing::Ip, Framing::Ethernet(link)] {
            let mut node = Node::new(1, with(config, |c| c.framing = framing)).peers(&[2]);
            let (need, frame) = (node.vtep.headroom(), datagram(mac(9), mac(1), 10));
            assert!(matches!(node.send_behind(need, &frame).0, Output::Send { .. }));
            let refused = node.send_behind(need - 1, &frame);
            assert_eq!(refused, (Output::Drop(DropReason::NoHeadroom), frame));
            assert_eq!(node.drops(DropReason::NoHeadroom), 1);
        }
    }
}

#[test]
fn a_next_hop_that_is_not_known_is_asked_for() {
    for config in both() {
        let link = Link { source: mac(0xaa), next_hop: MacAddr::ZERO, vlan: None };
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
    assert!(matches!(node.send_with(NOW, &meta, &frame).0, Output::Send { .. }));
    meta.inner_checksum = InnerChecksum::Partial { start: 34, offset: 600 };
    assert_eq!(node.send_with(NOW, &meta, &frame), (Output::Drop(DropReason::BadMeta), frame));
    assert_eq!(node.drops(DropReason::BadMeta), 1);
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

// ------------------------------------------------------------------------------------------------ outer fields

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

/// A9's tables by configuration, as the engine hands them on.
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

/// Inner ECN by the rows of A9's table, and what has none: RFC 6040's normal mode, and the kernel's.
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

// ------------------------------------------------------------------------------------------------ misses and counters

#[test]
fn a6_a_miss_is_told_where_there_is_no_entry_and_no_default_and_once() {
    for config in both() {
        let mut quiet = Node::new(1, with(config, |c| c.l2miss = false));
        quiet.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoDestination);
        assert_eq!(misses(&mut quiet), [], "l2miss is off");
        let mut node = Node::new(1, with(config, |c| c.l2miss = true));
        for destination in [mac(9), mac(9), MacAddr::BROADCAST, GROUP, MacAddr::ZERO, mac(8), mac(9)] {
            node.refuses_frame(&datagram(destination, mac(1), 10), DropReason::NoDestination);
        }
        let miss = |host| Miss::L2 { vni: VNI, mac: mac(host) };
        assert_eq!(misses(&mut node), [miss(9), miss(8)]);
        // Once it was told, it is told anew.
        node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoDestination);
        assert_eq!(misses(&mut node), [miss(9)]);
        let mut node = node.peers(&[2]);
        node.sends(&datagram(mac(9), mac(1), 10), 2);
        assert_eq!(misses(&mut node), []);
    }
}

#[test]
fn e_a_storm_of_misses_is_bounded_and_what_is_lost_is_counted() {
    let miss = |host| Miss::L2 { vni: VNI, mac: mac(host) };
    for room in [0, 1, 5, 64] {
        let mut memory = vec![Some(miss(99)); room];
        let vtep = Node::new(1, Config::new()).vtep;
        let mut worker = Worker::new(1).with_events(&mut memory);
        for round in 0..3u8 {
            // Each host twice: what waits already is not lost.
            for host in (0..100).chain(0..room as u8) {
                let mut frame = datagram(mac(host), mac(1), 10);
                let mut packet = Packet::new(&mut frame, 0, 52).unwrap();
                let output = vtep.handle_overlay(&mut worker, NOW, &OverlayMeta::new(VNI), &mut packet);
                assert_eq!(output, Output::Drop(DropReason::NoDestination));
            }
            let lost = worker.counters().events_lost;
            assert_eq!(lost, (100 - room as u64) * (u64::from(round) + 1));
            let told: Vec<_> = std::iter::from_fn(|| worker.poll_event()).collect();
            assert_eq!(told, (0..room as u8).map(miss).collect::<Vec<_>>(), "the first ones wait, in order");
        }
    }
}

#[test]
fn what_is_sent_is_counted() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let frames = [datagram(mac(9), mac(1), 10), datagram(mac(9), mac(1), 1_000)];
    frames.iter().for_each(|frame| drop(node.sends(frame, 2)));
    let counters = node.worker.counters();
    assert_eq!((counters.sent, counters.sent_bytes), (2, frames.iter().map(Vec::len).sum::<usize>() as u64));
    assert_eq!(counters.drops().count(), 0);
}

#[test]
fn counters_add_up_and_every_reason_has_its_own() {
    let mut sum = encap::vtep::Counters::ZERO;
    let mut node = Node::new(1, Config::new());
    node.refuses_frame(&[], DropReason::FrameTruncated);
    sum += *node.worker.counters();
    sum += *node.worker.counters();
    assert_eq!(sum.dropped(DropReason::FrameTruncated), 2);
    assert_eq!(sum.drops().collect::<Vec<_>>(), [(DropReason::FrameTruncated, 2)]);
    let names: BTreeSet<_> = DropReason::OWN
        .iter()
        .map(|reason| reason.name())
        .chain(encap::tunnel::DropReason::ALL.iter().map(|reason| reason.name()))
        .collect();
    // "inner-vlan" is a reason of both ways, and of each way its own.
    assert_eq!(names.len() + 1, DropReason::OWN.len() + encap::tunnel::DropReason::ALL.len());
}

/// A remote that cannot be reached from here is refused, and not left behind.
#[test]
fn remotes_without_a_way_are_not_kept() {
    for config in both() {
        let node = Node::new(1, config);
        let v6 = IpAddr::V6(v6(1));
        assert!(node.vtep.remote(v6).is_err());
        assert!(node.vtep.add_remote(&Remote::new(address(2), 0)).is_err());
        assert_eq!(node.vtep.remotes().count(), 0);
        // One that the tables were told of all the same gets nothing.
        let mut node = node;
        let id = node.vtep.remotes().add(&Remote::new(v6, 4_789)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), NewEntry::to(id)).unwrap();
        node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoRemote);
    }
}

#[test]
fn a_burst_is_handled_as_one_by_one() {
    let frames = [datagram(mac(9), mac(1), 10), datagram(mac(8), mac(1), 20), vec![1, 2, 3]];
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let single: Vec<_> = frames.iter().map(|frame| node.send(NOW, frame)).collect();
    let mut buffers: Vec<_> = frames.iter().map(|frame| [&[0xee; ROOM][..], frame].concat()).collect();
    let mut burst: Vec<_> = buffers
        .iter_mut()
        .map(|buffer| {
            let len = buffer.len() - ROOM;
            Packet::new(buffer, ROOM, len).unwrap()
        })
        .collect();
    let metas = [OverlayMeta::new(VNI); 3];
    let mut outputs = [Output::Pass; 5];
    let mut worker = Worker::new(1);
    let done = node.vtep.handle_overlay_batch(&mut worker, NOW, &metas, &mut burst, &mut outputs);
    assert_eq!(done, 3);
    for ((output, bytes), (got, packet)) in single.iter().zip(outputs.iter().zip(&burst)) {
        assert_eq!((output, &bytes[..]), (got, packet.as_slice()));
    }
    assert_eq!(outputs[3..], [Output::Pass; 2]);
    assert_eq!(worker.counters(), node.worker.counters());
}
