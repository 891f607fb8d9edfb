//! Multicast groups by their IP addresses, before their MAC addresses are looked at.

use std::net::{IpAddr, Ipv6Addr};

use encap::{
    table::{Capacity, Change, Destination, Error, HandleKind, Resource},
    vtep::{Config, DropReason, Vtep, Worker},
    wire::{MacAddr, Vni, ndp},
};

use crate::{common::*, frames::*};

fn both() -> [Config; 2] {
    [Config::new(), Config::linux()]
}

/// A VTEP that floods to 2, 3 and 4.
fn node(config: Config) -> Node {
    let capacity = Capacity { groups: 16, ..Capacity::fdb(256) };
    let vtep = Vtep::with_capacity(config.local(address(1)).local(v6(1).into()), capacity, [7, 1]).unwrap();
    Node { vtep, worker: Worker::new(1) }.peers(&[2, 3, 4])
}

const GROUP: [u8; 4] = [239, 1, 1, 1];
const SOURCE: [u8; 4] = [10, 1, 0, 1];
const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0, 1, 2);

/// A packet from fd01::1 to this group.
fn to6(group: Ipv6Addr) -> Vec<u8> {
    frame(ndp::group_mac(group), mac(1), 0x86dd, &ip(v6(1).into(), group.into(), 59, 0, &[]))
}

/// A datagram from 10.1.0.1 to this group.
fn to(group: [u8; 4]) -> Vec<u8> {
    let [_, b, c, d] = group;
    let mut frame = datagram(MacAddr([1, 0, 0x5e, b & 0x7f, c, d]), mac(1), 20);
    frame[30..34].copy_from_slice(&group);
    let ip = fix_ipv4(frame.split_off(14));
    [frame, ip].concat()
}

fn reached(node: &mut Node, frame: &[u8]) -> Vec<IpAddr> {
    node.packets(NOW, frame).into_iter().map(|(to, _)| to).collect()
}

fn list(node: &Node, last: &[u8]) -> Destination {
    let members: Vec<_> = last.iter().map(|&last| node.vtep.remote(address(last)).unwrap()).collect();
    node.vtep.lists().add_list(&members).unwrap().into()
}

/// Where the frame of a group goes, and that of another one, as entries come for all groups, for this one, and for this
/// one from its source.
fn source_and_group_then_group_then_all_groups<A: Copy + Into<IpAddr>>(
    all: A,
    (group, frame): (A, &[u8]),
    other: &[u8],
    source: A,
) {
    for config in both() {
        let mut node = node(config);
        assert_eq!(reached(&mut node, frame), [2, 3, 4].map(address), "no entry: the default destination");
        for (group, source, members) in
            [(all, None, &[3, 4][..]), (group, None, &[2, 3]), (group, Some(source), &[4])]
        {
            let list = list(&node, members);
            node.vtep.groups().add(VNI, group.into(), source.map(A::into), list).unwrap();
            let expected: Vec<_> = members.iter().copied().map(address).collect();
            assert_eq!(reached(&mut node, frame), expected);
        }
        assert_eq!(reached(&mut node, other), [3, 4].map(address), "all other groups");
        // From another source.
        node.vtep.groups().delete(VNI, group.into(), Some(source.into())).unwrap();
        assert_eq!(reached(&mut node, frame), [2, 3].map(address));
    }
}

#[test]
fn a7_4_source_and_group_then_group_then_all_groups() {
    let other = to([239, 1, 1, 2]);
    source_and_group_then_group_then_all_groups([0; 4], (GROUP, &to(GROUP)), &other, SOURCE);
}

#[test]
fn a7_4_over_ipv6_source_and_group_then_group_then_all_groups() {
    let other = to6(Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0, 1, 3));
    let all = Ipv6Addr::UNSPECIFIED;
    source_and_group_then_group_then_all_groups(all, (GROUP6, &to6(GROUP6)), &other, v6(1));
}

#[test]
fn a7_4_what_stays_on_a_link_is_not_among_all_groups() {
    for config in both() {
        let mut node = node(config);
        let one = list(&node, &[3]);
        node.vtep.groups().add(VNI, [0, 0, 0, 0].into(), None, one).unwrap();
        let all = [2, 3, 4].map(address);
        assert_eq!(reached(&mut node, &to([224, 0, 0, 251])), all);
        assert_eq!(reached(&mut node, &to([224, 0, 1, 1])), [address(3)]);
        // With an entry of its own it is a group like others.
        node.vtep.groups().add(VNI, [224, 0, 0, 251].into(), None, one).unwrap();
        assert_eq!(reached(&mut node, &to([224, 0, 0, 251])), [address(3)]);
    }
}

