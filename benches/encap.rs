//! Encapsulation: an IMIX of 64 frames, 1,024 remotes, many flows, all from memory; beside a plain copy of the headers.
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

use std::{hint::black_box, net::IpAddr};

use cases::traffic::{
    BURST, Frames, HEADROOM, LOCAL, OVERHEAD, REMOTES, address, endpoint, in_ipv6, plan_of, plans, remotes,
};
use criterion::{Criterion, criterion_group, criterion_main};
use encap::{
    tunnel::{EncapMeta, Endpoint, Payload, Protocol, Remote, UdpChecksum, geneve, gre, nvgre, vxlan},
    wire::Vni,
};
use harness::Group;

/// The roofline: as many bytes into the same headrooms.
fn copy<const N: usize>(group: &mut Group<'_>, frames: &Frames) {
    let headers = black_box(vec![[7; 128]; REMOTES]);
    let plan = plans(BURST).swap_remove(0);
    let mut buffers = frames.buffers.clone();
    group.bench(&format!("memcpy of {N} B"), || {
        for (buffer, step) in buffers.iter_mut().zip(&plan) {
            let header: &[u8; N] = headers[step.remote].first_chunk().unwrap();
            *buffer.0[HEADROOM - N..].first_chunk_mut().unwrap() = *header;
        }
        black_box(&mut buffers);
    });
}

/// E1, E2 and E5.
fn encap_vxlan(c: &mut Criterion) {
    let frames = Frames::imix(BURST);
    let tunnel = endpoint(LOCAL);
    let remotes = remotes(&tunnel);
    let steps = plans(BURST).swap_remove(0);
    let bytes = frames.lens.iter().sum();
    let mut group = Group::new(c, "encap into VXLAN, IPv4, Ethernet", BURST, bytes);
    copy::<OVERHEAD>(&mut group, &frames);
    for (name, given) in [("E1: hash given", true), ("E2: hash of the inner flow", false)] {
        let plan = black_box(plan_of(&steps, &remotes, given));
        let mut packets = frames.packets();
        let mut results = [const { Ok(()) }; BURST];
        group.bench(name, || {
            assert_eq!(tunnel.encap_batch(&mut packets, &plan, &mut results), BURST);
            packets.iter_mut().for_each(|packet| packet.strip(OVERHEAD).unwrap());
        });
        group.bench(&format!("E5: {name}, one at a time"), || {
            for (packet, (remote, meta)) in packets.iter_mut().zip(&plan) {
                tunnel.encap_with(packet, remote, meta).unwrap();
                packet.strip(OVERHEAD).unwrap();
            }
        });
    }
    // What was timed is what a receiver takes.
    let plan = plan_of(&steps, &remotes, false);
    for (at, mut packet) in frames.packets().into_iter().enumerate() {
        tunnel.encap_with(&mut packet, plan[at].0, &plan[at].1).unwrap();
        let receiver = endpoint(address(steps[at].remote));
        let inner = receiver.decap(&mut packet).unwrap();
        assert_eq!(inner.encapsulation.vni(), Vni::new(cases::traffic::VNI + steps[at].remote as u32));
        assert_eq!(packet.as_slice(), frames.frame(at));
    }
}

/// One row of E4, hash given.
fn row<P: Protocol, const N: usize>(
    c: &mut Criterion,
    name: &str,
    tunnel: &Endpoint<P>,
    remote: impl Fn(usize) -> Remote,
) {
    let frames = Frames::imix(BURST);
    let tunnel = black_box(tunnel);
    let remotes: Vec<_> = black_box((0..BURST).map(remote).collect());
    let meta = black_box(EncapMeta::new().hash(0x1234_5678));
    let mut packets = frames.packets();
    let mut group = Group::new(c, &format!("E4: encap into {name}"), BURST, frames.lens.iter().sum());
    group.bench("ours", || {
        for (packet, remote) in packets.iter_mut().zip(&remotes) {
            tunnel.encap_with(packet, remote, &meta).unwrap();
            packet.strip(N).unwrap();
        }
    });
    assert_eq!(remotes[0].overhead(), N);
    copy::<N>(&mut group, &frames);
}

fn encap_others(c: &mut Criterion) {
    let (v4, v6) = (IpAddr::V4(LOCAL), IpAddr::V6(in_ipv6(LOCAL)));
    let to4 = |n: usize| IpAddr::V4(address(n));
    let to6 = |n: usize| IpAddr::V6(in_ipv6(address(n)));
    let vni = |n: usize| Vni::truncate(0x1000 + n as u32);
    let tunnel = geneve::Endpoint::new(v4).build().unwrap();
    row::<_, 36>(c, "Geneve", &tunnel, |n| tunnel.remote(to4(n), vni(n)).unwrap());
    let options =
        [0, 1, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    row::<_, 68>(c, "Geneve with 32 B of options", &tunnel, |n| {
        tunnel.remote_with_options(to4(n), vni(n), &options).unwrap()
    });
    let tunnel = gre::Endpoint::new(v4).payload(Payload::Ethernet).build().unwrap();
    row::<_, 24>(c, "GRE", &tunnel, |n| tunnel.remote(to4(n)).unwrap());
    let tunnel = nvgre::Endpoint::new(v4).build().unwrap();
    row::<_, 28>(c, "NVGRE", &tunnel, |n| tunnel.remote(to4(n), vni(n)).unwrap());
    let tunnel = vxlan::Endpoint::new(v6).udp_checksum(UdpChecksum::Zero).build().unwrap();
    row::<_, 56>(c, "VXLAN over IPv6", &tunnel, |n| tunnel.remote(to6(n), vni(n)).unwrap());
}

criterion_group!(name = benches; config = harness::criterion(); targets = encap_vxlan, encap_others);
criterion_main!(benches);
