//! What a tunnel takes and refuses, check by check, and the counters of each.

mod inner;
mod others;

use encap::{
    time::Instant,
    tunnel::{
        DecapMeta, DropReason, Framing, OuterFacts, Payload, Policy,
        gre::{Config, Received, Tunnel},
    },
    wire::{
        Ecn, EtherType,
        gre::{Header, Key},
    },
};

use super::{outer, peer, receive, receive_at, send, to_peer, tunnel};
use crate::common::{any_frame, edit, ends, fix_ipv4, ip, ipv4_packet};

const PLAIN: Header = Header::new(EtherType::IPV4);

fn payload() -> Vec<u8> {
    ipv4_packet(Ecn::NotEct, false, 64, b"hello")
}

/// What a new tunnel with these settings says of a packet.
fn verdict(v6: bool, set: impl FnOnce(Config) -> Config, header: Header) -> Option<DropReason> {
    receive(&mut peer(v6, set), &to_peer(v6, header, &payload())).err()
}

/// A packet of our own making, as bytes of GRE.
fn verdict_of(set: impl FnOnce(Config) -> Config, gre: &[u8]) -> Option<DropReason> {
    let (a, b) = ends(false);
    receive(&mut peer(false, set), &outer(a, b, gre)).err()
}

#[test]
fn what_one_end_sends_the_other_takes() {
    for v6 in [false, true] {
        for linux in [false, true] {
            for bits in 0..8 {
                let on = |bit: u8| bits >> bit & 1 == 1;
                let set = |c: Config| {
                    let c = if linux { c.linux() } else { c };
                    let c = c.csum(on(0)).seq(on(1));
                    if on(2) { c.payload(Payload::Ethernet) } else { c }
                };
                let mut here = tunnel(v6, |c| set(c).ikey(Key(0x11_1111)).okey(Key(0x22_2222)));
                let mut there = peer(v6, |c| set(c).ikey(Key(0x22_2222)).okey(Key(0x11_1111)));
                let packet = if on(2) { any_frame() } else { payload() };
                let now = Instant::from_secs(5);
                let made = send(&mut here, &packet).unwrap();
                let (received, inner) = receive_at(&mut there, now, &made).unwrap();
                assert_eq!(inner, packet);
                let Received::Packet(facts) = received else { panic!("{received:?}") };
                assert_eq!(facts.encapsulation.sequence(), on(1).then_some(0));
                assert_eq!((facts.stripped, there.last_received()), (here.overhead(), Some(now)));
                assert_eq!(there.counters().rx_packets, 1);
                assert_eq!(there.counters().rx_bytes, packet.len() as u64);
                let back = send(&mut there, &packet).unwrap();
                assert_eq!(receive(&mut here, &back).unwrap().1, packet);
                assert!(receive(&mut here, &made).is_err(), "not for its sender");
            }
        }
    }
}

#[test]
fn b3_a_packet_must_come_from_the_remote_and_be_for_us() {
    for v6 in [false, true] {
        let (a, b) = ends(v6);
        let (other, group) =
            if v6 { (ip("2001:db8::9"), ip("ff02::9")) } else { (ip("192.0.2.9"), ip("239.0.0.9")) };
        let gre = [&PLAIN.to_bytes()[..4], &payload()].concat();
        for set in [(|c| c) as fn(Config) -> Config, Config::linux] {
            let mut peer = peer(v6, set);
            let mut verdict =
                |source, destination| receive(&mut peer, &outer(source, destination, &gre)).err();
            assert_eq!(verdict(a, b), None);
            assert_eq!(verdict(other, b), Some(DropReason::OtherSource));
            assert_eq!(verdict(b, b), Some(DropReason::MartianSource), "our own");
            assert_eq!(verdict(a, other), Some(DropReason::OtherDestination));
            assert_eq!(verdict(a, group), Some(DropReason::OtherDestination));
            assert_eq!(peer.counters().rx_errors, 0, "packets of others are nobody's errors");
            assert_eq!(peer.counters().rx_packets, 1);
        }
    }
    assert!(DropReason::OtherSource.is_not_ours());
}

