//! A VTEP: frames in, packets out, and back; one decision each.
//!
//! A [`Vtep`] is shared by all cores; each has a [`Worker`] of its own. It has no sockets and no clock: the caller
//! hands in frames and packets with the time, and does what the [`Output`] says. Bursts cost least; whoever handles
//! frames one by one keeps an [`Engine`]. [`Engine::handle_underlay`] has an example with a UDP socket.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use encap::{
//!     Packet,
//!     table::{Capacity, Line},
//!     time::Instant,
//!     vtep::{Config, Output, OverlayMeta, Vtep, Worker},
//!     wire::{MacAddr, Vni},
//! };
//!
//! const CAPACITY: Capacity = Capacity::fdb(1_024);
//! static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
//! let config = Config::new().local("192.0.2.1".parse()?);
//! let vtep = Vtep::new(&LINES, config, CAPACITY, [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210])?;
//!
//! // Whatever nobody knows goes to 192.0.2.2.
//! let (vni, now) = (Vni::truncate(42), Instant::ZERO);
//! let remote = vtep.remote("192.0.2.2".parse()?)?;
//! vtep.fdb().append(vni, MacAddr::ZERO, remote)?;
//!
//! let mut worker = Worker::new(1);
//! let mut buffer = [0xff; 256]; // a broadcast frame of 100 bytes, behind 100 bytes of room
//! let mut packet = Packet::new(&mut buffer, 100, 100)?;
//! match vtep.handle_overlay(&mut worker, now, &OverlayMeta::new(vni), &mut packet) {
//!     Output::Send { remote: to, .. } => assert_eq!((to, packet.len()), (remote, 36 + 100)),
//!     other => panic!("{other:?}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The main loop
//!
//! Tables need a sweep now and then, from one thread, whichever: it gives back the room of what has expired. Nobody
//! but the caller has a clock, so nobody else can see to it. A sweep must end within 20 ageing times after the one
//! before began. Otherwise stamps cannot be told apart any more, at the latest after 40: then nothing is learned, and
//! all that was counts as expired, until one does.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use encap::{table::{Capacity, Line}, time::Instant, vtep::{Config, Vtep, Worker}};
//! # const CAPACITY: Capacity = Capacity { vni_counters: true, ..Capacity::fdb(1_024) };
//! # static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
//! # let config = Config::new().local("192.0.2.1".parse()?);
//! # let vtep = Vtep::new(&LINES, config, CAPACITY, [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210])?;
//! # let mut rounds = 3;
//! # let mut stopped = || { rounds -= 1; rounds < 0 };
//! let start = std::time::Instant::now();
//! let clock = || Instant::ZERO.saturating_add(start.elapsed());
//! // Registered only because it counts by VNI.
//! let id = vtep.register()?;
//! let mut events = [None; 64];
//! let mut worker = Worker::new(1).counting_as(&id).with_events(&mut events);
//! while !stopped() {
//!     // Wait for frames and packets, but not for longer than this; then handle those that are there.
//!     let _wait = vtep.poll_timeout(clock()).saturating_since(clock());
//!     // vtep.handle_overlay_batch(&mut worker, clock(), ...), vtep.handle_underlay_batch(...)
//!
//!     let now = clock();
//!     if vtep.poll_timeout(now) <= now {
//!         // Not all lines at once, which would keep the next burst waiting.
//!         let _ = vtep.handle_timeout(now, 1_000, |event| println!("{event:?}"));
//!     }
//!     while let Some(event) = worker.poll_event() {
//!         println!("{event:?}"); // what was learned, for a control plane
//!     }
//!     vtep.quiesce(&id); // by whoever is registered: what was removed makes room again
//! }
//! # Ok(())
//! # }
//! ```

