//! flannel's `udp` backend: IP packets in UDP, routed by prefix, between a TUN device and a socket.
//!
//! A packet that a local host sends goes to the peer that has the longest prefix of its destination; its TTL goes down
//! by one, once. What cannot be forwarded is answered by ICMP in its place: no route, or one to a peer of a family in
//! which we have no address, TTL exceeded, too long. (flannel itself takes the first prefix that fits, counts the TTL
//! twice and forwards a TTL of 0, quotes beyond the packet's end, passes on what was cut off, asks nobody who he is,
//! forwards what no router may, and knows no IPv6.)
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use encap::{
//!     Packet,
//!     table::{Capacity, Line, NextHop},
//!     time::Instant,
//!     vtep::{Worker, ip_udp::{Backend, Config, Output}},
//! };
//!
//! const CAPACITY: Capacity = Capacity { routes: 64, ..Capacity::NONE };
//! static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
//! let config = Config::new().local("192.0.2.1".parse()?).address("10.5.1.0".parse()?);
//! let backend = Backend::new(&LINES, config, CAPACITY, [1, 2])?;
//! let peer = NextHop::Peer { address: "192.0.2.2".parse()?, port: 8285 };
//! backend.routes().add("10.5.2.0/24".parse()?, peer)?;
//!
//! # let datagram: [u8; 28] = [
//! #     0x45, 0, 0, 28, 0, 1, 0x40, 0, 64, 17, 0x23, 0xb5, 10, 5, 1, 9, 10, 5, 2, 9, 3, 0xe8, 7, 0xd0, 0, 8, 0, 0,
//! # ];
//! let mut buffer = [0; 128];
//! buffer[64..92].copy_from_slice(&datagram); // from 10.5.1.9 to 10.5.2.9
//! let mut packet = Packet::new(&mut buffer, 64, 28)?;
//! let output = backend.handle_ip(&mut Worker::new(1), Instant::ZERO, &mut packet);
//! assert_eq!(output, Output::Send { address: "192.0.2.2".parse()?, port: 8285 });
//! assert_eq!(packet.as_slice()[8], 63);
//! # Ok(())
//! # }
//! ```

mod trouble;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use self::trouble::Trouble;
use super::{
    ConfigError, DropReason, Worker,
    forwarding::Ip,
    report::{Answer, TTL},
    underlay::is_ipv6,
};
use crate::{
    packet::Packet,
    table::{Capacity, Line, NextHop, Routes, Settings, Tables},
    time::Instant,
    tunnel::{self, DecapMeta, EncapMeta, Framing, ip_udp},
    wire::{MacAddr, icmp_error, is_unicast, rewrite},
};

/// Settings of a [`Backend`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Config {
    /// Our address in an IPv4 underlay; unspecified, 0.0.0.0, as [that of a VTEP](super::Config::local): then no packet
    /// is known as our own.
    pub local: Option<Ipv4Addr>,
    /// Our address in an IPv6 underlay, or `::`, as `local`.
    pub local6: Option<Ipv6Addr>,
    /// Our address in the overlay, which ICMP errors come from. Without one nobody is told: what cannot be forwarded is
    /// dropped, [counted](super::Counters) and no more. Where that is an address of a TUN device, Linux takes
    /// the errors from the device only if its `accept_local` is set.
    pub address: Option<Ipv4Addr>,
    /// Our IPv6 address in the overlay, which ICMPv6 errors come from; as `address`.
    pub address6: Option<Ipv6Addr>,
    /// UDP port that we listen on and send from. Default: 8285.
    pub port: u16,
    /// The outer headers that are ours. Default: none, for a UDP socket. With Ethernet's, one next hop is for all
    /// peers: nobody here asks who has an address.
    pub framing: Framing,
    /// MTU of the underlay in bytes. Default: 1,500.
    pub mtu: u16,
    /// ICMP errors per second. Default: 1,000.
    pub icmp_rate: u32,
    /// Whether a packet is taken only from the peer to which the route of its source leads; one of which nobody says
    /// who sent it is not. Default: yes; flannel takes it from anybody.
    pub check_source: bool,
}

impl Config {
    /// The defaults, with no address yet.
    pub const fn new() -> Self {
        Self {
            local: None,
            local6: None,
            address: None,
            address6: None,
            port: ip_udp::PORT,
            framing: Framing::Payload,
            mtu: 1_500,
            icmp_rate: 1_000,
            check_source: true,
        }
    }

