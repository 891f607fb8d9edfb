//! What a GRE endpoint takes and refuses: RFC 2784 and RFC 2890.

use std::net::IpAddr;

use encap::{
    tunnel::{
        DecapMeta, DropReason, EncapMeta, Encapsulation, Inner, OuterFacts, Payload, Policy, Profile, Start,
        gre, inspect,
    },
    wire::{
        Ecn, EtherType,
        checksum::State,
        gre::{Key, Reserved0},
    },
};

use crate::common::{any_frame, decap, edit, encap, ends, fix_ipv4, ipv4_packet, ipv6_packet};

/// The payload of the vectors: 33 bytes of IPv4.
fn payload() -> Vec<u8> {
    ipv4_packet(Ecn::NotEct, false, 64, b"hello")
}

/// An outer IPv4 packet around GRE bytes.
fn outer(gre: &[u8]) -> Vec<u8> {
    let total_len = (20 + gre.len()) as u16;
    let [l0, l1] = total_len.to_be_bytes();
    let mut packet = vec![0x45, 0, l0, l1, 0, 0, 0x40, 0, 64, 47, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    packet.extend(gre);
    fix_ipv4(&mut packet);
    packet
}

/// The same over IPv6, behind destination options with a tunnel encapsulation limit, as Linux sends it.
fn outer6(gre: &[u8]) -> Vec<u8> {
    let (a, b) = ends(true);
    let octets = |ip| match ip {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(_) => unreachable!(),
    };
    let [l0, l1] = ((gre.len() + 8) as u16).to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, l0, l1, 60, 64];
    packet.extend([octets(a), octets(b)].concat());
    packet.extend([47, 0, 4, 1, 4, 1, 1, 0]);
    packet.extend(gre);
    packet
}

fn receiver(
    set: impl FnOnce(encap::tunnel::Builder<gre::Gre>) -> encap::tunnel::Builder<gre::Gre>,
) -> gre::Endpoint {
    set(gre::Endpoint::new(ends(false).1)).build().unwrap()
}

fn receive(gre: &[u8]) -> Result<(Inner, Vec<u8>), DropReason> {
    decap(&receiver(|b| b), &outer(gre))
}

fn gre_packet(head: &[u8]) -> Vec<u8> {
    [head, &payload()].concat()
}

#[test]
fn b1_vectors_every_shape_in_both_directions() {
    let key = Key(0x0102_0304);
    let shapes: [(&[u8], bool, bool, bool); 5] = [
        (&[0, 0, 8, 0], false, false, false),
        (&[0x20, 0, 8, 0, 1, 2, 3, 4], true, false, false),
        (&[0x10, 0, 8, 0, 0, 0, 0, 7], false, true, false),
        (&[0x80, 0, 8, 0, 0x8c, 0x22, 0, 0], false, false, true),
        (&[0xb0, 0, 8, 0, 0x58, 0x15, 0, 0, 1, 2, 3, 4, 0, 0, 0, 7], true, true, true),
    ];
    let (a, b) = ends(false);
    for (head, keyed, sequence, checksum) in shapes {
        let keys = |b: encap::tunnel::Builder<gre::Gre>| if keyed { b.key(key) } else { b };
        let sender = keys(gre::Endpoint::new(a)).sequence(sequence).checksum(checksum).build().unwrap();
        let made =
            encap(&sender, &sender.remote(b).unwrap(), &EncapMeta::new().sequence(7), &payload()).unwrap();
        assert_eq!(made[20..], gre_packet(head));

        let (inner, back) = decap(&receiver(keys), &made).unwrap();
        assert_eq!((back, inner.protocol), (payload(), EtherType::IPV4));
        assert_eq!(inner.encapsulation.key(), keyed.then_some(key));
        assert_eq!(inner.encapsulation.sequence(), sequence.then_some(7));
        let Encapsulation::Gre { checksum: state, .. } = inner.encapsulation else { panic!() };
        assert_eq!(state, if checksum { State::Good } else { State::Absent });
    }
}

