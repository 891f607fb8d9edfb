//! Encapsulation and decapsulation of VXLAN, beside a plain copy of as many bytes.
//!
//! Everything that varies in real life comes from memory: 64 frames of an IMIX in buffers of 2 KiB, 1,024
//! remotes, many flows. One iteration handles the whole burst, so a time divided by 64 is that of a packet.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench, not the packet path"
)]

use std::{hint::black_box, net::Ipv4Addr};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use encap::{
    Packet,
    tunnel::{EncapMeta, Framing, Link, Remote, vxlan},
    wire::{MacAddr, Vni},
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

criterion_group!(benches, encap, decap);
criterion_main!(benches);
