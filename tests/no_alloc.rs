//! Nothing on a packet's path allocates: every codec, every tunnel, every table, every VTEP, whether it takes the
//! packet or not.
//!
//! What is new on that path belongs into [`codecs`], [`tunnels`], [`tables_allocate_nothing`] or [`exchange`].
#![allow(clippy::unwrap_used, reason = "a test that goes wrong should panic")]

use std::{
    fmt::{self, Write},
    hint::black_box,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use encap::{
    Packet,
    table::{self, Capacity, Cursor, Filter, LearnFrom, Line, Lookup, NewEntry, Settings, Snooping, Tables},
    time::Instant,
    tunnel::{
        self, DecapMeta, EncapMeta, Endpoint, InnerChecksum, Payload, Profile, Protocol, Remote, UdpChecksum,
    },
    vtep::{self, Output, OverlayMeta, Proxy, Vtep, Worker},
    wire::{
        Dscp, Ecn, EtherType, FlowLabel, IpProtocol, MacAddr, Vni, arp,
        checksum::{self, Sum},
        erspan, ethernet, geneve,
        geneve_option::{OptionClass, OptionType, Options, TypedOption, Writer},
        gre, gre1, icmp_error, icmp_quote, icmpv4, icmpv6, ipv4, ipv6, ndp, ndp_check, ndp_option, nvgre,
        rewrite, udp, vlan, vxlan,
        vxlan_gbp::GroupPolicy,
        vxlan_gpe, wccp,
    },
};

#[test]
fn codecs_allocate_nothing() {
    // What each codec takes, and some of what it refuses.
    let heads: [&[u8]; 18] = [
        &[],
        &[0x02; 12],
        &[0, 1, 8, 0, 6, 4, 0, 1],
        &[0x45, 0, 0, 40],
        &[0x4f, 0, 0, 60],
        &[0x44],
        &[0x60, 0, 0, 0, 0, 8, 0],
        &[0xb0, 0, 8, 0],
        &[0x40, 0, 8, 0],
        &[0, 0, 8, 0, 0, 5],
        &[0x88, 0x48, 0, 5, 0, 0, 42, 0],
        &[0x0c, 0, 0, 3, 0, 0, 42, 0],
        &[0x06, 0x40, 0x65, 0x58, 0, 0, 42, 0, 1, 8, 0x81, 1, 1, 2, 3, 4, 1, 8, 2, 0],
        &[1, 8, 3, 1, 1, 2, 3, 4, 1, 8, 0x84, 31],
        &[0x20, 0, 0x65, 0x58, 0, 0x13, 0x89, 42],
        &[0x30, 0x81, 0x88, 0x0b, 0, 4, 0, 24],
        &[0x10, 0x64, 0x18, 0x7b, 0, 0, 0, 1],
        &[0x20, 0x64, 0, 0x7b, 0, 0, 0, 1, 0, 0, 0, 1],
    ];
    for head in heads {
        let mut bytes = [0; 80];
        for (to, from) in bytes.iter_mut().zip(head) {
            *to = *from;
        }
        for len in [0, 3, 7, 8, 13, 14, 20, 28, 39, 60, 80] {
            let (packet, _) = bytes.split_at(len);
            assert_eq!(allocations(|| codecs(packet)), 0, "{packet:02x?}");
        }
    }
}

/// Reads the bytes as everything there is, and emits what was read.
fn codecs(bytes: &[u8]) {
    let mut out = [0; 60];
    if let Ok((header, _)) = told(ethernet::Header::parse(bytes)) {
        black_box(header.to_bytes());
    }
    if let Ok((tag, _)) = told(vlan::Header::parse(bytes)) {
        black_box(tag.to_bytes());
    }
    for ethertype in [EtherType::IPV4, EtherType::VLAN] {
        let _ = told(vlan::skip_tags(ethertype, bytes));
    }
    if let Ok((packet, _)) = told(arp::Header::parse(bytes)) {
        black_box(packet.to_bytes());
    }
    if let Ok((header, rest)) = told(ipv4::Header::parse(bytes)) {
        let _ = told(header.payload(rest));
        let _ = told(header.with_checksum().emit(&mut out));
        let _ = told(header.emit(&mut []));
        black_box(ipv4::verify(&out));
    }
    if let Ok((header, rest)) = told(ipv6::Header::parse(bytes)) {
        let _ = told(header.payload(rest));
        black_box(header.to_bytes());
        for extension in ipv6::Extensions::new(header.next_header, rest) {
            if let Ok(extension) = told(extension) {
                black_box(extension.fragment());
            }
        }
    }
    let pseudo = Sum::pseudo_ipv6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, IpProtocol::UDP, 8);
    if let Ok((header, rest)) = told(udp::Header::parse(bytes)) {
        let _ = told(header.payload(rest));
        black_box(header.with_checksum(pseudo, rest).to_bytes());
        black_box(udp::verify(pseudo, bytes));
    }
    if let Ok((header, _)) = told(vxlan::Header::parse(bytes)) {
        black_box((header.vni(), header.to_bytes()));
    }
    if let Ok((header, rest)) = told(gre::Header::parse(bytes)) {
        let _ = told(header.with_checksum(rest).emit(&mut out));
        let _ = told(header.emit(&mut []));
        black_box(gre::verify(bytes));
    }
    tunnel_headers(bytes);
    icmp(bytes, pseudo);
    changes(bytes);
    black_box((checksum::of(bytes), checksum::update(1, 2, 3)));
    let _ = black_box("02:00:00:00:00:01".parse::<MacAddr>());
    let _ = black_box("02:00:00:00:00".parse::<MacAddr>());
}

