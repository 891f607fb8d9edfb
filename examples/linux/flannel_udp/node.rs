//! The program's loop: a device, a socket for each family, signals.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt::Write as _,
    fs,
    hash::{BuildHasher, RandomState},
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
    time,
};

use encap::{
    Packet,
    table::{Line, NextHop},
    time::Instant,
    tunnel::DecapMeta,
    vtep::{
        Worker,
        ip_udp::{Backend, Output},
    },
};
use encap_linux::{
    BATCH, Datagram, Device, HEADROOM, Layer, Receiver, Settings, Signal, Signals, Transmitter, Waiter,
    print, print::STDOUT, tell, udp,
};
use nix::ifaddrs::getifaddrs;

use crate::args::{Args, Route};

/// Everything that the program holds.
pub(crate) struct Node {
    backend: Backend<Box<[Line]>>,
    worker: Worker<'static>,
    device: Device,
    sockets: Vec<Socket>,
    /// A buffer for each packet of a batch of the device's.
    buffers: Vec<u8>,
    routes: Vec<Route>,
    /// What was tried, and how often the kernel refused it for which reason.
    errors: BTreeMap<(&'static str, String), u64>,
    signals: Signals,
    started: time::Instant,
    /// When the device was last asked for its addresses.
    asked: Option<Instant>,
}

/// One socket, which receives and sends.
struct Socket {
    is_ipv6: bool,
    receiver: Receiver,
    transmitter: Transmitter,
}

impl Node {
    /// Makes the device and opens the sockets.
    pub(crate) fn new(args: &Args) -> Result<Self, Box<dyn Error>> {
        let signals = Signals::new(&[Signal::Stop, Signal::Print])?;
        let (config, capacity) = (args.config()?, args.capacity());
        let storage = (0..capacity.lines()).map(|_| Line::new()).collect();
        let seed = [RandomState::new().hash_one(1), RandomState::new().hash_one(2)];
        let backend = Backend::new(storage, config, capacity, seed)?;
        for Route { prefix, host } in &args.route {
            let peer = NextHop::Peer { address: host.address, port: args.port_of(host) };
            backend.routes().add(*prefix, peer).map_err(|error| format!("--route {prefix}: {error}"))?;
        }
        let sockets = args.listen.iter().map(|host| {
            let port = args.port_of(host);
            Socket::new(host.address, port).map_err(|error| format!("{} port {port}: {error}", host.address))
        });
        let sockets = sockets.collect::<Result<_, _>>()?;
        let mtu = args.mtu.unwrap_or(u16::try_from(backend.mtu()).unwrap_or(u16::MAX));
        let device = Device::create(&Settings { mtu, ..Settings::new(&args.tun, Layer::Ip) });
        let device = device.map_err(|error| format!("{}: {error}", args.tun))?;
        if !args.any_source {
            accept_local(&device);
        }
        tell!("flannel_udp: {}, {} routes, mtu {mtu}", device.name(), args.route.len());
        Ok(Self {
            backend,
            worker: Worker::new(1),
            device,
            sockets,
            buffers: vec![0; STRIDE * BATCH],
            routes: args.route.clone(),
            errors: BTreeMap::new(),
            signals,
            started: time::Instant::now(),
            asked: None,
        })
    }

    /// Serves until a signal says that it is enough.
    pub(crate) fn run(mut self) -> io::Result<()> {
        loop {
            let own = [self.device.as_fd(), self.signals.as_fd()];
            let mut waiter =
                Waiter::new(own.into_iter().chain(self.sockets.iter().map(|it| it.receiver.as_fd())));
            waiter.wait(None)?;
            let (outbound, signals) = (waiter.is_ready(0), waiter.is_ready(1));
            let inbound: Vec<bool> =
                (2..2 + self.sockets.len()).map(|place| waiter.is_ready(place)).collect();
            let now = Instant::from_secs(1).saturating_add(self.started.elapsed());
            if outbound {
                self.outbound(now)?;
            }
            for (place, _) in inbound.iter().enumerate().filter(|&(_, &ready)| ready) {
                self.inbound(place);
            }
            if signals && self.is_stopped()? {
                return Ok(());
            }
        }
    }

