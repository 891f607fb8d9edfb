//! The forwarding database of Linux's vxlan device and the library's: told the same, they learn the same, print the
//! same, and send every frame to the same remotes.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use encap::{
    table::{Ageing, NewEntry, Remote, RemoteId},
    vtep::Config,
    wire::{MacAddr, Vni},
};
use interop::{
    Need, bytes,
    bytes::{ethernet, mac},
    engine::{Engine, Verdict},
    kernel::{Kernel, OVERLAY_MAC, UNDERLAY_MAC, packet, remote_mac, text},
    require,
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

const PORT: u16 = 4789;
const VNI: Vni = Vni::truncate(42);
const HEADER: u64 = 0x0800_0000_0000_2a00;

/// What is done to both.
#[derive(Clone, Debug)]
enum Op {
    Add(bytes::Mac, Target, State),
    Append(bytes::Mac, Target, State),
    Replace(bytes::Mac, Target, State),
    Delete(bytes::Mac),
    DeleteTarget(bytes::Mac, Target),
    /// A frame from this host comes from this remote.
    Receive(bytes::Mac, u8),
    /// A frame to this host.
    Send(bytes::Mac),
}

/// Where an entry leads.
#[derive(Clone, Copy, Debug)]
struct Target {
    last: u8,
    port: Option<u16>,
    vni: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Permanent,
    Static,
    Dynamic,
}

const GROUP: bytes::Mac = [1, 0, 0x5e, 0, 0, 5];

fn any_mac() -> impl Strategy<Value = bytes::Mac> {
    prop_oneof![
        4 => (1..4_u8).prop_map(mac),
        1 => Just([0; 6]),
        1 => Just(GROUP),
        1 => Just([0xff; 6]),
    ]
}

fn any_target() -> impl Strategy<Value = Target> {
    let port = prop_oneof![4 => Just(None), 1 => Just(Some(14_789))];
    let vni = prop_oneof![4 => Just(None), 1 => Just(Some(77))];
    (2..5_u8, port, vni).prop_map(|(last, port, vni)| Target { last, port, vni })
}

fn any_op() -> impl Strategy<Value = Op> {
    let state = || prop_oneof![Just(State::Permanent), Just(State::Static), Just(State::Dynamic)];
    let entry = || {
        (any_mac(), any_target(), state()).prop_map(|(mac, target, state)| match state {
            // These move; see below where to.
            State::Dynamic if mac[0] == 2 => (mac, Target { port: None, vni: None, ..target }, state),
            _ => (mac, target, state),
        })
    };
    let host = || (1..5_u8).prop_map(mac);
    prop_oneof![
        2 => entry().prop_map(|(mac, target, state)| Op::Add(mac, target, state)),
        2 => entry().prop_map(|(mac, target, state)| Op::Append(mac, target, state)),
        2 => entry().prop_map(|(mac, target, state)| Op::Replace(mac, target, state)),
        1 => any_mac().prop_map(Op::Delete),
        2 => (any_mac(), any_target()).prop_map(|(mac, target)| Op::DeleteTarget(mac, target)),
        4 => (host(), 2..5_u8).prop_map(|(mac, last)| Op::Receive(mac, last)),
        3 => any_mac().prop_map(Op::Send),
    ]
}

struct Pair {
    kernel: Kernel,
    engine: Engine,
}

impl Pair {
    fn new(options: &str, set: impl FnOnce(&mut Config)) -> Self {
        let options = format!("id 42 local 10.99.0.1 dstport {PORT} {options}");
        let kernel = Kernel::new(&options, false, PORT, HEADER);
        kernel.know_marker("10.99.0.200", "");
        let mut config = Config::linux().local([10, 99, 0, 1].into());
        config.dstport = PORT;
        config.address = MacAddr(OVERLAY_MAC);
        set(&mut config);
        let engine = Engine::new(config, UNDERLAY_MAC);
        engine.vtep.fdb().add_vni(VNI).unwrap();
        let pair = Self { kernel, engine };
        // So that their MAC addresses are known.
        for last in 2..5 {
            pair.remote(Target { last, port: None, vni: None });
        }
        pair
    }

    fn remote(&self, target: Target) -> RemoteId {
        let mut remote = Remote::new([10, 99, 0, target.last].into(), target.port.unwrap_or(PORT));
        remote = remote.next_hop(MacAddr(remote_mac(target.last)));
        if let Some(vni) = target.vni {
            remote = remote.vni(Vni::truncate(vni));
        }
        self.engine.vtep.add_remote(&remote).unwrap()
    }

    fn entry(&self, target: Target, state: State) -> NewEntry {
        let entry = NewEntry::to(self.remote(target));
        match state {
            State::Permanent => entry,
            State::Static => entry.as_static(),
            State::Dynamic => entry.dynamic(self.engine.now),
        }
    }

    /// Does it; answers whether each took it.
    fn both(&mut self, op: &Op) -> [bool; 2] {
        let now = self.engine.now;
        let (words, ours) = match *op {
            Op::Add(mac, target, state) => {
                let ours = self.engine.vtep.fdb().add(VNI, MacAddr(mac), self.entry(target, state)).is_ok();
                (format!("add {} {} {}", text(mac), target.words(), state.word()), ours)
            }
            Op::Append(mac, target, state) => {
                let ours =
                    self.engine.vtep.fdb().append(VNI, MacAddr(mac), self.entry(target, state)).is_ok();
                (format!("append {} {} {}", text(mac), target.words(), state.word()), ours)
            }
            Op::Replace(mac, target, state) => {
                let ours =
                    self.engine.vtep.fdb().replace(VNI, MacAddr(mac), self.entry(target, state)).is_ok();
                (format!("replace {} {} {}", text(mac), target.words(), state.word()), ours)
            }
            Op::Delete(mac) => {
                let ours = self.engine.vtep.fdb().delete(now, VNI, MacAddr(mac)).is_ok();
                (format!("delete {}", text(mac)), ours)
            }
            Op::DeleteTarget(mac, target) => {
                let remote = self.remote(target);
                let ours = self.engine.vtep.fdb().delete_destination(now, VNI, MacAddr(mac), remote).is_ok();
                (format!("delete {} {}", text(mac), target.words()), ours)
            }
            Op::Receive(mac, last) => {
                let frame = ethernet(OVERLAY_MAC, mac, 0x88b6, b"learn from me");
                let packet = packet(false, last, PORT, &bytes::vxlan(HEADER, &frame));
                let ours = matches!(self.engine.receive(&packet), Verdict::Delivered(_));
                return [self.kernel.receive(&packet) == [frame], ours];
            }
            Op::Send(mac) => {
                let frame = ethernet(mac, bytes::mac(9), 0x88b6, b"where to?");
                let theirs = self.kernel.send(&frame).packets;
                let ours = match self.engine.send(VNI, &frame) {
                    Verdict::Sent(packets) => packets.into_iter().map(|(_, _, packet)| packet).collect(),
                    _ => vec![],
                };
                assert_eq!(destinations(&ours), destinations(&theirs), "where {op:?} goes");
                return [true; 2];
            }
        };
        let words = format!("bridge fdb {words} dev vx0");
        [self.kernel.namespace.run(words.split_whitespace()).is_ok(), ours]
    }

    /// The entries of both, as `bridge fdb show` prints them.
    fn show(&self) -> [BTreeSet<String>; 2] {
        let text = self.kernel.namespace.bridge("fdb show dev vx0");
        let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let markers = ["02:00:00:00:ee:ee", "02:00:00:00:02:c8"];
        let theirs = text.lines().filter(|line| !markers.iter().any(|marker| line.starts_with(marker)));
        let fdb = self.engine.vtep.fdb();
        let entries = fdb.dump(self.engine.now).map(|entry| fdb.show(&entry).default_port(PORT).to_string());
        let ours = entries.collect::<Vec<_>>().join("\n");
        [theirs.map(line).collect(), ours.lines().map(line).collect()]
    }
}

impl Target {
    fn words(self) -> String {
        let word = |name: &str, value: Option<String>| {
            value.map_or(String::new(), |value| format!(" {name} {value}"))
        };
        let port = word("port", self.port.map(|port| port.to_string()));
        format!("dst 10.99.0.{}{port}{}", self.last, word("vni", self.vni.map(|vni| vni.to_string())))
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Permanent => "permanent",
            Self::Static => "static",
            Self::Dynamic => "dynamic",
        }
    }
}

