//! UDP sockets of a tunnel's port.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::AsRawFd,
};

use nix::{
    cmsg_space, libc,
    sys::socket::{ControlMessage, setsockopt, sockopt},
};
use socket2::{Domain, Protocol, Socket, Type};

/// What a socket is to be.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Our address; unspecified for all of ours; or a group, which is still to be [joined](crate::multicast::join).
    pub local: IpAddr,
    /// Number of the device that a link-local address or group is one of; 0 for others.
    pub device: u32,
    /// Our port.
    pub port: u16,
    /// Whether IPv6 packets without a checksum are taken.
    pub zero_checksum_ipv6: bool,
}

/// A socket on `local` that says destination, TTL and DS field of what it receives, for a
/// [`Receiver`](crate::Receiver).
///
/// # Errors
///
/// The kernel's: the port is taken, or the address is none of ours.
pub fn socket(settings: &Settings) -> io::Result<Socket> {
    let local = at(settings.local, settings.port, settings.device);
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if local.is_ipv6() {
        // IPv4 has a socket of its own.
        socket.set_only_v6(true)?;
        // Groups that others have joined are theirs.
        socket.set_multicast_all_v6(false)?;
        if settings.zero_checksum_ipv6 {
            set(&socket, uapi::c::SOL_UDP, UDP_NO_CHECK6_RX, 1)?;
        }
    }
    if local.is_ipv4() {
        socket.set_multicast_all_v4(false)?;
    }
    tell_facts(&socket, settings.local)?;
    buffers(&socket);
    socket.bind(&local.into())?;
    Ok(socket)
}

/// An address and a port, on the device of this number where the address is one of a link, or of a group there.
pub fn at(address: IpAddr, port: u16, device: u32) -> SocketAddr {
    match address {
        IpAddr::V6(address) if is_of_link(address) => {
            SocketAddr::V6(SocketAddrV6::new(address, port, 0, device))
        }
        _ => SocketAddr::new(address, port),
    }
}

/// Whether others have the same address on other links (RFC 4291, sections 2.5.6 and 2.7).
fn is_of_link(address: Ipv6Addr) -> bool {
    let [first, scope, ..] = address.octets();
    address.is_unicast_link_local() || first == 0xff && scope & 0x0f == 2
}

/// What [`at`] was told of a device.
pub(crate) const fn device(at: &SocketAddr) -> u32 {
    match at {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(at) => at.scope_id(),
    }
}

/// What is said beside a packet that is to leave from an address of ours.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl Source {
    pub(crate) fn new(local: SocketAddr) -> Self {
        match local {
            SocketAddr::V4(local) => {
                let [address, none] = [*local.ip(), Ipv4Addr::UNSPECIFIED]
                    .map(|address| libc::in_addr { s_addr: address.to_bits().to_be() });
                Self::V4(libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: address, ipi_addr: none })
            }
            SocketAddr::V6(local) => Self::V6(libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: local.ip().octets() },
                ipi6_ifindex: local.scope_id(),
            }),
        }
    }

    /// As the kernel is told it.
    pub(crate) const fn message(&self) -> ControlMessage<'_> {
        match self {
            Self::V4(info) => ControlMessage::Ipv4PacketInfo(info),
            Self::V6(info) => ControlMessage::Ipv6PacketInfo(info),
        }
    }

    /// Bytes that the kernel is told it in.
    pub(crate) fn room(&self) -> Vec<u8> {
        match self {
            Self::V4(_) => cmsg_space!(libc::in_pktinfo),
            Self::V6(_) => cmsg_space!(libc::in6_pktinfo),
        }
    }
}

/// Has the kernel say what [`OuterFacts`](encap::tunnel::OuterFacts) are made of.
pub(crate) fn tell_facts(socket: &Socket, local: IpAddr) -> io::Result<()> {
    if local.is_ipv4() {
        setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
        setsockopt(socket, sockopt::Ipv4RecvTtl, &true)?;
        socket.set_recv_tos_v4(true)
    } else {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        socket.set_recv_hoplimit_v6(true)?;
        socket.set_recv_tclass_v6(true)
    }
}

/// Larger buffers, past the limit of other users; without them bursts are lost sooner.
pub(crate) fn buffers(socket: &Socket) {
    let _ = setsockopt(socket, sockopt::RcvBufForce, &BUFFER);
    let _ = setsockopt(socket, sockopt::SndBufForce, &BUFFER);
}

/// Sets an option that no other crate knows.
pub(crate) fn set(socket: &Socket, level: i32, name: i32, value: i32) -> io::Result<()> {
    uapi::setsockopt(socket.as_raw_fd(), level, name, &value)
        .map_err(|error| io::Error::from_raw_os_error(error.0))
}

pub(crate) const BUFFER: usize = 8 << 20;

/// include/uapi/linux/udp.h
const UDP_NO_CHECK6_RX: i32 = 102;