mod access;
mod arp_proxy;
mod config;
mod config_check;
mod config_error;
mod counters;
mod drop_reason;
mod engine;
mod event;
mod forwarding;
mod gso;
mod icmp;
pub mod ip_udp;
mod l3;
mod learn;
mod log;
mod meta;
mod miss;
mod nd_proxy;
mod next_hop;
mod output;
mod overlay;
mod overlay_burst;
mod own;
mod pace;
mod rate;
mod remote_checksum;
mod replicas;
mod report;
mod send;
mod short_circuit;
mod straight;
mod too_big;
mod trunk;
mod underlay;
mod underlay_burst;
mod way;
mod worker;

pub use self::{
    config::{Accept, Config, Proxy, ShortCircuit, TooBig},
    config_error::ConfigError,
    counters::Counters,
    drop_reason::DropReason,
    engine::Engine,
    event::Event,
    gso::Gso,
    icmp::PathReport,
    meta::OverlayMeta,
    miss::Miss,
    output::{Flood, Output},
    replicas::{Replica, Replicas},
    worker::Worker,
};

use core::net::IpAddr;

use self::own::Own;
use crate::{
    packet::{Header, Packet},
    table::{self, Aged, Capacity, Epoch, Error, Line, Remote, RemoteId, Tables, WorkerId},
    time::Instant,
    tunnel::{self, DecapMeta, vxlan},
    wire::{MacAddr, ethernet, icmp_error, is_ipv4_mapped, vlan},
};

/// A VXLAN tunnel endpoint (RFC 7348) that serves many VNIs, over IPv4 and IPv6 at once.
#[derive(Debug)]
pub struct Vtep<S> {
    tables: Tables<S>,
    config: Config,
    ipv4: Option<vxlan::Endpoint>,
    ipv6: Option<vxlan::Endpoint>,
    own: Own,
}

impl<S: AsRef<[Line]>> Vtep<S> {
    /// A VTEP whose tables lie on `storage`, which must be new: all zeroes. The seed must be nobody else's guess.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where settings cannot work, or not with each other, or the storage is too short or was used
    /// before.
    pub fn new(storage: S, config: Config, capacity: Capacity, seed: [u64; 2]) -> Result<Self, ConfigError> {
        let [entropy, _] = seed;
        let endpoint =
            |local: Option<IpAddr>| local.map(|local| config.endpoint(local, !entropy)).transpose();
        let ipv4 = endpoint(config.local.map(IpAddr::V4))?;
        let ipv6 = endpoint(config.local6.map(IpAddr::V6))?;
        config.check(&capacity)?;
        let overhead = ipv4.iter().chain(&ipv6).map(tunnel::Endpoint::overhead).max();
        let needed = overhead.ok_or(ConfigError::NoLocal)?.saturating_add(tunnel::Remote::FACTS);
        let had = capacity.header as usize;
        if had < needed {
            return Err(ConfigError::Header { needed, had });
        }
        let tables = Tables::with_settings(storage, capacity, config.tables, seed)?;
        Ok(Self { tables, config, ipv4, ipv6, own: Own::of(&config) })
    }

