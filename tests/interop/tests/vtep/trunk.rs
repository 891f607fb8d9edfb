//! One device for several segments, told apart by VLANs.

use std::time::Duration;

use interop::{ping, tcp};

use crate::lab::{Lab, require_lab};

/// Segments of the kernel's side, each with the VLAN that it has on ours.
const SEGMENTS: [(u16, u32); 2] = [(10, 110), (20, 120)];

fn lab() -> Lab {
    let lab = Lab::new();
    for (vlan, vni) in SEGMENTS {
        let options = format!("id {vni} local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va");
        lab.kernel(&format!("vx{vlan}"), &options, &format!("192.168.{vlan}.1/24"));
    }
    lab
}

fn options(device: &str) -> String {
    let segments = SEGMENTS.map(|(vlan, vni)| format!("--vlan {vlan}={vni} --remote 10.99.0.1"));
    format!("--local 10.99.0.2 --tap {device} {}", segments.join(" "))
}

#[test]
fn a_trunk_and_a_device_of_the_kernel_for_each_vni() {
    require_lab!();
    let lab = lab();
    let ours = lab.ours(&options("trunk0"), &[]);
    for (vlan, _) in SEGMENTS {
        lab.b.ip(&format!("link add link trunk0 name trunk0.{vlan} type vlan id {vlan}"));
        lab.b.ip(&format!("addr add 192.168.{vlan}.2/24 dev trunk0.{vlan}"));
        lab.b.ip(&format!("link set trunk0.{vlan} up"));
    }
    for (vlan, vni) in SEGMENTS {
        ping(&lab.a, &format!("192.168.{vlan}.2"), 3).all();
        ping(&lab.b, &format!("192.168.{vlan}.1"), 3).all();
        // Full frames, whose tags do not count in the tunnel.
        ping(&lab.a, &format!("-M do -s 1422 192.168.{vlan}.2"), 2).all();
        ping(&lab.b, &format!("-M do -s 1422 192.168.{vlan}.1"), 2).all();
        // What TCP sends goes through offloads of devices, with tags.
        for (from, to, last) in [(&lab.b, &lab.a, 1), (&lab.a, &lab.b, 2)] {
            let host = [192, 168, vlan as u8, last].into();
            tcp::transfer(from, to, host, 3_000_000, Duration::from_secs(30)).unwrap();
        }
        assert!(ours.number(&format!("trunk0 vlan {vlan} vni {vni} delivered ")) > 10);
        assert!(ours.number(&format!("trunk0 vlan {vlan} vni {vni} sent ")) > 10);
    }
}

/// Frames without a tag are of VLAN 0; those of a VLAN that has no segment go nowhere, nor do segments see each other.
#[test]
fn without_a_tag_and_with_one_of_nobody() {
    require_lab!();
    let lab = lab();
    lab.kernel("vx0", "id 130 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.30.1/24");
    let untagged = "--vlan 0=130 --remote 10.99.0.1";
    let ours = lab.ours(&format!("{} {untagged}", options("tags0")), &[("tags0", "192.168.30.2/24")]);
    ping(&lab.a, "192.168.30.2", 3).all();
    ping(&lab.b, "192.168.30.1", 3).all();
    // VLAN 30 with addresses of each segment: nobody hears it.
    lab.b.ip("link add link tags0 name nobody type vlan id 30");
    lab.b.ip("link set nobody up");
    assert_eq!(ours.number("tags0 vlan 10 vni 110 sent "), 0);
    for (vlan, _) in SEGMENTS {
        lab.b.ip(&format!("addr add 192.168.{vlan}.3/24 dev nobody"));
        ping(&lab.b, &format!("192.168.{vlan}.1"), 1).none();
    }
    assert!(ours.number("dropped unknown-vlan ") > 0);
    assert_eq!(ours.number("tags0 vlan 10 vni 110 sent "), 0);
}