/// Address, port and VNI that each packet goes to.
fn destinations(packets: &[Vec<u8>]) -> Vec<(IpAddr, u16, u32)> {
    let mut destinations: Vec<_> = packets
        .iter()
        .map(|packet| {
            let address = <[u8; 4]>::try_from(&packet[30..34]).unwrap();
            let vni = u32::from_be_bytes([0, packet[46], packet[47], packet[48]]);
            (address.into(), u16::from_be_bytes([packet[36], packet[37]]), vni)
        })
        .collect();
    destinations.sort();
    destinations
}

/// What Linux takes without a word and does nothing for, the library refuses.
fn is_silent(op: &Op) -> bool {
    matches!(op, Op::Append(..) | Op::DeleteTarget(..))
}

#[test]
fn told_the_same_both_do_the_same() {
    require!(Need::Root, Need::Program("bridge"), Need::Device("vxlan"));
    let mut runner = TestRunner::deterministic();
    let sequences = prop::collection::vec(any_op(), 60);
    for round in 0..6 {
        let learning = round % 3 != 2;
        let options = if learning { "" } else { "nolearning" };
        let mut pair = Pair::new(options, |config| config.learning = learning);
        let ops = sequences.new_tree(&mut runner).unwrap().current();
        for (step, op) in ops.iter().enumerate() {
            let before = pair.show();
            // Refused by both, but Linux changes the entry's state all the same: see the next test.
            let half_done = match op {
                Op::Append(mac, ..) => mac[0] == 2,
                Op::Replace(mac, ..) => mac[0] != 2,
                _ => false,
            };
            let (Op::Append(mac, ..)
            | Op::Replace(mac, ..)
            | Op::Add(mac, ..)
            | Op::Delete(mac)
            | Op::DeleteTarget(mac, _)
            | Op::Receive(mac, _)
            | Op::Send(mac)) = op;
            if half_done && before[0].iter().any(|line| line.starts_with(&text(*mac))) {
                continue;
            }
            let [theirs, ours] = pair.both(op);
            let done = ops[..=step].iter().map(|op| format!("{op:?}")).collect::<Vec<_>>().join("\n");
            let context = || format!("round {round}, after\n{done}");
            assert!(
                ours == theirs || theirs && is_silent(op),
                "kernel {theirs}, engine {ours}: {}",
                context()
            );
            let [shown, own] = pair.show();
            assert_eq!(own, shown, "ours and theirs, {}", context());
            if ours != theirs {
                assert_eq!(before, [shown, own], "nothing was done, {}", context());
            }
        }
    }
}