    /// Sets our address in the underlay; one of each family is possible.
    #[must_use]
    pub const fn local(mut self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.local = Some(address),
            IpAddr::V6(address) => self.local6 = Some(address),
        }
        self
    }

    /// Sets our address in the overlay; one of each family is possible.
    #[must_use]
    pub const fn address(mut self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.address = Some(address),
            IpAddr::V6(address) => self.address6 = Some(address),
        }
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// What to do with the packet now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum Output {
    /// It has its outer headers, as far as they are ours: send it to this peer.
    Send {
        /// The peer's address in the underlay.
        address: IpAddr,
        /// Its UDP port.
        port: u16,
    },
    /// It is an ICMP error now: give it back to where the packet came from.
    Reply,
    /// It is a packet for a local host.
    Deliver,
    /// It is no packet of ours.
    Pass,
    /// It is dropped.
    Drop(DropReason),
}

/// A node of flannel's `udp` backend. Shared by all cores; each has a [`Worker`] of its own.
#[derive(Debug)]
pub struct Backend<S> {
    tables: Tables<S>,
    config: Config,
    ipv4: Option<ip_udp::Endpoint>,
    ipv6: Option<ip_udp::Endpoint>,
}

impl<S: AsRef<[Line]>> Backend<S> {
    /// A node whose routes lie on `storage`, which must be new: all zeroes.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where settings cannot work, or not with each other, or the storage is too short or was used
    /// before.
    pub fn new(storage: S, config: Config, capacity: Capacity, seed: [u64; 2]) -> Result<Self, ConfigError> {
        let endpoint = |local: Option<IpAddr>| {
            local.map(|local| {
                let builder = ip_udp::Endpoint::new(local).port(config.port).framing(config.framing);
                builder.source_ports(config.port..=config.port).mtu(config.mtu.into()).build()
            })
        };
        let ipv4 = endpoint(config.local.map(IpAddr::V4)).transpose()?;
        let ipv6 = endpoint(config.local6.map(IpAddr::V6)).transpose()?;
        if ipv4.is_none() && ipv6.is_none() {
            return Err(ConfigError::NoLocal);
        }
        if matches!(config.framing, Framing::Ethernet(link) if link.next_hop == MacAddr::ZERO) {
            return Err(ConfigError::NoNextHop);
        }
        let addresses = [config.address.map(IpAddr::V4), config.address6.map(IpAddr::V6)];
        if let Some(address) = addresses.into_iter().flatten().find(|&address| !is_unicast(address)) {
            return Err(ConfigError::AddressNotUnicast(address));
        }
        let tables = Tables::with_settings(storage, capacity, Settings::default(), seed)?;
        Ok(Self { tables, config, ipv4, ipv6 })
    }