/// Reads the bytes as the headers of tunnels that are not quite VXLAN or GRE.
fn tunnel_headers(bytes: &[u8]) {
    let mut out = [0; 60];
    if let Ok((header, _)) = told(vxlan::Header::parse(bytes)) {
        let policy = header.group_policy().unwrap_or_default();
        black_box(header.with_group_policy(policy).to_bytes());
    }
    if let Ok((header, _)) = told(vxlan_gpe::Header::parse(bytes)) {
        black_box((header.vni(), header.next_protocol(), header.to_bytes()));
    }
    if let Ok((header, rest)) = told(geneve::Header::parse(bytes)) {
        let (options, payload) = header.split_options(rest);
        black_box((options.count(), payload, header.to_bytes()));
    }
    let mut writer = Writer::new(&mut out);
    for option in Options::new(bytes) {
        if let Ok(option) = told(option) {
            let _ = told(writer.push(option.class, option.kind, option.data));
        }
    }
    let _ = told(writer.push(Cookie::CLASS, Cookie::KIND, &[0; 3]));
    let _ = told(writer.push_typed(&Cookie([1, 2, 3, 4])));
    black_box((writer.options_len(), writer.is_critical()));
    black_box(Options::new(writer.as_bytes()).find::<Cookie>().map(|cookie| cookie.0));
    if let Ok((header, _)) = told(nvgre::Header::parse(bytes)) {
        black_box(header.to_bytes());
    }
    if let Ok((header, _)) = told(gre::Header::parse(bytes)) {
        black_box(nvgre::Header::from_gre(&header));
    }
    if let Ok((header, _)) = told(gre1::Header::parse(bytes)) {
        let _ = told(header.emit(&mut out));
        let _ = told(header.emit(&mut []));
    }
    let _ = black_box(told(erspan::Header::parse(bytes)));
    if let Ok((Some(header), _)) = told(wccp::Header::parse(bytes)) {
        black_box(header.to_bytes());
    }
}

/// The flow cookie of AWS Gateway Load Balancer.
struct Cookie([u8; 4]);

impl TypedOption for Cookie {
    const CLASS: OptionClass = OptionClass(0x0108);
    const KIND: OptionType = OptionType(3);
    type Data = [u8; 4];

    fn to_data(&self) -> [u8; 4] {
        self.0
    }
    fn from_data(data: [u8; 4]) -> Option<Self> {
        Some(Self(data))
    }
}

