//! Settings: what is refused, and what the defaults are.

use std::{net::IpAddr, time::Duration};

use encap::{
    Packet,
    table::{Ageing, BuildError, Capacity, Error, LearnFrom, Line, Remote, Snooping, Underlay},
    tunnel::{
        self, DontFragment, EncapMeta, Framing, InnerChecksum, Link, OuterDscp, OuterFlowLabel, Ttl,
        UdpChecksum, ecn, vxlan,
    },
    vtep::{
        Accept, Config, ConfigError, DropReason, Output, OverlayMeta, Proxy, ShortCircuit, TooBig, Vtep,
        Worker, ip_udp,
    },
    wire::{FlowLabel, MacAddr},
};

use crate::{common::*, frames::*};

const CAPACITY: Capacity = Capacity::fdb(16);

fn build(config: Config, capacity: Capacity) -> Result<Vtep<Box<[Line]>>, ConfigError> {
    Vtep::with_capacity(config, capacity, [1, 2])
}

fn refused(config: Config) -> ConfigError {
    build(config, CAPACITY).unwrap_err()
}

fn v4() -> Config {
    Config::new().local(address(1))
}

/// The table in the documentation of [`Config`].
#[test]
fn the_defaults_and_linux() {
    let (new, linux) = (Config::new(), Config::linux());
    assert_eq!((new.dstport, linux.dstport), (4_789, 8_472));
    for config in [new, linux] {
        assert_eq!((config.local, config.local6, config.address), (None, None, MacAddr::ZERO));
        assert_eq!((config.ttl, config.tos), (Ttl::Auto, OuterDscp::default()));
        assert_eq!((config.label, config.framing), (OuterFlowLabel::default(), Framing::Ip));
        assert_eq!((config.udp6zerocsumtx, config.udp6zerocsumrx), (false, false));
        assert_eq!((config.proxy, config.gbp, config.localbypass), (Proxy::Off, false, true));
        assert_eq!((config.learning, config.l3, config.mtu), (true, false, 1_500));
        assert_eq!(config.tables.ageing, Ageing::After(Duration::from_secs(300)));
        assert_eq!(config.tables.vni_limit, u32::MAX);
    }
    assert_eq!((new.l2miss, new.l3miss, linux.l2miss, linux.l3miss), (true, true, false, false));
    for config in [new, linux] {
        assert_eq!((config.accept, config.rsc), (Accept::Anybody, ShortCircuit::Off));
        assert_eq!((config.remcsumrx, config.icmp_rate), (false, 1_000));
        assert_eq!((config.gateway, config.prefix, config.gateway6, config.prefix6), (None, 0, None, 0));
    }
    assert_eq!((new.learn_rate, new.move_rate), (10_000, 5));
    assert_eq!((linux.learn_rate, linux.move_rate), (u32::MAX, u32::MAX));
    assert_eq!((new.too_big, linux.too_big), (TooBig::Tell, TooBig::Fragment));
    assert_eq!((new.df, linux.df), (DontFragment::Set, DontFragment::Unset));
    assert_eq!((new.ecn, linux.ecn), (ecn::Mode::Normal, ecn::Mode::Linux));
    assert_eq!((new.srcport, linux.srcport), ((49_152, 65_535), (32_768, 60_999)));
    assert_eq!((new.udpcsum, linux.udpcsum), (false, true));
    assert_eq!((new.tables.learn_from, linux.tables.learn_from), (LearnFrom::Configured, LearnFrom::Any));
    assert_eq!((new.tables.unconfigured_remotes, linux.tables.unconfigured_remotes), (64, u32::MAX));
    assert_eq!((new.reserved_bits, linux.reserved_bits), (0, 0xf7ff_ffff_0000_00ff));
    assert_eq!((new.udp6zerolen, linux.udp6zerolen), (false, true));
    assert_eq!((new.inner_vlan, linux.inner_vlan), (false, true));
    assert_eq!((new.any_destination, linux.any_destination), (false, true));
    assert_eq!(Config::default(), new);
}

