//! Routing: what no router forwards, and where the hosts of a connected segment are.

use std::net::IpAddr;

use encap::{
    Packet,
    table::{Capacity, NextHop},
    vtep::{Config, ConfigError, DropReason, Miss, Output, OverlayMeta, Vtep},
    wire::MacAddr,
};

use super::l3::{SEGMENT, configured, ip, send_with};
use crate::{common::*, frames::*};

/// Counting the TTL down is whose who routes the packet here: it may have been done. What has none left goes no further
/// (RFC 1812, section 5.3.1).
#[test]
fn rfc1812_s5_3_1_the_ttl_stays_as_it_is_unless_it_is_zero() {
    let mut node = configured(|_| ());
    for ttl in [0, 1, 63] {
        let mut packet = ip(2, 10);
        packet[8] = ttl;
        let packet = fix_ipv4(packet);
        let (output, outer) = send_with(&mut node, &OverlayMeta::default(), &packet);
        if ttl == 0 {
            assert_eq!((output, outer), (Output::Drop(DropReason::TtlExpired), packet));
        } else {
            assert!(matches!(output, Output::Send { .. }));
            assert_eq!(outer[50..], packet);
        }
    }
}

#[test]
fn rfc1812_s5_2_2_a_wrong_header_checksum_is_not_routed() {
    let mut node = configured(|_| ());
    let mut packet = ip(2, 10);
    packet[10] ^= 1;
    let dropped = (Output::Drop(DropReason::Unroutable), packet.clone());
    assert_eq!(send_with(&mut node, &OverlayMeta::default(), &packet), dropped);
}

/// RFC 1812, section 5.3.7; RFC 3927, section 2.7; RFC 4291, sections 2.5.2, 2.5.3 and 2.5.6: whatever the routes say.
#[test]
fn rfc4291_s2_5_what_no_router_forwards_is_not_routed() {
    let mut node = configured(|_| ());
    let gateway = NextHop::Gateway { vni: SEGMENT, address: [10, 244, 2, 0].into() };
    for prefix in ["0.0.0.0/0", "::/0"] {
        node.0.routes().add(prefix.parse().unwrap(), gateway).unwrap();
    }
    let mut forwards = |source: &str, destination: &str| {
        let packet = crate::frames::ip(source.parse().unwrap(), destination.parse().unwrap(), 59, 0, &[]);
        match send_with(&mut node, &OverlayMeta::default(), &packet) {
            (Output::Drop(DropReason::Unroutable), left) => {
                assert_eq!(left, packet);
                false
            }
            (output, _) => {
                assert!(matches!(output, Output::Send { .. }), "{output:?}");
                true
            }
        }
    };
    for (host, of_no_router, group) in [
        ("10.5.1.9", &["0.0.0.0", "127.0.0.1", "169.254.1.1", "255.255.255.255"][..], "239.1.1.1"),
        ("fd00:1::9", &["::", "::1", "fe80::1"], "ff05::1"),
    ] {
        assert!(forwards(host, host) && forwards(host, group) && !forwards(group, host));
        for address in of_no_router {
            assert!(!forwards(address, host) && !forwards(host, address), "{address}");
        }
    }
    assert!(!forwards("10.5.1.9", "224.0.0.5") && !forwards("fd00:1::9", "ff02::1"));
}

/// Of a network that a router is connected to each host is a neighbour: one route is enough for all of them.
#[test]
fn hosts_of_a_connected_segment_are_neighbours() {
    let mut node = configured(|_| ());
    node.0.routes().add("10.244.3.0/24".parse().unwrap(), NextHop::Segment { vni: SEGMENT }).unwrap();
    for host in [7, 8] {
        node.0.neighbors().add(SEGMENT, [10, 244, 3, host].into(), mac(host)).unwrap();
        node.0.fdb().add(SEGMENT, mac(host), node.0.remote(address(host)).unwrap()).unwrap();
    }
    let to = |last: u8| {
        let mut packet = ip(3, 10);
        packet[19] = last;
        fix_ipv4(packet)
    };
    for host in [7, 8] {
        let (output, outer) = send_with(&mut node, &OverlayMeta::default(), &to(host));
        assert!(matches!(output, Output::Send { address: to, .. } if to == address(host)), "{output:?}");
        assert_eq!(outer[36..50], [&mac(host).0[..], &mac(1).0, &[8, 0]].concat());
        assert_eq!(outer[50..], to(host));
    }
    // Of whom nobody knows, somebody is told.
    node.1 = encap::vtep::Worker::new(0).with_miss_capacity(4);
    let dropped = (Output::Drop(DropReason::NoNeighbor), to(9));
    assert_eq!(send_with(&mut node, &OverlayMeta::default(), &to(9)), dropped);
    let miss = Miss::L3 { vni: SEGMENT, address: [10, 244, 3, 9].into() };
    assert_eq!((node.1.poll_miss(), node.1.poll_miss()), (Some(miss), None));
    // Groups are nobody's neighbours, and nobody is told of them.
    node.0.routes().add("239.0.0.0/8".parse().unwrap(), NextHop::Segment { vni: SEGMENT }).unwrap();
    let group = crate::frames::ip("10.244.1.5".parse().unwrap(), "239.1.1.1".parse().unwrap(), 59, 0, &[]);
    let dropped = (Output::Drop(DropReason::NoNeighbor), group.clone());
    assert_eq!((send_with(&mut node, &OverlayMeta::default(), &group), node.1.poll_miss()), (dropped, None));
}

