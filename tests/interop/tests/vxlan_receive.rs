//! Packets to Linux's vxlan device and to the library's VTEP with the same settings: what each makes of them is
//! compared one by one, byte by byte.

use encap::{
    vtep::Config,
    wire::{MacAddr, Vni},
};
use interop::{
    Need,
    bytes::{self, Ip, ethernet, icmp_echo, mac, udp},
    engine::{Engine, Verdict},
    kernel::{Kernel, OVERLAY_MAC, UNDERLAY_MAC, packet, remote_mac, underlay_ip},
    require,
};

const PORT: u16 = 4789;
const VNI: u32 = 42;
const VALID: u64 = 0x0800_0000_0000_2a00;

/// A packet, and whether the library is known to judge it otherwise than Linux: then what its documentation says.
struct Case {
    name: String,
    packet: Vec<u8>,
    documented: Option<&'static str>,
}

fn case(name: impl Into<String>, packet: Vec<u8>) -> Case {
    Case { name: name.into(), packet, documented: None }
}

impl Case {
    fn but(self, documented: &'static str) -> Self {
        Self { documented: Some(documented), ..self }
    }
}

/// The settings of the kernel's device, for the library.
fn engine(set: impl FnOnce(&mut Config)) -> Engine {
    let mut config = Config::linux().local([10, 99, 0, 1].into()).local("fd99::1".parse().unwrap());
    config.dstport = PORT;
    config.address = MacAddr(OVERLAY_MAC);
    set(&mut config);
    let engine = Engine::new(config, UNDERLAY_MAC);
    engine.vtep.fdb().add_vni(Vni::truncate(VNI)).unwrap();
    engine
}

/// A ping of an inner host.
fn inner() -> Vec<u8> {
    inner_from(mac(9), 0)
}

fn inner_from(source: bytes::Mac, tos: u8) -> Vec<u8> {
    let mut ip = Ip::new([10, 1, 0, 9], [10, 1, 0, 1], 1);
    ip.tos = tos;
    ethernet(OVERLAY_MAC, source, 0x0800, &ip.packet(&icmp_echo(true, 1, b"inner packet")))
}

fn inner_v6(tos: u8) -> Vec<u8> {
    let mut ip = Ip::new([0xfd01, 0, 0, 0, 0, 0, 0, 9], [0xfd01, 0, 0, 0, 0, 0, 0, 1], 17);
    ip.tos = tos;
    ethernet(OVERLAY_MAC, mac(9), 0x86dd, &ip.packet(&ip.udp(7, 7, b"inner packet")))
}

fn tagged(tags: &[u8], tos: u8) -> Vec<u8> {
    let frame = inner_from(mac(9), tos);
    [&frame[..12], tags, &frame[12..]].concat()
}

/// A good packet around this.
fn vxlan(v6: bool, header: u64, frame: &[u8]) -> Vec<u8> {
    packet(v6, 2, PORT, &bytes::vxlan(header, frame))
}

/// A packet whose outer IP header is edited, its checksum right again.
fn with_ip(edit: impl FnOnce(&mut Ip)) -> Vec<u8> {
    let mut ip = underlay_ip(false, 2);
    edit(&mut ip);
    let vxlan = bytes::vxlan(VALID, &inner());
    ethernet(UNDERLAY_MAC, remote_mac(2), 0x0800, &ip.packet(&ip.udp(0xc000, PORT, &vxlan)))
}

/// A packet of this UDP datagram.
fn with_udp(v6: bool, datagram: &[u8]) -> Vec<u8> {
    let ip = underlay_ip(v6, 2);
    ethernet(UNDERLAY_MAC, remote_mac(2), ip.ethertype(), &ip.packet(datagram))
}

/// The cases that do not depend on the device's settings.
fn headers(v6: bool) -> Vec<Case> {
    let family = if v6 { "v6" } else { "v4" };
    let mut cases = vec![case(format!("{family}: good"), vxlan(v6, VALID, &inner()))];
    let mut add = |name: &str, header: u64| {
        cases.push(case(format!("{family}: {name}"), vxlan(v6, header, &inner())));
    };
    for bit in 0..64 {
        add(&format!("header bit {bit} turned"), VALID ^ 1 << bit);
    }
    add("all reserved bits", 0xffff_ffff_0000_2aff);
    add("VNI 0", 0x0800_0000_0000_0000);
    add("VNI 2^24 - 1", 0x0800_0000_ffff_ff00);
    add("G and a group", 0x8800_1234_0000_2a00);
    add("G, D, A and a group", 0x8848_1234_0000_2a00);
    add("group without G", 0x0800_1234_0000_2a00);
    add("P of GPE", 0x0c00_0003_0000_2a00);
    add("remote checksum offload", 0x0820_0000_0000_2a91);
    cases
}

