//! Inspection: nested tunnels, odd packets, short captures; and stripping all tunnels at once.

use encap::{
    tunnel::{
        Anomalies, DropReason, EncapMeta, Encapsulation, MAX_DEPTH, Payload, Ports, Profile, Start, geneve,
        gre, inspect, inspect_capture, ip_udp, strip, vxlan,
    },
    wire::{Ecn, EtherType, Vni, checksum, gre::Key, ipv4},
};

use crate::{
    common::{any_frame, edit, encap, ends, frame, ipv4_packet, vxlan_pair},
    gre_tunnel::outer,
};

fn raw_ip() -> Profile {
    let mut profile = Profile::ANALYSIS;
    profile.start = Start::Ip;
    profile
}

/// GRE around VXLAN around IP-in-UDP around a packet: IP at the front.
fn nested() -> Vec<u8> {
    let (a, b) = ends(false);
    let packet = ipv4_packet(Ecn::Ect0, false, 64, b"innermost");
    let udp = ip_udp::Endpoint::new(a).build().unwrap();
    let packet = encap(&udp, &udp.remote(b).unwrap(), &EncapMeta::new(), &packet).unwrap();
    let (vxlan, remote, _) = vxlan_pair(true, |b| b, |b| b);
    let packet = encap(&vxlan, &remote, &EncapMeta::new(), &frame(&[], &packet)).unwrap();
    let gre = gre::Endpoint::new(a).key(Key(7)).sequence(true).checksum(true).build().unwrap();
    encap(&gre, &gre.remote(b).unwrap(), &EncapMeta::new().sequence(9), &packet).unwrap()
}

#[test]
fn nested_tunnels_are_listed_from_the_outside_in() {
    let packet = nested();
    let found = inspect(&packet, &raw_ip());
    let texts: Vec<String> = found.layers().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "192.0.2.1 > 192.0.2.2 ttl 64: GRE protocol 0x86dd key 7 seq 9 checksum good, 135 bytes",
            "2001:db8::1 > 2001:db8::2 ttl 64: VXLAN vni 42, 79 bytes",
            "192.0.2.1 > 192.0.2.2 ttl 64: IP in UDP, 37 bytes",
        ]
    );
    assert!(found.anomalies().is_empty() && !found.is_truncated());
    let last = found.layers().last().unwrap();
    assert_eq!(packet[last.payload.clone()], ipv4_packet(Ecn::Ect0, false, 64, b"innermost"));
}

#[test]
fn all_tunnels_are_stripped_and_a_congestion_mark_comes_through() {
    let mut packet = nested();
    ipv4::set_ecn(packet.first_chunk_mut().unwrap(), Ecn::Ce);
    let (depth, made) = edit(&packet, |packet| strip(packet, &raw_ip())).unwrap();
    assert_eq!((depth, made), (3, ipv4_packet(Ecn::Ce, false, 64, b"innermost")));
    // A packet without a tunnel stays what it is.
    let plain = ipv4_packet(Ecn::Ect0, false, 64, b"x");
    assert_eq!(edit(&plain, |packet| strip(packet, &raw_ip())), Ok((0, plain)));
}

/// Neither GRE nor ERSPAN's header has an ECN field: the mark around them is for the mirrored frame.
#[test]
fn rfc6040_s4_2_a_mark_goes_through_erspan() {
    let (a, b) = ends(false);
    let (vxlan, remote, _) = vxlan_pair(false, |b| b, |b| b);
    let mirrored = |ecn| frame(&[], &ipv4_packet(ecn, false, 64, b"mirrored"));
    for (ecn, expected) in [(Ecn::Ect0, Ok(Ecn::Ce)), (Ecn::NotEct, Err(DropReason::InnerEcn))] {
        let erspan = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 5, 0x10, 0x64, 0x18, 0x7b, 0, 0, 0, 1];
        let mut middle = outer(a, b, &[&erspan[..], &mirrored(ecn)].concat());
        ipv4::set_ecn(middle.first_chunk_mut().unwrap(), Ecn::Ect0);
        let mut packet = encap(&vxlan, &remote, &EncapMeta::new(), &frame(&[], &middle)).unwrap();
        ipv4::set_ecn(packet.first_chunk_mut().unwrap(), Ecn::Ce);
        let stripped = edit(&packet, |packet| strip(packet, &raw_ip()));
        assert_eq!(stripped, expected.map(|ecn| (3, mirrored(ecn))));
    }
}

