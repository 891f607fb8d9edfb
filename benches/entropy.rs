//! The flow hash, as it shows: what encapsulation costs with it and with a hash that is given.
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

use std::{collections::BTreeSet, hint::black_box};

use cases::traffic::{BURST, Frames, LOCAL, OVERHEAD, endpoint, plan_of, plans, remotes};
use criterion::{Criterion, criterion_group, criterion_main};
use encap::tunnel::{EncapMeta, Remote, vxlan};
use harness::Group;

/// The source port of each frame's outer header.
fn ports(tunnel: &vxlan::Endpoint, remote: &Remote, frames: &Frames) -> Vec<u16> {
    let port = |at| {
        let header = tunnel.header(frames.frame(at), remote, &EncapMeta::new()).unwrap();
        u16::from_be_bytes([header[34], header[35]])
    };
    (0..frames.lens.len()).map(port).collect()
}

/// Whether a frame is of a kind.
type IsKind = fn(&[u8]) -> bool;

fn kinds(c: &mut Criterion) {
    let tunnel = endpoint(LOCAL);
    let remotes = remotes(&tunnel);
    let plan = plans(BURST).swap_remove(0);
    let of_kind = |kind: IsKind| {
        let mut frames = Frames::imix(64 * BURST);
        let chosen: Vec<_> =
            (0..frames.lens.len()).filter(|&at| kind(frames.frame(at))).take(BURST).collect();
        assert_eq!(chosen.len(), BURST, "enough frames of this kind");
        frames.buffers = chosen.iter().map(|&at| frames.buffers[at]).collect();
        frames.lens = chosen.iter().map(|&at| frames.lens[at]).collect();
        frames
    };
    let kinds: [(&str, IsKind); 4] = [
        ("IPv4, TCP or UDP", |frame| frame[12..14] == [8, 0] && frame[23] != 1),
        ("IPv4, ICMP", |frame| frame[12..14] == [8, 0] && frame[23] == 1),
        ("IPv6", |frame| frame[12..14] == [0x86, 0xdd]),
        ("ARP", |frame| frame[12..14] == [8, 6]),
    ];
    for (name, kind) in kinds {
        let frames = of_kind(kind);
        let first = ports(&tunnel, &remotes[0], &frames);
        assert_eq!(first, ports(&tunnel, &remotes[0], &frames), "the same port for the same flow");
        assert!(first.iter().collect::<BTreeSet<_>>().len() > BURST / 2, "other flows, other ports");
        let bytes = BURST * OVERHEAD;
        let mut group = Group::new(c, &format!("entropy: {name}"), BURST, bytes);
        for (name, given) in [("hash of the flow", false), ("hash given", true)] {
            let plan = black_box(plan_of(&plan, &remotes, given));
            let mut packets = frames.packets();
            let mut results = [const { Ok(()) }; BURST];
            group.bench(name, || {
                assert_eq!(tunnel.encap_batch(&mut packets, &plan, &mut results), BURST);
                packets.iter_mut().for_each(|packet| packet.strip(OVERHEAD).unwrap());
            });
        }
    }
}

criterion_group!(name = benches; config = harness::criterion(); targets = kinds);
criterion_main!(benches);
