//! What inspection alone recognises: ERSPAN, enhanced GRE, WCCP, guessed extensions; keepalives; and the named
//! policies.

use encap::{
    tunnel::{
        Anomalies, DropReason, EncapMeta, Encapsulation, Inspection, Payload, Policy, Profile, Start,
        UdpChecksum, gre, inspect, inspect_capture, nvgre, strip, vxlan,
    },
    wire::{Ecn, EtherType, Vni, erspan, gre::Key, vxlan_gbp::GroupPolicy},
};

use crate::{
    common::{any_frame, decap, edit, encap, ends, fix_ipv4, frame, ipv4_packet, ipv6_packet, vxlan_pair},
    laws,
};

fn profile() -> Profile {
    let mut profile = Profile::ANALYSIS;
    profile.start = Start::Ip;
    profile
}

/// An IPv4 packet around GRE bytes.
fn over_ip(gre: &[u8]) -> Vec<u8> {
    let [l0, l1] = ((20 + gre.len()) as u16).to_be_bytes();
    let mut packet = vec![0x45, 0, l0, l1, 0, 0, 0x40, 0, 64, 47, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    packet.extend(gre);
    fix_ipv4(&mut packet);
    packet
}

fn names(found: &Inspection) -> Vec<String> {
    found.layers().map(|layer| layer.encapsulation.to_string()).collect()
}

/// What the innermost layer of a packet carries.
fn carried(packet: &[u8]) -> (Vec<String>, EtherType, Vec<u8>) {
    let found = inspect(packet, &profile());
    assert_eq!(found.drop_reason(), None);
    let last = found.layers().last().unwrap();
    (names(&found), last.protocol, packet[last.payload.clone()].to_vec())
}

#[test]
fn b2_7_erspan_of_all_types() {
    let ii =
        [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 5, 0x10, 0x64, 0x18, 0x7b, 0, 0, 0, 1][..], &any_frame()].concat();
    let (layers, protocol, payload) = carried(&over_ip(&ii));
    assert_eq!(layers, ["GRE protocol 0x88be seq 5", "ERSPAN session 123 vlan 100"]);
    assert_eq!((protocol, payload), (EtherType::TEB, any_frame()));

    let iii = [
        &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 6, 0x20, 0x64, 0, 0x7b, 0, 0, 0, 1, 0, 0, 0, 1][..],
        &[9; 8], // the subheader that the last bit announces
        &any_frame(),
    ]
    .concat();
    let (layers, protocol, payload) = carried(&over_ip(&iii));
    assert_eq!(layers, ["GRE protocol 0x22eb seq 6", "ERSPAN session 123 vlan 100"]);
    assert_eq!((protocol, payload), (EtherType::TEB, any_frame()));

    // Type I: no sequence number, no header. In UDP, too.
    let i = [&[0, 0, 0x88, 0xbe][..], &any_frame()].concat();
    let [l0, l1] = (8 + i.len() as u16).to_be_bytes();
    let mut in_udp = over_ip(&[&[0xc0, 0, 0x12, 0x92, l0, l1, 0, 0][..], &i].concat());
    in_udp[9] = 17;
    fix_ipv4(&mut in_udp);
    for packet in [over_ip(&i), in_udp] {
        let (layers, protocol, payload) = carried(&packet);
        assert_eq!(layers, ["GRE protocol 0x88be"]);
        assert_eq!((protocol, payload), (EtherType::TEB, any_frame()));
    }

    for (cut, reason) in [(12, DropReason::ErspanTruncated), (15, DropReason::ErspanTruncated)] {
        assert_eq!(inspect(&over_ip(&ii[..cut]), &profile()).drop_reason(), Some(reason));
    }
    let mut version = ii.clone();
    version[8] = 0x30;
    let found = inspect(&over_ip(&version), &profile());
    assert_eq!((names(&found).len(), found.drop_reason()), (1, Some(DropReason::ErspanVersion)));
}

#[test]
fn erspan_says_whether_the_frame_was_cut() {
    let ii =
        [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 5, 0x10, 0x64, 0x1c, 0x7b, 0, 0, 0, 1][..], &any_frame()].concat();
    let packet = over_ip(&ii);
    let found = inspect(&packet, &profile());
    let Some(Encapsulation::Erspan(header)) = found.layers().last().map(|layer| layer.encapsulation) else {
        panic!("ERSPAN was in there")
    };
    assert!(header.truncated);
    assert_eq!(names(&found), ["GRE protocol 0x88be seq 5", "ERSPAN session 123 vlan 100 cut"]);
    assert!(matches!(header.kind, erspan::Kind::II { index } if index.value() == 1));
}

