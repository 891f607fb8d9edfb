//! ARP answered for others: what is answered, what is kept, what goes on, by either proxy.

use encap::{
    table::{Destination, NeighborState, NewEntry, NewNeighbor, Snooping},
    vtep::{Config, DropReason, Miss, Output, OverlayMeta, Proxy},
    wire::MacAddr,
};

use crate::{common::*, frames::*};

const ASKER: (MacAddr, [u8; 4]) = (MacAddr([2, 0, 0, 0, 0, 1]), [10, 1, 0, 1]);
const TARGET: [u8; 4] = [10, 1, 0, 2];

/// VTEP 1 with this proxy, two VTEPs to flood to, and neighbour 10.1.0.2, 02:00:00:00:01:02.
fn node(proxy: Proxy) -> Node {
    let config = with(Config::new(), |c| (c.proxy, c.inner_vlan) = (proxy, true));
    let node = Node::new(1, config).peers(&[2, 3]);
    node.vtep.neighbors().add(VNI, TARGET.into(), NEIGHBOR).unwrap();
    node
}

const NEIGHBOR: MacAddr = MacAddr([2, 0, 0, 0, 1, 2]);

fn question() -> Vec<u8> {
    arp(MacAddr::BROADCAST, 1, ASKER, TARGET)
}

/// The answer to the question, by RFC 826.
fn answer(mac: MacAddr) -> Vec<u8> {
    let mut answer = arp(ASKER.0, 2, (mac, TARGET), ASKER.1);
    answer[32..38].copy_from_slice(&ASKER.0.0);
    answer
}

impl Node {
    fn answers(&mut self, frame: &[u8]) -> Vec<u8> {
        let before = *self.worker.counters();
        let (output, reply) = self.send(NOW, frame);
        assert_eq!(output, Output::Reply);
        assert_eq!(self.worker.counters().replies, before.replies + 1);
        reply
    }

    fn floods(&mut self, frame: &[u8]) {
        let (output, after) = self.send(NOW, frame);
        assert!(matches!(output, Output::Replicate(_)), "{output:?}");
        assert_eq!(after, frame);
    }

    fn miss(&mut self) -> Option<Miss> {
        self.worker.poll_miss()
    }
}

fn set(node: &Node, state: NeighborState) {
    let new = NewNeighbor::new(NEIGHBOR).state(state, NOW);
    node.vtep.neighbors().replace(VNI, TARGET.into(), new).unwrap();
}

// ------------------------------------------------------------------------------------------------ either

/// Section F: question and answer of the running kernel.
#[test]
fn f_the_kernels_answer() {
    let request = hex("ffffffffffff020000000001080600010800060400010200000000010a0100010000000000000a010002");
    let reply = hex("020000000001020000000102080600010800060400020200000001020a0100020200000000010a010001");
    for proxy in [Proxy::KernelProxy, Proxy::NeighSuppress] {
        assert_eq!(node(proxy).answers(&request), reply);
        // Ethernet's padding is cut off.
        assert_eq!(node(proxy).answers(&[&request[..], &[0; 18]].concat()), reply);
    }
    assert_eq!((question(), answer(NEIGHBOR)), (request, reply));
}

#[test]
fn a8_the_answer_goes_to_who_the_question_says_asks() {
    for proxy in [Proxy::KernelProxy, Proxy::NeighSuppress] {
        let mut question = question();
        question[6..12].copy_from_slice(&mac(0x77).0);
        assert_eq!(node(proxy).answers(&question), answer(NEIGHBOR), "not to the Ethernet source");
    }
}

