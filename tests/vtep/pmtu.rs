//! Frames that are too long for the underlay: who is told, and what.

use std::net::Ipv6Addr;

use encap::{
    Packet,
    table::{Capacity, NextHop, Remote},
    vtep::{Config, DropReason, Output, OverlayMeta, TooBig, Vtep, Worker},
    wire::{MacAddr, checksum::State, icmpv4, icmpv6, ipv4, ipv6, udp},
};

use crate::{common::*, frames::*};

pub(crate) fn both() -> [Config; 2] {
    [Config::new(), Config::linux()]
}

/// VTEP 1 with a way of this MTU to host 9.
fn node(config: Config, mtu: u16) -> Node {
    let node = Node::new(1, with(config, |c| c.inner_vlan = true));
    let remote = node.vtep.add_remote(&Remote::new(address(2), config.dstport).mtu(mtu)).unwrap();
    node.vtep.fdb().add(VNI, mac(9), remote).unwrap();
    node
}

/// Outer IPv4, UDP, VXLAN.
pub(crate) const OVERHEAD: usize = 20 + 8 + 8;

pub(crate) fn told(node: &mut Node, frame: &[u8]) -> Vec<u8> {
    let before = node.worker.counters().replies;
    let (output, reply) = node.send(NOW, frame);
    assert_eq!(output, Output::Reply);
    assert_eq!(node.worker.counters().replies, before + 1);
    assert_eq!((&reply[..6], &reply[6..12]), (&frame[6..12], &frame[..6]), "back to where it came from");
    reply
}

/// Nobody can be told that the frame is too long: it is dropped, or with Linux sent all the same, to be fragmented.
fn untold(node: &mut Node, frame: &[u8]) {
    if node.vtep.config().too_big == TooBig::Tell {
        return node.refuses_frame(frame, DropReason::TooBig);
    }
    let packet = node.sends(frame, 2);
    assert_eq!(packet[OVERHEAD..], *frame);
    let (header, _) = read_ipv4(&packet);
    assert_eq!((usize::from(header.total_len), header.dont_fragment), (packet.len(), false));
}

/// An IPv6 packet in a frame of this length.
pub(crate) fn sized6(destination: MacAddr, source: MacAddr, len: usize) -> Vec<u8> {
    let udp = udp::Header { source_port: 1, destination_port: 2, length: (len - 54) as u16, checksum: 1 };
    let payload = [&udp.to_bytes()[..], &vec![0x5a; len - 62]].concat();
    frame(destination, source, 0x86dd, &ip(v6(1).into(), v6(9).into(), 17, 0, &payload))
}

#[test]
fn a_frame_of_exactly_the_limit_passes_and_one_more_byte_does_not() {
    for config in both() {
        for mtu in [1_000, 1_500, 1_400] {
            let mut node = node(config, mtu);
            let limit = usize::from(mtu) - OVERHEAD;
            let packet = node.sends(&sized(mac(9), mac(1), limit, true), 2);
            assert_eq!(packet.len(), usize::from(mtu));
            told(&mut node, &sized(mac(9), mac(1), limit + 1, true));
            // Not about IP: dropped.
            untold(&mut node, &frame(mac(9), mac(1), 0x88b5, &vec![0; limit - 13]));
        }
        // Without one of its own the remote has the configured MTU.
        let mut node = node(with(config, |c| c.mtu = 1_300), 0);
        assert_eq!(node.sends(&sized(mac(9), mac(1), 1_300 - OVERHEAD, true), 2).len(), 1_300);
        told(&mut node, &sized(mac(9), mac(1), 1_301 - OVERHEAD, true));
        // The smaller one counts, whichever that is.
        let id = node.vtep.remote(address(2)).unwrap();
        node.vtep.remotes().set_mtu(id, 9_000).unwrap();
        told(&mut node, &sized(mac(9), mac(1), 1_301 - OVERHEAD, true));
        node.vtep.remotes().set_mtu(id, 1_200).unwrap();
        told(&mut node, &sized(mac(9), mac(1), 1_201 - OVERHEAD, true));
    }
}

