//! Packets of one flow that follow each other, sent as one (UDP_SEGMENT): the kernel cuts it as late as it can, and
//! goes once through routing and queues, instead of once for each.
//!
//! A raw socket cannot do that. A UDP socket can, but has one source port, TTL, DS field and DF: so for packets with IP
//! headers there is a socket for each source port that is in use, and the rest is said beside each packet. What the
//! kernel cuts always has a UDP checksum.

use std::{
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr},
    os::fd::AsRawFd,
};

use encap::wire::IpProtocol;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    Datagram,
    transmit::BATCH,
    udp::{self, Source},
};

/// Sends runs of packets.
#[derive(Debug)]
pub(crate) struct Gso {
    /// The socket to send by, for packets without headers.
    only: Option<Socket>,
    /// Source ports, those used last at the end.
    sockets: Vec<Port>,
}

#[derive(Debug)]
struct Port {
    local: SocketAddr,
    dont_fragment: bool,
    socket: Socket,
}

/// What the outer headers of a packet say, as far as a socket can say it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Outer {
    local: SocketAddr,
    to: SocketAddr,
    ttl: u8,
    ds_field: u8,
    dont_fragment: bool,
    /// Bytes of these headers.
    len: usize,
}

/// What is said beside a packet of its IP header.
#[derive(Debug)]
pub(crate) struct Said {
    ttl: i32,
    ds_field: u8,
    class: i32,
}

impl Said {
    pub(crate) fn new(ttl: u8, ds_field: u8) -> Self {
        Self { ttl: ttl.into(), ds_field, class: ds_field.into() }
    }

    /// As the kernel is told it, of a packet that goes there.
    pub(crate) const fn messages(&self, to: &SocketAddr) -> [ControlMessage<'_>; 2] {
        match to {
            SocketAddr::V4(_) => {
                [ControlMessage::Ipv4Ttl(&self.ttl), ControlMessage::Ipv4Tos(&self.ds_field)]
            }
            SocketAddr::V6(_) => {
                [ControlMessage::Ipv6HopLimit(&self.ttl), ControlMessage::Ipv6TClass(&self.class)]
            }
        }
    }
}

impl Gso {
    /// For packets with IP and UDP headers.
    pub(crate) const fn with_headers() -> Self {
        Self { only: None, sockets: Vec::new() }
    }

    /// For payloads, by this socket.
    pub(crate) const fn by(socket: Socket) -> Self {
        Self { only: Some(socket), sockets: Vec::new() }
    }

