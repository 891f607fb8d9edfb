//! A device's frames, by an AF_PACKET socket.

use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    time::Duration,
};

use nix::{
    ifaddrs::getifaddrs,
    net::if_::if_nametoindex,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvfrom, send,
        setsockopt, socket, sockopt,
    },
};

use crate::{Namespace, Wire};

/// One device's frames: what comes in is received, what is sent goes out. Frames that the kernel sends on the
/// device are not received.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    /// The device's number.
    index: usize,
}

/// `PACKET_OUTGOING` of linux/if_packet.h.
const OUTGOING: u8 = 4;

impl Tap {
    /// The frames of this device, which is set to take all.
    ///
    /// # Panics
    ///
    /// Where there is no such device.
    #[track_caller]
    pub fn open(namespace: &Namespace, device: &str) -> Self {
        namespace.ip(&format!("link set dev {device} promisc on up"));
        let (socket, index) = namespace.enter(|| {
            let flags = SockFlag::SOCK_CLOEXEC;
            let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap();
            setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).unwrap();
            let address = getifaddrs().unwrap().find_map(|entry| {
                let link = entry.address.filter(|_| entry.interface_name == device)?;
                link.as_link_addr().copied()
            });
            // A device without MAC address can only be told by its number; nothing can be sent on it.
            if let Some(address) = address {
                // Its protocol is zero, which leaves the socket's.
                bind(socket.as_raw_fd(), &address).unwrap();
            }
            (socket, if_nametoindex(device).unwrap() as usize)
        });
        let tap = Self { socket, index };
        // What came by any device before the socket was bound.
        while tap.receive(Duration::ZERO).is_some() {}
        tap
    }

    /// The socket, for programs that have a loop of their own.
    pub fn socket(&self) -> &OwnedFd {
        &self.socket
    }
}

impl Wire for Tap {
    #[track_caller]
    fn send(&self, frame: &[u8]) {
        let sent = send(self.socket.as_raw_fd(), frame, MsgFlags::empty());
        assert_eq!(sent, Ok(frame.len()));
    }

    fn receive(&self, limit: Duration) -> Option<Vec<u8>> {
        let end = std::time::Instant::now() + limit;
        let mut buffer = vec![0; 65_536];
        loop {
            let left = end.saturating_duration_since(std::time::Instant::now());
            if !readable(&self.socket, left) {
                return None;
            }
            let (len, from) = recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer).ok()?;
            if from.is_some_and(|from| from.pkttype() != OUTGOING && from.ifindex() == self.index) {
                buffer.truncate(len);
                return Some(buffer);
            }
        }
    }
}

/// Whether there is something to read within this time.
pub(crate) fn readable(socket: &impl AsFd, limit: Duration) -> bool {
    // Rounded up, so that the last millisecond is not spun through.
    let millis = u16::try_from(limit.as_micros().div_ceil(1_000)).unwrap_or(u16::MAX);
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::from(millis)).is_ok_and(|ready| ready > 0)
}