fn frames() -> Vec<Case> {
    let wrap = |frame: &[u8]| vxlan(false, VALID, frame);
    let mut cases = Vec::new();
    for len in 0..inner().len() {
        cases.push(case(format!("frame cut to {len} bytes"), wrap(&inner()[..len])));
    }
    for len in 12..60 {
        cases.push(case(format!("IPv6 frame cut to {len} bytes"), wrap(&inner_v6(0)[..len])));
    }
    let with = |destination: [u8; 6], source: [u8; 6]| [destination, source].concat();
    for (name, macs) in [
        ("own MAC as source", with(mac(1), OVERLAY_MAC)),
        ("zero source", with(mac(1), [0; 6])),
        ("multicast source", with(mac(1), [3, 0, 0, 0, 0, 9])),
        ("broadcast source", with(mac(1), [0xff; 6])),
        ("broadcast destination", with([0xff; 6], mac(9))),
        ("multicast destination", with([1, 0, 0x5e, 0, 0, 1], mac(9))),
        ("zero destination", with([0; 6], mac(9))),
        ("another host's destination", with(mac(77), mac(9))),
        ("same MAC twice", with(mac(9), mac(9))),
    ] {
        cases.push(case(name, wrap(&[&macs, &inner()[12..]].concat())));
    }
    for (name, tags) in [
        ("VLAN 0", &[0x81, 0, 0, 0][..]),
        ("VLAN 5", &[0x81, 0, 0, 5]),
        ("VLAN 5 in 9", &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 5]),
    ] {
        cases.push(case(name, wrap(&tagged(tags, 0))));
    }
    for (name, ethertype, payload) in [
        ("IEEE 802.3 length", 3, &[0xaa, 0xaa, 3][..]),
        ("unknown EtherType", 0x1234, b"whatever"),
        ("nothing behind Ethernet", 0x88b6, b""),
        ("ARP cut off", 0x0806, &[0, 1, 8]),
        ("IPv4 that says it is IPv7", 0x0800, &[0x75; 20]),
        ("IPv4 with a header of 16 bytes", 0x0800, &[0x44; 20]),
        ("IPv6 that says it is IPv4", 0x86dd, &[0x45; 40]),
    ] {
        cases.push(case(name, wrap(&ethernet(OVERLAY_MAC, mac(9), ethertype, payload))));
    }
    let padded = [&inner()[..], &[0; 18]].concat();
    cases.push(case("frame with padding", wrap(&padded)));
    cases.push(case("long frame", wrap(&[&inner()[..], &[7; 1_300]].concat())));
    cases
}

/// UDP and IP around a good frame.
fn outsides(v6: bool) -> Vec<Case> {
    let family = if v6 { "v6" } else { "v4" };
    let ip = underlay_ip(v6, 2);
    let vxlan = bytes::vxlan(VALID, &inner());
    let good = ip.udp(0xc000, PORT, &vxlan);
    let mut cases = Vec::new();
    let mut add = |name: &str, datagram: Vec<u8>| {
        cases.push(case(format!("{family}: {name}"), with_udp(v6, &datagram)));
    };
    add("no UDP checksum", udp(0xc000, PORT, &vxlan));
    let edited = |at: usize, value: u8| {
        let mut datagram = good.clone();
        datagram[at] ^= value;
        datagram
    };
    add("wrong UDP checksum", edited(7, 1));
    add("a byte of the frame changed", edited(60, 1));
    add("source port 0", ip.udp(0, PORT, &vxlan));
    add("source port 4789", ip.udp(PORT, PORT, &vxlan));
    let length = |len: usize, checksum: bool| {
        let mut datagram = good.clone();
        datagram[4..6].copy_from_slice(&(len as u16).to_be_bytes());
        datagram[6..8].fill(0);
        if checksum {
            // Over what a receiver takes the datagram to be.
            let covered = if len == 0 { datagram.len() } else { len.min(datagram.len()) };
            let sum = ip.checksum(covered, &datagram[..covered]).to_be_bytes();
            datagram[6..8].copy_from_slice(&sum);
        }
        datagram
    };
    for checksum in [true, false] {
        for len in [0, 1, 7, 8, 12, 15, 16, 29, 30, good.len() - 1, good.len() + 1, good.len() + 100, 65_535]
        {
            let with = if checksum { "and a checksum over that" } else { "and no checksum" };
            add(&format!("UDP length {len} of {} {with}", good.len()), length(len, checksum));
        }
    }
    for len in 0..17 {
        add(&format!("UDP cut to {len} bytes"), good[..len].to_vec());
    }
    cases
}

