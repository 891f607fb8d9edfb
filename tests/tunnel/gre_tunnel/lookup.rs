//! Which of many tunnels a packet is for, as Linux finds it, and NVGRE's segments.

use std::net::IpAddr;

use encap::{
    tunnel::{
        DropReason, Payload, Start,
        gre::{Arrived, InputKey, Selector, Tunnels, TunnelsError},
        icmp, nvgre,
    },
    wire::{
        EtherType, Vni,
        gre::{Header, Key},
        icmp_quote::{self, Problem},
        icmpv4::{self, Problem::Unreachable as V4},
        icmpv6::{self, Problem::Unreachable as V6},
    },
};
use proptest::prelude::*;

use super::{peer, to_peer};
use crate::common::{any_frame, edit, encap, ends, ip};

const IP: Header = Header::new(EtherType::IPV4);

fn any_of(v6: bool) -> IpAddr {
    ip(if v6 { "::" } else { "0.0.0.0" })
}

fn group_of(v6: bool) -> IpAddr {
    ip(if v6 { "ff0e::9" } else { "239.0.0.9" })
}

fn keyed(key: u32) -> Header {
    Header { key: Some(Key(key)), ..IP }
}

/// A tunnel of IP between these, the remote first.
fn selector(id: u32, remote: IpAddr, local: IpAddr) -> Selector {
    Selector::new(id, Payload::Ip, local, remote)
}

/// The tunnel of a packet from the first end to the second on link 1; whatever the order of the tunnels.
fn find(selectors: &[Selector], packet: Arrived) -> Option<u32> {
    let mut sorted = selectors.to_vec();
    sorted.sort_unstable();
    Tunnels::new(&sorted).unwrap().find(&packet.link(1))
}

fn arrived(v6: bool, header: Header) -> Arrived {
    let (a, b) = ends(v6);
    Arrived::new(a, b, header)
}

#[test]
fn b3_the_order_of_the_steps() {
    for v6 in [false, true] {
        let ((a, b), any) = (ends(v6), any_of(v6));
        let mut all =
            vec![selector(4, any, any), selector(3, any, b), selector(2, a, any), selector(1, a, b)];
        for expected in [1, 2, 3, 4] {
            assert_eq!(find(&all, arrived(v6, IP)), Some(expected));
            // Those of others do not matter.
            let (c, d) = (ip("192.0.2.77"), ip("2001:db8::77"));
            let other = if v6 { d } else { c };
            let more = [selector(9, other, b), selector(8, a, other), selector(7, group_of(v6), b)];
            assert_eq!(find(&[&all[..], &more].concat(), arrived(v6, IP)), Some(expected));
            all.pop();
        }
        assert_eq!(find(&all, arrived(v6, IP)), None);
        assert_eq!(
            find(&[selector(1, b, a)], arrived(v6, IP)),
            None,
            "a remote that is no group is a source"
        );
    }
}

#[test]
fn b3_the_multicast_group_of_a_tunnel_is_its_packets_destination() {
    for v6 in [false, true] {
        let ((a, b), any, group) = (ends(v6), any_of(v6), group_of(v6));
        let to_group = Arrived::new(a, group, IP);
        let all = [selector(1, group, b), selector(2, any, any), selector(3, a, b), selector(4, any, b)];
        assert_eq!(find(&all, to_group), Some(1));
        assert_eq!(find(&all, Arrived::new(a, group, keyed(7))), None);
        assert_eq!(find(&all[1..], to_group), Some(2));
        // Several local addresses, and the key among them.
        let other = if v6 { ip("2001:db8::3") } else { ip("192.0.2.3") };
        let key = |it: Selector| it.key(InputKey::Key(Key(7)));
        let all = [selector(1, group, b), key(selector(2, group, b)), selector(3, group, other)];
        assert_eq!(find(&all, Arrived::new(a, group, keyed(7))), Some(2));
        assert_eq!(find(&all, to_group), Some(3), "the newest");
    }
}

