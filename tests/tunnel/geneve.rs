//! Geneve endpoints: RFC 8926.

use encap::{
    Packet,
    tunnel::{
        ConfigError, DropReason, EncapError, EncapMeta, Framing, Link, Payload, Policy, Profile, Start,
        UdpChecksum, geneve, inspect,
    },
    wire::{
        Ecn, EtherType, MacAddr, VlanId, Vni,
        checksum::State,
        geneve_option::{OptionClass, OptionType, Options, TypedOption, Writer},
    },
};

use crate::common::{any_frame, decap, edit, encap, ends, fix_ipv4, frame, ipv4_packet, ipv6_packet};

type Builder = encap::tunnel::Builder<geneve::Geneve>;

const VNI: Vni = Vni::truncate(42);

/// Options for the tests: class, type, value.
fn options(list: &[(u16, u8, &[u8])]) -> Vec<u8> {
    let mut buffer = [0; 252];
    let mut writer = Writer::new(&mut buffer);
    for (class, kind, data) in list {
        writer.push(OptionClass(*class), OptionType(*kind), data).unwrap();
    }
    writer.as_bytes().to_vec()
}

fn endpoint(v6: bool, set: impl Fn(Builder) -> Builder, other: bool) -> geneve::Endpoint {
    let (a, b) = ends(v6);
    set(geneve::Endpoint::new(if other { b } else { a })).build().unwrap()
}

/// A packet over IPv4: IP header at 0, UDP at 20, Geneve at 28.
fn packet(options: &[u8]) -> Vec<u8> {
    let tunnel = endpoint(false, |b| b, false);
    let remote = tunnel.remote_with_options(ends(false).1, VNI, options).unwrap();
    encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap()
}

fn changed(
    options: &[u8],
    set: impl Fn(Builder) -> Builder,
    change: impl FnOnce(&mut Vec<u8>),
) -> Option<DropReason> {
    let mut packet = packet(options);
    change(&mut packet);
    fix_ipv4(&mut packet);
    decap(&endpoint(false, set, true), &packet).err()
}

#[test]
fn golden_and_back_over_both_families_with_and_without_options() {
    let list = options(&[(0x0108, 1, &[1, 2, 3, 4, 5, 6, 7, 8]), (0x0108, 2, &[]), (0xffff, 3, &[9; 28])]);
    assert_eq!(list.len(), 48);
    for v6 in [false, true] {
        for list in [&[][..], &list] {
            let tunnel = endpoint(v6, |b| b, false);
            let remote = tunnel.remote_with_options(ends(v6).1, VNI, list).unwrap();
            let made = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
            let header = if v6 { 48 } else { 28 };
            let expected = [&[list.len() as u8 / 4, 0, 0x65, 0x58, 0, 0, 42, 0], list, &any_frame()].concat();
            assert_eq!(made[header..], expected);
            assert_eq!(made[header - 6..header - 4], 6081u16.to_be_bytes());
            assert_eq!(remote.overhead(), header + 8 + list.len());

            let mut buffer = made.clone();
            let mut packet = Packet::new(&mut buffer, 0, made.len()).unwrap();
            let inner = endpoint(v6, |b| b, true).decap(&mut packet).unwrap();
            assert_eq!((inner.encapsulation.vni(), inner.protocol), (Some(VNI), EtherType::TEB));
            assert_eq!(packet.as_slice(), any_frame());
            assert_eq!(inner.geneve_options(&packet).as_bytes(), list);
        }
    }
}

#[test]
fn frames_and_packets_of_both_versions_are_carried_and_kept_apart() {
    let ip = |b: Builder| b.payload(Payload::Ip);
    for (inner, protocol) in
        [(ipv4_packet(Ecn::NotEct, false, 64, b"x"), 0x0800u16), (ipv6_packet(Ecn::NotEct, 64, b"x"), 0x86dd)]
    {
        let tunnel = endpoint(false, ip, false);
        let remote = tunnel.remote(ends(false).1, VNI).unwrap();
        let made = encap(&tunnel, &remote, &EncapMeta::new(), &inner).unwrap();
        assert_eq!(made[30..32], protocol.to_be_bytes());
        assert_eq!(decap(&endpoint(false, ip, true), &made).unwrap().1, inner);
        assert_eq!(decap(&endpoint(false, |b| b, true), &made).err(), Some(DropReason::GeneveProtocol));
        assert_eq!(tunnel.inner_mtu(1500), Ok(1500 - 36));
    }
    assert_eq!(endpoint(false, |b| b, false).inner_mtu(1500), Ok(1450));
    assert_eq!((geneve::OVERHEAD_IPV4, geneve::OVERHEAD_IPV6), (36, 56));
    let tunnel = endpoint(false, ip, false);
    let remote = tunnel.remote(ends(false).1, VNI).unwrap();
    assert_eq!(encap(&tunnel, &remote, &EncapMeta::new(), &[0; 40]), Err(EncapError::InnerNotIp));
}

