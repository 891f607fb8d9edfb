//! VTEPs, hosts and the underlay together, and what happens among them.

use std::{
    error::Error,
    fmt::{Display, Write as _},
    net::Ipv4Addr,
    time::Duration,
};

use encap::{
    table::Capacity,
    time::Instant,
    wire::{MacAddr, Vni, ipv4},
};

use super::{
    Args,
    frames::{self, Address, Content},
    host::{Deed, Host},
    node::{Node, Sent},
    underlay::{Chance, Event, Queue, Wire},
};

pub(crate) struct Network {
    pub(crate) now: Instant,
    pub(crate) nodes: Vec<Node>,
    /// All hosts: those of the first segment first, and of each those behind the first VTEP.
    pub(crate) hosts: Vec<Host>,
    pub(crate) wire: Wire,
    /// Lines about what happens.
    pub(crate) log: String,
    pub(crate) detail: Detail,
    /// The first echo request that was encapsulated.
    pub(crate) sample: Option<Vec<u8>>,
    queue: Queue,
}

/// How much is told of what happens.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Detail {
    Nothing,
    /// What goes wrong.
    Losses,
    Everything,
}

/// The host of this number, from 1 on, in this segment, from 1 on.
pub(crate) fn address(segment: u8, number: u16) -> Address {
    let [high, low] = number.to_be_bytes();
    Address { mac: MacAddr([2, 0, 0, segment, high, low]), ip: Ipv4Addr::new(10, segment, high, low) }
}

impl Network {
    pub(crate) fn new(args: &Args) -> Result<Self, Box<dyn Error>> {
        let mut chance = Chance(args.seed);
        let segments = args.vni.len() as u32;
        let vteps = u32::from(args.vteps);
        let hosts = segments * vteps * u32::from(args.hosts);
        let capacity = Capacity {
            entries: hosts + segments,
            vnis: segments,
            remotes: vteps,
            lists: segments,
            members: segments * vteps,
            neighbors: hosts,
            ..Capacity::NONE
        };
        let mut network = Self {
            now: Instant::ZERO,
            nodes: Vec::new(),
            hosts: Vec::new(),
            wire: Wire {
                latency: Duration::from_millis(args.latency),
                loss: args.loss.0,
                chance: Chance(chance.next()),
                carried: 0,
                lost: 0,
            },
            log: String::new(),
            detail: Detail::Nothing,
            sample: None,
            queue: Queue::default(),
        };
        let addresses = || (1..=args.vteps).map(|number| Ipv4Addr::new(192, 0, 2, number));
        for address in addresses() {
            let node = Node::new(address, capacity, [chance.next(), chance.next()])?;
            for &vni in &args.vni {
                node.join(vni, addresses().filter(|&other| other != address))?;
            }
            network.nodes.push(node);
        }
        for (segment, &vni) in (1..).zip(&args.vni) {
            let mut number = 0;
            for (place, node) in network.nodes.iter_mut().enumerate() {
                for _ in 0..args.hosts {
                    number += 1;
                    let address = address(segment, number);
                    node.attach(vni, address.mac, network.hosts.len())?;
                    network.hosts.push(Host::new(address, vni, place, network.wire.latency));
                }
            }
        }
        Ok(network)
    }

    /// Has a host ping an address, from now on; [`run`](Self::run) does it.
    pub(crate) fn ping(&mut self, host: usize, target: Ipv4Addr, count: u16) {
        if let Some(pinger) = self.hosts.get_mut(host) {
            pinger.start(target, count);
            let round = pinger.round;
            self.queue.put(self.now, Event::Wake { host, round });
        }
    }

    /// Goes on until nothing is left to happen.
    pub(crate) fn run(&mut self) {
        while let Some((at, event)) = self.queue.next() {
            self.now = at;
            match event {
                Event::Packet { node, bytes } => self.arrive(node, &bytes),
                Event::Frame { host, bytes } => {
                    let deed = self.hosts.get_mut(host).map(|host| host.hear(at, &bytes));
                    self.act(host, deed.unwrap_or_default());
                }
                Event::Wake { host, round } => {
                    let waiting = self.hosts.get_mut(host).filter(|host| host.round == round);
                    let deed = waiting.map(|host| host.wake(at));
                    self.act(host, deed.unwrap_or_default());
                }
            }
        }
        for node in &self.nodes {
            // The sweep: nothing here lives long enough for it to find something.
            let _ = node.vtep.handle_timeout(self.now, 1_000, |_| {});
        }
    }

