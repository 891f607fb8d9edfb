//! Endpoints: settings proven once, then packets in and out.

use core::{
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
};

use super::{
    Anomalies, ConfigError, DontFragment, Framing, Link, OuterDscp, OuterFlowLabel, Payload, Policy,
    Protocol, Ttl, UdpChecksum, ecn,
    entropy::{Keys, SourcePorts},
    inner::Peek,
    outer::{MAX_LEN, Outer},
    protocol::OverUdp,
};
use crate::wire::{VlanId, ethernet, is_ipv4_mapped, is_unicast};

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
    /// Whether packets differ in little: see [`encap_plain`](Self::encap_plain).
    pub(crate) sends_plain: bool,
    /// Whether most packets that are received can be told at a glance: see [`checked_plain`](Self::checked_plain).
    pub(crate) opens_plain: bool,
    headroom: u16,
    tunnel_len: u8,
}

impl<P: Protocol> Endpoint<P> {
    /// Bytes that encapsulation puts before a packet, options that a remote adds not counted.
    pub const fn overhead(&self) -> usize {
        self.outer.link_len() + self.outer.written_network_len() + self.tunnel_len as usize
    }

    /// Bytes that a buffer should have before a packet: those of the headers, or what [`Builder::headroom`] asked for
    /// if that is more. Options that a remote adds ([`Remote::overhead`](super::Remote::overhead)) are not counted.
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
        Some(self.outer.keys.flow(packet, peek))
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

    /// MTU of the underlay in bytes: longer outer packets are refused. By default 65,535, the longest IP packet, since
    /// nothing here knows the link: say 1,500 for Ethernet, or what is too long is sent and lost on the way.
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
        if is_ipv4_mapped(local) {
            return Err(ConfigError::Ipv4Mapped(local));
        }
        let is_left_to_a_socket = self.framing == Framing::Payload && local.is_unspecified();
        if !is_unicast(local) && !is_left_to_a_socket {
            return Err(ConfigError::LocalNotUnicast(local));
        }
        if let Framing::Ethernet(Link { source, vlan, .. }) = self.framing {
            if source.is_multicast() {
                return Err(ConfigError::LinkSourceIsGroup(source));
            }
            if vlan.is_some_and(|(id, _)| id == VlanId::MAX) {
                return Err(ConfigError::LinkVlanReserved);
            }
        }
        if self.flow_label.is_some() && local.is_ipv4() {
            return Err(ConfigError::FlowLabelOnIpv4(local));
        }
        if self.dont_fragment.is_some() && local.is_ipv6() {
            return Err(ConfigError::DontFragmentOnIpv6(local));
        }
        if P::IS_UDP && self.port == 0 {
            return Err(ConfigError::PortZero);
        }
        let (min, max) = self.source_ports;
        if min == 0 || min > max {
            return Err(ConfigError::SourcePorts { min, max });
        }
        if self.ttl == Ttl::Fixed(0) {
            return Err(ConfigError::TtlZero);
        }
        self.protocol.validate()?;
        let tunnel_len = self.protocol.header_len();
        let dont_fragment = self.dont_fragment.unwrap_or_default();
        let local_ipv4 = match local {
            IpAddr::V4(local) => local,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        let outer = Outer {
            local,
            framing: self.framing,
            protocol: P::PROTOCOL,
            ttl: self.ttl,
            dscp: self.dscp,
            marks: ecn::Marks::new(self.ecn),
            max_plain_ecn: self.ecn.max_copied(),
            dont_fragment,
            flow_label: self.flow_label.unwrap_or_default(),
            udp_checksum: self.udp_checksum.unwrap_or(match local {
                IpAddr::V4(_) => UdpChecksum::Zero,
                IpAddr::V6(_) => UdpChecksum::Full,
            }),
            source_ports: SourcePorts::new(min, max),
            port: self.port,
            mtu: u16::try_from(self.mtu).unwrap_or(0),
            keys: Keys::new(self.seed),
            glance_l3: match self.framing {
                Framing::Ip | Framing::Payload => 0,
                Framing::Ethernet(_) => ethernet::Header::LEN as u8,
            },
            local_ipv4,
            varies: self.ttl == Ttl::Inherit
                || self.dscp == OuterDscp::Inherit
                || matches!(self.flow_label, Some(OuterFlowLabel::FromHash | OuterFlowLabel::Inherit))
                || local.is_ipv4() && dont_fragment != DontFragment::Set,
        };
        let endpoint = Endpoint {
            outer,
            policy: self.policy,
            fatal: self.policy.fatal(),
            protocol: self.protocol,
            sends_plain: !outer.varies
                && self.framing != Framing::Payload
                && self.ecn != ecn::Mode::Compatibility
                && self.protocol.sends_plain(),
            opens_plain: local.is_ipv4() && self.framing != Framing::Payload && self.protocol.opens_plain(),
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

    /// Checksum of outer UDP headers. By default none over IPv4, a full one over IPv6: as RFC 7348, section 5, has it,
    /// and for Geneve Linux and Open vSwitch. RFC 8926, section 3.3, says that Geneve SHOULD have one over IPv4, too:
    /// [`UdpChecksum::Full`], or [`UdpChecksum::Offload`].
    pub const fn udp_checksum(mut self, udp_checksum: UdpChecksum) -> Self {
        self.udp_checksum = Some(udp_checksum);
        self
    }

    /// What all of Linux's tunnels over UDP do where the RFCs say something else.
    pub(super) fn linux_over_udp(mut self) -> Self {
        self.ecn = ecn::Mode::Linux;
        self.dont_fragment = self.local.is_ipv4().then_some(DontFragment::Unset);
        self.policy = Policy::LINUX;
        self
    }
}

/// RFC 6335, section 6: the dynamic ports.
pub(crate) const EPHEMERAL: (u16, u16) = (49152, 65535);
