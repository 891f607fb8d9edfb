//! Encapsulation and decapsulation, beside a plain copy of as many bytes or beside what they are measured against.
//!
//! Everything that varies in real life comes from memory: 64 frames of an IMIX in buffers of 2 KiB, 1,024
//! remotes, many flows. One iteration handles the whole burst, so a time divided by 64 is that of a packet.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench, not the packet path"
)]

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use encap::{
    Packet,
    tunnel::{
        EncapMeta, Endpoint, Framing, InnerChecksum, Link, Payload, Protocol, Remote, UdpChecksum, geneve,
        gre, nvgre, vxlan,
    },
    wire::{IpProtocol, MacAddr, Vni, checksum::Sum, udp},
};

const BURST: usize = 64;
const HEADROOM: usize = 128;
const OVERHEAD: usize = 50;
const LOCAL: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

type Buffers = Vec<[u8; 2048]>;

/// A pseudo-random generator that is good enough for test traffic.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }
}

/// Frames of 64, 594 and 1,500 bytes, 7 to 4 to 1, nine of ten IPv4 over TCP or UDP, the rest IPv6 or ARP.
fn frames() -> (Buffers, Vec<usize>) {
    let mut random = Lcg(1);
    (0..BURST)
        .map(|_| {
            let mut buffer = [0; 2048];
            let len = [64, 64, 64, 64, 64, 64, 64, 594, 594, 594, 594, 1500][random.next() as usize % 12];
            let frame = &mut buffer[HEADROOM..HEADROOM + len];
            frame.fill_with(|| random.next() as u8);
            (frame[0], frame[6]) = (2, 2);
            match random.next() % 20 {
                0 => {
                    frame[12..14].copy_from_slice(&[0x86, 0xdd]);
                    (frame[14], frame[20]) = (0x60, 6);
                    frame[15] &= 0x0f;
                }
                1 => frame[12..14].copy_from_slice(&[8, 6]),
                kind => {
                    frame[12..14].copy_from_slice(&[8, 0]);
                    (frame[14], frame[15], frame[23]) = (0x45, 0, if kind % 3 == 0 { 17 } else { 6 });
                    (frame[20], frame[21]) = (0x40, 0);
                }
            }
            (buffer, len)
        })
        .unzip()
}

fn endpoint(local: Ipv4Addr) -> vxlan::Endpoint {
    let link =
        Link { source: MacAddr([2, 0, 0, 0, 0, 1]), next_hop: MacAddr([2, 0, 0, 0, 0, 2]), vlan: None };
    vxlan::Endpoint::new(local.into()).framing(Framing::Ethernet(link)).seed(7).build().unwrap()
}

fn remotes(tunnel: &vxlan::Endpoint) -> Vec<Remote> {
    (0..1024u32)
        .map(|n| {
            let address = Ipv4Addr::from_bits(0x0a00_0001 + n);
            tunnel.remote(address.into(), Vni::truncate(n)).unwrap()
        })
        .collect()
}

fn encap(c: &mut Criterion) {
    let (mut buffers, lens) = frames();
    let tunnel = black_box(endpoint(LOCAL));
    let remotes = black_box(remotes(&tunnel));
    let mut random = Lcg(2);
    let plan: Vec<_> = (0..BURST).map(|_| (random.next() as usize % remotes.len(), random.next())).collect();

    let mut group = c.benchmark_group("encap 64 frames into VXLAN/IPv4/Ethernet");
    group.throughput(Throughput::Elements(BURST as u64));
    group.bench_function("memcpy of 50 B", |b| {
        let headers: Vec<[u8; 128]> = (0..1024u32).map(|n| [n as u8; 128]).collect();
        b.iter(|| {
            for (buffer, (remote, _)) in buffers.iter_mut().zip(&plan) {
                let header: &[u8; OVERHEAD] = headers[*remote].first_chunk().unwrap();
                *buffer[HEADROOM - OVERHEAD..].first_chunk_mut().unwrap() = *header;
            }
            black_box(&mut buffers);
        });
    });
    for (name, given) in [("E1: hash given", true), ("E2: hash of the inner flow", false)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                for ((buffer, len), (remote, hash)) in buffers.iter_mut().zip(&lens).zip(&plan) {
                    let mut packet = Packet::new(buffer, HEADROOM, *len).unwrap();
                    let meta = if given { EncapMeta::new().hash(*hash) } else { EncapMeta::new() };
                    tunnel.encap_with(&mut packet, &remotes[*remote], &meta).unwrap();
                    debug_assert_eq!(packet.len(), len + OVERHEAD);
                }
                black_box(&mut buffers);
            });
        });
    }
    group.finish();
    // What was timed is what a receiver takes.
    let (mut buffer, len) = (buffers[0], lens[0]);
    let at = 128 - OVERHEAD;
    let receiver = endpoint(Ipv4Addr::from_bits(0x0a00_0001 + plan[0].0 as u32));
    let mut packet = Packet::new(&mut buffer, at, len + OVERHEAD).unwrap();
    let inner = receiver.decap(&mut packet).unwrap();
    assert_eq!(inner.encapsulation.vni(), Vni::new(plan[0].0 as u32));
}

