//! Fields of the outer headers: TTL, DSCP, ECN (RFC 6040), DF, identification (RFC 6864).

use encap::{
    tunnel::{
        DontFragment, EncapMeta, Framing, Link, OuterDscp, OuterFlowLabel, Payload, Ttl, ecn, gre, ip_udp,
        vxlan,
    },
    wire::{Dscp, Ecn, FlowLabel, MacAddr, Pcp, VlanId, Vni, checksum::State, ipv4, ipv6},
};

use crate::common::{Random, any_frame, decap, encap, ends, frame, ip, ipv4_packet, ipv6_packet, vxlan_pair};

type Builder = encap::tunnel::Builder<vxlan::Vxlan>;

const ALL_ECN: [Ecn; 4] = [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce];

/// Tags that inner frames may have.
const TAGS: [&[u8]; 3] = [&[], &[0x81, 0, 0, 5], &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 5]];

fn arp() -> Vec<u8> {
    [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 8, 6], &[0; 28]].concat()
}

/// The outer IPv4 header that a frame gets.
fn outer4(set: impl FnOnce(Builder) -> Builder, meta: &EncapMeta, inner: &[u8]) -> ipv4::Header {
    let (tunnel, remote, _) = vxlan_pair(false, set, |b| b);
    let made = encap(&tunnel, &remote, meta, inner).unwrap();
    assert_eq!(ipv4::verify(&made[..20]), State::Good);
    let (header, rest) = ipv4::Header::parse(&made).unwrap();
    assert_eq!(header.payload(rest).map(<[u8]>::len), Ok(16 + inner.len()));
    header
}

fn outer6(set: impl FnOnce(Builder) -> Builder, inner: &[u8]) -> ipv6::Header {
    let (tunnel, remote, _) = vxlan_pair(true, set, |b| b);
    let made = encap(&tunnel, &remote, &EncapMeta::new(), inner).unwrap();
    let (header, rest) = ipv6::Header::parse(&made).unwrap();
    assert_eq!(header.payload(rest).map(<[u8]>::len), Ok(16 + inner.len()));
    header
}

#[test]
fn a9_ttl_auto_is_64_and_1_to_multicast_groups() {
    assert_eq!(outer4(|b| b, &EncapMeta::new(), &any_frame()).ttl, 64);
    assert_eq!(outer6(|b| b, &any_frame()).hop_limit, 64);
    let (a, _) = ends(false);
    let tunnel = vxlan::Endpoint::new(a).build().unwrap();
    let group = tunnel.remote(ip("239.1.1.1"), Vni::truncate(1)).unwrap();
    assert_eq!(encap(&tunnel, &group, &EncapMeta::new(), &any_frame()).unwrap()[8], 1);
}

#[test]
fn a9_ttl_fixed() {
    for inner in [any_frame(), arp()] {
        assert_eq!(outer4(|b| b.ttl(9), &EncapMeta::new(), &inner).ttl, 9);
        assert_eq!(outer6(|b| b.ttl(255), &inner).hop_limit, 255);
    }
}

#[test]
fn a9_ttl_inherit_is_that_of_the_inner_packet_through_tags_and_64_for_others() {
    for tags in TAGS {
        for (ttl, expected) in [(33, 33), (1, 1), (255, 255), (0, 64)] {
            let v4 = frame(tags, &ipv4_packet(Ecn::NotEct, false, ttl, b"x"));
            let v6 = frame(tags, &ipv6_packet(Ecn::NotEct, ttl, b"x"));
            for inner in [v4, v6] {
                assert_eq!(outer4(|b| b.ttl(Ttl::Inherit), &EncapMeta::new(), &inner).ttl, expected);
                assert_eq!(outer6(|b| b.ttl(Ttl::Inherit), &inner).hop_limit, expected);
            }
        }
    }
    assert_eq!(outer4(|b| b.ttl(Ttl::Inherit), &EncapMeta::new(), &arp()).ttl, 64);
}