#[test]
fn rfc8926_s3_4_other_versions_are_dropped() {
    for version in 1..4u8 {
        assert_eq!(changed(&[], |b| b, |p| p[28] |= version << 6), Some(DropReason::GeneveVersion));
    }
}

#[test]
fn rfc8926_s3_4_control_messages_are_not_forwarded() {
    let mut policy = Policy::RFC;
    policy.allow_control_messages = true;
    assert_eq!(changed(&[], |b| b, |p| p[29] |= 0x80), Some(DropReason::ControlMessage));
    assert_eq!(changed(&[], |b| b.policy(policy), |p| p[29] |= 0x80), None);
}

#[test]
fn rfc8926_s3_4_reserved_bits_are_ignored_unless_strict() {
    for (at, bits) in [(29, 0x3f), (35, 0xff)] {
        for bit in (0..8).map(|bit| 1 << bit).filter(|bit| bits & bit != 0) {
            assert_eq!(changed(&[], |b| b, |p| p[at] |= bit), None);
            let strict = Some(DropReason::GeneveReservedBits);
            assert_eq!(changed(&[], |b| b.policy(Policy::STRICT), |p| p[at] |= bit), strict);
        }
    }
}

#[test]
fn rfc8926_s3_4_the_header_with_its_options_must_be_there() {
    // More options than the UDP datagram has room for.
    for words in 0..=63u8 {
        let truncated = usize::from(words) > any_frame().len() / 4;
        let made = changed(&[], |b| b, |p| p[28] = words);
        assert_eq!(made == Some(DropReason::GeneveTruncated), truncated, "{words} words: {made:?}");
    }
}

#[test]
fn rfc8926_s3_5_lengths_of_options_must_add_up() {
    let list = options(&[(1, 1, &[1, 2, 3, 4]), (1, 2, &[5, 6, 7, 8])]);
    assert_eq!(changed(&list, |b| b, |p| p[28 + 8 + 3] = 0x02), Some(DropReason::GeneveOptions));
    assert_eq!(changed(&list, |b| b, |p| p[28 + 8 + 3] = 0x1f), Some(DropReason::GeneveOptions));
    assert_eq!(changed(&list, |b| b, |p| p[28 + 8 + 3] = 0x03), None, "one option over all");
}

#[test]
fn rfc8926_s3_5_unknown_critical_options_drop_the_packet() {
    let list = options(&[(0x0102, 0x05, &[]), (0x0102, 0x85, &[1, 2, 3, 4])]);
    assert_eq!(packet(&list)[29], 0x40, "the C flag is set for the remote");
    assert_eq!(changed(&list, |b| b, |_| {}), Some(DropReason::GeneveCriticalOption));
    assert_eq!(changed(&list, |b| b.knows(OptionClass(0x0102), OptionType(0x85)), |_| {}), None);
    let other = |b: Builder| b.knows(OptionClass(0x0103), OptionType(0x85));
    assert_eq!(changed(&list, other, |_| {}), Some(DropReason::GeneveCriticalOption));
    // The bit in the option counts, whatever the header's flag says.
    assert_eq!(changed(&list, |b| b, |p| p[29] = 0), Some(DropReason::GeneveCriticalOption));
}

#[test]
fn rfc8926_s3_3_a_checksum_that_is_there_must_be_right() {
    let full = |b: Builder| b.udp_checksum(UdpChecksum::Full);
    let tunnel = endpoint(false, full, false);
    let remote = tunnel.remote_with_options(ends(false).1, VNI, &options(&[(1, 1, &[9; 12])])).unwrap();
    let made = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
    let receiver = endpoint(false, |b| b, true);
    assert_eq!(decap(&receiver, &made).unwrap().0.outer.unwrap().udp_checksum, State::Good);
    for at in 28..made.len() {
        let mut bad = made.clone();
        bad[at] ^= 4;
        assert!(decap(&receiver, &bad).is_err(), "byte {at}");
    }
}

#[test]
fn options_that_are_none_or_too_many_are_refused_when_the_remote_is_made() {
    let tunnel = endpoint(false, |b| b, false);
    let refused = |bytes: &[u8]| tunnel.remote_with_options(ends(false).1, VNI, bytes).unwrap_err();
    assert_eq!(refused(&[0; 3]), ConfigError::GeneveOptions(3));
    assert_eq!(refused(&[0, 1, 2, 1]), ConfigError::GeneveOptions(4));
    assert_eq!(refused(&[0; 256]), ConfigError::GeneveOptions(256));
    let long = options(&[(1, 1, &[0; 124])]);
    assert_eq!(refused(&long), ConfigError::Overhead { overhead: 36 + 128, max: 128 });
    let many =
        (0..9).fold(geneve::Endpoint::new(ends(false).0), |b, n| b.knows(OptionClass(n), OptionType(0x80)));
    assert_eq!(many.build().unwrap_err(), ConfigError::KnownOptions(8));
    // Each counts once.
    let again = (0..99)
        .fold(geneve::Endpoint::new(ends(false).0), |b, n| b.knows(OptionClass(n % 8), OptionType(0x80)));
    assert!(again.build().is_ok());
}

