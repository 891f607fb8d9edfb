//! Headers read and written, beside a copy of as many bytes.
#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench, not the packet path; its cases are for other packages too"
)]

mod harness;

use std::{fmt::Debug, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use encap::wire::{
    Dscp, Ecn, EtherType, IpProtocol, MacAddr, Vni, arp, ethernet, geneve, gre, ipv4, ipv6, nvgre, rewrite,
    udp, vlan, vxlan,
};
use harness::Group;

/// Headers of a group of work.
const HEADERS: usize = 64;

/// A header's codec: read a value from these bytes, write it again.
fn codec<H: Copy + Debug + PartialEq, const N: usize>(
    c: &mut Criterion,
    name: &str,
    header: impl Fn(u32) -> H,
    parse: impl Fn(&[u8]) -> H,
    to_bytes: impl Fn(&H) -> [u8; N],
) {
    let headers: Vec<H> = (0..HEADERS as u32).map(header).collect();
    let wire: Vec<[u8; N]> = headers.iter().map(&to_bytes).collect();
    for (header, bytes) in headers.iter().zip(&wire) {
        assert_eq!(parse(bytes), *header, "what was written is read");
    }
    let (headers, wire) = (black_box(headers), black_box(wire));
    let mut values = headers.clone();
    let mut out = wire.clone();
    let mut group = Group::new(c, &format!("wire: {name}"), HEADERS, HEADERS * N);
    group.bench("parse", || {
        values.iter_mut().zip(black_box(&wire)).for_each(|(value, bytes)| *value = parse(bytes));
        black_box(&mut values);
    });
    group.bench("to_bytes", || {
        out.iter_mut().zip(black_box(&headers)).for_each(|(bytes, header)| *bytes = to_bytes(header));
        black_box(&mut out);
    });
    group.bench("memcpy", || {
        out.iter_mut().zip(black_box(&wire)).for_each(|(to, from)| *to = *from);
        black_box(&mut out);
    });
    assert_eq!(out, wire);
}

fn mac(n: u32) -> MacAddr {
    let [a, b, c, d] = n.to_be_bytes();
    MacAddr([2, 0, a, b, c, d])
}

fn link(c: &mut Criterion) {
    let ethernet = |n| ethernet::Header { destination: mac(n), source: mac(!n), ethertype: EtherType::IPV4 };
    codec(c, "Ethernet", ethernet, |b| ethernet::Header::parse(b).unwrap().0, |h| h.to_bytes());
    let tag = |n| vlan::Header::parse(&[n as u8 & 0xef, n as u8, 8, 0]).unwrap().0;
    codec(c, "VLAN", tag, |b| vlan::Header::parse(b).unwrap().0, |h| h.to_bytes());
    let arp = |n: u32| arp::Header {
        operation: arp::Operation::REQUEST,
        sender_mac: mac(n),
        sender_ip: n.to_be_bytes().into(),
        target_mac: MacAddr::ZERO,
        target_ip: (!n).to_be_bytes().into(),
    };
    codec(c, "ARP", arp, |b| arp::Header::parse(b).unwrap().0, |h| h.to_bytes());
}

fn ipv4_header(n: u32) -> ipv4::Header {
    let [a, b, ..] = n.to_le_bytes();
    let bytes = [0x45, b, 1, a, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 1, a, b, 10, 2, b, a];
    ipv4::Header::from_bytes(&bytes).unwrap().with_checksum()
}

fn network(c: &mut Criterion) {
    codec(
        c,
        "IPv4",
        ipv4_header,
        |b| ipv4::Header::from_bytes(b.first_chunk().unwrap()).unwrap(),
        |h| h.fixed_bytes(),
    );
    let v6 = |n: u32| {
        let mut bytes = [0; ipv6::Header::LEN];
        bytes[..8].copy_from_slice(&[0x60, 0, 0, 0, 1, n as u8, 17, 64]);
        bytes[8..].fill(n as u8);
        ipv6::Header::parse(&bytes).unwrap().0
    };
    codec(c, "IPv6", v6, |b| ipv6::Header::parse(b).unwrap().0, |h| h.to_bytes());
    let udp = |n: u32| udp::Header { source_port: n as u16, destination_port: 4789, length: 8, checksum: 0 };
    codec(c, "UDP", udp, |b| udp::Header::parse(b).unwrap().0, |h| h.to_bytes());
}

fn tunnels(c: &mut Criterion) {
    let vni = |n: u32| Vni::truncate(n * 0x0101);
    codec(
        c,
        "VXLAN",
        |n| vxlan::Header::new(vni(n)),
        |b| vxlan::Header::parse(b).unwrap().0,
        |h| h.to_bytes(),
    );
    let geneve = |n: u32| {
        let [_, a, b, c] = vni(n).value().to_be_bytes();
        geneve::Header::parse(&[0, 0, 0x65, 0x58, a, b, c, 0]).unwrap().0
    };
    codec(c, "Geneve", geneve, |b| geneve::Header::parse(b).unwrap().0, |h| h.to_bytes());
    let keyed = |n: u32| {
        let [a, b, c, d] = n.to_be_bytes();
        gre::Header::parse(&[0x20, 0, 0x65, 0x58, a, b, c, d]).unwrap().0
    };
    codec(
        c,
        "GRE with a key",
        keyed,
        |b| gre::Header::parse(b).unwrap().0,
        |h| {
            let mut bytes = [0; 8];
            assert_eq!(h.emit(&mut bytes), Ok(8));
            bytes
        },
    );
    let nvgre = |n: u32| {
        let [_, a, b, c] = vni(n).value().to_be_bytes();
        nvgre::Header::parse(&[0x20, 0, 0x65, 0x58, a, b, c, 7]).unwrap().0
    };
    codec(c, "NVGRE", nvgre, |b| nvgre::Header::parse(b).unwrap().0, |h| h.to_bytes());
}

/// Fields changed in place, checksums mended.
fn rewrites(c: &mut Criterion) {
    let packet = |n: u32| -> Vec<u8> {
        let udp = udp::Header { source_port: 7, destination_port: n as u16, length: 8, checksum: 0 };
        let header =
            ipv4::Header { total_len: 28, protocol: IpProtocol::UDP, ..ipv4_header(n) }.with_checksum();
        [&header.fixed_bytes()[..], &udp.to_bytes()].concat()
    };
    let mut packets: Vec<_> = (0..HEADERS as u32).map(packet).collect();
    let mut group = Group::new(c, "wire: rewrite IPv4 in place", HEADERS, HEADERS * 28);
    let (mut ttl, mut port) = (0_u8, 0_u16);
    group.bench("set_ttl", || {
        ttl = ttl % 100 + 1;
        packets.iter_mut().for_each(|packet| rewrite::set_ttl(packet, ttl).unwrap());
    });
    group.bench("set_dscp", || {
        packets.iter_mut().for_each(|packet| rewrite::set_dscp(packet, Dscp::truncate(ttl)).unwrap());
    });
    group.bench("set_ecn", || {
        packets.iter_mut().for_each(|packet| rewrite::set_ecn(packet, Ecn::Ce).unwrap());
    });
    group.bench("set_source", || {
        port = port.wrapping_add(1);
        let address = [10, 9, (port >> 8) as u8, port as u8].into();
        packets.iter_mut().for_each(|packet| rewrite::set_source(packet, address).unwrap());
    });
    group.bench("set_destination_port", || {
        port = port.wrapping_add(1);
        packets.iter_mut().for_each(|packet| rewrite::set_destination_port(packet, port).unwrap());
    });
    for packet in &packets {
        assert!(ipv4::verify(&packet[..20]) == encap::wire::checksum::State::Good, "checksums are mended");
    }
}

criterion_group!(name = benches; config = harness::criterion(); targets = link, network, tunnels, rewrites);
criterion_main!(benches);
