//! ICMP errors about a tunnel's packets: what they change.

use std::{net::IpAddr, time::Duration};

use encap::{
    time::Instant,
    tunnel::{
        ConfigError, Framing, Payload, Ttl,
        gre::{Config, PathReport, Tunnel},
        icmp,
    },
    wire::{
        Ecn, IpProtocol,
        gre::Key,
        icmp_quote::Problem,
        icmpv4::{self, Problem as V4},
        icmpv6::{self, Problem as V6},
    },
};

use super::{outer, peer, send, tunnel};
use crate::common::{edit, ends, fix_ipv4, frame, ip, ipv4_packet};

const NOW: Instant = Instant::from_secs(100);

fn inner() -> Vec<u8> {
    ipv4_packet(Ecn::NotEct, true, 64, &[7; 600])
}

/// The error that a router sends about a packet.
fn error(packet: &[u8], problem: Problem) -> Vec<u8> {
    let report = edit(packet, |packet| match problem {
        Problem::V4(problem) => icmp::report_ipv4(packet, problem, [203, 0, 113, 1].into(), 64),
        Problem::V6(problem) => icmp::report_ipv6(packet, problem, "2001:db8:f::1".parse().unwrap(), 64),
        _ => unreachable!(),
    });
    report.unwrap().1
}

/// An ICMP error with no more than eight bytes behind the quoted header.
fn short(mut report: Vec<u8>) -> Vec<u8> {
    report.truncate(20 + 8 + 20 + 8);
    report[2..4].copy_from_slice(&56u16.to_be_bytes());
    fix_ipv4(&mut report);
    report[22..24].fill(0);
    let sum = encap::wire::checksum::of(&report[20..]);
    report[22..24].copy_from_slice(&sum.to_be_bytes());
    report
}

fn too_big(v6: bool, mtu: u16) -> Problem {
    match v6 {
        true => Problem::V6(V6::PacketTooBig { mtu: mtu.into() }),
        false => Problem::V4(V4::FragmentationNeeded { mtu }),
    }
}

fn host(v6: bool) -> Problem {
    match v6 {
        true => Problem::V6(V6::Unreachable(icmpv6::Unreachable::ADDRESS)),
        false => Problem::V4(V4::Unreachable(icmpv4::Unreachable::HOST)),
    }
}

fn keyed(c: Config) -> Config {
    c.ikey(Key(1)).okey(Key(2)).csum(true).seq(true).mtu(1500)
}

#[test]
fn b5_frag_needed_is_the_path_mtu_from_then_on() {
    for v6 in [false, true] {
        for set in [(|c| keyed(c)) as fn(Config) -> Config, |c| keyed(c).linux()] {
            let mut here = tunnel(v6, set);
            let made = send(&mut here, &inner()).unwrap();
            let overhead = 1500 - here.mtu();
            assert_eq!(
                here.handle_icmp(NOW, &error(&made, too_big(v6, 1400))),
                PathReport::Mtu { mtu: 1400 }
            );
            assert_eq!(here.mtu(), 1400 - overhead);
            // Only ever less, and nothing that no link has: of IPv4 as little as can be, of IPv6 nothing at all.
            assert_eq!(here.handle_icmp(NOW, &error(&made, too_big(v6, 1450))), PathReport::Ignored);
            let (least, too_little) = match v6 {
                true => (1280, PathReport::Ignored),
                false => (576, PathReport::Mtu { mtu: 576 }),
            };
            assert_eq!(here.handle_icmp(NOW, &error(&made, too_big(v6, 0))), too_little);
            let told = here.handle_icmp(NOW, &error(&made, too_big(v6, least)));
            assert_eq!(told, PathReport::Mtu { mtu: least });
            assert_eq!(here.mtu(), usize::from(least) - overhead);
            assert!(!here.is_failing(NOW), "nobody is told that the remote is gone");
            here.set_mtu(1500).unwrap();
            assert_eq!((here.mtu(), here.poll_timeout()), (1500 - overhead, None));
        }
    }
}

