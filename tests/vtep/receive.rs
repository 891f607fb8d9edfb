//! Receipt, row by row of behaviour.md, section A3: what the kernel does, what we do by default.

use std::net::{IpAddr, Ipv6Addr};

use encap::{
    Packet,
    table::{Destination, Lookup, NewEntry, Remote},
    tunnel::{self, DecapMeta, Framing, Link, OuterFacts},
    vtep::{Config, DropReason, Output},
    wire::{MacAddr, Vni, checksum},
};

use crate::{common::*, frames::*};

/// Our defaults, and the kernel's.
pub(crate) fn both() -> [Config; 2] {
    [Config::new(), Config::linux()]
}

/// VTEP 2, which knows VTEP 1.
pub(crate) fn node(config: Config) -> Node {
    Node::new(2, config).peers(&[1])
}

/// A packet with this frame from VTEP 1.
pub(crate) fn outer(node: &Node, frame: &[u8]) -> Outer {
    Outer::new(node.vtep.config().dstport, frame)
}

pub(crate) fn where_is(node: &Node, mac: MacAddr) -> Option<IpAddr> {
    match node.vtep.fdb().lookup(NOW, VNI, mac) {
        Lookup::Found(Destination::Remote(id)) => node.vtep.remotes().get(id).map(|remote| remote.address),
        _ => None,
    }
}

pub(crate) const FRAME: [u8; 14] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];

// ------------------------------------------------------------------------------------------------ layer 0

#[test]
fn a3_0_1_ipv4_must_hold_what_it_says() {
    for config in both() {
        let mut node = node(config);
        let good = outer(&node, &FRAME).bytes();
        let broken = |at: usize, value: u8| {
            let mut packet = good.clone();
            packet[at] = value;
            packet
        };
        node.refuses(&fix_ipv4(broken(0, 0x55)), tunnel::DropReason::Ipv4Version);
        let short = broken(0, 0x44);
        node.refuses(&short, tunnel::DropReason::Ipv4HeaderLength);
        node.refuses(&fix_ipv4(broken(3, good[3] + 1)), tunnel::DropReason::Ipv4TotalLength);
        node.refuses(&broken(10, good[10] ^ 1), tunnel::DropReason::Ipv4Checksum);
        node.refuses(&fix_ipv4(broken(6, 0x20)), tunnel::DropReason::Fragment);
        node.refuses(&fix_ipv4(broken(7, 1)), tunnel::DropReason::Fragment);
        for len in 0..20 {
            node.refuses(&good[..len], tunnel::DropReason::Ipv4Truncated);
        }
    }
}

#[test]
fn a3_0_1_padding_is_cut_off_and_options_are_read_over() {
    for config in both() {
        let mut node = node(config);
        let packet = outer(&node, &FRAME).bytes();
        assert_eq!(node.delivers(&[&packet[..], &[0; 6]].concat()), FRAME);
        let mut options = [&packet[..20], &[1, 1, 1, 0], &packet[20..]].concat();
        options[0] = 0x46;
        options[3] += 4;
        assert_eq!(node.delivers(&fix_ipv4(options)), FRAME);
    }
}

#[test]
fn a3_0_1_martians_are_dropped() {
    for config in both() {
        let mut node = node(config);
        for source in [[0, 0, 0, 0], [224, 0, 0, 1], [255; 4], [127, 0, 0, 1], [192, 0, 2, 2]] {
            let packet = Outer { source: source.into(), ..outer(&node, &FRAME) };
            node.refuses(&packet.bytes(), tunnel::DropReason::MartianSource);
        }
    }
}

/// The kernel's socket is bound to any address; ours is compared, unless told otherwise.
#[test]
fn a3_0_2_the_destination_is_ours_a_group_or_with_linux_any() {
    for (config, any) in both().into_iter().zip([false, true]) {
        let mut node = node(config);
        for (destination, ours) in
            [([192, 0, 2, 2], true), ([239, 1, 1, 1], true), ([192, 0, 2, 3], false), ([10, 9, 9, 9], false)]
        {
            let packet = Outer { destination: destination.into(), ..outer(&node, &FRAME) }.bytes();
            if ours || any {
                assert_eq!(node.delivers(&packet), FRAME);
            } else {
                node.passes(&packet);
            }
        }
    }
}

