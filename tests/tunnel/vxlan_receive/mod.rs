//! What a VXLAN endpoint takes and refuses: the kernel's ordered list of receive checks, as far
//! as they are a packet's business, and RFC 7348 where the kernel does otherwise.

mod outer;

use encap::{
    tunnel::{
        self, Builder, DecapMeta, DropReason, EncapError, Framing, Inner, Link, OuterFacts, Payload, Policy,
        vxlan::Vxlan,
    },
    wire::{Ecn, EtherType, MacAddr, VlanId, Vni, checksum::State, vxlan},
};

use crate::common::{
    any_frame, decap, edit, encap, ends, fix_ipv4, frame, ip, ipv4_packet, ipv6_packet, vxlan_pair,
};

/// A packet over IPv4: IP header at 0, UDP at 20, VXLAN at 28, frame at 36.
fn packet() -> Vec<u8> {
    let (tunnel, remote, _) = vxlan_pair(false, |b| b, |b| b);
    encap(&tunnel, &remote, &Default::default(), &any_frame()).unwrap()
}

/// The same over IPv6: UDP at 40, VXLAN at 48, frame at 56.
fn packet6() -> Vec<u8> {
    let (tunnel, remote, _) = vxlan_pair(true, |b| b, |b| b);
    encap(&tunnel, &remote, &Default::default(), &any_frame()).unwrap()
}

fn receive_with(policy: Policy, packet: &[u8]) -> Result<(Inner, Vec<u8>), DropReason> {
    let (_, _, receiver) =
        vxlan_pair(packet.first().is_some_and(|first| first >> 4 == 6), |b| b, |b| b.policy(policy));
    decap(&receiver, packet)
}

fn receive(packet: &[u8]) -> Result<(Inner, Vec<u8>), DropReason> {
    receive_with(Policy::RFC, packet)
}

/// What becomes of the IPv4 packet after a change; its header checksum is right unless `change` is the last
/// to touch it.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Result<(Inner, Vec<u8>), DropReason> {
    let mut packet = packet();
    change(&mut packet);
    fix_ipv4(&mut packet);
    receive(&packet)
}

fn reason<T: std::fmt::Debug>(result: Result<T, DropReason>) -> DropReason {
    result.unwrap_err()
}

#[test]
fn a_clean_packet_comes_out_with_all_facts() {
    let (inner, made) = receive(&packet()).unwrap();
    assert_eq!(made, any_frame());
    assert_eq!(inner.encapsulation.vni(), Some(Vni::truncate(42)));
    assert_eq!((inner.protocol, inner.stripped), (EtherType::TEB, 36));
    let outer = inner.outer.unwrap();
    assert_eq!((outer.source, outer.destination), ends(false));
    assert_eq!((outer.destination_port, outer.ttl, outer.ds_field), (4789, 64, 0));
    assert_eq!((outer.vlan, outer.udp_checksum), (None, State::Absent));
    assert!(outer.source_port >= 49152);
    let (inner, made) = receive(&packet6()).unwrap();
    assert_eq!((made, inner.outer.unwrap().udp_checksum), (any_frame(), State::Good));
}

#[test]
fn every_truncation_is_refused_and_named() {
    for packet in [packet(), packet6()] {
        for len in 0..packet.len() {
            let reason = reason(receive(&packet[..len]));
            // The lengths in the headers say more than there is; before they can be read, the header is cut.
            let ip_len = if packet[0] >> 4 == 4 { 20 } else { 40 };
            let expected = match (ip_len, len) {
                (20, 0..20) | (40, 0) => DropReason::Ipv4Truncated,
                (40, 1..40) => DropReason::Ipv6Truncated,
                (20, _) => DropReason::Ipv4TotalLength,
                _ => DropReason::Ipv6PayloadLength,
            };
            assert_eq!(reason, expected, "{len} bytes");
        }
    }
}

