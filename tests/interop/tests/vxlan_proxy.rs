//! ARP and Neighbor Discovery answered by Linux, by its vxlan device and by its bridge, and by the library: the same
//! questions, the same answers, byte for byte.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use encap::{
    table::{Destination, NeighborState, NewEntry, NewNeighbor},
    vtep::{Config, Proxy},
    wire::{MacAddr, Vni},
};
use interop::{
    Namespace, Need, Offload, Tap, Wire,
    bytes::{self, Ip, arp, arp_request, checksum, ethernet, mac},
    engine::{Engine, Verdict},
    kernel::{Kernel, OVERLAY_MAC, UNDERLAY_MAC, remote_mac, text},
    require, veth,
};

const PORT: u16 = 4789;
const VNI: Vni = Vni::truncate(42);
const ASKER: bytes::Mac = mac(1);
const ASKER_IP: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

/// Neighbour 10.1.0.N and fd01::N is at `mac(N)`, in a state of its own.
const STATES: [(u8, &str, NeighborState); 6] = [
    (2, "permanent", NeighborState::Permanent),
    (3, "noarp", NeighborState::NoArp),
    (4, "reachable", NeighborState::Reachable),
    (5, "stale", NeighborState::Stale),
    (6, "probe", NeighborState::Probe),
    (7, "failed", NeighborState::Failed),
];

/// A permanent neighbour on this side of the tunnel, a router, and one that nobody knows the place of.
const LOCAL: u8 = 20;
const ROUTER: u8 = 21;
const LOST: u8 = 22;

/// Everybody whom the tables know.
fn known() -> impl Iterator<Item = (u8, &'static str, NeighborState)> {
    let more = [LOCAL, ROUTER, LOST].map(|last| (last, "permanent", NeighborState::Permanent));
    STATES.into_iter().chain(more)
}

fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 0, last)
}

fn v6(last: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, last.into())
}

/// A neighbour solicitation, before its checksum: each part can be changed.
#[derive(Clone, Debug)]
struct Solicitation {
    link: (bytes::Mac, bytes::Mac),
    ip: Ip,
    target: Ipv6Addr,
    options: Vec<u8>,
    code: u8,
    wrong: u8,
}

impl Solicitation {
    fn new(last: u8) -> Self {
        let target = v6(last);
        let [.., a, b, c] = target.octets();
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
        let ip = Ip { ttl: 255, ..Ip::new(v6(1), group, 58) };
        let options = [&[1, 1][..], &ASKER].concat();
        Self { link: ([0x33, 0x33, 0xff, a, b, c], ASKER), ip, target, options, code: 0, wrong: 0 }
    }

    fn frame(&self) -> Vec<u8> {
        let head = [135, self.code, 0, 0, 0, 0, 0, 0];
        let mut message = [&head[..], &self.target.octets(), &self.options].concat();
        let sum = self.ip.checksum(message.len(), &message).to_be_bytes();
        message[2..4].copy_from_slice(&sum);
        message[3] ^= self.wrong;
        ethernet(self.link.0, self.link.1, 0x86dd, &self.ip.packet(&message))
    }
}

