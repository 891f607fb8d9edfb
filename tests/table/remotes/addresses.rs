//! Remotes by their address alone.

use std::net::IpAddr;

use encap::{
    table::{Capacity, Error, Remote, RemoteId, Settings},
    wire::Vni,
};

use crate::common::{VNI, small, tables};

use super::{at, sweep};

/// A packet's source port says nothing, so its sender is known by the address.
#[test]
fn a_remote_is_found_by_its_address_whatever_its_port() {
    let tables = tables(small(), Settings::default());
    let remotes = tables.remotes();
    let here = at(1).address;
    assert_eq!(remotes.find_by_address(here, 0), None);
    let other_port = remotes.add(&Remote::new(here, 14_789).vni(VNI).egress(7)).unwrap();
    assert_eq!(remotes.find_by_address(here, 0), Some(other_port));
    assert_eq!(
        remotes.find_by_address(here, 9),
        Some(other_port),
        "the egress does not name who is not link-local"
    );
    let usual = remotes.add(&at(1)).unwrap();
    let third = remotes.find_or_learn(&at(1).vni(VNI)).unwrap();
    assert_eq!(remotes.find_by_address(here, 0), Some(other_port), "the first");
    // Another one takes its place, as long as there is one.
    remotes.remove(usual).unwrap();
    assert_eq!(remotes.find_by_address(here, 0), Some(other_port));
    remotes.remove(other_port).unwrap();
    assert_eq!(remotes.find_by_address(here, 0), Some(third));
    remotes.remove(third).unwrap();
    assert_eq!(remotes.find_by_address(here, 0), None);
    let again = remotes.add(&at(1)).unwrap();
    assert_eq!(remotes.find_by_address(here, 0), Some(again));
}

#[test]
fn who_is_link_local_is_found_by_address_and_interface() {
    let tables = tables(small(), Settings::default());
    let remotes = tables.remotes();
    let address: IpAddr = "fe80::1".parse().unwrap();
    let [a, b] = [1, 2].map(|egress| remotes.add(&Remote::new(address, 1).egress(egress)).unwrap());
    assert_eq!([0, 1, 2].map(|egress| remotes.find_by_address(address, egress)), [None, Some(a), Some(b)]);
    remotes.remove(a).unwrap();
    assert_eq!([1, 2].map(|egress| remotes.find_by_address(address, egress)), [None, Some(b)]);
}

/// Many remotes at many addresses and few, in any order: whoever is there is found, nobody who is not.
#[test]
fn addresses_lead_to_somebody_as_long_as_there_is_somebody() {
    let tables = tables(Capacity { remotes: 64, ..small() }, Settings::default());
    let remotes = tables.remotes();
    let mut there: Vec<(RemoteId, Remote)> = vec![];
    for step in 0..4_000u32 {
        let random = step.wrapping_mul(0x9e37_79b9) >> 8;
        let remote = Remote::new(at((random % 5) as u8).address, (random / 5 % 7) as u16 + 1);
        match there.iter().position(|(_, known)| *known == remote) {
            Some(position) => remotes.remove(there.swap_remove(position).0).unwrap(),
            None => match remotes.add(&remote) {
                Ok(id) => there.push((id, remote)),
                Err(Error::SweepPending) => sweep(&tables),
                Err(error) => panic!("{error}"),
            },
        }
        for last in 0..5 {
            let found = remotes.find_by_address(at(last).address, 0);
            let any = there.iter().any(|(_, remote)| remote.address == at(last).address);
            assert_eq!(found.is_some(), any, "step {step}");
            assert!(found.is_none_or(|id| there.iter().any(|(known, _)| *known == id)));
        }
    }
}

/// More than 16 bits of a stamp can count.
#[test]
fn an_address_leads_to_somebody_however_many_were_there() {
    let tables = tables(Capacity { remotes: 65_700, ..small() }, Settings::default());
    let remotes = tables.remotes();
    let all: Vec<_> = (0..65_700).map(|vni| remotes.add(&at(1).vni(Vni::truncate(vni))).unwrap()).collect();
    // Who stands for the address goes last of those that go.
    let (go, stay) = all.split_at(65_600);
    go.iter().rev().for_each(|&id| remotes.remove(id).unwrap());
    let found = remotes.find_by_address(at(1).address, 0);
    assert!(found.is_some_and(|id| stay.contains(&id)), "{found:?}");
    stay.iter().for_each(|&id| remotes.remove(id).unwrap());
    assert_eq!(remotes.find_by_address(at(1).address, 0), None);
}

/// Somebody's word counts more than a packet's.
#[test]
fn a_configured_remote_stands_for_an_address_before_a_learned_one() {
    let tables = tables(small(), Settings::default());
    let remotes = tables.remotes();
    let here = at(1).address;
    let learned = remotes.find_or_learn(&at(1)).unwrap();
    assert_eq!(remotes.find_by_address(here, 0), Some(learned));
    let [first, second] = [1, 2].map(|port| remotes.add(&Remote::new(here, port)).unwrap());
    assert_eq!(remotes.find_by_address(here, 0), Some(first));
    remotes.remove(first).unwrap();
    assert_eq!(remotes.find_by_address(here, 0), Some(second), "not the learned one");
    remotes.remove(second).unwrap();
    assert_eq!(remotes.find_by_address(here, 0), Some(learned));
    // Another learned one changes nothing, until somebody configures it.
    let other = Remote::new(here, 3);
    let other_id = remotes.find_or_learn(&other).unwrap();
    assert_eq!(remotes.find_by_address(here, 0), Some(learned));
    assert_eq!(remotes.find_or_add(&other), Ok(other_id));
    assert_eq!(remotes.find_by_address(here, 0), Some(other_id));
}

/// The next one is looked for behind the one that went, so that to remove all does not take quadratic time.
#[test]
fn the_next_remote_stands_for_an_address() {
    let tables = tables(Capacity { remotes: 5, vnis: 1, ..Capacity::NONE }, Settings::default());
    let remotes = tables.remotes();
    let add = |vni| remotes.add(&at(1).vni(Vni::truncate(vni))).unwrap();
    let all: Vec<_> = (0..5).map(add).collect();
    let stands = || remotes.find_by_address(at(1).address, 0);
    remotes.remove(all[0]).unwrap();
    // In the first one's place, which comes last.
    let again = add(9);
    for &next in &all[1..] {
        assert_eq!(stands(), Some(next));
        remotes.remove(next).unwrap();
    }
    assert_eq!(stands(), Some(again));
}