/// Reads the bytes as ICMP of either version and as neighbour discovery, and reports about them.
fn icmp(bytes: &[u8], pseudo: Sum) {
    if let Ok((header, rest)) = told(icmpv4::Header::parse(bytes)) {
        black_box((header.with_checksum(rest).to_bytes(), header.problem(), icmpv4::verify(bytes)));
    }
    if let Ok((header, rest)) = told(icmpv6::Header::parse(bytes)) {
        black_box((header.with_checksum(pseudo, rest).to_bytes(), header.problem()));
    }
    let problem = icmpv4::Problem::FragmentationNeeded { mtu: 1450 };
    let _ = black_box(told(icmp_error::ipv4(bytes, problem, Ipv4Addr::LOCALHOST, 64)));
    let problem = icmpv6::Problem::PacketTooBig { mtu: 1280 };
    let _ = black_box(told(icmp_error::ipv6(bytes, problem, Ipv6Addr::LOCALHOST, 64)));
    if let Ok(report) = told(icmp_quote::parse(bytes)) {
        black_box(report.quote.ports());
    }
    let _ = told(ndp_check::check_solicitation(bytes));
    let _ = told(ndp_check::check_advertisement(bytes));
    for option in ndp_option::Options::new(bytes) {
        let _ = told(option);
    }
    let (solicitor, target) = (Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    black_box(
        ndp::Answer { solicitor, target, mac: MacAddr::ZERO, router: true, overrides: true }.to_bytes(),
    );
}

/// Changes a copy of the bytes in all ways that there are.
fn changes(bytes: &[u8]) {
    let mut copy = [0; 80];
    for (to, from) in copy.iter_mut().zip(bytes) {
        *to = *from;
    }
    let (packet, _) = copy.split_at_mut(bytes.len());
    let _ = told(rewrite::set_ttl(packet, 64));
    let _ = told(rewrite::decrement_ttl(packet));
    let _ = told(rewrite::set_dscp(packet, Dscp::MAX));
    let _ = told(rewrite::set_ecn(packet, Ecn::Ce));
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let _ = told(rewrite::set_source(packet, address));
        let _ = told(rewrite::set_destination(packet, address));
    }
    let _ = told(rewrite::set_source_port(packet, 1));
    let _ = told(rewrite::set_destination_port(packet, 2));
    let _ = told(rewrite::set_vni(packet, Vni::MAX));
}

/// Two ends of a tunnel, over either version of IP.
fn ends() -> [(IpAddr, IpAddr); 2] {
    [
        (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))),
        // What comes from the loopback address, ::1, is no packet of a network.
        (
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
            Ipv4Addr::new(192, 0, 2, 2).to_ipv6_mapped().into(),
        ),
    ]
}

#[test]
fn tunnels_allocate_nothing() {
    for (local, remote) in ends() {
        for udp_checksum in [UdpChecksum::Full, UdpChecksum::Offload] {
            let here = tunnel::vxlan::Endpoint::new(local).udp_checksum(udp_checksum).build().unwrap();
            let there = tunnel::vxlan::Endpoint::new(remote).build().unwrap();
            let to = here.remote(remote, Vni::truncate(42)).unwrap();
            assert_eq!(allocations(|| tunnels(&here, &there, &to, &FRAME)), 0);
        }

        let gre = |address| {
            let plain = tunnel::gre::Endpoint::new(address).payload(Payload::Ethernet);
            plain.key(gre::Key(7)).checksum(true).sequence(true).build().unwrap()
        };
        let (here, there) = (gre(local), gre(remote));
        let to = here.remote(remote).unwrap();
        assert_eq!(allocations(|| tunnels(&here, &there, &to, &FRAME)), 0);

        let here = tunnel::ip_udp::Endpoint::new(local).build().unwrap();
        let there = tunnel::ip_udp::Endpoint::new(remote).build().unwrap();
        let to = here.remote(remote).unwrap();
        let (_, inner) = FRAME.split_at(14);
        assert_eq!(allocations(|| tunnels(&here, &there, &to, inner)), 0);
    }
}