#[test]
fn a8_what_is_here_answers_for_itself() {
    for proxy in [Proxy::KernelProxy, Proxy::NeighSuppress] {
        let mut node = node(proxy);
        node.vtep.fdb().add(VNI, NEIGHBOR, NewEntry::to(Destination::Local).as_static()).unwrap();
        match proxy {
            // For the kernel's proxy that is all there is to say.
            Proxy::KernelProxy => {}
            // Everything else goes into the tunnels: a probe for an address of one's own may find another there.
            _ => node.floods(&arp(MacAddr::BROADCAST, 1, (NEIGHBOR, [0; 4]), TARGET)),
        }
        node.refuses_frame(&question(), DropReason::ProxyConsumed);
        assert_eq!(node.miss(), None);
        // Any other entry, or none, is no reason.
        node.vtep.fdb().delete(NOW, VNI, NEIGHBOR).unwrap();
        let group = node.vtep.lists().add_group(&[node.vtep.remote(address(2)).unwrap()]).unwrap();
        node.vtep.fdb().add(VNI, NEIGHBOR, group).unwrap();
        assert_eq!(node.answers(&question()), answer(NEIGHBOR));
    }
}

#[test]
fn neighbours_are_those_of_the_segment() {
    for proxy in [Proxy::KernelProxy, Proxy::NeighSuppress] {
        let mut node = node(proxy);
        let other = encap::wire::Vni::truncate(7);
        node.vtep.fdb().append(other, MacAddr::ZERO, node.vtep.remote(address(2)).unwrap()).unwrap();
        let (output, frame) = node.send_with(NOW, &OverlayMeta::new(other), &question());
        match proxy {
            Proxy::KernelProxy => assert_eq!(output, Output::Drop(DropReason::ProxyConsumed)),
            _ => assert!(matches!(output, Output::Send { .. })),
        }
        assert!(frame.ends_with(&question()));
        assert_eq!(node.miss(), Some(Miss::L3 { vni: other, address: TARGET.into() }));
    }
}

#[test]
fn without_a_proxy_nobody_looks() {
    let mut node = node(Proxy::Off);
    for frame in [question(), question()[..30].to_vec(), answer(NEIGHBOR)] {
        let packets = node.packets(NOW, &frame);
        assert_eq!(packets.len(), 2);
    }
    assert_eq!(node.miss(), None);
}

#[test]
fn a8_a_question_that_is_cut_off_is_dropped() {
    for proxy in [Proxy::KernelProxy, Proxy::NeighSuppress] {
        for len in 14..42 {
            node(proxy).refuses_frame(&question()[..len], DropReason::ArpTruncated);
        }
    }
}

/// Neighbours are the segment's; a VLAN in it may have others with the same addresses.
#[test]
fn a7_2_tagged_questions_are_not_looked_at() {
    for proxy in [Proxy::KernelProxy, Proxy::NeighSuppress] {
        for wrap in [|frame: &[u8]| tagged(5, frame), |frame: &[u8]| tagged(7, &tagged(5, frame))] {
            node(proxy).floods(&wrap(&question()));
        }
    }
}

/// Nothing of the headroom is needed.
#[test]
fn an_answer_takes_the_place_of_its_question() {
    for proxy in [Proxy::KernelProxy, Proxy::NeighSuppress] {
        assert_eq!(node(proxy).send_behind(0, &question()), (Output::Reply, answer(NEIGHBOR)));
    }
}

// ------------------------------------------------------------------------------------------------ the kernel's

const KERNEL: Proxy = Proxy::KernelProxy;

#[test]
fn a8_hardware_type_6_is_answered_in_kind_and_no_other() {
    for (hardware, answered) in [(1, true), (6, true), (0, false), (2, false), (7, false), (0x0106, false)] {
        let mut question = question();
        let mut answer = answer(NEIGHBOR);
        question[14..16].copy_from_slice(&u16::to_be_bytes(hardware));
        answer[14..16].copy_from_slice(&u16::to_be_bytes(hardware));
        if answered {
            assert_eq!(node(KERNEL).answers(&question), answer);
        } else {
            node(KERNEL).refuses_frame(&question, DropReason::ProxyConsumed);
        }
    }
}

/// Other protocols, lengths and operations: replies never cross a VTEP like this.
#[test]
fn a8_what_is_no_question_is_consumed() {
    for (at, value) in [(16, 0x86), (18, 8), (19, 16), (21, 0), (21, 2), (21, 3), (21, 8), (20, 1)] {
        let mut frame = question();
        frame[at] = value;
        let mut node = node(KERNEL);
        node.refuses_frame(&frame, DropReason::ProxyConsumed);
        assert_eq!(node.miss(), None);
    }
    node(KERNEL).refuses_frame(&answer(NEIGHBOR), DropReason::ProxyConsumed);
}

