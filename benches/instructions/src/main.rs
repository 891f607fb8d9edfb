//! The hot functions, one per run: `encap-instructions NAME` calls one of the `counted` functions again and again, and
//! prints how many operations that were. Callgrind collects inside of these functions only.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a bench, not the packet path; its cases are for other packages too"
)]

#[path = "../../cases/mod.rs"]
mod cases;
mod counted;

use std::hint::black_box;

use cases::{
    Random,
    fdb::{BATCH, Contestant, Ours, Work},
    traffic::{BURST, Frames, HEADROOM, LOCAL, OVERHEAD, Step, endpoint, plan_of, plans, remotes},
    vtep::{Over, Overlay, PACKETS},
};
use encap::{
    Packet,
    table::{Line, Lookup},
    tunnel::{DecapMeta, DropReason},
    vtep::{Output, OverlayMeta, Vtep, Worker},
};

/// Times that each function is called.
const CALLS: usize = 16;

/// Does the work of one function, and answers how many operations that were.
type Count = fn() -> usize;

/// A function that gives a VTEP packets, of which it is told as much.
type Counted<Meta> = fn(&Vtep<Box<[Line]>>, &mut Worker<'_>, &[Meta], &mut [Packet<'_>], &mut [Output]);

/// What is counted, by name.
const COUNTED: [(&str, Count); 15] = [
    ("encap_hash_given", || encap(true)),
    ("encap", || encap(false)),
    ("decap", decap),
    ("checksum_1500", checksum),
    ("fdb_hit", fdb_hit),
    ("fdb_hit_batch", fdb_hit_batch),
    ("vtep_transmit", || vtep_transmit(Over::Ipv4, counted::vtep_transmit)),
    ("vtep_transmit_alone", || vtep_transmit(Over::Ipv4, counted::vtep_transmit_alone)),
    ("vtep_transmit_kept", || vtep_transmit(Over::Ipv4, counted::vtep_transmit_kept)),
    ("vtep_transmit_ipv6", || vtep_transmit(Over::Ipv6, counted::vtep_transmit_ipv6)),
    ("vtep_receive", || vtep_receive(Over::Ipv4, counted::vtep_receive)),
    ("vtep_receive_alone", || vtep_receive(Over::Ipv4, counted::vtep_receive_alone)),
    ("vtep_receive_kept", || vtep_receive(Over::Ipv4, counted::vtep_receive_kept)),
    ("vtep_receive_ipv6", || vtep_receive(Over::Ipv6, counted::vtep_receive_ipv6)),
    ("arp_reply", arp_reply),
];

fn main() {
    match std::env::args().nth(1) {
        Some(name) => {
            let (_, run) = COUNTED.iter().find(|(known, _)| *known == name).unwrap();
            println!("{}", run());
        }
        None => COUNTED.iter().for_each(|(name, _)| println!("{name}")),
    }
}

fn encap(given: bool) -> usize {
    let tunnel = endpoint(LOCAL);
    let remotes = remotes(&tunnel);
    let frames = Frames::imix(BURST);
    let mut packets = frames.packets();
    let mut results = [const { Ok(()) }; BURST];
    let plans: Vec<Vec<Step>> = plans(BURST);
    for call in 0..CALLS {
        let plan = black_box(plan_of(&plans[call % plans.len()], &remotes, given));
        if given {
            counted::encap_hash_given(&tunnel, &mut packets, &plan, &mut results);
        } else {
            counted::encap(&tunnel, &mut packets, &plan, &mut results);
        }
        assert!(results.iter().all(Result::is_ok));
        packets.iter_mut().for_each(|packet| packet.strip(OVERHEAD).unwrap());
    }
    CALLS * BURST
}

fn decap() -> usize {
    let tunnel = endpoint(LOCAL);
    let mut packets = Frames::imix(BURST).packets();
    for (at, packet) in packets.iter_mut().enumerate() {
        let sender = endpoint(cases::traffic::address(at));
        let remote = sender.remote(LOCAL.into(), encap::wire::Vni::truncate(at as u32)).unwrap();
        sender.encap(packet, &remote).unwrap();
    }
    let metas = black_box([DecapMeta::new(); BURST]);
    let mut results = [Err(DropReason::TooDeep); BURST];
    for _ in 0..CALLS {
        counted::decap(&tunnel, &mut packets, &metas, &mut results);
        assert!(results.iter().all(Result::is_ok));
        packets.iter_mut().for_each(|packet| {
            packet.prepend::<OVERHEAD>().unwrap();
        });
    }
    assert!(packets.iter().all(|packet| packet.headroom() == HEADROOM - OVERHEAD));
    CALLS * BURST
}