#[test]
fn a9_dscp_fixed_or_inherited_through_tags() {
    for tags in TAGS {
        for inner in [ipv4_packet(Ecn::NotEct, false, 64, b"x"), ipv6_packet(Ecn::NotEct, 64, b"x")] {
            let inner = frame(tags, &inner); // DSCP 46
            let dscp = |set: OuterDscp| {
                let four = outer4(|b| b.dscp(set), &EncapMeta::new(), &inner).dscp;
                assert_eq!(outer6(|b| b.dscp(set), &inner).dscp, four);
                four.value()
            };
            assert_eq!(dscp(OuterDscp::default()), 0);
            assert_eq!(dscp(Dscp::truncate(10).into()), 10);
            assert_eq!(dscp(OuterDscp::Inherit), 46);
        }
    }
    assert_eq!(outer4(|b| b.dscp(OuterDscp::Inherit), &EncapMeta::new(), &arp()).dscp.value(), 0);
}

#[test]
fn a9_rfc6040_s4_1_outer_ecn_in_every_mode_through_tags() {
    for mode in [ecn::Mode::Normal, ecn::Mode::Compatibility, ecn::Mode::Linux] {
        for tags in TAGS {
            for inner in ALL_ECN {
                let v4 = frame(tags, &ipv4_packet(inner, false, 64, b"x"));
                let v6 = frame(tags, &ipv6_packet(inner, 64, b"x"));
                for packet in [v4, v6] {
                    let outer = outer4(|b| b.ecn(mode), &EncapMeta::new(), &packet).ecn;
                    assert_eq!(outer6(|b| b.ecn(mode), &packet).ecn, outer);
                    assert_eq!(outer, mode.outer(inner), "{mode:?}");
                }
            }
        }
        assert_eq!(outer4(|b| b.ecn(mode), &EncapMeta::new(), &arp()).ecn, Ecn::NotEct);
    }
}

/// All sixteen cells, inner IPv4 and IPv6, outer IPv4 and IPv6, with and without tags.
#[test]
fn a9_rfc6040_s4_2_every_cell_on_the_way_out() {
    for v6 in [false, true] {
        for tags in TAGS {
            for inner in ALL_ECN {
                for outer in ALL_ECN {
                    for packet in [ipv4_packet(inner, true, 64, b"x"), ipv6_packet(inner, 64, b"x")] {
                        every_cell(v6, tags, inner, outer, &packet);
                    }
                }
            }
        }
    }
}

fn every_cell(v6: bool, tags: &[u8], inner: Ecn, outer: Ecn, packet: &[u8]) {
    let mut policy = encap::tunnel::Policy::RFC;
    policy.allow_inner_vlan = true;
    let (tunnel, remote, receiver) = vxlan_pair(v6, |b| b, |b| b.policy(policy));
    let mut made = encap(&tunnel, &remote, &EncapMeta::new(), &frame(tags, packet)).unwrap();
    if v6 {
        ipv6::set_ecn(made.first_chunk_mut().unwrap(), outer);
    } else {
        ipv4::set_ecn(made.first_chunk_mut().unwrap(), outer);
    }
    let result = decap(&receiver, &made);
    let Some(expected) = ecn::decapsulate(inner, outer) else {
        assert_eq!(result.err(), Some(encap::tunnel::DropReason::InnerEcn));
        return;
    };
    let mut expected_packet = packet.to_vec();
    if packet[0] >> 4 == 4 {
        ipv4::set_ecn(expected_packet.first_chunk_mut().unwrap(), expected);
        assert_eq!(ipv4::verify(&expected_packet[..20]), State::Good);
    } else {
        ipv6::set_ecn(expected_packet.first_chunk_mut().unwrap(), expected);
    }
    assert_eq!(result.unwrap().1, frame(tags, &expected_packet), "{inner} in {outer}");
}

