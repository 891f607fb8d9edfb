//! Many packets for one system call.

use std::{
    array, fmt,
    io::{self, IoSliceMut},
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use encap::{Packet, tunnel::OuterFacts};
use nix::{
    cmsg_space,
    errno::Errno,
    libc,
    sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt, sockopt},
};
use socket2::Socket;

use crate::{facts, transmit::BATCH, udp};

/// Bytes before each packet that is received, for headers to come.
pub const HEADROOM: usize = 128;

/// A socket, and a buffer for each packet of a batch. It belongs to the thread that makes it.
pub struct Receiver {
    socket: Socket,
    /// The port that packets are sent to, zero where there is none.
    port: u16,
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Vec<u8>,
    stride: usize,
    batch: [Option<Received>; BATCH],
    joins: bool,
}

/// A packet of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Who sent it.
    pub source: SocketAddr,
    /// What its outer headers said that are not there any more; `None` for a raw IPv4 socket, which leaves them.
    pub facts: Option<OuterFacts>,
    len: usize,
    /// Bytes of each packet that the kernel has joined with others, but the last.
    joined: Option<usize>,
}

impl Received {
    /// Number of the device that it came by, where its source is an address of a link; 0 for others.
    pub const fn device(&self) -> u32 {
        udp::device(&self.source)
    }
}

impl Receiver {
    /// A receiver for packets of at most `max_len` bytes; longer ones are dropped.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn new(socket: Socket, max_len: usize) -> io::Result<Self> {
        let port = socket.local_addr()?.as_socket().map_or(0, |local| local.port());
        // An odd number of cache lines, so that the fronts of packets do not fall on the same ones.
        let stride = ((HEADROOM + max_len).div_ceil(64) | 1) * 64;
        let buffers = vec![0; stride * BATCH];
        Ok(Self { socket, port, headers: headers(), buffers, stride, batch: [None; BATCH], joins: false })
    }

    /// Has the kernel hand over packets of one flow that follow each other as one, where a device joins them (UDP_GRO):
    /// the same packets in less time.
    #[must_use]
    pub fn with_joined(self) -> Self {
        // Where the kernel cannot do that, each comes by itself.
        let joins = setsockopt(&self.socket, sockopt::UdpGroSegment, &true).is_ok();
        Self { joins, ..self }
    }

    /// The socket.
    pub const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Receives what is there, at most [`BATCH`] packets, and answers how many were there; fewer may be
    /// [ready](Self::packets), where some were too long, and more, where some were joined.
    ///
    /// # Errors
    ///
    /// The kernel's. Errors that ICMP has reported about packets that were sent are none.
    pub fn receive(&mut self) -> io::Result<usize> {
        let raw = self.socket.as_raw_fd();
        let mut chunks = self.buffers.chunks_exact_mut(self.stride);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = array::from_fn(|_| {
            let chunk = chunks.next().and_then(|chunk| chunk.get_mut(HEADROOM..));
            [IoSliceMut::new(chunk.unwrap_or_default())]
        });
        let (mut truncated, mut shorter) = (false, false);
        let received = recvmmsg(raw, &mut self.headers, &mut slices, MsgFlags::MSG_DONTWAIT, None);
        let count = match received {
            Ok(messages) => {
                let mut count = 0;
                for (message, slot) in messages.zip(&mut self.batch) {
                    count += 1;
                    truncated |= message.flags.contains(MsgFlags::MSG_CTRUNC);
                    let source = message.address.as_ref().and_then(facts::socket_addr);
                    let whole = !message.flags.contains(MsgFlags::MSG_TRUNC);
                    *slot = source.filter(|_| whole).map(|source| {
                        let said = message.cmsgs().ok();
                        let joined = said.filter(|_| self.joins).and_then(facts::joined);
                        shorter |= self.joins && joined.is_none();
                        let facts = said.and_then(|said| facts::of(source, self.port, said));
                        Received { source, facts, len: message.bytes, joined }
                    });
                }
                count
            }
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED | Errno::EHOSTUNREACH) => 0,
            Err(error) => return Err(error.into()),
        };
        for slot in self.batch.iter_mut().skip(count) {
            *slot = None;
        }
        if truncated || shorter {
            // The room that a message leaves for the next one in its place is as much as it needed.
            self.headers = headers();
        }
        Ok(count)
    }

    /// The packets of the last batch, each with [`HEADROOM`], but those that were joined.
    pub fn packets(&mut self) -> impl Iterator<Item = (Received, Packet<'_>)> {
        let chunks = self.buffers.chunks_exact_mut(self.stride);
        let received = chunks.zip(self.batch).filter_map(|(chunk, received)| Some((chunk, received?)));
        received.flat_map(|(chunk, received)| {
            let (mut one, mut several) = (None, None);
            match received.joined {
                Some(size) if size < received.len => {
                    let joined = chunk.get_mut(HEADROOM..HEADROOM + received.len);
                    several = joined.map(|joined| joined.chunks_mut(size));
                }
                _ => one = Packet::new(chunk, HEADROOM, received.len).ok(),
            }
            let several = several.into_iter().flatten().filter_map(|packet| {
                let len = packet.len();
                Packet::new(packet, 0, len).ok()
            });
            one.into_iter().chain(several).map(move |packet| (received, packet))
        })
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn headers() -> MultiHeaders<SockaddrStorage> {
    // Where the packet was sent to, its TTL, its DS field, how long each is of those that were joined.
    let room = cmsg_space!(libc::in6_pktinfo, libc::c_int, libc::c_int, libc::c_int);
    MultiHeaders::preallocate(BATCH, Some(room))
}
