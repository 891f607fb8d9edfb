//! Crafted packets to tunnels of another Linux, a user-mode kernel, and to the library's with the same settings: which
//! tunnel takes each of them, if one does, is compared one by one.

use std::{net::Ipv4Addr, time::Duration};

use encap::{
    Packet,
    time::Instant,
    tunnel::{
        DropReason, Payload, Policy, Start, geneve,
        gre::{Arrived, Config, Received, Selector, Tunnel, Tunnels},
        vxlan,
    },
    wire::{Vni, gre::Key},
};
use interop::{
    Need, Wire,
    bytes::{self, Ip, checksum, echo, ethernet, mac, udp},
    require,
    uml::{self, Uml},
};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

/// The tunnels: number, what `ip link add tN type` says, what the library is told.
type Set = fn(Config) -> Config;
const TUNNELS: [(u8, &str, Set); 7] = [
    (10, "gre key 10", |it| it.key(Key(10))),
    (11, "gre key 11 csum", |it| it.key(Key(11)).csum(true)),
    (12, "gre key 12 seq", |it| it.key(Key(12)).seq(true)),
    (13, "gre", |it| it),
    (14, "gre ikey 0x111111 okey 0x222222 csum seq ttl 255", |it| {
        it.ikey(Key(0x11_1111)).okey(Key(0x22_2222)).csum(true).seq(true).ttl(255)
    }),
    (15, "gre key 15 seq", |it| it.key(Key(15)).seq(true)),
    (20, "gretap key 20", |it| it.key(Key(20)).payload(Payload::Ethernet)),
];

/// The kernel, and what is the same in the library.
struct Both {
    uml: Uml,
    tunnels: Vec<(u8, Tunnel)>,
    vxlan: vxlan::Endpoint,
    geneve: geneve::Endpoint,
    number: u16,
    counted: Vec<(u8, u64)>,
}

impl Both {
    fn new() -> Self {
        let mut uml = Uml::boot(&["ip_gre", "vxlan", "geneve"]);
        uml.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
        uml.sh("ip addr add 10.99.0.2/24 dev vec0");
        uml.sh("ip neigh add 10.99.0.1 lladdr 02:00:00:00:00:01 dev vec0");
        let ends = "remote 10.99.0.1 local 10.99.0.2";
        let devices = TUNNELS.map(|(number, words, _)| (number, format!("{words} {ends}")));
        let more = [
            (30, format!("vxlan id 30 dstport 4789 {ends}")),
            (40, "geneve id 40 remote 10.99.0.1".to_owned()),
        ];
        for (number, words) in devices.into_iter().chain(more) {
            uml.sh(&format!("ip link add t{number} type {words}"));
            if number >= 20 {
                uml.sh(&format!("ip link set t{number} address 02:00:00:00:0a:{number}"));
            }
            uml.sh(&format!("ip link set t{number} up"));
        }
        let tunnels = TUNNELS.map(|(number, _, set)| {
            (number, set(Tunnel::new(THEIRS.into(), OURS.into()).linux()).build().unwrap())
        });
        let vxlan = vxlan::Endpoint::new(THEIRS.into()).policy(Policy::LINUX).build().unwrap();
        let geneve = geneve::Endpoint::new(THEIRS.into()).policy(Policy::LINUX).build().unwrap();
        let mut both = Self { uml, tunnels: tunnels.into(), vxlan, geneve, number: 0, counted: vec![] };
        both.counted = both.counters();
        assert_eq!(both.counted.len(), TUNNELS.len() + 2);
        both
    }

    /// How many packets each of the kernel's tunnels has received.
    fn counters(&mut self) -> Vec<(u8, u64)> {
        let files = "/sys/class/net/t*/statistics/rx_packets";
        let text =
            self.uml.sh(&format!("for file in {files}; do read count <$file; echo $file:$count; done"));
        let lines = text.lines().filter_map(|line| {
            let (path, count) = line.split_once(':')?;
            let device = path.split('/').nth(4)?.strip_prefix('t')?;
            Some((device.parse().ok()?, count.parse().ok()?))
        });
        lines.collect()
    }

