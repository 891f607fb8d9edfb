//! ICMP errors about outer packets: only those about packets of ours count (behaviour A3, E).

use encap::{
    vtep::{Config, Output, Underlay},
    wire::{
        icmp_error,
        icmpv4::{self, Problem},
    },
};

use crate::common::*;

/// The error that a router at 192.0.2.254 sends about `packet`.
fn error(packet: &[u8], problem: Problem) -> Vec<u8> {
    let headers = icmp_error::ipv4(packet, problem, [192, 0, 2, 254].into(), 64).unwrap();
    [&headers.bytes[..], &packet[..headers.quote_len]].concat()
}

fn sent(node: &mut Node) -> Vec<u8> {
    let (output, packet) = node.send(NOW, &datagram(mac(2), mac(1), 1_000));
    assert!(matches!(output, Output::Send { .. }));
    packet
}

#[test]
fn a_smaller_mtu_is_taken_from_an_error_about_our_packet() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let remote = node.vtep.remote(address(2)).unwrap();
    let packet = sent(&mut node);
    let told = |node: &Node, mtu| {
        node.vtep.handle_underlay_icmp(&error(&packet, Problem::FragmentationNeeded { mtu }))
    };
    assert_eq!(told(&node, 1_000), Underlay::Mtu { remote, mtu: 1_000 });
    assert_eq!(node.vtep.remotes().get(remote).unwrap().mtu, 1_000);
    // The host is told next time: 1,000 bytes of payload do not fit any more.
    assert_eq!(node.send(NOW, &datagram(mac(2), mac(1), 1_000)).0, Output::Reply);
    // Never more again by an error, and never less than IPv4 promises.
    assert_eq!(told(&node, 1_400), Underlay::Mtu { remote, mtu: 1_400 });
    assert_eq!(node.vtep.remotes().get(remote).unwrap().mtu, 1_000);
    assert_eq!(told(&node, 1), Underlay::Mtu { remote, mtu: 576 });
}

#[test]
fn other_errors_are_told() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let remote = node.vtep.remote(address(2)).unwrap();
    let problem = Problem::Unreachable(icmpv4::Unreachable(1));
    let packet = error(&sent(&mut node), problem);
    let told = node.vtep.handle_underlay_icmp(&packet);
    assert_eq!(
        told,
        Underlay::Unreachable { remote, problem: encap::wire::icmp_quote::Problem::V4(problem) }
    );
}

/// Each byte of the quote that a forger would have to guess.
#[test]
fn forged_quotes_mean_nothing() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let packet = sent(&mut node);
    // Another source, another destination, a source port out of range, another destination port, no VNI flag,
    // an unknown VNI.
    for (at, value) in [(15, 9), (19, 9), (20, 0), (23, 0), (28, 0), (34, 9)] {
        let mut forged = packet.clone();
        forged[at] = value;
        let about = encap::wire::ipv4::Header::parse(&forged).unwrap().0.with_checksum().fixed_bytes();
        forged[..20].copy_from_slice(&about);
        let told = node.vtep.handle_underlay_icmp(&error(&forged, Problem::FragmentationNeeded { mtu: 600 }));
        assert_eq!(told, Underlay::NotOurs, "byte {at}");
    }
    assert_eq!(node.vtep.handle_underlay_icmp(&packet), Underlay::NotOurs);
    let remote = node.vtep.remote(address(2)).unwrap();
    assert_eq!(node.vtep.remotes().get(remote).unwrap().mtu, 0);
}
