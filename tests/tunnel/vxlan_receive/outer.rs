//! Rows of the outer headers: IP and UDP.

use encap::{
    time::Instant,
    tunnel::{DecapMeta, DropReason, Framing, OuterFacts, Policy, gre, vxlan},
    wire::{Ecn, checksum::State},
};

use crate::common::{any_frame, decap, edit, encap, fix_ipv4, ip, ipv4_packet, vxlan_pair};

use super::{changed, packet, packet6, reason, receive, receive_with};

#[test]
fn a3_ip1_version_4() {
    assert_eq!(reason(changed(|p| p[0] = 0x55)), DropReason::Ipv4Version);
    assert_eq!(reason(changed(|p| p[0] = 0x05)), DropReason::Ipv4Version);
}

#[test]
fn a3_ip1_ihl_at_least_5() {
    for ihl in 0..5 {
        let mut packet = packet();
        packet[0] = 0x40 | ihl;
        assert_eq!(reason(receive(&packet)), DropReason::Ipv4HeaderLength);
    }
}

#[test]
fn a3_ip1_total_length_within_what_was_received() {
    let len = packet().len() as u16;
    for total_len in [0, 19, len + 1, u16::MAX] {
        let result = changed(|p| [p[2], p[3]] = total_len.to_be_bytes());
        assert_eq!(reason(result), DropReason::Ipv4TotalLength, "{total_len}");
    }
}

#[test]
fn a3_ip1_bytes_beyond_the_total_length_are_trimmed() {
    let (_, made) = changed(|p| p.extend([0xee; 18])).unwrap();
    assert_eq!(made, any_frame());
    let mut packet = packet6();
    packet.extend([0xee; 18]);
    assert_eq!(receive(&packet).unwrap().1, any_frame());
}

#[test]
fn a3_ip1_header_checksum_is_verified() {
    for bit in 0..160 {
        let mut packet = packet();
        packet[bit / 8] ^= 0x80 >> (bit % 8);
        let reason = reason(receive(&packet));
        let expected = match bit {
            0..4 => DropReason::Ipv4Version,
            4..8 => return_early_for_ihl(packet[0]),
            16..32 if usize::from(u16::from_be_bytes([packet[2], packet[3]])) > packet.len() => {
                DropReason::Ipv4TotalLength
            }
            16..32 if u16::from_be_bytes([packet[2], packet[3]]) < 20 => DropReason::Ipv4TotalLength,
            _ => DropReason::Ipv4Checksum,
        };
        // A start with version 6 is another packet altogether.
        if packet[0] >> 4 != 6 {
            assert_eq!(reason, expected, "bit {bit}");
        }
    }
}

fn return_early_for_ihl(first: u8) -> DropReason {
    if first & 15 < 5 { DropReason::Ipv4HeaderLength } else { DropReason::Ipv4Checksum }
}

#[test]
fn a3_ip1_options_are_accepted() {
    let result = changed(|p| {
        p.splice(20..20, [0x94, 4, 0, 0]);
        p[0] = 0x46;
        p[3] += 4;
    });
    assert_eq!(result.unwrap().1, any_frame());
}

#[test]
fn a3_ip1_fragments_are_refused() {
    for word in [0x2000, 0x2001, 0x0001, 0x1fff, 0x6000] {
        assert_eq!(
            reason(changed(|p| [p[6], p[7]] = u16::to_be_bytes(word))),
            DropReason::Fragment,
            "{word:#x}"
        );
    }
    // Somebody else's fragments are theirs.
    let result = changed(|p| ([p[6], p[7]], p[19]) = ([0, 5], 9));
    assert_eq!(reason(result), DropReason::OtherDestination);
    // RFC 6946: a fragment header of IPv6 around a whole datagram does not make a fragment.
    for (word, expected) in
        [(0x0000, None), (0x0001, Some(DropReason::Fragment)), (0x0008, Some(DropReason::Fragment))]
    {
        let [o0, o1] = u16::to_be_bytes(word);
        let mut packet = packet6();
        packet.splice(40..40, [17, 0, o0, o1, 0, 0, 0, 1]);
        (packet[6], packet[5]) = (44, packet[5] + 8);
        assert_eq!(receive(&packet).err(), expected, "{word:#x}");
    }
}

