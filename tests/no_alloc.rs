//! Nothing on a packet's path allocates: every codec, every tunnel, whether it takes the packet or not.
//!
//! What is new on that path belongs into [`codecs`] or [`tunnels`].
#![allow(clippy::unwrap_used, reason = "a test that goes wrong should panic")]

use std::{
    fmt::{self, Write},
    hint::black_box,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use encap::{
    Packet,
    tunnel::{self, EncapMeta, Endpoint, InnerChecksum, Payload, Profile, Protocol, Remote, UdpChecksum},
    wire::{
        Dscp, Ecn, EtherType, IpProtocol, MacAddr, Vni, arp,
        checksum::{self, Sum},
        ethernet, gre, icmp_error, icmp_quote, icmpv4, icmpv6, ipv4, ipv6, ndp, ndp_check, ndp_option,
        rewrite, udp, vlan, vxlan,
    },
};

#[test]
fn codecs_allocate_nothing() {
    // What each codec takes, and some of what it refuses.
    let heads: [&[u8]; 10] = [
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
    icmp(bytes, pseudo);
    changes(bytes);
    black_box((checksum::of(bytes), checksum::update(1, 2, 3)));
    let _ = black_box("02:00:00:00:00:01".parse::<MacAddr>());
    let _ = black_box("02:00:00:00:00".parse::<MacAddr>());
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

#[test]
fn tunnels_allocate_nothing() {
    for (local, remote) in [
        (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))),
        (Ipv6Addr::LOCALHOST.into(), Ipv4Addr::new(192, 0, 2, 2).to_ipv6_mapped().into()),
    ] {
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

/// Takes `inner` from one end to the other, in all ways that there are; and what both ends refuse.
fn tunnels<P: Protocol>(here: &Endpoint<P>, there: &Endpoint<P>, to: &Remote, inner: &[u8]) {
    const HEADROOM: usize = 128;
    let mut buffer = [0; 256];
    for (byte, from) in buffer.iter_mut().skip(HEADROOM).zip(inner) {
        *byte = *from;
    }
    for inner_checksum in [InnerChecksum::Unknown, InnerChecksum::Good] {
        let meta = EncapMeta::new().sequence(1).inner_checksum(inner_checksum);
        black_box(&*here.header(inner, to, &meta).unwrap());

        let mut packet = Packet::new(&mut buffer, HEADROOM, inner.len()).unwrap();
        here.encap_with(&mut packet, to, &meta).unwrap();
        let mut profile = Profile::ANALYSIS;
        profile.start = tunnel::Start::Ip;
        black_box(tunnel::inspect(packet.as_slice(), &profile).layers().count());
        there.decap(&mut packet).unwrap();
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
