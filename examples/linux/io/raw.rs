//! Raw IP sockets: to send packets whose IP header is ours, and to receive those of a protocol.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::udp;

/// A socket that sends IP packets of this family as they are, for a [`Transmitter`](crate::Transmitter). It receives
/// nothing.
///
/// # Errors
///
/// The kernel's: without privileges.
pub fn sender(is_ipv6: bool) -> io::Result<Socket> {
    let domain = if is_ipv6 { Domain::IPV6 } else { Domain::IPV4 };
    // This protocol means that IP headers are ours, and receives nothing; see raw(7).
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(IPPROTO_RAW)))?;
    udp::buffers(&socket);
    Ok(socket)
}

/// A socket by which the kernel fragments packets of an IP protocol from `local`, whose port means nothing, for
/// [`Transmitter::with_fragments`](crate::Transmitter::with_fragments). It receives nothing.
///
/// # Errors
///
/// The kernel's: without privileges, or the address is none of ours.
pub fn fragmenter(local: SocketAddr, protocol: u8) -> io::Result<Socket> {
    let protocol = Protocol::from(i32::from(protocol));
    let socket = Socket::new(Domain::for_address(local), Type::RAW, Some(protocol))?;
    if local.is_ipv6() {
        udp::set(&socket, uapi::c::IPPROTO_IPV6, uapi::c::IPV6_MTU_DISCOVER, uapi::c::IPV6_PMTUDISC_DONT)?;
        udp::set(&socket, uapi::c::IPPROTO_IPV6, uapi::c::IPV6_AUTOFLOWLABEL, 0)?;
    } else {
        udp::set(&socket, uapi::c::IPPROTO_IP, uapi::c::IP_MTU_DISCOVER, uapi::c::IP_PMTUDISC_DONT)?;
    }
    // What comes, another socket receives: by being connected to itself, this one only hears what we say to us.
    socket.set_recv_buffer_size(0)?;
    let _ = setsockopt(&socket, sockopt::SndBufForce, &udp::BUFFER);
    // A raw IPv6 socket takes the port for a protocol.
    let mut local = local;
    local.set_port(0);
    bind(&socket, local)?;
    socket.connect(&local.into())?;
    Ok(socket)
}

/// A socket that receives the packets of an IP protocol to `local`, for a [`Receiver`](crate::Receiver): those of IPv4
/// with their IP header, those of IPv6 without, and with facts instead.
///
/// # Errors
///
/// The kernel's: without privileges, or the address is none of ours.
pub fn receiver(local: IpAddr, protocol: u8) -> io::Result<Socket> {
    let domain = if local.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
    let protocol = Protocol::from(i32::from(protocol));
    let socket = Socket::new(domain, Type::RAW.nonblocking(), Some(protocol))?;
    if local.is_ipv6() {
        udp::tell_facts(&socket, local)?;
    }
    udp::buffers(&socket);
    bind(&socket, SocketAddr::new(local, 0))?;
    Ok(socket)
}

/// Binds a socket that has no ports. The error says which address it is that cannot be had.
pub(crate) fn bind(socket: &Socket, local: SocketAddr) -> io::Result<()> {
    let bound = socket.bind(&local.into());
    bound.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", local.ip())))
}

const IPPROTO_RAW: i32 = 255;
