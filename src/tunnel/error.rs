//! The ways in which settings can disagree, and what can stand against encapsulation.

use core::net::IpAddr;

use crate::wire::{MacAddr, Vni};

/// Settings that cannot work together, or not at all. Found when an endpoint or a remote is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Local address and remote are not of the same family.
    #[error("local address {local} and remote {remote} are of different families")]
    FamilyMismatch {
        /// The endpoint's address.
        local: IpAddr,
        /// The remote's address.
        remote: IpAddr,
    },
    /// An address that nobody can have. An unspecified one is a socket's that is bound to any, with
    /// [`Framing::Payload`](super::Framing::Payload).
    #[error("local address {0} is not a unicast address; only with `Framing::Payload` it may be unspecified")]
    LocalNotUnicast(IpAddr),
    /// An IPv4 address as a socket of both families tells it, our own or a remote's: as it stands, it is an IPv6
    /// address, which nobody has.
    #[error("address {0} is an IPv4 address in IPv6's form: `IpAddr::to_canonical` makes one of it")]
    Ipv4Mapped(IpAddr),
    /// Our own MAC address is one that no frame comes from: a group's, or that of all.
    #[error("the link's own MAC address {0} is a group's, which no frame comes from")]
    LinkSourceIsGroup(MacAddr),
    /// The link's VLAN is 4095, which no frame has (IEEE 802.1Q, clause 9.6).
    #[error("the link's VLAN is 4095, which is reserved")]
    LinkVlanReserved,
    /// An address that nothing can be sent to.
    #[error("remote address {0} is unspecified")]
    RemoteUnspecified(IpAddr),
    /// The address of all hosts: a tunnel to many has a multicast group.
    #[error("remote address {0} is the broadcast address")]
    RemoteBroadcast(IpAddr),
    /// A flow label is set, but the underlay is IPv4.
    #[error("a flow label needs an IPv6 underlay, and local address {0} is IPv4")]
    FlowLabelOnIpv4(IpAddr),
    /// DF is set, but the underlay is IPv6.
    #[error("a DF setting needs an IPv4 underlay, and local address {0} is IPv6")]
    DontFragmentOnIpv6(IpAddr),
    /// The range of source ports is upside down, or has port 0 in it.
    #[error("source ports from {min} to {max}: the first must be at least 1 and at most the last")]
    SourcePorts {
        /// First port.
        min: u16,
        /// Last port.
        max: u16,
    },
    /// UDP destination port 0.
    #[error("UDP destination port 0: it must be at least 1")]
    PortZero,
    /// TTL 0: the packets would not leave this host.
    #[error("TTL 0: it must be at least 1")]
    TtlZero,
    /// The remote's address is the local one: all that is received would come from ourselves.
    #[error("remote address {0} is the local address")]
    RemoteIsLocal(IpAddr),
    /// A GRE tunnel for IP without path MTU discovery that does not inherit the TTL: packets in a loop would grow and
    /// never expire.
    #[error("`pmtudisc(false)` needs `Ttl::Inherit` where the payload is IP")]
    TtlWithoutPathMtuDiscovery,
    /// A GRE tunnel that ignores DF of inner packets and has path MTU discovery, which sets DF of all outer ones.
    #[error("`ignore_df(true)` needs `pmtudisc(false)`")]
    IgnoreDfWithPathMtuDiscovery,
    /// Sequence numbers of many senders, a GRE tunnel's to any remote or to a group: each counts for itself (RFC 2890,
    /// section 2.2).
    #[error("`iseq(true)` needs a unicast remote, and {0} stands for many: each sender counts for itself")]
    SequenceOfMany(IpAddr),
    /// An MTU that an ICMP error tells would hold for no time.
    #[error("`mtu_expires` is zero: it must be more, or `None` for ever")]
    MtuExpiresZero,
    /// After a silence of no time, which is always over, any sequence number would be taken.
    #[error("`reset_after` is zero: it must be more, or `None` for never")]
    ResetAfterZero,
    /// A tunnel encapsulation limit is set, but the underlay is IPv4.
    #[error("a tunnel encapsulation limit needs an IPv6 underlay, and local address {0} is IPv4")]
    EncapLimitOnIpv4(IpAddr),
    /// Group Based Policy and the Generic Protocol Extension use the same bits of VXLAN.
    #[error("VXLAN with Group Based Policy and with the Generic Protocol Extension: one of the two")]
    GroupPolicyWithGpe,
    /// A segment that RFC 7637, section 3.4, reserves.
    #[error("NVGRE segment {0}: those below 4096 are reserved")]
    ReservedVsid(Vni),
    /// Geneve options that are none: their lengths do not add up, or there are more than 252 bytes.
    #[error("{0} bytes of Geneve options whose lengths do not add up, or are more than 252")]
    GeneveOptions(usize),
    /// More critical options than an endpoint can be told to know.
    #[error("more than {0} critical options to know")]
    KnownOptions(usize),
    /// More outer headers than there is room for in a remote.
    #[error("{overhead} bytes of outer headers: at most {max}")]
    Overhead {
        /// Bytes of headers.
        overhead: usize,
        /// The most there can be.
        max: usize,
    },
    /// More headroom than any packet can have.
    #[error("{headroom} bytes of headroom, {overhead} of them for headers: at most {max}")]
    Headroom {
        /// Bytes of headroom in all.
        headroom: usize,
        /// Bytes of it that headers need.
        overhead: usize,
        /// The most there can be.
        max: usize,
    },
    /// An underlay MTU that is larger than an IP packet, or has no room for a packet behind the headers.
    #[error("underlay MTU {mtu}: more than {overhead} bytes of headers, and at most {max}")]
    Mtu {
        /// The MTU.
        mtu: usize,
        /// Bytes that headers need, Ethernet's not counted.
        overhead: usize,
        /// The most there can be.
        max: usize,
    },
}