/// Draft, sections 4.2 and 4.3: what its sender says that it has cut (T) is read as what a capture has cut. Without
/// that flag lengths that reach beyond the frame are wrong.
#[test]
fn erspan_s4_a_frame_that_its_sender_has_cut_is_not_broken() {
    let (tunnel, remote, _) = vxlan_pair(false, |b| b.udp_checksum(UdpChecksum::Full), |b| b);
    let mirrored = frame(&[], &encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap());
    let vxlan = mirrored.len() - any_frame().len();
    let mut from_ethernet = profile();
    from_ethernet.start = Start::Ethernet;
    for (len, is_iii, is_cut) in (0..=mirrored.len())
        .flat_map(|len| [(len, false, false), (len, false, true), (len, true, false), (len, true, true)])
    {
        let flags = if is_cut { 0x1c } else { 0x18 };
        let header = if is_iii {
            [&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 5, 0x20, 0x64, flags, 0x7b][..], &[0; 8]].concat()
        } else {
            vec![0x10, 0, 0x88, 0xbe, 0, 0, 0, 5, 0x10, 0x64, flags, 0x7b, 0, 0, 0, 1]
        };
        let mut packet = over_ip(&[&header[..], &mirrored[..len]].concat());
        let (start, end) = (20 + header.len(), packet.len());
        packet.extend([0x55; 6]); // what a link adds
        laws::decap(&[&[0b1010][..], &packet].concat());
        let found = inspect(&packet, &profile());
        let stripped = edit(&packet, |packet| strip(packet, &profile()));
        let erspan = found.layers().nth(1).unwrap();
        assert_eq!((erspan.payload.clone(), erspan.wire_len), (start..end, len));
        if !is_cut {
            assert!(!found.is_truncated());
            // Without UDP's header nobody knows that there is a tunnel.
            let is_broken = len < 34 || (42..mirrored.len()).contains(&len);
            assert_eq!(
                (found.drop_reason().is_some(), stripped.is_err()),
                (is_broken, is_broken),
                "{len} bytes"
            );
            continue;
        }
        let captured = inspect_capture(&mirrored[..len], mirrored.len(), &from_ethernet);
        assert_eq!((found.drop_reason(), found.anomalies()), (None, Anomalies::NONE), "{len} bytes");
        assert_eq!(found.is_truncated(), captured.is_truncated(), "{len} bytes");
        assert_eq!(found.layers().count(), 2 + captured.layers().count(), "{len} bytes");
        for (layer, other) in found.layers().skip(2).zip(captured.layers()) {
            let there = other.payload.start + start..other.payload.end + start;
            assert_eq!((layer.payload.clone(), layer.wire_len), (there, other.wire_len), "{len} bytes");
            assert_eq!(layer.outer, other.outer);
        }
        let expected = if found.is_truncated() {
            Err(DropReason::InnerTruncated)
        } else {
            Ok((3, mirrored[vxlan..len].to_vec()))
        };
        assert_eq!(stripped, expected, "{len} bytes");
    }
}

/// Of which version an IP packet in type III is, only the packet says; other types of frames are Ethernet's.
#[test]
fn erspan_iii_says_whether_it_carries_ip() {
    let (v4, v6) = (ipv4_packet(Ecn::NotEct, false, 64, b"x"), ipv6_packet(Ecn::NotEct, 64, b"x"));
    for (frame_type, payload, expected) in [
        (2, &v4[..], EtherType::IPV4),
        (2, &v6, EtherType::IPV6),
        (2, &[0x55; 20], EtherType::TEB),
        (0, &v4, EtherType::TEB),
        (0, &v6, EtherType::TEB),
    ] {
        let header =
            [0x10, 0, 0x22, 0xeb, 0, 0, 0, 6, 0x20, 0x64, 0, 0x7b, 0, 0, 0, 1, 0, 0, frame_type << 2, 0];
        let (_, protocol, found) = carried(&over_ip(&[&header[..], payload].concat()));
        assert_eq!((protocol, &found[..]), (expected, payload), "frame type {frame_type}");
    }
}