/// Enhanced GRE between the same hosts (RFC 2637) always has a key, and a source route (RFC 1701) is none of ours.
#[test]
fn errors_about_gre_of_another_kind_mean_nothing() {
    let mut here = tunnel(false, keyed);
    let made = send(&mut here, &inner()).unwrap();
    for flags in [[0x30, 0x01], [0x60, 0]] {
        let mut other = made.clone();
        other[20..22].copy_from_slice(&flags);
        let report = error(&other, too_big(false, 1400));
        assert_eq!(here.handle_icmp(NOW, &report), PathReport::NotOurs, "{flags:02x?}");
        assert_eq!(here.handle_icmp(NOW, &short(report)), PathReport::NotOurs, "{flags:02x?}");
    }
}

/// As Linux, which looks among its `gretap` for errors about frames, and among its `gre` for others.
#[test]
fn b5_a_tunnel_of_frames_and_one_of_ip_between_the_same_hosts_hear_their_own_errors() {
    for v6 in [false, true] {
        let kinds = [Payload::Ip, Payload::Ethernet];
        let [mut ip, mut frames] = kinds.map(|kind| tunnel(v6, |c| c.payload(kind).mtu(1500)));
        let about_ip = error(&send(&mut ip, &inner()).unwrap(), host(v6));
        let about_frames = error(&send(&mut frames, &frame(&[], &inner())).unwrap(), host(v6));
        let unreachable = PathReport::Unreachable { problem: host(v6) };
        for (told, by_ip, by_frames) in
            [(about_ip, unreachable, PathReport::NotOurs), (about_frames, PathReport::NotOurs, unreachable)]
        {
            let verdicts = [&mut ip, &mut frames].map(|tunnel| tunnel.handle_icmp(NOW, &told));
            assert_eq!(verdicts, [by_ip, by_frames]);
        }
    }
}

#[test]
fn rfc1191_s6_3_a_told_mtu_holds_for_ten_minutes_and_then_what_was_set_does() {
    let after = |seconds| NOW.saturating_add(Duration::from_secs(seconds));
    for v6 in [false, true] {
        let mut here = tunnel(v6, keyed);
        let made = send(&mut here, &inner()).unwrap();
        let overhead = 1500 - here.mtu();
        assert_eq!((here.poll_timeout(), here.handle_timeout(NOW)), (None, None));
        assert_eq!(here.handle_icmp(NOW, &error(&made, too_big(v6, 1500))), PathReport::Ignored, "as it is");
        assert_eq!(here.handle_icmp(NOW, &error(&made, too_big(v6, 1400))), PathReport::Mtu { mtu: 1400 });
        // Before the time nothing happens; once, when it has come.
        assert_eq!((here.poll_timeout(), here.handle_timeout(after(599))), (Some(after(600)), None));
        assert_eq!(here.mtu(), 1400 - overhead);
        assert_eq!((here.handle_timeout(after(600)), here.handle_timeout(after(600))), (Some(1500), None));
        assert_eq!((here.mtu(), here.poll_timeout()), (1500 - overhead, None));
        // What is too old counts no more, whether or not somebody has called.
        let _ = here.handle_icmp(after(1_000), &error(&made, too_big(v6, 1300)));
        assert_eq!(here.handle_icmp(after(1_600), &error(&made, too_big(v6, 1500))), PathReport::Ignored);
        assert_eq!(
            here.handle_icmp(after(1_600), &error(&made, too_big(v6, 1400))),
            PathReport::Mtu { mtu: 1400 }
        );
        assert_eq!(here.handle_icmp(after(1_600), &error(&made, too_big(v6, 1500))), PathReport::Ignored);
        assert_eq!(here.handle_timeout(after(2_200)), Some(1500));
    }
}