#[test]
fn b2_multicast_delivery_is_counted_and_comes_from_anybody() {
    let group = ip("239.1.2.3");
    let mut member = Tunnel::new(ends(false).1, group).build().unwrap();
    let gre = [&PLAIN.to_bytes()[..4], &payload()].concat();
    assert!(receive(&mut member, &outer(ends(false).0, group, &gre)).is_ok());
    assert!(receive(&mut member, &outer(ip("192.0.2.77"), group, &gre)).is_ok());
    let to_us = receive(&mut member, &outer(ends(false).0, ends(false).1, &gre));
    assert_eq!(to_us.err(), Some(DropReason::OtherDestination));
    let own = receive(&mut member, &outer(ends(false).1, group, &gre));
    assert_eq!(own.err(), Some(DropReason::MartianSource), "looped back");
    assert_eq!((member.counters().multicast, member.counters().rx_packets), (2, 2));
    let mut alone = peer(false, |c| c);
    let taken = receive(&mut alone, &to_peer(false, PLAIN, &payload())).map(|(_, inner)| inner);
    assert_eq!(taken, Ok(payload()));
    assert_eq!((alone.counters().multicast, alone.counters().rx_packets), (0, 1));
}

#[test]
fn b2_2_linux_wants_twelve_bytes_over_ipv4() {
    let short = [&PLAIN.to_bytes()[..4], &[1; 7]].concat();
    let long = [&PLAIN.to_bytes()[..4], &[1; 8]].concat();
    assert_eq!(verdict_of(Config::linux, &short), Some(DropReason::GreTruncated));
    assert_eq!(verdict_of(Config::linux, &long), Some(DropReason::InnerTruncated));
    assert_eq!(verdict_of(|c| c, &short), Some(DropReason::InnerTruncated));
    let (a, b) = ends(true);
    let six = receive(&mut peer(true, Config::linux), &outer(a, b, &short));
    assert_eq!(six.err(), Some(DropReason::InnerTruncated), "not over IPv6");
}

/// All bits of the flag word that have no meaning, ours and Linux's, over both families.
#[test]
fn b2_2_b2_3_b8_bits_of_the_flag_word() {
    for bit in 0..16 {
        let flags: u16 = 1 << bit;
        if flags & 0xb000 != 0 {
            continue; // C, K, S
        }
        let [f0, f1] = flags.to_be_bytes();
        let gre = [&[f0, f1, 8, 0][..], &payload()].concat();
        let must = match flags {
            0x4000 => Some(DropReason::GreRouting),
            0..=7 => Some(DropReason::GreVersion),
            _ => None,
        };
        let reserved = |mask: u16| must.or((flags & mask != 0).then_some(DropReason::GreReservedBits));
        for v6 in [false, true] {
            let (a, b) = ends(v6);
            let packet = outer(a, b, &gre);
            assert_eq!(receive(&mut peer(v6, |c| c), &packet).err(), reserved(0x0c00), "{flags:#06x}");
            let linux = reserved(if v6 { 0 } else { 0x0078 });
            assert_eq!(receive(&mut peer(v6, Config::linux), &packet).err(), linux, "{flags:#06x}");
        }
    }
}

#[test]
fn b2_4_a_wrong_checksum_is_dropped_whatever_is_configured() {
    let mut packet = to_peer(false, Header { checksum: Some(0), ..PLAIN }, &payload());
    *packet.last_mut().unwrap() ^= 1;
    for set in [(|c| c) as fn(Config) -> Config, |c| c.icsum(true), Config::linux, |c| c.icsum(true).linux()]
    {
        let mut peer = peer(false, set);
        assert_eq!(receive(&mut peer, &packet).err(), Some(DropReason::GreChecksum));
        assert_eq!(peer.counters().rx_errors, 0, "Linux does not count it");
        assert_eq!(peer.counters().dropped(DropReason::GreChecksum), 1, "here it has a counter of its own");
    }
}

/// Whatever is wrong with a packet of the tunnel, there is one counter for it, and no two; for what is another's there
/// is none.
#[test]
fn every_drop_has_a_counter_of_its_own() {
    let sum = Header { checksum: Some(0), sequence: Some(5), ..PLAIN };
    let sound = to_peer(false, sum, &payload());
    let mut peer = peer(false, |c| c.icsum(true).iseq(true));
    assert!(receive(&mut peer, &sound).is_ok());
    let mut expected = std::collections::BTreeMap::new();
    let addresses_and_protocol = |packet: &[u8]| (packet[9], packet[12..20].to_vec());
    let is_ours = |packet: &[u8]| {
        packet.len() < 21
            || addresses_and_protocol(packet) == addresses_and_protocol(&sound) && packet[20] & 0x20 == 0
    };
    let (a, b) = ends(false);
    let mut damaged: Vec<Vec<u8>> = (0..sound.len()).map(|len| sound[..len].to_vec()).collect();
    damaged.extend((20..sound.len()).map(|len| outer(a, b, &sound[20..len])));
    for at in 0..sound.len() * 8 {
        let mut packet = sound.clone();
        packet[at / 8] ^= 1 << (at % 8);
        damaged.push(packet.clone());
        fix_ipv4(&mut packet);
        damaged.push(packet);
    }
    for packet in damaged {
        if let Err(reason) = receive(&mut peer, &packet) {
            *expected.entry(reason).or_insert(0) += u64::from(!reason.is_not_ours() && is_ours(&packet));
        }
    }
    let not_ours = |reason: &DropReason| reason.is_not_ours();
    assert!(expected.keys().any(not_ours) && expected.keys().filter(|reason| !not_ours(reason)).count() > 8);
    expected.retain(|reason, count| !not_ours(reason) && *count > 0);
    let counters = peer.counters();
    assert!(counters.drops().eq(expected.clone()), "{counters:?}, {expected:?}");
    for reason in [DropReason::GreChecksum, DropReason::GreTruncated, DropReason::GreRouting] {
        assert!(counters.dropped(reason) > 0, "{reason}");
    }
    assert_eq!(counters.dropped(DropReason::VxlanNoVni), 0);
}

