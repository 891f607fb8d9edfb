//! What a tunnel is configured to, as `ip tunnel add` has it, and what is refused.

use std::time::Duration;

use encap::{
    time::Instant,
    tunnel::{
        ConfigError, Framing, Link, OuterDscp, OuterFlowLabel, Payload, Ttl,
        gre::{ChecksumRule, Config, SequenceRule, Tunnel},
    },
    wire::{
        Dscp, Ecn, EtherType, FlowLabel, MacAddr,
        gre::{Header, Key},
        ipv4,
    },
};

use super::{peer, receive_at, send, to_peer, tunnel};
use crate::common::{any_frame, ends, frame, ip, ipv4_packet};

fn refused(v6: bool, set: impl FnOnce(Config) -> Config) -> ConfigError {
    set(Tunnel::new(ends(v6).0, ends(v6).1)).build().unwrap_err()
}

#[test]
fn b5_b6_without_path_mtu_discovery_the_ttl_must_be_inherited() {
    let error = ConfigError::TtlWithoutPathMtuDiscovery;
    assert_eq!(refused(false, |c| c.ttl(64).pmtudisc(false)), error);
    assert_eq!(refused(false, |c| c.pmtudisc(false)), error, "64 is the default");
    assert_eq!(refused(false, |c| c.pmtudisc(false).ttl(255).linux()), error);
    tunnel(false, |c| c.pmtudisc(false).ttl(Ttl::Inherit));
    tunnel(false, |c| c.pmtudisc(false).linux());
    tunnel(false, |c| c.ttl(255));
}

/// `ip tunnel` makes none of them, and `ip link` refuses no TTL.
#[test]
fn b5_tunnels_of_frames_have_any_ttl_without_path_mtu_discovery() {
    let frames = |c: Config| c.payload(Payload::Ethernet).pmtudisc(false);
    tunnel(false, frames);
    tunnel(false, |c| frames(c).ttl(64).linux());
    let mut tunnel = tunnel(false, |c| frames(c).ttl(255));
    for dont_fragment in [false, true] {
        let inner = frame(&[], &ipv4_packet(Ecn::NotEct, dont_fragment, 7, b"x"));
        let made = send(&mut tunnel, &inner).unwrap();
        let (outer, _) = ipv4::Header::parse(&made).unwrap();
        assert_eq!((outer.ttl, outer.dont_fragment), (255, dont_fragment));
    }
}

#[test]
fn b5_b6_ignore_df_needs_nopmtudisc() {
    let inherit = |c: Config| c.ttl(Ttl::Inherit).ignore_df(true);
    assert_eq!(refused(false, inherit), ConfigError::IgnoreDfWithPathMtuDiscovery);
    tunnel(false, |c| inherit(c).pmtudisc(false));
}

#[test]
fn b6_df_settings_are_for_ipv4() {
    let error = ConfigError::DontFragmentOnIpv6(ends(true).0);
    assert_eq!(refused(true, |c| c.pmtudisc(false).ttl(Ttl::Inherit)), error);
    assert_eq!(refused(true, |c| c.ignore_df(true)), error);
}

#[test]
fn b6_addresses_that_cannot_be() {
    let (a, b) = ends(false);
    let build = |local, remote| Tunnel::new(local, remote).build().err();
    assert_eq!(build(a, a), Some(ConfigError::RemoteIsLocal(a)));
    let any = ip("0.0.0.0");
    assert_eq!(build(a, any), None, "any remote");
    let frames = Tunnel::new(a, any).payload(Payload::Ethernet).build();
    assert_eq!(frames.err(), Some(ConfigError::RemoteUnspecified(any)), "not for gretap");
    assert_eq!(build(a, ip("::")), Some(ConfigError::FamilyMismatch { local: a, remote: ip("::") }));
    assert_eq!(build(ip("0.0.0.0"), b), Some(ConfigError::LocalNotUnicast(ip("0.0.0.0"))));
    assert_eq!(build(ip("224.0.0.9"), b), Some(ConfigError::LocalNotUnicast(ip("224.0.0.9"))));
    // Any to any, where a socket writes the addresses.
    assert_eq!(build(any, any), Some(ConfigError::LocalNotUnicast(any)));
    assert!(Tunnel::new(any, any).framing(Framing::Payload).build().is_ok());
    let remote = ends(true).1;
    assert_eq!(build(a, remote), Some(ConfigError::FamilyMismatch { local: a, remote }));
    assert_eq!(build(a, b), None);
}

