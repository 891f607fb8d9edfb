//! Whom a VTEP believes, and what: senders by their segment and their interface, places that several share, neighbours
//! out of tunnels, clocks.

use std::net::{IpAddr, Ipv6Addr};

use encap::{
    Packet,
    table::{
        Capacity, Destination, LearnFrom, Lookup, NeighborState, NewEntry, NewNeighbor, NextHop, Refusal,
        Remote, Snooping,
    },
    time::Instant,
    tunnel::{DecapMeta, Framing},
    vtep::{Config, DropReason, Output, OverlayMeta, Proxy, Vtep, Worker},
    wire::{MacAddr, Vni, ndp_option::NeighborOption, vxlan},
};

use crate::{
    common::*,
    frames::*,
    receive::{FRAME, both, node, outer, over_ipv6},
};

const OTHER: Vni = Vni::truncate(43);
const FE80: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

fn from(last: u8, node: &Node, frame: &[u8]) -> Vec<u8> {
    Outer { source: address(last), ..outer(node, frame) }.bytes()
}

fn receive_by(node: &mut Node, bytes: &[u8], ingress: u32) -> Output {
    let mut bytes = bytes.to_vec();
    let len = bytes.len();
    let mut packet = Packet::new(&mut bytes, 0, len).unwrap();
    node.vtep.handle_underlay(&mut node.worker, NOW, &DecapMeta::new().ingress(ingress), &mut packet)
}

/// What is sent to a remote with a VNI of its own is in that segment there: it stands for the hosts of the segment whose
/// unknown frames go to it, and for no other one's.
#[test]
fn a4_4_a_remote_with_a_vni_of_its_own_teaches_in_its_segment_alone() {
    for config in both() {
        for has_own in [true, false] {
            let mut node = Node::new(2, config);
            let (fdb, port) = (node.vtep.fdb(), node.vtep.config().dstport);
            fdb.add_vni(OTHER).unwrap();
            let with = |vni| node.vtep.add_remote(&Remote::new(address(1), port).vni(Vni::truncate(vni)));
            let (first, second) = (with(77).unwrap(), with(78).unwrap());
            fdb.append(VNI, MacAddr::ZERO, first).unwrap();
            // One of several places.
            fdb.append(VNI, MacAddr::ZERO, node.vtep.remote(address(9)).unwrap()).unwrap();
            if has_own {
                fdb.append(OTHER, MacAddr::ZERO, second).unwrap();
            }
            let said = frame(mac(2), mac(9), 0x88b5, &[]);
            for vni in [VNI, OTHER] {
                let bytes = outer(&node, &said).vni(vni).bytes();
                assert!(matches!(node.receive(NOW, &bytes).0, Output::Deliver { .. }));
            }
            let learned = |vni| match node.vtep.fdb().lookup(NOW, vni, mac(9)) {
                Lookup::Found(Destination::Remote(id)) => node.vtep.remotes().get(id),
                _ => None,
            };
            assert_eq!(learned(VNI).unwrap().vni, Some(Vni::truncate(77)));
            match learned(OTHER) {
                Some(remote) if has_own => assert_eq!(remote.vni, Some(Vni::truncate(78))),
                // By the segment's own number, where anybody teaches.
                Some(remote) => assert_eq!(remote.vni, None),
                None => assert!(!has_own && config.tables.learn_from == LearnFrom::Configured),
            }
        }
    }
}

/// As one of a list, so of a group; and as the only one.
#[test]
fn a4_4_a_remote_with_a_vni_of_its_own_teaches_as_a_groups_member() {
    for config in both() {
        for is_group in [true, false] {
            let mut node = Node::new(2, config);
            let remote = |last| Remote::new(address(last), config.dstport).vni(Vni::truncate(77));
            let [one, other] = [1, 3].map(|last| node.vtep.add_remote(&remote(last)).unwrap());
            let destination = match is_group {
                true => node.vtep.lists().add_group(&[one]).unwrap().into(),
                false => Destination::Remote(one),
            };
            node.vtep.fdb().add(VNI, MacAddr::ZERO, destination).unwrap();
            let found = |host, last, node: &mut Node| {
                node.delivers(&from(last, node, &frame(mac(2), mac(host), 0x88b5, &[])));
                node.vtep.fdb().lookup(NOW, VNI, mac(host))
            };
            assert_eq!(found(9, 1, &mut node), Lookup::Found(Destination::Remote(one)));
            assert_ne!(found(8, 3, &mut node), Lookup::Found(Destination::Remote(other)), "somewhere else");
        }
    }
}

