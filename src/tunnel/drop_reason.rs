//! Why a packet is not decapsulated: one line per reason, in the order of the checks.

use core::fmt;

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal;)+) => {
        /// Why a packet is not decapsulated. The order is that of the checks: where several apply, the
        /// first one is reported.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DropReason {
            /// Every reason, in the order of the checks: `ALL[reason as usize]` is `reason`.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// A short name for counters and logs.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// The Ethernet header, or one of its VLAN tags, is cut off, or there are too many tags.
    Ethernet "ethernet";
    /// What Ethernet carries is not IP, or not the IP version of this endpoint. Not a tunnel packet.
    NotIp "not-ip";
    /// The IPv4 header is cut off (RFC 791, section 3.1).
    Ipv4Truncated "ipv4-truncated";
    /// The version field behind an EtherType of IPv4 is not 4.
    Ipv4Version "ipv4-version";
    /// IHL says less than 20 bytes.
    Ipv4HeaderLength "ipv4-header-length";
    /// Total length says less than the header has, or more than there is.
    Ipv4TotalLength "ipv4-total-length";
    /// The IPv4 header checksum is wrong.
    Ipv4Checksum "ipv4-checksum";
    /// The IPv6 header is cut off (RFC 8200, section 3).
    Ipv6Truncated "ipv6-truncated";
    /// The version field behind an EtherType of IPv6 is not 6.
    Ipv6Version "ipv6-version";
    /// Payload length says more than there is, or zero with bytes behind it, as in a jumbogram.
    Ipv6PayloadLength "ipv6-payload-length";
    /// The outer source cannot have sent this: unspecified, multicast, broadcast, loopback to another than loopback, or
    /// our own address.
    MartianSource "martian-source";
    /// The outer destination is neither this endpoint nor a multicast group, or is only one on the way: a source route
    /// (RFC 791, section 3.1) or a routing header (RFC 8200, section 4.4) leads on. Not a tunnel packet.
    OtherDestination "other-destination";
    /// The outer source is not this tunnel's remote. Not a packet of this tunnel.
    OtherSource "other-source";
    /// An extension header or an option in it is cut off, or there are too many headers.
    Ipv6Extensions "ipv6-extensions";
    /// An option that is not known here, and that says that whoever does not know it must discard the packet (RFC 8200,
    /// section 4.2).
    Ipv6Option "ipv6-option";
    /// The outer packet is a fragment; a receiver may discard those (RFC 7348, section 4.3).
    Fragment "fragment";
    /// The outer IP packet carries another protocol, or an extension header that is somebody else's to act on: of
    /// authentication, which nobody has verified (RFC 4302, section 3.4.2), of Mobility, HIP or Shim6. Not a tunnel
    /// packet.
    OtherProtocol "other-protocol";
    /// The UDP header is cut off (RFC 768).
    UdpTruncated "udp-truncated";
    /// UDP's length says less than eight bytes, or more than there is.
    UdpLength "udp-length";
    /// The UDP destination port is another one. Not a tunnel packet.
    OtherPort "other-port";
    /// No UDP checksum over IPv6, where it was not agreed on (RFC 6935, section 5).
    UdpChecksumMissing "udp-checksum-missing";
    /// The outer UDP checksum is wrong.
    UdpChecksum "udp-checksum";
    /// The VXLAN header is cut off (RFC 7348, section 5).
    VxlanTruncated "vxlan-truncated";
    /// VXLAN's I flag is clear, so that there is no VNI (RFC 7348, section 5).
    VxlanNoVni "vxlan-no-vni";
    /// A reserved bit of VXLAN is set that the policy refuses.
    VxlanReservedBits "vxlan-reserved-bits";
    /// VXLAN-GPE without P flag: it does not say what it carries.
    GpeNoProtocol "gpe-no-protocol";
    /// A VXLAN-GPE version other than 0.
    GpeVersion "gpe-version";
    /// A message of VXLAN-GPE for operations, administration and maintenance: the O flag.
    GpeOam "gpe-oam";
    /// VXLAN-GPE with a payload of another protocol than this tunnel's, or of an unknown one.
    GpeProtocol "gpe-protocol";
    /// The Geneve header, with its options, is cut off (RFC 8926, section 3.4).
    GeneveTruncated "geneve-truncated";
    /// A Geneve version other than 0.
    GeneveVersion "geneve-version";
    /// The lengths of Geneve's options do not add up (RFC 8926, section 3.5).
    GeneveOptions "geneve-options";
    /// A critical option of Geneve that this tunnel does not know (RFC 8926, section 3.5).
    GeneveCriticalOption "geneve-critical-option";
    /// A reserved bit of Geneve is set that the policy refuses.
    GeneveReservedBits "geneve-reserved-bits";
    /// Geneve with a payload of another protocol than this tunnel's.
    GeneveProtocol "geneve-protocol";
    /// A control message of Geneve, which must not be forwarded (RFC 8926, section 3.4).
    ControlMessage "control-message";
    /// The GRE header, with the fields that its flags announce, is cut off (RFC 2784, section 2).
    GreTruncated "gre-truncated";
    /// GRE source routing, of RFC 1701, which is not supported.
    GreRouting "gre-routing";
    /// A GRE version other than 0, and than 1 where enhanced GRE is inspected.
    GreVersion "gre-version";
    /// Enhanced GRE, version 1, without a key or with a checksum, which is not its form (RFC 2637, section 4.1).
    Gre1Flags "gre1-flags";
    /// The payload length of enhanced GRE says more than there is (RFC 2637, section 4.1).
    Gre1Length "gre1-length";
    /// A reserved bit of GRE is set that the policy refuses (RFC 2784, section 2.3).
    GreReservedBits "gre-reserved-bits";
    /// The GRE checksum is wrong (RFC 2784, section 2.5).
    GreChecksum "gre-checksum";
    /// GRE with another key than this tunnel's, or with or without one against what it expects
    /// (RFC 2890, section 2.1). Not a packet of this tunnel.
    GreKey "gre-key";
    /// GRE without a key, with a checksum or a sequence number, or of something else than frames, which is not NVGRE's
    /// form (RFC 7637, section 3.2).
    NvgreFlags "nvgre-flags";
    /// The answer to a GRE keepalive: protocol 0 and no payload. It is for whoever counts them.
    GreKeepalive "gre-keepalive";
    /// GRE with a payload of another protocol than this tunnel's (RFC 2784, section 2.4).
    GreProtocol "gre-protocol";
    /// GRE without a checksum where the tunnel wants one, or with one where that is refused.
    GreChecksumFlag "gre-checksum-flag";
    /// GRE without a sequence number, on a tunnel that has them.
    GreSequenceMissing "gre-sequence-missing";
    /// A GRE sequence number that is late or was there already (RFC 2890, section 2.2).
    GreSequence "gre-sequence";
    /// The ERSPAN header is cut off.
    ErspanTruncated "erspan-truncated";
    /// An ERSPAN version other than 1 and 2.
    ErspanVersion "erspan-version";
    /// The inner packet is cut off before the end of its Ethernet or IP header.
    InnerTruncated "inner-truncated";
    /// The payload of a tunnel that carries IP is neither IPv4 nor IPv6.
    InnerNotIp "inner-not-ip";
    /// The inner frame has a VLAN tag (RFC 7348, section 6.1; RFC 7637, section 3.3).
    InnerVlan "inner-vlan";
    /// Marked by a router on the way, for a transport that does not understand the mark (RFC 6040).
    InnerEcn "inner-ecn";
    /// The packet is for the end of the tunnel that encapsulated it: forwarded, it would run in circles (RFC 2784,
    /// section 3.1).
    InnerLoop "inner-loop";
    /// A keepalive, whose answer has an Ethernet header for which there is no room before it.
    KeepaliveHeadroom "keepalive-headroom";
    /// Tunnels nested deeper than the reader follows.
    TooDeep "too-deep";
}

