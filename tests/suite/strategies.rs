//! Arbitrary headers, as users may build them.

use std::net::{Ipv4Addr, Ipv6Addr};

use encap::wire::{
    Dscp, Ecn, EtherType, FlowLabel, FragmentOffset, IpProtocol, MacAddr, Pcp, VlanId, Vni, arp, erspan,
    ethernet, geneve, gre, gre1, icmpv4, icmpv6, ipv4, ipv6, ndp, nvgre, udp, vlan, vxlan,
    vxlan_gbp::GroupPolicy, vxlan_gpe, wccp,
};
use proptest::{collection::vec, prelude::*};

pub(crate) fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr)
}

/// Any number, those that this crate reads on from more often.
pub(crate) fn ethertype() -> impl Strategy<Value = EtherType> {
    const KNOWN: &[EtherType] = &[
        EtherType::IPV4,
        EtherType::ARP,
        EtherType::TEB,
        EtherType::VLAN,
        EtherType::IPV6,
        EtherType::SERVICE_VLAN,
        EtherType::OLD_STACKED_VLAN,
    ];
    prop_oneof![any::<u16>().prop_map(EtherType), proptest::sample::select(KNOWN)]
}

/// Any number, those of extension headers more often.
pub(crate) fn protocol() -> impl Strategy<Value = IpProtocol> {
    const KNOWN: &[u8] = &[0, 6, 17, 43, 44, 47, 51, 58, 59, 60, 135, 139, 140];
    prop_oneof![any::<u8>(), proptest::sample::select(KNOWN)].prop_map(IpProtocol)
}

pub(crate) fn ecn() -> impl Strategy<Value = Ecn> {
    any::<u8>().prop_map(Ecn::from_ds_field)
}

pub(crate) fn dscp() -> impl Strategy<Value = Dscp> {
    any::<u8>().prop_map(Dscp::truncate)
}

pub(crate) fn vni() -> impl Strategy<Value = Vni> {
    any::<u32>().prop_map(Vni::truncate)
}

pub(crate) fn ethernet() -> impl Strategy<Value = ethernet::Header> {
    (mac(), mac(), ethertype()).prop_map(|(destination, source, ethertype)| ethernet::Header {
        destination,
        source,
        ethertype,
    })
}

pub(crate) fn vlan() -> impl Strategy<Value = vlan::Header> {
    (any::<u8>(), any::<bool>(), any::<u16>(), ethertype()).prop_map(
        |(priority, drop_eligible, id, ethertype)| vlan::Header {
            priority: Pcp::truncate(priority),
            drop_eligible,
            id: VlanId::truncate(id),
            ethertype,
        },
    )
}

pub(crate) fn arp() -> impl Strategy<Value = arp::Header> {
    (any::<u16>(), mac(), any::<Ipv4Addr>(), mac(), any::<Ipv4Addr>()).prop_map(
        |(operation, sender_mac, sender_ip, target_mac, target_ip)| arp::Header {
            operation: arp::Operation(operation),
            sender_mac,
            sender_ip,
            target_mac,
            target_ip,
        },
    )
}

pub(crate) fn options() -> impl Strategy<Value = ipv4::Options> {
    vec(any::<[u8; 4]>(), 0..=10).prop_map(|words| ipv4::Options::new(&words.concat()).unwrap())
}

/// Total length is at least the header's, often not much more.
pub(crate) fn ipv4() -> impl Strategy<Value = ipv4::Header> {
    let flags = (any::<bool>(), any::<bool>(), any::<u16>());
    let payload_len = prop_oneof![0..100u16, 0..=u16::MAX];
    let rest = (any::<u8>(), protocol(), any::<u16>(), any::<Ipv4Addr>(), any::<Ipv4Addr>());
    (dscp(), ecn(), payload_len, any::<u16>(), flags, rest, options()).prop_map(
        |(dscp, ecn, payload_len, identification, flags, rest, options)| ipv4::Header {
            dscp,
            ecn,
            total_len: payload_len.saturating_add(20 + options.as_bytes().len() as u16),
            identification,
            dont_fragment: flags.0,
            more_fragments: flags.1,
            fragment_offset: FragmentOffset::truncate(flags.2),
            ttl: rest.0,
            protocol: rest.1,
            checksum: rest.2,
            source: rest.3,
            destination: rest.4,
            options,
        },
    )
}