#[test]
fn other_packets_are_told_apart_from_bad_ones() {
    assert_eq!(reason(changed(|p| p[9] = 6)), DropReason::OtherProtocol);
    assert_eq!(reason(changed(|p| [p[22], p[23]] = [0, 53])), DropReason::OtherPort);
    let (_, _, receiver4) = vxlan_pair(false, |b| b, |b| b);
    assert_eq!(reason(decap(&receiver4, &packet6())), DropReason::NotIp);
    for reason in [DropReason::OtherProtocol, DropReason::OtherPort, DropReason::NotIp] {
        assert!(reason.is_not_ours());
    }
    assert!(!DropReason::UdpChecksum.is_not_ours());
}

#[test]
fn a3_1_eight_bytes_of_header() {
    for len in 0..8 {
        let result = changed(|p| {
            p.truncate(28 + len);
            [p[2], p[3]] = (28 + len as u16).to_be_bytes();
            [p[24], p[25]] = (8 + len as u16).to_be_bytes();
        });
        assert_eq!(reason(result), DropReason::VxlanTruncated, "{len} bytes");
    }
}

#[test]
fn a3_2_i_flag_for_all_256_flag_bytes() {
    for flags in 0..=u8::MAX {
        let result = changed(|p| p[28] = flags).map(|_| ());
        let expected = if flags & 8 == 0 { Err(DropReason::VxlanNoVni) } else { Ok(()) };
        assert_eq!(result, expected, "flags {flags:#04x}");
    }
}

#[test]
fn a3_4_reserved_bits_are_ignored_by_rfc_7348_and_refused_by_mask() {
    let mut linux = Policy::RFC;
    linux.vxlan_reserved_bits = 0xf7ff_ffff_0000_00ff;
    let mut one = Policy::RFC;
    one.vxlan_reserved_bits = 0x0000_0001_0000_0000;
    assert_eq!(linux.vxlan_reserved_bits, vxlan::RESERVED);
    // Header tried, and whether each of the three takes it; as measured on a running kernel.
    let headers: [(u64, [bool; 3]); 5] = [
        (0x0800_0000_0000_2a00, [true, true, true]),
        (0x0800_0001_0000_2a00, [true, false, false]),
        (0x0800_0000_0000_2a01, [true, false, true]),
        (0xffff_ffff_0000_2aff, [true, false, false]),
        (0x8800_1234_0000_2a00, [true, false, true]),
    ];
    for (header, taken) in headers {
        let mut packet = packet();
        packet[28..36].copy_from_slice(&header.to_be_bytes());
        for (policy, taken) in [Policy::RFC, linux, one].into_iter().zip(taken) {
            let expected = if taken { None } else { Some(DropReason::VxlanReservedBits) };
            assert_eq!(receive_with(policy, &packet).err(), expected, "{header:#018x}");
        }
    }
    // Never without the I flag.
    assert_eq!(reason(changed(|p| p[28..36].copy_from_slice(&[0xf7; 8]))), DropReason::VxlanNoVni);
}

#[test]
fn rfc7348_s5_every_vni_is_legal_zero_included() {
    for vni in [0u32, 1, 42, 0x00ff_ffff] {
        let (inner, _) = changed(|p| p[32..36].copy_from_slice(&(vni << 8).to_be_bytes())).unwrap();
        assert_eq!(inner.encapsulation.vni(), Vni::new(vni));
    }
}

#[test]
fn a3_6_at_least_14_bytes_of_inner_ethernet() {
    let (tunnel, remote, receiver) = vxlan_pair(false, |b| b, |b| b);
    let bare = [&any_frame()[..12], &[0x88, 0xb5]].concat();
    let whole = encap(&tunnel, &remote, &Default::default(), &bare).unwrap();
    assert_eq!(decap(&receiver, &whole).unwrap().1, bare, "exactly 14 bytes are enough");
    for cut in 1..=14 {
        let mut packet = whole.clone();
        packet.truncate(whole.len() - cut);
        let len = packet.len() as u16;
        [packet[2], packet[3]] = len.to_be_bytes();
        [packet[24], packet[25]] = (len - 20).to_be_bytes();
        fix_ipv4(&mut packet);
        assert_eq!(reason(decap(&receiver, &packet)), DropReason::InnerTruncated, "{} bytes", 14 - cut);
    }
}

