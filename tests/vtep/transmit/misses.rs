//! Misses and counters.

use std::{collections::BTreeSet, net::IpAddr};

use encap::{
    Packet,
    table::{NewEntry, Remote},
    vtep::{Config, DropReason, Miss, Output, OverlayMeta, Worker},
    wire::MacAddr,
};

use crate::{common::*, frames::*};

use super::{GROUP, both, misses};

#[test]
fn a6_a_miss_is_told_where_there_is_no_entry_and_no_default_and_once() {
    for config in both() {
        let mut quiet = Node::new(1, with(config, |c| c.l2miss = false));
        quiet.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoDestination);
        assert_eq!(misses(&mut quiet), [], "l2miss is off");
        let mut node = Node::new(1, with(config, |c| c.l2miss = true));
        for destination in [mac(9), mac(9), MacAddr::BROADCAST, GROUP, MacAddr::ZERO, mac(8), mac(9)] {
            node.refuses_frame(&datagram(destination, mac(1), 10), DropReason::NoDestination);
        }
        let miss = |host| Miss::L2 { vni: VNI, mac: mac(host) };
        assert_eq!(misses(&mut node), [miss(9), miss(8)]);
        // Once it was told, it is told anew.
        node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoDestination);
        assert_eq!(misses(&mut node), [miss(9)]);
        let mut node = node.peers(&[2]);
        node.sends(&datagram(mac(9), mac(1), 10), 2);
        assert_eq!(misses(&mut node), []);
    }
}

#[test]
fn e_a_storm_of_misses_is_bounded_and_what_is_lost_is_counted() {
    let miss = |host| Miss::L2 { vni: VNI, mac: mac(host) };
    for room in [0, 1, 5, 64] {
        let mut memory = vec![Some(miss(99)); room];
        let vtep = Node::new(1, Config::new()).vtep;
        let mut worker = Worker::new(1).with_misses(&mut memory);
        for round in 0..3u8 {
            // Each host twice: what waits already is not lost.
            for host in (0..100).chain(0..room as u8) {
                let mut frame = datagram(mac(host), mac(1), 10);
                let mut packet = Packet::new(&mut frame, 0, 52).unwrap();
                let output = vtep.handle_overlay(&mut worker, NOW, &OverlayMeta::new(VNI), &mut packet);
                assert_eq!(output, Output::Drop(DropReason::NoDestination));
            }
            let lost = worker.counters().misses_lost;
            assert_eq!(lost, (100 - room as u64) * (u64::from(round) + 1));
            let told: Vec<_> = std::iter::from_fn(|| worker.poll_miss()).collect();
            assert_eq!(told, (0..room as u8).map(miss).collect::<Vec<_>>(), "the first ones wait, in order");
        }
    }
}

#[test]
fn what_is_sent_is_counted() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let frames = [datagram(mac(9), mac(1), 10), datagram(mac(9), mac(1), 1_000)];
    frames.iter().for_each(|frame| drop(node.sends(frame, 2)));
    let counters = node.worker.counters();
    assert_eq!((counters.sent, counters.sent_bytes), (2, frames.iter().map(Vec::len).sum::<usize>() as u64));
    assert_eq!(counters.drops().count(), 0);
}

#[test]
fn counters_add_up_and_every_reason_has_its_own() {
    let mut sum = encap::vtep::Counters::ZERO;
    let mut node = Node::new(1, Config::new());
    node.refuses_frame(&[], DropReason::FrameTruncated);
    sum += *node.worker.counters();
    sum += *node.worker.counters();
    assert_eq!(sum.dropped(DropReason::FrameTruncated), 2);
    assert_eq!(sum.drops().collect::<Vec<_>>(), [(DropReason::FrameTruncated, 2)]);
    let names: BTreeSet<_> = DropReason::OWN
        .iter()
        .map(|reason| reason.name())
        .chain(encap::tunnel::DropReason::ALL.iter().map(|reason| reason.name()))
        .collect();
    // "inner-vlan" is a reason of both ways, and of each way its own.
    assert_eq!(names.len() + 1, DropReason::OWN.len() + encap::tunnel::DropReason::ALL.len());
}

/// A remote that cannot be reached from here is refused, and not left behind.
#[test]
fn remotes_without_a_way_are_not_kept() {
    for config in both() {
        let node = Node::new(1, config);
        let v6 = IpAddr::V6(v6(1));
        assert!(node.vtep.remote(v6).is_err());
        assert!(node.vtep.add_remote(&Remote::new(address(2), 0)).is_err());
        assert_eq!(node.vtep.remotes().count(), 0);
        // One that the tables were told of all the same gets nothing.
        let mut node = node;
        let id = node.vtep.remotes().add(&Remote::new(v6, 4_789)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), NewEntry::to(id)).unwrap();
        node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoRemote);
    }
}

#[test]
fn a_burst_is_handled_as_one_by_one() {
    let frames = [datagram(mac(9), mac(1), 10), datagram(mac(8), mac(1), 20), vec![1, 2, 3]];
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let single: Vec<_> = frames.iter().map(|frame| node.send(NOW, frame)).collect();
    let mut buffers: Vec<_> = frames.iter().map(|frame| [&[0xee; ROOM][..], frame].concat()).collect();
    let mut burst = burst(&mut buffers);
    let metas = [OverlayMeta::new(VNI); 3];
    let mut outputs = [Output::Pass; 5];
    let mut worker = Worker::new(1);
    let done = node.vtep.handle_overlay_batch(&mut worker, NOW, &metas, &mut burst, &mut outputs);
    assert_eq!(done, 3);
    for ((output, bytes), (got, packet)) in single.iter().zip(outputs.iter().zip(&burst)) {
        assert_eq!((output, &bytes[..]), (got, packet.as_slice()));
    }
    assert_eq!(outputs[3..], [Output::Pass; 2]);
    assert_eq!(worker.counters(), node.worker.counters());
}
