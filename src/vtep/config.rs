//! What a VTEP is told, by the names that `ip link add … type vxlan` has for it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{ConfigError, remote_checksum};
use crate::{
    table,
    tunnel::{
        DontFragment, EPHEMERAL, Framing, OuterDscp, OuterFlowLabel, Policy, Ttl, UdpChecksum, ecn, vxlan,
    },
    wire::MacAddr,
};

/// Settings of a [`Vtep`](super::Vtep). Fields have the names of Linux's options where there is one;
/// [`Config::new`] gives what suits a VTEP in user space, [`Config::linux`] what the driver of Linux does.
///
/// | field | [`new`](Self::new) | [`linux`](Self::linux) |
/// |---|---|---|
/// | `dstport` | 4789 | 8472 |
/// | `ttl`, `tos`, `label` | auto, 0, 0 | auto, 0, 0 |
/// | `df` | set | unset |
/// | `ecn` | RFC 6040 normal mode: CE is copied | CE becomes ECT(0) |
/// | `srcport` | 49152..=65535 | 32768..=60999 |
/// | `udpcsum` | off | on |
/// | `udp6zerocsumtx`, `udp6zerocsumrx` | off | off |
/// | `udp6zerolen` | off | on |
/// | `accept` | anybody's packets | the same |
/// | `learning` | on, from configured remotes | on, from anybody |
/// | `learn_unverified` | off | on |
/// | [`unconfigured_remotes`](table::Settings::unconfigured_remotes) | 64 | as many as there is room for |
/// | `learn_rate`, `move_rate` | 10,000 and 5 a second | no limit |
/// | `ageing`, `maxaddress` | 300 s, the capacity | 300 s, the capacity |
/// | `mtu_expires` | 600 s | 600 s |
/// | `proxy` | off | off |
/// | `gbp`, `remcsumrx` | off | off |
/// | `rsc` | off | off |
/// | `l2miss`, `l3miss` | on, for workers with memory for them | off |
/// | `localbypass` | on | on |
/// | `reserved_bits` | none: ignored | all: dropped |
/// | `any_destination` | packets to our address or a group | packets to any address |
/// | `inner_vlan` | off: tagged frames are dropped | on |
/// | `too_big` | the sender is told, or the frame dropped | the sender is told, or the packet fragmented |
/// | `icmp_rate` | 1,000 a second | the same |
///
/// Options of Linux that are elsewhere, or nowhere:
///
/// | option | here |
/// |---|---|
/// | `id`, `vnifilter` | every VNI that [`Fdb::add_vni`](table::Fdb::add_vni) names, or an entry of its own |
/// | `remote` | the default destination: a [`remote`](super::Vtep::remote) appended to the all-zero MAC |
/// | `group` | a multicast group as such a remote; joining it is the caller's |
/// | `dev` | [`Remote::egress`](table::Remote::egress), and the MTU |
/// | `net.ipv4.route.mtu_expires` | [`mtu_expires`](table::Settings::mtu_expires) |
/// | `maxaddress` | [`vni_limit`](table::Settings::vni_limit) |
/// | `external` | for VNI, remote and policy: see below |
/// | `gpe` | [`vxlan::Endpoint`] alone |
/// | `REMCSUM_NOPARTIAL` | always on: checksums that `remcsumrx` leaves to us are finished |
/// | `remcsumtx`, `mcroute` | absent |
///
/// Defects of Linux are not part of parity. A packet is checked before anything is learned from it, and the D bit of
/// Group Based Policy is honoured; a checksum that is left to us (`remcsumrx`) lies behind an IP header, and not in
/// what was checked before; nor does it come over IPv6 from `::` or from our own address; fragments are dropped; VLAN
/// tags hide neither congestion marks nor DF, and count towards the MTU; an address that moves to another remote does
/// not take port and VNI of the one before along; copies of a flooded frame go out in the list's order, not the first
/// one last; a range of one source port is one; `ageing` can be off.
///
/// Nor are these: an outer IPv4 header with DF has the identification 0 (RFC 6864, section 4.1), where Linux generates
/// one; and where a VTEP sends both directions of a flow, each has a source port of its own, since the flow hash is not
/// symmetric as Linux's is.
///
/// Of what `external` has as metadata of each packet there are its VNI, its remote and its policy:
/// [`OverlayMeta`](super::OverlayMeta) says them of a frame to send, [`Output::Deliver`](super::Output::Deliver) of one
/// that came out of a tunnel, but of a stranger, whom the tables do not know, no address. TTL, TOS, DF, flow label and
/// UDP checksum of each packet there are not: to send, they are the settings here, and what received packets had is not
/// told.
///
/// In both, a packet from our own address to that of a remote, and to `dstport` or a port of its own, does not go into
/// a tunnel ([`DropReason::Loop`](super::DropReason)): Linux finds loops by their routes, which we do not see.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Config {
    /// Our address in an IPv4 underlay. Unspecified, 0.0.0.0, is for a socket that is bound to any address, with
    /// [`Framing::Payload`] alone: then packets that came to whatever address of this host are taken. Better give ours
    /// all the same: without it no packet is known as our own, be it one that comes back or one that goes into a tunnel
    /// ([`DropReason::Loop`](super::DropReason::Loop)), no remote as ourselves (`localbypass`), and no ICMP error as
    /// ours ([`PathReport::NotOurs`](super::PathReport::NotOurs)).
    pub local: Option<Ipv4Addr>,
    /// Our address in an IPv6 underlay, or `::`, as `local`.
    pub local6: Option<Ipv6Addr>,
    /// Our own MAC address in the overlay: frames from it that come out of a tunnel are our own, and dropped.
    /// All zeroes for none.
    pub address: MacAddr,
    /// The IPv4 address in the overlay of our own router, whose frames come from `address`: from there it tells their
    /// senders what is too long (RFC 1812, section 4.3.2.4); not one of a single link. Without one they are told as if
    /// by the destination, as it is with frames of others, where nobody is addressed in between.
    pub router: Option<Ipv4Addr>,
    /// The same for IPv6 (RFC 4443, section 2.2).
    pub router6: Option<Ipv6Addr>,
    /// The gateway to IPv4 remotes that are not on the link; none if all are. It needs a `prefix`, and says something
    /// only with [`Framing::Ethernet`]: otherwise whoever sends the packets on knows the way.
    pub gateway: Option<Ipv4Addr>,
    /// Length in bits of the prefix that the IPv4 link shares with `local`. By default 0: everybody is on the link.
    pub prefix: u8,
    /// The gateway to IPv6 remotes that are not on the link; as `gateway`.
    pub gateway6: Option<Ipv6Addr>,
    /// Length in bits of the prefix that the IPv6 link shares with `local6`. By default 0: everybody is on the link.
    pub prefix6: u8,
    /// UDP port that remotes send to.
    pub dstport: u16,
    /// The outer headers that are ours: by default IP and UDP, for a raw socket. For a UDP socket
    /// [`Framing::Payload`], of which [`handle_underlay`](super::Engine::handle_underlay) has an example.
    pub framing: Framing,
    /// TTL of outer packets.
    pub ttl: Ttl,
    /// DSCP of outer packets.
    pub tos: OuterDscp,
    /// ECN of outer packets.
    pub ecn: ecn::Mode,
    /// DF of outer IPv4 packets.
    pub df: DontFragment,
    /// Flow label of outer IPv6 packets.
    pub label: OuterFlowLabel,
    /// Whether outer IPv4 packets have a UDP checksum.
    pub udpcsum: bool,
    /// Whether outer IPv6 packets have none.
    pub udp6zerocsumtx: bool,
    /// Whether IPv6 packets without a UDP checksum are taken. Nothing is learned from them unless `learn_unverified`
    /// says so.
    pub udp6zerocsumrx: bool,
    /// Whether a UDP length of zero over IPv6 means the whole IP payload, as in jumbograms (RFC 2675, section 4).
    pub udp6zerolen: bool,
    /// UDP source ports, by the flow.
    pub srcport: (u16, u16),
    /// The bits of the VXLAN header that cause a drop when set: of those that are reserved, that is neither the I flag
    /// nor the VNI, which are refused; those of an extension that is on (`gbp`, `remcsumrx`), which Linux refuses, too,
    /// do not count.
    #[cfg_attr(feature = "serde", serde(with = "crate::wire::serde_mask"))]
    pub reserved_bits: u64,
    /// Whether packets to any address are taken, and not only those to ours.
    pub any_destination: bool,
    /// Whether frames to our own MAC address are routed: delivered as IP packets.
    pub l3: bool,
    /// Whether frames may have VLAN tags, in both directions.
    pub inner_vlan: bool,
    /// Whether Group Based Policy is spoken.
    pub gbp: bool,
    /// Whether inner checksums that the sender has left to us are written (remote checksum offload).
    pub remcsumrx: bool,
    /// Whether frames to a router go to their destination at once where that is known.
    pub rsc: ShortCircuit,
    /// Whether a MAC address that nobody knows is told by [`Worker::poll_miss`](super::Worker::poll_miss). Not where
    /// its VNI has a default destination, an entry of the all-zero MAC: frames to it then go there.
    pub l2miss: bool,
    /// Whether an IP address that nobody knows is told, where the VTEP had use for it.
    pub l3miss: bool,
    /// Whose packets are taken.
    pub accept: Accept,
    /// Whether the source of received frames is learned.
    pub learning: bool,
    /// Whether that is so of IPv6 packets without a UDP checksum, too: nothing tells one of them that was damaged on
    /// its way from others, and damage must not stay (RFC 6936, section 5). Over IPv4 the checksum is seldom there. A
    /// socket's packets ([`DecapMeta::outer`](crate::tunnel::DecapMeta::outer)) count as verified.
    pub learn_unverified: bool,
    /// The most new addresses, and neighbours, that are learned from one sender, per second and worker; `u32::MAX` for
    /// no limit. Frames beyond it go on, and [`Counters::unlearned`](super::Counters::unlearned) counts each. A worker
    /// has 64 counts: where there are more senders, some share one. The local hosts of a segment, from whom a proxy
    /// learns neighbours, are one sender.
    pub learn_rate: u32,
    /// The most moves of one address that are believed, per second and worker: of a MAC address to another remote, of a
    /// neighbour to another MAC address; `u32::MAX` for no limit. An address that flaps faster stays where it is until
    /// then. A worker remembers 128 addresses, those that moved most of late.
    pub move_rate: u32,
    /// Whether ARP and Neighbor Discovery are answered for hosts behind tunnels.
    pub proxy: Proxy,
    /// Whether frames to a remote with our own address are handed over without a tunnel.
    pub localbypass: bool,
    /// What becomes of packets that are too long for the underlay.
    pub too_big: TooBig,
    /// ICMP errors per second and worker for those.
    pub icmp_rate: u32,
    /// MTU of the underlay in bytes; a remote can have its own, and learns less from routers for a time
    /// ([`Vtep::handle_underlay_icmp`](super::Vtep::handle_underlay_icmp)).
    pub mtu: u16,
    /// Ageing (also of what routers say of a path), limits (`maxaddress` is [`vni_limit`](table::Settings::vni_limit))
    /// and whom is learned from.
    pub tables: table::Settings,
}

