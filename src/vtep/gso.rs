//! Frames that are cut into segments after they were put into a tunnel, by a network card, say.
//!
//! The outer headers say the length of the whole, and who cuts mends them in each segment, as Linux has it for
//! `SKB_GSO_UDP_TUNNEL`. A UDP checksum could only be made for each segment, so there must be none.

use super::{Config, DropReason, OverlayMeta, way::Way};
use crate::{tunnel::Framing, wire::ethernet};

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

    /// Length of the longest segment of a frame of this length, which may be the only one.
    fn segment_len(self, len: usize) -> usize {
        usize::from(self.headers).saturating_add(self.size.into()).min(len)
    }

    /// The same once so many bytes of headers are before what is cut.
    pub(super) const fn behind(self, headers: u16) -> Self {
        Self { headers: self.headers.saturating_add(headers), ..self }
    }
}

impl OverlayMeta {
    /// Length of what must fit of a frame of this length: of the longest segment, where it is cut into some.
    pub(super) fn longest(&self, len: usize) -> usize {
        self.gso.map_or(len, |gso| gso.segment_len(len))
    }
}

impl Way<'_, '_> {
    /// The way for a frame of this length that is cut later; answers what whoever cuts it is to be told.
    pub(super) fn cut_later(&mut self, config: &Config, gso: Gso, len: usize) -> Result<Gso, DropReason> {
        let headers = usize::from(gso.headers);
        if gso.size == 0 || headers < ethernet::Header::LEN || headers >= len {
            return Err(DropReason::BadMeta);
        }
        let has_checksum = if self.address.is_ipv4() { config.udpcsum } else { !config.udp6zerocsumtx };
        let longest = usize::from(u16::MAX).saturating_sub(self.endpoint.network_overhead());
        if has_checksum || config.framing == Framing::Payload || len > longest {
            return Err(DropReason::GsoUnsupported);
        }
        self.outer = self.outer.with_max_inner(longest as u16);
        let outer = self.outer.header.len() as u16;
        Ok(gso.behind(outer))
    }
}
