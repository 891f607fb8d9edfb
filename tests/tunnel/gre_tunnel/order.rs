//! Sequence numbers on receipt: RFC 2890, Linux's rule, restarts; what a bad channel leaves of a flow.

use std::time::Duration;

use encap::{
    time::Instant,
    tunnel::{
        DropReason,
        gre::{Config, Pushed, Received, Reorder, SequenceFilter, SequenceRule, Slot, Tunnel},
    },
    wire::{
        Ecn, EtherType,
        gre::{Header, Key},
    },
};
use proptest::prelude::*;

use super::{peer, receive, receive_at, send, to_peer, tunnel};
use crate::common::ipv4_packet;

const LATE: Option<DropReason> = Some(DropReason::GreSequence);

/// An end that wants numbers, and what it says of packets that have them.
struct End(Tunnel);

impl End {
    fn ours(set: impl FnOnce(Config) -> Config) -> Self {
        Self(peer(false, |c| set(c.iseq(true).reset_after(None))))
    }

    fn linux() -> Self {
        Self(peer(false, |c| c.iseq(true).linux()))
    }

    fn both() -> [Self; 2] {
        [Self::ours(|c| c), Self::linux()]
    }

    fn gets(&mut self, sequence: u32) -> Option<DropReason> {
        self.gets_at(Instant::ZERO, Some(sequence))
    }

    fn gets_at(&mut self, now: Instant, sequence: Option<u32>) -> Option<DropReason> {
        let header = Header { sequence, ..Header::new(EtherType::IPV4) };
        let packet = to_peer(false, header, &ipv4_packet(Ecn::NotEct, false, 64, b"x"));
        receive_at(&mut self.0, now, &packet).err()
    }

    /// Takes it there by numbers that are in sequence.
    fn after(mut self, last: u32) -> Self {
        for step in [last / 3, last / 3 * 2, last] {
            let _ = self.gets(step);
        }
        assert_eq!(self.0.sequence_filter().expected(), last.wrapping_add(1));
        self
    }
}

#[test]
fn b4_gaps_are_accepted_late_packets_and_duplicates_are_dropped() {
    for mut end in End::both() {
        let numbers = [0, 1, 1, 5, 3, 4, 5, 6, 1000, 7];
        let verdicts = [None, None, LATE, None, LATE, LATE, LATE, None, None, LATE];
        assert_eq!(numbers.map(|n| end.gets(n)), verdicts);
        assert_eq!((end.0.counters().rx_fifo_errors, end.0.counters().rx_errors), (5, 5));
    }
}

#[test]
fn b4_a_packet_without_a_number_linux_drops_and_rfc2890_s2_2_takes() {
    let mut ours = End::ours(|c| c).after(7);
    assert_eq!(ours.gets_at(Instant::ZERO, None), None);
    assert_eq!(ours.0.sequence_filter().expected(), 8, "it changes nothing");
    let mut linux = End::linux().after(7);
    assert_eq!(linux.gets_at(Instant::ZERO, None), Some(DropReason::GreSequenceMissing));
    assert_eq!(linux.0.counters().rx_fifo_errors, 1);
}

#[test]
fn b4_without_iseq_numbers_are_ignored() {
    for set in [(|c| c) as fn(Config) -> Config, Config::linux] {
        let mut end = End(peer(false, set));
        assert_eq!([5, 5, 0, u32::MAX, 1].map(|n| end.gets(n)), [None; 5]);
        assert_eq!(end.gets_at(Instant::ZERO, None), None);
    }
}

#[test]
fn b4_the_first_number_any_for_linux_and_the_lower_half_for_rfc2890_s2_2() {
    for (first, ours) in [(0, None), (77, None), ((1 << 31) - 1, None), (1 << 31, LATE), (u32::MAX, LATE)] {
        assert_eq!(End::ours(|c| c).gets(first), ours, "{first}");
        assert_eq!(End::linux().gets(first), None, "{first}");
    }
}

#[test]
fn b4_numbers_wrap() {
    for end in End::both() {
        let mut end = end.after(u32::MAX - 1);
        let numbers = [u32::MAX - 1, u32::MAX, 0, 1, u32::MAX, 0, 2];
        assert_eq!(numbers.map(|n| end.gets(n)), [LATE, None, None, None, LATE, LATE, None]);
        // A gap over the end.
        let mut end = End::linux().after(u32::MAX - 5);
        assert_eq!([3, u32::MAX, 4].map(|n| end.gets(n)), [None, LATE, None]);
    }
}

