//! What the tests of the VTEP share: VTEPs, frames, and a wire between them.

use std::net::IpAddr;

use encap::{
    Packet,
    table::{Capacity, Line},
    time::Instant,
    tunnel::DecapMeta,
    vtep::{Config, Output, OverlayMeta, Vtep, Worker},
    wire::{MacAddr, Vni},
};

pub(crate) const VNI: Vni = Vni::truncate(42);
pub(crate) const NOW: Instant = Instant::from_secs(1_000);
pub(crate) const ROOM: usize = 128;

/// A VTEP with the core that runs it.
pub(crate) struct Node {
    pub(crate) vtep: Vtep<Box<[Line]>>,
    pub(crate) worker: Worker<'static>,
}

pub(crate) fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

pub(crate) fn mac(host: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, host])
}

impl Node {
    /// A VTEP at 192.0.2.`last` that knows the segment.
    pub(crate) fn new(last: u8, config: Config) -> Self {
        let capacity = Capacity { neighbors: 64, routes: 16, quotas: 2, ..Capacity::fdb(256) };
        let vtep = Vtep::with_capacity(config.local(address(last)), capacity, [7, last.into()]).unwrap();
        vtep.fdb().add_vni(VNI).unwrap();
        Self { vtep, worker: Worker::new(last.into()).with_miss_capacity(16) }
    }

    /// Floods what is unknown to these VTEPs.
    pub(crate) fn peers(self, last: &[u8]) -> Self {
        for &last in last {
            let remote = self.vtep.remote(address(last)).unwrap();
            self.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
        }
        self
    }

    /// What becomes of a frame that a local host sends: the decision, and the bytes then.
    pub(crate) fn send(&mut self, now: Instant, frame: &[u8]) -> (Output, Vec<u8>) {
        self.send_with(now, &OverlayMeta::new(VNI), frame)
    }

    pub(crate) fn send_with(&mut self, now: Instant, meta: &OverlayMeta, frame: &[u8]) -> (Output, Vec<u8>) {
        let mut buffer = buffer(frame);
        let mut packet = Packet::new(&mut buffer, ROOM, frame.len()).unwrap();
        let output = self.vtep.handle_overlay(&mut self.worker, now, meta, &mut packet);
        (output, packet.as_slice().to_vec())
    }

    /// What becomes of a packet from the underlay.
    pub(crate) fn receive(&mut self, now: Instant, packet: &[u8]) -> (Output, Vec<u8>) {
        let mut buffer = buffer(packet);
        let mut packet = Packet::new(&mut buffer, ROOM, packet.len()).unwrap();
        let output = self.vtep.handle_underlay(&mut self.worker, now, &DecapMeta::new(), &mut packet);
        (output, packet.as_slice().to_vec())
    }

    /// The packets that a frame becomes, one for each remote: address and bytes.
    pub(crate) fn packets(&mut self, now: Instant, frame: &[u8]) -> Vec<(IpAddr, Vec<u8>)> {
        match self.send(now, frame) {
            (Output::Send { address, .. }, packet) => vec![(address, packet)],
            (Output::Replicate(flood), frame) => self
                .vtep
                .replicas(&mut self.worker, &flood, &frame)
                .map(|copy| (copy.address, [&copy.header[..], &frame].concat()))
                .collect(),
            _ => vec![],
        }
    }
}

fn buffer(packet: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0xee; ROOM];
    buffer.extend_from_slice(packet);
    buffer
}

/// The packets of a burst, each behind [`ROOM`] bytes of headroom in its buffer.
pub(crate) fn burst(buffers: &mut [Vec<u8>]) -> Vec<Packet<'_>> {
    let packets = buffers.iter_mut().map(|buffer| {
        let len = buffer.len() - ROOM;
        Packet::new(buffer, ROOM, len).unwrap()
    });
    packets.collect()
}

/// An Ethernet frame.
pub(crate) fn frame(destination: MacAddr, source: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&destination.0[..], &source.0, &ethertype.to_be_bytes(), payload].concat()
}

/// An IPv4 datagram of UDP with this many bytes of payload, in a frame.
pub(crate) fn datagram(destination: MacAddr, source: MacAddr, len: usize) -> Vec<u8> {
    use encap::wire::ipv4;
    let total = 28 + len;
    let [l0, l1] = (total as u16).to_be_bytes();
    let header =
        [0x45, 0, l0, l1, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, source.0[5], 10, 1, 0, destination.0[5]];
    let header = ipv4::Header::from_bytes(&header).unwrap().with_checksum().fixed_bytes();
    let [u0, u1] = (8 + len as u16).to_be_bytes();
    let udp = [3, 0xe8, 7, 0xd0, u0, u1, 0, 0];
    frame(destination, source, 0x0800, &[&header[..], &udp, &vec![0x5a; len]].concat())
}
