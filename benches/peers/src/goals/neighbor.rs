//! N1: ARP requests answered in place.

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
};

use encap::{
    Packet,
    vtep::{Output, OverlayMeta, Worker},
};

use crate::{
    cases::{
        Random,
        fdb::NOW,
        vtep::{Overlay, PACKETS, REQUEST},
    },
    measure::{Contestant, interleave},
    report::{Goal, Report},
};

const HOSTS: usize = 1 << 16;

pub fn run(report: &mut Report) {
    if !report.wants(&["N1"]) {
        return;
    }
    let overlay = Overlay::new(HOSTS, 1024);
    check(&overlay);
    let series = interleave(report.effort, &mut [replies(&overlay), lookups(&overlay)]);
    report.row(
        "N1",
        "ARP request answered in place; 64K hosts",
        &series[0],
        &series[1],
        Goal::Time(1.5, 1.2),
    );
}

/// Packets, and what is told of them.
struct Requests {
    packets: Vec<Packet<'static>>,
    metas: Vec<OverlayMeta>,
    random: Random,
}

impl Requests {
    fn new() -> Self {
        Self { packets: Overlay::rooms(), metas: vec![OverlayMeta::default(); PACKETS], random: Random(8) }
    }

    fn refill(&mut self, overlay: &Overlay) {
        overlay.ask(&mut self.random, &mut self.packets, &mut self.metas);
    }
}

/// Whether every answer is right.
fn check(overlay: &Overlay) {
    let mut requests = Requests::new();
    requests.refill(overlay);
    let mut outputs = vec![Output::Pass; PACKETS];
    let Requests { packets, metas, .. } = &mut requests;
    overlay.vtep.handle_overlay_batch(&mut Worker::new(1), NOW, metas, packets, &mut outputs);
    for ((packet, meta), output) in packets.iter().zip(metas).zip(outputs) {
        assert_eq!(output, Output::Reply);
        assert!(overlay.is_answer(meta.vni, packet.as_slice()), "{:02x?}", packet.as_slice());
    }
}

fn replies(overlay: &Overlay) -> Contestant<'_> {
    let mut worker = Worker::new(1);
    let mut outputs = vec![Output::Pass; PACKETS];
    Contestant::prepared(
        "encap",
        Requests::new(),
        |requests| requests.refill(overlay),
        move |Requests { packets, metas, .. }, _| {
            overlay.vtep.handle_overlay_batch(&mut worker, NOW, metas, packets, &mut outputs);
            black_box(&mut outputs);
            PACKETS
        },
    )
}

/// The roofline: who has the address, where that is, and as many bytes.
fn lookups(overlay: &Overlay) -> Contestant<'_> {
    let reply = black_box([7; REQUEST]);
    Contestant::prepared(
        "two lookups and memcpy",
        Requests::new(),
        |requests| requests.refill(overlay),
        move |Requests { packets, metas, .. }, _| {
            let (neighbors, fdb) = (overlay.vtep.neighbors(), overlay.vtep.fdb());
            for (packet, meta) in packets.iter_mut().zip(metas) {
                let frame: &mut [u8; REQUEST] = packet.as_mut_slice().first_chunk_mut().unwrap();
                let target = Ipv4Addr::from(*frame.last_chunk::<4>().unwrap());
                let neighbor = neighbors.lookup(NOW, meta.vni, IpAddr::V4(target)).unwrap().unwrap();
                let _ = black_box(fdb.lookup(NOW, meta.vni, neighbor.mac));
                *frame = reply;
            }
            PACKETS
        },
    )
}
