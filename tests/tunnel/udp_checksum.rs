//! The outer UDP checksum: none, full, and by offload arithmetic.

use encap::{
    tunnel::{EncapError, EncapMeta, InnerChecksum, UdpChecksum, gre, ip_udp},
    wire::Ecn,
};

use crate::common::{Random, any_frame, encap, ends, fix_ipv4, frame, ipv4_packet, ipv6_packet, vxlan_pair};

fn made(v6: bool, mode: UdpChecksum, inner_checksum: InnerChecksum, inner: &[u8]) -> Vec<u8> {
    let (tunnel, remote, _) = vxlan_pair(v6, |b| b.udp_checksum(mode), |b| b);
    encap(&tunnel, &remote, &EncapMeta::new().inner_checksum(inner_checksum), inner).unwrap()
}

fn checksum(packet: &[u8]) -> [u8; 2] {
    let at = if packet[0] >> 4 == 4 { 26 } else { 46 };
    [packet[at], packet[at + 1]]
}

/// Frames with a good transport checksum, of odd and even lengths, with and without what surrounds them.
fn good_frames() -> Vec<Vec<u8>> {
    let mut random = Random(5);
    let mut frames = Vec::new();
    for len in [0, 1, 2, 7, 100, 101] {
        for packet in [
            ipv4_packet(Ecn::NotEct, false, 64, &random.bytes(len)),
            ipv6_packet(Ecn::Ect0, 64, &random.bytes(len)),
        ] {
            for tags in [&[][..], &[0x81, 0, 0, 5]] {
                for padding in [0, 1, 6] {
                    frames.push([frame(tags, &packet), random.bytes(padding)].concat());
                }
            }
        }
    }
    frames
}

#[test]
fn rfc7348_s5_zero_is_the_default_over_ipv4_and_a_full_sum_over_ipv6() {
    let (tunnel, remote, _) = vxlan_pair(false, |b| b, |b| b);
    assert_eq!(checksum(&encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap()), [0, 0]);
    let (tunnel, remote, receiver) = vxlan_pair(true, |b| b, |b| b);
    let packet = encap(&tunnel, &remote, &EncapMeta::new(), &any_frame()).unwrap();
    assert_ne!(checksum(&packet), [0, 0]);
    crate::common::decap(&receiver, &packet).unwrap();
    assert_eq!(checksum(&made(true, UdpChecksum::Zero, InnerChecksum::Unknown, &any_frame())), [0, 0]);
}

#[test]
fn offload_arithmetic_gives_what_the_full_sum_gives() {
    for v6 in [false, true] {
        for inner in good_frames() {
            let full = made(v6, UdpChecksum::Full, InnerChecksum::Good, &inner);
            assert_eq!(made(v6, UdpChecksum::Offload, InnerChecksum::Good, &inner), full, "{inner:02x?}");
            assert_eq!(made(v6, UdpChecksum::Offload, InnerChecksum::Unknown, &inner), full);
        }
    }
}

/// Where there is no segment with a checksum, the claim that it is good does no harm.
#[test]
fn fragments_missing_checksums_and_other_transports_get_the_full_sum() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 7] = [
        ("first fragment", |p| p[6] = 0x20),
        ("later fragment", |p| p[7] = 1),
        ("no UDP checksum", |p| [p[26], p[27]] = [0, 0]),
        ("SCTP, whose checksum is another one", |p| p[9] = 132),
        ("length beyond the end", |p| p[3] = 200),
        ("TCP too short for its header", |p| p[9] = 6),
        ("a datagram that ends before the packet", |p| {
            // The checksum is right for the three bytes that it covers.
            let covered = ipv4_packet(Ecn::NotEct, false, 64, b"pay");
            p[24..28].copy_from_slice(&covered[24..28]);
        }),
    ];
    for (name, change) in changes {
        let mut packet = ipv4_packet(Ecn::NotEct, false, 64, b"payload");
        change(&mut packet);
        let inner = frame(&[], &packet);
        let full = made(false, UdpChecksum::Full, InnerChecksum::Good, &inner);
        assert_eq!(made(false, UdpChecksum::Offload, InnerChecksum::Good, &inner), full, "{name}");
    }
}

/// The checksum of a segment has the last hop in it, and the header the next one (RFC 791, section 3.1).
#[test]
fn a_source_route_with_hops_left_gets_the_full_sum() {
    for kind in [131, 137] {
        for (pointer, next) in [(4, 9), (8, 2)] {
            let mut packet = ipv4_packet(Ecn::NotEct, false, 64, b"payload");
            packet.splice(20..20, [kind, 7, pointer, 10, 1, 0, 2, 0]);
            (packet[0], packet[3], packet[19]) = (0x47, packet[3] + 8, next);
            fix_ipv4(&mut packet);
            let inner = frame(&[], &packet);
            let full = made(false, UdpChecksum::Full, InnerChecksum::Good, &inner);
            assert_eq!(made(false, UdpChecksum::Offload, InnerChecksum::Good, &inner), full, "{pointer}");
        }
    }
}

