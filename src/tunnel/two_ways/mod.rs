//! The short ways of encapsulation and decapsulation beside the long ones: whenever a short one has an answer, it is
//! that of the long one, byte for byte.

extern crate std;

mod case;

use core::net::IpAddr;
use std::vec;

use proptest::prelude::*;

use self::case::{Case, Check, HEADROOM, buffer, cases, frame};
use super::{DecapMeta, DropReason, EncapMeta, Endpoint, Framing, Link, OuterFacts, Protocol, Remote, vxlan};
use crate::{
    packet::Packet,
    wire::{EtherType, MacAddr, Vni, checksum},
};

/// How many cases went the short way.
#[derive(Default)]
struct Encap(u32);

impl Check for Encap {
    fn check<P: Protocol, E>(
        &mut self,
        case: &Case,
        tunnel: &Endpoint<P>,
        remote: &Result<Remote, E>,
        _: &Endpoint<P>,
    ) {
        let Ok(remote) = remote else { return };
        let meta = case.meta();
        let start = HEADROOM - usize::from(case.choice[0] == 0) * 100;
        let len = case.packet.len();
        let mut long = buffer(&case.packet);
        let added = tunnel.encap_any(Packet::new(&mut long, start, len).unwrap(), remote, meta);
        let range = added.map_or((start, len), |added| (start - added, len + added));

        let mut short = buffer(&case.packet);
        let mut packet = Packet::new(&mut short, start, len).unwrap();
        if tunnel.encap_plain(&mut packet, &remote.facts, &remote.header, &meta).is_some() {
            self.0 += 1;
            assert_eq!((added.is_ok(), packet.into_range()), (true, range));
            assert_eq!(short, long);
        } else {
            assert_eq!(packet.into_range(), (start, len));
            assert_eq!(short[start..], long[start..], "nothing of the packet changes");
        }

        let mut burst = [buffer(&case.packet), buffer(&case.packet)];
        let mut packets = burst.each_mut().map(|bytes| Packet::new(bytes, start, len).unwrap());
        let mut results = [Ok(()); 2];
        assert_eq!(tunnel.encap_batch(&mut packets, &[(remote, meta); 2], &mut results), 2);
        assert_eq!(results, [added.map(|_| ()); 2]);
        assert_eq!(packets.map(Packet::into_range), [range; 2]);
        assert!(burst.iter().all(|bytes| bytes[range.0..] == long[range.0..]));
        if added.is_ok() {
            let inner = &buffer(&case.packet)[start..start + len];
            assert_eq!(tunnel.header(inner, remote, &meta).as_deref(), Ok(&long[range.0..start]));
        }
    }
}

#[derive(Default)]
struct Decap(u32);

impl Check for Decap {
    fn check<P: Protocol, E>(
        &mut self,
        case: &Case,
        tunnel: &Endpoint<P>,
        remote: &Result<Remote, E>,
        receiver: &Endpoint<P>,
    ) {
        let Ok(remote) = remote else { return };
        let mut bytes = buffer(&case.packet);
        let mut packet = Packet::new(&mut bytes, HEADROOM, case.packet.len()).unwrap();
        if tunnel.encap_with(&mut packet, remote, &case.meta()).is_err() {
            return;
        }
        let (start, len) = packet.into_range();
        // With padding, sometimes.
        let mut packet = bytes[start..start + len + case.pick(0, [0, 0, 6])].to_vec();
        // Bits of the headers.
        let headers = packet.len().min(remote.overhead() + 16);
        for (at, byte) in &case.changes {
            packet[at.index(headers)] ^= 1 << (byte % 8);
        }
        if case.choice[2] % 4 != 0 {
            fix(&mut packet, remote);
        }
        let mut meta = DecapMeta::new();
        meta.udp_checksum_verified = case.choice[3] % 3 == 0;
        self.0 += compare(receiver, &packet, &meta);
        // The same bytes, and what is behind the outer headers, without them.
        let (source, destination) = case.ends();
        meta.outer = Some(OuterFacts::new(source, destination));
        compare(receiver, &packet, &meta);
        compare(receiver, packet.get(remote.facts.tunnel.into()..).unwrap_or_default(), &meta);
    }
}

/// Corrects the checksum of the outer IPv4 header.
fn fix(packet: &mut [u8], remote: &Remote) {
    if let Some(ip @ [0x45, ..]) = packet.get_mut(usize::from(remote.facts.l3)..) {
        (ip[10], ip[11]) = (0, 0);
        [ip[10], ip[11]] = checksum::of(&ip[..20]).to_be_bytes();
    }
}