    /// The kernel's tunnel that takes this IP packet.
    fn theirs(&mut self, packet: &[u8]) -> Option<u8> {
        self.uml.send(&ethernet(mac(2), mac(1), 0x0800, packet));
        // It is through when a ping behind it is answered.
        self.number += 1;
        self.uml.send(&ethernet(mac(2), mac(1), 0x0800, &echo(OURS, THEIRS, true, self.number, b"through?")));
        let answered = self.uml.until(Duration::from_secs(5), |frame| {
            (bytes::echo_answer(frame.get(14..)?)? == self.number && frame[26..30] == THEIRS.octets())
                .then_some(())
        });
        assert!(answered.is_some(), "the kernel does not answer pings");
        let after = self.counters();
        let before = std::mem::replace(&mut self.counted, after.clone());
        let mut taken = after.iter().zip(&before).filter(|(after, before)| after.1 != before.1);
        let first = taken.next().map(|(after, _)| after.0);
        assert!(taken.next().is_none(), "one packet, one tunnel");
        first
    }

    /// The library's tunnel that takes this IP packet, or why none does.
    fn ours(&mut self, bytes: &[u8]) -> Result<u8, Option<DropReason>> {
        let mut buffer = bytes.to_vec();
        let mut packet = Packet::new(&mut buffer, 0, bytes.len()).unwrap();
        let reason = match self.vxlan.decap(&mut packet) {
            Ok(inner) if inner.encapsulation.vni() == Vni::new(30) => return Ok(30),
            Ok(_) => return Err(None),
            Err(reason) => reason,
        };
        if !reason.is_not_ours() {
            return Err(Some(reason));
        }
        let reason = match self.geneve.decap(&mut packet) {
            Ok(inner) if inner.encapsulation.vni() == Vni::new(40) => return Ok(40),
            Ok(_) => return Err(None),
            Err(reason) => reason,
        };
        if !reason.is_not_ours() {
            return Err(Some(reason));
        }
        let mut selectors: Vec<Selector> =
            self.tunnels.iter().map(|(number, tunnel)| tunnel.selector((*number).into())).collect();
        selectors.sort_unstable();
        let arrived = Arrived::read(bytes, Start::Ip).map_err(Some)?;
        let number = Tunnels::new(&selectors).unwrap().find(&arrived).ok_or(None)?;
        let (number, tunnel) = self.tunnels.iter_mut().find(|(it, _)| u32::from(*it) == number).unwrap();
        match tunnel.decap(Instant::from_secs(1), &mut packet) {
            Ok(Received::Packet(_)) => Ok(*number),
            Ok(other) => panic!("{other:?}"),
            Err(reason) => Err(Some(reason)),
        }
    }

    #[track_caller]
    fn compare(&mut self, cases: &[Case]) {
        let mut wrong = Vec::new();
        for Case { name, packet, documented } in cases {
            let (theirs, ours) = (self.theirs(packet), self.ours(packet));
            if (ours.ok() == theirs) == documented.is_some() {
                let packet = packet.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                wrong.push(format!("{name}: kernel {theirs:?}, library {ours:?} {documented:?}\n  {packet}"));
            }
        }
        assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
        let but = cases.iter().filter(|case| case.documented.is_some()).count();
        println!("{} packets, the same verdicts, but for {but} as documented", cases.len());
    }
}

/// A packet, and if the library is known to judge otherwise, what its documentation says.
struct Case {
    name: String,
    packet: Vec<u8>,
    documented: Option<&'static str>,
}

fn case(name: impl Into<String>, packet: Vec<u8>) -> Case {
    Case { name: name.into(), packet, documented: None }
}

/// An inner packet: a datagram that nobody is there for.
fn inner() -> Vec<u8> {
    let ip = Ip::new([192, 168, 77, 1], [192, 168, 77, 2], 17);
    ip.packet(&ip.udp(7, 7, b"inner packet"))
}

fn frame() -> Vec<u8> {
    ethernet([2, 0, 0, 0, 0xa, 0x20], mac(9), 0x0800, &inner())
}

/// GRE from us to them.
fn outer(gre: &[u8]) -> Vec<u8> {
    Ip::new(OURS, THEIRS, 47).packet(gre)
}

