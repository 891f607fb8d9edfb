//! Changes in place: after any of them all checksums are what a full computation gives, what was to change
//! did, nothing else did, and what is refused leaves no trace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use encap::wire::{
    Dscp, Ecn, Error, FlowLabel, FragmentOffset, IpProtocol, Vni,
    checksum::Sum,
    ipv4, ipv6,
    rewrite::{self, Refused},
};
use proptest::{collection::vec, prelude::*, sample::select};

/// A packet, and where its parts are.
#[derive(Clone, Debug)]
struct Sample {
    bytes: Vec<u8>,
    /// Where the transport header is.
    transport: usize,
    /// Where the packet ends: what follows is padding.
    end: usize,
    /// What is there; `None` in a later fragment.
    protocol: Option<u8>,
}

impl Sample {
    fn is_v4(&self) -> bool {
        self.bytes[0] >> 4 == 4
    }

    /// Where the transport's checksum is, unless there is none.
    fn checksum(&self) -> Option<usize> {
        let field = match (self.protocol?, self.is_v4()) {
            (6, _) => 16,
            (17, _) => 6,
            (58, false) => 2,
            _ => return None,
        };
        let at = self.transport + field;
        let none = self.protocol == Some(17) && self.bytes[at..at + 2] == [0, 0];
        (!none).then_some(at)
    }

    /// Writes all checksums as if there had been none: RFC 1071, RFC 768, RFC 8200, section 8.1.
    fn recompute(&mut self) {
        if self.is_v4() {
            let ihl = usize::from(self.bytes[0] & 15) * 4;
            self.bytes[10..12].fill(0);
            let sum = sum(&self.bytes[..ihl]);
            self.bytes[10..12].copy_from_slice(&(!sum).to_be_bytes());
        }
        let (Some(at), Some(protocol)) = (self.checksum(), self.protocol) else { return };
        self.bytes[at..at + 2].fill(0);
        let mut covered = self.bytes[if self.is_v4() { 12..20 } else { 8..40 }].to_vec();
        let segment = &self.bytes[self.transport..self.end];
        covered.extend([0, protocol]);
        covered.extend((segment.len() as u16).to_be_bytes());
        covered.extend(segment);
        let checksum = match (!sum(&covered), protocol) {
            (0, 17) => 0xffff,
            (checksum, _) => checksum,
        };
        self.bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    }
}

/// The sum of all words.
fn sum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| low.into());
    match bytes.chunks(2).map(word).sum::<u64>() {
        0 => 0,
        sum => ((sum - 1) % 0xffff + 1) as u16,
    }
}

