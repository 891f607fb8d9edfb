//! 100 MB by TCP, and whether they arrive as they were sent.

use std::time::Duration;

use interop::{alone, tcp};

use crate::lab::{Lab, Ours, require_lab};

const BYTES: usize = 100_000_000;
const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn a_hundred_megabytes_each_way_with_the_kernel() {
    require_lab!();
    let _alone = alone();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let options = "--tap tcp0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1";
    let ours = lab.ours(options, &[("tcp0", "192.168.77.2/24")]);
    let out = tcp::transfer(&lab.b, &lab.a, [192, 168, 77, 1].into(), BYTES, LIMIT).unwrap();
    let back = tcp::transfer(&lab.a, &lab.b, [192, 168, 77, 2].into(), BYTES, LIMIT).unwrap();
    println!("out {:.0} Mbit/s, back {:.0} Mbit/s", out.rate() / 1e6, back.rate() / 1e6);
    assert!(ours.number("sent ") > BYTES as u64 / 1_400);
    assert!(ours.number("delivered ") > BYTES as u64 / 1_400);
}

#[test]
fn over_ipv6_and_frame_by_frame() {
    require_lab!();
    let _alone = alone();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local fd99::1 remote fd99::2 dstport 4789 dev va", "192.168.77.1/24");
    lab.a.ip("addr add fd77::1/64 dev vx0 nodad");
    for offload in ["", "--no-offload"] {
        let options = format!("--tap frames0 --vni 100 --local fd99::2 --remote fd99::1 {offload}");
        let addresses = [("frames0", "192.168.77.2/24"), ("frames0", "fd77::2/64 nodad")];
        let ours = lab.ours(&options, &addresses);
        tcp::transfer(&lab.b, &lab.a, "fd77::1".parse().unwrap(), BYTES / 5, LIMIT).unwrap();
        tcp::transfer(&lab.a, &lab.b, "fd77::2".parse().unwrap(), BYTES / 5, LIMIT).unwrap();
        tcp::transfer(&lab.b, &lab.a, [192, 168, 77, 1].into(), BYTES / 5, LIMIT).unwrap();
        drop(ours);
    }
}

#[test]
fn a_hundred_megabytes_between_two_of_ours() {
    require_lab!();
    let _alone = alone();
    let lab = Lab::new();
    let _first = Ours::start(
        &lab.a,
        "--tap pair0 --vni 7 --local 10.99.0.1 --remote 10.99.0.2",
        &[("pair0", "192.168.77.1/24")],
    );
    let _second =
        lab.ours("--tap pair1 --vni 7 --local 10.99.0.2 --remote 10.99.0.1", &[("pair1", "192.168.77.2/24")]);
    let out = tcp::transfer(&lab.b, &lab.a, [192, 168, 77, 1].into(), BYTES, LIMIT).unwrap();
    println!("{:.0} Mbit/s", out.rate() / 1e6);
}