#[test]
fn a11_ipv4_with_df_is_told_fragmentation_needed() {
    for config in both() {
        let mut node = node(config, 1_500);
        let frame = sized(mac(9), mac(1), 1_500, true);
        let reply = told(&mut node, &frame);
        let (header, message) = read_ipv4(&reply[14..]);
        let (about, _) = read_ipv4(&frame[14..]);
        assert_eq!((header.source, header.destination), (about.destination, about.source));
        assert_eq!((header.dont_fragment, header.identification), (true, 0));
        // RFC 1812, section 4.3.2.5: precedence 6; the kernel's has none.
        assert_eq!(reply[15], 0xc0);
        assert_eq!((reply.len(), header.total_len), (14 + 576, 576), "at most 576 bytes");
        assert_eq!(icmpv4::verify(message), State::Good);
        let (icmp, quote) = icmpv4::Header::parse(message).unwrap();
        assert_eq!(icmp.problem(), Some(icmpv4::Problem::FragmentationNeeded { mtu: 1_450 }));
        assert_eq!(quote, &frame[14..14 + 548]);
        // Who keeps to it gets through.
        node.sends(&sized(mac(9), mac(1), 14 + 1_450, true), 2);
    }
}

#[test]
fn a11_ipv6_is_told_packet_too_big() {
    for config in both() {
        let mut node = node(config, 1_500);
        let frame = sized6(mac(9), mac(1), 1_500);
        let reply = told(&mut node, &frame);
        let (header, message) = ipv6::Header::parse(&reply[14..]).unwrap();
        assert_eq!((header.source, header.destination), (v6(9), v6(1)));
        assert_eq!(reply.len(), 14 + 1_280, "no longer than IPv6's least MTU");
        let pseudo = encap::wire::checksum::Sum::pseudo_ipv6(
            header.source,
            header.destination,
            header.next_header,
            message.len() as u32,
        );
        assert_eq!(icmpv6::verify(pseudo, message), State::Good);
        let (icmp, quote) = icmpv6::Header::parse(message).unwrap();
        assert_eq!(icmp.problem(), Some(icmpv6::Problem::PacketTooBig { mtu: 1_450 }));
        assert_eq!(quote, &frame[14..14 + 1_232]);
        node.sends(&sized6(mac(9), mac(1), 14 + 1_450), 2);
    }
}

/// As if by the destination, from which nobody knows how far it is.
#[test]
fn a11_an_answer_has_the_ttl_of_the_packet() {
    for config in both() {
        let mut node = node(config, 1_500);
        for ttl in [1, 33, 65, 254] {
            let reply = told(&mut node, &with_ipv4(sized(mac(9), mac(1), 1_500, true), &[(8, ttl)]));
            assert_eq!(read_ipv4(&reply[14..]).0.ttl, ttl);
            let mut frame = sized6(mac(9), mac(1), 1_500);
            frame[21] = ttl;
            assert_eq!(ipv6::Header::parse(&told(&mut node, &frame)[14..]).unwrap().0.hop_limit, ttl);
        }
    }
}

/// An IPv6 underlay takes 20 bytes more.
#[test]
fn over_ipv6_the_limit_is_lower() {
    for config in both() {
        let node = Node::new(1, config.local(v6(1).into()));
        let remote = node.vtep.remote(v6(2).into()).unwrap();
        node.vtep.fdb().add(VNI, mac(9), remote).unwrap();
        let mut node = node;
        let (output, packet) = node.send(NOW, &sized(mac(9), mac(1), 1_500 - 56, true));
        assert!(matches!(output, Output::Send { .. }));
        assert_eq!(packet.len(), 1_500);
        let reply = told(&mut node, &sized(mac(9), mac(1), 1_501 - 56, true));
        assert_eq!(reply[14 + 20 + 6..14 + 20 + 8], 1_430u16.to_be_bytes());
    }
}

/// RFC 7348, section 4.3: "VTEPs MUST NOT fragment VXLAN packets"; Linux does.
#[test]
fn a11_without_df_it_is_dropped_and_only_with_linux_fragmented() {
    for config in both() {
        let mut node = node(config, 1_500);
        untold(&mut node, &sized(mac(9), mac(1), 1_500, false));
    }
}

#[test]
fn nobody_is_told_where_that_is_configured() {
    for config in both() {
        let mut node = node(with(config, |c| c.too_big = TooBig::Drop), 1_500);
        node.refuses_frame(&sized(mac(9), mac(1), 1_500, true), DropReason::TooBig);
        node.refuses_frame(&sized6(mac(9), mac(1), 1_500), DropReason::TooBig);
    }
}

