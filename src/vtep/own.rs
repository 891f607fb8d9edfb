//! Packets of our own: those that would go into a tunnel again, and again, growing with every turn.
//!
//! That happens where the way to a remote leads into the overlay; in Linux it ends where a route leads back into its own
//! device, and at a limit of recursion.

use super::{Config, Engine};
use crate::wire::{IpProtocol, ipv4, ipv6, udp};

/// Our addresses, as they are looked for in every frame: of the one of IPv6 a half; zero where there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    ipv4: u32,
    ipv6: u64,
}

impl Own {
    pub(super) fn of(config: &Config) -> Self {
        let ipv4 = config.local.map_or(0, |local| local.to_bits());
        Self { ipv4, ipv6: config.local6.map_or(0, |local| (local.to_bits() >> 64) as u64) }
    }

    /// Whether it is worth a closer look at a frame, by the last bytes of the first 30: those of an IPv4 source address
    /// and those before, or half of one of IPv6.
    #[inline(always)]
    pub(super) const fn may_be(&self, source: [u8; 8]) -> bool {
        let source = u64::from_be_bytes(source);
        source as u32 == self.ipv4 || source == self.ipv6
    }
}

impl Engine<'_> {
    /// Whether an IP packet is from our address to the port of remotes.
    pub(super) fn is_outer(&self, ip: &[u8]) -> bool {
        let datagram = match ip.first().map(|first| first >> 4) {
            Some(4) => ipv4::Header::parse(ip)
                .ok()
                .filter(|(ip, _)| ip.protocol == IpProtocol::UDP && Some(ip.source) == self.config.local)
                .map(|(_, rest)| rest),
            Some(6) => ipv6::Header::parse(ip)
                .ok()
                .filter(|(ip, _)| ip.next_header == IpProtocol::UDP && Some(ip.source) == self.config.local6)
                .map(|(_, rest)| rest),
            _ => None,
        };
        let udp = datagram.and_then(|datagram| udp::Header::parse(datagram).ok());
        udp.is_some_and(|(udp, _)| udp.destination_port == self.config.dstport)
    }
}
