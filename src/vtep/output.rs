//! What a VTEP answers: one decision for each frame or packet.

use core::net::IpAddr;

use super::{DropReason, send::Origin};
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
    /// The MAC address of the next hop to this remote is not known. Ask for it by a
    /// [`solicitation`](super::Vtep::solicitation), whose answer is learned when it comes by
    /// [`handle_underlay`](super::Vtep::handle_underlay), and offer the frame again.
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

/// What the caller knows of a frame to send. By default nothing but the segment, 0.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct OverlayMeta {
    /// The segment.
    pub vni: Vni,
    /// What the frame came in by: a TAP device, a virtual function, a container. It says nothing to the VTEP, which
    /// does not learn who is behind which port, as Linux's vxlan device does not: that is for a bridge. Where a frame
    /// stays on this side, it comes back in [`Output::Deliver`], so that you can leave out the port that the frame came
    /// from.
    pub port: u32,
    /// A flow hash, from a network card, say.
    pub hash: Option<u32>,
    /// What is known of the frame's transport checksum, counted from the frame's front without the tag of a trunk; for
    /// [`handle_ip`](super::Vtep::handle_ip) from the front of the IP packet.
    pub inner_checksum: InnerChecksum,
    /// Policy to send along, with Group Based Policy.
    pub policy: Option<GroupPolicy>,
    /// The frame comes from a trunk: its VLAN says the segment ([`Vtep::vlans`](super::Vtep::vlans)), `vni` means
    /// nothing, and its outermost tag goes no further. Frames without a tag, or with one of VLAN 0, belong to what VLAN
    /// 0 is mapped to.
    pub trunk: bool,
    /// On a trunk, and nowhere else: the VLAN of a tag that a network card has taken off the frame.
    pub vlan: Option<VlanId>,
    /// The frame goes to this remote, whatever the tables say of its addresses (Linux: `external`).
    pub remote: Option<RemoteId>,
    /// Segments that the frame is cut into later, by a network card that knows tunnels. Only without outer UDP
    /// checksums, and where the outer IP header is ours.
    pub gso: Option<Gso>,
    /// The frame came out of a tunnel: it must not go into one again (split horizon).
    pub from_tunnel: bool,
}

/// How a frame that is longer than packets may be is cut into segments later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Gso {
    /// Bytes of headers that each segment gets: from the front of the frame, without the tag of a trunk, to the end of
    /// its TCP or UDP header; for [`handle_ip`](super::Vtep::handle_ip) from the front of the IP packet.
    pub headers: u16,
    /// Bytes of payload in each segment but the last.
    pub size: u16,
}

impl Gso {
    /// Segments of `size` bytes behind `headers` bytes of headers.
    pub const fn new(headers: u16, size: u16) -> Self {
        Self { headers, size }
    }
}

impl OverlayMeta {
    /// A frame from a trunk, whose segment its VLAN says.
    pub fn trunk() -> Self {
        Self { trunk: true, ..Self::default() }
    }

    /// A frame of this segment of which nothing else is known.
    pub fn new(vni: Vni) -> Self {
        Self { vni, ..Self::default() }
    }
}
