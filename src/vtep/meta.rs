//! What callers say of a frame.

use super::Gso;
use crate::{
    table::RemoteId,
    tunnel::InnerChecksum,
    wire::{VlanId, Vni, vxlan_gbp::GroupPolicy},
};

/// What the caller knows of a frame to send. By default nothing but the segment, 0.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct OverlayMeta {
    /// The segment.
    pub vni: Vni,
    /// What the frame came in by: a TAP device, a virtual function, a container. It says nothing to the VTEP, which
    /// does not learn who is behind which port, as Linux's vxlan device does not: that is for a bridge. Where a frame
    /// stays on this side, it comes back in [`Output::Deliver`](super::Output::Deliver), so that you can leave out the
    /// port that the frame came from.
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