/// One row of E4: a burst into a tunnel, hash given, beside a copy of as many bytes.
fn encap_row<P: Protocol>(
    c: &mut Criterion,
    name: &str,
    tunnel: Endpoint<P>,
    remote: impl Fn(&Endpoint<P>, u32) -> Remote,
) {
    let (mut buffers, lens) = frames();
    let tunnel = black_box(tunnel);
    let remotes: Vec<_> = black_box((0..1024).map(|n| remote(&tunnel, n)).collect());
    let meta = black_box(EncapMeta::new().hash(0x1234_5678));
    let mut group = c.benchmark_group(format!("E4: encap 64 frames into {name}"));
    group.throughput(Throughput::Elements(BURST as u64));
    group.bench_function("ours", |b| {
        b.iter(|| {
            for ((buffer, len), remote) in buffers.iter_mut().zip(&lens).zip(&remotes) {
                let mut packet = Packet::new(buffer, HEADROOM, *len).unwrap();
                tunnel.encap_with(&mut packet, remote, &meta).unwrap();
                debug_assert_eq!(packet.len(), len + remote.overhead());
            }
            black_box(&mut buffers);
        });
    });
    let overhead = remotes[0].overhead();
    let headers = black_box(vec![[7; 128]; BURST]);
    group.bench_function("memcpy of the headers", |b| {
        b.iter(|| {
            for (buffer, header) in buffers.iter_mut().zip(&headers) {
                buffer[HEADROOM - overhead..HEADROOM].copy_from_slice(&header[..overhead]);
            }
            black_box(&mut buffers);
        });
    });
    group.finish();
}

fn encap_others(c: &mut Criterion) {
    let (v4, v6) = (IpAddr::V4(LOCAL), IpAddr::V6(LOCAL.to_ipv6_mapped()));
    let to4 = |n: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0001 + n));
    let to6 = |n: u32| IpAddr::V6(Ipv4Addr::from_bits(0x0a00_0001 + n).to_ipv6_mapped());
    let vni = |n: u32| Vni::truncate(0x1000 + n);
    for len in [0, 8, 32] {
        let tunnel = geneve::Endpoint::new(v4).build().unwrap();
        let options = one_option(len);
        encap_row(c, &format!("Geneve with {len} B of options"), tunnel, |tunnel, n| {
            tunnel.remote_with_options(to4(n), vni(n), &options).unwrap()
        });
    }
    let gre = gre::Endpoint::new(v4).payload(Payload::Ethernet).build().unwrap();
    encap_row(c, "GRE", gre, |tunnel, n| tunnel.remote(to4(n)).unwrap());
    let nvgre = nvgre::Endpoint::new(v4).build().unwrap();
    encap_row(c, "NVGRE", nvgre, |tunnel, n| tunnel.remote(to4(n), vni(n)).unwrap());
    let v6 = vxlan::Endpoint::new(v6).udp_checksum(UdpChecksum::Zero).build().unwrap();
    encap_row(c, "VXLAN over IPv6", v6, |tunnel, n| tunnel.remote(to6(n), vni(n)).unwrap());
}

/// One Geneve option of `len` bytes in all.
fn one_option(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    if let Some(words) = bytes.get_mut(3) {
        *words = (len / 4 - 1) as u8;
    }
    bytes
}

