//! Layer 1: VXLAN, and the frame inside.

use encap::{
    table::{NewEntry, Remote},
    tunnel::{self},
    vtep::{Config, DropReason, Output},
    wire::{IpProtocol, MacAddr, Vni, checksum::Sum},
};

use crate::{common::*, frames::*};

use super::{FRAME, both, node, outer, where_is};

/// RFC 768: a checksum that comes out as zero is sent as all ones, since zero would say that there is none. TCP has no
/// such rule.
#[test]
fn a3_9_a_udp_checksum_of_zero_that_was_left_to_us_is_sent_as_ones() {
    for (protocol, field, bit, expected) in [(17, 6, 0x80, 0xffff), (6, 16, 0, 0)] {
        let (from, to) = (v6(1), v6(2));
        let mut segment = [0x5a; 24];
        let pseudo = Sum::pseudo_ipv6(from, to, IpProtocol(protocol), 24);
        segment[field..field + 2].copy_from_slice(&pseudo.value().to_be_bytes());
        // Whatever makes the sum all ones.
        segment[22..].fill(0);
        let rest = Sum::ZERO.add_bytes(&segment).checksum();
        segment[22..].copy_from_slice(&rest.to_be_bytes());
        let frame = frame(mac(2), mac(1), 0x86dd, &ip(from.into(), to.into(), protocol, 0, &segment));
        let start = frame.len() - 24;
        let mut node = node(with(Config::new(), |c| c.remcsumrx = true));
        let packet = outer(&node, &frame).bits(0x0020_0000_0000_0000 | bit | (start / 2) as u64);
        let got = node.delivers(&packet.bytes());
        assert_eq!(u16::from_be_bytes([got[start + field], got[start + field + 1]]), expected);
    }
}

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
        let longer = [&frame[..], &[0; 8]].concat();
        let tcp = node.delivers(&Outer { vxlan: header(0x11), frame: longer.clone(), ..packet }.bytes());
        assert_eq!((&tcp[..50], &tcp[52..]), (&longer[..50], &longer[52..]));
        assert_ne!(tcp[50..52], longer[50..52]);
    }
    // Without the setting these are reserved bits.
    let packet = |node: &Node| Outer { vxlan: header(0x91), ..outer(node, &frame) }.bytes();
    let [mut ours, mut linux] = both().map(node);
    assert_eq!(ours.delivers(&packet(&ours)), frame);
    linux.refuses(&packet(&linux), tunnel::DropReason::VxlanReservedBits);
}

/// What was checked, and learned from, is what is delivered: neither the source nor the EtherType is a checksum's place,
/// nor anything else before the end of the IP header.
#[test]
fn a3_7_a_checksum_that_was_left_to_us_lies_behind_the_ip_header() {
    let ipv4 = datagram(mac(2), mac(1), 30);
    let mut options = ipv4[14..34].to_vec();
    (options[0], options[3]) = (0x46, 62);
    let options = fix_ipv4([&options[..], &[1; 4]].concat());
    let options = [&ipv4[..14], &options, &ipv4[34..]].concat();
    let ipv6 = ip(v6(1).into(), v6(2).into(), 17, 0, &[0x5a; 30]);
    let ipv6 = frame(mac(2), mac(1), 0x86dd, &ipv6);
    let other = frame(mac(2), mac(1), 0x88b5, &[0x5a; 60]);
    let cases = [
        (&ipv4, 34),
        (&options, 38),
        (&ipv6, 54),
        (&tagged(5, &ipv4), 38),
        (&tagged(5, &ipv6), 58),
        (&other, 254),
    ];
    for config in both() {
        for (frame, first) in cases {
            let mut node = node(with(config, |c| (c.remcsumrx, c.inner_vlan) = (true, true)));
            for start in (0..60).step_by(2) {
                for is_udp in [0x80, 0] {
                    let bits = 0x0020_0000_0000_0000 | is_udp | (start / 2);
                    let bytes = outer(&node, frame).bits(bits).bytes();
                    if start < first {
                        node.refuses(&bytes, DropReason::RemoteChecksum);
                        assert_eq!(where_is(&node, mac(1)), None, "nothing is learned from it");
                    } else if start == first {
                        node.delivers(&bytes);
                        let _ = node.vtep.fdb().delete(NOW, VNI, mac(1)).unwrap();
                    }
                }
            }
        }
    }
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

/// The table of RFC 6040, section 4.2: rows inner, columns outer; the inner checksum follows.
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
                // What cannot come about is counted, also where the host is known by now.
                assert_eq!(node.delivers(&packet), delivered);
                let is_odd = [(0, 1), (0, 2), (1, 2), (3, 1)].contains(&(inner, outside));
                let counted = node.worker.counters().ecn_suspicious;
                assert_eq!(counted, if is_odd { 2 } else { 0 }, "{inner} in {outside}");
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
