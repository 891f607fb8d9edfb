//! flannel's `udp` backend, with its defects mended.

mod errors;
mod others;

use encap::{
    Packet,
    table::{self, Capacity, Line, NextHop},
    tunnel::{self, DecapMeta, Framing, OuterFacts},
    vtep::{
        ConfigError, DropReason, Worker,
        ip_udp::{Backend, Config, Output},
    },
    wire::{
        icmp_quote::{self, Problem},
        icmpv4, icmpv6, ipv4, udp,
    },
};

use crate::common::*;

type Node = (Backend<Box<[Line]>>, Worker<'static>);

fn storage(capacity: Capacity) -> Box<[Line]> {
    (0..capacity.lines()).map(|_| Line::new()).collect()
}

/// The node at 192.0.2.1 with 10.5.1.0/24 and fd00:1::/64; behind 192.0.2.2 there are 10.5.2.0/24 and fd00:2::/64.
fn node(config: Config) -> Node {
    let capacity = Capacity { routes: 16, ..Capacity::NONE };
    let config = config.local(address(1)).address([10, 5, 1, 0].into()).address("fd00:1::".parse().unwrap());
    let backend = Backend::new(storage(capacity), config, capacity, [1, 2]).unwrap();
    for prefix in ["10.5.2.0/24", "fd00:2::/64"] {
        route(&backend, prefix, 2, 8_285);
    }
    (backend, Worker::new(1))
}

fn route(backend: &Backend<Box<[Line]>>, prefix: &str, last: u8, port: u16) {
    backend.routes().add(prefix.parse().unwrap(), NextHop::Peer { address: address(last), port }).unwrap();
}

/// An IPv4 packet from 10.5.1.9 with a TTL, a flag word, a protocol and a payload.
fn packet(to: [u8; 4], ttl: u8, flags: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [l0, l1] = (20 + payload.len() as u16).to_be_bytes();
    let [f0, f1] = flags.to_be_bytes();
    let [a, b, c, d] = to;
    let header = [0x45, 0, l0, l1, 0, 1, f0, f1, ttl, protocol, 0, 0, 10, 5, 1, 9, a, b, c, d];
    let header = ipv4::Header::from_bytes(&header).unwrap().with_checksum().fixed_bytes();
    [&header[..], payload].concat()
}

const DF: u16 = 0x4000;

fn ping(to: [u8; 4], ttl: u8) -> Vec<u8> {
    packet(to, ttl, DF, 17, &[7; 30])
}

fn send((backend, worker): &mut Node, ip: &[u8]) -> (Output, Vec<u8>) {
    let mut buffer = [&[0xee; ROOM][..], ip].concat();
    let mut packet = Packet::new(&mut buffer, ROOM, ip.len()).unwrap();
    let output = backend.handle_ip(worker, NOW, &mut packet);
    (output, packet.as_slice().to_vec())
}

fn to(last: u8, port: u16) -> Output {
    Output::Send { address: address(last), port }
}

#[test]
fn d1_the_datagram_is_the_packet_with_one_less_of_ttl() {
    let mut node = node(Config::new());
    let (output, sent) = send(&mut node, &ping([10, 5, 2, 9], 64));
    assert_eq!(output, to(2, 8_285));
    assert_eq!(sent, ping([10, 5, 2, 9], 63), "checksum and all");
    // The other node hands it on as it is: a crossing costs one.
    let mut other = self::node(Config::new());
    route(&other.0, "10.5.1.0/24", 3, 8_285);
    assert_eq!(receive(&mut other, 3, &sent), Output::Deliver);
}

/// What comes of a datagram from that peer.
fn receive((backend, worker): &mut Node, last: u8, datagram: &[u8]) -> Output {
    let mut buffer = datagram.to_vec();
    let mut packet = Packet::new(&mut buffer, 0, datagram.len()).unwrap();
    let meta = DecapMeta::new().outer(OuterFacts::new(address(last), address(1)));
    let output = backend.handle_underlay(worker, &meta, &mut packet);
    // Delivered or not, there are no headers of its own; what is behind the IP packet goes no further.
    let whole = match output {
        Output::Deliver => usize::from(u16::from_be_bytes([datagram[2], datagram[3]])),
        _ => datagram.len(),
    };
    assert_eq!(packet.as_slice(), &datagram[..whole]);
    output
}

/// A packet from behind 192.0.2.2 to a local host.
fn arriving(ttl: u8) -> Vec<u8> {
    let mut packet = ping([10, 5, 1, 9], ttl);
    packet[12..16].copy_from_slice(&[10, 5, 2, 9]);
    fix(&mut packet);
    packet
}

fn fix(packet: &mut [u8]) {
    let len = usize::from(packet[0] & 15) * 4;
    packet[10..12].fill(0);
    let sum = encap::wire::checksum::of(&packet[..len]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn d1_the_ttl_is_not_counted_on_arrival() {
    for ttl in [64, 1, 0] {
        // Whether it goes any further is for the host to say.
        assert_eq!(receive(&mut node(Config::new()), 2, &arriving(ttl)), Output::Deliver);
    }
}

#[test]
fn d1_what_is_cut_off_on_the_way_is_not_delivered() {
    let whole = arriving(64);
    for len in 0..whole.len() {
        let mut node = node(Config::new());
        let Output::Drop(reason) = receive(&mut node, 2, &whole[..len]) else { panic!("{len} bytes") };
        let expected = match len {
            0..20 => DropReason::Decap(tunnel::DropReason::InnerTruncated),
            _ => DropReason::FrameTruncated,
        };
        assert_eq!((reason, node.1.counters().dropped(reason)), (expected, 1));
    }
    let mut node = node(Config::new());
    assert_eq!(receive(&mut node, 2, &[0x55; 40]), Output::Drop(tunnel::DropReason::InnerNotIp.into()));
    let longer = [&whole[..], &[0; 3]].concat();
    assert_eq!(receive(&mut node, 2, &longer), Output::Deliver, "and no more than the packet");
    assert_eq!((node.1.counters().delivered, node.1.counters().delivered_bytes), (1, whole.len() as u64));
}

#[test]
fn d1_e_a_packet_comes_from_the_peer_that_its_source_is_behind() {
    let elsewhere = DropReason::SourceElsewhere;
    let foreign = |source: [u8; 4]| {
        let mut packet = arriving(64);
        packet[12..16].copy_from_slice(&source);
        fix(&mut packet);
        packet
    };
    let mut node = node(Config::new());
    route(&node.0, "10.5.3.0/24", 3, 8_285);
    for (source, from, expected) in [
        ([10, 5, 2, 9], 2, Output::Deliver),
        ([10, 5, 3, 9], 3, Output::Deliver),
        ([10, 5, 3, 9], 2, Output::Drop(elsewhere)),
        ([10, 5, 2, 9], 77, Output::Drop(elsewhere)), // nobody's
        ([10, 5, 1, 9], 2, Output::Drop(elsewhere)),  // our own
        ([203, 0, 113, 9], 2, Output::Drop(elsewhere)),
    ] {
        assert_eq!(receive(&mut node, from, &foreign(source)), expected, "{source:?} from {from}");
    }
    assert_eq!(node.1.counters().dropped(elsewhere), 4);
    // flannel asks nobody.
    let mut config = Config::new();
    config.check_source = false;
    assert_eq!(receive(&mut self::node(config), 77, &foreign([203, 0, 113, 9])), Output::Deliver);
}

#[test]
fn who_is_not_known_is_nobodys_peer() {
    let bare = |config: Config, packet: &[u8]| {
        let (backend, mut worker) = node(config);
        let mut buffer = packet.to_vec();
        let mut packet = Packet::new(&mut buffer, 0, packet.len()).unwrap();
        let output = backend.handle_underlay(&mut worker, &DecapMeta::new(), &mut packet);
        (output, packet.as_slice().to_vec(), worker.counters().dropped(DropReason::UnknownSender))
    };
    let refused = Output::Drop(DropReason::UnknownSender);
    assert_eq!(bare(Config::new(), &arriving(64)), (refused, arriving(64), 1));
    // Where nobody is asked, it does not matter.
    let mut config = Config::new();
    config.check_source = false;
    assert_eq!(bare(config, &arriving(64)), (Output::Deliver, arriving(64), 0));
    // Outer headers of ours say it themselves.
    let mut config = Config::new();
    config.framing = Framing::Ip;
    for (from, output) in [(2, Output::Deliver), (7, Output::Drop(DropReason::SourceElsewhere))] {
        let datagram = outer(from, &arriving(64));
        assert_eq!(bare(config, &datagram).0, output);
    }
}

/// `inner` in a datagram from that peer, from the outer IP header on.
fn outer(last: u8, inner: &[u8]) -> Vec<u8> {
    let len = 8 + inner.len() as u16;
    let udp = udp::Header { source_port: 8_285, destination_port: 8_285, length: len, checksum: 0 };
    crate::frames::ip(address(last), address(1), 17, 0, &[&udp.to_bytes()[..], inner].concat())
}

#[test]
fn packets_are_found_behind_a_tag_of_the_underlay() {
    for tag in [&[][..], &[0x81, 0, 0, 5]] {
        let link = |ethertype: u16| [&[2; 12][..], tag, &ethertype.to_be_bytes()].concat();
        let mut config = Config::new();
        config.framing = Framing::Ethernet(tunnel::Link { source: mac(1), next_hop: mac(2), vlan: None });
        let receive = |packet: &[u8]| {
            let node = node(config.local(crate::frames::v6(1).into()));
            route6(&node.0);
            let (backend, mut worker) = node;
            let mut buffer = packet.to_vec();
            let mut packet = Packet::new(&mut buffer, 0, packet.len()).unwrap();
            let output = backend.handle_underlay(&mut worker, &DecapMeta::new(), &mut packet);
            (output, packet.as_slice().to_vec())
        };
        let v4 = [link(0x0800), outer(2, &arriving(64))].concat();
        assert_eq!(receive(&v4), (Output::Deliver, arriving(64)), "{tag:?}");
        let mut inner = arriving(64);
        inner[14] = 6;
        fix(&mut inner);
        let len = 8 + inner.len() as u16;
        let udp = udp::Header { source_port: 8_285, destination_port: 8_285, length: len, checksum: 0 };
        let (from, to) = (crate::frames::v6(2), crate::frames::v6(1));
        let pseudo =
            encap::wire::checksum::Sum::pseudo_ipv6(from, to, encap::wire::IpProtocol::UDP, len.into());
        let datagram = [&udp.with_checksum(pseudo, &inner).to_bytes()[..], &inner].concat();
        let v6 = [link(0x86dd), crate::frames::ip(from.into(), to.into(), 17, 0, &datagram)].concat();
        assert_eq!(receive(&v6), (Output::Deliver, inner), "{tag:?}");
        assert_eq!(receive(&v6[..13]).0, Output::Pass);
    }
}

/// 10.5.6.0/24 is behind a peer that has IPv6.
fn route6(backend: &Backend<Box<[Line]>>) {
    let peer = NextHop::Peer { address: crate::frames::v6(2).into(), port: 8_285 };
    backend.routes().add("10.5.6.0/24".parse().unwrap(), peer).unwrap();
}

#[test]
fn d1_both_directions_use_the_port() {
    let mut config = Config::new();
    config.framing = Framing::Ip;
    let mut node = node(config);
    assert_eq!(tunnel::ip_udp::PORT, 8_285);
    let (output, sent) = send(&mut node, &ping([10, 5, 2, 9], 64));
    assert_eq!(output, to(2, 8_285));
    let (datagram, inner) = udp::Header::parse(&sent[20..]).unwrap();
    assert_eq!((datagram.source_port, datagram.destination_port), (8_285, 8_285));
    assert_eq!(inner, ping([10, 5, 2, 9], 63), "no header of its own");
}

#[test]
fn d1_the_mtu_is_that_of_the_underlay_without_headers() {
    let mtu = |set: fn(Config) -> Config| node(set(Config::new())).0.mtu();
    assert_eq!(mtu(|c| c), 1_472);
    assert_eq!(mtu(|c| c.local("2001:db8::1".parse().unwrap())), 1_452, "the least of both families");
    let nine = |mut c: Config| {
        c.mtu = 9_000;
        c
    };
    assert_eq!(mtu(nine), 8_972);
}

#[test]
fn d1_a_route_that_is_set_again_is_replaced_and_one_that_is_deleted_is_gone() {
    let mut node = node(Config::new());
    let (there, default) = ("10.5.2.0/24".parse().unwrap(), "0.0.0.0/0".parse().unwrap());
    let peer = |last| NextHop::Peer { address: address(last), port: 8_285 };
    node.0.routes().replace(there, peer(5)).unwrap();
    assert_eq!(send(&mut node, &ping([10, 5, 2, 1], 64)).0, to(5, 8_285));
    // A prefix of no bits is one like others.
    node.0.routes().add(default, peer(6)).unwrap();
    assert_eq!(send(&mut node, &ping([10, 5, 2, 1], 64)).0, to(5, 8_285));
    assert_eq!(send(&mut node, &ping([203, 0, 113, 1], 64)).0, to(6, 8_285));
    node.0.routes().delete(there).unwrap();
    assert_eq!(send(&mut node, &ping([10, 5, 2, 1], 64)).0, to(6, 8_285));
    node.0.routes().delete(default).unwrap();
    assert_eq!(send(&mut node, &ping([10, 5, 2, 1], 64)).0, Output::Reply);
}

#[test]
fn d1_the_longest_prefix_counts_and_each_peer_has_its_port() {
    let mut node = node(Config::new());
    route(&node.0, "10.5.0.0/16", 3, 9_000);
    route(&node.0, "10.5.2.128/25", 4, 9_001);
    assert_eq!(send(&mut node, &ping([10, 5, 2, 1], 64)).0, to(2, 8_285));
    assert_eq!(send(&mut node, &ping([10, 5, 2, 200], 64)).0, to(4, 9_001));
    assert_eq!(send(&mut node, &ping([10, 5, 77, 1], 64)).0, to(3, 9_000));
}

fn report(answer: &[u8]) -> Problem {
    icmp_quote::parse(answer).unwrap().problem
}

#[test]
fn d1_broken_packets_are_ignored() {
    let whole = ping([10, 5, 2, 9], 64);
    for len in 0..whole.len() {
        let mut node = node(Config::new());
        let (output, left) = send(&mut node, &whole[..len]);
        assert_eq!((output, &left[..]), (Output::Drop(DropReason::FrameTruncated), &whole[..len]));
    }
    for ihl in 0x40..0x45 {
        let mut short = whole.clone();
        short[0] = ihl;
        assert_eq!(send(&mut node(Config::new()), &short).0, Output::Drop(DropReason::FrameTruncated));
    }
}

#[test]
fn d1_ipv6_is_carried_too() {
    let mut node = node(Config::new());
    let ip = |to: &str, hop_limit| {
        let from: std::net::Ipv6Addr = "fd00:1::9".parse().unwrap();
        let to: std::net::Ipv6Addr = to.parse().unwrap();
        [&[0x60, 0, 0, 0, 0, 8, 17, hop_limit][..], &from.octets(), &to.octets(), &[0; 8]].concat()
    };
    assert_eq!(send(&mut node, &ip("fd00:2::1", 64)), (to(2, 8_285), ip("fd00:2::1", 63)));
    let no_route = icmpv6::Problem::Unreachable(icmpv6::Unreachable::NO_ROUTE);
    assert_eq!(report(&send(&mut node, &ip("fd00:3::1", 64)).1), Problem::V6(no_route));
    let exceeded = icmpv6::Problem::TimeExceeded(icmpv6::TimeExceeded::IN_TRANSIT);
    assert_eq!(report(&send(&mut node, &ip("fd00:2::1", 1)).1), Problem::V6(exceeded));
    // About an error, nobody is told.
    let mut error = ip("fd00:3::1", 64);
    (error[6], error[40]) = (58, 1);
    assert_eq!(send(&mut node, &error).0, Output::Drop(DropReason::NoRoute));
    let mut long = [&ip("fd00:2::1", 64)[..], &[0; 1_425]].concat();
    long[4..6].copy_from_slice(&1_433u16.to_be_bytes());
    let too_big = icmpv6::Problem::PacketTooBig { mtu: 1_472 };
    assert_eq!(report(&send(&mut node, &long).1), Problem::V6(too_big));
}

#[test]
fn d1_over_ipv6_too() {
    let (local, peer) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let mut node = node(Config::new().local(local));
    node.0
        .routes()
        .add("10.5.6.0/24".parse().unwrap(), NextHop::Peer { address: peer, port: 8_285 })
        .unwrap();
    let (output, sent) = send(&mut node, &ping([10, 5, 6, 9], 64));
    assert_eq!(output, Output::Send { address: peer, port: 8_285 });
    assert_eq!(sent, ping([10, 5, 6, 9], 63));
    assert_eq!(send(&mut node, &ping([10, 5, 2, 9], 64)).0, to(2, 8_285), "each family by its own socket");
}

#[test]
fn a_node_needs_an_address() {
    let capacity = Capacity { routes: 16, ..Capacity::NONE };
    let node = Backend::with_capacity(Config::new(), capacity, [1, 2]);
    let error = node.err();
    assert_eq!(error, Some(ConfigError::NoLocal));
    // It is no VTEP, and is not called one.
    let text = error.map(|error| error.to_string());
    assert_eq!(text.as_deref(), Some("a local address is needed, IPv4 or IPv6: `local` or `local6`"));
    assert!(Backend::with_capacity(Config::new().local(address(1)), capacity, [1, 2]).is_ok());
}

#[test]
fn settings_that_cannot_work() {
    let capacity = Capacity { routes: 16, ..Capacity::NONE };
    let build =
        |config: Config| Backend::with_capacity(config.local(address(1)), capacity, [1, 2]).map(|_| ()).err();
    for text in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"] {
        let address = text.parse().unwrap();
        let expected = ConfigError::AddressNotUnicast(address);
        assert_eq!(build(Config::new().address(address)), Some(expected));
    }
    let mut config = Config::new();
    for (next_hop, error) in [([0; 6], Some(ConfigError::NoNextHop)), ([2; 6], None)] {
        let next_hop = encap::wire::MacAddr(next_hop);
        config.framing = Framing::Ethernet(tunnel::Link { source: mac(1), next_hop, vlan: None });
        assert_eq!(build(config), error);
    }
}

#[test]
fn a_second_node_needs_storage_of_its_own() {
    let capacity = Capacity { routes: 16, ..Capacity::NONE };
    let lines = storage(capacity);
    let build = || Backend::new(&*lines, Config::new().local(address(1)), capacity, [1, 2]).err();
    assert_eq!(build(), None);
    assert_eq!(build(), Some(ConfigError::Tables(table::BuildError::Used)));
}

/// A route that covers the peer itself would have every datagram come back, to be wrapped once more.
#[test]
fn e_the_way_to_a_peer_does_not_lead_through_itself() {
    let mut config = Config::new();
    config.framing = Framing::Ip;
    let mut node = node(config);
    route(&node.0, "192.0.2.0/24", 2, 8_285);
    let (_, datagram) = send(&mut node, &ping([10, 5, 2, 9], 64));
    assert_eq!(send(&mut node, &datagram), (Output::Drop(DropReason::Loop), datagram.clone()));
    assert_eq!(node.1.counters().dropped(DropReason::Loop), 1);
    route(&node.0, "10.5.7.0/24", 1, 8_285);
    let to_ourselves = ping([10, 5, 7, 9], 64);
    assert_eq!(send(&mut node, &to_ourselves), (Output::Drop(DropReason::Loop), to_ourselves.clone()));
    // Others behind the peer, and to the peer from others, are no loop.
    for (at, byte) in [(15, 9), (19, 9)] {
        let mut other = datagram.clone();
        other[at] = byte;
        fix(&mut other);
        assert_eq!(send(&mut node, &other).0, to(2, 8_285));
    }
}
