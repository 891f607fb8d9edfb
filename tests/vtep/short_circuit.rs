//! Route short circuit: which frames to a router go to their destination at once, and what becomes of the others.

use std::net::{IpAddr, Ipv6Addr};

use encap::{
    table::{Destination, NeighborState, NewEntry, NewNeighbor},
    vtep::{Config, DropReason, Miss, Output, ShortCircuit},
    wire::MacAddr,
};

use crate::{common::*, frames::*};

const ROUTER: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xfe]);

fn both() -> [Config; 2] {
    [
        with(Config::new(), |c| c.rsc = ShortCircuit::Route),
        with(Config::linux(), |c| (c.rsc, c.l3miss) = (ShortCircuit::Linux, true)),
    ]
}

/// Host 9, 10.1.0.9 and fd01::9, is behind VTEP 3; the router is behind VTEP 2.
fn node(config: Config) -> Node {
    let node = Node::new(1, config);
    let [router, host] = [2, 3].map(|last| node.vtep.remote(address(last)).unwrap());
    node.vtep.fdb().add(VNI, ROUTER, NewEntry::to(router).router()).unwrap();
    node.vtep.fdb().add(VNI, mac(9), host).unwrap();
    for host in [IpAddr::from([10, 1, 0, 9]), v6(9).into()] {
        node.vtep.neighbors().add(VNI, host, mac(9)).unwrap();
    }
    node
}

/// A datagram to 10.1.0.`host` by way of the router.
fn routed(host: u8, ttl: u8) -> Vec<u8> {
    let mut frame = datagram(ROUTER, mac(1), 20);
    (frame[33], frame[22]) = (host, ttl);
    let ip = fix_ipv4(frame.split_off(14));
    [frame, ip].concat()
}

/// A packet to this address by way of the router.
fn routed6(to: Ipv6Addr, hop_limit: u8) -> Vec<u8> {
    let mut packet = ip(v6(1).into(), to.into(), 59, 0, &[0x5a; 20]);
    packet[7] = hop_limit;
    frame(ROUTER, mac(1), 0x86dd, &packet)
}

#[test]
fn a8c_a_known_destination_is_reached_at_once() {
    for (config, ttl) in both().into_iter().zip([63, 64]) {
        let mut node = node(config);
        let packet = node.sends(&routed(9, 64), 3);
        let inner = &packet[36..];
        assert_eq!(
            (&inner[..6], &inner[6..12]),
            (&mac(9).0[..], &ROUTER.0[..]),
            "as the router would send it"
        );
        let (header, _) = read_ipv4(&inner[14..]);
        assert_eq!(header.ttl, ttl, "a router takes one, Linux none");
    }
}

#[test]
fn a8c_over_ipv6_a_known_destination_is_reached_at_once() {
    for (config, hop_limit) in both().into_iter().zip([63, 64]) {
        let packet = node(config).sends(&routed6(v6(9), 64), 3);
        let expected = [&mac(9).0[..], &ROUTER.0, &routed6(v6(9), hop_limit)[12..]].concat();
        assert_eq!(packet[36..], expected, "a router takes one, Linux none");
    }
}

#[test]
fn a8c_an_unknown_destination_goes_to_the_router_and_is_a_miss() {
    for config in both() {
        let asked = [([10, 1, 0, 77].into(), routed(77, 64)), (v6(77).into(), routed6(v6(77), 64))];
        for (address, frame) in asked {
            let mut node = node(config);
            assert_eq!(node.sends(&frame, 2)[36..], frame, "unchanged");
            assert_eq!(node.worker.poll_miss(), Some(Miss::L3 { vni: VNI, address }));
            assert_eq!(node.worker.poll_miss(), None);
        }
    }
}

/// Linux uses a neighbour that has failed as well.
#[test]
fn a8c_the_state_of_the_neighbour() {
    for (config, to) in both().into_iter().zip([2, 3]) {
        let mut node = node(config);
        let failed = NewNeighbor::new(mac(9)).state(NeighborState::Failed, NOW);
        node.vtep.neighbors().replace(VNI, [10, 1, 0, 9].into(), failed).unwrap();
        node.sends(&routed(9, 64), to);
    }
}

/// An address that is only asked for has no MAC address, and all zeroes are nobody's.
#[test]
fn a8c_a_neighbour_without_a_mac_address_is_behind_the_router() {
    for config in both() {
        let mut node = node(config).peers(&[4]);
        node.vtep.neighbors().add(VNI, [10, 1, 0, 50].into(), NewNeighbor::unknown(NOW)).unwrap();
        assert_eq!(node.sends(&routed(50, 64), 2)[36..], routed(50, 64));
    }
}

#[test]
fn a7_6_a8c_only_by_way_of_routers() {
    for config in both() {
        let mut node = node(config);
        let router = node.vtep.remote(address(2)).unwrap();
        node.vtep.fdb().replace(VNI, ROUTER, NewEntry::to(router)).unwrap();
        assert_eq!(node.sends(&routed(9, 64), 2)[36..], routed(9, 64));
        let mut off = self::node(with(config, |c| c.rsc = ShortCircuit::Off));
        assert_eq!(off.sends(&routed(9, 64), 2)[36..], routed(9, 64));
    }
}

/// A VLAN in the segment may have the same addresses.
#[test]
fn a7_6_a8c_only_without_tags() {
    for config in both() {
        let mut node = node(with(config, |c| c.inner_vlan = true));
        let frame = tagged(5, &routed(9, 64));
        assert_eq!(node.sends(&frame, 2)[36..], frame);
    }
}