/// Linux says that a unicast address has a second remote now, which it has not, and changes only the entry's state; or
/// it says that it cannot replace a list, and changes its state. The library refuses, and that is all.
#[test]
fn what_is_refused_changes_nothing_of_ours() {
    require!(Need::Root, Need::Program("bridge"), Need::Device("vxlan"));
    let mut pair = Pair::new("", |_| {});
    let at = |last| Target { last, port: None, vni: None };
    assert_eq!(pair.both(&Op::Append(mac(1), at(2), State::Dynamic)), [true; 2]);
    assert_eq!(pair.both(&Op::Append(mac(1), at(3), State::Static)), [true, false]);
    let line = |state: &str| BTreeSet::from([format!("02:00:00:00:00:01 dst 10.99.0.2 self{state}")]);
    assert_eq!(pair.show(), [line(" static"), line("")]);
    pair.both(&Op::Send(mac(1)));

    let mut pair = Pair::new("", |_| {});
    assert_eq!(pair.both(&Op::Add(GROUP, at(2), State::Dynamic)), [true; 2]);
    assert_eq!(pair.both(&Op::Replace(GROUP, at(3), State::Static)), [false; 2]);
    let line = |state: &str| BTreeSet::from([format!("01:00:5e:00:00:05 dst 10.99.0.2 self{state}")]);
    assert_eq!(pair.show(), [line(" static"), line("")]);
}

#[test]
fn broadcasts_go_to_every_remote_of_the_list() {
    require!(Need::Root, Need::Program("bridge"), Need::Device("vxlan"));
    let mut pair = Pair::new("", |_| {});
    for last in 2..5 {
        let vni = (last == 4).then_some(77);
        assert_eq!(
            pair.both(&Op::Append([0; 6], Target { last, port: None, vni }, State::Permanent)),
            [true; 2]
        );
    }
    for to in [[0xff; 6], GROUP, mac(99)] {
        let frame = ethernet(to, mac(9), 0x88b6, b"to all");
        assert_eq!(pair.kernel.send(&frame).packets.len(), 3);
        pair.both(&Op::Send(to));
    }
    // What is learned is not flooded any more.
    assert_eq!(pair.both(&Op::Receive(mac(1), 3)), [true; 2]);
    assert_eq!(pair.kernel.send(&ethernet(mac(1), mac(9), 0x88b6, b"to one")).packets.len(), 1);
    pair.both(&Op::Send(mac(1)));
}

