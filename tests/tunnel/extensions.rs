//! VXLAN with Group Based Policy, with the Generic Protocol Extension; NVGRE; GRE in UDP.

use encap::{
    tunnel::{
        Builder, ConfigError, DropReason, EncapError, EncapMeta, Encapsulation, Framing, Inner, Payload,
        Policy, gre, nvgre, vxlan,
    },
    wire::{Ecn, EtherType, Vni, gre::Key, vxlan_gbp::GroupPolicy, vxlan_gpe::NextProtocol},
};

use crate::common::{any_frame, decap, encap, ends, fix_ipv4, frame, ipv4_packet, ipv6_packet, vxlan_pair};

type Vxlan = Builder<vxlan::Vxlan>;

fn gbp(b: Vxlan) -> Vxlan {
    b.group_policy(true)
}

/// What becomes of a packet between two endpoints after a change to its VXLAN header, at 28.
fn changed(
    sender: impl FnOnce(Vxlan) -> Vxlan,
    receiver: impl FnOnce(Vxlan) -> Vxlan,
    inner: &[u8],
    meta: &EncapMeta,
    change: impl FnOnce(&mut [u8; 8]),
) -> Result<(Inner, Vec<u8>), DropReason> {
    let (tunnel, remote, receiver) = vxlan_pair(false, sender, receiver);
    let mut packet = encap(&tunnel, &remote, meta, inner).unwrap();
    change(packet[28..].first_chunk_mut().unwrap());
    decap(&receiver, &packet)
}

#[test]
fn gbp_policies_travel_with_the_frame() {
    let policy = GroupPolicy { id: 0x1234, dont_learn: true, applied: true };
    for sent in [None, Some(policy), Some(GroupPolicy::default())] {
        let meta = sent.map_or(EncapMeta::new(), |policy| EncapMeta::new().group_policy(policy));
        let (inner, made) = changed(gbp, gbp, &any_frame(), &meta, |_| {}).unwrap();
        assert_eq!((inner.encapsulation.group_policy(), made), (sent, any_frame()));
        assert_eq!(inner.encapsulation.vni(), Some(Vni::truncate(42)));
        // A tunnel without the extension neither sends nor reads it.
        let (inner, _) = changed(gbp, |b| b, &any_frame(), &meta, |_| {}).unwrap();
        assert!(matches!(inner.encapsulation, Encapsulation::Vxlan(_)));
        let (inner, _) = changed(|b| b, gbp, &any_frame(), &meta, |_| {}).unwrap();
        assert_eq!(inner.encapsulation.group_policy(), None);
    }
}

#[test]
fn f_gbp_headers_as_a_running_kernel_sends_them() {
    for (policy, expected) in [
        (None, 0x0800_0000_0000_2a00_u64),
        (Some((0x1234, false, false)), 0x8800_1234_0000_2a00),
        (Some((5, true, true)), 0x8848_0005_0000_2a00),
        (Some((0xffff, true, true)), 0x8848_ffff_0000_2a00),
        (Some((0, true, false)), 0x8840_0000_0000_2a00),
        (Some((0, false, false)), 0x8800_0000_0000_2a00),
    ] {
        let meta = policy.map_or(EncapMeta::new(), |(id, dont_learn, applied)| {
            EncapMeta::new().group_policy(GroupPolicy { id, dont_learn, applied })
        });
        let (tunnel, remote, _) = vxlan_pair(false, gbp, |b| b);
        let made = encap(&tunnel, &remote, &meta, &any_frame()).unwrap();
        assert_eq!(made[28..36], expected.to_be_bytes());
    }
}