/// AWS Gateway Load Balancer sends three options of 32 bytes in all, to be sent back as they came.
#[test]
fn typed_options_of_a_vendor() {
    #[derive(Debug, PartialEq)]
    struct Endpoint(u64);

    impl TypedOption for Endpoint {
        const CLASS: OptionClass = OptionClass(0x0108);
        const KIND: OptionType = OptionType(1);
        type Data = [u8; 8];

        fn to_data(&self) -> [u8; 8] {
            self.0.to_be_bytes()
        }
        fn from_data(data: [u8; 8]) -> Option<Self> {
            Some(Self(u64::from_be_bytes(data))).filter(|endpoint| endpoint.0 != 0)
        }
    }

    let mut buffer = [0; 32];
    let mut writer = Writer::new(&mut buffer);
    writer.push_typed(&Endpoint(0x1122_3344_5566_7788)).unwrap();
    writer.push(OptionClass(0x0108), OptionType(2), &[0xaa; 8]).unwrap();
    writer.push(OptionClass(0x0108), OptionType(3), &[0xbb; 4]).unwrap();
    assert_eq!(writer.as_bytes().len(), 32);
    let found = Options::new(writer.as_bytes());
    assert_eq!(found.find::<Endpoint>(), Some(Endpoint(0x1122_3344_5566_7788)));
    assert_eq!(Options::new(&options(&[(0x0108, 1, &[0; 8])])).find::<Endpoint>(), None, "no value of ours");
    assert_eq!(Options::new(&options(&[(0x0108, 1, &[1; 4])])).find::<Endpoint>(), None, "another length");
    assert_eq!(Options::new(&options(&[(0x0109, 1, &[1; 8])])).find::<Endpoint>(), None, "another class");
}

#[test]
fn inspection_finds_options_and_nested_tunnels() {
    let list = options(&[(7, 1, &[1, 2, 3, 4]), (7, 2, &[])]);
    let once = packet(&list);
    let tunnel = endpoint(true, |b| b, false);
    let remote = tunnel.remote(ends(true).1, Vni::truncate(43)).unwrap();
    let twice = encap(&tunnel, &remote, &EncapMeta::new(), &frame(&[], &once)).unwrap();
    let mut profile = Profile::ANALYSIS;
    profile.start = Start::Ip;
    let found = inspect(&twice, &profile);
    let layers: Vec<_> = found.layers().collect();
    assert_eq!(
        layers.iter().map(|layer| layer.encapsulation.vni().unwrap().value()).collect::<Vec<_>>(),
        [43, 42]
    );
    assert_eq!(layers[0].geneve_options(&twice).as_bytes(), []);
    assert_eq!(layers[1].geneve_options(&twice).as_bytes(), list);
    assert_eq!(twice[layers[1].payload.clone()], any_frame());
    let (depth, made) = edit(&twice, |packet| encap::tunnel::strip(packet, &profile)).unwrap();
    assert_eq!((depth, made), (2, any_frame()));
    assert_eq!(layers[1].encapsulation.to_string(), "Geneve vni 42 protocol 0x6558 with 12 bytes of options");
}

#[test]
fn a_burst_to_remotes_of_every_kind_is_what_each_packet_is_alone() {
    let link = Link { source: MacAddr([2; 6]), next_hop: MacAddr([4; 6]), vlan: None };
    let tagged = Link { vlan: Some((VlanId::new(7).unwrap(), Default::default())), ..link };
    for framing in [Framing::Ip, Framing::Ethernet(link), Framing::Ethernet(tagged)] {
        let tunnel = geneve::Endpoint::new(ends(false).0).framing(framing).build().unwrap();
        let plain = tunnel.remote(ends(false).1, VNI).unwrap();
        let long = tunnel.remote_with_options(ends(false).1, VNI, &options(&[(1, 1, &[9; 12])])).unwrap();
        let frame = any_frame();
        for kinds in [[&plain, &long, &plain], [&long, &plain, &long]] {
            let buffer = [&[0; 128][..], &frame].concat();
            let (mut together, mut alone) = ([(); 3].map(|()| buffer.clone()), buffer.clone());
            let mut packets =
                together.each_mut().map(|buffer| Packet::new(buffer, 128, frame.len()).unwrap());
            let mut results = [Err(EncapError::InnerNotIp); 3];
            tunnel.encap_batch(&mut packets, &kinds.map(|remote| (remote, EncapMeta::new())), &mut results);
            assert_eq!(results, [Ok(()); 3]);
            for (packet, remote) in packets.iter().zip(kinds) {
                let mut one = Packet::new(&mut alone, 128, frame.len()).unwrap();
                tunnel.encap(&mut one, remote).unwrap();
                assert_eq!(packet.as_slice(), one.as_slice());
                assert_eq!(one.len(), remote.overhead() + frame.len());
            }
        }
    }
}
