//! Who is learned from and who is not: the kernel's ways, and ours.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use encap::{
    Packet,
    table::{Capacity, Destination, Lookup, NewEntry, Refusal, Remote, Snooping, State},
    tunnel::DecapMeta,
    vtep::{Accept, Config, DropReason, Output, Vtep, Worker},
    wire::{MacAddr, Vni},
};

use crate::{
    common::*,
    frames::*,
    receive::{FRAME, both, node, outer, over_ipv6, where_is},
};

#[test]
fn a3_11_what_is_good_is_learned() {
    for (config, anybody) in both().into_iter().zip([false, true]) {
        let mut node = node(config);
        let packet = outer(&node, &FRAME);
        node.delivers(&packet.bytes());
        assert_eq!(where_is(&node, mac(1)), Some(address(1)));
        let entry = node.vtep.fdb().get(NOW, VNI, mac(1)).unwrap();
        assert_eq!(entry.state, State::Learned);
        // From a stranger only with Linux; and the remote has our port, not the packet's.
        node.delivers(
            &Outer { source: address(77), ..outer(&node, &frame(mac(2), mac(3), 0x88b5, &[])) }.bytes(),
        );
        assert_eq!(where_is(&node, mac(3)), anybody.then_some(address(77)));
        let port = node.vtep.config().dstport;
        assert_eq!(node.vtep.remotes().find(&Remote::new(address(77), port)).is_some(), anybody);
    }
}

#[test]
fn a4_nolearning_learns_nothing_and_takes_all() {
    for config in both() {
        let mut node = node(with(config, |c| c.learning = false));
        node.vtep.fdb().add(VNI, mac(9), NewEntry::to(Destination::Local).as_static()).unwrap();
        for source in [mac(1), mac(9)] {
            node.delivers(&outer(&node, &frame(mac(2), source, 0x88b5, &[])).bytes());
        }
        assert_eq!(where_is(&node, mac(1)), None);
        assert_eq!(node.vtep.fdb().count(), 2);
    }
}

#[test]
fn a4_a_learned_mac_roams_and_a_strangers_word_moves_nothing_by_default() {
    for (config, anybody) in both().into_iter().zip([false, true]) {
        let mut node = node(config).peers(&[3]);
        let from = |last, node: &Node| Outer { source: address(last), ..outer(node, &FRAME) }.bytes();
        for last in [1, 3, 1] {
            node.delivers(&from(last, &node));
            assert_eq!(where_is(&node, mac(1)), Some(address(last)));
        }
        node.delivers(&from(77, &node));
        assert_eq!(where_is(&node, mac(1)), Some(address(if anybody { 77 } else { 1 })));
    }
}

/// The address counts, not the port that frames to it go to.
#[test]
fn a4_3c_a_remote_with_a_port_of_its_own_is_the_same_host() {
    for config in both() {
        let mut node = node(config);
        let remote = node.vtep.add_remote(&Remote::new(address(5), 9_999)).unwrap();
        node.vtep.fdb().add(VNI, mac(1), NewEntry::to(remote).as_static()).unwrap();
        node.delivers(&Outer { source: address(5), ..outer(&node, &FRAME) }.bytes());
        let found = node.vtep.fdb().lookup(NOW, VNI, mac(1));
        assert_eq!(found, Lookup::Found(Destination::Remote(remote)), "nothing changed");
    }
}

/// Anti-spoofing: a static entry elsewhere, also for senders that nothing is learned from.
#[test]
fn a4_3d_static_entries_are_not_moved_and_the_frame_is_dropped() {
    for config in both() {
        for new in [NewEntry::as_static, |entry| entry, NewEntry::sticky] {
            let mut node = node(config).peers(&[3]);
            let right = node.vtep.remote(address(3)).unwrap();
            node.vtep.fdb().add(VNI, mac(1), new(NewEntry::to(right))).unwrap();
            for wrong in [1, 77] {
                let packet = Outer { source: address(wrong), ..outer(&node, &FRAME) }.bytes();
                node.refuses(&packet, DropReason::SourceElsewhere);
            }
            node.delivers(&Outer { source: address(3), ..outer(&node, &FRAME) }.bytes());
            assert_eq!(where_is(&node, mac(1)), Some(address(3)));
        }
    }
}

