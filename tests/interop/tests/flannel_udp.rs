//! Nodes of flannel's `udp` backend, `examples/linux/flannel_udp`, with containers behind them.

use std::{thread, time::Duration};

use interop::{Namespace, Need, Offload, Tap, Wire, bytes, node::Node, ping, require, tcp, veth};

const PROGRAM: &str = "flannel_udp";

/// A node with a container: 10.5.N.1 and 10.5.N.9, and the same below fd00:N::/64.
struct Host {
    node: Namespace,
    container: Namespace,
    number: u8,
}

impl Host {
    /// On the link of the underlay, as 10.99.0.N and fd99::N.
    fn new(number: u8) -> Self {
        let (node, container) = (Namespace::new(&format!("node {number}")), Namespace::new("container"));
        veth((&node, "c0"), (&container, "eth0"), Offload::NoChecksum);
        node.sysctl("net/ipv4/ip_forward", "1");
        node.sysctl("net/ipv6/conf/all/forwarding", "1");
        node.ip(&format!("addr add 10.5.{number}.1/24 dev c0"));
        node.ip(&format!("addr add fd00:{number}::1/64 dev c0"));
        container.ip(&format!("addr add 10.5.{number}.9/24 dev eth0"));
        container.ip(&format!("addr add fd00:{number}::9/64 dev eth0"));
        container.ip(&format!("route add default via 10.5.{number}.1"));
        container.ip(&format!("route add default via fd00:{number}::1"));
        Self { node, container, number }
    }

    /// Starts the program; all of 10.5.0.0/16 and fd00::/16 goes to its device.
    #[track_caller]
    fn start(&self, options: &str) -> Node<'_> {
        let program = Node::start(&self.node, PROGRAM, &format!("--tun flannel0 {options}"));
        self.node.ip(&format!("addr add 10.5.{}.0/32 dev flannel0", self.number));
        self.node.ip(&format!("addr add fd00:{}::/128 dev flannel0", self.number));
        self.node.ip("route add 10.5.0.0/16 dev flannel0");
        self.node.ip("route add fd00::/16 dev flannel0");
        // Until the program has seen its device's addresses.
        thread::sleep(Duration::from_millis(100));
        program
    }
}

/// Two nodes on a link.
fn two() -> (Host, Host) {
    let (a, b) = (Host::new(1), Host::new(2));
    veth((&a.node, "va"), (&b.node, "vb"), Offload::NoChecksum);
    for (host, device) in [(&a, "va"), (&b, "vb")] {
        host.node.ip(&format!("addr add 10.99.0.{}/24 dev {device}", host.number));
        host.node.ip(&format!("addr add fd99::{}/64 dev {device}", host.number));
    }
    (a, b)
}

#[test]
fn containers_reach_each_other() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    let (a, b) = two();
    let tap = Tap::open(&b.node, "vb");
    let one = a.start("--listen 10.99.0.1 --route 10.5.2.0/24=10.99.0.2 --route fd00:2::/64=10.99.0.2");
    let other =
        b.start("--listen 10.99.0.2:8285 --route 10.5.1.0/24=10.99.0.1:8285 --route fd00:1::/64=10.99.0.1");
    assert!(a.node.ip("link show flannel0").contains("mtu 1472"));
    ping(&a.container, "10.5.2.9", 3).all();
    ping(&b.container, "10.5.1.9", 3).all();
    ping(&a.container, "fd00:2::9", 3).all();
    // Nothing but UDP from port to port, and the TTL counted by the node's kernel and once more.
    let packet = tap.until(Duration::from_secs(5), |frame| {
        (frame[12..14] == [8, 0] && frame[23] == 17).then(|| frame[14..].to_vec())
    });
    let packet = packet.expect("a datagram");
    assert_eq!(packet[20..24], [0x20, 0x5d, 0x20, 0x5d]);
    assert_eq!((packet[28], packet[36], &packet[40..44]), (0x45, 62, &[10, 5, 1, 9][..]));

    let transfer = tcp::transfer(
        &a.container,
        &b.container,
        [10, 5, 2, 9].into(),
        100_000_000,
        Duration::from_secs(120),
    );
    eprintln!("{:.0} Mbit/s", transfer.unwrap().rate() / 1e6);
    let to = "fd00:1::9".parse().unwrap();
    tcp::transfer(&b.container, &a.container, to, 10_000_000, Duration::from_secs(60)).unwrap();
    for node in [&one, &other] {
        let report = node.report();
        assert!(report.count("sent") > 100 && report.count("delivered") > 100, "{}", report.0);
        assert!(report.0.contains("via 10.99.0."), "{}", report.0);
    }
    one.stop("TERM");
    other.stop("INT");
    assert!(a.node.try_ip("link show flannel0").is_err() && b.node.try_ip("link show flannel0").is_err());
}