#[test]
fn b2_1_the_outer_ip_header_with_options_padding_and_extensions() {
    for set in [(|c| c) as fn(Config) -> Config, Config::linux] {
        let mut peer = peer(false, |c| set(c).icsum(true));
        let sound = to_peer(false, Header { checksum: Some(0), ..PLAIN }, &payload());
        // Options are skipped by IHL.
        let mut options = [&sound[..20], &[1; 4], &sound[20..]].concat();
        options[0] = 0x46;
        options[3] += 4;
        fix_ipv4(&mut options);
        assert_eq!(receive(&mut peer, &options).unwrap().1, payload());
        // Padding is neither payload nor summed.
        let padded = [&sound[..], &[0xff; 9]].concat();
        assert_eq!(receive(&mut peer, &padded).unwrap().1, payload());
        // Reassembly comes before.
        for (flags, offset) in [(0x20, 0), (0, 1)] {
            let mut fragment = sound.clone();
            [fragment[6], fragment[7]] = [flags, offset];
            fix_ipv4(&mut fragment);
            assert_eq!(receive(&mut peer, &fragment).err(), Some(DropReason::Fragment));
        }
        let mut broken = sound.clone();
        broken[8] ^= 1;
        assert_eq!(receive(&mut peer, &broken).err(), Some(DropReason::Ipv4Checksum));
        // Over IPv6, options before GRE are walked through.
        let (a, b) = ends(true);
        let mut with_limit = outer(a, b, &[&[47, 0, 4, 1, 4, 1, 1, 0, 0, 0, 8, 0][..], &payload()].concat());
        with_limit[6] = 60;
        assert_eq!(receive(&mut super::peer(true, set), &with_limit).unwrap().1, payload());
    }
}

#[test]
fn b2_5_b8_key_and_number_are_read_and_reserved1_is_not() {
    let (a, b) = ends(false);
    for set in [(|c| c) as fn(Config) -> Config, Config::linux] {
        let mut peer = peer(false, |c| set(c).key(Key(7)).csum(true).seq(true));
        let header = Header { checksum: Some(0), key: Some(Key(7)), sequence: Some(3), ..PLAIN };
        let mut gre = [&header.to_bytes()[..], &payload()].concat();
        [gre[6], gre[7]] = [0xbe, 0xef];
        let sum = encap::wire::checksum::of(&gre);
        [gre[4], gre[5]] = sum.to_be_bytes();
        let (received, _) = receive(&mut peer, &outer(a, b, &gre)).unwrap();
        let Received::Packet(facts) = received else { panic!("{received:?}") };
        assert_eq!((facts.encapsulation.key(), facts.encapsulation.sequence()), (Some(Key(7)), Some(3)));
        let made = send(&mut peer, &payload()).unwrap();
        assert_eq!(made[26..28], [0, 0], "and sent as zero");
    }
}

/// Rows of the checksum table: the packet has one or not, `icsum` is on or not.
#[test]
fn b2_11_b8_the_checksum_flag_strict_and_as_the_rfc() {
    let refused = Some(DropReason::GreChecksumFlag);
    for (checksum, icsum, ours, linux) in [
        (None, false, None, None),
        (Some(0), true, None, None),
        (Some(0), false, None, refused), // RFC 2784, section 2.2
        (None, true, refused, refused),
    ] {
        for v6 in [false, true] {
            let header = Header { checksum, ..PLAIN };
            assert_eq!(verdict(v6, |c| c.icsum(icsum), header), ours, "{checksum:?} {icsum}");
            assert_eq!(verdict(v6, |c| c.icsum(icsum).linux(), header), linux, "{checksum:?} {icsum}");
        }
    }
    let mut peer = peer(false, |c| c.icsum(true));
    receive(&mut peer, &to_peer(false, PLAIN, &payload())).unwrap_err();
    assert_eq!((peer.counters().rx_crc_errors, peer.counters().rx_errors), (1, 1));
}

