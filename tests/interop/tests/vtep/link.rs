//! `--tx link`: packets that go to their device past the kernel's IP, wherever the kernel knows the next hop.

use std::fs;

use interop::{Namespace, Offload, Tap, Wire, eventually, ping, veth};

use crate::lab::{Lab, SOON, require_lab};

/// Packets that the IP of this namespace was asked to send.
fn by_ip(namespace: &Namespace, is_ipv6: bool) -> u64 {
    let read = |name: &str| namespace.enter(|| fs::read_to_string(format!("/proc/thread-self/net/{name}")));
    if is_ipv6 {
        let text = read("snmp6").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Ip6OutRequests")).unwrap();
        return line.trim().parse().unwrap();
    }
    let text = read("snmp").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("Ip:"));
    let names = lines.next().unwrap().split(' ');
    let numbers = lines.next().unwrap().split(' ');
    let (_, number) = names.zip(numbers).find(|(name, _)| *name == "OutRequests").unwrap();
    number.parse().unwrap()
}

/// Pings through the tunnel, and asserts that few of the packets were the kernel's to route.
#[track_caller]
fn pings_past_ip(from: &Namespace, to: &str, is_ipv6: bool) {
    ping(from, to, 2).all();
    let before = by_ip(from, is_ipv6);
    ping(from, to, 20).all();
    // The inner packets are 20, of IPv4.
    let inner = if is_ipv6 { 0 } else { 20 };
    let routed = by_ip(from, is_ipv6) - before - inner;
    assert!(routed < 10, "{routed} of 20 packets");
}

#[test]
fn to_a_remote_on_the_link() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx4", "id 4 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.4.1/24");
    lab.kernel("vx6", "id 6 local fd99::1 remote fd99::2 dstport 4789 dev va", "192.168.6.1/24");
    let options = "--tx link --local 10.99.0.2 --local fd99::2 --tap link4 --vni 4 --remote 10.99.0.1 \
                   --tap link6 --vni 6 --remote fd99::1";
    let ours = lab.ours(options, &[("link4", "192.168.4.2/24"), ("link6", "192.168.6.2/24")]);
    pings_past_ip(&lab.b, "192.168.4.1", false);
    pings_past_ip(&lab.b, "192.168.6.1", true);
    for net in [4, 6] {
        ping(&lab.a, &format!("192.168.{net}.2"), 3).all();
        ping(&lab.b, &format!("-M do -s 1402 192.168.{net}.1"), 2).all();
        interop::tcp::transfer(&lab.b, &lab.a, [192, 168, net, 1].into(), 10_000_000, 3 * SOON).unwrap();
    }
    assert!(!ours.report().contains("failed"), "{}", ours.report());
}

/// What is said outside is what a raw socket says.
#[test]
fn with_the_same_headers() {
    require_lab!();
    let headers = |tx: &str| {
        let lab = Lab::new();
        lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
        let options = format!(
            "--tx {tx} --tap same0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1 --ttl 33 --tos 0xb8 \
             --srcport 50000-50000 --udpcsum --mac 02:00:00:00:00:77"
        );
        let _ours = lab.ours(&options, &[("same0", "192.168.77.2/24")]);
        ping(&lab.b, "192.168.77.1", 2).all();
        let mac = |namespace: &Namespace, device: &str| {
            namespace.ip(&format!("-br link show dev {device}")).split_whitespace().nth(2).unwrap().to_owned()
        };
        let ends = [mac(&lab.a, "va"), mac(&lab.b, "vb")]
            .map(|mac| mac.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect::<Vec<_>>());
        let tap = Tap::open(&lab.a, "va");
        ping(&lab.b, "-s 100 192.168.77.1", 1).all();
        let packet = tap.until(SOON, |frame| {
            let is_it = frame[12..14] == [8, 0] && frame.len() == 14 + 36 + 14 + 20 + 8 + 100;
            is_it.then(|| frame.to_vec())
        });
        let packet = packet.unwrap();
        assert_eq!(packet[..12], ends.concat(), "{tx}");
        // All but the identification, which DF makes meaningless, and the checksum that it counts in.
        [&packet[14..18], &packet[20..24], &packet[26..38]].concat()
    };
    assert_eq!(headers("link"), headers("raw"));
}

#[test]
fn behind_a_gateway() {
    require_lab!();
    let lab = Lab::new();
    let c = Namespace::new("c");
    veth((&lab.a, "vac"), (&c, "vc"), Offload::NoChecksum);
    lab.a.ip("addr add 10.97.0.1/24 dev vac");
    lab.a.sysctl("net/ipv4/ip_forward", "1");
    c.ip("addr add 10.97.0.3/24 dev vc");
    c.ip("route add default via 10.97.0.1");
    lab.b.ip("route add 10.97.0.0/24 via 10.99.0.1");
    c.ip("link add vx0 type vxlan id 100 local 10.97.0.3 remote 10.99.0.2 dstport 4789 dev vc");
    c.ip("addr add 192.168.77.3/24 dev vx0");
    c.ip("link set vx0 up");
    let options = "--tx link --tap gate0 --vni 100 --local 10.99.0.2 --remote 10.97.0.3";
    let _ours = lab.ours(options, &[("gate0", "192.168.77.2/24")]);
    pings_past_ip(&lab.b, "192.168.77.3", false);
    ping(&c, "192.168.77.2", 3).all();
}

/// The link changes under it: another MAC address there, a device that goes and comes, one that is another.
#[test]
fn goes_on_when_the_link_changes() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789", "192.168.77.1/24");
    lab.a.sysctl("net/ipv4/conf/va/arp_notify", "1");
    let options = "--tx link --tap change0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1";
    let ours = lab.ours(options, &[("change0", "192.168.77.2/24")]);
    let comes_back = |what| {
        eventually(SOON, what, || (ping(&lab.b, "192.168.77.1", 1).received == 1).then_some(()));
        pings_past_ip(&lab.b, "192.168.77.1", false);
    };
    pings_past_ip(&lab.b, "192.168.77.1", false);
    lab.a.ip("link set va down");
    lab.a.ip("link set va address 02:00:00:00:00:99 up");
    comes_back("the new MAC address");
    lab.b.ip("link set vb down");
    ping(&lab.b, "192.168.77.1", 1).none();
    lab.b.ip("link set vb up");
    comes_back("the device that was down");
    // Our address goes to another wire.
    veth((&lab.a, "wa"), (&lab.b, "wb"), Offload::NoChecksum);
    lab.a.ip("link del va");
    lab.a.ip("addr add 10.99.0.1/24 dev wa");
    lab.b.ip("addr add 10.99.0.2/24 dev wb");
    comes_back("the other device");
    drop(ours);
}
