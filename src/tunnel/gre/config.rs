//! Settings of a tunnel, under the names that `ip tunnel add` has for them.

use core::{net::IpAddr, time::Duration};

use super::SequenceRule;
use crate::{
    tunnel::{Framing, OuterDscp, OuterFlowLabel, Payload, Policy, Ttl, ecn, outer::MAX_LEN},
    wire::{gre::Key, icmp_quote::MTU_EXPIRES},
};

/// What a checksum on a tunnel without `icsum` means. With it, packets must have one under either rule.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum ChecksumRule {
    /// RFC 2784, section 2.2: it is verified where there is one.
    #[default]
    Rfc2784,
    /// As Linux: the packet is refused, however right its checksum is.
    Linux,
}

/// Settings of a [`Tunnel`](super::Tunnel), to be proven by [`build`](Self::build). In which order they are made does
/// not matter.
///
/// | setting | default | [`linux`](Self::linux) |
/// |---|---|---|
/// | [`ttl`](Self::ttl) | 64, 1 to a group | inherited over IPv4, 64 over IPv6 |
/// | [`ecn`](Self::ecn) | RFC 6040, a mark is copied | a mark is ECT(0); over IPv6 none, or all if `tos` is inherited |
/// | [`checksum_rule`](Self::checksum_rule) | RFC 2784, verified where there is one | must be as `icsum` says |
/// | [`sequence_rule`](Self::sequence_rule) | RFC 2890, a packet without is in sequence | a packet without is dropped |
/// | [`reset_after`](Self::reset_after) | 10 seconds | never |
/// | [`keepalives`](Self::keepalives) | recognised | packets as others |
/// | [`discard_loops`](Self::discard_loops) | yes, RFC 2784, section 3.1 | no |
/// | [`policy`](Self::policy) | [`Policy::RFC`] | [`Policy::LINUX`], for the underlay's family |
/// | [`encap_limit`](Self::encap_limit) over IPv6 | none | 4 |
/// | [`iseq`](Self::iseq) of many remotes | refused | as if they were one |
/// | IPv6 packets from the remote's own address, over IPv6 | sent | refused |
/// | key 0 over IPv6 | a key | no key |
/// | key of a multicast tunnel over IPv4 | none | the group's address |
///
/// Path MTU discovery is on for both, so that outer packets have DF set.
///
/// Options of `ip tunnel` and `ip link add … type gre`, and of its kin, that are elsewhere, or nowhere:
///
/// | option | here |
/// |---|---|
/// | `gre`, `gretap`, `ip6gre`, `ip6gretap` | [`payload`](Self::payload), and the family of the addresses |
/// | `hoplimit`; `tclass`, `dsfield` | [`ttl`](Self::ttl); [`tos`](Self::tos) |
/// | `dev` | [`Selector::link`](super::Selector::link) on receipt; by what a packet leaves is the caller's |
/// | `external` | [`Tunnel::encap_to`](super::Tunnel::encap_to) for the remote alone; the rest is the tunnel's |
/// | `encap fou`, `encap-sport`, `encap-dport` | [`UdpEndpoint`](super::UdpEndpoint), which has no state |
/// | `encap-csum`, `encap-csum6` | [`Builder::udp_checksum`](crate::tunnel::Builder::udp_checksum) of that |
/// | `encap gue`, `encap-remcsum` | absent |
/// | `fwmark` | the caller's, as all routing is |
/// | `dscp inherit` | absent: the outer DSCP is told by [`Inner::outer`](crate::tunnel::Inner::outer) |
/// | `allow-localremote` | as if on: of our own addresses [`local`](super::Tunnel::local) alone is known, and refused |
/// | `erspan`, `ip6erspan` | absent: [`wire::erspan`](crate::wire::erspan) has the headers |
#[derive(Clone, Copy, Debug)]
#[must_use = "settings do nothing until `build` makes a tunnel of them"]
pub struct Config {
    pub(super) local: IpAddr,
    pub(super) remote: IpAddr,
    pub(super) payload: Payload,
    pub(super) framing: Framing,
    pub(super) ttl: Option<Ttl>,
    pub(super) tos: OuterDscp,
    pub(super) ecn: Option<ecn::Mode>,
    pub(super) flow_label: Option<OuterFlowLabel>,
    pub(super) encap_limit: Option<Option<u8>>,
    pub(super) pmtudisc: bool,
    pub(super) ignore_df: bool,
    pub(super) ikey: Option<Key>,
    pub(super) okey: Option<Key>,
    pub(super) icsum: bool,
    pub(super) ocsum: bool,
    pub(super) iseq: bool,
    pub(super) oseq: bool,
    pub(super) checksum_rule: Option<ChecksumRule>,
    pub(super) sequence_rule: Option<SequenceRule>,
    pub(super) reset_after: Option<Option<Duration>>,
    pub(super) keepalives: Option<bool>,
    pub(super) discard_loops: Option<bool>,
    pub(super) policy: Option<Policy>,
    pub(super) mtu: usize,
    pub(super) mtu_expires: Option<Duration>,
    pub(super) seed: u64,
    pub(super) linux: bool,
}