#[test]
fn extended_tunnels_allocate_nothing() {
    let (_, ip) = FRAME.split_at(14);
    for (local, remote) in ends() {
        let policy = |address| tunnel::vxlan::Endpoint::new(address).group_policy(true).build().unwrap();
        let (here, there) = (policy(local), policy(remote));
        let to = here.remote(remote, Vni::truncate(42)).unwrap();
        assert_eq!(allocations(|| tunnels(&here, &there, &to, &FRAME)), 0);

        let nvgre = |address| tunnel::nvgre::Endpoint::new(address).build().unwrap();
        let (here, there) = (nvgre(local), nvgre(remote));
        let to = here.remote(remote, Vni::truncate(5001)).unwrap();
        assert_eq!(allocations(|| tunnels(&here, &there, &to, &FRAME)), 0);

        let mut options = [0; 16];
        let mut writer = Writer::new(&mut options);
        writer.push_typed(&Cookie([1, 2, 3, 4])).unwrap();
        writer.push(OptionClass(0x0102), OptionType(4), &[]).unwrap();
        for (payload, inner) in [(Payload::Ethernet, &FRAME[..]), (Payload::Ip, ip)] {
            let gpe = |address| tunnel::vxlan::Endpoint::new(address).gpe(payload).build().unwrap();
            let (here, there) = (gpe(local), gpe(remote));
            let to = here.remote(remote, Vni::truncate(42)).unwrap();
            assert_eq!(allocations(|| tunnels(&here, &there, &to, inner)), 0);

            let geneve = |address| {
                let plain = tunnel::geneve::Endpoint::new(address).payload(payload);
                plain.knows(OptionClass(0x0108), OptionType(0x83)).build().unwrap()
            };
            let (here, there) = (geneve(local), geneve(remote));
            let to = here.remote_with_options(remote, Vni::truncate(42), writer.as_bytes()).unwrap();
            assert_eq!(allocations(|| tunnels(&here, &there, &to, inner)), 0);
            // A critical option that the other end does not know.
            let to = here.remote_with_options(remote, Vni::truncate(42), &[1, 2, 0x84, 0]).unwrap();
            assert_eq!(allocations(|| refused(&here, &there, &to, inner)), 0);

            let gre = |address| {
                let plain = tunnel::gre::UdpEndpoint::new(address).payload(payload);
                plain.key(gre::Key(7)).checksum(true).sequence(true).build().unwrap()
            };
            let (here, there) = (gre(local), gre(remote));
            let to = here.remote(remote).unwrap();
            assert_eq!(allocations(|| tunnels(&here, &there, &to, inner)), 0);
        }
    }
}

#[test]
fn gre_tunnels_allocate_nothing() {
    let (_, ip) = FRAME.split_at(14);
    for (local, remote) in ends() {
        for (payload, inner) in [(Payload::Ethernet, &FRAME[..]), (Payload::Ip, ip)] {
            let tunnel = |from, to| {
                let plain = tunnel::gre::Tunnel::new(from, to).payload(payload).key(gre::Key(7));
                plain.csum(true).seq(true).mtu(200).build().unwrap()
            };
            let (mut here, mut there) = (tunnel(local, remote), tunnel(remote, local));
            assert_eq!(allocations(|| gre_tunnel(&mut here, &mut there, inner)), 0);
        }
    }
}

/// Takes `inner` from one end to the other, then what is refused, and a keepalive both ways.
fn gre_tunnel(here: &mut tunnel::gre::Tunnel, there: &mut tunnel::gre::Tunnel, inner: &[u8]) {
    const HEADROOM: usize = 128;
    let now = Instant::ZERO;
    let mut buffer = [0; 512];
    for (byte, from) in buffer.iter_mut().skip(HEADROOM).zip(inner) {
        *byte = *from;
    }
    let mut packet = Packet::new(&mut buffer, HEADROOM, inner.len()).unwrap();
    here.encap(&mut packet).unwrap();
    let arrived = tunnel::gre::Arrived::read(packet.as_slice(), tunnel::Start::Ip).unwrap();
    let selectors = [there.selector(1)];
    let tunnels = tunnel::gre::Tunnels::new(&selectors).unwrap();
    assert_eq!(tunnels.find(&arrived), Some(1));
    assert!(matches!(there.decap(now, &mut packet), Ok(tunnel::gre::Received::Packet(_))));
    black_box(&*here.header(inner, &EncapMeta::new()).unwrap());

    // The number is used up, the packet too long, nothing there.
    let mut packet = Packet::new(&mut buffer, 0, HEADROOM + inner.len()).unwrap();
    assert!(told(there.decap(now, &mut packet)).is_err());
    let mut packet = Packet::new(&mut buffer, HEADROOM, 300).unwrap();
    assert!(told(here.encap(&mut packet)).is_err());
    let mut packet = Packet::new(&mut buffer, HEADROOM, 0).unwrap();
    assert!(told(here.encap(&mut packet)).is_err());
    let mut packet = Packet::new(&mut buffer, HEADROOM, 0).unwrap();
    if told(here.keepalive(&mut packet)).is_ok() {
        assert_eq!(there.decap(now, &mut packet), Ok(tunnel::gre::Received::KeepaliveRequest));
        assert_eq!(here.decap(now, &mut packet), Ok(tunnel::gre::Received::KeepaliveAnswer));
    }
    assert!(told(tunnel::gre::Tunnels::new(&[there.selector(1), there.selector(2)])).is_err());
    assert!(told(tunnel::gre::Tunnel::new(here.local(), here.local()).build()).is_err());
}

