//! Layer 0: IP and UDP.

use encap::{
    tunnel::{self},
    wire::checksum,
};

use crate::{common::*, frames::*};

use super::{FRAME, both, node, outer, over_ipv6};

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
        // A later one may be of anybody's datagram.
        node.passes(&fix_ipv4(broken(7, 1)));
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
