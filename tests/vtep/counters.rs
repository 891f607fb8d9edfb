//! What is counted by VNI, and when the next sweep is due.

use std::time::Duration;

use encap::{
    table::{Ageing, Capacity, Error, VniCounters},
    tunnel,
    vtep::{Config, DropReason, Output, OverlayMeta, Vtep, Worker},
    wire::{MacAddr, Vni},
};

use crate::{common::*, frames::*, stop::Stop};

fn node(last: u8, config: Config) -> Node {
    let capacity = Capacity { vni_counters: true, ..Capacity::fdb(256) };
    let vtep = Vtep::with_capacity(config.local(address(last)), capacity, [7, last.into()]).unwrap();
    vtep.fdb().add_vni(VNI).unwrap();
    let id = vtep.register().unwrap();
    let worker = Worker::new(last.into()).counting_as(&id);
    vtep.unregister(id);
    Node { vtep, worker }
}

fn counters(change: impl FnOnce(&mut VniCounters)) -> VniCounters {
    let mut counters = VniCounters::default();
    change(&mut counters);
    counters
}

#[test]
fn every_vni_has_counters_of_its_own() {
    let mut node = node(2, Config::new()).peers(&[1, 3]);
    let other = Vni::truncate(43);
    let frame = datagram(mac(9), mac(1), 10);
    let len = frame.len() as u64;
    // Two copies of a flood; a frame that goes nowhere; one that comes, one of our own MAC, one of another VNI.
    assert_eq!(node.packets(NOW, &frame).len(), 2);
    node.vtep.fdb().add(VNI, mac(8), encap::table::Destination::Blackhole).unwrap();
    node.refuses_frame(&datagram(mac(8), mac(1), 10), DropReason::Blackhole);
    node.delivers(&Outer::new(4789, &frame).bytes());
    node.refuses(&Outer::new(4789, &datagram(mac(2), MacAddr::ZERO, 1)).bytes(), DropReason::InvalidSource);
    node.refuses(&Outer::new(4789, &frame).vni(other).bytes(), DropReason::UnknownVni);
    let expected = counters(|c| {
        (c.sent, c.sent_bytes, c.send_drops) = (2, 2 * len, 1);
        (c.delivered, c.delivered_bytes, c.receive_drops) = (1, len, 1);
    });
    assert_eq!(node.vtep.vni_counters(VNI), expected);
    assert_eq!(node.vtep.vni_counters(other), VniCounters::default());
    // Before its VNI is known a packet is nobody's.
    let mut broken = Outer::new(4789, &frame).bytes();
    broken[28] = 0;
    node.refuses(&broken, tunnel::DropReason::VxlanNoVni);
    assert_eq!(node.vtep.vni_counters(VNI), expected);
}

/// Nothing is lost without a count: neither where the list is gone, nor where all of its remotes are.
#[test]
fn a_flooded_frame_whose_remotes_are_gone_before_its_copies_is_dropped_once() {
    for is_list in [true, false] {
        let mut node = node(1, Config::new()).peers(&[2, 3]);
        let (output, frame) = node.send(NOW, &datagram(MacAddr::BROADCAST, mac(1), 10));
        let Output::Replicate(flood) = output else { panic!("{output:?}") };
        assert_eq!(node.vtep.replicas(&mut node.worker, &flood, &frame).count(), 2);
        assert_eq!(node.drops(DropReason::NoRemote), 0, "each had its copy");
        if is_list {
            node.vtep.fdb().delete(NOW, VNI, MacAddr::ZERO).unwrap();
        } else {
            for last in [2, 3] {
                node.vtep.remotes().remove(node.vtep.remote(address(last)).unwrap()).unwrap();
            }
        }
        let mut copies = node.vtep.replicas(&mut node.worker, &flood, &frame);
        assert!(copies.next().is_none() && copies.next().is_none());
        assert_eq!((node.drops(DropReason::NoRemote), node.vtep.vni_counters(VNI).send_drops), (1, 1));
    }
}

/// What is wrong behind the VNI is the segment's, what is wrong before it nobody's.
#[test]
fn a3_4_what_decapsulation_refuses_counts_in_the_vni_that_was_read() {
    use tunnel::DropReason as Tunnel;
    let other = Vni::truncate(43);
    let mut node = node(2, with(Config::linux(), |c| c.inner_vlan = false));
    let frame = datagram(mac(9), mac(1), 10);
    let good = Outer::new(8_472, &frame);
    let mut expected = 0;
    for (packet, reason, counted) in [
        (good.clone().bits(1), Tunnel::VxlanReservedBits, 1),
        (Outer { ds_field: 3, ..good.clone() }, Tunnel::InnerEcn, 1),
        (Outer::new(8_472, &frame[..20]), Tunnel::InnerTruncated, 1),
        (Outer::new(8_472, &tagged(5, &frame)), Tunnel::InnerVlan, 1),
        (good.clone().vni(other).bits(1), Tunnel::VxlanReservedBits, 0),
        (Outer { vxlan: vec![0; 8], ..good.clone() }, Tunnel::VxlanNoVni, 0),
        (Outer { source: address(2), frame: frame[..20].to_vec(), ..good }, Tunnel::MartianSource, 0),
    ] {
        node.refuses(&packet.bytes(), reason);
        expected += counted;
        assert_eq!(node.vtep.vni_counters(VNI), counters(|c| c.receive_drops = expected), "{reason}");
    }
    assert_eq!(node.vtep.vni_counters(other), VniCounters::default());
}

