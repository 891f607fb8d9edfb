//! What the kernel says, and what is in our tables then.

use std::net::Ipv4Addr;

use encap::{table::Capacity, vtep::Config};

use super::*;
use crate::{
    shared::{Clock, Shared},
    tables::Engine,
};

const SEGMENT: Vni = Vni::truncate(42);

/// Number of a device that nobody has.
const DEVICE: u32 = u32::MAX;

fn engine() -> Engine {
    let mut config = Config::linux();
    config.local = Some(Ipv4Addr::LOCALHOST);
    let capacity = Capacity { entries: 64, vnis: 1, remotes: 8, lists: 4, members: 16, ..Capacity::NONE };
    let engine = Engine::with_capacity(config, capacity, [1, 2]).unwrap();
    engine.fdb().add_vni(SEGMENT).unwrap();
    engine
}

fn mirror<'a>(vtep: &'a Engine, shared: &'a Shared) -> Mirror<'a> {
    Mirror {
        ends: Ends { vtep, shared, clock: Clock::start(), ports: &[], verbose: false },
        entries: DEVICE,
        neighbors: None,
        segment: Some(SEGMENT),
        kernel: Neighbors::open().unwrap(),
        known: Known::default(),
        round: 1,
        pending: None,
        lost: false,
    }
}

fn entry(mac: MacAddr, remote: u8) -> Neighbor {
    let remote = IpAddr::from([192, 0, 2, remote]);
    let kind = Kind::Entry { mac, remote, port: None, vni: None, egress: None, segment: None };
    Neighbor {
        device: DEVICE,
        kind,
        state: State::PERMANENT,
        extern_learned: false,
        router: false,
        sticky: false,
    }
}

const fn host(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

#[test]
fn what_was_lost_is_asked_for_when_the_question_before_is_answered() {
    let (vtep, shared) = (engine(), Shared::default());
    let mut mirror = mirror(&vtep, &shared);
    mirror.hear(&Told::Is(entry(host(1), 1))).unwrap();
    let entries = || vtep.fdb().dump(Clock::start().now()).count();
    // One that the kernel is still at.
    (mirror.round, mirror.pending, mirror.lost) = (2, Some((77, false)), true);
    mirror.turn().unwrap();
    assert_eq!((mirror.round, mirror.pending), (2, Some((77, false))));
    mirror.hear(&Told::Complete(77)).unwrap();
    assert_eq!(entries(), 1, "nobody knows what was lost");
    while mirror.round == 2 || mirror.pending.is_some() {
        mirror.turn().unwrap();
    }
    assert_eq!((mirror.round, entries()), (3, 0));
}

#[test]
fn a_remote_is_left_with_the_last_entry_that_leads_there() {
    let (vtep, shared) = (engine(), Shared::default());
    let mut mirror = mirror(&vtep, &shared);
    let remotes = || {
        let mut remotes: Vec<_> = vtep.remotes().iter().map(|(_, remote)| remote.address).collect();
        remotes.sort();
        remotes.iter().map(|address| address.to_string().split_off(8)).collect::<Vec<_>>()
    };
    for (told, left) in [
        (Told::Is(entry(host(1), 1)), &["1"][..]),
        (Told::Is(entry(host(2), 1)), &["1"]),
        (Told::Is(entry(MacAddr::ZERO, 3)), &["1", "3"]),
        (Told::Is(entry(MacAddr::ZERO, 4)), &["1", "3", "4"]),
        (Told::Is(entry(host(1), 2)), &["1", "2", "3", "4"]),
        // Late, of before it moved.
        (Told::Gone(entry(host(1), 1)), &["1", "2", "3", "4"]),
        (Told::Is(entry(host(1), 2)), &["1", "2", "3", "4"]),
        (Told::Gone(entry(host(2), 1)), &["2", "3", "4"]),
        (Told::Gone(entry(MacAddr::ZERO, 3)), &["2", "4"]),
        (Told::Gone(entry(host(1), 2)), &["4"]),
    ] {
        mirror.hear(&told).unwrap();
        assert_eq!(remotes(), left, "{told:?}");
    }
}

#[test]
fn groups_that_nobody_has_joined_are_told_once() {
    let (vtep, shared) = (engine(), Shared::default());
    let mut mirror = mirror(&vtep, &shared);
    let at = |address: &str| Remote::new(address.parse().unwrap(), 4_789);
    vtep.add_remote(&at("239.1.1.1")).unwrap();
    for (remote, is_new) in [
        (at("239.1.1.1"), false),
        (at("239.1.1.1").vni(SEGMENT), false),
        (at("239.1.1.2"), true),
        (at("192.0.2.1"), false),
    ] {
        assert_eq!(mirror.is_new_group(&remote), is_new, "{remote:?}");
    }
    let mut told = entry(MacAddr::ZERO, 0);
    if let Kind::Entry { remote, .. } = &mut told.kind {
        *remote = at("239.1.1.2").address;
    }
    mirror.hear(&Told::Is(told)).unwrap();
    assert!(!mirror.is_new_group(&at("239.1.1.2")));
    mirror.hear(&Told::Gone(told)).unwrap();
    assert!(mirror.is_new_group(&at("239.1.1.2")));
}

#[test]
fn a_question_that_is_refused_is_asked_again() {
    let (vtep, shared) = (engine(), Shared::default());
    let mut mirror = mirror(&vtep, &shared);
    mirror.start_round().unwrap();
    let (number, _) = mirror.pending.unwrap();
    mirror.hear(&Told::Refused(number)).unwrap();
    while mirror.round == 2 || mirror.pending.is_some() {
        mirror.turn().unwrap();
    }
    assert_eq!(mirror.round, 3);
}
