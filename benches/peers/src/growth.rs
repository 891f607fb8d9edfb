//! How costs grow with what there is: no chart may have a knee that nobody can explain.

use std::{
    hint::black_box,
    io,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
};

use encap::{
    Packet,
    table::{Capacity, Learned, Remote, Settings, Tables},
    tunnel::{self, DecapMeta, DropReason, EncapMeta, InnerChecksum, UdpChecksum, vxlan},
    vtep::{Output, OverlayMeta, Worker},
    wire::{MacAddr, Vni},
};

use crate::{
    cases::{
        Random,
        fdb::{self, BATCH, Contestant as _, NOW, Ours, Work, key},
        rivals::{self, Touch},
        vtep::{Overlay, PACKETS},
    },
    goals::fdb::{batch, single},
    machine,
    measure::{Contestant, Effort, interleave},
    svg::{Line, LineChart},
    traffic::{BURST, Frames, HEADROOM, LOCAL, OVERHEAD, SEED, address, endpoint},
};

/// A chart whose points are still being found.
struct Growing {
    chart: LineChart,
    effort: Effort,
}

impl Growing {
    fn new(file: &'static str, title: &str, x: &'static str, y: &'static str, effort: Effort) -> Self {
        println!("\n{title}\n{x:>28}  {y}");
        Self { chart: LineChart { file, title: title.into(), x, y, lines: Vec::new() }, effort }
    }

    /// Measures everybody at this place of the axis.
    fn measure(&mut self, x: usize, contestants: &mut [Contestant<'_>]) {
        let series = interleave(self.effort, contestants);
        let values: Vec<_> = series.iter().map(|series| (series.name.clone(), series.median())).collect();
        self.add(x, &values);
    }

    fn add(&mut self, x: usize, values: &[(String, f64)]) {
        let text: Vec<_> = values.iter().map(|(name, value)| format!("{name} {value:.1}")).collect();
        println!("{x:>28}  {}", text.join(", "));
        for (name, value) in values {
            let line = match self.chart.lines.iter_mut().find(|line| line.name == *name) {
                Some(line) => line,
                None => {
                    self.chart.lines.push(Line { name: name.clone(), points: Vec::new() });
                    self.chart.lines.last_mut().unwrap()
                }
            };
            line.points.push((x as f64, *value));
        }
    }
}

/// Measures all of them.
pub fn run(quick: bool) -> Vec<LineChart> {
    let effort = Effort { rounds: if quick { 8 } else { 20 }, turn: 8 };
    [entries, remotes, vnis, frame_size, depth, cores].map(|measure| measure(effort, quick).chart).into()
}

/// Writes all points, and the charts.
pub fn write(charts: &[LineChart], csv: Option<&Path>, svg: Option<&Path>) -> io::Result<()> {
    if let Some(csv) = csv {
        let mut lines = vec!["chart,target,x,series,value".to_owned()];
        for chart in charts {
            for line in &chart.lines {
                let point = |&(x, y): &(f64, f64)| {
                    format!("{},{},{x},{},{y:.3}", chart.file, machine::target(), line.name)
                };
                lines.extend(line.points.iter().map(point));
            }
        }
        std::fs::write(csv, lines.join("\n") + "\n")?;
    }
    if let Some(dir) = svg {
        std::fs::create_dir_all(dir)?;
        charts.iter().try_for_each(|chart| chart.write(dir))?;
    }
    Ok(())
}

fn entries(effort: Effort, quick: bool) -> Growing {
    let mut growing = Growing::new(
        "growth-entries",
        "Forwarding database: hits, by its size",
        "entries, table full",
        "ns per lookup",
        effort,
    );
    let most = if quick { 20 } else { 23 };
    for size in
        [10, 12, 14, 16, 18, 20, 22, 23].into_iter().filter(|&bits| bits <= most).map(|bits| 1 << bits)
    {
        let work = Work::new(size, 1 << 20);
        let (ours, fold, line) = (Ours::new(&work), rivals::foldhash(&work), Touch::new(&work));
        assert!(work.hits.iter().take(1 << 12).all(|&key| ours.answer(key) == fold.answer(key)));
        let keys = &work.hits;
        let mut everybody =
            [batch(&ours, keys), single(&ours, keys), single(&fold, keys), single(&line, keys)];
        growing.measure(size, &mut everybody);
    }
    growing
}

/// Frames to hosts behind ever more remotes; as many hosts as remotes at least.
fn remotes(effort: Effort, _: bool) -> Growing {
    let mut growing = Growing::new(
        "growth-remotes",
        "By the number of remotes, 64K hosts behind them",
        "remotes",
        "ns per packet",
        effort,
    );
    for remotes in (0..=16).step_by(2).map(|bits| 1 << bits) {
        let overlay = Overlay::new(1 << 16, remotes);
        let tunnel = endpoint(LOCAL);
        let outer: Vec<_> = (0..remotes)
            .map(|n| tunnel.remote(address(n).into(), Vni::truncate(n as u32)).unwrap())
            .collect();
        let mut random = Random(1);
        let mut packets = Frames::imix(PACKETS).packets();
        let order: Vec<usize> = (0..1 << 16).map(|_| random.below(remotes)).collect();
        let encap = Contestant::new("encap", |slice| {
            let order = order.iter().cycle().skip(slice * PACKETS % order.len());
            for (packet, &remote) in packets.iter_mut().zip(order) {
                tunnel.encap(packet, &outer[remote]).unwrap();
                packet.strip(OVERHEAD).unwrap();
            }
            PACKETS
        });
        growing.measure(remotes, &mut [transmit(&overlay), receive(&overlay), encap]);
    }
    growing
}

fn transmit(overlay: &Overlay) -> Contestant<'_> {
    let mut worker = Worker::new(1);
    let mut outputs = vec![Output::Pass; PACKETS];
    let state = (Frames::imix(PACKETS).packets(), vec![OverlayMeta::default(); PACKETS], Random(2));
    Contestant::prepared(
        "VTEP transmit",
        state,
        |(packets, metas, random)| {
            let sent = packets.iter_mut().filter(|packet| packet.headroom() < HEADROOM);
            sent.for_each(|packet| packet.strip(OVERHEAD).unwrap());
            overlay.aim(random, packets, metas);
        },
        move |(packets, metas, _), _| {
            overlay.vtep.handle_overlay_batch(&mut worker, NOW, metas, packets, &mut outputs);
            assert!(outputs.iter().all(|output| matches!(output, Output::Send { .. })));
            PACKETS
        },
    )
}

