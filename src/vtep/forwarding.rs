//! What forwarding an IP packet needs of it, and whether it may go on.

use core::net::IpAddr;

use super::DropReason;
use crate::wire::{EtherType, checksum::State, ipv4, ipv6, stays_on_link};

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

    /// Finds what no router forwards: packets from or to addresses of one link, and those with a wrong header checksum
    /// (RFC 1812, section 5.2.2).
    pub(super) fn check(&self, packet: &[u8]) -> Result<(), DropReason> {
        let header = packet.get(..self.summed).unwrap_or_default();
        let is_intact = header.is_empty() || ipv4::verify(header) == State::Good;
        let is_of_link =
            self.source.is_multicast() || stays_on_link(self.source) || stays_on_link(self.destination);
        if is_intact && !is_of_link { Ok(()) } else { Err(DropReason::Unroutable) }
    }

    pub(super) const fn ethertype(&self) -> EtherType {
        if self.destination.is_ipv6() { EtherType::IPV6 } else { EtherType::IPV4 }
    }
}
