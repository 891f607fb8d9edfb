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
    sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg},
};
use socket2::Socket;

use crate::{facts, transmit::BATCH};

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
}

/// A packet of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Who sent it.
    pub source: SocketAddr,
    /// What its outer headers said that are not there any more; `None` for a raw IPv4 socket, which leaves them.
    pub facts: Option<OuterFacts>,
    len: usize,
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
        Ok(Self { socket, port, headers: headers(), buffers, stride, batch: [None; BATCH] })
    }

    /// The socket.
    pub const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Receives what is there, at most [`BATCH`] packets, and answers how many were there; fewer may be
    /// [ready](Self::packets), where some were too long.
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
        let mut truncated = false;
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
                        let facts = said.and_then(|said| facts::of(source, self.port, said));
                        Received { source, facts, len: message.bytes }
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
        if truncated {
            // The room that a message left for the next one in its place was too small.
            self.headers = headers();
        }
        Ok(count)
    }

    /// The packets of the last batch, each with [`HEADROOM`].
    pub fn packets(&mut self) -> impl Iterator<Item = (Received, Packet<'_>)> {
        let chunks = self.buffers.chunks_exact_mut(self.stride);
        chunks.zip(self.batch).filter_map(|(chunk, received)| {
            let received = received?;
            Packet::new(chunk, HEADROOM, received.len).ok().map(|packet| (received, packet))
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
    // Where the packet was sent to, its TTL, its DS field.
    MultiHeaders::preallocate(BATCH, Some(cmsg_space!(libc::in6_pktinfo, libc::c_int, libc::c_int)))
}
