//! Keepalives, as Cisco's routers send them.

use encap::{
    Packet, packet,
    time::Instant,
    tunnel::{
        DecapMeta, DropReason, EncapError, Framing, Link, OuterFacts, Payload, Policy,
        gre::{Config, Received, Tunnel},
    },
    wire::{
        EtherType, IpProtocol, MacAddr, Pcp, VlanId,
        checksum::State,
        gre::{self, Header, Key},
        ipv4, ipv6,
    },
};

use super::{Set, outer, peer, receive, receive_at, to_peer, tunnel};
use crate::common::{edit, ends, fix_ipv4, ip};

const ANSWER: Header = Header::new(EtherType(0));
const REQUEST: Received = Received::KeepaliveRequest { sequence: None };

fn keepalive(tunnel: &mut Tunnel) -> Result<Vec<u8>, EncapError> {
    edit(b"whatever", |packet| tunnel.keepalive(packet)).map(|((), made)| made)
}

fn pair(v6: bool, set: impl Fn(Config) -> Config) -> (Tunnel, Tunnel) {
    let there = peer(v6, |c| set(c).ikey(Key(2)).okey(Key(1)));
    (tunnel(v6, |c| set(c).ikey(Key(1)).okey(Key(2))), there)
}

#[test]
fn b7_a_keepalive_is_a_packet_to_ourselves_inside_of_the_tunnel() {
    for v6 in [false, true] {
        let (mut here, _) = pair(v6, |c| c.seq(true).ocsum(true));
        let (a, b) = ends(v6);
        let made = keepalive(&mut here).unwrap();
        let ip_len = if v6 { 40 } else { 20 };
        let (header, inner) = Header::parse(&made[ip_len..]).unwrap();
        assert_eq!(header.protocol, if v6 { EtherType::IPV6 } else { EtherType::IPV4 });
        assert_eq!((header.key, header.sequence), (Some(Key(2)), Some(0)));
        assert_eq!(here.next_sequence(), 1, "it has a number as all packets");
        // What the remote will send back, with the key that we receive.
        let (answer, rest) = Header::parse(&inner[ip_len..]).unwrap();
        assert_eq!((answer.protocol, answer.key, rest), (EtherType(0), Some(Key(1)), &[][..]));
        assert_eq!(gre::verify(&inner[ip_len..]), State::Good);
        if v6 {
            let (ip, _) = ipv6::Header::parse(inner).unwrap();
            assert_eq!((ip.source, ip.destination, ip.hop_limit), (v6_of(b), v6_of(a), 255));
            assert_eq!((ip.next_header, usize::from(ip.payload_len)), (IpProtocol::GRE, inner.len() - 40));
        } else {
            let (ip, _) = ipv4::Header::parse(inner).unwrap();
            assert_eq!((std::net::IpAddr::V4(ip.source), std::net::IpAddr::V4(ip.destination)), (b, a));
            assert_eq!((ip.ttl, ip.protocol, usize::from(ip.total_len)), (255, IpProtocol::GRE, inner.len()));
            assert_eq!(ipv4::verify(&inner[..20]), State::Good);
        }
    }
}

fn v6_of(address: std::net::IpAddr) -> std::net::Ipv6Addr {
    match address {
        std::net::IpAddr::V6(address) => address,
        std::net::IpAddr::V4(_) => unreachable!(),
    }
}

