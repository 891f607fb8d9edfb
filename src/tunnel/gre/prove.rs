//! The proof of a tunnel's settings.

use core::{net::IpAddr, time::Duration};

use super::{ChecksumRule, Config, Endpoint, SequenceFilter, SequenceRule, Tunnel};
use crate::{
    tunnel::{
        ConfigError, DontFragment, DropReason, Framing, OuterDscp, Payload, Policy, Ttl, ecn,
        outer::DEFAULT_TTL,
    },
    wire::{
        IpProtocol,
        gre::{Key, Reserved0},
    },
};

impl Config {
    /// The tunnel with these settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where settings cannot work, or not with each other: besides what an endpoint refuses,
    /// [`TtlWithoutPathMtuDiscovery`](ConfigError::TtlWithoutPathMtuDiscovery) as `ip tunnel`,
    /// [`IgnoreDfWithPathMtuDiscovery`](ConfigError::IgnoreDfWithPathMtuDiscovery) as the kernel,
    /// [`RemoteIsLocal`](ConfigError::RemoteIsLocal), and [`SequenceOfMany`](ConfigError::SequenceOfMany).
    pub fn build(self) -> Result<Tunnel, ConfigError> {
        let (is_v4, local, remote) = (self.local.is_ipv4(), self.local, self.remote);
        let ttl = self.ttl.unwrap_or(match (self.linux, is_v4) {
            (false, _) => Ttl::Auto,
            (true, true) => Ttl::Inherit,
            (true, false) => Ttl::Fixed(DEFAULT_TTL),
        });
        if local == remote && !remote.is_unspecified() {
            return Err(ConfigError::RemoteIsLocal(remote));
        }
        if !is_v4 && (!self.pmtudisc || self.ignore_df) {
            return Err(ConfigError::DontFragmentOnIpv6(local));
        }
        if local.is_ipv4() != remote.is_ipv4() {
            return Err(ConfigError::FamilyMismatch { local, remote });
        }
        if remote.is_unspecified() && self.payload == Payload::Ethernet {
            return Err(ConfigError::RemoteUnspecified(remote));
        }
        if self.iseq && !self.linux && (remote.is_unspecified() || remote.is_multicast()) {
            return Err(ConfigError::SequenceOfMany(remote));
        }
        if self.mtu_expires == Some(Duration::ZERO) {
            return Err(ConfigError::MtuExpiresZero);
        }
        if self.reset_after == Some(Some(Duration::ZERO)) {
            return Err(ConfigError::ResetAfterZero);
        }
        if is_v4 && matches!(self.encap_limit, Some(Some(_))) {
            return Err(ConfigError::EncapLimitOnIpv4(local));
        }
        if self.ignore_df && self.pmtudisc {
            return Err(ConfigError::IgnoreDfWithPathMtuDiscovery);
        }
        // `ip link`, which makes those of frames, refuses no TTL.
        if self.payload == Payload::Ip && !self.pmtudisc && ttl != Ttl::Inherit {
            return Err(ConfigError::TtlWithoutPathMtuDiscovery);
        }
        let group_key = match remote {
            IpAddr::V4(group) if self.linux && group.is_multicast() => Some(Key(group.to_bits())),
            _ => None,
        };
        let (ikey, okey) = (self.ikey.or(group_key), self.okey.or(group_key));
        let mut builder = Endpoint::new(local)
            .payload(self.payload)
            .framing(self.framing)
            .ttl(ttl)
            .dscp(self.tos)
            .ecn(self.ecn.unwrap_or(self.default_ecn()))
            .policy(self.policy.unwrap_or(self.default_policy()))
            .seed(self.seed)
            .checksum(self.ocsum)
            .sequence(self.oseq);
        if is_v4 {
            builder = builder.dont_fragment(match (self.pmtudisc, self.ignore_df) {
                (true, _) => DontFragment::Set,
                (false, false) => DontFragment::InheritIpv4,
                (false, true) => DontFragment::Unset,
            });
        }
        if let Some(label) = self.flow_label {
            builder = builder.flow_label(label);
        }
        if let Some(key) = ikey {
            builder = builder.input_key(key);
        }
        if let Some(key) = okey {
            builder = builder.output_key(key);
        }
        // Where a socket writes the IP header, options behind it are the socket's as well.
        let encap_limit = match (is_v4, self.framing) {
            (true, _) | (_, Framing::Payload) => None,
            (false, _) => self.encap_limit.unwrap_or(if self.linux { Some(ENCAP_LIMIT) } else { None }),
        };
        builder.protocol.encap_limit = encap_limit;
        let mut endpoint = builder.build()?;
        if encap_limit.is_some() {
            endpoint.outer.protocol = IpProtocol::DESTINATION_OPTIONS;
        }
        // For Linux over IPv6; and a tunnel with any addresses is found by the value, too.
        let key_by_value = self.linux && !is_v4 || local.is_unspecified() && remote.is_unspecified();
        if key_by_value {
            endpoint.fatal = endpoint.fatal.without(DropReason::GreKey);
        }
        let rules = TunnelRules {
            ikey,
            okey,
            key_by_value,
            icsum: self.icsum,
            ocsum: self.ocsum,
            checksum: self.checksum_rule.unwrap_or(if self.linux {
                ChecksumRule::Linux
            } else {
                ChecksumRule::Rfc2784
            }),
            iseq: self.iseq,
            oseq: self.oseq,
            keepalives: self.keepalives.unwrap_or(!self.linux)
                && self.payload == Payload::Ip
                && !remote.is_multicast()
                && !remote.is_unspecified(),
            discard_loops: self.discard_loops.unwrap_or(!self.linux) && self.payload == Payload::Ip,
            pmtudisc: self.pmtudisc,
            ignore_df: self.ignore_df,
            refuses_own_source: self.linux && !is_v4,
            payload: self.payload,
        };
        let rule = if self.linux { SequenceRule::Linux } else { SequenceRule::Rfc2890 };
        let reset_after = if self.linux { None } else { Some(RESET_AFTER) };
        let filter =
            SequenceFilter::new(self.sequence_rule.unwrap_or(rule), self.reset_after.unwrap_or(reset_after));
        let mut tunnel = Tunnel::of(endpoint, remote, rules, filter)?;
        tunnel.mtu_expires = self.mtu_expires;
        tunnel.set_mtu(self.mtu)?;
        Ok(tunnel)
    }