#[test]
fn a3_ip1_martian_sources_are_refused() {
    // Unspecified, multicast, broadcast, loopback, and the endpoint's own address.
    let martians =
        ["0.0.0.0", "224.0.0.1", "239.255.255.255", "255.255.255.255", "127.0.0.1", "127.9.9.9", "192.0.2.2"];
    for source in martians {
        let source: std::net::Ipv4Addr = source.parse().unwrap();
        let result = changed(|p| p[12..16].copy_from_slice(&source.octets()));
        assert_eq!(reason(result), DropReason::MartianSource, "{source}");
    }
    for source in ["::", "ff02::1", "::1", "2001:db8::2"] {
        let source: std::net::Ipv6Addr = source.parse().unwrap();
        let mut packet = packet6();
        packet[8..24].copy_from_slice(&source.octets());
        assert_eq!(reason(receive(&packet)), DropReason::MartianSource, "{source}");
    }
}

#[test]
fn a3_ip2_local_is_compared_unless_the_policy_says_otherwise() {
    let mut packet = packet();
    packet[19] = 9;
    fix_ipv4(&mut packet);
    assert_eq!(reason(receive(&packet)), DropReason::OtherDestination);
    assert!(DropReason::OtherDestination.is_not_ours());
    let mut wildcard = Policy::RFC;
    wildcard.allow_any_destination = true;
    assert!(receive_with(wildcard, &packet).is_ok());
}

#[test]
fn a3_ip2_multicast_groups_are_taken() {
    assert!(changed(|p| p[16..20].copy_from_slice(&[239, 1, 1, 1])).is_ok());
}

/// Whoever tells us the addresses, they are judged as if we had read them.
#[test]
fn a3_ip1_a3_ip2_addresses_that_a_socket_has_taken() {
    let verdict = |local: &str, policy: Policy, source: &str, destination: &str| {
        let v6 = local.contains(':');
        let framing = if ip(local).is_unspecified() { Framing::Payload } else { Framing::Ip };
        let meta = DecapMeta::new().outer(OuterFacts::new(ip(source), ip(destination)));
        let bytes = packet()[28..].to_vec();
        let vxlan = vxlan::Endpoint::new(ip(local)).framing(framing).policy(policy).build().unwrap();
        let gre = gre::Endpoint::new(ip(local)).framing(framing).policy(policy).build().unwrap();
        let verdict = edit(&bytes, |packet| vxlan.decap_with(packet, &meta)).err();
        let inner = ipv4_packet(Ecn::NotEct, false, 64, b"hello");
        let bytes = [&[0, 0, 8, 0][..], &inner].concat();
        assert_eq!(edit(&bytes, |packet| gre.decap_with(packet, &meta)).err(), verdict);
        let remote = ip(if v6 { "2001:db8::1" } else { "192.0.2.1" });
        let tunnel = gre::Tunnel::new(ip(local), remote).framing(framing).policy(policy);
        let of_tunnel =
            edit(&bytes, |packet| tunnel.build().unwrap().decap_with(Instant::ZERO, packet, &meta));
        if ip(source) == remote && !ip(destination).is_multicast() {
            assert_eq!(of_tunnel.err(), verdict);
        }
        verdict
    };
    let (martian, other) = (Some(DropReason::MartianSource), Some(DropReason::OtherDestination));
    let mut wildcard = Policy::RFC;
    wildcard.allow_any_destination = true;
    for (local, remote, else_where, group) in [
        ("192.0.2.2", "192.0.2.1", "192.0.2.99", "239.1.1.1"),
        ("2001:db8::2", "2001:db8::1", "2001:db8::99", "ff0e::9"),
    ] {
        let any = if local.contains(':') { "::" } else { "0.0.0.0" };
        assert_eq!(verdict(local, Policy::RFC, remote, local), None);
        assert_eq!(verdict(local, Policy::RFC, remote, group), None);
        assert_eq!(verdict(local, Policy::RFC, remote, else_where), other);
        assert_eq!(verdict(local, wildcard, remote, else_where), None);
        for policy in [Policy::RFC, wildcard] {
            for source in [local, any, group, if any == "::" { "::1" } else { "127.0.0.1" }] {
                assert_eq!(verdict(local, policy, source, local), martian, "{source}");
            }
        }
        // Both are of our family, also where one of IPv6 says the other.
        for (source, destination) in [("::ffff:192.0.2.1", "2001:db8::99"), ("2001:db8::1", "192.0.2.2")] {
            assert_eq!(verdict(local, wildcard, source, destination), Some(DropReason::NotIp), "{local}");
        }
        // Not known, or whatever a socket of any address gets.
        assert_eq!(verdict(local, Policy::RFC, remote, any), None);
        assert_eq!(verdict(any, Policy::RFC, remote, else_where), None);
        assert_eq!(verdict(any, Policy::RFC, any, else_where), martian);
        // What loopback sent came to loopback, as far as anybody knows.
        let loopback = if any == "::" { "::1" } else { "127.0.0.1" };
        assert_eq!(verdict(any, Policy::RFC, loopback, any), None);
        assert_eq!(verdict(any, Policy::RFC, loopback, loopback), None);
        assert_eq!(verdict(any, Policy::RFC, loopback, else_where), martian);
        for source in [any, group] {
            assert_eq!(verdict(any, Policy::RFC, source, any), martian, "{source}");
        }
    }
    assert_eq!(verdict("192.0.2.2", Policy::RFC, "192.0.2.1", "255.255.255.255"), other);
    assert_eq!(verdict("192.0.2.2", Policy::RFC, "255.255.255.255", "192.0.2.2"), martian);
}

