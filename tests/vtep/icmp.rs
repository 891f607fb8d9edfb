//! ICMP errors about outer packets: only those about packets of ours count.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use encap::{
    table::{Ageing, Event, Remote, RemoteId},
    time::Instant,
    tunnel::Framing,
    vtep::{Config, Output, PathReport},
    wire::{
        icmp_error,
        icmpv4::{self, Problem},
        icmpv6, udp,
    },
};

use crate::{
    common::*,
    frames::{fix_ipv4, ip, v6, with},
    stop::Stop,
};

/// The error that a router at 192.0.2.254 sends about `packet`.
fn error(packet: &[u8], problem: Problem) -> Vec<u8> {
    let headers = icmp_error::ipv4(packet, problem, [192, 0, 2, 254].into(), 64).unwrap();
    [&headers.bytes[..], &packet[..headers.quote_len]].concat()
}

/// The same over IPv6, by this router: that the path carries this much.
fn error6(packet: &[u8], router: Ipv6Addr, mtu: u32) -> Vec<u8> {
    let headers = icmp_error::ipv6(packet, icmpv6::Problem::PacketTooBig { mtu }, router, 64).unwrap();
    [&headers.bytes[..], &packet[..headers.quote_len]].concat()
}

/// What is said to the report that the path carries this much.
fn too_big(node: &Node, now: Instant, packet: &[u8], mtu: u16) -> PathReport {
    node.vtep.handle_underlay_icmp(now, 0, &error(packet, Problem::FragmentationNeeded { mtu }))
}

fn mtu(node: &Node, remote: RemoteId) -> u16 {
    node.vtep.remotes().get(remote).unwrap().mtu
}

/// Sweeps whenever it is time to, for an hour or until something expires; answers what did, and after how many seconds.
fn expires(node: &Node, from: Instant) -> (Vec<Event>, u64) {
    let (mut now, mut events) = (from, Vec::new());
    loop {
        let _ = node.vtep.handle_timeout(now, 1_000, |event| events.push(event));
        let after = now.saturating_since(from).as_secs();
        if after > 3_600 || !events.is_empty() {
            return (events, after);
        }
        now = node.vtep.poll_timeout(now).max(now.saturating_add(Duration::from_millis(1)));
    }
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
    // No less than the underlay has anyway.
    assert_eq!(too_big(&node, NOW, &packet, 1_500), PathReport::Ignored);
    assert_eq!(mtu(&node, remote), 0);
    assert_eq!(too_big(&node, NOW, &packet, 1_000), PathReport::Mtu { remote, mtu: 1_000 });
    assert_eq!(mtu(&node, remote), 1_000);
    // The host is told next time: 1,000 bytes of payload do not fit any more.
    assert_eq!(node.send(NOW, &datagram(mac(2), mac(1), 1_000)).0, Output::Reply);
    // Never more again by an error, and never less than IPv4 promises.
    assert_eq!(too_big(&node, NOW, &packet, 1_400), PathReport::Ignored);
    assert_eq!(mtu(&node, remote), 1_000);
    assert_eq!(too_big(&node, NOW, &packet, 1), PathReport::Mtu { remote, mtu: 576 });
}

/// By the calls that every VTEP makes: none of them is of MTUs alone.
#[test]
fn rfc1191_s6_3_a_told_mtu_holds_for_ten_minutes_and_then_what_was_set_does() {
    for set in [0, 1_300] {
        for never in [false, true] {
            let config = with(Config::new(), |c| {
                c.tables.ageing = if never { Ageing::Never } else { c.tables.ageing };
                c.tables.neighbor_ageing = c.tables.ageing;
            });
            let mut node = Node::new(1, config).peers(&[2]);
            let remote = node.vtep.remote(address(2)).unwrap();
            node.vtep.remotes().set_mtu(remote, set).unwrap();
            let packet = sent(&mut node);
            assert_eq!(too_big(&node, NOW, &packet, 1_000), PathReport::Mtu { remote, mtu: 1_000 });
            let (expired, after) = expires(&node, NOW);
            assert_eq!(expired, [Event::MtuExpired { remote, mtu: set }]);
            assert!((600..680).contains(&after), "{after} s");
            assert_eq!(mtu(&node, remote), set);
            let (output, _) = node.send(NOW, &datagram(mac(2), mac(1), 1_000));
            assert!(matches!(output, Output::Send { .. }), "the path is tried again");
            // Where nothing has changed, that is told again.
            let later = NOW.saturating_add(Duration::from_secs(1_000));
            assert_eq!(too_big(&node, later, &packet, 1_000), PathReport::Mtu { remote, mtu: 1_000 });
        }
    }
}

