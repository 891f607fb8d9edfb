//! The tunnel encapsulation limit over IPv6 (RFC 2473, section 4.1.1).

use encap::{
    Packet, packet,
    tunnel::{
        ConfigError, EncapError, EncapMeta, Framing, Link, Payload,
        gre::{Config, Tunnel},
        icmp,
    },
    wire::{Ecn, IpProtocol, MacAddr, checksum::State, gre, icmp_quote, icmpv6, ipv6},
};

use super::{peer, receive, send, tunnel};
use crate::common::{edit, ends, frame, ipv4_packet, ipv6_packet};

/// The IPv6 packet of the tests, with this limit in its destination options.
fn limited(limit: u8) -> Vec<u8> {
    let plain = ipv6_packet(Ecn::NotEct, 64, b"x");
    let mut packet = [&plain[..40], &[17, 0, 4, 1, limit, 1, 1, 0], &plain[40..]].concat();
    packet[5] += 8;
    packet[6] = IpProtocol::DESTINATION_OPTIONS.0;
    packet
}

/// What stands between an outer IPv6 header and GRE.
fn options(made: &[u8]) -> Option<&[u8]> {
    let (header, rest) = ipv6::Header::parse(made).unwrap();
    assert_eq!(usize::from(header.payload_len), rest.len());
    match header.next_header {
        IpProtocol::GRE => None,
        IpProtocol::DESTINATION_OPTIONS => Some(&rest[..8]),
        other => panic!("{other:?}"),
    }
}

fn linux(c: Config) -> Config {
    c.csum(true).seq(true).linux()
}

#[test]
fn b5_linux_sends_a_limit_of_four_and_we_send_none() {
    for packet in [ipv4_packet(Ecn::NotEct, true, 64, b"x"), ipv6_packet(Ecn::NotEct, 64, b"x")] {
        let made = send(&mut tunnel(true, linux), &packet).unwrap();
        assert_eq!(options(&made), Some(&[47, 0, 4, 1, 4, 1, 1, 0][..]));
        assert_eq!(gre::verify(&made[48..]), State::Good, "the options are not summed");
        assert_eq!(receive(&mut peer(true, linux), &made).unwrap().1, packet, "and walked through");
        assert_eq!(options(&send(&mut tunnel(true, |c| c), &packet).unwrap()), None);
        let set = |c: Config| c.encap_limit(Some(9));
        assert_eq!(options(&send(&mut tunnel(true, set), &packet).unwrap()).unwrap()[4], 9);
        let none = |c: Config| c.linux().encap_limit(None);
        assert_eq!(options(&send(&mut tunnel(true, none), &packet).unwrap()), None);
    }
    let tunnel = tunnel(true, linux);
    assert_eq!((tunnel.overhead(), tunnel.headroom()), (40 + 8 + 12, 40 + 8 + 12));
}

#[test]
fn b5_rfc2473_s4_1_1_an_inner_limit_becomes_one_less() {
    for limit in [1, 2, 5, 255] {
        let made = send(&mut tunnel(true, Config::linux), &limited(limit)).unwrap();
        assert_eq!(options(&made).unwrap()[4], limit - 1);
        let frames = |c: Config| c.payload(Payload::Ethernet).linux();
        let made = send(&mut tunnel(true, frames), &frame(&[0x81, 0, 0, 5], &limited(limit))).unwrap();
        assert_eq!(options(&made).unwrap()[4], limit - 1);
    }
    // Tunnels in tunnels count down, and then it is over: here after five, as Linux's own limit says.
    let other = |c: Config| c.encap_limit(Some(2)).discard_loops(false);
    let (mut here, mut packet) = (tunnel(true, other), ipv6_packet(Ecn::NotEct, 64, b"x"));
    for left in [2, 1, 0] {
        packet = send(&mut here, &packet).unwrap();
        assert_eq!(options(&packet).unwrap()[4], left);
    }
    assert_eq!(send(&mut here, &packet), Err(EncapError::EncapLimit { at: 44 }));
}

/// Whether a limit is configured or not (RFC 2473, section 4.1.1, c).
#[test]
fn b5_rfc2473_s4_1_1_an_inner_limit_goes_outside_of_a_tunnel_without_one() {
    let link = Link { source: MacAddr([2; 6]), next_hop: MacAddr([4; 6]), vlan: None };
    for set in [
        (|c| c) as fn(Config) -> Config,
        |c| c.linux().encap_limit(None),
        |c| c.csum(true).seq(true).key(gre::Key(7)),
    ] {
        for framing in [Framing::Ip, Framing::Ethernet(link)] {
            for (payload, tags) in [(Payload::Ip, None), (Payload::Ethernet, Some(&[0x81, 0, 0, 5][..]))] {
                let set = |c: Config| set(c.framing(framing).payload(payload)).discard_loops(false);
                let l3 = if framing == Framing::Ip { 0 } else { 14 };
                for limit in [1, 2, 255] {
                    let packet = tags.map_or(limited(limit), |tags| frame(tags, &limited(limit)));
                    let (mut here, mut there) = (tunnel(true, set), peer(true, set));
                    let apart = here.header(&packet, &EncapMeta::new()).unwrap();
                    let (mut here, plain_len) = (tunnel(true, set), here.overhead());
                    let made = send(&mut here, &packet).unwrap();
                    assert_eq!(made, [&apart[..], &packet].concat(), "in place or apart");
                    assert_eq!(options(&made[l3..]).unwrap(), [47, 0, 4, 1, limit - 1, 1, 1, 0]);
                    assert_eq!(made.len(), plain_len + 8 + packet.len());
                    assert_ne!(gre::verify(&made[l3 + 48..]), State::Bad, "the options are not summed");
                    assert_eq!(receive(&mut there, &made).unwrap().1, packet);
                    // Others have no more than they had.
                    let plain = ipv6_packet(Ecn::NotEct, 64, b"x");
                    let plain = tags.map_or(plain.clone(), |tags| frame(tags, &plain));
                    assert_eq!(options(&send(&mut here, &plain).unwrap()[l3..]), None);
                }
            }
        }
    }
    // To any remote as well; and through one tunnel after the other it counts down.
    let (a, b) = ends(true);
    let mut any = Tunnel::new(a, "::".parse().unwrap()).discard_loops(false).build().unwrap();
    let next_hop = any.next_hop(b).unwrap();
    let mut packet = limited(3);
    for left in [2, 1, 0] {
        packet = edit(&packet, |packet| any.encap_to(packet, &next_hop, &EncapMeta::new())).unwrap().1;
        assert_eq!(options(&packet).unwrap()[4], left);
    }
    let last = edit(&packet, |packet| any.encap_to(packet, &next_hop, &EncapMeta::new()));
    assert_eq!(last.err(), Some(EncapError::EncapLimit { at: 44 }));
}

