//! Why an IP packet is not forwarded, and what its sender is told.

use crate::{
    vtep::DropReason,
    wire::{icmpv4, icmpv6},
};

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