/// D3: Geneve with eight options, all walked, beside one without.
fn decap_geneve(c: &mut Criterion) {
    let receiver = black_box(geneve::Endpoint::new(LOCAL.into()).build().unwrap());
    let sender = geneve::Endpoint::new(Ipv4Addr::new(192, 0, 2, 2).into()).build().unwrap();
    let mut group = c.benchmark_group("D3: decap 64 frames from Geneve");
    group.throughput(Throughput::Elements(BURST as u64));
    for (name, options) in [("without options", vec![]), ("with 8 options", [0, 1, 2, 0].repeat(8))] {
        let remote = sender.remote_with_options(LOCAL.into(), Vni::truncate(1), &options).unwrap();
        let (mut buffers, lens) = frames();
        for (buffer, len) in buffers.iter_mut().zip(&lens) {
            sender.encap(&mut Packet::new(buffer, HEADROOM, *len).unwrap(), &remote).unwrap();
        }
        let overhead = remote.overhead();
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut vnis = 0;
                for (buffer, len) in buffers.iter_mut().zip(&lens) {
                    let mut packet = Packet::new(buffer, HEADROOM - overhead, len + overhead).unwrap();
                    vnis += receiver.decap(&mut packet).unwrap().encapsulation.vni().map_or(0, Vni::value);
                }
                assert_eq!(vnis, BURST as u32);
            });
        });
    }
    group.finish();
}

/// C5: the outer UDP checksum by offload arithmetic, beside the sum over everything.
fn offload(c: &mut Criterion) {
    for len in [1500, 9000] {
        let mut buffer = vec![0x5a; HEADROOM + len];
        let frame = &mut buffer[HEADROOM..];
        frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
        let (source, destination) = (Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(10, 1, 0, 2));
        let total_len = (len - 14) as u16;
        let [l0, l1] = total_len.to_be_bytes();
        frame[14..26].copy_from_slice(&[0x45, 0, l0, l1, 0, 0, 0x40, 0, 64, 17, 0, 0]);
        frame[26..34].copy_from_slice(&[source.octets(), destination.octets()].concat());
        let length = total_len - 20;
        let pseudo = Sum::pseudo_ipv4(source, destination, IpProtocol::UDP, length);
        let udp = udp::Header { source_port: 1000, destination_port: 2000, length, checksum: 0 };
        let udp = udp.with_checksum(pseudo, &frame[42..]);
        frame[34..42].copy_from_slice(&udp.to_bytes());

        let mut group = c.benchmark_group(format!("C5: outer UDP checksum of {len} B"));
        let meta = black_box(EncapMeta::new().hash(7).inner_checksum(InnerChecksum::Good));
        let mut made = Vec::new();
        for (name, mode) in [("full", UdpChecksum::Full), ("offload", UdpChecksum::Offload)] {
            let tunnel = black_box(vxlan::Endpoint::new(LOCAL.into()).udp_checksum(mode).build().unwrap());
            let remote = black_box(tunnel.remote(destination.into(), Vni::truncate(1)).unwrap());
            group.bench_function(name, |b| {
                b.iter(|| {
                    let mut packet = Packet::new(&mut buffer, HEADROOM, len).unwrap();
                    tunnel.encap_with(&mut packet, &remote, &meta).unwrap();
                    black_box(packet.len())
                });
            });
            made.push(buffer[HEADROOM - 36..HEADROOM].to_vec());
        }
        assert_eq!(made[0], made[1], "the same checksum either way");
        group.finish();
    }
}

fn decap(c: &mut Criterion) {
    let (mut buffers, lens) = frames();
    let sender = endpoint(Ipv4Addr::new(192, 0, 2, 2));
    for (n, (buffer, len)) in buffers.iter_mut().zip(&lens).enumerate() {
        let remote = sender.remote(LOCAL.into(), Vni::truncate(n as u32)).unwrap();
        sender.encap(&mut Packet::new(buffer, HEADROOM, *len).unwrap(), &remote).unwrap();
    }
    let tunnel = black_box(endpoint(LOCAL));
    let mut group = c.benchmark_group("decap 64 frames from VXLAN/IPv4/Ethernet");
    group.throughput(Throughput::Elements(BURST as u64));
    group.bench_function("memcpy of 50 B", |b| {
        let mut headers = vec![[0; OVERHEAD]; BURST];
        b.iter(|| {
            for (buffer, header) in buffers.iter_mut().zip(&mut headers) {
                *header = *buffer[HEADROOM - OVERHEAD..].first_chunk().unwrap();
            }
            black_box(&mut headers);
        });
    });
    group.bench_function("D1: all checks", |b| {
        b.iter(|| {
            let mut vnis = 0;
            for (buffer, len) in buffers.iter_mut().zip(&lens) {
                let mut packet = Packet::new(buffer, HEADROOM - OVERHEAD, len + OVERHEAD).unwrap();
                let inner = tunnel.decap(&mut packet).unwrap();
                vnis += inner.encapsulation.vni().map_or(0, Vni::value);
            }
            assert_eq!(vnis, (0..BURST as u32).sum::<u32>());
        });
    });
    group.finish();
}

criterion_group!(benches, encap, encap_others, decap, decap_geneve, offload);
criterion_main!(benches);
