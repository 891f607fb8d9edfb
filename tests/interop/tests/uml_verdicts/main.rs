//! Crafted packets to tunnels of another Linux, a user-mode kernel, and to the library's with the same settings: which
//! tunnel takes each of them, if one does, is compared one by one.

mod gre;
mod udp;

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
    Case, Need, Wire,
    bytes::{self, Ip, echo, ethernet, mac},
    compare, require,
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
        compare(cases, |packet| {
            let (theirs, ours) = (self.theirs(packet), self.ours(packet));
            (ours.ok() == theirs, format!("kernel {theirs:?}, library {ours:?}"))
        });
    }
}

/// An inner packet: a datagram that nobody is there for.
fn inner() -> Vec<u8> {
    let ip = Ip::new([192, 168, 77, 1], [192, 168, 77, 2], 17);
    ip.packet(&ip.udp(7, 7, b"inner packet"))
}

fn frame() -> Vec<u8> {
    ethernet([2, 0, 0, 0, 0xa, 0x20], mac(9), 0x0800, &inner())
}

#[test]
fn gre_tunnels() {
    require!(Need::Program(uml::PROGRAM), Need::Program("ethtool"));
    let mut both = Both::new();
    for cases in gre::all() {
        both.compare(&cases);
    }
}

#[test]
fn over_udp_tunnels() {
    require!(Need::Program(uml::PROGRAM), Need::Program("ethtool"));
    let mut both = Both::new();
    for cases in [udp::vxlan(), udp::geneve()] {
        both.compare(&cases);
    }
}
