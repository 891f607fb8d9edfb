//! Outer packets that are longer than the underlay's MTU and may be fragmented: the kernel does that, but only where
//! the IP header is its own.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
};

use encap::wire::{IpProtocol, ipv4};
use socket2::{Domain, Protocol, Socket, Type};

/// Sends packets in fragments where they are too long.
#[derive(Debug)]
pub(crate) struct Fragmenter {
    socket: Socket,
}

impl Fragmenter {
    /// Sends from `local`.
    pub(crate) fn new(local: IpAddr) -> io::Result<Self> {
        let protocol = Protocol::from(i32::from(IpProtocol::GRE.0));
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(protocol))?;
        // What it would receive, another socket does.
        socket.set_recv_buffer_size(0)?;
        uapi::setsockopt(
            socket.as_raw_fd(),
            uapi::c::IPPROTO_IP,
            uapi::c::IP_MTU_DISCOVER,
            &uapi::c::IP_PMTUDISC_DONT,
        )
        .map_err(|error| io::Error::from_raw_os_error(error.0))?;
        socket.bind(&SocketAddr::new(local, 0).into())?;
        Ok(Self { socket })
    }

    /// Sends an IPv4 packet: what follows its header, with the same TTL and DS field in the kernel's header.
    pub(crate) fn send(&self, to: IpAddr, packet: &[u8]) -> io::Result<()> {
        let (header, payload) = ipv4::Header::parse(packet).map_err(io::Error::other)?;
        self.socket.set_ttl_v4(header.ttl.into())?;
        self.socket.set_tos_v4(u32::from(header.dscp.value() << 2 | header.ecn.value()))?;
        self.socket.send_to(payload, &SocketAddr::new(to, 0).into()).map(drop)
    }
}
