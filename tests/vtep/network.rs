//! VTEPs on a virtual clock, over a wire with latency, jitter, loss, duplicates and an MTU: what hosts see of it.

use std::{collections::BTreeMap, time::Duration};

use encap::{
    table::{Destination, Lookup},
    time::Instant,
    vtep::{Config, Output},
    wire::MacAddr,
};

use crate::{common::*, frames::*};

/// What the wire does to packets.
#[derive(Clone, Copy, Default)]
struct Wire {
    latency_ms: u64,
    /// More than the time between two packets: they overtake each other.
    jitter_ms: u64,
    loss_percent: u64,
    duplicate_percent: u64,
}

struct Network {
    nodes: Vec<Node>,
    wire: Wire,
    now: Instant,
    random: u64,
    flying: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    packets: u64,
    lost: u64,
    duplicated: u64,
    /// Frames that came out of tunnels: at which node, and when.
    heard: Vec<(usize, Instant, Vec<u8>)>,
}

impl Network {
    /// So many VTEPs, from 192.0.2.1 on, each of which floods to all others.
    fn new(count: u8, wire: Wire, config: Config) -> Self {
        let node = |last: u8| {
            let others: Vec<u8> = (1..=count).filter(|&other| other != last).collect();
            Node::new(last, config).peers(&others)
        };
        let nodes = (1..=count).map(node).collect();
        let (flying, heard) = (BTreeMap::new(), vec![]);
        Self { nodes, wire, now: NOW, random: 7, flying, packets: 0, lost: 0, duplicated: 0, heard }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.random >> 33) % below.max(1)
    }

    fn wait(&mut self, ms: u64) {
        self.run_until(self.now.saturating_add(Duration::from_millis(ms)));
    }

    /// A host behind a VTEP sends; answers what comes back to it at once.
    fn send(&mut self, from: usize, frame: &[u8]) -> Option<Vec<u8>> {
        let (output, bytes) = self.nodes[from].send(self.now, frame);
        match output {
            Output::Send { address, .. } => self.put(address, bytes),
            Output::Replicate(flood) => {
                let Node { vtep, worker } = &mut self.nodes[from];
                let copies: Vec<_> = vtep
                    .replicas(worker, &flood, &bytes)
                    .map(|copy| (copy.address, [&copy.header[..], &bytes].concat()))
                    .collect();
                copies.into_iter().for_each(|(to, packet)| self.put(to, packet));
            }
            Output::Reply => return Some(bytes),
            other => panic!("{other:?}"),
        }
        None
    }

    fn put(&mut self, to: std::net::IpAddr, packet: Vec<u8>) {
        let node = (0..self.nodes.len()).find(|&node| address(node as u8 + 1) == to).unwrap();
        self.packets += 1;
        if self.random(100) < self.wire.loss_percent {
            self.lost += 1;
            return;
        }
        let copies = 1 + u64::from(self.random(100) < self.wire.duplicate_percent);
        self.duplicated += copies - 1;
        for copy in 0..copies {
            let delay = self.wire.latency_ms + self.random(self.wire.jitter_ms + 1);
            let at = self.now.saturating_add(Duration::from_millis(delay));
            self.flying.insert((at, self.packets * 2 + copy), (node, packet.clone()));
        }
    }

    /// Goes from one arrival to the next.
    fn run_until(&mut self, end: Instant) {
        while let Some((&key, _)) = self.flying.iter().next().filter(|((at, _), _)| *at <= end) {
            let (node, packet) = self.flying.remove(&key).unwrap();
            self.now = key.0;
            match self.nodes[node].receive(self.now, &packet) {
                (Output::Deliver { .. }, frame) => self.heard.push((node, self.now, frame)),
                (other, _) => panic!("{other:?}"),
            }
        }
        self.now = end;
    }

    fn where_is(&self, node: usize, host: u8) -> Option<std::net::IpAddr> {
        let vtep = &self.nodes[node].vtep;
        match vtep.fdb().lookup(self.now, VNI, mac(host)) {
            Lookup::Found(Destination::Remote(id)) => vtep.remotes().get(id).map(|remote| remote.address),
            _ => None,
        }
    }
}

/// A frame with a number in it.
fn numbered(to: MacAddr, from: MacAddr, number: u16) -> Vec<u8> {
    frame(to, from, 0x88b5, &number.to_be_bytes())
}