#[test]
fn rfc8201_s4_a_larger_mtu_is_not_tried_sooner_after_the_last_report() {
    let after = |seconds| NOW.saturating_add(Duration::from_secs(seconds));
    let mut here = tunnel(true, keyed);
    let made = send(&mut here, &inner()).unwrap();
    // The same again, and less.
    for (seconds, mtu) in [(0, 1400), (300, 1400), (500, 1350)] {
        let told = here.handle_icmp(after(seconds), &error(&made, too_big(true, mtu)));
        assert_eq!((told, here.poll_timeout()), (PathReport::Mtu { mtu }, Some(after(seconds + 600))));
    }
    // What was told before comes back no more, only what was set.
    assert_eq!(here.handle_timeout(after(1_100)), Some(1500));
}

#[test]
fn the_time_that_an_mtu_holds_is_a_setting() {
    for (time, due) in [(Some(Duration::from_secs(300)), Some(Instant::from_secs(400))), (None, None)] {
        let mut here = tunnel(false, |c| keyed(c).mtu_expires(time));
        let made = send(&mut here, &inner()).unwrap();
        assert_eq!(here.handle_icmp(NOW, &error(&made, too_big(false, 1400))), PathReport::Mtu { mtu: 1400 });
        assert_eq!(here.poll_timeout(), due);
        assert_eq!(here.handle_timeout(Instant::from_secs(1 << 40)), time.map(|_| 1500));
    }
    let (a, b) = ends(false);
    let refused = Tunnel::new(a, b).mtu_expires(Some(Duration::ZERO)).build().err();
    assert_eq!(refused, Some(ConfigError::MtuExpiresZero));
}

/// Nothing holds for as long as a clock was set back.
#[test]
fn an_mtu_and_failures_do_not_wait_for_a_clock_that_was_set_back() {
    for v6 in [false, true] {
        let mut here = tunnel(v6, keyed);
        let made = send(&mut here, &inner()).unwrap();
        let late = Instant::from_secs(1_000_000);
        assert_eq!(here.handle_icmp(late, &error(&made, too_big(v6, 1400))), PathReport::Mtu { mtu: 1400 });
        assert_eq!(here.handle_timeout(NOW), None);
        let due = NOW.saturating_add(Duration::from_secs(600));
        assert_eq!(here.poll_timeout(), Some(due));
        assert_eq!(here.handle_timeout(due), Some(1500));

        for _ in 0..3 {
            let _ = here.handle_icmp(late, &error(&made, host(v6)));
        }
        assert!(here.is_failing(NOW));
        assert!(here.is_failing(NOW.saturating_add(Duration::from_secs(29))));
        assert!(!here.is_failing(NOW.saturating_add(Duration::from_secs(30))));
    }
}

#[test]
fn b5_recent_errors_are_told_to_as_many_senders() {
    for v6 in [false, true] {
        let mut here = tunnel(v6, keyed);
        let made = send(&mut here, &inner()).unwrap();
        let report = error(&made, host(v6));
        let at = |seconds: u64| Instant::from_secs(100 + seconds);
        assert!(!here.is_failing(NOW));
        for seconds in [0, 29] {
            assert_eq!(here.handle_icmp(at(seconds), &report), PathReport::Unreachable { problem: host(v6) });
        }
        assert_eq!([(); 3].map(|()| here.is_failing(at(30))), [true, true, false]);
        // Of errors that came one soon after the other, the age of the last one counts for all.
        for seconds in [0, 20, 40] {
            let _ = here.handle_icmp(at(seconds), &report);
        }
        assert_eq!([(); 4].map(|()| here.is_failing(at(60))), [true, true, true, false]);
        let _ = here.handle_icmp(at(70), &report);
        let _ = here.handle_icmp(at(80), &report);
        assert!(here.is_failing(at(109)));
        assert!(!here.is_failing(at(110)));
        let _ = here.handle_icmp(at(200), &report);
        let _ = here.handle_icmp(at(230), &report);
        assert_eq!([(); 2].map(|()| here.is_failing(at(231))), [true, false], "older ones are forgotten");
    }
}

