//! Many frames through two engines, both ways, as fast as it goes.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use encap::{
    Packet, time,
    tunnel::DecapMeta,
    vtep::{Output, OverlayMeta, Worker},
};

use super::{
    frames::{self, Address},
    network::Network,
    node::{Node, Sent},
};

/// What came of it. Times are the machine's, not the network's.
pub(crate) struct Rate {
    pub(crate) frames: u64,
    pub(crate) bytes: usize,
    pub(crate) encap: Duration,
    pub(crate) decap: Duration,
    /// The frames that came out otherwise than they went in, or not at all.
    pub(crate) bad: u64,
}

/// Frames in a batch.
const BATCH: usize = 64;
/// Bytes of a datagram's payload.
const PAYLOAD: usize = 1_400;

/// Sends `frames` frames from a host behind the first VTEP to one behind the second and back, in turns of a batch.
pub(crate) fn run(network: &mut Network, frames: u64) -> Result<Rate, Box<dyn Error>> {
    let now = network.now;
    let far = network.hosts.iter().find(|host| host.node == 1).ok_or("no second VTEP")?.address;
    let near = network.hosts.first().ok_or("no host")?;
    let (vni, near) = (near.vni, near.address);
    let [a, b, ..] = network.nodes.as_mut_slice() else { return Err("no second VTEP".into()) };
    // Whatever was lost before: each side hears of the other once.
    acquaint(now, a, b, &OverlayMeta::new(vni), &frames::datagram(near, far, 9, 0));
    acquaint(now, b, a, &OverlayMeta::new(vni), &frames::datagram(far, near, 9, 0));

    let room = a.vtep.headroom();
    let (mut there, mut back) = (Batch::new(room, near, far), Batch::new(room, far, near));
    let bytes = there.frames.first().map_or(0, Vec::len);
    let mut rate = Rate { frames: 0, bytes, encap: Duration::ZERO, decap: Duration::ZERO, bad: 0 };
    // Each core has a worker of its own; counters are added up.
    let mut workers = [Worker::new(1), Worker::new(2)];
    let [of_a, of_b] = &mut workers;
    let meta = OverlayMeta::new(vni);
    while rate.frames < frames {
        let left = |rate: &Rate| usize::try_from(frames - rate.frames).unwrap_or(BATCH).min(BATCH);
        there.turn(now, &meta, left(&rate), (&*a, &mut *of_a), (&*b, &mut *of_b), &mut rate)?;
        back.turn(now, &meta, left(&rate), (&*b, &mut *of_b), (&*a, &mut *of_a), &mut rate)?;
    }
    for (node, worker) in [a, b].into_iter().zip(&workers) {
        node.bulk += *worker.counters();
    }
    Ok(rate)
}

/// Frames of as many flows, and buffers with room in which to send them.
struct Batch {
    frames: Vec<Vec<u8>>,
    buffers: Vec<Vec<u8>>,
    room: usize,
}

impl Batch {
    fn new(room: usize, from: Address, to: Address) -> Self {
        let flows = 40_000..40_000 + BATCH as u16;
        let frames: Vec<_> = flows.map(|flow| frames::datagram(from, to, flow, PAYLOAD)).collect();
        let buffers = frames.iter().map(|frame| [&vec![0; room], frame.as_slice()].concat()).collect();
        Self { frames, buffers, room }
    }

    /// From here to there, in place: encapsulated, decapsulated, compared.
    fn turn(
        &mut self,
        now: time::Instant,
        meta: &OverlayMeta,
        count: usize,
        (from, sender): (&Node, &mut Worker),
        (to, receiver): (&Node, &mut Worker),
        rate: &mut Rate,
    ) -> Result<(), Box<dyn Error>> {
        let frames = self.frames.iter().take(count);
        let packets = self.buffers.iter_mut().zip(frames.clone());
        let packets = packets.map(|(buffer, frame)| Packet::new(buffer, self.room, frame.len()));
        let mut packets = packets.collect::<Result<Vec<_>, _>>()?;
        let mut outputs = [Output::Pass; BATCH];
        let start = Instant::now();
        from.vtep.handle_overlay_batch(sender, now, &[*meta; BATCH], &mut packets, &mut outputs);
        let middle = Instant::now();
        let is_sent = outputs.map(|output| matches!(output, Output::Send { .. }));
        let again = Instant::now();
        to.vtep.handle_underlay_batch(receiver, now, &[DecapMeta::new(); BATCH], &mut packets, &mut outputs);
        let end = Instant::now();
        rate.encap += middle - start;
        rate.decap += end - again;
        for (((packet, frame), output), is_sent) in packets.iter().zip(frames).zip(outputs).zip(is_sent) {
            let is_there = matches!(output, Output::Deliver { vni, .. } if vni == meta.vni);
            let is_good = is_sent && is_there && packet.as_slice() == frame;
            rate.frames += 1;
            rate.bad += u64::from(!is_good);
        }
        Ok(())
    }
}

/// A frame over a wire that loses nothing.
fn acquaint(now: time::Instant, from: &mut Node, to: &mut Node, meta: &OverlayMeta, frame: &[u8]) {
    if let (Sent::Packets(packets), _) = from.send(now, meta.vni, frame) {
        for packet in packets {
            // The copies for others are not for this one.
            if packet.get(16..20) == Some(&to.address.octets()) {
                let _ = to.receive(now, &packet);
            }
        }
    }
}