#[test]
fn enhanced_gre_is_read_and_refused_by_endpoints() {
    let gre = [0x30, 0x81, 0x88, 0x0b, 0, 4, 0, 24, 0, 0, 0, 7, 0, 0, 0, 6, 0xff, 3, 0xc0, 0x21];
    let packet = over_ip(&gre);
    let (layers, protocol, payload) = carried(&packet);
    assert_eq!((layers, protocol), (vec!["enhanced GRE call 24".to_owned()], EtherType(0x880b)));
    assert_eq!(payload, [0xff, 3, 0xc0, 0x21]);
    let endpoint = gre::Endpoint::new(ends(false).1).build().unwrap();
    assert_eq!(decap(&endpoint, &packet).err(), Some(DropReason::GreVersion));
    let mut version = gre;
    version[1] = 0x82;
    assert_eq!(inspect(&over_ip(&version), &profile()).drop_reason(), Some(DropReason::GreVersion));
}

#[test]
fn rfc2637_s4_1_the_form_of_enhanced_gre() {
    let reason = |gre: &[u8]| {
        let found = inspect(&over_ip(gre), &profile());
        assert_eq!(found.layers().count(), 0);
        found.drop_reason()
    };
    let rest = [0x88, 0x0b, 0, 4, 0, 6, 0, 0, 0, 1, 0xff, 3, 0, 33];
    for (flags, expected) in [
        ([0xb0, 1], DropReason::Gre1Flags),  // a checksum
        ([0x10, 1], DropReason::Gre1Flags),  // no key
        ([0x70, 1], DropReason::GreRouting), // routes
        ([0x30, 2], DropReason::GreVersion),
    ] {
        assert_eq!(reason(&[&flags[..], &rest].concat()), Some(expected), "{flags:02x?}");
    }
    assert_eq!(reason(&[0x30, 1, 0x88, 0x0b, 0, 4, 0, 6, 0, 0, 0]), Some(DropReason::GreTruncated));
}

#[test]
fn rfc2637_s4_1_the_payload_is_as_long_as_its_length_says() {
    for (stated, there) in [(4, 10), (4, 4), (0, 3), (400, 4), (5, 4)] {
        let [l0, l1] = u16::to_be_bytes(stated);
        let head = [0x30, 1, 0x88, 0x0b, l0, l1, 0, 6, 0, 0, 0, 1];
        let packet = over_ip(&[&head[..], &vec![7; there]].concat());
        let found = inspect(&packet, &profile());
        let layer = found.layers().next().unwrap();
        let len = usize::from(stated).min(there);
        assert_eq!((layer.payload.len(), layer.wire_len), (len, len), "{stated} of {there}");
        let is_short = usize::from(stated) > there;
        assert_eq!(found.drop_reason(), is_short.then_some(DropReason::Gre1Length));
        // A capture that was cut lacks nothing.
        let found = inspect_capture(&packet[..33], packet.len(), &profile());
        assert_eq!(found.layers().next().unwrap().wire_len, len);
        assert_eq!(found.drop_reason(), is_short.then_some(DropReason::Gre1Length));
    }
}

#[test]
fn b2_6_wccp_with_and_without_redirect_header() {
    let redirected = ipv4_packet(Ecn::NotEct, false, 64, b"GET /");
    let endpoint = gre::Endpoint::new(ends(false).1).build().unwrap();
    for head in [&[0, 0, 0x88, 0x3e][..], &[0, 0, 0x88, 0x3e, 0x80, 61, 1, 2]] {
        let packet = over_ip(&[head, &redirected].concat());
        let (layers, protocol, payload) = carried(&packet);
        assert_eq!((layers, protocol), (vec!["GRE protocol 0x883e".to_owned()], EtherType::IPV4));
        assert_eq!(payload, redirected);
        let (inner, made) = decap(&endpoint, &packet).unwrap();
        assert_eq!((inner.protocol, made), (EtherType::IPV4, redirected.clone()));
    }
    // Over IPv6 the redirected packet is IPv6.
    let redirected = ipv6_packet(Ecn::NotEct, 64, b"GET /");
    for head in [&[0, 0, 0x88, 0x3e][..], &[0, 0, 0x88, 0x3e, 0x80, 61, 1, 2]] {
        let packet = over_ip(&[head, &redirected].concat());
        let (inner, made) = decap(&endpoint, &packet).unwrap();
        assert_eq!((inner.protocol, made), (EtherType::IPV6, redirected.clone()));
    }
    for len in 4..8 {
        let packet = over_ip(&[0, 0, 0x88, 0x3e, 0x80, 61, 1][..len.min(7)]);
        assert_eq!(
            decap(&endpoint, &packet).err(),
            Some(DropReason::GreTruncated),
            "one payload byte at least"
        );
    }
}

