//! D1 to D3: decapsulation.

mod contestants;
mod mutants;
mod rivals;

use contestants::{Received, Rust, copies};
use encap::{Packet, tunnel::geneve, wire::Vni};

use crate::{
    measure::{Contestant, fastest, interleave},
    report::{Goal, Report},
    traffic::{BURST, Frames, HEADROOM, LOCAL, SEED, address, endpoint},
};

/// Whoever reads down to the inner frame, with all checks.
pub trait Decap {
    fn name(&self) -> String;

    /// What the outer headers say; nothing where the packet is to be refused.
    fn open(&self, packet: &[u8]) -> Option<Opened>;
}

/// What a contestant found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opened {
    pub vni: u32,
    /// Where the inner frame starts and ends.
    pub start: usize,
    pub end: usize,
    /// ECN of the outer header.
    pub ecn: u8,
}

/// Runs D1 to D3.
pub fn run(report: &mut Report) {
    if report.wants(&["D1", "D2", "D3"]) {
        run_vxlan(report);
    }
}

fn run_vxlan(report: &mut Report) {
    let frames = Frames::imix(BURST);
    let tunnel = endpoint(LOCAL);
    let received = Received::new(&frames, &tunnel);
    let rivals = rivals::Rivals::default();
    let rejects = mutants::check(&received, &rivals);
    println!("D2: everybody refuses the same {rejects} of {} packets", mutants::COUNT);

    let geneve = black(geneve::Endpoint::new(LOCAL.into()).seed(SEED).build().unwrap());
    let plain = geneve_frames(&frames, &[]);
    let options = geneve_frames(&frames, &[0, 1, 2, 0].repeat(8));
    let mut everybody = [
        received.ours(),
        received.twin(),
        received.rival(&Rust(&rivals.etherparse)),
        received.rival(&Rust(&rivals.pnet)),
        received.rival(&Rust(&rivals.smoltcp)),
        received.rival(&Rust(&rivals.pdu)),
        received.tep(),
        copies(&frames),
        geneve_decap("Geneve; no options", &geneve, &frames, &plain),
        geneve_decap("Geneve; 8 options", &geneve, &frames, &options),
        received.one_by_one(),
    ];
    let series = interleave(report.effort, &mut everybody);
    let [ours, twin, ether, pnet, smol, pdu, tep, copy, plain, options, one] = series.as_slice() else {
        unreachable!("one series each")
    };
    report.row("D1", "VXLAN decap; all checks; batch of 64", ours, twin, Goal::Time(1.15, 1.0));
    report.row("D1", "the same; one packet at a time", one, twin, Goal::Info);
    report.row("D1", "the same beside a copy of the headers", ours, copy, Goal::Info);
    if cfg!(dpdk) {
        report.row("D1", "the same beside C that checks nothing", ours, tep, Goal::Info);
    } else {
        report.skip("D1", "the same beside C that checks nothing", "DPDK is not installed");
    }
    let best = fastest([ether, pnet, smol]);
    report.row("D2", "the same beside the best of the Rust rivals", ours, best, Goal::Faster(1.0, 2.0));
    for rival in [ether, pnet, smol, pdu] {
        report.row("D2", "the same beside each of them", ours, rival, Goal::Info);
    }
    report.row("D3", "Geneve decap; 8 options", options, ours, Goal::Time(2.0, 1.5));
    report.row("D3", "Geneve decap; no options", plain, ours, Goal::Info);
}

fn black<T>(value: T) -> T {
    std::hint::black_box(value)
}

/// The frames behind Geneve with these options, ready to be received.
fn geneve_frames(frames: &Frames, options: &[u8]) -> Vec<(usize, Packet<'static>)> {
    let sender = geneve::Endpoint::new(address(0).into()).build().unwrap();
    let mut packets = frames.packets();
    for (number, packet) in packets.iter_mut().enumerate() {
        let remote = sender.remote_with_options(LOCAL.into(), Vni::truncate(number as u32), options);
        sender.encap(packet, &remote.unwrap()).unwrap();
    }
    packets.into_iter().map(|packet| (HEADROOM - packet.headroom(), packet)).collect()
}

fn geneve_decap<'a>(
    name: &str,
    tunnel: &'a geneve::Endpoint,
    frames: &Frames,
    packets: &[(usize, Packet<'static>)],
) -> Contestant<'a> {
    use encap::tunnel::DecapMeta;
    let overhead = packets[0].0;
    let mut packets: Vec<Packet<'static>> = packets
        .iter()
        .map(|(_, packet)| {
            let buffer = Box::leak(Box::new(crate::traffic::Buffer([0; 2048])));
            let start = packet.headroom();
            buffer.0[start..start + packet.len()].copy_from_slice(packet.as_slice());
            Packet::new(&mut buffer.0, start, packet.len()).unwrap()
        })
        .collect();
    let metas = black(vec![DecapMeta::new(); BURST]);
    let mut results = vec![Err(encap::tunnel::DropReason::TooDeep); BURST];
    tunnel.decap_batch(&mut packets, &metas, &mut results);
    for (at, (packet, inner)) in packets.iter_mut().zip(&results).enumerate() {
        assert_eq!(inner.unwrap().encapsulation.vni(), Vni::new(at as u32));
        assert_eq!(packet.as_slice(), frames.frame(at), "{name}, frame {at}");
        restore(packet, overhead);
    }
    Contestant::new(name, move |_| {
        for _ in 0..BURST {
            tunnel.decap_batch(&mut packets, &metas, &mut results);
            let vnis: u32 =
                results.iter().map(|inner| inner.unwrap().encapsulation.vni().unwrap().value()).sum();
            assert_eq!(vnis, (0..BURST as u32).sum::<u32>());
            packets.iter_mut().for_each(|packet| restore(packet, overhead));
        }
        BURST * BURST
    })
}

/// The packet with the outer headers that were stripped from it.
pub fn restore(packet: &mut Packet<'_>, overhead: usize) {
    let restored = match overhead {
        36 => packet.prepend::<36>().map(|_| ()),
        50 => packet.prepend::<50>().map(|_| ()),
        68 => packet.prepend::<68>().map(|_| ()),
        other => panic!("no header of {other} bytes"),
    };
    restored.unwrap();
}