#[test]
fn a4_3d_what_is_here_does_not_come_out_of_a_tunnel() {
    for config in both() {
        for destination in [Destination::Local, Destination::Blackhole] {
            let mut node = node(config);
            node.vtep.fdb().add(VNI, mac(1), NewEntry::to(destination).as_static()).unwrap();
            for source in [1, 77] {
                let packet = Outer { source: address(source), ..outer(&node, &FRAME) }.bytes();
                node.refuses(&packet, DropReason::SourceElsewhere);
            }
        }
        // A next-hop group: dropped from any source.
        let mut node = node(config);
        let group = node.vtep.lists().add_group(&[node.vtep.remote(address(1)).unwrap()]).unwrap();
        node.vtep.fdb().add(VNI, mac(1), group).unwrap();
        node.refuses(&outer(&node, &FRAME).bytes(), DropReason::SourceElsewhere);
    }
}

#[test]
fn a4_4_a_full_table_does_not_drop_the_packet() {
    for mut config in both() {
        config.tables.learned_limit = 1;
        let mut node = node(config);
        for host in 1..=3 {
            node.delivers(&outer(&node, &frame(mac(2), mac(host), 0x88b5, &[])).bytes());
        }
        assert_eq!(node.vtep.fdb().count_vni(VNI).1, 1);
    }
}

/// Frames come from remotes whose port and interface are their own, too (the source port says nothing).
#[test]
fn a4_4_who_has_a_port_of_his_own_is_learned_from() {
    for config in both() {
        let mut node = node(config);
        let remote = Remote::new(address(5), 9_999).egress(3);
        let remote = node.vtep.add_remote(&remote).unwrap();
        let other = frame(mac(2), mac(7), 0x88b5, &[]);
        node.delivers(&Outer { source: address(5), ..outer(&node, &other) }.bytes());
        let found = node.vtep.fdb().lookup(NOW, VNI, mac(7));
        assert_eq!(found, Lookup::Found(Destination::Remote(remote)), "so that answers go there");
        // Where he has the usual port as well, that is the way.
        let usual = node.vtep.remote(address(5)).unwrap();
        let other = frame(mac(2), mac(8), 0x88b5, &[]);
        node.delivers(&Outer { source: address(5), ..outer(&node, &other) }.bytes());
        assert_eq!(node.vtep.fdb().lookup(NOW, VNI, mac(8)), Lookup::Found(Destination::Remote(usual)));
    }
}

/// A link-local address without its interface names nobody.
#[test]
fn a4_2_link_local_senders_are_delivered_and_not_learned() {
    for config in both() {
        let (mut node, packet) = over_ipv6(config);
        let remotes = node.vtep.remotes().count();
        let fe80 = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
        let other = frame(mac(2), mac(3), 0x88b5, &[]);
        let packet = Outer { source: fe80.into(), frame: other.clone(), ..packet };
        assert_eq!(node.delivers(&packet.bytes()), other);
        assert_eq!((where_is(&node, mac(3)), node.vtep.remotes().count()), (None, remotes));
    }
}

/// With its interface it names somebody, who may be another one than by another interface.
#[test]
fn a4_2_link_local_senders_are_learned_by_their_interface() {
    let fe80 = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let (mut node, packet) = over_ipv6(Config::linux());
    let mut receive = |host: u8, ingress: u32| {
        let frame = frame(mac(2), mac(host), 0x88b5, &[]);
        let mut bytes = Outer { source: fe80.into(), frame, ..packet.clone() }.bytes();
        let len = bytes.len();
        let mut packet = Packet::new(&mut bytes, 0, len).unwrap();
        let meta = DecapMeta::new().ingress(ingress);
        let Output::Deliver { source, .. } =
            node.vtep.handle_underlay(&mut node.worker, NOW, &meta, &mut packet)
        else {
            panic!()
        };
        source.and_then(|source| node.vtep.remotes().get(source)).map(|remote| remote.egress)
    };
    assert_eq!(
        (receive(3, 7), receive(4, 8), receive(3, 8), receive(5, 0)),
        (Some(7), Some(8), Some(8), None)
    );
}

