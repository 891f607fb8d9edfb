//! Packets to Linux's vxlan device and to the library's VTEP with the same settings: what each makes of them is
//! compared one by one, byte by byte.

mod carried;
mod ip;

use encap::{
    vtep::Config,
    wire::{MacAddr, Vni},
};
use interop::{
    Case, Need,
    engine::{Engine, Verdict},
    kernel::{Kernel, OVERLAY_MAC, UNDERLAY_MAC},
    require,
};

use self::{
    carried::{ecn, ecn_behind_tags, frames, headers},
    ip::{ipv4, ipv6, outsides},
};

const PORT: u16 = 4789;
const VNI: u32 = 42;
const VALID: u64 = 0x0800_0000_0000_2a00;

/// The settings of the kernel's device, for the library.
fn engine(set: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::linux().local([10, 99, 0, 1].into()).local("fd99::1".parse().unwrap());
    config.dstport = PORT;
    config.address = MacAddr(OVERLAY_MAC);
    set(&mut config);
    let engine = Engine::new(config, UNDERLAY_MAC);
    engine.vtep.fdb().add_vni(Vni::truncate(VNI)).unwrap();
    engine
}

/// What the kernel delivers and what the library does, for each case.
#[track_caller]
fn compare(kernel: &Kernel, engine: &mut Engine, cases: &[Case]) {
    interop::compare(cases, |packet| {
        let theirs = kernel.receive(packet);
        let verdict = engine.receive(packet);
        let ours = match &verdict {
            Verdict::Delivered(frame) => vec![without_first_tag(frame)],
            _ => vec![],
        };
        (ours == theirs, format!("kernel {theirs:02x?}\n  engine {verdict:02x?}"))
    });
}

/// As a raw socket sees a frame: the kernel keeps the first tag beside it.
fn without_first_tag(frame: &[u8]) -> Vec<u8> {
    match frame.get(12..14) {
        Some([0x81, 0] | [0x88, 0xa8]) => [&frame[..12], &frame[16..]].concat(),
        _ => frame.to_vec(),
    }
}

fn v4(options: &str) -> Kernel {
    let kernel =
        Kernel::new(&format!("id {VNI} local 10.99.0.1 dstport {PORT} dev u {options}"), false, PORT, VALID);
    kernel.namespace.ip("addr add 10.99.1.1/32 dev u");
    kernel
}

fn v6(options: &str) -> Kernel {
    Kernel::new(&format!("id {VNI} local fd99::1 dstport {PORT} dev u {options}"), true, PORT, VALID)
}

#[test]
fn headers_frames_and_what_is_around_them() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v4(""), engine(|_| {}));
    compare(&kernel, &mut engine, &headers(false));
    compare(&kernel, &mut engine, &frames());
    compare(&kernel, &mut engine, &outsides(false));
    compare(&kernel, &mut engine, &ipv4());
}

#[test]
fn over_ipv6() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v6(""), engine(|_| {}));
    compare(&kernel, &mut engine, &headers(true));
    compare(&kernel, &mut engine, &ipv6());
    compare(&kernel, &mut engine, &outsides(true));
}

#[test]
fn over_ipv6_with_zero_checksums_allowed() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v6("udp6zerocsumrx"), engine(|config| config.udp6zerocsumrx = true));
    compare(&kernel, &mut engine, &outsides(true));
}

#[test]
fn group_based_policy() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v4("gbp"), engine(|config| config.gbp = true));
    compare(&kernel, &mut engine, &headers(false));
}

#[test]
fn without_learning() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v4("nolearning"), engine(|config| config.learning = false));
    compare(&kernel, &mut engine, &headers(false));
    compare(&kernel, &mut engine, &frames());
}

#[test]
fn congestion_marks_in_all_cells() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v4(""), engine(|_| {}));
    for inner_v6 in [false, true] {
        compare(&kernel, &mut engine, &ecn(false, inner_v6));
    }
    compare(&kernel, &mut engine, &ecn_behind_tags());
    let kernel = v6("");
    for inner_v6 in [false, true] {
        compare(&kernel, &mut engine, &ecn(true, inner_v6));
    }
}
