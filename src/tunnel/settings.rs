//! The settings that all tunnels have in common, and what is known of a packet.

use super::{IpVersion, Peek};
use crate::wire::{Dscp, FlowLabel, MacAddr, Pcp, VlanId, Vni, vxlan_gbp::GroupPolicy};

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
    pub next_hop: MacAddr,
    /// VLAN of the underlay.
    pub vlan: Option<(VlanId, Pcp)>,
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

/// What is known of the inner packet's transport checksum.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum InnerChecksum {
    /// Nothing.
    #[default]
    Unknown,
    /// It is right.
    Good,
    /// Somebody else will write it: the sum from `start` to the end of the packet, complemented, goes to
    /// `start + offset`, where the sum of the pseudo header stands now. Both in bytes, `start` from the
    /// front of the packet to encapsulate.
    Partial {
        /// Where the sum starts.
        start: u16,
        /// Where the checksum goes, from there: an even number.
        offset: u16,
    },
}

impl InnerChecksum {
    /// Whether a packet of so many bytes has a place for the checksum: one of the words that are summed up.
    #[inline(always)]
    pub(crate) const fn fits(self, len: usize) -> bool {
        match self {
            Self::Partial { start, offset } => {
                offset % 2 == 0 && (start as usize).saturating_add(offset as usize).saturating_add(2) <= len
            }
            _ => true,
        }
    }

    /// The same once so many bytes of headers are before the packet.
    #[inline(always)]
    pub(crate) const fn behind(self, headers: u16) -> Self {
        match self {
            Self::Partial { start, offset } => Self::Partial { start: start.saturating_add(headers), offset },
            known => known,
        }
    }
}

/// What the caller of encapsulation knows of a packet. Nothing, by default.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct EncapMeta {
    /// A hash of the packet's flow, from the network card for example: 32 bits, all of them mixed, since the upper ones
    /// choose the port. Without it the packet is read.
    pub hash: Option<u32>,
    /// Identification of an outer IPv4 header without DF: a counter of the caller's. Without it, a hash
    /// of the packet's first 64 bytes. With DF the field is zero (RFC 6864, section 4.1).
    pub identification: Option<u16>,
    /// Segment that a VXLAN tunnel sends instead of the remote's own: one remote serves many segments.
    pub vni: Option<Vni>,
    /// Sequence number, which GRE with sequence numbers needs.
    pub sequence: Option<u32>,
    /// Policy that a VXLAN tunnel with Group Based Policy sends along.
    pub group_policy: Option<GroupPolicy>,
    /// What is known of the packet's transport checksum.
    pub inner_checksum: InnerChecksum,
}

impl EncapMeta {
    /// Nothing known.
    pub const fn new() -> Self {
        Self {
            hash: None,
            identification: None,
            vni: None,
            sequence: None,
            group_policy: None,
            inner_checksum: InnerChecksum::Unknown,
        }
    }

    /// With this flow hash.
    #[must_use]
    pub const fn hash(self, hash: u32) -> Self {
        Self { hash: Some(hash), ..self }
    }

    /// With this IPv4 identification.
    #[must_use]
    pub const fn identification(self, identification: u16) -> Self {
        Self { identification: Some(identification), ..self }
    }

    /// With this segment instead of the remote's.
    #[must_use]
    pub const fn vni(self, vni: Vni) -> Self {
        Self { vni: Some(vni), ..self }
    }

    /// With this GRE sequence number.
    #[must_use]
    pub const fn sequence(self, sequence: u32) -> Self {
        Self { sequence: Some(sequence), ..self }
    }

    /// With this group policy.
    #[must_use]
    pub const fn group_policy(self, policy: GroupPolicy) -> Self {
        Self { group_policy: Some(policy), ..self }
    }

    /// With this knowledge of the inner checksum.
    #[must_use]
    pub const fn inner_checksum(self, inner_checksum: InnerChecksum) -> Self {
        Self { inner_checksum, ..self }
    }
}