/// Whose packets are taken out of the underlay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Accept {
    /// Those of anybody who knows a VNI, as Linux takes them.
    #[default]
    Anybody,
    /// Those of remotes that somebody configured: tunnels have no other proof of who sends.
    Configured,
}

/// Who answers ARP requests and neighbour solicitations.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Proxy {
    /// Those who are asked.
    #[default]
    Off,
    /// The VTEP, for neighbours that it knows; questions for hosts on this side ([`Destination::Local`]) do not go into
    /// tunnels, and what else there is goes on its way, but for ARP that is cut off
    /// ([`DropReason::ArpTruncated`](super::DropReason::ArpTruncated)). As EVPN asks for (RFC 9161), and Linux's bridge
    /// does with `neigh_suppress`; but the bridge also keeps from the tunnel what hosts say of themselves and what it
    /// cannot read, does not answer those who probe for an address, and floods the question for a neighbour whose MAC
    /// address has no entry in the forwarding database, which here is answered.
    ///
    /// Frames with VLAN tags of their own are not looked into: the neighbours that are known are those of the segment,
    /// and a VLAN in it may have others with the same addresses.
    ///
    /// [`Destination::Local`]: table::Destination::Local
    NeighSuppress,
    /// The VTEP and nobody else: all ARP, and all questions of Neighbor Discovery, are consumed, answered or not. As
    /// Linux's vxlan does with `proxy`, but for what is a defect: who has no address yet is answered by way of all
    /// nodes, advertisements have traffic class 0, and the hardware type of an answer is the asker's.
    KernelProxy,
}

