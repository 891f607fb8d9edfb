//! Packets, by what they are and where they go.

use std::hint::black_box;

use encap::{
    Packet,
    tunnel::{self, DecapMeta, DropReason, EncapMeta, InnerChecksum, UdpChecksum, vxlan},
    vtep::{Output, OverlayMeta, Worker},
    wire::Vni,
};

use crate::{
    cases::{
        Random,
        fdb::NOW,
        vtep::{Overlay, PACKETS},
    },
    measure::{Contestant, Effort},
    traffic::{BURST, Frames, HEADROOM, LOCAL, OVERHEAD, SEED, address, endpoint},
};

use super::Growing;

/// Frames to hosts behind ever more remotes; as many hosts as remotes at least.
pub(super) fn remotes(effort: Effort, _: bool) -> Growing {
    let mut growing = Growing::new(
        "growth-remotes",
        "By the number of remotes, 64K hosts behind them",
        "remotes",
        "ns per packet",
        effort,
    );
    let counts: Vec<usize> = (0..=16).step_by(2).map(|bits| 1 << bits).collect();
    let overlays: Vec<Overlay> = counts.iter().map(|&remotes| Overlay::new(1 << 16, remotes)).collect();
    let mut everybody = Vec::new();
    for (overlay, &remotes) in overlays.iter().zip(&counts) {
        everybody.extend([transmit(overlay), receive(overlay), encap_to(remotes)]);
    }
    growing.measure_all(32, &counts, &mut everybody);
    growing
}

/// Encapsulation alone, each packet to another remote.
fn encap_to(remotes: usize) -> Contestant<'static> {
    let tunnel = endpoint(LOCAL);
    let outer: Vec<_> =
        (0..remotes).map(|n| tunnel.remote(address(n).into(), Vni::truncate(n as u32)).unwrap()).collect();
    let mut random = Random(1);
    let order: Vec<usize> = (0..1 << 16).map(|_| random.below(remotes)).collect();
    let mut packets = Frames::imix(PACKETS).packets();
    Contestant::new("encap", move |slice| {
        let order = order.iter().cycle().skip(slice * PACKETS % order.len());
        for (packet, &remote) in packets.iter_mut().zip(order) {
            tunnel.encap(packet, &outer[remote]).unwrap();
            packet.strip(OVERHEAD).unwrap();
        }
        PACKETS
    })
}

fn transmit(overlay: &Overlay) -> Contestant<'_> {
    let mut worker = Worker::new(1);
    let mut outputs = vec![Output::Pass; PACKETS];
    let state = (Frames::imix(PACKETS).packets(), vec![OverlayMeta::default(); PACKETS], Random(2));
    Contestant::prepared(
        "VTEP transmit",
        state,
        |(packets, metas, random)| {
            let sent = packets.iter_mut().filter(|packet| packet.headroom() < HEADROOM);
            sent.for_each(|packet| packet.strip(OVERHEAD).unwrap());
            overlay.aim(random, packets, metas);
        },
        move |(packets, metas, _), _| {
            overlay.vtep.handle_overlay_batch(&mut worker, NOW, metas, packets, &mut outputs);
            assert!(outputs.iter().all(|output| matches!(output, Output::Send { .. })));
            PACKETS
        },
    )
}

fn receive(overlay: &Overlay) -> Contestant<'_> {
    let mut worker = Worker::new(1);
    let mut outputs = vec![Output::Pass; PACKETS];
    let metas = vec![DecapMeta::new(); PACKETS];
    Contestant::prepared(
        "VTEP receive",
        overlay.arrivals(),
        |packets| {
            packets.iter_mut().filter(|packet| packet.headroom() >= HEADROOM).for_each(|packet| {
                packet.prepend::<OVERHEAD>().unwrap();
            });
        },
        move |packets, _| {
            overlay.vtep.handle_underlay_batch(&mut worker, NOW, &metas, packets, &mut outputs);
            assert!(outputs.iter().all(|output| matches!(output, Output::Deliver { .. })));
            PACKETS
        },
    )
}

