//! A machine with a VTEP: hosts on one side, the underlay on the other.

use std::{
    collections::BTreeMap,
    error::Error,
    net::{IpAddr, Ipv4Addr},
};

use encap::{
    Packet,
    table::{Capacity, Destination, Line, Lookup, Snooping},
    time::Instant,
    tunnel::DecapMeta,
    vtep::{Config, Counters, Miss, Output, OverlayMeta, Proxy, Vtep, Worker},
    wire::{MacAddr, Vni},
};

use super::frames::{self, Content};

/// A VTEP, and the core that runs it.
pub(crate) struct Node {
    pub(crate) address: Ipv4Addr,
    pub(crate) vtep: Vtep<Box<[Line]>>,
    pub(crate) worker: Worker<'static>,
    /// What other workers have counted.
    pub(crate) bulk: Counters,
    /// The places of the hosts behind it, by segment and MAC address.
    pub(crate) hosts: BTreeMap<(Vni, MacAddr), usize>,
    /// What it was seen to know already.
    told: BTreeMap<(Vni, MacAddr), IpAddr>,
}

/// What became of a host's frame.
pub(crate) enum Sent {
    /// It is in a packet, or in several.
    Packets(Vec<Vec<u8>>),
    /// It was turned into an answer for its sender.
    Answer(Vec<u8>),
    Dropped,
}