/// A router tells senders from its own address what is too long; who has none, as if the destination did.
#[test]
fn rfc1812_s4_3_2_4_the_router_tells_from_its_own_address() {
    let (router, router6) = ([10, 244, 1, 1], v6(0x11));
    for is_set in [true, false] {
        let mut node = configured(|config| {
            if is_set {
                (config.router, config.router6) = (Some(router.into()), Some(router6));
            }
        });
        let gateway = NextHop::Gateway { vni: SEGMENT, address: [10, 244, 2, 0].into() };
        node.0.routes().add("::/0".parse().unwrap(), gateway).unwrap();
        let packet = ip(2, 1_431);
        let (output, told) = send_with(&mut node, &OverlayMeta::default(), &packet);
        assert_eq!(output, Output::Reply);
        let (source, ttl) = if is_set { (&router[..], 64) } else { (&packet[16..20], packet[8]) };
        assert_eq!((&told[12..16], &told[16..20], told[8]), (source, &packet[12..16], ttl));
        // Destination unreachable: fragmentation needed.
        assert_eq!((told[20], told[21], &told[26..28]), (3, 4, &1_450u16.to_be_bytes()[..]));
        let packet = crate::frames::ip(v6(1).into(), v6(2).into(), 59, 0, &[0; 1_411]);
        let (output, told) = send_with(&mut node, &OverlayMeta::default(), &packet);
        assert_eq!(output, Output::Reply);
        let (source, hops) = if is_set { (router6, 64) } else { (v6(2), packet[7]) };
        assert_eq!((&told[8..24], &told[24..40], told[7]), (&source.octets()[..], &v6(1).octets()[..], hops));
        assert_eq!((told[40], &told[44..48]), (2, &1_450u32.to_be_bytes()[..]));
    }
    // Frames of others are told of as before, whoever routes.
    let mut node = configured(|config| config.router = Some(router.into()));
    let frame = [&mac(2).0[..], &mac(9).0, &[8, 0], &ip(2, 1_431)].concat();
    let mut buffer = [&[0; ROOM][..], &frame].concat();
    let mut packet = Packet::new(&mut buffer, ROOM, frame.len()).unwrap();
    let output = node.0.handle_overlay(&mut node.1, NOW, &OverlayMeta::new(SEGMENT), &mut packet);
    assert_eq!((output, &packet.as_slice()[26..30]), (Output::Reply, &[10, 244, 2, 7][..]));
    // Nobody's address is none of a router's, nor is one from which no router forwards what it says; and it has a MAC
    // address.
    let refused = |router: &str, mac| {
        let mut config = Config::new().local(address(1));
        config.address = mac;
        match router.parse().unwrap() {
            IpAddr::V4(router) => config.router = Some(router),
            IpAddr::V6(router) => config.router6 = Some(router),
        }
        Vtep::with_capacity(config, Capacity::fdb(8), [3, 1]).map(|_| ()).unwrap_err()
    };
    let of_nobody = ["0.0.0.0", "0.0.0.1", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255"];
    for router in of_nobody.into_iter().chain(["::", "::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1"]) {
        assert_eq!(refused(router, mac(1)), ConfigError::AddressNotUnicast(router.parse().unwrap()));
    }
    for router in ["10.0.0.1", "2001:db8::1"] {
        assert_eq!(refused(router, MacAddr::ZERO), ConfigError::RouterWithoutAddress);
    }
}
