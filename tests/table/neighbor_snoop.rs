//! What neighbours are learned from: the rules of ARP and Neighbor Discovery, each by name.

use std::net::{IpAddr, Ipv6Addr};

use encap::{
    table::{
        Capacity, NeighborLearned, NeighborRefusal, NeighborState, Neighbors, NewNeighbor, Settings, Snooping,
    },
    time::Instant,
    wire::{
        MacAddr, Vni, arp,
        ndp::{Advertisement, Answer, Solicitation},
        ndp_check::{self, Received},
        ndp_option::{NeighborOption, Options},
    },
};

use crate::{
    common::{NOW, VNI, mac, small, tables},
    neighbor::{HOST, HOST6, after, snooping, state},
};

/// An advertisement of [`HOST6`].
fn advertise(
    neighbors: &Neighbors<'_>,
    now: Instant,
    mac: Option<MacAddr>,
    (solicited, overrides, router): (bool, bool, bool),
) -> NeighborLearned {
    let packet = Answer { solicitor: HOST6, target: HOST6, mac: MacAddr::ZERO, router, overrides }.to_bytes();
    let valid = ndp_check::check_advertisement(&packet).unwrap();
    let option = mac.map(NeighborOption::target_address);
    let message = Advertisement { solicited, ..valid.message };
    let options = Options::new(option.as_ref().map_or(&[], |option| &option[..]));
    neighbors.snoop_na(now, VNI, &Received { message, options, ..valid })
}

#[test]
fn snooping_is_off_by_default() {
    let tables = tables(small(), Settings::default());
    let off = NeighborLearned::Refused(NeighborRefusal::Off);
    tables.neighbors().add(VNI, HOST, NewNeighbor::new(mac(1)).state(NeighborState::Stale, NOW)).unwrap();
    assert_eq!(tables.neighbors().learn(NOW, VNI, HOST, mac(2), None), off);
    assert_eq!(advertise(&tables.neighbors(), NOW, Some(mac(1)), (true, true, false)), off);
    assert_eq!(state(&tables.neighbors(), NOW, HOST), Some(NeighborState::Stale));
}

#[test]
fn snooping_known_adds_nobody() {
    let tables = snooping(Snooping::Known);
    let neighbors = tables.neighbors();
    let unknown = NeighborLearned::Refused(NeighborRefusal::UnknownNeighbor);
    assert_eq!(neighbors.learn(NOW, VNI, HOST, mac(1), None), unknown);
    neighbors.add(VNI, HOST, NewNeighbor::unknown(NOW)).unwrap();
    assert_eq!(neighbors.learn(NOW, VNI, HOST, mac(1), None), NeighborLearned::New);
    assert_eq!(neighbors.learn(NOW, VNI, HOST, mac(2), None), NeighborLearned::Moved { from: mac(1) });
    assert_eq!(neighbors.learn(after(302), VNI, HOST, mac(2), None), unknown);
}

#[test]
fn learning_adds_no_vni() {
    let tables = snooping(Snooping::All);
    let unknown = NeighborLearned::Refused(NeighborRefusal::UnknownVni);
    assert_eq!(tables.neighbors().learn(NOW, Vni::truncate(43), HOST, mac(1), None), unknown);
    assert!(!tables.fdb().knows(Vni::truncate(43)));
}

#[test]
fn learning_changes_no_permanent_neighbour() {
    let tables = snooping(Snooping::All);
    let neighbors = tables.neighbors();
    for fixed in [NeighborState::Permanent, NeighborState::NoArp] {
        let _ = neighbors.replace(VNI, HOST, NewNeighbor::new(mac(1)).state(fixed, NOW)).unwrap();
        let before = neighbors.get(NOW, VNI, HOST);
        assert_eq!(neighbors.learn(NOW, VNI, HOST, mac(1), Some(true)), NeighborLearned::Unchanged);
        let refused = NeighborLearned::Refused(NeighborRefusal::Static);
        assert_eq!(neighbors.learn(NOW, VNI, HOST, mac(2), Some(true)), refused);
        assert_eq!(neighbors.get(after(1), VNI, HOST), before);
    }
}