#[test]
fn b4_after_the_last_number_linux_takes_anything_once() {
    let mut linux = End::linux().after(u32::MAX);
    assert_eq!([u32::MAX - 9, u32::MAX - 9].map(|n| linux.gets(n)), [None, LATE]);
    let mut ours = End::ours(|c| c).after(u32::MAX);
    assert_eq!([u32::MAX - 9, u32::MAX, 0].map(|n| ours.gets(n)), [LATE, LATE, None]);
}

#[test]
fn b4_a_restarted_peer_is_not_heard_until_it_catches_up_or_2_31_is_passed() {
    for end in End::both() {
        let mut end = end.after(1000);
        let hour = Instant::from_secs(3600);
        assert_eq!([0, 1, 1000].map(|n| end.gets_at(hour, Some(n))), [LATE; 3], "there is no timeout");
        assert_eq!(end.gets(1001), None);
    }
    for end in End::both() {
        let mut end = end.after(1000);
        // The window's end, and beyond it, which is behind it.
        assert_eq!([1002 + (1 << 31), 1001 + (1 << 31)].map(|n| end.gets(n)), [LATE; 2]);
        assert_eq!(end.gets(1000 + (1 << 31)), None);
    }
    for end in End::both() {
        // Half the circle on, zero is ahead again.
        let mut end = end.after(3_000_000_000);
        assert_eq!([2_999_999_999, 0, 1].map(|n| end.gets(n)), [LATE, None, None]);
    }
}

#[test]
fn e_a_restarted_peer_is_heard_after_a_silence() {
    let mut end = End::ours(|c| c.reset_after(Some(Duration::from_secs(3))));
    let mut at = |millis, n| end.gets_at(Instant::from_millis(millis), Some(n));
    assert_eq!(at(0, 1 << 31), None, "any first number");
    assert_eq!([at(1000, 0), at(1000, 5000)], [None; 2]);
    // The peer restarts, and does not pause: what is dropped is no sign of life.
    for (n, millis) in (1000..4000).step_by(100).enumerate() {
        assert_eq!(at(millis, n as u32), LATE);
    }
    assert_eq!(at(4000, 30), None);
    assert_eq!(at(4000, 29), LATE, "from now on its numbers count");
    assert_eq!(at(4001, 31), None);
}

#[test]
fn e_a_clock_that_jumps_back_resets_nothing() {
    let mut end = End::ours(|c| c.reset_after(Some(Duration::from_secs(3))));
    let mut at = |seconds, n| end.gets_at(Instant::from_secs(seconds), Some(n));
    assert_eq!([at(100, 9), at(0, 8), at(1, 10), at(2, 9)], [None, LATE, None, LATE]);
    assert_eq!(at(4, 9), None, "three seconds after the last one");
    // What a remote sends that restarted meanwhile is heard three seconds after the jump, and not after 100.
    assert_eq!([at(100, 90), at(1, 0), at(3, 1), at(4, 2)], [None, LATE, LATE, None]);
}

/// Packets wait that were sent shortly before: whoever sends a late number after a silence has not restarted.
#[test]
fn a_late_number_is_no_restart_while_others_wait() {
    let at = Instant::from_secs;
    let mut filter = SequenceFilter::new(SequenceRule::Rfc2890, Some(Duration::from_secs(3)));
    filter.accept(at(100), Some(9)).unwrap();
    let mut slots = [Slot::EMPTY; 2];
    let mut buffer = Reorder::new(&mut slots, filter, Duration::from_secs(100));
    assert_eq!(buffer.push(at(101), Some(12), "held"), Pushed::Held);
    assert_eq!(buffer.push(at(150), Some(3), "late"), Pushed::Late("late"));
    assert_eq!(buffer.poll(at(201)), Some("held"));
    assert_eq!(buffer.push(at(204), Some(3), "restarted"), Pushed::Deliver("restarted"));
}

/// Whatever arrives then, and not only who polls, finds out that the clock was set back.
#[test]
fn a_packet_waits_from_when_the_clock_was_set_back() {
    let at = Instant::from_secs;
    let mut slots = [Slot::EMPTY; 2];
    let filter = SequenceFilter::new(SequenceRule::Rfc2890, None);
    let mut buffer = Reorder::new(&mut slots, filter, Duration::from_secs(5));
    assert_eq!(buffer.push(at(1_000), Some(2), "held"), Pushed::Held);
    assert_eq!(buffer.push(at(10), Some(2), "again"), Pushed::Late("again"));
    assert_eq!(buffer.poll_timeout(), Some(at(15)));
    assert_eq!((buffer.poll(at(14)), buffer.poll(at(15))), (None, Some("held")));
}

#[test]
fn a_restart_that_is_known_is_said() {
    let mut end = End::ours(|c| c).after(1000);
    end.0.sequence_filter().reset();
    assert_eq!([0, 1].map(|n| end.gets(n)), [None; 2]);
}

