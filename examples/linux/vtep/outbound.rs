//! From devices into the underlay.

use std::{
    borrow::Cow,
    io::{self, ErrorKind},
    mem,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use encap::{
    Packet,
    packet::Header,
    tunnel::InnerChecksum,
    vtep::{Config, Output, OverlayMeta, Worker},
    wire::{EtherType, VlanId, Vni, ethernet, vxlan_gbp::GroupPolicy},
};
use encap_linux::{BATCH, Datagram, Device, HEADROOM, Segments, Transmitter, Waiter, udp};

use crate::{
    args::Tx,
    events::{self, EVENTS},
    ports::Port,
    setup::Out,
    shared::{Clock, Shared, Way},
    tables::Engine,
};

/// What the thread needs of the program.
#[derive(Clone, Copy)]
pub(crate) struct Ends<'a> {
    pub(crate) vtep: &'a Engine,
    pub(crate) shared: &'a Shared,
    pub(crate) clock: Clock,
    pub(crate) ports: &'a [Port],
    pub(crate) verbose: bool,
}

impl<'a> Ends<'a> {
    /// A worker that tells what it learns, where that is wanted.
    pub(crate) fn worker(&self, seed: u16) -> Worker<'static> {
        Worker::new(seed).with_event_capacity(if self.verbose { EVENTS } else { 0 })
    }

    /// The device of a segment.
    pub(crate) fn device(&self, vni: Vni) -> Option<&'a Device> {
        self.ports.iter().find(|port| port.has(vni)).map(|port| &port.device)
    }

    /// Writes a frame or a packet to the device of a segment.
    pub(crate) fn deliver(&self, vni: Vni, packet: &[u8]) {
        if let Some(device) = self.device(vni) {
            self.write(device, packet);
        }
    }

    /// Writes a copy of a flooded frame that stays here to its segment's device, with the segment's tag on a trunk.
    fn deliver_copy(&self, vni: Vni, frame: &[u8]) {
        let vlan = self.vtep.vlans().vlan(vni).filter(|&vlan| vlan != VlanId::default());
        if let Some(bytes) = of_copy(self.vtep.config(), vlan, frame) {
            self.deliver(vni, &bytes);
        }
    }

    /// What stays here, and of which segment, as its device is to get it; `None` for what goes elsewhere.
    pub(crate) fn staying<'p>(&self, output: &Output, bytes: &'p [u8]) -> Option<(Vni, &'p [u8])> {
        staying(self.vtep.config(), output, bytes)
    }

    fn write(&self, device: &Device, packet: &[u8]) {
        if let Err(error) = device.deliver(packet) {
            self.shared.failed("write to device", &error);
        }
    }
}

/// The way out: one thread's.
pub(crate) struct Outbound<'a> {
    ends: Ends<'a>,
    worker: Worker<'static>,
    policy: Option<GroupPolicy>,
    /// By IPv4 and by IPv6.
    sockets: [Option<Transmitter>; 2],
    /// What a device with offload hands over.
    read: Vec<u8>,
    frames: Frames,
}

/// Frames that are to be sent, each in a buffer of its own with room before it.
struct Frames {
    buffers: Vec<u8>,
    lens: Vec<usize>,
    metas: Vec<OverlayMeta>,
}

/// A packet to send: of a copy of a flooded frame, the header is not in its buffer.
struct Queued<'p> {
    to: SocketAddr,
    header: Option<Header>,
    bytes: &'p [u8],
}