/// As measured: with the extension the kernel takes any junk in bytes 1 to 3, and refuses other bits of byte 0 and
/// byte 7.
#[test]
fn a3_9_bits_of_an_extension_in_use_are_not_reserved() {
    let linux = |b: Vxlan| gbp(b).policy(Policy::LINUX);
    let receive = |bits: u64, linux: &dyn Fn(Vxlan) -> Vxlan| {
        let change = |header: &mut [u8; 8]| *header = (u64::from_be_bytes(*header) | bits).to_be_bytes();
        changed(|b| b, linux, &any_frame(), &EncapMeta::new(), change).err()
    };
    for bit in 0..64 {
        let bits = 1u64 << bit;
        let byte = 7 - bit / 8;
        let is_vni = (4..7).contains(&byte);
        let refused = Some(DropReason::VxlanReservedBits);
        let used = is_vni || bits == 0x0800_0000_0000_0000;
        let expected = if used || (1..4).contains(&byte) || bit == 63 { None } else { refused };
        assert_eq!(receive(bits, &linux), expected, "bit {bit} with the extension");
        let expected = if used { None } else { refused };
        assert_eq!(receive(bits, &|b| b.policy(Policy::LINUX)), expected, "bit {bit} without");
        assert_eq!(receive(bits, &|b| b.policy(Policy::STRICT)), expected, "bit {bit}, strict");
        assert_eq!(receive(bits, &|b| b), None, "RFC 7348: ignored");
    }
}

/// Remote checksum offload is refused: its flag is a reserved bit here.
#[test]
fn f_rco_is_refused_by_linux_and_strict_policies() {
    let rco = |header: &mut [u8; 8]| *header = 0x0820_0000_0000_2a91_u64.to_be_bytes();
    for policy in [Policy::LINUX, Policy::STRICT] {
        let result = changed(|b| b, |b| b.policy(policy), &any_frame(), &EncapMeta::new(), rco);
        assert_eq!(result.err(), Some(DropReason::VxlanReservedBits));
    }
}

#[test]
fn gbp_together_with_gpe_is_refused() {
    for set in [|b: Vxlan| gbp(b).gpe(Payload::Ip), |b: Vxlan| gbp(b.gpe(Payload::Ethernet))] {
        let error = set(vxlan::Endpoint::new(ends(false).0)).build().unwrap_err();
        assert_eq!(error, ConfigError::GroupPolicyWithGpe);
    }
}

#[test]
fn gpe_says_what_it_carries() {
    let payloads = [
        (Payload::Ip, ipv4_packet(Ecn::NotEct, false, 64, b"x"), NextProtocol::IPV4, EtherType::IPV4),
        (Payload::Ip, ipv6_packet(Ecn::NotEct, 64, b"x"), NextProtocol::IPV6, EtherType::IPV6),
        (Payload::Ethernet, any_frame(), NextProtocol::ETHERNET, EtherType::TEB),
    ];
    for (payload, inner, next, protocol) in payloads {
        let (tunnel, remote, receiver) = vxlan_pair(false, |b| b.gpe(payload), |b| b.gpe(payload));
        assert_eq!(tunnel.port(), 4790);
        let made = encap(&tunnel, &remote, &EncapMeta::new(), &inner).unwrap();
        assert_eq!(made[28..36], [0x0c, 0, 0, next.0, 0, 0, 42, 0]);
        let (opened, back) = decap(&receiver, &made).unwrap();
        assert_eq!((opened.protocol, back), (protocol, inner));
        assert_eq!(opened.encapsulation.vni(), Some(Vni::truncate(42)));
    }
    let (tunnel, _, _) = vxlan_pair(false, |b| b.gpe(Payload::Ip), |b| b);
    assert_eq!(tunnel.inner_mtu(1500), Ok(1464), "no inner Ethernet header");
    let (tunnel, _, _) = vxlan_pair(false, |b| b.gpe(Payload::Ip).port(9999), |b| b);
    assert_eq!(tunnel.port(), 9999);
}

