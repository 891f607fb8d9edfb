//! Outer packets that are here, and not where they are going, or that their options say are to be discarded.

use encap::{
    tunnel::{
        DropReason, Inspection, Policy, Profile, Start,
        gre::{self, Tunnel},
        inspect, strip, vxlan,
    },
    wire::Ecn,
};

use crate::{
    common::{any_frame, decap, edit, encap, ends, fix_ipv4, ipv4_packet, vxlan_pair},
    laws,
};

/// GRE in IPv4 with these options, padded to whole words.
fn with_options(options: &[u8]) -> Vec<u8> {
    let (a, b) = ends(false);
    let tunnel = gre::Endpoint::new(a).build().unwrap();
    let inner = ipv4_packet(Ecn::NotEct, false, 64, b"hello");
    let mut packet = encap(&tunnel, &tunnel.remote(b).unwrap(), &Default::default(), &inner).unwrap();
    let len = options.len().next_multiple_of(4);
    packet.splice(20..20, options.iter().copied().chain(std::iter::repeat(0)).take(len));
    packet[0] += len as u8 / 4;
    packet[3] += len as u8;
    fix_ipv4(&mut packet);
    packet
}

/// Puts an extension header before what an IPv6 packet carries.
fn extend(mut packet: Vec<u8>, kind: u8, header: &[u8]) -> Vec<u8> {
    packet.splice(40..40, header.iter().copied());
    (packet[40], packet[6]) = (packet[6], kind);
    packet[5] += header.len() as u8;
    packet
}

fn gre_packet6() -> Vec<u8> {
    let (a, b) = ends(true);
    let tunnel = gre::Endpoint::new(a).build().unwrap();
    let inner = ipv4_packet(Ecn::NotEct, false, 64, b"hello");
    encap(&tunnel, &tunnel.remote(b).unwrap(), &Default::default(), &inner).unwrap()
}

fn vxlan_packet6() -> Vec<u8> {
    let (tunnel, remote, _) = vxlan_pair(true, |b| b, |b| b);
    encap(&tunnel, &remote, &Default::default(), &any_frame()).unwrap()
}

/// What a tunnel says of a packet, which is what its endpoint says.
fn verdict(packet: &[u8]) -> Option<DropReason> {
    let (a, b) = ends(packet[0] >> 4 == 6);
    let mut tunnel = Tunnel::new(b, a).build().unwrap();
    let verdict = edit(packet, |packet| tunnel.decap(encap::time::Instant::ZERO, packet)).err();
    assert_eq!(decap(&gre::Endpoint::new(b).build().unwrap(), packet).err(), verdict);
    let counted: u64 = tunnel.counters().drops().map(|(_, count)| count).sum();
    assert_eq!(counted, u64::from(verdict.is_some_and(|reason| !reason.is_not_ours())));
    verdict
}

fn raw_ip() -> Profile {
    let mut profile = Profile::ANALYSIS;
    profile.start = Start::Ip;
    profile
}

fn inspected(packet: &[u8]) -> Inspection {
    inspect(packet, &raw_ip())
}

#[test]
fn rfc791_s3_1_a_source_route_with_hops_left_leads_on() {
    for kind in [131, 137] {
        // Two hops; the pointer counts from one.
        for (pointer, left) in [(4, true), (8, true), (12, false), (255, false)] {
            let route = [kind, 11, pointer, 198, 51, 100, 1, 198, 51, 100, 2];
            for before in [&[][..], &[1, 1], &[148, 4, 0, 0]] {
                let packet = with_options(&[before, &route].concat());
                let expected = left.then_some(DropReason::OtherDestination);
                assert_eq!(verdict(&packet), expected, "{pointer}");
                assert_eq!(inspected(&packet).drop_reason(), expected, "{pointer}");
            }
        }
    }
    // Behind the end of the list there is none; nor is there one in a recorded route.
    assert_eq!(verdict(&with_options(&[0, 131, 7, 4, 1, 2, 3, 4])), None);
    assert_eq!(verdict(&with_options(&[7, 7, 4, 0, 0, 0, 0])), None);
    // Options that do not make sense end the list.
    assert_eq!(verdict(&with_options(&[9, 1, 131, 7, 4, 1, 2, 3, 4])), None);
    assert_eq!(verdict(&with_options(&[9, 99, 131, 7])), None);
    assert_eq!(verdict(&with_options(&[1, 1, 1, 131])), None);
}