#[test]
fn a3_12_an_inner_ip_header_that_is_announced_must_be_there() {
    let (tunnel, remote, receiver) = vxlan_pair(false, |b| b, |b| b);
    for (l3, need) in
        [(ipv4_packet(Ecn::NotEct, false, 64, b"x"), 20), (ipv6_packet(Ecn::NotEct, 64, b"x"), 40)]
    {
        let whole = encap(&tunnel, &remote, &Default::default(), &frame(&[], &l3)).unwrap();
        for len in [0, 1, need - 1, need] {
            let mut packet = whole[..36 + 14 + len].to_vec();
            let total_len = packet.len() as u16;
            [packet[2], packet[3]] = total_len.to_be_bytes();
            [packet[24], packet[25]] = (total_len - 20).to_be_bytes();
            fix_ipv4(&mut packet);
            let expected = (len < need).then_some(DropReason::InnerTruncated);
            assert_eq!(decap(&receiver, &packet).err(), expected, "{len} of {need} bytes");
        }
    }
}

#[test]
fn a3_frames_that_are_not_ip_are_taken_as_they_are() {
    let length_frame = [&any_frame()[..12], &[0, 3], b"abc"].concat();
    let mut garbage = any_frame();
    garbage[14..34].fill(0xff); // claims to be IPv4
    for inner in [length_frame, garbage] {
        let (tunnel, remote, receiver) = vxlan_pair(false, |b| b, |b| b);
        let packet = encap(&tunnel, &remote, &Default::default(), &inner).unwrap();
        assert_eq!(decap(&receiver, &packet).unwrap().1, inner);
    }
}

#[test]
fn rfc7348_s6_1_inner_vlan_tags_only_if_configured() {
    let tagged = frame(&[0x81, 0, 0, 5], &ipv4_packet(Ecn::NotEct, false, 64, b"x"));
    let (tunnel, remote, receiver) = vxlan_pair(false, |b| b.inner_vlan(true), |b| b);
    let packet = encap(&tunnel, &remote, &Default::default(), &tagged).unwrap();
    assert_eq!(reason(decap(&receiver, &packet)), DropReason::InnerVlan);
    let mut policy = Policy::RFC;
    policy.allow_inner_vlan = true;
    assert_eq!(receive_with(policy, &packet).unwrap().1, tagged);
}

#[test]
fn rfc7348_s6_1_inner_vlan_tags_are_sent_only_if_configured() {
    let ipv4 = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    let (a, b) = ends(false);
    let kinds: [fn(Builder<Vxlan>) -> Builder<Vxlan>; 3] =
        [|b| b, |b| b.group_policy(true), |b| b.gpe(Payload::Ethernet)];
    for set in kinds {
        let tunnel = set(tunnel::vxlan::Endpoint::new(a)).build().unwrap();
        let remote = tunnel.remote(b, Vni::truncate(42)).unwrap();
        let sent = |tags: &[u8]| encap(&tunnel, &remote, &Default::default(), &frame(tags, &ipv4)).err();
        assert_eq!(sent(&[]), None);
        // A tag, two, and one that is cut off.
        for tags in [&[0x81, 0, 0, 5][..], &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 5]] {
            assert_eq!(sent(tags), Some(EncapError::InnerVlan));
        }
        let cut = &frame(&[0x81, 0, 0, 5], &ipv4)[..15];
        assert_eq!(encap(&tunnel, &remote, &Default::default(), cut).err(), Some(EncapError::InnerVlan));
        let tunnel = set(tunnel::vxlan::Endpoint::new(a)).inner_vlan(true).build().unwrap();
        assert!(encap(&tunnel, &remote, &Default::default(), cut).is_ok());
    }
}