/// What a trunk's frame says of its segment is its tag: one of no segment counts for none, be it for VNI 0.
#[test]
fn frames_of_unknown_vlans_count_in_no_vni() {
    let capacity = Capacity { vni_counters: true, vlans: 4_096, ..Capacity::fdb(64) };
    let vtep = Vtep::with_capacity(Config::new().local(address(2)), capacity, [7, 2]).unwrap();
    let zero = Vni::truncate(0);
    vtep.fdb().add_vni(zero).unwrap();
    let worker = Worker::new(2).counting_as(&vtep.register().unwrap());
    let mut node = Node { vtep, worker };
    let sent = node.send_with(NOW, &OverlayMeta::trunk(), &tagged(100, &datagram(mac(2), mac(1), 30)));
    assert_eq!(sent.0, Output::Drop(DropReason::UnknownVlan));
    assert_eq!(node.vtep.vni_counters(zero), VniCounters::default());
    assert_eq!(node.worker.counters().dropped(DropReason::UnknownVlan), 1);
}

/// A copy that is dropped is a drop of the segment whose frame it is.
#[test]
fn dropped_copies_count_in_their_vni() {
    let mut node = node(1, Config::new());
    for last in [2, 3, 4] {
        let remote = encap::table::Remote::new(address(last), 4_789).mtu(if last == 4 { 0 } else { 600 });
        let remote = node.vtep.add_remote(&remote).unwrap();
        node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
    }
    let frame = datagram(MacAddr::BROADCAST, mac(1), 1_000);
    assert_eq!(node.packets(NOW, &frame).len(), 1);
    let expected = counters(|c| (c.sent, c.sent_bytes, c.send_drops) = (1, frame.len() as u64, 2));
    assert_eq!((node.vtep.vni_counters(VNI), node.drops(DropReason::TooBig)), (expected, 2));
}

#[test]
fn workers_add_up_and_strangers_count_nothing() {
    let mut node = node(2, Config::new()).peers(&[1]);
    let frame = datagram(mac(9), mac(1), 10);
    node.packets(NOW, &frame);
    let first = core::mem::take(&mut node.worker);
    node.packets(NOW, &frame);
    assert_eq!(node.vtep.vni_counters(VNI).sent, 1, "a worker without a registration");
    let (_held, second) = (node.vtep.register().unwrap(), node.vtep.register().unwrap());
    node.worker = Worker::new(1).counting_as(&second);
    node.packets(NOW, &frame);
    node.packets(NOW, &frame);
    assert_eq!(node.vtep.vni_counters(VNI).sent, 3);
    node.worker = first;
    node.packets(NOW, &frame);
    assert_eq!(node.vtep.vni_counters(VNI).sent, 4);
}

#[test]
fn counters_print_the_drops_that_there_were() {
    let mut node = node(2, Config::new());
    node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoDestination);
    let mut broken = Outer::new(4789, &datagram(mac(9), mac(1), 10)).bytes();
    broken[28] = 0;
    node.refuses(&broken, tunnel::DropReason::VxlanNoVni);
    let text = format!("{:?}", node.worker.counters());
    assert!(text.ends_with("drops: {NoDestination: 1, Decap(VxlanNoVni): 1} }"), "{text}");
}

#[test]
fn there_is_a_list_of_all_reasons_to_drop() {
    let decap = tunnel::DropReason::ALL.iter().copied().map(DropReason::Decap);
    let all: Vec<_> = DropReason::OWN.iter().copied().chain(decap).collect();
    assert_eq!(DropReason::ALL, all);
    let error: &dyn std::error::Error = &DropReason::NoRoute;
    assert_eq!(error.to_string(), "no-route");
}

/// A VNI that takes another one's place begins at nothing.
#[test]
fn counters_go_with_their_vni() {
    let mut node = node(2, Config::new()).peers(&[1]);
    let id = node.vtep.register().unwrap();
    node.worker = Worker::new(1).counting_as(&id);
    node.packets(NOW, &datagram(mac(9), mac(1), 10));
    node.vtep.fdb().remove_vni(VNI).unwrap();
    assert_eq!(node.vtep.vni_counters(VNI), VniCounters::default());
    node.vtep.quiesce(&id);
    for _ in 0..3 {
        assert!(node.vtep.handle_timeout(NOW, usize::MAX, |_| {}).complete);
    }
    for vni in 100..116 {
        node.vtep.fdb().add_vni(Vni::truncate(vni)).unwrap();
        assert_eq!(node.vtep.vni_counters(Vni::truncate(vni)), VniCounters::default());
    }
}