#[test]
fn a3_0_3_the_udp_length_counts() {
    for config in both() {
        let mut node = node(config);
        let packet = outer(&node, &[&FRAME[..], &[7; 10]].concat()).bytes();
        let with = |length: usize| {
            let mut packet = packet.clone();
            packet[24..26].copy_from_slice(&(length as u16).to_be_bytes());
            packet
        };
        let all = packet.len() - 20;
        node.refuses(&with(all + 1), tunnel::DropReason::UdpLength);
        node.refuses(&with(7), tunnel::DropReason::UdpLength);
        node.refuses(&with(0), tunnel::DropReason::UdpLength);
        assert_eq!(node.delivers(&with(all - 10)), FRAME, "bytes behind the datagram are cut off");
    }
}

#[test]
fn a3_0_4_a_udp_checksum_that_is_there_must_be_right() {
    for config in both() {
        let mut node = node(config);
        let good = Outer { checksum: true, ..outer(&node, &FRAME) }.bytes();
        assert_eq!(node.delivers(&good), FRAME);
        let mut bad = good;
        bad[26] ^= 1;
        node.refuses(&bad, tunnel::DropReason::UdpChecksum);
        let none = outer(&node, &FRAME).bytes();
        assert_eq!(node.delivers(&none), FRAME, "over IPv4 there may be none");
    }
}

/// VTEP 2001:db8::2 and a packet from 2001:db8::1 to it.
pub(crate) fn over_ipv6(mut config: Config) -> (Node, Outer) {
    let end = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
    config = config.local(end(2));
    let mut node = Node::new(2, config);
    node.vtep.remote(end(1)).unwrap();
    let checked = Outer { source: end(1), destination: end(2), checksum: true, ..outer(&node, &FRAME) };
    assert_eq!(node.delivers(&checked.bytes()), FRAME);
    (node, checked)
}

#[test]
fn a3_0_4_over_ipv6_there_must_be_one_unless_agreed_otherwise() {
    for mut config in both() {
        let (mut node, packet) = over_ipv6(config);
        let none = Outer { checksum: false, ..packet.clone() }.bytes();
        node.refuses(&none, tunnel::DropReason::UdpChecksumMissing);
        config.udp6zerocsumrx = true;
        let (mut node, _) = over_ipv6(config);
        assert_eq!(node.delivers(&none), FRAME);
        let mut bad = packet.bytes();
        bad[46] ^= 1;
        node.refuses(&bad, tunnel::DropReason::UdpChecksum);
    }
}

/// Linux takes it in any packet, and the checksum then covers all there is.
#[test]
fn a3_0_3_over_ipv6_a_udp_length_of_zero_is_all_there_is_with_linux() {
    for (config, taken) in both().into_iter().zip([false, true]) {
        let (mut node, packet) = over_ipv6(config);
        let mut zero = packet.bytes();
        // The checksum covers the length field, which says less now.
        let length = u16::from_be_bytes([zero[44], zero[45]]);
        let sum = checksum::update(u16::from_be_bytes([zero[46], zero[47]]), length, 0);
        zero[44..46].fill(0);
        zero[46..48].copy_from_slice(&sum.to_be_bytes());
        if taken {
            assert_eq!(node.delivers(&zero), FRAME);
        } else {
            node.refuses(&zero, tunnel::DropReason::UdpLength);
        }
    }
}

#[test]
fn a3_0_5_ports_and_addresses_of_senders_do_not_matter() {
    for config in both() {
        let mut node = node(config);
        for source_port in [0, 1, u16::MAX] {
            assert_eq!(node.delivers(&Outer { source_port, ..outer(&node, &FRAME) }.bytes()), FRAME);
        }
        assert_eq!(node.delivers(&Outer { source: address(77), ..outer(&node, &FRAME) }.bytes()), FRAME);
    }
}