#[test]
fn a_full_table_learns_when_the_expired_have_gone() {
    let mut settings = Settings::default();
    settings.snooping = Snooping::All;
    let tables = tables(Capacity { neighbors: 2, ..small() }, settings);
    tables.fdb().add_vni(VNI).unwrap();
    let neighbors = tables.neighbors();
    let address = |last| IpAddr::from([10, 1, 0, last]);
    for last in [1, 2] {
        assert_eq!(neighbors.learn(NOW, VNI, address(last), mac(1), None), NeighborLearned::New);
    }
    let full = NeighborLearned::Refused(NeighborRefusal::TableFull);
    assert_eq!(neighbors.learn(after(300), VNI, address(3), mac(1), None), full);
    // Two buckets are the whole table here.
    assert_eq!(neighbors.learn(after(302), VNI, address(3), mac(1), None), NeighborLearned::New);
    assert_eq!(neighbors.count(), 1);
}

#[test]
fn rfc826_requests_and_replies_teach_their_sender() {
    let tables = snooping(Snooping::All);
    let neighbors = tables.neighbors();
    let IpAddr::V4(sender_ip) = HOST else { panic!("IPv4") };
    let arp = |operation| arp::Header {
        operation,
        sender_mac: mac(1),
        sender_ip,
        target_mac: mac(9),
        target_ip: [10, 1, 0, 9].into(),
    };
    let request = arp(arp::Operation::REQUEST);
    assert_eq!(neighbors.snoop_arp(NOW, VNI, &request), NeighborLearned::New);
    let reply = arp(arp::Operation::REPLY);
    assert_eq!(neighbors.snoop_arp(NOW, VNI, &reply), NeighborLearned::Refreshed);
    let moved = arp::Header { sender_mac: mac(2), ..request };
    assert_eq!(neighbors.snoop_arp(NOW, VNI, &moved), NeighborLearned::Moved { from: mac(1) });
    assert_eq!(state(&neighbors, NOW, HOST), Some(NeighborState::Reachable));
    assert_eq!(neighbors.count(), 1, "the target teaches nothing");
    // RARP (3, 4) and InARP (8, 9) mean other things by these fields.
    for operation in (0..=9).filter(|operation| !(1..=2).contains(operation)) {
        let refused = NeighborLearned::Refused(NeighborRefusal::Operation);
        assert_eq!(neighbors.snoop_arp(NOW, VNI, &arp(arp::Operation(operation))), refused);
    }
}

#[test]
fn rfc5227_s2_1_1_probes_teach_nothing() {
    let tables = snooping(Snooping::All);
    let probe = arp::Header {
        operation: arp::Operation::REQUEST,
        sender_mac: mac(1),
        sender_ip: [0; 4].into(),
        target_mac: MacAddr::ZERO,
        target_ip: [10, 1, 0, 2].into(),
    };
    let refused = NeighborLearned::Refused(NeighborRefusal::InvalidAddress);
    assert_eq!(tables.neighbors().snoop_arp(NOW, VNI, &probe), refused);
    assert_eq!(tables.neighbors().count(), 0);
}

/// Flags of an advertisement: solicited, override, router.
const UNSOLICITED: (bool, bool, bool) = (false, false, false);
const OVERRIDE: (bool, bool, bool) = (false, true, false);
const SOLICITED: (bool, bool, bool) = (true, false, false);

/// A table in which [`HOST6`] has `mac(1)` and is in this state.
fn knowing(neighbors: &Neighbors<'_>, state: NeighborState) {
    let _ = neighbors.replace(VNI, HOST6.into(), NewNeighbor::new(mac(1)).state(state, NOW)).unwrap();
}