    fn act(&mut self, place: usize, deed: Deed) {
        let Some(host) = self.hosts.get(place) else { return };
        let (ip, vni, round) = (host.address.ip, host.vni, host.round);
        if !deed.text.is_empty() {
            self.tell(Detail::Everything, format_args!("host {ip}"), &deed.text);
        }
        if let Some(at) = deed.wake {
            self.queue.put(at, Event::Wake { host: place, round });
        }
        if let Some(frame) = deed.frame {
            self.bridge(place, vni, frame);
        }
    }

    /// A frame of a host: to others on this side, through the engine, or both.
    fn bridge(&mut self, place: usize, vni: Vni, frame: Vec<u8>) {
        let Some(seen) = frames::read(&frame) else { return };
        let Some(node) = self.hosts.get(place).map(|host| host.node) else { return };
        let Some(node) = self.nodes.get_mut(node) else { return };
        let here = node.local(vni, seen.source, seen.destination);
        let is_here = !seen.destination.is_multicast() && !here.is_empty();
        for host in here {
            self.queue.put(self.now, Event::Frame { host, bytes: frame.clone() });
        }
        if is_here {
            return;
        }
        let address = node.address;
        let (sent, text) = node.send(self.now, vni, &frame);
        self.tell(Detail::Everything, format_args!("vtep {address}"), &text);
        match sent {
            Sent::Packets(packets) => {
                let is_sample = matches!(seen.content, Content::Echo { is_reply: false, .. });
                if let (true, None, [packet]) = (is_sample, &self.sample, packets.as_slice()) {
                    self.sample = Some(packet.clone());
                }
                packets.into_iter().for_each(|packet| self.carry(packet));
            }
            Sent::Answer(frame) => self.queue.put(self.now, Event::Frame { host: place, bytes: frame }),
            Sent::Dropped => {}
        }
    }

    /// The underlay takes a packet to where its outer header says, or loses it.
    pub(crate) fn carry(&mut self, bytes: Vec<u8>) {
        let Ok((outer, _)) = ipv4::Header::parse(&bytes) else { return };
        let (from, to) = (outer.source, outer.destination);
        if !self.wire.carries() {
            let text = format!("loses a packet from {from} to {to} ({} bytes)", bytes.len());
            return self.tell(Detail::Losses, "underlay", &text);
        }
        let node = self.nodes.iter().position(|node| node.address == to);
        let at = self.now.saturating_add(self.wire.latency);
        if let Some(node) = node {
            self.queue.put(at, Event::Packet { node, bytes });
        }
    }

    fn arrive(&mut self, place: usize, bytes: &[u8]) {
        let Some(node) = self.nodes.get_mut(place) else { return };
        let address = node.address;
        let (delivered, text) = node.receive(self.now, bytes);
        let Some((vni, frame)) = delivered else {
            return self.tell(Detail::Losses, format_args!("vtep {address}"), &text);
        };
        let mut text = text;
        let mut to = Vec::new();
        if let Some(seen) = frames::read(&frame) {
            to = node.local(vni, seen.source, seen.destination);
        }
        let names: Vec<String> =
            to.iter().filter_map(|&host| Some(self.hosts.get(host)?.address.ip.to_string())).collect();
        let names = if names.is_empty() { "nobody here".into() } else { names.join(", ") };
        let _ = write!(text, "; to {names}");
        self.tell(Detail::Everything, format_args!("vtep {address}"), &text);
        for host in to {
            self.queue.put(self.now, Event::Frame { host, bytes: frame.clone() });
        }
    }

    fn tell(&mut self, detail: Detail, who: impl Display, text: &str) {
        if detail <= self.detail {
            let micros = self.now.as_micros();
            let (seconds, millis) = (micros / 1_000_000, micros / 1_000 % 1_000);
            // A String takes everything.
            let _ = writeln!(self.log, "{seconds:3}.{millis:03} s  {:<16}  {text}", who.to_string());
        }
    }
}
