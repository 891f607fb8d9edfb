//! E4: other tunnels, the hash given, beside a copy of as many bytes.

use std::{hint::black_box, net::IpAddr};

use encap::{
    tunnel::{EncapMeta, Endpoint, Payload, Protocol, Remote, UdpChecksum, geneve, gre, nvgre, vxlan},
    wire::{Vni, checksum},
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
    let vni_bytes =
        |step: &Step| [(vni(step.remote).value() << 8).to_be_bytes(), [0; 4]].concat()[..4].to_vec();
    for len in [0, 8, 32] {
        let tunnel = geneve::Endpoint::new(v4).seed(SEED).build().unwrap();
        let options = one_option(len);
        let remote = |n| tunnel.remote_with_options(to4(n), vni(n), &options).unwrap();
        row(report, &format!("Geneve encap; {len} B of options"), &tunnel, remote, |step, frame| {
            let geneve = [&[len as u8 / 4, 0, 0x65, 0x58], &vni_bytes(step)[..], &options].concat();
            ipv4(step, frame, 17, &udp(step, frame, 6081, &geneve))
        });
    }
    let tunnel = gre::Endpoint::new(v4).payload(Payload::Ethernet).seed(SEED).build().unwrap();
    let remote = |n| tunnel.remote(to4(n)).unwrap();
    row(report, "GRE encap; no optional fields", &tunnel, remote, |step, frame| {
        ipv4(step, frame, 47, &[0, 0, 0x65, 0x58])
    });
    let tunnel = nvgre::Endpoint::new(v4).seed(SEED).build().unwrap();
    let remote = |n| tunnel.remote(to4(n), vni(n)).unwrap();
    row(report, "NVGRE encap", &tunnel, remote, |step, frame| {
        let mut nvgre = [&[0x20, 0, 0x65, 0x58], &vni_bytes(step)[..]].concat();
        nvgre[7] = (step.hash >> 24) as u8;
        ipv4(step, frame, 47, &nvgre)
    });
    let tunnel = vxlan::Endpoint::new(v6).udp_checksum(UdpChecksum::Zero).seed(SEED).build().unwrap();
    let remote = |n| tunnel.remote(to6(n), vni(n)).unwrap();
    row(report, "VXLAN encap over IPv6", &tunnel, remote, |step, frame| {
        let vxlan = [&[8, 0, 0, 0], &vni_bytes(step)[..]].concat();
        let udp = udp(step, frame, 4789, &vxlan);
        let len = ((udp.len() + frame.len()) as u16).to_be_bytes();
        let (source, destination) = (in_ipv6(LOCAL).octets(), in_ipv6(address(step.remote)).octets());
        [&[0x60, ecn(frame) << 4, 0, 0, len[0], len[1], 17, 64], &source[..], &destination, &udp].concat()
    });
}

/// The outer IPv4 header of a frame and what is behind it.
fn ipv4(step: &Step, frame: &[u8], protocol: u8, rest: &[u8]) -> Vec<u8> {
    let [l0, l1] = ((20 + rest.len() + frame.len()) as u16).to_be_bytes();
    let mut header = vec![0x45, ecn(frame), l0, l1, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    header.extend([LOCAL.octets(), address(step.remote).octets()].concat());
    let sum = checksum::of(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [&header, rest].concat()
}

/// The UDP header of a frame without checksum, and what is behind it.
fn udp(step: &Step, frame: &[u8], port: u16, rest: &[u8]) -> Vec<u8> {
    let source = 49_152 + ((u64::from(step.hash) * 16_384) >> 32) as u16;
    let len = (8 + rest.len() + frame.len()) as u16;
    [&[source, port, len, 0].map(u16::to_be_bytes).concat(), rest].concat()
}

/// The congestion mark of a frame.
fn ecn(frame: &[u8]) -> u8 {
    match frame[12..14] {
        [8, 0] => frame[15] & 3,
        [0x86, 0xdd] => (frame[15] >> 4) & 3,
        _ => 0,
    }
}

/// Our headers before a burst of frames, held against `expected` ones, then timed.
fn row<P: Protocol>(
    report: &mut Report,
    work: &str,
    tunnel: &Endpoint<P>,
    remote: impl Fn(usize) -> Remote,
    expected: impl Fn(&Step, &[u8]) -> Vec<u8>,
) {
    let frames = Frames::imix(BURST);
    let tunnel = black_box(tunnel);
    let remotes: Vec<_> = black_box((0..REMOTES).map(remote).collect());
    let plans = plans(BURST);
    let overhead = remotes[0].overhead();
    let steps: Vec<_> = plans.iter().map(|steps| plan_of(steps, &remotes, true)).collect();
    let mut packets = frames.packets();
    for (plan, steps) in steps.iter().zip(&plans) {
        let mut results = [const { Ok(()) }; BURST];
        tunnel.encap_batch(&mut packets, plan, &mut results);
        assert!(results.iter().all(Result::is_ok));
        for (at, (packet, step)) in packets.iter_mut().zip(steps).enumerate() {
            let frame = frames.frame(at);
            assert_eq!(packet.as_slice(), [&expected(step, frame), frame].concat(), "{work}, frame {at}");
            packet.strip(overhead).unwrap();
        }
    }
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
