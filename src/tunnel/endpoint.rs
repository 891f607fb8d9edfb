//! Endpoints: settings proven once, then packets in and out.

use core::{net::IpAddr, ops::RangeInclusive};

use super::{
    Anomalies, ConfigError, DontFragment, EncapError, EncapMeta, Framing, InnerChecksum, OuterDscp,
    OuterFlowLabel, Payload, Policy, Protocol, Remote, Ttl, UdpChecksum, ecn,
    entropy::Keys,
    inner::Peek,
    outer::{Flow, MAX_LEN, Outer},
    protocol::OverUdp,
};
use crate::{
    packet::{self, Header, Packet},
    wire::{IpProtocol, ethernet},
};

/// One end of tunnels of protocol `P`: [`vxlan::Endpoint`](super::vxlan::Endpoint),
/// [`geneve::Endpoint`](super::geneve::Endpoint), [`gre::Endpoint`](super::gre::Endpoint),
/// [`nvgre::Endpoint`](super::nvgre::Endpoint), [`ip_udp::Endpoint`](super::ip_udp::Endpoint).
///
/// Holds settings only; one endpoint can be shared by all threads.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint<P> {
    pub(crate) outer: Outer,
    pub(crate) policy: Policy,
    /// What the policy refuses, worked out ahead.
    pub(crate) fatal: Anomalies,
    pub(crate) protocol: P,
    headroom: u16,
    tunnel_len: u8,
}

impl<P: Protocol> Endpoint<P> {
    /// Puts the outer headers before `packet`, into its headroom.
    ///
    /// # Errors
    ///
    /// [`EncapError`]; the packet is left as it was.
    #[inline]
    pub fn encap(&self, packet: &mut Packet<'_>, remote: &Remote) -> Result<(), EncapError> {
        self.encap_with(packet, remote, &EncapMeta::new())
    }

    /// Puts the outer headers before `packet`, into its headroom, with what the caller knows of it.
    ///
    /// # Errors
    ///
    /// [`EncapError`]; the packet is left as it was.
    #[inline]
    pub fn encap_with(
        &self,
        packet: &mut Packet<'_>,
        remote: &Remote,
        meta: &EncapMeta,
    ) -> Result<(), EncapError> {
        let need = remote.header.len();
        let missing = packet::Error::Headroom { need, have: packet.headroom() };
        let (room, inner) = packet.split_headroom(need).ok_or(missing)?;
        let peek = self.check(inner, remote, meta)?;
        self.write(room, inner, &peek, remote, meta);
        packet.grow_front(need);
        Ok(())
    }

    /// The outer headers of `packet` as a value, to be sent as `[header, packet]`.
    ///
    /// # Errors
    ///
    /// [`EncapError`].
    #[inline]
    pub fn header(&self, packet: &[u8], remote: &Remote, meta: &EncapMeta) -> Result<Header, EncapError> {
        let peek = self.check(packet, remote, meta)?;
        let mut header = remote.header;
        self.write(header.as_mut_slice(), packet, &peek, remote, meta);
        Ok(header)
    }

