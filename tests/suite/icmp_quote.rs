//! ICMP errors as they are received: what is read from them, what is refused, and that the errors which
//! this crate makes are such reports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use encap::wire::{
    Error, IpProtocol, Layer,
    checksum::Sum,
    icmp_error,
    icmp_quote::{NotAReport, Problem, Quote, ipv4, ipv6, parse},
    icmpv4, icmpv6, ipv4 as ip4, ipv6 as ip6,
};
use proptest::{collection::vec, prelude::*};

use crate::strategies as any_header;

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 254);
const PORT: icmpv4::Problem = icmpv4::Problem::Unreachable(icmpv4::Unreachable::PORT);
const PORT6: icmpv6::Problem = icmpv6::Problem::Unreachable(icmpv6::Unreachable::PORT);

/// A VXLAN packet of 192.0.2.1 to 192.0.2.2, cut to `len` bytes.
fn ours(len: usize) -> Vec<u8> {
    let header = [0x45, 0, 0, 86, 0, 1, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    let header = ip4::Header::from_bytes(&header).unwrap().with_checksum().fixed_bytes();
    let udp = [0xc0, 0x01, 0x12, 0xb5, 0, 66, 0, 0, 8, 0, 0, 0, 0, 0, 42, 0];
    let mut bytes = [&header[..], &udp, &[0x5a; 50]].concat();
    bytes.truncate(len);
    bytes
}

/// The same from ::1 to ::2.
fn ours6(len: usize) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 66, 17, 64];
    bytes.extend(Ipv6Addr::from(1).octets());
    bytes.extend(Ipv6Addr::from(2).octets());
    bytes.extend(&ours(86)[20..]);
    bytes.truncate(len);
    bytes
}

/// An ICMP message with this header and its checksum.
fn message(header: icmpv4::Header, quoted: &[u8]) -> Vec<u8> {
    [&header.with_checksum(quoted).to_bytes(), quoted].concat()
}

/// An ICMPv6 message from ::3 to ::1.
fn message6(header: icmpv6::Header, quoted: &[u8]) -> Vec<u8> {
    let len = 8 + quoted.len() as u32;
    let pseudo = Sum::pseudo_ipv6(3.into(), 1.into(), IpProtocol::ICMPV6, len);
    [&header.with_checksum(pseudo, quoted).to_bytes(), quoted].concat()
}

fn read6(message: &[u8]) -> Result<(icmpv6::Problem, Quote<'_>), NotAReport> {
    ipv6(3.into(), 1.into(), message)
}

#[test]
fn rfc792_eight_quoted_bytes_are_enough_and_fewer_are_not() {
    for len in 0..86 {
        let message = message(PORT.header(), &ours(len));
        let read = ipv4(&message);
        match len {
            0..20 => assert!(matches!(read, Err(NotAReport::Broken(Error::Truncated { .. })))),
            20..28 => assert_eq!(read, Err(NotAReport::ShortQuote { have: len - 20 })),
            _ => {
                let (problem, quote) = read.unwrap();
                assert_eq!(problem, PORT);
                assert_eq!(quote.source, Ipv4Addr::new(192, 0, 2, 1));
                assert_eq!(quote.destination, Ipv4Addr::new(192, 0, 2, 2));
                assert_eq!((quote.protocol, quote.ports()), (IpProtocol::UDP, Some((0xc001, 4789))));
                assert_eq!(quote.payload, &ours(len)[20..]);
            }
        }
    }
}

#[test]
fn rfc4443_s3_eight_quoted_bytes_are_enough_and_fewer_are_not() {
    for len in 0..106 {
        let message = message6(PORT6.header(), &ours6(len));
        let read = read6(&message);
        match len {
            0..40 => assert!(matches!(read, Err(NotAReport::Broken(Error::Truncated { .. })))),
            40..48 => assert_eq!(read, Err(NotAReport::ShortQuote { have: len - 40 })),
            _ => {
                let (problem, quote) = read.unwrap();
                assert_eq!(problem, PORT6);
                assert_eq!((quote.source, quote.destination), (ip(1), ip(2)));
                assert_eq!((quote.protocol, quote.ports()), (IpProtocol::UDP, Some((0xc001, 4789))));
                assert_eq!(quote.payload, &ours6(len)[40..]);
            }
        }
    }
}

fn ip(low: u128) -> IpAddr {
    Ipv6Addr::from(low).into()
}

