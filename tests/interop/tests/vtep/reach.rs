//! Who is behind the program reaches who is behind the kernel's device, and the other way round.

use std::{fs, net::UdpSocket};

use interop::{Folder, Namespace, Offload, bytes, eventually, ping, veth};

use crate::lab::{Lab, Ours, SOON, require_lab};

/// An address of a device, for `bridge fdb`.
fn mac(namespace: &Namespace, device: &str) -> String {
    let said = namespace.ip(&format!("-br link show dev {device}"));
    said.split_whitespace().nth(2).unwrap().to_owned()
}

#[test]
fn both_directions_with_learning() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    let options = "--tap learn0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1 --learning";
    let ours = lab.ours(options, &[("learn0", "192.168.77.2/24")]);
    ping(&lab.a, "192.168.77.2", 3).all();
    ping(&lab.b, "192.168.77.1", 3).all();
    // Full frames, and the MTU that is left for them.
    ping(&lab.a, "-M do -s 1422 192.168.77.2", 2).all();
    ping(&lab.b, "-M do -s 1422 192.168.77.1", 2).all();
    ping(&lab.b, "-s 4000 192.168.77.1", 2).all();
    // Each has learned where the other's host is.
    let (theirs, us) = (mac(&lab.a, "vx0"), mac(&lab.b, "learn0"));
    let learned = lab.a.bridge("fdb show dev vx0");
    assert!(learned.contains(&format!("{us} dst 10.99.0.2 self")), "{learned}");
    let fdb = ours.section("# forwarding database");
    assert!(fdb.contains(&format!("{theirs} dst 10.99.0.1 self")), "{fdb:?}");
    assert!(fdb.contains(&"00:00:00:00:00:00 dst 10.99.0.1 self permanent".to_owned()), "{fdb:?}");
}

#[test]
fn what_was_learned_is_forgotten() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    lab.a.without_ipv6();
    let options = "--tap age0 --vni 100 --local 10.99.0.2 --remote 10.99.0.1 --ageing 1";
    let ours = lab.ours(options, &[("age0", "192.168.77.2/24")]);
    ping(&lab.a, "192.168.77.2", 1).all();
    let entry = format!("{} dst 10.99.0.1 self", mac(&lab.a, "vx0"));
    assert!(ours.section("# forwarding database").contains(&entry));
    lab.a.ip("link set vx0 down");
    eventually(SOON, "the entry expires", || {
        (!ours.section("# forwarding database").contains(&entry)).then_some(())
    });
}

#[test]
fn several_vnis_on_one_vtep() {
    require_lab!();
    let lab = Lab::new();
    let mut options = "--local 10.99.0.2".to_owned();
    for n in 1..=3 {
        let device = format!("id 10{n} local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va");
        lab.kernel(&format!("vx{n}"), &device, &format!("192.168.{n}.1/24"));
        options += &format!(" --tap many{n} --vni 10{n} --remote 10.99.0.1");
    }
    let addresses = [("many1", "192.168.1.2/24"), ("many2", "192.168.2.2/24"), ("many3", "192.168.3.2/24")];
    let ours = lab.ours(&options, &addresses);
    for n in 1..=3 {
        ping(&lab.a, &format!("192.168.{n}.2"), 2).all();
        ping(&lab.b, &format!("192.168.{n}.1"), 2).all();
    }
    // What one segment knows the others do not.
    let fdb = ours.section("# forwarding database");
    for n in 1..=3 {
        let theirs = mac(&lab.a, &format!("vx{n}"));
        let lines: Vec<_> = fdb.iter().filter(|line| line.starts_with(&theirs)).collect();
        assert_eq!(lines, [&format!("{theirs} dst 10.99.0.1 src_vni 10{n} self")]);
        assert!(ours.number(&format!("many{n} vni 10{n} delivered ")) >= 4);
    }
    // A segment that nobody configured is nobody's.
    lab.kernel("vx4", "id 104 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.4.1/24");
    ping(&lab.a, "192.168.4.2", 1).none();
    assert!(ours.number("dropped unknown-vni ") > 0);
}