#[test]
fn a3_5_gpe_version_p_o_and_next_protocol() {
    let gpe = |b: Vxlan| b.gpe(Payload::Ip);
    let inner = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    for flags in 0..=u8::MAX {
        let change = |header: &mut [u8; 8]| header[0] = flags;
        let reason = changed(gpe, gpe, &inner, &EncapMeta::new(), change).err();
        let expected = if flags & 0x08 == 0 {
            Some(DropReason::VxlanNoVni)
        } else if flags & 0x04 == 0 {
            Some(DropReason::GpeNoProtocol)
        } else if flags & 0x30 != 0 {
            Some(DropReason::GpeVersion)
        } else if flags & 0x01 != 0 {
            Some(DropReason::GpeOam)
        } else {
            None // B and the reserved bits
        };
        assert_eq!(reason, expected, "flags {flags:#04x}");
    }
    for next in 0..=u8::MAX {
        let change = |header: &mut [u8; 8]| header[3] = next;
        let reason = changed(gpe, gpe, &inner, &EncapMeta::new(), change).err();
        let expected = match next {
            1 => None,
            // IPv6: 30 bytes are too few for its header.
            2 => Some(DropReason::InnerTruncated),
            _ => Some(DropReason::GpeProtocol),
        };
        assert_eq!(reason, expected, "next protocol {next}");
    }
    // As the driver of Linux: B is a reserved bit, and O is not taken.
    let linux = |b: Vxlan| gpe(b).policy(Policy::LINUX);
    for (byte, bits, expected) in [
        (0, 0x01, Some(DropReason::GpeOam)),
        (0, 0x02, Some(DropReason::VxlanReservedBits)),
        (0, 0x40, Some(DropReason::VxlanReservedBits)),
        (7, 0x01, Some(DropReason::VxlanReservedBits)),
        (0, 0x00, None),
    ] {
        let change = |header: &mut [u8; 8]| header[byte] |= bits;
        assert_eq!(changed(gpe, linux, &inner, &EncapMeta::new(), change).err(), expected);
    }
    let mut policy = Policy::RFC;
    policy.allow_gpe_oam = true;
    let taken = |b: Vxlan| gpe(b).policy(policy);
    let (facts, made) = changed(gpe, taken, &inner, &EncapMeta::new(), |header| header[0] |= 0x01).unwrap();
    let Encapsulation::VxlanGpe(header) = facts.encapsulation else { panic!() };
    assert_eq!((header.is_oam(), made), (true, inner.clone()), "by who handles them");
    let strict = |b: Vxlan| gpe(b).policy(Policy::STRICT);
    let reason = changed(gpe, strict, &inner, &EncapMeta::new(), |header| header[1] = 1).err();
    assert_eq!(reason, Some(DropReason::VxlanReservedBits));
}

/// As by the driver of Linux, which has one kind of device for all of them.
#[test]
fn a3_5_gpe_with_other_protocols_by_policy() {
    let ip = |b: Vxlan| b.gpe(Payload::Ip);
    let frames = |b: Vxlan| b.gpe(Payload::Ethernet).policy(Policy::LINUX);
    let inner = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    let known = [(3, EtherType::TEB), (4, EtherType(0x894f)), (5, EtherType(0x8847))];
    for next in 0..=u8::MAX {
        let change = |header: &mut [u8; 8]| header[3] = next;
        let protocol = known.iter().find(|known| known.0 == next).map(|known| known.1);
        let expected = match next {
            1 => Ok((EtherType::IPV4, inner.clone())),
            2 => Err(DropReason::InnerTruncated),
            _ => protocol.map(|protocol| (protocol, inner.clone())).ok_or(DropReason::GpeProtocol),
        };
        let taken = changed(ip, |b| ip(b).policy(Policy::LINUX), &inner, &EncapMeta::new(), change);
        assert_eq!(taken.map(|(opened, back)| (opened.protocol, back)), expected, "next protocol {next}");
        // A tunnel of frames takes frames.
        let taken = changed(ip, frames, &inner, &EncapMeta::new(), change);
        assert_eq!(taken.err(), (next != 3).then_some(DropReason::GpeProtocol), "next protocol {next}");
    }
}

fn nvgre_pair() -> (nvgre::Endpoint, nvgre::Endpoint) {
    let (a, b) = ends(false);
    (nvgre::Endpoint::new(a).build().unwrap(), nvgre::Endpoint::new(b).build().unwrap())
}