fn arp_questions() -> Vec<(String, Vec<u8>)> {
    let mut questions = Vec::new();
    let mut ask = |name: &str, frame: Vec<u8>| questions.push((format!("ARP: {name}"), frame));
    for (last, word, _) in STATES {
        ask(&format!("{word} neighbour"), arp_request(ASKER, ASKER_IP, v4(last)));
    }
    ask("neighbour on this side", arp_request(ASKER, ASKER_IP, v4(LOCAL)));
    ask("router", arp_request(ASKER, ASKER_IP, v4(ROUTER)));
    ask("neighbour somewhere", arp_request(ASKER, ASKER_IP, v4(LOST)));
    ask("unknown", arp_request(ASKER, ASKER_IP, v4(99)));
    for target in [[127, 0, 0, 1], [224, 0, 0, 1], [255; 4], [0; 4]] {
        ask(&format!("for {target:?}"), arp_request(ASKER, ASKER_IP, target.into()));
    }
    let good = arp_request(ASKER, ASKER_IP, v4(2));
    ask("to one host", [&mac(2)[..], &good[6..]].concat());
    ask("probe", arp_request(ASKER, [0, 0, 0, 0].into(), v4(2)));
    ask("gratuitous", arp_request(mac(2), v4(2), v4(2)));
    ask("gratuitous of another", arp_request(ASKER, v4(2), v4(2)));
    ask("from another Ethernet address", [&good[..6], &mac(77), &good[12..]].concat());
    ask("answer", ethernet(mac(2), ASKER, 0x0806, &arp(2, (ASKER, ASKER_IP), (mac(2), v4(2)))));
    ask(
        "gratuitous answer",
        ethernet([0xff; 6], ASKER, 0x0806, &arp(2, (ASKER, ASKER_IP), ([0xff; 6], ASKER_IP))),
    );
    ask("reverse", ethernet([0xff; 6], ASKER, 0x8035, &arp(3, (ASKER, ASKER_IP), (ASKER, v4(2)))));
    for (name, at, value) in [
        ("hardware type 6", 15, 6),
        ("hardware type 7", 15, 7),
        ("protocol 0x0801", 17, 1),
        ("hardware length 7", 18, 7),
        ("protocol length 5", 19, 5),
        ("operation 3", 21, 3),
        ("operation 0", 21, 0),
    ] {
        let mut frame = good.clone();
        frame[at] = value;
        ask(name, frame);
    }
    ask("with padding", [&good[..], &[0xaa; 18]].concat());
    for len in [14, 15, 22, 41] {
        ask(&format!("cut to {len} bytes"), good[..len].to_vec());
    }
    ask("behind a tag", [&good[..12], &[0x81, 0, 0, 5], &good[12..]].concat());
    questions
}

fn nd_questions() -> Vec<(String, Vec<u8>)> {
    let mut questions = Vec::new();
    let mut ask = |name: &str, frame: Vec<u8>| questions.push((format!("ND: {name}"), frame));
    for (last, word, _) in STATES {
        ask(&format!("{word} neighbour"), Solicitation::new(last).frame());
    }
    ask("neighbour on this side", Solicitation::new(LOCAL).frame());
    ask("router", Solicitation::new(ROUTER).frame());
    ask("neighbour somewhere", Solicitation::new(LOST).frame());
    ask("unknown", Solicitation::new(99).frame());
    let good = Solicitation::new(2);
    let with = |edit: &dyn Fn(&mut Solicitation)| {
        let mut solicitation = good.clone();
        edit(&mut solicitation);
        solicitation.frame()
    };
    ask("to one host", with(&|s| (s.link.0, s.ip.destination) = (mac(2), v6(2).into())));
    ask("for a group", with(&|s| s.target = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)));
    ask("to loopback", with(&|s| s.ip.destination = Ipv6Addr::LOCALHOST.into()));
    ask("without option", with(&|s| s.options.clear()));
    ask("another address as option", with(&|s| s.options[2..].copy_from_slice(&mac(77))));
    ask(
        "a nonce before the address",
        with(&|s| s.options = [&[14, 1, 1, 2, 3, 4, 5, 6][..], &s.options].concat()),
    );
    ask("two addresses", with(&|s| s.options = [&s.options[..], &[1, 1], &mac(77)].concat()));
    ask("target's address as option", with(&|s| s.options[0] = 2));
    ask("an option of no length", with(&|s| s.options[1] = 0));
    ask("an option past the end", with(&|s| s.options[1] = 2));
    ask("an option of no length at the end", with(&|s| s.options.extend([14, 0, 0, 0, 0, 0, 0, 0])));
    ask("hop limit 64", with(&|s| s.ip.ttl = 64));
    ask("wrong checksum", with(&|s| s.wrong = 1));
    ask("code 1", with(&|s| s.code = 1));
    ask("traffic class", with(&|s| s.ip.tos = 0xb8));
    ask("from a group", with(&|s| s.ip.source = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into()));
    for len in [14 + 40, 14 + 40 + 8, 14 + 40 + 23, 14 + 40 + 24, 14 + 40 + 30] {
        ask(&format!("cut to {len} bytes"), with(&|_| {})[..len].to_vec());
    }
    let frame = good.frame();
    ask("behind a tag", [&frame[..12], &[0x81, 0, 0, 5], &frame[12..]].concat());
    let advertisement = {
        let mut frame = good.frame();
        frame[54] = 136;
        frame
    };
    ask("an advertisement", advertisement);
    questions
}

/// The address is nobody's yet: the answer goes to all nodes (RFC 4861, section 7.2.4).
fn dad_probe() -> Vec<u8> {
    let mut probe = Solicitation::new(2);
    probe.ip.source = Ipv6Addr::UNSPECIFIED.into();
    probe.options.clear();
    probe.frame()
}