#[test]
fn b7_the_remote_answers_and_the_sender_hears_it() {
    let vlan = Some((VlanId::truncate(7), Pcp::truncate(1)));
    let link = Link { source: MacAddr([2; 6]), next_hop: MacAddr([4; 6]), vlan };
    for framing in [Framing::Ip, Framing::Ethernet(link)] {
        for v6 in [false, true] {
            // Answers have neither numbers nor, where we send none, checksums: even strict ends take them.
            let plain: Set<'_> = &|c| c;
            let strict: Set<'_> = &|c| c.linux().keepalives(true).iseq(true).icsum(true);
            let all: Set<'_> = &|c| c.linux().keepalives(true).csum(true).seq(true);
            for (set, there_set) in [(plain, plain), (strict, plain), (all, all)] {
                let [at, later] = [1, 2].map(Instant::from_secs);
                let mut policy = Policy::RFC;
                policy.gre_reserved_bits = Default::default();
                let keyed = |c: Config| c.framing(framing).policy(policy);
                let mut here = tunnel(v6, |c| set(keyed(c)).ikey(Key(1)).okey(Key(2)));
                let mut there = peer(v6, |c| there_set(keyed(c)).ikey(Key(2)).okey(Key(1)));
                let request = keepalive(&mut here).unwrap();
                let (received, answer) = receive_at(&mut there, at, &request).unwrap();
                let sequence = (here.next_sequence() == 1).then_some(0);
                assert_eq!(received, Received::KeepaliveRequest { sequence });
                assert_eq!((there.last_received(), there.counters().rx_keepalives), (Some(at), 1));
                assert_eq!(there.counters().rx_packets, 0);
                // As it is framed, from the remote to us, with one hop less.
                let l3 = if framing == Framing::Ip { 0 } else { 18 };
                assert_eq!(answer[..l3], request[..l3]);
                if v6 {
                    assert_eq!(answer[l3 + 7], 254);
                } else {
                    assert_eq!((answer[l3 + 8], ipv4::verify(&answer[l3..l3 + 20])), (254, State::Good));
                }
                let (received, left) = receive_at(&mut here, later, &answer).unwrap();
                assert_eq!((received, left), (Received::KeepaliveAnswer, answer), "left as it was");
                assert_eq!((here.last_received(), here.counters().rx_keepalives), (Some(later), 1));
            }
        }
    }
}

/// A socket that the kernel writes the IP headers for: the answer is what it is to send.
#[test]
fn b7_answers_through_a_socket() {
    let (mut here, mut there) = pair(false, |c| c.framing(Framing::Payload));
    let request = keepalive(&mut here).unwrap();
    assert_eq!(request.len(), 8 + 20 + 8);
    let (received, answer) = receive(&mut there, &request).unwrap();
    let expected = Header { key: Some(Key(1)), ..ANSWER };
    assert_eq!((received, &answer[..]), (REQUEST, &expected.to_bytes()[..8]));
    assert_eq!(receive(&mut here, &answer).unwrap().0, Received::KeepaliveAnswer);
}

/// A socket that has a wildcard address: who takes a packet from it may be told which one it came to.
#[test]
fn b7_answers_from_a_wildcard_address() {
    for v6 in [false, true] {
        let (a, b) = ends(v6);
        let request = keepalive(&mut tunnel(v6, |c| c.framing(Framing::Payload))).unwrap();
        let any = ip(if v6 { "::" } else { "0.0.0.0" });
        let mut wildcard = Tunnel::new(any, a).framing(Framing::Payload).build().unwrap();
        let elsewhere = ip(if v6 { "2001:db8::9" } else { "192.0.2.9" });
        for (to, expected) in [
            (b, Ok((REQUEST, vec![0; 4]))),
            (elsewhere, Err(DropReason::InnerLoop)),
            (any, Err(DropReason::InnerLoop)),
        ] {
            let meta = DecapMeta::new().outer(OuterFacts::new(a, to));
            let received = edit(&request, |packet| wildcard.decap_with(Instant::ZERO, packet, &meta));
            assert_eq!(received, expected, "to {to}");
        }
    }
}