/// What has the source of a device of ours does not come from behind a tunnel.
#[test]
fn what_comes_from_us_does_not_come_back() {
    require_lab!();
    for (devices, reason) in [(1, "own-mac"), (2, "source-elsewhere")] {
        let lab = Lab::new();
        lab.b.without_ipv6();
        let segments = (0..devices).map(|n| format!("--tap own{n} --vni 10{n} --remote 10.99.0.1"));
        let options = segments.collect::<Vec<_>>().join(" ");
        let ours = lab.ours(&format!("--local 10.99.0.2 {options}"), &[]);
        for n in 0..devices {
            let own = mac(&lab.b, &format!("own{n}"));
            let bytes: Vec<_> = own.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            let frame = bytes::ethernet([0xff; 6], bytes.try_into().unwrap(), 0x0800, &[0; 46]);
            let packet = bytes::vxlan(0x0800_0000_0000_0000 | (100 + n) << 8, &frame);
            let socket = lab.a.enter(|| UdpSocket::bind("10.99.0.1:0")).unwrap();
            socket.send_to(&packet, "10.99.0.2:4789").unwrap();
            eventually(SOON, reason, || (ours.number(&format!("dropped {reason} ")) == n + 1).then_some(()));
            let fdb = ours.section("# forwarding database");
            assert!(!fdb.iter().any(|line| line.starts_with(&format!("{own} dst 10."))), "{fdb:?}");
        }
    }
}

#[test]
fn over_ipv6() {
    require_lab!();
    let lab = Lab::new();
    lab.kernel("vx0", "id 100 local fd99::1 remote fd99::2 dstport 4789 dev va", "192.168.77.1/24");
    lab.a.ip("addr add fd77::1/64 dev vx0 nodad");
    let options = "--tap six0 --vni 100 --local fd99::2 --remote fd99::1";
    let ours = lab.ours(options, &[("six0", "192.168.77.2/24"), ("six0", "fd77::2/64 nodad")]);
    for (there, here) in [("192.168.77.2", "192.168.77.1"), ("fd77::2", "fd77::1")] {
        ping(&lab.a, there, 3).all();
        ping(&lab.b, here, 3).all();
    }
    ping(&lab.a, "-M do -s 1402 192.168.77.2", 2).all();
    ping(&lab.b, "-M do -s 1402 192.168.77.1", 2).all();
    let entry = format!("{} dst fd99::1 self", mac(&lab.a, "vx0"));
    assert!(ours.section("# forwarding database").contains(&entry));
}

#[test]
fn over_ipv6_without_checksums() {
    require_lab!();
    let lab = Lab::new();
    let device = "id 100 local fd99::1 remote fd99::2 dstport 4789 dev va udp6zerocsumtx udp6zerocsumrx";
    lab.kernel("vx0", device, "192.168.77.1/24");
    let options = "--tap zero0 --vni 100 --local fd99::2 --remote fd99::1 --udp6zerocsumtx --udp6zerocsumrx";
    let _ours = lab.ours(options, &[("zero0", "192.168.77.2/24")]);
    ping(&lab.a, "192.168.77.2", 3).all();
    ping(&lab.b, "192.168.77.1", 3).all();
}

/// Addresses of a link, which the kernel's device takes with `dev`, too.
#[test]
fn over_the_addresses_of_a_link() {
    require_lab!();
    for more in
        ["", "--tx link", "--tx udp", "--linux --port 4789", "--no-offload", "--linux --tx udp --port 4789"]
    {
        let lab = Lab::new();
        // The same addresses elsewhere are others.
        let c = Namespace::new("c");
        veth((&c, "vc"), (&lab.b, "vbc"), Offload::NoChecksum);
        for (namespace, device, last) in
            [(&lab.a, "va", 1), (&c, "vc", 1), (&lab.b, "vbc", 2), (&lab.b, "vb", 2)]
        {
            namespace.ip(&format!("addr add fe80::{last}/64 dev {device} nodad"));
        }
        lab.kernel("vx0", "id 100 local fe80::1 remote fe80::2 dstport 4789 dev va", "192.168.77.1/24");
        let options = format!("--tap link0 --vni 100 --local fe80::2 --remote fe80::1 --dev vb {more}");
        let ours = lab.ours(&options, &[("link0", "192.168.77.2/24")]);
        ping(&lab.a, "192.168.77.2", 3).all();
        ping(&lab.b, "192.168.77.1", 3).all();
        ping(&lab.b, "-M do -s 1402 192.168.77.1", 2).all();
        interop::tcp::transfer(&lab.b, &lab.a, [192, 168, 77, 1].into(), 1_000_000, 3 * SOON).unwrap();
        let index = lab.b.ip("-o link show dev vb").split(':').next().unwrap().to_owned();
        let entry = format!("{} dst fe80::1 via {index} self", mac(&lab.a, "vx0"));
        let fdb = ours.section("# forwarding database");
        assert!(fdb.contains(&entry), "{more}: {entry}: {fdb:?}");
        assert!(!ours.report().contains("failed"), "{more}: {}", ours.report());
    }
}