/// Reads a packet in all ways; answers how many of the short ones had an answer.
fn compare<P: Protocol>(receiver: &Endpoint<P>, packet: &[u8], meta: &DecapMeta) -> u32 {
    let mut short = 0;
    let long = receiver.walked(packet, meta);
    let glances = [
        receiver.checked_plain(packet, meta),
        receiver.checked_plain_ipv6(packet, meta),
        receiver.checked_at_a_glance(packet, *meta),
    ];
    for (inner, end) in glances.into_iter().flatten() {
        short += 1;
        let (expected, carried) = long.expect("what is told at a glance is good");
        assert_eq!(inner, expected);
        assert_eq!(carried.bytes(packet), &packet[inner.stripped..end]);
        let mut stripped = packet.to_vec();
        let mut left = Packet::new(&mut stripped, 0, packet.len()).unwrap();
        carried.strip_from(&mut left);
        assert_eq!(left.into_range(), (inner.stripped, end - inner.stripped));
        assert_eq!(stripped, packet, "nothing of it changes");
    }
    let checked = receiver.checked(packet, meta).map(|(inner, carried)| (inner, carried.bytes(packet)));
    assert_eq!(checked, long.map(|(inner, carried)| (inner, carried.bytes(packet))));

    let (mut of_burst, mut alone) = (packet.to_vec(), packet.to_vec());
    let mut burst = [Packet::new(&mut of_burst, 0, packet.len()).unwrap()];
    let mut results = [Err(DropReason::NotIp)];
    assert_eq!(receiver.decap_batch(&mut burst, &[*meta], &mut results), 1);
    assert_eq!(results, [long.map(|(inner, _)| inner)]);
    let mut left = Packet::new(&mut alone, 0, packet.len()).unwrap();
    if let Ok((_, carried)) = long {
        carried.strip_from(&mut left);
    }
    assert_eq!(burst.map(Packet::into_range), [left.into_range()]);
    assert_eq!(of_burst, alone);
    short
}

/// Every bit of the headers of a good packet changed, and the IPv4 checksum corrected or not.
#[derive(Default)]
struct Bits(u32);

impl Check for Bits {
    fn check<P: Protocol, E>(
        &mut self,
        case: &Case,
        tunnel: &Endpoint<P>,
        remote: &Result<Remote, E>,
        receiver: &Endpoint<P>,
    ) {
        let Ok(remote) = remote else { return };
        let mut bytes = buffer(&case.packet);
        let mut packet = Packet::new(&mut bytes, HEADROOM, case.packet.len()).unwrap();
        tunnel.encap_with(&mut packet, remote, &case.meta()).unwrap();
        let good = packet.as_slice().to_vec();
        self.0 += compare(receiver, &good, &DecapMeta::new());
        for bit in 0..8 * (remote.overhead() + 16) {
            let mut changed = good.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            compare(receiver, &changed, &DecapMeta::new());
            fix(&mut changed, remote);
            compare(receiver, &changed, &DecapMeta::new());
        }
        for len in 0..good.len() {
            compare(receiver, &good[..len], &DecapMeta::new());
        }
    }
}

#[test]
fn every_bit_that_matters_is_seen_at_a_glance() {
    let mut bits = Bits::default();
    for (kind, v6) in (0..13).flat_map(|kind| [(kind, false), (kind, true)]) {
        for framing in [0, 1, 3] {
            let mut choice = [0; 16];
            (choice[0], choice[1], choice[10], choice[15]) = (1, framing, 1, kind);
            // Options where there are any, and a UDP checksum over IPv6.
            (choice[14], choice[8]) = (if matches!(kind, 6 | 7) { 2 } else { 0 }, u8::from(v6));
            // IP for the tunnels that carry it.
            let carries_ip = matches!(kind, 5 | 7 | 9 | 11);
            let packet = frame([2, 255, 0, u8::from(!carries_ip)], vec![0x11; 46]);
            Case { choice, v6, packet, changes: vec![], number: 0x1234 }.with_endpoints(&mut bits);
        }
    }
    // One of the two short ways, or both, for nearly all of 72 packets.
    assert!(bits.0 > 80, "{} answers", bits.0);
}

/// Runs many cases, 40 for each that other properties have, and sees to it that a good part of them went the short way.
fn run<C: Check + Default>(count: impl Fn(&C) -> u32) {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let least = config.cases;
    config.cases *= 40;
    let short = core::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner.run(&cases(), |case| {
        let mut check = C::default();
        case.with_endpoints(&mut check);
        short.set(short.get() + count(&check));
        Ok(())
    });
    result.unwrap();
    assert!(short.get() > least, "only {} went the short way", short.get());
}

#[test]
fn plain_encapsulation_is_any_encapsulation() {
    run::<Encap>(|encap| encap.0);
}

#[test]
fn what_is_told_at_a_glance_is_what_reading_finds() {
    run::<Decap>(|decap| decap.0);
}

/// What the benches measure goes the short way.
#[test]
fn ordinary_frames_go_the_short_way() {
    let [a, b]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|end| end.parse().unwrap());
    let frame = frame([2, 255, 0, 1], vec![0; 46]);
    let link = Link { source: MacAddr([2; 6]), next_hop: MacAddr([4; 6]), vlan: None };
    for framing in [Framing::Ip, Framing::Ethernet(link)] {
        let tunnel = vxlan::Endpoint::new(a).framing(framing).build().unwrap();
        let remote = tunnel.remote(b, Vni::truncate(42)).unwrap();
        let mut bytes = buffer(&frame);
        let mut packet = Packet::new(&mut bytes, HEADROOM, frame.len()).unwrap();
        assert_eq!(
            tunnel.encap_plain(&mut packet, &remote.facts, &remote.header, &EncapMeta::new()),
            Some(())
        );
        let receiver = vxlan::Endpoint::new(b).framing(framing).build().unwrap();
        let (inner, end) = receiver.checked_plain(packet.as_slice(), &DecapMeta::new()).unwrap();
        assert_eq!((inner.stripped, end), (packet.len() - frame.len(), packet.len()));
        assert_eq!((inner.protocol, inner.encapsulation.vni()), (EtherType::TEB, Vni::new(42)));
    }
}
