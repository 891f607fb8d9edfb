//! Neighbor Discovery answered for others: what is answered, what is kept, what goes on, by either proxy.

use std::net::{IpAddr, Ipv6Addr};

use encap::{
    table::{Destination, NeighborState, NewEntry, NewNeighbor, Snooping},
    vtep::{Config, DropReason, Miss, Output, Proxy},
    wire::{
        MacAddr,
        ndp::{ALL_NODES, solicited_node},
        ndp_check::check_advertisement,
        ndp_option::{NeighborOption, OptionType},
    },
};

use crate::{common::*, frames::*};

const NEIGHBOR: MacAddr = MacAddr([2, 0, 0, 0, 1, 2]);
const PROXIES: [Proxy; 2] = [Proxy::KernelProxy, Proxy::NeighSuppress];

/// VTEP 1 with this proxy, two VTEPs to flood to, and neighbour fd01::2, 02:00:00:00:01:02.
fn node(proxy: Proxy) -> Node {
    let config = with(Config::new(), |c| (c.proxy, c.inner_vlan) = (proxy, true));
    let node = Node::new(1, config).peers(&[2, 3]);
    node.vtep.neighbors().add(VNI, v6(2).into(), NEIGHBOR).unwrap();
    node
}

fn question() -> Ns {
    Ns::new(1, v6(2))
}

/// What an advertisement in a frame says, once it is found valid.
#[derive(Debug, PartialEq)]
struct Told {
    link: (MacAddr, MacAddr),
    source: Ipv6Addr,
    destination: Ipv6Addr,
    /// Router, solicited, override.
    flags: (bool, bool, bool),
    target: Ipv6Addr,
    mac: Option<MacAddr>,
}

fn read(frame: &[u8]) -> Told {
    let (link, ip) = encap::wire::ethernet::Header::parse(frame).unwrap();
    let valid = check_advertisement(ip).unwrap();
    assert_eq!(ip.len(), 72);
    Told {
        link: (link.destination, link.source),
        source: valid.ip.source,
        destination: valid.ip.destination,
        flags: (valid.message.router, valid.message.solicited, valid.message.overrides),
        target: valid.message.target,
        mac: valid.options.mac(OptionType::TARGET_ADDRESS),
    }
}

fn answer() -> Told {
    Told {
        link: (mac(1), NEIGHBOR),
        source: v6(2),
        destination: v6(1),
        flags: (false, true, true),
        target: v6(2),
        mac: Some(NEIGHBOR),
    }
}

fn answered(node: &mut Node, frame: &[u8]) -> Told {
    let (output, reply) = node.send(NOW, frame);
    assert_eq!(output, Output::Reply);
    read(&reply)
}

fn floods(node: &mut Node, frame: &[u8]) {
    let (output, after) = node.send(NOW, frame);
    assert!(matches!(output, Output::Replicate(_)), "{output:?}");
    assert_eq!(after, frame);
    assert_eq!(node.worker.counters().replies, 0);
}

/// Kept by the kernel's proxy, flooded by the bridge's.
fn not_answered(node: &mut Node, frame: &[u8], proxy: Proxy) {
    match proxy {
        Proxy::KernelProxy => node.refuses_frame(frame, DropReason::ProxyConsumed),
        _ => floods(node, frame),
    }
}

// ------------------------------------------------------------------------------------------------ either

/// Section F: question and answer of the running kernel.
#[test]
fn f_the_kernels_answer() {
    let request = hex(concat!(
        "3333ff00000202000000000186dd6000000000203afffd010000000000000000000000000001ff0200000000000000000001",
        "ff00000287007d9500000000fd0100000000000000000000000000020101020000000001",
    ));
    let reply = hex(concat!(
        "02000000000102000000010286dd6000000000203afffd010000000000000000000000000002fd0100000000000000000000",
        "0000000188001b9760000000fd0100000000000000000000000000020201020000000102",
    ));
    assert_eq!(question().bytes(), request);
    for proxy in PROXIES {
        assert_eq!(node(proxy).send(NOW, &request), (Output::Reply, reply.clone()));
    }
    assert_eq!(read(&reply), answer());
}

