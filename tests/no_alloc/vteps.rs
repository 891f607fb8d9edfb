//! VTEPs.

use std::{hint::black_box, net::Ipv4Addr};

use encap::{
    Packet,
    table::{Capacity, Line, Snooping},
    time::Instant,
    tunnel::DecapMeta,
    vtep::{self, Output, OverlayMeta, Proxy, Vtep, Worker},
    wire::{MacAddr, Vni, arp, ipv4},
};

use super::{FRAME, allocations};

/// Two VTEPs that send each other all kinds of frames, learn, answer, refuse and sweep.
#[test]
fn vteps_allocate_nothing() {
    let frames = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    for proxy in [Proxy::NeighSuppress, Proxy::KernelProxy] {
        let (mut here, mut there) = (VtepWithWorker::new(1, 2, proxy), VtepWithWorker::new(2, 1, proxy));
        let mut done = Done::default();
        assert_eq!(allocations(|| done = exchange(&mut here, &mut there, frames)), 0);
        // Everything that was to happen did.
        let Done { delivered, replicated, replies, too_big, dropped, passed, misses, events } = done;
        let least = [delivered, replicated, replies, too_big, dropped, passed, misses].into_iter().min();
        // What is known stays: there are no more events than the table has room for.
        assert!(least >= Some(frames / 100) && events > 64, "{done:?}");
    }
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    delivered: u32,
    replicated: u32,
    replies: u32,
    too_big: u32,
    dropped: u32,
    passed: u32,
    misses: u32,
    events: u32,
}

struct VtepWithWorker {
    vtep: Vtep<Box<[Line]>>,
    worker: Worker<'static>,
}

impl VtepWithWorker {
    /// A VTEP at 192.0.2.`here` with hosts that the one at 192.0.2.`there` asks for.
    fn new(here: u8, there: u8, proxy: Proxy) -> Self {
        let mut config = vtep::Config::new().local([192, 0, 2, here].into());
        config.proxy = proxy;
        config.tables.snooping = Snooping::All;
        let capacity = Capacity { neighbors: 64, ..Capacity::fdb(64) };
        let vtep = Vtep::with_capacity(config, capacity, [1, here.into()]).unwrap();
        for to in [there, 9] {
            let remote = vtep.remote([192, 0, 2, to].into()).unwrap();
            vtep.fdb().append(SEGMENT, MacAddr::ZERO, remote).unwrap();
        }
        let remote = vtep.remote([192, 0, 2, there].into()).unwrap();
        vtep.fdb().add(SEGMENT, MacAddr([2, 0, 0, 0, 1, 2]), remote).unwrap();
        vtep.neighbors().add(SEGMENT, [10, 1, 0, 2].into(), MacAddr([2, 0, 0, 0, 1, 2])).unwrap();
        Self { vtep, worker: Worker::new(1).with_miss_capacity(16).with_event_capacity(16) }
    }
}

const SEGMENT: Vni = Vni::truncate(42);

fn exchange(here: &mut VtepWithWorker, there: &mut VtepWithWorker, frames: u32) -> Done {
    const HEADROOM: usize = 64;
    let mut done = Done::default();
    let mut buffer = [0; 1_600];
    let mut copy = [0; 1_700];
    let mut unknown = FRAME;
    for round in 0..frames {
        let now = Instant::from_millis(round.into());
        let (here, there) =
            if round % 2 == 0 { (&mut *here, &mut *there) } else { (&mut *there, &mut *here) };
        let meta = OverlayMeta::new(SEGMENT);
        let (_, room) = buffer.split_at_mut(HEADROOM);
        // More hosts than there is room for.
        let len = write_frame(round % 7, round / 7 % 200, room);
        let mut packet = Packet::new(&mut buffer, HEADROOM, len).unwrap();
        let output = here.vtep.handle_overlay(&mut here.worker, now, &meta, &mut packet);
        if let Output::Replicate(flood) = output {
            done.replicated += 1;
            for replica in here.vtep.replicas(&mut here.worker, &flood, packet.as_slice()) {
                let parts = replica.header.iter().chain(packet.as_slice());
                for (to, from) in copy.iter_mut().skip(HEADROOM).zip(parts) {
                    *to = *from;
                }
                let len = replica.header.len() + packet.len();
                let mut packet = Packet::new(&mut copy, HEADROOM, len).unwrap();
                count(&mut done, there, now, &mut packet);
            }
        }
        match output {
            Output::Send { .. } => count(&mut done, there, now, &mut packet),
            Output::Reply if packet.len() > 100 => done.too_big += 1,
            Output::Reply => done.replies += 1,
            Output::Drop(reason) => {
                done.dropped += 1;
                black_box(reason.name());
            }
            _ => {}
        }
        count(&mut done, there, now, &mut packet);
        done.misses += u32::from(here.worker.poll_miss().is_some());
        done.events += u32::from(here.worker.poll_event().is_some());
        // A segment without a default destination, in which everything is a miss.
        let mut packet = Packet::new(&mut unknown, 0, FRAME.len()).unwrap();
        let _ = here.vtep.handle_overlay(&mut here.worker, now, &OverlayMeta::new(Vni::MAX), &mut packet);
        let _ = black_box(here.vtep.handle_timeout(now, 4, |event| _ = black_box(event)));
        black_box(here.worker.counters().drops().count());
    }
    done
}

/// A frame of one of seven kinds, from the host with this number; its length.
pub(super) fn write_frame(kind: u32, host: u32, room: &mut [u8]) -> usize {
    let [.., h0, h1] = host.to_be_bytes();
    for (to, from) in room.iter_mut().zip(FRAME) {
        *to = from;
    }
    let (front, payload) = room.split_first_chunk_mut::<14>().unwrap();
    let [d0, d1, d2, d3, d4, d5, _, _, _, _, s4, s5, t0, t1] = front;
    (*s4, *s5) = (h0, h1);
    match kind {
        // To a host that is known, or was.
        0 | 1 => (*d4, *d5) = (h0, h1),
        2 => [*d0, *d1, *d2, *d3, *d4, *d5] = [0xff; 6],
        3 => {
            let arp = arp::Header {
                operation: arp::Operation::REQUEST,
                sender_mac: MacAddr([2, 0, 0, 0, 0, 1]),
                sender_ip: Ipv4Addr::new(10, 1, 0, 1),
                target_mac: MacAddr::ZERO,
                target_ip: Ipv4Addr::new(10, 1, 0, 2),
            };
            [*d0, *d1, *d2, *d3, *d4, *d5] = [0xff; 6];
            [*t0, *t1] = [8, 6];
            payload.first_chunk_mut().into_iter().for_each(|to| *to = arp.to_bytes());
        }
        4 => {
            // Too long, and with DF, for a way that was found to be narrow.
            let header = [0x45, 0, 5, 0xaa, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 1, 0, 2];
            let header = ipv4::Header::from_bytes(&header).unwrap().with_checksum();
            payload.first_chunk_mut().into_iter().for_each(|to| *to = header.fixed_bytes());
            return 1_500;
        }
        5 => return 10,
        _ => {}
    }
    FRAME.len()
}

/// A packet arrives, once at its VTEP and once at one that it is not for.
fn count(done: &mut Done, there: &mut VtepWithWorker, now: Instant, packet: &mut Packet<'_>) {
    let meta = DecapMeta::new();
    match there.vtep.handle_underlay(&mut there.worker, now, &meta, packet) {
        Output::Deliver { .. } => done.delivered += 1,
        Output::Pass => done.passed += 1,
        _ => {}
    }
}
