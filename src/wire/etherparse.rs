//! Conversions between header values of this crate and those of etherparse 0.21 (feature `etherparse`).
//!
//! Both ways, by `From`, where both sides hold the same values, and by `TryFrom` where the other one can hold more:
//!
//! | here | in etherparse |
//! |---|---|
//! | [`ethernet::Header`], [`vlan::Header`] | `Ethernet2Header`, `SingleVlanHeader` |
//! | [`ipv4::Header`], [`ipv4::Options`] | `Ipv4Header`, `Ipv4Options` |
//! | [`ipv6::Header`], [`udp::Header`] | `Ipv6Header`, `UdpHeader` |
//! | [`arp::Header`], [`arp::Operation`] | `ArpEthIpv4Packet`, `ArpOperation` |
//! | [`EtherType`], [`IpProtocol`] | `EtherType`, `IpNumber` |
//! | [`VlanId`], [`Pcp`] | `VlanId`, `VlanPcp` |
//! | [`Dscp`], [`Ecn`] | `IpDscp`, `IpEcn` |
//! | [`FlowLabel`], [`FragmentOffset`] | `Ipv6FlowLabel`, `IpFragOffset` |
//! | [`ipv6::Extension`] of a fragment, and back to [`ipv6::Fragment`] | `Ipv6FragmentHeader` |
//! | [`icmpv4::Header`](super::icmpv4::Header) | `Icmpv4Header` |
//! | [`icmpv6::Header`](super::icmpv6::Header) | `Icmpv6Header` |
//! | [`ndp::Solicitation`](super::ndp::Solicitation) | `(Icmpv6Header, NeighborSolicitationPayload)` |
//! | [`ndp::Advertisement`](super::ndp::Advertisement) | `(Icmpv6Header, NeighborAdvertisementPayload)` |
//! | [`OptionType`] | `NdpOptionType` |
//!
//! - `ArpPacket` holds other hardware and protocols too, so the way back from it is a `TryFrom`, whose error names what
//!   differs.
//! - The fragment header's own next header is with us in the chain, not in what it says; so the way there starts at
//!   the chain's item, which has both.
//! - ICMP messages have types there and bytes here. What those types cannot hold, such as the length of RFC 4884,
//!   becomes `Unknown` there, so that nothing is lost; ICMP timestamps, whose headers there are 20 bytes long, have no
//!   way back.
//!
//! No counterpart there have VXLAN, Geneve, GRE, ERSPAN and WCCP; and none here TCP, IGMP, MACsec, `LinuxSllHeader` and
//! the messages of routers. `DoubleVlanHeader` is two of our tags. Other extension headers and the options of neighbor
//! discovery are views of bytes here, and their values there are read from those: `Ipv6RawExtHeader::from_slice` takes
//! the bytes of an [`ipv6::Extension`] as they are.
//!
//! These are the only types of a crate before its version 1 in the public interface of this one: a
//! release for another etherparse is a breaking release here.

use super::{
    Dscp, Ecn, Error, EtherType, FlowLabel, FragmentOffset, IpProtocol, Layer, MacAddr, Pcp, VlanId, arp,
    ds_field, ethernet, ipv4, ipv6, ndp_option::OptionType, udp, vlan,
};

/// Numbers that both sides take whole.
macro_rules! code_points {
    ($($ours:ty, $theirs:ty;)*) => { $(
        impl From<$ours> for $theirs {
            fn from(value: $ours) -> Self {
                Self(value.0)
            }
        }

        impl From<$theirs> for $ours {
            fn from(value: $theirs) -> Self {
                Self(value.0)
            }
        }
    )* };
}

code_points! {
    EtherType, etherparse::EtherType;
    IpProtocol, etherparse::IpNumber;
    arp::Operation, etherparse::ArpOperation;
    OptionType, etherparse::icmpv6::NdpOptionType;
}