/// What is sent to one with the segment's own VNI is in this segment, whatever else unknown frames go to.
#[test]
fn a4_4_a_remote_with_the_segments_vni_teaches_in_it() {
    for config in both() {
        let mut node = node(config);
        let remote = Remote::new(address(5), config.dstport).vni(VNI);
        let remote = node.vtep.add_remote(&remote).unwrap();
        node.delivers(&from(5, &node, &frame(mac(2), mac(9), 0x88b5, &[])));
        let found = node.vtep.fdb().lookup(NOW, VNI, mac(9));
        assert_eq!(found, Lookup::Found(Destination::Remote(remote)));
    }
}

/// Linux compares the interface, too: a static entry is at a link-local address on one of them.
#[test]
fn a4_3_c_a_static_entry_holds_against_the_same_address_on_another_interface() {
    for config in both() {
        let (mut node, packet) = over_ipv6(config);
        let port = node.vtep.config().dstport;
        let right = node.vtep.add_remote(&Remote::new(FE80.into(), port).egress(1)).unwrap();
        node.vtep.fdb().add(VNI, mac(7), NewEntry::to(right).as_static()).unwrap();
        let frame = frame(mac(2), mac(7), 0x88b5, &[]);
        let bytes = Outer { source: FE80.into(), frame, ..packet.clone() }.bytes();
        assert!(matches!(receive_by(&mut node, &bytes, 1), Output::Deliver { .. }));
        assert_eq!(receive_by(&mut node, &bytes, 2), Output::Drop(DropReason::SourceElsewhere));
    }
}

/// A host behind a next-hop group is in several places, one after the other: nobody sends in its name, whether he
/// teaches or not, and however often.
#[test]
fn a4_3_b_nobody_sends_for_a_host_behind_a_next_hop_group() {
    for config in both() {
        for entry in [|entry: NewEntry| entry.dynamic(NOW), NewEntry::extern_learn] {
            let mut node = node(config).peers(&[3]);
            let group = node.vtep.lists().add_group(&[node.vtep.remote(address(1)).unwrap()]).unwrap();
            node.vtep.fdb().add(VNI, mac(1), entry(NewEntry::to(group))).unwrap();
            for last in [1, 3, 77].into_iter().cycle().take(30) {
                let bytes = from(last, &node, &FRAME);
                assert_eq!(node.receive(NOW, &bytes).0, Output::Drop(DropReason::SourceElsewhere));
            }
        }
    }
}

/// Neighbours come from whom addresses are learned from: not from strangers where only configured remotes teach, nor by
/// packets that say not to be learned from.
#[test]
fn g1_strangers_move_no_neighbours() {
    let change = |config: &mut Config| {
        (config.tables.snooping, config.proxy) = (Snooping::All, Proxy::NeighSuppress);
        config.gbp = true;
    };
    let mut node = node(with(Config::new(), change));
    let known = NewNeighbor::new(mac(1)).state(NeighborState::Reachable, NOW);
    node.vtep.neighbors().add(VNI, [10, 1, 0, 1].into(), known).unwrap();
    let lies = [
        arp(MacAddr::BROADCAST, 1, (mac(66), [10, 1, 0, 1]), [10, 1, 0, 2]),
        arp(MacAddr::BROADCAST, 1, (mac(66), [10, 1, 0, 4]), [10, 1, 0, 2]),
        Ns::new(6, v6(2)).bytes(),
    ];
    let mac_of =
        |node: &Node| node.vtep.neighbors().lookup(NOW, VNI, [10, 1, 0, 1].into()).unwrap().unwrap().mac;
    for lie in &lies {
        node.delivers(&from(77, &node, lie));
        node.delivers(&outer(&node, lie).bits(0x8040_0000_0000_0000).bytes());
        assert_eq!((node.vtep.neighbors().count(), mac_of(&node)), (1, mac(1)));
    }
    for lie in &lies {
        node.delivers(&outer(&node, lie).bytes());
    }
    assert_eq!((node.vtep.neighbors().count(), mac_of(&node)), (3, mac(66)), "a remote that teaches");
}

/// Nor from nobody: by a socket of which nobody says who sends, or from a link-local address on no interface.
#[test]
fn g1_nobody_is_no_neighbours_sender() {
    let change = |config: &mut Config| config.tables.snooping = Snooping::All;
    let announces = arp(MacAddr::BROADCAST, 2, (mac(9), [10, 1, 0, 9]), [10, 1, 0, 9]);
    let counts = |node: &Node| (node.vtep.fdb().count_vni(VNI).1, node.vtep.neighbors().count());
    let socket = with(Config::linux(), |c| c.framing = Framing::Payload);
    let mut node = Node::new(2, with(socket, change));
    node.delivers(&[&vxlan::Header::new(VNI).to_bytes()[..], &announces].concat());
    assert_eq!(counts(&node), (0, 0));

    let (mut node, packet) = over_ipv6(with(Config::linux(), change));
    let before = counts(&node).0;
    let bytes = Outer { source: FE80.into(), frame: announces, ..packet }.bytes();
    for (ingress, learned) in [(0, 0), (1, 1)] {
        assert!(matches!(receive_by(&mut node, &bytes, ingress), Output::Deliver { .. }));
        assert_eq!(counts(&node), (before + learned, learned));
    }
}