// ------------------------------------------------------------------------------------------------ layer 1

/// Section F: the field held the sum of the pseudo header, and holds the checksum then.
#[test]
fn a3_7_a_checksum_that_the_sender_left_to_us_is_written() {
    let frame =
        hex("02000000000102000000020108004500002100010000401174c6010101010202020203e807d0000d062468656c6c6f");
    let header = |last: u8| hex(&format!("0820000000002a{last:02x}"));
    for config in both() {
        let mut node = node(with(config, |c| c.remcsumrx = true));
        let packet = Outer { vxlan: header(0x91), ..outer(&node, &frame) };
        let delivered = node.delivers(&packet.bytes());
        assert_eq!((&delivered[..40], &delivered[40..42]), (&frame[..40], &[0xaa, 0x44][..]));
        assert_eq!(delivered[42..], frame[42..]);
        // Beyond the end, by a little and by much.
        node.refuses(&Outer { vxlan: header(0xff), ..packet.clone() }.bytes(), DropReason::RemoteChecksum);
        node.refuses(
            &Outer { vxlan: header(0x80 | 20), ..packet.clone() }.bytes(),
            DropReason::RemoteChecksum,
        );
        assert!(node.delivers(&Outer { vxlan: header(0x80 | 19), ..packet.clone() }.bytes()) != frame);
        // Without C the last byte means nothing.
        let mut off = header(0xff);
        off[1] = 0;
        assert_eq!(node.delivers(&Outer { vxlan: off, ..packet.clone() }.bytes()), frame);
        // TCP's is further behind.
        let tcp = node.delivers(&Outer { vxlan: header(0x0b), ..packet }.bytes());
        assert_ne!(tcp[38..40], frame[38..40]);
    }
    // Without the setting these are reserved bits.
    let packet = |node: &Node| Outer { vxlan: header(0x91), ..outer(node, &frame) }.bytes();
    let [mut ours, mut linux] = both().map(node);
    assert_eq!(ours.delivers(&packet(&ours)), frame);
    linux.refuses(&packet(&linux), tunnel::DropReason::VxlanReservedBits);
}

#[test]
fn a3_1_the_vxlan_header_must_be_there() {
    for config in both() {
        let mut node = node(config);
        for len in 0..8 {
            let mut packet = outer(&node, &[]);
            packet.vxlan.truncate(len);
            node.refuses(&packet.bytes(), tunnel::DropReason::VxlanTruncated);
        }
    }
}

#[test]
fn a3_2_the_i_flag_must_be_set() {
    for config in both() {
        let mut node = node(config);
        let mut packet = outer(&node, &FRAME);
        packet.vxlan[0] = 0;
        node.refuses(&packet.bytes(), tunnel::DropReason::VxlanNoVni);
    }
}

#[test]
fn a3_3_an_unknown_vni_is_dropped_and_counted() {
    for config in both() {
        let mut node = node(config);
        for vni in [0, 41, 43, 0xff_ffff].map(Vni::truncate) {
            node.refuses(&outer(&node, &FRAME).vni(vni).bytes(), DropReason::UnknownVni);
        }
        // It is not remembered as unknown.
        node.vtep.fdb().add_vni(Vni::truncate(0)).unwrap();
        let packet = outer(&node, &FRAME).vni(Vni::truncate(0)).bytes();
        assert!(matches!(node.receive(NOW, &packet).0, Output::Deliver { vni, .. } if vni.value() == 0));
    }
}

