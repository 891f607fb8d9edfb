//! Trunks: a port that carries many segments, told apart by their VLANs (RFC 7348, section 6.1).
//!
//! A tag has its meaning on this side only: it is taken off before a frame goes into a tunnel, and put before one that
//! came out. Tags behind it are the hosts' own.

use super::{DropReason, Engine, OverlayMeta, overlay::Front};
use crate::{
    packet::Packet,
    wire::{VlanId, Vni, ethernet, vlan},
};

/// What a trunk's frame says of its segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) vni: Vni,
    /// Whether the frame has a tag that is the trunk's, and not its own.
    tagged: bool,
}

impl Engine<'_> {
    /// The segment of a frame, which the caller says unless it comes from a trunk.
    pub(super) fn membership(
        &self,
        meta: &OverlayMeta,
        front: &mut Front,
        frame: &[u8],
    ) -> Result<Membership, DropReason> {
        if !meta.trunk {
            return Ok(Membership { vni: meta.vni, tagged: false });
        }
        // The first tag is the trunk's, whatever is behind it: more tags than are followed, or one that is cut off.
        let outer = match meta.vlan {
            None if front.tagged => {
                Some(vlan::Header::parse(after_link(frame)).map_err(|_| DropReason::FrameTruncated)?.0)
            }
            _ => None,
        };
        let vlan = meta.vlan.or(outer.map(|tag| tag.id)).unwrap_or_default();
        if let Some(outer) = outer {
            front.tagged = outer.ethertype.is_vlan();
        }
        let vni = self.vlans().vni(vlan).ok_or(DropReason::UnknownVlan)?;
        Ok(Membership { vni, tagged: outer.is_some() })
    }
}

impl Membership {
    /// Takes the trunk's tag off; answers it, to be put back where the frame stays on this side.
    pub(super) fn untag(&self, packet: &mut Packet<'_>) -> Option<Tag> {
        if !self.tagged {
            return None;
        }
        let &[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1, t2, t3] =
            packet.as_slice().first_chunk()?;
        packet.strip(vlan::Header::LEN).ok()?;
        *packet.as_mut_slice().first_chunk_mut()? = [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5];
        Some(Tag([t0, t1, t2, t3]))
    }
}

/// The EtherType and the word of a tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag([u8; vlan::Header::LEN]);

impl Tag {
    /// The tag of a VLAN, without a priority. VLAN 0 stands for frames without one.
    pub(super) fn of(vlan: VlanId) -> Option<Self> {
        let [v0, v1] = vlan.value().to_be_bytes();
        (vlan != VlanId::default()).then_some(Self([0x81, 0, v0, v1]))
    }

    /// Puts the tag behind the addresses of a frame. There is room where headers or a tag were taken off before.
    pub(super) fn put(self, packet: &mut Packet<'_>) -> Result<(), DropReason> {
        let Some(&addresses) = packet.as_slice().first_chunk::<{ 2 * 6 }>() else {
            return Err(DropReason::FrameTruncated);
        };
        let room: &mut [u8; vlan::Header::LEN] = packet.prepend().map_err(|_| DropReason::NoHeadroom)?;
        *room = [0; vlan::Header::LEN];
        let frame = packet.as_mut_slice().split_first_chunk_mut().and_then(|(front, rest)| {
            *front = addresses;
            rest.first_chunk_mut()
        });
        *frame.ok_or(DropReason::FrameTruncated)? = self.0;
        Ok(())
    }
}

fn after_link(frame: &[u8]) -> &[u8] {
    frame.get(ethernet::Header::LEN..).unwrap_or_default()
}