#[test]
fn b5_which_errors_count() {
    let code4 = |code| Problem::V4(V4::Unreachable(icmpv4::Unreachable(code)));
    let code6 = |code| Problem::V6(V6::Unreachable(icmpv6::Unreachable(code)));
    let (ttl4, ttl6) = (
        Problem::V4(V4::TimeExceeded(icmpv4::TimeExceeded::IN_TRANSIT)),
        Problem::V6(V6::TimeExceeded(icmpv6::TimeExceeded::IN_TRANSIT)),
    );
    let reassembly = Problem::V4(V4::TimeExceeded(icmpv4::TimeExceeded::IN_REASSEMBLY));
    let parameter = Problem::V4(V4::ParameterProblem { code: 0, pointer: 1 });
    let parameter6 = Problem::V6(V6::ParameterProblem { code: 0, pointer: 44 });
    for (problem, fixed, inherited) in [
        (code4(0), true, true),   // network
        (code4(1), true, true),   // host
        (code4(2), true, true),   // protocol
        (code4(3), false, false), // port
        (code4(5), false, false), // source route failed
        (code4(13), true, true),
        (ttl4, true, false),
        (reassembly, false, false),
        (parameter, false, false),
        (code6(0), true, true),
        (code6(3), true, true),
        (code6(4), false, false), // port
        (ttl6, true, false),
        (parameter6, false, false),
    ] {
        let v6 = matches!(problem, Problem::V6(_));
        for (ttl, counts) in [(Ttl::Fixed(64), fixed), (Ttl::Inherit, inherited)] {
            let mut here = tunnel(v6, |c| keyed(c).ttl(ttl));
            let made = send(&mut here, &inner()).unwrap();
            let expected = if counts { PathReport::Unreachable { problem } } else { PathReport::Ignored };
            assert_eq!(here.handle_icmp(NOW, &error(&made, problem)), expected, "{problem:?} {ttl:?}");
            assert_eq!(here.is_failing(NOW), counts);
        }
    }
}

#[test]
fn b5_the_quote_must_be_of_this_tunnel() {
    let (a, b) = ends(false);
    let mut here = tunnel(false, keyed);
    let made = send(&mut here, &inner()).unwrap();
    let mut verdict = |packet: &[u8]| here.handle_icmp(NOW, &error(packet, host(false)));
    assert_eq!(verdict(&made), PathReport::Unreachable { problem: host(false) });
    let changed = |at: usize, to: u8| {
        let mut packet = made.clone();
        packet[at] = to;
        fix_ipv4(&mut packet);
        packet
    };
    assert_eq!(verdict(&changed(31, 3)), PathReport::NotOurs, "another key");
    assert_eq!(verdict(&changed(20, 0x90)), PathReport::NotOurs, "no key");
    assert_eq!(verdict(&changed(9, 17)), PathReport::NotOurs, "no GRE");
    assert_eq!(verdict(&changed(15, 9)), PathReport::NotOurs, "from somebody else");
    assert_eq!(verdict(&changed(19, 9)), PathReport::NotOurs, "to somebody else");
    assert_eq!(here.handle_icmp(NOW, &outer(b, a, &[0; 8])), PathReport::NotOurs, "no error at all");
    // Neither GRE's checksum, broken by whatever was cut off, nor that of ICMP.
    let mut broken = error(&made, host(false));
    broken[40] ^= 1;
    assert_eq!(here.handle_icmp(NOW, &broken), PathReport::NotOurs);
}

