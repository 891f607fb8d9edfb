//! ICMP errors in place of the packets that they are about. An error is made first, then counted, then put in place:
//! one that must not be sent takes nothing of the limit.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{DropReason, Worker};
use crate::{
    packet::Packet,
    time::Instant,
    tunnel::icmp,
    wire::{
        icmp_error::{self, Headers},
        icmpv4, icmpv6,
    },
};

/// The headers of an error.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    V4(Headers<{ icmp_error::IPV4_HEADERS }>),
    V6(Headers<{ icmp_error::IPV6_HEADERS }>),
}

impl Answer {
    /// The error about an IPv4 packet; `None` where there must be none.
    pub(super) fn v4(ip: &[u8], problem: icmpv4::Problem, source: Ipv4Addr, ttl: u8) -> Option<Self> {
        icmp_error::ipv4(ip, problem, source, ttl).ok().map(Self::V4)
    }

    /// The error about an IPv6 packet; `None` where there must be none.
    pub(super) fn v6(ip: &[u8], problem: icmpv6::Problem, source: Ipv6Addr, hop_limit: u8) -> Option<Self> {
        icmp_error::ipv6(ip, problem, source, hop_limit).ok().map(Self::V6)
    }

    /// Whether it may be given now, and has so many bytes of room; then it counts.
    pub(super) fn allow(
        &self,
        worker: &mut Worker,
        now: Instant,
        per_second: u32,
        room: usize,
    ) -> Result<(), DropReason> {
        let needed = match self {
            Self::V4(headers) => headers.bytes.len(),
            Self::V6(headers) => headers.bytes.len(),
        };
        if room < needed {
            return Err(DropReason::NoHeadroom);
        }
        if !worker.may_report(now, per_second) {
            return Err(DropReason::ReportLimit);
        }
        worker.counters.replied();
        Ok(())
    }

    /// Makes the packet the error about itself, for which there is room.
    pub(super) fn put(&self, packet: &mut Packet<'_>) -> Result<(), DropReason> {
        match self {
            Self::V4(headers) => icmp::put(packet, headers),
            Self::V6(headers) => icmp::put(packet, headers),
        }
        .map_err(|_| DropReason::NoHeadroom)
    }
}

/// TTL, or hop limit, of errors that come from a router's own address.
pub(super) const TTL: u8 = 64;