#[test]
fn hosts_roam_but_static_ones_do_not() {
    require!(Need::Root, Need::Program("bridge"), Need::Device("vxlan"));
    let mut pair = Pair::new("", |_| {});
    let at = |last| Target { last, port: None, vni: None };
    for (mac, last) in [(mac(1), 2), (mac(1), 3), (mac(1), 4), (mac(1), 2)] {
        assert_eq!(pair.both(&Op::Receive(mac, last)), [true; 2]);
        pair.both(&Op::Send(mac));
        let [theirs, ours] = pair.show();
        assert!(
            ours == theirs && ours.contains(&format!("{} dst 10.99.0.{last} self", text(mac))),
            "{ours:?}"
        );
    }
    pair.both(&Op::Add(mac(2), at(3), State::Static));
    assert_eq!(pair.both(&Op::Receive(mac(2), 3)), [true; 2]);
    assert_eq!(pair.both(&Op::Receive(mac(2), 4)), [false; 2]);
    pair.both(&Op::Send(mac(2)));
}

/// An address that moves goes to the remote that the frame came from, as that is known. Linux keeps port and VNI of the
/// remote before.
#[test]
fn who_moves_takes_nothing_along() {
    require!(Need::Root, Need::Program("bridge"), Need::Device("vxlan"));
    let mut pair = Pair::new("", |_| {});
    pair.both(&Op::Add(mac(1), Target { last: 2, port: Some(14_789), vni: Some(77) }, State::Dynamic));
    assert_eq!(pair.both(&Op::Receive(mac(1), 3)), [true; 2]);
    let line = |more: &str| BTreeSet::from([format!("02:00:00:00:00:01 dst 10.99.0.3{more} self")]);
    assert_eq!(pair.show(), [line(" port 14789 vni 77"), line("")]);
}

/// Linux looks through its table every ten seconds; the library forgets on time.
#[test]
fn what_was_learned_ages() {
    require!(Need::Root, Need::Program("bridge"), Need::Device("vxlan"));
    let age = Duration::from_secs(2);
    let mut pair = Pair::new("ageing 2", |config| config.tables.ageing = Ageing::After(age));
    pair.both(&Op::Add(mac(3), Target { last: 2, port: None, vni: None }, State::Static));
    assert_eq!(pair.both(&Op::Receive(mac(1), 2)), [true; 2]);
    let [theirs, ours] = pair.show();
    assert!(ours == theirs && ours.len() == 2);
    let static_only = BTreeSet::from(["02:00:00:00:00:03 dst 10.99.0.2 self static".to_owned()]);
    let started = std::time::Instant::now();
    interop::eventually(Duration::from_secs(25), "the kernel forgets", || {
        (pair.show()[0] == static_only).then_some(())
    });
    assert!(started.elapsed() >= age, "{:?}", started.elapsed());

    pair.engine.pass(age - Duration::from_millis(1));
    assert_eq!(pair.show()[1].len(), 2);
    // One tick is 1/256 of it.
    pair.engine.pass(age / 128);
    assert_eq!(pair.show()[1], static_only);
    pair.both(&Op::Send(mac(1)));
}

/// A table of limited size; what is in it still works when it is full.
#[test]
fn as_many_as_maxaddress_says() {
    require!(Need::Root, Need::Program("bridge"), Need::Device("vxlan"));
    // The marker's two are the kernel's alone.
    let mut pair = Pair::new("maxaddress 6", |config| config.tables.vni_limit = 4);
    for host in 1..=6 {
        assert_eq!(pair.both(&Op::Receive(mac(host), 2)), [true; 2], "delivered, learned or not");
        let [theirs, ours] = pair.show();
        assert_eq!((ours.len(), &ours), (usize::from(host.min(4)), &theirs));
    }
    let one_more = Op::Add(mac(9), Target { last: 2, port: None, vni: None }, State::Static);
    assert_eq!(pair.both(&one_more), [false; 2]);
}