#[test]
fn b3_rfc2890_s2_1_the_key_in_every_combination() {
    for (key, ikey, ours, linux4, linux6) in [
        (None, None, true, true, true),
        (Some(7), Some(7), true, true, true),
        (Some(7), Some(8), false, false, false),
        (Some(7), None, false, false, false),
        (None, Some(7), false, false, false),
        // Over IPv6, Linux looks at the value alone.
        (Some(0), None, false, false, true),
        (None, Some(0), false, false, true),
        (Some(0), Some(0), true, true, true),
    ] {
        let header = Header { key: key.map(Key), ..PLAIN };
        let set = |c: Config| if let Some(key) = ikey { c.ikey(Key(key)) } else { c };
        let takes = |v6, linux: bool| {
            let verdict = verdict(v6, |c| if linux { set(c).linux() } else { set(c) }, header);
            assert!(matches!(verdict, None | Some(DropReason::GreKey)), "{verdict:?}");
            verdict.is_none()
        };
        assert_eq!([takes(false, false), takes(true, false)], [ours; 2], "{key:?} {ikey:?}");
        assert_eq!([takes(false, true), takes(true, true)], [linux4, linux6], "{key:?} {ikey:?}");
    }
}

/// The flag comes before the number, the number before the inner header, that before ECN; and a number counts as soon
/// as it was seen.
#[test]
fn b2_11_to_b2_14_the_order_of_the_checks_and_their_counters() {
    for linux in [false, true] {
        let mut peer = peer(false, |c| {
            let c = c.icsum(true).iseq(true);
            if linux { c.linux() } else { c }
        });
        let header = |sequence| Header { checksum: Some(0), sequence: Some(sequence), ..PLAIN };
        let late = |peer: &mut Tunnel, sequence| {
            let verdict = receive(peer, &to_peer(false, header(sequence), &payload())).err();
            verdict == Some(DropReason::GreSequence)
        };
        assert!(receive(&mut peer, &to_peer(false, header(10), &payload())).is_ok());
        let mut marked = |gre: &Header, inner: &[u8]| {
            let mut packet = to_peer(false, *gre, inner);
            packet[1] = Ecn::Ce.value();
            fix_ipv4(&mut packet);
            receive(&mut peer, &packet).err()
        };
        // Everything is wrong with it.
        let no_sum = Header { checksum: None, ..header(10) };
        assert_eq!(marked(&no_sum, &[0x45; 19]), Some(DropReason::GreChecksumFlag));
        assert_eq!(marked(&header(10), &[0x45; 19]), Some(DropReason::GreSequence));
        assert_eq!(marked(&header(12), &[0x45; 19]), Some(DropReason::InnerTruncated));
        assert_eq!(marked(&header(13), &payload()), Some(DropReason::InnerEcn));
        assert!(late(&mut peer, 11) && late(&mut peer, 12) && late(&mut peer, 13));
        let counters = *peer.counters();
        assert_eq!((counters.rx_crc_errors, counters.rx_fifo_errors), (1, 4));
        assert_eq!((counters.rx_length_errors, counters.rx_frame_errors), (1, 1));
        assert_eq!((counters.rx_errors, counters.rx_packets), (7, 1));
    }
}

#[test]
fn what_a_socket_has_taken_the_caller_may_say() {
    let set = |c: Config| c.framing(Framing::Payload);
    let gre = [&PLAIN.to_bytes()[..4], &payload()].concat();
    let (a, b) = ends(false);
    let mut peer = peer(false, set);
    assert!(receive(&mut peer, &gre).is_ok(), "nothing said");
    for framing in [Framing::Payload, Framing::Ip] {
        let mut peer = self::peer(false, |c| c.framing(framing));
        for (source, reason) in [(a, None), (ip("192.0.2.9"), Some(DropReason::OtherSource))] {
            let meta = DecapMeta::new().outer(OuterFacts::new(source, b));
            let verdict = edit(&gre, |packet| peer.decap_with(Instant::ZERO, packet, &meta));
            assert_eq!(verdict.err(), reason);
        }
    }
}

#[test]
fn a_policy_of_the_callers_counts() {
    let mut policy = Policy::RFC;
    policy.gre_min_len = 100;
    assert_eq!(verdict(false, |c| c.policy(policy), PLAIN), Some(DropReason::GreTruncated));
    policy = Policy::RFC;
    policy.allow_any_destination = true;
    let gre = [&PLAIN.to_bytes()[..4], &payload()].concat();
    let elsewhere = outer(ends(false).0, ip("192.0.2.77"), &gre);
    assert!(receive(&mut peer(false, |c| c.policy(policy)), &elsewhere).is_ok());
}
