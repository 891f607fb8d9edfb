//! What a tunnel sends: its headers, what it refuses, and RFC 7676.

use std::{collections::BTreeSet, net::Ipv4Addr};

use encap::{
    Packet,
    tunnel::{
        EncapError, EncapMeta, Framing, OuterDscp, Payload, Ttl,
        gre::{Config, Tunnel},
        icmp,
    },
    wire::{
        Dscp, Ecn, IpProtocol,
        checksum::State,
        gre::{self, Header, Key},
        icmpv4, icmpv6, ipv4, ipv6,
    },
};

use super::{Set, outer, peer, receive, send, tunnel};
use crate::common::{HEADROOM, any_frame, edit, ends, frame, ip, ipv4_packet, ipv6_packet};

fn arp() -> Vec<u8> {
    [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 8, 6], &[0; 28]].concat()
}

/// The outer IPv4 header that a packet gets.
fn outer4(set: impl FnOnce(Config) -> Config, inner: &[u8]) -> ipv4::Header {
    let made = send(&mut tunnel(false, set), inner).unwrap();
    assert_eq!(ipv4::verify(&made[..20]), State::Good);
    ipv4::Header::parse(&made).unwrap().0
}

fn outer6(set: impl FnOnce(Config) -> Config, inner: &[u8]) -> ipv6::Header {
    ipv6::Header::parse(&send(&mut tunnel(true, set), inner).unwrap()).unwrap().0
}

/// What the tunnel refuses for its length.
fn too_long(tunnel: &mut Tunnel, inner: &[u8]) -> bool {
    match send(tunnel, inner) {
        Ok(_) => false,
        Err(EncapError::TooLong { len, .. }) => {
            assert_eq!(len, inner.len());
            true
        }
        Err(error) => panic!("{error}"),
    }
}

fn inherit(c: Config) -> Config {
    c.pmtudisc(false).ttl(Ttl::Inherit)
}

#[test]
fn b5_flags_are_those_of_the_output_side() {
    let payload = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    for bits in 0..64 {
        let on = |bit: u8| bits >> bit & 1 == 1;
        let mut tunnel = tunnel(false, |c| {
            let c = c.icsum(on(0)).ocsum(on(1)).iseq(on(2)).oseq(on(3));
            let c = if on(4) { c.ikey(Key(1)) } else { c };
            if on(5) { c.okey(Key(2)) } else { c }
        });
        let made = send(&mut tunnel, &payload).unwrap();
        let (header, rest) = Header::parse(&made[20..]).unwrap();
        assert_eq!(rest, payload);
        assert_eq!(header.checksum.is_some(), on(1));
        assert_eq!(gre::verify(&made[20..]), if on(1) { State::Good } else { State::Absent });
        assert_eq!((header.sequence, header.key), (on(3).then_some(0), on(5).then_some(Key(2))));
        assert_eq!(header.reserved.value(), 0);
    }
}

#[test]
fn b5_the_protocol_is_that_of_the_inner_packet() {
    let protocol = |payload, inner: &[u8]| {
        let made = send(&mut tunnel(false, |c| c.payload(payload)), inner).unwrap();
        u16::from_be_bytes([made[22], made[23]])
    };
    assert_eq!(protocol(Payload::Ip, &ipv4_packet(Ecn::NotEct, false, 64, b"x")), 0x0800);
    assert_eq!(protocol(Payload::Ip, &ipv6_packet(Ecn::NotEct, 64, b"x")), 0x86dd);
    assert_eq!(protocol(Payload::Ethernet, &any_frame()), 0x6558);
}

#[test]
fn b4_numbers_start_at_zero_and_wrap_and_only_what_is_sent_has_one() {
    let mut tunnel = tunnel(false, |c| c.oseq(true).mtu(100));
    let packet = ipv4_packet(Ecn::NotEct, true, 64, b"x");
    for n in 0..3 {
        assert_eq!(tunnel.next_sequence(), n);
        let made = send(&mut tunnel, &packet).unwrap();
        assert_eq!(Header::parse(&made[20..]).unwrap().0.sequence, Some(n));
        assert!(send(&mut tunnel, &[0x45; 100]).is_err());
        assert!(tunnel.header(&[1; 30], &EncapMeta::new()).is_err());
    }
    let header = tunnel.header(&packet, &EncapMeta::new().sequence(99)).unwrap();
    assert_eq!(header[24..28], [0, 0, 0, 3], "a number of the caller's does not count");
    let counters = tunnel.counters();
    assert_eq!((counters.tx_packets, counters.tx_errors), (4, 6));
    assert_eq!(counters.tx_bytes, 4 * packet.len() as u64);
}