#[test]
fn over_the_addresses_of_a_link_by_a_file() {
    require_lab!();
    let lab = Lab::new();
    for (namespace, device, last) in [(&lab.a, "va", 1), (&lab.b, "vb", 2)] {
        namespace.ip(&format!("addr add fe80::{last}/64 dev {device} nodad"));
    }
    lab.kernel("vx0", "id 100 local fe80::1 remote fe80::2 dstport 4789 dev va", "192.168.77.1/24");
    let folder = Folder::new("link");
    let file = folder.0.join("fdb");
    fs::write(&file, "00:00:00:00:00:00 dev vx0 dst fe80::1 via vb self permanent\n").unwrap();
    let options = format!("--tap link1 --vni 100 --local fe80::2 --dev vb --fdb-file {}", file.display());
    let _ours = lab.ours(&options, &[("link1", "192.168.77.2/24")]);
    ping(&lab.a, "192.168.77.2", 3).all();
    ping(&lab.b, "192.168.77.1", 3).all();
}

/// IPv4 and IPv6 at once: one segment by each, and one that floods by both.
#[test]
fn over_both_at_once() {
    require_lab!();
    let lab = Lab::new();
    let c = Namespace::new("c");
    veth((&c, "vc"), (&lab.b, "vbc"), Offload::NoChecksum);
    c.ip("addr add fd98::3/64 dev vc nodad");
    lab.b.ip("addr add fd98::2/64 dev vbc nodad");
    lab.b.ip("addr add fd99::99/128 dev lo nodad");
    c.ip("route add fd99::99/128 via fd98::2");
    lab.kernel("vx0", "id 100 local 10.99.0.1 remote 10.99.0.2 dstport 4789 dev va", "192.168.77.1/24");
    c.ip("link add vx0 type vxlan id 100 local fd98::3 remote fd99::99 dstport 4789 dev vc");
    c.ip("addr add 192.168.77.3/24 dev vx0");
    c.ip("link set vx0 up");
    let options =
        "--tap both0 --vni 100 --local 10.99.0.2 --local fd99::99 --remote 10.99.0.1 --remote fd98::3";
    let ours = lab.ours(options, &[("both0", "192.168.77.2/24")]);
    ping(&lab.b, "192.168.77.1", 3).all();
    ping(&lab.b, "192.168.77.3", 3).all();
    ping(&lab.a, "192.168.77.2", 3).all();
    ping(&c, "192.168.77.2", 3).all();
    // Split horizon: what came out of one tunnel does not go into another.
    ping(&lab.a, "192.168.77.3", 1).none();
    let fdb = ours.section("# forwarding database");
    for (namespace, dst) in [(&lab.a, "10.99.0.1"), (&c, "fd98::3")] {
        assert!(fdb.contains(&format!("{} dst {dst} self", mac(namespace, "vx0"))), "{fdb:?}");
    }
}

#[test]
fn two_of_ours_with_each_other() {
    require_lab!();
    let lab = Lab::new();
    let first = Ours::start(
        &lab.a,
        "--tap self0 --vni 7 --local 10.99.0.1 --remote 10.99.0.2",
        &[("self0", "192.168.77.1/24"), ("self0", "fd77::1/64 nodad")],
    );
    let second = lab.ours(
        "--tap self1 --vni 7 --local 10.99.0.2 --remote 10.99.0.1 --no-offload",
        &[("self1", "192.168.77.2/24"), ("self1", "fd77::2/64 nodad")],
    );
    for target in ["192.168.77.2", "fd77::2"] {
        ping(&lab.a, target, 3).all();
    }
    for target in ["192.168.77.1", "fd77::1"] {
        ping(&lab.b, target, 3).all();
    }
    assert!(first.number("delivered ") >= 12 && second.number("delivered ") >= 12);
}
