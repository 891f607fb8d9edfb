//! ICMP errors about packets, made of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use encap::{
    Packet,
    tunnel::{Payload, icmp},
    wire::{EtherType, ethernet, icmp_error, icmpv4, icmpv6},
};

/// Room that an answer needs before the packet.
pub(crate) const HEADROOM: usize = icmp_error::IPV6_HEADERS + ethernet::Header::LEN;

/// What is wrong with a packet, in the words of both versions of IP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) v4: Option<icmpv4::Problem>,
    pub(crate) v6: Option<icmpv6::Problem>,
}

/// The addresses of a device, one of each version.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
}

/// Makes a packet of the device's the error about it, for the device; whether there may be one.
pub(crate) fn to_sender(
    packet: &mut Packet<'_>,
    payload: Payload,
    trouble: Trouble,
    own: &Addresses,
) -> bool {
    if payload == Payload::Ip {
        return report(packet, trouble, own).is_some();
    }
    let Ok((link, _)) = ethernet::Header::parse(packet.as_slice()) else { return false };
    if !matches!(link.ethertype, EtherType::IPV4 | EtherType::IPV6)
        || packet.strip(ethernet::Header::LEN).is_err()
        || report(packet, trouble, own).is_none()
    {
        return false;
    }
    let back = ethernet::Header { destination: link.source, source: link.destination, ..link };
    packet.prepend().map(|room| *room = back.to_bytes()).is_ok()
}

/// Makes an IP packet the error about it that `local` sends, and answers to whom.
pub(crate) fn from_local(packet: &mut Packet<'_>, trouble: Trouble, local: IpAddr) -> Option<IpAddr> {
    let own = match local {
        IpAddr::V4(address) => Addresses { v4: Some(address), v6: None },
        IpAddr::V6(address) => Addresses { v4: None, v6: Some(address) },
    };
    report(packet, trouble, &own)
}

/// Without an address of its own a device answers as the host for which the packet was, as a bridge port of the kernel's.
fn report(packet: &mut Packet<'_>, trouble: Trouble, own: &Addresses) -> Option<IpAddr> {
    let bytes = packet.as_slice();
    if bytes.first()? >> 4 == 6 {
        let (header, _) = encap::wire::ipv6::Header::parse(bytes).ok()?;
        let source = own.v6.unwrap_or(header.destination);
        icmp::report_ipv6(packet, trouble.v6?, source, TTL).ok()?;
        return Some(header.source.into());
    }
    let (header, _) = encap::wire::ipv4::Header::parse(bytes).ok()?;
    let source = own.v4.unwrap_or(header.destination);
    icmp::report_ipv4(packet, trouble.v4?, source, TTL).ok()?;
    Some(header.source.into())
}

const TTL: u8 = 64;