/// RFC 7348, section 5: "Reserved fields … MUST be … ignored on receipt"; the kernel drops.
#[test]
fn a3_4_every_reserved_bit() {
    let used = 0x0800_0000_ffff_ff00_u64;
    for (config, refuses) in both().into_iter().zip([false, true]) {
        let mut node = node(config);
        for bit in (0..64).map(|bit| 1 << bit).filter(|bit| bit & used == 0) {
            let packet = outer(&node, &FRAME).bits(bit).bytes();
            if refuses {
                node.refuses(&packet, tunnel::DropReason::VxlanReservedBits);
            } else {
                assert_eq!(node.delivers(&packet), FRAME);
            }
        }
    }
}

/// Section F: with `reserved_bits 0x0000000100000000` byte 7 may be anything, the bit in byte 3 not.
#[test]
fn a2_33_reserved_bits_are_those_that_cause_a_drop() {
    let mut config = Config::new();
    config.reserved_bits = 0x0000_0001_0000_0000;
    let mut node = node(config);
    assert_eq!(node.delivers(&outer(&node, &FRAME).bits(1).bytes()), FRAME);
    for bits in [0x0000_0001_0000_0000, !0] {
        let packet = outer(&node, &FRAME).bits(bits & !0xffff_ff00).bytes();
        node.refuses(&packet, tunnel::DropReason::VxlanReservedBits);
    }
}

/// With GBP its bits are used: G and the whole low 24 of the first word.
#[test]
fn a3_9_gbp_uses_its_bits() {
    let gbp = 0x80ff_ffff_0000_0000_u64;
    for (mut config, refuses) in both().into_iter().zip([false, true]) {
        config.gbp = true;
        let mut node = node(config);
        for bit in (0..64).map(|bit| 1u64 << bit).filter(|bit| bit & 0x0800_0000_ffff_ff00 == 0) {
            let packet = outer(&node, &FRAME).bits(bit).bytes();
            if refuses && bit & gbp == 0 {
                node.refuses(&packet, tunnel::DropReason::VxlanReservedBits);
            } else {
                assert_eq!(node.delivers(&packet), FRAME);
            }
        }
    }
}