/// IPv4 headers around a good packet.
fn ipv4() -> Vec<Case> {
    let good = vxlan(false, VALID, &inner());
    let mut cases = Vec::new();
    let mut add = |name: &str, packet: Vec<u8>| cases.push(case(name, packet));
    add("TTL 1", with_ip(|ip| ip.ttl = 1));
    add("TTL 0", with_ip(|ip| ip.ttl = 0));
    add("DF", with_ip(|ip| ip.df = true));
    add("DSCP 46", with_ip(|ip| ip.tos = 0xb8));
    add("another of the kernel's addresses", with_ip(|ip| ip.destination = [10, 99, 1, 1].into()));
    add("from an unspecified address", with_ip(|ip| ip.source = [0, 0, 0, 0].into()));
    add("from a multicast address", with_ip(|ip| ip.source = [224, 0, 0, 5].into()));
    add("from the broadcast address", with_ip(|ip| ip.source = [255; 4].into()));
    add("from loopback", with_ip(|ip| ip.source = [127, 0, 0, 1].into()));
    add("from our own address", with_ip(|ip| ip.source = ip.destination));
    add("from network 0", with_ip(|ip| ip.source = [0, 1, 2, 3].into()));
    add("from class E", with_ip(|ip| ip.source = [240, 0, 0, 1].into()));
    add("to the broadcast address", with_ip(|ip| ip.destination = [255; 4].into()));
    add("to the subnet's broadcast address", with_ip(|ip| ip.destination = [10, 99, 0, 255].into()));
    add("to all hosts", with_ip(|ip| ip.destination = [224, 0, 0, 1].into()));
    add("TCP", with_ip(|ip| ip.protocol = 6));
    add("padding of Ethernet", [&good[..], &[0xaa; 9]].concat());
    let edit = |at: usize, value: u8, mend: bool| {
        let mut packet = good.clone();
        packet[at] = value;
        if mend {
            packet[24..26].fill(0);
            let sum = bytes::checksum(&[&packet[14..34]]).to_be_bytes();
            packet[24..26].copy_from_slice(&sum);
        }
        packet
    };
    add("wrong header checksum", edit(24, !good[24], false));
    add("version 5", edit(14, 0x55, true));
    add("header of 16 bytes", edit(14, 0x44, true));
    add("header longer than the packet says", edit(14, 0x4f, true));
    add("total length too long by 1", edit(17, good[17] + 1, true));
    add("total length too short by 1", edit(17, good[17] - 1, true));
    add("total length 19", {
        let mut packet = edit(16, 0, false);
        packet[17] = 19;
        packet[24..26].fill(0);
        let sum = bytes::checksum(&[&packet[14..34]]).to_be_bytes();
        packet[24..26].copy_from_slice(&sum);
        packet
    });
    let options = {
        let mut packet = [&good[..34], &[1, 1, 1, 0], &good[34..]].concat();
        packet[14] = 0x46;
        let [l0, l1] = (packet.len() as u16 - 14).to_be_bytes();
        packet[16..18].copy_from_slice(&[l0, l1]);
        packet[24..26].fill(0);
        let sum = bytes::checksum(&[&packet[14..38]]).to_be_bytes();
        packet[24..26].copy_from_slice(&sum);
        packet
    };
    add("IP options", options);
    for len in (14..50).chain([good.len() - 1]) {
        add(&format!("packet cut to {len} bytes"), good[..len].to_vec());
    }
    let to_others = with_ip(|ip| ip.destination = [10, 99, 7, 7].into());
    cases.push(case("to another host", to_others).but("any_destination: packets to any address are taken"));
    let [first, second] = fragments(&good);
    cases.push(case("first fragment", first));
    cases.push(case("last fragment", second).but("fragments are dropped (RFC 7348, section 4.3)"));
    cases
}

