//! Settings that cannot work are refused when they are made, with an error that names them.

use encap::{
    Packet, packet,
    tunnel::{
        Builder, ConfigError, DontFragment, DropReason, EncapError, EncapMeta, Framing, Link, OuterFlowLabel,
        Payload, Policy, Ttl, UdpChecksum, ecn, geneve, gre, ip_udp, nvgre, vxlan,
    },
    wire::{Ecn, MacAddr, Pcp, VlanId, Vni},
};

use crate::common::{any_frame, decap, encap, ends, frame, ip, ipv4_packet, vxlan_pair};

fn refused(set: impl FnOnce(Builder<vxlan::Vxlan>) -> Builder<vxlan::Vxlan>, v6: bool) -> ConfigError {
    set(vxlan::Endpoint::new(ends(v6).0)).build().unwrap_err()
}

#[test]
fn a_flow_label_needs_ipv6_and_df_needs_ipv4() {
    let label = |b: Builder<vxlan::Vxlan>| b.flow_label(OuterFlowLabel::FromHash);
    assert_eq!(refused(label, false), ConfigError::FlowLabelOnIpv4(ends(false).0));
    assert!(label(vxlan::Endpoint::new(ends(true).0)).build().is_ok());
    let df = |b: Builder<vxlan::Vxlan>| b.dont_fragment(DontFragment::Inherit);
    assert_eq!(refused(df, true), ConfigError::DontFragmentOnIpv6(ends(true).0));
    assert!(df(vxlan::Endpoint::new(ends(false).0)).build().is_ok());
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "this is what is refused")]
fn source_ports_upside_down_or_zero() {
    assert_eq!(
        refused(|b| b.source_ports(5001..=5000), false),
        ConfigError::SourcePorts { min: 5001, max: 5000 }
    );
    assert_eq!(refused(|b| b.source_ports(0..=5000), false), ConfigError::SourcePorts { min: 0, max: 5000 });
    assert!(vxlan::Endpoint::new(ends(false).0).source_ports(5000..=5000).build().is_ok());
}

/// The table in the documentation of `linux`, as far as packets show it.
#[test]
fn geneve_as_linux_has_it() {
    let marked = frame(&[], &ipv4_packet(Ecn::Ce, true, 64, b"x"));
    for v6 in [false, true] {
        let (local, remote) = ends(v6);
        let send = |builder: Builder<geneve::Geneve>, frame: &[u8]| {
            let tunnel = builder.build().unwrap();
            encap(&tunnel, &tunnel.remote(remote, Vni::truncate(42)).unwrap(), &EncapMeta::new(), frame)
                .unwrap()
        };
        let new = || geneve::Endpoint::new(local);
        let by_hand = || {
            let both = new().ecn(ecn::Mode::Linux).source_ports(1..=65_535).policy(Policy::LINUX);
            if v6 { both } else { both.dont_fragment(DontFragment::Unset) }
        };
        let udp = if v6 { 40 } else { 20 };
        let sent = send(new().linux(), &marked);
        assert_eq!(sent, send(by_hand(), &marked));
        assert_eq!((&sent[udp + 2..udp + 4], sent[udp + 6..udp + 8] == [0, 0]), (&[0x17, 0xc1][..], !v6));
        let ecn = if v6 { sent[1] >> 4 & 3 } else { sent[1] & 3 };
        assert_eq!((ecn, v6 || sent[6] == 0), (0b10, true));
        let there = geneve::Endpoint::new(remote).linux().build().unwrap();
        let mut control = send(new().linux().udp_checksum(UdpChecksum::Zero), &marked);
        control[udp + 9] |= 0x80;
        let expected = if v6 { Some(DropReason::UdpChecksumMissing) } else { None };
        assert_eq!(decap(&there, &control).err(), expected);
    }
}

/// With GPE, too, the port is the kernel's, whatever comes first.
#[test]
fn linux_has_another_port_for_gpe() {
    let port = |builder: Builder<vxlan::Vxlan>| builder.build().unwrap().port();
    let new = || vxlan::Endpoint::new(ends(false).0);
    assert_eq!((port(new()), port(new().linux()), port(new().linux().port(7))), (4_789, 8_472, 7));
    assert_eq!([new().linux().gpe(Payload::Ip), new().gpe(Payload::Ip).linux()].map(port), [4_790; 2]);
}