fn receive(overlay: &Overlay) -> Contestant<'_> {
    let mut worker = Worker::new(1);
    let mut outputs = vec![Output::Pass; PACKETS];
    let metas = vec![DecapMeta::new(); PACKETS];
    Contestant::prepared(
        "VTEP receive",
        overlay.arrivals(),
        |packets| {
            packets.iter_mut().filter(|packet| packet.headroom() >= HEADROOM).for_each(|packet| {
                packet.prepend::<OVERHEAD>().unwrap();
            });
        },
        move |packets, _| {
            overlay.vtep.handle_underlay_batch(&mut worker, NOW, &metas, packets, &mut outputs);
            assert!(outputs.iter().all(|output| matches!(output, Output::Deliver { .. })));
            PACKETS
        },
    )
}

/// 64K hosts in ever more segments.
fn vnis(effort: Effort, _: bool) -> Growing {
    const HOSTS: usize = 1 << 16;
    let mut growing = Growing::new(
        "growth-vnis",
        "Forwarding database of 64K entries: hits, by the number of VNIs",
        "VNIs",
        "ns per lookup",
        effort,
    );
    const COUNTS: [u32; 9] = [1, 4, 16, 64, 256, 1 << 10, 1 << 12, 1 << 14, 0xffff];
    let filled: Vec<_> = COUNTS
        .iter()
        .map(|&vnis| {
            let capacity = Capacity { vnis, ..Capacity::fdb(HOSTS as u32) };
            let tables = Tables::with_capacity(capacity, Settings::default(), [3, 4]).unwrap();
            let fdb = tables.fdb();
            let remote = tables.remotes().add(&Remote::new(address(1).into(), 4789)).unwrap();
            let host = |number: usize| (Vni::truncate(1 + number as u32 % vnis), key(number as u64).1);
            (0..vnis).for_each(|vni| fdb.add_vni(Vni::truncate(1 + vni)).unwrap());
            for number in 0..HOSTS {
                let (vni, mac) = host(number);
                assert_eq!(fdb.learn(NOW, vni, mac, remote), Learned::New { evicted: None });
            }
            let mut random = Random(4);
            let keys: Vec<(Vni, MacAddr)> = (0..1 << 16).map(|_| host(random.below(HOSTS))).collect();
            (tables, keys)
        })
        .collect();
    let mut everybody = Vec::new();
    for (tables, keys) in &filled {
        let fdb = tables.fdb();
        everybody.push(Contestant::new("batch of 32", move |slice| {
            let mut answers = [Default::default(); BATCH];
            for keys in fdb::slice(keys, slice).chunks(BATCH) {
                fdb.lookup_batch(NOW, keys, &mut answers);
                assert!(black_box(&answers).iter().all(|answer| answer.destination().is_some()));
            }
            fdb::SLICE
        }));
        everybody.push(Contestant::new("single", move |slice| {
            let known = |&&(vni, mac): &&(Vni, MacAddr)| fdb.lookup(NOW, vni, mac).destination().is_some();
            assert_eq!(fdb::slice(keys, slice).iter().filter(known).count(), fdb::SLICE);
            fdb::SLICE
        }));
    }
    // All in turn, and not one number of VNIs after the other: a machine that is slow for a second is so for all. Turns
    // are long enough that each has its own table near before it is timed.
    let effort = Effort { turn: 4 * growing.effort.turn, ..growing.effort };
    let series = interleave(effort, &mut everybody);
    for (&vnis, both) in COUNTS.iter().zip(series.chunks(2)) {
        let values: Vec<_> = both.iter().map(|series| (series.name.clone(), series.median())).collect();
        growing.add(vnis as usize, &values);
    }
    growing
}

