//! Local checksum offload: the sum of a carried packet without looking at all of it.
//!
//! A segment whose checksum is right adds up, that checksum included, to the complement of the sum of its pseudo header
//! (RFC 1071, section 1). So of a packet that is known to be good only the headers before the segment, without the
//! addresses, and the padding behind it, have to be read.

use super::{InnerChecksum, UdpChecksum, inner::IpVersion, patch::Flow};
use crate::wire::{
    IpProtocol,
    checksum::{Few, Sum},
    ethernet, ipv4, udp,
};

/// The sum of the carried packet behind `before`, as it will be when all its checksums are finished. `at`: which IP it
/// is, and where.
#[inline(always)]
pub(crate) fn with_inner(
    before: Few,
    mode: UdpChecksum,
    packet: &[u8],
    at: Option<(IpVersion, usize)>,
    inner: InnerChecksum,
) -> Sum {
    match (inner, mode, at) {
        (InnerChecksum::Good, UdpChecksum::Offload, Some((version, l3))) => {
            good_sum(before, packet, version, l3)
        }
        _ => None,
    }
    .unwrap_or_else(|| before.sum().join(untrusted_sum(packet, inner)))
}

/// What is to be added for a trusted frame.
pub(crate) struct Usual<'p> {
    /// The frame up to the IP addresses, which cancel.
    pub(crate) front: &'p [u8; 26],
    /// What takes the protocol and the length of the pseudo header away again.
    pub(crate) less: u32,
}

/// What [`with_inner`] adds for what most trusted frames are, where every field has its place: IPv4 without options,
/// all of it there and nothing behind it. `None` for all others: [`with_inner`] knows.
#[inline(always)]
pub(crate) fn usual(frame: &[u8]) -> Option<Usual<'_>> {
    let segment_len = frame.len().checked_sub(ethernet::Header::LEN + ipv4::Header::MIN_LEN)?;
    let (front, rest) = frame.split_first_chunk::<26>()?;
    let (_addresses, segment) = rest.split_first_chunk::<8>()?;
    let &[.., t0, t1, v_ihl, _, l0, l1, _, _, f0, f1, _, protocol, _, _] = front;
    let usual = [t0, t1, v_ihl] == [0x08, 0x00, 0x45];
    let total_len = usize::from(u16::from_be_bytes([l0, l1]));
    let whole = u16::from_be_bytes([f0, f1]) & 0x3fff == 0;
    if !usual || !whole || total_len != segment_len.wrapping_add(ipv4::Header::MIN_LEN) {
        return None;
    }
    // The sum of their complements: adding that subtracts them.
    let less = 0x1_fffe_u32.wrapping_sub(protocol.into()).wrapping_sub(segment_len as u32);
    has_checksum(IpProtocol(protocol), segment).then_some(Usual { front, less })
}

/// The sum of the packet as it will be when a checksum that is left to somebody else is written. Checksums that are
/// there already are summed like all else, whether they are right or not.
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
///
/// Of the IP header, which is summed as well, the addresses and the protocol are in the pseudo header too, so that they
/// cancel: what is left to add are the bytes before the addresses, less protocol and length.
#[inline(always)]
fn good_sum(before: Few, packet: &[u8], version: IpVersion, l3: usize) -> Option<Sum> {
    let ip = packet.get(l3..)?;
    let (front, options, protocol, segment, behind) = match version {
        IpVersion::V4 => {
            let &[v_ihl, _, l0, l1, _, _, f0, f1, _, protocol, ..] = ip.first_chunk::<20>()?;
            let header_len = usize::from(v_ihl & 0x0f) * 4;
            if u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
                return None;
            }
            let (inner, behind) = ip.split_at_checked(u16::from_be_bytes([l0, l1]).into())?;
            // Fewer bytes than a header has are no header.
            let options = inner.get(ipv4::Header::MIN_LEN..header_len)?;
            // With hops left, the last of them is in the pseudo header, and another address in this one.
            if !options.is_empty() && ipv4::leads_on(options) {
                return None;
            }
            (front_sum::<26>(before, packet, l3, 12)?, options, protocol, inner.get(header_len..)?, behind)
        }
        IpVersion::V6 => {
            let (&[_, _, _, _, l0, l1, protocol, ..], rest) = ip.split_first_chunk::<40>()?;
            let (segment, behind) = rest.split_at_checked(u16::from_be_bytes([l0, l1]).into())?;
            (front_sum::<22>(before, packet, l3, 8)?, &[][..], protocol, segment, behind)
        }
    };
    if !has_checksum(IpProtocol(protocol), segment) {
        return None;
    }
    let len = segment.len() as u16;
    let mut sum = front.word(!u16::from(protocol)).word(!len).sum();
    if !options.is_empty() {
        sum = sum.add_bytes(options);
    }
    if !behind.is_empty() {
        // Padding, which is payload like everything else: behind a segment of this length, and so perhaps at an odd
        // place.
        sum = sum.join(Sum::known(0, segment.len())).add_bytes(behind);
    }
    Some(sum)
}

/// Whether a segment has a checksum, and that says something of all of it.
#[inline(always)]
fn has_checksum(protocol: IpProtocol, segment: &[u8]) -> bool {
    match protocol {
        IpProtocol::TCP => segment.len() >= 20,
        // A datagram may end before the IP payload does (RFC 768): then its checksum says nothing of the rest.
        IpProtocol::UDP => segment
            .first_chunk()
            .map(udp::Header::from_bytes)
            .is_some_and(|udp| udp.checksum != 0 && usize::from(udp.length) == segment.len()),
        _ => false,
    }
}

/// `before` with all that is before IP, and with the first `part` bytes of that: `N` where an Ethernet header is before
/// it, which is so often that it is worth its own sum.
#[inline(always)]
fn front_sum<const N: usize>(before: Few, packet: &[u8], l3: usize, part: usize) -> Option<Few> {
    let end = l3.wrapping_add(part);
    if end == N {
        return packet.first_chunk::<N>().map(|front| before.array(front));
    }
    // There is an even number of them.
    Some(before.word(Sum::ZERO.add_bytes(packet.get(..end)?).value()))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    /// Every bit of the headers changed, every length: the short way has no answer, or that of the long one.
    #[test]
    fn usual_frames_are_summed_as_all_are() {
        let mut answers = 0;
        for protocol in [IpProtocol::UDP, IpProtocol::TCP] {
            let mut frame = [0x5a; 70];
            frame[12..24].copy_from_slice(&[0x08, 0, 0x45, 0, 0, 56, 0, 0, 0x40, 0, 64, protocol.0]);
            frame[38..40].copy_from_slice(&[0, 36]);
            for bit in 0..8 * 42 {
                let mut changed = frame;
                changed[bit / 8] ^= 1 << (bit % 8);
                answers += u32::from(compare(&changed));
            }
            for len in 0..frame.len() {
                assert!(!compare(&frame[..len]), "{len} bytes");
            }
            assert!(compare(&frame));
            let padded = [&frame[..], &[1, 2, 3]].concat();
            assert!(!compare(&padded));
        }
        assert!(answers > 400, "{answers} answers");
    }

    fn compare(frame: &[u8]) -> bool {
        let before = Few::NONE.word(0x1234);
        let Some(Usual { front, less }) = usual(frame) else { return false };
        let sum = before.double(less).with(front).sum();
        let at = Some((IpVersion::V4, ethernet::Header::LEN));
        let any = with_inner(before, UdpChecksum::Offload, frame, at, InnerChecksum::Good);
        assert_eq!(sum.value(), any.value(), "{frame:02x?}");
        true
    }
}
