//! Packets from the underlay in bursts, by themselves, and by the long way, which they take where there may be VLANs of
//! segments: decisions, bytes, counters and all that is learned must be the same, in the same order.

use std::time::Duration;

use encap::{
    Packet,
    table::{Capacity, NewEntry, Remote, Snooping},
    tunnel::{DecapMeta, Framing, Link},
    vtep::{Accept, Config, Output, Vtep, Worker},
    wire::{MacAddr, VlanId, Vni},
};
use proptest::{collection::vec, prelude::*};

use crate::{common::*, frames::*};

const OTHER: Vni = Vni::truncate(43);

/// What the underlay is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Over {
    Ipv4,
    Ipv6,
    Both,
}

impl Over {
    fn of(choice: u8) -> Self {
        [Self::Ipv4, Self::Ipv6, Self::Both][usize::from(choice / 4) % 3]
    }
}

/// Hosts 1 to 12 of both segments: some learned, some said, some nowhere.
fn node(choices: [u8; 8], long: bool) -> Node {
    let [a, b, c, d, e, f, g, h] = choices;
    let over = Over::of(a);
    let local = match over {
        Over::Ipv4 => Config::new().local(address(2)),
        Over::Ipv6 => Config::new().local(v6(2).into()),
        Over::Both => Config::new().local(address(2)).local(v6(2).into()),
    };
    let config = with(local, |config| {
        let link = Link { source: mac(200), next_hop: mac(201), vlan: None };
        config.framing = if a % 3 == 0 { Framing::Ethernet(link) } else { Framing::Ip };
        config.learning = b % 4 != 0;
        config.accept = if c % 3 == 0 { Accept::Configured } else { Accept::Anybody };
        config.tables.snooping = if d % 3 == 0 { Snooping::All } else { Snooping::Off };
        config.remcsumrx = e % 8 == 0;
        config.gbp = e % 4 == 1;
        config.l3 = f % 6 == 0;
        config.address = if f % 2 == 0 { mac(9) } else { MacAddr::ZERO };
        config.udp6zerocsumrx = h % 3 == 0;
        config.move_rate = if g % 2 == 0 { config.move_rate } else { u32::MAX };
        if f % 6 == 0 {
            config.address = mac(9);
        }
    });
    let vlans = if long || h % 8 == 0 { 16 } else { 0 };
    let capacity = Capacity { neighbors: 64, vlans, vni_counters: h % 2 == 0, ..Capacity::fdb(256) };
    let vtep = Vtep::with_capacity(config, capacity, [7, 2]).unwrap();
    let mut worker = Worker::new(2).with_miss_capacity(16);
    if h % 2 == 0 {
        worker = worker.counting_as(&vtep.register().unwrap());
    }
    let fdb = vtep.fdb();
    for vni in [VNI, OTHER] {
        fdb.add_vni(vni).unwrap();
    }
    if h % 8 == 0 {
        vtep.vlans().map(VlanId::new(5).unwrap(), OTHER).unwrap();
    }
    let peer = |last| if over == Over::Ipv6 { v6(last).into() } else { address(last) };
    let [one, three] = [1, 3].map(|last| vtep.remote(peer(last)).unwrap());
    fdb.add(VNI, mac(5), one).unwrap();
    fdb.add(VNI, mac(6), NewEntry::to(three).sticky()).unwrap();
    fdb.add(OTHER, mac(5), three).unwrap();
    // What nothing may come from; and one behind somebody whom nobody configured.
    fdb.add(VNI, MacAddr([3, 0, 0, 0, 0, 1]), one).unwrap();
    fdb.add(VNI, mac(9), one).unwrap();
    let stranger = vtep.remotes().find_or_learn(&Remote::new(peer(77), vtep.config().dstport)).unwrap();
    fdb.add(VNI, mac(7), stranger).unwrap();
    Node { vtep, worker }
}