/// A socket that has taken the outer headers leaves no room for those of another kind.
#[test]
fn b7_an_answer_needs_room_for_its_ethernet_header() {
    for (vlan, len) in [(None, 14), (Some((VlanId::truncate(7), Pcp::truncate(1))), 18)] {
        let link = Link { source: MacAddr([2; 6]), next_hop: MacAddr([4; 6]), vlan };
        let request = keepalive(&mut tunnel(false, |c| c)).unwrap();
        let (a, b) = ends(false);
        let meta = DecapMeta::new().outer(OuterFacts::new(a, b));
        // What is stripped, GRE's four bytes, is room as well.
        for room in 0..20 {
            let mut there = peer(false, |c| c.framing(Framing::Ethernet(link)));
            let mut buffer = [&vec![7; room][..], &request[20..]].concat();
            let before = buffer.clone();
            let mut packet = Packet::new(&mut buffer, room, request.len() - 20).unwrap();
            let received = there.decap_with(Instant::ZERO, &mut packet, &meta);
            if room + 4 >= len {
                assert_eq!(received, Ok(REQUEST));
                assert_eq!(packet.as_slice()[..12], [[4; 6], [2; 6]].concat());
                assert_eq!(packet.len(), len + 24);
                continue;
            }
            assert_eq!(received, Err(DropReason::KeepaliveHeadroom));
            assert_eq!(there.counters().dropped(DropReason::KeepaliveHeadroom), 1);
            assert_eq!((packet.into_range(), buffer), ((room, request.len() - 20), before));
        }
    }
}

#[test]
fn b7_an_answer_is_from_the_remote_and_whole() {
    let header = Header { key: Some(Key(2)), ..ANSWER };
    let mut there = peer(false, |c| c.key(Key(2)));
    let mut verdict = |packet: &[u8]| receive(&mut there, packet).map(|(received, _)| received);
    assert_eq!(verdict(&to_peer(false, header, &[])), Ok(Received::KeepaliveAnswer));
    let bytes = header.to_bytes();
    let foreign = outer(ip("192.0.2.9"), ends(false).1, &bytes[..8]);
    assert_eq!(verdict(&foreign), Err(DropReason::OtherSource));
    assert_eq!(verdict(&to_peer(false, ANSWER, &[])), Err(DropReason::GreKey));
    let reserved = Header { reserved: gre::Reserved0::MUST_DISCARD, ..header };
    assert_eq!(verdict(&to_peer(false, reserved, &[])), Err(DropReason::GreReservedBits));
    let mut broken = to_peer(false, Header { checksum: Some(0), ..header }, &[]);
    broken[24] ^= 1;
    assert_eq!(verdict(&broken), Err(DropReason::GreChecksum));
    // Protocol 0 with something behind it is something else.
    assert_eq!(verdict(&to_peer(false, header, &[1; 30])), Err(DropReason::GreProtocol));
}

/// Everything that is almost a keepalive, and would run in circles.
#[test]
fn b7_what_is_no_keepalive_is_a_loop() {
    let (a, b) = ends(false);
    let good = outer(b, a, &[0, 0, 0, 0]);
    let mut there = peer(false, |c| c);
    let mut verdict = |inner: &[u8]| {
        let packet = to_peer(false, Header::new(EtherType::IPV4), inner);
        receive(&mut there, &packet).map(|(received, _)| received)
    };
    assert_eq!(verdict(&good), Ok(REQUEST));
    assert_eq!(verdict(&[&good[..], &[0xff; 9]].concat()), Ok(REQUEST), "padded");
    let changed = |at: usize, to: u8| {
        let mut inner = good.clone();
        inner[at] = to;
        fix_ipv4(&mut inner);
        inner
    };
    let mut wrong_checksum = good.clone();
    wrong_checksum[10] ^= 1;
    for inner in [
        changed(8, 1),        // its hops are used up
        changed(9, 4),        // not GRE
        changed(7, 1),        // a fragment
        changed(6, 0x20),     // the first one
        changed(15, 77),      // from somebody else
        changed(20, 0x80),    // cut off
        changed(20, 0x40),    // source routes
        changed(23, 1),       // of another protocol
        outer(b, a, &[0; 5]), // not empty
        outer(ip("192.0.2.3"), a, &[0; 4]),
        wrong_checksum,
    ] {
        assert_eq!(verdict(&inner), Err(DropReason::InnerLoop), "{inner:02x?}");
    }
}