#[test]
fn a9_df_unset_set_inherit() {
    let cases = [
        (frame(&[], &ipv4_packet(Ecn::NotEct, true, 64, b"x")), true),
        (frame(&[], &ipv4_packet(Ecn::NotEct, false, 64, b"x")), false),
        (frame(&[], &ipv6_packet(Ecn::NotEct, 64, b"x")), true),
        // Better than the kernel, which does not look behind tags.
        (frame(TAGS[1], &ipv4_packet(Ecn::NotEct, true, 64, b"x")), true),
        (frame(TAGS[2], &ipv6_packet(Ecn::NotEct, 64, b"x")), true),
        (arp(), false),
    ];
    for (inner, inherited) in cases {
        let df = |set| outer4(|b: Builder| b.dont_fragment(set), &EncapMeta::new(), &inner).dont_fragment;
        assert!(!df(DontFragment::Unset));
        assert!(df(DontFragment::Set));
        assert_eq!(df(DontFragment::Inherit), inherited);
    }
    assert!(
        outer4(|b| b, &EncapMeta::new(), &any_frame()).dont_fragment,
        "the default: VTEPs must not fragment"
    );
}

#[test]
fn rfc6864_s4_1_identification_is_zero_with_df_and_counted_without() {
    let meta = EncapMeta::new().identification(0xbeef);
    assert_eq!(outer4(|b| b, &meta, &any_frame()).identification, 0);
    let unset = |b: Builder| b.dont_fragment(DontFragment::Unset);
    assert_eq!(outer4(unset, &meta, &any_frame()).identification, 0xbeef);
    // Without a counter: packets of a flow differ by what their headers hold.
    let one = frame(&[], &ipv4_packet(Ecn::NotEct, false, 64, b"one"));
    let two = frame(&[], &ipv4_packet(Ecn::NotEct, false, 64, b"two"));
    let id = |packet: &[u8]| outer4(unset, &EncapMeta::new(), packet).identification;
    assert_ne!(id(&one), id(&two));
    assert_eq!(id(&one), id(&one));
}

#[test]
fn a9_flow_label_zero_fixed_or_from_the_flow_hash() {
    assert_eq!(outer6(|b| b, &any_frame()).flow_label.value(), 0);
    let fixed = OuterFlowLabel::Fixed(FlowLabel::truncate(0xabcde));
    assert_eq!(outer6(|b| b.flow_label(fixed), &any_frame()).flow_label.value(), 0xabcde);
    let hashed = |inner: &[u8]| outer6(|b| b.flow_label(OuterFlowLabel::FromHash), inner).flow_label.value();
    assert_ne!(hashed(&any_frame()), 0);
    assert_eq!(hashed(&any_frame()), hashed(&any_frame()));
    assert_ne!(hashed(&any_frame()), hashed(&arp()));
    // RFC 6438: zero is no label, whatever the hash.
    let (tunnel, remote, _) = vxlan_pair(true, |b| b.flow_label(OuterFlowLabel::FromHash), |b| b);
    let made = encap(&tunnel, &remote, &EncapMeta::new().hash(0), &any_frame()).unwrap();
    assert_eq!(ipv6::Header::parse(&made).unwrap().0.flow_label.value(), 1);
    // GRE has no ports: the label is all the entropy there is.
    let (a, b) = ends(true);
    let gre = gre::Endpoint::new(a).flow_label(OuterFlowLabel::FromHash).build().unwrap();
    let made = encap(&gre, &gre.remote(b).unwrap(), &EncapMeta::new(), &any_frame()[14..]).unwrap();
    assert_ne!(ipv6::Header::parse(&made).unwrap().0.flow_label.value(), 0);
}

/// Linux: `IFLA_VXLAN_LABEL_POLICY`.
#[test]
fn a2_32_a_flow_label_can_be_that_of_the_inner_packet() {
    let label = |inner: &[u8]| outer6(|b| b.flow_label(OuterFlowLabel::Inherit), inner).flow_label.value();
    let mut inner = frame(&[], &[0x60, 0, 0, 0, 0, 0, 59, 64].into_iter().chain([7; 32]).collect::<Vec<_>>());
    inner[12..14].copy_from_slice(&[0x86, 0xdd]);
    inner[14..18].copy_from_slice(&[0x6a, 0xbc, 0xde, 0xf1]);
    assert_eq!(label(&inner), 0xcdef1);
    let tagged = [&inner[..12], &[0x81, 0, 0, 5], &inner[12..]].concat();
    let (tunnel, remote, _) = vxlan_pair(true, |b| b.flow_label(OuterFlowLabel::Inherit), |b| b);
    let made = encap(&tunnel, &remote, &EncapMeta::new(), &tagged).unwrap();
    assert_eq!(ipv6::Header::parse(&made).unwrap().0.flow_label.value(), 0xcdef1);
    assert_eq!((label(&any_frame()), label(&arp())), (0, 0));
}

