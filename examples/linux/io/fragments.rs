//! Outer packets that are longer than the underlay's MTU and may be fragmented: the kernel does that, but only where
//! the IP header is its own.

use std::{
    io::{self, IoSlice},
    os::fd::AsRawFd,
};

use encap::wire::{Dscp, Ecn, ipv4, ipv6};
use nix::sys::socket::{MsgFlags, SockaddrStorage, sendmsg};
use socket2::Socket;

use crate::{Datagram, gso::Said};

/// Sends packets in fragments where they are too long.
#[derive(Debug)]
pub(crate) struct Fragmenter {
    pub(crate) socket: Socket,
    pub(crate) mtu: usize,
}

impl Fragmenter {
    /// Whether a packet is to be sent by this: too long, and none that must stay whole.
    pub(crate) fn takes(&self, datagram: &Datagram<'_>) -> bool {
        let [first, second] = datagram.parts;
        first.len() + second.len() > self.mtu && outer(first).is_some()
    }

    /// Sends what follows a packet's IP header, with the same TTL and DS field in the kernel's header.
    pub(crate) fn send(&self, datagram: &Datagram<'_>) -> io::Result<()> {
        let [first, second] = datagram.parts;
        let (said, rest) = outer(first).ok_or(io::ErrorKind::InvalidInput)?;
        // A raw IPv6 socket takes the port for a protocol.
        let mut to = datagram.to;
        to.set_port(0);
        let parts = [rest, second].map(IoSlice::new);
        let (socket, address) = (self.socket.as_raw_fd(), SockaddrStorage::from(to));
        sendmsg(socket, &parts, &said.messages(&to), MsgFlags::empty(), Some(&address))?;
        Ok(())
    }
}

/// What the header says of a packet that may be fragmented, and what follows it.
fn outer(packet: &[u8]) -> Option<(Said, &[u8])> {
    let ds_field = |dscp: Dscp, ecn: Ecn| dscp.value() << 2 | ecn.value();
    if packet.first()? >> 4 == 6 {
        let (header, rest) = ipv6::Header::parse(packet).ok()?;
        return Some((Said::new(header.hop_limit, ds_field(header.dscp, header.ecn)), rest));
    }
    let (header, rest) = ipv4::Header::parse(packet).ok()?;
    (!header.dont_fragment).then(|| (Said::new(header.ttl, ds_field(header.dscp, header.ecn)), rest))
}
