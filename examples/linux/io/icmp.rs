//! ICMP errors about packets that were sent: a raw socket hears them.

use std::{
    fmt,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, BorrowedFd},
};

use encap::wire::{Dscp, FlowLabel, IpProtocol, ipv6};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{Receiver, raw, udp};

/// Hears all ICMP, or all ICMPv6, that is sent to an address. Belongs to a thread, as every [`Receiver`].
pub struct Listener {
    receiver: Receiver,
    /// A packet with an IPv6 header, which the kernel has taken.
    rebuilt: Vec<u8>,
}

/// A socket that hears what is sent to `local`, whose port means nothing.
///
/// # Errors
///
/// The kernel's: without privileges, or the address is none of ours.
pub fn socket(local: SocketAddr) -> io::Result<Socket> {
    let protocol = if local.is_ipv6() { Protocol::ICMPV6 } else { Protocol::ICMPV4 };
    let socket = Socket::new(Domain::for_address(local), Type::RAW.nonblocking(), Some(protocol))?;
    if local.is_ipv6() {
        udp::tell_facts(&socket, local.ip())?;
    }
    raw::bind(&socket, local)?;
    Ok(socket)
}

impl Listener {
    /// Hears by this socket.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn new(socket: Socket) -> io::Result<Self> {
        Ok(Self { receiver: Receiver::new(socket, MAX_LEN)?, rebuilt: Vec::new() })
    }

    /// Hands what is there to `each`, with its IP header and its [device](crate::Received::device): at most one batch.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn receive(&mut self, mut each: impl FnMut(&[u8], u32)) -> io::Result<()> {
        match self.receiver.receive() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NetworkUnreachable => return Ok(()),
            Err(error) => return Err(error),
        }
        for (received, packet) in self.receiver.packets() {
            let bytes = packet.as_slice();
            let Some(facts) = received.facts else {
                each(bytes, received.device());
                continue;
            };
            let (IpAddr::V6(source), IpAddr::V6(destination)) = (facts.source, facts.destination) else {
                continue;
            };
            let header = ipv6::Header {
                dscp: Dscp::default(),
                ecn: facts.ecn(),
                flow_label: FlowLabel::default(),
                payload_len: u16::try_from(bytes.len()).unwrap_or(u16::MAX),
                next_header: IpProtocol::ICMPV6,
                hop_limit: facts.ttl,
                source,
                destination,
            };
            self.rebuilt.clear();
            self.rebuilt.extend(header.to_bytes());
            self.rebuilt.extend(bytes);
            each(&self.rebuilt, received.device());
        }
        Ok(())
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.receiver.fmt(f)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

/// Errors are shorter: at most 576 bytes (RFC 1812, section 4.3.2.3), or 1,280 (RFC 4443, section 2.4).
const MAX_LEN: usize = 1_500;