#[test]
fn rfc2890_s2_2_each_key_has_numbers_of_its_own() {
    let packet = ipv4_packet(Ecn::NotEct, false, 64, b"x");
    let [mut one, mut two] = [1, 2].map(|key| tunnel(false, |c| c.key(Key(key)).seq(true)));
    let [mut to_one, mut to_two] = [1, 2].map(|key| peer(false, |c| c.key(Key(key)).seq(true)));
    for _ in 0..3 {
        let packet = send(&mut one, &packet).unwrap();
        assert!(receive(&mut to_one, &packet).is_ok());
    }
    let packet = send(&mut two, &packet).unwrap();
    assert!(receive(&mut to_two, &packet).is_ok());
    assert_eq!((one.next_sequence(), two.next_sequence()), (3, 1));
}

/// What happens to a packet on its way: it is lost, or comes late by so many places, perhaps twice.
#[derive(Clone, Debug)]
struct Fate {
    lost: bool,
    late: usize,
    again: Option<usize>,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let late = || prop_oneof![3 => Just(0), 1 => 0usize..12];
    let fate = (prop::bool::weighted(0.2), late(), proptest::option::weighted(0.2, late()));
    proptest::collection::vec(fate.prop_map(|(lost, late, again)| Fate { lost, late, again }), 1..60)
}

/// In which order packets arrive.
fn arrivals(fates: &[Fate]) -> Vec<usize> {
    let mut arrivals: Vec<(usize, usize)> = Vec::new();
    for (n, fate) in fates.iter().enumerate().filter(|(_, fate)| !fate.lost) {
        arrivals.push((n + fate.late, n));
        arrivals.extend(fate.again.map(|late| (n + late, n)));
    }
    arrivals.sort();
    arrivals.into_iter().map(|(_, n)| n).collect()
}

/// Those that no later one has overtaken, each once.
fn in_order(arrivals: &[usize]) -> Vec<usize> {
    let mut next = 0;
    arrivals
        .iter()
        .copied()
        .filter(|&n| {
            n >= next && {
                next = n + 1;
                true
            }
        })
        .collect()
}