#[test]
fn b2_1_extension_headers_before_gre_are_walked() {
    let (_, b) = ends(true);
    let receiver = gre::Endpoint::new(b).build().unwrap();
    let (inner, back) = decap(&receiver, &outer6(&gre_packet(&[0, 0, 8, 0]))).unwrap();
    assert_eq!((back, inner.stripped), (payload(), 52));
}

#[test]
fn b2_1_link_padding_is_neither_payload_nor_summed() {
    let mut packet = outer(&gre_packet(&[0x80, 0, 8, 0, 0x8c, 0x22, 0, 0]));
    packet.extend([0xff; 7]);
    assert_eq!(decap(&receiver(|b| b), &packet).unwrap().1, payload());
}

/// All 65,536 flag words before enough bytes for any of them.
#[test]
fn b2_3_rfc2784_s2_3_every_flag_word() {
    for flags in 0..=u16::MAX {
        let [f0, f1] = flags.to_be_bytes();
        let mut gre = vec![f0, f1, 8, 0];
        if flags & 0x8000 != 0 {
            gre.extend([0; 4]);
        }
        gre.extend(vec![
            0;
            if flags & 0x2000 != 0 { 4 } else { 0 } + if flags & 0x1000 != 0 { 4 } else { 0 }
        ]);
        gre.extend(payload());
        if flags & 0x8000 != 0 {
            let checksum = encap::wire::checksum::of(&gre);
            [gre[4], gre[5]] = checksum.to_be_bytes();
        }
        let expected = if flags & 0x4000 != 0 {
            Some(DropReason::GreRouting)
        } else if flags & 7 != 0 {
            Some(DropReason::GreVersion)
        } else if flags & 0x0c00 != 0 {
            Some(DropReason::GreReservedBits) // bits 4 and 5; 6 to 12 are ignored
        } else if flags & 0x2000 != 0 {
            Some(DropReason::GreKey) // this tunnel has none
        } else {
            None
        };
        assert_eq!(receive(&gre).err(), expected, "{flags:#06x}");
    }
}

#[test]
fn b8_reserved_bits_by_policy() {
    let gre = gre_packet(&[0x08, 0x40, 8, 0]);
    for (mask, taken) in [(Reserved0::NONE, true), (Reserved0::MUST_DISCARD, false), (Reserved0::ALL, false)]
    {
        let mut policy = Policy::RFC;
        policy.gre_reserved_bits = mask;
        assert_eq!(decap(&receiver(|b| b.policy(policy)), &outer(&gre)).is_ok(), taken, "{mask:?}");
    }
}

