//! What forwarding an IP packet needs of it, and why it may not go on.

use core::net::IpAddr;

use crate::{
    vtep::DropReason,
    wire::{checksum::State, icmpv4, icmpv6, ipv4, ipv6, stays_on_link},
};

/// What forwarding needs of an IP header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ttl: u8,
    /// IPv6 packets are never fragmented on the way.
    pub(super) dont_fragment: bool,
    /// Bytes of the packet, of which there may be more in a buffer.
    pub(super) len: usize,
    /// Bytes of the header that its own checksum covers; none in IPv6.
    summed: usize,
    /// The least MTU that its sender may be told.
    pub(super) least_mtu: u16,
}

impl Ip {
    pub(super) fn of(packet: &[u8]) -> Option<Self> {
        if packet.first()? >> 4 == 6 {
            let (header, rest) = ipv6::Header::parse(packet).ok()?;
            let len = ipv6::Header::LEN.saturating_add(header.payload(rest).ok()?.len());
            let ipv6::Header { source, destination, hop_limit: ttl, .. } = header;
            let (source, destination) = (source.into(), destination.into());
            let (summed, least_mtu) = (0, ipv6::MIN_MTU);
            return Some(Self { source, destination, ttl, dont_fragment: true, len, summed, least_mtu });
        }
        let (header, rest) = ipv4::Header::parse(packet).ok()?;
        header.payload(rest).ok()?;
        let summed = header.header_len();
        let ipv4::Header { source, destination, ttl, dont_fragment, total_len, .. } = header;
        let (source, destination) = (source.into(), destination.into());
        let (len, least_mtu) = (total_len.into(), ipv4::MIN_ACCEPTED);
        Some(Self { source, destination, ttl, dont_fragment, len, summed, least_mtu })
    }

    /// Whether the checksum of the header is right (RFC 1812, section 5.2.2), or there is none.
    pub(super) fn is_intact(&self, packet: &[u8]) -> bool {
        let header = packet.get(..self.summed).unwrap_or_default();
        header.is_empty() || ipv4::verify(header) == State::Good
    }
}

/// Whether a router forwards what comes from the first of these addresses and goes to the second.
pub(super) const fn may_forward(source: IpAddr, destination: IpAddr) -> bool {
    !source.is_multicast() && !stays_on_link(source) && !stays_on_link(destination)
}

/// Why a packet is not forwarded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    NoRoute,
    /// There is no way to the peer of the route.
    NoRemote,
    TtlExpired,
    TooBig(u16),
}

impl Trouble {
    pub(super) const fn reason(self) -> DropReason {
        match self {
            Self::NoRoute => DropReason::NoRoute,
            Self::NoRemote => DropReason::NoRemote,
            Self::TtlExpired => DropReason::TtlExpired,
            Self::TooBig(_) => DropReason::TooBig,
        }
    }

    pub(super) const fn ipv4(self) -> icmpv4::Problem {
        match self {
            Self::NoRoute | Self::NoRemote => icmpv4::Problem::Unreachable(icmpv4::Unreachable::NET),
            Self::TtlExpired => icmpv4::Problem::TimeExceeded(icmpv4::TimeExceeded::IN_TRANSIT),
            Self::TooBig(mtu) => icmpv4::Problem::FragmentationNeeded { mtu },
        }
    }

    pub(super) const fn ipv6(self) -> icmpv6::Problem {
        match self {
            Self::NoRoute | Self::NoRemote => icmpv6::Problem::Unreachable(icmpv6::Unreachable::NO_ROUTE),
            Self::TtlExpired => icmpv6::Problem::TimeExceeded(icmpv6::TimeExceeded::IN_TRANSIT),
            Self::TooBig(mtu) => icmpv6::Problem::PacketTooBig { mtu: mtu as u32 },
        }
    }
}