/// A packet of some sender with some host's frame; most are as most are.
fn packet(over: Over, ethernet: bool, port: u16, choices: [u8; 10], noise: &[u8]) -> Vec<u8> {
    let [a, b, c, d, e, f, g, h, i, j] = choices;
    let is_ipv6 = (over == Over::Ipv6) ^ (h < 20);
    let source = match a {
        0..=250 => mac(1 + a % 12),
        251 => MacAddr::ZERO,
        252 => MacAddr::BROADCAST,
        _ => MacAddr([3, 0, 0, 0, 0, 1]),
    };
    let destination = if b % 5 == 0 { mac(9) } else { mac(100) };
    let frame = match c {
        0..=20 => arp(MacAddr::BROADCAST, 1, (source, [10, 1, 0, a % 12]), [10, 1, 0, 1]),
        21..=40 => tagged(7, &datagram(destination, source, noise.len())),
        41..=50 => frame(destination, source, 0x86dd, noise),
        51..=55 => noise.to_vec(),
        _ => datagram(destination, source, noise.len()),
    };
    let mut outer = Outer::new(port, &frame);
    let from = [1, 1, 3, 4, 77][usize::from(d % 5)];
    outer.source = address(from);
    outer.ds_field = if e % 4 == 0 { e / 4 % 4 } else { 0 };
    outer.checksum = e % 7 == 0;
    outer = match f {
        0..=180 => outer,
        181..=240 => outer.vni(OTHER),
        _ => outer.vni(Vni::truncate(99)),
    };
    match g {
        0..=7 => outer = outer.bits(1 << (g * 7)),
        // A checksum that somebody else is to finish.
        8..=15 => outer = outer.bits(0x0020_0000_0000_0091),
        // Group Based Policy: a group, and one whose sender is not to be learned.
        16..=47 => outer = outer.bits(0x8000_0007_0000_0000),
        48..=63 => outer = outer.bits(0x8040_0007_0000_0000),
        _ => {}
    }
    if is_ipv6 {
        (outer.source, outer.destination, outer.checksum) = (v6(from).into(), v6(2).into(), e % 7 != 0);
    }
    let mut packet = outer.bytes();
    if ethernet {
        let ethertype = if is_ipv6 { 0x86dd } else { 0x0800 };
        packet = self::frame(mac(200), mac(201), ethertype, &packet);
    }
    if i < 12 {
        let at = usize::from(j) * packet.len() / 256;
        packet[at] ^= 1 << (i % 8);
    }
    if i > 246 {
        packet.truncate(packet.len() * usize::from(j) / 256);
    }
    packet
}

fn together(node: &mut Node, now: encap::time::Instant, packets: &[Vec<u8>]) -> Vec<(Output, Vec<u8>)> {
    let mut buffers: Vec<_> = packets.iter().map(|packet| [&[0xee; ROOM][..], packet].concat()).collect();
    let mut packets = burst(&mut buffers);
    let metas = vec![DecapMeta::new(); packets.len()];
    let mut outputs = vec![Output::Pass; packets.len()];
    let done = node.vtep.handle_underlay_batch(&mut node.worker, now, &metas, &mut packets, &mut outputs);
    assert_eq!(done, packets.len());
    outputs.into_iter().zip(packets.iter().map(|packet: &Packet<'_>| packet.as_slice().to_vec())).collect()
}

proptest! {
    #[test]
    fn the_straight_way_is_the_long_one(
        choices: [u8; 8],
        bursts in vec((0u8..30, vec((any::<[u8; 10]>(), vec(any::<u8>(), 0..60)), 1..50)), 1..4),
    ) {
        let [mut long, mut alone, mut burst] = [true, false, false].map(|long| node(choices, long));
        let ethernet = alone.vtep.config().framing != Framing::Ip;
        let (over, port) = (Over::of(choices[0]), alone.vtep.config().dstport);
        let mut now = NOW;
        for (later, arrivals) in bursts {
            // Some bursts come in the same tick, some in another one, and what was learned is confirmed.
            now = now.saturating_add(Duration::from_secs(later.into()));
            let packet = |choices: &_, noise: &[u8]| packet(over, ethernet, port, *choices, noise);
            let packets: Vec<_> = arrivals.iter().map(|(choices, noise)| packet(choices, noise)).collect();
            let one_by_one = |node: &mut Node| -> Vec<_> {
                packets.iter().map(|packet| node.receive(now, packet)).collect()
            };
            let expected = one_by_one(&mut long);
            for got in [one_by_one(&mut alone), together(&mut burst, now, &packets)] {
                for (packet, (got, expected)) in packets.iter().zip(got.iter().zip(&expected)) {
                    prop_assert_eq!(got, expected, "{:x?}", packet);
                }
            }
            let entries = |node: &Node| node.vtep.fdb().dump(now).collect::<Vec<_>>();
            let neighbors = |node: &Node| node.vtep.neighbors().dump(now).collect::<Vec<_>>();
            for node in [&alone, &burst] {
                prop_assert_eq!(node.worker.counters(), long.worker.counters());
                prop_assert_eq!(entries(node), entries(&long));
                prop_assert_eq!(neighbors(node), neighbors(&long));
                for vni in [VNI, OTHER] {
                    prop_assert_eq!(node.vtep.vni_counters(vni), long.vtep.vni_counters(vni));
                }
            }
        }
    }
}

/// Two packets of a host that moves, in one burst: it is where the last of them came from.
#[test]
fn a_host_that_moves_within_a_burst_is_where_it_was_last() {
    for last in [1, 3] {
        let mut node = Node::new(2, Config::linux()).peers(&[1, 3]);
        let port = node.vtep.config().dstport;
        let from = |last: u8| {
            Outer { source: address(last), ..Outer::new(port, &datagram(mac(2), mac(1), 4)) }.bytes()
        };
        let first = if last == 1 { 3 } else { 1 };
        // Known, and known as of now.
        let _ = node.receive(NOW, &from(last));
        let outputs = together(&mut node, NOW, &[from(first), from(last)]);
        let sources: Vec<_> =
            outputs.iter().map(|(output, _)| matches!(output, Output::Deliver { .. })).collect();
        assert_eq!(sources, [true, true]);
        assert_eq!(crate::receive::where_is(&node, mac(1)), Some(address(last)));
    }
}