impl<'a> Outbound<'a> {
    /// Sends by these sockets, one of each family that we have an address of.
    pub(crate) fn new(
        ends: Ends<'a>,
        policy: Option<u16>,
        sockets: [Option<Out>; 2],
        tx: Tx,
    ) -> io::Result<Self> {
        let offload = ends.ports.iter().all(|port| port.device.has_offload());
        let mtu = ends.vtep.config().mtu;
        let [v4, v6] = sockets.map(|out| out.map(|out| out.transmitter(tx, mtu, offload)).transpose());
        Ok(Self {
            ends,
            worker: ends.worker(1).with_miss_capacity(MISSES),
            policy: policy.map(|id| GroupPolicy { id, dont_learn: false, applied: false }),
            sockets: [v4?, v6?],
            read: vec![0; Device::VNET_HEADER + MAX_FRAME],
            frames: Frames {
                buffers: vec![0; STRIDE * BATCH],
                lens: Vec::with_capacity(BATCH),
                metas: Vec::with_capacity(BATCH),
            },
        })
    }

    /// Works until `stop` is closed.
    pub(crate) fn run(mut self, stop: BorrowedFd<'_>) -> io::Result<()> {
        let Ends { ports, vtep, shared, .. } = self.ends;
        let id = vtep.register().map_err(io::Error::other)?;
        self.worker = self.worker.counting_as(&id);
        let fds = ports.iter().map(|port| port.device.as_fd());
        let mut waiter = Waiter::new(fds.chain([stop]));
        while !waiter.is_ready(ports.len()) {
            for (place, port) in ports.iter().enumerate() {
                if waiter.is_ready(place) {
                    self.turn(port)?;
                }
            }
            events::tell_all(vtep, &mut self.worker);
            // No handle is kept from one turn to the next.
            vtep.quiesce(&id);
            shared.publish(Way::Out, self.worker.counters());
            waiter.wait(Some(QUIET))?;
        }
        vtep.unregister(id);
        Ok(())
    }

    /// Reads what a device has, a batch at the most, and sends it.
    fn turn(&mut self, port: &Port) -> io::Result<()> {
        let (device, mut meta) = (&port.device, port.meta());
        meta.policy = self.policy;
        if device.has_offload() {
            let mut read = mem::take(&mut self.read);
            let done = self.cut(device, meta, &mut read);
            self.read = read;
            done?;
        } else {
            while let Some(buffer) = self.frames.buffer() {
                let Some(len) = device.read(buffer)? else { break };
                self.frames.add(len, meta);
            }
        }
        self.send(device);
        Ok(())
    }

    /// As many reads of a device with offload as a turn takes, cut into frames.
    fn cut(&mut self, device: &Device, meta: OverlayMeta, read: &mut [u8]) -> io::Result<()> {
        for _ in 0..BATCH {
            let Some(len) = device.read(read)? else { break };
            let Ok(mut segments) = Segments::new(device.layer(), read.get_mut(..len).unwrap_or_default())
            else {
                self.ends.shared.failed("read from device", &ErrorKind::InvalidData.into());
                continue;
            };
            let mut meta = meta;
            if segments.are_checksums_good() {
                meta.inner_checksum = InnerChecksum::Good;
            }
            loop {
                if self.frames.buffer().is_none() {
                    self.send(device);
                }
                let Some(len) = segments.next(self.frames.buffer().unwrap_or_default()) else { break };
                self.frames.add(len, meta);
            }
        }
        Ok(())
    }