#[test]
fn a_limit_of_depth_is_kept() {
    let packet = nested();
    for max_depth in 0..=4 {
        let mut profile = raw_ip();
        profile.max_depth = max_depth;
        let found = inspect(&packet, &profile);
        assert_eq!(found.layers().count(), usize::from(max_depth).min(3));
        let expected = (max_depth < 3).then_some(DropReason::TooDeep);
        assert_eq!(found.drop_reason(), expected);
        assert_eq!(edit(&packet, |packet| strip(packet, &profile)).err(), expected);
    }
}

#[test]
fn more_tunnels_than_can_be_followed_end_the_reading() {
    let (a, b) = ends(false);
    let gre = gre::Endpoint::new(a).build().unwrap();
    let remote = gre.remote(b).unwrap();
    let mut packet = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    for _ in 0..=MAX_DEPTH {
        packet = encap(&gre, &remote, &EncapMeta::new(), &packet).unwrap();
    }
    let mut profile = raw_ip();
    profile.max_depth = u8::MAX;
    let found = inspect(&packet, &profile);
    assert_eq!((found.layers().count(), found.drop_reason()), (MAX_DEPTH, Some(DropReason::TooDeep)));
}

#[test]
fn odd_packets_are_read_all_the_same() {
    let (tunnel, remote, _) = vxlan_pair(false, |b| b, |b| b);
    let mut packet = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
    packet[10] ^= 1; // IPv4 checksum
    packet[28] = 0; // I flag
    let found = inspect(&packet, &raw_ip());
    let layer = found.layers().next().unwrap();
    let Encapsulation::Vxlan(header) = layer.encapsulation else { panic!() };
    assert_eq!((header.vni(), header.vni_field()), (None, Vni::truncate(42)));
    assert_eq!(packet[layer.payload.clone()], any_frame());
    let reasons: Vec<_> = found.anomalies().into_iter().collect();
    assert_eq!(reasons, [DropReason::Ipv4Checksum, DropReason::VxlanNoVni]);
    assert_eq!(found.drop_reason(), Some(DropReason::Ipv4Checksum));
}

/// Of several tunnels, each has what is odd about it; the packet has all of that.
#[test]
fn anomalies_are_those_of_one_tunnel() {
    let whole = nested();
    let odd = |packet: &[u8]| {
        let found = inspect(packet, &raw_ip());
        let odd: Vec<Vec<DropReason>> =
            found.layers().map(|layer| layer.anomalies.into_iter().collect()).collect();
        let every = found.layers().fold(Anomalies::NONE, |every, layer| every.or(layer.anomalies));
        (odd, every == found.anomalies())
    };
    assert_eq!(odd(&whole), (vec![vec![]; 3], true));
    // The GRE checksum covers all that it carries.
    let with_gre_checksum = |mut packet: Vec<u8>| {
        packet[24..26].fill(0);
        let sum = checksum::of(&packet[20..]);
        packet[24..26].copy_from_slice(&sum.to_be_bytes());
        packet
    };
    let starts: Vec<usize> = inspect(&whole, &raw_ip()).layers().map(|layer| layer.payload.start).collect();
    for (at, layer, reason) in [
        (10, 0, DropReason::Ipv4Checksum),
        (starts[0] + 46, 1, DropReason::UdpChecksum),
        (starts[1] + 14 + 10, 2, DropReason::Ipv4Checksum),
    ] {
        let mut packet = whole.clone();
        packet[at] ^= 0x30;
        let (odd, is_all) = odd(&with_gre_checksum(packet));
        let mut others = odd.clone();
        assert!(others.remove(layer).contains(&reason) && is_all, "{reason}: {odd:?}");
        // VXLAN's UDP checksum covers what it carries.
        assert!(others.iter().flatten().all(|&other| other == DropReason::UdpChecksum), "{odd:?}");
    }
    // What ends the reading before a tunnel is of none.
    let mut packet = whole.clone();
    packet[starts[1] + 14 + 24..][..2].fill(0);
    let found = inspect(&with_gre_checksum(packet), &raw_ip());
    assert!(found.anomalies().contains(DropReason::UdpLength));
    assert!(found.layers().all(|layer| !layer.anomalies.contains(DropReason::UdpLength)));
}

#[test]
fn lengths_that_segmentation_has_not_filled_in_yet_are_read_to_the_end() {
    let (tunnel, remote, _) = vxlan_pair(false, |b| b, |b| b);
    let mut packet = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
    [packet[2], packet[3]] = [0, 0];
    let found = inspect(&packet, &raw_ip());
    assert_eq!(packet[found.layers().next().unwrap().payload.clone()], any_frame());
    assert!(found.anomalies().contains(DropReason::Ipv4TotalLength));
    // BIG TCP: longer than the field can say.
    packet.resize(100_000, 0);
    let found = inspect(&packet, &raw_ip());
    assert_eq!(found.anomalies().first(), Some(DropReason::Ipv4TotalLength));
    assert_eq!(
        found.layers().next().unwrap().payload.end,
        20 + usize::from(u16::from_be_bytes([packet[24], packet[25]]))
    );
    // RFC 768: over IPv4 a UDP length of zero is none.
    [packet[24], packet[25]] = [0, 0];
    assert_eq!(inspect(&packet, &raw_ip()).layers().count(), 0);
}

