//! Packets that bring a tunnel encapsulation limit into a tunnel over IPv6 that has none of its own: they get one less
//! in the outer headers, in options that only they have (RFC 2473, section 4.1.1).

use super::{Tunnel, encap_limit};
use crate::{
    packet::{self, Header, Packet},
    tunnel::{EncapError, EncapMeta, Framing, Remote},
    wire::{IpProtocol, ipv6},
};

impl Tunnel {
    /// Bytes of options that such a packet gets; none where all packets get them, or a socket writes the IP header.
    pub(super) const fn limit_len(&self) -> usize {
        let writes = !matches!(self.endpoint.outer.framing, Framing::Payload);
        if writes && self.local().is_ipv6() && self.endpoint.protocol.encap_limit.is_none() {
            encap_limit::LEN
        } else {
            0
        }
    }

    /// Puts the outer headers before `packet`, with this limit among them if there is one.
    #[inline]
    pub(super) fn wrap(
        &self,
        packet: &mut Packet<'_>,
        remote: &Remote,
        meta: &EncapMeta,
        limit: Option<u8>,
    ) -> Result<(), EncapError> {
        match limit {
            None => self.endpoint.encap_with(packet, remote, meta),
            Some(limit) => self.wrap_limited(packet, remote, meta, limit),
        }
    }

    #[cold]
    fn wrap_limited(
        &self,
        packet: &mut Packet<'_>,
        remote: &Remote,
        meta: &EncapMeta,
        limit: u8,
    ) -> Result<(), EncapError> {
        let need = remote.overhead().saturating_add(encap_limit::LEN);
        let missing = packet::Error::Headroom { need, have: packet.headroom() };
        let (room, inner) = packet.split_headroom(need).ok_or(missing)?;
        let header = self.headers(inner, remote, meta, Some(limit))?;
        packet::copy(room, &header);
        packet.grow_front(need);
        Ok(())
    }

    /// The outer headers of `packet`, with this limit among them if there is one.
    #[inline]
    pub(super) fn headers(
        &self,
        packet: &[u8],
        remote: &Remote,
        meta: &EncapMeta,
        limit: Option<u8>,
    ) -> Result<Header, EncapError> {
        let header = self.endpoint.header(packet, remote, meta)?;
        let Some(limit) = limit else { return Ok(header) };
        let max = usize::from(self.max_inner).saturating_sub(encap_limit::LEN);
        insert(&header, remote.facts.l3.into(), limit).ok_or(EncapError::TooLong { len: packet.len(), max })
    }
}

/// The same headers with options behind that of IPv6, which starts at `l3`; `None` where they or the packet are too
/// long.
fn insert(header: &Header, l3: usize, limit: u8) -> Option<Header> {
    let (front, gre) = header.split_at_checked(l3.checked_add(ipv6::Header::LEN)?)?;
    let mut new = Header::EMPTY;
    let room = new.resize(header.len().checked_add(encap_limit::LEN)?)?;
    for (to, from) in room.iter_mut().zip(front.iter().chain(&encap_limit::header(limit)).chain(gre)) {
        *to = *from;
    }
    let [_, _, _, _, l0, l1, next_header, ..] =
        room.get_mut(l3..)?.first_chunk_mut::<{ ipv6::Header::LEN }>()?;
    [*l0, *l1] = u16::from_be_bytes([*l0, *l1]).checked_add(encap_limit::LEN as u16)?.to_be_bytes();
    *next_header = IpProtocol::DESTINATION_OPTIONS.0;
    Some(new)
}