/// A packet of either version with options or extension headers, any transport, first fragments and later
/// ones, UDP with and without a checksum, padding behind it, all checksums right.
fn sample() -> impl Strategy<Value = Sample> {
    let shape = (any::<bool>(), select(&[6u8, 17, 17, 17, 47, 58, 132][..]), 0..=10usize, any::<bool>());
    // Zeros and ones make the sums that are special.
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff)];
    let fragment = prop_oneof![3 => Just(0u16), 1 => Just(1), 1 => any::<u16>()];
    (shape, fragment, vec(byte, 40), vec(any::<u8>(), 20..80), 0..6usize).prop_map(
        |((v4, protocol, options, without), fragment, head, body, padding)| {
            let mut body = body;
            if protocol == 17 {
                let len = body.len() as u16;
                body[4..6].copy_from_slice(&len.to_be_bytes());
                body[6..8].copy_from_slice(if without { &[0, 0] } else { &[0xff, 0xff] });
            }
            let fragment_offset = FragmentOffset::truncate(fragment >> 3);
            let mut bytes = if v4 {
                // Without source routes, under which checksums cover another destination: they have a test of their own.
                let plain: Vec<_> =
                    head.iter().map(|&byte| if matches!(byte, 131 | 137) { 7 } else { byte }).collect();
                let header = ipv4::Header {
                    dscp: Dscp::from_ds_field(head[0]),
                    ecn: Ecn::from_ds_field(head[0]),
                    total_len: (20 + 4 * options + body.len()) as u16,
                    identification: 7,
                    dont_fragment: false,
                    more_fragments: fragment & 1 != 0,
                    fragment_offset,
                    ttl: head[1],
                    protocol: IpProtocol(protocol),
                    checksum: 0,
                    source: Ipv4Addr::new(head[2], head[3], head[4], head[5]),
                    destination: Ipv4Addr::new(head[6], head[7], head[8], head[9]),
                    options: ipv4::Options::new(&plain[..4 * options]).unwrap(),
                };
                header.to_bytes()[..header.header_len()].to_vec()
            } else {
                let in_fragments = fragment != 0;
                let chain = usize::from(options > 5) * 8 + usize::from(in_fragments) * 8;
                let kinds = [(options > 5).then_some(60), in_fragments.then_some(44), Some(protocol)];
                let mut kinds = kinds.into_iter().flatten();
                let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&head[at..at + 16]).unwrap());
                let header = ipv6::Header {
                    dscp: Dscp::from_ds_field(head[0]),
                    ecn: Ecn::from_ds_field(head[0]),
                    flow_label: FlowLabel::truncate(u32::from(head[1]) << 12 | 5),
                    payload_len: (chain + body.len()) as u16,
                    next_header: IpProtocol(kinds.next().unwrap()),
                    hop_limit: head[1],
                    source: address(2),
                    destination: address(18),
                };
                let mut bytes = header.to_bytes().to_vec();
                if options > 5 {
                    bytes.extend([kinds.next().unwrap(), 0, 1, 4, 0, 0, 0, 0]);
                }
                if in_fragments {
                    let [o0, o1] = (fragment & 0xfff9).to_be_bytes();
                    bytes.extend([kinds.next().unwrap(), 0, o0, o1, 0, 0, 0, 7]);
                }
                bytes
            };
            let transport = bytes.len();
            bytes.extend(&body);
            let end = bytes.len();
            bytes.extend(&head[..padding]);
            let protocol = (fragment_offset.value() == 0).then_some(protocol);
            let mut sample = Sample { bytes, transport, end, protocol };
            sample.recompute();
            sample
        },
    )
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Ttl(u8),
    Decrement,
    Dscp(Dscp),
    Ecn(Ecn),
    Source(IpAddr),
    Destination(IpAddr),
    SourcePort(u16),
    DestinationPort(u16),
    Vni(Vni),
}

fn change() -> impl Strategy<Value = Change> {
    let address = || {
        prop_oneof![
            any::<IpAddr>(),
            select(vec![
                IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                IpAddr::V4(Ipv4Addr::BROADCAST),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
            ]),
        ]
    };
    prop_oneof![
        any::<u8>().prop_map(Change::Ttl),
        Just(Change::Decrement),
        any::<u8>().prop_map(|bits| Change::Dscp(Dscp::truncate(bits))),
        any::<u8>().prop_map(|bits| Change::Ecn(Ecn::from_ds_field(bits))),
        address().prop_map(Change::Source),
        address().prop_map(Change::Destination),
        any::<u16>().prop_map(Change::SourcePort),
        any::<u16>().prop_map(Change::DestinationPort),
        any::<u32>().prop_map(|bits| Change::Vni(Vni::truncate(bits))),
    ]
}

impl Change {
    fn make(self, packet: &mut [u8]) -> Result<(), Refused> {
        match self {
            Self::Ttl(ttl) => rewrite::set_ttl(packet, ttl),
            Self::Decrement => rewrite::decrement_ttl(packet).map(|left| assert!(left > 0)),
            Self::Dscp(dscp) => rewrite::set_dscp(packet, dscp),
            Self::Ecn(ecn) => rewrite::set_ecn(packet, ecn),
            Self::Source(address) => rewrite::set_source(packet, address),
            Self::Destination(address) => rewrite::set_destination(packet, address),
            Self::SourcePort(port) => rewrite::set_source_port(packet, port),
            Self::DestinationPort(port) => rewrite::set_destination_port(packet, port),
            Self::Vni(vni) => rewrite::set_vni(packet, vni),
        }
    }

