//! Bursts through VTEPs, IP packets, reports of paths, counters of segments; and flannel's `udp` backend.

use std::array;

use encap::{
    Packet,
    table::{Capacity, Line, NextHop, Snooping, WorkerId},
    time::Instant,
    tunnel::{DecapMeta, Framing},
    vtep::{self, Output, OverlayMeta, PathReport, Proxy, Vtep, Worker, ip_udp},
    wire::{MacAddr, Vni, icmp_error, icmpv4::Problem, ipv4::Header},
};

use super::{FRAME, allocations, vteps::write_frame};

const HEADROOM: usize = 128;
const BURST: usize = 32;
const SEGMENT: Vni = Vni::truncate(42);
/// The host that both ends take for one of the other's.
const HOST: MacAddr = MacAddr([2, 0, 0, 0, 1, 2]);

type Buffers = [[u8; 1_700]; BURST];

/// As many packets as fit into a burst, each with what `write` puts into its buffer.
fn burst(buffers: &mut Buffers, mut write: impl FnMut(u32, &mut [u8]) -> usize) -> [Packet<'_>; BURST] {
    let mut buffers = (0..).zip(buffers);
    array::from_fn(|_| {
        let (number, buffer) = buffers.next().unwrap();
        let (_, room) = buffer.split_at_mut(HEADROOM);
        let len = write(number, room);
        Packet::new(buffer, HEADROOM, len).unwrap()
    })
}

/// The packet in [`FRAME`], to 10.`second`.0.2.
fn write_ip(second: u8, room: &mut [u8]) -> usize {
    let (_, ip) = FRAME.split_at(14);
    room.iter_mut().zip(ip).for_each(|(to, from)| *to = *from);
    let head: &mut [u8; 20] = room.first_chunk_mut().unwrap();
    let mut header = Header::from_bytes(head).unwrap();
    header.destination = [10, second, 0, 2].into();
    *head = header.with_checksum().fixed_bytes();
    ip.len()
}

struct Node {
    vtep: Vtep<Box<[Line]>>,
    worker: Worker<'static>,
    id: WorkerId,
    /// Our router at the other end.
    gateway: MacAddr,
    /// What a router says of a packet that we have sent.
    report: Vec<u8>,
}

impl Node {
    /// A router at 192.0.2.`here` that counts by segment; what its segment has is behind 192.0.2.`there`.
    fn new(here: u8, there: u8) -> Self {
        let mut config = vtep::Config::new().local([192, 0, 2, here].into());
        (config.proxy, config.tables.snooping) = (Proxy::NeighSuppress, Snooping::All);
        (config.l3, config.address, config.icmp_rate) = (true, router(here), u32::MAX);
        let capacity = Capacity { neighbors: 64, routes: 4, vni_counters: true, ..Capacity::fdb(64) };
        let vtep = Vtep::with_capacity(config, capacity, [1, here.into()]).unwrap();
        let remote = vtep.remote([192, 0, 2, there].into()).unwrap();
        for mac in [HOST, router(there)] {
            vtep.fdb().add(SEGMENT, mac, remote).unwrap();
        }
        vtep.fdb().append(SEGMENT, MacAddr::ZERO, remote).unwrap();
        vtep.fdb().append(SEGMENT, MacAddr::ZERO, vtep.remote([192, 0, 2, 9].into()).unwrap()).unwrap();
        vtep.neighbors().add(SEGMENT, [10, 1, 0, 2].into(), HOST).unwrap();
        vtep.routes().add("10.1.0.0/16".parse().unwrap(), NextHop::Segment { vni: SEGMENT }).unwrap();
        let id = vtep.register().unwrap();
        let worker = Worker::new(1).with_miss_capacity(4).with_event_capacity(4).counting_as(&id);
        let mut node = Self { vtep, worker, id, gateway: router(there), report: Vec::new() };

        let mut buffer = [[0; 1_700]; BURST];
        let [mut packet, ..] = burst(&mut buffer, |_, room| write_ip(1, room));
        let output = node.handle_ip(Instant::ZERO, &mut packet);
        assert!(matches!(output, Output::Send { .. }));
        let problem = Problem::FragmentationNeeded { mtu: 1_400 };
        let headers = icmp_error::ipv4(packet.as_slice(), problem, [192, 0, 2, 254].into(), 64).unwrap();
        node.report = [&headers.bytes[..], packet.as_slice().get(..headers.quote_len).unwrap()].concat();
        node
    }

