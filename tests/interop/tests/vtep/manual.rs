//! The set-up that people make by hand: no learning, one entry for everybody, one for each container, and their
//! neighbours; ARP goes nowhere.

use std::time::Duration;

use interop::{Namespace, Offload, Tap, Wire, bytes, ping, veth};

use crate::lab::{Lab, SOON, require_lab};

/// A container behind the bridge of a host.
fn container(host: &Namespace, number: u8) -> Namespace {
    let container = Namespace::new(&format!("container {number}"));
    let port = format!("port{number}");
    veth((&container, "eth0"), (host, &port), Offload::All);
    host.ip(&format!("link set {port} master br0"));
    // The MTU that the tunnel leaves.
    container.ip(&format!("link set eth0 address 02:00:00:00:00:{number:02x} mtu 1450"));
    container.ip(&format!("addr add 10.168.0.{number}/24 dev eth0"));
    container
}

fn bridge(host: &Namespace, tunnel: &str) {
    host.ip("link add br0 type bridge");
    host.ip("link set br0 up");
    host.ip(&format!("link set {tunnel} master br0"));
}

#[test]
fn containers_with_entries_and_neighbours_by_hand() {
    require_lab!();
    let lab = Lab::new();
    let Lab { a, b } = &lab;
    a.ip("link add vx0 type vxlan id 42 local 10.99.0.1 dstport 4789 dev va nolearning proxy");
    a.ip("link set vx0 up");
    a.bridge("fdb append 00:00:00:00:00:00 dev vx0 dst 10.99.0.2");
    for number in [3, 4] {
        a.bridge(&format!("fdb append 02:00:00:00:00:{number:02x} dev vx0 dst 10.99.0.2"));
        a.ip(&format!(
            "neigh add 10.168.0.{number} lladdr 02:00:00:00:00:{number:02x} dev vx0 nud permanent"
        ));
    }
    let ours = lab.ours(
        "--tap manual0 --vni 42 --local 10.99.0.2 --nolearning --proxy \
         --fdb 00:00:00:00:00:00=10.99.0.1 \
         --fdb 02:00:00:00:00:01=10.99.0.1 --fdb 02:00:00:00:00:02=10.99.0.1 \
         --neigh 10.168.0.1=02:00:00:00:00:01 --neigh 10.168.0.2=02:00:00:00:00:02",
        &[],
    );
    bridge(a, "vx0");
    bridge(b, "manual0");
    let (here, there) = ([container(a, 1), container(a, 2)], [container(b, 3), container(b, 4)]);
    let underlay = [Tap::open(a, "va"), Tap::open(b, "vb")];
    for container in &here {
        for number in [3, 4] {
            ping(container, &format!("10.168.0.{number}"), 2).all();
        }
    }
    for container in &there {
        for number in [1, 2] {
            ping(container, &format!("10.168.0.{number}"), 2).all();
        }
    }
    assert!(ours.number("answered ") >= 4, "a question of each container about each");
    // Somebody that nobody knows is asked for in vain, and not in the underlay.
    ping(&there[0], "10.168.0.77", 1).none();
    assert!(ours.number("dropped proxy-consumed ") > 0);
    for tap in underlay {
        let inner: Vec<u16> = tap
            .during(Duration::from_millis(200))
            .iter()
            .filter(|frame| frame.len() > 64 && frame[12..14] == [8, 0] && frame[36..38] == [0x12, 0xb5])
            .map(|frame| u16::from_be_bytes([frame[62], frame[63]]))
            .collect();
        assert!(inner.contains(&0x0800) && !inner.contains(&0x0806), "{inner:x?}");
    }
    // Nothing was learned.
    let fdb = ours.section("# forwarding database");
    assert_eq!(
        fdb,
        [
            "00:00:00:00:00:00 dst 10.99.0.1 self permanent",
            "02:00:00:00:00:01 dst 10.99.0.1 self permanent",
            "02:00:00:00:00:02 dst 10.99.0.1 self permanent",
        ]
    );
}

/// A default destination that is our own address with another segment: the hosts of that one here get the frame, as
/// with the kernel's `localbypass`.
#[test]
fn a_flooded_frame_is_for_another_segment_here() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 1 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let ours = lab.ours(
        "--local 10.99.0.2 --tap here1 --vni 1 --remote 10.99.0.1 --fdb 00:00:00:00:00:00=10.99.0.2,vni=2 \
         --tap here2 --vni 2",
        &[],
    );
    let [from, to, there] = [(&lab.b, "here1"), (&lab.b, "here2"), (&lab.a, "vx0")]
        .map(|(namespace, device)| Tap::open(namespace, device));
    let request = bytes::arp_request(bytes::mac(7), [192, 168, 77, 7].into(), [192, 168, 77, 8].into());
    from.send(&request);
    for tap in [to, there] {
        assert!(tap.until(SOON, |frame| (frame == request).then_some(())).is_some());
    }
    assert!(!ours.report().contains("failed"), "{}", ours.report());
}