/// "If the target's Neighbor Cache entry is in the INCOMPLETE state": without an address the advertisement is
/// discarded, with one it is REACHABLE if solicited and STALE if not.
#[test]
fn rfc4861_s7_2_5_incomplete() {
    let tables = snooping(Snooping::Known);
    let neighbors = tables.neighbors();
    for (flags, expected) in [(SOLICITED, NeighborState::Reachable), (UNSOLICITED, NeighborState::Stale)] {
        let _ = neighbors.replace(VNI, HOST6.into(), NewNeighbor::unknown(NOW)).unwrap();
        let refused = NeighborLearned::Refused(NeighborRefusal::NoMac);
        assert_eq!(advertise(&neighbors, NOW, None, flags), refused);
        assert_eq!(advertise(&neighbors, NOW, Some(mac(1)), flags), NeighborLearned::New);
        assert_eq!(state(&neighbors, NOW, HOST6.into()), Some(expected));
    }
}

/// "If the Override flag is clear and the supplied link-layer address differs from that in the cache, then […] a.
/// If the state of the entry is REACHABLE, set it to STALE, but do not update the entry in any other way. b.
/// Otherwise, the received advertisement should be ignored and MUST NOT update the cache."
#[test]
fn rfc4861_s7_2_5_another_address_without_override() {
    let tables = snooping(Snooping::All);
    let neighbors = tables.neighbors();
    let refused = NeighborLearned::Refused(NeighborRefusal::NoOverride);
    for solicited in [false, true] {
        knowing(&neighbors, NeighborState::Reachable);
        assert_eq!(advertise(&neighbors, after(5), Some(mac(2)), (solicited, false, true)), refused);
        let neighbor = neighbors.get(after(5), VNI, HOST6.into()).unwrap();
        assert_eq!((neighbor.mac, neighbor.state), (mac(1), NeighborState::Stale));
        assert!(!neighbor.router && neighbor.age.unwrap().as_secs() >= 4, "nothing else has changed");
        for other in [NeighborState::Stale, NeighborState::Delay, NeighborState::Probe] {
            knowing(&neighbors, other);
            let before = neighbors.get(after(5), VNI, HOST6.into());
            assert_eq!(advertise(&neighbors, after(5), Some(mac(2)), (solicited, false, true)), refused);
            assert_eq!(neighbors.get(after(5), VNI, HOST6.into()), before);
        }
    }
}

/// "The link-layer address in the Target Link-Layer Address option MUST be inserted in the cache (if one is
/// supplied and differs from the already recorded address). If the Solicited flag is set, the state of the entry
/// MUST be set to REACHABLE. If the Solicited flag is zero and the link-layer address was updated with a different
/// address, the state MUST be set to STALE."
#[test]
fn rfc4861_s7_2_5_another_address_with_override() {
    let tables = snooping(Snooping::All);
    let neighbors = tables.neighbors();
    for (solicited, expected) in [(false, NeighborState::Stale), (true, NeighborState::Reachable)] {
        for before in
            [NeighborState::Reachable, NeighborState::Stale, NeighborState::Delay, NeighborState::Probe]
        {
            knowing(&neighbors, before);
            let moved = advertise(&neighbors, NOW, Some(mac(2)), (solicited, true, false));
            assert_eq!(moved, NeighborLearned::Moved { from: mac(1) });
            let neighbor = neighbors.get(NOW, VNI, HOST6.into()).unwrap();
            assert_eq!((neighbor.mac, neighbor.state), (mac(2), expected));
        }
    }
}

