//! Networks of VTEPs over a wire that loses, repeats and reorders, against a model; and anything at all, fed to both
//! handlers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use encap::{
    Packet,
    table::{Destination, NewEntry, Remote},
    tunnel::{DecapMeta, Framing, Link},
    vtep::{Config, DropReason, Output, OverlayMeta, Proxy},
    wire::{MacAddr, Vni},
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{
    common::*,
    frames::*,
    vtep_model::{LEN, Op, run},
};

// ------------------------------------------------------------------------------------------------ networks

const VNIS: [Vni; 3] = [Vni::truncate(0), Vni::truncate(42), Vni::truncate(0xff_ffff)];

/// Who is where, and who floods to whom.
#[derive(Clone, Debug)]
struct Topology {
    vteps: usize,
    linux: bool,
    ipv6: bool,
    /// VTEPs that have a segment, by segment and number.
    members: Vec<Vec<bool>>,
    /// Whom each VTEP floods to: by segment, sender, receiver.
    floods: Vec<Vec<Vec<bool>>>,
    /// Hosts: VTEP, segment, MAC address. Two segments may have the same address.
    hosts: Vec<(usize, usize, u8)>,
}

#[derive(Clone, Debug)]
enum Step {
    /// A host sends to a host, or to a group, or to nobody.
    Send(Index, To, u8),
    /// A packet on the wire arrives; it may be any, so that packets are reordered.
    Arrive(Index),
    /// It arrives, and will arrive again.
    Repeat(Index),
    Lose(Index),
    /// A host moves to another VTEP of its segment.
    Move(Index, Index),
}

#[derive(Clone, Debug)]
enum To {
    Host(Index),
    Everybody,
    Group(u8),
    Nobody(u8),
}

fn topology() -> impl Strategy<Value = Topology> {
    (2..=5usize).prop_flat_map(|vteps| {
        let members = vec(vec(prop::bool::weighted(0.8), vteps), VNIS.len());
        let floods = vec(vec(vec(prop::bool::weighted(0.8), vteps), vteps), VNIS.len());
        let hosts = vec((0..vteps, 0..VNIS.len(), 1..6u8), 2..10);
        (any::<(bool, bool)>(), members, floods, hosts).prop_map(
            move |((linux, ipv6), members, floods, hosts)| {
                // A MAC address is one host's in its segment.
                let mut seen = BTreeSet::new();
                let hosts = hosts.into_iter().filter(|&(_, vni, mac)| seen.insert((vni, mac))).collect();
                Topology { vteps, linux, ipv6, members, floods, hosts }
            },
        )
    })
}

fn step() -> impl Strategy<Value = Step> {
    let to = prop_oneof![
        4 => any::<Index>().prop_map(To::Host),
        1 => Just(To::Everybody),
        1 => (0..3u8).prop_map(To::Group),
        1 => (200..203u8).prop_map(To::Nobody),
    ];
    prop_oneof![
        4 => (any::<Index>(), to, any::<u8>()).prop_map(|(host, to, len)| Step::Send(host, to, len)),
        6 => any::<Index>().prop_map(Step::Arrive),
        1 => any::<Index>().prop_map(Step::Repeat),
        1 => any::<Index>().prop_map(Step::Lose),
        1 => any::<(Index, Index)>().prop_map(|(host, vtep)| Step::Move(host, vtep)),
    ]
}

/// A packet on its way.
#[derive(Clone, Debug)]
struct Flying {
    from: usize,
    to: usize,
    vni: usize,
    packet: Vec<u8>,
    /// What was sent.
    frame: Vec<u8>,
}

struct Network {
    topology: Topology,
    nodes: Vec<Node>,
    wire: Vec<Flying>,
    /// The model: what each VTEP has learned, by VTEP and segment.
    learned: Vec<Vec<BTreeMap<MacAddr, usize>>>,
    sent: Vec<u64>,
    delivered: Vec<u64>,
    dropped: Vec<u64>,
}

