//! Misses: what nobody knows.

use core::net::IpAddr;

use crate::{
    table::RemoteId,
    wire::{MacAddr, Vni},
};

/// Something that nobody knows, for a control plane to find out.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Miss {
    /// Where is this MAC address? (Linux: `l2miss`.) Only where there is no default destination either.
    L2 {
        /// The overlay segment.
        vni: Vni,
        /// The address.
        mac: MacAddr,
    },
    /// Which MAC address has this IP address? (Linux: `l3miss`.)
    L3 {
        /// The overlay segment.
        vni: Vni,
        /// The address.
        address: IpAddr,
    },
    /// Which MAC address leads to this remote? A copy of a flooded frame was dropped for it; a frame to this remote
    /// alone is [`Output::Resolve`](super::Output::Resolve).
    NextHop {
        /// The remote.
        remote: RemoteId,
        /// Address of the next hop: the remote's, or that of the gateway.
        address: IpAddr,
        /// What packets to it leave by.
        egress: u32,
    },
}
