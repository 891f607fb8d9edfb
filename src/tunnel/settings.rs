//! The settings that all tunnels have in common.

use super::{IpVersion, Peek};
use crate::wire::{Dscp, FlowLabel, MacAddr, Pcp, VlanId};

/// Which headers encapsulation writes, and decapsulation finds, before the tunnel's own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Framing {
    /// None: for a UDP socket (for GRE: a raw socket whose IP header the kernel writes). Settings of the
    /// outer headers are then the socket's business.
    Payload,
    /// IP, for a raw socket or a TUN device.
    #[default]
    Ip,
    /// Ethernet and IP, for AF_XDP, AF_PACKET or a driver.
    Ethernet(Link),
}

/// The outer Ethernet header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Link {
    /// Our own MAC address.
    pub source: MacAddr,
    /// The next hop's MAC address; a remote can have another one
    /// ([`Remote::with_next_hop`](super::Remote::with_next_hop)), and a multicast group has its own (RFC 1112, section
    /// 6.4; RFC 2464, section 7).
    ///
    /// All zeroes mean that remotes have different ones. A VTEP then asks for each that it does not know, and learns
    /// from the answers ([`Output::Resolve`](crate::vtep::Output::Resolve)); with any other address it asks nobody, and
    /// sends what is for remotes without one of their own to this one.
    pub next_hop: MacAddr,
    /// VLAN of the underlay.
    pub vlan: Option<(VlanId, Pcp)>,
}

impl Link {
    /// From our own MAC address to next hops that remotes have each for itself, and that a VTEP asks for.
    pub const fn resolving(source: MacAddr) -> Self {
        Self { source, next_hop: MacAddr::ZERO, vlan: None }
    }
}

/// TTL or hop limit of the outer header.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Ttl {
    /// 64; 1 towards multicast remotes.
    #[default]
    Auto,
    /// This one.
    Fixed(u8),
    /// That of the inner packet; 64 where it has none or zero.
    Inherit,
}

impl From<u8> for Ttl {
    fn from(ttl: u8) -> Self {
        Self::Fixed(ttl)
    }
}

/// DSCP of the outer header.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum OuterDscp {
    /// This one.
    Fixed(Dscp),
    /// That of the inner packet; zero where it is not IP.
    Inherit,
}

impl Default for OuterDscp {
    fn default() -> Self {
        Self::Fixed(Dscp::default())
    }
}

impl From<Dscp> for OuterDscp {
    fn from(dscp: Dscp) -> Self {
        Self::Fixed(dscp)
    }
}

/// The don't-fragment flag of an outer IPv4 header.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum DontFragment {
    /// Never set.
    Unset,
    /// Always set (RFC 7348, section 4.3: VTEPs must not fragment).
    #[default]
    Set,
    /// Set for inner IPv4 with the flag and for inner IPv6, through VLAN tags.
    Inherit,
    /// Set for inner IPv4 with the flag, through VLAN tags: as Linux's `nopmtudisc`, so that an IPv6 packet of 1280
    /// bytes gets through any underlay (RFC 7676, section 3.1).
    InheritIpv4,
}

impl DontFragment {
    /// The flag of the outer header of `packet`, which was looked at.
    #[inline(always)]
    pub(crate) fn of(self, peek: &Peek, packet: &[u8]) -> bool {
        match self {
            Self::Unset => false,
            Self::Set => true,
            Self::Inherit => peek.dont_fragment(packet),
            Self::InheritIpv4 => peek.version == Some(IpVersion::V4) && peek.dont_fragment(packet),
        }
    }
}

/// The flow label of an outer IPv6 header.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum OuterFlowLabel {
    /// This one.
    Fixed(FlowLabel),
    /// From the flow hash, never zero (RFC 6438).
    FromHash,
    /// That of an inner IPv6 packet, through VLAN tags; zero for others.
    Inherit,
}

impl Default for OuterFlowLabel {
    fn default() -> Self {
        Self::Fixed(FlowLabel::default())
    }
}

/// The checksum of an outer UDP header.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum UdpChecksum {
    /// None: zero is sent. The default over IPv4 (RFC 7348, section 5), also for Geneve, where RFC 8926, section 3.3,
    /// would rather have a checksum. Over IPv6 the remote must have agreed to it (RFC 6935).
    Zero,
    /// The sum over everything. The default over IPv6.
    Full,
    /// As `Full`; but where the caller knows that the inner checksum is good, local checksum offload: the
    /// inner segment then adds up to its pseudo header, so that only the headers are summed.
    Offload,
}