/// The frame with another IPv4 header: bytes at these offsets, checksum right again.
fn with_ipv4(mut frame: Vec<u8>, bytes: &[(usize, u8)]) -> Vec<u8> {
    let mut ip = frame.split_off(14);
    bytes.iter().for_each(|&(at, byte)| ip[at] = byte);
    frame.extend(fix_ipv4(ip));
    frame
}

#[test]
fn a11_nobody_is_told_about_fragments() {
    for config in both() {
        let mut node = node(config, 1_500);
        for (flags, offset) in [(0x60, 0), (0x40, 1), (0x60, 1)] {
            let fragment = with_ipv4(sized(mac(9), mac(1), 1_500, true), &[(6, flags), (7, offset)]);
            untold(&mut node, &fragment);
        }
        let mut fragment = sized6(mac(9), mac(1), 1_500);
        fragment[20] = 44;
        fragment[54..62].copy_from_slice(&[17, 0, 0, 8, 0, 0, 0, 1]);
        untold(&mut node, &fragment);
    }
}

#[test]
fn a11_nobody_is_told_about_icmp_errors() {
    for config in both() {
        let mut node = node(config, 1_500);
        for (kind, told_of) in [(3, false), (11, false), (5, false), (8, true), (0, true)] {
            let icmp = with_ipv4(sized(mac(9), mac(1), 1_500, true), &[(9, 1), (20, kind)]);
            if told_of {
                told(&mut node, &icmp);
            } else {
                untold(&mut node, &icmp);
            }
        }
        for (kind, told_of) in [(1, false), (2, false), (127, false), (137, false), (128, true)] {
            let mut icmp = sized6(mac(9), mac(1), 1_500);
            (icmp[20], icmp[54]) = (58, kind);
            if told_of {
                told(&mut node, &icmp);
            } else {
                untold(&mut node, &icmp);
            }
        }
    }
}

#[test]
fn a11_nobody_is_told_in_the_name_of_many_nor_many_about_anything() {
    for config in both() {
        // One remote for everything, so that there is no flood.
        let mut node = Node::new(1, config).peers(&[2]);
        for group in [MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1]), MacAddr([0x33, 0x33, 0, 0, 0, 1])] {
            untold(&mut node, &sized(group, mac(1), 1_500, true));
            untold(&mut node, &sized6(group, mac(1), 1_500));
            untold(&mut node, &sized(mac(9), group, 1_500, true));
            untold(&mut node, &sized6(mac(9), group, 1_500));
        }
        untold(&mut node, &sized(mac(9), MacAddr::ZERO, 1_500, true));
        // Nor in the name of nobody: who learns from frames takes none from there.
        untold(&mut node, &sized(MacAddr::ZERO, mac(1), 1_500, true));
        untold(&mut node, &sized6(MacAddr::ZERO, mac(1), 1_500));
        // Destinations and sources by IP, in frames to one host.
        for (at, first) in [(16, 224), (16, 255), (16, 127), (12, 0), (12, 127), (12, 224), (12, 255)] {
            let whole = if first == 255 { 255 } else { 1 };
            let bytes: Vec<_> = (1..4).map(|byte| (at + byte, whole)).chain([(at, first)]).collect();
            let odd = with_ipv4(sized(mac(9), mac(1), 1_500, true), &bytes);
            untold(&mut node, &odd);
        }
        for (at, address) in [
            (22, Ipv6Addr::UNSPECIFIED),
            (22, Ipv6Addr::LOCALHOST),
            (22, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)),
            (38, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)),
            // The answer would come from there.
            (38, Ipv6Addr::UNSPECIFIED),
            (38, Ipv6Addr::LOCALHOST),
        ] {
            let mut odd = sized6(mac(9), mac(1), 1_500);
            odd[at..at + 16].copy_from_slice(&address.octets());
            untold(&mut node, &odd);
        }
        assert_eq!(node.worker.counters().replies, 0);
    }
}

/// RFC 791: every host takes 576 bytes; RFC 8200: every link 1,280.
#[test]
fn a11_below_the_least_mtu_nobody_is_told() {
    for config in both() {
        let least = 576 + 50;
        told(&mut node(config, least), &sized(mac(9), mac(1), 1_500, true));
        untold(&mut node(config, least - 1), &sized(mac(9), mac(1), 1_500, true));
        let least = 1_280 + 50;
        told(&mut node(config, least), &sized6(mac(9), mac(1), 1_500));
        untold(&mut node(config, least - 1), &sized6(mac(9), mac(1), 1_500));
    }
}