#[test]
fn b3_the_link_is_a_preference_and_not_a_filter() {
    for v6 in [false, true] {
        let ((a, b), any) = (ends(v6), any_of(v6));
        let packet = arrived(v6, IP);
        assert_eq!(find(&[selector(1, a, b).link(2)], packet), Some(1), "on another link");
        assert_eq!(find(&[selector(1, a, b).link(2), selector(2, a, b).link(1)], packet), Some(2));
        assert_eq!(find(&[selector(1, a, b).link(1), selector(2, a, b)], packet), Some(1));
        // Even any addresses, on the link, come before both addresses elsewhere or anywhere.
        let all = [selector(1, a, b), selector(2, a, any).link(2), selector(3, any, any).link(1)];
        assert_eq!(find(&all, packet), Some(3));
        // Of candidates the first step's.
        assert_eq!(find(&all[..2], packet), Some(1));
        // A packet from nowhere in particular has no link in common with a tunnel.
        let mut sorted = all;
        sorted.sort_unstable();
        assert_eq!(Tunnels::new(&sorted).unwrap().find(&packet), Some(1));
    }
}

#[test]
fn b3_of_several_candidates_the_oldest_in_the_first_step_and_the_newest_in_others() {
    let ((a, b), any) = (ends(false), any_of(false));
    for (remote, local, expected) in [(a, b, 1), (a, any, 3), (any, b, 3), (any, any, 3)] {
        let all = [2, 3, 1].map(|id| selector(id, remote, local).link(10 * id));
        assert_eq!(find(&all, arrived(false, IP)), Some(expected));
    }
    // Over IPv6, the newest in all.
    let ((a, b), any) = (ends(true), any_of(true));
    for (remote, local) in [(a, b), (a, any), (any, b), (any, any)] {
        let all = [2, 3, 1].map(|id| selector(id, remote, local).link(10 * id));
        assert_eq!(find(&all, arrived(true, IP)), Some(3));
    }
}

#[test]
fn b3_keys_are_absent_or_equal_over_ipv4_and_equal_values_over_ipv6_and_for_any_addresses() {
    for v6 in [false, true] {
        let ((a, b), any) = (ends(v6), any_of(v6));
        for (remote, local) in [(a, b), (a, any), (any, b), (any, any)] {
            let by_value = v6 || remote == local;
            for (packet, tunnel, exact, value) in [
                (None, None, true, true),
                (Some(7), Some(7), true, true),
                (Some(0), Some(0), true, true),
                (Some(7), Some(8), false, false),
                (Some(7), None, false, false),
                (None, Some(7), false, false),
                (Some(0), None, false, true),
                (None, Some(0), false, true),
            ] {
                let key = tunnel.map_or(InputKey::Absent, |key| InputKey::Key(Key(key)));
                let header = Header { key: packet.map(Key), ..IP };
                let found = find(&[selector(1, remote, local).key(key)], arrived(v6, header)).is_some();
                assert_eq!(found, if by_value { value } else { exact }, "{packet:?} {tunnel:?} {remote}");
            }
        }
    }
}

#[test]
fn b3_a_tunnel_that_is_down_is_none() {
    let (a, b) = ends(false);
    let all = [selector(1, a, b).up(false), selector(2, any_of(false), b)];
    assert_eq!(find(&all, arrived(false, IP)), Some(2));
    assert_eq!(find(&all[..1], arrived(false, IP)), None);
}

#[test]
fn b2_7_b2_8_frames_and_erspan_have_tunnels_of_their_own() {
    for v6 in [false, true] {
        let (a, b) = ends(v6);
        let frames = |id| Selector::new(id, Payload::Ethernet, b, a);
        let all = [frames(1), selector(2, a, b)];
        let of = |protocol| arrived(v6, Header::new(EtherType(protocol)));
        assert_eq!(find(&all, of(0x6558)), Some(1));
        for protocol in [0x0800, 0x86dd, 0x8847, 0x883e, 0] {
            assert_eq!(find(&all, of(protocol)), Some(2));
            assert_eq!(find(&all[..1], of(protocol)), None);
        }
        for erspan in [0x88be, 0x22eb] {
            assert_eq!(find(&all, of(erspan)), None, "they have tunnels of their own");
        }
        // One for IP will do, if there is none for frames, not even with any addresses.
        assert_eq!(find(&all[1..], of(0x6558)), Some(2));
        let any = any_of(v6);
        let wild = [selector(1, a, b), Selector::new(2, Payload::Ethernet, any, any)];
        assert_eq!(find(&wild, of(0x6558)), Some(2));
        // A link counts less than what is carried.
        let linked = [selector(1, a, b).link(1), frames(2)];
        assert_eq!(find(&linked, of(0x6558)), Some(2));
    }
}