#[test]
fn rfc8201_s4_a_larger_mtu_is_not_tried_sooner_after_the_last_report() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let remote = node.vtep.remote(address(2)).unwrap();
    let packet = sent(&mut node);
    // The same again, less, more: the last begins no time anew.
    for (seconds, told, holds) in [(0, 1_200, 1_200), (300, 1_200, 1_200), (400, 1_100, 1_100)] {
        let now = NOW.saturating_add(Duration::from_secs(seconds));
        assert_eq!(too_big(&node, now, &packet, told), PathReport::Mtu { remote, mtu: holds });
    }
    let last = NOW.saturating_add(Duration::from_secs(400));
    assert_eq!(
        too_big(&node, last.saturating_add(Duration::from_secs(100)), &packet, 1_200),
        PathReport::Ignored
    );
    let (expired, after) = expires(&node, last);
    assert_eq!((&*expired, mtu(&node, remote)), (&[Event::MtuExpired { remote, mtu: 0 }][..], 0));
    assert!((600..680).contains(&after), "{after} s");
}

#[test]
fn the_time_is_a_setting() {
    let times = [(Ageing::After(Duration::from_secs(300)), Some(300..340)), (Ageing::Never, None)];
    for (mtu_expires, expected) in times {
        let config = with(Config::new(), |c| c.tables.mtu_expires = mtu_expires);
        let mut node = Node::new(1, config).peers(&[2]);
        let remote = node.vtep.remote(address(2)).unwrap();
        let packet = sent(&mut node);
        assert_eq!(too_big(&node, NOW, &packet, 1_000), PathReport::Mtu { remote, mtu: 1_000 });
        let (expired, after) = expires(&node, NOW);
        match expected {
            Some(expected) => assert!(expected.contains(&after) && expired.len() == 1, "{after} s"),
            None => assert!(expired.is_empty() && mtu(&node, remote) == 1_000),
        }
    }
}

/// The way to them is the same, whatever is in the packets.
#[test]
fn remotes_with_a_vni_or_an_egress_of_their_own_learn_too() {
    let other = encap::wire::Vni::truncate(77);
    let plain = Remote::new(address(2), 4789);
    for remote in [plain.vni(other), plain.vni(VNI), plain.egress(3), plain.vni(other).egress(3)] {
        let mut node = Node::new(1, Config::new());
        let id = node.vtep.add_remote(&remote).unwrap();
        node.vtep.fdb().add(VNI, mac(2), id).unwrap();
        let packet = sent(&mut node);
        assert_eq!(
            too_big(&node, NOW, &packet, 1_000),
            PathReport::Mtu { remote: id, mtu: 1_000 },
            "{remote:?}"
        );
        // Routers that quote eight bytes say no VNI.
        assert_eq!(
            too_big(&node, NOW, &packet[..28], 900),
            PathReport::Mtu { remote: id, mtu: 900 },
            "{remote:?}"
        );
    }
    // All of them, whichever packet it was.
    let mut node = Node::new(1, Config::new());
    let [first, second] = [plain, plain.vni(VNI)].map(|remote| node.vtep.add_remote(&remote).unwrap());
    node.vtep.fdb().add(VNI, mac(2), second).unwrap();
    let packet = sent(&mut node);
    assert_eq!(too_big(&node, NOW, &packet, 1_000), PathReport::Mtu { remote: first, mtu: 1_000 });
    assert_eq!([first, second].map(|id| mtu(&node, id)), [1_000; 2]);
}