pub(crate) fn ipv6() -> impl Strategy<Value = ipv6::Header> {
    let payload_len = prop_oneof![0..100u16, any::<u16>()];
    let rest = (any::<u8>(), any::<Ipv6Addr>(), any::<Ipv6Addr>());
    (dscp(), ecn(), any::<u32>(), payload_len, protocol(), rest).prop_map(
        |(dscp, ecn, flow_label, payload_len, next_header, rest)| ipv6::Header {
            dscp,
            ecn,
            flow_label: FlowLabel::truncate(flow_label),
            payload_len,
            next_header,
            hop_limit: rest.0,
            source: rest.1,
            destination: rest.2,
        },
    )
}

/// Length is at least eight, often not much more.
pub(crate) fn udp() -> impl Strategy<Value = udp::Header> {
    let length = prop_oneof![8..100u16, 8..=u16::MAX];
    let checksum = prop_oneof![any::<u16>(), Just(0)];
    (any::<u16>(), any::<u16>(), length, checksum).prop_map(
        |(source_port, destination_port, length, checksum)| udp::Header {
            source_port,
            destination_port,
            length,
            checksum,
        },
    )
}

pub(crate) fn group_policy() -> impl Strategy<Value = GroupPolicy> {
    (any::<u16>(), any::<bool>(), any::<bool>()).prop_map(|(id, dont_learn, applied)| GroupPolicy {
        id,
        dont_learn,
        applied,
    })
}

/// Any number, those that are assigned more often.
pub(crate) fn next_protocol() -> impl Strategy<Value = vxlan_gpe::NextProtocol> {
    prop_oneof![any::<u8>(), 0..=6u8].prop_map(vxlan_gpe::NextProtocol)
}

/// As sent by this crate, or with any bit set.
pub(crate) fn vxlan_gpe() -> impl Strategy<Value = vxlan_gpe::Header> {
    let raw = any::<[u8; 8]>().prop_map(|bytes| vxlan_gpe::Header::from_bytes(&bytes));
    let sent = (vni(), next_protocol()).prop_map(|(vni, next)| vxlan_gpe::Header::new(vni, next));
    prop_oneof![sent, raw]
}

/// Any bit but those of the version; more than four words of options not often.
pub(crate) fn geneve() -> impl Strategy<Value = geneve::Header> {
    let words = prop_oneof![0..=4u8, 0..=63u8];
    (words, any::<[u8; 7]>()).prop_map(|(words, [flags, p0, p1, v0, v1, v2, reserved])| {
        geneve::Header::from_bytes(&[words, flags, p0, p1, v0, v1, v2, reserved]).unwrap()
    })
}

pub(crate) fn nvgre() -> impl Strategy<Value = nvgre::Header> {
    (vni(), any::<u8>()).prop_map(|(vsid, flow_id)| nvgre::Header { vsid, flow_id })
}

pub(crate) fn gre1() -> impl Strategy<Value = gre1::Header> {
    (ethertype(), any::<u16>(), any::<u16>(), any::<Option<u32>>(), any::<Option<u32>>()).prop_map(
        |(protocol, payload_len, call_id, sequence, acknowledgment)| gre1::Header {
            protocol,
            payload_len,
            call_id,
            sequence,
            acknowledgment,
        },
    )
}

pub(crate) fn erspan() -> impl Strategy<Value = erspan::Header> {
    let second = any::<u32>().prop_map(|index| erspan::Kind::II { index: erspan::Index::truncate(index) });
    let flags = (any::<bool>(), 0..32u8, 0..64u8, any::<bool>(), 0..4u8);
    let third = (any::<u32>(), any::<u16>(), flags, any::<Option<[u8; 8]>>()).prop_map(
        |(timestamp, security_group, flags, subheader)| erspan::Kind::III {
            timestamp,
            security_group,
            ethernet: flags.0,
            frame_type: erspan::FrameType::truncate(flags.1),
            hardware_id: erspan::HardwareId::truncate(flags.2),
            egress: flags.3,
            granularity: erspan::Granularity::truncate(flags.4),
            subheader,
        },
    );
    let start = (any::<u16>(), any::<u8>(), 0..4u8, any::<bool>(), any::<u16>());
    (start, prop_oneof![second, third]).prop_map(|((vlan, cos, encapsulation, truncated, session), kind)| {
        erspan::Header {
            vlan: VlanId::truncate(vlan),
            cos: Pcp::truncate(cos),
            encapsulation: erspan::Tagging::truncate(encapsulation),
            truncated,
            session: erspan::SessionId::truncate(session),
            kind,
        }
    })
}

pub(crate) fn wccp() -> impl Strategy<Value = wccp::Header> {
    any::<[u8; 4]>().prop_map(|bytes| wccp::Header::from_bytes(&bytes))
}