#[test]
fn a3_udp3_length() {
    let udp_len = packet().len() as u16 - 20;
    for length in [0, 7, udp_len + 1, u16::MAX] {
        let result = changed(|p| [p[24], p[25]] = length.to_be_bytes());
        assert_eq!(reason(result), DropReason::UdpLength, "{length}");
    }
    // Shorter than the IP payload: trimmed to the UDP length.
    let (_, made) = changed(|p| [p[24], p[25]] = (udp_len - 5).to_be_bytes()).unwrap();
    assert_eq!(made, any_frame()[..any_frame().len() - 5]);
    // No room for a UDP header at all.
    assert_eq!(reason(changed(|p| (p[2], p[3]) = (0, 27))), DropReason::UdpTruncated);
}

#[test]
fn a3_udp4_zero_checksum_over_ipv4_is_accepted_and_others_are_verified() {
    let (tunnel, remote, receiver) =
        vxlan_pair(false, |b| b.udp_checksum(encap::tunnel::UdpChecksum::Full), |b| b);
    let packet = encap(&tunnel, &remote, &Default::default(), &any_frame()).unwrap();
    let (inner, _) = decap(&receiver, &packet).unwrap();
    assert_eq!(inner.outer.unwrap().udp_checksum, State::Good);
    for at in 28..packet.len() {
        let mut bad = packet.clone();
        bad[at] ^= 0x10;
        assert_eq!(reason(decap(&receiver, &bad)), DropReason::UdpChecksum, "byte {at}");
    }
    // Not verified again where somebody has done it, nor where the policy does not want it.
    let mut bad = packet.clone();
    bad[60] ^= 1;
    let meta = DecapMeta::new().udp_checksum_verified();
    assert!(edit(&bad, |packet| receiver.decap_with(packet, &meta)).is_ok());
    let mut policy = Policy::RFC;
    policy.verify_udp_checksum = false;
    let (inner, _) = receive_with(policy, &bad).unwrap();
    assert_eq!(inner.outer.unwrap().udp_checksum, State::Unverified);
}

#[test]
fn a3_udp4_verification_covers_the_trimmed_length() {
    let (tunnel, remote, receiver) =
        vxlan_pair(false, |b| b.udp_checksum(encap::tunnel::UdpChecksum::Full), |b| b);
    let mut packet = encap(&tunnel, &remote, &Default::default(), &any_frame()).unwrap();
    packet.extend([0xff; 6]);
    let total_len = packet.len() as u16;
    [packet[2], packet[3]] = total_len.to_be_bytes(); // inside the IP packet, outside the UDP datagram
    fix_ipv4(&mut packet);
    assert_eq!(decap(&receiver, &packet).unwrap().1, any_frame());
}

#[test]
fn rfc6935_s5_zero_checksum_over_ipv6_only_if_configured() {
    let mut packet = packet6();
    [packet[46], packet[47]] = [0, 0];
    assert_eq!(reason(receive(&packet)), DropReason::UdpChecksumMissing);
    let mut policy = Policy::RFC;
    policy.allow_zero_checksum_ipv6 = true;
    assert_eq!(receive_with(policy, &packet).unwrap().1, any_frame());
    // Nor is what is missing as good as what nobody verifies.
    let mut unverified = Policy::RFC;
    unverified.verify_udp_checksum = false;
    assert_eq!(reason(receive_with(unverified, &packet)), DropReason::UdpChecksumMissing);
    // Nobody can have verified what is not there.
    let (_, _, receiver) = vxlan_pair(true, |b| b, |b| b);
    let verified = DecapMeta::new().udp_checksum_verified();
    let result = edit(&packet, |packet| receiver.decap_with(packet, &verified));
    assert_eq!(reason(result), DropReason::UdpChecksumMissing);
    // Where zero is allowed, others must still be right.
    packet[47] = 1;
    assert_eq!(reason(receive_with(policy, &packet)), DropReason::UdpChecksum);
}

#[test]
fn a3_udp5_source_port_and_source_address_do_not_matter() {
    assert!(changed(|p| [p[20], p[21]] = [0, 0]).is_ok());
    assert!(changed(|p| p[12..16].copy_from_slice(&[203, 0, 113, 77])).is_ok());
}