proptest! {
    /// The two ends of the issue: mirrored keys, checksums, sequence numbers, TTL 255.
    #[test]
    fn a_lossy_channel_that_reorders_and_duplicates_leaves_what_is_in_order(
        fates in fates(),
        linux in any::<bool>(),
        v6 in any::<bool>(),
        skipped in 0u32..3,
    ) {
        let set = |c: Config| if linux { c.linux() } else { c }.csum(true).seq(true).ttl(255);
        let mut here = tunnel(v6, |c| set(c).ikey(Key(0x11_1111)).okey(Key(0x22_2222)));
        let mut there = peer(v6, |c| set(c).ikey(Key(0x22_2222)).okey(Key(0x11_1111)));
        for _ in 0..skipped {
            send(&mut here, &ipv4_packet(Ecn::NotEct, false, 64, b"lost")).unwrap();
        }
        let inners: Vec<_> =
            (0..fates.len()).map(|n| ipv4_packet(Ecn::NotEct, false, 64, &[n as u8; 9][..n % 9])).collect();
        let sent: Vec<_> = inners.iter().map(|inner| send(&mut here, inner).unwrap()).collect();
        let ttl = if v6 { 7 } else { 8 };
        prop_assert!(sent.iter().all(|packet| packet[ttl] == 255));
        let arrivals = arrivals(&fates);
        let now = |n: usize| Instant::from_millis(n as u64);
        let delivered: Vec<usize> = arrivals
            .iter()
            .enumerate()
            .filter_map(|(at, &n)| match receive_at(&mut there, now(at), &sent[n]) {
                Ok((_, inner)) => {
                    assert_eq!(inner, inners[n]);
                    Some(n)
                }
                Err(reason) => {
                    assert_eq!(reason, DropReason::GreSequence);
                    None
                }
            })
            .collect();
        prop_assert_eq!(&delivered, &in_order(&arrivals));
        let counters = there.counters();
        prop_assert_eq!(counters.rx_packets as usize, delivered.len());
        prop_assert_eq!(counters.rx_fifo_errors as usize, arrivals.len() - delivered.len());
    }

    /// A tunnel without `iseq` before a buffer: everything that arrives leaves in order, once.
    #[test]
    fn rfc2890_s2_2_a_buffer_that_is_large_enough_loses_nothing(fates in fates(), v6 in any::<bool>()) {
        let (mut here, mut there) = (tunnel(v6, |c| c.seq(true)), peer(v6, |c| c));
        let inners: Vec<_> =
            (0..fates.len()).map(|n| ipv4_packet(Ecn::NotEct, false, 64, &[n as u8; 9])).collect();
        let sent: Vec<_> = inners.iter().map(|inner| send(&mut here, inner).unwrap()).collect();
        let arrivals = arrivals(&fates);
        let mut slots: Vec<Slot<Vec<u8>>> = (0..fates.len()).map(|_| Slot::EMPTY).collect();
        let filter = SequenceFilter::new(SequenceRule::Rfc2890, None);
        let mut buffer = Reorder::new(&mut slots, filter, Duration::from_secs(1));
        let mut delivered = Vec::new();
        for (at, &n) in arrivals.iter().enumerate() {
            let now = Instant::from_millis(at as u64);
            let (received, inner) = receive_at(&mut there, now, &sent[n]).unwrap();
            let Received::Packet(facts) = received else { panic!("{received:?}") };
            if let Pushed::Deliver(packet) = buffer.push(now, facts.encapsulation.sequence(), inner) {
                delivered.push(packet);
                delivered.extend(std::iter::from_fn(|| buffer.poll(now)));
            }
        }
        delivered.extend(std::iter::from_fn(|| buffer.poll(Instant::from_secs(2))));
        let expected: std::collections::BTreeSet<usize> = arrivals.iter().copied().collect();
        let expected: Vec<_> = expected.into_iter().map(|n| inners[n].clone()).collect();
        prop_assert_eq!(delivered, expected);
    }

    /// However small the buffer and the time, and also where some are keepalives: packets leave in order, none twice,
    /// none later than the timer says, and never fewer than without a buffer.
    #[test]
    fn rfc2890_s2_2_the_bounds_of_a_buffer(
        fates in fates(),
        slots in 0usize..6,
        timer in 0u64..12,
        first in any::<u32>(),
        packets in 1usize..6,
    ) {
        // One of five, or all.
        let is_delivered = |&n: &usize| n % 5 < packets;
        let arrivals = arrivals(&fates);
        let start = first % (1 << 31);
        let number = |n: usize| start.wrapping_add(n as u32);
        let mut slots = vec![Slot::EMPTY; slots];
        let mut filter = SequenceFilter::new(SequenceRule::Rfc2890, None);
        if start > 0 {
            filter.accept(Instant::ZERO, Some(start - 1)).unwrap();
        }
        let mut buffer = Reorder::new(&mut slots, filter, Duration::from_millis(timer));
        let mut delivered = Vec::new();
        let end = arrivals.len() as u64 + timer;
        for at in 0..=end {
            let now = Instant::from_millis(1_000 + at);
            let mut drain = |buffer: &mut Reorder<'_, (usize, u64)>, first: Option<(usize, u64)>| {
                for (n, since) in first.into_iter().chain(std::iter::from_fn(|| buffer.poll(now))) {
                    assert!(at - since <= timer, "{n} has waited for {}", at - since);
                    delivered.push(n);
                }
            };
            drain(&mut buffer, None);
            if let Some(&n) = arrivals.get(at as usize) {
                let first = if is_delivered(&n) {
                    match buffer.push(now, Some(number(n)), (n, at)) {
                        Pushed::Deliver(packet) => Some(packet),
                        _ => None,
                    }
                } else {
                    buffer.skip(now, Some(number(n)))
                };
                drain(&mut buffer, first);
            }
        }
        prop_assert!(buffer.is_empty() && buffer.poll_timeout().is_none());
        prop_assert!(delivered.is_sorted_by(|a, b| a < b), "{:?}", delivered);
        prop_assert!(delivered.len() >= in_order(&arrivals).iter().filter(|&n| is_delivered(n)).count());
    }

    /// Against a model with numbers that never wrap: the flow is at `base`, and the packets are within half the circle
    /// of the last one taken.
    #[test]
    fn wherever_a_flow_is_only_newer_packets_are_taken(
        base in any::<u32>(),
        steps in proptest::collection::vec(prop_oneof![-20i64..20, -0x7fff_fffe..0x8000_0000i64], 0..50),
        linux in any::<bool>(),
    ) {
        let rule = if linux { SequenceRule::Linux } else { SequenceRule::Rfc2890 };
        let mut filter = SequenceFilter::new(rule, None);
        let mut last = i64::from(base % (1 << 31));
        prop_assert_eq!(filter.accept(Instant::ZERO, Some(last as u32)), Ok(()));
        for step in steps {
            let number = last + step;
            // Linux's exception, where its counter is zero again.
            let is_unset = linux && last as u32 == u32::MAX;
            let takes = step > 0 || is_unset;
            let expected = if takes { Ok(()) } else { Err(DropReason::GreSequence) };
            prop_assert_eq!(filter.accept(Instant::ZERO, Some(number as u32)), expected);
            last = if takes { number } else { last };
        }
    }
}
