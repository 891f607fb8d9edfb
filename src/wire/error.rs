//! Why bytes are not the header that was asked for.

use core::fmt;

/// Why bytes are not the header that was asked for: which header, what it needs, what there was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end before the header does, or before what one of its length fields promises.
    #[error("{layer}: {need} bytes needed by the {needed_by}, {have} there")]
    Truncated {
        /// The header that was being read.
        layer: Layer,
        /// What asks for so many bytes.
        needed_by: LengthSource,
        /// Bytes that are needed, as far as what was read tells.
        need: usize,
        /// Bytes that there were.
        have: usize,
    },
    /// A length field states less than the header that it is part of.
    #[error("{layer}: the {field} says {stated} bytes, at least {min} are needed")]
    Length {
        /// The header that was being read.
        layer: Layer,
        /// The field that is wrong.
        field: LengthSource,
        /// Bytes that it states.
        stated: usize,
        /// Bytes that it must state at least.
        min: usize,
    },
    /// The version field holds a value that this codec does not speak.
    #[error("{layer}: version {version} is not supported")]
    Version {
        /// The header that was being read.
        layer: Layer,
        /// The version that was found.
        version: u8,
    },
    /// A field holds a value that this codec does not speak.
    #[error("{layer}: {field} {value} is not supported")]
    Unsupported {
        /// The header that was being read.
        layer: Layer,
        /// The field, by the RFC's name.
        field: &'static str,
        /// The value that was found.
        value: u16,
    },
    /// GRE: the routing bit of RFC 1701 is set, so the header's length is unknown.
    #[error("GRE: source routing (RFC 1701) is not supported")]
    SourceRouting,
    /// More headers in a row than a reader will follow.
    #[error("{layer}: more than {max} headers in a row")]
    TooMany {
        /// The kind of header.
        layer: Layer,
        /// How many are followed.
        max: usize,
    },
}

impl Error {
    /// The fixed part of `layer`, `need` bytes long, does not fit into the `have` bytes that there are.
    pub(crate) const fn truncated(layer: Layer, need: usize, have: usize) -> Self {
        Self::Truncated { layer, needed_by: LengthSource::Header, need, have }
    }
}

/// What asked for the bytes that were not there.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LengthSource {
    /// The header's own fields, those that flags announce included.
    Header,
    /// IPv4: Internet Header Length (RFC 791, section 3.1).
    Ihl,
    /// IPv4: Total Length (RFC 791, section 3.1).
    TotalLength,
    /// IPv6: Payload Length (RFC 8200, section 3).
    PayloadLength,
    /// IPv6: Hdr Ext Len of an extension header (RFC 8200, section 4).
    HdrExtLen,
    /// Geneve: Opt Len (RFC 8926, section 3.4).
    OptLen,
    /// Geneve and Neighbor Discovery: an option's Length (RFC 8926, section 3.5; RFC 4861, section 4.6).
    OptionLength,
    /// UDP: Length (RFC 768).
    UdpLength,
}

impl fmt::Display for LengthSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Ihl => "header length (IHL)",
            Self::TotalLength => "total length",
            Self::PayloadLength => "payload length",
            Self::HdrExtLen => "extension header length",
            Self::OptLen => "length of the options",
            Self::OptionLength => "option's length",
            Self::UdpLength => "UDP length",
        })
    }
}

/// The header that an [`Error`] is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Layer {
    /// Address Resolution Protocol.
    Arp,
    /// Enhanced GRE, of PPTP.
    EnhancedGre,
    /// Encapsulated Remote Switched Port Analyzer.
    Erspan,
    /// Ethernet II.
    Ethernet,
    /// Generic Network Virtualization Encapsulation.
    Geneve,
    /// An option of Geneve.
    GeneveOption,
    /// Generic Routing Encapsulation.
    Gre,
    /// Internet Control Message Protocol.
    Icmpv4,
    /// Internet Control Message Protocol for IPv6.
    Icmpv6,
    /// Internet Protocol, version 4.
    Ipv4,
    /// Internet Protocol, version 6.
    Ipv6,
    /// An extension header of IPv6.
    Ipv6Extension,
    /// Neighbor Solicitation or Advertisement of IPv6.
    NeighborDiscovery,
    /// An option of neighbour discovery.
    NeighborOption,
    /// Network Virtualization using GRE.
    Nvgre,
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
    /// 802.1Q or 802.1ad tag.
    Vlan,
    /// Virtual eXtensible Local Area Network.
    Vxlan,
    /// VXLAN Generic Protocol Extension.
    VxlanGpe,
    /// Web Cache Communication Protocol.
    Wccp,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arp => "ARP",
            Self::EnhancedGre => "enhanced GRE",
            Self::Erspan => "ERSPAN",
            Self::Ethernet => "Ethernet",
            Self::Geneve => "Geneve",
            Self::GeneveOption => "Geneve option",
            Self::Gre => "GRE",
            Self::Icmpv4 => "ICMP",
            Self::Icmpv6 => "ICMPv6",
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
            Self::Ipv6Extension => "IPv6 extension header",
            Self::NeighborDiscovery => "neighbor discovery",
            Self::NeighborOption => "neighbor discovery option",
            Self::Nvgre => "NVGRE",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Vlan => "VLAN tag",
            Self::Vxlan => "VXLAN",
            Self::VxlanGpe => "VXLAN-GPE",
            Self::Wccp => "WCCP",
        })
    }
}
