//! Neighbours, as they are shown, as they are made, and as they are kept.

use core::{fmt, net::IpAddr, time::Duration};

use super::{
    super::address::{of_words, to_words},
    NeighborState,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

/// A neighbour: who has an IP address in an overlay segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Neighbor {
    /// The overlay segment.
    pub vni: Vni,
    /// The IP address.
    pub address: IpAddr,
    /// The MAC address; means nothing where the state is not [valid](NeighborState::is_valid).
    pub mac: MacAddr,
    /// What is known of whether it is there.
    pub state: NeighborState,
    /// It is a router (`NTF_ROUTER`; the R flag of RFC 4861).
    pub router: bool,
    /// Time since it was confirmed, to the tick, in states that age.
    pub age: Option<Duration>,
}

impl Neighbor {
    /// Whether the kernel's proxies answer for it: [`NeighborState::answers`].
    pub const fn answers(&self) -> bool {
        self.state.answers()
    }

    /// Whether its MAC address holds, as far as anybody knows: [`NeighborState::is_valid`].
    pub const fn is_valid(&self) -> bool {
        self.state.is_valid()
    }
}

/// As `ip neigh` prints it, but for the device: `10.1.0.2 lladdr 02:00:00:00:01:02 router PERMANENT`. The
/// alternate form says the VNI after the address.
impl fmt::Display for Neighbor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if f.alternate() {
            write!(f, " vni {}", self.vni)?;
        }
        if self.is_valid() {
            write!(f, " lladdr {}", self.mac)?;
        }
        if self.router {
            f.write_str(" router")?;
        }
        write!(f, " {}", self.state)
    }
}

/// A neighbour to be: a MAC address, and what is said about it. A MAC address alone makes a permanent one.
///
/// ```
/// # use encap::{table::{NeighborState, NewNeighbor}, time::Instant, wire::MacAddr};
/// # let (mac, now) = (MacAddr([2, 0, 0, 0, 1, 2]), Instant::from_secs(1));
/// let router = NewNeighbor::new(mac).router();
/// let heard_of = NewNeighbor::new(mac).state(NeighborState::Reachable, now);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewNeighbor {
    pub(super) mac: MacAddr,
    pub(super) state: NeighborState,
    pub(super) router: bool,
    pub(super) now: Option<Instant>,
}

impl NewNeighbor {
    /// A permanent neighbour.
    pub const fn new(mac: MacAddr) -> Self {
        Self { mac, state: NeighborState::Permanent, router: false, now: None }
    }

    /// A neighbour without a MAC address, which is being asked for or did not answer.
    pub const fn unknown(now: Instant) -> Self {
        Self::new(MacAddr::ZERO).state(NeighborState::Incomplete, now)
    }

    /// Sets the state, and since when it holds: from then on it ages, if neighbours of this state do.
    #[must_use]
    pub const fn state(self, state: NeighborState, now: Instant) -> Self {
        Self { state, now: Some(now), ..self }
    }

    /// Says that it is a router.
    #[must_use]
    pub const fn router(self) -> Self {
        Self { router: true, ..self }
    }
}

impl From<MacAddr> for NewNeighbor {
    fn from(mac: MacAddr) -> Self {
        Self::new(mac)
    }
}

/// A neighbour in storage.
///
/// ```text
///  0                               16                              32
/// +-------------------------------+-------------------------------+
/// |            domain             |     first bytes of the MAC    |
/// +-------------------------------+-------------------------------+
/// |                    other bytes of the MAC                     |
/// +-----+-+-+-----------------------------------------------------+
/// |state|R|6|                                                     |
/// +-----+-+-+-----------------------------------------------------+
/// |               IP address: one word, or four (6)               |
/// +---------------------------------------------------------------+
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) domain: u16,
    pub(super) address: IpAddr,
    pub(super) mac: MacAddr,
    pub(super) state: NeighborState,
    pub(super) router: bool,
}

impl Record {
    /// What is the key: domain and address.
    #[inline]
    pub(super) fn is(words: &[u32; RECORD_WORDS], domain: u16, address: IpAddr) -> bool {
        let (address, v6) = to_words(address);
        let [first, _, flags, found @ ..] = *words;
        first as u16 == domain && (flags & V6 != 0) == v6 && found == address
    }

    #[inline]
    pub(super) fn to_words(self) -> [u32; RECORD_WORDS] {
        let ([a, b, c, d], v6) = to_words(self.address);
        let [m0, m1, m2, m3, m4, m5] = self.mac.0;
        let flags = self.state.to_bits() | if self.router { ROUTER } else { 0 } | if v6 { V6 } else { 0 };
        let first = u32::from(u16::from_be_bytes([m0, m1])) << 16 | u32::from(self.domain);
        [first, u32::from_be_bytes([m2, m3, m4, m5]), flags, a, b, c, d]
    }

    #[inline]
    pub(super) fn from_words(words: [u32; RECORD_WORDS]) -> Self {
        let [first, rest, flags, a, b, c, d] = words;
        let ([m0, m1, ..], [m2, m3, m4, m5]) = (first.to_be_bytes(), rest.to_be_bytes());
        Self {
            domain: first as u16,
            address: of_words([a, b, c, d], flags & V6 != 0),
            mac: MacAddr([m0, m1, m2, m3, m4, m5]),
            state: NeighborState::from_bits(flags),
            router: flags & ROUTER != 0,
        }
    }
}

/// Words of a record besides its generation.
pub(crate) const RECORD_WORDS: usize = 7;

const ROUTER: u32 = 8;
const V6: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive() {
        let addresses: [IpAddr; 4] = [
            [10, 1, 0, 2].into(),
            [255; 4].into(),
            [0xfd01, 2, 3, 4, 5, 6, 7, 8].into(),
            // IPv6, with the words of an IPv4 address.
            [0x0a01, 2, 0, 0, 0, 0, 0, 0].into(),
        ];
        for (address, bits) in addresses.into_iter().zip(0..) {
            let record = Record {
                domain: 0xfffe - bits as u16,
                address,
                mac: MacAddr([2, 1, 3, 4, 5, 0xff]),
                state: NeighborState::from_bits(bits + 2),
                router: bits % 2 == 0,
            };
            assert_eq!(Record::from_words(record.to_words()), record);
            for other in addresses {
                assert_eq!(Record::is(&record.to_words(), record.domain, other), other == address);
            }
            assert!(!Record::is(&record.to_words(), 1, address));
        }
    }
}