#[test]
fn b5_ttl_fixed_or_inherited_which_is_linuxs_default_over_ipv4() {
    let four = ipv4_packet(Ecn::NotEct, false, 7, b"x");
    let six = ipv6_packet(Ecn::NotEct, 7, b"x");
    for inner in [&four, &six] {
        assert_eq!(outer4(|c| c, inner).ttl, 64);
        assert_eq!(outer6(|c| c, inner).hop_limit, 64);
        assert_eq!(outer4(Config::linux, inner).ttl, 7);
        assert_eq!(outer6(Config::linux, inner).hop_limit, 64);
        assert_eq!(outer4(|c| c.linux().ttl(255), inner).ttl, 255);
        assert_eq!(outer6(|c| c.ttl(Ttl::Inherit), inner).hop_limit, 7);
    }
    // Not IP.
    assert_eq!(outer4(|c| c.payload(Payload::Ethernet).linux(), &arp()).ttl, 64);
}

#[test]
fn b5_tos_fixed_or_inherited() {
    let inner = ipv4_packet(Ecn::NotEct, false, 64, b"x"); // DSCP 46
    let dscp = |set: fn(Config) -> Config| {
        let dscp = outer4(set, &inner).dscp;
        assert_eq!(outer6(set, &inner).dscp, dscp);
        dscp.value()
    };
    assert_eq!(dscp(|c| c), 0);
    assert_eq!(dscp(|c| c.tos(Dscp::truncate(10))), 10);
    assert_eq!(dscp(|c| c.tos(OuterDscp::Inherit)), 46);
    let frames = |c: Config| c.payload(Payload::Ethernet).tos(OuterDscp::Inherit);
    assert_eq!(outer4(frames, &arp()).dscp.value(), 0);
}

#[test]
fn b5_a9_ecn_ours_and_linuxs_every_cell() {
    for inner in [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
        for packet in [ipv4_packet(inner, false, 64, b"x"), ipv6_packet(inner, 64, b"x")] {
            assert_eq!(outer4(|c| c, &packet).ecn, inner);
            assert_eq!(outer6(|c| c, &packet).ecn, inner);
            let linux = if inner == Ecn::Ce { Ecn::Ect0 } else { inner };
            assert_eq!(outer4(Config::linux, &packet).ecn, linux);
            // Over IPv6 Linux merges nothing, unless it copies the whole byte.
            assert_eq!(outer6(Config::linux, &packet).ecn, Ecn::NotEct);
            assert_eq!(outer6(|c| c.tos(OuterDscp::Inherit).linux(), &packet).ecn, inner);
        }
    }
}

#[test]
fn b5_df_always_or_as_inner_ipv4_or_never() {
    let cases = [
        (ipv4_packet(Ecn::NotEct, true, 64, b"x"), true),
        (ipv4_packet(Ecn::NotEct, false, 64, b"x"), false),
        (ipv6_packet(Ecn::NotEct, 64, b"x"), false),
    ];
    for (inner, inherited) in cases {
        let frame = frame(&[0x81, 0, 0, 5], &inner);
        for (payload, packet) in [(Payload::Ip, &inner), (Payload::Ethernet, &frame)] {
            let df = |set: Set<'_>| outer4(|c| set(c.payload(payload)), packet).dont_fragment;
            assert!(df(&|c| c) && df(&|c| c.linux()));
            assert_eq!(df(&inherit), inherited);
            assert!(!df(&|c| inherit(c).ignore_df(true)));
        }
    }
}

