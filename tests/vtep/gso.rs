//! Frames that are cut into segments after they were put into a tunnel.

use encap::{
    table::Remote,
    tunnel::{Framing, Link, Ttl},
    vtep::{Config, DropReason, Gso, Output, OverlayMeta},
    wire::{MacAddr, ipv4, udp},
};

use crate::{common::*, frames::*};

fn meta(headers: u16, size: u16) -> OverlayMeta {
    let mut meta = OverlayMeta::new(VNI);
    meta.gso = Some(Gso::new(headers, size));
    meta
}

/// A frame of 9,000 bytes, to be cut into segments of 1,400 behind 42 bytes of headers.
fn long() -> Vec<u8> {
    datagram(mac(9), mac(1), 9_000 - 42)
}

fn node(config: Config) -> Node {
    Node::new(1, config).peers(&[2])
}

/// What the outer headers say is the whole; who cuts it is told how long the headers of each segment are.
#[test]
fn the_outer_headers_are_those_of_the_whole() {
    let ethernet = Framing::Ethernet(Link { source: mac(0xaa), next_hop: mac(0xbb), vlan: None });
    for (framing, link) in [(Framing::Ip, 0), (ethernet, 14)] {
        // With a TTL that is inherited the headers go the long way.
        for ttl in [Ttl::Auto, Ttl::Inherit] {
            let mut node = node(with(Config::new(), |c| (c.framing, c.ttl) = (framing, ttl)));
            let (output, packet) = node.send_with(NOW, &meta(42, 1_400), &long());
            let Output::Send { gso: Some(gso), .. } = output else { panic!("{output:?}") };
            assert_eq!((usize::from(gso.headers), gso.size), (42 + 36 + link, 1_400));
            let (ip, rest) = ipv4::Header::parse(&packet[link..]).unwrap();
            assert_eq!(usize::from(ip.total_len), 9_000 + 36);
            let (udp, _) = udp::Header::parse(rest).unwrap();
            assert_eq!((usize::from(udp.length), udp.checksum), (9_000 + 16, 0));
            assert_eq!(packet[link + 36..], long());
        }
    }
}

/// What must fit is a segment, not the frame.
#[test]
fn a11_segments_must_fit() {
    let mut node = node(Config::new());
    let limit = 1_500 - 36;
    let (output, _) = node.send_with(NOW, &meta(42, limit - 42), &long());
    assert!(matches!(output, Output::Send { .. }));
    let (output, _) = node.send_with(NOW, &meta(42, limit - 41), &long());
    assert_eq!(output, Output::Reply, "its sender is told");
    // One segment that is shorter than others could be.
    let short = |destination| datagram(destination, mac(1), 100);
    let (output, _) = node.send_with(NOW, &meta(42, limit), &short(mac(9)));
    assert!(matches!(output, Output::Send { gso: Some(_), .. }), "{output:?}");
    let mut node = node.peers(&[3]);
    let (output, frame) = node.send_with(NOW, &meta(42, limit), &short(MacAddr::BROADCAST));
    let Output::Replicate(flood) = output else { panic!("{output:?}") };
    assert_eq!(node.vtep.replicas(&mut node.worker, &flood, &frame).count(), 2);
    // To one host by several remotes it is no other than by one.
    for (size, fits) in [(limit - 42, true), (limit - 41, false)] {
        let (output, _) = node.send_with(NOW, &meta(42, size), &long());
        assert_eq!(matches!(output, Output::Replicate(_)), fits, "{output:?}");
        assert_eq!(output == Output::Reply, !fits, "{output:?}");
    }
}

#[test]
fn without_segments_there_are_none() {
    let mut node = node(Config::new());
    let (output, _) = node.send(NOW, &datagram(mac(9), mac(1), 10));
    assert!(matches!(output, Output::Send { gso: None, .. }));
}

/// Never a wrong length, never a wrong checksum.
#[test]
fn what_is_not_supported_is_refused() {
    let refused = |config: Config, frame: &[u8], meta: &OverlayMeta, reason| {
        let (output, same) = node(config).send_with(NOW, meta, frame);
        assert_eq!((output, &same[..]), (Output::Drop(reason), frame));
    };
    let whole = meta(42, 1_400);
    let sums = with(Config::new(), |c| c.udpcsum = true);
    refused(sums, &long(), &whole, DropReason::GsoUnsupported);
    let socket = with(Config::new(), |c| c.framing = Framing::Payload);
    refused(socket, &long(), &whole, DropReason::GsoUnsupported);
    // More than an IP packet holds.
    let longest = 65_535 - 36;
    refused(Config::new(), &datagram(mac(9), mac(1), longest + 1 - 42), &whole, DropReason::GsoUnsupported);
    let (output, _) = node(Config::new()).send_with(NOW, &whole, &datagram(mac(9), mac(1), longest - 42));
    assert!(matches!(output, Output::Send { .. }));
    // What cannot be.
    for (headers, size) in [(42, 0), (13, 1_400), (9_000, 1_400), (u16::MAX, 1)] {
        let (output, same) =
            node(with(Config::new(), |c| c.mtu = 65_535)).send_with(NOW, &meta(headers, size), &long());
        assert!(
            matches!(output, Output::Drop(DropReason::BadMeta | DropReason::TooBig) | Output::Reply),
            "{headers} {size}: {output:?}"
        );
        assert!(output == Output::Reply || same == long());
    }
}

/// Over IPv6 there is a checksum, unless both ends agreed that there is none.
#[test]
fn over_ipv6_only_without_checksums() {
    for zero in [false, true] {
        let config = with(Config::new().local(v6(1).into()), |c| c.udp6zerocsumtx = zero);
        let mut node = Node::new(1, config);
        let remote = node.vtep.add_remote(&Remote::new(v6(2).into(), 4789)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), remote).unwrap();
        let (output, _) = node.send_with(NOW, &meta(42, 1_300), &long());
        match zero {
            false => assert_eq!(output, Output::Drop(DropReason::GsoUnsupported)),
            true => assert!(matches!(output, Output::Send { gso: Some(gso), .. } if gso.headers == 42 + 56)),
        }
    }
}

#[test]
fn copies_are_cut_too() {
    let mut node = Node::new(1, Config::new()).peers(&[2, 3]);
    let mut frame = long();
    frame[..6].copy_from_slice(&MacAddr::BROADCAST.0);
    let (output, frame) = node.send_with(NOW, &meta(42, 1_400), &frame);
    let Output::Replicate(flood) = output else { panic!("{output:?}") };
    let copies: Vec<_> = node.vtep.replicas(&mut node.worker, &flood, &frame).collect();
    assert_eq!(copies.len(), 2);
    for copy in copies {
        assert_eq!(copy.gso, Some(Gso::new(42 + 36, 1_400)));
        let (ip, _) = ipv4::Header::parse(&copy.header).unwrap();
        assert_eq!(usize::from(ip.total_len), 9_000 + 36);
    }
    // A segment that does not fit anywhere.
    let (output, frame) = node.send_with(NOW, &meta(42, 1_460), &frame);
    let Output::Replicate(flood) = output else { panic!("{output:?}") };
    assert_eq!(node.vtep.replicas(&mut node.worker, &flood, &frame).count(), 0);
    assert_eq!(node.drops(DropReason::TooBig), 2);
}
