//! What the kernel knows of its forwarding databases and neighbours, and every change of it (rtnetlink, RTM_NEWNEIGH
//! and RTM_DELNEIGH).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use encap::wire::{MacAddr, Vni};
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage},
};
use nix::{
    errno::Errno,
    sys::socket::{
        self, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, setsockopt,
        sockopt,
    },
};

/// A socket that hears of all changes from when it was opened, and can ask for all that there is.
#[derive(Debug)]
pub struct Neighbors {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

/// What the kernel says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// This is so, now or still.
    Is(Neighbor),
    /// This is not so any more.
    Gone(Neighbor),
    /// That was all, of what was asked for under this number.
    Complete(u32),
    /// The kernel is busy with another question, or has no room for the answer: this one is to be asked again.
    Refused(u32),
}

/// An entry of a forwarding database, or a neighbour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Neighbor {
    /// Number of the device.
    pub device: u32,
    /// What it is, and the addresses of that.
    pub kind: Kind,
    /// How the kernel came by it, and how sure it is.
    pub state: State,
    /// A control plane has told the kernel (`extern_learn`).
    pub extern_learned: bool,
    /// It is a router.
    pub router: bool,
    /// It does not move (`sticky`).
    pub sticky: bool,
}

/// What there is to know of hosts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Where frames to a MAC address go: a line of `bridge fdb show`.
    Entry {
        /// The address.
        mac: MacAddr,
        /// The tunnel's other end; unspecified for this one.
        remote: IpAddr,
        /// Its UDP port, where that is not the device's.
        port: Option<u16>,
        /// The VNI of packets there, where that is not the segment's.
        vni: Option<Vni>,
        /// Number of the device that leads there, where the kernel was told one.
        egress: Option<u32>,
        /// The segment, on a device that has many.
        segment: Option<Vni>,
    },
    /// Which MAC address an IP address has: a line of `ip neigh show`.
    Address {
        /// The IP address.
        address: IpAddr,
        /// Its MAC address, if that is known.
        mac: Option<MacAddr>,
    },
}

/// The kernel's bits for how sure it is; several can be set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct State(pub u16);

impl State {
    /// It is being asked, and was never heard of.
    pub const INCOMPLETE: Self = Self(0x01);
    /// It was heard of lately.
    pub const REACHABLE: Self = Self(0x02);
    /// It was heard of, but not lately.
    pub const STALE: Self = Self(0x04);
    /// A packet was sent to it while it was stale.
    pub const DELAY: Self = Self(0x08);
    /// It is being asked.
    pub const PROBE: Self = Self(0x10);
    /// It was asked, and did not answer.
    pub const FAILED: Self = Self(0x20);
    /// Nobody need ask; in a forwarding database: it does not age.
    pub const NOARP: Self = Self(0x40);
    /// Somebody's order, for ever.
    pub const PERMANENT: Self = Self(0x80);

    /// Whether one of these is set.
    pub const fn is(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }
}

impl Neighbors {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = SockProtocol::NetlinkRoute;
        let socket = socket::socket(socket::AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        // A control plane that starts says much at once.
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER);
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, NEIGHBORS))?;
        Ok(Self { socket, buffer: vec![0; 64 << 10], sequence: 0 })
    }

    /// Asks for all entries of forwarding databases, or for all neighbours. What is there is told among the changes;
    /// at the end [`Told::Complete`] has the number that is returned. One question at a time.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn ask(&mut self, entries: bool) -> io::Result<u32> {
        let mut question = NeighbourMessage::default();
        question.header.family = if entries { AddressFamily::Bridge } else { AddressFamily::Unspec };
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        header.sequence_number = self.sequence;
        let payload = NetlinkPayload::from(RouteNetlinkMessage::GetNeighbour(question));
        let mut message = NetlinkMessage::new(header, payload);
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        sendto(self.socket.as_raw_fd(), &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        Ok(self.sequence)
    }

    /// Passes on what there is to read, without waiting. True where changes were lost: then all is to be asked for
    /// again.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn read(&mut self, mut each: impl FnMut(Told)) -> io::Result<bool> {
        let mut lost = false;
        loop {
            let len = match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Ok(len) => len,
                Err(Errno::EAGAIN) => return Ok(lost),
                Err(Errno::EINTR) => continue,
                // Said once: until all is read, more is lost in silence.
                Err(Errno::ENOBUFS) => {
                    lost = true;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let mut rest = self.buffer.get(..len).unwrap_or_default();
            while !rest.is_empty() {
                // What cannot be read is not about neighbours, or not of a kernel that this was made for.
                let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) else { break };
                let len = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(len..).unwrap_or_default();
                let number = message.header.sequence_number;
                let told = match message.payload {
                    NetlinkPayload::Done(_) => Some(Told::Complete(number)),
                    NetlinkPayload::Error(error) => match error.code.map(|code| Errno::from_raw(-code.get()))
                    {
                        Some(Errno::EBUSY | Errno::ENOBUFS) => Some(Told::Refused(number)),
                        Some(error) => return Err(error.into()),
                        None => None,
                    },
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(is)) => {
                        neighbor(&is).map(Told::Is)
                    }
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelNeighbour(was)) => {
                        neighbor(&was).map(Told::Gone)
                    }
                    _ => None,
                };
                if let Some(told) = told {
                    each(told);
                }
            }
        }
    }
}

impl AsFd for Neighbors {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// `None` for what a bridge knows of its own ports, and for next-hop groups.
pub(crate) fn neighbor(message: &NeighbourMessage) -> Option<Neighbor> {
    let (mut mac, mut address, mut port) = (None, None, None);
    let (mut vni, mut egress, mut segment) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                mac = bytes.first_chunk().filter(|_| bytes.len() == 6).map(|&bytes| MacAddr(bytes));
            }
            NeighbourAttribute::Destination(destination) => address = ip(destination),
            NeighbourAttribute::Port(value) => port = Some(*value),
            NeighbourAttribute::Vni(value) => vni = Vni::new(*value),
            NeighbourAttribute::IfIndex(value) => egress = Some(*value),
            NeighbourAttribute::SourceVni(value) => segment = Vni::new(*value),
            _ => {}
        }
    }
    let header = &message.header;
    let kind = match header.family {
        AddressFamily::Bridge => Kind::Entry { mac: mac?, remote: address?, port, vni, egress, segment },
        AddressFamily::Inet | AddressFamily::Inet6 => Kind::Address { address: address?, mac },
        _ => return None,
    };
    Some(Neighbor {
        device: header.ifindex,
        kind,
        state: State(header.state.into()),
        extern_learned: header.flags.contains(NeighbourFlags::ExtLearned),
        router: header.flags.contains(NeighbourFlags::Router),
        sticky: header.flags.contains(NeighbourFlags::Sticky),
    })
}

fn ip(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(address) => Some((*address).into()),
        NeighbourAddress::Inet6(address) => Some((*address).into()),
        // In a forwarding database the family of the underlay is known by the length alone.
        NeighbourAddress::Other(bytes) => {
            let v4 = <[u8; 4]>::try_from(&**bytes).map(|bytes| Ipv4Addr::from(bytes).into());
            v4.or_else(|_| <[u8; 16]>::try_from(&**bytes).map(|bytes| Ipv6Addr::from(bytes).into())).ok()
        }
        _ => None,
    }
}

/// The group RTNLGRP_NEIGH, as a bit.
const NEIGHBORS: u32 = 1 << (3 - 1);

const BUFFER: usize = 4 << 20;
