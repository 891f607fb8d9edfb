//! V1 to V3: a whole VTEP.

use std::hint::black_box;

use encap::{
    Packet,
    table::Lookup,
    tunnel::DecapMeta,
    vtep::{Output, OverlayMeta, Worker},
    wire::{MacAddr, Vni},
};

use super::{
    encap::{Burst, named},
    kernel,
};
use crate::{
    cases::{
        Random,
        fdb::{BATCH, NOW},
        vtep::{Over, Overlay, PACKETS},
    },
    machine,
    measure::{Contestant, Ratio, Series, interleave},
    report::{Goal, Report},
    traffic::{Frames, LOCAL, endpoint, plans, remotes},
};

const HOSTS: usize = 1 << 16;
const REMOTES: usize = 1024;

/// Clocks per packet that VPP publishes for l2-input, l2-learn, l2-fwd, l2-output and encapsulation, on a Skylake.
const VPP: f64 = 114.0;

pub fn run(report: &mut Report) {
    if !report.wants(&["V1", "V2", "V3"]) {
        return;
    }
    let overlay = Overlay::new(HOSTS, REMOTES);
    check(&overlay);
    // E2 and F1 alone, with as many packets and the same table.
    let frames = Frames::imix(PACKETS);
    let tunnel = endpoint(LOCAL);
    let remotes = remotes(&tunnel);
    let plans = plans(PACKETS);
    let burst = Burst::new(&frames, &plans, &tunnel, &remotes, false);
    let mut everybody = [
        transmit(&overlay, Calls::Bursts),
        burst.ours(true),
        lookups(&overlay),
        receive(&overlay, Calls::Bursts),
        transmit(&overlay, Calls::Vtep),
        receive(&overlay, Calls::Vtep),
        transmit(&overlay, Calls::Engine),
        receive(&overlay, Calls::Engine),
    ];
    let series = interleave(report.effort, &mut everybody);
    let [sent, e2, f1, received, sent_alone, received_alone, sent_kept, received_kept] = series.as_slice()
    else {
        unreachable!("one series each")
    };
    let sum = e2.plus(f1, "E2 and F1 alone");
    report.row("V1", "VTEP transmit; 64K MACs; 1K remotes", sent, &sum, Goal::Time(1.5, 1.1));
    let bursts = |series: &Series| named(series, "in bursts");
    report.row("V1", "VTEP transmit; a call for each frame", sent_alone, &bursts(sent), Goal::Info);
    report.row("V1", "VTEP receive; a call for each packet", received_alone, &bursts(received), Goal::Info);
    report.row("V1", "VTEP transmit; a call of its engine for each", sent_kept, &bursts(sent), Goal::Info);
    report.row(
        "V1",
        "VTEP receive; a call of its engine for each",
        received_kept,
        &bursts(received),
        Goal::Info,
    );
    for (over, name) in [(Over::Ipv6, "over IPv6"), (Over::Ipv6Summed, "over IPv6 with UDP checksums")] {
        beside_ipv4(report, &overlay, over, name);
    }
    match machine::ticks_per_ns() {
        Some(ticks) => {
            cycles(report, "VTEP transmit", sent, ticks);
            cycles(report, "VTEP receive; learning", received, ticks);
        }
        None => report.skip("V2", "VTEP transmit and receive in clocks", "the clock's rate is not known"),
    }
    if report.wants(&["V3"]) {
        match kernel::receive() {
            Ok(kernel) => report.row("V3", "VTEP receive; learning", received, &kernel, Goal::Info),
            Err(why) => report.skip("V3", "VTEP receive; beside the kernel's", &why),
        }
    }
}

/// The same over IPv6, beside IPv4.
fn beside_ipv4(report: &mut Report, ipv4: &Overlay, over: Over, name: &str) {
    let ipv6 = Overlay::over(over, HOSTS, REMOTES);
    check(&ipv6);
    let mut everybody = [
        transmit(&ipv6, Calls::Bursts),
        transmit(ipv4, Calls::Bursts),
        receive(&ipv6, Calls::Bursts),
        receive(ipv4, Calls::Bursts),
    ];
    let series = interleave(report.effort, &mut everybody);
    let [sent, sent_v4, received, received_v4] = series.as_slice() else { unreachable!("one series each") };
    let beside = |series: &Series| named(series, "over IPv4");
    report.row("V1", &format!("VTEP transmit; {name}"), sent, &beside(sent_v4), Goal::Info);
    report.row("V1", &format!("VTEP receive; {name}"), received, &beside(received_v4), Goal::Info);
}

fn cycles(report: &mut Report, work: &str, series: &Series, ticks: f64) {
    let clocks = series.median() * ticks;
    let value = VPP / clocks;
    report.push(
        "V2",
        work,
        format!("{clocks:.0} clocks"),
        format!("VPP on Skylake; published {VPP} clocks"),
        Some(Ratio { value, low: value, high: value }),
        Goal::Info,
    );
}

/// Frames, and what is told of them.
struct Sent {
    packets: Vec<Packet<'static>>,
    metas: Vec<OverlayMeta>,
    random: Random,
}

impl Sent {
    fn new() -> Self {
        let packets = Frames::imix(PACKETS).packets();
        Self { packets, metas: vec![OverlayMeta::default(); PACKETS], random: Random(9) }
    }