/// ARP and Neighbor Discovery that come out of tunnels say where hosts are, where that is wanted.
#[test]
fn neighbours_are_learned_from_what_comes_out_of_tunnels() {
    let asks = arp(MacAddr::BROADCAST, 1, (mac(1), [10, 1, 0, 1]), [10, 1, 0, 2]);
    let solicits = Ns::new(3, v6(2)).bytes();
    for (snooping, expected) in [(Snooping::Off, 0), (Snooping::Known, 0), (Snooping::All, 2)] {
        for config in both() {
            let mut node = node(with(config, |c| c.tables.snooping = snooping));
            node.delivers(&outer(&node, &asks).bytes());
            node.delivers(&outer(&node, &solicits).bytes());
            assert_eq!(node.vtep.neighbors().count(), expected);
            if snooping == Snooping::All {
                let neighbors = node.vtep.neighbors();
                assert_eq!(neighbors.get(NOW, VNI, IpAddr::from([10, 1, 0, 1])).unwrap().mac, mac(1));
                assert_eq!(neighbors.get(NOW, VNI, v6(3).into()).unwrap().mac, mac(3));
            }
        }
    }
    // Not of a VLAN in the segment, which may have the same addresses.
    let mut node = node(with(Config::linux(), |c| c.tables.snooping = Snooping::All));
    node.delivers(&outer(&node, &tagged(5, &asks)).bytes());
    assert_eq!(node.vtep.neighbors().count(), 0);
    // Not from a frame that was refused.
    let mut node = self::node(with(Config::new(), |c| c.tables.snooping = Snooping::All));
    node.vtep.fdb().add(VNI, mac(1), Destination::Blackhole).unwrap();
    node.refuses(&outer(&node, &asks).bytes(), DropReason::SourceElsewhere);
    assert_eq!(node.vtep.neighbors().count(), 0);
}

/// A node has room for 64: those are known, and the others counted.
#[test]
fn neighbours_that_there_is_no_room_for_are_counted() {
    let mut node = node(with(Config::new(), |c| c.tables.snooping = Snooping::All));
    for host in 1..=70 {
        let asks = arp(MacAddr::BROADCAST, 1, (mac(host), [10, 1, 0, host]), [10, 1, 0, 99]);
        node.delivers(&outer(&node, &asks).bytes());
    }
    let solicits = Ns::new(99, v6(2)).bytes();
    node.delivers(&outer(&node, &solicits).bytes());
    assert_eq!((node.vtep.neighbors().count(), node.worker.counters().neighbors_lost), (64, 7));
}

/// A list of those who may send: nothing else proves who did.
#[test]
fn g_1_strangers_are_not_listened_to_where_only_remotes_are() {
    for config in both() {
        let mut node = node(with(config, |c| c.accept = Accept::Configured));
        let stranger = Outer { source: address(77), ..outer(&node, &FRAME) };
        node.refuses(&stranger.bytes(), DropReason::UnknownSender);
        node.delivers(&outer(&node, &FRAME).bytes());
        // Who was only learned of is no better known.
        node.vtep.remotes().find_or_learn(&Remote::new(address(77), 4789)).unwrap();
        node.refuses(&stranger.bytes(), DropReason::UnknownSender);
        let known = node.vtep.add_remote(&Remote::new(address(77), 1)).unwrap();
        node.delivers(&stranger.bytes());
        assert_eq!(node.vtep.fdb().lookup(NOW, VNI, mac(1)), Lookup::Found(Destination::Remote(known)));
        // For whatever segment somebody configured him.
        let other = Remote::new(address(78), config.dstport).vni(Vni::truncate(77));
        let stranger = Outer { source: address(78), ..outer(&node, &FRAME) }.bytes();
        node.refuses(&stranger, DropReason::UnknownSender);
        node.vtep.add_remote(&other).unwrap();
        node.delivers(&stranger);
    }
}

/// A frame of this host, from this VTEP.
fn of(node: &Node, host: u8, vtep: u8) -> Vec<u8> {
    let frame = frame(mac(2), mac(host), 0x88b5, &[]);
    Outer { source: address(vtep), ..outer(node, &frame) }.bytes()
}