impl Network {
    fn new(topology: Topology) -> Self {
        let config = if topology.linux { Config::linux() } else { Config::new() };
        // All this happens at once.
        let config = with(config, |c| c.move_rate = u32::MAX);
        let nodes = (0..topology.vteps)
            .map(|vtep| {
                let mut node = Node::new(vtep as u8 + 1, config.local(v6(vtep as u8 + 1).into()));
                // The common VNI is this test's to give.
                node.vtep.fdb().remove_vni(VNI).unwrap();
                node.worker = encap::vtep::Worker::new(0);
                for (vni, members) in VNIS.iter().zip(&topology.members) {
                    if members[vtep] {
                        node.vtep.fdb().add_vni(*vni).unwrap();
                    }
                }
                node
            })
            .collect();
        let vteps = topology.vteps;
        let learned = vec![vec![BTreeMap::new(); VNIS.len()]; vteps];
        let counts = vec![0; vteps];
        let network = Self {
            topology,
            nodes,
            wire: vec![],
            learned,
            sent: counts.clone(),
            delivered: counts.clone(),
            dropped: counts,
        };
        for (vni, &id) in VNIS.iter().enumerate() {
            for from in 0..vteps {
                for to in network.flooded(from, vni) {
                    let vtep = &network.nodes[from].vtep;
                    vtep.fdb().append(id, MacAddr::ZERO, vtep.remote(network.address(to)).unwrap()).unwrap();
                }
            }
        }
        network
    }

    fn address(&self, vtep: usize) -> IpAddr {
        let last = vtep as u8 + 1;
        if self.topology.ipv6 { v6(last).into() } else { address(last) }
    }

    fn flooded(&self, from: usize, vni: usize) -> Vec<usize> {
        let member = self.topology.members[vni][from];
        (0..self.topology.vteps)
            .filter(|&to| member && to != from && self.topology.floods[vni][from][to])
            .collect()
    }