/// As sent by this crate, or with any bit set.
pub(crate) fn vxlan() -> impl Strategy<Value = vxlan::Header> {
    let raw = any::<[u8; 8]>().prop_map(|bytes| vxlan::Header::from_bytes(&bytes));
    prop_oneof![vni().prop_map(vxlan::Header::new), raw]
}

pub(crate) fn gre() -> impl Strategy<Value = gre::Header> {
    let reserved = prop_oneof![Just(0), any::<u16>()].prop_map(gre::Reserved0::from_flags);
    (reserved, ethertype(), any::<Option<u16>>(), any::<Option<u32>>(), any::<Option<u32>>()).prop_map(
        |(reserved, protocol, checksum, key, sequence)| gre::Header {
            reserved,
            protocol,
            checksum,
            key: key.map(gre::Key),
            sequence,
        },
    )
}

/// Any type, those that are problems more often.
pub(crate) fn icmpv4() -> impl Strategy<Value = icmpv4::Header> {
    let kind = prop_oneof![any::<u8>(), proptest::sample::select(&[0u8, 3, 8, 11, 12][..])];
    (kind, any::<u8>(), any::<u16>(), any::<[u8; 4]>()).prop_map(|(kind, code, checksum, rest)| {
        icmpv4::Header { kind: icmpv4::Type(kind), code, checksum, rest }
    })
}

/// Any type, those that are problems more often.
pub(crate) fn icmpv6() -> impl Strategy<Value = icmpv6::Header> {
    let kind = prop_oneof![any::<u8>(), proptest::sample::select(&[1u8, 2, 3, 4, 128][..])];
    (kind, any::<u8>(), any::<u16>(), any::<[u8; 4]>()).prop_map(|(kind, code, checksum, rest)| {
        icmpv6::Header { kind: icmpv6::Type(kind), code, checksum, rest }
    })
}

pub(crate) fn solicitation() -> impl Strategy<Value = ndp::Solicitation> {
    (any::<u16>(), any::<Ipv6Addr>()).prop_map(|(checksum, target)| ndp::Solicitation { checksum, target })
}

pub(crate) fn advertisement() -> impl Strategy<Value = ndp::Advertisement> {
    (any::<u16>(), any::<[bool; 3]>(), any::<Ipv6Addr>()).prop_map(
        |(checksum, [router, solicited, overrides], target)| ndp::Advertisement {
            checksum,
            router,
            solicited,
            overrides,
            target,
        },
    )
}

/// A chain of well-formed extension headers, one more than are followed at most, hop-by-hop options only in front: the
/// kind of the first, the bytes of all, the kind of what comes behind.
pub(crate) fn extension_chain() -> impl Strategy<Value = (IpProtocol, Vec<u8>, IpProtocol)> {
    let kind = proptest::sample::select(&[0u8, 43, 44, 51, 60, 135, 139, 140][..]);
    let upper = proptest::sample::select(&[6u8, 17, 47, 59][..]);
    (vec((kind, 0..4u8, any::<[u8; 40]>()), 0..=9), upper).prop_map(|(mut headers, upper)| {
        for header in headers.iter_mut().skip(1).filter(|header| header.0 == 0) {
            header.0 = 60;
        }
        let kinds: Vec<u8> = headers.iter().map(|header| header.0).chain([upper]).collect();
        let mut bytes = Vec::new();
        for (index, (kind, len, filler)) in headers.into_iter().enumerate() {
            let size = match kind {
                44 => 8,
                51 => 4 * (usize::from(len) + 2),
                _ => 8 * (usize::from(len) + 1),
            };
            let start = bytes.len();
            bytes.extend(&filler[..size]);
            // Byte 1 of a fragment header is reserved, so the filler stays.
            bytes[start] = kinds[index + 1];
            if kind != 44 {
                bytes[start + 1] = len;
            }
        }
        (IpProtocol(kinds[0]), bytes, IpProtocol(upper))
    })
}

/// Bytes as they are, or with a few of them overwritten, cut off or added.
pub(crate) fn damaged(good: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let writes = vec((any::<proptest::sample::Index>(), any::<u8>()), 0..3);
    let cut = prop_oneof![3 => Just(None), 1 => any::<proptest::sample::Index>().prop_map(Some)];
    (good, writes, cut, vec(any::<u8>(), 0..4)).prop_map(|(mut bytes, writes, cut, tail)| {
        for (index, byte) in writes {
            let at = index.index(bytes.len().max(1));
            if let Some(old) = bytes.get_mut(at) {
                *old = byte;
            }
        }
        bytes.extend(tail);
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        bytes
    })
}