/// Numbers with the same bound on both sides.
macro_rules! bounded {
    ($($ours:ty, $theirs:ty, $max:ident;)*) => { $(
        impl From<$ours> for $theirs {
            fn from(value: $ours) -> Self {
                // It fits: the bounds are compared below.
                Self::try_new(value.value()).unwrap_or_default()
            }
        }

        impl From<$theirs> for $ours {
            fn from(value: $theirs) -> Self {
                Self::truncate(value.value())
            }
        }

        const _: () = assert!(<$ours>::MAX.value() == <$theirs>::$max);
    )* };
}

bounded! {
    VlanId, etherparse::VlanId, MAX_U16;
    Pcp, etherparse::VlanPcp, MAX_U8;
    Dscp, etherparse::IpDscp, MAX_U8;
    FlowLabel, etherparse::Ipv6FlowLabel, MAX_U32;
    FragmentOffset, etherparse::IpFragOffset, MAX_U16;
}

impl From<Ecn> for etherparse::IpEcn {
    fn from(ecn: Ecn) -> Self {
        match ecn {
            Ecn::NotEct => Self::NotEct,
            Ecn::Ect1 => Self::Ect1,
            Ecn::Ect0 => Self::Ect0,
            Ecn::Ce => Self::CongestionExperienced,
        }
    }
}

impl From<etherparse::IpEcn> for Ecn {
    fn from(ecn: etherparse::IpEcn) -> Self {
        Self::from_ds_field(ecn.value())
    }
}

impl From<ethernet::Header> for etherparse::Ethernet2Header {
    fn from(header: ethernet::Header) -> Self {
        Self {
            source: header.source.0,
            destination: header.destination.0,
            ether_type: header.ethertype.into(),
        }
    }
}

impl From<etherparse::Ethernet2Header> for ethernet::Header {
    fn from(header: etherparse::Ethernet2Header) -> Self {
        Self {
            destination: MacAddr(header.destination),
            source: MacAddr(header.source),
            ethertype: header.ether_type.into(),
        }
    }
}

impl From<vlan::Header> for etherparse::SingleVlanHeader {
    fn from(tag: vlan::Header) -> Self {
        Self {
            pcp: tag.priority.into(),
            drop_eligible_indicator: tag.drop_eligible,
            vlan_id: tag.id.into(),
            ether_type: tag.ethertype.into(),
        }
    }
}

impl From<etherparse::SingleVlanHeader> for vlan::Header {
    fn from(tag: etherparse::SingleVlanHeader) -> Self {
        Self {
            priority: tag.pcp.into(),
            drop_eligible: tag.drop_eligible_indicator,
            id: tag.vlan_id.into(),
            ethertype: tag.ether_type.into(),
        }
    }
}

impl From<arp::Header> for etherparse::ArpEthIpv4Packet {
    fn from(packet: arp::Header) -> Self {
        Self {
            operation: packet.operation.into(),
            sender_mac: packet.sender_mac.0,
            sender_ipv4: packet.sender_ip.octets(),
            target_mac: packet.target_mac.0,
            target_ipv4: packet.target_ip.octets(),
        }
    }
}

impl From<etherparse::ArpEthIpv4Packet> for arp::Header {
    fn from(packet: etherparse::ArpEthIpv4Packet) -> Self {
        Self {
            operation: packet.operation.into(),
            sender_mac: MacAddr(packet.sender_mac),
            sender_ip: packet.sender_ipv4.into(),
            target_mac: MacAddr(packet.target_mac),
            target_ip: packet.target_ipv4.into(),
        }
    }
}

impl From<arp::Header> for etherparse::ArpPacket {
    fn from(packet: arp::Header) -> Self {
        etherparse::ArpEthIpv4Packet::from(packet).into()
    }
}

/// By reference, since an `ArpPacket` is a kilobyte.
impl TryFrom<&etherparse::ArpPacket> for arp::Header {
    /// Which of hardware, protocol and the lengths of their addresses is another.
    type Error = etherparse::err::arp::ArpEthIpv4FromError;

    fn try_from(packet: &etherparse::ArpPacket) -> Result<Self, Self::Error> {
        packet.try_eth_ipv4().map(Self::from)
    }
}

impl From<ipv4::Options> for etherparse::Ipv4Options {
    fn from(options: ipv4::Options) -> Self {
        // They fit: whole words, and 40 bytes at most, are the rule on both sides.
        Self::try_from(options.as_bytes()).unwrap_or_default()
    }
}

