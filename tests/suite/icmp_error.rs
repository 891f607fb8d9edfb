//! Which packets get an ICMP error, and how long it is: one test for each rule, named after its section.

use std::net::{Ipv4Addr, Ipv6Addr};

use encap::wire::{
    Dscp, Ecn, Error, FlowLabel, FragmentOffset, IpProtocol, Layer, LengthSource,
    icmp_error::{Headers, Suppressed, ipv4, ipv6},
    icmpv4, icmpv6,
    ipv4::Header as Ipv4Header,
    ipv6::Header as Ipv6Header,
};

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 254);
const NET: icmpv4::Problem = icmpv4::Problem::Unreachable(icmpv4::Unreachable::NET);
const ROUTER6: Ipv6Addr = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 0xfe);
const NO_ROUTE: icmpv6::Problem = icmpv6::Problem::Unreachable(icmpv6::Unreachable::NO_ROUTE);

const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// 10.1.0.1 to 10.1.0.2, with `edit` made to the header before its checksum is.
fn packet(protocol: u8, payload: &[u8], edit: impl FnOnce(&mut Ipv4Header)) -> Vec<u8> {
    let mut header = Ipv4Header::from_bytes(&[
        0x45, 0, 0, 20, 0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 1, 0, 1, 10, 1, 0, 2,
    ])
    .unwrap();
    header.total_len += payload.len() as u16;
    edit(&mut header);
    [&header.with_checksum().fixed_bytes(), payload].concat()
}

/// fd01::1 to fd01::2, with `edit` made to the header.
fn packet6(next_header: u8, payload: &[u8], edit: impl FnOnce(&mut Ipv6Header)) -> Vec<u8> {
    let mut header = Ipv6Header {
        dscp: Dscp::truncate(0),
        ecn: Ecn::NotEct,
        flow_label: FlowLabel::truncate(0),
        payload_len: payload.len() as u16,
        next_header: IpProtocol(next_header),
        hop_limit: 64,
        source: Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 1),
        destination: Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 2),
    };
    edit(&mut header);
    [&header.to_bytes(), payload].concat()
}

fn about(offending: &[u8]) -> Result<Headers<28>, Suppressed> {
    ipv4(offending, NET, ROUTER, 8)
}

fn about6(offending: &[u8]) -> Result<Headers<48>, Suppressed> {
    ipv6(offending, NO_ROUTE, ROUTER6, 8)
}

#[test]
fn rfc1812_s4_3_2_3_at_most_576_bytes_and_only_what_is_there() {
    let long = packet(17, &[0xa5; 1480], |_| ());
    assert_eq!(about(&long).map(|headers| headers.quote_len), Ok(548));
    // The packet says 1500 bytes. Of a shorter slice nothing but its own bytes is quoted.
    for len in 20..=1500 {
        assert_eq!(about(&long[..len]).map(|headers| headers.quote_len), Ok(len.min(548)));
    }
    // And padding behind it is not.
    let padded = [&packet(17, &[1; 8], |_| ())[..], &[0; 18]].concat();
    assert_eq!(about(&padded).map(|headers| headers.quote_len), Ok(28));
}

#[test]
fn rfc4443_s2_4_c_at_most_1280_bytes_and_only_what_is_there() {
    let long = packet6(17, &[0xa5; 1460], |_| ());
    for len in 40..=1500 {
        assert_eq!(about6(&long[..len]).map(|headers| headers.quote_len), Ok(len.min(1232)));
    }
    let padded = [&packet6(17, &[1; 8], |_| ())[..], &[0; 18]].concat();
    assert_eq!(about6(&padded).map(|headers| headers.quote_len), Ok(48));
}

#[test]
fn rfc1122_s3_2_2_never_about_an_icmp_error_but_about_a_query() {
    for kind in 0..=u8::MAX {
        let made = about(&packet(1, &[kind, 0, 0, 0, 0, 0, 0, 0], |_| ())).err();
        let query = icmpv4::Type(kind).is_query();
        assert_eq!(made, (!query).then_some(Suppressed::IcmpError), "type {kind}");
    }
    let none = truncated(Layer::Icmpv4);
    assert_eq!(about(&packet(1, &[], |_| ())), Err(Suppressed::Broken(none)));
}

#[test]
fn rfc4443_s2_4_e1_never_about_an_icmpv6_error_but_about_a_query() {
    for kind in 0..=u8::MAX {
        let expected = match kind {
            0..128 => Some(Suppressed::IcmpError),
            137 => Some(Suppressed::Redirect), // e.2
            _ => None,
        };
        assert_eq!(about6(&packet6(58, &[kind, 0, 0, 0], |_| ())).err(), expected, "type {kind}");
        // Behind an extension header too.
        let behind = [58, 0, 0, 0, 0, 0, 0, 0, kind];
        assert_eq!(about6(&packet6(60, &behind, |_| ())).err(), expected, "type {kind}");
    }
    let none = truncated(Layer::Icmpv6);
    assert_eq!(about6(&packet6(58, &[], |_| ())), Err(Suppressed::Broken(none)));
}

