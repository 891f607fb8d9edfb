//! Multicast groups whose destination goes.

use std::net::IpAddr;

use encap::table::{Capacity, Error, Line, Remote, Tables};

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