/// Host 1 calls, everybody hears it a little later; host 2 answers, and only host 1's VTEP hears that.
#[test]
fn a_call_and_an_answer_take_their_time() {
    let wire = Wire { latency_ms: 20, ..Wire::default() };
    let mut network = Network::new(3, wire, Config::new());
    network.send(0, &numbered(MacAddr::BROADCAST, mac(1), 0));
    network.wait(19);
    assert!(network.heard.is_empty(), "still on its way");
    network.wait(1);
    assert_eq!(network.heard.iter().map(|(node, ..)| *node).collect::<Vec<_>>(), [1, 2]);
    network.heard.clear();
    network.send(1, &numbered(mac(1), mac(2), 1));
    network.wait(20);
    let [(node, at, answer)] = &network.heard[..] else { panic!("{}", network.heard.len()) };
    assert_eq!((*node, at.saturating_since(NOW)), (0, Duration::from_millis(40)));
    assert_eq!(*answer, numbered(mac(1), mac(2), 1));
    assert_eq!(network.where_is(0, 2), Some(address(2)));
}

/// What is lost stays lost, what is doubled comes twice, what overtakes comes first: a VTEP adds nothing to it.
#[test]
fn a_bad_wire_is_no_worse_for_a_vtep() {
    let wire = Wire { latency_ms: 5, jitter_ms: 50, loss_percent: 20, duplicate_percent: 10 };
    for config in [Config::new(), Config::linux()] {
        let mut network = Network::new(3, wire, config);
        for last in [0, 1] {
            // Until somebody heard it.
            while network.where_is(1 - last, last as u8 + 1).is_none() {
                network.send(last, &numbered(MacAddr::BROADCAST, mac(last as u8 + 1), 0));
                network.wait(100);
            }
        }
        network.heard.clear();
        (network.packets, network.lost, network.duplicated) = (0, 0, 0);
        for number in 0..1_000 {
            network.send(0, &numbered(mac(2), mac(1), number));
            network.wait(1);
        }
        network.wait(100);
        assert_eq!(network.packets, 1_000, "nothing is flooded any more");
        assert!(network.lost > 100 && network.duplicated > 50);
        assert_eq!(network.heard.len() as u64, 1_000 - network.lost + network.duplicated);
        let numbers: Vec<u16> =
            network.heard.iter().map(|(_, _, frame)| u16::from_be_bytes([frame[14], frame[15]])).collect();
        assert!(!numbers.is_sorted(), "some overtook others");
        for ((node, _, frame), number) in network.heard.iter().zip(numbers) {
            assert_eq!((*node, frame), (1, &numbered(mac(2), mac(1), number)));
        }
    }
}

/// Host 1 moves from the first VTEP to the third, says so, and is found there.
#[test]
fn a_host_that_moves_is_found_where_it_spoke_last() {
    let mut network = Network::new(3, Wire { latency_ms: 10, ..Wire::default() }, Config::new());
    network.send(0, &numbered(MacAddr::BROADCAST, mac(1), 0));
    network.wait(10);
    assert_eq!(network.where_is(1, 1), Some(address(1)));
    network.send(2, &numbered(MacAddr::BROADCAST, mac(1), 1));
    network.wait(10);
    assert_eq!(network.where_is(1, 1), Some(address(3)));
    network.heard.clear();
    network.send(1, &numbered(mac(1), mac(2), 2));
    network.wait(10);
    assert_eq!(network.heard.iter().map(|(node, ..)| *node).collect::<Vec<_>>(), [2]);
}

/// After five minutes of silence a host has to be called again.
#[test]
fn who_is_silent_is_forgotten_in_time() {
    let mut network = Network::new(3, Wire::default(), Config::new());
    network.send(0, &numbered(MacAddr::BROADCAST, mac(1), 0));
    network.wait(0);
    network.wait(299_000);
    assert_eq!(network.where_is(1, 1), Some(address(1)));
    network.wait(3_000);
    assert_eq!(network.where_is(1, 1), None);
    network.heard.clear();
    network.send(1, &numbered(mac(1), mac(2), 1));
    network.wait(0);
    assert_eq!(network.heard.len(), 2, "flooded");
}

/// A narrow way: the sender is told how much fits, and that much arrives.
#[test]
fn who_sends_too_much_is_told_what_fits() {
    let mut network = Network::new(2, Wire { latency_ms: 10, ..Wire::default() }, Config::new());
    let id = network.nodes[0].vtep.remote(address(2)).unwrap();
    network.nodes[0].vtep.remotes().set_mtu(id, 1_000).unwrap();
    let answer = network.send(0, &sized(mac(2), mac(1), 1_400, true)).unwrap();
    assert_eq!(network.packets, 0, "nothing that long is on the wire");
    let fits = usize::from(u16::from_be_bytes([answer[40], answer[41]]));
    assert_eq!(fits, 1_000 - 50);
    assert!(network.send(0, &sized(mac(2), mac(1), 14 + fits + 1, true)).is_some());
    assert!(network.send(0, &sized(mac(2), mac(1), 14 + fits, true)).is_none());
    network.wait(10);
    assert_eq!(network.heard.len(), 1);
}
