//! Copies of flooded frames: one for each remote of the list, in its order.

use std::net::IpAddr;

use encap::{
    Packet,
    packet::{self, Header},
    table::Remote,
    tunnel::{Framing, Link},
    vtep::{Config, DropReason, Miss, Output, TooBig},
    wire::{MacAddr, Vni},
};

use crate::{common::*, frames::*};

fn both() -> [Config; 2] {
    [Config::new(), Config::linux()]
}

fn question() -> Vec<u8> {
    datagram(MacAddr::BROADCAST, mac(1), 100)
}

fn flooded(node: &mut Node) -> Vec<IpAddr> {
    node.packets(NOW, &question()).into_iter().map(|(to, _)| to).collect()
}

/// The kernel sends to the second, the third, …, the first; we keep the list's order.
#[test]
fn a7_8_copies_go_in_the_lists_order_and_each_counts() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[4, 2, 9, 3]);
        assert_eq!(flooded(&mut node), [4, 2, 9, 3].map(address));
        let counters = node.worker.counters();
        assert_eq!((counters.sent, counters.sent_bytes), (4, 4 * question().len() as u64));
    }
}

#[test]
fn a10_all_copies_of_a_frame_have_one_source_port() {
    for config in both() {
        let config = config.local(v6(1).into());
        let mut node = Node::new(1, config).peers(&[2, 3, 4]);
        let other = node.vtep.remote(v6(2).into()).unwrap();
        node.vtep.fdb().append(VNI, MacAddr::ZERO, other).unwrap();
        let ports: Vec<_> = node
            .packets(NOW, &question())
            .into_iter()
            .map(|(to, packet)| {
                let udp = if to.is_ipv4() { 20 } else { 40 };
                [packet[udp], packet[udp + 1]]
            })
            .collect();
        assert_eq!(ports, [ports[0]; 4], "over either family");
    }
}

/// Every copy is a packet that its remote takes.
#[test]
fn copies_are_whole_packets() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3]);
        for (last, (_, packet)) in (2..).zip(node.packets(NOW, &question())) {
            assert_eq!(Node::new(last, config).delivers(&packet), question());
        }
    }
}

#[test]
fn a6_a_remote_that_is_appended_twice_gets_one_copy() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3, 2, 3, 2]);
        assert_eq!(flooded(&mut node), [2, 3].map(address));
        // Another segment is another destination.
        let other = Remote::new(address(2), config.dstport).vni(Vni::truncate(7));
        let remote = node.vtep.add_remote(&other).unwrap();
        node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
        assert_eq!(flooded(&mut node), [2, 3, 2].map(address));
    }
}

#[test]
fn members_that_go_and_come() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3, 4]);
        let remote = |node: &Node, last| node.vtep.remote(address(last)).unwrap();
        let third = remote(&node, 3);
        node.vtep.fdb().delete_destination(NOW, VNI, MacAddr::ZERO, third).unwrap();
        assert_eq!(flooded(&mut node), [2, 4].map(address));
        node.vtep.fdb().append(VNI, MacAddr::ZERO, third).unwrap();
        let mut now = flooded(&mut node);
        now.sort();
        assert_eq!(now, [2, 3, 4].map(address));
        // One that is removed altogether.
        node.vtep.remotes().remove(remote(&node, 2)).unwrap();
        let mut now = flooded(&mut node);
        now.sort();
        assert_eq!(now, [3, 4].map(address));
        node.vtep.fdb().delete(NOW, VNI, MacAddr::ZERO).unwrap();
        node.refuses_frame(&question(), DropReason::NoDestination);
    }
}

/// Between the decision and the copies the list may change: nobody gets two, nobody who stayed gets none.
#[test]
fn members_that_go_and_come_while_copies_are_made() {
    let mut node = Node::new(1, Config::new()).peers(&[2, 3, 4]);
    let (output, frame) = node.send(NOW, &question());
    let Output::Replicate(flood) = output else { panic!("{output:?}") };
    let mut to = Vec::new();
    let mut copies = node.vtep.replicas(&mut node.worker, &flood, &frame);
    to.push(copies.next().unwrap().address);
    let third = node.vtep.remote(address(3)).unwrap();
    node.vtep.fdb().delete_destination(NOW, VNI, MacAddr::ZERO, third).unwrap();
    node.vtep.fdb().append(VNI, MacAddr::ZERO, node.vtep.remote(address(5)).unwrap()).unwrap();
    to.extend(copies.map(|copy| copy.address));
    to.sort();
    assert!(to == [2, 4, 5].map(address) || to == [2, 4].map(address), "{to:?}");
    // And of a list that is gone there is nothing.
    node.vtep.fdb().delete(NOW, VNI, MacAddr::ZERO).unwrap();
    assert_eq!(node.vtep.replicas(&mut node.worker, &flood, &frame).count(), 0);
}

#[test]
fn a_list_of_many_lines_is_walked_to_its_end() {
    let last: Vec<u8> = (2..=50).collect();
    let mut node = Node::new(1, Config::new()).peers(&last);
    assert_eq!(flooded(&mut node), last.iter().map(|&last| address(last)).collect::<Vec<_>>());
}