/// Offload does not look at the payload: the caller's word is taken.
#[test]
fn a_wrong_claim_shows_in_the_outer_checksum() {
    let mut wrong = any_frame();
    *wrong.last_mut().unwrap() ^= 1;
    let full = made(false, UdpChecksum::Full, InnerChecksum::Good, &wrong);
    assert_ne!(made(false, UdpChecksum::Offload, InnerChecksum::Good, &wrong), full);
}

#[test]
fn a_checksum_that_somebody_else_will_finish_is_foreseen() {
    for v6 in [false, true] {
        for mode in [UdpChecksum::Full, UdpChecksum::Offload] {
            for inner in good_frames().iter().filter(|frame| frame[12] != 0x81) {
                let ip_len: usize = if inner[12] == 0x08 { 20 } else { 40 };
                let start = 14 + ip_len;
                // Only frames without padding: whoever finishes the checksum sums to the end.
                let stated =
                    if ip_len == 20 { 14 + usize::from(inner[17]) } else { start + usize::from(inner[19]) };
                if stated != inner.len() {
                    continue;
                }
                let finished = made(v6, mode, InnerChecksum::Unknown, inner);
                let mut partial = inner.clone();
                let pseudo = partial_sum(inner, ip_len);
                partial[start + 6..start + 8].copy_from_slice(&pseudo.to_be_bytes());
                let knows = InnerChecksum::Partial { start: start as u16, offset: 6 };
                assert_eq!(checksum(&made(v6, mode, knows, &partial)), checksum(&finished));
            }
        }
    }
}

/// Also under GRE's own checksum, over IP and over UDP.
#[test]
fn a_checksum_that_somebody_else_will_finish_is_foreseen_by_gre() {
    let (a, b) = ends(false);
    let finished = ipv4_packet(Ecn::NotEct, false, 64, b"payload");
    let mut partial = finished.clone();
    let sum = partial_sum(&frame(&[], &finished), 20);
    partial[26..28].copy_from_slice(&sum.to_be_bytes());
    let knows = EncapMeta::new().inner_checksum(InnerChecksum::Partial { start: 20, offset: 6 });

    let plain = gre::Endpoint::new(a).checksum(true).build().unwrap();
    let remote = plain.remote(b).unwrap();
    let expected = encap(&plain, &remote, &EncapMeta::new(), &finished).unwrap();
    let made = encap(&plain, &remote, &knows, &partial).unwrap();
    assert_eq!(made[..28], expected[..28], "headers as if the packet were finished already");

    let udp = gre::UdpEndpoint::new(a).checksum(true).udp_checksum(UdpChecksum::Full).build().unwrap();
    let remote = udp.remote(b).unwrap();
    let meta = EncapMeta::new().hash(7);
    let expected = encap(&udp, &remote, &meta, &finished).unwrap();
    let made = encap(&udp, &remote, &knows.hash(7), &partial).unwrap();
    assert_eq!(made[..36], expected[..36]);
}

/// The sum of the pseudo header, as a stack leaves it for the network card.
fn partial_sum(inner: &[u8], ip_len: usize) -> u16 {
    let ip = &inner[14..];
    let (addresses, len) =
        if ip_len == 20 { (&ip[12..20], ip.len() - 20) } else { (&ip[8..40], ip.len() - 40) };
    encap::wire::checksum::Sum::ZERO.add_bytes(addresses).add_word(17).add_word(len as u16).value()
}

#[test]
fn a_partial_checksum_outside_the_packet_or_between_words_is_refused() {
    let (tunnel, remote, _) = vxlan_pair(false, |b| b, |b| b);
    let inner = any_frame();
    let len = inner.len();
    let outside = [(len as u16, 0), (0, len as u16), (len as u16 - 1, 0), (u16::MAX, u16::MAX)];
    // RFC 1071, section 1: the sum has words of 16 bits, and the checksum is one of them.
    for (start, offset) in outside.into_iter().chain([(34, 1), (33, 7)]) {
        let meta = EncapMeta::new().inner_checksum(InnerChecksum::Partial { start, offset });
        let at = usize::from(start) + usize::from(offset);
        assert_eq!(encap(&tunnel, &remote, &meta, &inner), Err(EncapError::PartialChecksum { at, len }));
    }
}

#[test]
fn rfc768_a_computed_zero_is_sent_as_all_ones() {
    let (a, b) = ends(false);
    let tunnel = ip_udp::Endpoint::new(a).udp_checksum(UdpChecksum::Full).build().unwrap();
    let remote = tunnel.remote(b).unwrap();
    let mut inner = ipv4_packet(Ecn::NotEct, false, 64, &[0; 2]);
    let at = inner.len() - 2;
    let before = encap(&tunnel, &remote, &EncapMeta::new().hash(0), &inner).unwrap();
    // What the checksum was becomes payload: then the sum is complete, and the checksum zero.
    inner[at..].copy_from_slice(&checksum(&before));
    let made = encap(&tunnel, &remote, &EncapMeta::new().hash(0), &inner).unwrap();
    assert_eq!(checksum(&made), [0xff, 0xff]);
}