    /// Reads a batch from the device, and sends it.
    fn outbound(&mut self, now: Instant) -> io::Result<()> {
        self.ask_for_addresses(now);
        let mut ready: [Option<(SocketAddr, Packet<'_>)>; BATCH] = [const { None }; BATCH];
        for (buffer, ready) in self.buffers.chunks_exact_mut(STRIDE).zip(&mut ready) {
            let room = buffer.get_mut(HEADROOM..).unwrap_or_default();
            let Some(len) = self.device.read(room)? else { break };
            let Ok(mut packet) = Packet::new(buffer, HEADROOM, len) else { continue };
            match self.backend.handle_ip(&mut self.worker, now, &mut packet) {
                Output::Send { address, port } => *ready = Some((SocketAddr::new(address, port), packet)),
                Output::Reply => deliver(&self.device, packet.as_slice(), &mut self.errors),
                // Drops are counted.
                _ => {}
            }
        }
        for socket in &mut self.sockets {
            let ours = ready.iter().flatten().filter(|(to, _)| to.is_ipv6() == socket.is_ipv6);
            let datagrams: Vec<_> =
                ours.map(|(to, packet)| Datagram { to: *to, parts: [packet.as_slice(), &[]] }).collect();
            let errors = &mut self.errors;
            socket.transmitter.send(&datagrams, |error| failed(errors, "send", &error));
        }
        Ok(())
    }

    /// Receives a batch by this socket, and delivers it.
    fn inbound(&mut self, place: usize) {
        let Some(socket) = self.sockets.get_mut(place) else { return };
        if let Err(error) = socket.receiver.receive() {
            return failed(&mut self.errors, "receive", &error);
        }
        for (received, mut packet) in socket.receiver.packets() {
            // Without them nobody can say who sent the packet, and the backend drops it, unless anybody may.
            let meta = received.facts.map_or(DecapMeta::new(), |facts| DecapMeta::new().outer(facts));
            let meta = meta.udp_checksum_verified();
            if self.backend.handle_underlay(&mut self.worker, &meta, &mut packet) == Output::Deliver {
                deliver(&self.device, packet.as_slice(), &mut self.errors);
            }
        }
    }

    /// Which addresses the device has is for others to say, at any time.
    fn ask_for_addresses(&mut self, now: Instant) {
        if self.asked.is_some_and(|asked| now.saturating_since(asked) < ASK_AGAIN) {
            return;
        }
        self.asked = Some(now);
        let all = getifaddrs().into_iter().flatten().filter(|it| it.interface_name == self.device.name());
        for address in all.filter_map(|it| it.address) {
            let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
            // From a link-local address, an error would not get beyond the link.
            let v6 = address.as_sockaddr_in6().map(|it| it.ip()).filter(|it| !it.is_unicast_link_local());
            if let Some(address) = v4.or(v6.map(IpAddr::V6)) {
                self.backend.set_address(address);
            }
        }
    }

    fn is_stopped(&mut self) -> io::Result<bool> {
        let pending: Vec<Signal> = self.signals.pending()?.collect();
        if pending.contains(&Signal::Print) {
            STDOUT.print(self.report());
        }
        Ok(pending.contains(&Signal::Stop))
    }

    /// One line for each route, and for each number that is not zero; an empty one at the end.
    fn report(&self) -> String {
        let mut text = String::new();
        for Route { prefix, host } in &self.routes {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "route {prefix} via {}", host.address);
        }
        let counters = self.worker.counters();
        let numbers = [
            ("sent", counters.sent),
            ("sent_bytes", counters.sent_bytes),
            ("delivered", counters.delivered),
            ("delivered_bytes", counters.delivered_bytes),
            ("replies", counters.replies),
            ("unprinted", print::lost()),
        ];
        let drops = counters.drops().map(|(reason, count)| (format!("dropped {reason}"), count));
        let errors = self.errors.iter().map(|((what, why), count)| (format!("{what}: {why}"), *count));
        let numbers = numbers.iter().map(|(name, count)| ((*name).to_owned(), *count));
        for (name, count) in numbers.chain(drops).chain(errors).filter(|(_, count)| *count > 0) {
            let _ = writeln!(text, "{name} {count}");
        }
        text.push('\n');
        text
    }
}

impl Socket {
    fn new(local: IpAddr, port: u16) -> io::Result<Self> {
        let socket = udp::socket(&udp::Settings { local, device: 0, port, zero_checksum_ipv6: false })?;
        let transmitter = Transmitter::new(socket.try_clone()?)?;
        Ok(Self { is_ipv6: local.is_ipv6(), receiver: Receiver::new(socket, MAX_LEN)?, transmitter })
    }
}

/// ICMP errors come from the device's own address, which the kernel takes for forged. Packets of other nodes with that
/// source are not let through.
fn accept_local(device: &Device) {
    let path = format!("/proc/sys/net/ipv4/conf/{}/accept_local", device.name());
    if let Err(error) = fs::write(&path, "1") {
        tell!("flannel_udp: {path}: {error}; nobody will hear of what cannot be sent");
    }
}

/// Writes a packet to the device. What the kernel refuses is counted, and nobody's end.
fn deliver(device: &Device, packet: &[u8], errors: &mut BTreeMap<(&'static str, String), u64>) {
    if let Err(error) = device.write(&[IoSlice::new(packet)]) {
        failed(errors, "deliver", &error);
    }
}

fn failed(errors: &mut BTreeMap<(&'static str, String), u64>, what: &'static str, error: &io::Error) {
    *errors.entry((what, error.to_string())).or_default() += 1;
}

/// How long the addresses of the device are taken for known.
const ASK_AGAIN: time::Duration = time::Duration::from_millis(20);

/// The longest packet, and the room for one.
const MAX_LEN: usize = 65_535;
const STRIDE: usize = HEADROOM + MAX_LEN;