#[test]
fn rfc8200_s4_4_a_routing_header_with_segments_left_leads_on() {
    for kind in [0, 2, 3, 4, 99] {
        for left in 0..=u8::MAX {
            let header = [&[0, 2, kind, left, 0, 0, 0, 0][..], &[0x20; 16]].concat();
            let expected = (left > 0).then_some(DropReason::OtherDestination);
            assert_eq!(verdict(&extend(gre_packet6(), 43, &header)), expected);
        }
    }
    // No policy makes it ours: a socket of any address does not get it either.
    let header = [&[0, 2, 0, 1, 0, 0, 0, 0][..], &[0x20; 16]].concat();
    let packet = extend(vxlan_packet6(), 43, &header);
    for policy in [Policy::RFC, Policy::STRICT, Policy::LINUX, Policy::ANALYSIS] {
        let endpoint = vxlan::Endpoint::new(ends(true).1).policy(policy).build().unwrap();
        assert_eq!(decap(&endpoint, &packet).err(), Some(DropReason::OtherDestination));
        // An analyser sees the tunnel, and says the same.
        let mut profile = raw_ip();
        profile.policy = policy;
        let found = inspect(&packet, &profile);
        assert_eq!((found.layers().count(), found.drop_reason()), (1, Some(DropReason::OtherDestination)));
        let stripped = edit(&packet, |packet| strip(packet, &profile));
        assert_eq!(stripped.err(), Some(DropReason::OtherDestination));
    }
    // The same of an endpoint that takes packets to any address.
    laws::decap(&[&[0b1011][..], &packet].concat());
}

#[test]
fn rfc8200_s4_2_options_that_nobody_here_knows_say_what_becomes_of_the_packet() {
    for header in [0, 60] {
        for kind in 2..=u8::MAX {
            let packet = extend(gre_packet6(), header, &[0, 0, 1, 0, kind, 2, 0, 0]);
            let expected = (kind & 0xc0 != 0).then_some(DropReason::Ipv6Option);
            assert_eq!(verdict(&packet), expected, "{kind:#04x}");
            assert_eq!(inspected(&packet).anomalies().contains(DropReason::Ipv6Option), expected.is_some());
        }
        // Padding of every kind; the data of an option is none.
        for options in [[0; 6], [1, 4, 0, 0, 0, 0], [0, 0, 1, 2, 0, 0], [5, 2, 0xc5, 0, 0, 0]] {
            assert_eq!(verdict(&extend(gre_packet6(), header, &[&[0, 0][..], &options].concat())), None);
        }
        // What runs past the end of its header cannot be read.
        for options in [[1, 5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1], [5, 2, 0, 0, 5, 1]] {
            let packet = extend(gre_packet6(), header, &[&[0, 0][..], &options].concat());
            assert_eq!(verdict(&packet), Some(DropReason::Ipv6Extensions), "{options:?}");
        }
    }
    assert!(!DropReason::Ipv6Option.is_not_ours());
    // Other headers have no options.
    let packet = extend(gre_packet6(), 43, &[0, 0, 0xc5, 0, 0xc5, 2, 0, 0]);
    assert_eq!(verdict(&packet), None);
}

/// Whoever has no association to verify it by must discard the packet; over IPv4 it is another protocol.
#[test]
fn rfc4302_s3_4_2_what_nobody_has_verified_is_another_protocol() {
    // Authentication, Mobility, HIP, Shim6: 16 bytes each, which Authentication counts in other units.
    for (kind, len) in [(51, 2), (135, 1), (139, 1), (140, 1)] {
        let header = [0, len, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef];
        let packet = extend(gre_packet6(), kind, &header);
        assert_eq!(verdict(&packet), Some(DropReason::OtherProtocol), "{kind}");
        let behind = extend(packet.clone(), 60, &[0, 0, 1, 4, 0, 0, 0, 0]);
        assert_eq!(verdict(&behind), Some(DropReason::OtherProtocol), "{kind}");
        // An analyser steps over it, and says the same.
        let found = inspected(&packet);
        let expected = (1, Some(DropReason::OtherProtocol));
        assert_eq!((found.layers().count(), found.drop_reason()), expected, "{kind}");
        let udp = extend(vxlan_packet6(), kind, &header);
        let endpoint = vxlan::Endpoint::new(ends(true).1).policy(Policy::LINUX).build().unwrap();
        assert_eq!(decap(&endpoint, &udp).err(), Some(DropReason::OtherProtocol), "{kind}");
        laws::decap(&[&[0b1011][..], &udp].concat());
    }
}

#[test]
fn rfc8200_s4_hop_by_hop_options_behind_another_header_are_another_protocol() {
    let padding = [0, 0, 1, 4, 0, 0, 0, 0];
    let first = extend(gre_packet6(), 0, &padding);
    assert_eq!(verdict(&first), None);
    for kind in [0, 60] {
        let packet = extend(first.clone(), kind, &padding);
        assert_eq!(verdict(&packet), Some(DropReason::OtherProtocol), "{kind}");
        // An analyser has nothing to say of it.
        let found = inspected(&packet);
        assert_eq!((found.layers().count(), found.drop_reason()), (0, None), "{kind}");
    }
}
