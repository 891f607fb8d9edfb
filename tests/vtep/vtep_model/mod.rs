//! Random frames, packets and operations at random times, on a VTEP and on a model of plain maps: both decide the same.
//! Asserted by tests and by the fuzz target alike.

mod op;
mod reference;

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

pub(crate) use self::op::{LEN, Op};
use self::{
    op::Payload,
    reference::{Expected, Known, Model, Place},
};
use encap::{
    Packet,
    table::{Capacity, Destination, LearnFrom, Line, NewEntry},
    time::Instant,
    tunnel::DecapMeta,
    vtep::{Accept, Config, DropReason, Output, OverlayMeta, Proxy, Vtep, Worker},
    wire::{MacAddr, Vni, arp, ipv4, udp, vxlan},
};

/// The bytes as settings and operations.
pub(crate) fn vtep(data: &[u8]) {
    let Some((&choices, ops)) = data.split_first() else { return };
    let ops = ops.chunks_exact(LEN).filter_map(|op| op.try_into().ok());
    run(choices, ops.map(Op::from_bytes));
}

/// Does all that, and compares every decision.
pub(crate) fn run(choices: u8, ops: impl IntoIterator<Item = Op>) {
    let mut run = Run::new(choices);
    ops.into_iter().for_each(|op| run.call(op));
    run.compare();
}

struct Run {
    vtep: Vtep<Box<[Line]>>,
    worker: Worker<'static>,
    model: Model,
}

const HERE: [u8; 4] = [192, 0, 2, 1];
const ROOM: usize = 64;

/// Every whole number of these is well before or well after an ageing time of 300 s.
const STEP: Duration = Duration::from_secs(11);

fn address(remote: u8) -> IpAddr {
    [192, 0, 2, 10 + remote].into()
}

impl Run {
    fn new(choices: u8) -> Self {
        let bit = |bit: u8| choices >> bit & 1 == 1;
        let mut config = if bit(0) { Config::linux() } else { Config::new() };
        config.learning = bit(1);
        config.accept = if bit(2) { Accept::Configured } else { Accept::Anybody };
        config.proxy = if bit(3) { Proxy::NeighSuppress } else { Proxy::Off };
        config.tables.learn_from = if bit(4) { LearnFrom::Any } else { LearnFrom::Configured };
        (config.l2miss, config.l3miss) = (bit(5), bit(6));
        // The model knows of no haste.
        (config.learn_rate, config.move_rate) = (u32::MAX, u32::MAX);
        let capacity = Capacity { neighbors: 64, ..Capacity::fdb(256) };
        let vtep = Vtep::with_capacity(config.local(HERE.into()), capacity, [7, choices.into()]).unwrap();
        for remote in 0..Model::CONFIGURED {
            vtep.remote(address(remote)).unwrap();
        }
        let model = Model::new(config.learning, config.accept, config.tables.learn_from);
        Self { vtep, worker: Worker::new(1).with_miss_capacity(16), model }
    }

    fn now(&self) -> Instant {
        Instant::from_secs(1_000).saturating_add(STEP * self.model.now)
    }

    fn call(&mut self, op: Op) {
        match op {
            Op::Put { vni, mac, place, dynamic } => self.put(vni, mac, place, dynamic),
            Op::Delete { vni, mac } => {
                let (now, there) = (self.now(), self.model.live((vni, mac)).is_some());
                let deleted = self.vtep.fdb().delete(now, segment(vni), host(mac));
                assert_eq!(deleted.is_ok(), there, "{deleted:?}");
                self.model.entries.remove(&(vni, mac));
            }
            Op::Flood { vni, remote } => {
                let id = self.vtep.remote(address(remote)).unwrap();
                self.vtep.fdb().append(segment(vni), MacAddr::ZERO, id).unwrap();
                self.model.know(vni);
                let list = self.model.floods.entry(vni).or_default();
                if !list.contains(&remote) {
                    list.push(remote);
                }
            }
            Op::Neighbor { vni, ip, mac } => {
                let added = self.vtep.neighbors().replace(segment(vni), [10, 0, 0, ip].into(), host(mac));
                added.unwrap();
                self.model.know(vni);
                self.model.neighbors.insert((vni, ip), mac);
            }
            Op::Wait(steps) => self.model.now += u32::from(steps),
            Op::Sweep(budget) => {
                let now = self.now();
                let _ = self.vtep.handle_timeout(now, budget.into(), |_| {});
            }
            Op::Compare => self.compare(),
            Op::Send { vni, to, from, payload } => {
                self.send(vni, &frame(to, from, payload), to, from, payload)
            }
            Op::Receive { vni, remote, to, from, payload } => {
                self.receive(vni, remote, &frame(to, from, payload), from);
            }
            Op::Noise { underlay, bytes } => self.noise(underlay, &bytes),
        }
    }

