//! What is behind a packet, below what hosts heed, or somebody else's.

use encap::{
    Packet,
    tunnel::{DecapMeta, Framing},
    vtep::{
        DropReason,
        ip_udp::{Config, Output},
    },
    wire::{checksum, udp},
};

use super::{node, ping, route, send, to};
use crate::{
    common::*,
    frames::{fix_ipv4, ip},
};

/// What is behind an IP packet in its buffer is none of it: it does not count, is not sent, and is not quoted.
#[test]
fn rfc791_bytes_behind_a_packet_are_none_of_it() {
    let mut config = Config::new();
    config.mtu = 1_300;
    let mut node = node(config);
    let whole = ping([10, 5, 2, 9], 64);
    for junk in [1, 10, 1_400] {
        let sent = send(&mut node, &[&whole[..], &vec![0xaa; junk]].concat());
        assert_eq!(sent, (to(2, 8_285), ping([10, 5, 2, 9], 63)));
    }
    // What is answered is about the packet alone.
    let last = ping([10, 5, 2, 9], 1);
    assert_eq!(send(&mut node, &[&last[..], &[0xaa; 9]].concat()), send(&mut node, &last));
}

/// Silently, whatever else there is to say of it.
#[test]
fn rfc1812_s5_2_2_a_wrong_header_checksum_is_not_forwarded() {
    let mut node = node(Config::new());
    for (to, ttl) in [([10, 5, 2, 9], 64), ([10, 5, 2, 9], 1), ([10, 99, 0, 1], 64)] {
        let whole = ping(to, ttl);
        for at in [4, 10, 15] {
            let mut broken = whole.clone();
            broken[at] ^= 0x40;
            let dropped = (Output::Drop(DropReason::Unroutable), broken.clone());
            assert_eq!(send(&mut node, &broken), dropped, "{to:?} {ttl} {at}");
        }
        // Options are covered, too.
        let mut longer = whole.clone();
        longer.splice(20..20, [1; 4]);
        (longer[0], longer[3]) = (0x46, longer[3] + 4);
        assert_eq!(send(&mut node, &longer).0, Output::Drop(DropReason::Unroutable));
        let sum = checksum::of(&[&longer[..10], &[0; 2], &longer[12..24]].concat());
        longer[10..12].copy_from_slice(&sum.to_be_bytes());
        assert_ne!(send(&mut node, &longer).0, Output::Drop(DropReason::Unroutable));
    }
}

/// RFC 1812, section 5.3.7; RFC 3927, section 2.7; RFC 4291, sections 2.5.2, 2.5.3 and 2.5.6: whatever the routes say.
#[test]
fn rfc4291_s2_5_what_no_router_forwards_stays_here() {
    let mut node = node(Config::new());
    for prefix in ["0.0.0.0/0", "::/0"] {
        route(&node.0, prefix, 2, 8_285);
    }
    let mut forwards = |source: &str, destination: &str| {
        let mut packet = ip(source.parse().unwrap(), destination.parse().unwrap(), 59, 0, &[]);
        let sent = send(&mut node, &packet);
        if sent.0 == Output::Drop(DropReason::Unroutable) {
            assert_eq!(sent.1, packet);
            return false;
        }
        // One less of TTL.
        let at = if packet[0] >> 4 == 4 { 8 } else { 7 };
        packet[at] -= 1;
        assert_eq!(sent, (to(2, 8_285), if at == 8 { fix_ipv4(packet) } else { packet }));
        true
    };
    for (host, of_no_router, groups) in [
        (
            "10.5.1.9",
            &["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "169.254.1.1", "255.255.255.255"][..],
            [("224.0.0.251", false), ("239.1.1.1", true)],
        ),
        ("fd00:1::9", &["::", "::1", "fe80::1", "febf::1"], [("ff02::1", false), ("ff05::1", true)]),
    ] {
        assert!(forwards(host, host));
        for address in of_no_router {
            assert!(!forwards(address, host) && !forwards(host, address), "{address}");
        }
        for (group, forwarded) in groups {
            assert!(!forwards(group, host) && forwards(host, group) == forwarded, "{group}");
        }
    }
}

/// RFC 8201, section 4: no host goes below 1,280, so nobody is told less.
#[test]
fn rfc8201_s4_nobody_is_told_of_an_mtu_below_1280() {
    let ipv6 = |len: u16| {
        let [l0, l1] = (len - 40).to_be_bytes();
        let (from, to): (std::net::Ipv6Addr, std::net::Ipv6Addr) =
            ("fd00:1::9".parse().unwrap(), "fd00:2::9".parse().unwrap());
        let front = [0x60, 0, 0, 0, l0, l1, 17, 64];
        [&front[..], &from.octets(), &to.octets(), &vec![7; usize::from(len) - 40]].concat()
    };
    for (mtu, told) in [(1_300, false), (1_308, true), (1_500, true)] {
        let mut config = Config::new();
        config.mtu = mtu;
        let output = send(&mut node(config), &ipv6(mtu - 28 + 1)).0;
        assert_eq!(output, if told { Output::Reply } else { Output::Drop(DropReason::TooBig) }, "{mtu}");
    }
}

/// With outer headers of our own all that comes is offered: what is somebody else's passes, whatever else is wrong with
/// it or hidden in it.
#[test]
fn what_is_for_somebody_else_passes() {
    for framing in [Framing::Ip, Framing::Payload] {
        let mut config = Config::new();
        config.framing = framing;
        let (backend, mut worker) = node(config);
        let mut give = |bytes: Vec<u8>| {
            let mut buffer = bytes;
            let len = buffer.len();
            let mut packet = Packet::new(&mut buffer, 0, len).unwrap();
            backend.handle_underlay(&mut worker, &DecapMeta::new(), &mut packet)
        };
        if framing == Framing::Payload {
            // A socket's datagrams are ours.
            assert!(matches!(give(vec![0; 10]), Output::Drop(_)));
            continue;
        }
        let datagram = |port: u16, payload: u16| {
            let header =
                udp::Header { source_port: 53, destination_port: port, length: 8 + payload, checksum: 0 };
            [&header.to_bytes()[..], &vec![0; payload.into()]].concat()
        };
        for (protocol, payload) in [(1, vec![8; 100]), (6, vec![8; 100]), (17, datagram(5_353, 92))] {
            let whole = ip(address(2), address(1), protocol, 0, &payload);
            let mut first = whole.clone();
            first[6] = 0x20;
            for packet in [whole, first] {
                assert_eq!(give(fix_ipv4(packet)), Output::Pass, "protocol {protocol}");
            }
        }
        // DHCP, from nobody to everybody; a packet to somebody else that is broken.
        assert_eq!(give(ip([0; 4].into(), [255; 4].into(), 17, 0, &datagram(67, 4))), Output::Pass);
        let mut broken = ip(address(2), address(9), 17, 0, &datagram(8_285, 4));
        broken[10] ^= 1;
        assert_eq!(give(broken), Output::Pass);
        // One of ours that is broken.
        let ours = ip(address(2), address(1), 17, 0, &datagram(8_285, 4));
        assert!(matches!(give(ours), Output::Drop(_)));
    }
}
