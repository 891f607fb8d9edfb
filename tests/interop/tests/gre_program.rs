//! Two programs `examples/linux/gre`, one at each end of a tunnel.

use std::{net::IpAddr, time::Duration};

use interop::{Namespace, Need, Offload, Tap, Wire, bytes, eventually, node::Node, ping, require, tcp, veth};

const PROGRAM: &str = "gre";

/// Two hosts on a link.
struct Lan {
    a: Namespace,
    b: Namespace,
}

fn lan() -> Lan {
    let (a, b) = (Namespace::new("a"), Namespace::new("b"));
    veth((&a, "va"), (&b, "vb"), Offload::NoChecksum);
    for (host, device, last) in [(&a, "va", 1), (&b, "vb", 2)] {
        host.ip(&format!("addr add 10.99.0.{last}/24 dev {device}"));
        host.ip(&format!("addr add fd99::{last}/64 dev {device}"));
    }
    Lan { a, b }
}

impl Lan {
    /// The program at both ends, over IPv4, with an address on its device: 192.168.88.1 and .2.
    #[track_caller]
    fn pair(&self, kind: &str, one: &str, other: &str) -> (Node<'_>, Node<'_>) {
        let ends = ["10.99.0.1", "10.99.0.2"];
        (end(&self.a, 1, kind, ends, one), end(&self.b, 2, kind, [ends[1], ends[0]], other))
    }
}

/// The program on a device `gre1`, with addresses that end in this number.
#[track_caller]
fn end<'n>(host: &'n Namespace, last: u8, kind: &str, [local, remote]: [&str; 2], options: &str) -> Node<'n> {
    let node =
        Node::start(host, PROGRAM, &format!("--{kind} gre1 --local {local} --remote {remote} {options}"));
    host.ip(&format!("addr add 192.168.88.{last}/24 dev gre1"));
    host.ip(&format!("addr add fd88::{last}/64 dev gre1"));
    node
}

const MIRRORED: [&str; 2] = [
    "--ikey 0x111111 --okey 0x222222 --csum --seq --ttl 255",
    "--ikey 0x222222 --okey 0x111111 --csum --seq --ttl 255",
];

/// The GRE packets that come to `b`, behind their Ethernet header.
fn arriving(tap: &Tap) -> Vec<u8> {
    let gre = |frame: &[u8]| (frame[12..14] == [8, 0] && frame[23] == 47).then(|| frame[14..].to_vec());
    tap.until(Duration::from_secs(5), gre).expect("a GRE packet")
}

#[test]
fn mirrored_keys_checksums_numbers_and_a_ttl() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    let lan = lan();
    let tap = Tap::open(&lan.b, "vb");
    let (one, other) = lan.pair("tun", MIRRORED[0], MIRRORED[1]);
    let mut number = 0;
    for count in 1..=3 {
        ping(&lan.a, "192.168.88.2", count).all();
        ping(&lan.b, "192.168.88.1", count).all();
        // TTL 255, DF; checksum, key and number, in this order.
        let packet = arriving(&tap);
        assert_eq!((packet[8], packet[6] & 0x40), (255, 0x40));
        assert_eq!((&packet[20..22], &packet[26..32]), (&[0xb0, 0][..], &[0, 0, 0, 0x22, 0x22, 0x22][..]));
        assert_eq!(bytes::checksum(&[&packet[20..]]), 0, "the checksum is right");
        let now = u32::from_be_bytes(*packet[32..].first_chunk().unwrap());
        assert!(number == 0 || now > number, "{now} after {number}");
        number = now;
    }
    ping(&lan.a, "fd88::2", 3).all();
    let to = IpAddr::from([192, 168, 88, 2]);
    let transfer = tcp::transfer(&lan.a, &lan.b, to, 100_000_000, Duration::from_secs(120)).unwrap();
    eprintln!("{:.0} Mbit/s", transfer.rate() / 1e6);
    tcp::transfer(&lan.b, &lan.a, [192, 168, 88, 1].into(), 10_000_000, Duration::from_secs(60)).unwrap();
    for node in [&one, &other] {
        let report = node.report();
        assert!(report.count("rx_packets") > 1_000 && report.count("tx_packets") > 1_000, "{}", report.0);
        assert_eq!(report.count("rx_errors"), 0, "{}", report.0);
    }
    // The devices go with the programs.
    one.stop("TERM");
    other.stop("INT");
    assert!(lan.a.try_ip("link show gre1").is_err() && lan.b.try_ip("link show gre1").is_err());
}