/// An endpoint alone makes the bytes that the VTEP makes, and takes the same packets.
#[test]
fn linux_is_the_same_for_an_endpoint_alone() {
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    for (local, there) in [(address(1), address(2)), (v6, "2001:db8::2".parse().unwrap())] {
        let config = Config::linux().local(local);
        let vtep = build(config, CAPACITY).unwrap();
        let to = vtep.remote(there).unwrap();
        vtep.fdb().add(VNI, mac(2), to).unwrap();
        let mut node = Node { vtep, worker: Worker::new(1) };
        let endpoint = vxlan::Endpoint::new(local).linux().seed(!1).build().unwrap();
        let remote = endpoint.remote(there, VNI).unwrap();

        let mut ports = Vec::new();
        for host in 0..=255 {
            let mut frame = datagram(mac(2), mac(host), usize::from(host));
            match host % 4 {
                0 => {}
                1 => frame[15] = host % 3 + 1, // ECN
                2 => drop(frame.splice(12..12, [0x81, 0, 0, 7])),
                _ => frame[13] = 6, // ARP of sorts
            }
            let checksum = if host % 8 == 0 { InnerChecksum::Good } else { InnerChecksum::Unknown };
            let mut meta = OverlayMeta::new(VNI);
            meta.inner_checksum = checksum;
            let (_, sent) = node.send_with(NOW, &meta, &frame);
            // Without DF, packets have numbers, which the caller of an endpoint gives them.
            let identification = u16::from_be_bytes([sent[4], sent[5]]);
            let meta = EncapMeta::new().inner_checksum(checksum).identification(identification);
            let header = endpoint.header(&frame, &remote, &meta).unwrap();
            assert_eq!(sent, [&header[..], &frame].concat(), "{host}");
            let udp = header.len() - 16;
            ports.push(u16::from_be_bytes([header[udp], header[udp + 1]]));
            assert_eq!(header[udp + 2..udp + 4], 8_472u16.to_be_bytes());
        }
        assert!(ports.iter().all(|port| (32_768..61_000).contains(port)), "{ports:?}");

        // The same packets come in, with any bit turned.
        let checksum = if local.is_ipv4() { UdpChecksum::Zero } else { UdpChecksum::Full };
        let back = vxlan::Endpoint::new(there).linux().udp_checksum(checksum).build().unwrap();
        let frame = datagram(mac(2), mac(3), 4);
        let header = back.header(&frame, &back.remote(local, VNI).unwrap(), &EncapMeta::new()).unwrap();
        let packet = [&header[..], &frame].concat();
        let mut taken = 0;
        for bit in 0..8 * header.len() {
            let mut packet = packet.clone();
            packet[bit / 8] ^= 1 << (bit % 8);
            let mut buffer = packet.clone();
            let mut opened = Packet::new(&mut buffer, 0, packet.len()).unwrap();
            let refused = endpoint.decap(&mut opened).err();
            match node.receive(NOW, &packet).0 {
                Output::Pass => assert!(refused.is_some(), "bit {bit}: {refused:?}"),
                Output::Drop(DropReason::Decap(reason)) => assert_eq!(refused, Some(reason), "bit {bit}"),
                _ => {
                    taken += 1;
                    assert_eq!(refused, None, "bit {bit}");
                }
            }
        }
        assert!(taken > 0);
    }
}

#[test]
fn no_address() {
    assert_eq!(refused(Config::new()), ConfigError::NoLocal);
    assert_eq!(refused(Config::linux()), ConfigError::NoLocal);
    for address in [address(1), IpAddr::V6(v6(1))] {
        assert!(build(Config::new().local(address), CAPACITY).is_ok());
        assert!(build(Config::linux().local(address), CAPACITY).is_ok());
    }
}

#[test]
fn addresses_that_nobody_can_have() {
    for text in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"] {
        let address = text.parse().unwrap();
        let expected = ConfigError::Tunnel(tunnel::ConfigError::LocalNotUnicast(address));
        assert_eq!(refused(Config::new().local(address)), expected);
        // One good address does not make up for another.
        let other = if address.is_ipv4() { v6(1).into() } else { crate::common::address(1) };
        assert_eq!(refused(Config::new().local(other).local(address)), expected);
        // A socket may be bound to any address, and to none that nobody has.
        let socket = with(Config::new(), |c| c.framing = Framing::Payload).local(address);
        let expected = if address.is_unspecified() { None } else { Some(expected) };
        assert_eq!(build(socket, CAPACITY).err(), expected);
    }
}

