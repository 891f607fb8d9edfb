//! Where a frame goes to.

use std::collections::{BTreeMap, BTreeSet};

use encap::{
    table::Destination,
    vtep::{Config, DropReason, Output, OverlayMeta, Proxy},
    wire::MacAddr,
};

use crate::{common::*, frames::*};

use super::{GROUP, both, misses, read};

#[test]
fn a7_5_the_entry_of_the_destination_decides() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3]);
        node.vtep.fdb().add(VNI, mac(5), node.vtep.remote(address(5)).unwrap()).unwrap();
        let frame = datagram(mac(5), mac(1), 10);
        let packet = node.sends(&frame, 5);
        let (_, port, vni, inner) = read(&packet);
        assert_eq!((port, vni, inner), (config.dstport, VNI, &frame[..]));
        assert_eq!(misses(&mut node), []);
    }
}

/// Without an entry broadcast, multicast and unknown unicast go the same way.
#[test]
fn a7_7_what_has_no_entry_goes_to_the_default() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3]);
        for destination in [MacAddr::BROADCAST, GROUP, mac(9), MacAddr::ZERO, mac(1)] {
            let to: Vec<_> =
                node.packets(NOW, &datagram(destination, mac(1), 10)).into_iter().map(|(to, _)| to).collect();
            assert_eq!(to, [address(2), address(3)]);
        }
        assert_eq!(misses(&mut node), []);
        // One remote alone gets the packet at once.
        let mut node = Node::new(1, config).peers(&[2]);
        for destination in [MacAddr::BROADCAST, GROUP, mac(9), MacAddr::ZERO] {
            node.sends(&datagram(destination, mac(1), 10), 2);
        }
    }
}

#[test]
fn a7_7_an_entry_for_a_group_replaces_flooding_for_that_group() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3]);
        for (group, last) in [(GROUP, 7), (MacAddr::BROADCAST, 8)] {
            node.vtep.fdb().append(VNI, group, node.vtep.remote(address(last)).unwrap()).unwrap();
            node.sends(&datagram(group, mac(1), 10), last);
        }
        let other = MacAddr([1, 0, 0x5e, 1, 2, 4]);
        assert_eq!(node.packets(NOW, &datagram(other, mac(1), 10)).len(), 2);
    }
}

#[test]
fn a7_7_a_default_can_be_anything() {
    for config in both() {
        let mut node = Node::new(1, config);
        let frame = datagram(mac(9), mac(1), 10);
        node.vtep.fdb().add(VNI, MacAddr::ZERO, Destination::Blackhole).unwrap();
        node.refuses_frame(&frame, DropReason::Blackhole);
        node.vtep.fdb().delete(NOW, VNI, MacAddr::ZERO).unwrap();
        node.vtep.fdb().add(VNI, MacAddr::ZERO, Destination::Local).unwrap();
        node.refuses_frame(&frame, DropReason::LocalDestination);
        assert_eq!(misses(&mut node), []);
    }
}

#[test]
fn a7_8_a_flow_stays_with_one_member_of_a_group() {
    for config in both() {
        let mut node = Node::new(1, config);
        let members = [2, 3, 4, 5].map(|last| node.vtep.remote(address(last)).unwrap());
        let group = node.vtep.lists().add_group(&members).unwrap();
        node.vtep.fdb().add(VNI, mac(9), group).unwrap();
        let mut chosen = BTreeMap::new();
        for flow in 0..200u8 {
            for len in [10, 500] {
                let mut frame = datagram(mac(9), mac(1), len);
                frame[34] = flow;
                let [(to, _)] = &node.packets(NOW, &frame)[..] else { panic!("one copy") };
                assert_eq!(chosen.entry(flow).or_insert(*to), to, "its length does not matter");
            }
        }
        let used: BTreeSet<_> = chosen.values().collect();
        assert_eq!(used.len(), 4, "all members carry something");
        // A member that goes takes no flows but its own with it.
        node.vtep.lists().delete(group, members[0]).unwrap();
        for (flow, before) in chosen {
            let mut frame = datagram(mac(9), mac(1), 10);
            frame[34] = flow;
            let [(to, _)] = &node.packets(NOW, &frame)[..] else { panic!("one copy") };
            assert_eq!(*to != before, before == address(2));
        }
        for member in &members[1..] {
            node.vtep.lists().delete(group, *member).unwrap();
        }
        node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoRemote);
    }
}