#[test]
fn a3_udp3_a_length_of_less_than_a_header_is_told_of_a_port_of_ours() {
    for v6 in [false, true] {
        let (tunnel, remote, receiver) = vxlan_pair(v6, |b| b, |b| b);
        let mut packet = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
        let udp = if v6 { 40 } else { 20 };
        // Over IPv6 zero means the whole payload.
        for length in u8::from(v6)..8 {
            [packet[udp + 4], packet[udp + 5]] = [0, length];
            let reason = crate::common::decap(&receiver, &packet).err();
            assert_eq!(reason, Some(DropReason::UdpLength));
            for port in [4789u16, 8472, 4790, 6081, 4754, 8285, 4788] {
                [packet[udp + 2], packet[udp + 3]] = port.to_be_bytes();
                let expected = reason.filter(|_| port != 4788);
                let found = inspect(&packet, &raw_ip());
                assert_eq!((found.layers().count(), found.drop_reason()), (0, expected), "port {port}");
                let cut = inspect_capture(&packet[..udp + 8], packet.len(), &raw_ip());
                assert_eq!((cut.drop_reason(), cut.is_truncated()), (expected, false), "port {port}");
            }
            [packet[udp + 2], packet[udp + 3]] = 4789u16.to_be_bytes();
        }
    }
}

#[test]
fn what_is_wrong_with_other_packets_is_none_of_our_business() {
    let mut packet = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    packet[10] ^= 1;
    for len in 0..packet.len() {
        let found = inspect(&packet[..len], &raw_ip());
        assert!(found.layers().next().is_none() && found.anomalies().is_empty() && !found.is_truncated());
    }
}

/// Every way to cut a nested packet: what is there is read, nothing is called wrong.
#[test]
fn short_captures_are_read_as_far_as_they_go() {
    let packet = nested();
    let mut layers = 0;
    for len in 0..=packet.len() {
        let found = inspect_capture(&packet[..len], packet.len(), &raw_ip());
        assert!(found.anomalies().is_empty(), "{len} bytes: {:?}", found.anomalies());
        let count = found.layers().count();
        assert!(count >= layers, "more bytes, more layers");
        layers = count;
        assert!(found.layers().all(|layer| layer.payload.end <= len));
        let lens = found.layers().map(|layer| (layer.name(), layer.wire_len)).collect::<Vec<_>>();
        assert_eq!(lens, [("gre", 135), ("vxlan", 79), ("ip-udp", 37)][..count]);
    }
    assert_eq!(layers, 3);
    let cut = inspect_capture(&packet[..30], packet.len(), &raw_ip());
    assert!(cut.is_truncated(), "in the middle of GRE's optional fields");
}

/// The headers of the test packet end where IP and UDP begin inside of the last tunnel: any cut before that is told.
#[test]
fn a_capture_that_was_cut_before_its_headers_end_says_so() {
    let packet = nested();
    let last = inspect(&packet, &raw_ip()).layers().last().unwrap().payload.start;
    for len in 0..=packet.len() {
        let found = inspect_capture(&packet[..len], packet.len(), &raw_ip());
        // The innermost packet has headers of IP and of UDP, which might be another tunnel's.
        assert_eq!(found.is_truncated(), len < last + 28, "{len} bytes");
        assert!(!inspect(&packet[..len], &raw_ip()).is_truncated(), "nobody has cut it");
    }
    // Over IPv6, with extension headers, in Ethernet with tags; whatever else is odd is not told of what is cut.
    let (tunnel, remote, _) = vxlan_pair(true, |b| b, |b| b);
    let mut packet = encap(&tunnel, &remote, &EncapMeta::new(), &frame(&[], &[0x45; 20])).unwrap();
    packet.splice(40..40, [17, 0, 1, 4, 0, 0, 0, 0]);
    (packet[5], packet[6]) = (packet[5] + 8, 60);
    packet[8..24].fill(0);
    let packet = frame(&[0x81, 0, 0, 5], &packet);
    let header = 18 + 40 + 8 + 8 + 8;
    for len in 0..packet.len() {
        let found = inspect_capture(&packet[..len], packet.len(), &Profile::ANALYSIS);
        assert_eq!(found.is_truncated(), len < header + 14 + 20, "{len} bytes");
        let anomalies = found.anomalies();
        assert!(anomalies.without(DropReason::MartianSource).is_empty(), "{len} bytes: {anomalies:?}");
        assert!(len >= header || found.layers().next().is_none());
    }
    // Other packets end their reading where they are known to be others.
    for (packet, known) in [
        (frame(&[], &ipv4_packet(Ecn::NotEct, false, 64, &[7; 40])), 14 + 20 + 8),
        (frame(&[0x81, 0, 0, 5, 0x08, 0x06], &[0x45; 40]), 18),
    ] {
        for len in 0..packet.len() {
            let found = inspect_capture(&packet[..len], packet.len(), &Profile::ANALYSIS);
            assert_eq!(found.is_truncated(), len < known, "{len} bytes");
            assert!(found.anomalies().is_empty() && found.layers().next().is_none());
        }
    }
    // As deep as the reader follows, too.
    let mut profile = raw_ip();
    profile.max_depth = 1;
    let packet = nested();
    assert!(inspect_capture(&packet[..70], packet.len(), &profile).is_truncated());
}