#[test]
fn rfc2473_s4_1_1_room_for_the_limit() {
    let packet = limited(3);
    let (len, need) = (packet.len(), 40 + 8 + 4);
    // Of the MTU.
    let mut here = tunnel(true, |c| c.mtu(need + len));
    assert!(send(&mut here, &packet).is_ok());
    here.set_mtu(need + len - 1).unwrap();
    let too_long = EncapError::TooLong { len, max: len - 1 };
    assert_eq!(send(&mut here, &packet), Err(too_long));
    assert_eq!(here.header(&packet, &EncapMeta::new()), Err(too_long));
    assert_eq!((here.mtu(), here.counters().tx_errors), (len + 7, 2), "of others more fits");
    // Of the buffer.
    let mut here = tunnel(true, |c| c);
    assert_eq!((here.overhead(), here.headroom()), (need - 8, need));
    for room in [need - 1, need] {
        let mut buffer = [&vec![7; room][..], &packet].concat();
        let mut packet = Packet::new(&mut buffer, room, len).unwrap();
        let missing = packet::Error::Headroom { need, have: room };
        assert_eq!(here.encap(&mut packet), if room < need { Err(missing.into()) } else { Ok(()) });
    }
    // Not over IPv4, and not where a socket writes the IP header.
    let socket = |c: Config| c.framing(Framing::Payload);
    for mut here in [tunnel(false, |c| c), tunnel(true, socket)] {
        assert_eq!(here.headroom(), here.overhead());
        assert_eq!(send(&mut here, &packet).unwrap().len(), here.overhead() + len);
    }
}

/// What looks like IPv6 in a frame of another protocol is none.
#[test]
fn rfc2473_s4_1_1_only_ipv6_has_a_limit() {
    for limit in [0, 1, 5] {
        let other = [&[2; 12][..], &[0x99, 0x99], &limited(limit)].concat();
        let frames = |c: Config| c.payload(Payload::Ethernet);
        let made = send(&mut tunnel(true, |c| frames(c).encap_limit(Some(9))), &other).unwrap();
        assert_eq!(options(&made).unwrap()[4], 9, "the tunnel's own");
        assert_eq!(options(&send(&mut tunnel(true, frames), &other).unwrap()), None);
    }
}

#[test]
fn b5_a_limit_of_zero_is_a_parameter_problem() {
    let ours = |c: Config| c;
    for set in [ours as fn(Config) -> Config, Config::linux] {
        let mut here = tunnel(true, set);
        let error = EncapError::EncapLimit { at: 44 };
        assert_eq!(send(&mut here, &limited(0)), Err(error));
        let frames = &mut tunnel(true, |c| set(c).payload(Payload::Ethernet));
        assert_eq!(send(frames, &frame(&[], &limited(0))), Err(error), "counted from its IP header");
        assert_eq!((here.counters().tx_errors, here.next_sequence()), (1, 0));
        // Over IPv4 nothing is said of it.
        assert!(send(&mut tunnel(false, set), &limited(0)).is_ok());
    }
    let problem = icmpv6::Problem::ParameterProblem { code: 0, pointer: 44 };
    let router = "fd01::fe".parse().unwrap();
    let ((), report) = edit(&limited(0), |packet| icmp::report_ipv6(packet, problem, router, 64)).unwrap();
    let report = icmp_quote::parse(&report).unwrap();
    assert_eq!(report.problem, icmp_quote::Problem::V6(problem));
}

#[test]
fn b6_a_limit_is_for_ipv6_and_for_who_writes_its_header() {
    let (a, b) = ends(false);
    let error = Tunnel::new(a, b).encap_limit(Some(4)).build().err();
    assert_eq!(error, Some(ConfigError::EncapLimitOnIpv4(a)));
    assert!(Tunnel::new(a, b).encap_limit(None).build().is_ok());
    let socket = |c: Config| c.linux().framing(Framing::Payload);
    let packet = ipv6_packet(Ecn::NotEct, 64, b"x");
    let made = send(&mut tunnel(true, socket), &packet).unwrap();
    assert_eq!(made, [&[0, 0, 0x86, 0xdd][..], &packet].concat(), "options are the socket's");
    assert_eq!(tunnel(true, |c| socket(c).mtu(1500)).mtu(), 1456);
}
