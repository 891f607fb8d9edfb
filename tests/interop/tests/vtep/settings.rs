//! What outer headers say, and what the program makes of what the underlay says.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use interop::{Namespace, Offload, Tap, Wire, eventually, ping, veth};

use crate::lab::{Lab, require_lab};

/// The packets of the tunnel that go from `b` to `a` meanwhile: from their IPv4 header on.
fn sent(lab: &Lab, meanwhile: impl FnOnce()) -> Vec<Vec<u8>> {
    let tap = Tap::open(&lab.a, "va");
    meanwhile();
    let frames = tap.during(Duration::from_millis(200));
    let is_ours = |frame: &Vec<u8>| {
        frame.len() > 50 && frame[26..30] == [10, 99, 0, 2] && frame[36..38] == [0x12, 0xb5]
    };
    frames.into_iter().filter(is_ours).map(|frame| frame[14..].to_vec()).collect()
}

#[test]
fn outer_headers_are_what_was_asked_for() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let options = "--tap set0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1 --ttl 33 --tos 0xb8 --df unset \
                   --srcport 50000-50003 --udpcsum";
    let _ours = lab.ours(options, &[("set0", "192.168.77.2/24")]);
    for last in 10..40 {
        lab.a.ip(&format!("addr add 192.168.77.{last}/24 dev vx0"));
    }
    ping(&lab.b, "192.168.77.1", 1).all();
    let packets = sent(&lab, || {
        for last in 10..40 {
            ping(&lab.b, &format!("192.168.77.{last}"), 1).all();
        }
    });
    assert!(packets.len() >= 30);
    let mut ports = BTreeSet::new();
    for packet in &packets {
        assert_eq!((packet[1], packet[8], packet[6] & 0x40), (0xb8, 33, 0), "DS field, TTL, DF");
        assert_ne!(packet[26..28], [0, 0], "UDP checksum");
        ports.insert(u16::from_be_bytes([packet[20], packet[21]]));
    }
    assert!(ports.iter().all(|port| (50_000..=50_003).contains(port)), "{ports:?}");
    assert!(ports.len() > 1, "flows are spread");
}

/// Segments of a long TCP packet leave as one, which the kernel cuts: they say the same outside.
#[test]
fn runs_have_the_same_outer_headers_as_single_packets() {
    require_lab!();
    for df in ["set", "unset"] {
        let lab = Lab::new();
        lab.kernel("vx4", "id 4 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.4.1/24");
        lab.kernel("vx6", "id 6 local fd99::1 remote fd99::2 dstport 4789 dev va", "192.168.6.1/24");
        let options = format!(
            "--local 10.99.0.2 --local fd99::2 --ttl 33 --tos 0xb8 --df {df} --srcport 50000-50003 --udpcsum \
             --tap run4 --vni 4 --remote 10.99.0.1 --tap run6 --vni 6 --remote fd99::1"
        );
        let _ours = lab.ours(&options, &[("run4", "192.168.4.2/24"), ("run6", "192.168.6.2/24")]);
        let tap = Tap::open(&lab.a, "va");
        let limit = Duration::from_secs(30);
        for net in [4, 6] {
            interop::tcp::transfer(&lab.b, &lab.a, [192, 168, net, 1].into(), 1_000_000, limit).unwrap();
        }
        let (mut v4, mut v6) = (0, 0);
        for frame in tap.during(Duration::from_millis(200)) {
            let port = |l4: usize| u16::from_be_bytes([frame[l4], frame[l4 + 1]]);
            match (&frame[12..14], &frame[14..]) {
                // What is not UDP is the kernel's own.
                ([8, 0], ip) if ip[9] == 17 => {
                    v4 += 1;
                    assert_eq!((ip[1] & 0xfc, ip[8]), (0xb8, 33), "DS field and TTL");
                    assert_eq!(ip[6] & 0x60, if df == "set" { 0x40 } else { 0 }, "flags");
                    assert!((50_000..=50_003).contains(&port(34)) && port(36) == 4_789);
                    assert_ne!(ip[26..28], [0, 0], "UDP checksum");
                }
                ([0x86, 0xdd], ip) if ip[6] == 17 => {
                    v6 += 1;
                    let class = ip[0] << 4 | ip[1] >> 4;
                    assert_eq!((class & 0xfc, ip[7]), (0xb8, 33), "traffic class and hop limit");
                    assert_eq!((ip[1] & 0x0f, ip[2], ip[3]), (0, 0, 0), "flow label");
                    assert!((50_000..=50_003).contains(&port(54)) && port(56) == 4_789);
                }
                _ => {}
            }
        }
        assert!(v4 > 600 && v6 > 600, "{v4} packets over IPv4, {v6} over IPv6");
    }
}

