//! From devices into the underlay.

use std::{
    io::{self, ErrorKind},
    mem,
    net::SocketAddr,
    ops::Range,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use encap::{
    Packet,
    packet::Header,
    tunnel::InnerChecksum,
    vtep::{Miss, Output, OverlayMeta, Worker},
    wire::{Vni, vxlan_gbp::GroupPolicy},
};
use encap_linux::{BATCH, Datagram, Device, HEADROOM, Segments, Transmitter, Waiter};
use socket2::Socket;

use crate::{
    shared::{Clock, Shared, Way},
    tables::Engine,
};

/// What the thread needs of the program.
#[derive(Clone, Copy)]
pub(crate) struct Ends<'a> {
    pub(crate) vtep: &'a Engine,
    pub(crate) shared: &'a Shared,
    pub(crate) clock: Clock,
    /// Devices with their segments.
    pub(crate) devices: &'a [(Device, Vni)],
    pub(crate) verbose: bool,
}

impl<'a> Ends<'a> {
    /// The device of a segment.
    pub(crate) fn device(&self, vni: Vni) -> Option<&'a Device> {
        self.devices.iter().find(|(_, of)| *of == vni).map(|(device, _)| device)
    }

    /// Writes a frame or a packet to the device of a segment.
    pub(crate) fn deliver(&self, vni: Vni, packet: &[u8]) {
        let Some(device) = self.device(vni) else { return };
        if let Err(error) = device.deliver(packet) {
            self.shared.failed("write to device", &error);
        }
    }
}

/// The way out: one thread's.
pub(crate) struct Outbound<'a> {
    ends: Ends<'a>,
    worker: Worker,
    policy: Option<GroupPolicy>,
    /// By IPv4 and by IPv6.
    sockets: [Option<Transmitter>; 2],
    /// What a device with offload hands over.
    read: Vec<u8>,
    buffers: Buffers,
    queue: Vec<Queued>,
}

/// Frames that wait to be sent, each with room before it.
struct Buffers {
    bytes: Vec<u8>,
    stride: usize,
    used: usize,
}

/// A packet to send: bytes of a buffer, and for a copy of a flooded frame the header before them.
struct Queued {
    to: SocketAddr,
    header: Option<Header>,
    bytes: Range<usize>,
}

impl<'a> Outbound<'a> {
    /// Sends by these sockets, one of each family that we have an address of.
    pub(crate) fn new(ends: Ends<'a>, policy: Option<u16>, sockets: [Option<Socket>; 2]) -> io::Result<Self> {
        // An odd number of cache lines, so that the fronts of frames do not fall on the same ones.
        let stride = ((HEADROOM + MAX_FRAME).div_ceil(64) | 1) * 64;
        let offload = ends.devices.iter().all(|(device, _)| device.has_offload());
        let transmitter = |socket: Socket| -> io::Result<Transmitter> {
            let transmitter = Transmitter::new(socket)?;
            Ok(if offload { transmitter.with_segmentation() } else { transmitter })
        };
        let [v4, v6] = sockets.map(|socket| socket.map(transmitter).transpose());
        Ok(Self {
            ends,
            worker: Worker::new(1),
            policy: policy.map(|id| GroupPolicy { id, dont_learn: false, applied: false }),
            sockets: [v4?, v6?],
            read: vec![0; Device::VNET_HEADER + MAX_FRAME],
            buffers: Buffers { bytes: vec![0; stride * BATCH], stride, used: 0 },
            queue: Vec::with_capacity(2 * BATCH),
        })
    }

    /// Works until `stop` is closed.
    pub(crate) fn run(mut self, stop: BorrowedFd<'_>) -> io::Result<()> {
        let Ends { devices, vtep, shared, .. } = self.ends;
        let id = vtep.register().map_err(io::Error::other)?;
        let fds = devices.iter().map(|(device, _)| device.as_fd());
        let mut waiter = Waiter::new(fds.chain([stop]));
        while !waiter.is_ready(devices.len()) {
            for (place, (device, vni)) in devices.iter().enumerate() {
                if waiter.is_ready(place) {
                    self.turn(device, *vni).map_err(|error| named(device, error))?;
                }
            }
            // No handle is kept from one turn to the next.
            vtep.tables().quiesce(&id);
            shared.publish(Way::Out, self.worker.counters());
            self.tell_misses();
            waiter.wait(Some(QUIET))?;
        }
        vtep.tables().unregister(id);
        Ok(())
    }

    /// Reads what a device has, a batch at the most, and sends it.
    fn turn(&mut self, device: &Device, vni: Vni) -> io::Result<()> {
        let meta = OverlayMeta::new(vni);
        if device.has_offload() {
            let mut read = mem::take(&mut self.read);
            let done = self.cut(device, &meta, &mut read);
            self.read = read;
            done?;
        } else {
            while let Some(buffer) = self.buffers.next() {
                let Some(len) = device.read(buffer.get_mut(HEADROOM..).unwrap_or_default())? else { break };
                self.handle(device, meta, len);
            }
        }
        self.flush();
        Ok(())
    }