/// Whoever floods us with addresses fills no table with them; others are learned from as ever, and all frames arrive.
#[test]
fn g_1_new_addresses_are_learned_so_fast_and_no_faster() {
    let mut node = node(with(Config::new(), |c| c.learn_rate = 10)).peers(&[3]);
    for host in 0..30 {
        node.delivers(&of(&node, host, 1));
    }
    let learned = |node: &Node| node.vtep.fdb().count_vni(VNI).1;
    assert_eq!((learned(&node), node.worker.counters().unlearned), (10, 20));
    // What is known costs nothing.
    for host in 0..10 {
        node.delivers(&of(&node, host, 1));
    }
    node.delivers(&of(&node, 99, 3));
    assert_eq!((learned(&node), node.worker.counters().unlearned), (11, 20));
    // A tenth of a second brings one more.
    let later = NOW.saturating_add(Duration::from_millis(100));
    for host in 20..23 {
        let packet = of(&node, host, 1);
        assert!(matches!(node.receive(later, &packet).0, Output::Deliver { source: Some(_), .. }));
    }
    assert_eq!((learned(&node), node.worker.counters().unlearned), (12, 22));
}

#[test]
fn g_1_an_address_moves_so_often_and_no_more() {
    let defaults = Config::new();
    assert_eq!(defaults.move_rate, 5);
    for vteps in [[1, 3], [3, 1]] {
        let mut node = node(defaults).peers(&[3]);
        for _ in 0..50 {
            for vtep in vteps {
                node.delivers(&of(&node, 1, vtep));
            }
        }
        // It came to be where it was seen first, and went to and fro five times.
        assert_eq!(where_is(&node, mac(1)), Some(address(vteps[1])));
        assert_eq!(node.worker.counters().unlearned, 47, "frames from where it is not");
        // Others move.
        for vtep in vteps {
            node.delivers(&of(&node, 9, vtep));
            assert_eq!(where_is(&node, mac(9)), Some(address(vtep)));
        }
        // So does this one, later.
        let packet = of(&node, 1, vteps[0]);
        assert!(matches!(
            node.receive(NOW.saturating_add(Duration::from_millis(200)), &packet).0,
            Output::Deliver { .. }
        ));
        assert_eq!(where_is(&node, mac(1)), Some(address(vteps[0])));
    }
}

/// In the kernel a MAC that flaps between two VTEPs moves on every frame, and nothing limits who fills the table.
#[test]
fn a4_linux_has_no_limits() {
    let mut node = node(Config::linux()).peers(&[3]);
    for _ in 0..50 {
        for vtep in [1, 3] {
            node.delivers(&of(&node, 1, vtep));
            assert_eq!(where_is(&node, mac(1)), Some(address(vtep)));
        }
    }
    for host in 0..200 {
        node.delivers(&of(&node, host, 77));
    }
    assert_eq!((node.vtep.fdb().count_vni(VNI).1, node.worker.counters().unlearned), (200, 0));
}

/// What counts is what a frame says, not the frame; and what is refused, be the frame dropped for it.
#[test]
fn g_1_an_address_and_a_neighbour_count_one_each() {
    let config = with(Config::new(), |c| (c.learn_rate, c.tables.snooping) = (1, Snooping::All));
    let mut node = node(config).peers(&[3]);
    for (host, unlearned) in [(5, 1), (6, 3), (7, 5)] {
        let said = arp(MacAddr::BROADCAST, 1, (mac(host), [10, 1, 0, host]), [10, 1, 0, 99]);
        node.delivers(&outer(&node, &said).bytes());
        assert_eq!(node.worker.counters().unlearned, unlearned);
    }
    let there = node.vtep.remote(address(3)).unwrap();
    node.vtep.fdb().add(VNI, mac(9), NewEntry::to(there).as_static()).unwrap();
    let stranger = Outer { source: address(77), ..outer(&node, &frame(mac(2), mac(9), 0x88b5, &[])) };
    node.refuses(&stranger.bytes(), DropReason::SourceElsewhere);
    assert_eq!(node.worker.counters().refused(Refusal::UnconfiguredRemote), 1);
}

