//! Many packets for one system call, out.

use std::{
    array, fmt,
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::{AsRawFd, RawFd},
};

use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg},
};
use socket2::Socket;

use crate::{
    fragments::Fragmenter,
    gso::Gso,
    link::{Headers, Link},
    udp::Source,
};

/// Packets for one system call.
pub const BATCH: usize = 64;

/// A packet to send, in two parts: headers and frame, or all of it and nothing.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Where to. A raw socket takes the address alone.
    pub to: SocketAddr,
    /// The bytes.
    pub parts: [&'a [u8]; 2],
}

/// A socket to send by. It belongs to the thread that makes it.
pub struct Transmitter {
    socket: Socket,
    has_ports: bool,
    headers: MultiHeaders<SockaddrStorage>,
    gso: Option<Gso>,
    link: Option<Link>,
    fragmenter: Option<Fragmenter>,
    source: Option<Source>,
}

impl Transmitter {
    /// Sends by this socket, of [`raw::sender`](crate::raw::sender) or of [`udp::socket`](crate::udp::socket).
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn new(socket: Socket) -> io::Result<Self> {
        let has_ports = socket.r#type()? == socket2::Type::DGRAM;
        let headers = MultiHeaders::preallocate(BATCH, None);
        Ok(Self { socket, has_ports, headers, gso: None, link: None, fragmenter: None, source: None })
    }

