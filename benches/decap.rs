//! Decapsulation with all checks, beside a plain copy of the headers.
#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench, not the packet path; its cases are for other packages too"
)]

mod cases;
mod harness;

use std::hint::black_box;

use cases::traffic::{BURST, Frames, HEADROOM, LOCAL, OVERHEAD, address, endpoint};
use criterion::{Criterion, criterion_group, criterion_main};
use encap::{
    Packet,
    tunnel::{DecapMeta, DropReason, Endpoint, Protocol, geneve},
    wire::Vni,
};
use harness::Group;

/// Decapsulates packets by batches and one at a time; each has the VNI of its number.
fn rows<P: Protocol, const N: usize>(
    group: &mut Group<'_>,
    name: &str,
    tunnel: &Endpoint<P>,
    mut packets: Vec<Packet<'static>>,
) {
    let tunnel = black_box(tunnel);
    let metas = black_box([DecapMeta::new(); BURST]);
    let mut results = [Err(DropReason::TooDeep); BURST];
    group.bench(name, || {
        assert_eq!(tunnel.decap_batch(&mut packets, &metas, &mut results), BURST);
        packets.iter_mut().for_each(restore::<N>);
    });
    for (at, inner) in results.iter().enumerate() {
        assert_eq!(inner.unwrap().encapsulation.vni(), Vni::new(at as u32));
    }
    group.bench(&format!("{name}, one at a time"), || {
        let mut vnis = 0;
        for packet in &mut packets {
            vnis += tunnel.decap(packet).unwrap().encapsulation.vni().map_or(0, Vni::value);
            restore::<N>(packet);
        }
        assert_eq!(vnis, (0..BURST as u32).sum::<u32>());
    });
}

fn restore<const N: usize>(packet: &mut Packet<'_>) {
    packet.prepend::<N>().unwrap();
}

fn decap_vxlan(c: &mut Criterion) {
    let frames = Frames::imix(BURST);
    let mut packets = frames.packets();
    for (at, packet) in packets.iter_mut().enumerate() {
        let sender = endpoint(address(at));
        let remote = sender.remote(LOCAL.into(), Vni::truncate(at as u32)).unwrap();
        sender.encap(packet, &remote).unwrap();
    }
    let mut group = Group::new(c, "decap from VXLAN, IPv4, Ethernet", BURST, frames.lens.iter().sum());
    rows::<_, OVERHEAD>(&mut group, "D1: all checks", &endpoint(LOCAL), packets);
    let buffers = frames.buffers.clone();
    let mut headers = vec![[0; OVERHEAD]; BURST];
    group.bench("memcpy of 50 B", || {
        for (buffer, header) in buffers.iter().zip(&mut headers) {
            *header = *buffer.0[HEADROOM - OVERHEAD..].first_chunk().unwrap();
        }
        black_box(&mut headers);
    });
}

/// D3: Geneve with eight options, all walked, beside one without.
fn decap_geneve(c: &mut Criterion) {
    let receiver = geneve::Endpoint::new(LOCAL.into()).build().unwrap();
    let sender = geneve::Endpoint::new(address(1).into()).build().unwrap();
    let frames = Frames::imix(BURST);
    let arrivals = |options: &[u8]| {
        let mut packets = frames.packets();
        for (at, packet) in packets.iter_mut().enumerate() {
            let remote = sender.remote_with_options(LOCAL.into(), Vni::truncate(at as u32), options).unwrap();
            sender.encap(packet, &remote).unwrap();
        }
        packets
    };
    let mut group = Group::new(c, "decap from Geneve", BURST, frames.lens.iter().sum());
    rows::<_, 36>(&mut group, "without options", &receiver, arrivals(&[]));
    rows::<_, 68>(&mut group, "D3: 8 options", &receiver, arrivals(&[0, 1, 2, 0].repeat(8)));
}

criterion_group!(name = benches; config = harness::criterion(); targets = decap_vxlan, decap_geneve);
criterion_main!(benches);
