//! Who is next on the way to an address, as the kernel would send there: its route (RTM_GETROUTE), and what it knows of
//! the neighbour that this leads to (RTM_GETNEIGH).

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
};

use encap::wire::MacAddr;
use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
};
use nix::{
    errno::Errno,
    sys::{
        socket::{
            self, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto, setsockopt,
            sockopt,
        },
        time::TimeVal,
    },
};

use crate::{
    neighbors::{self, Kind, State},
    udp,
};

/// A next hop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NextHop {
    /// Number of the device that leads there.
    pub(crate) device: u32,
    pub(crate) mac: MacAddr,
    /// How sure the kernel is of the MAC address.
    pub(crate) state: State,
}

/// Asks the kernel, one question at a time.
#[derive(Debug)]
pub(crate) struct Asker {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Asker {
    pub(crate) fn open() -> io::Result<Self> {
        let protocol = SockProtocol::NetlinkRoute;
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket::socket(socket::AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        // The kernel answers before it returns from the question; whatever happens, nobody waits long.
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, 100_000))?;
        Ok(Self { socket, buffer: vec![0; 16 << 10], sequence: 0 })
    }

    /// The next hop to an address; `None` where the kernel does not know it, or nobody has to be known by a MAC
    /// address.
    pub(crate) fn next_hop(&mut self, to: SocketAddr) -> io::Result<Option<NextHop>> {
        let Some((device, hop)) = self.route(to)? else { return Ok(None) };
        let mut question = NeighbourMessage::default();
        question.header.family = family(hop);
        question.header.ifindex = device;
        question.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::from(hop)));
        let answer = self.ask(RouteNetlinkMessage::GetNeighbour(question))?;
        let Some(RouteNetlinkMessage::NewNeighbour(is)) = answer else { return Ok(None) };
        Ok(neighbors::neighbor(&is).and_then(|neighbor| match neighbor.kind {
            Kind::Address { mac: Some(mac), .. } => Some(NextHop { device, mac, state: neighbor.state }),
            _ => None,
        }))
    }

    /// The device that leads to an address, and who is next there.
    fn route(&mut self, at: SocketAddr) -> io::Result<Option<(u32, IpAddr)>> {
        let to = at.ip();
        let mut question = RouteMessage::default();
        question.header.address_family = family(to);
        question.header.destination_prefix_length = if to.is_ipv6() { 128 } else { 32 };
        question.attributes.push(RouteAttribute::Destination(to.into()));
        if udp::device(&at) != 0 {
            question.attributes.push(RouteAttribute::Oif(udp::device(&at)));
        }
        let answer = self.ask(RouteNetlinkMessage::GetRoute(question))?;
        let Some(RouteNetlinkMessage::NewRoute(route)) = answer else { return Ok(None) };
        let (mut device, mut hop, mut plain) = (None, to, route.header.kind == RouteType::Unicast);
        for attribute in &route.attributes {
            match attribute {
                RouteAttribute::Oif(number) => device = Some(*number),
                RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => hop = (*gateway).into(),
                RouteAttribute::Gateway(RouteAddress::Inet6(gateway)) => hop = (*gateway).into(),
                // A next hop of the other family, or another tunnel.
                RouteAttribute::Via(_) | RouteAttribute::Encap(_) => plain = false,
                _ => {}
            }
        }
        Ok(device.filter(|_| plain).map(|device| (device, hop)))
    }

    /// What the kernel says; `None` where it knows nothing of the kind.
    pub(crate) fn ask(&mut self, question: RouteNetlinkMessage) -> io::Result<Option<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let socket = self.socket.as_raw_fd();
        sendto(socket, &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        loop {
            let len = match recv(socket, &mut self.buffer, MsgFlags::empty()) {
                Ok(len) => len,
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let answer = self.buffer.get(..len).unwrap_or_default();
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(answer)
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))?;
            if answer.header.sequence_number != self.sequence {
                // Late, to a question that nobody waits for any more.
                continue;
            }
            return Ok(match answer.payload {
                NetlinkPayload::InnerMessage(answer) => Some(answer),
                _ => None,
            });
        }
    }
}

const fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