#[test]
fn b2_9_without_a_tunnel_the_sender_hears_that_the_port_is_unreachable() {
    for v6 in [false, true] {
        let (a, b) = ends(v6);
        let told = |packet: &[u8]| {
            assert_eq!(find(&[selector(1, b, a)], Arrived::read(packet, Start::Ip).unwrap()), None);
            let answer = edit(packet, |packet| match b {
                IpAddr::V4(us) => icmp::report_ipv4(packet, V4(icmpv4::Unreachable::PORT), us, 64),
                IpAddr::V6(us) => icmp::report_ipv6(packet, V6(icmpv6::Unreachable::PORT), us, 64),
            });
            answer.map(|((), answer)| answer)
        };
        let packet = to_peer(v6, keyed(9), &[1; 40]);
        let answer = told(&packet).unwrap();
        let report = icmp_quote::parse(&answer).unwrap();
        assert_eq!((report.reporter, report.quote.source, report.quote.destination), (b, a, b));
        assert_eq!(
            report.problem,
            if v6 {
                Problem::V6(V6(icmpv6::Unreachable::PORT))
            } else {
                Problem::V4(V4(icmpv4::Unreachable::PORT))
            }
        );
        // Nobody is told of a packet that went to many.
        assert!(told(&super::outer(a, group_of(v6), &[0, 0, 8, 0])).is_err());
        // What cannot be read is dropped in silence: there is nothing to find a tunnel by.
        assert_eq!(Arrived::read(&super::outer(a, b, &[0, 1, 8, 0]), Start::Ip), Err(DropReason::GreVersion));
    }
}

#[test]
fn rfc7637_s3_2_a_segment_is_found_whatever_the_flow() {
    let (a, b) = ends(false);
    let segment = |id, n| Selector::new(id, Payload::Ethernet, b, a).key(InputKey::Vsid(Vni::truncate(n)));
    let all = [segment(1, 5001), segment(2, 5002)];
    let of = |key| arrived(false, Header { protocol: EtherType::TEB, ..keyed(key) });
    for flow in 0..=255 {
        assert_eq!(find(&all, of(5001 << 8 | flow)), Some(1));
        assert_eq!(find(&all, of(5002 << 8 | flow)), Some(2));
        assert_eq!(find(&all, of(5003 << 8 | flow)), None);
    }
    // Not NVGRE's form.
    let header = of(5001 << 8 | 3).header;
    for header in [
        Header { checksum: Some(0), ..header },
        Header { sequence: Some(0), ..header },
        Header { protocol: EtherType::IPV4, ..header },
        Header { key: None, ..header },
    ] {
        assert_eq!(find(&all, arrived(false, header)), None, "{header:?}");
    }
    // The very key comes first, on whatever link, and whatever the step.
    let very = |from| Selector::new(3, Payload::Ethernet, b, from).key(InputKey::Key(Key(5001 << 8 | 3)));
    let found = [a, any_of(false)].map(|from| find(&[all[0].link(1), very(from)], of(5001 << 8 | 3)));
    assert_eq!(found, [Some(3); 2]);
    assert_eq!(find(&[all[0], very(a)], of(5001 << 8 | 4)), Some(1));
    assert_eq!(find(&[very(a)], of(5001 << 8 | 4)), None, "Linux's gretap does not mask");
}