/// GRE with these fields, the checksum made right.
fn gre(flags: u16, protocol: u16, key: Option<u32>, seq: Option<u32>, payload: &[u8]) -> Vec<u8> {
    let flags = flags | u16::from(key.is_some()) << 13 | u16::from(seq.is_some()) << 12;
    let word = |value: Option<u32>| value.map_or(vec![], |value| value.to_be_bytes().to_vec());
    let sum: &[u8] = if flags & 0x8000 != 0 { &[0; 4] } else { &[] };
    let head = [&flags.to_be_bytes()[..], &protocol.to_be_bytes(), sum, &word(key), &word(seq)].concat();
    let mut gre = [&head, payload].concat();
    if flags & 0x8000 != 0 {
        let sum = checksum(&[&gre]).to_be_bytes();
        gre[4..6].copy_from_slice(&sum);
    }
    outer(&gre)
}

const CSUM: u16 = 0x8000;

/// `Policy::allow_other_gre_protocols`.
const NO_ZERO: &str = "tunnels of packets do not take protocol 0";

fn keys() -> Vec<Case> {
    let mut cases = Vec::new();
    for key in [None, Some(0), Some(9), Some(10), Some(11), Some(0x11_1111), Some(0x22_2222), Some(10 << 24)]
    {
        for flags in [0, CSUM] {
            cases.push(case(
                format!("key {key:?}, flags {flags:04x}"),
                gre(flags, 0x0800, key, None, &inner()),
            ));
        }
    }
    let other = Ip::new([10, 99, 0, 7], THEIRS, 47);
    cases.push(case("from another host", other.packet(&gre(0, 0x0800, Some(10), None, &inner())[20..])));
    cases
}

/// Every bit of the flags, every version, many protocols.
fn flags() -> Vec<Case> {
    let mut cases = Vec::new();
    for bit in 0..16 {
        cases.push(case(format!("flag {:04x}", 1 << bit), gre(1 << bit, 0x0800, None, None, &inner())));
        cases.push(case(
            format!("flag {:04x} and a key", 1 << bit),
            gre(1 << bit, 0x0800, Some(10), None, &inner()),
        ));
    }
    for protocol in [0, 1, 0x0800, 0x0806, 0x86dd, 0x8847, 0x880b, 0x9999, 0x6558, 0x88be, 0x22eb, 0xffff] {
        // What Linux's devices count and its stack drops.
        let documented = (protocol == 0).then_some(NO_ZERO);
        for key in [None, Some(10)] {
            let packet = gre(0, protocol, key, None, &inner());
            cases.push(Case { documented, ..case(format!("protocol {protocol:04x}, key {key:?}"), packet) });
        }
    }
    cases.push(case("keepalive", gre(0, 0, None, None, &[])));
    cases.push(case("WCCP", gre(0, 0x883e, None, None, &inner())));
    cases.push(case(
        "WCCP with redirect header",
        gre(0, 0x883e, None, None, &[&[0, 0, 0, 0][..], &inner()].concat()),
    ));
    cases.push(case("WCCP with key", gre(0, 0x883e, Some(10), None, &inner())));
    cases
}

fn lengths() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, full) in [
        ("plain", gre(0, 0x0800, None, None, &inner())),
        ("key", gre(0, 0x0800, Some(10), None, &inner())),
        ("everything", gre(CSUM, 0x0800, Some(0x11_1111), Some(1), &inner())),
    ] {
        for len in 0..=36 {
            // Cut, with right IP headers.
            cases.push(case(format!("{name}: {len} bytes of GRE"), outer(&full[20..20 + len])));
        }
    }
    let v6 = Ip::new([1, 0, 0, 0, 0, 0, 0, 2], [1, 0, 0, 0, 0, 0, 0, 1], 59).packet(&[]);
    for len in [0, 8, 20, 39, 40] {
        cases.push(case(format!("{len} bytes of IPv6"), gre(0, 0x86dd, None, None, &v6[..len])));
    }
    for len in 0..=34 {
        cases.push(case(
            format!("gretap: {len} bytes of frame"),
            gre(0, 0x6558, Some(20), None, &frame()[..len]),
        ));
    }
    cases
}