#[test]
fn frames_over_ipv6_with_an_encapsulation_limit() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    let lan = lan();
    let tap = Tap::open(&lan.b, "vb");
    let ends = ["fd99::1", "fd99::2"];
    let options = "--key 7 --csum --seq --tos b8 --hoplimit 33";
    let _one = end(&lan.a, 1, "tap", ends, options);
    let _other = end(&lan.b, 2, "tap", [ends[1], ends[0]], options);
    ping(&lan.a, "192.168.88.2", 3).all();
    ping(&lan.b, "fd88::1", 3).all();
    let packet = tap.until(Duration::from_secs(5), |frame| {
        (frame[12..14] == [0x86, 0xdd] && frame[20] == 60).then(|| frame[14..].to_vec())
    });
    let packet = packet.expect("a packet with destination options");
    assert_eq!((&packet[..2], packet[7]), (&[0x6b, 0x80][..], 33));
    assert_eq!(packet[40..48], [47, 0, 4, 1, 4, 1, 1, 0]);
    assert_eq!((&packet[48..52], &packet[56..60]), (&[0xb0, 0, 0x65, 0x58][..], &[0, 0, 0, 7][..]));
    let to = "fd88::2".parse().unwrap();
    tcp::transfer(&lan.a, &lan.b, to, 10_000_000, Duration::from_secs(60)).unwrap();
}

#[test]
fn other_keys_and_missing_checksums_are_dropped_by_name() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    for (one, other, reason) in [
        ("--key 7", "--key 8", "gre-key"),
        ("", "--key 8", "gre-key"),
        ("--key 7", "", "gre-key"),
        ("--csum", "", "gre-checksum-flag"),
        ("", "--csum", "gre-checksum-flag"),
        ("", "--seq", "gre-sequence-missing"),
    ] {
        let lan = lan();
        let (one, other) = lan.pair("tun", one, other);
        ping(&lan.a, "192.168.88.2", 2).none();
        let (sent, received) = (one.report(), other.report());
        assert!(sent.count("tx_packets") >= 2, "{}", sent.0);
        assert!(received.count(&format!("dropped {reason}")) >= 2, "{}", received.0);
        assert_eq!(received.count("rx_packets"), 0);
        assert_eq!(sent.count("icmp failure"), 0, "nobody is told");
    }
    // A receiver that goes by the RFCs takes checksums that it did not ask for.
    let lan = lan();
    let (_one, _other) = lan.pair("tun", "--ocsum --iseq --rfc", "--ocsum --rfc");
    ping(&lan.a, "192.168.88.2", 2).all();
}

#[test]
fn the_only_tunnel_of_a_host_tells_strangers() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    for ends in [["10.99.0.1", "10.99.0.2"], ["fd99::1", "fd99::2"]] {
        let lan = lan();
        let one = end(&lan.a, 1, "tun", ends, "--key 7");
        let other = end(&lan.b, 2, "tun", [ends[1], ends[0]], "--key 8 --unreachable");
        let ignored = one.report();
        ping(&lan.a, "192.168.88.2", 3).none();
        let report = other.report();
        assert!(report.count("icmp port-unreachable sent") >= 3, "{}", report.0);
        // A port that is unreachable says nothing of the path.
        let after = one.report();
        assert_eq!(after.count("icmp failure"), ignored.count("icmp failure"), "{}", after.0);
        // The kernel has counted them, too.
        let line = if ends[0].contains(':') { "Icmp6InDestUnreachs" } else { "InDestUnreachs" };
        let file = if ends[0].contains(':') { "/proc/net/snmp6" } else { "/proc/net/snmp" };
        let seen = lan.a.run(["cat", file]).ok();
        assert!(destination_unreachable(&seen, line) >= 3, "{seen}");
    }
}