/// Frames of ever more bytes, in a burst of 64.
fn frame_size(effort: Effort, _: bool) -> Growing {
    let mut growing = Growing::new(
        "growth-frame",
        "By the length of the frame",
        "bytes of the frame",
        "ns per packet",
        effort,
    );
    for len in [64, 128, 256, 512, 1024, 1514, 2048, 4096, 9000] {
        let plain = endpoint(LOCAL);
        let tunnel = |mode| vxlan::Endpoint::new(LOCAL.into()).seed(SEED).udp_checksum(mode).build().unwrap();
        let (full, offload) = (tunnel(UdpChecksum::Full), tunnel(UdpChecksum::Offload));
        let meta = black_box(EncapMeta::new().inner_checksum(InnerChecksum::Good));
        let mut everybody = [
            encap_of("encap", len, &plain, &meta),
            decap_of("decap", len, UdpChecksum::Zero),
            encap_of("encap; full checksum", len, &full, &meta),
            encap_of("encap; offload", len, &offload, &meta),
            decap_of("decap; checksum", len, UdpChecksum::Full),
        ];
        growing.measure(len, &mut everybody);
    }
    growing
}

/// Room for a burst of frames of this length.
fn rooms(len: usize) -> Vec<Packet<'static>> {
    let frames = crate::goals::checksum::good_frames(len, BURST);
    frames.into_iter().map(|buffer| Packet::new(buffer.leak(), HEADROOM, len).unwrap()).collect()
}

fn encap_of<'a>(name: &str, len: usize, tunnel: &'a vxlan::Endpoint, meta: &'a EncapMeta) -> Contestant<'a> {
    let remote = tunnel.remote(address(1).into(), Vni::truncate(7)).unwrap();
    let mut packets = rooms(len);
    Contestant::new(name, move |_| {
        for _ in 0..4 {
            for packet in &mut packets {
                tunnel.encap_with(packet, &remote, meta).unwrap();
                packet.strip(remote.overhead()).unwrap();
            }
        }
        4 * BURST
    })
}