/// An IPv4 packet in two parts.
fn fragments(packet: &[u8]) -> [Vec<u8>; 2] {
    let part = |offset: usize, bytes: &[u8], more: bool| {
        let mut part = [&packet[..34], bytes].concat();
        part[16..18].copy_from_slice(&(20 + bytes.len() as u16).to_be_bytes());
        part[20..22].copy_from_slice(&(offset as u16 / 8 | u16::from(more) << 13).to_be_bytes());
        part[24..26].fill(0);
        let sum = bytes::checksum(&[&part[14..34]]).to_be_bytes();
        part[24..26].copy_from_slice(&sum);
        part
    };
    let (first, second) = packet[34..].split_at(48);
    [part(0, first, true), part(48, second, false)]
}

/// IPv6 headers around a good packet.
fn ipv6() -> Vec<Case> {
    let with_ip = |edit: &dyn Fn(&mut Ip)| {
        let mut ip = underlay_ip(true, 2);
        edit(&mut ip);
        let vxlan = bytes::vxlan(VALID, &inner());
        ethernet(UNDERLAY_MAC, remote_mac(2), 0x86dd, &ip.packet(&ip.udp(0xc000, PORT, &vxlan)))
    };
    let good = with_ip(&|_| {});
    let mut cases = Vec::new();
    let mut add = |name: &str, packet: Vec<u8>| cases.push(case(format!("v6: {name}"), packet));
    let address = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    add("hop limit 1", with_ip(&|ip| ip.ttl = 1));
    add("hop limit 0", with_ip(&|ip| ip.ttl = 0));
    add("traffic class", with_ip(&|ip| ip.tos = 0xb8));
    for source in ["::1", "ff02::1", "::ffff:10.99.0.2", "fe80::2"] {
        add(&format!("from {source}"), with_ip(&|ip| ip.source = address(source)));
    }
    add("TCP", with_ip(&|ip| ip.protocol = 6));
    add("no next header", with_ip(&|ip| ip.protocol = 59));
    let edit = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        packet
    };
    add("version 5", edit(14, 0x50));
    add("flow label", edit(16, 0xab));
    add("payload length too long by 1", edit(19, good[19] + 1));
    add("payload length too short by 1", edit(19, good[19] - 1));
    add("payload length 0", edit(19, 0));
    add("padding of Ethernet", [&good[..], &[0xaa; 9]].concat());
    for (name, header, extension) in [
        ("destination options", 60, &[17, 0, 1, 4, 0, 0, 0, 0][..]),
        ("hop-by-hop options", 0, &[17, 0, 1, 4, 0, 0, 0, 0]),
        ("hop-by-hop and destination options", 0, &[60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0]),
        ("an atomic fragment", 44, &[17, 0, 0, 0, 1, 2, 3, 4]),
        ("options cut off", 60, &[17, 200, 1, 4, 0, 0, 0, 0]),
    ] {
        let mut packet = [&good[..54], extension, &good[54..]].concat();
        packet[20] = header;
        let len = (packet.len() as u16 - 54).to_be_bytes();
        packet[18..20].copy_from_slice(&len);
        add(name, packet);
    }
    for len in (14..80).chain([good.len() - 1]) {
        add(&format!("packet cut to {len} bytes"), good[..len].to_vec());
    }
    for source in ["::", "fd99::1"] {
        let case = case(format!("v6: from {source}"), with_ip(&|ip| ip.source = address(source)));
        cases.push(case.but("refused as over IPv4"));
    }
    cases
}

fn ecn(v6: bool, inner_v6_: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for inner in 0..4 {
        for outer in 0..4 {
            let frame = if inner_v6_ { inner_v6(inner) } else { inner_from(mac(9), 0x28 | inner) };
            let mut ip = underlay_ip(v6, 2);
            ip.tos = 0x48 | outer;
            let datagram = ip.udp(0xc000, PORT, &bytes::vxlan(VALID, &frame));
            let packet = ethernet(UNDERLAY_MAC, remote_mac(2), ip.ethertype(), &ip.packet(&datagram));
            let families = (if v6 { 6 } else { 4 }, if inner_v6_ { 6 } else { 4 });
            cases.push(case(
                format!("ECN {inner:02b} in {outer:02b}, IPv{} in IPv{}", families.1, families.0),
                packet,
            ));
        }
    }
    cases
}