/// Whatever somebody else does with the remote meanwhile: it is known, and says what it has taken.
#[test]
fn a_report_is_about_our_packet_while_the_remote_is_changed() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let remote = node.vtep.remote(address(2)).unwrap();
    let packet = sent(&mut node);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (node, stop) = (&node, &stop);
        scope.spawn(move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // Busy, now and then.
                let _ = node.vtep.remotes().set_mtu(remote, 1_400);
            }
        });
        let _stop = Stop(stop);
        for at in 0..10_000 {
            let told = 1_000 + at % 300;
            let said = too_big(node, NOW, &packet, told);
            assert!(said == PathReport::Mtu { remote, mtu: told } || said == PathReport::Ignored, "{said:?}");
        }
    });
    // Nobody is at work on it any more.
    assert_eq!(too_big(&node, NOW, &packet, 999), PathReport::Mtu { remote, mtu: 999 });
}

/// The source port is the socket's, which nobody here knows.
#[test]
fn errors_about_a_sockets_packets_are_taken_whatever_its_port() {
    let mut node = Node::new(1, with(Config::new(), |c| c.framing = Framing::Payload)).peers(&[2]);
    let remote = node.vtep.remote(address(2)).unwrap();
    for source_port in [4_789, 40_000] {
        let payload = sent(&mut node);
        let length = 8 + payload.len() as u16;
        let udp = udp::Header { source_port, destination_port: 4_789, length, checksum: 0 }.to_bytes();
        let packet = ip(address(1), address(2), 17, 0, &[&udp[..], &payload].concat());
        assert_eq!(too_big(&node, NOW, &packet, 1_200), PathReport::Mtu { remote, mtu: 1_200 });
        assert_eq!(too_big(&node, NOW, &packet[..28], 1_200), PathReport::Mtu { remote, mtu: 1_200 });
        let other = ip(address(9), address(2), 17, 0, &[&udp[..], &payload].concat());
        assert_eq!(too_big(&node, NOW, &other, 1_000), PathReport::NotOurs);
    }
}

#[test]
fn over_ipv6_packet_too_big_is_taken() {
    let [here, there, router] = [1, 2, 254].map(|last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
    let mut node = Node::new(1, Config::new().local(here.into()));
    let remote = node.vtep.remote(there.into()).unwrap();
    node.vtep.fdb().add(VNI, mac(2), remote).unwrap();
    let packet = sent(&mut node);
    let told = |mtu| node.vtep.handle_underlay_icmp(NOW, 0, &error6(&packet, router, mtu));
    assert_eq!(told(1_400), PathReport::Mtu { remote, mtu: 1_400 });
    // RFC 8201, section 4: what says less than any link has is discarded. A jumbogram's is no less than what holds.
    assert_eq!([told(600), told(0), told(1_279), told(70_000)], [PathReport::Ignored; 4]);
    assert_eq!(node.vtep.remotes().get(remote).unwrap().mtu, 1_400);
    assert_eq!(told(1_280), PathReport::Mtu { remote, mtu: 1_280 });
}

/// A link-local address is another one on every link, and the link is what an error came in by.
#[test]
fn errors_about_link_local_remotes_are_taken_from_their_link() {
    let [here, there] = [1, 2].map(|last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last));
    let mut node = Node::new(1, Config::new().local(here.into()));
    let plain = Remote::new(there.into(), 4_789);
    let [third, fourth, other_port, other_vni] = [
        plain.egress(3),
        plain.egress(4),
        Remote::new(there.into(), 9_999).egress(3),
        plain.vni(VNI).egress(4),
    ]
    .map(|remote| node.vtep.add_remote(&remote).unwrap());
    let told = |node: &Node, ingress, packet: &[u8], mtu| {
        node.vtep.handle_underlay_icmp(NOW, ingress, &error6(packet, there, mtu))
    };
    node.vtep.fdb().add(VNI, mac(2), third).unwrap();
    let packet = sent(&mut node);
    assert_eq!([0, 5].map(|ingress| told(&node, ingress, &packet, 1_400)), [PathReport::NotOurs; 2]);
    assert_eq!(told(&node, 3, &packet, 1_400), PathReport::Mtu { remote: third, mtu: 1_400 });
    assert_eq!([third, fourth, other_port, other_vni].map(|id| mtu(&node, id)), [1_400, 0, 0, 0]);
    // All of those on the link that have the port.
    assert_eq!(told(&node, 4, &packet, 1_300), PathReport::Mtu { remote: fourth, mtu: 1_300 });
    assert_eq!([third, fourth, other_port, other_vni].map(|id| mtu(&node, id)), [1_400, 1_300, 0, 1_300]);
    node.vtep.fdb().replace(VNI, mac(2), other_port).unwrap();
    let packet = sent(&mut node);
    assert_eq!(told(&node, 4, &packet, 1_350), PathReport::NotOurs);
    assert_eq!(told(&node, 3, &packet, 1_350), PathReport::Mtu { remote: other_port, mtu: 1_350 });
}