/// No more neighbours come from one sender in a second than addresses do.
#[test]
fn g1_a_flood_of_arp_fills_no_table() {
    let change = |config: &mut Config| (config.tables.snooping, config.learn_rate) = (Snooping::All, 10);
    let mut node = node(with(Config::linux(), change));
    for host in 0..100 {
        let lie = arp(MacAddr::BROADCAST, 1, (mac(1), [10, 9, 0, host]), [10, 1, 0, 2]);
        node.delivers(&from(77, &node, &lie));
    }
    // One of ten was the MAC address.
    assert_eq!((node.vtep.neighbors().count(), node.worker.counters().unlearned), (9, 91));
    assert_eq!(node.vtep.neighbors().add(VNI, [10, 1, 0, 1].into(), mac(1)), Ok(()));
}

/// RFC 5227, section 2.1.1, and RFC 4862, section 5.4.2: who probes for an address says nothing of himself, and takes
/// nothing from those who do.
#[test]
fn g1_probes_are_no_discoveries() {
    let change = |config: &mut Config| (config.tables.snooping, config.learn_rate) = (Snooping::All, 3);
    let mut node = node(with(Config::new(), change));
    for host in 0..20 {
        let probe = arp(MacAddr::BROADCAST, 1, (mac(1), [0; 4]), [10, 1, 0, host]);
        let dad = Ns { source: Ipv6Addr::UNSPECIFIED, options: vec![], ..Ns::new(1, v6(host)) };
        for lie in [probe, dad.bytes()] {
            node.delivers(&outer(&node, &lie).bytes());
        }
    }
    assert_eq!((node.vtep.neighbors().count(), node.worker.counters().unlearned), (0, 0));
    node.delivers(&outer(&node, &arp(MacAddr::BROADCAST, 1, (mac(1), [10, 1, 0, 1]), [10, 1, 0, 2])).bytes());
    assert_eq!(node.vtep.neighbors().count(), 1);
}

/// Two hosts say that they have one address: it flaps no more than a MAC address may, by ARP as by Neighbor Discovery.
#[test]
fn g1_a_neighbour_moves_so_often_and_no_more() {
    let solicits = |host| Ns { source: v6(50), ..Ns::new(host, v6(9)) }.bytes();
    let advertises = |host| {
        let option = NeighborOption::target_address(mac(host));
        let message = [&[136, 0, 0, 0, 0x20, 0, 0, 0][..], &v6(50).octets(), &option].concat();
        let message = icmpv6_checksum(v6(50), v6(9), message);
        frame(mac(100), mac(host), 0x86dd, &ip(v6(50).into(), v6(9).into(), 58, 0, &message))
    };
    for (over_ipv6, discovery) in [(false, None), (true, Some(false)), (true, Some(true))] {
        let mut node = node(with(Config::new(), |c| c.tables.snooping = Snooping::All)).peers(&[3]);
        let address = if over_ipv6 { v6(50).into() } else { IpAddr::from([10, 1, 0, 50]) };
        let mut places = Vec::new();
        for (last, host) in [(1, 0xa1), (3, 0xa3)].into_iter().cycle().take(100) {
            let said = match discovery {
                Some(true) => advertises(host),
                Some(false) => solicits(host),
                None => arp(MacAddr::BROADCAST, 2, (mac(host), [10, 1, 0, 50]), [10, 1, 0, 50]),
            };
            node.delivers(&from(last, &node, &said));
            places.push(node.vtep.neighbors().lookup(NOW, VNI, address).unwrap().unwrap().mac);
        }
        places.dedup();
        assert_eq!(places.len(), 1 + 5, "where it was seen first, and five moves");
        assert_eq!(node.worker.counters().unlearned, 47);
    }
}

/// A packet of our own that would go into a tunnel again, to a remote whose address is link-local.
#[test]
fn e_own_packets_to_link_local_remotes_are_loops() {
    let local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    let mut node = Node::new(2, Config::linux().local(local.into()));
    let port = node.vtep.config().dstport;
    let remote = node.vtep.add_remote(&Remote::new(FE80.into(), port).egress(1)).unwrap();
    node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
    let (source, destination): (IpAddr, IpAddr) = (local.into(), FE80.into());
    let inner = Outer { source, destination, checksum: true, ..Outer::new(port, &FRAME) }.bytes();
    let frame = frame(mac(9), mac(1), 0x86dd, &inner);
    assert_eq!(node.send(NOW, &frame).0, Output::Drop(DropReason::Loop));
}