    /// Does what the engine says of the frames, of which none is left then.
    fn send(&mut self, device: &Device) {
        let Ends { vtep, clock, .. } = self.ends;
        let Frames { buffers, lens, metas } = &mut self.frames;
        let packets = buffers.chunks_exact_mut(STRIDE).zip(&*lens);
        let packets = packets.filter_map(|(buffer, &len)| Packet::new(buffer, HEADROOM, len).ok());
        let mut packets: Vec<_> = packets.collect();
        let mut outputs = [Output::Pass; BATCH];
        let (worker, now) = (&mut self.worker, clock.now());
        if vtep.config().l3 {
            vtep.handle_ip_batch(worker, now, metas, &mut packets, &mut outputs);
        } else {
            vtep.handle_overlay_batch(worker, now, metas, &mut packets, &mut outputs);
        }
        let mut queue = Vec::with_capacity(packets.len());
        for (packet, output) in packets.iter().zip(outputs) {
            let bytes = packet.as_slice();
            match output {
                Output::Send { address, port, egress, .. } => {
                    queue.push(Queued { to: udp::at(address, port, egress), header: None, bytes });
                }
                Output::Replicate(flood) => {
                    for copy in vtep.replicas(worker, &flood, bytes) {
                        let to = udp::at(copy.address, copy.port, copy.egress);
                        match copy.local {
                            Some(vni) => self.ends.deliver_copy(vni, bytes),
                            None => queue.push(Queued { to, header: Some(copy.header), bytes }),
                        }
                    }
                }
                Output::Reply => self.ends.write(device, bytes),
                // Drops are counted; nothing but what stays here is another answer to a frame of ours.
                other => {
                    if let Some((vni, bytes)) = self.ends.staying(&other, bytes) {
                        self.ends.deliver(vni, bytes);
                    }
                }
            }
        }
        for (is_ipv6, socket) in [false, true].into_iter().zip(&mut self.sockets) {
            let of_family: Vec<_> =
                queue.iter().filter(|queued| queued.to.is_ipv6() == is_ipv6).map(Queued::datagram).collect();
            if let Some(socket) = socket {
                socket.send(&of_family, |error| self.ends.shared.failed("send", &error));
            }
        }
        lens.clear();
        metas.clear();
    }
}

impl Queued<'_> {
    fn datagram(&self) -> Datagram<'_> {
        let parts = match &self.header {
            Some(header) => [&**header, self.bytes],
            None => [self.bytes, &[]],
        };
        Datagram { to: self.to, parts }
    }
}

impl Frames {
    /// Where the next frame goes, if there is room for one.
    fn buffer(&mut self) -> Option<&mut [u8]> {
        let start = self.lens.len() * STRIDE;
        self.buffers.get_mut(start + HEADROOM..start + STRIDE)
    }

    /// Adds the frame in that place.
    fn add(&mut self, len: usize, meta: OverlayMeta) {
        self.lens.push(len);
        self.metas.push(meta);
    }
}

/// What stays here, as a device is to get it.
fn staying<'p>(config: &Config, output: &Output, bytes: &'p [u8]) -> Option<(Vni, &'p [u8])> {
    match *output {
        Output::Deliver { vni, .. } => Some((vni, of_frame(config, bytes)?)),
        Output::DeliverIp { vni, .. } => Some((vni, bytes)),
        _ => None,
    }
}

/// What a device is to get of a copy of a flooded frame: with this tag, unless it is a device of IP packets.
fn of_copy<'p>(config: &Config, vlan: Option<VlanId>, frame: &'p [u8]) -> Option<Cow<'p, [u8]>> {
    match (vlan, frame.split_first_chunk()) {
        (Some(vlan), Some((addresses, rest))) if !config.l3 => Some(tagged(vlan, addresses, rest).into()),
        _ => of_frame(config, frame).map(Cow::Borrowed),
    }
}

/// All of a frame; with --l3 the IP packet in it, where that is for our router: a device of IP packets has no place for
/// others.
fn of_frame<'p>(config: &Config, frame: &'p [u8]) -> Option<&'p [u8]> {
    if !config.l3 {
        return Some(frame);
    }
    let (link, packet) = ethernet::Header::parse(frame).ok()?;
    let is_ip = matches!(link.ethertype, EtherType::IPV4 | EtherType::IPV6);
    (is_ip && link.destination == config.address).then_some(packet)
}

/// A frame with a tag behind its addresses.
fn tagged(vlan: VlanId, addresses: &[u8; 2 * 6], rest: &[u8]) -> Vec<u8> {
    let (tag, vlan) = (EtherType::VLAN.0.to_be_bytes(), vlan.value().to_be_bytes());
    [addresses, &tag[..], &vlan, rest].concat()
}

/// Ethernet with tags, and the longest IP packet.
const MAX_FRAME: usize = 32 + 65_535;