/// Frames of ever more bytes, in a burst of 64.
pub(super) fn frame_size(effort: Effort, _: bool) -> Growing {
    let mut growing = Growing::new(
        "growth-frame",
        "By the length of the frame",
        "bytes of the frame",
        "ns per packet",
        effort,
    );
    let plain = endpoint(LOCAL);
    let tunnel = |mode| vxlan::Endpoint::new(LOCAL.into()).seed(SEED).udp_checksum(mode).build().unwrap();
    let (full, offload) = (tunnel(UdpChecksum::Full), tunnel(UdpChecksum::Offload));
    let meta = black_box(EncapMeta::new().inner_checksum(InnerChecksum::Good));
    const LENGTHS: [usize; 9] = [64, 128, 256, 512, 1024, 1514, 2048, 4096, 9000];
    let each = |len| {
        [
            encap_of("encap", len, &plain, &meta),
            decap_of("decap", len, UdpChecksum::Zero),
            encap_of("encap; full checksum", len, &full, &meta),
            encap_of("encap; offload", len, &offload, &meta),
            decap_of("decap; checksum", len, UdpChecksum::Full),
        ]
    };
    growing.measure_all(1, &LENGTHS, &mut LENGTHS.map(each).into_iter().flatten().collect::<Vec<_>>());
    growing
}

/// Room for a burst of frames of this length.
fn rooms(len: usize) -> Vec<Packet<'static>> {
    let frames = crate::goals::checksum::good_frames(len, BURST);
    frames.into_iter().map(|buffer| Packet::new(buffer.leak(), HEADROOM, len).unwrap()).collect()
}

fn encap_of<'a>(name: &str, len: usize, tunnel: &'a vxlan::Endpoint, meta: &'a EncapMeta) -> Contestant<'a> {
    let remote = tunnel.remote(address(1).into(), Vni::truncate(7)).unwrap();
    let mut packets = rooms(len);
    Contestant::new(name, move |_| {
        for _ in 0..4 {
            for packet in &mut packets {
                tunnel.encap_with(packet, &remote, meta).unwrap();
                packet.strip(remote.overhead()).unwrap();
            }
        }
        4 * BURST
    })
}

fn decap_of<'a>(name: &str, len: usize, mode: UdpChecksum) -> Contestant<'a> {
    let tunnel = |local: std::net::Ipv4Addr| {
        vxlan::Endpoint::new(local.into()).seed(SEED).udp_checksum(mode).build().unwrap()
    };
    let (sender, receiver) = (tunnel(address(1)), tunnel(LOCAL));
    let remote = sender.remote(LOCAL.into(), Vni::truncate(7)).unwrap();
    let mut packets = rooms(len);
    packets.iter_mut().for_each(|packet| sender.encap(packet, &remote).unwrap());
    Contestant::new(name, move |_| {
        for _ in 0..4 {
            for packet in &mut packets {
                receiver.decap(packet).unwrap();
                packet.prepend::<36>().unwrap();
            }
        }
        4 * BURST
    })
}

/// Tunnels in tunnels.
pub(super) fn depth(effort: Effort, _: bool) -> Growing {
    let mut growing = Growing::new(
        "growth-depth",
        "By the depth of tunnels in tunnels",
        "VXLAN in VXLAN, how deep",
        "ns per packet",
        effort,
    );
    let (sender, receiver) = (endpoint(address(1)), endpoint(LOCAL));
    let remote = sender.remote(LOCAL.into(), Vni::truncate(7)).unwrap();
    let depths: Vec<usize> = (1..=8).collect();
    let mut everybody = Vec::new();
    for &depth in &depths {
        let mut packets: Vec<Packet<'static>> = (0..BURST)
            .map(|_| {
                let buffer = vec![0; 8 * OVERHEAD + 128].leak();
                buffer[8 * OVERHEAD..8 * OVERHEAD + 64].copy_from_slice(Frames::of_len(1, 64).frame(0));
                let mut packet = Packet::new(buffer, 8 * OVERHEAD, 64).unwrap();
                (0..depth).for_each(|_| sender.encap(&mut packet, &remote).unwrap());
                packet
            })
            .collect();
        let profile = tunnel::Profile::ANALYSIS;
        let seen: Vec<Vec<u8>> = packets.iter().map(|packet| packet.as_slice().to_vec()).collect();
        everybody.push(Contestant::new("inspect", move |_| {
            for packet in &seen {
                let found = tunnel::inspect(black_box(packet), &profile);
                assert_eq!(found.layers().count(), depth);
            }
            BURST
        }));
        let receiver = &receiver;
        everybody.push(Contestant::new("decap of every tunnel", move |_| {
            for packet in &mut packets {
                for _ in 0..depth {
                    receiver.decap(packet).unwrap();
                }
                assert_eq!(receiver.decap(packet), Err(DropReason::OtherDestination));
                (0..depth).for_each(|_| {
                    packet.prepend::<OVERHEAD>().unwrap();
                });
            }
            BURST
        }));
    }
    growing.measure_all(1, &depths, &mut everybody);
    growing
}