/// Metadata names a remote; of a group the caller picks one, as the engine does.
#[test]
fn a7_3_the_caller_names_a_member_of_a_group() {
    for config in both() {
        let mut node = Node::new(1, config);
        let members = [2, 3, 4].map(|last| node.vtep.remote(address(last)).unwrap());
        let group = node.vtep.lists().add_group(&members).unwrap();
        node.vtep.fdb().add(VNI, mac(9), group).unwrap();
        let mut chosen = BTreeSet::new();
        for hash in (0..50u32).map(|flow| flow.wrapping_mul(0x9e37_79b9)) {
            let mut meta = OverlayMeta::new(VNI);
            meta.hash = Some(hash);
            let by_entry = node.send_with(NOW, &meta, &datagram(mac(9), mac(1), 10));
            meta.remote = node.vtep.lists().pick(group, hash);
            chosen.insert(node.vtep.remotes().get(meta.remote.unwrap()).unwrap().address);
            let (output, packet) = node.send_with(NOW, &meta, &datagram(mac(9), mac(1), 10));
            assert_eq!((output, &packet[28..]), (by_entry.0, &by_entry.1[28..]));
        }
        assert_eq!(chosen.len(), 3);
    }
}

/// A group can be the default: then what is flooded goes to one member, not all.
#[test]
fn a6_a_group_as_the_default_gets_one_copy() {
    for config in both() {
        let mut node = Node::new(1, config);
        let members = [2, 3].map(|last| node.vtep.remote(address(last)).unwrap());
        let group = node.vtep.lists().add_group(&members).unwrap();
        node.vtep.fdb().add(VNI, MacAddr::ZERO, group).unwrap();
        assert_eq!(node.packets(NOW, &datagram(MacAddr::BROADCAST, mac(1), 10)).len(), 1);
    }
}

/// The caller's hash counts instead of the packet's.
#[test]
fn a_hash_of_the_network_card_is_taken() {
    let mut node = Node::new(1, Config::new()).peers(&[2]);
    let frame = datagram(mac(9), mac(1), 10);
    let mut port = |hash| {
        let mut meta = OverlayMeta::new(VNI);
        meta.hash = hash;
        let (output, packet) = node.send_with(NOW, &meta, &frame);
        assert!(matches!(output, Output::Send { .. }));
        read(&packet).0
    };
    assert_eq!((port(Some(0)), port(Some(u32::MAX))), (49_152, 65_535));
    assert_eq!(port(None), port(None));
}

#[test]
fn no_split_horizon_in_linux_but_in_the_bridge() {
    for config in both() {
        let mut node = Node::new(1, with(config, |c| c.proxy = Proxy::KernelProxy)).peers(&[2]);
        node.vtep.neighbors().add(VNI, [10, 1, 0, 2].into(), mac(2)).unwrap();
        let mut meta = OverlayMeta::new(VNI);
        meta.from_tunnel = true;
        let question = arp(MacAddr::BROADCAST, 1, (mac(7), [10, 1, 0, 7]), [10, 1, 0, 2]);
        for frame in [datagram(mac(9), mac(1), 10), datagram(MacAddr::BROADCAST, mac(1), 10), question] {
            let sent = node.send_with(NOW, &meta, &frame);
            assert_eq!(sent, (Output::Drop(DropReason::SplitHorizon), frame));
        }
        assert_eq!((node.drops(DropReason::SplitHorizon), node.worker.counters().replies), (3, 0));
    }
}

#[test]
fn a7_b_local_and_blackhole_are_dropped_by_name() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2]);
        node.vtep.fdb().add(VNI, mac(8), Destination::Local).unwrap();
        node.vtep.fdb().add(VNI, mac(9), Destination::Blackhole).unwrap();
        node.refuses_frame(&datagram(mac(8), mac(1), 10), DropReason::LocalDestination);
        node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::Blackhole);
    }
}

#[test]
fn a_remote_that_was_removed_gets_nothing() {
    for config in both() {
        let mut node = Node::new(1, config);
        let remote = node.vtep.remote(address(2)).unwrap();
        node.vtep.fdb().add(VNI, mac(9), remote).unwrap();
        node.sends(&datagram(mac(9), mac(1), 10), 2);
        node.vtep.remotes().remove(remote).unwrap();
        node.refuses_frame(&datagram(mac(9), mac(1), 10), DropReason::NoDestination);
    }
}