    fn put(&mut self, vni: u8, mac: u8, place: Place, dynamic: bool) {
        let destination = match place {
            Place::Remote(remote) => self.vtep.remote(address(remote)).unwrap().into(),
            Place::Here => Destination::Local,
            Place::Nowhere => Destination::Blackhole,
        };
        let new = NewEntry::to(destination);
        let new = if dynamic { new.dynamic(self.now()) } else { new.as_static() };
        // A table that nobody sweeps takes nothing that ages.
        self.sweep();
        self.vtep.fdb().replace(segment(vni), host(mac), new).unwrap();
        self.model.know(vni);
        let known = Known { place, confirmed: dynamic.then_some(self.model.now) };
        self.model.entries.insert((vni, mac), known);
    }

    fn sweep(&mut self) {
        let now = self.now();
        while !self.vtep.handle_timeout(now, usize::MAX, |_| {}).complete {}
    }

    fn send(&mut self, vni: u8, frame: &[u8], to: u8, from: u8, payload: Payload) {
        let mut buffer = [&[0xee; ROOM][..], frame].concat();
        let mut packet = Packet::new(&mut buffer, ROOM, frame.len()).unwrap();
        let (now, meta) = (self.now(), OverlayMeta::new(segment(vni)));
        let output = self.vtep.handle_overlay(&mut self.worker, now, &meta, &mut packet);
        let sent = packet.as_slice().to_vec();
        if let (Payload::Question(ip), Proxy::NeighSuppress) = (payload, self.vtep.config().proxy) {
            let mac = self.model.neighbors.get(&(vni, ip)).copied().filter(|_| to >= op::GROUPS);
            if let Some(mac) = mac.filter(|&mac| mac != from && from < op::GROUPS) {
                if self.model.live((vni, mac)).is_some_and(|known| known.place == Place::Here) {
                    assert_eq!((output, &sent[..]), (Output::Drop(DropReason::ProxyConsumed), frame));
                    return;
                }
                assert_eq!(output, Output::Reply);
                assert_eq!(sent[..12], [host(from).0, host(mac).0].concat());
                return;
            }
        }
        let reached = |output: &Output| match output {
            Output::Send { address, .. } => {
                // What comes out at the other end is what went in.
                let (ip, rest) = ipv4::Header::parse(&sent).unwrap();
                assert_eq!(IpAddr::V4(ip.destination), *address);
                let (_, rest) = udp::Header::parse(rest).unwrap();
                let (header, inner) = vxlan::Header::parse(rest).unwrap();
                assert_eq!((header.vni(), inner), (Some(segment(vni)), frame));
                vec![*address]
            }
            _ => vec![],
        };
        match self.model.decide(vni, to) {
            Expected::To(remotes) if remotes.len() > 1 => {
                let Output::Replicate(flood) = output else { panic!("{output:?}") };
                assert_eq!(sent, frame);
                let copies: Vec<_> = self.vtep.replicas(&mut self.worker, &flood, &sent).collect();
                assert_eq!(
                    copies.iter().map(|copy| copy.address).collect::<BTreeSet<_>>().len(),
                    copies.len()
                );
                let reached: Vec<_> = copies.iter().map(|copy| copy.address).collect();
                assert_eq!(reached, remotes.iter().map(|&remote| address(remote)).collect::<Vec<_>>());
            }
            Expected::To(remotes) => assert_eq!(reached(&output), [address(remotes[0])], "{output:?}"),
            Expected::Drop(reason) => assert_eq!((output, &sent[..]), (Output::Drop(reason), frame)),
        }
    }