#[test]
fn b6_what_an_endpoint_refuses_is_refused() {
    assert_eq!(refused(false, |c| c.ttl(0)), ConfigError::TtlZero);
    let zero = Some(Duration::ZERO);
    for c in [|c: Config| c, Config::linux] {
        assert_eq!(refused(false, |b| c(b).iseq(true).reset_after(zero)), ConfigError::ResetAfterZero);
    }
    let label = OuterFlowLabel::Fixed(FlowLabel::truncate(1));
    assert_eq!(refused(false, |c| c.flow_label(label)), ConfigError::FlowLabelOnIpv4(ends(false).0));
    for mtu in [0, 24, 65_536] {
        assert_eq!(refused(false, |c| c.mtu(mtu)), ConfigError::Mtu { mtu, overhead: 24, max: 65_535 });
    }
    assert_eq!(tunnel(false, |c| c.mtu(25)).mtu(), 1);
}

#[test]
fn b5_mtu_of_the_device() {
    let mtu = |v6, set: fn(Config) -> Config| tunnel(v6, |c| set(c).mtu(1500)).mtu();
    assert_eq!(mtu(false, |c| c), 1476);
    assert_eq!(mtu(false, |c| c.key(Key(1))), 1472);
    assert_eq!(mtu(false, |c| c.ikey(Key(1))), 1476, "it counts what is sent");
    assert_eq!(mtu(false, |c| c.key(Key(1)).csum(true).seq(true)), 1464);
    assert_eq!(mtu(false, |c| c.payload(Payload::Ethernet)), 1462);
    assert_eq!(mtu(true, |c| c), 1456);
    assert_eq!(mtu(true, Config::linux), 1448, "with its encapsulation limit");
    assert_eq!(mtu(true, |c| c.payload(Payload::Ethernet).linux()), 1434);
    assert_eq!(mtu(true, |c| c.linux().encap_limit(None)), 1456);
}

#[test]
fn the_mtu_changes_while_the_tunnel_runs() {
    let mut tunnel = tunnel(false, |c| c.mtu(1500).seq(true));
    let packet = ipv4_packet(Ecn::NotEct, true, 64, &[0; 1400]);
    send(&mut tunnel, &packet).unwrap();
    tunnel.set_mtu(1400).unwrap();
    assert_eq!(tunnel.mtu(), 1372);
    assert!(send(&mut tunnel, &packet).is_err());
    assert_eq!(tunnel.set_mtu(28), Err(ConfigError::Mtu { mtu: 28, overhead: 28, max: 65_535 }));
    assert_eq!((tunnel.mtu(), tunnel.next_sequence()), (1372, 1));
}

/// A multicast remote; the key that Linux's tools give such a tunnel.
#[test]
fn b6_the_key_of_a_group_is_its_address_in_linux() {
    let group = ip("239.1.2.3");
    for (linux, key) in [(false, None), (true, Some(Key(0xef01_0203)))] {
        let config = Tunnel::new(ends(false).0, group);
        let mut tunnel = if linux { config.linux() } else { config }.build().unwrap();
        let made = send(&mut tunnel, &ipv4_packet(Ecn::NotEct, false, 9, b"x")).unwrap();
        assert_eq!(Header::parse(&made[20..]).unwrap().0.key, key);
        assert_eq!(made[16..20], [239, 1, 2, 3]);
        assert_eq!(made[8], if linux { 9 } else { 1 }, "TTL");
    }
    // One that was given stays.
    let tunnel = Tunnel::new(ends(false).0, group).linux().key(Key(7)).build().unwrap();
    assert_eq!(tunnel.selector(0).key, encap::tunnel::gre::InputKey::Key(Key(7)));
}

/// RFC 1112, section 6.1: one, to stay on the link; `ip6gre` has 64 for all remotes.
#[test]
fn b5_b6_the_ttl_of_packets_to_a_group() {
    for (local, group, at, linux) in [("192.0.2.1", "239.1.2.3", 8, 9), ("2001:db8::1", "ff0e::9", 7, 64)] {
        let config = Tunnel::new(ip(local), ip(group)).encap_limit(None);
        for (config, ttl) in [(config, 1), (config.linux(), linux), (config.linux().ttl(Ttl::Auto), 1)] {
            let mut tunnel = config.build().unwrap();
            assert_eq!(send(&mut tunnel, &ipv4_packet(Ecn::NotEct, false, 9, b"x")).unwrap()[at], ttl);
        }
    }
}

