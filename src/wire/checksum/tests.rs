//! Sums beside the naive one of RFC 1071, and the examples of the RFCs.

extern crate std;

use std::{vec, vec::Vec};

use super::*;

/// RFC 1071, section 1, word by word.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum: u64 = 0;
    for pair in bytes.chunks(2) {
        sum += u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u64::from(low));
    }
    while sum >> 16 != 0 {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

#[test]
fn rfc1071_s3_example() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(Sum::ZERO.add_bytes(&bytes).value(), 0xddf2);
    assert_eq!(of(&bytes), 0x220d);
}

#[test]
fn every_length_agrees_with_the_naive_sum() {
    let bytes = noise(1600);
    for len in 0..bytes.len() {
        assert_eq!(Sum::ZERO.add_bytes(&bytes[..len]).value(), naive(&bytes[..len]), "length {len}");
    }
}

/// Long sums start where a cache line does, wherever that is; odd places never do.
#[test]
fn long_sums_are_the_same_from_every_place() {
    let bytes = noise(9_300);
    for start in 0..130 {
        for len in [4_095, 4_096, 4_097, 4_224, 9_000, 9_001] {
            let bytes = &bytes[start..][..len];
            assert_eq!(Sum::ZERO.add_bytes(bytes).value(), naive(bytes), "{len} bytes from {start}");
        }
    }
}

/// The same where 64-bit lanes overflow as often as can be, as seldom as can be, and nearly either way: upper words of
/// all ones, of zeroes, and of what is next to them, with and without carries from below.
#[test]
fn no_overflow_of_a_lane_is_missed() {
    let words: [u64; 8] = [
        0,
        1,
        0xffff_ffff_ffff,
        0x0001_0000_0000_0000,
        0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000,
        0xffff_0000_0000_0000,
        !0,
    ];
    for (first, &a) in words.iter().enumerate() {
        for &b in &words[first..] {
            for turn in [2, 3, 5, 16, 17] {
                let mut bytes = Vec::new();
                (0..8_192).for_each(|at| bytes.extend(if at % turn == 0 { a } else { b }.to_ne_bytes()));
                for len in [160, 1_440, 4_000, 65_536] {
                    let bytes = &bytes[..len];
                    assert_eq!(
                        Sum::ZERO.add_bytes(bytes).value(),
                        naive(bytes),
                        "{a:#x}, {b:#x}, {turn}, {len}"
                    );
                }
            }
        }
    }
}

/// Longer than any packet, and than what is summed in one go.
#[test]
fn whole_files_add_up() {
    for byte in [0x01, 0x80, 0xff] {
        let bytes = vec![byte; 1_000_003];
        assert_eq!(Sum::ZERO.add_bytes(&bytes).value(), naive(&bytes), "bytes {byte:#04x}");
    }
    let bytes = noise(1_000_003);
    assert_eq!(Sum::ZERO.add_bytes(&bytes).value(), naive(&bytes));
    // Means that are rounded up each time, as far as can be.
    for (step, ones) in [(16, 4), (20, 2)] {
        let word = |at: u64| if at % step < ones { 1u64 << 48 } else { 0 };
        let bytes: Vec<u8> = (0..250_000).flat_map(|at| word(at).to_le_bytes()).collect();
        assert_eq!(Sum::ZERO.add_bytes(&bytes).value(), naive(&bytes), "{ones} of {step} words");
    }
}

#[test]
fn carries_survive_everywhere() {
    for len in [1, 2, 7, 8, 63, 64, 65, 128, 1500, 9000, 65_535] {
        for byte in [0x00, 0x01, 0x80, 0xff] {
            let bytes = vec![byte; len];
            assert_eq!(Sum::ZERO.add_bytes(&bytes).value(), naive(&bytes), "{len} bytes {byte:#04x}");
        }
    }
}

#[test]
fn rfc1071_s2_slices_may_be_cut_anywhere() {
    let bytes = noise(100);
    for first in 0..100 {
        for second in [first, (first + 1).min(100), (first + 7).min(100), 100] {
            let sum = Sum::ZERO
                .add_bytes(&bytes[..first])
                .add_bytes(&bytes[first..second])
                .add_bytes(&bytes[second..]);
            assert_eq!(sum.value(), naive(&bytes), "cut at {first} and {second}");
        }
    }
}