/// The library, with everybody in its tables.
fn engine(proxy: Proxy) -> Engine {
    let mut config = Config::linux().local([10, 99, 0, 1].into());
    config.dstport = PORT;
    config.address = MacAddr(OVERLAY_MAC);
    config.proxy = proxy;
    let engine = Engine::new(config, UNDERLAY_MAC);
    let remote = engine.remote([10, 99, 0, 2].into(), remote_mac(2));
    let fdb = engine.vtep.fdb();
    fdb.append(VNI, MacAddr::ZERO, remote).unwrap();
    for (last, _, state) in known() {
        let neighbor = NewNeighbor::new(MacAddr(mac(last))).state(state, engine.now);
        for address in [IpAddr::V4(v4(last)), IpAddr::V6(v6(last))] {
            engine.vtep.neighbors().add(VNI, address, neighbor).unwrap();
        }
        let entry = match last {
            LOCAL => NewEntry::to(Destination::Local),
            ROUTER => NewEntry::to(remote).router(),
            LOST => continue,
            _ => NewEntry::to(remote),
        };
        fdb.add(VNI, MacAddr(mac(last)), entry).unwrap();
    }
    engine
}

/// What came of a question: answers, and how often it was flooded.
#[derive(Debug, Eq, PartialEq)]
struct Came {
    answers: Vec<Vec<u8>>,
    flooded: usize,
}

fn ours(engine: &mut Engine, question: &[u8]) -> Came {
    match engine.send(VNI, question) {
        Verdict::Reply(answer) => Came { answers: vec![answer], flooded: 0 },
        Verdict::Sent(packets) => Came { answers: vec![], flooded: packets.len() },
        _ => Came { answers: vec![], flooded: 0 },
    }
}