/// Over IPv6, and for any addresses, no key is the same as key zero; a segment is none of the two.
#[test]
fn rfc7637_s3_2_segment_zero_is_found_whatever_the_flow() {
    for v6 in [false, true] {
        let ((a, b), any) = (ends(v6), any_of(v6));
        for (remote, local) in [(a, b), (a, any), (any, b), (any, any)] {
            let frames = |id, key| Selector::new(id, Payload::Ethernet, local, remote).key(key);
            let segment = frames(1, InputKey::Vsid(Vni::truncate(0)));
            for flow in 0..=255 {
                let packet = arrived(v6, Header { protocol: EtherType::TEB, ..keyed(flow) });
                assert_eq!(find(&[segment], packet), Some(1), "{remote} {local} {flow}");
                let very = frames(2, InputKey::Key(Key(flow)));
                assert_eq!(find(&[segment, very], packet), Some(2), "it comes first");
            }
            assert_eq!(find(&[segment], arrived(v6, Header::new(EtherType::TEB))), None, "no key");
        }
    }
}

#[test]
fn packets_say_whose_they_are() {
    let (a, b) = ends(false);
    let endpoint = nvgre::Endpoint::new(a).build().unwrap();
    let remote = endpoint.remote(b, Vni::truncate(5001)).unwrap();
    let packet = encap(&endpoint, &remote, &Default::default(), &any_frame()).unwrap();
    let arrived = Arrived::read(&packet, Start::Ip).unwrap();
    assert_eq!((arrived.source, arrived.destination, arrived.link), (a, b, None));
    let segment = Selector::new(7, Payload::Ethernet, b, a).key(InputKey::Vsid(Vni::truncate(5001)));
    assert_eq!(find(&[segment], arrived), Some(7));

    // A tunnel's own selector, and what comes for it in a frame.
    for v6 in [false, true] {
        let tunnel = peer(v6, |c| c.ikey(Key(9)));
        let packet = to_peer(v6, keyed(9), &[1; 40]);
        let arrived = Arrived::read(&crate::common::frame(&[], &packet), Start::Ethernet).unwrap();
        assert_eq!(find(&[tunnel.selector(3)], arrived), Some(3));
        assert_eq!(find(&[peer(v6, |c| c).selector(3)], arrived), None);
    }
    let mut other = packet.clone();
    other[9] = 17;
    assert_eq!(Arrived::read(&other, Start::Ip), Err(DropReason::OtherProtocol));
    other[6] = 1;
    assert_eq!(Arrived::read(&other, Start::Ip), Err(DropReason::Fragment));
    assert_eq!(Arrived::read(&packet[..27], Start::Ip), Err(DropReason::GreTruncated));
    assert_eq!(Arrived::read(&packet[..19], Start::Ip), Err(DropReason::Ipv4Truncated));
    assert_eq!(Arrived::read(&packet, Start::EtherType(EtherType::ARP)), Err(DropReason::NotIp));
}

#[test]
fn b3_b6_selectors_in_order_and_none_twice() {
    let (a, b) = ends(false);
    let build = |selectors: &[Selector]| Tunnels::new(selectors).err();
    assert_eq!(build(&[]), None);
    let (one, two) = (selector(1, a, b), selector(2, a, b));
    assert_eq!(build(&[one, two]), Some(TunnelsError::Same { ids: (1, 2) }), "EEXIST");
    assert_eq!(build(&[one, two.up(false)]), Some(TunnelsError::Same { ids: (1, 2) }));
    // All that they may differ in.
    assert_eq!(build(&[one, two.link(1)]), None);
    assert_eq!(build(&[one, two.key(InputKey::Key(Key(0)))]), None);
    assert_eq!(build(&[Selector::new(1, Payload::Ethernet, b, a), two]), None);
    assert_eq!(build(&[two.link(1), one]), Some(TunnelsError::Order { ids: (2, 1) }));
    let mixed = selector(5, a, any_of(true));
    assert_eq!(build(&[mixed]), Some(TunnelsError::FamilyMismatch { id: 5 }));
    let text = TunnelsError::Order { ids: (2, 1) }.to_string();
    assert_eq!(text, "tunnels 2 and 1 are out of order: sort them");
}

