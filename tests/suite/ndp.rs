//! Neighbor discovery as it is received: the packets that the Linux kernel exchanged, and one test for each
//! rule of RFC 4861, sections 7.1.1 and 7.1.2.

use std::net::Ipv6Addr;

use encap::wire::{
    Error, IpProtocol, Layer, LengthSource, MacAddr,
    checksum::Sum,
    ipv6,
    ndp::{ALL_NODES, Answer, solicited_node},
    ndp_check::{Invalid, check_advertisement, check_solicitation},
    ndp_option::{NeighborOption, OptionType},
};
use proptest::{collection::vec, prelude::*};

/// Behind its Ethernet header, what fd01::1 asked (Linux 6.18).
const SOLICITATION: &str = "6000000000203afffd010000000000000000000000000001ff0200000000000000000001ff000002\
    87007d9500000000fd0100000000000000000000000000020101020000000001";

/// The answer from fd01::2.
const ADVERTISEMENT: &str = "6000000000203afffd010000000000000000000000000002fd010000000000000000000000000001\
    88001b9760000000fd0100000000000000000000000000020201020000000102";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().map(|digit| (digit as char).to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The packet, changed, its lengths and its checksum put right.
fn with(text: &str, edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = hex(text);
    edit(&mut bytes);
    let len = bytes.len() as u16 - 40;
    bytes[4..6].copy_from_slice(&len.to_be_bytes());
    let ip = ipv6::Header::parse(&bytes).unwrap().0;
    if len >= 8 {
        bytes[42..44].fill(0);
        let pseudo = Sum::pseudo_ipv6(ip.source, ip.destination, IpProtocol::ICMPV6, len.into());
        let checksum = pseudo.add_bytes(&bytes[40..]).checksum();
        bytes[42..44].copy_from_slice(&checksum.to_be_bytes());
    }
    bytes
}

fn solicitation(edit: impl FnOnce(&mut Vec<u8>)) -> Option<Invalid> {
    check_solicitation(&with(SOLICITATION, edit)).err()
}

fn advertisement(edit: impl FnOnce(&mut Vec<u8>)) -> Option<Invalid> {
    check_advertisement(&with(ADVERTISEMENT, edit)).err()
}

fn fd01(low: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, low)
}

#[test]
fn the_kernel_s_question_and_its_answer() {
    let question = hex(SOLICITATION);
    let received = check_solicitation(&question).unwrap();
    assert_eq!((received.ip.source, received.message.target), (fd01(1), fd01(2)));
    assert_eq!(received.ip.destination, solicited_node(fd01(2)));
    let asker = received.options.mac(OptionType::SOURCE_ADDRESS);
    assert_eq!(asker, Some(MacAddr([2, 0, 0, 0, 0, 1])));

    let mac = MacAddr([2, 0, 0, 0, 1, 2]);
    let (solicitor, target) = (received.ip.source, received.message.target);
    let answer = Answer { solicitor, target, mac, router: false, overrides: true };
    assert_eq!(answer.to_bytes(), *hex(ADVERTISEMENT));
    let answer = answer.to_bytes();
    let received = check_advertisement(&answer).unwrap();
    assert!(received.message.solicited && received.message.overrides && !received.message.router);
    assert_eq!(received.options.mac(OptionType::TARGET_ADDRESS), Some(mac));
}

#[test]
fn rfc4861_s7_2_4_an_answer_to_nobody_is_valid() {
    let mac = MacAddr([2, 0, 0, 0, 1, 2]);
    let solicitor = Ipv6Addr::UNSPECIFIED;
    let answer = Answer { solicitor, target: fd01(2), mac, router: true, overrides: false }.to_bytes();
    let received = check_advertisement(&answer).unwrap();
    assert_eq!(received.ip.destination, ALL_NODES);
    assert!(!received.message.solicited && received.message.router && !received.message.overrides);
}

#[test]
fn rfc4861_s7_1_1_hop_limit_255() {
    for hop_limit in 0..=u8::MAX {
        let expected = (hop_limit != 255).then_some(Invalid::HopLimit(hop_limit));
        assert_eq!(solicitation(|bytes| bytes[7] = hop_limit), expected);
        assert_eq!(advertisement(|bytes| bytes[7] = hop_limit), expected);
    }
}

#[test]
fn rfc4861_s7_1_1_checksum() {
    for at in 40 * 8..72 * 8 {
        let flip = |text| {
            let mut bytes = hex(text);
            bytes[at / 8] ^= 1 << (at % 8);
            bytes
        };
        // In the first byte, the type is wrong before the checksum is.
        let expected = |byte: u8| match at {
            320..328 => Invalid::Type(byte ^ 1 << (at % 8)),
            _ => Invalid::Checksum,
        };
        assert_eq!(check_solicitation(&flip(SOLICITATION)).err(), Some(expected(135)));
        assert_eq!(check_advertisement(&flip(ADVERTISEMENT)).err(), Some(expected(136)));
    }
}

#[test]
fn rfc4861_s7_1_1_code_0() {
    for code in 0..=u8::MAX {
        let expected = (code != 0).then_some(Invalid::Code(code));
        assert_eq!(solicitation(|bytes| bytes[41] = code), expected);
        assert_eq!(advertisement(|bytes| bytes[41] = code), expected);
    }
}

#[test]
fn rfc4861_s7_1_1_24_bytes_or_more() {
    for have in 0..=24 {
        let expected = (have < 24).then_some(Invalid::TooShort { have });
        assert_eq!(solicitation(|bytes| bytes.truncate(40 + have)), expected, "{have} bytes");
        assert_eq!(advertisement(|bytes| bytes.truncate(40 + have)), expected, "{have} bytes");
    }
}

