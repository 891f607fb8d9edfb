//! Looks for tunnels in a packet of a capture.

use encap::{
    tunnel::{Inspection, Profile, inspect_capture},
    wire::EtherType,
};

use crate::read::Frame;

/// What was found in a packet.
pub(crate) struct Found<'a> {
    pub(crate) inspection: Inspection,
    /// The packet behind the capture's link header.
    pub(crate) packet: &'a [u8],
}

/// A packet inside all tunnels.
pub(crate) struct Innermost<'a> {
    /// [`EtherType::TEB`] for an Ethernet frame.
    pub(crate) protocol: EtherType,
    pub(crate) bytes: &'a [u8],
    /// Length before the capture cut it, in bytes.
    pub(crate) wire_len: usize,
}

impl<'a> Found<'a> {
    /// `None` where the capture's link type is not known.
    pub(crate) fn new(frame: &Frame<'a>, mut profile: Profile) -> Option<Self> {
        let (start, link_len) = frame.start()?;
        profile.start = start;
        let packet = frame.data.get(link_len..).unwrap_or_default();
        let wire_len = frame.wire_len.saturating_sub(link_len).max(packet.len());
        Some(Self { inspection: inspect_capture(packet, wire_len, &profile), packet })
    }

    /// `None` where there is no tunnel.
    pub(crate) fn innermost(&self) -> Option<Innermost<'a>> {
        let layer = self.inspection.layers().last()?;
        let bytes = self.packet.get(layer.payload.clone())?;
        Some(Innermost { protocol: layer.protocol, bytes, wire_len: layer.wire_len })
    }
}
