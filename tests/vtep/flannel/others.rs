//! What is behind a packet, below what hosts heed, or somebody else's.

use encap::{
    Packet,
    tunnel::{DecapMeta, Framing},
    vtep::{
        DropReason,
        ip_udp::{Config, Output},
    },
    wire::udp,
};

use super::{node, ping, send, to};
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