impl Config {
    /// Settings of a tunnel that carries IP packets, nothing optional.
    pub(super) const fn new(local: IpAddr, remote: IpAddr) -> Self {
        Self {
            local,
            remote,
            payload: Payload::Ip,
            framing: Framing::Ip,
            ttl: None,
            tos: OuterDscp::Fixed(crate::wire::Dscp::truncate(0)),
            ecn: None,
            flow_label: None,
            encap_limit: None,
            pmtudisc: true,
            ignore_df: false,
            ikey: None,
            okey: None,
            icsum: false,
            ocsum: false,
            iseq: false,
            oseq: false,
            checksum_rule: None,
            sequence_rule: None,
            reset_after: None,
            keepalives: None,
            discard_loops: None,
            policy: None,
            mtu: MAX_LEN,
            mtu_expires: Some(MTU_EXPIRES),
            seed: 0,
            linux: false,
        }
    }

    /// Whatever is not set otherwise is as in Linux's `ip_gre` and `ip6_gre`: see the table above.
    pub const fn linux(mut self) -> Self {
        self.linux = true;
        self
    }

    /// What the tunnel carries: IP as Linux's `gre` and `ip6gre`, which is the default, or Ethernet as `gretap` and
    /// `ip6gretap`.
    pub const fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    /// The outer headers that are ours to write and to read. IP by default.
    pub const fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// TTL or hop limit of outer packets; 0 for `ip tunnel` is [`Ttl::Inherit`].
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = Some(ttl.into());
        self
    }

    /// DSCP of outer packets, zero by default. The other two bits are [`ecn`](Self::ecn)'s.
    pub fn tos(mut self, tos: impl Into<OuterDscp>) -> Self {
        self.tos = tos.into();
        self
    }

    /// ECN of outer packets.
    pub const fn ecn(mut self, mode: ecn::Mode) -> Self {
        self.ecn = Some(mode);
        self
    }

    /// Flow label of outer IPv6 packets. Zero by default.
    pub const fn flow_label(mut self, flow_label: OuterFlowLabel) -> Self {
        self.flow_label = Some(flow_label);
        self
    }

    /// Tunnel encapsulation limit of outer IPv6 packets (RFC 2473, section 4.1.1): how often they may be wrapped once
    /// more. Each packet is longer by eight bytes. An inner IPv6 packet that brings a limit gets one less, with those
    /// eight bytes, on a tunnel without a limit of its own as well; one that brings zero is refused in any case. Where
    /// a socket writes the IP header, the limit is the socket's business.
    pub const fn encap_limit(mut self, limit: Option<u8>) -> Self {
        self.encap_limit = Some(limit);
        self
    }

    /// Path MTU discovery over IPv4, on by default: outer packets have DF set, and what is longer than the MTU is
    /// refused. `nopmtudisc`, which needs [`Ttl::Inherit`] where the payload is IP: DF is that of inner IPv4, and
    /// refused is what must not be fragmented, that is, IPv4 with DF, and IPv6 where at least 1280 bytes fit.
    pub const fn pmtudisc(mut self, on: bool) -> Self {
        self.pmtudisc = on;
        self
    }

    /// Whether DF of inner IPv4 is ignored: outer packets never have it, and no IPv4 packet is refused for its
    /// length. Off by default; not with path MTU discovery.
    pub const fn ignore_df(mut self, on: bool) -> Self {
        self.ignore_df = on;
        self
    }

    /// The key in both directions. None by default; packets with a key are then those of another tunnel.
    pub const fn key(self, key: Key) -> Self {
        self.ikey(key).okey(key)
    }

    /// The key of packets that are received.
    pub const fn ikey(mut self, key: Key) -> Self {
        self.ikey = Some(key);
        self
    }

    /// The key of packets that are sent.
    pub const fn okey(mut self, key: Key) -> Self {
        self.okey = Some(key);
        self
    }

    /// Checksums in both directions. Off by default.
    pub const fn csum(self, on: bool) -> Self {
        self.icsum(on).ocsum(on)
    }

    /// Whether packets that are received must have a checksum; one that is there must be right in any case.
    pub const fn icsum(mut self, on: bool) -> Self {
        self.icsum = on;
        self
    }

    /// Whether packets are sent with a checksum.
    pub const fn ocsum(mut self, on: bool) -> Self {
        self.ocsum = on;
        self
    }

    /// Sequence numbers in both directions. Off by default.
    pub const fn seq(self, on: bool) -> Self {
        self.iseq(on).oseq(on)
    }

    /// Whether packets are dropped that are out of sequence. Off, the numbers of received packets do not matter.
    ///
    /// Each sender counts for itself (RFC 2890, section 2.2), so a tunnel to any remote or to a group has it off:
    /// keep a [`SequenceFilter`](super::SequenceFilter) or a [`Reorder`](super::Reorder) for each
    /// [`source`](crate::tunnel::OuterFacts::source). Linux takes all of them for one, and so does
    /// [`linux`](Self::linux).
    pub const fn iseq(mut self, on: bool) -> Self {
        self.iseq = on;
        self
    }

    /// Whether packets are sent with sequence numbers, from zero on.
    pub const fn oseq(mut self, on: bool) -> Self {
        self.oseq = on;
        self
    }

    /// What a checksum on a tunnel without `icsum` means.
    pub const fn checksum_rule(mut self, rule: ChecksumRule) -> Self {
        self.checksum_rule = Some(rule);
        self
    }

    /// Which packets are out of sequence, on a tunnel with `iseq`.
    pub const fn sequence_rule(mut self, rule: SequenceRule) -> Self {
        self.sequence_rule = Some(rule);
        self
    }

    /// After how long without a packet in sequence any number is taken, so that a remote that has restarted is heard
    /// again: more than none; `None`: never.
    pub const fn reset_after(mut self, silence: Option<Duration>) -> Self {
        self.reset_after = Some(silence);
        self
    }

    /// Whether keepalives are recognised. On a tunnel of frames there are none. Where a socket has our address, only
    /// those with which somebody tells the address that they came to
    /// ([`DecapMeta::outer`](crate::tunnel::DecapMeta::outer)). Where they are asked for, packets may be as short as
    /// their answers are, which Linux would refuse; but a [`policy`](Self::policy) that is set holds.
    pub const fn keepalives(mut self, on: bool) -> Self {
        self.keepalives = Some(on);
        self
    }

    /// Whether packets are dropped that would run in circles: received ones for the end that encapsulated them (RFC
    /// 2784, section 3.1), and such to be sent that this tunnel has made. On a tunnel of frames, none are.
    pub const fn discard_loops(mut self, on: bool) -> Self {
        self.discard_loops = Some(on);
        self
    }

    /// What else is refused on receipt.
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// MTU of the underlay in bytes. By default 65,535, the longest IP packet, since nothing here knows the link: say
    /// 1,500 for Ethernet.
    pub const fn mtu(mut self, mtu: usize) -> Self {
        self.mtu = mtu;
        self
    }

    /// How long an MTU holds that an ICMP error told: no less than five minutes, by RFC 8201, section 4; `None` for
    /// until [`Tunnel::set_mtu`](super::Tunnel::set_mtu). By default 600 seconds, as RFC 1191, section 3, and Linux
    /// have it.
    pub const fn mtu_expires(mut self, time: Option<Duration>) -> Self {
        self.mtu_expires = time;
        self
    }

    /// Seed of the flow hash, for flow labels made of it and the first IPv4 identification: give a random one.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}
