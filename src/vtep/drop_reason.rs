//! Why a VTEP drops a frame: one line per reason, which is variant, counter and text.

use core::fmt;

use crate::tunnel;

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal;)+) => {
        /// Why a VTEP dropped a frame or a packet. It is left as it was.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
        #[non_exhaustive]
        pub enum DropReason {
            /// The packet from the underlay is no good.
            Decap(tunnel::DropReason),
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DropReason {
            /// Every reason but those of decapsulation.
            pub const OWN: &[Self] = &[$(Self::$variant),+];

            /// Every reason: those of [`OWN`](Self::OWN), then those of decapsulation.
            pub const ALL: &[Self] = &ALL;

            /// A short name for counters and logs.
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Decap(reason) => reason.name(),
                    $(Self::$variant => $name,)+
                }
            }

            /// Place of the reason's counter.
            pub(super) fn index(self) -> usize {
                match self {
                    Self::Decap(reason) => Self::OWN.len().saturating_add(reason as usize),
                    own => Self::OWN.iter().position(|&reason| reason == own).unwrap_or(0),
                }
            }
        }
    };
}

drop_reasons! {
    /// A packet from the underlay, or a frame to be handed over on this side, for a VNI that nobody configured (RFC
    /// 7348, section 4.1).
    UnknownVni "unknown-vni";
    /// A packet from the underlay whose sender nobody configured, or of which nobody says who sent it, where only some
    /// are listened to.
    UnknownSender "unknown-sender";
    /// A frame from a trunk whose VLAN belongs to no segment.
    UnknownVlan "unknown-vlan";
    /// A frame whose sender left its checksum to us, and says that it lies outside, or not behind an IP header.
    RemoteChecksum "remote-checksum";
    /// A frame out of a tunnel that has our own MAC address as its source: a loop, or an echo.
    OwnMac "own-mac";
    /// A frame out of a tunnel from a MAC address that no host has: all-zero or multicast. Or an IP packet to be routed
    /// into a segment, where we have no MAC address ourselves.
    InvalidSource "invalid-source";
    /// A frame out of a tunnel from a MAC address that a static or sticky entry says is elsewhere, or an IP packet from
    /// an address whose route does not lead to the peer that sent it.
    SourceElsewhere "source-elsewhere";
    /// An IP packet for our own router ([`Config::l3`](super::Config::l3)) that is a tunnel's itself, to our address
    /// and port: a host's way into other segments.
    Nested "nested";
    /// A frame to send that ends before its Ethernet header, or its IP header, does.
    FrameTruncated "frame-truncated";
    /// A frame to send with a VLAN tag (RFC 7348, section 6.1), where that was not configured.
    InnerVlan "inner-vlan";
    /// A packet from our own address to that of a remote, and the port of remotes or one of its own: the way to its
    /// remote leads back here, so that it would go into a tunnel again and again.
    Loop "loop";
    /// A frame that came out of a tunnel must not go into one again.
    SplitHorizon "split-horizon";
    /// Nobody knows where the destination is, and there is no default destination.
    NoDestination "no-destination";
    /// No route has the destination's prefix.
    NoRoute "no-route";
    /// An IP packet from or to an address whose packets no router forwards: unspecified, loopback, of one link, or, as
    /// a source, a group. Or one with a wrong header checksum, which no router forwards either (RFC 1812, section
    /// 5.2.2).
    Unroutable "unroutable";
    /// A TTL of 1 or 0: the packet goes no further, and nobody may be told. By [`handle_ip`](super::Vtep::handle_ip) of
    /// a VTEP, who is not the one to count it down, 0.
    TtlExpired "ttl-expired";
    /// Nobody knows the MAC address of the gateway, or of the host where it is in a segment of the router's own.
    NoNeighbor "no-neighbor";
    /// The destination is on this side of the tunnel, where a frame that a local host sent has been already.
    LocalDestination "local-destination";
    /// An entry says that frames to this destination are dropped.
    Blackhole "blackhole";
    /// The remote was removed just now, or there is no address of ours in its family.
    NoRemote "no-remote";
    /// A copy of a flooded frame to a remote whose next hop's MAC address is not known.
    Unresolved "unresolved";
    /// The frame is too long for the underlay, and its sender must not be told.
    TooBig "too-big";
    /// The buffer has not enough room before the frame.
    NoHeadroom "no-headroom";
    /// ARP or Neighbor Discovery that the proxy keeps to itself without an answer.
    ProxyConsumed "proxy-consumed";
    /// An ARP packet that is cut off.
    ArpTruncated "arp-truncated";
    /// What the caller says of the frame does not fit to it.
    BadMeta "bad-meta";
    /// A frame that is to be cut into segments, in a way that is not supported.
    GsoUnsupported "gso-unsupported";
    /// Too many ICMP errors were sent just now: this one is not.
    ReportLimit "report-limit";
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for DropReason {}

impl From<tunnel::DropReason> for DropReason {
    fn from(reason: tunnel::DropReason) -> Self {
        Self::Decap(reason)
    }
}

/// How many reasons there are.
pub(super) const COUNT: usize = DropReason::OWN.len() + tunnel::DropReason::ALL.len();

#[expect(clippy::indexing_slicing, reason = "an index that is out of bounds does not compile")]
const ALL: [DropReason; COUNT] = {
    let (own, decap) = (DropReason::OWN, tunnel::DropReason::ALL);
    let mut all = [DropReason::UnknownVni; COUNT];
    let mut at = 0;
    while at < COUNT {
        all[at] = if at < own.len() { own[at] } else { DropReason::Decap(decap[at - own.len()]) };
        at += 1;
    }
    all
};