#[test]
fn a_remote_with_a_smaller_mtu_is_left_out_and_counted() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 3, 4]);
        let third = node.vtep.remote(address(3)).unwrap();
        let exactly = (question().len() + 36) as u16;
        node.vtep.remotes().set_mtu(third, exactly).unwrap();
        assert_eq!(flooded(&mut node), [2, 3, 4].map(address));
        node.vtep.remotes().set_mtu(third, exactly - 1).unwrap();
        // Unless it is to be fragmented on its way, as with Linux.
        let whole = node.vtep.config().too_big == TooBig::Fragment;
        let expected = if whole { &[2, 3, 4][..] } else { &[2, 4] };
        let expected: Vec<_> = expected.iter().copied().map(address).collect();
        assert_eq!(flooded(&mut node), expected);
        assert_eq!(node.drops(DropReason::TooBig), u64::from(!whole));
        assert_eq!(node.worker.counters().sent, 5 + u64::from(whole));
    }
}

/// We are no remote of our own: the local hosts have the frame already.
#[test]
fn our_own_address_in_the_list_gets_no_copy() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2, 1, 3]);
        assert_eq!(flooded(&mut node), [2, 3].map(address));
        assert_eq!(node.drops(DropReason::LocalDestination), 1);
        // Nor where it is alone there; an entry for the host itself leads here.
        let mut node = Node::new(1, config).peers(&[1]);
        node.refuses_frame(&question(), DropReason::LocalDestination);
        node.vtep.fdb().add(VNI, mac(9), node.vtep.remote(address(1)).unwrap()).unwrap();
        assert!(matches!(node.send(NOW, &datagram(mac(9), mac(1), 10)).0, Output::Deliver { vni: VNI, .. }));
    }
}

/// A remote with a VNI of its own joins another segment to this one, on this side too.
#[test]
fn a7_f_a_copy_for_another_segment_here_is_handed_over() {
    for config in both() {
        let mut node = Node::new(1, config).peers(&[2]);
        let other = Vni::truncate(43);
        let remote = Remote::new(address(1), node.vtep.config().dstport).vni(other);
        let remote = node.vtep.add_remote(&remote).unwrap();
        node.vtep.fdb().append(VNI, MacAddr::ZERO, remote).unwrap();
        let (output, frame) = node.send(NOW, &question());
        let Output::Replicate(flood) = output else { panic!("{output:?}") };
        // Nobody has that segment yet.
        assert_eq!(node.vtep.replicas(&mut node.worker, &flood, &frame).count(), 1);
        assert_eq!(node.drops(DropReason::UnknownVni), 1);
        node.vtep.fdb().add_vni(other).unwrap();
        let copies: Vec<_> = node.vtep.replicas(&mut node.worker, &flood, &frame).collect();
        assert_eq!(copies.iter().map(|copy| copy.local).collect::<Vec<_>>(), [None, Some(other)]);
        assert!(copies[1].header.is_empty());
        assert_eq!(node.worker.counters().delivered, 1);
    }
}

/// A copy cannot wait for its next hop, but somebody hears of it.
#[test]
fn a_next_hop_that_is_not_known_is_a_miss() {
    let link = Link::resolving(mac(0xaa));
    let mut node = Node::new(1, with(Config::new(), |c| c.framing = Framing::Ethernet(link))).peers(&[2, 3]);
    let [second, third] = [2, 3].map(|last| node.vtep.remote(address(last)).unwrap());
    node.vtep.remotes().set_next_hop(second, Some(mac(0xbb))).unwrap();
    for _ in 0..2 {
        let packets = node.packets(NOW, &question());
        let [(to, packet)] = &packets[..] else { panic!("{} copies", packets.len()) };
        assert_eq!((*to, &packet[..6]), (address(2), &mac(0xbb).0[..]));
    }
    assert_eq!(node.drops(DropReason::Unresolved), 2);
    let miss = Miss::NextHop { remote: third, address: address(3), egress: 0 };
    assert_eq!((node.worker.poll_miss(), node.worker.poll_miss()), (Some(miss), None));
    node.vtep.remotes().set_next_hop(third, Some(mac(0xcc))).unwrap();
    assert_eq!(flooded(&mut node), [2, 3].map(address));
}

/// A frame that no remote can get: counted for each, and the frame is as it was.
#[test]
fn a_frame_that_is_cut_off_reaches_nobody() {
    let mut node = Node::new(1, Config::new()).peers(&[2, 3]);
    let short = frame(MacAddr::BROADCAST, mac(1), 0x0800, &[0x45; 19]);
    assert_eq!(node.packets(NOW, &short), []);
    assert_eq!((node.drops(DropReason::FrameTruncated), node.worker.counters().sent), (2, 0));
}

/// The copies can be made one after the other before the same frame.
#[test]
fn a_copy_in_place_is_the_copy_in_two_parts() {
    let mut node = Node::new(1, Config::new()).peers(&[2, 3]);
    let (output, frame) = node.send(NOW, &question());
    let Output::Replicate(flood) = output else { panic!("{output:?}") };
    let headers: Vec<Header> =
        node.vtep.replicas(&mut node.worker, &flood, &frame).map(|copy| copy.header).collect();
    let mut buffer = [&[0; ROOM][..], &frame].concat();
    let mut packet = Packet::new(&mut buffer, ROOM, frame.len()).unwrap();
    for header in headers {
        assert_eq!(packet.with_header(&header).unwrap(), [&header[..], &frame].concat());
        // Or in a buffer of its own, which may be just as long, and not shorter.
        let len = header.len() + frame.len();
        let mut ring = vec![0xee; 7 + len];
        let copy = Packet::copy_of(&mut ring, 7, &header, &frame).unwrap();
        assert_eq!((copy.headroom(), copy.as_slice()), (7, packet.with_header(&header).unwrap()));
        let error = packet::Error::OutOfBounds { start: 8, len, size: 7 + len };
        assert_eq!(Packet::copy_of(&mut ring, 8, &header, &frame).unwrap_err(), error);
    }
    assert_eq!(packet.as_slice(), frame);
}