#[test]
fn what_cannot_be_sent_is_answered() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    let (a, b) = two();
    let one =
        a.start("--listen 10.99.0.1 --mtu 9000 --route 10.5.2.0/24=10.99.0.2 --route fd00:2::/64=10.99.0.2");
    let _other = b.start("--listen 10.99.0.2 --route 10.5.1.0/24=10.99.0.1 --route fd00:1::/64=10.99.0.1");
    ping(&a.container, "10.5.2.9", 1).all();
    let told = |target: &str, answer: &str| {
        let ping = ping(&a.container, target, 1);
        ping.none();
        assert!(ping.text.contains(answer), "{target}: {}", ping.text);
    };
    told("10.5.77.9", "From 10.5.1.0 icmp_seq=1 Destination Net Unreachable");
    told("fd00:77::9", "From fd00:1:: icmp_seq=1 Destination unreachable: No route");
    // Each node counts a hop, and its kernel another one: four in all, with the far one's.
    for (ttl, from) in [(1, "10.5.1.1"), (2, "10.5.1.0"), (3, "10.5.2.0")] {
        told(&format!("-t {ttl} 10.5.2.9"), &format!("From {from} icmp_seq=1 Time to live exceeded"));
    }
    ping(&a.container, "-t 4 10.5.2.9", 1).all();
    told("-t 2 fd00:2::9", "From fd00:1:: icmp_seq=1 Time exceeded: Hop limit");
    // From the node itself.
    let ping_of_node = ping(&a.node, "-t 1 10.5.2.9", 1);
    assert!(ping_of_node.text.contains("Time to live exceeded"), "{}", ping_of_node.text);
    a.container.ip("link set eth0 mtu 9000");
    a.node.ip("link set c0 mtu 9000");
    told("-M do -s 1445 10.5.2.9", "Frag needed and DF set (mtu = 1472)");
    ping(&a.container, "-M do -s 1444 10.5.2.9", 1).all();
    told("-M do -s 1425 fd00:2::9", "Packet too big: mtu=1472");
    let report = one.report();
    assert!(report.count("replies") >= 7, "{}", report.0);
}

#[test]
fn the_longest_prefix_and_a_port_for_each_peer() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    let (a, b) = two();
    // Two programs at the other end: one for the subnet, by IPv6, and one for the rest.
    b.node.ip("addr add 10.77.0.9/32 dev lo");
    let both = "--listen 10.99.0.1 --listen [fd99::1]:8285 --route 10.0.0.0/8=10.99.0.2:9000";
    let one = a.start(&format!("{both} --route 10.5.2.0/24=[fd99::2]:9001"));
    a.node.ip("route add 10.77.0.0/16 dev flannel0");
    let back = "--route 10.5.1.0/24";
    let wide =
        Node::start(&b.node, PROGRAM, &format!("--tun wide --listen 10.99.0.2:9000 {back}=10.99.0.1:8285"));
    let narrow = b.start(&format!("--listen [fd99::2]:9001 {back}=[fd99::1]:8285"));
    // Answers take the same way.
    b.node.ip("route add default dev wide table 7");
    b.node.ip("rule add from 10.77.0.9 table 7");
    ping(&a.container, "10.5.2.9", 2).all();
    assert_eq!(narrow.report().count("delivered_bytes"), 2 * 84);
    assert_eq!(wide.report().count("delivered"), 0);
    ping(&a.container, "10.77.0.9", 2).all();
    assert_eq!(wide.report().count("delivered_bytes"), 2 * 84);
    let report = one.report();
    assert_eq!(report.count("dropped source-elsewhere"), 0, "{}", report.0);
}

