//! The program's loop: a device, sockets, signals.

use std::{
    error::Error,
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
    time,
};

use encap::{
    Packet,
    time::Instant,
    tunnel::{Payload, gre::Tunnel},
    wire::IpProtocol,
};
use encap_linux::{
    BATCH, Datagram, Device, HEADROOM, Layer, Receiver, Settings, Signal, Signals, Transmitter, Waiter, icmp,
    print::STDOUT, raw,
};
use socket2::Socket;

use crate::{
    args::Args,
    engine::{Engine, Way},
    report::Report,
};

/// Everything that the program holds.
pub(crate) struct Node {
    engine: Engine,
    device: Device,
    receiver: Receiver,
    icmp: icmp::Listener,
    sender: Sender,
    /// A buffer for each packet of a batch of the device's.
    buffers: Vec<u8>,
    signals: Signals,
    started: time::Instant,
}

impl Node {
    /// Makes the device and opens the sockets.
    pub(crate) fn new(args: &Args, tunnel: Tunnel) -> Result<Self, Box<dyn Error>> {
        let signals = Signals::new(&[Signal::Stop, Signal::Print])?;
        let (name, payload) = args.device();
        let layer = if payload == Payload::Ip { Layer::Ip } else { Layer::Ethernet };
        let receiver = Receiver::new(receiver(args.local, args.remote)?, MAX_LEN)?;
        let device = Device::create(&Settings { mtu: args.mtu(&tunnel), ..Settings::new(name, layer) });
        let device = device.map_err(|error| format!("{name}: {error}"))?;
        Ok(Self {
            engine: Engine { tunnel, payload, unreachable: args.unreachable, report: Report::default() },
            device,
            receiver,
            icmp: icmp::Listener::new(icmp::socket(SocketAddr::new(args.local, 0))?)?,
            sender: Sender::new(args)?,
            buffers: vec![0; STRIDE * BATCH],
            signals,
            started: time::Instant::now(),
        })
    }

    /// Name of the device.
    pub(crate) fn name(&self) -> &str {
        self.device.name()
    }