/// Broadcast is no host's: tunnels to many have a multicast group.
#[test]
fn rfc1122_s3_2_1_3_a_remote_is_a_host_or_a_group() {
    let local = ends(false).0;
    for (address, error) in [
        ("255.255.255.255", Some(ConfigError::RemoteBroadcast(ip("255.255.255.255")))),
        ("0.0.0.0", Some(ConfigError::RemoteUnspecified(ip("0.0.0.0")))),
        ("239.0.0.1", None),
        ("192.0.2.255", None), // whose subnet it is, nobody here knows
    ] {
        let (address, vni) = (ip(address), Vni::truncate(5001));
        let vxlan = vxlan::Endpoint::new(local).build().unwrap();
        assert_eq!(vxlan.remote(address, vni).err(), error);
        assert_eq!(nvgre::Endpoint::new(local).build().unwrap().remote(address, vni).err(), error);
        assert_eq!(gre::UdpEndpoint::new(local).build().unwrap().remote(address).err(), error);
        assert_eq!(ip_udp::Endpoint::new(local).build().unwrap().remote(address).err(), error);
        let gre = gre::Endpoint::new(local).build().unwrap();
        assert_eq!(gre.remote(address).err(), error);
        if !address.is_unspecified() {
            assert_eq!(gre::Tunnel::new(local, address).build().err(), error);
        }
    }
}

#[test]
fn headroom_beyond_65535_bytes() {
    let tunnel = vxlan::Endpoint::new(ends(false).0).headroom(65_535).build().unwrap();
    assert_eq!(tunnel.headroom(), 65_535);
    let error = ConfigError::Headroom { headroom: 65_536, overhead: 36, max: 65_535 };
    assert_eq!(refused(|b| b.headroom(65_536), false), error);
    assert_eq!(
        vxlan::Endpoint::new(ends(false).0).headroom(10).build().unwrap().headroom(),
        36,
        "never too little"
    );
}

#[test]
fn an_mtu_without_room_or_beyond_65535() {
    for mtu in [0, 50, 65_536] {
        assert_eq!(refused(|b| b.mtu(mtu), false), ConfigError::Mtu { mtu, overhead: 50, max: 65_535 });
    }
    assert!(vxlan::Endpoint::new(ends(false).0).mtu(51).build().is_ok());
    let tunnel = vxlan::Endpoint::new(ends(false).0).build().unwrap();
    assert_eq!(tunnel.inner_mtu(65_535), Ok(65_485));
    assert_eq!(tunnel.inner_mtu(65_536), Err(ConfigError::Mtu { mtu: 65_536, overhead: 50, max: 65_535 }));
    assert_eq!(tunnel.inner_mtu(50), Err(ConfigError::Mtu { mtu: 50, overhead: 50, max: 65_535 }));
}

#[test]
fn addresses_that_nobody_can_have_or_reach() {
    for address in ["0.0.0.0", "239.1.1.1", "255.255.255.255", "::", "ff02::1"] {
        let address = ip(address);
        assert_eq!(vxlan::Endpoint::new(address).build().unwrap_err(), ConfigError::LocalNotUnicast(address));
        // A socket that is bound to any knows its own address.
        let socket = vxlan::Endpoint::new(address).framing(Framing::Payload).build();
        let error = ConfigError::LocalNotUnicast(address);
        assert_eq!(socket.err(), if address.is_unspecified() { None } else { Some(error) });
    }
    let (a, b) = ends(false);
    let tunnel = vxlan::Endpoint::new(a).build().unwrap();
    let vni = Vni::truncate(1);
    let unspecified = ConfigError::RemoteUnspecified(ip("0.0.0.0"));
    assert_eq!(tunnel.remote(ip("0.0.0.0"), vni), Err(unspecified));
    let (_, b6) = ends(true);
    assert_eq!(tunnel.remote(b6, vni), Err(ConfigError::FamilyMismatch { local: a, remote: b6 }));
    assert!(tunnel.remote(b, vni).is_ok());
}

/// RFC 4291, section 2.5.5.2: to a socket it is an IPv4 address, in a header an IPv6 one.
#[test]
fn rfc4291_s2_5_5_2_ipv4_addresses_in_the_form_of_ipv6() {
    let (mapped, vni) = (ip("::ffff:192.0.2.1"), Vni::truncate(1));
    let error = ConfigError::Ipv4Mapped(mapped);
    for framing in [Framing::Ip, Framing::Payload] {
        assert_eq!(vxlan::Endpoint::new(mapped).framing(framing).build().unwrap_err(), error);
    }
    for v6 in [false, true] {
        let tunnel = vxlan::Endpoint::new(ends(v6).0).build().unwrap();
        assert_eq!(tunnel.remote(mapped, vni), Err(error));
    }
    assert_eq!(gre::Tunnel::new(ends(true).0, mapped).build().err(), Some(error));
    assert!(error.to_string().contains("to_canonical"));
}