#[test]
fn b7_keepalives_are_recognised() {
    // From 192.0.2.1: an answer to itself, in an outer packet to its peer.
    let answer = {
        let mut packet = over_ip(&[0, 0, 0, 0]);
        packet[12..16].copy_from_slice(&[192, 0, 2, 2]);
        packet[16..20].copy_from_slice(&[192, 0, 2, 1]);
        fix_ipv4(&mut packet);
        packet
    };
    let request = over_ip(&[&[0, 0, 8, 0][..], &answer].concat());
    let (a, b) = ends(false);
    // The peer just takes the inner packet and forwards it, where its policy lets it...
    let mut policy = Policy::RFC;
    policy.allow_gre_loops = true;
    let peer = gre::Endpoint::new(b).policy(policy).build().unwrap();
    let (inner, forwarded) = decap(&peer, &request).unwrap();
    assert_eq!((inner.protocol, &forwarded), (EtherType::IPV4, &answer));
    // ...and the sender finds the answer.
    let sender = gre::Endpoint::new(a).build().unwrap();
    assert_eq!(decap(&sender, &forwarded).err(), Some(DropReason::GreKeepalive));
    let found = inspect(&request, &profile());
    assert!(found.layers().last().unwrap().encapsulation.is_keepalive());
    assert_eq!(found.drop_reason(), None);
    // Linux drops what is shorter than 12 bytes.
    let linux = gre::Endpoint::new(a).policy(Policy::LINUX).build().unwrap();
    assert_eq!(decap(&linux, &forwarded).err(), Some(DropReason::GreTruncated));
}

#[test]
fn extensions_are_guessed_by_their_form_where_the_policy_says_so() {
    let (tunnel, remote, _) = vxlan_pair(false, |b| b.group_policy(true), |b| b);
    let policy = GroupPolicy { id: 7, dont_learn: true, applied: false };
    let gbp = encap(&tunnel, &remote, &EncapMeta::new().group_policy(policy), &any_frame()).unwrap();
    let (a, b) = ends(false);
    let tunnel = nvgre::Endpoint::new(a).build().unwrap();
    let remote = tunnel.remote(b, Vni::truncate(5001)).unwrap();
    let nvgre = encap(&tunnel, &remote, &EncapMeta::new().hash(0x2a00_0000), &any_frame()).unwrap();

    assert_eq!(carried(&gbp).0, ["VXLAN-GBP vni 42 group 7 don't-learn"]);
    assert_eq!(carried(&nvgre).0, ["NVGRE vsid 5001 flow 42"]);
    let mut plain = profile();
    plain.policy.guess_extensions = false;
    assert_eq!(names(&inspect(&gbp, &plain)), ["VXLAN vni 42"]);
    assert_eq!(names(&inspect(&nvgre, &plain)), ["GRE protocol 0x6558 key 1280298"]);
}

/// Only bits of an extension that is in use are not reserved: of one that is guessed, where it was found.
#[test]
fn a3_9_without_the_g_flag_no_bits_are_those_of_group_based_policy() {
    let (tunnel, remote, receiver) = vxlan_pair(false, |b| b, |b| b.policy(Policy::STRICT));
    let packet = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
    let mut guessing = profile();
    (guessing.policy, guessing.policy.guess_extensions) = (Policy::STRICT, true);
    for bit in (0..64).filter(|bit| !(8..32).contains(bit)) {
        let mut packet = packet.clone();
        packet[28 + (63 - bit) / 8] ^= 1 << (bit % 8);
        let expected = (bit != 63).then(|| decap(&receiver, &packet).unwrap_err());
        assert_eq!(inspect(&packet, &guessing).drop_reason(), expected, "bit {bit}");
    }
}

#[test]
fn unfinished_checksums_are_told_apart_from_wrong_ones() {
    let (tunnel, remote, _) = vxlan_pair(true, |b| b, |b| b);
    let mut packet = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
    let pseudo = {
        let (header, _) = encap::wire::ipv6::Header::parse(&packet).unwrap();
        encap::wire::checksum::Sum::pseudo_ipv6(
            header.source,
            header.destination,
            encap::wire::IpProtocol::UDP,
            header.payload_len.into(),
        )
    };
    packet[46..48].copy_from_slice(&pseudo.value().to_be_bytes());
    assert_eq!(inspect(&packet, &profile()).drop_reason(), None);
    let mut rfc = profile();
    rfc.policy.allow_unfinished_checksums = false;
    assert_eq!(inspect(&packet, &rfc).drop_reason(), Some(DropReason::UdpChecksum));
    packet[46] ^= 1;
    assert_eq!(inspect(&packet, &profile()).drop_reason(), Some(DropReason::UdpChecksum));
}

