//! The laws of the codecs over arbitrary headers, arbitrary bytes, and every value of every byte.

use encap::wire::{Dscp, Ecn, FlowLabel, ipv6, wccp};
use proptest::{collection::vec, prelude::*};

use crate::{laws, strategies as any_header};

fn tail() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..120)
}

proptest! {
    #[test]
    fn an_ethernet_header_survives(header in any_header::ethernet(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn a_vlan_tag_survives(header in any_header::vlan(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn an_arp_packet_survives(header in any_header::arp(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn an_ipv4_header_survives(header in any_header::ipv4(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn an_ipv6_header_survives(header in any_header::ipv6(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn a_udp_header_survives(header in any_header::udp(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn a_vxlan_header_survives(header in any_header::vxlan(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn a_gre_header_survives(header in any_header::gre(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn a_vxlan_header_with_a_policy_survives(
        header in any_header::vxlan(),
        policy in any_header::group_policy(),
        tail in tail(),
    ) {
        let header = header.with_group_policy(policy);
        prop_assert_eq!(header.group_policy(), Some(policy));
        laws::round_trip(header, &tail);
    }

    #[test]
    fn a_vxlan_gpe_header_survives(header in any_header::vxlan_gpe(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn a_geneve_header_survives(header in any_header::geneve(), options in vec(any::<u8>(), 252), tail in tail()) {
        let (options, _) = options.split_at(header.options_len().bytes());
        laws::round_trip(header, &[options, &tail].concat());
    }

    #[test]
    fn an_nvgre_header_survives(header in any_header::nvgre(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn an_enhanced_gre_header_survives(header in any_header::gre1(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn an_erspan_header_is_read(header in any_header::erspan(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn a_redirect_header_survives(header in any_header::wccp(), tail in tail()) {
        prop_assert_eq!(wccp::Header::from_bytes(&header.to_bytes()), header);
        laws::redirected(&[&header.to_bytes(), &tail[..]].concat());
    }

    #[test]
    fn an_icmp_header_survives(header in any_header::icmpv4(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn an_icmpv6_header_survives(header in any_header::icmpv6(), tail in tail()) {
        laws::round_trip(header, &tail);
    }

    #[test]
    fn a_solicitation_survives(message in any_header::solicitation(), tail in tail()) {
        laws::round_trip(message, &tail);
    }

    #[test]
    fn an_advertisement_survives(message in any_header::advertisement(), tail in tail()) {
        laws::round_trip(message, &tail);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn arbitrary_bytes_obey(data in vec(any::<u8>(), 0..100)) {
        laws::wire(&data);
    }

    #[test]
    fn damaged_headers_obey(data in any_header::damaged(proptest::sample::select(seeds()))) {
        laws::wire(&data);
    }

    #[test]
    fn damaged_chains_obey(data in any_header::damaged(chain())) {
        laws::wire(&data);
    }

    #[test]
    fn a_good_chain_is_read_to_its_end((first, bytes, upper) in any_header::extension_chain(), tail in tail()) {
        let packet = [&bytes[..], &tail].concat();
        let mut chain = ipv6::Extensions::new(first, &packet);
        let count = chain.by_ref().take_while(Result::is_ok).count();
        prop_assert!(count <= ipv6::MAX_EXTENSIONS);
        if !chain.is_later_fragment() && (chain.rest(), chain.protocol()) != (&tail[..], upper) {
            // The chain is one header too long: the last one stays.
            prop_assert_eq!(count, ipv6::MAX_EXTENSIONS);
            prop_assert!(chain.rest().len() > tail.len());
        }
    }
}

fn chain() -> impl Strategy<Value = Vec<u8>> {
    any_header::extension_chain().prop_map(|(first, bytes, _)| [&[CHAIN, first.0], &bytes[..]].concat())
}

/// What picks the extension headers in [`laws::wire`].
const CHAIN: u8 = 8;

/// A good input of every codec, the byte that picks it in front.
fn seeds() -> Vec<Vec<u8>> {
    let seed = |codec: u8, head: &[u8], len: usize| {
        let mut data = vec![codec];
        data.extend(head);
        // Bytes that differ, so that a field read from the wrong place is seen.
        data.extend((data.len() as u8..).take(len + 4 - head.len()));
        data
    };
    vec![
        seed(0, &[], 14),
        seed(1, &[], 4),
        seed(2, &[0, 1, 8, 0, 6, 4, 0, 1], 28),
        seed(3, &[0x45, 0, 0, 24], 20),
        seed(3, &[0x4f, 0, 0, 64], 60),
        seed(4, &[0x60, 0, 0, 0, 0, 4], 40),
        seed(5, &[0, 1, 2, 3, 0, 12], 8),
        seed(6, &[8], 8),
        seed(7, &[0x00, 0, 8, 0], 4),
        seed(7, &[0xb0, 0, 8, 0], 16),
        seed(CHAIN, &[0, 43, 0, 0, 0, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 51, 0], 33),
        seed(9, &[0x81, 0, 0, 1, 0x88, 0xa8, 0, 2, 8, 0], 10),
        seed(10, &[3, 4], 8),
        seed(11, &[2, 0], 8),
        seed(12, &[135, 0], 24),
        seed(13, &[136, 0], 24),
        seed(14, &[1, 1, 0, 0, 0, 0, 0, 0, 14, 2], 20),
        seed(15, &[0x0c, 0, 0, 3], 8),
        seed(16, &[0, 0, 0x65, 0x58], 8),
        seed(16, &[2, 0x40, 0x65, 0x58, 0, 0, 42, 0, 1, 8, 0x81, 1], 16),
        seed(17, &[0x20, 0, 0x65, 0x58], 8),
        seed(18, &[0x20, 1, 0x88, 0x0b], 8),
        seed(18, &[0x30, 0x81, 0x88, 0x0b], 16),
        seed(19, &[0x10], 8),
        seed(19, &[0x20], 20),
        seed(20, &[0x80], 4),
    ]
}

/// All 256 values of every byte of every header, at every length, alone and before a byte of all ones.
#[test]
fn every_value_of_every_byte() {
    for seed in seeds() {
        laws::wire(&seed);
        for at in 1..seed.len() {
            let mut data = seed.clone();
            for byte in 0..=u8::MAX {
                data[at] = byte;
                laws::wire(&data);
                laws::wire(&data[..=at]);
            }
        }
    }
}

/// The fields that the first two bytes of IPv6 share.
#[test]
fn rfc8200_s3_every_traffic_class_and_start_of_the_flow_label() {
    for low in 0..16u8 {
        for second in 0..=u8::MAX {
            let mut bytes = [0; 40];
            (bytes[0], bytes[1]) = (0x60 | low, second);
            let header = ipv6::Header::from_bytes(&bytes).unwrap();
            let class = low << 4 | second >> 4;
            assert_eq!((header.dscp, header.ecn), (Dscp::truncate(class >> 2), Ecn::from_ds_field(class)));
            assert_eq!(header.flow_label, FlowLabel::truncate(u32::from(second & 15) << 16));
            assert_eq!(header.to_bytes(), bytes);
        }
    }
}