    /// What handles frames and packets, to be kept by who does so one by one.
    pub fn engine(&self) -> Engine<'_> {
        Engine::new(self.tables.set(), &self.config, [self.ipv4.as_ref(), self.ipv6.as_ref()], &self.own)
    }

    /// A frame that a local host sends: see [`Engine::handle_overlay`].
    pub fn handle_overlay(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        packet: &mut Packet<'_>,
    ) -> Output {
        self.engine().handle_overlay(worker, now, meta, packet)
    }

    /// A burst of frames that local hosts send: see [`Engine::handle_overlay_batch`].
    pub fn handle_overlay_batch(
        &self,
        worker: &mut Worker,
        now: Instant,
        metas: &[OverlayMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        self.engine().handle_overlay_batch(worker, now, metas, packets, outputs)
    }

    /// A packet from the underlay: see [`Engine::handle_underlay`].
    pub fn handle_underlay(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &DecapMeta,
        packet: &mut Packet<'_>,
    ) -> Output {
        self.engine().handle_underlay(worker, now, meta, packet)
    }

    /// A burst of packets from the underlay: see [`Engine::handle_underlay_batch`].
    pub fn handle_underlay_batch(
        &self,
        worker: &mut Worker,
        now: Instant,
        metas: &[DecapMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        self.engine().handle_underlay_batch(worker, now, metas, packets, outputs)
    }

    /// An IP packet that is to be routed into a segment: see [`Engine::handle_ip`].
    pub fn handle_ip(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        packet: &mut Packet<'_>,
    ) -> Output {
        self.engine().handle_ip(worker, now, meta, packet)
    }

    /// A burst of IP packets that are to be routed: see [`Engine::handle_ip_batch`].
    pub fn handle_ip_batch(
        &self,
        worker: &mut Worker,
        now: Instant,
        metas: &[OverlayMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        self.engine().handle_ip_batch(worker, now, metas, packets, outputs)
    }

    /// An ICMP or ICMPv6 packet from the underlay, with its IP header: what it says of a remote, if it is about a
    /// packet of ours. Where that is the MTU of the way there, it holds for as long as
    /// [`mtu_expires`](crate::table::Settings::mtu_expires) says; [`handle_timeout`](Self::handle_timeout) then tells
    /// [`table::Event::MtuExpired`]. `ingress` is what it came in by, and tells link-local remotes apart by their
    /// [`egress`](Remote::egress).
    pub fn handle_underlay_icmp(&self, now: Instant, ingress: u32, packet: &[u8]) -> PathReport {
        self.engine().underlay_icmp(now, ingress, packet)
    }

    /// The frame that asks in the underlay who has `address`, for [`Output::Resolve`]: an ARP request, or a neighbour
    /// solicitation. `None` where outer Ethernet headers are not ours, or we have no address of that family.
    pub fn solicitation(&self, address: IpAddr) -> Option<Header> {
        self.engine().solicitation(address)
    }

    /// Notes the MAC address of a remote on the link or of a gateway, for who has other ways to find it out; answers
    /// whether it is either. `egress` tells link-local addresses apart.
    pub fn learn_next_hop(&self, address: IpAddr, egress: u32, mac: MacAddr) -> bool {
        self.engine().learn_next_hop(address, egress, mac)
    }

    /// The copies of a frame for [`Output::Replicate`]: see [`Engine::replicas`].
    pub fn replicas<'a, 'w>(
        &'a self,
        worker: &'a mut Worker<'w>,
        flood: &Flood,
        frame: &'a [u8],
    ) -> Replicas<'a, 'w> {
        self.engine().replicas(worker, flood, frame)
    }

    /// Goes on with the sweep of the tables for at most `budget` lines, and tells what expired; see [`Tables::age`].
    /// Call this when [`poll_timeout`](Self::poll_timeout) says so, with a budget of 1,000, say. A sweep must
    /// come around within 20 [ageing times](crate::table::Settings::ageing): without one, at the latest after 40,
    /// nothing is learned any more, and what was learned counts as expired. So it is with neighbours, by the
    /// time that they are [`reachable`](crate::table::Settings::reachable).
    pub fn handle_timeout(&self, now: Instant, budget: usize, each: impl FnMut(table::Event)) -> Aged {
        self.tables.age(now, budget, each)
    }

    /// When [`handle_timeout`](Self::handle_timeout) should be called next: at `now` while a sweep is under way.
    pub fn poll_timeout(&self, now: Instant) -> Instant {
        self.tables.next_sweep(now)
    }

    /// The remote at this address, with the configured port; added if it is not there. From then on frames from it are
    /// learned from, as they are from nobody else by default ([`learn_from`](crate::table::Settings::learn_from)).
    ///
    /// # Errors
    ///
    /// Those of [`add_remote`](Self::add_remote).
    pub fn remote(&self, address: IpAddr) -> Result<RemoteId, Error> {
        self.add_remote(&Remote::new(address, self.config.dstport))
    }

    /// This remote, with its outer headers; added if it is not there. Frames are learned from one with a VNI of its own
    /// in the segment of that VNI, and in those only whose unknown frames go to it, as one of the first 256 of a list
    /// or a group: what is sent to it is in that VNI there.
    ///
    /// # Errors
    ///
    /// Those of [`Remotes::add`](crate::table::Remotes::add) but [`Error::Exists`]; [`Error::NoLocal`] where we have no
    /// address in its family, [`Error::PortZero`] for port 0, [`Error::Scope`] for a link-local address without an
    /// egress, and for any other one from our own that is link-local.
    pub fn add_remote(&self, remote: &Remote) -> Result<RemoteId, Error> {
        // First, so that a remote to which there is no way is not left in the table.
        let outer = self.engine().outer(remote).ok_or_else(|| self.why_no_way(remote))?;
        let id = self.tables.remotes().find_or_add(remote)?;
        self.engine().keep(id, &outer);
        Ok(id)
    }

    fn why_no_way(&self, remote: &Remote) -> Error {
        match self.engine().endpoint(remote.address) {
            _ if is_ipv4_mapped(remote.address) => Error::Ipv4Mapped,
            None => Error::NoLocal,
            Some(_) if remote.port == 0 => Error::PortZero,
            Some(_) if !self.engine().is_in_scope(remote) => Error::Scope,
            Some(_) => Error::NotUnicast,
        }
    }

    /// Bytes that a buffer should have before a frame or an IP packet: for outer headers, or for those of the answer to
    /// one that is too long; with [`Config::l3`] for its Ethernet header, too.
    pub fn headroom(&self) -> usize {
        let outer = self.ipv4.iter().chain(&self.ipv6).map(tunnel::Endpoint::headroom).max().unwrap_or(0);
        // A trunk's frame may have no tag, and is answered as if it had one.
        let tag = if self.tables.capacity().vlans > 0 { vlan::Header::LEN } else { 0 };
        let answer = match self.config.too_big {
            TooBig::Drop => 0,
            TooBig::Tell | TooBig::Fragment => icmp_error::IPV6_HEADERS.saturating_add(tag),
        };
        let link = if self.config.l3 { ethernet::Header::LEN } else { 0 };
        outer.max(answer).saturating_add(link)
    }

    /// Registers a worker, which must then call [`quiesce`](Self::quiesce) once per burst; see [`Tables::register`].
    ///
    /// # Errors
    ///
    /// [`Error::Full`] where there are as many as [`Capacity::workers`] says.
    pub fn register(&self) -> Result<WorkerId, Error> {
        self.tables.register()
    }

    /// A registered worker holds no handle from before; see [`Tables::quiesce`].
    pub fn quiesce(&self, worker: &WorkerId) {
        self.tables.quiesce(worker);
    }

    /// Begins an epoch; see [`Tables::begin_epoch`].
    #[must_use]
    pub fn begin_epoch(&self) -> Epoch {
        self.tables.begin_epoch()
    }

    /// Whether every registered worker has passed a quiescent point since then; see [`Tables::has_passed`].
    pub fn has_passed(&self, epoch: Epoch) -> bool {
        self.tables.has_passed(epoch)
    }

    /// A registered worker is gone; see [`Tables::unregister`].
    pub fn unregister(&self, worker: WorkerId) {
        self.tables.unregister(worker);
    }
}

#[cfg(feature = "alloc")]
impl Vtep<alloc::boxed::Box<[Line]>> {
    /// A VTEP whose tables lie on storage of their own.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_capacity(config: Config, capacity: Capacity, seed: [u64; 2]) -> Result<Self, ConfigError> {
        Self::new(capacity.storage()?, config, capacity, seed)
    }
}
