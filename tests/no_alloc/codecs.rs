//! Codecs.

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use encap::wire::{
    Dscp, Ecn, EtherType, IpProtocol, MacAddr, Vni, arp,
    checksum::{self, Sum},
    erspan, ethernet, geneve,
    geneve_option::{OptionClass, OptionType, Options, TypedOption, Writer},
    gre, gre1, icmp_error, icmp_quote, icmpv4, icmpv6, ipv4, ipv6, ndp, ndp_check, ndp_option, nvgre,
    rewrite, udp, vlan, vxlan, vxlan_gpe, wccp,
};

use super::{allocations, told};

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
pub(super) struct Cookie(pub(super) [u8; 4]);

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