#[test]
fn ttl_and_tos_are_inherited() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let options = "--tap inherit0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1 --ttl inherit --tos inherit \
                   --df inherit";
    let _ours = lab.ours(options, &[("inherit0", "192.168.77.2/24")]);
    ping(&lab.b, "192.168.77.1", 1).all();
    let packets = sent(&lab, || {
        ping(&lab.b, "-t 21 -Q 0x48 -M do 192.168.77.1", 1).all();
        ping(&lab.b, "-t 22 -Q 0x48 -M dont 192.168.77.1", 1).all();
    });
    let said: Vec<_> = packets.iter().map(|packet| (packet[8], packet[1], packet[6] & 0x40)).collect();
    assert!(said.contains(&(21, 0x48, 0x40)) && said.contains(&(22, 0x48, 0)), "{said:x?}");
}

#[test]
fn group_policies_both_ways() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 gbp local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let options =
        "--tap gbp0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1 --gbp --policy 77 --linux --port 4789";
    let ours = lab.ours(options, &[("gbp0", "192.168.77.2/24")]);
    ping(&lab.a, "-m 4660 192.168.77.2", 3).all();
    assert!(ours.number("policy 4660 ") >= 3);
    let packets = sent(&lab, || ping(&lab.b, "192.168.77.1", 2).all());
    assert!(packets.len() >= 2);
    for packet in &packets {
        assert_eq!(packet[28..36], [0x88, 0, 0, 77, 0, 0, 100, 0]);
    }
}

/// What `bridge monitor fdb` tells of a device of the kernel.
#[test]
fn what_is_learned_and_what_expires_is_said() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let options = "--tap said0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1 --ageing 1 --verbose";
    let ours = lab.ours(options, &[("said0", "192.168.77.2/24")]);
    for mac in ["02:00:00:00:00:71", "02:00:00:00:00:72"] {
        lab.a.ip(&format!("link set vx0 address {mac}"));
        lab.b.ip("neigh flush dev said0");
        ping(&lab.a, "192.168.77.2", 1).all();
        for line in [format!("learned {mac} vni 100 dst 10.99.0.1\n"), format!("expired {mac} vni 100\n")] {
            eventually(Duration::from_secs(20), &line, || {
                ours.running.stderr().contains(&line).then_some(())
            });
        }
    }
}

/// By the UDP socket the kernel makes the outer headers, and the program says what it cannot.
#[test]
fn by_the_udp_socket() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let options =
        "--tap udp0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1 --tx udp --ttl 9 --srcport 50000-50003";
    let ours = lab.ours(options, &[("udp0", "192.168.77.2/24")]);
    let said = ours.running.stderr();
    assert!(said.contains("have no effect: --ttl, --srcport\n"), "{said}");
    let packets = sent(&lab, || ping(&lab.b, "192.168.77.1", 3).all());
    assert!(!packets.is_empty() && packets.iter().all(|packet| packet[20..22] == [0x12, 0xb5]));
    ping(&lab.a, "192.168.77.2", 3).all();
    let limit = Duration::from_secs(60);
    interop::tcp::transfer(&lab.b, &lab.a, [192, 168, 77, 1].into(), 5_000_000, limit).unwrap();
}

/// The kernel's source may be another address of ours: the packets have the one that was asked for.
#[test]
fn by_the_udp_socket_from_our_address() {
    require_lab!();
    for more in ["", "--linux --port 4789", "--linux --port 4789 --no-offload"] {
        let lab = Lab::new();
        lab.b.ip("addr add 10.99.0.3/24 dev vb");
        lab.b.ip("addr add fd99::3/64 dev vb nodad preferred_lft 0");
        lab.kernel("vx4", "id 4 local 10.99.0.1 remote 10.99.0.3 dstport 4789 dev va", "192.168.4.1/24");
        lab.kernel("vx6", "id 6 local fd99::1 remote fd99::3 dstport 4789 dev va", "192.168.6.1/24");
        let options = format!(
            "--tx udp --local 10.99.0.3 --local fd99::3 {more} --tap from4 --vni 4 --remote 10.99.0.1 \
             --tap from6 --vni 6 --remote fd99::1"
        );
        let ours = lab.ours(&options, &[("from4", "192.168.4.2/24"), ("from6", "192.168.6.2/24")]);
        let tap = Tap::open(&lab.a, "va");
        for net in [4, 6] {
            ping(&lab.b, &format!("192.168.{net}.1"), 2).all();
            let limit = Duration::from_secs(30);
            interop::tcp::transfer(&lab.b, &lab.a, [192, 168, net, 1].into(), 1_000_000, limit).unwrap();
        }
        let (v4, v6) = (Ipv4Addr::new(10, 99, 0, 3), Ipv6Addr::from_bits(0xfd99 << 112 | 3));
        let mut seen = [0, 0];
        for frame in tap.during(Duration::from_millis(200)) {
            match (&frame[12..14], &frame[14..]) {
                ([8, 0], ip) if ip[9] == 17 => {
                    seen[0] += 1;
                    assert_eq!(ip[12..16], v4.octets(), "{more}");
                }
                ([0x86, 0xdd], ip) if ip[6] == 17 => {
                    seen[1] += 1;
                    assert_eq!(ip[8..24], v6.octets(), "{more}");
                }
                _ => {}
            }
        }
        assert!(seen.iter().all(|&count| count > 10), "{seen:?}");
        assert!(!ours.report().contains("failed"), "{}", ours.report());
    }
}