/// Whether frames to a router go to their destination at once, where both are known: the router's entry in the
/// forwarding database is marked as a router's, and the destination's IP address is in the neighbour table.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum ShortCircuit {
    /// They go to the router.
    #[default]
    Off,
    /// They go at once, with one less TTL, as the router would have sent them.
    Route,
    /// They go at once with the TTL that they have, and also to neighbours that are not valid any more, as Linux has
    /// it.
    Linux,
}

/// What becomes of an inner packet that is too long for the underlay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum TooBig {
    /// Its sender is told, if it may be: fragmentation needed, or packet too big.
    #[default]
    Tell,
    /// It is dropped.
    Drop,
    /// Its sender is told, if it may be and can be now; otherwise it is sent all the same, longer than the underlay
    /// takes: whoever sends the packet on has to fragment it. RFC 7348, section 4.3, forbids that, and Linux does it.
    /// Needs [`Config::df`] not to be set; where it is inherited, packets that would have DF are dropped.
    Fragment,
}

impl Config {
    /// The defaults, with no address yet.
    pub fn new() -> Self {
        Self {
            local: None,
            local6: None,
            address: MacAddr::ZERO,
            router: None,
            router6: None,
            gateway: None,
            prefix: 0,
            gateway6: None,
            prefix6: 0,
            dstport: crate::wire::vxlan::PORT,
            framing: Framing::Ip,
            ttl: Ttl::Auto,
            tos: OuterDscp::default(),
            ecn: ecn::Mode::Normal,
            df: DontFragment::Set,
            label: OuterFlowLabel::default(),
            udpcsum: false,
            udp6zerocsumtx: false,
            udp6zerocsumrx: false,
            udp6zerolen: false,
            srcport: EPHEMERAL,
            reserved_bits: 0,
            any_destination: false,
            l3: false,
            inner_vlan: false,
            gbp: false,
            remcsumrx: false,
            rsc: ShortCircuit::Off,
            l2miss: true,
            l3miss: true,
            accept: Accept::Anybody,
            learning: true,
            learn_unverified: false,
            learn_rate: 10_000,
            move_rate: 5,
            proxy: Proxy::Off,
            localbypass: true,
            too_big: TooBig::Tell,
            icmp_rate: 1_000,
            mtu: 1_500,
            tables: table::Settings::default(),
        }
    }