#[test]
fn ports_are_the_profiles() {
    let (a, b) = ends(false);
    let tunnel = vxlan::Endpoint::new(a).port(9999).build().unwrap();
    let packet =
        encap(&tunnel, &tunnel.remote(b, Vni::truncate(1)).unwrap(), &EncapMeta::new(), &any_frame())
            .unwrap();
    assert_eq!(inspect(&packet, &raw_ip()).layers().count(), 0);
    let mut profile = raw_ip();
    profile.vxlan_ports = profile.vxlan_ports.with(9999).unwrap();
    assert_eq!(inspect(&packet, &profile).layers().count(), 1);
    let full = (1..=8).try_fold(Ports::NONE, Ports::with).unwrap();
    assert_eq!((full.with(8), full.with(9)), (Some(full), None));
    assert!(!Ports::NONE.contains(0));
}

#[test]
fn a_port_of_several_kinds_is_that_of_the_first_until_it_is_taken_away() {
    let (a, b) = ends(false);
    let tunnel = geneve::Endpoint::new(a).port(4789).build().unwrap();
    let remote = tunnel.remote(b, Vni::truncate(1)).unwrap();
    let packet = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
    let names =
        |profile: &Profile| inspect(&packet, profile).layers().map(|it| it.name()).collect::<Vec<_>>();
    let mut profile = raw_ip();
    profile.geneve_ports = profile.geneve_ports.with(4789).unwrap();
    assert_ne!(names(&profile), ["geneve"]);
    profile.vxlan_ports = profile.vxlan_ports.without(4789);
    assert_eq!(names(&profile), ["geneve"]);
    let (without, full) = (Ports::one(7).without(7), (1..=8).try_fold(Ports::NONE, Ports::with).unwrap());
    assert!(without == Ports::NONE && full.without(3).with(9).is_some_and(|ports| !ports.contains(3)));
}

#[test]
fn ports_and_profiles_are_equal_in_whatever_order_they_were_made() {
    let set = |ports: &[u16]| ports.iter().try_fold(Ports::NONE, |set, &port| set.with(port)).unwrap();
    assert_eq!(set(&[1, 2, 3]), set(&[3, 1, 2]));
    assert_eq!(set(&[1, 2]).without(1), set(&[2]));
    for others in [&[][..], &[1], &[1, 2], &[1, 2, 4], &[1, 2, 3, 4]] {
        assert_ne!(set(&[1, 2, 3]), set(others));
    }
    let mut profile = Profile::ANALYSIS;
    profile.vxlan_ports = set(&[8472, 4789]);
    assert_eq!(profile, Profile::ANALYSIS);
}

#[test]
fn an_ethertype_can_be_the_start() {
    let (a, b) = ends(false);
    let gre = gre::Endpoint::new(a).payload(Payload::Ethernet).build().unwrap();
    let packet = encap(&gre, &gre.remote(b).unwrap(), &EncapMeta::new(), &any_frame()).unwrap();
    for (start, bytes) in [
        (Start::EtherType(EtherType::IPV4), packet.clone()),
        (Start::EtherType(EtherType::VLAN), [&[0, 7, 8, 0], &packet[..]].concat()),
        (Start::Ethernet, frame(&[], &packet)),
        // As in cooked captures of GRE devices, whose EtherTypes are GRE's protocols.
        (Start::EtherType(EtherType::TEB), frame(&[], &packet)),
    ] {
        let mut profile = Profile::ANALYSIS;
        profile.start = start;
        let found = inspect(&bytes, &profile);
        let layer = found.layers().next().unwrap();
        assert_eq!((layer.protocol, &bytes[layer.payload.clone()]), (EtherType::TEB, &any_frame()[..]));
    }
}