fn checksums() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, packet: Vec<u8>| cases.push(case(name, packet));
    let good = gre(CSUM, 0x0800, Some(11), None, &inner());
    let edit = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[20 + at] ^= value;
        packet
    };
    add("checksum", good.clone());
    add("no checksum where one must be", gre(0, 0x0800, Some(11), None, &inner()));
    add("wrong checksum", edit(5, 1));
    add("a byte of the payload changed", edit(30, 1));
    add("checksum where none must be", gre(CSUM, 0x0800, Some(10), None, &inner()));
    add("wrong checksum where none must be", {
        let mut packet = gre(CSUM, 0x0800, Some(10), None, &inner());
        packet[24] ^= 1;
        packet
    });
    add("checksum of zero", {
        let mut packet = good.clone();
        packet[24..26].fill(0);
        packet
    });
    add("Reserved1 set, in the sum", {
        let mut packet = good.clone();
        packet[24..26].fill(0);
        packet[27] = 1;
        let sum = checksum(&[&packet[20..]]).to_be_bytes();
        packet[24..26].copy_from_slice(&sum);
        packet
    });
    add("odd length", gre(CSUM, 0x0800, Some(11), None, &[&inner()[..], &[7]].concat()));
    cases
}

fn sequences() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |number: u32| {
        cases.push(case(
            format!("sequence number {number:#x}"),
            gre(0, 0x0800, Some(12), Some(number), &inner()),
        ));
    };
    for number in
        [0, 1, 1, 5, 3, 6, 6, 0x7fff_ffff, 5, 0x8000_0010, 0x7fff_ffff, u32::MAX, 0xffff_fffe, 0, 1, 0]
    {
        add(number);
    }
    cases.push(case("no sequence number where one must be", gre(0, 0x0800, Some(12), None, &inner())));
    cases.push(case("sequence number where none need be", gre(0, 0x0800, Some(10), Some(7), &inner())));
    cases.push(case("and an older one", gre(0, 0x0800, Some(10), Some(3), &inner())));
    let all = |number| gre(CSUM, 0x0800, Some(0x11_1111), Some(number), &inner());
    for number in [7, 8, 8, 7, 9] {
        cases.push(case(format!("with everything: {number}"), all(number)));
    }
    let mut broken = all(11);
    broken[24] ^= 1;
    cases.push(case("wrong checksum", broken));
    cases.push(case("the number before it", all(10)));
    // A packet that is refused after its number was judged.
    let marked = {
        let mut ip = Ip::new(OURS, THEIRS, 47);
        ip.tos = 3;
        ip.packet(&all(20)[20..])
    };
    cases.push(case("marked outside, not inside", marked));
    cases.push(case("a number before that one", all(19)));
    cases
}

fn nvgre() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, packet: Vec<u8>| cases.push(case(name, packet));
    add("NVGRE", gre(0, 0x6558, Some(20), None, &frame()));
    add("NVGRE of another key", gre(0, 0x6558, Some(21), None, &frame()));
    add("NVGRE with checksum", gre(CSUM, 0x6558, Some(20), None, &frame()));
    add("NVGRE with sequence number", gre(0, 0x6558, Some(20), Some(1), &frame()));
    add("a packet to a tunnel of frames", gre(0, 0x0800, Some(20), None, &inner()));
    let tagged = [&frame()[..12], &[0x81, 0, 0, 5], &frame()[12..]].concat();
    add("a tagged frame", gre(0, 0x6558, Some(20), None, &tagged));
    add(
        "from a multicast address",
        gre(0, 0x6558, Some(20), None, &[&frame()[..6], &[3; 6], &frame()[12..]].concat()),
    );
    for (name, key) in [("NVGRE without key", None), ("a frame to a tunnel of packets", Some(10))] {
        cases.push(case(name, gre(0, 0x6558, key, None, &frame())));
    }
    cases
}

fn ecn() -> Vec<Case> {
    let mut cases = Vec::new();
    for inner_ecn in 0..4 {
        for outer_ecn in 0..4 {
            let inner =
                Ip { tos: inner_ecn, ..Ip::new([192, 168, 77, 1], [192, 168, 77, 2], 253) }.packet(b"marked");
            let outer = Ip { tos: outer_ecn, ..Ip::new(OURS, THEIRS, 47) };
            let packet = outer.packet(&gre(0, 0x0800, Some(10), None, &inner)[20..]);
            cases.push(case(format!("ECN {inner_ecn:02b} in {outer_ecn:02b}"), packet));
        }
    }
    cases
}

/// `Policy::LINUX`.
const NO_CRITICAL_OPTION: &str = "options are judged one by one, and not by the C flag";

fn over_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let ip = Ip::new(OURS, THEIRS, 17);
    ip.packet(&ip.udp(0xc000, port, payload))
}