#[test]
fn b7_linux_knows_no_keepalives() {
    let (a, b) = ends(false);
    let inner = outer(b, a, &[0, 0, 0, 0]);
    let request = to_peer(false, Header::new(EtherType::IPV4), &inner);
    let (received, left) = receive(&mut peer(false, Config::linux), &request).unwrap();
    assert!(matches!(received, Received::Packet(_)));
    assert_eq!(left, inner, "for whoever forwards it");
    let answer = to_peer(false, ANSWER, &[]);
    assert_eq!(receive(&mut peer(false, Config::linux), &answer).err(), Some(DropReason::GreTruncated));
    // Off, they are what they look like.
    let mut off = peer(false, |c| c.keepalives(false));
    assert_eq!(receive(&mut off, &request).err(), Some(DropReason::InnerLoop));
    assert_eq!(receive(&mut off, &answer).err(), Some(DropReason::GreKeepalive));
    // And on for somebody who wants Linux's other rules.
    let mut on = peer(false, |c| c.linux().keepalives(true));
    assert_eq!(receive(&mut on, &request).unwrap().0, REQUEST);
    assert_eq!(receive(&mut on, &answer).unwrap().0, Received::KeepaliveAnswer);
    let mut short = peer(false, |c| c.linux().keepalives(true).policy(Policy::LINUX));
    assert_eq!(receive(&mut short, &answer).err(), Some(DropReason::GreTruncated), "its policy was chosen");
}

#[test]
fn b7_not_on_tunnels_of_frames_nor_to_groups() {
    let mut frames = tunnel(false, |c| c.payload(Payload::Ethernet));
    assert_eq!(keepalive(&mut frames), Err(EncapError::NoKeepalives));
    assert_eq!(
        receive(&mut frames, &outer(ends(false).1, ends(false).0, &[0; 4])).err(),
        Some(DropReason::GreKeepalive)
    );
    let mut group = Tunnel::new(ends(false).0, ip("239.0.0.1")).build().unwrap();
    assert_eq!(keepalive(&mut group), Err(EncapError::NoKeepalives));
    assert_eq!(
        receive(&mut group, &outer(ends(false).1, ip("239.0.0.1"), &[0; 4])).err(),
        Some(DropReason::GreKeepalive)
    );
}

/// Who writes no IP header may leave the address to the socket: but nobody would get the answer.
#[test]
fn b7_not_from_a_wildcard_address() {
    for (local, remote) in [("0.0.0.0", "192.0.2.1"), ("::", "fd00::1")] {
        let mut wildcard = Tunnel::new(ip(local), ip(remote)).framing(Framing::Payload).build().unwrap();
        assert_eq!(keepalive(&mut wildcard), Err(EncapError::NoKeepalives), "{local}");
        assert_eq!(wildcard.counters().tx_errors, 1, "whatever the reason");
    }
}

#[test]
fn b7_a_keepalive_needs_room_and_leaves_the_packet_alone_without() {
    let mut here = tunnel(false, |c| c.oseq(true));
    let mut buffer = [7; 80];
    let need = 28 + 24;
    let mut packet = Packet::new(&mut buffer, need - 1, 3).unwrap();
    let error = packet::Error::Headroom { need, have: need - 1 };
    assert_eq!(here.keepalive(&mut packet), Err(error.into()));
    assert_eq!((packet.as_slice(), packet.headroom(), here.next_sequence()), (&[7; 3][..], need - 1, 0));
    assert_eq!(here.counters().tx_errors, 1);
    let mut packet = Packet::new(&mut buffer, need, 0).unwrap();
    here.keepalive(&mut packet).unwrap();
    assert_eq!((packet.headroom(), packet.len()), (0, need));
    here.set_mtu(51).unwrap();
    assert!(matches!(keepalive(&mut here), Err(EncapError::TooLong { len: 24, max: 23 })));
    assert_eq!((here.counters().tx_errors, here.counters().tx_packets), (2, 1));
}