/// Linux has what is too long for the underlay, and may not be told, fragmented outside; RFC 7348 forbids that.
#[test]
fn linux_fragments_outside() {
    require_lab!();
    for (tx, more) in [("raw", ""), ("raw", "--nolearning --no-offload"), ("link", ""), ("udp", "")] {
        let lab = Lab::new();
        lab.kernel("vx4", "id 4 local 10.99.0.1 remote 10.99.0.2 dstport 4789", "192.168.4.1/24");
        lab.kernel("vx6", "id 6 local fd99::1 remote fd99::2 dstport 4789", "192.168.6.1/24");
        // Without learning every frame is for both, and only one of them has the segment.
        let options = format!(
            "--linux --port 4789 --tx {tx} {more} --ttl 33 --tos 0xb8 --local 10.99.0.2 --local fd99::2 \
             --tap long4 --vni 4 --remote 10.99.0.1 --remote fd99::1 \
             --tap long6 --vni 6 --remote fd99::1 --remote 10.99.0.1"
        );
        let ours = lab.ours(&options, &[("long4", "192.168.4.2/24"), ("long6", "192.168.6.2/24")]);
        for (net, local) in [(4, "10.99.0.2"), (6, "fd99::2")] {
            lab.b.ip(&format!("link set long{net} mtu 1500"));
            // Over IPv6 the kernel loses its first long answers, and has shorter ones from then on.
            ping(&lab.b, &format!("-M dont -s 1472 192.168.{net}.1"), 3);
            let packets = fragments(&lab, || {
                ping(&lab.b, &format!("-M dont -s 1472 192.168.{net}.1"), 3).all();
            });
            let of_local = packets.iter().filter(|(source, ..)| source.to_string() == local);
            assert!(of_local.clone().count() >= 6, "{tx} {more}: {packets:?}");
            for (_, ttl, ds_field) in of_local.filter(|_| tx != "udp") {
                assert_eq!((*ttl, *ds_field), (33, 0xb8), "{tx} {more}");
            }
            // Who can be told is told, also where the frame is flooded.
            let told = ping(&lab.b, &format!("-M do -s 1472 192.168.{net}.1"), 1);
            assert_eq!(told.received, 0, "{}", told.text);
            assert!(told.text.contains("mtu = 14") || told.text.contains("mtu=14"), "{}", told.text);
        }
        assert!(!ours.report().contains("failed"), "{}", ours.report());
    }
}

/// Fragments of tunnel packets that come out of `b` meanwhile: source, TTL and DS field.
fn fragments(lab: &Lab, meanwhile: impl FnOnce()) -> Vec<(IpAddr, u8, u8)> {
    let tap = Tap::open(&lab.a, "va");
    meanwhile();
    let frames = tap.during(Duration::from_millis(200));
    let said = frames.iter().filter_map(|frame| match (&frame[12..14], &frame[14..]) {
        ([8, 0], ip) if ip[9] == 17 && [ip[6] & 0x3f, ip[7]] != [0, 0] => {
            Some((IpAddr::from(*ip[12..].first_chunk::<4>()?), ip[8], ip[1]))
        }
        ([0x86, 0xdd], ip) if ip[6] == 44 => {
            Some((IpAddr::from(*ip[8..].first_chunk::<16>()?), ip[7], ip[0] << 4 | ip[1] >> 4))
        }
        _ => None,
    });
    said.collect()
}