#[test]
fn a3_udp3_a_length_of_zero_over_ipv6_by_policy() {
    let mut linux = Policy::LINUX;
    linux.verify_udp_checksum = false;
    for (policy, expected) in [(Policy::RFC, Some(DropReason::UdpLength)), (linux, None)] {
        let (tunnel, remote, receiver) = vxlan_pair(true, |b| b, |b| b.policy(policy));
        let mut packet = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
        [packet[44], packet[45]] = [0, 0];
        assert_eq!(decap(&receiver, &packet).err(), expected);
    }
    // Over IPv4 it is refused by everybody.
    let (tunnel, remote, receiver) = vxlan_pair(false, |b| b, |b| b.policy(Policy::LINUX));
    let mut packet = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
    [packet[24], packet[25]] = [0, 0];
    assert_eq!(decap(&receiver, &packet).err(), Some(DropReason::UdpLength));
}

#[test]
fn b2_2_b8_gre_as_linux_takes_it() {
    let payload = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    let receiver = gre::Endpoint::new(ends(false).1).policy(Policy::LINUX).build().unwrap();
    for bit in 3..12 {
        let flags: u16 = 1 << bit;
        let [f0, f1] = flags.to_be_bytes();
        let packet = over_ip(&[&[f0, f1, 8, 0][..], &payload].concat());
        let expected = (flags & 0x0078 != 0).then_some(DropReason::GreReservedBits);
        assert_eq!(decap(&receiver, &packet).err(), expected, "{flags:#06x}");
    }
}

#[test]
fn control_messages_of_geneve_are_linuxs_to_take() {
    use encap::tunnel::geneve;

    let (a, b) = ends(false);
    let tunnel = geneve::Endpoint::new(a).build().unwrap();
    let mut packet =
        encap(&tunnel, &tunnel.remote(b, Vni::truncate(1)).unwrap(), &EncapMeta::new(), &any_frame())
            .unwrap();
    packet[29] |= 0x80;
    for (policy, expected) in [(Policy::LINUX, None), (Policy::STRICT, Some(DropReason::ControlMessage))] {
        let receiver = geneve::Endpoint::new(b).policy(policy).build().unwrap();
        assert_eq!(decap(&receiver, &packet).err(), expected);
    }
}

#[test]
fn linux_takes_tagged_frames_to_any_address() {
    let tagged = frame(&[0x81, 0, 0, 5], &ipv6_packet(Ecn::NotEct, 64, b"x"));
    let (tunnel, _, receiver) = vxlan_pair(false, |b| b, |b| b.policy(Policy::LINUX));
    let elsewhere = tunnel.remote("192.0.2.77".parse().unwrap(), Vni::truncate(1)).unwrap();
    let packet = encap(&tunnel, &elsewhere, &EncapMeta::new(), &tagged).unwrap();
    assert_eq!(decap(&receiver, &packet).unwrap().1, tagged);
}

#[test]
fn every_kind_of_tunnel_is_found_on_its_usual_port() {
    let (a, b) = ends(false);
    let ip = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    let gre_udp = gre::UdpEndpoint::new(a).payload(Payload::Ethernet).build().unwrap();
    let packet = encap(&gre_udp, &gre_udp.remote(b).unwrap(), &EncapMeta::new(), &any_frame()).unwrap();
    let found = inspect(&packet, &profile());
    let layer = found.layers().next().unwrap();
    assert_eq!((layer.outer.destination_port, names(&found)), (4754, vec!["GRE protocol 0x6558".to_owned()]));
    // What looks like NVGRE is not, in UDP.
    let keyed = gre::UdpEndpoint::new(a).payload(Payload::Ethernet).key(Key(7)).build().unwrap();
    let packet = encap(&keyed, &keyed.remote(b).unwrap(), &EncapMeta::new(), &any_frame()).unwrap();
    let found = inspect(&packet, &profile());
    let layer = found.layers().next().unwrap();
    assert_eq!((layer.name(), layer.encapsulation.key()), ("gre-udp", Some(Key(7))));
    let gpe = vxlan::Endpoint::new(a).gpe(Payload::Ip).build().unwrap();
    let packet = encap(&gpe, &gpe.remote(b, Vni::truncate(9)).unwrap(), &EncapMeta::new(), &ip).unwrap();
    assert_eq!(carried(&packet), (vec!["VXLAN-GPE vni 9 next 1".to_owned()], EtherType::IPV4, ip.clone()));
    let keyed = gre::Endpoint::new(a).key(Key(3)).build().unwrap();
    let packet = encap(&keyed, &keyed.remote(b).unwrap(), &EncapMeta::new(), &ip).unwrap();
    assert_eq!(carried(&packet).0, ["GRE protocol 0x0800 key 3"]);
}