/// Sends `inner` to an end that does not take it.
fn refused<P: Protocol>(here: &Endpoint<P>, there: &Endpoint<P>, to: &Remote, inner: &[u8]) {
    const HEADROOM: usize = 128;
    let mut buffer = [0; 256];
    for (byte, from) in buffer.iter_mut().skip(HEADROOM).zip(inner) {
        *byte = *from;
    }
    let mut packet = Packet::new(&mut buffer, HEADROOM, inner.len()).unwrap();
    here.encap(&mut packet, to).unwrap();
    assert!(told(there.decap(&mut packet)).is_err());
}

#[test]
fn reports_allocate_nothing() {
    let (_, ipv4) = FRAME.split_at(14);
    let mut ipv6 = [0; 48];
    let (head, payload) = ipv6.split_at_mut(40);
    let header = ipv6::Header {
        dscp: Dscp::default(),
        ecn: Ecn::NotEct,
        flow_label: FlowLabel::default(),
        payload_len: 8,
        next_header: IpProtocol::UDP,
        hop_limit: 64,
        source: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
        destination: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2),
    };
    head.copy_from_slice(&header.to_bytes());
    payload.copy_from_slice(&[3, 0xe8, 7, 0xd0, 0, 8, 0, 1]);
    assert_eq!(allocations(|| reports(ipv4, &ipv6)), 0);
}

/// Turns the packets into ICMP errors; not where there is no headroom, nor where there is no packet.
fn reports(ipv4: &[u8], ipv6: &[u8]) {
    let too_large = icmpv4::Problem::FragmentationNeeded { mtu: 1450 };
    let too_big = icmpv6::Problem::PacketTooBig { mtu: 1280 };
    for headroom in [64, 0] {
        let mut buffer = [0; 128];
        for (byte, from) in buffer.iter_mut().skip(headroom).zip(ipv4) {
            *byte = *from;
        }
        let mut packet = Packet::new(&mut buffer, headroom, ipv4.len()).unwrap();
        let made = told(tunnel::icmp::report_ipv4(&mut packet, too_large, Ipv4Addr::LOCALHOST, 64));
        assert_eq!(made.is_ok(), headroom > 0);
        for (byte, from) in buffer.iter_mut().skip(headroom).zip(ipv6) {
            *byte = *from;
        }
        let mut packet = Packet::new(&mut buffer, headroom, ipv6.len()).unwrap();
        let made = told(tunnel::icmp::report_ipv6(&mut packet, too_big, Ipv6Addr::LOCALHOST, 64));
        assert_eq!(made.is_ok(), headroom > 0);
        let mut packet = Packet::new(&mut buffer, headroom, 0).unwrap();
        assert!(told(tunnel::icmp::report_ipv4(&mut packet, too_large, Ipv4Addr::LOCALHOST, 64)).is_err());
        assert!(told(tunnel::icmp::report_ipv6(&mut packet, too_big, Ipv6Addr::LOCALHOST, 64)).is_err());
    }
}