#[test]
fn each_family_has_its_port() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    let (a, b) = two();
    fn start(host: &Host, own: u8, other: u8) -> Node<'_> {
        let listen = format!("--listen 10.99.0.{own}:9000 --listen [fd99::{own}]:9001");
        let routes =
            format!("--route 10.5.{other}.0/24=10.99.0.{other} --route fd00:{other}::/64=fd99::{other}");
        host.start(&format!("{listen} {routes}"))
    }
    let (_one, _other) = (start(&a, 1, 2), start(&b, 2, 1));
    ping(&a.container, "10.5.2.9", 3).all();
    ping(&a.container, "fd00:2::9", 3).all();
}

#[test]
fn nobody_speaks_for_others() {
    require!(Need::Root, Need::Program("ethtool"), Need::Program("pkill"));
    for (options, delivered) in [("", 0), ("--any-source", 2)] {
        let (a, b) = two();
        // In the other node's place there is the test.
        let one = a.start(&format!("--listen 10.99.0.1 --route 10.5.2.0/24=10.99.0.2 {options}"));
        let tap = Tap::open(&b.node, "vb");
        let link = a.node.ip("-br link show va");
        let mac = link.split_whitespace().nth(2).unwrap().split(':');
        let mac: Vec<u8> = mac.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        let to = *mac.first_chunk().unwrap();
        let from = |outer: [u8; 4], inner: [u8; 4]| {
            let echo = bytes::echo(inner.into(), [10, 5, 1, 9].into(), true, 7, b"x");
            let ip = bytes::Ip::new(outer, [10, 99, 0, 1], 17);
            let datagram = ip.packet(&ip.udp(8285, 8285, &echo));
            tap.send(&bytes::ethernet(to, bytes::mac(9), 0x0800, &datagram));
        };
        from([10, 99, 0, 2], [10, 5, 2, 9]);
        from([10, 99, 0, 2], [10, 5, 3, 9]);
        from([10, 99, 0, 77], [10, 5, 2, 9]);
        let report = interop::eventually(Duration::from_secs(5), "three packets come", || {
            let report = one.report();
            (report.count("delivered") + report.count("dropped source-elsewhere") == 3).then_some(report)
        });
        assert_eq!(report.count("delivered"), 1 + delivered, "{}", report.0);
    }
}

#[test]
fn without_its_device_it_ends_and_says_so() {
    require!(Need::Root);
    let host = Namespace::new("a");
    for (program, options) in [
        (PROGRAM, "--tun gone0 --listen 127.0.0.1"),
        ("gre", "--tun gone0 --local 127.0.0.1 --remote 127.0.0.2"),
    ] {
        let node = Node::start(&host, program, options);
        host.ip("link del gone0");
        let said = node.fails();
        assert!(said.contains("device gone0: "), "{said}");
    }
}

#[test]
fn what_cannot_work_is_refused() {
    require!(Need::Root);
    let host = Namespace::new("a");
    let refused = |options: &str| Node::refused(&host, PROGRAM, &format!("--tun flannel0 {options}"));
    assert!(refused("").contains("--listen"));
    assert!(refused("--listen 127.0.0.1 --listen 127.0.0.2").contains("one address of each family"));
    assert!(refused("--listen 127.0.0.1 --route 10.5.2.1/24=10.99.0.2").contains("10.5.2.1/24"));
    assert!(refused("--listen 127.0.0.1 --route 10.5.2.0/24").contains("="));
    let twice = "--listen 127.0.0.1 --route 10.5.2.0/24=10.99.0.2 --route 10.5.2.0/24=10.99.0.3";
    assert!(refused(twice).contains("10.5.2.0/24"));
    let itself = "--listen 127.0.0.1 --route 10.5.2.0/24=127.0.0.1";
    assert!(refused(itself).contains("our own address"));
    let no_way = "--listen 127.0.0.1 --route 10.5.2.0/24=fd99::2";
    assert!(refused(no_way).contains("--route 10.5.2.0/24=fd99::2: it needs a --listen of its family"));
    assert!(refused("--listen 192.0.2.1").contains("192.0.2.1 port 8285"), "none of ours");
}
