//! A whole VTEP: frames in, packets out, and back; 64K hosts behind 1,024 remotes.
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

use cases::{
    Random,
    fdb::NOW,
    traffic::{Frames, HEADROOM, OVERHEAD},
    vtep::{Overlay, PACKETS},
};
use criterion::{Criterion, criterion_group, criterion_main};
use encap::{
    tunnel::DecapMeta,
    vtep::{Output, OverlayMeta, Worker},
    wire::MacAddr,
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

criterion_group!(name = benches; config = harness::criterion(); targets = vtep);
criterion_main!(benches);