#[test]
fn a3_13_a_mark_that_the_inner_transport_does_not_know_drops_the_packet() {
    let result = changed(|p| p[1] |= Ecn::Ce.value());
    assert_eq!(reason(result), DropReason::InnerEcn);
}

#[test]
fn where_several_reasons_apply_the_first_check_is_reported() {
    let result = changed(|p| {
        p[1] |= Ecn::Ce.value(); // last check
        p[28] = 0; // before it
        p[12..16].fill(0); // first
    });
    assert_eq!(reason(result), DropReason::MartianSource);
}

#[test]
fn framing_ethernet_reads_tags_and_link_padding() {
    let link =
        Link { source: MacAddr([2, 0, 0, 0, 0, 1]), next_hop: MacAddr([2, 0, 0, 0, 0, 2]), vlan: None };
    for tags in [&[][..], &[0x81, 0, 0x20, 7], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9]] {
        let (_, _, receiver) = vxlan_pair(false, |b| b, |b| b.framing(Framing::Ethernet(link)));
        let mut outer = frame(tags, &packet());
        outer.extend([0; 10]);
        let (inner, made) = decap(&receiver, &outer).unwrap();
        assert_eq!(made, any_frame());
        let vlan = (!tags.is_empty()).then_some(VlanId::truncate(7));
        assert_eq!((inner.outer.unwrap().vlan, inner.stripped), (vlan, 14 + tags.len() + 36));
        for len in 0..14 + tags.len() {
            assert_eq!(reason(decap(&receiver, &outer[..len])), DropReason::Ethernet, "{len} bytes");
        }
    }
}

/// A tag that the card has taken off is the outermost one, whether the frame has others or none.
#[test]
fn a_tag_that_a_card_has_taken_off_is_a_fact() {
    let meta = DecapMeta::new().vlan(VlanId::truncate(9));
    let link =
        Link { source: MacAddr([2, 0, 0, 0, 0, 1]), next_hop: MacAddr([2, 0, 0, 0, 0, 2]), vlan: None };
    for v6 in [false, true] {
        for tags in [&[][..], &[0x81, 0, 0x20, 7]] {
            let (tunnel, remote, receiver) = vxlan_pair(v6, |b| b, |b| b.framing(Framing::Ethernet(link)));
            let packet = encap(&tunnel, &remote, &Default::default(), &any_frame()).unwrap();
            let outer = frame(tags, &packet);
            let (inner, made) = edit(&outer, |packet| receiver.decap_with(packet, &meta)).unwrap();
            assert_eq!((inner.outer.unwrap().vlan, made), (Some(VlanId::truncate(9)), any_frame()));
        }
    }
}

#[test]
fn framing_payload_takes_outer_facts_from_the_caller() {
    let (_, _, receiver) = vxlan_pair(false, |b| b, |b| b.framing(Framing::Payload));
    let marked = {
        let (tunnel, remote, _) = vxlan_pair(false, |b| b, |b| b);
        let inner = frame(&[], &ipv4_packet(Ecn::Ect0, false, 64, b"x"));
        encap(&tunnel, &remote, &Default::default(), &inner).unwrap()[28..].to_vec()
    };
    let (inner, made) = decap(&receiver, &marked).unwrap();
    assert_eq!((inner.outer, made[15] & 3), (None, Ecn::Ect0.value()));
    let mut facts = OuterFacts::new(ip("192.0.2.1"), ip("192.0.2.2"));
    facts.ds_field = Ecn::Ce.value();
    let meta = DecapMeta::new().outer(facts);
    let (inner, made) = edit(&marked, |packet| receiver.decap_with(packet, &meta)).unwrap();
    assert_eq!((inner.outer, made[15] & 3), (Some(facts), Ecn::Ce.value()));
}
