//! From the underlay to devices.

use std::{
    io::{self, IoSlice},
    os::fd::{AsFd, BorrowedFd},
};

use encap::{
    Packet,
    tunnel::DecapMeta,
    vtep::{Output, PathReport, Worker},
};
use encap_linux::{BATCH, Coalescer, Device, Receiver, Waiter, icmp, tell};
use socket2::Socket;

use crate::{
    events,
    outbound::{Ends, QUIET},
    problem,
    shared::{Shared, Way},
};

/// The way in: one thread's.
pub(crate) struct Inbound<'a> {
    ends: Ends<'a>,
    worker: Worker<'static>,
    receivers: Vec<Receiver>,
    listeners: Vec<icmp::Listener>,
}

impl<'a> Inbound<'a> {
    /// Receives packets by sockets, one of each family that we have an address of, and hears what routers say of
    /// packets of ours.
    pub(crate) fn new(ends: Ends<'a>, sockets: Vec<Socket>, reports: Vec<Socket>) -> io::Result<Self> {
        let joins = ends.ports.iter().all(|port| port.device.has_offload());
        let receivers = sockets.into_iter().map(|socket| {
            let receiver = Receiver::new(socket, MAX_LEN)?;
            Ok::<_, io::Error>(if joins { receiver.with_joined() } else { receiver })
        });
        let listeners = reports.into_iter().map(icmp::Listener::new);
        Ok(Self {
            ends,
            worker: ends.worker(2),
            receivers: receivers.collect::<Result<_, _>>()?,
            listeners: listeners.collect::<Result<_, _>>()?,
        })
    }

    /// Works until `stop` is closed.
    pub(crate) fn run(mut self, stop: BorrowedFd<'_>) -> io::Result<()> {
        let Ends { vtep, shared, .. } = self.ends;
        let id = vtep.register().map_err(io::Error::other)?;
        self.worker = self.worker.counting_as(&id);
        let receivers = self.receivers.len();
        let ends = self.receivers.iter().map(AsFd::as_fd).chain(self.listeners.iter().map(AsFd::as_fd));
        // Copies, which can be waited for while the sockets are read.
        let fds = ends.map(|fd| fd.try_clone_to_owned()).collect::<io::Result<Vec<_>>>()?;
        let mut waiter = Waiter::new(fds.iter().map(AsFd::as_fd).chain([stop]));
        while !waiter.is_ready(fds.len()) {
            for place in (0..fds.len()).filter(|&place| waiter.is_ready(place)) {
                match place.checked_sub(receivers) {
                    None => self.packets(place),
                    Some(listener) => self.reports(listener),
                }
            }
            events::tell_all(vtep, &mut self.worker);
            // No handle is kept from one turn to the next.
            vtep.quiesce(&id);
            shared.publish(Way::In, self.worker.counters());
            waiter.wait(Some(QUIET))?;
        }
        vtep.unregister(id);
        Ok(())
    }

    /// Takes a batch of packets, those that were joined not counted.
    fn packets(&mut self, place: usize) {
        let Some(receiver) = self.receivers.get_mut(place) else { return };
        if let Err(error) = receiver.receive() {
            self.ends.shared.failed("receive", &error);
            return;
        }
        let mut received = receiver.packets();
        loop {
            let (mut metas, mut packets) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
            for (received, packet) in received.by_ref().take(BATCH) {
                // Without its destination nobody can say that a packet is for us.
                let Some(facts) = received.facts else { continue };
                metas.push(DecapMeta::new().outer(facts).ingress(received.device()));
                packets.push(packet);
            }
            if packets.is_empty() {
                return;
            }
            take(self.ends, &mut self.worker, &metas, &mut packets);
        }
    }

    /// Takes what routers say.
    fn reports(&mut self, place: usize) {
        let Ends { vtep, shared, clock, verbose, .. } = self.ends;
        let Some(listener) = self.listeners.get_mut(place) else { return };
        let now = clock.now();
        let report = |packet: &[u8], device| vtep.handle_underlay_icmp(now, device, packet);
        let received = listener.receive(|packet, device| match report(packet, device) {
            PathReport::Mtu { remote, mtu } => {
                if let Some(remote) = vtep.remotes().get(remote).filter(|_| verbose) {
                    tell!("mtu {mtu} to {}", remote.address);
                }
            }
            PathReport::Unreachable { remote, problem } => {
                if let Some(remote) = vtep.remotes().get(remote).filter(|_| verbose) {
                    tell!("unreachable {}: {}", remote.address, problem::words(problem));
                }
            }
            // Pings of somebody's, for example.
            _ => {}
        });
        if let Err(error) = received {
            shared.failed("receive ICMP", &error);
        }
    }
}

/// Does what the engine says of packets, a batch at the most.
fn take(ends: Ends<'_>, worker: &mut Worker, metas: &[DecapMeta], packets: &mut [Packet<'_>]) {
    let Ends { vtep, shared, clock, .. } = ends;
    let mut outputs = [Output::Pass; BATCH];
    vtep.handle_underlay_batch(worker, clock.now(), metas, packets, &mut outputs);
    let delivered = packets.iter().zip(outputs).filter_map(|(packet, output)| {
        if let Output::Deliver { policy: Some(policy), .. } = output {
            shared.with_policy(policy.id);
        }
        // Drops are counted; nothing else is an answer to a packet of a UDP socket.
        let (vni, bytes) = ends.staying(&output, packet.as_slice())?;
        Some((ends.device(vni)?, bytes))
    });
    deliver(delivered, shared);
}

/// Writes packets to their devices, those of one TCP connection that follow each other as one.
fn deliver<'p>(packets: impl Iterator<Item = (&'p Device, &'p [u8])>, shared: &Shared) {
    let write = |device: &Device, parts: &[IoSlice<'_>]| {
        if let Err(error) = device.write(parts) {
            shared.failed("write to device", &error);
        }
    };
    let mut joined: Option<(&Device, Coalescer<'_>)> = None;
    for (device, packet) in packets {
        if !device.has_offload() {
            write(device, &[IoSlice::new(packet)]);
            continue;
        }
        let (_, coalescer) = match &mut joined {
            Some((of, coalescer)) if std::ptr::eq(*of, device) => (of, coalescer),
            other => {
                if let Some((of, coalescer)) = other {
                    coalescer.flush(|parts| write(of, parts));
                }
                let (of, coalescer) = other.insert((device, Coalescer::new(device.layer())));
                (of, coalescer)
            }
        };
        coalescer.push(packet, |parts| write(device, parts));
    }
    if let Some((device, mut coalescer)) = joined {
        coalescer.flush(|parts| write(device, parts));
    }
}

/// The longest UDP payload.
const MAX_LEN: usize = 65_507;