/// "Otherwise, the entry's state remains unchanged", and "the IsRouter flag in the cache entry MUST be set based on
/// the Router flag in the received advertisement."
#[test]
fn rfc4861_s7_2_5_the_same_address() {
    let tables = snooping(Snooping::All);
    let neighbors = tables.neighbors();
    for before in [NeighborState::Reachable, NeighborState::Stale, NeighborState::Delay, NeighborState::Probe]
    {
        for (option, flags) in [(Some(mac(1)), UNSOLICITED), (Some(mac(1)), OVERRIDE), (None, UNSOLICITED)] {
            knowing(&neighbors, before);
            assert_eq!(advertise(&neighbors, NOW, option, flags), NeighborLearned::Unchanged);
            assert_eq!(state(&neighbors, NOW, HOST6.into()), Some(before));
            let router = (flags.0, flags.1, true);
            assert_eq!(advertise(&neighbors, NOW, option, router), NeighborLearned::Refreshed);
            let neighbor = neighbors.get(NOW, VNI, HOST6.into()).unwrap();
            assert_eq!((neighbor.state, neighbor.router), (before, true));
        }
        for option in [Some(mac(1)), None] {
            knowing(&neighbors, before);
            assert_eq!(advertise(&neighbors, after(9), option, SOLICITED), NeighborLearned::Refreshed);
            assert_eq!(state(&neighbors, after(9), HOST6.into()), Some(NeighborState::Reachable));
        }
    }
}

/// A host discards an advertisement for an address that it does not know; who snoops for others learns it.
#[test]
fn rfc4861_s7_2_5_an_unknown_target_is_learned_by_who_snoops_all() {
    let known = snooping(Snooping::Known);
    let refused = NeighborLearned::Refused(NeighborRefusal::UnknownNeighbor);
    assert_eq!(advertise(&known.neighbors(), NOW, Some(mac(1)), SOLICITED), refused);
    let all = snooping(Snooping::All);
    assert_eq!(advertise(&all.neighbors(), NOW, Some(mac(1)), (false, false, true)), NeighborLearned::New);
    let neighbor = all.neighbors().get(NOW, VNI, HOST6.into()).unwrap();
    assert_eq!((neighbor.state, neighbor.router), (NeighborState::Stale, true));
}

/// "If an entry does not already exist, the node SHOULD create a new one and set its reachability state to STALE
/// […]. If a Neighbor Cache entry already exists, and the cached link-layer address differs from the one in the
/// received Source Link-Layer option, the cached address should be replaced by the received address, and the
/// entry's reachability state MUST be set to STALE."
#[test]
fn rfc4861_s7_2_3_solicitations_teach_their_sender() {
    let tables = snooping(Snooping::All);
    let neighbors = tables.neighbors();
    let solicit = |source: Ipv6Addr, mac: Option<MacAddr>| {
        let packet =
            Answer { solicitor: HOST6, target: HOST6, mac: MacAddr::ZERO, router: false, overrides: false };
        let packet = packet.to_bytes();
        let ip = ndp_check::check_advertisement(&packet).unwrap().ip;
        let option = mac.map(NeighborOption::source_address);
        let options = Options::new(option.as_ref().map_or(&[], |option| &option[..]));
        let message = Solicitation { checksum: 0, target: "fd01::9".parse().unwrap() };
        let ip = encap::wire::ipv6::Header { source, ..ip };
        neighbors.snoop_ns(NOW, VNI, &Received { ip, message, options })
    };
    assert_eq!(solicit(HOST6, None), NeighborLearned::Refused(NeighborRefusal::NoMac));
    assert_eq!(solicit(HOST6, Some(mac(1))), NeighborLearned::New);
    assert_eq!(state(&neighbors, NOW, HOST6.into()), Some(NeighborState::Stale));
    knowing(&neighbors, NeighborState::Reachable);
    assert_eq!(solicit(HOST6, Some(mac(1))), NeighborLearned::Unchanged);
    assert_eq!(state(&neighbors, NOW, HOST6.into()), Some(NeighborState::Reachable));
    assert_eq!(solicit(HOST6, Some(mac(2))), NeighborLearned::Moved { from: mac(1) });
    assert_eq!(state(&neighbors, NOW, HOST6.into()), Some(NeighborState::Stale));
    let nobody = NeighborLearned::Refused(NeighborRefusal::InvalidAddress);
    assert_eq!(solicit(Ipv6Addr::UNSPECIFIED, Some(mac(1))), nobody);
    assert_eq!(neighbors.count(), 1, "the target teaches nothing");
}