fn vxlan() -> Vec<Case> {
    let mut cases = Vec::new();
    let good = 0x0800_0000_0000_1e00_u64;
    let mut add = |name: String, header: u64| {
        cases.push(case(name, over_udp(4789, &bytes::vxlan(header, &frame()))));
    };
    add("VXLAN".to_owned(), good);
    for bit in 0..64 {
        add(format!("VXLAN, bit {bit} turned"), good ^ 1 << bit);
    }
    for len in 0..8 + 36 {
        let bytes = bytes::vxlan(good, &frame());
        cases.push(case(format!("VXLAN, {len} bytes"), over_udp(4789, &bytes[..len])));
    }
    let ip = Ip::new(OURS, THEIRS, 17);
    let mut wrong = ip.udp(0xc000, 4789, &bytes::vxlan(good, &frame()));
    wrong[6] ^= 1;
    cases.push(case("VXLAN, wrong UDP checksum", ip.packet(&wrong)));
    cases.push(case("VXLAN, no UDP checksum", ip.packet(&udp(0xc000, 4789, &bytes::vxlan(good, &frame())))));
    cases
}

fn geneve() -> Vec<Case> {
    let mut cases = Vec::new();
    let packet = |header: [u8; 8], rest: &[u8]| over_udp(6081, &[&header[..], rest].concat());
    let good = [0, 0, 0x65, 0x58, 0, 0, 40, 0];
    cases.push(case("Geneve", packet(good, &frame())));
    for bit in 0..64 {
        let header = (u64::from_be_bytes(good) ^ 1 << bit).to_be_bytes();
        let name = format!("Geneve, bit {bit} turned");
        cases.push(match bit {
            // The frame then starts with what looks like options.
            56..=61 => continue,
            54 => Case { documented: Some(NO_CRITICAL_OPTION), ..case(name, packet(header, &frame())) },
            _ => case(name, packet(header, &frame())),
        });
    }
    for version in 1..4 {
        cases.push(case(
            format!("Geneve version {version}"),
            packet([version << 6, 0, 0x65, 0x58, 0, 0, 40, 0], &frame()),
        ));
    }
    for len in 0..8 + 36 {
        let bytes = [&good[..], &frame()].concat();
        cases.push(case(format!("Geneve, {len} bytes"), over_udp(6081, &bytes[..len])));
    }
    let option =
        |class: u16, kind: u8, len: u8, data: &[u8]| [&class.to_be_bytes()[..], &[kind, len], data].concat();
    let with = |flags: u8, options: &[u8]| {
        packet([(options.len() / 4) as u8, flags, 0x65, 0x58, 0, 0, 40, 0], &[options, &frame()].concat())
    };
    let plain = option(0x0102, 1, 1, &[1, 2, 3, 4]);
    let critical = option(0x0102, 0x81, 1, &[1, 2, 3, 4]);
    cases.push(case("an option", with(0, &plain)));
    cases.push(case("two options", with(0, &[&plain[..], &plain].concat())));
    cases.push(case("a critical option", with(0x40, &critical)));
    cases.push(Case {
        documented: Some("critical options count without the C flag too (RFC 8926, section 3.5)"),
        ..case("a critical option without the C flag", with(0, &critical))
    });
    cases.push(Case {
        documented: Some(NO_CRITICAL_OPTION),
        ..case("the C flag without a critical option", with(0x40, &plain))
    });
    cases.push(Case {
        documented: Some("options must add up (RFC 8926, section 3.5)"),
        ..case("an option longer than all", with(0, &option(0x0102, 1, 2, &[1, 2, 3, 4])))
    });
    let mut past = with(0, &plain);
    past[20 + 8] = 63;
    let ip = Ip::new(OURS, THEIRS, 17);
    past[26..28].fill(0);
    let sum = ip.checksum(past.len() - 20, &past[20..]).to_be_bytes();
    past[26..28].copy_from_slice(&sum);
    cases.push(case("options past the end", past));
    cases
}

#[test]
fn gre_tunnels() {
    require!(Need::Program(uml::PROGRAM), Need::Program("ethtool"));
    let mut both = Both::new();
    for cases in [keys(), flags(), lengths(), checksums(), sequences(), nvgre(), ecn()] {
        both.compare(&cases);
    }
}

#[test]
fn over_udp_tunnels() {
    require!(Need::Program(uml::PROGRAM), Need::Program("ethtool"));
    let mut both = Both::new();
    for cases in [vxlan(), geneve()] {
        both.compare(&cases);
    }
}