/// Linux's search, over lists with the newest first. Over IPv4 there is a list for frames and one for everything else,
/// and frames are looked for in both; over IPv6 there is one list, and scores.
fn naive(all: &[Selector], packet: &Arrived) -> Option<u32> {
    let kind = if packet.header.protocol == EtherType::TEB { Payload::Ethernet } else { Payload::Ip };
    let of = |payload| all.iter().copied().filter(move |it| it.payload == payload).collect::<Vec<_>>();
    if packet.source.is_ipv4() {
        return search(&of(kind), packet, kind).or_else(|| search(&of(Payload::Ip), packet, Payload::Ip));
    }
    let takes = all.iter().copied().filter(|it| it.payload == kind || it.payload == Payload::Ip);
    search(&takes.collect::<Vec<_>>(), packet, kind)
}

/// One of these searches.
fn search(all: &[Selector], packet: &Arrived, kind: Payload) -> Option<u32> {
    let mut list: Vec<&Selector> = all.iter().filter(|it| it.is_up).collect();
    list.sort_by_key(|it| std::cmp::Reverse(it.id));
    let v6 = packet.source.is_ipv6();
    let value = |key: InputKey| if let InputKey::Key(Key(key)) = key { key } else { 0 };
    let packet_key = packet.header.key.map_or(InputKey::Absent, InputKey::Key);
    let mut candidate = None;
    let mut candidate_score = 4;
    for step in 1..=4 {
        for it in &list {
            let local = it.local == packet.destination;
            let remote = it.remote == packet.source;
            let (any_local, any_remote) = (it.local.is_unspecified(), it.remote.is_unspecified());
            let group = packet.destination.is_multicast() && it.remote == packet.destination;
            let addresses = match step {
                1 => local && remote,
                2 => remote && any_local,
                3 => local && any_remote || group,
                _ => any_local && any_remote,
            };
            let same_key =
                if v6 || step == 4 { value(it.key) == value(packet_key) } else { it.key == packet_key };
            if !(addresses && same_key) {
                continue;
            }
            let mut score = u32::from(it.link.is_none() || it.link != packet.link);
            if v6 {
                score += if it.payload == kind { 0 } else { 2 };
            }
            if score == 0 {
                return Some(it.id);
            }
            // Over IPv4: the last of the first step, and otherwise the first of all.
            if if v6 { score < candidate_score } else { step == 1 || candidate.is_none() } {
                (candidate, candidate_score) = (Some(it.id), score);
            }
        }
    }
    candidate
}

proptest! {
    #[test]
    fn b3_as_linux_searches(
        v6 in any::<bool>(),
        picks in proptest::collection::vec((0usize..4, 0usize..3, 0u32..4, any::<bool>(), 0u32..3, 0u8..8), 0..40),
        (source, group, key, is_frame, link) in (0usize..2, any::<bool>(), 0u32..4, any::<bool>(), 0u32..3),
    ) {
        let ((a, b), other) = (ends(v6), if v6 { ip("2001:db8::3") } else { ip("192.0.2.3") });
        let remotes = [a, other, any_of(v6), group_of(v6)];
        let locals = [b, other, any_of(v6)];
        let mut all: Vec<Selector> = Vec::new();
        for (n, (remote, local, key, is_frame, link, up)) in picks.into_iter().enumerate() {
            let payload = if is_frame { Payload::Ethernet } else { Payload::Ip };
            let mut new = Selector::new(n as u32, payload, locals[local], remotes[remote]).up(up > 0);
            new.link = link.checked_sub(1);
            if let Some(key) = key.checked_sub(1) {
                new.key = InputKey::Key(Key(key));
            }
            let key = |it: &Selector| (it.remote, it.local, it.key, it.payload, it.link);
            if all.iter().all(|it| key(it) != key(&new)) {
                all.push(new);
            }
        }
        all.sort_unstable();
        let header = Header {
            key: key.checked_sub(1).map(Key),
            ..Header::new(if is_frame { EtherType::TEB } else { EtherType::IPV6 })
        };
        let mut packet =
            Arrived::new([a, other][source], if group { group_of(v6) } else { b }, header);
        packet.link = link.checked_sub(1);
        prop_assert_eq!(Tunnels::new(&all).unwrap().find(&packet), naive(&all, &packet));
    }
}
