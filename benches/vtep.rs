//! A whole VTEP: frames in, packets out, and back; 64K hosts behind 1,024 remotes. And routing, to as many nodes.
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

use std::{hint::black_box, net::Ipv4Addr};

use cases::{
    Random,
    fdb::NOW,
    traffic::{Frames, HEADROOM, LINK, LOCAL, OVERHEAD, address},
    vtep::{Overlay, PACKETS},
};
use criterion::{Criterion, criterion_group, criterion_main};
use encap::{
    table::{Capacity, NextHop, Prefix},
    tunnel::{DecapMeta, Framing},
    vtep::{Config, Output, OverlayMeta, Vtep, Worker},
    wire::{MacAddr, Vni, ipv4},
};
use harness::Group;

fn vtep(c: &mut Criterion) {
    let overlay = Overlay::new(1 << 16, 1024);
    let frames = Frames::imix(PACKETS);
    let bytes = frames.lens.iter().sum();
    let (mut worker, mut outputs) = (Worker::new(1), vec![Output::Pass; PACKETS]);

    let mut packets = frames.packets();
    let mut metas = vec![OverlayMeta::default(); PACKETS];
    overlay.aim(&mut Random(2), &mut packets, &mut metas);
    let mut group = Group::new(c, "vtep: 512 frames", PACKETS, bytes);
    group.bench("V1: transmit", || {
        overlay.vtep.handle_overlay_batch(&mut worker, NOW, &metas, &mut packets, &mut outputs);
        packets.iter_mut().for_each(|packet| packet.strip(OVERHEAD).unwrap());
    });
    assert!(outputs.iter().all(|output| matches!(output, Output::Send { .. })));
    let keys: Vec<_> = packets
        .iter()
        .zip(&metas)
        .map(|(packet, meta)| (meta.vni, MacAddr(*packet.as_slice().first_chunk().unwrap())))
        .collect();
    group.bench("fdb lookups alone", || {
        let known = |&(vni, mac)| overlay.vtep.fdb().lookup(NOW, vni, mac).destination().is_some();
        assert_eq!(black_box(&keys).iter().filter(|key| known(key)).count(), PACKETS);
    });

    let metas = vec![DecapMeta::new(); PACKETS];
    let mut packets = overlay.arrivals();
    group.bench("V2: receive, learning", || {
        overlay.vtep.handle_underlay_batch(&mut worker, NOW, &metas, &mut packets, &mut outputs);
        packets.iter_mut().for_each(|packet| {
            packet.prepend::<OVERHEAD>().unwrap();
        });
    });
    assert!(outputs.iter().all(|output| matches!(output, Output::Deliver { source: Some(_), .. })));
    let mut buffers = frames.buffers;
    group.bench("memcpy of 50 B", || {
        for buffer in &mut buffers {
            buffer.0.copy_within(HEADROOM..HEADROOM + OVERHEAD, HEADROOM - OVERHEAD);
        }
        black_box(&mut buffers);
    });
}

/// IP packets to subnets behind 1,024 nodes, as flannel has it: route, neighbour, entry, inner and outer headers.
fn routing(c: &mut Criterion) {
    const NODES: u32 = 1_024;
    let vni = Vni::truncate(1);
    let mut config = Config::new().local(LOCAL.into());
    (config.l3, config.learning, config.framing) = (true, false, Framing::Ethernet(LINK));
    config.address = MacAddr([2, 0, 0, 0, 0, 1]);
    let capacity = Capacity { remotes: NODES, neighbors: NODES, routes: NODES, ..Capacity::fdb(NODES) };
    let vtep = Vtep::with_capacity(config, capacity, [0x0123_4567_89ab_cdef, 0xfedc]).unwrap();
    // Node n has the hosts of 10.n/24, and its gateway is the first of these addresses.
    let subnet = |node: u32| Ipv4Addr::from_bits(0x0a00_0000 | node << 8);
    for node in 0..NODES {
        let (gateway, mac) = (subnet(node).into(), MacAddr([2, 1, 0, 0, (node >> 8) as u8, node as u8]));
        vtep.neighbors().add(vni, gateway, mac).unwrap();
        vtep.fdb().add(vni, mac, vtep.remote(address(node as usize).into()).unwrap()).unwrap();
        let prefix = Prefix::new(gateway, 24).unwrap();
        vtep.routes().add(prefix, NextHop::Gateway { vni, address: gateway }).unwrap();
    }

    let mut random = Random(3);
    let frames = Frames::of_len(PACKETS, 14 + 64);
    let mut packets = frames.packets();
    for packet in &mut packets {
        packet.strip(14).unwrap();
        let host = random.below(NODES as usize * 256) as u32;
        let destination = Ipv4Addr::from_bits(0x0a00_0000 | host);
        let header = ipv4::Header { destination, total_len: 64, ..template() }.with_checksum();
        packet.as_mut_slice()[..20].copy_from_slice(&header.fixed_bytes());
    }
    let (mut worker, mut outputs) = (Worker::new(1), vec![Output::Pass; PACKETS]);
    let metas = vec![OverlayMeta::default(); PACKETS];
    let mut group = Group::new(c, "vtep: 512 IP packets", PACKETS, PACKETS * 64);
    group.bench("route and transmit", || {
        vtep.handle_ip_batch(&mut worker, NOW, &metas, &mut packets, &mut outputs);
        packets.iter_mut().for_each(|packet| packet.strip(OVERHEAD + 14).unwrap());
    });
    assert!(outputs.iter().all(|output| matches!(output, Output::Send { .. })), "{:?}", outputs[0]);
}

/// A datagram of UDP from 10.255.0.1.
fn template() -> ipv4::Header {
    let bytes = [0x45, 0, 0, 64, 0, 1, 0x40, 0, 63, 17, 0, 0, 10, 255, 0, 1, 0, 0, 0, 0];
    ipv4::Header::from_bytes(&bytes).unwrap()
}

criterion_group!(name = benches; config = harness::criterion(); targets = vtep, routing);
criterion_main!(benches);
