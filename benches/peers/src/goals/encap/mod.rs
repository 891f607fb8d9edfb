//! E1 to E5: encapsulation.

mod contestants;
mod etherparse;
mod others;
mod pnet;
mod smoltcp;

use std::net::Ipv4Addr;

use contestants::{Rust, copies, copies_and_looks};

use crate::{
    ffi,
    flow::Keys,
    measure::{Contestant, Series, fastest, interleave},
    report::{Goal, Report},
    traffic::{BURST, Frames, LOCAL, SEED, Step, endpoint, plans, remotes},
};

/// Whoever puts outer headers before one packet at a time.
pub trait Encap {
    fn name(&self) -> String;

    /// Encapsulates the frame of `len` bytes that starts `start` bytes into the buffer; answers where the packet
    /// starts, or nothing where it cannot be done.
    fn encap(&self, buffer: &mut [u8], start: usize, len: usize, step: Step) -> Option<usize>;
}

/// What varies from packet to packet, for those who have no endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub keys: Keys,
    pub ports: (u16, u16),
    pub port: u16,
    pub local: Ipv4Addr,
    /// The longest frame.
    pub max: usize,
}

/// Runs E1, E2, E3, E5, and E4 after them.
pub fn run(report: &mut Report) {
    if report.wants(&["E1", "E2", "E3", "E5"]) {
        run_vxlan(report);
    }
    if report.wants(&["E4"]) {
        others::run(report);
    }
}

fn run_vxlan(report: &mut Report) {
    let frames = Frames::imix(BURST);
    let tunnel = endpoint(LOCAL);
    let remotes = remotes(&tunnel);
    let twins: Vec<_> = remotes.iter().map(ffi::Remote::new).collect();
    let plans = plans(BURST);
    let settings = contestants::settings();
    let (ether, pnet, smol) = (
        etherparse::Etherparse::new(settings),
        pnet::Pnet::new(settings, &remotes),
        smoltcp::Smoltcp::new(settings),
    );

    let given = Burst::new(&frames, &plans, &tunnel, &remotes, true);
    let read = Burst::new(&frames, &plans, &tunnel, &remotes, false);
    read.check(&Rust(&ether));
    read.check(&Rust(&pnet));
    read.check(&Rust(&smol));
    read.check_twin(&twins);
    check_hash(&frames);

    let mut everybody = [
        copies(&frames, &plans, &remotes),
        given.ours(true),
        read.ours(true),
        read.ours(false),
        given.ours(false),
        read.rival(&Rust(&ether)),
        read.rival(&Rust(&pnet)),
        read.rival(&Rust(&smol)),
        read.twin(&twins),
        given.twin(&twins),
        read.tep(&remotes),
        copies_and_looks(&frames, &plans, &remotes),
    ];
    let series = interleave(report.effort, &mut everybody);
    let [copy, e1, e2, one, one_given, ether, pnet, smol, twin, twin_given, tep, looks] = series.as_slice()
    else {
        unreachable!("one series each")
    };
    report.row("E1", "VXLAN encap; hash given; batch of 64", e1, copy, Goal::Time(1.6, 1.25));
    report.row("E1", "the same beside a copy that looks at the frame", e1, looks, Goal::Info);
    report.row("E1", "the same beside C", e1, twin_given, Goal::Info);
    report.row("E2", "VXLAN encap; flow hashed; batch of 64", e2, copy, Goal::Time(2.5, 1.8));
    let best = fastest([ether, pnet, smol]);
    report.row("E3", "E2 beside the best of the Rust rivals", e2, best, Goal::Faster(2.0, 3.0));
    report.row("E3", "E2 beside its C twin", e2, twin, Goal::Time(1.15, 1.0));
    for rival in [ether, pnet, smol] {
        report.row("E3", "E2 beside each of them", e2, rival, Goal::Info);
    }
    if cfg!(dpdk) {
        report.row("E3", "beside C that checks nothing", e2, tep, Goal::Info);
    } else {
        report.skip("E3", "beside C that checks nothing", "DPDK is not installed");
    }
    report.row("E5", "one packet at a time; flow hashed", one, e2, Goal::Time(1.5, 1.2));
    report.row("E5", "one packet at a time; hash given", one_given, e1, Goal::Time(1.5, 1.2));
    warm(report);
}

/// The same with 4,096 buffers, which no branch predictor knows by heart.
fn warm(report: &mut Report) {
    const WARM: usize = 4096;
    let frames = Frames::imix(WARM);
    let tunnel = endpoint(LOCAL);
    let remotes = remotes(&tunnel);
    let twins: Vec<_> = remotes.iter().map(ffi::Remote::new).collect();
    let plans = plans(WARM);
    let burst = Burst::new(&frames, &plans, &tunnel, &remotes, false);
    let mut everybody = [copies(&frames, &plans, &remotes), burst.ours(true), burst.twin(&twins)];
    let series = interleave(report.effort, &mut everybody);
    let [copy, ours, twin] = series.as_slice() else { unreachable!("one series each") };
    report.row("E2", "the same; 4096 buffers", ours, copy, Goal::Info);
    report.row("E3", "the same; 4096 buffers; beside C", ours, twin, Goal::Info);
}

/// Whether the hash that others are lent is the crate's.
fn check_hash(frames: &Frames) {
    let keys = Keys::new(SEED);
    for at in 0..BURST {
        let hash = contestants::flow_of(frames.frame(at), &keys);
        assert_eq!(hash, ffi::twin_flow_hash(&keys.0, frames.frame(at)), "flow hash of frame {at}");
    }
}

/// E2 alone, for who adds it up with something else.
pub fn e2<'a>(burst: &'a Burst<'a>) -> Contestant<'a> {
    burst.ours(true)
}

pub use contestants::{Burst, flow_of, twin_endpoint};

/// A series of the same samples by another name.
pub fn named(series: &Series, name: &str) -> Series {
    Series { name: name.into(), samples: series.samples.clone() }
}