fn source_port(tunnel: &vxlan::Endpoint, meta: &EncapMeta, inner: &[u8]) -> u16 {
    let remote = tunnel.remote(ends(false).1, Vni::truncate(42)).unwrap();
    let made = encap(tunnel, &remote, meta, inner).unwrap();
    u16::from_be_bytes([made[20], made[21]])
}

#[test]
fn a10_source_ports_reach_both_ends_of_the_range() {
    let tunnel = vxlan::Endpoint::new(ends(false).0).source_ports(5000..=5001).build().unwrap();
    let port = |hash| source_port(&tunnel, &EncapMeta::new().hash(hash), &any_frame());
    assert_eq!((port(0), port(u32::MAX)), (5000, 5001));
    let mut random = Random(1);
    let ports: std::collections::BTreeSet<u16> = (0..100)
        .map(|_| {
            let mut inner = any_frame();
            inner[26..30].copy_from_slice(&random.bytes(4));
            source_port(&tunnel, &EncapMeta::new(), &inner)
        })
        .collect();
    assert_eq!(ports.into_iter().collect::<Vec<_>>(), [5000, 5001]);
}

#[test]
fn rfc7348_s5_source_ports_are_dynamic_ones_by_default_and_stay_with_the_flow() {
    let tunnel = vxlan::Endpoint::new(ends(false).0).seed(3).build().unwrap();
    let port = |inner: &[u8]| source_port(&tunnel, &EncapMeta::new(), inner);
    let mut random = Random(2);
    for _ in 0..1000 {
        let mut inner = any_frame();
        inner[26..30].copy_from_slice(&random.bytes(4));
        assert!(port(&inner) >= 49152);
        let longer = [&inner[..], b"more payload"].concat();
        assert_eq!(port(&longer), port(&inner), "payload does not matter");
    }
    let other = vxlan::Endpoint::new(ends(false).0).seed(4).build().unwrap();
    let differ = (0..64u8)
        .filter(|&n| {
            let mut inner = any_frame();
            inner[29] = n;
            source_port(&other, &EncapMeta::new(), &inner) != port(&inner)
        })
        .count();
    assert!(differ > 60, "another seed, other ports");
}

#[test]
fn a11_what_does_not_fit_is_refused_with_the_limit_named() {
    for (v6, overhead) in [(false, 36), (true, 56)] {
        let (tunnel, remote, _) = vxlan_pair(v6, |b| b.mtu(1500), |b| b);
        assert_eq!(tunnel.inner_mtu(1500), Ok(1500 - overhead - 14));
        let fits = vec![2; 1500 - overhead];
        let made = encap(&tunnel, &remote, &EncapMeta::new(), &fits).unwrap();
        assert_eq!(made.len(), 1500);
        let error = encap::tunnel::EncapError::TooLong { len: 1501 - overhead, max: 1500 - overhead };
        assert_eq!(encap(&tunnel, &remote, &EncapMeta::new(), &vec![2; 1501 - overhead]), Err(error));
        // Without an MTU: an outer packet of 65,535 bytes, and not one more.
        let (tunnel, remote, _) = vxlan_pair(v6, |b| b, |b| b);
        assert_eq!(remote.max_inner(), 65_535 - overhead);
        assert!(encap(&tunnel, &remote, &EncapMeta::new(), &vec![2; 65_535 - overhead]).is_ok());
        assert!(encap(&tunnel, &remote, &EncapMeta::new(), &vec![2; 65_536 - overhead]).is_err());
    }
}

#[test]
fn a11_tags_count_towards_the_limit() {
    let (tunnel, remote, _) = vxlan_pair(false, |b| b.mtu(100), |b| b);
    let tagged = frame(TAGS[1], &ipv4_packet(Ecn::NotEct, false, 64, &[0; 20]));
    assert_eq!(tagged.len(), 66);
    let error = encap::tunnel::EncapError::TooLong { len: 66, max: 64 };
    assert_eq!(encap(&tunnel, &remote, &EncapMeta::new(), &tagged), Err(error));
}

