//! What a receiver refuses, where the RFCs leave a choice or the kernel makes another one.

use super::{Anomalies, DropReason};
use crate::wire::gre::Reserved0;

/// What a receiver refuses. Start from [`RFC`](Self::RFC) and change the fields that matter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Policy {
    /// The bits of the VXLAN header that cause a drop when set, the header's first byte at the top. RFC 7348,
    /// section 5: none, reserved bits are ignored. Linux: all that no extension uses.
    pub vxlan_reserved_bits: u64,
    /// The bits of GRE's flag word that cause a drop when set. RFC 2784, section 2.3: bits 4 and 5.
    pub gre_reserved_bits: Reserved0,
    /// Whether a UDP checksum over IPv6 may be missing (RFC 6935, section 5: only if configured).
    pub allow_zero_checksum_ipv6: bool,
    /// Whether a UDP checksum that is there must be right. RFC 7348, section 5, leaves the choice.
    pub verify_udp_checksum: bool,
    /// Whether frames in VXLAN may have VLAN tags (RFC 7348, section 6.1: only if configured).
    pub allow_inner_vlan: bool,
    /// Whether packets to any address are taken, as by a socket that is bound to the wildcard address, and
    /// not just those to the endpoint's own address or a multicast group.
    pub allow_any_destination: bool,
}

impl Policy {
    /// What the RFCs say.
    pub const RFC: Self = Self {
        vxlan_reserved_bits: 0,
        gre_reserved_bits: Reserved0::MUST_DISCARD,
        allow_zero_checksum_ipv6: false,
        verify_udp_checksum: true,
        allow_inner_vlan: false,
        allow_any_destination: false,
    };

    /// What of a packet's anomalies is fatal.
    pub(crate) const fn fatal(&self) -> Anomalies {
        let mut fatal = Anomalies::ALL;
        if self.allow_zero_checksum_ipv6 {
            fatal = fatal.without(DropReason::UdpChecksumMissing);
        }
        if !self.verify_udp_checksum {
            fatal = fatal.without(DropReason::UdpChecksum);
        }
        if self.allow_inner_vlan {
            fatal = fatal.without(DropReason::InnerVlan);
        }
        if self.allow_any_destination {
            fatal = fatal.without(DropReason::OtherDestination);
        }
        fatal
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::RFC
    }
}