impl Node {
    pub(crate) fn new(address: Ipv4Addr, capacity: Capacity, seed: [u64; 2]) -> Result<Self, Box<dyn Error>> {
        let mut config = Config::new().local(address.into());
        config.proxy = Proxy::NeighSuppress;
        config.tables.snooping = Snooping::All;
        let vtep = Vtep::with_capacity(config, capacity, seed)?;
        // What the engine does not know waits here to be told.
        let worker = Worker::new(0).with_miss_capacity(16);
        let (hosts, told) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { address, vtep, worker, bulk: Counters::ZERO, hosts, told })
    }

    /// Serves a segment: what nobody knows goes to all these VTEPs.
    pub(crate) fn join(
        &self,
        vni: Vni,
        others: impl Iterator<Item = Ipv4Addr>,
    ) -> Result<(), Box<dyn Error>> {
        self.vtep.fdb().add_vni(vni)?;
        for other in others {
            let remote = self.vtep.remote(other.into())?;
            self.vtep.fdb().append(vni, MacAddr::ZERO, remote)?;
        }
        Ok(())
    }

    /// Has a host on its side.
    pub(crate) fn attach(&mut self, vni: Vni, mac: MacAddr, host: usize) -> Result<(), Box<dyn Error>> {
        self.vtep.fdb().add(vni, mac, Destination::Local)?;
        self.hosts.insert((vni, mac), host);
        Ok(())
    }

    /// The hosts on this side that a frame is for: one, or all but its sender.
    pub(crate) fn local(&self, vni: Vni, source: MacAddr, destination: MacAddr) -> Vec<usize> {
        let of_segment = self.hosts.range((vni, MacAddr::ZERO)..=(vni, MacAddr::BROADCAST));
        let others = of_segment.filter(|((_, mac), _)| *mac != source);
        others
            .filter(|((_, mac), _)| destination.is_multicast() || *mac == destination)
            .map(|(_, &host)| host)
            .collect()
    }

    /// A frame of a host behind it goes through the engine. Also a line about it.
    pub(crate) fn send(&mut self, now: Instant, vni: Vni, frame: &[u8]) -> (Sent, String) {
        let route = self.route(now, vni, frame);
        let mut buffer = vec![0; self.vtep.headroom()];
        let start = buffer.len();
        buffer.extend_from_slice(frame);
        let Ok(mut packet) = Packet::new(&mut buffer, start, frame.len()) else {
            return (Sent::Packets(Vec::new()), String::new());
        };
        let output = self.vtep.handle_overlay(&mut self.worker, now, &OverlayMeta::new(vni), &mut packet);
        let miss = self.misses();
        match output {
            Output::Send { address, .. } => {
                let (len, packet) = (frame.len(), packet.as_slice().to_vec());
                let outer = packet.len() - len;
                let text = format!("{miss}{route}: encapsulated for {address}, {outer} + {len} bytes");
                (Sent::Packets(vec![packet]), text)
            }
            Output::Replicate(flood) => {
                let copies = self.vtep.replicas(&mut self.worker, &flood, frame);
                let (to, packets): (Vec<_>, Vec<_>) =
                    copies.map(|copy| (copy.address.to_string(), [&copy.header[..], frame].concat())).unzip();
                (Sent::Packets(packets), format!("{miss}{route}: flooded to {}", to.join(", ")))
            }
            Output::Reply => {
                let answer = packet.as_slice().to_vec();
                let text = match frames::read(&answer).map(|seen| seen.content) {
                    Some(Content::Arp(arp)) => {
                        let arp = (arp.sender_ip, arp.sender_mac);
                        format!("knows that {} is at {}: answers itself (ARP proxy)", arp.0, arp.1)
                    }
                    _ => "answers itself".into(),
                };
                (Sent::Answer(answer), text)
            }
            Output::Drop(reason) => (Sent::Dropped, format!("{miss}dropped: {reason}")),
            other => (Sent::Packets(Vec::new()), format!("unexpected: {other:?}")),
        }
    }

    /// Why a frame goes where it goes.
    fn route(&self, now: Instant, vni: Vni, frame: &[u8]) -> String {
        let Some(seen) = frames::read(frame) else { return String::new() };
        let mac = seen.destination;
        match self.vtep.fdb().lookup(now, vni, mac) {
            _ if mac.is_multicast() => "for everybody".into(),
            Lookup::Found(_) => format!("knows {mac}"),
            _ => format!("{mac} unknown"),
        }
    }

    /// What the engine would ask a control plane.
    fn misses(&mut self) -> String {
        let mut text = String::new();
        while let Some(miss) = self.worker.poll_miss() {
            match miss {
                Miss::L3 { address, .. } => text += &format!("does not know {address}; "),
                Miss::L2 { mac, .. } => text += &format!("does not know {mac}; "),
                _ => {}
            }
        }
        text
    }

    /// A packet from the underlay goes through the engine: the frame and its segment. Also a line about it.
    pub(crate) fn receive(&mut self, now: Instant, bytes: &[u8]) -> (Option<(Vni, Vec<u8>)>, String) {
        let mut buffer = bytes.to_vec();
        let Ok(mut packet) = Packet::new(&mut buffer, 0, bytes.len()) else { return (None, String::new()) };
        match self.vtep.handle_underlay(&mut self.worker, now, &DecapMeta::new(), &mut packet) {
            Output::Deliver { vni, source, .. } => {
                let from = source.and_then(|source| self.vtep.remotes().get(source));
                let from = from.map(|remote| remote.address);
                let frame = packet.as_slice().to_vec();
                let text = self.learned(now, vni, &frame);
                let from = from.map_or_else(|| "a stranger".into(), |from| from.to_string());
                (Some((vni, frame)), format!("from {from}, vni {vni}{text}"))
            }
            Output::Drop(reason) => (None, format!("dropped a packet: {reason}")),
            _ => (None, "passes on a packet that is no tunnel's".into()),
        }
    }

    /// What a frame out of a tunnel has taught.
    fn learned(&mut self, now: Instant, vni: Vni, frame: &[u8]) -> String {
        let Some(seen) = frames::read(frame) else { return String::new() };
        // The engine learns where MAC addresses are. Who trusts what remote hosts say of their IP addresses has
        // the proxy answer for those, too.
        if let Content::Arp(arp) = seen.content {
            let _ = self.vtep.neighbors().snoop_arp(now, vni, &arp);
        }
        let Lookup::Found(Destination::Remote(id)) = self.vtep.fdb().lookup(now, vni, seen.source) else {
            return String::new();
        };
        let Some(remote) = self.vtep.remotes().get(id) else { return String::new() };
        match self.told.insert((vni, seen.source), remote.address) {
            Some(known) if known == remote.address => String::new(),
            _ => format!("; learned {} behind {}", seen.source, remote.address),
        }
    }
}