impl From<etherparse::Ipv4Options> for ipv4::Options {
    fn from(options: etherparse::Ipv4Options) -> Self {
        Self::new(options.as_slice()).unwrap_or_default()
    }
}

impl From<ipv4::Header> for etherparse::Ipv4Header {
    fn from(header: ipv4::Header) -> Self {
        Self {
            dscp: header.dscp.into(),
            ecn: header.ecn.into(),
            total_len: header.total_len,
            identification: header.identification,
            dont_fragment: header.dont_fragment,
            more_fragments: header.more_fragments,
            fragment_offset: header.fragment_offset.into(),
            time_to_live: header.ttl,
            protocol: header.protocol.into(),
            header_checksum: header.checksum,
            source: header.source.octets(),
            destination: header.destination.octets(),
            options: header.options.into(),
        }
    }
}

impl From<etherparse::Ipv4Header> for ipv4::Header {
    fn from(header: etherparse::Ipv4Header) -> Self {
        Self {
            dscp: header.dscp.into(),
            ecn: header.ecn.into(),
            total_len: header.total_len,
            identification: header.identification,
            dont_fragment: header.dont_fragment,
            more_fragments: header.more_fragments,
            fragment_offset: header.fragment_offset.into(),
            ttl: header.time_to_live,
            protocol: header.protocol.into(),
            checksum: header.header_checksum,
            source: header.source.into(),
            destination: header.destination.into(),
            options: header.options.into(),
        }
    }
}

impl From<ipv6::Header> for etherparse::Ipv6Header {
    fn from(header: ipv6::Header) -> Self {
        Self {
            traffic_class: ds_field(header.dscp, header.ecn),
            flow_label: header.flow_label.into(),
            payload_length: header.payload_len,
            next_header: header.next_header.into(),
            hop_limit: header.hop_limit,
            source: header.source.octets(),
            destination: header.destination.octets(),
        }
    }
}

impl From<etherparse::Ipv6Header> for ipv6::Header {
    fn from(header: etherparse::Ipv6Header) -> Self {
        Self {
            dscp: Dscp::from_ds_field(header.traffic_class),
            ecn: Ecn::from_ds_field(header.traffic_class),
            flow_label: header.flow_label.into(),
            payload_len: header.payload_length,
            next_header: header.next_header.into(),
            hop_limit: header.hop_limit,
            source: header.source.into(),
            destination: header.destination.into(),
        }
    }
}

impl TryFrom<ipv6::Extension<'_>> for etherparse::Ipv6FragmentHeader {
    /// [`Error::Unsupported`] for other extension headers.
    type Error = Error;

    fn try_from(extension: ipv6::Extension<'_>) -> Result<Self, Error> {
        match (extension.fragment(), extension.bytes) {
            (Some(fragment), &[next_header, ..]) => Ok(Self {
                next_header: etherparse::IpNumber(next_header),
                fragment_offset: fragment.offset.into(),
                more_fragments: fragment.more_fragments,
                identification: fragment.identification,
            }),
            _ => Err(Error::Unsupported {
                layer: Layer::Ipv6Extension,
                field: "protocol",
                value: extension.protocol.0.into(),
            }),
        }
    }
}

impl From<etherparse::Ipv6FragmentHeader> for ipv6::Fragment {
    fn from(header: etherparse::Ipv6FragmentHeader) -> Self {
        Self {
            offset: header.fragment_offset.into(),
            more_fragments: header.more_fragments,
            identification: header.identification,
        }
    }
}

impl From<udp::Header> for etherparse::UdpHeader {
    fn from(header: udp::Header) -> Self {
        Self {
            source_port: header.source_port,
            destination_port: header.destination_port,
            length: header.length,
            checksum: header.checksum,
        }
    }
}

impl From<etherparse::UdpHeader> for udp::Header {
    fn from(header: etherparse::UdpHeader) -> Self {
        Self {
            source_port: header.source_port,
            destination_port: header.destination_port,
            length: header.length,
            checksum: header.checksum,
        }
    }
}
