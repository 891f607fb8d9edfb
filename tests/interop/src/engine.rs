//! The library's VTEP, as a program would run it that owns a device of the underlay.

use std::{net::IpAddr, time::Duration};

use encap::{
    Packet,
    table::{Capacity, Line, Remote, RemoteId},
    time::Instant,
    tunnel::{DecapMeta, Framing, Link},
    vtep::{Config, DropReason, Output, OverlayMeta, Vtep, Worker},
    wire::{MacAddr, Vni},
};

use crate::bytes::Mac;

/// Room before a packet.
const ROOM: usize = 192;

/// A VTEP with the one core that runs it, and a clock that the test winds.
#[derive(Debug)]
pub struct Engine {
    /// The VTEP.
    pub vtep: Vtep<Box<[Line]>>,
    /// Its core.
    pub worker: Worker<'static>,
    /// What time it is.
    pub now: Instant,
}

/// What became of a packet from the underlay, or of a frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// This frame came out.
    Delivered(Vec<u8>),
    /// This answer goes back to the sender.
    Reply(Vec<u8>),
    /// These packets go into the underlay, each to this address and port.
    Sent(Vec<(IpAddr, u16, Vec<u8>)>),
    /// Nothing came of it.
    Dropped(DropReason),
    /// It is none of its business.
    Passed,
}

impl Engine {
    /// A VTEP with outer Ethernet headers: `mac` is the underlay device's.
    ///
    /// # Panics
    ///
    /// Where the settings do not work.
    pub fn new(config: Config, mac: Mac) -> Self {
        let config = {
            let mut config = config;
            config.framing = Framing::Ethernet(Link::resolving(MacAddr(mac)));
            config
        };
        let capacity = Capacity { neighbors: 64, routes: 16, ..Capacity::fdb(1_024) };
        let vtep = Vtep::with_capacity(config, capacity, [0x1eaf, 0x5eed]).unwrap();
        Self { vtep, worker: Worker::new(1), now: Instant::from_secs(1_000) }
    }

    /// The remote at this address, its MAC address known.
    pub fn remote(&self, address: IpAddr, mac: Mac) -> RemoteId {
        let port = self.vtep.config().dstport;
        self.vtep.add_remote(&Remote::new(address, port).next_hop(MacAddr(mac))).unwrap()
    }

    /// So much time passes.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
    }

    /// What becomes of a packet from the underlay.
    pub fn receive(&mut self, packet: &[u8]) -> Verdict {
        let mut buffer = buffer(packet);
        let mut packet = Packet::new(&mut buffer, ROOM, packet.len()).unwrap();
        let output = self.vtep.handle_underlay(&mut self.worker, self.now, &DecapMeta::new(), &mut packet);
        self.verdict(output, &packet)
    }

    /// What becomes of a frame of this segment.
    pub fn send(&mut self, vni: Vni, frame: &[u8]) -> Verdict {
        self.send_with(&OverlayMeta::new(vni), frame)
    }

    /// What becomes of a frame of which this is known.
    pub fn send_with(&mut self, meta: &OverlayMeta, frame: &[u8]) -> Verdict {
        let mut buffer = buffer(frame);
        let mut packet = Packet::new(&mut buffer, ROOM, frame.len()).unwrap();
        let output = self.vtep.handle_overlay(&mut self.worker, self.now, meta, &mut packet);
        self.verdict(output, &packet)
    }

    fn verdict(&mut self, output: Output, packet: &Packet<'_>) -> Verdict {
        let bytes = packet.as_slice();
        match output {
            Output::Send { address, port, .. } => Verdict::Sent(vec![(address, port, bytes.to_vec())]),
            Output::Replicate(flood) => {
                let copies = self.vtep.replicas(&mut self.worker, &flood, bytes);
                let packet = |header: &[u8]| [header, bytes].concat();
                Verdict::Sent(copies.map(|copy| (copy.address, copy.port, packet(&copy.header))).collect())
            }
            Output::Reply => Verdict::Reply(bytes.to_vec()),
            Output::Deliver { .. } | Output::DeliverIp { .. } => Verdict::Delivered(bytes.to_vec()),
            Output::Drop(reason) => Verdict::Dropped(reason),
            Output::Pass => Verdict::Passed,
            other => panic!("the next hop of every remote is known, yet {other:?}"),
        }
    }
}

fn buffer(packet: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0xee; ROOM];
    buffer.extend_from_slice(packet);
    buffer
}
