//! A tunnel to any remote: each packet goes where a route says.

use encap::{
    time::Instant,
    tunnel::{
        ConfigError, DecapMeta, DropReason, EncapError, EncapMeta, Framing, OuterFacts, Payload, Start,
        gre::{Arrived, Config, Received, Selector, Tunnel, Tunnels},
    },
    wire::{
        Ecn, EtherType, IpProtocol,
        gre::{Header, Key},
        ipv4,
    },
};

use super::{outer, receive};
use crate::common::{edit, ends, ip, ipv4_packet};

fn hub(v6: bool, set: impl FnOnce(Config) -> Config) -> Tunnel {
    let any = if v6 { ip("::") } else { ip("0.0.0.0") };
    set(Tunnel::new(ends(v6).0, any)).build().unwrap()
}

fn packet() -> Vec<u8> {
    ipv4_packet(Ecn::NotEct, true, 64, b"x")
}

#[test]
fn b5_each_packet_has_a_destination_of_its_own_and_all_share_the_numbers() {
    for v6 in [false, true] {
        for set in [(|c| c) as fn(Config) -> Config, Config::linux] {
            let mut hub = hub(v6, |c| set(c.key(Key(7)).oseq(true).csum(true)));
            let spokes = if v6 { ["2001:db8::2", "2001:db8::3"] } else { ["192.0.2.2", "192.0.2.3"] };
            for (number, spoke) in spokes.map(ip).into_iter().cycle().take(4).enumerate() {
                let next_hop = hub.next_hop(spoke).unwrap();
                let meta = EncapMeta::new();
                let header = hub.clone().header_to(&packet(), &next_hop, &meta).unwrap();
                let ((), made) = edit(&packet(), |packet| hub.encap_to(packet, &next_hop, &meta)).unwrap();
                assert_eq!([&header[..], &packet()].concat(), made);
                let here = hub.local();
                let mut there = set(Tunnel::new(spoke, here).key(Key(7)).csum(true)).build().unwrap();
                let (received, inner) = receive(&mut there, &made).unwrap();
                assert_eq!(inner, packet());
                let Received::Packet(facts) = received else { panic!("{received:?}") };
                assert_eq!(facts.encapsulation.sequence(), Some(number as u32));
                assert_eq!(facts.outer.unwrap().destination, spoke);
            }
            assert_eq!((hub.counters().tx_packets, hub.next_sequence()), (4, 4));
        }
    }
}

#[test]
fn b5_without_a_route_a_packet_goes_nowhere() {
    let mut hub = hub(false, |c| c.oseq(true));
    assert!(hub.remote().is_unspecified());
    let error = edit(&packet(), |packet| hub.encap(packet)).err();
    assert_eq!(error, Some(EncapError::NoDestination));
    assert_eq!(hub.header(&packet(), &EncapMeta::new()).err(), Some(EncapError::NoDestination));
    assert_eq!((hub.counters().tx_carrier_errors, hub.counters().tx_errors), (2, 2));
    assert_eq!(hub.next_sequence(), 0);
    let (any, six) = (ip("0.0.0.0"), ip("2001:db8::2"));
    assert_eq!(hub.next_hop(any).err(), Some(ConfigError::RemoteUnspecified(any)));
    let mixed = ConfigError::FamilyMismatch { local: ends(false).0, remote: six };
    assert_eq!(hub.next_hop(six).err(), Some(mixed));
    let own = ends(false).0;
    assert_eq!(hub.next_hop(own).err(), Some(ConfigError::RemoteIsLocal(own)));
}

#[test]
fn b3_a_tunnel_to_any_remote_takes_packets_from_all() {
    for v6 in [false, true] {
        let (a, b) = ends(v6);
        let mut hub = hub(v6, |c| c);
        let gre = [&Header::new(EtherType::IPV4).to_bytes()[..4], &packet()].concat();
        let third = if v6 { ip("2001:db8::3") } else { ip("192.0.2.3") };
        for spoke in [b, third] {
            assert_eq!(receive(&mut hub, &outer(spoke, a, &gre)).unwrap().1, packet());
        }
        let elsewhere = receive(&mut hub, &outer(b, third, &gre));
        assert_eq!(elsewhere.err(), Some(DropReason::OtherDestination));
        let own = receive(&mut hub, &outer(a, a, &gre));
        assert_eq!(own.err(), Some(DropReason::MartianSource));
        assert_eq!(hub.counters().rx_packets, 2);
        let any = if v6 { ip("::") } else { ip("0.0.0.0") };
        assert_eq!(hub.selector(3), Selector::new(3, Payload::Ip, a, any));
    }
}