/// A counter of /proc/net/snmp or snmp6.
fn destination_unreachable(text: &str, name: &str) -> u64 {
    let of_line = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    if let Some(count) = text.lines().find_map(of_line) {
        return count;
    }
    let mut icmp = text.lines().filter(|line| line.starts_with("Icmp:"));
    let (names, values) = (icmp.next().unwrap_or(""), icmp.next().unwrap_or(""));
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(it, _)| *it == name).and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

#[test]
fn the_ttl_is_inherited_unless_it_is_set() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    for (options, ttl, tos) in [("", 9, 0), ("--ttl 33 --tos inherit", 33, 0xb8), ("--rfc", 64, 0)] {
        let lan = lan();
        let tap = Tap::open(&lan.b, "vb");
        let (_one, _other) = lan.pair("tun", options, options);
        ping(&lan.a, "-t 9 -Q 0xb8 192.168.88.2", 1).all();
        let packet = tap.until(Duration::from_secs(5), |frame| {
            (frame[12..14] == [8, 0] && frame[23] == 47 && frame[47] == 1).then(|| frame[14..].to_vec())
        });
        let packet = packet.expect("an echo request in GRE");
        assert_eq!((packet[8], packet[1]), (ttl, tos), "{options}");
    }
}

#[test]
fn too_long_for_the_underlay() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    // With path MTU discovery the sender is told, of frames as well.
    for (kind, mtu) in [("tun", 1476), ("tap", 1462)] {
        let lan = lan();
        let (one, _other) = lan.pair(kind, "--mtu 9000", "--mtu 9000");
        ping(&lan.a, &format!("-M do -s {} 192.168.88.2", mtu - 28), 2).all();
        let told = ping(&lan.a, &format!("-M do -s {} 192.168.88.2", mtu - 27), 2);
        told.none();
        assert!(
            told.text.contains(&format!("mtu = {mtu}")) || told.text.contains(&format!("mtu={mtu}")),
            "{}",
            told.text
        );
        assert!(one.report().count("refused too-long") >= 1);
    }
    // Without, outer packets are fragmented, with TTL and DS field as they were to be.
    let lan = lan();
    let tap = Tap::open(&lan.b, "vb");
    let options = "--mtu 9000 --nopmtudisc --tos inherit --key 7";
    let (_one, _other) = lan.pair("tun", options, options);
    ping(&lan.a, "-M dont -s 4000 -t 9 -Q 0xb8 192.168.88.2", 2).all();
    let fragment = tap.until(Duration::from_secs(5), |frame| {
        (frame[12..14] == [8, 0] && frame[23] == 47 && frame[20] & 0x20 != 0).then(|| frame[14..].to_vec())
    });
    let fragment = fragment.expect("a fragment");
    assert_eq!((fragment[8], fragment[1]), (9, 0xb8));
    let told = ping(&lan.a, "-M do -s 4000 192.168.88.2", 1);
    told.none();
    assert!(told.text.contains("1472"), "{}", told.text);
}

