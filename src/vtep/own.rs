//! Packets of our own: those that would go into a tunnel again, and again, growing with every turn. And packets to us
//! inside of others, which would be opened once more.
//!
//! The first happens where the way to a remote leads into the overlay; in Linux it ends where a route leads back into
//! its own device, and at a limit of recursion. The second is how a host gets frames into a segment that is not its
//! own.

use core::net::IpAddr;

use super::{Config, Engine};
use crate::wire::{IpProtocol, ipv4, ipv6, is_link_local, udp, vxlan};

/// Our addresses, to compare with the source of every frame, in network byte order: IPv4's, and the upper half of
/// IPv6's; zero where there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    ipv4: u32,
    ipv6: u64,
}

impl Own {
    pub(super) fn of(config: &Config) -> Self {
        let ipv4 = config.local.map_or(0, |local| local.to_bits().to_be());
        Self { ipv4, ipv6: config.local6.map_or(0, |local| ((local.to_bits() >> 64) as u64).to_be()) }
    }

    /// Whether it is worth a closer look at a packet of IPv4 from this address.
    #[inline(always)]
    pub(super) const fn may_be_ipv4(&self, source: [u8; 4]) -> bool {
        u32::from_ne_bytes(source) == self.ipv4
    }

    /// The same for one of IPv6, by half of the address.
    #[inline(always)]
    pub(super) const fn may_be_ipv6(&self, source: [u8; 8]) -> bool {
        u64::from_ne_bytes(source) == self.ipv6
    }
}

impl Engine<'_> {
    /// Whether an IP packet is one that we have sent into a tunnel: from our address to a remote's, and to the port of
    /// remotes or one that a remote there has of its own. So a host behind a tunnel with an address of ours can send
    /// all else.
    pub(super) fn is_outer(&self, ip: &[u8]) -> bool {
        let Some((remote, bytes)) = datagram(ip, |source, _| self.is_ours(source)) else { return false };
        let Ok((udp, rest)) = udp::Header::parse(bytes) else { return false };
        // Whose a link-local address is, only the interface tells, which nobody knows here: it counts as a remote's,
        // but not for a port of its own.
        let is_remote = || is_link_local(remote) || self.fdb.remotes.find_by_address(remote, 0).is_some();
        if udp.destination_port == self.config.dstport && is_remote() {
            return true;
        }
        let vni = vxlan::Header::parse(rest).ok().and_then(|(header, _)| header.vni());
        self.remotes_at(remote, udp.destination_port, 0, vni).iter().any(Option::is_some)
    }

    /// Whether an IP packet out of a tunnel is a tunnel's itself, to us: handed to our own router it would come to our
    /// port, and count as what its source has sent (CVE-2020-10136).
    pub(super) fn is_nested(&self, ip: &[u8]) -> bool {
        let found = datagram(ip, |_, destination| self.is_ours(destination));
        let udp = found.and_then(|(_, bytes)| udp::Header::parse(bytes).ok());
        udp.is_some_and(|(udp, _)| udp.destination_port == self.config.dstport)
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => Some(address) == self.config.local,
            IpAddr::V6(address) => Some(address) == self.config.local6,
        }
    }
}

/// A datagram of UDP, or the first fragment of one, from its UDP header on, and whom it is to; if it is `between` the
/// right two, which is asked before headers are walked over.
fn datagram(ip: &[u8], between: impl Fn(IpAddr, IpAddr) -> bool) -> Option<(IpAddr, &[u8])> {
    match ip.first()? >> 4 {
        4 => {
            let (ip, rest) = ipv4::Header::parse(ip).ok()?;
            let (source, destination) = (ip.source.into(), ip.destination.into());
            let is_udp = ip.protocol == IpProtocol::UDP && ip.fragment_offset.value() == 0;
            (is_udp && between(source, destination)).then_some((destination, rest))
        }
        6 => {
            let (ip, rest) = ipv6::Header::parse(ip).ok()?;
            let (source, destination) = (ip.source.into(), ip.destination.into());
            if !between(source, destination) {
                return None;
            }
            let mut headers = ipv6::Extensions::new(ip.next_header, rest);
            let begins = headers.by_ref().all(|header| header.is_ok()) && !headers.is_later_fragment();
            (begins && headers.protocol() == IpProtocol::UDP).then_some((destination, headers.rest()))
        }
        _ => None,
    }
}