/// Each sender counts for itself: one number for all of them would leave one that is heard.
#[test]
fn rfc2890_s2_2_numbers_of_many_senders_are_the_callers_to_judge() {
    for v6 in [false, true] {
        let (a, b) = ends(v6);
        let (any, group) = if v6 { (ip("::"), ip("ff0e::9")) } else { (ip("0.0.0.0"), ip("239.0.0.9")) };
        for many in [any, group] {
            let config = Tunnel::new(a, many);
            assert_eq!(config.seq(true).build().err(), Some(ConfigError::SequenceOfMany(many)));
            assert!(config.seq(true).linux().build().is_ok(), "for Linux they are one sender");
            let mut hub = config.oseq(true).build().unwrap();
            let to = if many == any { a } else { group };
            let mut gets = |source, sequence| {
                let header = Header { sequence: Some(sequence), ..Header::new(EtherType::IPV4) };
                let gre = [&header.to_bytes()[..8], &packet()].concat();
                match receive(&mut hub, &outer(source, to, &gre)).unwrap().0 {
                    Received::Packet(inner) => (inner.outer.unwrap().source, inner.encapsulation.sequence()),
                    other => panic!("{other:?}"),
                }
            };
            let third = if v6 { ip("2001:db8::3") } else { ip("192.0.2.3") };
            for (source, number) in [(b, 0), (b, 1), (third, 0), (b, 2)] {
                assert_eq!(gets(source, number), (source, Some(number)));
            }
        }
    }
}

/// As in Linux, where a tunnel with any addresses compares the value of the key alone, over IPv4, too.
#[test]
fn b3_who_is_found_for_a_packet_takes_it() {
    for v6 in [false, true] {
        let ((a, b), any) = (ends(v6), if v6 { ip("::") } else { ip("0.0.0.0") });
        for (of_packet, of_tunnel) in [(Some(0), None), (None, Some(0)), (Some(7), Some(7)), (Some(7), None)]
        {
            let config = Tunnel::new(any, any).framing(Framing::Payload);
            let config = of_tunnel.map_or(config, |key| config.key(Key(key)));
            for mut tunnel in [config, config.linux()].map(|config| config.build().unwrap()) {
                let header = Header { key: of_packet.map(Key), ..Header::new(EtherType::IPV4) };
                let gre = [&header.to_bytes()[..header.header_len()], &packet()].concat();
                let arrived = Arrived::read(&outer(b, a, &gre), Start::Ip).unwrap();
                let found = Tunnels::new(&[tunnel.selector(5)]).unwrap().find(&arrived);
                let meta = DecapMeta::new().outer(OuterFacts::new(b, a));
                let taken = edit(&gre, |packet| tunnel.decap_with(Instant::ZERO, packet, &meta));
                assert_eq!(taken.is_ok(), found.is_some(), "{of_packet:?} {of_tunnel:?}");
                assert_eq!(taken.is_ok(), of_packet.unwrap_or(0) == of_tunnel.unwrap_or(0));
            }
        }
    }
}

/// One with an address of its own tells no key from key zero over IPv4.
#[test]
fn b3_the_form_of_the_key_counts_where_one_address_does() {
    let (a, b) = ends(false);
    for set in [(|c| c) as fn(Config) -> Config, Config::linux] {
        for of_packet in [None, Some(Key(0))] {
            for of_tunnel in [None, Some(Key(0))] {
                let mut hub = hub(false, |c| of_tunnel.map_or(set(c), |key| set(c).key(key)));
                let header = Header { key: of_packet, ..Header::new(EtherType::IPV4) };
                let gre = [&header.to_bytes()[..header.header_len()], &packet()].concat();
                let refused = receive(&mut hub, &outer(b, a, &gre)).err();
                assert_eq!(refused, (of_packet != of_tunnel).then_some(DropReason::GreKey));
            }
        }
    }
}

#[test]
fn rfc2784_s3_1_a_loop_ends_at_a_hub_too() {
    let (a, b) = ends(false);
    let mut hub = hub(false, |c| c);
    // For the encapsulator, whoever that was.
    let mut back = outer(ip("10.1.0.7"), b, &[0; 20]);
    back[9] = IpProtocol::UDP.0;
    let header = ipv4::Header::parse(&back).unwrap().0.with_checksum().fixed_bytes();
    back[..20].copy_from_slice(&header);
    let gre = [&Header::new(EtherType::IPV4).to_bytes()[..4], &back].concat();
    assert_eq!(receive(&mut hub, &outer(b, a, &gre)).err(), Some(DropReason::InnerLoop));
    // What it has sent to this next hop already.
    let next_hop = hub.next_hop(b).unwrap();
    let mut wrap = |inner: &[u8]| edit(inner, |it| hub.encap_to(it, &next_hop, &EncapMeta::new()));
    let ((), made) = wrap(&packet()).unwrap();
    assert_eq!(wrap(&made).err(), Some(EncapError::Loop));
    // It has no single other end to keep alive.
    let keepalive = edit(b"x", |packet| hub.keepalive(packet));
    assert_eq!(keepalive.err(), Some(EncapError::NoKeepalives));
}