#[test]
fn what_a_router_says_of_the_path_counts() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    let (a, router, b) = (Namespace::new("a"), Namespace::new("router"), Namespace::new("b"));
    veth((&a, "va"), (&router, "ra"), Offload::NoChecksum);
    veth((&router, "rb"), (&b, "vb"), Offload::NoChecksum);
    router.sysctl("net/ipv4/ip_forward", "1");
    for (host, device, address) in [
        (&a, "va", "10.99.1.1"),
        (&router, "ra", "10.99.1.254"),
        (&router, "rb", "10.99.2.254"),
        (&b, "vb", "10.99.2.2"),
    ] {
        host.ip(&format!("addr add {address}/24 dev {device}"));
    }
    a.ip("route add default via 10.99.1.254");
    b.ip("route add default via 10.99.2.254");
    let one = end(&a, 1, "tun", ["10.99.1.1", "10.99.2.2"], "--ttl 64 --mtu-expires 20");
    let _other = end(&b, 2, "tun", ["10.99.2.2", "10.99.1.1"], "--ttl 64");
    ping(&a, "-M do -s 1448 192.168.88.2", 2).all();
    // A narrower link further on: what does not fit is lost, once.
    router.ip("link set rb mtu 1400");
    ping(&a, "-M do -s 1448 192.168.88.2", 1).none();
    eventually(Duration::from_secs(5), "the MTU is told", || {
        one.report().0.contains("mtu 1376").then_some(())
    });
    let told = ping(&a, "-M do -s 1448 192.168.88.2", 1);
    assert!(told.text.contains("1376"), "{}", told.text);
    ping(&a, "-M do -s 1348 192.168.88.2", 2).all();
    // When there is room again, that is found out by itself.
    router.ip("link set rb mtu 1500");
    eventually(Duration::from_secs(60), "the path is tried again", || {
        one.report().0.contains("mtu 1476").then_some(())
    });
    // The sender remembers by itself what it was told.
    a.ip("route flush cache");
    ping(&a, "-M do -s 1448 192.168.88.2", 2).all();
    // No way at all: the senders of the next packets are told that the host cannot be reached.
    router.ip("route add unreachable 10.99.2.2/32");
    ping(&a, "192.168.88.2", 1).none();
    eventually(Duration::from_secs(5), "the failure is told", || {
        (one.report().count("icmp failure") > 0).then_some(())
    });
    let told = ping(&a, "192.168.88.2", 1);
    assert!(told.text.contains("Destination Host Unreachable"), "{}", told.text);
}

#[test]
fn a_group_is_a_remote_as_well() {
    require!(Need::Root, Need::Program("ping"), Need::Program("ethtool"), Need::Program("pkill"));
    let lan = lan();
    let group = "239.1.2.3";
    let one = end(&lan.a, 1, "tun", ["10.99.0.1", group], "--ttl 5");
    let _other = end(&lan.b, 2, "tun", ["10.99.0.2", group], "--ttl 5");
    ping(&lan.a, "192.168.88.2", 3).all();
    ping(&lan.b, "192.168.88.1", 3).all();
    assert!(one.report().count("multicast") >= 6);
}

#[test]
fn what_ip_tunnel_refuses_is_refused() {
    require!(Need::Root);
    let host = Namespace::new("a");
    let refused = |options: &str| {
        let ends = "--tun gre1 --local 10.99.0.1 --remote 10.99.0.2";
        Node::refused(&host, PROGRAM, &format!("{ends} {options}"))
    };
    assert!(refused("--ttl 255 --nopmtudisc").contains("pmtudisc(false)"));
    assert!(refused("--ignore-df").contains("pmtudisc(false)"));
    assert!(refused("--underlay-mtu 90").contains("--underlay-mtu 90: 92 at least"));
    assert!(refused("--key x").contains("invalid value"));
    assert!(refused("--key 1 --ikey 2").contains("cannot be used with"));
    assert!(refused("--tap gre2").contains("cannot be used with"));
    let same = Node::refused(&host, PROGRAM, "--tun gre1 --local 10.99.0.1 --remote 10.99.0.1");
    assert!(same.contains("10.99.0.1 is the local address"), "{same}");
    // No address of this host's.
    assert!(refused("").contains("gre: "));
}