/// Takes `inner` from one end to the other, in all ways that there are; and what both ends refuse.
fn tunnels<P: Protocol>(here: &Endpoint<P>, there: &Endpoint<P>, to: &Remote, inner: &[u8]) {
    const HEADROOM: usize = 128;
    let mut buffer = [0; 256];
    for (byte, from) in buffer.iter_mut().skip(HEADROOM).zip(inner) {
        *byte = *from;
    }
    for inner_checksum in [InnerChecksum::Unknown, InnerChecksum::Good] {
        let policy = GroupPolicy { id: 5, dont_learn: true, applied: false };
        let meta = EncapMeta::new().sequence(1).group_policy(policy).inner_checksum(inner_checksum);
        black_box(&*here.header(inner, to, &meta).unwrap());

        let mut packet = Packet::new(&mut buffer, HEADROOM, inner.len()).unwrap();
        here.encap_with(&mut packet, to, &meta).unwrap();
        let mut profile = Profile::ANALYSIS;
        profile.start = tunnel::Start::Ip;
        let inspection = tunnel::inspect(packet.as_slice(), &profile);
        for layer in inspection.layers() {
            black_box(layer.geneve_options(packet.as_slice()).count());
        }
        let opened = there.decap(&mut packet).unwrap();
        black_box(opened.geneve_options(&packet).count());
        assert_eq!(packet.as_slice(), inner);

        let mut burst = [packet];
        let mut sent = [Ok(())];
        here.encap_batch(&mut burst, &[(to, meta)], &mut sent);
        let [packet] = &mut burst;
        assert_eq!((sent, tunnel::strip(packet, &profile)), ([Ok(())], Ok(1)));
    }

    // No headroom, nothing inside, and what never was a tunnel's packet.
    let mut packet = Packet::new(&mut buffer, 0, inner.len()).unwrap();
    assert!(told(here.encap(&mut packet, to)).is_err());
    assert!(told(there.decap(&mut packet)).is_err());
    let mut packet = Packet::new(&mut buffer, HEADROOM, 0).unwrap();
    assert!(told(here.encap(&mut packet, to)).is_err());
    assert!(told(there.decap(&mut packet)).is_err());
}

/// Neither what packets do with the tables nor what people do, once there is storage.
#[test]
fn tables_allocate_nothing() {
    const CAPACITY: Capacity = Capacity { quotas: 1, ..Capacity::fdb(256) };
    static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
    assert_eq!(allocations(tables), 0);

    fn tables() {
        let mut settings = Settings::default();
        settings.learn_from = LearnFrom::Any;
        let tables = Tables::with_settings(&LINES, CAPACITY, settings, [1, 2]).unwrap();
        let (fdb, remotes, lists) = (tables.fdb(), tables.remotes(), tables.lists());
        let worker = tables.register().unwrap();
        let (vni, now, later) = (Vni::truncate(42), Instant::from_secs(1), Instant::from_secs(1_000));
        let mac = |number: u32| {
            let [a, b, c, d] = number.to_be_bytes();
            MacAddr([2, 0, a, b, c, d])
        };
        let remote = |last| table::Remote::new(IpAddr::from([192, 0, 2, last]), 4789);
        let [a, b] = [1, 2].map(|last| remotes.add(&remote(last)).unwrap());
        let by_itself = remotes.find_or_learn(&remote(3)).unwrap();
        remotes.set_header(a, &[7; 50]).unwrap();
        remotes.set_mtu(a, 1_450).unwrap();
        black_box(remotes.read(a, &mut [0; 50]));
        fdb.add_vni(vni).unwrap();

        // Past all that there is room for, so that entries move, give way and are refused.
        for number in 0..2_000 {
            let from = if number % 3 == 0 { b } else { by_itself };
            let _ = black_box(fdb.learn(now, vni, mac(number), from));
            let _ = black_box(fdb.learn(now, vni, mac(number), a));
            let _ = black_box(fdb.lookup(later, vni, mac(number)));
        }
        assert_eq!(fdb.count(), 256);
        let mut answers = [Lookup::Unknown; 40];
        fdb.lookup_batch(now, &[(vni, mac(7)); 40], &mut answers);
        let mut sweeps = 0;
        while sweeps < 2 {
            sweeps += u32::from(
                tables
                    .age(later, 7, |event| {
                        black_box(event);
                    })
                    .complete,
            );
        }
        tables.quiesce(&worker);
        assert_eq!(fdb.count(), 0);

        fdb.append(vni, MacAddr::ZERO, a).unwrap();
        fdb.append(vni, MacAddr::ZERO, b).unwrap();
        let flood = fdb.lookup(now, vni, MacAddr::ZERO).destination().unwrap();
        assert_eq!(fdb.remotes_of(flood).count(), 2);
        let group = lists.add_group(&[a, b]).unwrap();
        black_box(lists.pick(group, 7));
        fdb.add(vni, mac(1), group).unwrap();
        fdb.replace(vni, mac(2), NewEntry::to(a).dynamic(now)).unwrap();
        assert!(told(fdb.add(vni, mac(2), b)).is_err());
        assert!(told(fdb.delete_destination(now, vni, mac(2), b)).is_err());
        assert_eq!(fdb.dump(now).count(), 3);
        fdb.flush_learned(vni).unwrap();
        fdb.flush_learned_from(a).unwrap();
        black_box(fdb.delete(now, vni, mac(2)).unwrap());
        let flushed = fdb.flush(now, &Filter::ALL, Cursor::default(), usize::MAX, |event| {
            black_box(event);
        });
        assert_eq!((flushed.entries, fdb.count()), (2, 0));
        lists.remove(group).unwrap();
        remotes.remove(b).unwrap();
        fdb.remove_vni(vni).unwrap();
        tables.unregister(worker);
    }
}