    fn aim(&mut self, overlay: &Overlay) {
        overlay.aim(&mut self.random, &mut self.packets, &mut self.metas);
    }
}

/// Whether what is sent arrives, at the right remote and as it was.
fn check(overlay: &Overlay) {
    let mut sent = Sent::new();
    sent.aim(overlay);
    let frames: Vec<_> = sent.packets.iter().map(|packet| packet.as_slice().to_vec()).collect();
    let mut worker = Worker::new(1);
    let mut outputs = vec![Output::Pass; PACKETS];
    overlay.vtep.handle_overlay_batch(&mut worker, NOW, &sent.metas, &mut sent.packets, &mut outputs);
    for (((packet, meta), output), frame) in
        sent.packets.iter_mut().zip(&sent.metas).zip(outputs).zip(&frames)
    {
        let Output::Send { address, .. } = output else { panic!("{output:?}") };
        let inner = overlay.receiver(address).decap(packet).unwrap();
        assert_eq!((inner.encapsulation.vni(), packet.as_slice()), (Some(meta.vni), frame.as_slice()));
    }
    assert_eq!(worker.counters().sent, PACKETS as u64);
    let mut packets = overlay.arrivals();
    let metas = vec![DecapMeta::new(); PACKETS];
    overlay.vtep.handle_underlay_batch(&mut worker, NOW, &metas, &mut packets, &mut outputs_of());
    assert_eq!(worker.counters().delivered, PACKETS as u64);
}

fn outputs_of() -> Vec<Output> {
    vec![Output::Pass; PACKETS]
}

/// What is called: the VTEP for many packets, or for each; or an engine of its that is kept, for each.
#[derive(Clone, Copy)]
enum Calls {
    Bursts,
    Vtep,
    Engine,
}

fn transmit(overlay: &Overlay, calls: Calls) -> Contestant<'_> {
    let (engine, mut worker, mut outputs) = (overlay.vtep.engine(), Worker::new(1), outputs_of());
    Contestant::prepared(
        "encap",
        Sent::new(),
        |sent| {
            sent.packets.iter_mut().filter(|packet| packet.headroom() < 128).for_each(|packet| {
                packet.strip(overlay.over.overhead()).unwrap();
            });
            sent.aim(overlay);
        },
        move |Sent { packets, metas, .. }, _| {
            let each = metas.iter().zip(&mut *packets).zip(&mut outputs);
            match calls {
                Calls::Bursts => {
                    overlay.vtep.handle_overlay_batch(&mut worker, NOW, metas, packets, &mut outputs);
                }
                Calls::Vtep => each.for_each(|((meta, packet), output)| {
                    *output = overlay.vtep.handle_overlay(&mut worker, NOW, meta, packet);
                }),
                Calls::Engine => each.for_each(|((meta, packet), output)| {
                    *output = engine.handle_overlay(&mut worker, NOW, meta, packet);
                }),
            }
            black_box(&mut outputs);
            PACKETS
        },
    )
}

fn receive(overlay: &Overlay, calls: Calls) -> Contestant<'_> {
    let (engine, mut worker, mut outputs) = (overlay.vtep.engine(), Worker::new(1), outputs_of());
    let metas = black_box(vec![DecapMeta::new(); PACKETS]);
    Contestant::prepared(
        "encap",
        overlay.arrivals(),
        |packets| {
            let stripped = packets.iter_mut().filter(|packet| packet.headroom() >= 128);
            stripped.for_each(|packet| overlay.over.give_back(packet));
        },
        move |packets, _| {
            let each = metas.iter().zip(&mut *packets).zip(&mut outputs);
            match calls {
                Calls::Bursts => {
                    overlay.vtep.handle_underlay_batch(&mut worker, NOW, &metas, packets, &mut outputs);
                }
                Calls::Vtep => each.for_each(|((meta, packet), output)| {
                    *output = overlay.vtep.handle_underlay(&mut worker, NOW, meta, packet);
                }),
                Calls::Engine => each.for_each(|((meta, packet), output)| {
                    *output = engine.handle_underlay(&mut worker, NOW, meta, packet);
                }),
            }
            black_box(&mut outputs);
            PACKETS
        },
    )
}

/// F1 alone: the same addresses looked up by batches.
fn lookups(overlay: &Overlay) -> Contestant<'_> {
    Contestant::prepared(
        "F1 alone",
        (Sent::new(), Vec::new()),
        |(sent, keys): &mut (Sent, Vec<(Vni, MacAddr)>)| {
            sent.aim(overlay);
            let key = |(packet, meta): (&Packet<'_>, &OverlayMeta)| {
                (meta.vni, MacAddr(*packet.as_slice().first_chunk().unwrap()))
            };
            *keys = sent.packets.iter().zip(&sent.metas).map(key).collect();
        },
        |(_, keys), _| {
            let fdb = overlay.vtep.fdb();
            let mut answers = [Lookup::Unknown; BATCH];
            for keys in keys.chunks(BATCH) {
                fdb.lookup_batch(NOW, keys, &mut answers);
                black_box(&mut answers);
            }
            keys.len()
        },
    )
}
