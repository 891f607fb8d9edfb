//! The tunnel: an endpoint with one remote, and what must be remembered from packet to packet.

use core::{net::IpAddr, time::Duration};

use super::{
    Config, Counters, Endpoint, InputKey, Selector, SequenceFilter,
    prove::TunnelRules,
    reports::{Failures, Learned},
};
use crate::{
    time::Instant,
    tunnel::{ConfigError, Payload, Remote},
    wire::{ethernet, icmpv4, icmpv6, ipv6},
};

/// A GRE tunnel between two hosts, as `ip tunnel add` makes one; or, where the remote is the unspecified address,
/// between one host and any others, each packet going to a [`next_hop`](Self::next_hop) of its own.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use encap::{Packet, time::Instant, tunnel::gre::{Received, Tunnel}, wire::gre::Key};
///
/// let (a, b) = ("192.0.2.1".parse()?, "192.0.2.2".parse()?);
/// let (one, two) = (Key(0x111111), Key(0x222222));
/// // Without an MTU all that fits into an IP packet is sent, and lost where the link takes less.
/// let mut here = Tunnel::new(a, b).ikey(one).okey(two).csum(true).seq(true).ttl(255).mtu(1_500).build()?;
/// let mut there = Tunnel::new(b, a).ikey(two).okey(one).csum(true).seq(true).ttl(255).mtu(1_500).build()?;
///
/// let mut buffer = [0x45; 128];
/// let mut packet = Packet::new(&mut buffer, here.headroom(), 20)?;
/// here.encap(&mut packet)?;
/// let now = Instant::from_secs(1); // of the caller's clock
/// match there.decap(now, &mut packet)? {
///     Received::Packet(inner) => assert_eq!(inner.encapsulation.sequence(), Some(0)),
///     Received::KeepaliveRequest { .. } => {} // the packet is the answer now: send it
///     _ => {}                          // there.last_received() says that the remote lives
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Packets that are too long
///
/// [`encap`](Self::encap) refuses them as [`EncapError::TooLong`](crate::tunnel::EncapError::TooLong) and leaves them
/// as they were, so that the sender can be told, with [`tunnel::icmp`](crate::tunnel::icmp):
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::net::Ipv4Addr;
/// # use encap::{Packet, tunnel::{EncapError, gre::Tunnel, icmp}};
/// # let mut tunnel = Tunnel::new("192.0.2.1".parse()?, "192.0.2.2".parse()?).mtu(600).build()?;
/// # let mut buffer = [0; 1100];
/// # buffer[100..120].copy_from_slice(&[
/// #     0x45, 0, 3, 232, 0, 1, 0x40, 0, 64, 17, 0x23, 0, 10, 1, 0, 1, 10, 1, 0, 2,
/// # ]);
/// # let mut packet = Packet::new(&mut buffer, 100, 1000)?;
/// # let router = Ipv4Addr::new(10, 1, 0, 254);
/// if let Err(EncapError::TooLong { .. }) = tunnel.encap(&mut packet) {
///     // It was IPv4, so it is now a packet to its sender. For IPv6: `report_ipv6` and `packet_too_big`.
///     icmp::report_ipv4(&mut packet, tunnel.fragmentation_needed(), router, 64)?;
/// }
/// # assert_eq!(packet.len(), 576);
/// # Ok(())
/// # }
/// ```
///
/// A tunnel whose outer packets have DF refuses every packet that is too long. An IPv4 packet without DF should be
/// fragmented before it goes in.
///
/// What routers say of the path is for [`handle_icmp`](Self::handle_icmp). The MTU follows from that until
/// [`handle_timeout`](Self::handle_timeout) is called at [`poll_timeout`](Self::poll_timeout), ten minutes later by
/// default.
#[derive(Clone, Copy, Debug)]
pub struct Tunnel {
    pub(super) endpoint: Endpoint,
    pub(super) address: IpAddr,
    /// The outer headers; of a tunnel to any remote there are none.
    pub(super) remote: Option<Remote>,
    pub(super) rules: TunnelRules,
    /// The longest packet that fits into the underlay's MTU.
    pub(super) max_inner: u16,
    /// What is remembered where an ICMP error told that.
    pub(super) learned_mtu: Option<Learned>,
    pub(super) mtu_expires: Option<Duration>,
    /// Number of the next packet.
    pub(super) sequence: u32,
    /// IPv4 identification of the next packet without DF.
    pub(super) identification: u16,
    pub(super) filter: SequenceFilter,
    pub(super) last_received: Option<Instant>,
    pub(super) failures: Failures,
    pub(super) counters: Counters,
}

impl Tunnel {
    /// The settings of a tunnel from `local` to `remote` that carries IP packets, without key, checksum and sequence
    /// numbers.
    #[expect(clippy::new_ret_no_self, reason = "a tunnel is made by `build`, once its settings are proven")]
    pub const fn new(local: IpAddr, remote: IpAddr) -> Config {
        Config::new(local, remote)
    }