/// Reports go on at their rate when the clock is set back.
#[test]
fn e_a_clock_that_was_set_back_stops_no_reports() {
    let mut node = node(Config::new());
    let big = sized(mac(9), mac(1), 1_600, true);
    assert_eq!(node.send(Instant::from_secs(5_000), &big).0, Output::Reply);
    let told =
        (0..200).filter(|&s| node.send(Instant::from_secs(1_000 + s), &big).0 == Output::Reply).count();
    assert_eq!(told, 200);
}

/// Who routes into a segment needs a MAC address there.
#[test]
fn rfc7348_what_is_routed_comes_from_somebody() {
    let capacity = Capacity { neighbors: 8, routes: 8, ..Capacity::fdb(8) };
    for has_address in [false, true] {
        let mut config = Config::new().local(address(1));
        config.address = if has_address { mac(200) } else { MacAddr::ZERO };
        let vtep = Vtep::with_capacity(config, capacity, [3, 4]).unwrap();
        let gateway: IpAddr = [10, 244, 2, 0].into();
        vtep.neighbors().add(VNI, gateway, mac(2)).unwrap();
        vtep.fdb().add(VNI, mac(2), vtep.remote(address(2)).unwrap()).unwrap();
        let via = NextHop::Gateway { vni: VNI, address: gateway };
        vtep.routes().add("10.244.2.0/24".parse().unwrap(), via).unwrap();
        let mut ip = datagram(mac(2), mac(1), 30)[14..].to_vec();
        ip[16..20].copy_from_slice(&[10, 244, 2, 7]);
        let ip = fix_ipv4(ip);
        let mut buffer = [&[0xee; ROOM][..], &ip].concat();
        let mut packet = Packet::new(&mut buffer, ROOM, ip.len()).unwrap();
        let output = vtep.handle_ip(&mut Worker::new(1), NOW, &OverlayMeta::default(), &mut packet);
        if has_address {
            assert!(matches!(output, Output::Send { .. }), "{output:?}");
        } else {
            assert_eq!((output, packet.as_slice()), (Output::Drop(DropReason::InvalidSource), &ip[..]));
        }
    }
}

/// Nothing is left unlearned without a word: each reason is counted.
#[test]
fn what_is_not_learned_is_counted_with_its_reason() {
    for (place, &reason) in Refusal::ALL.iter().enumerate() {
        assert_eq!(place, reason as usize, "in order, and all of them");
    }
    let of = |node: &Node| node.worker.counters().refusals().collect::<Vec<_>>();
    let learn = |node: &mut Node, last: u8, host: u8, now: Instant| {
        let bytes = from(last, node, &frame(mac(2), mac(host), 0x88b5, &[]));
        assert!(matches!(node.receive(now, &bytes).0, Output::Deliver { .. }));
    };
    // A stranger, a remote, and nobody knows who.
    let mut strange = node(Config::new());
    learn(&mut strange, 77, 1, NOW);
    assert_eq!(of(&strange), [(Refusal::UnconfiguredRemote, 1)]);
    learn(&mut strange, 1, 1, NOW);
    assert_eq!(of(&strange), [(Refusal::UnconfiguredRemote, 1)]);
    // Who says that he teaches nothing was not refused.
    let mut silent = node(with(Config::new(), |config| config.gbp = true));
    for last in [1, 77] {
        let said = Outer { source: address(last), ..outer(&silent, &FRAME) }.bits(0x8040_0000_0000_0000);
        silent.delivers(&said.bytes());
    }
    assert_eq!((of(&silent), silent.vtep.fdb().count_vni(VNI).1), (vec![], 0));
    // Time has begun, and nobody sweeps.
    learn(&mut strange, 1, 2, Instant::from_secs(100_000));
    assert_eq!(strange.worker.counters().refused(Refusal::SweepPending), 1);
    let mut full = node(with(Config::new(), |config| config.tables.vni_limit = 2));
    (1..=5).for_each(|host| learn(&mut full, 1, host, NOW));
    assert_eq!(of(&full).len(), 1);
    let mut sum = *full.worker.counters();
    sum += *strange.worker.counters();
    assert_eq!(sum.refusals().map(|(_, count)| count).sum::<u64>(), 2 + of(&full)[0].1);
    assert_eq!(format!("{:?}", strange.worker.counters()).matches("UnconfiguredRemote: 1").count(), 1);
}