#[test]
fn a8_loopback_and_groups_are_consumed_without_a_word() {
    for target in [[127, 0, 0, 1], [127, 9, 9, 9], [224, 0, 0, 1], [239, 255, 255, 255]] {
        let mut node = node(KERNEL);
        node.refuses_frame(&arp(MacAddr::BROADCAST, 1, ASKER, target), DropReason::ProxyConsumed);
        assert_eq!(node.miss(), None);
    }
}

#[test]
fn a8_who_is_unknown_is_a_miss_and_never_flooded() {
    for target in [[255, 255, 255, 255], [10, 1, 0, 3]] {
        let mut node = node(KERNEL);
        node.refuses_frame(&arp(MacAddr::BROADCAST, 1, ASKER, target), DropReason::ProxyConsumed);
        assert_eq!(node.miss(), Some(Miss::L3 { vni: VNI, address: target.into() }));
    }
}

#[test]
fn a8_the_state_of_the_neighbour_decides() {
    use NeighborState::*;
    for (state, answered) in [
        (Permanent, true),
        (NoArp, true),
        (Reachable, true),
        (Stale, false),
        (Delay, false),
        (Probe, false),
        (Incomplete, false),
        (Failed, false),
    ] {
        let mut node = node(KERNEL);
        set(&node, state);
        if answered {
            assert_eq!(node.answers(&question()), answer(NEIGHBOR));
        } else {
            node.refuses_frame(&question(), DropReason::ProxyConsumed);
        }
        assert_eq!(node.miss(), None);
    }
}

#[test]
fn a8_no_question_is_special() {
    // To one host; a probe; an announcement.
    let unicast = arp(NEIGHBOR, 1, ASKER, TARGET);
    assert_eq!(node(KERNEL).answers(&unicast), answer(NEIGHBOR));
    for sender in [[0, 0, 0, 0], TARGET] {
        let reply = node(KERNEL).answers(&arp(MacAddr::BROADCAST, 1, (ASKER.0, sender), TARGET));
        assert_eq!((&reply[28..32], &reply[38..42]), (&TARGET[..], &sender[..]));
    }
}

// ------------------------------------------------------------------------------------------------ the bridge's

const SUPPRESS: Proxy = Proxy::NeighSuppress;

#[test]
fn suppress_answers_for_all_whose_mac_holds() {
    use NeighborState::*;
    for (state, answered) in [
        (Permanent, true),
        (NoArp, true),
        (Reachable, true),
        (Stale, true),
        (Delay, true),
        (Probe, true),
        (Incomplete, false),
        (Failed, false),
    ] {
        let mut node = node(SUPPRESS);
        set(&node, state);
        if answered {
            assert_eq!(node.answers(&question()), answer(NEIGHBOR));
        } else {
            node.floods(&question());
        }
    }
}

#[test]
fn suppress_floods_for_the_unknown_and_tells_of_it() {
    let mut node = node(SUPPRESS);
    node.floods(&arp(MacAddr::BROADCAST, 1, ASKER, [10, 1, 0, 3]));
    assert_eq!(node.miss(), Some(Miss::L3 { vni: VNI, address: [10, 1, 0, 3].into() }));
    assert_eq!(node.worker.counters().drops().count(), 0);
}

/// Linux's bridge floods this question; RFC 9161 has it answered.
#[test]
fn suppress_answers_for_whom_the_forwarding_database_does_not_know() {
    let mut node = node(SUPPRESS);
    assert!(node.vtep.fdb().get(NOW, VNI, NEIGHBOR).is_err());
    assert_eq!(node.answers(&question()), answer(NEIGHBOR));
}