#[test]
fn a1_overheads() {
    assert_eq!((vxlan::OVERHEAD_IPV4 + 14, vxlan::OVERHEAD_IPV6 + 14), (50, 70));
    assert_eq!((ip_udp::OVERHEAD_IPV4, ip_udp::OVERHEAD_IPV6), (28, 48));
    let link = Link { source: MacAddr::ZERO, next_hop: MacAddr::ZERO, vlan: None };
    let tagged = Link { vlan: Some((VlanId::truncate(7), Pcp::truncate(0))), ..link };
    let framings = [Framing::Payload, Framing::Ip, Framing::Ethernet(link), Framing::Ethernet(tagged)];
    for (framing, overhead) in framings.into_iter().zip([8, 36, 50, 54]) {
        let (tunnel, remote, _) = vxlan_pair(false, |b| b.framing(framing), |b| b);
        assert_eq!((tunnel.overhead(), tunnel.headroom(), remote.overhead()), (overhead, overhead, overhead));
        assert_eq!(tunnel.inner_mtu(1500), Ok(1450), "the same, whoever writes the outer headers");
        let made = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
        assert_eq!(made.len(), overhead + any_frame().len());
    }
    let (a, _) = ends(false);
    for (keyed, checksum, sequence, len) in
        [(false, false, false, 4), (true, false, false, 8), (true, true, false, 12), (true, true, true, 16)]
    {
        let gre = gre::Endpoint::new(a).checksum(checksum).sequence(sequence);
        let gre = if keyed { gre.key(encap::wire::gre::Key(1)) } else { gre };
        for (payload, inner_link) in [(Payload::Ip, 0), (Payload::Ethernet, 14)] {
            let tunnel = gre.clone().payload(payload).build().unwrap();
            assert_eq!((tunnel.overhead(), tunnel.inner_mtu(1500)), (20 + len, Ok(1480 - len - inner_link)));
        }
    }
}

#[test]
fn framing_ethernet_writes_addresses_tag_and_next_hop() {
    let (source, next_hop) = (MacAddr([2, 0, 0, 0, 0, 0x0a]), MacAddr([2, 0, 0, 0, 0, 0x0b]));
    let vlan = Some((VlanId::truncate(100), Pcp::truncate(5)));
    for (v6, ethertype) in [(false, [8, 0]), (true, [0x86, 0xdd])] {
        let link = Link { source, next_hop, vlan };
        let (tunnel, remote, _) = vxlan_pair(v6, |b| b.framing(Framing::Ethernet(link)), |b| b);
        let made = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
        let expected = [&next_hop.0[..], &source.0, &[0x81, 0, 0xa0, 100], &ethertype].concat();
        assert_eq!(made[..18], expected);
        let other = MacAddr([2, 0, 0, 0, 0, 0x0c]);
        let made = encap(&tunnel, &remote.with_next_hop(other), &EncapMeta::new(), &any_frame()).unwrap();
        assert_eq!(made[..18], [&other.0[..], &expected[6..]].concat());
    }
    // A group has a MAC address of its own, and no router before it.
    for (local, group, mac) in [
        ("192.0.2.1", "239.129.2.3", [0x01, 0x00, 0x5e, 0x01, 2, 3]),
        ("2001:db8::1", "ff0e::1:8002:3", [0x33, 0x33, 0x80, 0x02, 0, 3]),
    ] {
        let link = Link { source, next_hop, vlan: None };
        let tunnel = vxlan::Endpoint::new(ip(local)).framing(Framing::Ethernet(link)).build().unwrap();
        let remote = tunnel.remote(ip(group), Vni::truncate(42)).unwrap();
        let made = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
        assert_eq!(made[..12], [mac, source.0].concat(), "{group}");
    }
    // Nothing to change where there is no Ethernet header.
    let (_, remote, _) = vxlan_pair(false, |b| b, |b| b);
    assert_eq!(remote.with_next_hop(MacAddr::BROADCAST), remote);
}
