//! A multicast group as the default destination, as `ip link add ... type vxlan group ... dev ...` has it.

use interop::{Namespace, Offload, ping, veth};

use crate::lab::{Lab, require_lab};

/// Two of the kernel's and one of ours in a group, on one bridge.
struct Group {
    lab: Lab,
    c: Namespace,
    /// Has the bridge.
    _d: Namespace,
}

impl Group {
    fn new(group: &str, prefix: &str) -> Self {
        let lab = Lab::new();
        let (c, d) = (Namespace::new("c"), Namespace::new("d"));
        d.ip("link add br0 type bridge mcast_snooping 0");
        d.ip("link set br0 up");
        for (namespace, device, last) in [(&lab.a, "ua", 1), (&lab.b, "ub", 2), (&c, "uc", 3)] {
            veth((namespace, device), (&d, &format!("{device}d")), Offload::NoChecksum);
            d.ip(&format!("link set {device}d master br0"));
            namespace.ip(&format!("addr add 10.98.0.{last}/24 dev {device}"));
            namespace.ip(&format!("addr add fd98::{last}/64 dev {device} nodad"));
        }
        for (namespace, device, last) in [(&lab.a, "ua", 1), (&c, "uc", 3)] {
            let local = format!("{prefix}{last}");
            let kind = format!("type vxlan id 100 local {local} group {group} dstport 4789 dev {device}");
            namespace.ip(&format!("link add vx0 {kind}"));
            namespace.ip(&format!("addr add 192.168.77.{last}/24 dev vx0"));
            namespace.ip("link set vx0 up");
        }
        Self { lab, c, _d: d }
    }
}

fn all_reach_each_other(group: &str, prefix: &str, more: &str) {
    all_are_in(group, prefix, &format!("--remote {group} {more}"));
}

/// The same, where these options name the group.
fn all_are_in(group: &str, prefix: &str, options: &str) {
    let Group { lab, c, _d } = Group::new(group, prefix);
    let options = format!("--tap group0 --vni 100 --local {prefix}2 --dev ub {options}");
    let ours = lab.ours(&options, &[("group0", "192.168.77.2/24")]);
    for (namespace, others) in [(&lab.a, [2, 3]), (&lab.b, [1, 3]), (&c, [1, 2])] {
        for other in others {
            ping(namespace, &format!("192.168.77.{other}"), 3).all();
        }
    }
    // Who has spoken is known, by its own address.
    let fdb = ours.section("# forwarding database");
    for (namespace, last) in [(&lab.a, 1), (&c, 3)] {
        let mac = namespace.ip("-br link show dev vx0").split_whitespace().nth(2).unwrap().to_owned();
        assert!(fdb.contains(&format!("{mac} dst {prefix}{last} self")), "{fdb:?}");
    }
    assert!(fdb.contains(&format!("00:00:00:00:00:00 dst {group} self permanent")), "{fdb:?}");
    let mac = lab.b.ip("-br link show dev group0").split_whitespace().nth(2).unwrap().to_owned();
    for namespace in [&lab.a, &c] {
        let learned = namespace.bridge("fdb show dev vx0");
        assert!(learned.contains(&format!("{mac} dst {prefix}2 self")), "{learned}");
    }
    // What we send to all is not ours to receive.
    assert_eq!(ours.number("dropped own-mac "), 0, "{}", ours.report());
}

#[test]
fn a_group_of_ipv4() {
    require_lab!();
    all_reach_each_other("239.1.1.1", "10.98.0.", "");
}

#[test]
fn a_group_of_ipv6() {
    require_lab!();
    all_reach_each_other("ff05::1:1", "fd98::", "");
}

#[test]
fn a_group_of_the_link() {
    require_lab!();
    all_reach_each_other("ff02::1:1", "fd98::", "");
}

#[test]
fn a_group_of_an_entry() {
    require_lab!();
    all_are_in("239.1.1.1", "10.98.0.", "--fdb 00:00:00:00:00:00=239.1.1.1");
}

#[test]
fn a_group_as_linux_takes_packets() {
    require_lab!();
    all_reach_each_other("239.1.1.1", "10.98.0.", "--linux --port 4789");
    all_reach_each_other("ff05::1:1", "fd98::", "--linux --port 4789");
}

#[test]
fn a_group_by_other_sockets() {
    require_lab!();
    for tx in ["--tx udp", "--tx link"] {
        all_reach_each_other("239.1.1.1", "10.98.0.", tx);
        all_reach_each_other("ff05::1:1", "fd98::", tx);
    }
}

/// Groups of others are not ours, though this host has joined them.
#[test]
fn groups_of_others() {
    require_lab!();
    let Group { lab, _d, .. } = Group::new("239.1.1.1", "10.98.0.");
    lab.b.ip("addr add 239.1.1.1/32 dev ub autojoin");
    for (device, more) in [("other0", ""), ("other1", "--linux --port 4789")] {
        let options =
            format!("--tap {device} --vni 100 --local 10.98.0.2 --remote 239.1.1.2 --dev ub {more}");
        let ours = lab.ours(&options, &[(device, "192.168.77.2/24")]);
        ping(&lab.a, "192.168.77.2", 1).none();
        assert_eq!(ours.number("delivered "), 0, "{}", ours.report());
    }
}