    fn handle_ip(&mut self, now: Instant, packet: &mut Packet<'_>) -> Output {
        self.vtep.handle_ip(&mut self.worker, now, &OverlayMeta::new(SEGMENT), packet)
    }
}

fn router(node: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 9, node])
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Done {
    sent: u64,
    replicated: u64,
    replies: u64,
    dropped: u64,
    delivered: u64,
    delivered_ip: u64,
    foreign: u64,
    routed: u64,
    refused: u64,
    shrunk: u64,
    not_ours: u64,
}

#[test]
fn bursts_allocate_nothing() {
    let rounds = if cfg!(debug_assertions) { 500 } else { 20_000 };
    let (mut here, mut there) = (Node::new(1, 2), Node::new(2, 1));
    let before = here.vtep.vni_counters(SEGMENT).sent + there.vtep.vni_counters(SEGMENT).sent;
    let mut buffers = [[0; 1_700]; BURST];
    let (mut done, mut counted) = (Done::default(), Done::default());
    let work = || {
        for round in 0..rounds {
            let now = Instant::from_millis(round);
            let (here, there) =
                if round % 2 == 0 { (&mut here, &mut there) } else { (&mut there, &mut here) };
            exchange(here, there, now, &mut buffers, &mut done);
        }
        for node in [&here, &there] {
            let counters = node.vtep.vni_counters(SEGMENT);
            counted.sent += counters.sent;
            counted.delivered += counters.delivered;
            counted.dropped += counters.send_drops;
        }
    };
    assert_eq!(allocations(work), 0);

    // Of each burst of frames half goes to the other end, a quarter to many, and so on; of IP packets three quarters
    // have a route.
    let eighth = rounds * BURST as u64 / 8;
    let expected = Done {
        sent: 3 * eighth,
        replicated: 2 * eighth,
        replies: 2 * eighth,
        dropped: eighth,
        delivered: 2 * eighth,
        delivered_ip: eighth,
        foreign: 5 * eighth,
        routed: 6 * eighth + rounds,
        refused: 2 * eighth,
        shrunk: rounds,
        not_ours: rounds,
    };
    assert_eq!(done, expected);
    assert_eq!(counted.sent - before, done.sent + done.routed);
    assert_eq!(counted.delivered, done.delivered + done.delivered_ip);
    assert!(counted.dropped >= done.dropped);
}