#[test]
fn rfc792_only_errors_are_reports() {
    for kind in 0..=u8::MAX {
        let header = icmpv4::Header { kind: icmpv4::Type(kind), code: 0, checksum: 0, rest: [0; 4] };
        let message = message(header, &ours(28));
        let error = [3, 11, 12].contains(&kind);
        assert_eq!(ipv4(&message).err(), (!error).then_some(NotAReport::Type(kind)));
        let header = icmpv6::Header { kind: icmpv6::Type(kind), code: 0, checksum: 0, rest: [0; 4] };
        let message = message6(header, &ours6(48));
        let error = (1..=4).contains(&kind);
        assert_eq!(read6(&message).err(), (!error).then_some(NotAReport::Type(kind)));
    }
}

#[test]
fn rfc792_a_flipped_bit_is_found() {
    let (good, good6) = (message(PORT.header(), &ours(28)), message6(PORT6.header(), &ours6(48)));
    for at in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        assert_eq!(ipv4(&bytes), Err(NotAReport::Checksum), "bit {at}");
    }
    for at in 0..good6.len() * 8 {
        let mut bytes = good6.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        assert_eq!(read6(&bytes), Err(NotAReport::Checksum), "bit {at}");
    }
}

#[test]
fn a_quote_of_the_other_version_is_refused() {
    let read = |layer, version| NotAReport::Broken(Error::Version { layer, version });
    assert_eq!(ipv4(&message(PORT.header(), &ours6(106))), Err(read(Layer::Ipv4, 6)));
    assert_eq!(read6(&message6(PORT6.header(), &ours(86))), Err(read(Layer::Ipv6, 4)));
}

#[test]
fn rfc4884_s4_extensions_are_no_part_of_the_quote() {
    // 128 bytes of quote, filled up with zeros, then an extension.
    let mut quoted = ours(86);
    quoted[2..4].copy_from_slice(&[1, 0]); // a packet of 256 bytes
    quoted.resize(128, 0);
    quoted.extend([0x20, 0, 0, 0, 0, 4, 1, 1]);
    let mut header = PORT.header();
    for (words, len) in [(0, 136), (32, 128), (7, 28), (255, 136)] {
        header.rest[1] = words;
        let message = message(header, &quoted);
        assert_eq!(ipv4(&message).unwrap().1.payload.len() + 20, len, "{words} words");
    }
    let mut quoted = ours6(106);
    quoted[4..6].copy_from_slice(&[1, 0]);
    quoted.resize(136, 0);
    let mut header = PORT6.header();
    for (words, len) in [(0, 136), (16, 128), (6, 48), (255, 136)] {
        header.rest[0] = words;
        let message = message6(header, &quoted);
        assert_eq!(read6(&message).unwrap().1.payload.len() + 40, len, "{words} words");
    }
    // The MTU of a packet too big is no length.
    let header = icmpv6::Problem::PacketTooBig { mtu: 0x0600_0000 }.header();
    assert_eq!(read6(&message6(header, &quoted)).unwrap().1.payload.len(), 96);
}

#[test]
fn padding_of_the_quote_is_no_part_of_it() {
    let quoted = [ours(86), vec![0; 50]].concat();
    assert_eq!(ipv4(&message(PORT.header(), &quoted)).unwrap().1.payload.len(), 66);
    let quoted = [ours6(106), vec![0; 50]].concat();
    assert_eq!(read6(&message6(PORT6.header(), &quoted)).unwrap().1.payload.len(), 66);
}

#[test]
fn a_quoted_later_fragment_has_no_ports() {
    for offset in [0, 1u8] {
        let mut quoted = ours(86);
        quoted[7] = offset;
        let message = message(PORT.header(), &quoted);
        let quote = ipv4(&message).unwrap().1;
        assert_eq!((quote.later_fragment, quote.ports().is_none()), (offset != 0, offset != 0));

        let mut quoted = ours6(106);
        quoted[6] = 44;
        quoted.splice(40..40, [17, 0, 0, offset << 3 | 1, 0, 0, 0, 1]);
        let message = message6(PORT6.header(), &quoted);
        let quote = read6(&message).unwrap().1;
        assert_eq!((quote.later_fragment, quote.ports().is_none()), (offset != 0, offset != 0));
        assert_eq!(quote.payload.len(), 58);
    }
}

