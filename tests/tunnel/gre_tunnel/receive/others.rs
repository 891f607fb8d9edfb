//! Packets of others: whatever is wrong with them, it is none of this tunnel's business.

use std::net::IpAddr;

use encap::{
    tunnel::{
        DropReason,
        gre::{Config, Tunnel},
    },
    wire::gre::{Header, Key},
};

use super::{
    super::{outer, peer, receive},
    PLAIN, payload,
};
use crate::common::{ends, fix_ipv4, ip};

/// What is wrong with each, as bytes of GRE, and what it is called where it comes from the remote.
fn broken() -> Vec<(Vec<u8>, DropReason)> {
    let pptp = [0x30, 1, 0x88, 0x0b, 0, 4, 0, 1, 0, 0, 0, 1, 0xff, 3, 0, 33];
    vec![
        (pptp.to_vec(), DropReason::GreVersion),
        (vec![0x20, 0, 8, 0], DropReason::GreTruncated),
        (vec![0x40, 0, 8, 0, 0, 0, 0, 0], DropReason::GreRouting),
        ([&[0x0c, 0, 8, 0][..], &payload()].concat(), DropReason::GreReservedBits),
        ([&[0x80, 0, 8, 0, 1, 2, 0, 0][..], &payload()].concat(), DropReason::GreChecksum),
    ]
}

/// An IPv4 packet with this flags word and protocol; an IPv6 packet with a fragment header that says the same.
fn fragment(source: IpAddr, destination: IpAddr, flags: u16, protocol: u8, bytes: &[u8]) -> Vec<u8> {
    if source.is_ipv6() {
        let [o0, o1] = (flags << 3 | flags >> 13 & 1).to_be_bytes();
        let mut packet = outer(source, destination, &[&[protocol, 0, o0, o1, 0, 0, 0, 1], bytes].concat());
        packet[6] = 44;
        return packet;
    }
    let mut packet = outer(source, destination, bytes);
    [packet[6], packet[7]] = flags.to_be_bytes();
    packet[9] = protocol;
    fix_ipv4(&mut packet);
    packet
}

fn verdict(tunnel: &mut Tunnel, packet: &[u8]) -> DropReason {
    receive(tunnel, packet).unwrap_err()
}

#[test]
fn b3_broken_packets_of_other_senders_are_not_ours() {
    for v6 in [false, true] {
        let (remote, us) = ends(v6);
        let other = ip(if v6 { "2001:db8::77" } else { "198.51.100.7" });
        for set in [(|c| c) as fn(Config) -> Config, Config::linux] {
            let mut tunnel = peer(v6, set);
            for (gre, _) in broken() {
                assert_eq!(verdict(&mut tunnel, &outer(other, us, &gre)), DropReason::OtherSource);
            }
            for (flags, protocol) in [(0x2000, 47), (1, 47), (0x2000, 17), (1, 17), (0, 17)] {
                let of_others = fragment(other, us, flags, protocol, &[0; 32]);
                assert_eq!(verdict(&mut tunnel, &of_others), DropReason::OtherSource, "{flags:#06x}");
            }
            assert_eq!(tunnel.counters().drops().count(), 0);
        }
        let mut tunnel = peer(v6, |c| c);
        for (gre, reason) in broken() {
            assert_eq!(verdict(&mut tunnel, &outer(remote, us, &gre)), reason);
            assert_eq!(tunnel.counters().dropped(reason), 1, "the remote's own are ours");
        }
    }
}

/// Another reason may come first in the order of the checks: the packet is another's all the same.
#[test]
fn b2_9_what_is_for_others_is_not_counted_whatever_comes_first() {
    for v6 in [false, true] {
        let (remote, us) = ends(v6);
        let mut tunnel = peer(v6, |c| c.ikey(Key(7)));
        // A fragment of UDP, from the remote.
        let udp = fragment(remote, us, 0x2000, 17, &[0; 32]);
        assert_eq!(verdict(&mut tunnel, &udp), DropReason::Fragment);
        // Who has no address yet.
        let nobody = ip(if v6 { "::" } else { "0.0.0.0" });
        let dhcp = fragment(nobody, ip(if v6 { "ff02::1:2" } else { "255.255.255.255" }), 0, 17, &[0; 32]);
        assert_eq!(verdict(&mut tunnel, &dhcp), DropReason::MartianSource);
        // Of another key, and damaged.
        let keyed = [&[0xa0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 9][..], &payload()].concat();
        assert_eq!(verdict(&mut tunnel, &outer(remote, us, &keyed)), DropReason::GreChecksum);
        assert_eq!(tunnel.counters().drops().count(), 0);
        // A fragment of GRE is ours.
        let own = fragment(remote, us, 1, 47, &[0; 32]);
        assert_eq!(verdict(&mut tunnel, &own), DropReason::Fragment);
        assert_eq!(tunnel.counters().dropped(DropReason::Fragment), 1);
    }
}

/// RFC 8200, section 4: who a packet is from and for stands before the extension headers, broken or not.
#[test]
fn rfc8200_s4_addresses_come_before_extension_headers() {
    let (remote, us) = ends(true);
    let other = ip("2001:db8::77");
    let broken = |source, destination| {
        let mut packet = outer(source, destination, &[47, 9, 0, 0, 0, 0, 0, 0]);
        packet[6] = 60;
        packet
    };
    let mut tunnel = peer(true, |c| c);
    assert_eq!(verdict(&mut tunnel, &broken(remote, us)), DropReason::Ipv6Extensions);
    assert_eq!(verdict(&mut tunnel, &broken(other, us)), DropReason::OtherSource);
    assert_eq!(verdict(&mut tunnel, &broken(remote, other)), DropReason::OtherDestination);
    assert_eq!(tunnel.counters().dropped(DropReason::Ipv6Extensions), 1);
}

/// Linux over IPv6 compares keys by their values: then, too, nothing of another key is counted, whatever comes first.
#[test]
fn b2_9_what_has_another_key_by_value_is_not_counted_whatever_comes_first() {
    for v6 in [false, true] {
        let mut tunnel = peer(v6, |c| c.linux().key(Key(7)));
        // Of another key, and damaged.
        let header = Header { key: Some(Key(8)), checksum: Some(1), ..PLAIN };
        let (remote, us) = ends(v6);
        let damaged = outer(remote, us, &[&header.to_bytes()[..12], &payload()].concat());
        assert_eq!(verdict(&mut tunnel, &damaged), DropReason::GreChecksum);
        assert_eq!(tunnel.counters().drops().count(), 0);
    }
}
