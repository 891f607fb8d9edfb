//! flannel's wiring: three commands for each host on the kernel's side, the same as options on ours.

use interop::ping;

use crate::lab::{Lab, require_lab};

const KERNEL: &str = "02:00:00:00:01:01";
const OURS: &str = "02:00:00:00:01:02";

#[test]
fn pods_reach_pods_by_routes() {
    require_lab!();
    let lab = Lab::new();
    let Lab { a, b } = &lab;
    a.ip("link add flannel.1 type vxlan id 1 local 10.99.0.1 dev va nolearning dstport 8472");
    a.ip(&format!("link set flannel.1 address {KERNEL} up"));
    a.ip("addr add 10.1.1.0/32 dev flannel.1");
    // What flannel does for each host, in its order.
    a.ip(&format!("neigh replace 10.1.2.0 lladdr {OURS} dev flannel.1 nud permanent"));
    a.bridge(&format!("fdb replace {OURS} dev flannel.1 dst 10.99.0.2 self permanent"));
    a.ip("route replace 10.1.2.0/24 via 10.1.2.0 dev flannel.1 onlink");

    let ours = lab.ours(
        &format!(
            "--l3 --tap pods0 --vni 1 --port 8472 --local 10.99.0.2 --nolearning --mac {OURS} \
             --neigh 10.1.1.0={KERNEL} --fdb {KERNEL}=10.99.0.1 --route 10.1.1.0/24=10.1.1.0"
        ),
        &[("pods0", "10.1.2.0/32")],
    );
    b.ip("route add 10.1.0.0/16 dev pods0");
    // Pods.
    a.ip("addr add 10.1.1.5/32 dev lo");
    b.ip("addr add 10.1.2.5/32 dev lo");
    ping(a, "-I 10.1.1.5 10.1.2.5", 3).all();
    ping(b, "-I 10.1.2.5 10.1.1.5", 3).all();
    ping(b, "-I 10.1.2.5 -M do -s 1422 10.1.1.5", 2).all();
    ping(a, "10.1.2.0", 2).all();

    // A network of which nobody has said anything.
    ping(b, "-I 10.1.2.5 10.1.3.5", 1).none();
    assert!(ours.number("dropped no-route ") > 0);
    assert_eq!(ours.section("# routes"), ["10.1.1.0/24 via 10.1.1.0 vni 1"]);
    assert_eq!(ours.section("# neighbours"), [format!("10.1.1.0 lladdr {KERNEL} PERMANENT")]);
    assert_eq!(ours.section("# forwarding database"), [format!("{KERNEL} dst 10.99.0.1 self permanent")]);

    let limit = std::time::Duration::from_secs(60);
    interop::tcp::transfer(b, a, [10, 1, 1, 5].into(), 10_000_000, limit).unwrap();
    interop::tcp::transfer(a, b, [10, 1, 2, 5].into(), 10_000_000, limit).unwrap();
}

/// The same with IPv6 all over: pods, and the underlay.
#[test]
fn pods_reach_pods_over_ipv6() {
    require_lab!();
    let lab = Lab::new();
    let Lab { a, b } = &lab;
    a.ip("link add flannel-v6.1 type vxlan id 1 local fd99::1 dev va nolearning dstport 8472");
    a.ip(&format!("link set flannel-v6.1 address {KERNEL} up"));
    a.ip("addr add fd01:1::/128 dev flannel-v6.1 nodad");
    a.ip(&format!("neigh replace fd01:2:: lladdr {OURS} dev flannel-v6.1 nud permanent"));
    a.bridge(&format!("fdb replace {OURS} dev flannel-v6.1 dst fd99::2 self permanent"));
    a.ip("route replace fd01:2::/64 via fd01:2:: dev flannel-v6.1 onlink");
    let _ours = lab.ours(
        &format!(
            "--l3 --tap pods1 --vni 1 --port 8472 --local fd99::2 --nolearning --mac {OURS} \
             --neigh fd01:1::={KERNEL} --fdb {KERNEL}=fd99::1 --route fd01:1::/64=fd01:1::"
        ),
        &[("pods1", "fd01:2::/128 nodad")],
    );
    b.ip("route add fd01::/16 dev pods1");
    a.ip("addr add fd01:1::5/128 dev lo nodad");
    b.ip("addr add fd01:2::5/128 dev lo nodad");
    ping(a, "-I fd01:1::5 fd01:2::5", 3).all();
    ping(b, "-I fd01:2::5 fd01:1::5", 3).all();
    let limit = std::time::Duration::from_secs(60);
    interop::tcp::transfer(b, a, "fd01:1::5".parse().unwrap(), 5_000_000, limit).unwrap();
    interop::tcp::transfer(a, b, "fd01:2::5".parse().unwrap(), 5_000_000, limit).unwrap();
}
