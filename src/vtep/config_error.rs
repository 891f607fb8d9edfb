//! Why settings are refused.

use core::net::IpAddr;

use crate::{table, tunnel, wire::MacAddr};

/// Why a VTEP, or a node of flannel's backend, cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is neither an IPv4 nor an IPv6 address.
    #[error("a local address is needed, IPv4 or IPv6: `local` or `local6`")]
    NoLocal,
    /// Settings of the tunnel do not work.
    #[error(transparent)]
    Tunnel(#[from] tunnel::ConfigError),
    /// The tables cannot be built.
    #[error(transparent)]
    Tables(#[from] table::BuildError),
    /// Remotes have less room than the outer headers need.
    #[error("remotes keep {had} bytes of outer headers, {needed} are needed: see Capacity::header")]
    Header {
        /// Bytes that are needed.
        needed: usize,
        /// Bytes that there are.
        had: usize,
    },
    /// Our own MAC address in the overlay is one that no frame comes from: a group's, or that of all.
    #[error("`address` is {0}, a group's MAC address, which no frame comes from")]
    AddressIsGroup(MacAddr),
    /// Bits of the VXLAN header that every packet has are to cause a drop, or those of a VNI.
    #[error("`reserved_bits` has {bits:#018x}, which are no reserved bits: the I flag's or the VNI's")]
    NotReserved {
        /// Those bits.
        bits: u64,
    },
    /// Routing without a MAC address of our own.
    #[error("`l3` needs a unicast MAC address of our own: `address`")]
    L3WithoutAddress,
    /// Packets that are too long are to be fragmented, and have DF set.
    #[error("`too_big` is `Fragment`: then `df` must not be `Set`")]
    FragmentWithDf,
    /// A prefix that is longer than an address.
    #[error("`{field}` is {len}: at most {max} bits")]
    PrefixLength {
        /// Name of the field.
        field: &'static str,
        /// What it says.
        len: u8,
        /// The most that it may say.
        max: u8,
    },
    /// A gateway in a family in which we have no address.
    #[error("gateway {0}: the VTEP has no address of that family")]
    GatewayFamily(IpAddr),
    /// A gateway that is us.
    #[error("gateway {0}: that is the VTEP's own address")]
    GatewayIsLocal(IpAddr),
    /// A gateway that is not on the link, so that there is no way to it.
    #[error(
        "gateway {gateway} is not on the link: it does not share the {len} bits of `{field}` with the VTEP's address"
    )]
    GatewayOffLink {
        /// The gateway.
        gateway: IpAddr,
        /// Name of the field that says what is on the link.
        field: &'static str,
        /// What it says.
        len: u8,
    },
    /// A gateway that would never be used, since everybody is on the link.
    #[error("gateway {gateway} would never be used: `{field}` is 0, so that everybody is on the link")]
    GatewayUnused {
        /// The gateway.
        gateway: IpAddr,
        /// Name of the field that says what is on the link.
        field: &'static str,
    },
    /// A gateway that would never be used, since one next hop is set for all.
    #[error("gateway {0} would never be used: `framing` has a next hop for all, `Link::next_hop`")]
    GatewayBesideNextHop(IpAddr),
    /// A gateway at an address that no host has: the network's, its broadcast, or a group's.
    #[error("gateway {0}: no host on the link has that address")]
    GatewayNotHost(IpAddr),
    /// Remotes are to have addresses of one family alone, in which we have none.
    #[error("`tables.underlay` is `{0:?}`: the VTEP has no address of that family")]
    UnderlayWithoutLocal(table::Underlay),
    /// What needs neighbours, and no room for any.
    #[error("`{field}` needs neighbours, and there is room for none: see Capacity::neighbors")]
    NoNeighbors {
        /// Name of the field.
        field: &'static str,
    },
    /// Ethernet headers without a next hop, where nobody asks for one.
    #[error("`framing` has no next hop, and nobody asks for one here: `Link::next_hop`")]
    NoNextHop,
    /// A router's address without a MAC address, from which its frames come.
    #[error("`router` and `router6` need the MAC address that their frames come from: `address`")]
    RouterWithoutAddress,
    /// An address in the overlay that no host has, or for a router one that no other router forwards packets from.
    #[error(
        "address {0} in the overlay is no host's, or of one link only: `address`, `address6`, `router` or `router6`"
    )]
    AddressNotUnicast(IpAddr),
    /// A flow label without an IPv6 underlay.
    #[error("`label` needs an IPv6 address in the underlay: `local6`")]
    LabelWithoutIpv6,
}