#[test]
fn a3_9_the_policy_is_told_where_gbp_is_on_and_g_is_set() {
    let told = |on, bits| {
        let mut config = Config::new();
        config.gbp = on;
        let mut node = node(config);
        let packet = outer(&node, &FRAME).bits(bits).bytes();
        match node.receive(NOW, &packet).0 {
            Output::Deliver { policy, .. } => policy.map(|p| (p.id, p.dont_learn, p.applied)),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told(true, 0x8000_1234_0000_0000), Some((0x1234, false, false)));
    assert_eq!(told(true, 0x8048_0005_0000_0000), Some((5, true, true)));
    assert_eq!(told(true, 0x0000_1234_0000_0000), None, "G is clear");
    assert_eq!(told(false, 0x8000_1234_0000_0000), None, "GBP is off");
}

/// The draft: frames with the D bit "MUST NOT" be learned from; the kernel learns all the same.
#[test]
fn a3_9_dont_learn_is_honoured() {
    for mut config in both() {
        config.gbp = true;
        let mut node = node(config);
        let packet = outer(&node, &FRAME);
        let dont = packet.clone().bits(0x8040_0000_0000_0000).bytes();
        assert_eq!(node.delivers(&dont), FRAME);
        assert_eq!(where_is(&node, mac(1)), None);
        let learn = packet.bits(0x8000_0000_0000_0000).bytes();
        node.delivers(&learn);
        assert_eq!(where_is(&node, mac(1)), Some(address(1)));
    }
}

/// The D bit does not make a frame any better.
#[test]
fn a3_9_who_does_not_teach_is_checked_all_the_same() {
    for mut config in both() {
        config.gbp = true;
        let mut node = node(config);
        node.vtep
            .fdb()
            .add(VNI, mac(9), NewEntry::to(node.vtep.remote(address(9)).unwrap()).as_static())
            .unwrap();
        for (source, reason) in [
            (MacAddr::BROADCAST, DropReason::InvalidSource),
            (MacAddr::ZERO, DropReason::InvalidSource),
            (mac(9), DropReason::SourceElsewhere),
        ] {
            let packet = outer(&node, &frame(mac(2), source, 0x88b5, &[])).bits(0x8040_0000_0000_0000);
            node.refuses(&packet.bytes(), reason);
        }
        let packet = outer(&node, &frame(mac(2), mac(9), 0x88b5, &[])).bits(0x8040_0000_0000_0000);
        node.delivers(&Outer { source: address(9), ..packet }.bytes());
    }
}

/// What `external` devices have as metadata: the segment and who sent it, as far as the tables know; a policy.
#[test]
fn a3_8_segment_and_sender_are_told() {
    for config in both() {
        let mut node = node(config);
        let sender = node.vtep.remote(address(1)).unwrap();
        let other = Vni::truncate(7);
        node.vtep.fdb().add_vni(other).unwrap();
        for vni in [VNI, other] {
            let packet = outer(&node, &FRAME).vni(vni);
            let deliver = |source| Output::Deliver { vni, source, port: None, policy: None, vlan: None };
            assert_eq!(node.receive(NOW, &packet.bytes()).0, deliver(Some(sender)));
            let frame = frame(mac(2), mac(3), 0x88b5, &[]);
            let stranger = Outer { source: address(77), frame, ..packet }.bytes();
            let output = node.receive(NOW, &stranger).0;
            let known = node.vtep.remotes().find(&Remote::new(address(77), config.dstport));
            assert_eq!(output, deliver(known));
        }
    }
}

#[test]
fn a3_6_less_than_an_ethernet_header_is_dropped() {
    for config in both() {
        let mut node = node(config);
        for len in 0..14 {
            node.refuses(&outer(&node, &FRAME[..len]).bytes(), tunnel::DropReason::InnerTruncated);
        }
        assert_eq!(node.delivers(&outer(&node, &FRAME).bytes()), FRAME, "14 bytes are a frame");
    }
}

#[test]
fn a3_10_frames_from_our_own_mac_are_dropped_learning_or_not() {
    for config in both() {
        for learning in [true, false] {
            let mut node = node(with(config, |c| (c.learning, c.address) = (learning, mac(1))));
            node.refuses(&outer(&node, &FRAME).bytes(), DropReason::OwnMac);
            let other = frame(mac(1), mac(2), 0x88b5, &[]);
            assert_eq!(node.delivers(&outer(&node, &other).bytes()), other, "to it is fine");
        }
    }
}

#[test]
fn a3_11_a_source_that_no_host_has_is_dropped_where_there_is_learning() {
    for config in both() {
        for source in [MacAddr::ZERO, MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
            let frame = frame(mac(2), source, 0x88b5, &[]);
            let mut node = node(config);
            node.refuses(&outer(&node, &frame).bytes(), DropReason::InvalidSource);
            let stranger = Outer { source: address(77), ..outer(&node, &frame) }.bytes();
            node.refuses(&stranger, DropReason::InvalidSource);
            let mut node = Node::new(2, with(config, |c| c.learning = false));
            assert_eq!(node.delivers(&outer(&node, &frame).bytes()), frame);
        }
    }
}

/// The kernel learns first and drops then; we learn last.
#[test]
fn a3_12_truncated_inner_headers_are_dropped_and_not_learned() {
    for config in both() {
        for (ethertype, need) in [(0x0800, 20), (0x86dd, 40)] {
            let mut node = node(config);
            let full = vec![if need == 20 { 0x45 } else { 0x60 }; need];
            for len in 0..need {
                let short = frame(mac(2), mac(1), ethertype, &full[..len]);
                node.refuses(&outer(&node, &short).bytes(), tunnel::DropReason::InnerTruncated);
                let stranger = Outer { source: address(77), ..outer(&node, &short) }.bytes();
                node.refuses(&stranger, tunnel::DropReason::InnerTruncated);
            }
            assert_eq!(where_is(&node, mac(1)), None);
            let whole = frame(mac(2), mac(1), ethertype, &full);
            assert_eq!(node.delivers(&outer(&node, &whole).bytes()), whole);
            // Nothing else is asked of them.
            let garbage = frame(mac(2), mac(1), ethertype, &vec![0xf0; need]);
            assert_eq!(node.delivers(&outer(&node, &garbage).bytes()), garbage);
        }
    }
}

#[test]
fn a3_13_ce_outside_and_not_ect_inside_is_dropped_and_not_learned() {
    for config in both() {
        let mut node = node(config);
        let packet = Outer { ds_field: 3, ..outer(&node, &datagram(mac(2), mac(1), 5)) };
        node.refuses(&packet.bytes(), tunnel::DropReason::InnerEcn);
        node.refuses(&Outer { source: address(77), ..packet }.bytes(), tunnel::DropReason::InnerEcn);
        assert_eq!(where_is(&node, mac(1)), None);
    }
}

/// The table of A9, rows inner, columns outer; the inner checksum follows.
#[test]
fn a9_all_cells_of_ecn_on_the_way_out() {
    let cells = [[0, 0, 0, 4], [1, 1, 1, 3], [2, 1, 2, 3], [3, 3, 3, 3]]; // 4: dropped
    for config in both() {
        for (inner, row) in (0..).zip(cells) {
            for (outside, expected) in (0..).zip(row) {
                let mut node = node(config);
                let mut original = datagram(mac(2), mac(1), 5);
                original[15] = 0xb8 | inner;
                let ip = fix_ipv4(original.split_off(14));
                original.extend(ip);
                let packet = Outer { ds_field: 0x20 | outside, ..outer(&node, &original) }.bytes();
                if expected == 4 {
                    node.refuses(&packet, tunnel::DropReason::InnerEcn);
                    continue;
                }
                let delivered = node.delivers(&packet);
                assert_eq!(delivered[15], 0xb8 | expected, "{inner} in {outside}");
                read_ipv4(&delivered[14..]);
                // With an inner VLAN tag, where the kernel does nothing.
                if config.inner_vlan {
                    let packet =
                        Outer { frame: tagged(7, &original), ds_field: 0x20 | outside, ..outer(&node, &[]) };
                    assert_eq!(node.delivers(&packet.bytes()), tagged(7, &delivered));
                }
            }
        }
    }
}

/// RFC 7348, section 6.1: tagged frames SHOULD be discarded unless configured otherwise; the kernel takes them.
#[test]
fn inner_vlan_tags_are_a_choice() {
    for config in both() {
        for inner_vlan in [false, true] {
            let mut node = node(with(config, |c| c.inner_vlan = inner_vlan));
            for frame in [tagged(7, &FRAME), tagged(0, &FRAME), tagged(7, &tagged(8, &FRAME))] {
                let packet = outer(&node, &frame).bytes();
                if inner_vlan {
                    assert_eq!(node.delivers(&packet), frame);
                    assert_eq!(where_is(&node, mac(1)), Some(address(1)));
                } else {
                    node.refuses(&packet, tunnel::DropReason::InnerVlan);
                }
            }
        }
    }
    assert_eq!((Config::new().inner_vlan, Config::linux().inner_vlan), (false, true));
}

#[test]
fn a3_15_what_is_delivered_is_counted() {
    for config in both() {
        let mut node = node(config);
        // Other hosts' frames, frames with a length instead of a type, frames to groups: all are delivered.
        let frames = [
            FRAME.to_vec(),
            frame(mac(77), mac(1), 100, &[3; 100]),
            frame(MacAddr::BROADCAST, mac(1), 0x88b5, &[]),
        ];
        for frame in &frames {
            assert_eq!(node.delivers(&outer(&node, frame).bytes()), *frame);
        }
        let bytes = frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
        assert_eq!(node.worker.counters().delivered_bytes, bytes);
        assert_eq!(node.worker.counters().drops().count(), 0);
    }
}

// ------------------------------------------------------------------------------------------------ not ours

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
