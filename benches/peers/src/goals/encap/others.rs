//! E4: other tunnels, the hash given, beside a copy of as many bytes.

use std::{hint::black_box, net::IpAddr};

use encap::{
    tunnel::{EncapMeta, Endpoint, Payload, Protocol, Remote, UdpChecksum, geneve, gre, nvgre, vxlan},
    wire::Vni,
};

use crate::{
    measure::{Contestant, interleave},
    report::{Goal, Report},
    traffic::{BURST, Frames, HEADROOM, LOCAL, REMOTES, SEED, Step, address, in_ipv6, plan_of, plans},
};

const GOAL: Goal = Goal::Time(2.0, 1.4);

pub fn run(report: &mut Report) {
    let (v4, v6) = (IpAddr::V4(LOCAL), IpAddr::V6(in_ipv6(LOCAL)));
    let to4 = |n: usize| IpAddr::V4(address(n));
    let to6 = |n: usize| IpAddr::V6(in_ipv6(address(n)));
    let vni = |n: usize| Vni::truncate(0x1000 + n as u32);
    for len in [0, 8, 32] {
        let tunnel = geneve::Endpoint::new(v4).seed(SEED).build().unwrap();
        let options = one_option(len);
        row(report, &format!("Geneve encap; {len} B of options"), &tunnel, |n| {
            tunnel.remote_with_options(to4(n), vni(n), &options).unwrap()
        });
    }
    let tunnel = gre::Endpoint::new(v4).payload(Payload::Ethernet).seed(SEED).build().unwrap();
    row(report, "GRE encap; no optional fields", &tunnel, |n| tunnel.remote(to4(n)).unwrap());
    let tunnel = nvgre::Endpoint::new(v4).seed(SEED).build().unwrap();
    row(report, "NVGRE encap", &tunnel, |n| tunnel.remote(to4(n), vni(n)).unwrap());
    let tunnel = vxlan::Endpoint::new(v6).udp_checksum(UdpChecksum::Zero).seed(SEED).build().unwrap();
    row(report, "VXLAN encap over IPv6", &tunnel, |n| tunnel.remote(to6(n), vni(n)).unwrap());
}

fn row<P: Protocol>(report: &mut Report, work: &str, tunnel: &Endpoint<P>, remote: impl Fn(usize) -> Remote) {
    let frames = Frames::imix(BURST);
    let tunnel = black_box(tunnel);
    let remotes: Vec<_> = black_box((0..REMOTES).map(remote).collect());
    let plans = plans(BURST);
    let overhead = remotes[0].overhead();
    let steps: Vec<_> = plans.iter().map(|steps| plan_of(steps, &remotes, true)).collect();
    let ours = ours(&frames, tunnel, &steps, overhead);
    // The roofline knows the length ahead, as a template would.
    let copy = match overhead {
        24 => copies::<24>(&frames, &plans),
        28 => copies::<28>(&frames, &plans),
        36 => copies::<36>(&frames, &plans),
        42 => copies::<42>(&frames, &plans),
        44 => copies::<44>(&frames, &plans),
        56 => copies::<56>(&frames, &plans),
        68 => copies::<68>(&frames, &plans),
        other => panic!("no roofline of {other} bytes"),
    };
    let series = interleave(report.effort, &mut [ours, copy]);
    report.row("E4", work, &series[0], &series[1], GOAL);
}

fn ours<'a, P: Protocol>(
    frames: &Frames,
    tunnel: &'a Endpoint<P>,
    plans: &'a [Vec<(&'a Remote, EncapMeta)>],
    overhead: usize,
) -> Contestant<'a> {
    let mut packets = frames.packets();
    Contestant::new("encap", move |slice| {
        let mut results = [const { Ok(()) }; BURST];
        for at in 0..BURST {
            let plan = &plans[(slice + at) % plans.len()];
            tunnel.encap_batch(&mut packets, plan, &mut results);
            black_box(&mut results);
            packets.iter_mut().for_each(|packet| packet.strip(overhead).unwrap());
        }
        BURST * BURST
    })
}

fn copies<'a, const N: usize>(frames: &Frames, plans: &'a [Vec<Step>]) -> Contestant<'a> {
    let headers = black_box(vec![[7; 128]; REMOTES]);
    let mut buffers = frames.buffers.clone();
    Contestant::new(format!("memcpy of {N} B"), move |slice| {
        for at in 0..BURST {
            for (buffer, step) in buffers.iter_mut().zip(&plans[(slice + at) % plans.len()]) {
                let header: &[u8; N] = headers[step.remote].first_chunk().unwrap();
                *buffer.0[HEADROOM - N..].first_chunk_mut().unwrap() = *header;
            }
            black_box(&mut buffers);
        }
        BURST * BURST
    })
}

/// One Geneve option of `len` bytes in all.
fn one_option(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    if let Some(words) = bytes.get_mut(3) {
        *words = (len / 4 - 1) as u8;
    }
    bytes
}