    /// How many packets from the front are a run: the same outer headers, the same length, but for the last one, which
    /// may be shorter.
    pub(crate) fn run(&self, datagrams: &[Datagram<'_>]) -> usize {
        let Some((first, outer)) = datagrams.first().and_then(|first| Some((first, self.outer(first)?)))
        else {
            return 0;
        };
        let size = outer.payload(first).len();
        let (mut count, mut len) = (0, 0);
        for datagram in datagrams.iter().take(BATCH) {
            let next = outer.payload(datagram).len();
            let fits = next > 0 && next <= size && len + next <= MAX_PAYLOAD;
            if !fits || self.outer(datagram) != Some(outer) {
                break;
            }
            (count, len) = (count + 1, len + next);
            if next < size {
                break;
            }
        }
        count
    }

    fn outer(&self, datagram: &Datagram<'_>) -> Option<Outer> {
        if datagram.to.ip().is_multicast() {
            // By which device these leave, only the transmitter's own socket knows.
            return None;
        }
        if self.only.is_some() { Outer::of_payload(datagram) } else { Outer::of(datagram) }
    }

    /// Sends a run; payloads from `source`, where their socket has several addresses.
    pub(crate) fn send(&mut self, run: &[Datagram<'_>], source: Option<&Source>) -> io::Result<()> {
        let outer = run.first().and_then(|first| self.outer(first)).ok_or(io::ErrorKind::InvalidInput)?;
        let mut slices = [IoSlice::new(&[]); BATCH];
        for (slice, datagram) in slices.iter_mut().zip(run) {
            *slice = IoSlice::new(outer.payload(datagram));
        }
        let size = slices.first().map_or(0, |first| first.len());
        let size = u16::try_from(size).map_err(|_| io::ErrorKind::InvalidInput)?;
        let said = Said::new(outer.ttl, outer.ds_field);
        let [ttl, class] = said.messages(&outer.to);
        let (socket, said) = match &self.only {
            Some(socket) => (socket.as_raw_fd(), [source.map(Source::message), None]),
            None => (self.socket(&outer)?.as_raw_fd(), [Some(ttl), Some(class)]),
        };
        let said = said.into_iter().flatten().chain([ControlMessage::UdpGsoSegments(&size)]);
        let said: Vec<_> = said.collect();
        let slices = slices.get(..run.len()).unwrap_or_default();
        let to = SockaddrStorage::from(outer.to);
        sendmsg(socket, slices, &said, MsgFlags::empty(), Some(&to))?;
        Ok(())
    }

    /// The socket of a source port, a new one if there is none.
    fn socket(&mut self, outer: &Outer) -> io::Result<&Socket> {
        let place = self.sockets.iter().position(|port| port.local == outer.local);
        let mut port = match place {
            // To the end, where those are that are used.
            Some(place) => self.sockets.remove(place),
            None => Port::new(outer)?,
        };
        if port.dont_fragment != outer.dont_fragment {
            port.set_dont_fragment(outer.dont_fragment)?;
        }
        if self.sockets.len() == SOCKETS {
            self.sockets.remove(0);
        }
        self.sockets.push(port);
        self.sockets.last().map(|port| &port.socket).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Port {
    fn new(outer: &Outer) -> io::Result<Self> {
        let local = outer.local;
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        // Nobody sends to this port, and nobody would read it.
        socket.set_recv_buffer_size(0)?;
        let _ = setsockopt(&socket, sockopt::SndBufForce, &udp::BUFFER);
        if local.is_ipv6() {
            // The flow label is zero where we say so, and not the kernel's choice.
            udp::set(&socket, uapi::c::IPPROTO_IPV6, uapi::c::IPV6_AUTOFLOWLABEL, 0)?;
        }
        socket.bind(&local.into())?;
        let mut port = Self { local, dont_fragment: false, socket };
        port.set_dont_fragment(outer.dont_fragment)?;
        Ok(port)
    }

    /// Says whether packets have DF. Whatever it is, their length is our business, and the path's MTU too.
    fn set_dont_fragment(&mut self, dont_fragment: bool) -> io::Result<()> {
        let (level, name) = match self.local {
            SocketAddr::V4(_) => (uapi::c::IPPROTO_IP, uapi::c::IP_MTU_DISCOVER),
            SocketAddr::V6(_) => (uapi::c::IPPROTO_IPV6, uapi::c::IPV6_MTU_DISCOVER),
        };
        let value = if dont_fragment { uapi::c::IP_PMTUDISC_PROBE } else { uapi::c::IP_PMTUDISC_INTERFACE };
        udp::set(&self.socket, level, name, value)?;
        self.dont_fragment = dont_fragment;
        Ok(())
    }
}

impl Outer {
    /// What is behind these headers.
    fn payload<'a>(&self, datagram: &Datagram<'a>) -> &'a [u8] {
        let [packet, _] = datagram.parts;
        packet.get(self.len..).unwrap_or_default()
    }

    /// Nothing but where it goes, of a packet without headers.
    fn of_payload(datagram: &Datagram<'_>) -> Option<Self> {
        let Datagram { to, parts: [_, []] } = *datagram else { return None };
        let local = SocketAddr::new(to.ip(), 0);
        Some(Self { local, to, ttl: 0, ds_field: 0, dont_fragment: false, len: 0 })
    }

    /// The headers of a packet, if a UDP socket can write the same.
    fn of(datagram: &Datagram<'_>) -> Option<Self> {
        let [packet, []] = datagram.parts else { return None };
        let device = udp::device(&datagram.to);
        let (local, to, ttl, ds_field, dont_fragment, ports) = match packet.first()? {
            0x45 => {
                let header: &[u8; 20] = packet.first_chunk()?;
                let [_, ds_field, _, _, _, _, flags, _, ttl, protocol, _, _, s @ .., d0, d1, d2, d3] =
                    *header;
                if protocol != IpProtocol::UDP.0 {
                    return None;
                }
                let (local, to) = (IpAddr::from(s), IpAddr::from([d0, d1, d2, d3]));
                (local, to, ttl, ds_field, flags & 0x40 != 0, 20)
            }
            0x60..=0x6f => {
                let header: &[u8; 40] = packet.first_chunk()?;
                let [v0, v1, v2, v3, _, _, next, hops, addresses @ ..] = *header;
                let (source, destination) = addresses.split_first_chunk::<16>()?;
                // A socket would have to lease a flow label first.
                if next != IpProtocol::UDP.0 || (v1 & 0x0f, v2, v3) != (0, 0, 0) {
                    return None;
                }
                let destination: [u8; 16] = destination.try_into().ok()?;
                let ds_field = v0 << 4 | v1 >> 4;
                (IpAddr::from(*source), IpAddr::from(destination), hops, ds_field, true, 40)
            }
            _ => return None,
        };
        let [s0, s1, d0, d1, _, _, _, _] = *packet.get(ports..)?.first_chunk()?;
        Some(Self {
            local: udp::at(local, u16::from_be_bytes([s0, s1]), device),
            to: udp::at(to, u16::from_be_bytes([d0, d1]), device),
            ttl,
            ds_field,
            dont_fragment,
            len: ports + 8,
        })
    }
}

/// Source ports that are kept.
const SOCKETS: usize = 64;

/// The longest payload of a UDP datagram over IPv4 or IPv6, all segments together.
const MAX_PAYLOAD: usize = 65_535 - 48;