/// IEEE 802.3, section 3.2.4: a source is a station. What is routed comes from our address.
#[test]
fn no_frame_comes_from_a_group() {
    for l3 in [false, true] {
        let of = |mac| with(v4(), |c| (c.l3, c.address) = (l3, mac));
        for group in [MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
            assert_eq!(refused(of(group)), ConfigError::AddressIsGroup(group));
        }
        assert!(build(of(mac(1)), CAPACITY).is_ok());
    }
}

/// Of an address that a socket of both families has told, nobody knows which of the two it is to be.
#[test]
fn rfc4291_s2_5_5_2_our_own_address_is_ipv4_or_ipv6() {
    for framing in [Framing::Ip, Framing::Payload] {
        let address = "::ffff:192.0.2.1".parse().unwrap();
        let expected = ConfigError::Tunnel(tunnel::ConfigError::Ipv4Mapped(address));
        assert_eq!(refused(with(v4().local(address), |c| c.framing = framing)), expected);
    }
}

#[test]
fn settings_of_the_tunnel() {
    use tunnel::ConfigError as Tunnel;
    let fragments =
        |mtu| with(v4(), |c| (c.mtu, c.too_big, c.df) = (mtu, TooBig::Fragment, DontFragment::Unset));
    assert!(build(fragments(51), CAPACITY).is_ok());
    let cases = [
        (with(v4(), |c| c.dstport = 0), Tunnel::PortZero),
        (with(v4(), |c| c.ttl = Ttl::Fixed(0)), Tunnel::TtlZero),
        (with(v4(), |c| c.srcport = (2, 1)), Tunnel::SourcePorts { min: 2, max: 1 }),
        (with(v4(), |c| c.srcport = (0, 1)), Tunnel::SourcePorts { min: 0, max: 1 }),
        (with(v4(), |c| c.mtu = 36 + 14), Tunnel::Mtu { mtu: 50, overhead: 50, max: 65_535 }),
        (with(v4(), |c| c.mtu = 0), Tunnel::Mtu { mtu: 0, overhead: 50, max: 65_535 }),
        (fragments(0), Tunnel::Mtu { mtu: 0, overhead: 50, max: 65_535 }),
        (with(v4().local(v6(1).into()), |c| c.mtu = 70), Tunnel::Mtu { mtu: 70, overhead: 70, max: 65_535 }),
    ];
    for (config, expected) in cases {
        assert_eq!(refused(config), ConfigError::Tunnel(expected));
    }
    assert!(build(with(v4(), |c| (c.mtu, c.srcport) = (51, (7, 7))), CAPACITY).is_ok());
}

/// RFC 7348, section 5: the I flag must be set, and a VNI may be any; an extension that is on has its own bits.
#[test]
fn a2_33_only_reserved_bits_cause_a_drop() {
    let of = |bits| with(v4(), |c| (c.reserved_bits, c.gbp, c.remcsumrx) = (bits, true, true));
    for bit in (0..64).map(|bit| 1 << bit) {
        let is_used = bit & 0x0800_0000_ffff_ff00 != 0;
        let expected = is_used.then_some(ConfigError::NotReserved { bits: bit });
        assert_eq!(build(of(bit), CAPACITY).err(), expected);
    }
    let bits = 0x0800_0000_ffff_ff00;
    assert_eq!(refused(of(u64::MAX)), ConfigError::NotReserved { bits });
    assert!(refused(of(u64::MAX)).to_string().contains("0x08000000ffffff00"));
    assert!(build(with(Config::linux().local(address(1)), |c| c.gbp = true), CAPACITY).is_ok());
}

#[test]
fn a_flow_label_needs_ipv6() {
    let label = |config| with(config, |c| c.label = OuterFlowLabel::Fixed(FlowLabel::truncate(5)));
    assert_eq!(refused(label(v4())), ConfigError::LabelWithoutIpv6);
    assert!(build(label(v4().local(v6(1).into())), CAPACITY).is_ok());
    assert!(build(label(Config::new().local(v6(1).into())), CAPACITY).is_ok());
}

