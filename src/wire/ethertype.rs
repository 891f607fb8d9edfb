//! EtherType code points (IEEE 802 numbers), shared by Ethernet, VLAN tags and GRE.

use core::fmt;

use super::mac_addr::hex;

/// What a payload is, by IEEE 802 number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: Self = Self(0x0800);
    /// ARP (RFC 826).
    pub const ARP: Self = Self(0x0806);
    /// Transparent Ethernet Bridging: an Ethernet frame inside GRE (RFC 1701).
    pub const TEB: Self = Self(0x6558);
    /// 802.1Q customer tag.
    pub const VLAN: Self = Self(0x8100);
    /// MPLS, unicast (RFC 3032).
    pub const MPLS: Self = Self(0x8847);
    /// Network Service Header (RFC 8300).
    pub const NSH: Self = Self(0x894f);
    /// IPv6.
    pub const IPV6: Self = Self(0x86dd);
    /// 802.1ad service tag.
    pub const SERVICE_VLAN: Self = Self(0x88a8);
    /// Stacked tags before 802.1ad settled on a number of its own.
    pub const OLD_STACKED_VLAN: Self = Self(0x9100);

    /// Whether a VLAN tag follows.
    pub const fn is_vlan(self) -> bool {
        matches!(self, Self::VLAN | Self::SERVICE_VLAN | Self::OLD_STACKED_VLAN)
    }
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [[a, b], [c, d]] = self.0.to_be_bytes().map(hex);
        f.pad(core::str::from_utf8(&[b'0', b'x', a, b, c, d]).unwrap_or_default())
    }
}