/// Two VTEPs that send each other all kinds of frames, learn, answer, refuse and sweep.
#[test]
fn vteps_allocate_nothing() {
    let frames = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    for proxy in [Proxy::NeighSuppress, Proxy::KernelProxy] {
        let (mut here, mut there) = (VtepWithWorker::new(1, 2, proxy), VtepWithWorker::new(2, 1, proxy));
        let mut done = Done::default();
        assert_eq!(allocations(|| done = exchange(&mut here, &mut there, frames)), 0);
        // Everything that was to happen did.
        let Done { delivered, replicated, replies, too_big, dropped, passed, events } = done;
        let least = [delivered, replicated, replies, too_big, dropped, passed, events].into_iter().min();
        assert!(least >= Some(frames / 100), "{done:?}");
    }
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    delivered: u32,
    replicated: u32,
    replies: u32,
    too_big: u32,
    dropped: u32,
    passed: u32,
    events: u32,
}

struct VtepWithWorker {
    vtep: Vtep<Box<[Line]>>,
    worker: Worker<'static>,
}

impl VtepWithWorker {
    /// A VTEP at 192.0.2.`here` with hosts that the one at 192.0.2.`there` asks for.
    fn new(here: u8, there: u8, proxy: Proxy) -> Self {
        let mut config = vtep::Config::new().local([192, 0, 2, here].into());
        config.proxy = proxy;
        config.tables.snooping = Snooping::All;
        let capacity = Capacity { neighbors: 64, ..Capacity::fdb(64) };
        let vtep = Vtep::with_capacity(config, capacity, [1, here.into()]).unwrap();
        for to in [there, 9] {
            let remote = vtep.remote([192, 0, 2, to].into()).unwrap();
            vtep.fdb().append(SEGMENT, MacAddr::ZERO, remote).unwrap();
        }
        let remote = vtep.remote([192, 0, 2, there].into()).unwrap();
        vtep.fdb().add(SEGMENT, MacAddr([2, 0, 0, 0, 1, 2]), remote).unwrap();
        vtep.neighbors().add(SEGMENT, [10, 1, 0, 2].into(), MacAddr([2, 0, 0, 0, 1, 2])).unwrap();
        Self { vtep, worker: Worker::new(1).with_event_capacity(16) }
    }
}

const SEGMENT: Vni = Vni::truncate(42);

