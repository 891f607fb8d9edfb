//! Routes, as they are shown and as they are kept.

use core::{fmt, net::IpAddr};

use super::{
    super::address::{of_words, to_words},
    Prefix,
};
use crate::wire::Vni;

/// A route: addresses, and where packets to them go.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Route {
    /// The addresses.
    pub prefix: Prefix,
    /// Where packets to them go.
    pub via: NextHop,
}

/// Where packets go.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum NextHop {
    /// To a neighbour in an overlay segment: an IP packet gets an Ethernet header to its MAC address.
    Gateway {
        /// The overlay segment.
        vni: Vni,
        /// The neighbour's address.
        address: IpAddr,
    },
    /// To the host that has the packet's own destination, as a neighbour in an overlay segment: what a router has of
    /// the networks that it is connected to.
    Segment {
        /// The overlay segment.
        vni: Vni,
    },
    /// To the other end of a tunnel of IP packets.
    Peer {
        /// Its address in the underlay.
        address: IpAddr,
        /// Its UDP port.
        port: u16,
    },
}

impl NextHop {
    /// The address of gateway or peer; in a segment it is that of each packet.
    pub const fn address(&self) -> Option<IpAddr> {
        match *self {
            Self::Gateway { address, .. } | Self::Peer { address, .. } => Some(address),
            Self::Segment { .. } => None,
        }
    }
}

/// `via 10.1.0.0 vni 1`, `vni 1` or `via 192.0.2.2 port 8285`.
impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway { vni, address } => write!(f, "via {address} vni {vni}"),
            Self::Segment { vni } => write!(f, "vni {vni}"),
            Self::Peer { address, port } => write!(f, "via {address} port {port}"),
        }
    }
}

/// The prefix and its next hop: `10.1.0.0/16 via 10.1.0.0 vni 1`.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.prefix, self.via)
    }
}

/// Family and length, and the words of the address.
#[inline]
pub(super) fn key(prefix: Prefix) -> [u32; 5] {
    let len = u32::from(prefix.prefix_len());
    let ([a, b, c, d], ipv6) = to_words(prefix.address());
    [if ipv6 { len | V6 } else { len }, a, b, c, d]
}

/// ```text
///  0               8                                              32
/// +---------------+-+-+-+-+---------------------------------------+
/// |    length     |6|6|G|S|                                       |
/// +---------------+-+-+-+-+---------------------------------------+
/// |              address of the prefix (4 words)                  |
/// +---------------------------------------------------------------+
/// |                  VNI (G and S) or port                        |
/// +---------------------------------------------------------------+
/// |          address of the next hop (4 words, not S)             |
/// +---------------------------------------------------------------+
/// ```
impl Route {
    /// What is the key: the prefix.
    #[inline]
    pub(super) fn is(words: &[u32; RECORD_WORDS], prefix: Prefix) -> bool {
        let [flags, a, b, c, d, ..] = *words;
        [flags & (V6 | LENGTH), a, b, c, d] == key(prefix)
    }

    pub(super) fn to_words(self) -> [u32; RECORD_WORDS] {
        let [flags, a, b, c, d] = key(self.prefix);
        let (kind, number) = match self.via {
            NextHop::Gateway { vni, .. } => (GATEWAY, vni.value()),
            NextHop::Segment { vni } => (SEGMENT, vni.value()),
            NextHop::Peer { port, .. } => (0, port.into()),
        };
        let ([e, f, g, h], ipv6) = self.via.address().map_or(([0; 4], false), to_words);
        let v6 = if ipv6 { VIA_V6 } else { 0 };
        [flags | kind | v6, a, b, c, d, number, e, f, g, h]
    }

    #[inline]
    pub(super) fn from_words(words: [u32; RECORD_WORDS]) -> Self {
        let [flags, a, b, c, d, number, e, f, g, h] = words;
        let via = of_words([e, f, g, h], flags & VIA_V6 != 0);
        Self {
            prefix: Prefix::truncate(of_words([a, b, c, d], flags & V6 != 0), (flags & LENGTH) as u8),
            via: match flags & (GATEWAY | SEGMENT) {
                0 => NextHop::Peer { address: via, port: number as u16 },
                SEGMENT => NextHop::Segment { vni: Vni::truncate(number) },
                _ => NextHop::Gateway { vni: Vni::truncate(number), address: via },
            },
        }
    }
}

/// Words of a record besides its generation.
pub(crate) const RECORD_WORDS: usize = 10;

// The first word of a record.
const LENGTH: u32 = 0xff;
const V6: u32 = 1 << 8;
const VIA_V6: u32 = 1 << 9;
const GATEWAY: u32 = 1 << 10;
const SEGMENT: u32 = 1 << 11;

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn records_survive() {
        let addresses: [IpAddr; 2] = [[192, 0, 2, 2].into(), [0xfd01, 2, 3, 4, 5, 6, 7, 8].into()];
        for prefix in ["0.0.0.0/0", "10.1.0.0/16", "10.1.2.3/32", "::/0", "fd01::/64", "fd01::1/128"] {
            let prefix = prefix.parse().unwrap();
            for address in addresses {
                for via in [
                    NextHop::Gateway { vni: Vni::MAX, address },
                    NextHop::Segment { vni: Vni::MAX },
                    NextHop::Peer { address, port: 0xffff },
                ] {
                    let route = Route { prefix, via };
                    assert_eq!(Route::from_words(route.to_words()), route);
                    assert!(Route::is(&route.to_words(), prefix));
                }
            }
        }
    }

    #[test]
    fn text() {
        let (prefix, address) = ("10.1.0.0/16".parse().unwrap(), [10, 1, 0, 0].into());
        let route = Route { prefix, via: NextHop::Gateway { vni: Vni::truncate(1), address } };
        assert_eq!(route.to_string(), "10.1.0.0/16 via 10.1.0.0 vni 1");
        let route = Route { prefix, via: NextHop::Segment { vni: Vni::truncate(1) } };
        assert_eq!(route.to_string(), "10.1.0.0/16 vni 1");
        let route = Route { prefix, via: NextHop::Peer { address: [192, 0, 2, 2].into(), port: 8285 } };
        assert_eq!(route.to_string(), "10.1.0.0/16 via 192.0.2.2 port 8285");
    }
}