fn decap_of<'a>(name: &str, len: usize, mode: UdpChecksum) -> Contestant<'a> {
    let tunnel = |local: std::net::Ipv4Addr| {
        vxlan::Endpoint::new(local.into()).seed(SEED).udp_checksum(mode).build().unwrap()
    };
    let (sender, receiver) = (tunnel(address(1)), tunnel(LOCAL));
    let remote = sender.remote(LOCAL.into(), Vni::truncate(7)).unwrap();
    let mut packets = rooms(len);
    packets.iter_mut().for_each(|packet| sender.encap(packet, &remote).unwrap());
    Contestant::new(name, move |_| {
        for _ in 0..4 {
            for packet in &mut packets {
                receiver.decap(packet).unwrap();
                packet.prepend::<36>().unwrap();
            }
        }
        4 * BURST
    })
}

/// Tunnels in tunnels.
fn depth(effort: Effort, _: bool) -> Growing {
    let mut growing = Growing::new(
        "growth-depth",
        "By the depth of tunnels in tunnels",
        "VXLAN in VXLAN, how deep",
        "ns per packet",
        effort,
    );
    let (sender, receiver) = (endpoint(address(1)), endpoint(LOCAL));
    let remote = sender.remote(LOCAL.into(), Vni::truncate(7)).unwrap();
    for depth in 1..=8 {
        let mut packets: Vec<Packet<'static>> = (0..BURST)
            .map(|_| {
                let buffer = vec![0; 8 * OVERHEAD + 128].leak();
                buffer[8 * OVERHEAD..8 * OVERHEAD + 64].copy_from_slice(Frames::of_len(1, 64).frame(0));
                let mut packet = Packet::new(buffer, 8 * OVERHEAD, 64).unwrap();
                (0..depth).for_each(|_| sender.encap(&mut packet, &remote).unwrap());
                packet
            })
            .collect();
        let profile = tunnel::Profile::ANALYSIS;
        let seen: Vec<Vec<u8>> = packets.iter().map(|packet| packet.as_slice().to_vec()).collect();
        let inspect = Contestant::new("inspect", |_| {
            for packet in &seen {
                let found = tunnel::inspect(black_box(packet), &profile);
                assert_eq!(found.layers().count(), depth);
            }
            BURST
        });
        let decap = Contestant::new("decap of every tunnel", |_| {
            for packet in &mut packets {
                for _ in 0..depth {
                    receiver.decap(packet).unwrap();
                }
                assert_eq!(receiver.decap(packet), Err(DropReason::OtherDestination));
                (0..depth).for_each(|_| {
                    packet.prepend::<OVERHEAD>().unwrap();
                });
            }
            BURST
        });
        growing.measure(depth, &mut [inspect, decap]);
    }
    growing
}

/// One and two cores on one table of 64K entries, both reading, and one of them learning.
fn cores(effort: Effort, _: bool) -> Growing {
    const SIZE: usize = 1 << 16;
    let mut growing = Growing::new(
        "growth-cores",
        "Forwarding database of 64K entries: cores that look up at once",
        "cores",
        "ns per lookup on each",
        effort,
    );
    let work = Work::new(SIZE, 1 << 18);
    let ours = Ours::new(&work);
    growing.measure(1, &mut [batch(&ours, &work.hits), single(&ours, &work.hits)]);
    if machine::processors() < 2 {
        return growing;
    }
    for learning in [false, true] {
        let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                machine::pin(1);
                let mut random = Random(5);
                while !stop.load(Relaxed) {
                    let turn = done.fetch_add(1, Relaxed);
                    if learning {
                        for &((vni, mac), _) in work.entries.iter().skip(random.below(SIZE - 64)).take(64) {
                            let to = ours.remote(random.below(fdb::REMOTES as usize) as u32);
                            let _ = ours.fdb().learn(NOW, vni, mac, to);
                        }
                    } else {
                        let keys = fdb::slice(&work.hits, turn);
                        assert_eq!(ours.batch(keys), Some(keys.len()));
                    }
                }
            });
            let how = if learning { "; the other moves hosts" } else { "" };
            let mut everybody = [batch(&ours, &work.hits), single(&ours, &work.hits)];
            let series = interleave(growing.effort, &mut everybody);
            stop.store(true, Relaxed);
            let values: Vec<_> =
                series.iter().map(|series| (format!("{}{how}", series.name), series.median())).collect();
            growing.add(2, &values);
        });
        assert!(done.load(Relaxed) > 0, "the other core was at work");
    }
    growing
}