    /// Serves until a signal says that it is enough.
    pub(crate) fn run(mut self) -> io::Result<()> {
        loop {
            let sources =
                [self.device.as_fd(), self.receiver.as_fd(), self.icmp.as_fd(), self.signals.as_fd()];
            let mut waiter = Waiter::new(sources);
            let next = self.engine.tunnel.poll_timeout();
            waiter.wait(next.map(|next| next.saturating_since(self.now())))?;
            let [outbound, inbound, icmp, signals] = [0, 1, 2, 3].map(|place| waiter.is_ready(place));
            let now = self.now();
            // The path may carry more than it once did: what routers said is tried again.
            let _ = self.engine.tunnel.handle_timeout(now);
            if outbound {
                self.outbound(now)?;
            }
            if inbound {
                self.inbound(now);
            }
            if icmp {
                self.reports(now);
            }
            if signals && self.is_stopped()? {
                return Ok(());
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::from_secs(1).saturating_add(self.started.elapsed())
    }

    /// Reads a batch from the device, and sends it.
    fn outbound(&mut self, now: Instant) -> io::Result<()> {
        let (device, engine) = (&self.device, &mut self.engine);
        let mut ready: [Option<(IpAddr, Packet<'_>)>; BATCH] = [const { None }; BATCH];
        for (buffer, ready) in self.buffers.chunks_exact_mut(STRIDE).zip(&mut ready) {
            let room = buffer.get_mut(HEADROOM..).unwrap_or_default();
            let Some(len) = device.read(room)? else { break };
            let Ok(mut packet) = Packet::new(buffer, HEADROOM, len) else { continue };
            let mut aside = None;
            let way = engine.outbound(now, &mut packet, |error| aside = Some(error.to_vec()));
            if let Some(error) = aside {
                deliver(device, &error, &mut engine.report);
            }
            match way {
                Way::Underlay(to) => *ready = Some((to, packet)),
                Way::Device => deliver(device, packet.as_slice(), &mut engine.report),
                Way::Nowhere => {}
            }
        }
        self.sender.send(ready.iter().flatten(), &mut engine.report);
        Ok(())
    }

    /// Receives a batch from the underlay, and delivers it.
    fn inbound(&mut self, now: Instant) {
        let engine = &mut self.engine;
        if let Err(error) = self.receiver.receive() {
            return engine.report.failed("receive", &error);
        }
        for (received, mut packet) in self.receiver.packets() {
            match engine.inbound(now, &mut packet, received.facts) {
                Way::Device => deliver(&self.device, packet.as_slice(), &mut engine.report),
                Way::Underlay(to) => self.sender.send([&(to, packet)].into_iter(), &mut engine.report),
                Way::Nowhere => {}
            }
        }
    }

    /// Takes what routers say.
    fn reports(&mut self, now: Instant) {
        let engine = &mut self.engine;
        if let Err(error) = self.icmp.receive(|packet, _| engine.icmp(now, packet)) {
            engine.report.failed("receive ICMP", &error);
        }
    }

    fn is_stopped(&mut self) -> io::Result<bool> {
        let mut stopped = false;
        for signal in self.signals.pending()? {
            match signal {
                Signal::Stop => stopped = true,
                Signal::Print => STDOUT.print(self.engine.report.text(&self.engine.tunnel)),
                // Not asked for.
                Signal::Reload => {}
            }
        }
        Ok(stopped)
    }
}

/// The way into the underlay.
struct Sender {
    transmitter: Transmitter,
}

impl Sender {
    fn new(args: &Args) -> io::Result<Self> {
        let to_group = |socket: Socket| -> io::Result<Socket> {
            if let (IpAddr::V4(local), true) = (args.local, args.remote.is_multicast()) {
                socket.set_multicast_if_v4(&local)?;
                socket.set_multicast_loop_v4(false)?;
            }
            Ok(socket)
        };
        let mut transmitter = Transmitter::new(to_group(raw::sender(args.local.is_ipv6())?)?)?;
        if args.nopmtudisc {
            let fragments = to_group(raw::fragmenter(SocketAddr::new(args.local, 0), IpProtocol::GRE.0)?)?;
            transmitter = transmitter.with_fragments(fragments, args.underlay_mtu.into());
        }
        Ok(Self { transmitter })
    }

    fn send<'p>(&mut self, packets: impl Iterator<Item = &'p (IpAddr, Packet<'p>)>, report: &mut Report) {
        let mut datagrams = Vec::with_capacity(BATCH);
        for (to, packet) in packets {
            datagrams.push(Datagram { to: SocketAddr::new(*to, 0), parts: [packet.as_slice(), &[]] });
        }
        self.transmitter.send(&datagrams, |error| report.failed("send", &error));
    }
}

/// The socket that packets to `local`, or to the group that the remote is, are received by.
fn receiver(local: IpAddr, remote: IpAddr) -> io::Result<Socket> {
    let (IpAddr::V4(local), IpAddr::V4(group), true) = (local, remote, remote.is_multicast()) else {
        return raw::receiver(local, IpProtocol::GRE.0);
    };
    let socket = raw::receiver(group.into(), IpProtocol::GRE.0)?;
    socket.join_multicast_v4(&group, &local)?;
    Ok(socket)
}

/// Writes a packet to the device. What the kernel refuses is counted, and nobody's end.
fn deliver(device: &Device, packet: &[u8], report: &mut Report) {
    if let Err(error) = device.write(&[IoSlice::new(packet)]) {
        report.failed("deliver", &error);
    }
}

/// The longest packet, and the room for one.
const MAX_LEN: usize = 65_535;
const STRIDE: usize = HEADROOM + MAX_LEN;