#[test]
fn remotes_must_have_room_for_their_headers() {
    let vlan = Some((encap::wire::VlanId::truncate(5), encap::wire::Pcp::truncate(0)));
    let link = Link { source: mac(1), next_hop: mac(2), vlan };
    for (config, needed) in [
        (with(v4(), |c| c.framing = Framing::Payload), 12 + 8),
        (v4(), 12 + 36),
        (v4().local(v6(1).into()), 12 + 56),
        (with(v4(), |c| c.framing = Framing::Ethernet(link)), 12 + 18 + 36),
        (with(v4().local(v6(1).into()), |c| c.framing = Framing::Ethernet(link)), 12 + 18 + 56),
    ] {
        let header = |header| build(config, Capacity { header, ..CAPACITY });
        let had = needed - 1;
        assert_eq!(header(had as u32).unwrap_err(), ConfigError::Header { needed, had }, "{config:?}");
        // Without answers to what is too long there is room for the headers only.
        let silent = with(config, |c| c.too_big = TooBig::Drop);
        let silent = build(silent, Capacity { header: needed as u32, ..CAPACITY });
        assert_eq!(silent.unwrap().headroom(), needed - 12);
        // None of them needs more than there is by default.
        assert!(build(config, Capacity::fdb(16)).is_ok());
    }
}

#[test]
fn settings_of_the_tables() {
    let tables = |change: fn(&mut Config)| match refused(with(v4(), change)) {
        ConfigError::Tables(error) => error,
        other => panic!("{other:?}"),
    };
    let no_age = |field| BuildError::NoAge { field };
    assert_eq!(tables(|c| c.tables.ageing = Ageing::After(Duration::ZERO)), no_age("ageing"));
    assert_eq!(tables(|c| c.tables.mtu_expires = Ageing::After(Duration::ZERO)), no_age("mtu_expires"));
    let [ageing, reachable] = [300, 1].map(Duration::from_secs);
    let apart = BuildError::NeighborAgeing { ageing, reachable };
    assert_eq!(tables(|c| c.tables.reachable = Duration::from_secs(1)), apart);
    let short = Vtep::new(Vec::<Line>::new(), v4(), CAPACITY, [1, 2]).unwrap_err();
    assert!(matches!(short, ConfigError::Tables(BuildError::Storage { had: 0, .. })));
    let lines: Box<[Line]> = (0..CAPACITY.lines()).map(|_| Line::new()).collect();
    assert!(Vtep::new(&*lines, v4(), CAPACITY, [1, 2]).is_ok());
    let again = Vtep::new(&*lines, v4(), CAPACITY, [1, 2]).unwrap_err();
    assert_eq!(again, ConfigError::Tables(BuildError::Used));
    let huge = Capacity { vnis: 1 << 20, ..CAPACITY };
    let error = Vtep::new(Vec::<Line>::new(), v4(), huge, [1, 2]).unwrap_err();
    assert!(matches!(error, ConfigError::Tables(BuildError::Capacity { what: "vnis", .. })));
}

/// Before there is an attempt to have as much memory.
#[test]
fn a_capacity_past_its_bounds_is_refused_by_whoever_makes_the_storage() {
    let [entries, routes] = ["entries", "routes"].map(|what| {
        let most = if what == "entries" { 1 << 28 } else { 1 << 19 };
        ConfigError::Tables(BuildError::Capacity { what, asked: u32::MAX, most })
    });
    let huge = Capacity { entries: u32::MAX, ..CAPACITY };
    let all = Capacity { vnis: u32::MAX, workers: u32::MAX, vni_counters: true, ..huge };
    for capacity in [huge, all] {
        assert_eq!(Vtep::with_capacity(v4(), capacity, [1, 2]).unwrap_err(), entries);
    }
    let capacity = Capacity { routes: u32::MAX, ..Capacity::NONE };
    let config = ip_udp::Config::new().local(address(1));
    assert_eq!(ip_udp::Backend::with_capacity(config, capacity, [1, 2]).unwrap_err(), routes);
}

#[test]
fn remotes_are_of_a_family_that_we_have() {
    let of = |underlay| move |config| with(config, |c: &mut Config| c.tables.underlay = underlay);
    let (ipv4, ipv6) = (v4(), Config::new().local(v6(1).into()));
    for (underlay, fits, other) in [(Underlay::Ipv4, ipv4, ipv6), (Underlay::Ipv6, ipv6, ipv4)] {
        assert_eq!(refused(of(underlay)(other)), ConfigError::UnderlayWithoutLocal(underlay));
        for config in [fits, fits.local(address(1)).local(v6(1).into())] {
            assert!(build(of(underlay)(config), CAPACITY).is_ok());
        }
    }
}