#[track_caller]
fn compare(questions: &[(String, Vec<u8>)], but: &[&str], mut both: impl FnMut(&[u8]) -> [Came; 2]) {
    let mut wrong = Vec::new();
    for (name, question) in questions {
        let [theirs, ours] = both(question);
        if (theirs == ours) == but.contains(&name.as_str()) {
            wrong.push(format!("{name}:\n  kernel {theirs:02x?}\n  engine {ours:02x?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), questions.len(), wrong.join("\n"));
    println!("{} questions, the same answers, but for {} as documented", questions.len(), but.len());
}

#[test]
fn the_vxlan_device_answers() {
    require!(Need::Root, Need::Device("vxlan"));
    let options = format!("id 42 local 10.99.0.1 remote 10.99.0.2 dstport {PORT} proxy");
    let kernel = Kernel::new(&options, false, PORT, 0x0800_0000_0000_2a00);
    kernel.know_marker("10.99.0.200", "");
    let namespace = &kernel.namespace;
    namespace.ip("link set dev vx0 addrgenmode none");
    namespace.sysctl("net/ipv6/conf/vx0/disable_ipv6", "0");
    for (last, word, _) in known() {
        let mac = text(mac(last));
        for address in [IpAddr::V4(v4(last)), IpAddr::V6(v6(last))] {
            namespace.ip(&format!("neigh replace {address} lladdr {mac} dev vx0 nud {word}"));
        }
        match last {
            LOCAL => namespace.bridge(&format!("fdb add {mac} dev vx0 dst 0.0.0.0 self permanent")),
            ROUTER => namespace.bridge(&format!("fdb add {mac} dev vx0 dst 10.99.0.2 self permanent router")),
            LOST => continue,
            _ => namespace.bridge(&format!("fdb add {mac} dev vx0 dst 10.99.0.2 self permanent")),
        };
    }
    let mut engine = engine(Proxy::KernelProxy);
    let mut both = |question: &[u8]| {
        let came = kernel.send(question);
        [Came { answers: came.frames, flooded: came.packets.len() }, ours(&mut engine, question)]
    };
    // Whoever says that it is an IEEE 802 network is answered in kind.
    compare(&arp_questions(), &["ARP: hardware type 6"], &mut both);
    compare(&nd_questions(), &["ND: traffic class"], &mut both);

    // Linux answers to the unspecified address, which nobody has.
    let [theirs, ours] = both(&dad_probe());
    let (theirs, ours) = (&theirs.answers[0], &ours.answers[0]);
    assert_eq!((&theirs[38..54], &theirs[58..59]), (&[0; 16][..], &[0x60][..]));
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    assert_eq!((&ours[..6], &ours[38..54]), (&[0x33, 0x33, 0, 0, 0, 1][..], &all_nodes.octets()[..]));
    assert_eq!((ours[58], ours.len()), (0x20, theirs.len()), "not solicited");
    assert_eq!(checksum(&[&ours[22..54], &[0, 0, 0, 32, 0, 0, 0, 58], &ours[54..]]), 0);
}

/// A host on one port of a bridge, the vxlan device on the other with `neigh_suppress`.
#[test]
fn the_bridge_answers() {
    require!(Need::Root, Need::Device("vxlan"), Need::Device("bridge"));
    let options = format!("id 42 local 10.99.0.1 remote 10.99.0.2 dstport {PORT} nolearning");
    let kernel = Kernel::new(&options, false, PORT, 0x0800_0000_0000_2a00);
    kernel.know_marker("10.99.0.200", "");
    let namespace = &kernel.namespace;
    let host = Namespace::new("host");
    host.without_ipv6();
    veth((namespace, "h0"), (&host, "h1"), Offload::None);
    namespace.ip("link add br0 type bridge mcast_snooping 0");
    namespace.ip("link set dev br0 addrgenmode none");
    namespace.sysctl("net/ipv6/conf/br0/disable_ipv6", "0");
    for port in ["h0", "vx0"] {
        namespace.ip(&format!("link set dev {port} master br0"));
    }
    namespace.ip("link set dev br0 up");
    namespace.bridge("link set dev vx0 neigh_suppress on learning off");
    for (last, word, _) in known() {
        let mac = text(mac(last));
        for address in [IpAddr::V4(v4(last)), IpAddr::V6(v6(last))] {
            let router = if last == ROUTER { "router" } else { "" };
            namespace.ip(&format!("neigh replace {address} lladdr {mac} dev br0 nud {word} {router}"));
        }
        match last {
            LOCAL => namespace.bridge(&format!("fdb add {mac} dev h0 master static sticky")),
            LOST => continue,
            _ => {
                namespace.bridge(&format!("fdb add {mac} dev vx0 dst 10.99.0.2 self permanent"));
                namespace.bridge(&format!("fdb add {mac} dev vx0 master static sticky"))
            }
        };
    }
    let marker = text(remote_mac(200));
    namespace.bridge(&format!("fdb add {marker} dev vx0 master static"));
    let tap = Tap::open(&host, "h1");
    let mut engine = engine(Proxy::NeighSuppress);
    let mut both = |question: &[u8]| {
        tap.send(question);
        let mark = ethernet(remote_mac(200), mac(250), 0x88b7, b"the end");
        tap.send(&mark);
        let mut flooded = 0;
        let end = kernel.underlay.until(Duration::from_secs(5), |packet| {
            if packet.ends_with(&mark) {
                return Some(());
            }
            flooded += usize::from(packet.ends_with(&question[12..]));
            None
        });
        assert!(end.is_some(), "the bridge does not forward the marker");
        let mut answers = Vec::new();
        while let Some(answer) = tap.receive(Duration::ZERO) {
            answers.push(answer);
        }
        [Came { answers, flooded }, ours(&mut engine, question)]
    };
    // What the bridge keeps from the tunnel without an answer goes on its way here: a host that announces itself is
    // heard, and so is what nobody knows how to read. See `encap::vtep::Proxy`.
    let but = [
        "ARP: neighbour somewhere",
        "ARP: for [0, 0, 0, 0]",
        "ARP: probe",
        "ARP: gratuitous",
        "ARP: gratuitous of another",
        "ARP: gratuitous answer",
        "ARP: hardware type 6",
        "ARP: hardware type 7",
        "ARP: cut to 22 bytes",
        "ARP: cut to 41 bytes",
        // The bridge takes the tag away.
        "ARP: behind a tag",
    ];
    compare(&arp_questions(), &but, &mut both);
    let but = [
        "ND: neighbour somewhere",
        // Who asks by the rules of RFC 4861, section 7.1.1, is answered.
        "ND: to loopback",
        "ND: an option of no length",
        "ND: an option past the end",
        "ND: an option of no length at the end",
        "ND: hop limit 64",
        "ND: wrong checksum",
        "ND: from a group",
        "ND: cut to 54 bytes",
        "ND: cut to 62 bytes",
        "ND: cut to 77 bytes",
        "ND: cut to 78 bytes",
        "ND: cut to 84 bytes",
        "ND: traffic class",
        "ND: behind a tag",
        "ND: an advertisement",
    ];
    compare(&nd_questions(), &but, &mut both);
}