    /// Whether `vtep` was told of `other`, for whatever segment.
    fn knows(&self, vtep: usize, other: usize) -> bool {
        (0..VNIS.len()).any(|vni| self.flooded(vtep, vni).contains(&other))
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Send(host, to, len) => self.send(host, to, *len),
            Step::Move(host, vtep) => {
                let count = self.topology.hosts.len();
                self.topology.hosts[host.index(count)].0 = vtep.index(self.topology.vteps);
            }
            _ if self.wire.is_empty() => {}
            Step::Arrive(index) => {
                let flying = self.wire.remove(index.index(self.wire.len()));
                self.arrive(&flying);
            }
            Step::Repeat(index) => {
                let flying = self.wire[index.index(self.wire.len())].clone();
                self.arrive(&flying);
            }
            Step::Lose(index) => {
                self.wire.remove(index.index(self.wire.len()));
            }
        }
    }

    fn send(&mut self, host: &Index, to: &To, len: u8) {
        let (from, vni, source) = self.topology.hosts[host.index(self.topology.hosts.len())];
        let neighbors: Vec<_> = self.topology.hosts.iter().filter(|(_, other, _)| *other == vni).collect();
        let destination = match to {
            To::Host(index) => {
                let &&(vtep, _, host) = &neighbors[index.index(neighbors.len())];
                // The local bridge sees to this one.
                if vtep == from {
                    return;
                }
                mac(host)
            }
            To::Everybody => MacAddr::BROADCAST,
            To::Group(group) => MacAddr([1, 0, 0x5e, 0, 0, *group]),
            To::Nobody(host) => mac(*host),
        };
        let frame = datagram(destination, mac(source), len.into());
        let expected = match self.learned[from][vni].get(&destination) {
            Some(&remote) => vec![remote],
            None => self.flooded(from, vni),
        };
        let node = &mut self.nodes[from];
        let (output, bytes) = node.send_with(NOW, &OverlayMeta::new(VNIS[vni]), &frame);
        let packets: Vec<_> = match output {
            Output::Send { address, .. } => vec![(address, bytes)],
            Output::Replicate(flood) => node
                .vtep
                .replicas(&mut node.worker, &flood, &frame)
                .map(|copy| (copy.address, [&copy.header[..], &frame].concat()))
                .collect(),
            Output::Drop(DropReason::NoDestination) => {
                self.dropped[from] += 1;
                vec![]
            }
            other => panic!("{other:?}"),
        };
        let addresses: Vec<_> = expected.iter().map(|&to| self.address(to)).collect();
        assert_eq!(packets.iter().map(|(to, _)| *to).collect::<Vec<_>>(), addresses);
        self.sent[from] += packets.len() as u64;
        for ((_, packet), to) in packets.into_iter().zip(expected) {
            self.wire.push(Flying { from, to, vni, packet, frame: frame.clone() });
        }
    }

    fn arrive(&mut self, flying: &Flying) {
        let Flying { from, to, vni, .. } = *flying;
        let (output, frame) = self.nodes[to].receive(NOW, &flying.packet);
        if !self.topology.members[vni][to] {
            assert_eq!((output, &frame), (Output::Drop(DropReason::UnknownVni), &flying.packet));
            self.dropped[to] += 1;
            return;
        }
        let Output::Deliver { vni: found, .. } = output else { panic!("{output:?}") };
        assert_eq!((found, &frame), (VNIS[vni], &flying.frame), "the frame, in its segment");
        self.delivered[to] += 1;
        if self.topology.linux || self.knows(to, from) {
            let [.., s0, s1, s2, s3, s4, s5] = *frame.first_chunk::<12>().unwrap();
            self.learned[to][vni].insert(MacAddr([s0, s1, s2, s3, s4, s5]), from);
        }
        // A bridge that has forgotten where the frame came from.
        let mut meta = OverlayMeta::new(VNIS[vni]);
        meta.from_tunnel = true;
        let again = self.nodes[to].send_with(NOW, &meta, &frame);
        assert_eq!(again, (Output::Drop(DropReason::SplitHorizon), frame), "no loop");
        self.dropped[to] += 1;
    }

    /// Lets everything arrive that is still on its way, and compares the books.
    fn finish(mut self) {
        while let Some(flying) = self.wire.pop() {
            self.arrive(&flying);
        }
        for (vtep, node) in self.nodes.iter().enumerate() {
            let counters = node.worker.counters();
            let dropped: u64 = counters.drops().map(|(_, count)| count).sum();
            assert_eq!(
                (counters.sent, counters.delivered, dropped),
                (self.sent[vtep], self.delivered[vtep], self.dropped[vtep])
            );
            for (vni, learned) in self.learned[vtep].iter().enumerate() {
                assert_eq!(node.vtep.fdb().count_vni(VNIS[vni]).1, learned.len());
                for (&mac, &remote) in learned {
                    let entry = node.vtep.fdb().get(NOW, VNIS[vni], mac).unwrap();
                    let Destination::Remote(id) = entry.destination else { panic!("{entry:?}") };
                    assert_eq!(node.vtep.remotes().get(id).unwrap().address, self.address(remote));
                }
            }
        }
    }
}

proptest! {
    /// Every packet on the wire becomes the frame that was sent, in the segment that it was sent in, as often as it
    /// arrives; frames go where the model has learned, or to the flood list, once to each.
    #[test]
    fn networks_do_what_the_model_says(topology in topology(), steps in vec(step(), 0..120)) {
        let mut network = Network::new(topology);
        steps.iter().for_each(|step| network.step(step));
        network.finish();
    }
}

// ------------------------------------------------------------------------------------------------ anything

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
    node.worker = encap::vtep::Worker::new(7).with_event_capacity(16);
    node
}

fn config() -> impl Strategy<Value = Config> {
    let link = Link { source: mac(0xaa), next_hop: MacAddr::ZERO, vlan: None };
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
            while node.worker.poll_event().is_some() {}
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

// ------------------------------------------------------------------------------------------------ the model

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_vtep_decides_as_its_model(choices in any::<u8>(), ops in vec(any::<[u8; LEN]>(), 0..150)) {
        run(choices, ops.into_iter().map(Op::from_bytes));
    }
}