    /// What must become of the packet: the field written, checksums computed anew.
    fn expected(self, before: &Sample) -> Result<Sample, Refused> {
        let mut sample = before.clone();
        let (v4, at) = (before.is_v4(), before.transport);
        let ttl = if v4 { 8 } else { 7 };
        let mut put = |at: usize, new: &[u8]| sample.bytes[at..at + new.len()].copy_from_slice(new);
        let class = if v4 { before.bytes[1] } else { before.bytes[0] << 4 | before.bytes[1] >> 4 };
        let mut put_class = |class: u8| match v4 {
            true => put(1, &[class]),
            false => put(0, &[0x60 | class >> 4, class << 4 | before.bytes[1] & 15]),
        };
        let has = |protocols: &[u8]| match before.protocol {
            None => Err(Refused::Fragment),
            Some(protocol) if protocols.contains(&protocol) => Ok(()),
            Some(protocol) => Err(Refused::Protocol(IpProtocol(protocol))),
        };
        match self {
            Self::Ttl(new) => put(ttl, &[new]),
            Self::Decrement => match before.bytes[ttl] {
                old @ 0..=1 => return Err(Refused::Expired(old)),
                old => put(ttl, &[old - 1]),
            },
            Self::Dscp(dscp) => put_class(dscp.value() << 2 | class & 3),
            Self::Ecn(ecn) => put_class(class & !3 | ecn.value()),
            Self::Source(IpAddr::V4(new)) if v4 => put(12, &new.octets()),
            Self::Source(IpAddr::V6(new)) if !v4 => put(8, &new.octets()),
            Self::Destination(IpAddr::V4(new)) if v4 => put(16, &new.octets()),
            Self::Destination(IpAddr::V6(new)) if !v4 => put(24, &new.octets()),
            Self::Source(_) | Self::Destination(_) => return Err(Refused::OtherVersion),
            Self::SourcePort(port) => {
                has(&[6, 17])?;
                put(at, &port.to_be_bytes());
            }
            Self::DestinationPort(port) => {
                has(&[6, 17])?;
                put(at + 2, &port.to_be_bytes());
            }
            Self::Vni(vni) => {
                has(&[17])?;
                put(at + 12, &vni.value().to_be_bytes()[1..]);
            }
        }
        sample.recompute();
        Ok(sample)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_changes_leave_all_checksums_as_a_full_computation_gives_them(
        start in sample(),
        changes in vec(change(), 1..8),
    ) {
        let mut now = start;
        for change in changes {
            let mut bytes = now.bytes.clone();
            let made = change.make(&mut bytes);
            match change.expected(&now) {
                Ok(expected) => {
                    prop_assert_eq!(made, Ok(()));
                    prop_assert_eq!(&bytes, &expected.bytes, "{:?} of {:02x?}", change, now.bytes);
                    now = expected;
                }
                Err(error) => {
                    prop_assert_eq!(made, Err(error));
                    prop_assert_eq!(&bytes, &now.bytes);
                }
            }
        }
    }

    #[test]
    fn what_is_cut_short_or_noise_is_changed_in_its_headers_or_refused_and_left_alone(
        start in sample(),
        noise in vec(any::<u8>(), 0..100),
        change in change(),
    ) {
        let mut bytes = noise.clone();
        if change.make(&mut bytes).is_err() {
            prop_assert_eq!(&bytes, &noise);
        }
        for len in 0..start.bytes.len() {
            let mut bytes = start.bytes[..len].to_vec();
            // A change does not look at the payload: it is that of the whole packet.
            match change.make(&mut bytes) {
                Ok(()) => prop_assert_eq!(&bytes, &change.expected(&start).unwrap().bytes[..len]),
                Err(_) => prop_assert_eq!(&bytes, &start.bytes[..len]),
            }
        }
    }
}

/// 10.1.0.1 to 10.1.0.2, UDP, "hello".
const PACKET: [u8; 33] = [
    0x45, 0, 0, 33, 0, 1, 0, 0, 64, 17, 0x66, 0xc7, 10, 1, 0, 1, 10, 1, 0, 2, // IPv4
    3, 0xe8, 7, 0xd0, 0, 13, 0x9c, 0x45, b'h', b'e', b'l', b'l', b'o', // UDP
];

#[test]
fn rfc768_a_checksum_never_becomes_zero_and_zero_stays() {
    let mut zeros = 0;
    for port in 0..=u16::MAX {
        let mut sample = Sample { bytes: PACKET.to_vec(), transport: 20, end: 33, protocol: Some(17) };
        rewrite::set_source_port(&mut sample.bytes, port).unwrap();
        let checksum = [sample.bytes[26], sample.bytes[27]];
        assert_ne!(checksum, [0, 0]);
        zeros += u32::from(checksum == [0xff, 0xff]);
        let bytes = sample.bytes.clone();
        sample.recompute();
        assert_eq!(sample.bytes, bytes);
        // And on from there.
        rewrite::set_source_port(&mut sample.bytes, 1000).unwrap();
        assert_eq!(sample.bytes, PACKET);

        (sample.bytes[26], sample.bytes[27]) = (0, 0);
        rewrite::set_destination_port(&mut sample.bytes, port).unwrap();
        assert_eq!(sample.bytes[26..28], [0, 0]);
    }
    assert!(zeros > 0);
}

#[test]
fn rfc1812_s5_3_1_no_packet_is_forwarded_whose_time_is_up() {
    for ttl in 0..=u8::MAX {
        let mut packet = PACKET;
        rewrite::set_ttl(&mut packet, ttl).unwrap();
        let before = packet;
        let expected = if ttl > 1 { Ok(ttl - 1) } else { Err(Refused::Expired(ttl)) };
        assert_eq!(rewrite::decrement_ttl(&mut packet), expected);
        if ttl <= 1 {
            assert_eq!(packet, before);
        }
        let mut packet = [&[0x60, 0, 0, 0, 0, 0, 59, ttl][..], &[0; 32]].concat();
        assert_eq!(rewrite::decrement_ttl(&mut packet), expected);
        assert_eq!(packet[7], expected.unwrap_or(ttl));
    }
}

#[test]
fn rfc8200_s8_1_the_checksum_covers_the_last_destination_of_a_route() {
    let address = Ipv6Addr::from_bits(7);
    for left in [0, 1] {
        let mut packet = vec![0x60, 0, 0, 0, 0, 24 + 8, 43, 64];
        packet.extend([0; 32]);
        packet.extend([17, 2, 4, left]); // a routing header of one segment
        packet.extend([0; 20]);
        packet.extend([0, 1, 0, 2, 0, 8, 0x12, 0x34]);
        rewrite::set_destination(&mut packet, address.into()).unwrap();
        assert_eq!(packet[24..40], address.octets());
        assert_eq!(packet[70..] == [0x12, 0x34], left != 0);
        // The source is covered all the way.
        let before = packet.clone();
        rewrite::set_source(&mut packet, address.into()).unwrap();
        assert_ne!(packet[70..], before[70..]);
    }
}

#[test]
fn rfc1122_s4_1_3_4_the_checksum_covers_the_last_address_of_a_source_route() {
    let (source, hop, last) = ([192, 0, 2, 1], [10, 0, 0, 5], [10, 0, 0, 9]);
    for kind in [131, 137] {
        for (pointer, covered) in [(4, last), (8, hop)] {
            let options = [kind, 7, pointer, 10, 0, 0, 9, 0];
            let [s0, s1, s2, s3] = source;
            let [d0, d1, d2, d3] = hop;
            let header = [0x47, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0, 0, s0, s1, s2, s3, d0, d1, d2, d3];
            let mut packet = [&header[..], &options, &[0, 1, 0, 2, 0, 8, 0, 0]].concat();
            let pseudo =
                |address: [u8; 4]| Sum::pseudo_ipv4(source.into(), address.into(), IpProtocol::UDP, 8);
            let checksum = pseudo(covered).add_bytes(&packet[28..]).udp_checksum();
            packet[34..].copy_from_slice(&checksum.to_be_bytes());
            rewrite::set_destination(&mut packet, [10, 0, 0, 6].into()).unwrap();
            let covered = if pointer == 4 { last } else { [10, 0, 0, 6] };
            assert!(pseudo(covered).add_bytes(&packet[28..]).is_good(), "{kind}, {pointer}");
        }
    }
}

#[test]
fn a_vni_is_set_in_the_packet_or_in_its_header_alone() {
    let mut header = [0x08, 1, 2, 3, 4, 5, 6, 7];
    rewrite::set_vni_in(&mut header, Vni::truncate(0xab_cdef));
    assert_eq!(header, [0x08, 1, 2, 3, 0xab, 0xcd, 0xef, 7]);

    // There are only five bytes behind UDP.
    let mut packet = PACKET;
    let made = rewrite::set_vni(&mut packet, Vni::MAX);
    assert!(matches!(made, Err(Refused::Broken(Error::Truncated { need: 8, have: 5, .. }))));
    assert_eq!(packet, PACKET);
}

#[test]
fn a_wrong_checksum_stays_wrong() {
    let mut packet = PACKET;
    packet[26] ^= 0x40;
    rewrite::set_destination_port(&mut packet, 9).unwrap();
    let mut right = PACKET;
    rewrite::set_destination_port(&mut right, 9).unwrap();
    assert_ne!(packet, right);
    rewrite::set_destination_port(&mut packet, 2000).unwrap();
    packet[26] ^= 0x40;
    assert_eq!(packet, PACKET);
}