/// What would expire is the router's to answer.
#[test]
fn a_packet_that_expires_goes_to_the_router() {
    let [ours, linux] = both();
    for ttl in [0, 1] {
        for frame in [routed(9, ttl), routed6(v6(9), ttl)] {
            node(ours).sends(&frame, 2);
            node(linux).sends(&frame, 3);
        }
    }
}

/// No router forwards it, and nobody asks where it is (RFC 3927, section 2.7; RFC 1812, section 5.3.4; RFC 4291,
/// sections 2.5.6 and 2.7).
#[test]
fn what_no_router_forwards_goes_to_the_router_and_is_no_miss() {
    let v4 = [[169, 254, 0, 9], [239, 1, 1, 1], [255; 4]].map(|to| {
        let mut frame = routed(9, 64);
        frame[30..34].copy_from_slice(&to);
        let ip = fix_ipv4(frame.split_off(14));
        (IpAddr::from(to), [frame, ip].concat())
    });
    let v6 = ["fe80::9", "ff02::1", "ff0e::1:2"].map(|to| {
        let to: Ipv6Addr = to.parse().unwrap();
        (to.into(), routed6(to, 64))
    });
    for config in both() {
        for (to, frame) in v4.iter().chain(&v6) {
            let mut node = node(config);
            let _ = node.vtep.neighbors().add(VNI, *to, mac(9));
            assert_eq!(node.sends(frame, 2)[36..], *frame, "{to}");
            assert_eq!(node.worker.poll_miss(), None, "{to}");
        }
    }
}

#[test]
fn a8c_who_is_here_gets_the_frame_here() {
    for config in both() {
        let mut node = node(config);
        node.vtep.fdb().replace(VNI, mac(9), NewEntry::to(Destination::Local)).unwrap();
        let (output, frame) = node.send(NOW, &routed(9, 64));
        assert!(
            matches!(output, Output::Deliver { vni: VNI, source: None, port: Some(0), .. }),
            "{output:?}"
        );
        assert_eq!(frame[..12], [mac(9).0, ROUTER.0].concat());
    }
}

/// They have not got it, since it was for the router; also where we are in the list that the host is flooded to.
#[test]
fn a8c_hosts_here_get_what_is_flooded() {
    for config in both() {
        for peers in [&[1][..], &[1, 4]] {
            let mut node = node(config).peers(peers);
            node.vtep.fdb().delete(NOW, VNI, mac(9)).unwrap();
            let (output, frame) = node.send(NOW, &routed(9, 64));
            assert_eq!(frame[..12], [mac(9).0, ROUTER.0].concat());
            if let Output::Replicate(flood) = output {
                let copies = node.vtep.replicas(&mut node.worker, &flood, &frame);
                assert_eq!(copies.map(|copy| copy.local).collect::<Vec<_>>(), [Some(VNI), None]);
            } else {
                assert_eq!(peers.len(), 1);
                assert!(matches!(output, Output::Deliver { vni: VNI, source: None, .. }), "{output:?}");
            }
            assert_eq!((node.worker.counters().delivered, node.drops(DropReason::LocalDestination)), (1, 0));
        }
    }
}

#[test]
fn a8c_a_mac_that_is_nowhere_floods_or_else_the_router_gets_it() {
    for config in both() {
        let mut node = node(config).peers(&[4]);
        node.vtep.fdb().delete(NOW, VNI, mac(9)).unwrap();
        node.sends(&routed(9, 64), 4);
        node.vtep.fdb().delete(NOW, VNI, MacAddr::ZERO).unwrap();
        node.sends(&routed(9, 64), 2);
    }
}

/// To the last bit: of two checksums that are right, one is put back (RFC 1624, section 3).
#[test]
fn a_frame_that_goes_nowhere_is_as_it_was() {
    let mut odd = routed(9, 64);
    odd[24..26].fill(0);
    let identification = u16::from_be_bytes([odd[18], odd[19]]);
    let rest = encap::wire::checksum::of(&odd[14..34]);
    // With this identification the checksum is zero, or all ones.
    odd[18..20].copy_from_slice(&(u32::from(identification) + u32::from(rest)).to_be_bytes()[2..]);
    odd[24..26].fill(0xff);
    for config in both() {
        let mut node = node(config);
        node.vtep.fdb().replace(VNI, mac(9), NewEntry::to(Destination::Blackhole)).unwrap();
        node.refuses_frame(&routed(9, 64), DropReason::Blackhole);
        node.refuses_frame(&odd, DropReason::Blackhole);
    }
}

#[test]
fn what_is_no_ip_header_is_left_to_the_router() {
    let mut broken = routed(9, 64);
    broken[14] = 0x44;
    let mut node = node(with(Config::new(), |c| c.rsc = ShortCircuit::Route));
    assert_eq!(node.sends(&broken, 2)[36..], broken);
}

/// Who is told that a packet is too big hears it from the router that it was sent to.
#[test]
fn too_big_comes_from_the_router() {
    for config in both() {
        let mut node = node(config);
        let mut frame = sized(ROUTER, mac(1), 1_500, true);
        frame[33] = 9;
        let ip = fix_ipv4(frame.split_off(14));
        let (output, answer) = node.send(NOW, &[frame, ip].concat());
        assert_eq!(output, Output::Reply);
        assert_eq!(answer[..12], [mac(1).0, ROUTER.0].concat());
    }
}

#[test]
fn a7_1_whom_the_caller_names_gets_the_frame() {
    for config in both() {
        let mut node = node(config);
        let mut meta = encap::vtep::OverlayMeta::new(VNI);
        meta.remote = Some(node.vtep.remote(address(7)).unwrap());
        let (output, packet) = node.send_with(NOW, &meta, &routed(9, 64));
        assert!(matches!(output, Output::Send { address: to, .. } if to == address(7)));
        assert_eq!(packet[36..], routed(9, 64));
    }
}