/// A burst of frames goes to the other end, IP packets are routed, one by one and in a burst, and routers say what they
/// have to say.
fn exchange(here: &mut Node, there: &mut Node, now: Instant, buffers: &mut Buffers, done: &mut Done) {
    let metas = [OverlayMeta::new(SEGMENT); BURST];
    let mut outputs = [Output::Pass; BURST];

    let mut frames = burst(buffers, |number, room| match number % 8 {
        // To a host that nobody knows.
        0 => write_frame(0, 0x0700, room),
        1 => write_frame(6, number, room),
        // To the router at the other end.
        7 => {
            let len = write_frame(6, number, room);
            room.iter_mut().zip(here.gateway.0).for_each(|(to, from)| *to = from);
            len
        }
        kind => write_frame(kind, number, room),
    });
    let handled = here.vtep.handle_overlay_batch(&mut here.worker, now, &metas, &mut frames, &mut outputs);
    assert_eq!(handled, BURST);
    for output in &outputs {
        match output {
            Output::Send { .. } => done.sent += 1,
            Output::Replicate(_) => done.replicated += 1,
            Output::Reply => done.replies += 1,
            Output::Drop(_) => done.dropped += 1,
            other => panic!("{other:?}"),
        }
    }
    let arriving = [DecapMeta::new(); BURST];
    there.vtep.handle_underlay_batch(&mut there.worker, now, &arriving, &mut frames, &mut outputs);
    for output in &outputs {
        match output {
            Output::Deliver { .. } => done.delivered += 1,
            Output::DeliverIp { .. } => done.delivered_ip += 1,
            // What did not go into the tunnel.
            Output::Drop(_) => done.foreign += 1,
            other => panic!("{other:?}"),
        }
    }

    let mut packets = burst(buffers, |number, room| write_ip(if number % 4 == 3 { 9 } else { 1 }, room));
    here.vtep.handle_ip_batch(&mut here.worker, now, &metas, &mut packets, &mut outputs);
    let [packet, ..] = &mut burst(buffers, |_, room| write_ip(1, room));
    for output in outputs.into_iter().chain([here.handle_ip(now, packet)]) {
        match output {
            Output::Send { .. } => done.routed += 1,
            Output::Drop(_) | Output::Reply => done.refused += 1,
            other => panic!("{other:?}"),
        }
    }

    for report in [here.report.as_slice(), packet.as_slice()] {
        match here.vtep.handle_underlay_icmp(now, 0, report) {
            PathReport::Mtu { mtu: 1_400, .. } => done.shrunk += 1,
            PathReport::NotOurs => done.not_ours += 1,
            other => panic!("{other:?}"),
        }
    }
    here.vtep.quiesce(&here.id);
    while here.worker.poll_miss().is_some() {}
    while there.worker.poll_event().is_some() {}
}

#[test]
fn flannels_backend_allocates_nothing() {
    let rounds = if cfg!(debug_assertions) { 5_000 } else { 200_000 };
    let capacity = Capacity { routes: 4, ..Capacity::NONE };
    let [(here, mut sender), (there, mut receiver)] = [(1, 2), (2, 1)].map(|(here, there)| {
        let mut config =
            ip_udp::Config::new().local([192, 0, 2, here].into()).address([10, here, 0, 0].into());
        (config.framing, config.icmp_rate) = (Framing::Ip, u32::MAX);
        let backend = ip_udp::Backend::with_capacity(config, capacity, [1, 2]).unwrap();
        let peer = NextHop::Peer { address: [192, 0, 2, there].into(), port: 8_285 };
        backend.routes().add(format!("10.{there}.0.0/16").parse().unwrap(), peer).unwrap();
        (backend, Worker::new(here.into()))
    });
    let mut done = [0; 5];
    let mut buffers = [[0; 1_700]; BURST];
    let work = || {
        for round in 0..rounds {
            let now = Instant::from_millis(round);
            // The third network has no route, and the fourth packet is cut off.
            let second = if round % 4 == 2 { 3 } else { 2 };
            let [packet, other, ..] = &mut burst(&mut buffers, |_, room| write_ip(second, room));
            if round % 4 == 3 {
                packet.trim(10).unwrap();
            }
            let [sent, replies, dropped, delivered, foreign] = &mut done;
            match here.handle_ip(&mut sender, now, packet) {
                ip_udp::Output::Send { .. } => *sent += 1,
                ip_udp::Output::Reply => *replies += 1,
                ip_udp::Output::Drop(_) => *dropped += 1,
                other => panic!("{other:?}"),
            }
            for packet in [packet, other] {
                match there.handle_underlay(&mut receiver, &DecapMeta::new(), packet) {
                    ip_udp::Output::Deliver => *delivered += 1,
                    ip_udp::Output::Pass | ip_udp::Output::Drop(_) => *foreign += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
    };
    assert_eq!(allocations(work), 0);
    let quarter = rounds / 4;
    assert_eq!(done, [2 * quarter, quarter, quarter, 2 * quarter, 6 * quarter]);
}