#[test]
fn a7_4_broadcast_and_unicast_go_by_their_mac_address() {
    for config in both() {
        let mut node = node(config);
        let one = list(&node, &[3]);
        node.vtep.groups().add(VNI, GROUP.into(), None, one).unwrap();
        let mut broadcast = to(GROUP);
        broadcast[..6].fill(0xff);
        assert_eq!(reached(&mut node, &broadcast).len(), 3);
        let mut unicast = to(GROUP);
        unicast[..6].copy_from_slice(&mac(9).0);
        assert_eq!(reached(&mut node, &unicast).len(), 3);
    }
}

/// A VLAN in the segment may have the same groups.
#[test]
fn a7_4_tagged_frames_go_by_their_mac_address() {
    for config in both() {
        let mut node = node(with(config, |c| c.inner_vlan = true));
        let one = list(&node, &[3]);
        node.vtep.groups().add(VNI, GROUP.into(), None, one).unwrap();
        assert_eq!(reached(&mut node, &tagged(5, &to(GROUP))).len(), 3);
    }
}

#[test]
fn a7_4_over_ipv6_too() {
    for config in both() {
        let mut node = node(config);
        let one = list(&node, &[2]);
        node.vtep.groups().add(VNI, GROUP6.into(), None, one).unwrap();
        assert_eq!(reached(&mut node, &to6(GROUP6)), [address(2)]);
        let mut link = to6(GROUP6);
        link[14 + 25] = 2;
        assert_eq!(reached(&mut node, &link).len(), 3, "another group");
    }
}

/// What is blocked goes nowhere.
#[test]
fn a_group_can_be_blocked() {
    for config in both() {
        let mut node = node(config);
        node.vtep.groups().add(VNI, GROUP.into(), Some(SOURCE.into()), Destination::Blackhole).unwrap();
        node.refuses_frame(&to(GROUP), DropReason::Blackhole);
    }
}

/// A list that was removed is as if the group was not there, and gives its place to another one.
#[test]
fn groups_go_with_their_lists() {
    let mut node = node(Config::new());
    let members = [node.vtep.remote(address(2)).unwrap()];
    let gone = node.vtep.lists().add_list(&members).unwrap();
    let groups = node.vtep.groups();
    groups.add(VNI, GROUP.into(), None, gone).unwrap();
    assert_eq!(groups.add(VNI, GROUP.into(), None, gone), Err(Error::Exists));
    node.vtep.lists().remove(gone).unwrap();
    assert_eq!(groups.get(VNI, GROUP.into(), None), Err(Error::NotFound));
    assert_eq!(groups.add(VNI, GROUP.into(), None, gone), Err(Error::Stale(HandleKind::List)));
    let other = list(&node, &[3]);
    node.vtep.groups().add(VNI, GROUP.into(), None, other).unwrap();
    assert_eq!(reached(&mut node, &to(GROUP)), [address(3)]);
}

#[test]
fn every_vni_has_groups_of_its_own() {
    let node = node(Config::new());
    let (one, two) = (list(&node, &[2]), list(&node, &[3]));
    let (groups, other) = (node.vtep.groups(), Vni::truncate(43));
    groups.add(VNI, GROUP.into(), None, one).unwrap();
    groups.add(other, GROUP.into(), None, two).unwrap();
    assert_eq!(groups.lookup(VNI, GROUP.into(), SOURCE.into()), Some(one));
    assert_eq!(groups.lookup(other, GROUP.into(), SOURCE.into()), Some(two));
    assert_eq!(groups.replace(other, GROUP.into(), None, one), Ok(Change::Updated));
    assert_eq!(groups.replace(other, GROUP.into(), None, one), Ok(Change::Unchanged));
    let mut all: Vec<_> = groups.iter().map(|group| (group.vni, group.destination)).collect();
    all.sort_by_key(|&(vni, _)| vni);
    assert_eq!(all, [(VNI, one), (other, one)]);
    assert_eq!(groups.count(), 2);
}

#[test]
fn groups_that_cannot_be() {
    let node = node(Config::new());
    let (one, groups) = (list(&node, &[2]), node.vtep.groups());
    let add = |group: &str, source: Option<&str>| {
        groups.add(VNI, group.parse().unwrap(), source.map(|source| source.parse().unwrap()), one)
    };
    assert_eq!(add("10.0.0.1", None), Err(Error::NotMulticast));
    assert_eq!(add("239.1.1.1", Some("fd01::1")), Err(Error::Family));
    assert_eq!(add("239.1.1.1", Some("239.1.1.2")), Err(Error::NotUnicast));
    assert_eq!(add("ff0e::1", Some("::")), Err(Error::NotUnicast));
    assert_eq!(groups.delete(VNI, GROUP.into(), None), Err(Error::NotFound));
    for last in 0..16 {
        add(&format!("239.1.1.{last}"), None).unwrap();
    }
    assert_eq!(add("239.1.2.1", None), Err(Error::Full { what: Resource::Groups, limit: 16 }));
}