#[test]
fn rfc1122_s3_2_2_never_about_a_later_fragment() {
    for offset in [0, 1, 8, 0x1fff] {
        let made = about(&packet(17, &[0; 8], |header| {
            header.more_fragments = true;
            header.fragment_offset = FragmentOffset::truncate(offset);
        }));
        assert_eq!(made.err(), (offset != 0).then_some(Suppressed::Fragment));
        let [o0, o1] = (offset << 3 | 1).to_be_bytes();
        let made = about6(&packet6(44, &[17, 0, o0, o1, 0, 0, 0, 1, 0, 0], |_| ()));
        assert_eq!(made.err(), (offset != 0).then_some(Suppressed::Fragment));
    }
}

#[test]
fn rfc1122_s3_2_2_never_about_a_packet_to_many() {
    for (octets, one) in [
        ([10, 1, 0, 2], true),
        ([223, 255, 255, 255], true),
        ([0, 0, 0, 0], false),
        ([224, 0, 0, 1], false),
        ([239, 255, 255, 255], false),
        ([255, 255, 255, 255], false),
    ] {
        let made = about(&packet(17, &[0; 8], |header| header.destination = octets.into()));
        assert_eq!(made.err(), (!one).then_some(Suppressed::Destination), "{octets:?}");
    }
}

#[test]
fn rfc4443_s2_4_e3_about_a_packet_to_a_group_only_that_it_is_too_big() {
    let group = packet6(17, &[0x80; 8], |header| header.destination = GROUP);
    for (problem, may) in [
        (NO_ROUTE, false),
        (icmpv6::Problem::TimeExceeded(icmpv6::TimeExceeded::IN_TRANSIT), false),
        (icmpv6::Problem::PacketTooBig { mtu: 1280 }, true),
        (icmpv6::Problem::ParameterProblem { code: 1, pointer: 40 }, false),
        // Not in the packet, however far the bytes go.
        (icmpv6::Problem::ParameterProblem { code: 2, pointer: 48 }, false),
        (icmpv6::Problem::ParameterProblem { code: 2, pointer: u32::MAX }, false),
    ] {
        let made = ipv6(&[&group[..], &[0x80]].concat(), problem, ROUTER6, 64);
        assert_eq!(made.err(), (!may).then_some(Suppressed::Destination), "{problem:?}");
    }
}

#[test]
fn rfc4443_s2_4_e3_about_a_packet_to_a_group_and_an_option_only_with_the_bits_10() {
    for kind in 0..=u8::MAX {
        // Destination options: one that nobody knows, and UDP.
        let options = [17, 0, kind, 4, 0, 0, 0, 0, 0x80, 0x80, 0, 7, 0, 8, 0, 0];
        let group = packet6(60, &options, |header| header.destination = GROUP);
        for (code, may) in [(0, false), (1, false), (2, kind >> 6 == 0b10), (3, false)] {
            let problem = icmpv6::Problem::ParameterProblem { code, pointer: 42 };
            let made = ipv6(&group, problem, ROUTER6, 64);
            assert_eq!(made.err(), (!may).then_some(Suppressed::Destination), "{kind:#x}, code {code}");
        }
    }
}

#[test]
fn rfc1122_s3_2_2_never_to_what_is_not_one_host() {
    for first in 0..=u8::MAX {
        let made = about(&packet(17, &[0; 8], |header| header.source = [first, 1, 2, 3].into()));
        let host = !matches!(first, 0 | 127 | 224..);
        assert_eq!(made.err(), (!host).then_some(Suppressed::Source), "{first}.1.2.3");
    }
}

#[test]
fn rfc4443_s2_4_e6_never_to_what_is_not_one_node() {
    for (source, node) in [("fe80::1", true), ("::", false), ("::1", false), ("ff02::1", false)] {
        let made = about6(&packet6(17, &[0; 8], |header| header.source = source.parse().unwrap()));
        assert_eq!(made.err(), (!node).then_some(Suppressed::Source), "{source}");
    }
}

#[test]
fn rfc1812_s4_3_2_7_never_about_a_broken_header() {
    let good = packet(17, &[0; 8], |_| ());
    for len in 0..20 {
        assert!(matches!(about(&good[..len]), Err(Suppressed::Broken(Error::Truncated { .. }))));
    }
    for ihl in 0..16 {
        let mut bytes = good.clone();
        bytes[0] = 0x40 | ihl;
        let made = about(&bytes);
        match ihl {
            0..5 => assert!(matches!(made, Err(Suppressed::Broken(Error::Length { .. })))),
            5 => assert!(made.is_ok()),
            6 | 7 => assert_eq!(made, Err(Suppressed::HeaderChecksum)),
            // The total length is 28.
            _ => assert!(matches!(made, Err(Suppressed::Broken(Error::Length { .. })))),
        }
    }
    let mut bytes = good;
    bytes[8] -= 1; // time to live, the checksum left as it was
    assert_eq!(about(&bytes), Err(Suppressed::HeaderChecksum));
}

#[test]
fn rfc4443_s2_4_e_never_about_what_cannot_be_read() {
    let good = packet6(60, &[58, 0, 0, 0, 0, 0, 0, 0, 128], |_| ());
    assert!(about6(&good).is_ok());
    for len in 0..good.len() {
        assert!(matches!(about6(&good[..len]), Err(Suppressed::Broken(Error::Truncated { .. }))));
    }
    assert!(matches!(about6(&packet(17, &[0; 40], |_| ())), Err(Suppressed::Broken(_))));
}

/// The error of an ICMP message without a byte.
fn truncated(layer: Layer) -> Error {
    Error::Truncated { layer, needed_by: LengthSource::Header, need: 8, have: 0 }
}