#[test]
fn rfc1624_s4_example() {
    // The case in which equation 4 of RFC 1141 gives 0xffff.
    assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

#[test]
fn rfc1624_s3_update_is_a_full_recomputation() {
    let mut bytes = noise(40);
    for at in (0..40).step_by(2) {
        for new in [0x0000, 0x0001, 0x7fff, 0x8000, 0xfffe, 0xffff] {
            let (before, old) = (of(&bytes), u16::from_be_bytes([bytes[at], bytes[at + 1]]));
            [bytes[at], bytes[at + 1]] = u16::to_be_bytes(new);
            assert_eq!(update(before, old, new), of(&bytes), "word at {at} becomes {new:#06x}");
        }
    }
}

#[test]
fn without_undoes_join() {
    let (a, b) = (Sum::ZERO.add_bytes(&noise(31)[..30]), Sum::ZERO.add_bytes(&noise(52)[32..]));
    assert_eq!(a.join(b).without(b).value(), a.value());
    for (first, second) in [(1, 2), (1, 3), (2, 3), (31, 20)] {
        let [a, b] = [first, second].map(|len| Sum::ZERO.add_bytes(&noise(64)[len..2 * len]));
        assert_eq!(a.join(b).without(b), a, "{first} and {second} bytes");
    }
    let zeros = Sum::ZERO.add_bytes(&[0, 0]);
    assert_eq!((zeros.value(), zeros.join(zeros).without(zeros).value()), (0, 0xffff));
}

/// However many carries are not brought back yet.
#[test]
fn sums_are_equal_where_what_follows_from_them_is() {
    let a = Sum::ZERO.add_bytes(&[0xff, 0xff, 0, 2]);
    assert_eq!(a, Sum::ZERO.add_word(0xffff).add_word(2));
    assert_ne!(a, Sum::ZERO.add_word(2).add_bytes(&[0]), "an odd number of bytes");
    assert_ne!(a, Sum::ZERO.add_word(3));
}

#[test]
fn rfc768_only_udp_turns_zero_into_all_ones() {
    let sum = Sum::ZERO.add_bytes(&[0xff, 0xff]);
    assert_eq!(sum.checksum(), 0);
    assert_eq!(sum.udp_checksum(), 0xffff);
    assert_eq!(Sum::ZERO.add_bytes(&[0xff, 0xfe]).udp_checksum(), 1);
}

#[test]
fn pseudo_headers_are_the_bytes_of_the_rfcs() {
    let (a, b) = (Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(10, 1, 0, 2));
    let bytes = [10, 1, 0, 1, 10, 1, 0, 2, 0, 17, 0x12, 0x34];
    assert_eq!(Sum::pseudo_ipv4(a, b, IpProtocol::UDP, 0x1234).value(), naive(&bytes));

    let (a6, b6) = (a.to_ipv6_mapped(), b.to_ipv6_mapped());
    let mut bytes = [a6.octets(), b6.octets()].concat();
    bytes.extend([0x00, 0x01, 0x02, 0x03, 0, 0, 0, 58]);
    assert_eq!(Sum::pseudo_ipv6(a6, b6, IpProtocol::ICMPV6, 0x0001_0203).value(), naive(&bytes));

    assert_eq!(Sum::pseudo(a.into(), b6.into(), IpProtocol::UDP, 8), None);
}

#[test]
fn rfc791_s3_1_a_header_adds_up_in_one_go_as_it_does_word_by_word() {
    let agree = |bytes: [u8; 20]| {
        let good = Sum::ZERO.add_bytes(&bytes).is_good();
        assert_eq!(is_good_header(&bytes), good, "{bytes:02x?}");
        good
    };
    assert!(!agree([0; 20]), "zeros add up to zero");
    assert!(agree([0xff; 20]), "ones to the other zero");
    let mut random = 1u64;
    for _ in 0..20_000 {
        let mut bytes = [0; 20];
        for byte in &mut bytes {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            // Many at the ends of their range, where carries are.
            *byte = [0, 0xff, (random >> 56) as u8][(random >> 32) as usize % 3];
        }
        agree(bytes);
        [bytes[10], bytes[11]] = [0; 2];
        [bytes[10], bytes[11]] = of(&bytes).to_be_bytes();
        assert!(agree(bytes) || bytes.iter().all(|&byte| byte == 0));
        bytes[random as usize % 20] ^= 1 << (random >> 61);
        assert!(!agree(bytes));
    }
}