#[test]
fn rfc6864_s4_outer_packets_without_df_are_numbered() {
    let packet = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    let numbers = |mut tunnel: Tunnel| {
        let mut id = || ipv4::Header::parse(&send(&mut tunnel, &packet).unwrap()).unwrap().0.identification;
        [id(), id(), id()]
    };
    let [first, rest @ ..] = numbers(tunnel(false, inherit));
    assert_eq!(rest, [first.wrapping_add(1), first.wrapping_add(2)]);
    // Fragments of two tunnels between the same hosts are told apart by nothing else (RFC 791, section 3.2).
    let all: [Set<'_>; 4] =
        [&inherit, &|c| inherit(c).key(Key(1)), &|c| inherit(c).key(Key(2)), &|c| inherit(c).seed(1)];
    let firsts: BTreeSet<_> = all.iter().map(|set| numbers(tunnel(false, set))[0]).collect();
    assert_eq!(firsts.len(), all.len());
}

#[test]
fn b5_oversize_with_path_mtu_discovery() {
    for set in [(|c| c) as fn(Config) -> Config, Config::linux] {
        for v6 in [false, true] {
            let mut tunnel = tunnel(v6, |c| set(c).mtu(1500));
            let fits = tunnel.mtu();
            for df in [false, true] {
                assert!(!too_long(&mut tunnel, &ipv4_packet(Ecn::NotEct, df, 64, &vec![0; fits - 28])));
                assert!(too_long(&mut tunnel, &ipv4_packet(Ecn::NotEct, df, 64, &vec![0; fits - 27])));
            }
            assert!(!too_long(&mut tunnel, &ipv6_packet(Ecn::NotEct, 64, &vec![0; fits - 48])));
            assert!(too_long(&mut tunnel, &ipv6_packet(Ecn::NotEct, 64, &vec![0; fits - 47])));
        }
    }
}

#[test]
fn b5_oversize_without_path_mtu_discovery_is_for_the_outer_packet_to_be_fragmented() {
    let mut tunnel = tunnel(false, |c| inherit(c).mtu(1500));
    assert!(!too_long(&mut tunnel, &ipv4_packet(Ecn::NotEct, true, 64, &[0; 1476 - 28])));
    assert!(too_long(&mut tunnel, &ipv4_packet(Ecn::NotEct, true, 64, &[0; 1477 - 28])));
    assert!(!too_long(&mut tunnel, &ipv4_packet(Ecn::NotEct, false, 64, &[0; 9000])));
    assert!(!too_long(&mut tunnel, &ipv6_packet(Ecn::NotEct, 64, &[0; 1476 - 48])));
    assert!(too_long(&mut tunnel, &ipv6_packet(Ecn::NotEct, 64, &[0; 1477 - 48])));
    // Whatever is done to it: an outer packet has at most 65,535 bytes.
    let longest = 65_535 - 24;
    let error = EncapError::TooLong { len: longest + 1, max: longest };
    let packet = |len: usize| [&[0x45][..], &vec![0; len - 1]].concat();
    assert_eq!(send(&mut tunnel, &packet(longest + 1)), Err(error));
    assert!(send(&mut tunnel, &packet(longest)).is_ok());

    let mut ignoring = super::tunnel(false, |c| inherit(c).ignore_df(true).mtu(1500));
    assert!(!too_long(&mut ignoring, &ipv4_packet(Ecn::NotEct, true, 64, &[0; 9000])));
    assert!(too_long(&mut ignoring, &ipv6_packet(Ecn::NotEct, 64, &[0; 9000])));
    let mut frames = super::tunnel(false, |c| inherit(c).payload(Payload::Ethernet).mtu(100));
    assert!(!too_long(&mut frames, &[arp(), vec![0; 100]].concat()), "not IP");
    assert!(too_long(&mut frames, &frame(&[], &ipv4_packet(Ecn::NotEct, true, 64, &[0; 100]))));
}

#[test]
fn b8_rfc7676_s3_1_1280_bytes_of_ipv6_get_through() {
    let smallest = ipv6_packet(Ecn::NotEct, 64, &[0; 1280 - 48]);
    // Where 1280 bytes fit, or the underlay fragments.
    assert!(!too_long(&mut tunnel(false, |c| c.mtu(1304)), &smallest));
    for mtu in [1303, 600] {
        assert!(!too_long(&mut tunnel(false, |c| inherit(c).mtu(mtu)), &smallest));
        assert!(too_long(&mut tunnel(false, |c| c.mtu(mtu)), &smallest), "such a tunnel is not for IPv6");
    }
    let one_more = ipv6_packet(Ecn::NotEct, 64, &[0; 1281 - 48]);
    for (mtu, refused) in [(1303, false), (1304, true)] {
        assert_eq!(too_long(&mut tunnel(false, |c| inherit(c).mtu(mtu)), &one_more), refused, "{mtu}");
    }
}

#[test]
fn b5_the_sender_of_a_packet_that_is_too_long_is_told() {
    let mut tunnel = tunnel(false, |c| c.mtu(1400).seq(true));
    let told = |tunnel: &mut Tunnel, inner: &[u8]| {
        let mut buffer = [&[0; HEADROOM][..], inner].concat();
        let mut packet = Packet::new(&mut buffer, HEADROOM, inner.len()).unwrap();
        assert!(matches!(tunnel.encap(&mut packet), Err(EncapError::TooLong { .. })));
        if inner[0] >> 4 == 4 {
            let router = Ipv4Addr::new(10, 1, 0, 254);
            icmp::report_ipv4(&mut packet, tunnel.fragmentation_needed(), router, 64).unwrap();
        } else {
            let router = "fd01::fe".parse().unwrap();
            icmp::report_ipv6(&mut packet, tunnel.packet_too_big(), router, 64).unwrap();
        }
        packet.as_slice().to_vec()
    };
    let report = told(&mut tunnel, &ipv4_packet(Ecn::NotEct, true, 64, &[0; 1400]));
    let (header, message) = ipv4::Header::parse(&report).unwrap();
    assert_eq!(header.destination, Ipv4Addr::new(10, 1, 0, 1));
    let problem = icmpv4::Header::parse(message).unwrap().0.problem();
    assert_eq!(problem, Some(icmpv4::Problem::FragmentationNeeded { mtu: 1372 }));
    let report = told(&mut tunnel, &ipv6_packet(Ecn::NotEct, 64, &[0; 1400]));
    let (_, message) = ipv6::Header::parse(&report).unwrap();
    let problem = icmpv6::Header::parse(message).unwrap().0.problem();
    assert_eq!(problem, Some(icmpv6::Problem::PacketTooBig { mtu: 1372 }));
    tunnel.set_mtu(1000).unwrap();
    assert_eq!(tunnel.packet_too_big(), icmpv6::Problem::PacketTooBig { mtu: 1280 });
    assert_eq!(tunnel.next_sequence(), 0);
}

#[test]
fn e_a_tunnel_does_not_wrap_its_own_packets() {
    for v6 in [false, true] {
        let inner = ipv4_packet(Ecn::NotEct, false, 64, b"x");
        let mut here = tunnel(v6, |c| c);
        let made = send(&mut here, &inner).unwrap();
        assert_eq!(send(&mut here, &made), Err(EncapError::Loop));
        // Something else between the two hosts, and GRE between others, is a packet as any.
        let mut other = made.clone();
        other[if v6 { 6 } else { 9 }] = IpProtocol::UDP.0;
        assert!(send(&mut here, &other).is_ok());
        let (a, b) = ends(v6);
        assert!(send(&mut here, &outer(b, a, &[0; 4])).is_ok());
        for set in [(|c| c.discard_loops(false)) as fn(Config) -> Config, Config::linux] {
            assert!(send(&mut tunnel(v6, set), &made).is_ok());
        }
        // Where a socket has the address, that may be any of this host's.
        let any = if v6 { ip("::") } else { ip("0.0.0.0") };
        let mut wildcard = Tunnel::new(any, b).framing(Framing::Payload).build().unwrap();
        assert_eq!(send(&mut wildcard, &made), Err(EncapError::Loop));
        // Through another tunnel of this host, it comes back all the same.
        let third = if v6 { ip("2001:db8::3") } else { ip("192.0.2.3") };
        let mut detour = Tunnel::new(a, third).build().unwrap();
        let made = send(&mut detour, &made).unwrap();
        assert_eq!(send(&mut here, &made), Err(EncapError::Loop));
        assert_eq!((here.counters().collisions, here.counters().tx_errors), (2, 2));
    }
}

/// The key tells tunnels between two hosts apart (RFC 2890, section 2.1), as what they carry does.
#[test]
fn e_rfc2890_s2_1_one_tunnel_in_another_between_the_same_hosts_is_no_loop() {
    for v6 in [false, true] {
        let inner = ipv4_packet(Ecn::NotEct, false, 64, b"x");
        let mut tunnels = [None, Some(Key(0)), Some(Key(1))].map(|key| {
            tunnel(v6, |c| match key {
                Some(key) => c.ikey(Key(9)).okey(key),
                None => c,
            })
        });
        for one in 0..3 {
            let made = send(&mut tunnels[one], &inner).unwrap();
            for other in 0..3 {
                match send(&mut tunnels[other], &made) {
                    // Round and round through both is one.
                    Ok(twice) => assert_eq!(send(&mut tunnels[one], &twice), Err(EncapError::Loop)),
                    Err(error) => assert_eq!((error, one), (EncapError::Loop, other)),
                }
            }
        }
        let mut frames = tunnel(v6, |c| c.payload(Payload::Ethernet));
        let made = send(&mut frames, &frame(&[], &inner)).unwrap();
        assert!(send(&mut tunnels[0], &made).is_ok());
    }
}

#[test]
fn b5_a_host_wraps_a_packet_five_times_and_no_more() {
    for v6 in [false, true] {
        for payload in [Payload::Ip, Payload::Ethernet] {
            // Frames are bridged from one tunnel to the other, each adding its headers and a new Ethernet header.
            let link = |ip: Vec<u8>| if payload == Payload::Ip { ip } else { frame(&[], &ip) };
            for set in [(|c| c.discard_loops(false)) as fn(Config) -> Config, Config::linux] {
                let set = |c: Config| set(c.payload(payload).encap_limit(None));
                let mut here = tunnel(v6, set);
                let mut packet = ipv4_packet(Ecn::NotEct, false, 64, b"x");
                for _ in 0..5 {
                    packet = send(&mut here, &link(packet)).unwrap();
                }
                assert_eq!(send(&mut here, &link(packet.clone())), Err(EncapError::Loop));
                assert_eq!((here.counters().tx_packets, here.counters().collisions), (5, 1));
                // What others have wrapped does not count.
                let mut elsewhere = Tunnel::new(ends(v6).1, ends(v6).0).payload(payload).build().unwrap();
                assert!(send(&mut elsewhere, &link(packet)).is_ok());
            }
        }
    }
}

#[test]
fn b5_ip6gre_does_not_wrap_what_comes_from_its_remote() {
    let (a, b) = ends(true);
    let mut inner = outer(b, a, &[0; 8]);
    inner[6] = IpProtocol::UDP.0;
    assert_eq!(send(&mut tunnel(true, Config::linux), &inner), Err(EncapError::Loop));
    let frames = |c: Config| c.payload(Payload::Ethernet).linux();
    assert_eq!(send(&mut tunnel(true, frames), &frame(&[], &inner)), Err(EncapError::Loop));
    assert!(send(&mut tunnel(true, |c| c), &inner).is_ok());
    // Nothing of the kind over IPv4.
    let (a, b) = ends(false);
    let mut inner = outer(b, a, &[0; 8]);
    inner[9] = IpProtocol::UDP.0;
    assert!(send(&mut tunnel(false, Config::linux), &inner).is_ok());
}

#[test]
fn packets_go_in_place_or_apart_and_through_a_socket() {
    for v6 in [false, true] {
        let set = |c: Config| c.framing(Framing::Payload).csum(true).seq(true).key(Key(7));
        let packet = ipv6_packet(Ecn::NotEct, 64, b"x");
        let (mut one, mut other, mut there) = (tunnel(v6, set), tunnel(v6, set), peer(v6, set));
        let meta = EncapMeta::new();
        let ((), made) = edit(&packet, |packet| one.encap_with(packet, &meta)).unwrap();
        let header = other.header(&packet, &meta).unwrap();
        assert_eq!((header.len(), made.clone()), (16, [&header[..], &packet].concat()));
        assert_eq!(receive(&mut there, &made).unwrap().1, packet);
        let mut buffer = packet.clone();
        let mut no_room = Packet::new(&mut buffer, 0, packet.len()).unwrap();
        assert!(matches!(one.encap(&mut no_room), Err(EncapError::Packet(_))));
        assert_eq!(one.next_sequence(), 1);
    }
}