#[test]
fn rfc4861_s7_1_1_the_target_is_no_group() {
    let group = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 2);
    let expected = Some(Invalid::MulticastTarget(group));
    assert_eq!(solicitation(|bytes| (bytes[48], bytes[49]) = (0xff, 1)), expected);
    assert_eq!(advertisement(|bytes| (bytes[48], bytes[49]) = (0xff, 1)), expected);
}

#[test]
fn rfc4861_s7_1_1_options_are_longer_than_zero_and_end_with_the_packet() {
    let (layer, field) = (Layer::NeighborOption, LengthSource::OptionLength);
    for length in 0..=u8::MAX {
        let need = usize::from(length) * 8;
        let expected = match length {
            0 => Some(Invalid::Option(Error::Length { layer, field, stated: 0, min: 8 })),
            1 => None,
            _ => Some(Invalid::Option(Error::Truncated { layer, needed_by: field, need, have: 8 })),
        };
        assert_eq!(solicitation(|bytes| bytes[65] = length), expected);
        assert_eq!(advertisement(|bytes| bytes[65] = length), expected);
    }
}

#[test]
fn rfc4861_s7_1_1_nobody_asks_a_solicited_node_group() {
    let nobody = |destination: Ipv6Addr| {
        solicitation(|bytes| {
            bytes[8..24].fill(0);
            bytes[24..40].copy_from_slice(&destination.octets());
            bytes.truncate(64);
        })
    };
    assert_eq!(nobody(solicited_node(fd01(2))), None);
    for other in [fd01(2), ALL_NODES] {
        assert_eq!(nobody(other), Some(Invalid::UnspecifiedSourceDestination(other)));
    }
}

#[test]
fn rfc4861_s7_1_1_nobody_has_no_address_to_tell() {
    let with_option = |kind| {
        solicitation(|bytes| {
            bytes[8..24].fill(0);
            bytes[64] = kind;
            bytes.extend([14, 1, 0, 0, 0, 0, 0, 0]);
        })
    };
    assert_eq!(with_option(1), Some(Invalid::UnspecifiedSourceOption));
    assert_eq!(with_option(14), None);
    let second = solicitation(|bytes| {
        bytes[8..24].fill(0);
        bytes[64] = 14;
        bytes.extend(NeighborOption::source_address(MacAddr([2, 0, 0, 0, 0, 1])));
    });
    assert_eq!(second, Some(Invalid::UnspecifiedSourceOption));
}

#[test]
fn rfc4861_s7_1_2_what_goes_to_a_group_answers_nobody() {
    let to_all = |flags| {
        advertisement(|bytes| {
            bytes[24..40].copy_from_slice(&ALL_NODES.octets());
            bytes[44] = flags;
        })
    };
    assert_eq!(to_all(0x60), Some(Invalid::SolicitedMulticast(ALL_NODES)));
    assert_eq!(to_all(0x20), None);
}

#[test]
fn other_packets_are_neither() {
    assert_eq!(solicitation(|bytes| bytes[40] = 136), Some(Invalid::Type(136)));
    assert_eq!(advertisement(|bytes| bytes[40] = 135), Some(Invalid::Type(135)));
    // RFC 6980: no fragments.
    assert_eq!(solicitation(|bytes| bytes[6] = 44), Some(Invalid::Protocol(IpProtocol::FRAGMENT)));
    let bytes = hex(SOLICITATION);
    for len in 0..bytes.len() {
        assert!(matches!(check_solicitation(&bytes[..len]), Err(Invalid::Broken(Error::Truncated { .. }))));
    }
}

proptest! {
    #[test]
    fn every_answer_is_a_valid_advertisement(
        solicitor in any::<Ipv6Addr>(),
        target in any::<Ipv6Addr>(),
        mac in any::<[u8; 6]>().prop_map(MacAddr),
        router in any::<bool>(),
        overrides in any::<bool>(),
        unspecified in any::<bool>(),
    ) {
        // A valid solicitation has neither a group as its target nor one as its source.
        prop_assume!(!solicitor.is_multicast() && !target.is_multicast());
        let solicitor = if unspecified { Ipv6Addr::UNSPECIFIED } else { solicitor };
        let bytes = Answer { solicitor, target, mac, router, overrides }.to_bytes();
        let received = check_advertisement(&bytes).unwrap();
        prop_assert_eq!(received.ip.source, target);
        prop_assert_eq!(received.message.target, target);
        prop_assert_eq!((received.message.router, received.message.overrides), (router, overrides));
        prop_assert_eq!(received.options.mac(OptionType::TARGET_ADDRESS), Some(mac));
    }

    #[test]
    fn arbitrary_messages_are_valid_or_refused(
        message in vec(any::<u8>(), 0..80),
        options in vec(0..4u8, 0..40),
        kind in 134..138u8,
    ) {
        for text in [SOLICITATION, ADVERTISEMENT] {
            let _ = check_solicitation(&message);
            for tail in [&message, &options] {
                let bytes = with(text, |bytes| {
                    bytes.truncate(64);
                    bytes[40] = kind;
                    bytes.extend(tail);
                });
                for options in [
                    check_solicitation(&bytes).map(|received| received.options),
                    check_advertisement(&bytes).map(|received| received.options),
                ].into_iter().flatten() {
                    let len: usize = options.map(|option| option.unwrap().bytes.len()).sum();
                    prop_assert_eq!(len, tail.len());
                }
            }
        }
    }
}