/// Who writes no IP header may leave the address to the socket.
#[test]
fn b5_errors_are_heard_where_the_local_address_is_not_known() {
    for v6 in [false, true] {
        let mut there = peer(v6, |c| c.mtu(1500));
        let report = error(&send(&mut there, &inner()).unwrap(), too_big(v6, 1400));
        let any = ip(if v6 { "::" } else { "0.0.0.0" });
        let wildcard = |to| Tunnel::new(any, to).framing(Framing::Payload).mtu(1500).build().unwrap();
        let (a, b) = ends(v6);
        assert_eq!(wildcard(a).handle_icmp(NOW, &report), PathReport::Mtu { mtu: 1400 });
        assert_eq!(wildcard(b).handle_icmp(NOW, &report), PathReport::NotOurs, "to somebody else");
        assert_eq!(wildcard(any).handle_icmp(NOW, &report), PathReport::Ignored);
        let other = ip(if v6 { "0.0.0.0" } else { "::" });
        let mut other = Tunnel::new(other, other).framing(Framing::Payload).build().unwrap();
        assert_eq!(other.handle_icmp(NOW, &report), PathReport::NotOurs, "of the other family");
    }
}

#[test]
fn b5_the_key_may_be_missing_from_a_quote_of_eight_bytes() {
    for (set, key) in [((|c| c) as fn(Config) -> Config, false), (|c| c.key(Key(7)), true)] {
        // With a number, so that no header ends within eight bytes.
        let with_sum = |c: Config| set(c.csum(true).seq(true).mtu(1500));
        for other in [false, true] {
            // The tunnel that sent it, and one that differs in having a key.
            let mut sender = tunnel(false, with_sum);
            let mut here = tunnel(false, |c| match key != other {
                true => c.csum(true).key(Key(7)).mtu(1500),
                false => c.csum(true).mtu(1500),
            });
            let made = send(&mut sender, &inner()).unwrap();
            let report = short(error(&made, too_big(false, 1400)));
            let expected = if other { PathReport::NotOurs } else { PathReport::Mtu { mtu: 1400 } };
            assert_eq!(here.handle_icmp(NOW, &report), expected);
        }
    }
    // Without a checksum the key is there, and counts.
    let mut here = tunnel(false, |c| c.key(Key(7)).mtu(1500));
    let mut other = tunnel(false, |c| c.key(Key(8)).mtu(1500));
    let report = short(error(&send(&mut other, &inner()).unwrap(), too_big(false, 1400)));
    assert_eq!(here.handle_icmp(NOW, &report), PathReport::NotOurs);
    assert_eq!(other.handle_icmp(NOW, &report), PathReport::Mtu { mtu: 1400 });
}

#[test]
fn b5_tunnels_to_groups_and_to_any_remote_have_no_path() {
    let (a, b) = ends(false);
    let group = ip("239.0.0.9");
    let mut to_group = Tunnel::new(a, group).build().unwrap();
    // A router must not answer a packet to a group, so this one is forged.
    let mut quoted = outer(a, b, &[&[0, 0, 8, 0][..], &inner()].concat());
    let mut forged = error(&quoted, host(false));
    let IpAddr::V4(to) = group else { unreachable!() };
    forged[44..48].copy_from_slice(&to.octets());
    forged[22..24].fill(0);
    let sum = encap::wire::checksum::of(&forged[20..]);
    forged[22..24].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(to_group.handle_icmp(NOW, &forged), PathReport::Ignored);
    // Whatever goes to any remote may be a hub's, but it says nothing of the others.
    let mut hub = Tunnel::new(a, ip("0.0.0.0")).build().unwrap();
    assert_eq!(hub.handle_icmp(NOW, &error(&quoted, host(false))), PathReport::Ignored);
    assert!(!hub.is_failing(NOW));
    // Over IPv6, behind the options that the tunnel writes.
    let mut linux = tunnel(true, Config::linux);
    quoted = send(&mut linux, &inner()).unwrap();
    assert_eq!(quoted[6], IpProtocol::DESTINATION_OPTIONS.0);
    assert_eq!(
        linux.handle_icmp(NOW, &error(&quoted, host(true))),
        PathReport::Unreachable { problem: host(true) }
    );
}