#[test]
fn a8b_the_option_says_who_asks_or_else_ethernet() {
    for proxy in PROXIES {
        let mut other = question();
        other.source_mac = mac(0x77);
        assert_eq!(answered(&mut node(proxy), &other.bytes()), answer());
        other.options = vec![];
        let told = answered(&mut node(proxy), &other.bytes());
        assert_eq!(told, Told { link: (mac(0x77), NEIGHBOR), ..answer() });
        // Behind another option, and the first of two.
        let (nonce, first, second) = (
            [14, 1, 1, 2, 3, 4, 5, 6],
            NeighborOption::source_address(mac(1)),
            NeighborOption::source_address(mac(9)),
        );
        other.options = [nonce, first, second].concat();
        assert_eq!(answered(&mut node(proxy), &other.bytes()), answer());
    }
}

/// RFC 4861, section 7.2.4: who has no address yet is answered by way of all nodes, unsolicited. The kernel sends to
/// the unspecified address, which is a defect.
#[test]
fn a8b_duplicate_address_detection_is_answered_to_all_nodes() {
    for proxy in PROXIES {
        let probe = Ns { source: Ipv6Addr::UNSPECIFIED, options: vec![], ..question() };
        let told = answered(&mut node(proxy), &probe.bytes());
        let all = MacAddr([0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(
            told,
            Told { link: (all, NEIGHBOR), destination: ALL_NODES, flags: (false, false, true), ..answer() }
        );
    }
}

#[test]
fn a8b_the_router_flag_is_the_entrys_or_the_neighbours() {
    for proxy in PROXIES {
        let mut router = node(proxy);
        let remote = router.vtep.remote(address(2)).unwrap();
        router.vtep.fdb().add(VNI, NEIGHBOR, NewEntry::to(remote)).unwrap();
        assert!(!answered(&mut router, &question().bytes()).flags.0);
        router.vtep.fdb().replace(VNI, NEIGHBOR, NewEntry::to(remote).router()).unwrap();
        assert!(answered(&mut router, &question().bytes()).flags.0);
        let mut router = node(proxy);
        router.vtep.neighbors().replace(VNI, v6(2).into(), NewNeighbor::new(NEIGHBOR).router()).unwrap();
        assert!(answered(&mut router, &question().bytes()).flags.0);
    }
}

#[test]
fn a8b_broken_options_are_not_answered() {
    for proxy in PROXIES {
        let good = NeighborOption::source_address(mac(1));
        for bad in [vec![1, 0, 2, 0, 0, 0, 0, 1], vec![1, 2, 2, 0, 0, 0, 0, 1], vec![1], vec![5, 255, 1, 2]] {
            let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
            for options in [bad.clone(), [&nonce[..], &bad].concat()] {
                let mut node = node(proxy);
                not_answered(&mut node, &Ns { options, ..question() }.bytes(), proxy);
                assert_eq!(node.worker.poll_miss(), None);
            }
            // Linux does not look behind the sender's address.
            let behind = Ns { options: [&good[..], &bad].concat(), ..question() }.bytes();
            match proxy {
                Proxy::KernelProxy => assert!(answered(&mut node(proxy), &behind).flags.1),
                _ => not_answered(&mut node(proxy), &behind, proxy),
            }
        }
    }
}

#[test]
fn a8b_groups_and_loopback_are_not_answered() {
    for proxy in PROXIES {
        let mut group = question();
        group.target = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 5);
        let mut loopback = question();
        loopback.destination = Ipv6Addr::LOCALHOST;
        for question in [group, loopback] {
            let mut node = node(proxy);
            not_answered(&mut node, &question.bytes(), proxy);
            assert_eq!(node.worker.poll_miss(), None);
        }
    }
}

#[test]
fn a8b_who_is_unknown_is_a_miss() {
    for proxy in PROXIES {
        let mut node = node(proxy);
        not_answered(&mut node, &Ns::new(1, v6(3)).bytes(), proxy);
        let miss = Some(Miss::L3 { vni: VNI, address: v6(3).into() });
        assert_eq!(node.worker.poll_miss(), miss);
        // The kernel looks for options when it has somebody to tell of.
        let broken = Ns { options: vec![1, 0, 2, 0, 0, 0, 0, 1], ..Ns::new(1, v6(3)) };
        not_answered(&mut node, &broken.bytes(), proxy);
        assert_eq!(node.worker.poll_miss(), miss.filter(|_| proxy == Proxy::KernelProxy));
    }
}

#[test]
fn a8b_what_is_here_answers_for_itself() {
    for proxy in PROXIES {
        let mut node = node(proxy);
        node.vtep.fdb().add(VNI, NEIGHBOR, Destination::Local).unwrap();
        node.refuses_frame(&question().bytes(), DropReason::ProxyConsumed);
        assert_eq!(node.worker.poll_miss(), None);
    }
}

#[test]
fn a8b_the_state_of_the_neighbour_decides() {
    use NeighborState::*;
    for proxy in PROXIES {
        for (state, answers, valid) in [
            (Permanent, true, true),
            (NoArp, true, true),
            (Reachable, true, true),
            (Stale, false, true),
            (Delay, false, true),
            (Probe, false, true),
            (Incomplete, false, false),
            (Failed, false, false),
        ] {
            let mut node = node(proxy);
            let new = NewNeighbor::new(NEIGHBOR).state(state, NOW);
            node.vtep.neighbors().replace(VNI, v6(2).into(), new).unwrap();
            if if proxy == Proxy::KernelProxy { answers } else { valid } {
                assert_eq!(answered(&mut node, &question().bytes()), answer());
            } else {
                not_answered(&mut node, &question().bytes(), proxy);
            }
            assert_eq!(node.worker.poll_miss(), None);
        }
    }
}

/// An answer has an option more than a question can: it grows into the headroom, or is refused.
#[test]
fn a_reply_can_be_longer_than_the_request() {
    for proxy in PROXIES {
        let short = Ns { options: vec![], ..question() }.bytes();
        assert_eq!(short.len() + 8, 86);
        let (output, reply) = node(proxy).send_behind(8, &short);
        assert_eq!((output, read(&reply)), (Output::Reply, answer()));
        let mut node = node(proxy);
        assert_eq!(node.send_behind(7, &short), (Output::Drop(DropReason::NoHeadroom), short));
        assert_eq!(node.worker.counters().replies, 0);
    }
}

/// More options than the answer has, and padding: nothing of them is left.
#[test]
fn a_reply_can_be_shorter_than_the_request() {
    for proxy in PROXIES {
        let mut long = question();
        long.options = [[14, 1, 1, 2, 3, 4, 5, 6]; 9].concat();
        let (output, reply) = node(proxy).send_behind(0, &long.bytes());
        assert_eq!((output, read(&reply)), (Output::Reply, answer()));
    }
}

/// Advertisements, and what only looks like a solicitation, cross.
#[test]
fn a7_2_other_messages_are_forwarded() {
    for proxy in PROXIES {
        let with = |at: usize, value: u8| {
            let mut frame = question().bytes();
            frame[at] = value;
            frame
        };
        floods(&mut node(proxy), &with(54, 136));
        floods(&mut node(proxy), &with(54, 128));
        floods(&mut node(proxy), &with(54, 133));
        floods(&mut node(proxy), &with(55, 1)); // code
        floods(&mut node(proxy), &with(20, 17)); // not ICMPv6
        let short = question().bytes();
        for len in [54, 62, 77] {
            floods(&mut node(proxy), &short[..len]);
        }
        // Behind an extension header.
        let mut extended = question().bytes();
        extended[20] = 60;
        extended.splice(54..54, [58, 0, 1, 4, 0, 0, 0, 0]);
        extended[19] += 8;
        floods(&mut node(proxy), &extended);
    }
}

/// Neighbours are the segment's; a VLAN in it may have others with the same addresses.
#[test]
fn a7_2_nobody_looks_behind_tags() {
    for proxy in [Proxy::KernelProxy, Proxy::NeighSuppress] {
        floods(&mut node(proxy), &tagged(5, &question().bytes()));
        floods(&mut node(proxy), &tagged(7, &tagged(5, &question().bytes())));
    }
}

// ------------------------------------------------------------------------------------------------ the kernel's

/// Not verified by the kernel: hop limit, checksum, source, whether the group is the target's.
#[test]
fn a8b_the_kernel_answers_invalid_questions() {
    let kernel = Proxy::KernelProxy;
    let forwarded = Ns { hop_limit: 64, ..question() };
    assert_eq!(answered(&mut node(kernel), &forwarded.bytes()), answer());
    let mut checksum = question().bytes();
    checksum[56] ^= 1;
    assert_eq!(answered(&mut node(kernel), &checksum), answer());
    let group = Ns { destination: solicited_node(v6(9)), ..question() };
    assert_eq!(answered(&mut node(kernel), &group.bytes()), answer());
    let unicast = Ns { destination: v6(2), link: NEIGHBOR, ..question() };
    assert_eq!(answered(&mut node(kernel), &unicast.bytes()), answer());
}

// ------------------------------------------------------------------------------------------------ the bridge's

const SUPPRESS: Proxy = Proxy::NeighSuppress;

/// RFC 4861, section 7.1.1: "A node MUST silently discard any received Neighbor Solicitation messages that do not
/// satisfy" … they are for their receivers to discard.
#[test]
fn suppress_answers_valid_questions_only() {
    for hop_limit in [0, 64, 254] {
        floods(&mut node(SUPPRESS), &Ns { hop_limit, ..question() }.bytes());
    }
    let mut checksum = question().bytes();
    checksum[56] ^= 1;
    floods(&mut node(SUPPRESS), &checksum);
    let unspecified = Ipv6Addr::UNSPECIFIED;
    // From nobody, but with an address; from nobody to all nodes.
    floods(&mut node(SUPPRESS), &Ns { source: unspecified, ..question() }.bytes());
    let probe = Ns { source: unspecified, destination: ALL_NODES, options: vec![], ..question() };
    floods(&mut node(SUPPRESS), &probe.bytes());
    // In the name of a group.
    floods(&mut node(SUPPRESS), &Ns { source: ALL_NODES, ..question() }.bytes());
    let options = NeighborOption::source_address(MacAddr::BROADCAST).to_vec();
    floods(&mut node(SUPPRESS), &Ns { options, ..question() }.bytes());
}

#[test]
fn suppress_lets_questions_to_one_host_pass() {
    let mut node = node(SUPPRESS);
    floods(&mut node, &Ns { destination: v6(2), link: NEIGHBOR, ..question() }.bytes());
    assert_eq!(node.worker.poll_miss(), None);
}

#[test]
fn suppress_lets_own_probes_pass() {
    let own = |source, options| Ns { source, options, source_mac: NEIGHBOR, ..question() };
    floods(&mut node(SUPPRESS), &own(Ipv6Addr::UNSPECIFIED, vec![]).bytes());
    floods(&mut node(SUPPRESS), &own(v6(1), NeighborOption::source_address(NEIGHBOR).to_vec()).bytes());
}

/// Linux's bridge floods this question; RFC 9161 has it answered.
#[test]
fn suppress_answers_for_whom_the_forwarding_database_does_not_know() {
    let mut node = node(SUPPRESS);
    assert!(node.vtep.fdb().get(NOW, VNI, NEIGHBOR).is_err());
    assert_eq!(answered(&mut node, &question().bytes()), answer());
}

/// It says that who is known is there, where he is known to be.
#[test]
fn rfc4861_s7_2_5_an_advertisement_without_a_mac_address_confirms_the_one_that_is_known() {
    let config = with(Config::new(), |c| (c.proxy, c.tables.snooping) = (SUPPRESS, Snooping::All));
    let mut node = Node::new(1, config).peers(&[2, 3]);
    let stale = NewNeighbor::new(mac(8)).state(NeighborState::Stale, NOW);
    node.vtep.neighbors().add(VNI, v6(8).into(), stale).unwrap();
    let message = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &v6(8).octets()].concat();
    let packet = ip(v6(8).into(), v6(7).into(), 58, 0, &icmpv6_checksum(v6(8), v6(7), message));
    floods(&mut node, &frame(mac(7), mac(8), 0x86dd, &packet));
    let known = node.vtep.neighbors().get(NOW, VNI, v6(8).into()).unwrap();
    assert_eq!((known.mac, known.state), (mac(8), NeighborState::Reachable));
}

#[test]
fn suppress_learns_neighbours_where_it_is_told_to() {
    for snooping in [Snooping::Off, Snooping::All] {
        let config = with(Config::new(), |c| (c.proxy, c.tables.snooping) = (SUPPRESS, snooping));
        let mut node = Node::new(1, config).peers(&[2, 3]);
        floods(&mut node, &Ns::new(7, v6(2)).bytes());
        let known = |node: &Node, host: Ipv6Addr| {
            node.vtep.neighbors().lookup(NOW, VNI, IpAddr::V6(host)).unwrap().map(|known| known.mac)
        };
        assert_eq!(known(&node, v6(7)), (snooping == Snooping::All).then_some(mac(7)));
        // An advertisement teaches its target.
        let message =
            [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &v6(8).octets(), &NeighborOption::target_address(mac(8))];
        let message = icmpv6_checksum(v6(8), ALL_NODES, message.concat());
        let packet = ip(v6(8).into(), ALL_NODES.into(), 58, 0, &message);
        floods(&mut node, &frame(MacAddr([0x33, 0x33, 0, 0, 0, 1]), mac(8), 0x86dd, &packet));
        assert_eq!(known(&node, v6(8)), (snooping == Snooping::All).then_some(mac(8)));
    }
}
