//! What the tables are told once.

use core::time::Duration;

use super::{
    BuildError,
    clock::{Ageing, Clock},
};
use crate::wire::icmp_quote::MTU_EXPIRES;

/// Choices for the tables; the defaults are those that suit a VTEP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Settings {
    /// How long learned and dynamic entries stay unconfirmed. Default: 300 s, as Linux has it.
    pub ageing: Ageing,
    /// Whom entries are learned from. Default: remotes that are configured. (Linux: anybody.)
    pub learn_from: LearnFrom,
    /// The most learned entries, so that there is room left for others. Default: no limit but the capacity.
    pub learned_limit: u32,
    /// The most learned entries of one quota group. Default: no limit but the capacity. One remote never has more than
    /// 16,777,215.
    pub quota_limit: u32,
    /// The most entries of a VNI that has no limit of its own. (Linux: `maxaddress`.) Default: no limit but the
    /// capacity. No more than 16,777,215 are learned ones, with any limit. With 0 there are entries only in VNIs that
    /// have a limit of their own. Nobody gives way within it, as in a full table who has more than a fair share does:
    /// one remote that floods a segment keeps the others' hosts out of it until what it taught has expired, unless
    /// [`quota_limit`](Self::quota_limit) is less.
    pub vni_limit: u32,
    /// The most remotes that are not configured. Default: 64. They take room of
    /// [`Capacity::remotes`](super::Capacity::remotes): less than that by as many as are to be configured, or
    /// strangers may leave those none.
    pub unconfigured_remotes: u32,
    /// What addresses remotes may have. Default: both families.
    pub underlay: Underlay,
    /// Whether neighbours are learned from ARP and Neighbor Discovery; a VTEP learns them from whom it learns MAC
    /// addresses, and as fast. Default: not.
    pub snooping: Snooping,
    /// How long a learned neighbour counts as reachable without being confirmed; then it is stale. Default: 30 s
    /// (RFC 4861, section 10, REACHABLE_TIME).
    pub reachable: Duration,
    /// How long a learned neighbour stays without being confirmed, at most 12 times as long as
    /// [`reachable`](Self::reachable), and at most 305 days. Default: 300 s.
    pub neighbor_ageing: Ageing,
    /// How long the MTU of a remote holds that an ICMP error told, see
    /// [`Remotes::learn_mtu`](super::Remotes::learn_mtu): no less than five minutes, by RFC 8201, section 4. (Linux:
    /// `net.ipv4.route.mtu_expires`.) Default: 600 s, as RFC 1191, section 3, and Linux have it.
    pub mtu_expires: Ageing,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ageing: Ageing::default(),
            learn_from: LearnFrom::default(),
            learned_limit: u32::MAX,
            quota_limit: u32::MAX,
            vni_limit: u32::MAX,
            unconfigured_remotes: 64,
            underlay: Underlay::default(),
            snooping: Snooping::default(),
            reachable: Duration::from_secs(30),
            neighbor_ageing: Ageing::default(),
            mtu_expires: Ageing::After(MTU_EXPIRES),
        }
    }
}

/// Whom the forwarding database learns from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum LearnFrom {
    /// Remotes that somebody added.
    #[default]
    Configured,
    /// Any remote, also those that only [`find_or_learn`](super::Remotes::find_or_learn) knows.
    Any,
}

/// The address families of the underlay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Underlay {
    /// IPv4 and IPv6.
    #[default]
    Both,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// Whether neighbours are learned from what hosts say in ARP and Neighbor Discovery.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Snooping {
    /// They are not.
    #[default]
    Off,
    /// Those that are known are kept up to date, no others are added.
    Known,
    /// They are.
    All,
}

/// The clocks of these settings, and the ticks after which what is reachable is stale. None of this ever changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    pub(crate) fdb: Clock,
    pub(crate) neighbors: Clock,
    pub(crate) reachable: u16,
}

impl Settings {
    /// The clocks, and after how many ticks entries of the forwarding database and neighbours expire.
    pub(crate) fn clocks(&self) -> Result<(Clocks, [u16; 2]), BuildError> {
        let reachable = Ageing::After(self.reachable);
        let times = [
            ("ageing", self.ageing),
            ("neighbor_ageing", self.neighbor_ageing),
            ("mtu_expires", self.mtu_expires),
            ("reachable", reachable),
        ];
        if let Some((field, _)) = times.into_iter().find(|&(_, time)| time == Ageing::After(Duration::ZERO)) {
            return Err(BuildError::NoAge { field });
        }
        let (fdb, neighbors) = (Clock::new(self.ageing), Clock::new(reachable));
        let fdb_limit = ticks(fdb, "ageing", self.ageing)?;
        let reachable = ticks(neighbors, "reachable", reachable)?;
        let neighbors_limit = ticks(neighbors, "neighbor_ageing", self.neighbor_ageing).map_err(|_| {
            BuildError::NeighborAgeing { ageing: time(self.neighbor_ageing), reachable: self.reachable }
        })?;
        Ok((Clocks { fdb, neighbors, reachable }, [fdb_limit, neighbors_limit]))
    }
}

/// The ticks of what a field says.
pub(crate) fn ticks(clock: Clock, field: &'static str, ageing: Ageing) -> Result<u16, BuildError> {
    clock.ticks(ageing).ok_or(BuildError::Ageing { field, time: time(ageing) })
}

const fn time(ageing: Ageing) -> Duration {
    match ageing {
        Ageing::After(time) => time,
        Ageing::Never => Duration::MAX,
    }
}