    /// As many reads of a device with offload as a turn takes, cut into frames.
    fn cut(&mut self, device: &Device, meta: &OverlayMeta, read: &mut [u8]) -> io::Result<()> {
        for _ in 0..BATCH {
            let Some(len) = device.read(read)? else { break };
            let Ok(mut segments) = Segments::new(device.layer(), read.get_mut(..len).unwrap_or_default())
            else {
                self.ends.shared.failed("read from device", &ErrorKind::InvalidData.into());
                continue;
            };
            let mut meta = *meta;
            if segments.are_checksums_good() {
                meta.inner_checksum = InnerChecksum::Good;
            }
            loop {
                if self.buffers.is_full() {
                    self.flush();
                }
                let buffer = self.buffers.next().and_then(|buffer| buffer.get_mut(HEADROOM..));
                let Some(len) = segments.next(buffer.unwrap_or_default()) else { break };
                self.handle(device, meta, len);
            }
        }
        Ok(())
    }

    /// Does what the engine says of the frame in the next buffer.
    fn handle(&mut self, device: &Device, mut meta: OverlayMeta, len: usize) {
        let Ends { vtep, clock, shared, .. } = self.ends;
        let (start, Some(buffer)) = (self.buffers.start(), self.buffers.next()) else { return };
        let Ok(mut packet) = Packet::new(buffer, HEADROOM, len) else { return };
        meta.policy = self.policy;
        let (worker, now) = (&mut self.worker, clock.now());
        let output = match vtep.config().l3 {
            true => vtep.handle_ip(worker, now, &meta, &mut packet),
            false => vtep.handle_overlay(worker, now, &meta, &mut packet),
        };
        match output {
            Output::Send { address, port, .. } => {
                let (first, len) = packet.into_range();
                let bytes = start + first..start + first + len;
                self.queue.push(Queued { to: SocketAddr::new(address, port), header: None, bytes });
                self.buffers.used += 1;
            }
            Output::Replicate(flood) => {
                let copies = vtep.replicas(worker, &flood, packet.as_slice());
                let before = self.queue.len();
                self.queue.extend(copies.map(|copy| Queued {
                    to: SocketAddr::new(copy.address, copy.port),
                    header: Some(copy.header),
                    bytes: 0..0,
                }));
                let (first, len) = packet.into_range();
                for queued in self.queue.iter_mut().skip(before) {
                    queued.bytes = start + first..start + first + len;
                }
                self.buffers.used += 1;
            }
            Output::Reply => {
                if let Err(error) = device.deliver(packet.as_slice()) {
                    shared.failed("write to device", &error);
                }
            }
            Output::Deliver { vni, .. } => self.ends.deliver(vni, packet.as_slice()),
            // Drops are counted; nothing else is an answer to a frame of ours.
            _ => {}
        }
    }

    /// Sends what waits.
    fn flush(&mut self) {
        for (is_ipv6, socket) in [false, true].into_iter().zip(&mut self.sockets) {
            let Some(socket) = socket else { continue };
            let mut waiting = self.queue.iter().filter(|queued| queued.to.is_ipv6() == is_ipv6).peekable();
            while waiting.peek().is_some() {
                let empty = Datagram { to: SocketAddr::from(([0; 4], 0)), parts: [&[]; 2] };
                let mut datagrams = [empty; BATCH];
                let mut count = 0;
                for (datagram, queued) in datagrams.iter_mut().zip(waiting.by_ref()) {
                    let frame = self.buffers.bytes.get(queued.bytes.clone()).unwrap_or_default();
                    let parts = match &queued.header {
                        Some(header) => [&**header, frame],
                        None => [frame, &[]],
                    };
                    *datagram = Datagram { to: queued.to, parts };
                    count += 1;
                }
                let shared = self.ends.shared;
                socket.send(datagrams.get(..count).unwrap_or_default(), |error| {
                    shared.failed("send", &error);
                });
            }
        }
        self.queue.clear();
        self.buffers.used = 0;
    }

    fn tell_misses(&mut self) {
        while let Some(miss) = self.worker.poll_event() {
            if !self.ends.verbose {
                continue;
            }
            match miss {
                Miss::L2 { vni, mac } => eprintln!("miss {mac} vni {vni}"),
                Miss::L3 { vni, address } => eprintln!("miss {address} vni {vni}"),
                other => eprintln!("miss {other:?}"),
            }
        }
    }
}

impl Buffers {
    /// Where the next free buffer starts.
    fn start(&self) -> usize {
        self.used * self.stride
    }

    fn is_full(&self) -> bool {
        self.used == BATCH
    }

    /// The next free buffer, if there is one.
    fn next(&mut self) -> Option<&mut [u8]> {
        let start = self.start();
        self.bytes.get_mut(start..start + self.stride)
    }
}

fn named(device: &Device, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("device {}: {error}", device.name()))
}

/// Ethernet with tags, and the longest IP packet.
const MAX_FRAME: usize = 32 + 65_535;

/// How long a thread that has nothing to do sleeps before it says that it holds no handles.
pub(crate) const QUIET: Duration = Duration::from_secs(1);
