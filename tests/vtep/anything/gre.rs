//! A GRE tunnel, and the buffer that puts its packets in order.

use std::{collections::BTreeSet, time::Duration};

use encap::{
    time::Instant,
    tunnel::{
        DecapMeta, Framing, Link, OuterFacts, Payload,
        gre::{Config, PathReport, Pushed, Received, Reorder, SequenceFilter, SequenceRule, Slot, Tunnel},
    },
    wire::{gre::Key, icmp_quote},
};

use super::{Input, Offer};
use crate::{common::*, frames::v6};

/// Both ends of a tunnel.
struct Ends {
    here: Tunnel,
    there: Tunnel,
    carries_frames: bool,
    framing: Framing,
}

pub(super) fn tunnel(input: &mut Input<'_>) {
    let mut ends = Ends::read(input);
    let mut now = NOW;
    for _ in 0..super::ROUNDS {
        if input.is_empty() {
            break;
        }
        match input.byte() % 8 {
            0 => {
                now = now.saturating_add(Duration::from_secs(input.word().into()));
                ends.pass_time(now);
            }
            1 | 2 => ends.send(input),
            3..=5 => ends.receive(input, now),
            _ => ends.hear(input, now),
        }
    }
}

impl Ends {
    fn read(input: &mut Input<'_>) -> Self {
        let [is_v6, carries_frames, has_key, csum, seq, linux, keepalives, any] = input.bits();
        // Only a tunnel of packets, and without numbers, can have any remote.
        let any = any && !carries_frames && !seq;
        let keepalives = keepalives && !carries_frames && !any;
        let link = Link { source: mac(0xaa), next_hop: mac(0xbb), vlan: None };
        let framing = input.pick([Framing::Ip, Framing::Payload, Framing::Ethernet(link)]);
        let [a, b] = if is_v6 { [v6(1).into(), v6(2).into()] } else { [address(1), address(2)] };
        let unspecified = if is_v6 { [0; 16].into() } else { [0; 4].into() };
        let set = |config: Config| {
            let config = if linux { config.linux() } else { config };
            let config = config.payload(if carries_frames { Payload::Ethernet } else { Payload::Ip });
            let config = if has_key { config.key(Key(7)) } else { config };
            config.framing(framing).mtu(1_500).csum(csum).seq(seq).keepalives(keepalives)
        };
        let here = set(Tunnel::new(a, if any { unspecified } else { b })).build().unwrap();
        Self { here, there: set(Tunnel::new(b, a)).build().unwrap(), carries_frames, framing }
    }

    /// What goes into a tunnel is behind its headers, and what does not is as it was.
    fn send(&mut self, input: &mut Input<'_>) {
        let bytes = self.inner(input);
        let offer = input.offer(bytes);
        let headroom = self.here.headroom();
        let outcome = offer.take(|packet| self.here.encap(packet));
        match outcome.output {
            Ok(()) => {
                assert!(outcome.made.ends_with(&offer.bytes));
                assert!(outcome.made.len() - offer.bytes.len() <= headroom);
            }
            Err(_) => outcome.assert_left_as_it_was(&offer),
        }
    }

    fn inner(&self, input: &mut Input<'_>) -> Vec<u8> {
        if self.carries_frames { input.frame() } else { input.ip() }
    }

    /// A packet of the other end's; a keepalive where it sends some.
    fn arrival(&mut self, input: &mut Input<'_>) -> Vec<u8> {
        let is_keepalive = input.bits()[0];
        let offer = Offer { headroom: ROOM, bytes: self.inner(input) };
        let there = &mut self.there;
        let made =
            offer.take(|packet| if is_keepalive { there.keepalive(packet) } else { there.encap(packet) });
        let is_link = matches!(self.framing, Framing::Ethernet(_));
        input.changed(made.made, is_link)
    }

    fn receive(&mut self, input: &mut Input<'_>, now: Instant) {
        let mut meta = DecapMeta::new();
        if input.bits()[0] ^ (self.framing == Framing::Payload) {
            meta.outer = Some(OuterFacts::new(self.there.local(), self.here.local()));
        }
        let bytes = self.arrival(input);
        let offer = input.offer(bytes);
        let before = *self.here.counters();
        let outcome = offer.take(|packet| self.here.decap_with(now, packet, &meta));
        match outcome.output {
            Ok(Received::Packet(inner)) => {
                outcome.assert_within(&offer);
                assert_eq!(outcome.start, offer.headroom + inner.stripped);
                assert_eq!(self.here.counters().rx_packets, before.rx_packets + 1);
            }
            Ok(Received::KeepaliveRequest { .. }) => assert!(outcome.made.len() <= offer.bytes.len() + 18),
            Ok(_) | Err(_) => outcome.assert_left_as_it_was(&offer),
        }
    }