/// Also where its number is the same again.
#[test]
fn a_vni_that_comes_back_begins_at_nothing() {
    let mut node = node(2, Config::new()).peers(&[1]);
    let id = node.vtep.register().unwrap();
    node.worker = Worker::new(1).counting_as(&id);
    for round in 0..40 {
        assert_eq!(node.vtep.vni_counters(VNI), VniCounters::default(), "round {round}");
        node.packets(NOW, &datagram(mac(9), mac(1), 10));
        assert_ne!(node.vtep.vni_counters(VNI), VniCounters::default());
        node.vtep.fdb().remove_vni(VNI).unwrap();
        for _ in 0..2 {
            node.vtep.quiesce(&id);
            assert!(node.vtep.handle_timeout(NOW, usize::MAX, |_| {}).complete);
        }
        node.vtep.fdb().add_vni(VNI).unwrap();
    }
}

/// A worker that is registered and never quiesces uses all room up; then it is told what is missing.
#[test]
fn room_comes_when_registered_workers_quiesce() {
    let node = node(1, Config::new());
    let limit = node.vtep.tables().capacity().remotes;
    let id = node.vtep.register().unwrap();
    let come_and_go = |from: u32| {
        (from..from + limit).try_for_each(|number| {
            let [_, _, c, d] = number.to_be_bytes();
            let remote = node.vtep.remote([10, 9, c, d].into())?;
            node.vtep.remotes().remove(remote)
        })
    };
    assert_eq!(come_and_go(0), Ok(()));
    let sweep = || while !node.vtep.handle_timeout(NOW, usize::MAX, |_| {}).complete {};
    (0..3).for_each(|_| sweep());
    assert_eq!(come_and_go(1_000), Err(Error::QuiescePending), "sweeps do not help");
    node.vtep.quiesce(&id);
    assert_eq!(come_and_go(1_000), Ok(()));
    assert_eq!(come_and_go(2_000), Err(Error::QuiescePending));
    node.vtep.unregister(id);
    assert_eq!(come_and_go(2_000), Ok(()));
}

/// Somebody who reads while a worker counts never sees a number that was not there.
#[test]
fn who_reads_meanwhile_reads_what_is_true() {
    let mut node = node(2, Config::new()).peers(&[1]);
    let (frame, stop) = (datagram(mac(9), mac(1), 10), std::sync::atomic::AtomicBool::new(false));
    let Node { vtep, worker } = &mut node;
    std::thread::scope(|scope| {
        let vtep = &*vtep;
        let stop = &stop;
        scope.spawn(move || {
            let mut last = VniCounters::default();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let now = vtep.vni_counters(VNI);
                assert!(now.sent >= last.sent && now.sent_bytes >= last.sent_bytes && now.sent <= 20_000);
                last = now;
            }
        });
        let _stop = Stop(stop);
        for _ in 0..20_000 {
            let mut buffer = [&[0; ROOM][..], &frame].concat();
            let mut packet = encap::Packet::new(&mut buffer, ROOM, frame.len()).unwrap();
            let meta = OverlayMeta::new(VNI);
            let output = vtep.handle_overlay(worker, NOW, &meta, &mut packet);
            assert!(matches!(output, Output::Send { .. }));
        }
    });
    assert_eq!(node.vtep.vni_counters(VNI).sent, 20_000);
}

#[test]
fn the_next_sweep_is_due_in_time() {
    let config = with(Config::new(), |c| {
        c.tables.ageing = Ageing::After(Duration::from_secs(80));
        c.tables.neighbor_ageing = Ageing::Never;
        c.tables.reachable = Duration::from_secs(1_000);
    });
    let node = node(1, config);
    assert_eq!(node.vtep.poll_timeout(NOW), NOW, "the first one");
    assert!(!node.vtep.handle_timeout(NOW, 1, |_| {}).complete);
    assert_eq!(node.vtep.poll_timeout(NOW), NOW, "one is under way");
    assert!(node.vtep.handle_timeout(NOW, usize::MAX, |_| {}).complete);
    let next = node.vtep.poll_timeout(NOW);
    let wait = next.saturating_since(NOW);
    assert!((Duration::from_secs(9)..=Duration::from_secs(10)).contains(&wait), "{wait:?}");
    let half = NOW.saturating_add(Duration::from_secs(5));
    let difference = node.vtep.poll_timeout(half).saturating_since(NOW);
    assert!(difference.abs_diff(wait) < Duration::from_millis(400), "{difference:?}, {wait:?}");
    assert_eq!(node.vtep.poll_timeout(next), next);
    let late = next.saturating_add(Duration::from_secs(1_000));
    assert_eq!(node.vtep.poll_timeout(late), late);
}
