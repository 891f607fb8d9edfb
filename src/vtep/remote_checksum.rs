//! Remote checksum offload on receipt (draft-herbert-vxlan-rco-00, section 3): the sender left the inner checksum to
//! us.
//!
//! ```text
//! |R|R|R|R|I|R|R|R|R|R|C|              Reserved                 |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |            VXLAN Network Identifier           |O| Csum start|
//! ```
//!
//! `C` says that it is so, the last byte where the sum starts, in words of 16 bits, and with `O` whether the checksum
//! is UDP's or TCP's. Its field holds the sum of the pseudo header.

use super::{DropReason, overlay::Front};
use crate::wire::{EtherType, checksum::Sum, ipv4, ipv6, vxlan};

/// Where the sum starts and where it goes, in bytes from the front of the inner frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offload {
    start: usize,
    at: usize,
    is_udp: bool,
}

impl Offload {
    /// What a header says of a frame; `None` where nothing was left to do. The sum must start behind an IP header: what
    /// is before that was checked as it is, and whatever says where the frame comes from must stay.
    pub(super) fn of(
        header: &vxlan::Header,
        front: &Front,
        frame: &[u8],
    ) -> Result<Option<Self>, DropReason> {
        let bits = header.reserved();
        if bits & C == 0 {
            return Ok(None);
        }
        let start = ((bits & START) as usize).saturating_mul(2);
        let is_udp = bits & O != 0;
        let field = if is_udp { UDP_CHECKSUM } else { TCP_CHECKSUM };
        let at = start.saturating_add(field);
        let first = transport(front, frame).ok_or(DropReason::RemoteChecksum)?;
        if start < first || at.saturating_add(2) > frame.len() {
            return Err(DropReason::RemoteChecksum);
        }
        Ok(Some(Self { start, at, is_udp }))
    }

    /// Writes the checksum.
    pub(super) fn finish(self, frame: &mut [u8]) {
        let sum = Sum::ZERO.add_bytes(frame.get(self.start..).unwrap_or_default());
        // Zero would say that there is none (RFC 768).
        let checksum = if self.is_udp { sum.udp_checksum() } else { sum.checksum() };
        if let Some(field) = frame.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut()) {
            *field = checksum.to_be_bytes();
        }
    }
}

/// Where the IP header of a frame ends; `None` without one.
fn transport(front: &Front, frame: &[u8]) -> Option<usize> {
    let ip = frame.get(front.l3..)?;
    let rest = match front.ethertype {
        EtherType::IPV4 => ipv4::Header::parse(ip).ok()?.1,
        EtherType::IPV6 => ipv6::Header::parse(ip).ok()?.1,
        _ => return None,
    };
    Some(frame.len().saturating_sub(rest.len()))
}

/// The bits that this extension uses.
pub(super) const USED: u64 = C | O | START;

const C: u64 = 0x0020_0000_0000_0000;
const O: u64 = 0x80;
const START: u64 = 0x7f;

/// Where the checksum stands in a transport header.
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;