fn checksum() -> usize {
    let mut random = Random(1500);
    let bytes: Vec<u8> = (0..1500).map(|_| random.next() as u8).collect();
    (0..CALLS).for_each(|_| {
        black_box(counted::checksum_1500(black_box(&bytes)));
    });
    CALLS
}

/// A table of 4,096 entries that is full, and keys of it.
fn table() -> (Work, Ours) {
    let work = Work::new(1 << 12, CALLS * 256);
    let ours = Ours::new(&work);
    assert!(work.hits.iter().all(|&key| ours.answer(key).is_some()));
    (work, ours)
}

fn fdb_hit() -> usize {
    let (work, ours) = table();
    let mut answers = [Lookup::Unknown; 256];
    for keys in work.hits.chunks(256) {
        counted::fdb_hit(&ours.fdb(), black_box(keys), &mut answers);
        assert!(answers.iter().all(|answer| answer.destination().is_some()));
    }
    work.hits.len()
}

fn fdb_hit_batch() -> usize {
    let (work, ours) = table();
    let mut answers = [Lookup::Unknown; BATCH];
    for keys in work.hits.chunks(BATCH) {
        counted::fdb_hit_batch(&ours.fdb(), black_box(keys), &mut answers);
        assert!(answers.iter().all(|answer| answer.destination().is_some()));
    }
    work.hits.len()
}

/// A VTEP, a worker, and what it is told of packets and answers.
fn vtep(over: Over) -> (Overlay, Worker<'static>, Vec<OverlayMeta>, Vec<Output>) {
    (
        Overlay::over(over, 1 << 12, 64),
        Worker::new(1),
        vec![OverlayMeta::default(); PACKETS],
        vec![Output::Pass; PACKETS],
    )
}

fn vtep_transmit(over: Over, count: Counted<OverlayMeta>) -> usize {
    let (overlay, mut worker, mut metas, mut outputs) = vtep(over);
    let mut packets: Vec<Packet<'_>> = Frames::imix(PACKETS).packets();
    let mut random = Random(7);
    for _ in 0..CALLS {
        overlay.aim(&mut random, &mut packets, &mut metas);
        count(&overlay.vtep, &mut worker, &metas, &mut packets, &mut outputs);
        assert!(outputs.iter().all(|output| matches!(output, Output::Send { .. })));
        packets.iter_mut().for_each(|packet| packet.strip(over.overhead()).unwrap());
    }
    CALLS * PACKETS
}

fn vtep_receive(over: Over, count: Counted<DecapMeta>) -> usize {
    let (overlay, mut worker, _, mut outputs) = vtep(over);
    let metas = vec![DecapMeta::new(); PACKETS];
    let mut packets = overlay.arrivals();
    for _ in 0..CALLS {
        count(&overlay.vtep, &mut worker, &metas, &mut packets, &mut outputs);
        assert!(outputs.iter().all(|output| matches!(output, Output::Deliver { source: Some(_), .. })));
        packets.iter_mut().for_each(|packet| over.give_back(packet));
    }
    CALLS * PACKETS
}

fn arp_reply() -> usize {
    let (overlay, mut worker, mut metas, mut outputs) = vtep(Over::Ipv4);
    let mut packets = Overlay::rooms();
    let mut random = Random(7);
    for _ in 0..CALLS {
        overlay.ask(&mut random, &mut packets, &mut metas);
        counted::arp_reply(&overlay.vtep, &mut worker, &metas, &mut packets, &mut outputs);
        for (packet, meta) in packets.iter().zip(&metas) {
            assert!(overlay.is_answer(meta.vni, packet.as_slice()));
        }
        assert!(outputs.iter().all(|output| *output == Output::Reply));
    }
    CALLS * PACKETS
}