    /// An ICMP error, as a rule about a packet of the tunnel's.
    fn hear(&mut self, input: &mut Input<'_>, now: Instant) {
        let offer = Offer { headroom: ROOM, bytes: self.inner(input) };
        let sent = offer.take(|packet| self.here.encap(packet)).made;
        let sent = sent.get(if matches!(self.framing, Framing::Ethernet(_)) { 14 } else { 0 }..);
        let sent = input.changed(sent.unwrap_or_default().to_vec(), false);
        let error = input.error(&sent);
        let error = input.changed(error, false);
        let before = self.here.mtu();
        let report = self.here.handle_icmp(now, &error);
        if icmp_quote::parse(&error).is_err() {
            assert_eq!(report, PathReport::NotOurs);
        }
        match report {
            PathReport::Mtu { mtu } => {
                assert!(self.here.mtu() <= before && self.here.mtu() < usize::from(mtu));
                assert!(self.here.poll_timeout().is_none_or(|due| due > now));
            }
            PathReport::Unreachable { .. } => assert!(self.here.is_failing(now)),
            _ => assert_eq!(self.here.mtu(), before),
        }
    }

    /// An MTU that was told holds for a time, and not longer.
    fn pass_time(&mut self, now: Instant) {
        let is_due = self.here.poll_timeout().is_some_and(|due| due <= now);
        let before = self.here.mtu();
        assert_eq!(self.here.handle_timeout(now).is_some(), is_due);
        assert!(self.here.mtu() >= before);
        assert!(self.here.poll_timeout().is_none_or(|due| due > now));
    }
}

/// Packets come out in order, each at most once, none before its turn, and none waits for too long.
pub(super) fn in_order(input: &mut Input<'_>) {
    const SLOTS: usize = 4;
    let timer = Duration::from_millis(50);
    let rule = input.pick([SequenceRule::Rfc2890, SequenceRule::Linux]);
    let mut slots = [const { Slot::EMPTY }; SLOTS];
    let mut buffer = Reorder::new(&mut slots, SequenceFilter::new(rule, None), timer);
    let (mut now, mut base, mut number) = (NOW, 0u32, 0);
    let (mut waiting, mut skipped) = (BTreeSet::new(), BTreeSet::new());
    while !input.is_empty() {
        let [is_keepalive, has_none, later, jump, ..] = input.bits();
        if later {
            now = now.saturating_add(Duration::from_millis(input.byte().into()));
        }
        if jump {
            base = base.wrapping_add(u32::from(input.word()) << 16);
        }
        let sequence = (!has_none).then(|| base.wrapping_add((input.byte() % 16).into()));
        number += 1;
        // A packet is its number and its sequence number.
        let packet = (number, sequence);
        let mut expected = buffer.sequence_filter().expected();
        let mut next = if is_keepalive {
            skipped.extend(sequence);
            buffer.skip(now, sequence)
        } else {
            match buffer.push(now, sequence, packet) {
                Pushed::Late(late) => {
                    assert_eq!(late, packet);
                    None
                }
                Pushed::Deliver(first) => {
                    waiting.insert(packet);
                    Some(first)
                }
                Pushed::Held => {
                    waiting.insert(packet);
                    None
                }
                other => panic!("{other:?}"),
            }
        };
        loop {
            let (is_polled, is_due) = (next.is_none(), buffer.poll_timeout().is_some_and(|due| due <= now));
            let Some(packet) = next.take().or_else(|| buffer.poll(now)) else { break };
            assert!(waiting.remove(&packet), "delivered twice, or not pushed");
            if let Some(sequence) = packet.1 {
                let distance = sequence.wrapping_sub(expected) as i32;
                // Where its counter is zero, Linux takes any number.
                let is_any = rule == SequenceRule::Linux && expected == 0;
                assert!(distance >= 0 || is_any, "{packet:?} where {expected} is next");
                let mut gap = (0..distance.max(0) as u32).map(|n| expected.wrapping_add(n));
                assert!(!is_polled || is_due || gap.all(|number| skipped.contains(&number)), "{packet:?}");
            }
            expected = buffer.sequence_filter().expected();
        }
        assert!(waiting.len() <= SLOTS);
        assert!(!buffer.is_empty() || waiting.is_empty());
        let timeout = buffer.poll_timeout();
        assert!(timeout.is_none_or(|due| due > now && due <= now.saturating_add(timer)));
    }
}
