//! flannel's `udp` backend (behaviour D1), with its defects mended.

use encap::{
    Packet,
    table::{Capacity, Line, NextHop},
    tunnel::DecapMeta,
    vtep::{
        ConfigError, DropReason, Worker,
        ip_udp::{Backend, Config, Output},
    },
    wire::{
        icmp_quote::{self, Problem},
        icmpv4, icmpv6, ipv4,
    },
};

use crate::common::*;

type Node = (Backend<Box<[Line]>>, Worker);

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
    let mut buffer = sent.clone();
    let mut packet = Packet::new(&mut buffer, 0, sent.len()).unwrap();
    assert_eq!(node.0.handle_underlay(&mut node.1, &DecapMeta::new(), &mut packet), Output::Deliver);
    assert_eq!(packet.as_slice(), sent);
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
fn d1_without_a_route_the_sender_is_told() {
    let (output, answer) = send(&mut node(Config::new()), &ping([10, 6, 0, 1], 64));
    assert_eq!(output, Output::Reply);
    assert_eq!(report(&answer), Problem::V4(icmpv4::Problem::Unreachable(icmpv4::Unreachable::NET)));
    assert_eq!(answer[12..20], [10, 5, 1, 0, 10, 5, 1, 9], "from the node to the sender");
    assert_eq!(answer[28..], ping([10, 6, 0, 1], 64), "the whole packet is quoted, and no byte more");
}

#[test]
fn d1_a_ttl_of_one_or_zero_goes_no_further() {
    for ttl in [0, 1] {
        let (output, answer) = send(&mut node(Config::new()), &ping([10, 5, 2, 9], ttl));
        assert_eq!(output, Output::Reply, "TTL {ttl}");
        let exceeded = icmpv4::Problem::TimeExceeded(icmpv4::TimeExceeded::IN_TRANSIT);
        assert_eq!(report(&answer), Problem::V4(exceeded));
    }
    assert_eq!(send(&mut node(Config::new()), &ping([10, 5, 2, 9], 2)).0, to(2, 8_285));
}

#[test]
fn d1_never_about_icmp_errors_or_later_fragments() {
    let error = packet([10, 6, 0, 1], 64, DF, 1, &[3, 0, 0, 0, 0, 0, 0, 0]);
    let fragment = packet([10, 6, 0, 1], 64, 1, 17, &[0; 8]);
    for silent in [error, fragment] {
        let mut node = node(Config::new());
        assert_eq!(send(&mut node, &silent), (Output::Drop(DropReason::NoRoute), silent));
        assert_eq!(node.1.counters().dropped(DropReason::NoRoute), 1);
    }
    // Where flannel is silent: a ping is no error.
    let echo = packet([10, 6, 0, 1], 64, DF, 1, &[8, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(send(&mut node(Config::new()), &echo).0, Output::Reply);
}

#[test]
fn what_is_too_long_is_told_and_never_fragmented() {
    let mut node = node(Config::new());
    let fits = packet([10, 5, 2, 9], 64, DF, 17, &[0; 1_452]);
    assert_eq!(send(&mut node, &fits).0, to(2, 8_285), "1,472 bytes and 28 of headers");
    let long = packet([10, 5, 2, 9], 64, DF, 17, &[0; 1_453]);
    let (output, answer) = send(&mut node, &long);
    assert_eq!(output, Output::Reply);
    assert_eq!(report(&answer), Problem::V4(icmpv4::Problem::FragmentationNeeded { mtu: 1_472 }));
    let without_df = packet([10, 5, 2, 9], 64, 0, 17, &[0; 1_453]);
    assert_eq!(send(&mut node, &without_df), (Output::Drop(DropReason::TooBig), without_df));
}

#[test]
fn errors_are_limited() {
    let mut node = node(Config::new());
    let answers = (0..200).filter(|_| send(&mut node, &ping([10, 6, 0, 1], 64)).0 == Output::Reply).count();
    assert_eq!(answers, 50, "a burst, and no more in the same moment");
    assert_eq!(node.1.counters().dropped(DropReason::NoRoute), 150);
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
fn ipv6_is_carried_too() {
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
}

#[test]
fn a_node_needs_an_address() {
    let capacity = Capacity { routes: 16, ..Capacity::NONE };
    let node = Backend::new(storage(capacity), Config::new(), capacity, [1, 2]);
    assert_eq!(node.err(), Some(ConfigError::NoLocal));
}
