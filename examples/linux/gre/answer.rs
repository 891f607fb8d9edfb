//! ICMP errors about packets, made of them.

use std::net::IpAddr;

use encap::{
    Packet,
    tunnel::{Payload, icmp},
    wire::{EtherType, ethernet, icmp_error, icmpv4, icmpv6, ipv4, ipv6},
};

/// Room that an answer needs before the packet.
pub(crate) const HEADROOM: usize = icmp_error::IPV6_HEADERS + ethernet::Header::LEN;

/// What is wrong with a packet, in the words of both versions of IP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) v4: Option<icmpv4::Problem>,
    pub(crate) v6: Option<icmpv6::Problem>,
}

/// Makes a packet of the device's the error about it, for the device; whether there may be one. It seems to come from
/// the host for which the packet was, as from a bridge port of the kernel's: from an address of this host the kernel
/// would not take it.
pub(crate) fn to_sender(packet: &mut Packet<'_>, payload: Payload, trouble: Trouble) -> bool {
    if payload == Payload::Ip {
        return report(packet, trouble).is_some();
    }
    let Ok((link, _)) = ethernet::Header::parse(packet.as_slice()) else { return false };
    if !matches!(link.ethertype, EtherType::IPV4 | EtherType::IPV6)
        || packet.strip(ethernet::Header::LEN).is_err()
        || report(packet, trouble).is_none()
    {
        return false;
    }
    let back = ethernet::Header { destination: link.source, source: link.destination, ..link };
    packet.prepend().map(|room| *room = back.to_bytes()).is_ok()
}

/// Makes an IP packet the error about it, from where it was sent to, and answers for whom the error is.
pub(crate) fn report(packet: &mut Packet<'_>, trouble: Trouble) -> Option<IpAddr> {
    let bytes = packet.as_slice();
    if bytes.first()? >> 4 == 6 {
        let (header, _) = ipv6::Header::parse(bytes).ok()?;
        icmp::report_ipv6(packet, trouble.v6?, header.destination, TTL).ok()?;
        return Some(header.source.into());
    }
    let (header, _) = ipv4::Header::parse(bytes).ok()?;
    icmp::report_ipv4(packet, trouble.v4?, header.destination, TTL).ok()?;
    Some(header.source.into())
}

const TTL: u8 = 64;
