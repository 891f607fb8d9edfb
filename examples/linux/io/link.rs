//! Packets that go to a device with an Ethernet header of ours (packet(7)), past the kernel's IP: to whom, the kernel
//! is asked now and then, and not for each packet.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    os::fd::{AsRawFd, RawFd},
    time::{Duration, Instant},
};

use encap::wire::{EtherType, MacAddr, ethernet};
use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{LinkAddr, bind},
};
use socket2::{Domain, Socket, Type};

use crate::{
    Datagram,
    neighbors::State,
    next_hop::{Asker, NextHop},
    transmit::BATCH,
    udp,
};

/// The devices that lead to next hops.
pub(crate) struct Link {
    asker: Asker,
    /// By address, whatever the port, and device, where the address is one of a link.
    ways: HashMap<SocketAddr, Way>,
    ports: Vec<Port>,
}

/// A device.
struct Port {
    device: u32,
    mac: MacAddr,
    socket: Socket,
}

/// What is known of the way to an address.
#[derive(Clone, Copy)]
struct Way {
    asked: Instant,
    hop: Option<Hop>,
}

/// A next hop: the place of its device, and the header of frames to it.
#[derive(Clone, Copy)]
pub(crate) struct Hop {
    port: usize,
    pub(crate) header: [u8; ethernet::Header::LEN],
}

/// Ethernet headers of a batch.
pub(crate) type Headers = [[u8; ethernet::Header::LEN]; BATCH];

/// Packets from the front of several that leave by the same device.
pub(crate) struct Burst {
    pub(crate) count: usize,
    /// What to send by, and the header of each; `None` for what the kernel has to find the way of.
    pub(crate) by: Option<(RawFd, Headers)>,
}

impl Link {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { asker: Asker::open()?, ways: HashMap::new(), ports: Vec::new() })
    }

    /// How many packets go together, and by what.
    pub(crate) fn burst(&mut self, datagrams: &[Datagram<'_>]) -> Burst {
        let now = Instant::now();
        let mut headers = [[0; ethernet::Header::LEN]; BATCH];
        let (mut count, mut port, mut last) = (0, None, None);
        for (datagram, header) in datagrams.iter().zip(&mut headers) {
            let mut to = datagram.to;
            to.set_port(0);
            let hop = match last {
                Some((address, hop)) if address == to => hop,
                _ => self.hop(to, now),
            };
            last = Some((to, hop));
            let by = hop.map(|hop| hop.port);
            if *port.get_or_insert(by) != by {
                break;
            }
            if let Some(hop) = hop {
                *header = hop.header;
            }
            count += 1;
        }
        let port = port.flatten().and_then(|port| self.ports.get(port));
        Burst { count, by: port.map(|port| (port.socket.as_raw_fd(), headers)) }
    }

    /// What was known is not so any more.
    pub(crate) fn forget(&mut self) {
        self.ways.clear();
        self.ports.clear();
    }

    fn hop(&mut self, to: SocketAddr, now: Instant) -> Option<Hop> {
        if let Some(way) = self.ways.get(&to) {
            let lasts = if way.hop.is_some() { KNOWN } else { UNKNOWN };
            if now.saturating_duration_since(way.asked) < lasts {
                return way.hop;
            }
        }
        // Where the kernel does not say, it is left to it.
        let next = self.asker.next_hop(to).ok().flatten();
        let hop = next.filter(|next| next.state.is(USABLE)).and_then(|next| self.towards(to, &next).ok()?);
        if self.ways.len() >= WAYS {
            self.ways.clear();
        }
        self.ways.insert(to, Way { asked: now, hop });
        // What it is not sure of it makes sure of when it sends there itself.
        hop.filter(|_| next.is_some_and(|next| !next.state.is(State::STALE)))
    }

    /// The header of frames to a next hop; `None` where its device is none of Ethernet.
    fn towards(&mut self, to: SocketAddr, next: &NextHop) -> io::Result<Option<Hop>> {
        let there = self.ports.iter().position(|port| port.device == next.device);
        let port = match there {
            Some(port) => port,
            None => {
                let Some(port) = Port::open(next.device)? else { return Ok(None) };
                self.ports.push(port);
                self.ports.len() - 1
            }
        };
        let Some(Port { mac, .. }) = self.ports.get(port) else { return Ok(None) };
        let ethertype = if to.is_ipv6() { EtherType::IPV6 } else { EtherType::IPV4 };
        let header = ethernet::Header { destination: next.mac, source: *mac, ethertype };
        Ok(Some(Hop { port, header: header.to_bytes() }))
    }
}

impl Port {
    fn open(device: u32) -> io::Result<Option<Self>> {
        let is_it =
            |link: &LinkAddr| u32::try_from(link.ifindex()) == Ok(device) && link.hatype() == ARPHRD_ETHER;
        let mut links = getifaddrs()?.filter_map(|entry| entry.address?.as_link_addr().copied());
        let Some(link) = links.find(is_it) else { return Ok(None) };
        let Some(mac) = link.addr() else { return Ok(None) };
        // Of no protocol: it receives nothing.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        udp::buffers(&socket);
        bind(socket.as_raw_fd(), &link)?;
        Ok(Some(Self { device, mac: MacAddr(mac), socket }))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let devices: Vec<_> = self.ports.iter().map(|port| port.device).collect();
        f.debug_struct("Link").field("devices", &devices).finish_non_exhaustive()
    }
}

/// States in which a MAC address is good for something.
const USABLE: State = State(
    State::REACHABLE.0
        | State::STALE.0
        | State::DELAY.0
        | State::PROBE.0
        | State::NOARP.0
        | State::PERMANENT.0,
);

/// How long an answer of the kernel's holds, and how long it holds that it has none: it asks others meanwhile.
const KNOWN: Duration = Duration::from_secs(1);
const UNKNOWN: Duration = Duration::from_millis(100);

/// Addresses that are kept.
const WAYS: usize = 4_096;

/// include/uapi/linux/if_arp.h
const ARPHRD_ETHER: u16 = 1;