    /// Has the kernel cut what is sent, where packets allow that: the same packets in less time, with UDP checksums. By
    /// a raw socket these are packets with UDP, whose source ports are then taken.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn with_segmentation(self) -> io::Result<Self> {
        let gso = if self.has_ports { Gso::by(self.socket.try_clone()?) } else { Gso::with_headers() };
        Ok(Self { gso: Some(gso), ..self })
    }

    /// Has packets of a raw socket go to their device past the kernel's IP, where the next hop is known: in less time,
    /// and by no rules of netfilter or IPsec.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn past_ip(self) -> io::Result<Self> {
        Ok(Self { link: Some(Link::new()?), ..self })
    }

    /// Has packets leave from `local`, whose port means nothing, where a UDP socket has all of our addresses.
    #[must_use]
    pub fn with_source(self, local: SocketAddr) -> Self {
        let source = Source::new(local);
        let headers = MultiHeaders::preallocate(BATCH, Some(source.room()));
        Self { source: Some(source), headers, ..self }
    }

    /// Has the kernel fragment packets of a raw socket that are longer than `mtu` and may be fragmented, by a socket of
    /// [`raw::fragmenter`](crate::raw::fragmenter). They have identification and flow label of the kernel's.
    #[must_use]
    pub fn with_fragments(self, socket: Socket, mtu: usize) -> Self {
        Self { fragmenter: Some(Fragmenter { socket, mtu }), ..self }
    }

    /// Sends all of them, in order, but those that the kernel refuses: of each of these `failed` is told. Answers how
    /// many were sent.
    pub fn send(&mut self, datagrams: &[Datagram<'_>], mut failed: impl FnMut(io::Error)) -> usize {
        // Taken out, so that what stays whole can be sent meanwhile.
        let Some(fragmenter) = self.fragmenter.take() else { return self.whole(datagrams, &mut failed) };
        let mut sent = 0;
        for run in datagrams.chunk_by(|one, next| !fragmenter.takes(one) && !fragmenter.takes(next)) {
            sent += match run {
                [long] if fragmenter.takes(long) => match fragmenter.send(long) {
                    Ok(()) => 1,
                    Err(error) => {
                        failed(error);
                        0
                    }
                },
                whole => self.whole(whole, &mut failed),
            };
        }
        self.fragmenter = Some(fragmenter);
        sent
    }

    /// Sends packets that are not to be fragmented.
    fn whole(&mut self, datagrams: &[Datagram<'_>], failed: &mut impl FnMut(io::Error)) -> usize {
        let (mut rest, mut sent, mut forgotten) = (datagrams, 0, false);
        while !rest.is_empty() {
            let (run, single) = self.run(rest);
            let (Some(front), Some(behind)) = (rest.get(..run), rest.get(run..)) else { break };
            if self.segmented(front) {
                sent += front.len();
                rest = behind;
                continue;
            }
            let (single, by) = match &mut self.link {
                Some(link) => {
                    let burst = link.burst(rest.get(..single).unwrap_or(rest));
                    (burst.count, burst.by)
                }
                None => (single, None),
            };
            let done = match self.some(rest.get(..single).unwrap_or(rest), by.as_ref()) {
                Ok(done) => {
                    sent += done;
                    // A call that sends nothing and says nothing would be called for ever.
                    done.max(1)
                }
                Err(Errno::EINTR) => 0,
                Err(Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV) if by.is_some() && !forgotten => {
                    // By the kernel's next choice, then.
                    if let Some(link) = &mut self.link {
                        link.forget();
                    }
                    forgotten = true;
                    0
                }
                Err(error) => {
                    failed(error.into());
                    1
                }
            };
            rest = rest.get(done..).unwrap_or_default();
        }
        sent
    }

    /// How many packets from the front the kernel may cut out of one; and how many there are, at least one, before the
    /// next that it may.
    fn run(&self, datagrams: &[Datagram<'_>]) -> (usize, usize) {
        let Some(gso) = &self.gso else { return (0, datagrams.len()) };
        let is_run = |at: usize| datagrams.get(at..).is_some_and(|rest| gso.run(rest) > 1);
        match gso.run(datagrams) {
            run if run > 1 => (run, run),
            _ => (0, (1..datagrams.len()).find(|&at| is_run(at)).unwrap_or(datagrams.len())),
        }
    }

    /// Sends a run as one; answers whether it is sent.
    fn segmented(&mut self, run: &[Datagram<'_>]) -> bool {
        let Some(gso) = self.gso.as_mut().filter(|_| !run.is_empty()) else { return false };
        match gso.send(run, self.source.as_ref()).map_err(|error| error.raw_os_error().map(Errno::from_raw)) {
            Ok(()) => true,
            // By this way out, or by this kernel, never.
            Err(Some(Errno::EIO | Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOPROTOOPT)) => {
                self.gso = None;
                false
            }
            // One by one, then; where that does not work either, it is told.
            Err(_) => false,
        }
    }

    /// Sends as many as one call takes; by a packet socket, with these headers before them, or by our own.
    fn some(&mut self, datagrams: &[Datagram<'_>], by: Option<&(RawFd, Headers)>) -> nix::Result<usize> {
        let slices: [[IoSlice<'_>; 3]; BATCH] = array::from_fn(|i| {
            let [first, second] = datagrams.get(i).map_or([&[] as &[u8]; 2], |datagram| datagram.parts);
            let header = by.and_then(|(_, headers)| headers.get(i)).map_or(&[][..], |header| header);
            [header, first, second].map(IoSlice::new)
        });
        let addresses: [Option<SockaddrStorage>; BATCH] = array::from_fn(|i| {
            let mut to = datagrams.get(i).filter(|_| by.is_none())?.to;
            if !self.has_ports {
                // A raw IPv6 socket takes the port for a protocol.
                to.set_port(0);
            }
            Some(SockaddrStorage::from(to))
        });
        let count = datagrams.len().min(BATCH);
        let slices = slices.get(..count).unwrap_or_default();
        let raw = by.map_or(self.socket.as_raw_fd(), |(socket, _)| *socket);
        let said = self.source.as_ref().map(Source::message);
        sendmmsg(raw, &mut self.headers, slices, addresses, said.as_slice(), MsgFlags::empty())
            .map(Iterator::count)
    }
}

impl fmt::Debug for Transmitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transmitter").field("socket", &self.socket).finish_non_exhaustive()
    }
}
