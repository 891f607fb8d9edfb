//! Anything at all, fed to both handlers.

use std::collections::BTreeSet;

use encap::{
    Packet,
    table::{Destination, NewEntry, Remote},
    tunnel::{DecapMeta, Framing, Link},
    vtep::{Config, DropReason, Output, OverlayMeta, Proxy},
    wire::{MacAddr, Vni},
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{common::*, frames::*};

/// A VTEP that knows all kinds of things, by these settings.
fn busy(config: Config) -> Node {
    let mut node = Node::new(1, config.local(v6(1).into())).peers(&[2, 3]);
    node.vtep.remotes().set_next_hop(node.vtep.remote(address(2)).unwrap(), Some(mac(0xbb))).unwrap();
    node.vtep.remotes().set_mtu(node.vtep.remote(address(3)).unwrap(), 800).unwrap();
    let remote = |remote: Remote| node.vtep.add_remote(&remote).unwrap();
    let port = config.dstport;
    let here = remote(Remote::new(address(1), port));
    let slow = remote(Remote::new(address(5), port).mtu(700));
    let other = remote(Remote::new(v6(2).into(), port).vni(Vni::truncate(7)).next_hop(mac(0xcc)));
    let group = node.vtep.lists().add_group(&[slow, other]).unwrap();
    for (host, destination) in [
        (1, Destination::Remote(here)),
        (2, Destination::Remote(slow)),
        (3, Destination::Remote(other)),
        (4, Destination::Group(group)),
        (5, Destination::Local),
        (6, Destination::Blackhole),
    ] {
        node.vtep.fdb().add(VNI, mac(host), NewEntry::to(destination).as_static()).unwrap();
        node.vtep.neighbors().add(VNI, [10, 1, 0, host].into(), mac(host)).unwrap();
        node.vtep.neighbors().add(VNI, v6(host).into(), mac(host)).unwrap();
    }
    node.worker = encap::vtep::Worker::new(7).with_miss_capacity(16);
    node
}

fn config() -> impl Strategy<Value = Config> {
    let link = Link::resolving(mac(0xaa));
    let framings = [Framing::Payload, Framing::Ip, Framing::Ethernet(link)];
    let proxies = [Proxy::Off, Proxy::NeighSuppress, Proxy::KernelProxy];
    let choices = (prop::sample::select(framings.to_vec()), prop::sample::select(proxies.to_vec()));
    (choices, any::<[bool; 6]>()).prop_map(
        |((framing, proxy), [linux, gbp, vlan, l3, learning, snooping])| {
            with(if linux { Config::linux() } else { Config::new() }, |c| {
                (c.framing, c.proxy, c.gbp, c.l3, c.learning) = (framing, proxy, gbp, l3, learning);
                c.inner_vlan |= vlan;
                c.address = mac(0x99);
                if snooping {
                    c.tables.snooping = encap::table::Snooping::All;
                }
            })
        },
    )
}

/// Frames that get deep into the engine.
fn good_frames() -> Vec<Vec<u8>> {
    let ask = |target: u8| arp(MacAddr::BROADCAST, 1, (mac(9), [10, 1, 0, 9]), [10, 1, 0, target]);
    let mut frames = vec![vec![], frame(mac(2), mac(9), 0x88b5, &[])];
    for host in 1..=7 {
        frames.extend([
            ask(host),
            Ns::new(9, v6(host)).bytes(),
            Ns { options: vec![], ..Ns::new(9, v6(host)) }.bytes(),
            datagram(mac(host), mac(9), 10),
            sized(mac(host), mac(9), 1_500, true),
            sized(mac(host), mac(9), 900, false),
            frame(mac(host), mac(9), 0x86dd, &ip(v6(9).into(), v6(host).into(), 17, 3, &[0x5a; 1_400])),
        ]);
    }
    frames.extend([datagram(MacAddr::BROADCAST, mac(9), 10), sized(MacAddr::BROADCAST, mac(9), 1_000, true)]);
    let tagged: Vec<_> =
        frames.iter().filter(|frame| frame.len() > 14).map(|frame| tagged(5, frame)).collect();
    [frames, tagged].concat()
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<u8>());
    let changed = (prop::sample::select(good_frames()), vec(change, 0..4), prop::option::of(any::<Index>()))
        .prop_map(|(mut bytes, changes, cut)| {
            for (at, byte) in changes {
                if !bytes.is_empty() {
                    // Where the headers are, as a rule.
                    let at = at.index(bytes.len().min(90));
                    bytes[at] = byte;
                }
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len() + 1));
            }
            bytes
        });
    prop_oneof![5 => changed, 1 => vec(any::<u8>(), 0..200)]
}

/// The frame in a packet to VTEP 1, as this framing has it.
fn packet(config: &Config, from: u8, bits: u64, frame: &[u8]) -> Vec<u8> {
    let outer = Outer { source: address(from), destination: address(1), ..Outer::new(config.dstport, frame) };
    let outer = outer.bits(bits);
    match config.framing {
        Framing::Payload => [&outer.vxlan[..], &outer.frame].concat(),
        Framing::Ip => outer.bytes(),
        _ => crate::common::frame(mac(0xaa), mac(0xbb), 0x0800, &outer.bytes()),
    }
}