/// Of VTEPs that nobody configured, too, as long as there is room for them.
#[test]
fn a4_linux_learns_from_any_number_of_vteps() {
    let capacity = Capacity { remotes: 200, ..Capacity::fdb(512) };
    let vtep = Vtep::with_capacity(Config::linux().local(address(254)), capacity, [7, 2]).unwrap();
    vtep.fdb().add_vni(VNI).unwrap();
    let mut node = Node { vtep, worker: Worker::new(1) };
    for last in 1..=250 {
        let frame = frame(mac(255), mac(last), 0x88b5, &[]);
        let packet = Outer { source: address(last), destination: address(254), ..outer(&node, &frame) };
        node.delivers(&packet.bytes());
        assert_eq!(where_is(&node, mac(last)), (last <= 200).then(|| address(last)));
    }
}

/// Nothing but the table changes: who may not speak for a host may not, however often he tries, and a stranger is not
/// remembered by what is not learned.
#[test]
fn g_1_what_is_not_learned_is_checked_all_the_same() {
    for config in both() {
        let mut node = node(with(config, |c| (c.learn_rate, c.move_rate) = (1, 0))).peers(&[3]);
        let right = node.vtep.remote(address(3)).unwrap();
        node.vtep.fdb().add(VNI, mac(5), NewEntry::to(right).as_static()).unwrap();
        for _ in 0..20 {
            node.refuses(&of(&node, 5, 1), DropReason::SourceElsewhere);
        }
        (0..20).for_each(|_| drop(node.delivers(&of(&node, 5, 3))));
        assert_eq!(node.worker.counters().unlearned, 0, "no rate's doing");
        let remotes = node.vtep.remotes().count();
        let strangers = node.vtep.config().tables.learn_from == encap::table::LearnFrom::Any;
        for host in 10..20 {
            node.delivers(&of(&node, host, 77));
        }
        assert_eq!(node.vtep.remotes().count() - remotes, usize::from(strangers));
        assert_eq!(node.vtep.fdb().count_vni(VNI).1, usize::from(strangers));
    }
}

/// What one address does costs the others nothing: a remote that takes over from another gets all its hosts at once.
#[test]
fn g_1_many_addresses_move_at_once() {
    let capacity = Capacity::fdb(4_096);
    let vtep = Vtep::with_capacity(Config::new().local(address(2)), capacity, [7, 2]).unwrap();
    vtep.fdb().add_vni(VNI).unwrap();
    let mut node = Node { vtep, worker: Worker::new(2) }.peers(&[1, 3]);
    let host = |number: u16| MacAddr([2, 0, 0, 7, (number >> 8) as u8, number as u8]);
    for vtep in [1, 3] {
        for number in 0..2_000 {
            let frame = frame(mac(2), host(number), 0x88b5, &[]);
            node.delivers(&Outer { source: address(vtep), ..outer(&node, &frame) }.bytes());
        }
    }
    let moved = (0..2_000).filter(|&number| where_is(&node, host(number)) == Some(address(3))).count();
    assert_eq!((moved, node.worker.counters().unlearned), (2_000, 0));
}

/// One that flaps is held back among all the others that move once.
#[test]
fn g_1_one_that_flaps_is_known_among_many() {
    let capacity = Capacity::fdb(4_096);
    let vtep = Vtep::with_capacity(Config::new().local(address(2)), capacity, [7, 2]).unwrap();
    vtep.fdb().add_vni(VNI).unwrap();
    let mut node = Node { vtep, worker: Worker::new(2) }.peers(&[1, 3]);
    let host = |number: u16| MacAddr([2, 0, 0, 7, (number >> 8) as u8, number as u8]);
    let mut hear = |number, vtep| {
        let frame = frame(mac(2), host(number), 0x88b5, &[]);
        node.delivers(&Outer { source: address(vtep), ..outer(&node, &frame) }.bytes());
        where_is(&node, host(number)) == Some(address(vtep))
    };
    assert!((0..2_000).all(|number| hear(number, 1)));
    let mut flaps = 0;
    for number in 1..2_000 {
        assert!(hear(number, 3), "moves once");
        flaps += usize::from(hear(0, if number % 2 == 0 { 1 } else { 3 }));
    }
    // Five moves; after that every other frame is from where it is.
    assert_eq!((flaps, node.worker.counters().unlearned), (1_002, 997));
}