/// The kernel forgets the four bytes, and sends packets that are too long.
#[test]
fn a11_vlan_tags_count_and_stay() {
    for config in both() {
        let mut node = node(config, 1_500);
        let limit = 1_500 - OVERHEAD;
        assert_eq!(node.sends(&tagged(5, &sized(mac(9), mac(1), limit - 4, true)), 2).len(), 1_500);
        let frame = tagged(5, &sized(mac(9), mac(1), limit - 3, true));
        let reply = told(&mut node, &frame);
        assert_eq!(reply[12..18], frame[12..18], "tag and type");
        let (_, message) = read_ipv4(&reply[18..]);
        let problem = icmpv4::Header::parse(message).unwrap().0.problem();
        assert_eq!(problem, Some(icmpv4::Problem::FragmentationNeeded { mtu: 1_446 }));
        assert_eq!(message[8..], frame[18..18 + 548]);
        let reply = told(&mut node, &tagged(7, &tagged(5, &sized6(mac(9), mac(1), limit))));
        let (_, message) = ipv6::Header::parse(&reply[22..]).unwrap();
        let problem = icmpv6::Header::parse(message).unwrap().0.problem();
        assert_eq!(problem, Some(icmpv6::Problem::PacketTooBig { mtu: 1_442 }));
    }
}

/// Of IP and ICMP of the frame's own family, and no more.
#[test]
fn an_answer_needs_headroom() {
    for (frame, need) in [(sized(mac(9), mac(1), 1_500, true), 28), (sized6(mac(9), mac(1), 1_500), 48)] {
        let mut node = node(Config::new(), 1_500);
        assert!(node.vtep.headroom() >= need);
        assert_eq!(node.send_behind(need, &frame).0, Output::Reply);
        assert_eq!(node.send_behind(need - 1, &frame), (Output::Drop(DropReason::NoHeadroom), frame));
    }
}

/// The MTU that the answer to a frame of IPv4 tells.
pub(crate) fn told_mtu(node: &mut Node, frame: &[u8]) -> u16 {
    let reply = told(node, frame);
    let (_, message) = read_ipv4(&reply[14..]);
    match icmpv4::Header::parse(message).unwrap().0.problem() {
        Some(icmpv4::Problem::FragmentationNeeded { mtu }) => mtu,
        other => panic!("{other:?}"),
    }
}

/// As much as [`Vtep::headroom`](encap::vtep::Vtep::headroom) says is enough for all that the VTEP does.
#[test]
fn the_headroom_is_enough_for_answers_from_a_trunk_and_for_routing() {
    for (trunk, l3, too_big, expected) in [
        (false, false, TooBig::Drop, 36),
        (false, false, TooBig::Tell, 48),
        (true, false, TooBig::Tell, 52),
        (false, true, TooBig::Drop, 36 + 14),
        (false, true, TooBig::Tell, 48 + 14),
        (true, true, TooBig::Fragment, 52 + 14),
    ] {
        let config = with(Config::new().local(address(1)), |c| {
            (c.l3, c.address, c.too_big) = (l3, mac(1), too_big);
            c.df = encap::tunnel::DontFragment::Unset;
        });
        let capacity =
            Capacity { vlans: if trunk { 16 } else { 0 }, neighbors: 8, routes: 8, ..Capacity::fdb(16) };
        let vtep = Vtep::with_capacity(config, capacity, [1, 2]).unwrap();
        assert_eq!(vtep.headroom(), expected);
        let remote = vtep.remote(address(2)).unwrap();
        vtep.fdb().add(VNI, mac(9), remote).unwrap();
        let gateway = [10, 1, 0, 254].into();
        vtep.neighbors().add(VNI, gateway, mac(9)).unwrap();
        for prefix in ["0.0.0.0/0", "::/0"] {
            let via = NextHop::Gateway { vni: VNI, address: gateway };
            vtep.routes().add(prefix.parse().unwrap(), via).unwrap();
        }
        let meta = if trunk {
            vtep.vlans().map(encap::wire::VlanId::truncate(0), VNI).unwrap();
            OverlayMeta::trunk()
        } else {
            OverlayMeta::new(VNI)
        };
        for len in [100, 1_500 - OVERHEAD, 1_501 - OVERHEAD, 2_000] {
            for frame in [sized(mac(9), mac(1), len, true), sized6(mac(9), mac(1), len)] {
                let mut worker = Worker::new(1);
                let mut buffer = [&vec![0; expected][..], &frame].concat();
                let mut packet = Packet::new(&mut buffer, expected, frame.len()).unwrap();
                let output = vtep.handle_overlay(&mut worker, NOW, &meta, &mut packet);
                let told = matches!(output, Output::Reply);
                assert!(told || output == Output::Drop(DropReason::TooBig) || len + OVERHEAD <= 1_500);
                assert_eq!(told, len + OVERHEAD > 1_500 && too_big != TooBig::Drop, "{output:?}");
                if l3 {
                    let mut buffer = [&vec![0; expected][..], &frame[14..]].concat();
                    let mut packet = Packet::new(&mut buffer, expected, frame.len() - 14).unwrap();
                    let routed = vtep.handle_ip(&mut worker, NOW, &OverlayMeta::default(), &mut packet);
                    assert_eq!(matches!(routed, Output::Reply), told, "{routed:?}");
                    assert_ne!(routed, Output::Drop(DropReason::NoHeadroom));
                }
            }
        }
    }
}