/// IEEE 802.3, section 3.2.4: a source is a station, and so is its address.
#[test]
fn no_frame_comes_from_a_group() {
    let framing = |source| Framing::Ethernet(Link { source, next_hop: MacAddr::BROADCAST, vlan: None });
    for source in [MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
        assert_eq!(refused(|b| b.framing(framing(source)), false), ConfigError::LinkSourceIsGroup(source));
    }
    assert!(vxlan::Endpoint::new(ends(false).0).framing(framing(MacAddr([2; 6]))).build().is_ok());
}

/// IEEE 802.1Q, clause 9.6: 4095 is reserved, and never in a tag.
#[test]
fn no_frame_is_in_vlan_4095() {
    let in_vlan = |id| {
        let vlan = Some((VlanId::truncate(id), Pcp::default()));
        Framing::Ethernet(Link { source: MacAddr([2; 6]), next_hop: MacAddr([4; 6]), vlan })
    };
    assert_eq!(refused(|b| b.framing(in_vlan(4_095)), false), ConfigError::LinkVlanReserved);
    assert!(vxlan::Endpoint::new(ends(false).0).framing(in_vlan(4_094)).build().is_ok());
}

#[test]
fn ports_and_ttl_of_zero() {
    assert_eq!(refused(|b| b.port(0), false), ConfigError::PortZero);
    assert_eq!(refused(|b| b.ttl(0), false), ConfigError::TtlZero);
    assert_eq!(refused(|b| b.ttl(Ttl::Fixed(0)), true), ConfigError::TtlZero);
    let tunnel = ip_udp::Endpoint::new(ends(false).0).build().unwrap();
    assert_eq!(tunnel.remote_at(ends(false).1, 0), Err(ConfigError::PortZero));
    assert_eq!((tunnel.port(), tunnel.remote(ends(false).1).unwrap().port()), (8285, 8285));
    assert_eq!(gre::Endpoint::new(ends(false).0).build().unwrap().port(), 0);
}

#[test]
fn errors_say_which_settings_disagree() {
    let text = refused(|b| b.flow_label(OuterFlowLabel::FromHash), false).to_string();
    assert_eq!(text, "a flow label needs an IPv6 underlay, and local address 192.0.2.1 is IPv4");
    let text = refused(|b| b.source_ports(9..=9).headroom(70_000), false).to_string();
    assert_eq!(text, "70000 bytes of headroom, 36 of them for headers: at most 65535");
}

#[test]
fn encapsulation_without_what_it_needs_is_refused() {
    let (tunnel, remote, _) = vxlan_pair(false, |b| b, |b| b);
    for headroom in 0..36 {
        let mut buffer = vec![7; headroom];
        buffer.extend(any_frame());
        let before = buffer.clone();
        let mut packet = Packet::new(&mut buffer, headroom, before.len() - headroom).unwrap();
        let error = EncapError::Packet(packet::Error::Headroom { need: 36, have: headroom });
        assert_eq!(tunnel.encap(&mut packet, &remote), Err(error));
        assert_eq!(packet.headroom(), headroom);
        assert_eq!(buffer, before, "nothing was written");
    }
    let error = EncapError::InnerTruncated { need: 14, have: 13 };
    assert_eq!(encap(&tunnel, &remote, &EncapMeta::new(), &[2; 13]), Err(error));

    let (a, b) = ends(false);
    let gre = gre::Endpoint::new(a).sequence(true).build().unwrap();
    let remote = gre.remote(b).unwrap();
    let inner = &any_frame()[14..];
    assert_eq!(encap(&gre, &remote, &EncapMeta::new(), inner), Err(EncapError::SequenceMissing));
    assert!(encap(&gre, &remote, &EncapMeta::new().sequence(0), inner).is_ok());
    assert_eq!(encap(&gre, &remote, &EncapMeta::new(), &[0x25; 40]), Err(EncapError::InnerNotIp));
}

/// A remote brings its own layout: with an endpoint that is not its maker, nothing breaks.
#[test]
fn a_remote_of_another_endpoint_is_harmless() {
    for (v6, other) in [(false, true), (true, false)] {
        let (_, remote, _) = vxlan_pair(v6, |b| b, |b| b);
        let (tunnel, _, _) = vxlan_pair(other, |b| b.framing(Framing::Payload), |b| b);
        let made = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
        assert_eq!(made.len(), remote.overhead() + any_frame().len());
    }
}
