//! 100 MB by TCP, and whether they arrive as they were sent.

use std::time::Duration;

use interop::{alone, ping, tcp};

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

/// A device that joins packets, as network cards' do, hands them over joined; each is its own all the same.
#[test]
fn joined_by_the_device() {
    require_lab!();
    let _alone = alone();
    let lab = Lab::new();
    lab.b.command("ethtool -K vb gro on");
    lab.kernel("vx4", "id 4 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va udpcsum", "192.168.4.1/24");
    lab.kernel("vx6", "id 6 local fd99::1 remote fd99::2 dstport 4789 dev va", "192.168.6.1/24");
    let options = "--local 10.99.0.2 --local fd99::2 --tap join4 --vni 4 --remote 10.99.0.1 \
                   --tap join6 --vni 6 --remote fd99::1";
    let ours = lab.ours(options, &[("join4", "192.168.4.2/24"), ("join6", "192.168.6.2/24")]);
    for net in [4, 6] {
        tcp::transfer(&lab.a, &lab.b, [192, 168, net, 2].into(), BYTES / 5, LIMIT).unwrap();
        ping(&lab.a, &format!("192.168.{net}.2"), 3).all();
        let delivered = ours.says(&format!("join{net} vni {net} delivered "));
        let packets: usize = delivered.split(' ').next().unwrap().parse().unwrap();
        assert!(packets > BYTES / 5 / 1_400 && delivered.ends_with(" dropped 0"), "{delivered}");
    }
    assert!(!ours.report().contains("failed"), "{}", ours.report());
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
