//! What callers say of a packet.

use super::OuterFacts;
use crate::wire::{VlanId, Vni, vxlan_gbp::GroupPolicy};

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

/// What the caller of decapsulation knows of a packet. Nothing, by default. A card's flow hash is not needed here; it
/// is for [`EncapMeta::hash`] where the packet is sent on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct DecapMeta {
    /// What the outer headers said that a socket has taken: the packet then starts with the tunnel's own header,
    /// whatever the [`Framing`](super::Framing), so that one endpoint sends by a raw socket and receives by one of UDP.
    /// Without it packets start as the framing says; with [`Framing::Payload`](super::Framing::Payload) the outer ECN
    /// field then counts as Not-ECT, so that congestion marks are lost. The addresses are judged as those of headers
    /// are, by [`Policy::allow_any_destination`](super::Policy::allow_any_destination) and against martians; an
    /// unspecified destination is one that is not known, and taken to be right. Where the endpoint's own address is
    /// unspecified, because its socket is bound to any, every destination is; and one that is not known may be
    /// loopback.
    pub outer: Option<OuterFacts>,
    /// Whether somebody, a network card as a rule, has verified the outer UDP checksum.
    pub udp_checksum_verified: bool,
    /// What the packet came in by, an interface or a VRF: tells link-local senders apart, and means nothing otherwise.
    pub ingress: u32,
    /// The VLAN of a tag that a network card has taken off the outer frame, for [`OuterFacts::vlan`].
    pub vlan: Option<VlanId>,
}

impl DecapMeta {
    /// Nothing known.
    pub const fn new() -> Self {
        Self { outer: None, udp_checksum_verified: false, ingress: 0, vlan: None }
    }

    /// With these facts of outer headers that a socket has taken.
    #[must_use]
    pub const fn outer(self, outer: OuterFacts) -> Self {
        Self { outer: Some(outer), ..self }
    }

    /// With what the packet came in by.
    #[must_use]
    pub const fn ingress(self, ingress: u32) -> Self {
        Self { ingress, ..self }
    }

    /// With the VLAN of a tag that a network card has taken off.
    #[must_use]
    pub const fn vlan(self, vlan: VlanId) -> Self {
        Self { vlan: Some(vlan), ..self }
    }

    /// With an outer UDP checksum that somebody has verified.
    #[must_use]
    pub const fn udp_checksum_verified(self) -> Self {
        Self { udp_checksum_verified: true, ..self }
    }
}