/// How many are dropped of 50 about which nobody may be told any more: with Linux they are sent, to be fragmented.
fn dropped(config: &Config) -> u64 {
    if config.too_big == TooBig::Fragment { 0 } else { 50 }
}

/// As many answers as are allowed, and no more (RFC 1812, section 4.3.2.8).
#[test]
fn a11_answers_are_limited() {
    for config in both() {
        let mut node = node(with(config, |c| c.icmp_rate = 10), 1_500);
        let frame = sized(mac(9), mac(1), 1_500, true);
        let told = (0..100).filter(|_| node.send(NOW, &frame).0 == Output::Reply).count();
        assert_eq!((told, node.drops(DropReason::ReportLimit)), (50, dropped(&config)));
        let later = NOW.saturating_add(std::time::Duration::from_secs(1));
        let told = (0..100).filter(|_| node.send(later, &frame).0 == Output::Reply).count();
        assert_eq!(told, 10);
        let refused = node.send(later, &frame) == (Output::Drop(DropReason::ReportLimit), frame);
        assert_eq!(refused, dropped(&config) > 0);
    }
}

/// What nobody may be told of takes no answer from who may be.
#[test]
fn a11_what_is_not_told_does_not_count_towards_the_limit() {
    for config in both() {
        let mut node = node(with(config, |c| c.icmp_rate = 1), 1_500);
        let error = with_ipv4(sized(mac(9), mac(1), 1_500, true), &[(9, 1), (20, 3)]);
        let mut error6 = sized6(mac(9), mac(1), 1_500);
        (error6[20], error6[54]) = (58, 1);
        let whole = sized(mac(9), mac(1), 1_500, true);
        for _ in 0..100 {
            untold(&mut node, &error);
            untold(&mut node, &error6);
            assert_eq!(node.send_behind(27, &whole).0, Output::Drop(DropReason::NoHeadroom));
        }
        let told = (0..100).filter(|_| node.send(NOW, &whole).0 == Output::Reply).count();
        assert_eq!((told, node.drops(DropReason::ReportLimit)), (50, dropped(&config)));
        // Once it is reached, they are what they were.
        untold(&mut node, &error);
    }
}

/// A broken header says nothing that one could answer.
#[test]
fn a_packet_with_a_wrong_checksum_is_dropped_untouched() {
    for config in both() {
        let mut frame = sized(mac(9), mac(1), 1_500, true);
        frame[24] ^= 1;
        untold(&mut node(config, 1_500), &frame);
        let (header, _) = ipv4::Header::parse(&frame[14..]).unwrap();
        assert!(header.dont_fragment);
    }
}

/// A way by a group or by the default is no other.
#[test]
fn whichever_way_the_frame_takes() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    told(&mut node, &sized(mac(9), mac(1), 1_500, true));
    let group = node.vtep.lists().add_group(&[node.vtep.remote(address(2)).unwrap()]).unwrap();
    node.vtep.fdb().add(VNI, mac(8), group).unwrap();
    told(&mut node, &sized(mac(8), mac(1), 1_500, true));
    let meta = OverlayMeta::new(VNI);
    assert_eq!(node.send_with(NOW, &meta, &sized(mac(8), mac(1), 1_500, true)).0, Output::Reply);
}