#[test]
fn whole_packets_are_checked_too() {
    let offending = ours(86);
    let made = icmp_error::ipv4(&offending, PORT, ROUTER, 64).unwrap();
    let good = [&made.bytes[..], &offending[..made.quote_len]].concat();
    assert!(parse(&good).is_ok());
    // The header with one field changed and its checksum right.
    let with = |edit: fn(&mut ip4::Header)| {
        let mut header = ip4::Header::parse(&good).unwrap().0;
        edit(&mut header);
        [&header.with_checksum().fixed_bytes(), &good[20..]].concat()
    };
    assert_eq!(
        parse(&with(|header| header.protocol = IpProtocol::UDP)),
        Err(NotAReport::Protocol(IpProtocol::UDP))
    );
    assert_eq!(parse(&with(|header| header.more_fragments = true)), Err(NotAReport::Fragment));
    let mut bytes = good.clone();
    bytes[8] = 63;
    assert_eq!(parse(&bytes), Err(NotAReport::Checksum));
    assert!(matches!(parse(&[]), Err(NotAReport::Broken(_))));

    let mut six = ip6::Header::parse(&ours6(106)).unwrap().0.to_bytes();
    for (protocol, error) in [(44, NotAReport::Fragment), (17, NotAReport::Protocol(IpProtocol::UDP))] {
        (six[5], six[6]) = (0, protocol);
        assert_eq!(parse(&six), Err(error));
    }
}

/// RFC 791, section 3.1; RFC 1191, section 5: old routers say 0. RFC 8201, section 4: what says less than 1,280 is
/// discarded.
#[test]
fn a_path_mtu_is_no_less_than_a_path_has() {
    for (told, expected) in [(0, 576), (68, 576), (576, 576), (577, 577), (65_535, 65_535)] {
        let problem = Problem::V4(icmpv4::Problem::FragmentationNeeded { mtu: told });
        assert_eq!(problem.path_mtu(), Some(expected));
    }
    let told6 = [
        (0, None),
        (1_279, None),
        (1_280, Some(1_280)),
        (1_281, Some(1_281)),
        (65_535, Some(65_535)),
        (65_536, Some(65_535)),
        (u32::MAX, Some(65_535)),
    ];
    for (told, expected) in told6 {
        let problem = Problem::V6(icmpv6::Problem::PacketTooBig { mtu: told });
        assert_eq!(problem.path_mtu(), expected);
    }
    assert_eq!([Problem::V4(PORT), Problem::V6(PORT6)].map(Problem::path_mtu), [None; 2]);
}

proptest! {
    /// What goes out as an error is read back as a report about the same packet.
    #[test]
    fn errors_that_are_made_are_reports(
        header in any_header::ipv4(),
        header6 in any_header::ipv6(),
        payload in vec(any::<u8>(), 8..1000),
        mtu in any::<u16>(),
    ) {
        let offending = [&header.with_checksum().to_bytes()[..header.header_len()], &payload].concat();
        let problem = icmpv4::Problem::FragmentationNeeded { mtu };
        if let Ok(made) = icmp_error::ipv4(&offending, problem, ROUTER, 64) {
            let packet = [&made.bytes[..], &offending[..made.quote_len]].concat();
            prop_assert!(packet.len() <= 576);
            match parse(&packet) {
                Ok(report) => {
                    prop_assert_eq!((report.reporter, report.problem), (ROUTER.into(), Problem::V4(problem)));
                    prop_assert_eq!(report.quote.source, header.source);
                    prop_assert_eq!(report.quote.destination, header.destination);
                    prop_assert_eq!(report.quote.protocol, header.protocol);
                    prop_assert!(payload.starts_with(report.quote.payload));
                }
                Err(error) => {
                    let have = header.payload_len();
                    prop_assert_eq!(error, NotAReport::ShortQuote { have });
                    prop_assert!(have < 8);
                }
            }
        }
        let offending = [&header6.to_bytes()[..], &payload].concat();
        let problem = icmpv6::Problem::PacketTooBig { mtu: mtu.into() };
        if let Ok(made) = icmp_error::ipv6(&offending, problem, Ipv6Addr::LOCALHOST, 64) {
            let packet = [&made.bytes[..], &offending[..made.quote_len]].concat();
            prop_assert!(packet.len() <= 1280);
            match parse(&packet) {
                Ok(report) => {
                    prop_assert_eq!(report.problem, Problem::V6(problem));
                    prop_assert_eq!(report.quote.source, header6.source);
                    prop_assert_eq!(report.quote.destination, header6.destination);
                }
                Err(NotAReport::ShortQuote { have }) => prop_assert!(have < 8),
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(data in vec(any::<u8>(), 0..120), first in 0x44..0x62u8) {
        let _ = parse(&data);
        let data = [&[first], &data[..]].concat();
        let _ = parse(&data);
        let (_, quoted) = data.split_at(data.len().min(8));
        if let Ok((_, quote)) = ipv4(&message(PORT.header(), quoted)) {
            prop_assert!((8..=quoted.len() - 20).contains(&quote.payload.len()));
        }
        if let Ok((_, quote)) = read6(&message6(PORT6.header(), quoted)) {
            prop_assert!((8..=quoted.len() - 40).contains(&quote.payload.len()));
        }
    }
}