    pub(super) fn of(
        endpoint: Endpoint,
        address: IpAddr,
        rules: TunnelRules,
        filter: SequenceFilter,
    ) -> Result<Self, ConfigError> {
        let remote = if address.is_unspecified() { None } else { Some(endpoint.remote(address)?) };
        let identification = first_identification(&endpoint, address);
        Ok(Self {
            endpoint,
            address,
            remote,
            rules,
            max_inner: 0,
            learned_mtu: None,
            mtu_expires: None,
            sequence: 0,
            identification,
            filter,
            last_received: None,
            failures: Failures::default(),
            counters: Counters::default(),
        })
    }
}

/// What the tunnel is, and what it remembers.
impl Tunnel {
    /// Our own address.
    pub const fn local(&self) -> IpAddr {
        self.endpoint.local()
    }

    /// Address of the other end, unspecified for any.
    pub const fn remote(&self) -> IpAddr {
        self.address
    }

    /// Bytes that encapsulation puts before a packet: eight more before one that brings an
    /// [encapsulation limit](Config::encap_limit) into a tunnel over IPv6 without one.
    pub const fn overhead(&self) -> usize {
        self.endpoint.overhead()
    }

    /// Bytes that a buffer should have before a packet.
    pub const fn headroom(&self) -> usize {
        self.endpoint.headroom().saturating_add(self.limit_len())
    }

    /// The longest inner IP packet, without VLAN tags, that fits into the underlay's MTU. One that brings an
    /// encapsulation limit into a tunnel over IPv6 without one must be eight bytes shorter:
    /// [`EncapError::TooLong`](crate::tunnel::EncapError::TooLong) says what fits.
    pub const fn mtu(&self) -> usize {
        let link = match self.rules.payload {
            Payload::Ethernet => ethernet::Header::LEN,
            Payload::Ip => 0,
        };
        (self.max_inner as usize).saturating_sub(link)
    }

    /// From now on the underlay has this MTU; what an ICMP error told is forgotten. Nothing else changes.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Mtu`] where it is more than an IP packet can have, or nothing is left; the MTU stays as it was.
    pub fn set_mtu(&mut self, underlay_mtu: usize) -> Result<(), ConfigError> {
        self.endpoint.inner_mtu(underlay_mtu)?;
        let overhead = self.endpoint.network_overhead();
        self.max_inner = u16::try_from(underlay_mtu.saturating_sub(overhead)).unwrap_or(u16::MAX);
        self.learned_mtu = None;
        Ok(())
    }

    pub(super) const fn underlay_mtu(&self) -> usize {
        (self.max_inner as usize).saturating_add(self.endpoint.network_overhead())
    }

    /// What the sender of an IPv4 packet that is too long is to be told.
    pub const fn fragmentation_needed(&self) -> icmpv4::Problem {
        icmpv4::Problem::FragmentationNeeded { mtu: self.mtu() as u16 }
    }

    /// What the sender of an IPv6 packet that is too long is to be told: never less than 1280 bytes, which every path
    /// must carry (RFC 8200, section 5). A path MTU discovery that leaves less makes the tunnel useless for IPv6 (RFC
    /// 7676, section 3.1). For packets that must be shorter than the [`mtu`](Self::mtu), make it of what the error
    /// says.
    pub const fn packet_too_big(&self) -> icmpv6::Problem {
        let (mtu, least) = (self.mtu() as u32, ipv6::MIN_MTU as u32);
        icmpv6::Problem::PacketTooBig { mtu: if mtu < least { least } else { mtu } }
    }

    /// The sequence number of the next packet that is sent.
    pub const fn next_sequence(&self) -> u32 {
        self.sequence
    }

    /// What is remembered of received sequence numbers.
    pub const fn sequence_filter(&mut self) -> &mut SequenceFilter {
        &mut self.filter
    }

    /// When a packet or keepalive of the remote's was last taken.
    pub const fn last_received(&self) -> Option<Instant> {
        self.last_received
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What tells this tunnel from others, for [`Tunnels`](super::Tunnels), `id` being the caller's name for it.
    pub const fn selector(&self, id: u32) -> Selector {
        let selector = Selector::new(id, self.rules.payload, self.local(), self.remote());
        match self.rules.ikey {
            Some(key) => selector.key(InputKey::Key(key)),
            None => selector,
        }
    }
}

/// The IPv4 identification that a tunnel begins with. Two between the same hosts must not count in step: addresses,
/// protocol and this are all that tells the fragments of one packet from those of another (RFC 791, section 3.2).
fn first_identification(endpoint: &Endpoint, remote: IpAddr) -> u16 {
    let IpAddr::V4(remote) = remote else { return 0 };
    let keys = endpoint.outer.keys;
    (keys.bytes(&endpoint.protocol.header().to_bytes()) ^ keys.bytes(&remote.octets())) as u16
}