#[test]
fn rfc7637_s3_2_vsid_and_flow_id_in_the_key() {
    let (tunnel, receiver) = nvgre_pair();
    let remote = tunnel.remote(ends(false).1, Vni::truncate(5001)).unwrap();
    let made = encap(&tunnel, &remote, &EncapMeta::new().hash(0xab12_3456), &any_frame()).unwrap();
    assert_eq!(made[20..28], [0x20, 0, 0x65, 0x58, 0, 0x13, 0x89, 0xab]);
    // Another FlowID, the same segment.
    for flow_id in [0, 1, 0xff] {
        let mut packet = made.clone();
        packet[27] = flow_id;
        let (inner, back) = decap(&receiver, &packet).unwrap();
        assert_eq!((inner.encapsulation.vni(), back), (Some(Vni::truncate(5001)), any_frame()));
    }
    // The FlowID is the flow's, and differs between flows.
    let flow = |inner: &[u8]| encap(&tunnel, &remote, &EncapMeta::new(), inner).unwrap()[27];
    let flows: std::collections::BTreeSet<u8> = (0..=255)
        .map(|n| {
            let mut inner = any_frame();
            inner[29] = n;
            assert_eq!(flow(&inner), flow(&inner));
            flow(&inner)
        })
        .collect();
    assert!(flows.len() > 120, "{} of 256 flows told apart", flows.len());
    // Also where a raw socket writes the IP header.
    let payload = nvgre::Endpoint::new(ends(false).0).framing(Framing::Payload).build().unwrap();
    let remote = payload.remote(ends(false).1, Vni::truncate(5001)).unwrap();
    assert_eq!(encap(&payload, &remote, &EncapMeta::new(), &any_frame()).unwrap()[7], flow(&any_frame()));
}

#[test]
fn rfc7637_s3_4_reserved_segments_are_refused() {
    let (tunnel, _) = nvgre_pair();
    let remote = |vsid| tunnel.remote(ends(false).1, Vni::truncate(vsid)).map(|_| ());
    for vsid in [0, 1, 0xfff] {
        assert_eq!(remote(vsid), Err(ConfigError::ReservedVsid(Vni::truncate(vsid))));
    }
    assert_eq!((remote(0x1000), remote(0xff_ffff)), (Ok(()), Ok(())));
    assert_eq!((nvgre::OVERHEAD_IPV4, nvgre::OVERHEAD_IPV6), (28, 48));
}

#[test]
fn rfc7637_s3_2_the_form_of_the_header() {
    let (tunnel, receiver) = nvgre_pair();
    let remote = tunnel.remote(ends(false).1, Vni::truncate(5001)).unwrap();
    let made = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
    let with = |flags: u8, optional: usize, protocol: [u8; 2]| {
        let head = [&[flags, 0][..], &protocol, &vec![0; optional], &made[28..]].concat();
        let mut packet = [&made[..20], &head].concat();
        let total_len = packet.len() as u16;
        [packet[2], packet[3]] = total_len.to_be_bytes();
        if flags & 0x80 != 0 {
            let sum = encap::wire::checksum::of(&packet[20..]);
            [packet[24], packet[25]] = sum.to_be_bytes();
        }
        fix_ipv4(&mut packet);
        decap(&receiver, &packet).err()
    };
    assert_eq!(with(0x20, 4, [0x65, 0x58]), None);
    assert_eq!(with(0x00, 0, [0x65, 0x58]), Some(DropReason::NvgreFlags), "no key");
    assert_eq!(with(0xa0, 8, [0x65, 0x58]), Some(DropReason::NvgreFlags), "a checksum");
    assert_eq!(with(0x30, 8, [0x65, 0x58]), Some(DropReason::NvgreFlags), "a sequence number");
    assert_eq!(with(0x20, 4, [0x08, 0x00]), Some(DropReason::NvgreFlags), "no frame");
}