/// From one buffer to the next: an odd number of cache lines, so that the fronts of frames do not fall on the same
/// ones.
const STRIDE: usize = ((HEADROOM + MAX_FRAME).div_ceil(64) | 1) * 64;

/// Misses that wait until they are printed.
const MISSES: usize = 64;

/// How long a thread that has nothing to do sleeps before it says that it holds no handles.
pub(crate) const QUIET: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use encap::{
        table::{Capacity, NextHop},
        time::Instant,
        vtep::Vtep,
        wire::MacAddr,
    };

    use super::*;

    /// A frame to 02:00:00:00:00:`last`; our router is at 1.
    fn frame(last: u8, ethertype: u16) -> Vec<u8> {
        [&[2, 0, 0, 0, 0, last], &[2; 6][..], &ethertype.to_be_bytes(), &[0x45; 20]].concat()
    }

    fn config() -> Config {
        let mut config = Config::new();
        config.address = MacAddr([2, 0, 0, 0, 0, 1]);
        config
    }

    #[test]
    fn a_device_of_ip_packets_gets_no_ethernet() {
        let mut config = config();
        let ours = frame(1, 0x0800);
        assert_eq!(of_frame(&config, &ours), Some(&ours[..]));
        config.l3 = true;
        assert_eq!(of_frame(&config, &ours), Some(&ours[14..]));
        assert_eq!(of_frame(&config, &frame(1, 0x86dd)), Some(&ours[14..]));
        for other in [frame(9, 0x0800), frame(1, 0x0806), ours[..13].to_vec()] {
            assert_eq!(of_frame(&config, &other), None);
            assert_eq!(of_copy(&config, None, &other), None);
        }
    }

    /// A packet that is routed to ourselves, because the remote of its gateway is us.
    #[test]
    fn what_is_handed_over_to_our_router_is_delivered() {
        let mut config = config();
        config.l3 = true;
        let capacity = Capacity { neighbors: 8, routes: 8, ..Capacity::fdb(8) };
        let here = IpAddr::from([192, 0, 2, 1]);
        let vtep = Vtep::with_capacity(config.local(here), capacity, [1, 2]).unwrap();
        let (vni, address) = (Vni::truncate(1), IpAddr::from([10, 1, 1, 0]));
        vtep.neighbors().add(vni, address, config.address).unwrap();
        vtep.fdb().add(vni, config.address, vtep.remote(here).unwrap()).unwrap();
        vtep.routes().add("10.1.1.0/24".parse().unwrap(), NextHop::Gateway { vni, address }).unwrap();

        let ip = [0x45, 0, 0, 20, 0, 1, 0x40, 0, 64, 17, 0x23, 0xcd, 10, 1, 2, 5, 10, 1, 1, 5];
        let mut buffer = [&[0; HEADROOM][..], &ip].concat();
        let mut packet = Packet::new(&mut buffer, HEADROOM, ip.len()).unwrap();
        let now = Instant::from_secs(1);
        let output = vtep.handle_ip(&mut Worker::new(1), now, &OverlayMeta::default(), &mut packet);
        assert_eq!(staying(vtep.config(), &output, packet.as_slice()), Some((vni, &ip[..])));
    }

    #[test]
    fn a_copy_has_the_tag_of_a_trunk_or_is_an_ip_packet() {
        let (mut config, frame) = (config(), frame(1, 0x0800));
        let tagged = [&frame[..12], &[0x81, 0, 0, 7], &frame[12..]].concat();
        let vlan = VlanId::new(7);
        assert_eq!(of_copy(&config, None, &frame).as_deref(), Some(&frame[..]));
        assert_eq!(of_copy(&config, vlan, &frame).as_deref(), Some(&tagged[..]));
        config.l3 = true;
        for vlan in [None, vlan] {
            assert_eq!(of_copy(&config, vlan, &frame).as_deref(), Some(&frame[14..]));
        }
    }
}