/// RFC 5227: announcements must reach everybody; a probe for the host's own address is not answered in its name.
#[test]
fn suppress_lets_announcements_and_own_probes_pass() {
    let mut node = node(SUPPRESS);
    for host in [ASKER.0, NEIGHBOR] {
        node.floods(&arp(MacAddr::BROADCAST, 1, (host, TARGET), TARGET));
    }
    node.floods(&arp(MacAddr::BROADCAST, 1, (NEIGHBOR, [0; 4]), TARGET));
    node.floods(&arp(MacAddr::BROADCAST, 1, (NEIGHBOR, ASKER.1), TARGET));
    // Who probes for an address that somebody else has is told so.
    let reply = node.answers(&arp(MacAddr::BROADCAST, 1, (ASKER.0, [0; 4]), TARGET));
    assert_eq!((&reply[..6], &reply[22..28], &reply[38..42]), (&ASKER.0.0[..], &NEIGHBOR.0[..], &[0; 4][..]));
}

#[test]
fn suppress_lets_answers_and_questions_to_one_host_pass() {
    let mut node = node(SUPPRESS);
    node.vtep.fdb().add(VNI, NEIGHBOR, node.vtep.remote(address(2)).unwrap()).unwrap();
    for frame in [arp(NEIGHBOR, 1, ASKER, TARGET), arp(NEIGHBOR, 2, ASKER, TARGET)] {
        let packet = node.sends(&frame, 2);
        assert!(packet.ends_with(&frame));
    }
    // Gratuitous answers, too.
    node.floods(&arp(MacAddr::BROADCAST, 2, (NEIGHBOR, TARGET), TARGET));
    assert_eq!(node.worker.counters().replies, 0);
}

#[test]
fn suppress_passes_what_is_not_ethernet_and_ipv4() {
    for (at, value) in [(15, 6), (15, 7), (16, 0x86), (18, 8), (19, 16), (21, 3), (21, 8)] {
        let mut frame = question();
        frame[at] = value;
        node(SUPPRESS).floods(&frame);
    }
}

#[test]
fn suppress_does_not_answer_to_groups() {
    for sender in [MacAddr::BROADCAST, MacAddr::ZERO, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
        node(SUPPRESS).floods(&arp(MacAddr::BROADCAST, 1, (sender, ASKER.1), TARGET));
    }
}

/// A table that all segments share is not filled by the hosts of one.
#[test]
fn suppress_learns_so_fast_from_the_hosts_of_one_segment() {
    let config = with(Config::new(), |c| {
        (c.proxy, c.tables.snooping, c.learn_rate) = (SUPPRESS, Snooping::All, 5);
    });
    let (mut node, other) = (Node::new(1, config).peers(&[2]), encap::wire::Vni::truncate(7));
    node.vtep.fdb().append(other, MacAddr::ZERO, node.vtep.remote(address(2)).unwrap()).unwrap();
    for host in 0..100 {
        let asks = arp(MacAddr::BROADCAST, 1, (mac(host), [10, 1, 0, host]), [10, 1, 0, 200]);
        let solicits = Ns::new(host, v6(200)).bytes();
        for frame in [asks, solicits] {
            assert!(matches!(node.send(NOW, &frame).0, Output::Send { .. }));
        }
    }
    assert_eq!((node.vtep.neighbors().count(), node.worker.counters().unlearned), (5, 195));
    let _ = node.send_with(NOW, &OverlayMeta::new(other), &arp(MacAddr::BROADCAST, 1, ASKER, TARGET));
    assert_eq!(node.vtep.neighbors().count(), 6, "those of another one are learned");
}

#[test]
fn suppress_learns_neighbours_where_it_is_told_to() {
    for snooping in [Snooping::Off, Snooping::All] {
        let config = with(Config::new(), |c| (c.proxy, c.tables.snooping) = (SUPPRESS, snooping));
        let mut node = Node::new(1, config).peers(&[2, 3]);
        node.floods(&arp(MacAddr::BROADCAST, 1, (NEIGHBOR, TARGET), [10, 1, 0, 9]));
        let known = node.vtep.neighbors().lookup(NOW, VNI, TARGET.into()).unwrap();
        assert_eq!(known.map(|known| known.mac), (snooping == Snooping::All).then_some(NEIGHBOR));
        if snooping == Snooping::All {
            assert_eq!(node.answers(&question()), answer(NEIGHBOR));
        }
    }
}