/// They would do nothing, or with the kernel's proxy have all questions vanish.
#[test]
fn what_needs_neighbours_needs_room_for_them() {
    let changes: [(_, fn(&mut Config)); 5] = [
        ("proxy", |c| c.proxy = Proxy::NeighSuppress),
        ("proxy", |c| c.proxy = Proxy::KernelProxy),
        ("rsc", |c| c.rsc = ShortCircuit::Route),
        ("tables.snooping", |c| c.tables.snooping = Snooping::All),
        ("tables.snooping", |c| c.tables.snooping = Snooping::Known),
    ];
    for (field, change) in changes {
        assert_eq!(refused(with(v4(), change)), ConfigError::NoNeighbors { field });
        assert!(build(with(v4(), change), Capacity { neighbors: 8, ..CAPACITY }).is_ok());
    }
}

/// A2, as Linux has it: a link-local address is somebody's on one interface, and nobody outside the link is reached
/// from one.
#[test]
fn a2_link_local_remotes_need_an_interface_and_others_another_address() {
    let add = |local: &str, remote: &str, egress| {
        let vtep = build(Config::new().local(local.parse().unwrap()), CAPACITY).unwrap();
        let remote = Remote::new(remote.parse().unwrap(), 4_789).egress(egress);
        (vtep.add_remote(&remote).map(|_| ()), vtep.remotes().count())
    };
    for (local, remote, with_egress) in [
        ("fe80::1", "fe80::2", Ok(())),
        ("fd01::1", "fe80::2", Ok(())),
        ("fe80::1", "2001:db8::2", Err(Error::Scope)),
        ("fe80::1", "ff05::2", Err(Error::Scope)),
    ] {
        assert_eq!(add(local, remote, 0), (Err(Error::Scope), 0), "{local} {remote}");
        assert_eq!(add(local, remote, 3), (with_egress, with_egress.is_ok().into()), "{local} {remote}");
    }
    for (local, remote) in [("fe80::1", "ff02::2"), ("fd01::1", "ff02::2"), ("fd01::1", "2001:db8::2")] {
        assert_eq!(add(local, remote, 0), (Ok(()), 1), "{local} {remote}");
    }
}

/// Remotes to which nothing could be sent are refused, each for its own reason, and none is left in the table.
#[test]
fn remotes_that_cannot_be() {
    let (ipv4, ipv6) = (v4(), Config::new().local(v6(1).into()));
    for (config, to, port, expected) in [
        (ipv4, "0.0.0.0", 4_789, Error::NotUnicast),
        (ipv4, "255.255.255.255", 4_789, Error::NotUnicast),
        (ipv4, "192.0.2.2", 0, Error::PortZero),
        (ipv4, "2001:db8::2", 4_789, Error::NoLocal),
        (ipv6, "192.0.2.2", 4_789, Error::NoLocal),
        (ipv6, "::", 4_789, Error::NotUnicast),
        (ipv4, "::ffff:192.0.2.2", 4_789, Error::Ipv4Mapped),
        (ipv6, "::ffff:192.0.2.2", 4_789, Error::Ipv4Mapped),
    ] {
        let vtep = build(config, CAPACITY).unwrap();
        let added = vtep.add_remote(&Remote::new(to.parse().unwrap(), port));
        assert_eq!((added, vtep.remotes().count()), (Err(expected), 0), "{to} port {port}");
    }
}

/// Every refusal can be told.
#[test]
fn errors_say_what_is_wrong() {
    let texts =
        [refused(Config::new()), refused(with(v4(), |c| c.dstport = 0)), refused(with(v4(), |c| c.mtu = 9))]
            .map(|error| error.to_string());
    assert!(texts[0].contains("local address"), "{}", texts[0]);
    assert!(texts[1].contains("port 0"), "{}", texts[1]);
    assert!(texts[2].contains("MTU 9"), "{}", texts[2]);
}

/// What is to be fragmented must not say that it must not be.
#[test]
fn fragments_with_df() {
    let config = |df| with(v4(), |c| (c.too_big, c.df) = (TooBig::Fragment, df));
    assert_eq!(refused(config(DontFragment::Set)), ConfigError::FragmentWithDf);
    for df in [DontFragment::Unset, DontFragment::Inherit] {
        assert!(build(config(df), CAPACITY).is_ok());
    }
    // IPv6 has no such flag.
    let ipv6 = with(Config::new().local(v6(1).into()), |c| c.too_big = TooBig::Fragment);
    assert!(build(ipv6, CAPACITY).is_ok());
}