/// Why a packet is not encapsulated. It is left as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncapError {
    /// The packet ends before its Ethernet or IP header does.
    #[error("inner packet: {need} bytes needed by its headers, {have} there")]
    InnerTruncated {
        /// Bytes that its headers need.
        need: usize,
        /// Bytes that there are.
        have: usize,
    },
    /// The tunnel carries IP, and the packet is neither IPv4 nor IPv6.
    #[error("inner packet: neither IPv4 nor IPv6")]
    InnerNotIp,
    /// The tunnel carries frames without VLAN tags only: NVGRE (RFC 7637, section 3.3), and VXLAN where it is not
    /// configured otherwise (RFC 7348, section 6.1).
    #[error("inner packet: a VLAN tag in a tunnel without tags")]
    InnerVlan,
    /// The packet does not fit into an outer one.
    #[error("inner packet: {len} bytes, and at most {max} fit into the underlay's packets")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The most that fits.
        max: usize,
    },
    /// What [`InnerChecksum::Partial`](super::InnerChecksum::Partial) says lies outside the packet, or between words
    /// of the sum.
    #[error("inner packet: its checksum at byte {at} lies outside its {len} bytes, or at an odd offset")]
    PartialChecksum {
        /// Where the checksum was said to be.
        at: usize,
        /// The packet's length in bytes.
        len: usize,
    },
    /// The tunnel has sequence numbers, and [`EncapMeta::sequence`](super::EncapMeta::sequence) has none.
    #[error("no sequence number for a tunnel that sends them")]
    SequenceMissing,
    /// The packet is one that this tunnel made, or that this host has wrapped five times: it would be wrapped again and
    /// again.
    #[error("inner packet: one of this tunnel's own outer packets, or wrapped five times")]
    Loop,
    /// The packet must not be encapsulated once more (RFC 2473, section 4.1.1). Its sender is to be told, by an ICMPv6
    /// parameter problem, code 0, that points to this byte of it.
    #[error("inner packet: its tunnel encapsulation limit at byte {at} is zero")]
    EncapLimit {
        /// Where in the IP packet the limit stands.
        at: usize,
    },
    /// The remote of a GRE tunnel is any, and nobody has said which.
    #[error("no destination in a tunnel to any remote")]
    NoDestination,
    /// A GRE keepalive is an IP packet between two hosts: not for a tunnel of frames, to a group, or to
    /// any remote, nor from an address that is left to a socket.
    #[error("no keepalives on a tunnel of frames, to a group, to any remote, or from no address of its own")]
    NoKeepalives,
    /// The packet has not enough memory before it.
    #[error(transparent)]
    Packet(#[from] crate::packet::Error),
}