#[test]
fn the_order_of_settings_does_not_matter() {
    let sent = |set: fn(Config) -> Config| {
        send(&mut tunnel(false, set), &ipv4_packet(Ecn::Ce, false, 7, b"x")).unwrap()
    };
    assert_eq!(sent(|c| c.linux().ttl(9)), sent(|c| c.ttl(9).linux()));
    assert_eq!(sent(|c| c.linux().ttl(9))[8], 9);
    assert_eq!(sent(|c| c.linux())[8], 7);
    let ecn = encap::tunnel::ecn::Mode::Normal;
    assert_eq!(sent(|c| c.ecn(encap::tunnel::ecn::Mode::Normal).linux())[1] & 3, ecn.outer(Ecn::Ce).value());
}

/// Each part of `linux` can be had alone, or without.
#[test]
fn rules_are_set_one_by_one() {
    let payload = ipv4_packet(Ecn::NotEct, false, 64, b"hello, world");
    let plain = Header::new(EtherType::IPV4);
    let with_sum = Header { checksum: Some(0), ..plain };
    let at = |seconds, sequence| (Instant::from_secs(seconds), Header { sequence: Some(sequence), ..plain });
    let takes = |set: &dyn Fn(Config) -> Config, packets: &[(Instant, Header)]| {
        let mut peer = peer(false, set);
        let all = packets
            .iter()
            .map(|(now, header)| receive_at(&mut peer, *now, &to_peer(false, *header, &payload)).is_ok());
        all.collect::<Vec<_>>()
    };
    let now = Instant::ZERO;
    assert_eq!(takes(&|c| c.checksum_rule(ChecksumRule::Linux), &[(now, with_sum)]), [false]);
    assert_eq!(takes(&|c| c.linux().checksum_rule(ChecksumRule::Rfc2784), &[(now, with_sum)]), [true]);
    let numbered = |c: Config| c.iseq(true);
    assert_eq!(takes(&|c| numbered(c).sequence_rule(SequenceRule::Linux), &[(now, plain)]), [false]);
    assert_eq!(takes(&|c| numbered(c).linux().sequence_rule(SequenceRule::Rfc2890), &[(now, plain)]), [true]);
    let second = Some(Duration::from_secs(1));
    let restart = [at(0, 9), at(1, 5)];
    assert_eq!(takes(&|c| numbered(c).linux(), &restart), [true, false]);
    assert_eq!(takes(&|c| numbered(c).linux().reset_after(second), &restart), [true, true]);
    assert_eq!(takes(&|c| numbered(c), &[at(0, 9), at(9, 5), at(10, 5)]), [true, false, true]);
    assert_eq!(takes(&|c| numbered(c).reset_after(None), &[at(0, 9), at(1000, 5)]), [true, false]);
}

#[test]
fn every_framing_and_setting_reaches_the_packets() {
    let link = Link { source: MacAddr([2; 6]), next_hop: MacAddr([4; 6]), vlan: None };
    let mut framed = tunnel(false, |c| {
        c.framing(Framing::Ethernet(link)).payload(Payload::Ethernet).tos(Dscp::truncate(10)).seed(3)
    });
    assert_eq!((framed.overhead(), framed.headroom()), (14 + 24, 14 + 24));
    let made = send(&mut framed, &any_frame()).unwrap();
    assert_eq!((&made[..6], made[15], &made[34..38]), (&[4; 6][..], 40, &[0, 0, 0x65, 0x58][..]));
    let mut labelled =
        tunnel(true, |c| c.flow_label(OuterFlowLabel::Fixed(FlowLabel::truncate(5))).tos(OuterDscp::Inherit));
    let made = send(&mut labelled, &ipv4_packet(Ecn::Ce, false, 64, b"x")).unwrap();
    assert_eq!(made[..4], [0x6b, 0xb0, 0, 5]);
    let (here, there) = ends(true);
    assert_eq!((labelled.local(), labelled.remote()), (here, there));
}
