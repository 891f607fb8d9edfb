//! Remotes: the other ends of tunnels.

mod gateway;
mod mtu;
mod names;
mod place;
mod raw;
mod removal;
mod slot;
mod table;

pub use self::table::Remotes;
pub(crate) use self::{
    mtu::{sweep_period, ticks},
    place::scope,
    raw::{Fields, Raw, Record},
    slot::{ACCOUNT_WORDS, record_lines},
};

use core::net::IpAddr;

use super::address::to_words;
use crate::wire::{MacAddr, Vni};

/// The other end of a tunnel, as the tables hold it.
///
/// Address, port, VNI and egress name it; the rest can be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Remote {
    /// Its address in the underlay; or that of a multicast group, behind which are all who joined it (RFC 7348, section
    /// 4.2).
    pub address: IpAddr,
    /// UDP destination port; 0 for tunnels without one.
    pub port: u16,
    /// The VNI that goes into the tunnel header, where it is not that of the entry which names this remote. One that
    /// says the entry's is another remote, but the same destination of that entry.
    pub vni: Option<Vni>,
    /// What the caller's packets leave by: an interface, a VRF; 0 if there is no choice.
    pub egress: u32,
    /// The next hop's MAC address, where the outer framing is Ethernet and it is known: a host's, and for a multicast
    /// group that of a group as well.
    pub next_hop: Option<MacAddr>,
    /// The longest outer IP packet on the way there, in bytes, as it was set or [learned](Remotes::learn_mtu); 0 where
    /// nothing is known.
    pub mtu: u16,
    /// Who shares the room for what is learned with it.
    pub quota: Quota,
}

/// Who shares the room for learned entries: when a table is full, nobody below its fair share loses any to others
/// who learn.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Quota {
    /// The remote is a group of its own.
    #[default]
    Own,
    /// All remotes of this group, counted from 0, share.
    Shared(u16),
}

impl Remote {
    /// The remote at this address, with nothing special about it.
    pub const fn new(address: IpAddr, port: u16) -> Self {
        Self { address, port, vni: None, egress: 0, next_hop: None, mtu: 0, quota: Quota::Own }
    }

    /// Sets the VNI that goes into the tunnel header.
    #[must_use]
    pub const fn vni(self, vni: Vni) -> Self {
        Self { vni: Some(vni), ..self }
    }

    /// Sets what packets leave by.
    #[must_use]
    pub const fn egress(self, egress: u32) -> Self {
        Self { egress, ..self }
    }

    /// Sets the next hop's MAC address.
    #[must_use]
    pub const fn next_hop(self, mac: MacAddr) -> Self {
        Self { next_hop: Some(mac), ..self }
    }

    /// Sets the MTU of the way there, in bytes of outer IP packet.
    #[must_use]
    pub const fn mtu(self, mtu: u16) -> Self {
        Self { mtu, ..self }
    }

    /// Sets who shares the room for what is learned.
    #[must_use]
    pub const fn quota(self, quota: Quota) -> Self {
        Self { quota, ..self }
    }

    /// Whether the next hop can have this MAC address, if it is known.
    fn has_next_hop_mac(&self) -> bool {
        let is_one = |mac: MacAddr| mac.is_unicast() || mac.is_multicast() && self.address.is_multicast();
        self.next_hop.is_none_or(is_one)
    }

    /// What names it.
    fn identity(&self) -> [u32; 8] {
        let ([a, b, c, d], ipv6) = to_words(self.address);
        let vni = self.vni.map_or(0, |vni| HAS_VNI | vni.value());
        let family = if ipv6 { 6 } else { 4 };
        [a, b, c, d, self.port.into(), vni, self.egress, family]
    }

    fn to_words(self) -> [u32; RECORD_WORDS] {
        let [a, b, c, d, port, vni, egress, family] = self.identity();
        let [m0, m1, m2, m3, m4, m5] = self.next_hop.unwrap_or(MacAddr::ZERO).0;
        let has_mac = if self.next_hop.is_some() { HAS_MAC } else { 0 };
        let quota = match self.quota {
            Quota::Own => 0,
            // Groups are fewer than 65,535.
            Quota::Shared(group) => group.wrapping_add(1),
        };
        [
            u32::from(self.mtu) << 16 | family,
            a,
            b,
            c,
            d,
            u32::from(quota) << 16 | port,
            vni,
            egress,
            u32::from_be_bytes([m0, m1, m2, m3]),
            u32::from_be_bytes([0, 0, m4, m5]) | has_mac,
        ]
    }

    fn from_words(words: [u32; RECORD_WORDS]) -> Self {
        Self {
            address: words.address(),
            port: words.port(),
            vni: words.vni(),
            egress: words.egress(),
            next_hop: words.next_hop(),
            mtu: words.mtu(),
            quota: quota_of(words[QUOTA]),
        }
    }
}

/// The quota in the upper half of the port's word.
const fn quota_of(word: u32) -> Quota {
    match (word >> 16) as u16 {
        0 => Quota::Own,
        group => Quota::Shared(group - 1),
    }
}

/// Words of a record before its outer header.
const RECORD_WORDS: usize = 10;

/// The one of them whose upper half says who shares the room for what is learned; the lower one is the port.
const QUOTA: usize = 5;

/// Bits of a record's first word: the length of its header in bytes.
const HEADER_LEN: u32 = 0xff00;

/// Marks a VNI that is there.
const HAS_VNI: u32 = 1 << 24;

/// Marks a next hop that is there.
const HAS_MAC: u32 = 1 << 16;

#[cfg(test)]
mod tests;
