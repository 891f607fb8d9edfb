//! What a VTEP answers: one decision for each frame or packet.

use core::net::IpAddr;

use super::{DropReason, Gso, OverlayMeta, send::Origin};
use crate::{
    table::{ListId, RemoteId},
    tunnel::InnerChecksum,
    wire::{VlanId, Vni, vxlan_gbp::GroupPolicy},
};

/// What to do with the frame or packet now. It stays in the caller's buffer; this says what it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum Output {
    /// It has its outer headers: send it into the underlay.
    Send {
        /// To this remote.
        remote: RemoteId,
        /// Its address, for who sends by a socket.
        address: IpAddr,
        /// UDP port of the remote.
        port: u16,
        /// What packets to the remote leave by.
        egress: u32,
        /// Bytes of outer headers that were put before the frame; by [`handle_ip`](super::Vtep::handle_ip), before the
        /// Ethernet header of the one that the packet became.
        outer: u16,
        /// What is known of the frame's transport checksum, counted from the front of the packet as it is now: one that
        /// was to be finished still is.
        checksum: InnerChecksum,
        /// Segments that it is to be cut into, where the frame was to be.
        gso: Option<Gso>,
    },
    /// It goes to several remotes: [`replicas`](super::Vtep::replicas) makes the headers.
    Replicate(Flood),
    /// It is an answer now: give it back to where the frame came from.
    Reply,
    /// It is a frame of this segment: hand it to whoever is there.
    Deliver {
        /// The segment.
        vni: Vni,
        /// The remote that it came from, if the tables know it.
        source: Option<RemoteId>,
        /// The [`port`](OverlayMeta::port) that it came in by, where it came from this side: it must not go back there.
        port: Option<u32>,
        /// The sender's policy, with Group Based Policy.
        policy: Option<GroupPolicy>,
        /// The segment's VLAN, if it has one: the frame is tagged with it, for a trunk, or has no tag where that is
        /// VLAN 0.
        vlan: Option<VlanId>,
    },
    /// It is an IP packet for our own router, its Ethernet header stripped: what the caller knew of a frame from this
    /// side by its [`inner_checksum`](OverlayMeta::inner_checksum) and [`gso`](OverlayMeta::gso) was counted from 14
    /// bytes before the packet, but by [`handle_ip`](super::Vtep::handle_ip) from where it is now.
    DeliverIp {
        /// The segment that it came by.
        vni: Vni,
        /// The remote that it came from, if the tables know it.
        source: Option<RemoteId>,
    },
    /// The MAC address of the next hop to this remote is not known; only with
    /// [`Link::resolving`](crate::tunnel::Link::resolving). Ask for it by a
    /// [`solicitation`](super::Vtep::solicitation). The answer is learned when it comes by
    /// [`handle_underlay`](super::Vtep::handle_underlay), which says [`Pass`](Self::Pass) of it as of all that comes by
    /// no tunnel: offer the frame again after such a one.
    Resolve {
        /// The remote.
        remote: RemoteId,
        /// Address of the next hop: the remote's, or that of the gateway.
        address: IpAddr,
        /// What packets to it leave by.
        egress: u32,
    },
    /// It is no tunnel packet of ours, or a later fragment, of which only the first one says whose it is: for the rest
    /// of the network stack.
    Pass,
    /// It is dropped.
    Drop(DropReason),
}

/// A frame to be sent to every member of a replication list.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flood {
    pub(super) list: ListId,
    pub(super) meta: OverlayMeta,
    pub(super) origin: Origin,
}
