//! The most usual headers: those that end in IP, UDP and a tunnel of eight bytes, so that with an Ethernet header
//! before them or without one everything in them has its place.

use super::{EncapMeta, Endpoint, InnerChecksum, Protocol, inner::IpVersion, patch, remote::Facts};
use crate::wire::ethernet;

pub(crate) use patch::{USUAL, USUAL_V6};

impl<P: Protocol> Endpoint<P> {
    /// Fills `room` with headers that end in those of IP, UDP and a tunnel of eight bytes: with or without an Ethernet
    /// header before them they have fixed lengths, and then everything in them has its place.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "what is together in a struct is in memory")]
    pub(super) fn put_usual(
        &self,
        room: &mut [u8],
        facts: &Facts,
        header: &[u8],
        inner: &[u8],
        meta: &EncapMeta,
        ecn: u8,
        hash: u32,
    ) -> bool {
        // One after the other: a match over all four is made a table of places to jump to.
        let done = if facts.usual == USUAL_FRAME as u8 {
            copied::<USUAL_FRAME>(room, header)
                .and_then(|room| self.patch_usual(room, facts.ipv4_sum, inner, meta, ecn, hash))
        } else if facts.usual == USUAL as u8 {
            copied::<USUAL>(room, header)
                .and_then(|room| self.patch_usual(room, facts.ipv4_sum, inner, meta, ecn, hash))
        } else if facts.usual == USUAL_V6_FRAME as u8 {
            copied::<USUAL_V6_FRAME>(room, header)
                .and_then(|room| self.patch_usual_v6(room, inner, meta, ecn, hash))
        } else if facts.usual == USUAL_V6 as u8 {
            copied::<USUAL_V6>(room, header)
                .and_then(|room| self.patch_usual_v6(room, inner, meta, ecn, hash))
        } else {
            None
        };
        done.is_some()
    }

    /// Completes headers of `N` bytes, which end in those of IPv4, UDP and a tunnel of eight bytes.
    #[inline(always)]
    pub(super) fn patch_usual<const N: usize>(
        &self,
        room: &mut [u8; N],
        ipv4_sum: u16,
        inner: &[u8],
        meta: &EncapMeta,
        ecn: u8,
        hash: u32,
    ) -> Option<()> {
        let (ip, udp, tunnel) = patch::usual(room)?;
        self.protocol.patch_plain(tunnel, inner, meta, hash);
        let total = USUAL.wrapping_add(inner.len());
        self.outer.patch_plain_ipv4(ipv4_sum, ip, udp, total, ecn, hash);
        Some(())
    }

    /// The same over IPv6.
    #[inline(always)]
    pub(super) fn patch_usual_v6<const N: usize>(
        &self,
        room: &mut [u8; N],
        inner: &[u8],
        meta: &EncapMeta,
        ecn: u8,
        hash: u32,
    ) -> Option<()> {
        let (ip, udp, tunnel) = patch::usual_v6(room)?;
        self.protocol.patch_plain(tunnel, inner, meta, hash);
        self.outer.patch_plain_ipv6(ip, udp, USUAL_V6.wrapping_add(inner.len()), ecn, hash);
        Some(())
    }

    /// Completes the UDP checksum in headers, from IP on, that are complete but for that; `usual` are those that end in
    /// UDP and a tunnel of eight bytes.
    #[inline(always)]
    pub(super) fn sum(
        &self,
        version: IpVersion,
        udp_sum: u16,
        headers: &mut [u8],
        usual: bool,
        inner: &[u8],
        checksum: InnerChecksum,
    ) -> Option<()> {
        let payload = self.protocol.plain_payload();
        let trusted = usual && self.outer.trusts(payload, checksum);
        if trusted && patch::sum_usual(udp_sum, headers, inner).is_some() {
            return Some(());
        }
        self.outer.sum_plain(version, udp_sum, headers, payload, inner, checksum)
    }
}

/// Bytes of the most usual headers with an Ethernet header before them.
pub(crate) const USUAL_FRAME: usize = ethernet::Header::LEN + USUAL;
pub(crate) const USUAL_V6_FRAME: usize = ethernet::Header::LEN + USUAL_V6;

/// The same headers in another place, of a length that the compiler knows.
#[inline(always)]
fn copied<'a, const N: usize>(to: &'a mut [u8], header: &[u8]) -> Option<&'a mut [u8; N]> {
    let to = to.first_chunk_mut()?;
    *to = *header.first_chunk()?;
    Some(to)
}