    fn default_ecn(&self) -> ecn::Mode {
        match (self.linux, self.local, self.tos) {
            (true, IpAddr::V4(_), _) => ecn::Mode::Linux,
            (true, IpAddr::V6(_), OuterDscp::Fixed(_)) => ecn::Mode::Compatibility,
            _ => ecn::Mode::Normal,
        }
    }

    fn default_policy(&self) -> Policy {
        let mut linux = Policy { allow_any_destination: false, ..Policy::LINUX };
        if self.keepalives == Some(true) {
            // Their answers are shorter than what Linux takes.
            linux.gre_min_len = 0;
        }
        match (self.linux, self.local) {
            (false, _) => Policy::RFC,
            (true, IpAddr::V4(_)) => linux,
            (true, IpAddr::V6(_)) => Policy { gre_reserved_bits: Reserved0::NONE, gre_min_len: 0, ..linux },
        }
    }
}

/// The settings that the tunnel itself obeys, besides those of its endpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct TunnelRules {
    pub(super) ikey: Option<Key>,
    pub(super) okey: Option<Key>,
    /// Whether no key is the same as key zero.
    pub(super) key_by_value: bool,
    pub(super) icsum: bool,
    pub(super) ocsum: bool,
    pub(super) checksum: ChecksumRule,
    pub(super) iseq: bool,
    pub(super) oseq: bool,
    pub(super) keepalives: bool,
    pub(super) discard_loops: bool,
    pub(super) pmtudisc: bool,
    pub(super) ignore_df: bool,
    /// Whether IPv6 packets that come from the remote's own address are not wrapped: `ip6gre`.
    pub(super) refuses_own_source: bool,
    pub(super) payload: Payload,
}

/// Longer than packets stay on the way, so that what is late is never taken for a restart.
const RESET_AFTER: Duration = Duration::from_secs(10);

/// Linux's default (RFC 2473, section 6.6: "suggested" is none).
const ENCAP_LIMIT: u8 = 4;