    /// Which peer has which prefix: [`NextHop::Peer`] with a port each, of a family in which we have an address, which
    /// is another one than the peer's. To a peer of the other family there is no way: as without a route, that is
    /// answered, but counted as [`DropReason::NoRemote`] where nobody may be told.
    pub fn routes(&self) -> Routes<'_> {
        self.tables.routes()
    }

    /// This is our address in the overlay from now on, which must be a host's; there is one of each family.
    pub fn set_address(&mut self, address: IpAddr) {
        self.config = self.config.address(address);
    }

    /// Bytes that a buffer should have before a packet: for outer headers, or for those of an ICMP error.
    pub fn headroom(&self) -> usize {
        let endpoints = self.ipv4.iter().chain(&self.ipv6).map(tunnel::Endpoint::headroom);
        endpoints.fold(icmp_error::IPV6_HEADERS, usize::max)
    }

    /// MTU of the TUN device, in bytes: the longest packet that gets to peers of either family.
    pub fn mtu(&self) -> usize {
        let mtu = usize::from(self.config.mtu);
        let endpoints = self.ipv4.iter().chain(&self.ipv6).map(|it| it.inner_mtu(mtu).unwrap_or(mtu));
        endpoints.fold(mtu, usize::min)
    }

    /// A packet that a local host sends.
    pub fn handle_ip(&self, worker: &mut Worker, now: Instant, packet: &mut Packet<'_>) -> Output {
        match self.forward(worker, now, packet) {
            Ok(output) => output,
            Err(reason) => {
                worker.counters.drop(reason);
                Output::Drop(reason)
            }
        }
    }

    /// A packet from the underlay. With [`Config::check_source`] it must be known who sent it: from outer headers that
    /// are ours, or where they are not, as with [`Framing::Payload`], from [`DecapMeta::outer`].
    pub fn handle_underlay(&self, worker: &mut Worker, meta: &DecapMeta, packet: &mut Packet<'_>) -> Output {
        let is_ipv6 = is_ipv6(meta, self.config.framing, self.ipv4.is_some(), packet.as_slice());
        let endpoint =
            is_ipv6.and_then(|is_ipv6| if is_ipv6 { self.ipv6.as_ref() } else { self.ipv4.as_ref() });
        let Some(endpoint) = endpoint else { return Output::Pass };
        match self.receive(endpoint, worker, meta, packet) {
            Ok(()) => Output::Deliver,
            Err(DropReason::Decap(_)) if endpoint.is_for_others(packet.as_slice(), meta) => Output::Pass,
            Err(reason) => {
                worker.counters.drop(reason);
                Output::Drop(reason)
            }
        }
    }

    fn receive(
        &self,
        endpoint: &ip_udp::Endpoint,
        worker: &mut Worker,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
    ) -> Result<(), DropReason> {
        let (inner, carried) = endpoint.checked(packet.as_slice(), meta)?;
        // Who sent it may have had less room than the packet needed.
        let ip = Ip::of(carried.bytes(packet.as_slice())).ok_or(DropReason::FrameTruncated)?;
        if self.config.check_source {
            let outer = inner.outer.ok_or(DropReason::UnknownSender)?;
            let route = self.tables.routes().lookup(ip.source).ok().flatten();
            let is_peers = route
                .is_some_and(|it| matches!(it.via, NextHop::Peer { address, .. } if address == outer.source));
            if !is_peers {
                return Err(DropReason::SourceElsewhere);
            }
        }
        carried.strip_from(packet);
        // What is behind the packet is none of it. All of it is there, so this cannot fail.
        let _ = packet.trim(ip.len);
        worker.counters.delivered(packet.len() as u64);
        Ok(())
    }

    fn forward(
        &self,
        worker: &mut Worker,
        now: Instant,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        let ip = Ip::of(packet.as_slice()).ok_or(DropReason::FrameTruncated)?;
        ip.check(packet.as_slice())?;
        let route = self.tables.routes().lookup(ip.destination).ok().flatten();
        let Some(NextHop::Peer { address, port }) = route.map(|route| route.via) else {
            return self.report(worker, now, ip, packet, Trouble::NoRoute);
        };
        let Some(endpoint) = (if address.is_ipv6() { &self.ipv6 } else { &self.ipv4 }) else {
            return self.report(worker, now, ip, packet, Trouble::NoRemote);
        };
        if ip.ttl <= 1 {
            return self.report(worker, now, ip, packet, Trouble::TtlExpired);
        }
        // We are the peer, or its own address is behind itself: the datagram would come here again.
        let local = endpoint.local();
        if address == local || ip.destination == address && ip.source == local {
            return Err(DropReason::Loop);
        }
        let remote = endpoint.remote_at(address, port).map_err(|_| DropReason::NoRemote)?;
        if ip.len > remote.max_inner() {
            let mtu = remote.max_inner() as u16;
            // Below the least MTU that a host heeds nobody is told.
            let may_tell = ip.dont_fragment && mtu >= ip.least_mtu;
            return if may_tell {
                self.report(worker, now, ip, packet, Trouble::TooBig(mtu))
            } else {
                Err(DropReason::TooBig)
            };
        }
        if packet.headroom() < remote.overhead() {
            return Err(DropReason::NoHeadroom);
        }
        // What is behind the packet is none of it.
        let truncated = |_| DropReason::FrameTruncated;
        packet.trim(ip.len).map_err(truncated)?;
        rewrite::decrement_ttl(packet.as_mut_slice()).map_err(|_| DropReason::FrameTruncated)?;
        let len = packet.len() as u64;
        let mut meta = EncapMeta::new();
        meta.identification = Some(worker.next_identification());
        endpoint.encap_with(packet, &remote, &meta).map_err(super::send::reason)?;
        worker.counters.sent(1, len);
        Ok(Output::Send { address, port })
    }

    /// Makes the packet the ICMP error about itself, if there may be one.
    fn report(
        &self,
        worker: &mut Worker,
        now: Instant,
        Ip { source, len, .. }: Ip,
        packet: &mut Packet<'_>,
        trouble: Trouble,
    ) -> Result<Output, DropReason> {
        let silent = trouble.reason();
        let ip = packet.as_slice().get(..len).unwrap_or_default();
        let answer = match (source.is_ipv6(), self.config.address, self.config.address6) {
            (false, Some(source), _) => Answer::v4(ip, trouble.ipv4(), source, TTL),
            (true, _, Some(source)) => Answer::v6(ip, trouble.ipv6(), source, TTL),
            _ => None,
        };
        let answer = answer.ok_or(silent)?;
        answer.allow(worker, now, self.config.icmp_rate, packet.headroom())?;
        answer.put(packet)?;
        Ok(Output::Reply)
    }
}

#[cfg(feature = "alloc")]
impl Backend<alloc::boxed::Box<[Line]>> {
    /// A node whose routes lie on storage of their own.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_capacity(config: Config, capacity: Capacity, seed: [u64; 2]) -> Result<Self, ConfigError> {
        Self::new(capacity.storage()?, config, capacity, seed)
    }
}