#[test]
fn other_errors_are_told() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let remote = node.vtep.remote(address(2)).unwrap();
    let problem = Problem::Unreachable(icmpv4::Unreachable(1));
    let packet = error(&sent(&mut node), problem);
    let told = node.vtep.handle_underlay_icmp(NOW, 0, &packet);
    assert_eq!(
        told,
        PathReport::Unreachable { remote, problem: encap::wire::icmp_quote::Problem::V4(problem) }
    );
}

/// Each byte of the quote that a forger would have to guess, over both families.
#[test]
fn forged_quotes_mean_nothing() {
    for config in [Config::new(), Config::linux()] {
        // Where the last bytes of source and destination are, and the UDP header.
        for (peer, source, destination, udp) in [(address(2), 15, 19, 20), (v6(2).into(), 23, 39, 40)] {
            let mut node = Node::new(1, config.local(v6(1).into()));
            let remote = node.vtep.remote(peer).unwrap();
            node.vtep.fdb().add(VNI, mac(2), remote).unwrap();
            let packet = sent(&mut node);
            let told = |about: &[u8]| match peer {
                IpAddr::V4(_) => too_big(&node, NOW, &fix_ipv4(about.to_vec()), 1_300),
                IpAddr::V6(router) => node.vtep.handle_underlay_icmp(NOW, 0, &error6(about, router, 1_300)),
            };
            let with = |at: usize, bytes: &[u8]| {
                let mut packet = packet.clone();
                packet[at..][..bytes.len()].copy_from_slice(bytes);
                packet
            };
            let (least, most) = config.srcport;
            for (what, at, bytes) in [
                ("another source", source, &[9][..]),
                ("another destination", destination, &[9]),
                ("a source port below the range", udp, &(least - 1).to_be_bytes()),
                ("a source port above the range", udp, &most.wrapping_add(1).to_be_bytes()),
                ("another destination port", udp + 3, &[0]),
                ("no VNI flag", udp + 8, &[0]),
                ("an unknown VNI", udp + 14, &[9]),
            ] {
                assert_eq!(told(&with(at, bytes)), PathReport::NotOurs, "{peer}: {what}");
            }
            assert_eq!(node.vtep.handle_underlay_icmp(NOW, 0, &packet), PathReport::NotOurs);
            assert_eq!(mtu(&node, remote), 0);
            for port in [least, most] {
                let ours = with(udp, &port.to_be_bytes());
                assert_eq!(told(&ours), PathReport::Mtu { remote, mtu: 1_300 }, "{peer}");
            }
        }
    }
}