/// Marks on tagged frames, which Linux does not look into: it delivers them as they are.
fn ecn_behind_tags() -> Vec<Case> {
    let mut cases = Vec::new();
    for inner in 0..4 {
        for outer in 0..4 {
            let mut ip = underlay_ip(false, 2);
            ip.tos = outer;
            let frame = tagged(&[0x81, 0, 0, 5], inner);
            let datagram = ip.udp(0xc000, PORT, &bytes::vxlan(VALID, &frame));
            let packet = ethernet(UNDERLAY_MAC, remote_mac(2), ip.ethertype(), &ip.packet(&datagram));
            let case = case(format!("ECN {inner:02b} behind a tag in {outer:02b}"), packet);
            let brought = outer == 3 && inner != 3 || outer == 1 && inner == 2;
            cases.push(if brought { case.but("marks are brought through tags") } else { case });
        }
    }
    cases
}

/// What the kernel delivers and what the library does, for each case.
#[track_caller]
fn compare(kernel: &Kernel, engine: &mut Engine, cases: &[Case]) {
    let mut wrong = Vec::new();
    for Case { name, packet, documented } in cases {
        let theirs = kernel.receive(packet);
        let verdict = engine.receive(packet);
        let ours = match &verdict {
            Verdict::Delivered(frame) => vec![without_first_tag(frame)],
            _ => vec![],
        };
        if (ours == theirs) == documented.is_some() {
            let packet = packet.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            wrong.push(format!(
                "{name}: {documented:?}\n  {packet}\n  kernel {theirs:02x?}\n  engine {verdict:02x?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    let but = cases.iter().filter(|case| case.documented.is_some()).count();
    println!("{} packets: the same verdicts, but for {but} as documented", cases.len());
}

/// As a raw socket sees a frame: the kernel keeps the first tag beside it.
fn without_first_tag(frame: &[u8]) -> Vec<u8> {
    match frame.get(12..14) {
        Some([0x81, 0] | [0x88, 0xa8]) => [&frame[..12], &frame[16..]].concat(),
        _ => frame.to_vec(),
    }
}

fn v4(options: &str) -> Kernel {
    let kernel =
        Kernel::new(&format!("id {VNI} local 10.99.0.1 dstport {PORT} dev u {options}"), false, PORT, VALID);
    kernel.namespace.ip("addr add 10.99.1.1/32 dev u");
    kernel
}

fn v6(options: &str) -> Kernel {
    Kernel::new(&format!("id {VNI} local fd99::1 dstport {PORT} dev u {options}"), true, PORT, VALID)
}

#[test]
fn headers_frames_and_what_is_around_them() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v4(""), engine(|_| {}));
    compare(&kernel, &mut engine, &headers(false));
    compare(&kernel, &mut engine, &frames());
    compare(&kernel, &mut engine, &outsides(false));
    compare(&kernel, &mut engine, &ipv4());
}

#[test]
fn over_ipv6() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v6(""), engine(|_| {}));
    compare(&kernel, &mut engine, &headers(true));
    compare(&kernel, &mut engine, &ipv6());
    compare(&kernel, &mut engine, &outsides(true));
}

#[test]
fn over_ipv6_with_zero_checksums_allowed() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v6("udp6zerocsumrx"), engine(|config| config.udp6zerocsumrx = true));
    compare(&kernel, &mut engine, &outsides(true));
}

#[test]
fn group_based_policy() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v4("gbp"), engine(|config| config.gbp = true));
    compare(&kernel, &mut engine, &headers(false));
}

#[test]
fn without_learning() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v4("nolearning"), engine(|config| config.learning = false));
    compare(&kernel, &mut engine, &headers(false));
    compare(&kernel, &mut engine, &frames());
}

#[test]
fn congestion_marks_in_all_cells() {
    require!(Need::Root, Need::Device("vxlan"));
    let (kernel, mut engine) = (v4(""), engine(|_| {}));
    for inner_v6 in [false, true] {
        compare(&kernel, &mut engine, &ecn(false, inner_v6));
    }
    compare(&kernel, &mut engine, &ecn_behind_tags());
    let kernel = v6("");
    for inner_v6 in [false, true] {
        compare(&kernel, &mut engine, &ecn(true, inner_v6));
    }
}
