//! Neighbours: lookups, and ARP requests answered in place; beside a touch of a line and a copy of the answer.
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

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
};

use cases::{
    Random,
    fdb::NOW,
    vtep::{Overlay, PACKETS, REQUEST},
};
use criterion::{Criterion, criterion_group, criterion_main};
use encap::vtep::{Output, OverlayMeta, Worker};
use harness::Group;

const HOSTS: usize = 1 << 16;

fn arp(c: &mut Criterion) {
    let overlay = Overlay::new(HOSTS, 1024);
    let mut packets = Overlay::rooms();
    let mut metas = vec![OverlayMeta::default(); PACKETS];
    overlay.ask(&mut Random(1), &mut packets, &mut metas);
    let requests: Vec<[u8; REQUEST]> =
        packets.iter().map(|packet| *packet.as_slice().first_chunk().unwrap()).collect();
    let targets: Vec<_> = requests
        .iter()
        .zip(&metas)
        .map(|(request, meta)| (meta.vni, Ipv4Addr::from(*request.last_chunk::<4>().unwrap())))
        .collect();
    let (mut worker, mut outputs) = (Worker::new(1), vec![Output::Pass; PACKETS]);

    let mut group = Group::new(c, "neighbor: 512 ARP requests, 64K hosts", PACKETS, PACKETS * REQUEST);
    group.bench("N1: answered in place, request written first", || {
        for (packet, request) in packets.iter_mut().zip(&requests) {
            packet.as_mut_slice().copy_from_slice(request);
        }
        overlay.vtep.handle_overlay_batch(&mut worker, NOW, &metas, &mut packets, &mut outputs);
    });
    for ((packet, meta), output) in packets.iter().zip(&metas).zip(&outputs) {
        assert!(*output == Output::Reply && overlay.is_answer(meta.vni, packet.as_slice()));
    }
    let neighbors = overlay.vtep.neighbors();
    group.bench("neighbour lookup", || {
        let known = |&(vni, address)| neighbors.lookup(NOW, vni, IpAddr::V4(address)).unwrap().is_some();
        assert_eq!(black_box(&targets).iter().filter(|target| known(target)).count(), PACKETS);
    });
    let macs: Vec<_> = targets
        .iter()
        .map(|&(vni, ip)| (vni, neighbors.lookup(NOW, vni, IpAddr::V4(ip)).unwrap().unwrap().mac))
        .collect();
    group.bench("fdb lookup", || {
        let known = |&(vni, mac)| overlay.vtep.fdb().lookup(NOW, vni, mac).destination().is_some();
        assert_eq!(black_box(&macs).iter().filter(|key| known(key)).count(), PACKETS);
    });
    group.bench("memcpy of 42 B", || {
        for (packet, request) in packets.iter_mut().zip(&requests) {
            *packet.as_mut_slice().first_chunk_mut().unwrap() = *request;
        }
    });
    let lines = vec![[1_u64; 8]; HOSTS];
    group.bench("touch of a line", || {
        let line = |&(_, ip): &(_, Ipv4Addr)| lines[ip.to_bits() as usize % HOSTS][0];
        assert_eq!(black_box(&targets).iter().map(line).sum::<u64>(), PACKETS as u64);
    });
}

criterion_group!(name = benches; config = harness::criterion(); targets = arp);
criterion_main!(benches);
