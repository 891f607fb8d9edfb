//! The most usual headers: IP, UDP and a tunnel of eight bytes, behind an Ethernet header or without one. They have
//! fixed lengths, so that everything in them has its place.

use super::{
    EncapMeta, Endpoint, InnerChecksum, Protocol,
    inner::IpVersion,
    offload,
    outer::USUAL_TUNNEL,
    patch::{IPV4_UDP, IPV6_UDP, front_sum, set_checksum, with_tunnel},
    remote::Facts,
};
use crate::{
    packet::tail,
    wire::{ethernet, ipv4, ipv6, udp},
};

impl<P: Protocol> Endpoint<P> {
    /// Fills `room` with the headers for a packet, if the remote's are among the most usual ones; answers whether they
    /// are.
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

    /// Completes headers of `N` bytes over IPv4.
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
        let (ip, udp, tunnel) = ends(room)?;
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
        let (ip, udp, tunnel) = ends_v6(room)?;
        self.protocol.patch_plain(tunnel, inner, meta, hash);
        self.outer.patch_plain_ipv6(ip, udp, USUAL_V6.wrapping_add(inner.len()), ecn, hash);
        Some(())
    }

    /// Completes the UDP checksum in headers, from IP on, that are complete but for that; `usual` says whether they are
    /// the most usual ones.
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
        if trusted && sum_usual(udp_sum, headers, inner).is_some() {
            return Some(());
        }
        self.outer.sum_plain(version, udp_sum, headers, payload, inner, checksum)
    }
}

/// Completes the UDP checksum of what most frames are whose checksums are taken as they are; `None` for all others.
#[inline(never)]
fn sum_usual(udp_sum: u16, headers: &mut [u8], frame: &[u8]) -> Option<()> {
    let headers: &mut [u8; udp::Header::LEN + USUAL_TUNNEL] = headers.last_chunk_mut()?;
    let (udp, tunnel) = headers.split_first_chunk_mut()?;
    let inner = offload::usual(frame)?;
    let front = with_tunnel(front_sum(udp_sum, udp), tunnel);
    set_checksum(udp, front.double(inner.less).with(inner.front).udp_checksum());
    Some(())
}

/// The headers of IPv4, UDP and tunnel, without Ethernet's.
#[inline(always)]
fn ends(headers: &mut [u8]) -> Option<Ends<'_, { ipv4::Header::MIN_LEN }>> {
    split(tail::<USUAL>(headers)?)
}

/// The same with IPv6.
#[inline(always)]
fn ends_v6(headers: &mut [u8]) -> Option<Ends<'_, { ipv6::Header::LEN }>> {
    split(tail::<USUAL_V6>(headers)?)
}

#[inline(always)]
fn split<const IP: usize>(headers: &mut [u8]) -> Option<Ends<'_, IP>> {
    let (ip, rest) = headers.split_first_chunk_mut()?;
    let (udp, tunnel) = rest.split_first_chunk_mut()?;
    Some((ip, udp, tunnel))
}

type Ends<'a, const IP: usize> = (&'a mut [u8; IP], &'a mut [u8; udp::Header::LEN], &'a mut [u8]);

/// The same headers in another place, of a length that the compiler knows.
#[inline(always)]
fn copied<'a, const N: usize>(to: &'a mut [u8], header: &[u8]) -> Option<&'a mut [u8; N]> {
    let to = to.first_chunk_mut()?;
    *to = *header.first_chunk()?;
    Some(to)
}

/// Bytes of these headers over IPv4.
pub(crate) const USUAL: usize = IPV4_UDP + USUAL_TUNNEL;
/// With an Ethernet header before them.
pub(crate) const USUAL_FRAME: usize = ethernet::Header::LEN + USUAL;
/// Bytes of these headers over IPv6.
pub(crate) const USUAL_V6: usize = IPV6_UDP + USUAL_TUNNEL;
/// With an Ethernet header before them.
pub(crate) const USUAL_V6_FRAME: usize = ethernet::Header::LEN + USUAL_V6;