/// Whatever the decision, the books say it, and what is not taken is as it was.
fn lawful(
    node: &mut Node,
    headroom: usize,
    bytes: &[u8],
    underlay: bool,
    from_tunnel: bool,
) -> (Output, Vec<u8>) {
    let before = *node.worker.counters();
    let mut buffer = vec![0xee; headroom];
    buffer.extend_from_slice(bytes);
    buffer.extend([0x77; 9]);
    let mut packet = Packet::new(&mut buffer, headroom, bytes.len()).unwrap();
    let output = if underlay {
        node.vtep.handle_underlay(&mut node.worker, NOW, &DecapMeta::new(), &mut packet)
    } else {
        let mut meta = OverlayMeta::new(VNI);
        meta.from_tunnel = from_tunnel;
        node.vtep.handle_overlay(&mut node.worker, NOW, &meta, &mut packet)
    };
    let made = packet.as_slice().to_vec();
    let (start, len) = packet.into_range();
    assert!(buffer.ends_with(&[0x77; 9]), "written behind the packet");
    let after = *node.worker.counters();
    let drops = |counters: &encap::vtep::Counters| counters.drops().map(|(_, count)| count).sum::<u64>();
    let change = (
        after.sent - before.sent,
        after.delivered - before.delivered,
        after.replies - before.replies,
        drops(&after) - drops(&before),
    );
    let expected = match output {
        Output::Send { .. } => (1, 0, 0, 0),
        Output::Deliver { .. } | Output::DeliverIp { .. } => (0, 1, 0, 0),
        Output::Reply => (0, 0, 1, 0),
        Output::Drop(reason) => {
            assert_eq!(after.dropped(reason), before.dropped(reason) + 1);
            (0, 0, 0, 1)
        }
        Output::Replicate(_) | Output::Resolve { .. } | Output::Pass => (0, 0, 0, 0),
        other => panic!("{other:?}"),
    };
    assert_eq!(change, expected, "{output:?}");
    if matches!(output, Output::Drop(_) | Output::Pass | Output::Resolve { .. } | Output::Replicate(_)) {
        assert_eq!((start, len, &made[..]), (headroom, bytes.len(), bytes), "{output:?}");
        assert!(
            matches!(output, Output::Drop(DropReason::NoHeadroom | DropReason::TooBig))
                || buffer[..headroom].iter().all(|&byte| byte == 0xee),
            "written before a packet that was refused: {output:?}"
        );
    }
    (output, made)
}

proptest! {
    #[test]
    fn any_frame_to_send(
        config in config(),
        headroom in 0..=ROOM,
        frames in vec((input(), prop::bool::weighted(0.1)), 1..8),
    ) {
        let mut node = busy(config);
        // Who receives takes everything.
        let mut peer = Node::new(2, with(config, |c| {
            (c.learning, c.l3, c.inner_vlan, c.any_destination) = (false, false, true, true);
            c.address = MacAddr::ZERO;
        }).local(v6(2).into()));
        peer.vtep.fdb().add_vni(Vni::truncate(7)).unwrap();
        for (bytes, from_tunnel) in frames {
            let (output, made) = lawful(&mut node, headroom, &bytes, false, from_tunnel);
            match output {
                Output::Send { address, .. } => {
                    prop_assert!(!from_tunnel);
                    let (output, inner) = peer.receive(NOW, &made);
                    // A socket would have told which family it is.
                    let told = config.framing != Framing::Payload || address.is_ipv4();
                    prop_assert!(matches!(output, Output::Deliver { .. }) || !told, "{output:?}");
                    prop_assert!(inner == bytes || !told);
                }
                Output::Reply => {
                    prop_assert!(!from_tunnel);
                    let source = MacAddr(*made[6..].first_chunk().unwrap());
                    prop_assert!(source.is_unicast(), "an answer from {source}");
                }
                Output::Replicate(flood) => {
                    let mut copies = BTreeSet::new();
                    for copy in node.vtep.replicas(&mut node.worker, &flood, &bytes) {
                        prop_assert!(copies.insert(copy.remote));
                    }
                }
                _ => {}
            }
            while node.worker.poll_miss().is_some() {}
        }
    }

    #[test]
    fn any_packet_from_the_underlay(
        config in config(),
        headroom in 0..=ROOM,
        packets in vec((input(), 2..9u8, any::<u64>(), any::<bool>(), vec((any::<Index>(), any::<u8>()), 0..3)), 1..8),
    ) {
        let mut node = busy(config);
        for (frame, from, bits, wrap, changes) in packets {
            // Bits of the header's reserved fields, rarely.
            let bits = if bits % 8 == 0 { bits & !0xffff_ff00 } else { 0 };
            let mut bytes = if wrap { packet(&config, from, bits, &frame) } else { frame };
            for (at, byte) in changes {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            let (output, made) = lawful(&mut node, headroom, &bytes, true, false);
            if let Output::Deliver { .. } = output {
                prop_assert!(made.len() >= 14 && made.len() < bytes.len());
            }
        }
    }
}
