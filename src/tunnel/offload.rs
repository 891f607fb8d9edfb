//! Local checksum offload: the sum of a carried packet without looking at all of it.
//!
//! A segment whose checksum is right adds up, that checksum included, to the complement of the sum of its pseudo header
//! (RFC 1071, section 1). So of a packet that is known to be good only the headers before the segment, and the padding
//! behind it, have to be read.

use super::{
    InnerChecksum, UdpChecksum,
    inner::{IpVersion, Peek},
    patch::Flow,
};
use crate::wire::{IpProtocol, checksum::Sum, ipv4, ipv6, udp};

/// The sum of the carried packet, as it will be when all its checksums are finished.
pub(crate) fn inner_sum(mode: UdpChecksum, packet: &[u8], peek: Peek, inner: InnerChecksum) -> Sum {
    match inner {
        InnerChecksum::Good if mode == UdpChecksum::Offload => good_sum(packet, peek),
        _ => None,
    }
    .unwrap_or_else(|| untrusted_sum(packet, inner))
}

/// The same without trust in what the packet holds: only a checksum that is still to be written is foreseen.
#[inline(always)]
pub(crate) fn finished_sum(flow: &Flow<'_>) -> Sum {
    untrusted_sum(flow.packet, flow.meta.inner_checksum)
}

fn untrusted_sum(packet: &[u8], inner: InnerChecksum) -> Sum {
    let foreseen = match inner {
        InnerChecksum::Partial { start, offset } => partial_sum(packet, start.into(), offset.into()),
        _ => None,
    };
    foreseen.unwrap_or_else(|| Sum::ZERO.add_bytes(packet))
}

/// What somebody else will finish: from `start` on everything adds up to the complement of what stands in
/// the checksum field now.
fn partial_sum(packet: &[u8], start: usize, offset: usize) -> Option<Sum> {
    let (before, segment) = packet.split_at_checked(start)?;
    let field = segment.get(offset..)?.first_chunk()?;
    let finished = Sum::known(!u16::from_be_bytes(*field), segment.len());
    Some(Sum::ZERO.add_bytes(before).join(finished))
}

/// A packet whose TCP or UDP checksum is good: its segment adds up to the complement of the sum of its
/// pseudo header. `None` where there is no such segment: fragments, other transports, UDP without checksum.
fn good_sum(packet: &[u8], peek: Peek) -> Option<Sum> {
    let (outer, ip) = packet.split_at_checked(peek.l3())?;
    let (header, segment, behind, pseudo, protocol) = match peek.version? {
        IpVersion::V4 => {
            let (fixed, options) = ipv4::Header::fixed(ip.first_chunk()?).ok()?;
            if fixed.is_fragment() {
                return None;
            }
            let (inner, behind) = ip.split_at_checked(fixed.total_len.into())?;
            let (header, segment) = inner.split_at_checked(ipv4::Header::MIN_LEN.checked_add(options)?)?;
            let len = segment.len() as u16;
            let pseudo = Sum::pseudo_ipv4(fixed.source, fixed.destination, fixed.protocol, len);
            (header, segment, behind, pseudo, fixed.protocol)
        }
        IpVersion::V6 => {
            let (header, rest) = ip.split_first_chunk()?;
            let fixed = ipv6::Header::from_bytes(header).ok()?;
            let (segment, behind) = rest.split_at_checked(fixed.payload_len.into())?;
            let len = fixed.payload_len.into();
            let pseudo = Sum::pseudo_ipv6(fixed.source, fixed.destination, fixed.next_header, len);
            (&header[..], segment, behind, pseudo, fixed.next_header)
        }
    };
    let has_checksum = match protocol {
        IpProtocol::TCP => segment.len() >= 20,
        // A datagram may end before the IP payload does (RFC 768): then its checksum says nothing of the rest.
        IpProtocol::UDP => segment
            .first_chunk()
            .map(udp::Header::from_bytes)
            .is_some_and(|udp| udp.checksum != 0 && usize::from(udp.length) == segment.len()),
        _ => false,
    };
    // Behind the inner packet there may be padding, which is payload like everything else.
    has_checksum.then(|| {
        let segment = Sum::known(pseudo.checksum(), segment.len());
        Sum::ZERO.add_bytes(outer).add_bytes(header).join(segment).add_bytes(behind)
    })
}