    fn receive(&mut self, vni: u8, remote: u8, frame: &[u8], from: u8) {
        let header = vxlan::Header::new(segment(vni)).to_bytes();
        let bytes = wrapped(address(remote), self.vtep.config().dstport, &[&header[..], frame].concat());
        let mut buffer = bytes.clone();
        let mut packet = Packet::new(&mut buffer, 0, bytes.len()).unwrap();
        // Whoever learns needs a table that is swept.
        self.sweep();
        let now = self.now();
        let output = self.vtep.handle_underlay(&mut self.worker, now, &DecapMeta::new(), &mut packet);
        match self.model.receive(vni, remote, from) {
            None => {
                let Output::Deliver { vni: delivered, .. } = output else { panic!("{output:?}") };
                assert_eq!((delivered, packet.as_slice()), (segment(vni), frame));
            }
            Some(reason) => assert_eq!((output, packet.as_slice()), (Output::Drop(reason), &bytes[..])),
        }
    }

    /// Whatever it is: nothing panics, and what is refused is as it was.
    fn noise(&mut self, underlay: bool, bytes: &[u8]) {
        let mut buffer = [&[0xee; ROOM][..], bytes].concat();
        let mut packet = Packet::new(&mut buffer, ROOM, bytes.len()).unwrap();
        let now = self.now();
        let output = if underlay {
            self.vtep.handle_underlay(&mut self.worker, now, &DecapMeta::new(), &mut packet)
        } else {
            // In a segment that the model knows nothing of.
            let meta = OverlayMeta::new(Vni::truncate(99));
            self.vtep.handle_overlay(&mut self.worker, now, &meta, &mut packet)
        };
        if matches!(output, Output::Drop(_) | Output::Pass) {
            assert_eq!(packet.as_slice(), bytes);
        }
        // Whatever it says of a path, the model's frames are shorter.
        let _ = self.vtep.handle_underlay_icmp(now, 0, bytes);
    }

    /// Everything that can be looked up.
    fn compare(&mut self) {
        let now = self.now();
        for vni in 0..op::VNIS {
            for mac in 0..op::GROUPS {
                let found = self.vtep.fdb().lookup(now, segment(vni), host(mac)).destination();
                let found = found.map(|destination| match destination {
                    Destination::Remote(id) => Err(self.vtep.remotes().get(id).unwrap().address),
                    Destination::Local => Ok(Place::Here),
                    _ => Ok(Place::Nowhere),
                });
                let expected = self.model.live((vni, mac)).map(|known| match known.place {
                    Place::Remote(remote) => Err(address(remote)),
                    place => Ok(place),
                });
                assert_eq!(found, expected, "VNI {vni}, host {mac}");
            }
        }
        assert_eq!(self.vtep.fdb().knows(segment(0)), self.model.known.contains(&0));
    }
}

fn segment(vni: u8) -> Vni {
    Vni::truncate(u32::from(vni) << 16 | 42)
}

/// Hosts, and behind them groups and addresses that no host has.
fn host(mac: u8) -> MacAddr {
    match mac {
        op::BROADCAST => MacAddr::BROADCAST,
        op::MULTICAST => MacAddr([0x33, 0x33, 0, 0, 0, 1]),
        host => MacAddr([2, 0, 0, 0, 0, host]),
    }
}

fn frame(to: u8, from: u8, payload: Payload) -> Vec<u8> {
    let (ethertype, bytes) = match payload {
        Payload::Question(ip) => {
            let question = arp::Header {
                operation: arp::Operation::REQUEST,
                sender_mac: host(from),
                sender_ip: [10, 0, 0, 200].into(),
                target_mac: MacAddr::ZERO,
                target_ip: [10, 0, 0, ip].into(),
            };
            (0x0806u16, question.to_bytes().to_vec())
        }
        Payload::Bytes(len) => (0x88b5, vec![0x5a; len.into()]),
    };
    [&host(to).0[..], &host(from).0, &ethertype.to_be_bytes(), &bytes].concat()
}

/// A datagram to us.
fn wrapped(source: IpAddr, port: u16, payload: &[u8]) -> Vec<u8> {
    let IpAddr::V4(source) = source else { panic!() };
    let udp = udp::Header {
        source_port: 50_000,
        destination_port: port,
        length: 8 + payload.len() as u16,
        checksum: 0,
    };
    let [l0, l1] = (28 + payload.len() as u16).to_be_bytes();
    let head = [0x45, 0, l0, l1, 0, 0, 0x40, 0, 64, 17, 0, 0];
    let bytes = [&head[..], &source.octets(), &HERE].concat();
    let ip = ipv4::Header::from_bytes(bytes.first_chunk().unwrap()).unwrap().with_checksum().fixed_bytes();
    [&ip[..], &udp.to_bytes(), payload].concat()
}
