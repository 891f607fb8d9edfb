//! Networks of VTEPs over a wire that loses, repeats and reorders, against a model.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use encap::{
    table::Destination,
    vtep::{Config, DropReason, Output, OverlayMeta},
    wire::{MacAddr, Vni},
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{common::*, frames::*};

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