#[test]
fn b2_3_the_header_that_the_flags_imply_must_be_there() {
    let whole = [0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for len in 0..whole.len() {
        assert_eq!(receive(&whole[..len]).err(), Some(DropReason::GreTruncated), "{len} bytes");
    }
}

/// What comes first in the kernel is told first.
#[test]
fn b2_2_the_shortest_length_comes_before_routing_and_version() {
    let linux = receiver(|b| b.policy(Policy::LINUX));
    let mut profile = Profile::ANALYSIS;
    (profile.start, profile.policy) = (Start::Ip, Policy::LINUX);
    for (flags, reason) in [
        ([0x40, 0], DropReason::GreRouting),
        ([0, 1], DropReason::GreVersion),
        ([0, 2], DropReason::GreVersion),
        ([0x08, 0x40], DropReason::GreReservedBits),
    ] {
        for len in 4..=12 {
            let packet = outer(&[&flags[..], &[8, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat()[..len]);
            let expected = if len < 12 { DropReason::GreTruncated } else { reason };
            assert_eq!(decap(&linux, &packet).err(), Some(expected), "{flags:02x?}, {len} bytes");
            // Version 1 has a form of its own to the analyser.
            let found = inspect(&packet, &profile).drop_reason();
            assert!(
                found == Some(expected) || flags == [0, 1] && len == 12,
                "{flags:02x?}, {len} bytes: {found:?}"
            );
        }
    }
}

#[test]
fn b2_4_rfc2784_s2_2_a_checksum_that_is_there_is_verified() {
    let good = gre_packet(&[0x80, 0, 8, 0, 0x8c, 0x22, 0, 0]);
    assert!(receive(&good).is_ok());
    for at in 4..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert_eq!(receive(&bad).err(), Some(DropReason::GreChecksum), "byte {at}");
    }
}

#[test]
fn b3_rfc2890_s2_1_a_key_must_be_the_tunnels() {
    let with = |key: u8| gre_packet(&[0x20, 0, 8, 0, 0, 0, 0, key]);
    let without = gre_packet(&[0, 0, 8, 0]);
    for (tunnel, packet, taken) in [
        (None, without.clone(), true),
        (None, with(0), false), // a key of zero is not the absence of one
        (Some(7), with(7), true),
        (Some(7), with(8), false),
        (Some(7), without, false),
        (Some(0), with(0), true),
    ] {
        let receiver = receiver(|b| tunnel.map_or(b.clone(), |key| b.key(Key(key))));
        let expected = (!taken).then_some(DropReason::GreKey);
        assert_eq!(decap(&receiver, &outer(&packet)).err(), expected, "{tunnel:?}");
    }
    assert!(DropReason::GreKey.is_not_ours());
}

#[test]
fn b3_keys_of_the_two_directions_are_independent() {
    let (a, b) = ends(false);
    let left = gre::Endpoint::new(a).input_key(Key(0x11_1111)).output_key(Key(0x22_2222)).build().unwrap();
    let right = gre::Endpoint::new(b).input_key(Key(0x22_2222)).output_key(Key(0x11_1111)).build().unwrap();
    for (from, to, address) in [(&left, &right, b), (&right, &left, a)] {
        let packet = encap(from, &from.remote(address).unwrap(), &EncapMeta::new(), &payload()).unwrap();
        assert_eq!(decap(to, &packet).unwrap().1, payload());
        assert!(decap(from, &packet).is_err(), "not for its sender");
    }
}

#[test]
fn b2_9_rfc2784_s2_4_a_protocol_that_the_tunnel_does_not_carry_is_discarded() {
    for protocol in [0x6558u16, 0x88be, 0x8847] {
        let [p0, p1] = protocol.to_be_bytes();
        let gre = [&[0, 0, p0, p1][..], &any_frame()].concat();
        assert_eq!(receive(&gre).err(), Some(DropReason::GreProtocol), "{protocol:#06x}");
    }
    let receiver = receiver(|b| b.payload(Payload::Ethernet));
    assert_eq!(decap(&receiver, &outer(&gre_packet(&[0, 0, 8, 0]))).err(), Some(DropReason::GreProtocol));
}

/// Directly over IP, in UDP, and behind a socket; to an analyser, too.
#[test]
fn b8_rfc2784_s3_1_a_packet_for_the_encapsulator_is_discarded() {
    for (v6, inner_v6) in [(false, false), (true, true), (false, true), (true, false)] {
        let (a, b) = ends(v6);
        let direct = gre::Endpoint::new(a).build().unwrap();
        let in_udp = gre::UdpEndpoint::new(a).build().unwrap();
        let meta = DecapMeta::new().outer(OuterFacts::new(a, b));
        for change in [0, 1] {
            let mut inner = if inner_v6 {
                ipv6_packet(Ecn::Ect0, 64, b"x")
            } else {
                ipv4_packet(Ecn::Ect0, false, 64, b"x")
            };
            let destination = if inner_v6 { &mut inner[24..40] } else { &mut inner[16..20] };
            match a {
                IpAddr::V4(a) => destination[..4].copy_from_slice(&a.octets()),
                IpAddr::V6(a) => destination.copy_from_slice(&a.octets()[..destination.len()]),
            }
            *destination.last_mut().unwrap() ^= change;
            let loops = (v6 == inner_v6 && change == 0).then_some(DropReason::InnerLoop);
            let packets = [
                encap(&direct, &direct.remote(b).unwrap(), &EncapMeta::new(), &inner).unwrap(),
                encap(&in_udp, &in_udp.remote(b).unwrap(), &EncapMeta::new(), &inner).unwrap(),
            ];
            for (policy, expected) in [
                (Policy::RFC, loops),
                (Policy::STRICT, loops),
                (Policy::LINUX, None),
                (Policy::ANALYSIS, None),
            ] {
                let there = gre::Endpoint::new(b).policy(policy).build().unwrap();
                let there_in_udp = gre::UdpEndpoint::new(b).policy(policy).build().unwrap();
                let [packet, datagram] = &packets;
                assert_eq!(decap(&there, packet).err(), expected);
                assert_eq!(decap(&there_in_udp, datagram).err(), expected);
                let behind = &packet[packet.len() - inner.len() - 4..];
                assert_eq!(edit(behind, |packet| there.decap_with(packet, &meta)).err(), expected);
                let mut profile = Profile::ANALYSIS;
                (profile.start, profile.policy) = (Start::Ip, policy);
                for packet in &packets {
                    let found = inspect(packet, &profile);
                    assert_eq!((found.layers().count(), found.drop_reason()), (1, expected));
                    assert_eq!(found.anomalies().first(), loops);
                }
                // A packet that a router has marked takes the long way.
                let mut marked = packet.clone();
                marked[1] |= if v6 { 0x30 } else { 3 };
                if !v6 {
                    fix_ipv4(&mut marked);
                }
                assert_eq!(decap(&there, &marked).err(), expected);
            }
        }
    }
}

#[test]
fn b2_10_b2_13_the_inner_header_must_be_there() {
    for (protocol, need) in [([0x08, 0x00], 20), ([0x86, 0xdd], 40)] {
        for len in [0, need - 1] {
            let gre = [&[0, 0][..], &protocol, &vec![0x45; len]].concat();
            assert_eq!(receive(&gre).err(), Some(DropReason::InnerTruncated), "{len} of {need} bytes");
        }
    }
    let receiver = receiver(|b| b.payload(Payload::Ethernet));
    let gre = [&[0, 0, 0x65, 0x58][..], &[2; 13]].concat();
    assert_eq!(decap(&receiver, &outer(&gre)).err(), Some(DropReason::InnerTruncated));
}

#[test]
fn b2_14_ecn_as_in_every_tunnel() {
    let gre = gre_packet(&[0, 0, 8, 0]);
    let mut packet = outer(&gre);
    packet[1] = Ecn::Ce.value();
    fix_ipv4(&mut packet);
    assert_eq!(decap(&receiver(|b| b), &packet).err(), Some(DropReason::InnerEcn));
}

#[test]
fn frames_and_both_ip_versions_are_carried() {
    let (a, b) = ends(true);
    let frames = |b: encap::tunnel::Builder<gre::Gre>| b.payload(Payload::Ethernet);
    let packets = |b: encap::tunnel::Builder<gre::Gre>| b;
    for (packet, protocol) in [
        (ipv4_packet(Ecn::NotEct, false, 64, b"x"), EtherType::IPV4),
        (ipv6_packet(Ecn::NotEct, 64, b"x"), EtherType::IPV6),
        (any_frame(), EtherType::TEB),
    ] {
        let set: &dyn Fn(_) -> _ = if protocol == EtherType::TEB { &frames } else { &packets };
        let sender = set(gre::Endpoint::new(a)).build().unwrap();
        let made = encap(&sender, &sender.remote(b).unwrap(), &EncapMeta::new(), &packet).unwrap();
        assert_eq!(u16::from_be_bytes([made[42], made[43]]), protocol.0);
        let (inner, back) = decap(&set(gre::Endpoint::new(b)).build().unwrap(), &made).unwrap();
        assert_eq!((back, inner.protocol), (packet, protocol));
    }
}