#[test]
fn rfc7637_s3_3_frames_with_tags_are_neither_sent_nor_taken() {
    let (tunnel, receiver) = nvgre_pair();
    let remote = tunnel.remote(ends(false).1, Vni::truncate(5001)).unwrap();
    let tagged = frame(&[0x81, 0, 0, 5], &ipv4_packet(Ecn::NotEct, false, 64, b"x"));
    assert_eq!(encap(&tunnel, &remote, &EncapMeta::new(), &tagged), Err(EncapError::InnerVlan));
    // A keyed GRE tunnel sends what NVGRE must not.
    let gre =
        gre::Endpoint::new(ends(false).0).payload(Payload::Ethernet).key(Key(5001 << 8)).build().unwrap();
    let made = encap(&gre, &gre.remote(ends(false).1).unwrap(), &EncapMeta::new(), &tagged).unwrap();
    assert_eq!(decap(&receiver, &made).err(), Some(DropReason::InnerVlan));
}

#[test]
fn rfc8086_gre_in_udp() {
    let packets = [ipv4_packet(Ecn::Ect0, false, 64, b"x"), ipv6_packet(Ecn::Ce, 64, b"y")];
    for v6 in [false, true] {
        let (a, b) = ends(v6);
        let set = |b: Builder<gre::Gre<true>>| b.key(Key(7)).checksum(true).sequence(true);
        let tunnel = set(gre::UdpEndpoint::new(a)).build().unwrap();
        let receiver = set(gre::UdpEndpoint::new(b)).build().unwrap();
        let remote = tunnel.remote(b).unwrap();
        assert_eq!((tunnel.port(), remote.port(), tunnel.overhead()), (4754, 4754, if v6 { 64 } else { 44 }));
        for packet in &packets {
            let made = encap(&tunnel, &remote, &EncapMeta::new().sequence(9), packet).unwrap();
            let udp = if v6 { 40 } else { 20 };
            let source_port = u16::from_be_bytes([made[udp], made[udp + 1]]);
            assert!(source_port >= 49152, "section 3.2.1: entropy in the source port");
            assert_eq!(made[udp + 2..udp + 4], 4754u16.to_be_bytes());
            assert_eq!(made[udp + 6..udp + 8] != [0, 0], v6, "section 6.2: over IPv6 the UDP checksum is on");
            let (inner, back) = decap(&receiver, &made).unwrap();
            assert_eq!((inner.encapsulation.key(), inner.encapsulation.sequence()), (Some(Key(7)), Some(9)));
            assert_eq!(&back, packet);
            // Not a packet of plain GRE.
            let plain = gre::Endpoint::new(b).key(Key(7)).build().unwrap();
            assert_eq!(decap(&plain, &made).err(), Some(DropReason::OtherProtocol));
        }
    }
    let (a, b) = ends(false);
    let tunnel = gre::UdpEndpoint::new(a).build().unwrap();
    assert_eq!(tunnel.remote_at(b, 5556).unwrap().port(), 5556);
    assert_eq!(tunnel.remote_at(b, 0), Err(ConfigError::PortZero));
    assert_eq!(tunnel.inner_mtu(1500), Ok(1500 - 32));
}

#[test]
fn rfc8086_s6_2_zero_checksum_over_ipv6_only_if_configured() {
    let (a, b) = ends(true);
    let tunnel = gre::UdpEndpoint::new(a).udp_checksum(encap::tunnel::UdpChecksum::Zero).build().unwrap();
    let packet = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    let made = encap(&tunnel, &tunnel.remote(b).unwrap(), &EncapMeta::new(), &packet).unwrap();
    let receiver = gre::UdpEndpoint::new(b);
    let strict = receiver.clone().build().unwrap();
    assert_eq!(decap(&strict, &made).err(), Some(DropReason::UdpChecksumMissing));
    let mut policy = Policy::RFC;
    policy.allow_zero_checksum_ipv6 = true;
    assert_eq!(decap(&receiver.policy(policy).build().unwrap(), &made).unwrap().1, packet);
}