/// With DF nobody fragments: who sends too long a packet is told, or loses it, with Linux's settings too.
#[test]
fn linux_with_df_fragments_nothing() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789", "192.168.77.1/24");
    let options = "--linux --port 4789 --df set --tap df0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1";
    let ours = lab.ours(options, &[("df0", "192.168.77.2/24")]);
    lab.b.ip("link set df0 mtu 1500");
    ping(&lab.b, "192.168.77.1", 1).all();
    ping(&lab.b, "-M dont -s 1472 192.168.77.1", 2).none();
    assert_eq!(ours.number("dropped too-big "), 2, "{}", ours.report());
    let told = ping(&lab.b, "-M do -s 1472 192.168.77.1", 1);
    assert!(told.text.contains("mtu = 1450") || told.text.contains("mtu=1450"), "{}", told.text);
}

/// A router in between with a smaller MTU: what it says is believed, and the sender of a long packet is told.
#[test]
fn the_path_has_a_smaller_mtu() {
    require_lab!();
    let (a, r, b) = (Namespace::new("a"), Namespace::new("r"), Namespace::new("b"));
    veth((&a, "va"), (&r, "ra"), Offload::NoChecksum);
    veth((&b, "vb"), (&r, "rb"), Offload::NoChecksum);
    for (end, device, port, net) in [(&a, "va", "ra", 1), (&b, "vb", "rb", 2)] {
        end.ip(&format!("addr add 10.99.{net}.1/24 dev {device}"));
        r.ip(&format!("addr add 10.99.{net}.254/24 dev {port}"));
        end.ip(&format!("route add default via 10.99.{net}.254"));
    }
    r.sysctl("net/ipv4/ip_forward", "1");
    r.ip("link set ra mtu 1400");
    let lab = Lab { a, b };
    lab.kernel("vx0", "id 100 local 10.99.1.1 remote 10.99.2.1 dstport 4789 dev va", "192.168.77.1/24");
    let options = "--tap path0 --vni 100 --local 10.99.2.1 --remote 10.99.1.1 --mtu-expires 20 -v";
    let ours = lab.ours(options, &[("path0", "192.168.77.2/24")]);
    ping(&lab.b, "192.168.77.1", 2).all();
    // The first of these gets stuck, and teaches; of the others the sender hears.
    ping(&lab.b, "-M do -s 1422 192.168.77.1", 1).none();
    assert_eq!(ours.says("# path to 10.99.1.1 port 4789: mtu "), "1400");
    let told = ping(&lab.b, "-M do -s 1422 192.168.77.1", 2);
    told.none();
    assert!(told.text.contains("mtu = 1350") || told.text.contains("mtu=1350"), "{}", told.text);
    ping(&lab.b, "-M do -s 1322 192.168.77.1", 2).all();
    ping(&lab.b, "-M dont -s 1422 192.168.77.1", 2).none();
    // When the router has room again, that is found out by itself.
    r.ip("link set ra mtu 1500");
    eventually(Duration::from_secs(60), "the path is tried again", || {
        (!ours.report().contains("# path to")).then_some(())
    });
    // The sender remembers by itself what it was told.
    lab.b.ip("route flush cache");
    ping(&lab.b, "-M do -s 1422 192.168.77.1", 2).all();
}

/// A name can leave a number to the kernel.
#[test]
fn devices_are_called_what_the_kernel_calls_them() {
    require_lab!();
    let lab = Lab::new();
    let options = "--local 10.99.0.2 --tap name%d --vni 100 --tap trunk%d --vlan 1=101 --vlan 2=102";
    let ours = lab.ours(options, &[("name0", "192.168.77.2/24"), ("trunk0", "192.168.78.2/24")]);
    for line in ["name0 vni 100 sent ", "trunk0 vlan 1 vni 101 sent ", "trunk0 vlan 2 vni 102 sent "] {
        ours.says(line);
    }
}

/// What the kernel refuses is counted; everything else goes on.
#[test]
fn errors_are_counted_and_nothing_ends() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let options =
        "--tap error0 --vni 100 --local 10.99.0.2 --remote 203.0.113.9 --remote 10.99.0.1 --mtu 9000";
    let ours = lab.ours(options, &[("error0", "192.168.77.2/24")]);
    // Floods reach the one that can be reached.
    ping(&lab.b, "192.168.77.1", 2).all();
    assert!(ours.number("failed send: Network is unreachable (os error 101) ") > 0);
    ping(&lab.b, "-s 5000 192.168.77.1", 1).none();
    assert!(ours.number("failed send: Message too long (os error 90) ") > 0);
    lab.b.ip("link set error0 down");
    ping(&lab.a, "192.168.77.2", 1).none();
    lab.b.ip("link set error0 up");
    ping(&lab.a, "192.168.77.2", 3).all();
}