    /// What Linux does where it does something else, as the table above says. Whoever sends is learned from, and takes
    /// the room of a remote: where remotes are added later, `tables.unconfigured_remotes` is to leave room for them.
    pub fn linux() -> Self {
        let tables = table::Settings {
            learn_from: table::LearnFrom::Any,
            unconfigured_remotes: u32::MAX,
            ..table::Settings::default()
        };
        Self {
            dstport: crate::wire::vxlan::LINUX_PORT,
            ecn: ecn::Mode::Linux,
            df: DontFragment::Unset,
            udpcsum: true,
            udp6zerolen: true,
            srcport: vxlan::LINUX_SOURCE_PORTS,
            reserved_bits: Policy::LINUX.vxlan_reserved_bits,
            any_destination: true,
            inner_vlan: true,
            learn_unverified: true,
            learn_rate: u32::MAX,
            move_rate: u32::MAX,
            l2miss: false,
            l3miss: false,
            too_big: TooBig::Fragment,
            tables,
            ..Self::new()
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

    /// The endpoint of one family.
    pub(super) fn endpoint(&self, local: IpAddr, seed: u64) -> Result<vxlan::Endpoint, ConfigError> {
        let (first, last) = self.srcport;
        let mut policy = Policy::RFC;
        let used = if self.remcsumrx { remote_checksum::USED } else { 0 };
        policy.vxlan_reserved_bits = self.reserved_bits & !used;
        policy.allow_any_destination = self.any_destination;
        policy.allow_inner_vlan = self.inner_vlan;
        policy.allow_zero_checksum_ipv6 = self.udp6zerocsumrx;
        policy.allow_zero_udp_length_ipv6 = self.udp6zerolen;
        let builder = vxlan::Endpoint::new(local)
            .port(self.dstport)
            .framing(self.framing)
            .ttl(self.ttl)
            .dscp(self.tos)
            .ecn(self.ecn)
            .source_ports(first..=last)
            .seed(seed)
            .policy(policy)
            .group_policy(self.gbp)
            .inner_vlan(self.inner_vlan);
        let checksum = |on| if on { UdpChecksum::Offload } else { UdpChecksum::Zero };
        let builder = match local {
            IpAddr::V4(_) => builder.dont_fragment(self.df).udp_checksum(checksum(self.udpcsum)),
            IpAddr::V6(_) => builder.flow_label(self.label).udp_checksum(checksum(!self.udp6zerocsumtx)),
        };
        // What is to be fragmented may be longer; the MTU must be one all the same.
        let endpoint = builder.clone().mtu(self.mtu.into()).build()?;
        Ok(match self.too_big {
            TooBig::Fragment => builder.mtu(u16::MAX.into()).build()?,
            _ => endpoint,
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
