//! Multicast groups whose destination goes.

use std::net::IpAddr;

use encap::table::{Capacity, Error, Group, Line, Remote, Tables};

use crate::common::{NOW, VNI, small, with};

const GROUP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(239, 1, 1, 1));

fn at(last: u8) -> Remote {
    Remote::new([192, 0, 2, last].into(), 4789)
}

fn sweep(tables: &Tables<Box<[Line]>>) {
    assert!(tables.age(NOW, usize::MAX, |_| {}).complete);
}

#[test]
fn a_sweep_gives_back_the_room_of_groups_that_lead_nowhere() {
    let tables = with(Capacity { groups: 64, ..small() }, |_| {});
    let (groups, remotes) = (tables.groups(), tables.remotes());
    let [gone, stays] = [1, 2].map(|last| remotes.add(&at(last)).unwrap());
    for last in 0..64 {
        groups.add(VNI, [239, 1, 1, last].into(), None, if last < 60 { gone } else { stays }).unwrap();
    }
    remotes.remove(gone).unwrap();
    assert_eq!((groups.count(), groups.iter().count()), (64, 4));
    sweep(&tables);
    assert_eq!((groups.count(), groups.iter().count()), (4, 4));
    for last in 0..60 {
        groups.add(VNI, [239, 2, 2, last].into(), None, stays).unwrap();
    }
    assert_eq!((groups.count(), groups.iter().count()), (64, 64));
}

#[test]
fn a_group_that_leads_nowhere_is_not_there_to_be_deleted_but_goes() {
    let tables = with(Capacity { groups: 8, ..small() }, |_| {});
    let (groups, remotes) = (tables.groups(), tables.remotes());
    let gone = remotes.add(&at(1)).unwrap();
    groups.add(VNI, GROUP, None, gone).unwrap();
    remotes.remove(gone).unwrap();
    assert_eq!(groups.get(VNI, GROUP, None), Err(Error::NotFound));
    assert_eq!(groups.delete(VNI, GROUP, None), Err(Error::NotFound));
    assert_eq!(groups.count(), 0);
}

/// Handles of a place come round after 512 remotes that had it, and by then no group has the first one's.
#[test]
fn a_group_never_leads_to_a_remote_that_came_later() {
    let tables = with(Capacity { groups: 8, remotes: 1, ..small() }, |_| {});
    let (groups, remotes) = (tables.groups(), tables.remotes());
    let first = remotes.add(&at(1)).unwrap();
    groups.add(VNI, GROUP, None, first).unwrap();
    remotes.remove(first).unwrap();
    for round in 0..600 {
        assert_eq!(groups.get(VNI, GROUP, None), Err(Error::NotFound), "round {round}");
        (0..2).for_each(|_| sweep(&tables));
        let later = remotes.add(&at(2).vni(VNI)).unwrap();
        assert_eq!(groups.get(VNI, GROUP, None), Err(Error::NotFound), "round {round}");
        remotes.remove(later).unwrap();
    }
}

#[test]
fn a_group_is_told_as_it_was_added() {
    let tables = with(Capacity { groups: 8, ..small() }, |_| {});
    let (groups, a) = (tables.groups(), tables.remotes().add(&at(1)).unwrap());
    let parts = |it: Group| (it.vni, it.group, it.source, it.destination);
    for (group, source) in [("239.1.1.1", "10.1.0.2"), ("ff0e::1", "2001:db8::2")] {
        let group: IpAddr = group.parse().unwrap();
        for source in [None, Some(source.parse().unwrap())] {
            groups.add(VNI, group, source, a).unwrap();
            let added = (VNI, group, source, a.into());
            assert_eq!(groups.get(VNI, group, source).map(parts), Ok(added));
            assert!(groups.iter().map(parts).any(|group| group == added));
        }
    }
    assert_eq!((groups.count(), groups.iter().count()), (4, 4));
}

#[test]
fn r4291_2_7_groups_of_link_local_scope_are_not_among_all_groups() {
    let tables = with(Capacity { groups: 8, ..small() }, |_| {});
    let (groups, a) = (tables.groups(), tables.remotes().add(&at(1)).unwrap());
    groups.add(VNI, "::".parse().unwrap(), None, a).unwrap();
    let lookup = |group: &str| groups.lookup(VNI, group.parse().unwrap(), "fe80::1".parse().unwrap());
    for group in ["ff02::1", "ff12::1", "ff32::1", "fff2::1", "ff01::1", "ff11::1"] {
        assert_eq!(lookup(group), None, "{group}");
    }
    for group in ["ff03::1", "ff05::1", "ff0e::1", "ff15::1", "ff3e::1"] {
        assert_eq!(lookup(group), Some(a.into()), "{group}");
    }
}

#[test]
fn a_source_is_a_host_of_the_groups_family_and_sends_to_one_group() {
    let tables = with(Capacity { groups: 8, ..small() }, |_| {});
    let (groups, a) = (tables.groups(), tables.remotes().add(&at(1)).unwrap());
    let source = |address: &str| Some(address.parse().unwrap());
    assert_eq!(groups.add(VNI, [0; 4].into(), source("10.0.0.1"), a), Err(Error::NotMulticast));
    for nobody in ["255.255.255.255", "0.0.0.0", "239.1.1.1"] {
        assert_eq!(groups.add(VNI, GROUP, source(nobody), a), Err(Error::NotUnicast), "{nobody}");
    }
    assert_eq!(groups.add(VNI, GROUP, source("a01:2::"), a), Err(Error::Family));
    groups.add(VNI, GROUP, source("10.1.0.2"), a).unwrap();
    // The same bits.
    assert_eq!(groups.get(VNI, GROUP, source("a01:2::")), Err(Error::NotFound));
    assert_eq!(groups.delete(VNI, GROUP, source("a01:2::")), Err(Error::NotFound));
    groups.delete(VNI, GROUP, source("10.1.0.2")).unwrap();
}