impl DropReason {
    /// Whether the packet is simply for somebody else: nothing is wrong with it.
    pub const fn is_not_ours(self) -> bool {
        matches!(
            self,
            Self::NotIp
                | Self::OtherDestination
                | Self::OtherSource
                | Self::OtherProtocol
                | Self::OtherPort
                | Self::GreKey
        )
    }

    /// Whether bytes are missing at the end of the packet.
    pub const fn is_truncation(self) -> bool {
        matches!(
            self,
            Self::Ethernet
                | Self::Ipv4Truncated
                | Self::Ipv6Truncated
                | Self::Ipv6Extensions
                | Self::UdpTruncated
                | Self::VxlanTruncated
                | Self::GeneveTruncated
                | Self::GreTruncated
                | Self::ErspanTruncated
                | Self::InnerTruncated
        )
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for DropReason {}

/// A set of [`DropReason`]s: what is odd about a packet.
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct Anomalies(u64);

impl Anomalies {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(u64::MAX >> (64 - DropReason::ALL.len()));

    /// The set with `reason` in it.
    #[must_use]
    #[inline]
    pub const fn with(self, reason: DropReason) -> Self {
        Self(self.0 | 1 << reason as u8)
    }

    /// The set without `reason`.
    #[must_use]
    #[inline]
    pub const fn without(self, reason: DropReason) -> Self {
        Self(self.0 & !(1 << reason as u8))
    }

    /// What is in both sets.
    #[must_use]
    #[inline]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in one of the sets.
    #[must_use]
    #[inline]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `reason` is in the set.
    #[inline]
    pub const fn contains(self, reason: DropReason) -> bool {
        self.0 & 1 << reason as u8 != 0
    }

    /// Whether nothing is in the set.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The first reason, in the order of the checks.
    #[inline]
    pub fn first(self) -> Option<DropReason> {
        self.into_iter().next()
    }

    #[inline]
    pub(crate) fn insert_if(&mut self, condition: bool, reason: DropReason) {
        self.0 |= u64::from(condition) << reason as u8;
    }
}

impl IntoIterator for Anomalies {
    type Item = DropReason;
    type IntoIter = Iter;

    #[inline]
    fn into_iter(self) -> Iter {
        Iter(self.0)
    }
}

/// The reasons of a set, in the order of the checks.
#[derive(Clone, Debug)]
pub struct Iter(u64);

impl Iterator for Iter {
    type Item = DropReason;

    #[inline]
    fn next(&mut self) -> Option<DropReason> {
        let reason = DropReason::ALL.get(self.0.trailing_zeros() as usize).copied();
        self.0 &= self.0.wrapping_sub(1);
        reason
    }
}

impl fmt::Debug for Anomalies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(*self).finish()
    }
}

const _: () = assert!(DropReason::ALL.len() <= 64, "one bit each");

#[cfg(test)]
mod tests {
    extern crate std;

    use std::{collections::BTreeSet, vec::Vec};

    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_are_different() {
        let names: BTreeSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        assert_eq!(names.len(), DropReason::ALL.len());
        for (index, &reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
    }

    #[test]
    fn sets_come_out_in_the_order_of_the_checks() {
        let set =
            Anomalies::NONE.with(DropReason::InnerEcn).with(DropReason::Ethernet).with(DropReason::UdpLength);
        let expected = [DropReason::Ethernet, DropReason::UdpLength, DropReason::InnerEcn];
        assert_eq!(set.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(set.without(DropReason::Ethernet).first(), Some(DropReason::UdpLength));
        assert_eq!(Anomalies::ALL.into_iter().count(), DropReason::ALL.len());
        let every = DropReason::ALL.iter().fold(Anomalies::NONE, |set, &reason| set.with(reason));
        assert_eq!(every, Anomalies::ALL);
        assert_eq!(Anomalies::NONE.first(), None);
    }
}