    /// Encapsulates a burst: each packet with the remote and the knowledge that stand at its place in
    /// `plan`, and what came of it at its place in `results`. Returns how many were handled: as many as the
    /// shortest of the three slices has.
    pub fn encap_batch(
        &self,
        packets: &mut [Packet<'_>],
        plan: &[(&Remote, EncapMeta)],
        results: &mut [Result<(), EncapError>],
    ) -> usize {
        let mut done = 0;
        for ((packet, (remote, meta)), result) in packets.iter_mut().zip(plan).zip(results) {
            *result = self.encap_with(packet, remote, meta);
            done += 1;
        }
        done
    }

    /// Everything that can stand against encapsulation, but headroom.
    #[inline(always)]
    fn check(&self, packet: &[u8], remote: &Remote, meta: &EncapMeta) -> Result<Peek, EncapError> {
        let payload = self.protocol.payload();
        let peek = Peek::new(payload, packet)
            .map_err(|truncated| EncapError::InnerTruncated { need: truncated.need, have: truncated.have })?;
        if payload == Payload::Ip && peek.version.is_none() {
            return Err(EncapError::InnerNotIp);
        }
        if packet.len() > remote.max_inner() {
            return Err(EncapError::TooLong { len: packet.len(), max: remote.max_inner() });
        }
        if let InnerChecksum::Partial { start, offset } = meta.inner_checksum {
            let at = usize::from(start).saturating_add(offset.into());
            if at.saturating_add(2) > packet.len() {
                return Err(EncapError::PartialChecksum { at, len: packet.len() });
            }
        }
        self.protocol.check(&peek, meta)?;
        Ok(peek)
    }

    /// Writes the outer headers of `packet`, which was checked, over all of `room`.
    #[inline(always)]
    fn write(&self, room: &mut [u8], packet: &[u8], peek: &Peek, remote: &Remote, meta: &EncapMeta) {
        let hash = match meta.hash {
            Some(hash) => hash,
            None if P::NEEDS_HASH || self.outer.needs_hash() => self.outer.keys.flow(packet, peek),
            None => 0,
        };
        let flow = Flow { packet, peek, meta, hash };
        copy_header(room, &remote.header);
        self.protocol.patch(room.get_mut(remote.tunnel.into()..).unwrap_or_default(), &flow);
        self.outer.patch(remote, room, &flow);
    }

    /// Bytes that encapsulation puts before a packet, options that a remote adds not counted.
    pub const fn overhead(&self) -> usize {
        self.outer.link_len() + self.outer.written_network_len() + self.tunnel_len as usize
    }

    /// Bytes that a buffer should have before a packet: those of the headers, or what [`Builder::headroom`] asked for
    /// if that is more. Options that a remote adds ([`Remote::overhead`]) are not counted.
    pub const fn headroom(&self) -> usize {
        self.headroom as usize
    }

    /// The MTU that the tunnel offers over an underlay of this MTU: the longest inner IP packet without
    /// VLAN tags, in bytes. Headers that a socket writes are counted, options that a remote adds are not.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Mtu`] where it is more than an IP packet can have, or nothing is left.
    pub fn inner_mtu(&self, underlay_mtu: usize) -> Result<usize, ConfigError> {
        let inner_link = match self.protocol.payload() {
            Payload::Ethernet => ethernet::Header::LEN,
            Payload::Ip => 0,
        };
        let overhead = self.outer.network_len() + self.tunnel_len as usize + inner_link;
        if underlay_mtu > MAX_LEN || underlay_mtu <= overhead {
            return Err(ConfigError::Mtu { mtu: underlay_mtu, overhead, max: MAX_LEN });
        }
        Ok(underlay_mtu - overhead)
    }

    /// Bytes of IP and tunnel headers between the underlay's MTU and the tunnel's payload.
    pub(crate) const fn network_overhead(&self) -> usize {
        self.outer.network_len() + self.tunnel_len as usize
    }

    /// A number that all packets of a flow have; `None` where the packet's headers are cut off.
    pub(crate) fn flow_hash(&self, packet: &[u8]) -> Option<u32> {
        let peek = Peek::new(self.protocol.payload(), packet).ok()?;
        Some(self.outer.keys.flow(packet, &peek))
    }

    /// The endpoint's own address.
    pub const fn local(&self) -> IpAddr {
        self.outer.local
    }

    /// UDP port that the endpoint listens on and sends to; zero for tunnels that are not over UDP.
    pub const fn port(&self) -> u16 {
        self.outer.port
    }
}

/// Settings of an endpoint of protocol `P`, to be proven by [`build`](Self::build).
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until `build` makes an endpoint of them"]
pub struct Builder<P> {
    local: IpAddr,
    framing: Framing,
    ttl: Ttl,
    dscp: OuterDscp,
    ecn: ecn::Mode,
    dont_fragment: Option<DontFragment>,
    flow_label: Option<OuterFlowLabel>,
    udp_checksum: Option<UdpChecksum>,
    source_ports: (u16, u16),
    port: u16,
    mtu: usize,
    headroom: usize,
    seed: u64,
    policy: Policy,
    pub(crate) protocol: P,
}

impl<P: Protocol> Builder<P> {
    /// Settings of a tunnel directly over IP.
    pub(crate) const fn over_ip(local: IpAddr, protocol: P) -> Self {
        Self {
            local,
            framing: Framing::Ip,
            ttl: Ttl::Auto,
            dscp: OuterDscp::Fixed(crate::wire::Dscp::truncate(0)),
            ecn: ecn::Mode::Normal,
            dont_fragment: None,
            flow_label: None,
            udp_checksum: None,
            source_ports: EPHEMERAL,
            port: 0,
            mtu: MAX_LEN,
            headroom: 0,
            seed: 0,
            policy: Policy::RFC,
            protocol,
        }
    }

    /// Settings of a tunnel over UDP.
    pub(crate) const fn over_udp(local: IpAddr, port: u16, protocol: P) -> Self {
        Self { port, ..Self::over_ip(local, protocol) }
    }

    /// The outer headers that are ours to write and to read. IP by default.
    pub const fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// TTL or hop limit of outer packets. By default 64, and 1 to multicast remotes.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// DSCP of outer packets. Zero by default.
    pub fn dscp(mut self, dscp: impl Into<OuterDscp>) -> Self {
        self.dscp = dscp.into();
        self
    }

    /// ECN of outer packets. RFC 6040's normal mode by default.
    pub const fn ecn(mut self, mode: ecn::Mode) -> Self {
        self.ecn = mode;
        self
    }

    /// DF of outer IPv4 packets. Set by default.
    pub const fn dont_fragment(mut self, dont_fragment: DontFragment) -> Self {
        self.dont_fragment = Some(dont_fragment);
        self
    }

