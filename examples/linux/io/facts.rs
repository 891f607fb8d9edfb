//! What the kernel says of a packet whose outer headers it has taken.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use encap::{tunnel::OuterFacts, wire::checksum::State};
use nix::sys::socket::{CmsgIterator, ControlMessageOwned, SockaddrStorage};

/// The facts of a packet that came from `source`, by what is said beside it. Its destination was asked for when the
/// socket was made, and is not known only where the kernel had no room to say it.
pub(crate) fn of(
    source: SocketAddr,
    destination_port: u16,
    messages: CmsgIterator<'_>,
) -> Option<OuterFacts> {
    let mut destination = None;
    let (mut ttl, mut ds_field) = (0, 0);
    for message in messages {
        match message {
            // The address in the header; where the kernel took the packet for is another one.
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let address = Ipv4Addr::from_bits(u32::from_be(info.ipi_addr.s_addr));
                destination = Some(IpAddr::V4(address));
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                destination = Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
            }
            ControlMessageOwned::Ipv4Ttl(value) | ControlMessageOwned::Ipv6HopLimit(value) => {
                ttl = u8::try_from(value).unwrap_or(0);
            }
            ControlMessageOwned::Ipv4Tos(value) => ds_field = value,
            ControlMessageOwned::Ipv6TClass(value) => ds_field = u8::try_from(value).unwrap_or(0),
            _ => {}
        }
    }
    let mut facts = OuterFacts::new(source.ip(), destination?);
    facts.source_port = source.port();
    facts.destination_port = destination_port;
    facts.ttl = ttl;
    facts.ds_field = ds_field;
    // The kernel has refused what is wrong, and does not tell what is right from what is absent.
    facts.udp_checksum = State::Unverified;
    Some(facts)
}

/// The length of packets that the kernel has joined.
pub(crate) fn joined(messages: CmsgIterator<'_>) -> Option<usize> {
    messages.into_iter().find_map(|message| match message {
        ControlMessageOwned::UdpGroSegments(size) => usize::try_from(size).ok().filter(|&size| size > 0),
        _ => None,
    })
}

/// A socket address, if it is one of IP.
pub(crate) fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddr::V4(SocketAddrV4::from(*address)));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6(SocketAddrV6::from(*address))))
}