fn exchange(here: &mut VtepWithWorker, there: &mut VtepWithWorker, frames: u32) -> Done {
    const HEADROOM: usize = 64;
    let mut done = Done::default();
    let mut buffer = [0; 1_600];
    let mut copy = [0; 1_700];
    let mut unknown = FRAME;
    let arp = arp::Header {
        operation: arp::Operation::REQUEST,
        sender_mac: MacAddr([2, 0, 0, 0, 0, 1]),
        sender_ip: Ipv4Addr::new(10, 1, 0, 1),
        target_mac: MacAddr::ZERO,
        target_ip: Ipv4Addr::new(10, 1, 0, 2),
    };
    for round in 0..frames {
        let now = Instant::from_millis(round.into());
        let (here, there) =
            if round % 2 == 0 { (&mut *here, &mut *there) } else { (&mut *there, &mut *here) };
        // More hosts than there is room for.
        let [.., h0, h1] = (round / 7 % 200).to_be_bytes();
        let (_, frame) = buffer.split_at_mut(HEADROOM);
        for (to, from) in frame.iter_mut().zip(FRAME) {
            *to = from;
        }
        let (front, payload) = frame.split_first_chunk_mut::<14>().unwrap();
        let [d0, d1, d2, d3, d4, d5, _, _, _, _, s4, s5, t0, t1] = front;
        (*s4, *s5) = (h0, h1);
        let (meta, mut len) = (OverlayMeta::new(SEGMENT), FRAME.len());
        match round % 7 {
            // To a host that is known, or was.
            0 | 1 => (*d4, *d5) = (h0, h1),
            2 => [*d0, *d1, *d2, *d3, *d4, *d5] = [0xff; 6],
            3 => {
                [*d0, *d1, *d2, *d3, *d4, *d5] = [0xff; 6];
                [*t0, *t1] = [8, 6];
                payload.first_chunk_mut().into_iter().for_each(|to| *to = arp.to_bytes());
            }
            4 => {
                // Too long, and with DF, for a way that was found to be narrow.
                let header = [0x45, 0, 5, 0xaa, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 1, 0, 2];
                let header = ipv4::Header::from_bytes(&header).unwrap().with_checksum();
                payload.first_chunk_mut().into_iter().for_each(|to| *to = header.fixed_bytes());
                len = 1_500;
            }
            5 => len = 10,
            _ => {}
        }
        let mut packet = Packet::new(&mut buffer, HEADROOM, len).unwrap();
        let output = here.vtep.handle_overlay(&mut here.worker, now, &meta, &mut packet);
        if let Output::Replicate(flood) = output {
            done.replicated += 1;
            for replica in here.vtep.replicas(&mut here.worker, &flood, packet.as_slice()) {
                let parts = replica.header.iter().chain(packet.as_slice());
                for (to, from) in copy.iter_mut().skip(HEADROOM).zip(parts) {
                    *to = *from;
                }
                let len = replica.header.len() + packet.len();
                let mut packet = Packet::new(&mut copy, HEADROOM, len).unwrap();
                count(&mut done, there, now, &mut packet);
            }
        }
        match output {
            Output::Send { .. } => count(&mut done, there, now, &mut packet),
            Output::Reply if packet.len() > 100 => done.too_big += 1,
            Output::Reply => done.replies += 1,
            Output::Drop(reason) => {
                done.dropped += 1;
                black_box(reason.name());
            }
            _ => {}
        }
        count(&mut done, there, now, &mut packet);
        done.events += u32::from(here.worker.poll_event().is_some());
        // A segment without a default destination, in which everything is a miss.
        let mut packet = Packet::new(&mut unknown, 0, FRAME.len()).unwrap();
        let _ = here.vtep.handle_overlay(&mut here.worker, now, &OverlayMeta::new(Vni::MAX), &mut packet);
        let _ = black_box(here.vtep.handle_timeout(now, 4, |event| _ = black_box(event)));
        black_box(here.worker.counters().drops().count());
    }
    done
}

/// A packet arrives, once at its VTEP and once at one that it is not for.
fn count(done: &mut Done, there: &mut VtepWithWorker, now: Instant, packet: &mut Packet<'_>) {
    let meta = DecapMeta::new();
    match there.vtep.handle_underlay(&mut there.worker, now, &meta, packet) {
        Output::Deliver { .. } => done.delivered += 1,
        Output::Pass => done.passed += 1,
        _ => {}
    }
}

/// 10.1.0.1 to 10.1.0.2, UDP, "hello", in an Ethernet frame.
const FRAME: [u8; 47] = [
    0x02, 0, 0, 0, 1, 2, 0x02, 0, 0, 0, 0, 1, 8, 0, // Ethernet
    0x45, 0, 0, 33, 0, 1, 0, 0, 64, 17, 0x66, 0xc7, 10, 1, 0, 1, 10, 1, 0, 2, // IPv4
    3, 0xe8, 7, 0xd0, 0, 13, 0x9c, 0x45, b'h', b'e', b'l', b'l', b'o', // UDP
];

/// How often `work` allocated, in this thread.
fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// The result, once the text of its error has been written where there is no memory.
fn told<T, E: fmt::Display>(result: Result<T, E>) -> Result<T, E> {
    struct Nowhere;

    impl Write for Nowhere {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            black_box(text);
            Ok(())
        }
    }

    if let Err(error) = &result {
        write!(Nowhere, "{error}").unwrap();
    }
    result
}

/// The counter counts.
#[test]
fn allocations_are_seen() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
    assert_eq!(allocations(|| drop(black_box(vec![1; 3]))), 1);
    assert_eq!(allocations(|| assert_ne!(black_box([1; 3]), [0; 3])), 0);
}