    /// Flow label of outer IPv6 packets. Zero by default.
    pub const fn flow_label(mut self, flow_label: OuterFlowLabel) -> Self {
        self.flow_label = Some(flow_label);
        self
    }

    /// MTU of the underlay in bytes: longer outer packets are refused. By default 65,535, the longest IP
    /// packet.
    pub const fn mtu(mut self, mtu: usize) -> Self {
        self.mtu = mtu;
        self
    }

    /// Headroom that the caller's buffers are to have, in bytes, where it wants more than the headers need:
    /// for [`Endpoint::headroom`].
    pub const fn headroom(mut self, headroom: usize) -> Self {
        self.headroom = headroom;
        self
    }

    /// Seed of the flow hash. A fixed number by default: give a random one, so that nobody can foresee which
    /// way a flow takes.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What is refused on receipt. [`Policy::RFC`] by default.
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The endpoint with these settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where settings cannot work, or not with each other.
    pub fn build(self) -> Result<Endpoint<P>, ConfigError> {
        let local = self.local;
        if self.framing != Framing::Payload && !is_unicast(local) {
            return Err(ConfigError::LocalNotUnicast(local));
        }
        if self.flow_label.is_some() && local.is_ipv4() {
            return Err(ConfigError::FlowLabelOnIpv4(local));
        }
        if self.dont_fragment.is_some() && local.is_ipv6() {
            return Err(ConfigError::DontFragmentOnIpv6(local));
        }
        let (min, max) = self.source_ports;
        if min == 0 || min > max {
            return Err(ConfigError::SourcePorts { min, max });
        }
        if P::PROTOCOL == IpProtocol::UDP && self.port == 0 {
            return Err(ConfigError::PortZero);
        }
        if self.ttl == Ttl::Fixed(0) {
            return Err(ConfigError::TtlZero);
        }
        self.protocol.validate()?;
        let tunnel_len = self.protocol.header_len();
        let dont_fragment = self.dont_fragment.unwrap_or_default();
        let outer = Outer {
            local,
            framing: self.framing,
            protocol: P::PROTOCOL,
            ttl: self.ttl,
            dscp: self.dscp,
            ecn: self.ecn,
            dont_fragment,
            flow_label: self.flow_label.unwrap_or_default(),
            udp_checksum: self.udp_checksum.unwrap_or(match local {
                IpAddr::V4(_) => UdpChecksum::Zero,
                IpAddr::V6(_) => UdpChecksum::Full,
            }),
            source_ports: self.source_ports,
            port: self.port,
            mtu: u16::try_from(self.mtu).unwrap_or(0),
            keys: Keys::new(self.seed),
            varies: self.ttl == Ttl::Inherit
                || self.dscp == OuterDscp::Inherit
                || self.flow_label == Some(OuterFlowLabel::FromHash)
                || local.is_ipv4() && dont_fragment != DontFragment::Set,
        };
        let endpoint = Endpoint {
            outer,
            policy: self.policy,
            fatal: self.policy.fatal(),
            protocol: self.protocol,
            headroom: 0,
            tunnel_len: tunnel_len as u8,
        };
        endpoint.inner_mtu(self.mtu)?;
        let overhead = endpoint.overhead();
        let headroom = self.headroom.max(overhead);
        let too_large = ConfigError::Headroom { headroom, overhead, max: MAX_LEN };
        Ok(Endpoint { headroom: u16::try_from(headroom).map_err(|_| too_large)?, ..endpoint })
    }
}

impl<P: OverUdp> Builder<P> {
    /// UDP port to listen on and to send to.
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The range of source ports that flows are spread over, both ends included. By default 49152 to 65535
    /// (RFC 7348, section 5).
    pub fn source_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.source_ports = ports.into_inner();
        self
    }

    /// Checksum of outer UDP headers. By default none over IPv4, a full one over IPv6.
    pub const fn udp_checksum(mut self, udp_checksum: UdpChecksum) -> Self {
        self.udp_checksum = Some(udp_checksum);
        self
    }
}

/// Whether the address is one that a host can have and send from.
const fn is_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}

/// Copies a remote's header over all of `room`, which is as long: two fixed copies that may overlap serve
/// every length up to twice theirs, and no call is made for them.
#[inline(always)]
fn copy_header(room: &mut [u8], header: &[u8]) {
    copy_halves::<32>(room, header);
}

#[inline(always)]
fn copy_halves<const N: usize>(room: &mut [u8], header: &[u8]) {
    if (N..=2 * N).contains(&room.len()) {
        if let (Some(to), Some(from)) = (room.first_chunk_mut::<N>(), header.first_chunk()) {
            *to = *from;
        }
        if let (Some(to), Some(from)) = (room.last_chunk_mut::<N>(), header.last_chunk()) {
            *to = *from;
        }
    } else {
        for (to, from) in room.iter_mut().zip(header) {
            *to = *from;
        }
    }
}

/// RFC 6335, section 6: the dynamic ports.
const EPHEMERAL: (u16, u16) = (49152, 65535);
