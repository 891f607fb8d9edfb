//! Encapsulation: the outer headers put before a packet, in one pass.

use super::{
    EncapError, EncapMeta, Endpoint, InnerChecksum, Payload, Protocol, Remote, USUAL, USUAL_FRAME,
    UdpChecksum,
    inner::{Peek, Plain},
    patch::Flow,
    remote::{Facts, Kept},
};
use crate::packet::{self, Header, Packet};

impl<P: Protocol> Endpoint<P> {
    /// Puts the outer headers before `packet`, into its headroom. `remote` must be one that this endpoint made.
    ///
    /// # Errors
    ///
    /// [`EncapError`]; the packet is left as it was.
    #[inline]
    pub fn encap(&self, packet: &mut Packet<'_>, remote: &Remote) -> Result<(), EncapError> {
        self.encap_with(packet, remote, &EncapMeta::new())
    }

    /// Puts the outer headers of a `remote` of this endpoint before `packet`, with what the caller knows of it.
    ///
    /// # Errors
    ///
    /// [`EncapError`]; the packet is left as it was.
    // A small part of it is in line, and that wants to know what the caller knows: most of its decisions are then gone.
    #[inline(always)]
    pub fn encap_with(
        &self,
        packet: &mut Packet<'_>,
        remote: &Remote,
        meta: &EncapMeta,
    ) -> Result<(), EncapError> {
        // No closure and no value of facts and headers: both would go through memory.
        if let Some(header) = remote.header.bytes() {
            if let Some(()) = self.encap_plain(packet, &remote.facts, header, meta) {
                return Ok(());
            }
        }
        let len = self.encap_any(packet.reborrow(), remote, *meta)?;
        packet.grow_front(len);
        Ok(())
    }

    /// As [`encap_with`](Self::encap_with), for a remote that a table keeps, without making a [`Remote`] of it if that
    /// is not needed.
    #[inline(always)]
    pub(crate) fn encap_kept(
        &self,
        packet: &mut Packet<'_>,
        kept: &Kept<'_>,
        meta: &EncapMeta,
    ) -> Result<(), EncapError> {
        match self.encap_plain(packet, &kept.facts, kept.header, meta) {
            Some(()) => Ok(()),
            None => {
                let len = self.encap_any_kept(packet.reborrow(), kept, *meta)?;
                packet.grow_front(len);
                Ok(())
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn encap_any_kept(
        &self,
        packet: Packet<'_>,
        kept: &Kept<'_>,
        meta: EncapMeta,
    ) -> Result<usize, EncapError> {
        // Address and port are in the headers already.
        self.encap_any(packet, &kept.to_remote(self.local(), 0), meta)
    }

    /// What most endpoints do with most packets: only lengths, ECN, source port and segment differ from the remote's
    /// headers. `None` where that is not all, and where something is wrong: [`encap_any`](Self::encap_any) knows.
    // All that is known of the packet stays in registers, where a value of several fields would go through memory.
    #[inline(always)]
    pub(super) fn encap_plain(
        &self,
        packet: &mut Packet<'_>,
        facts: &Facts,
        header: &[u8],
        meta: &EncapMeta,
    ) -> Option<()> {
        if !self.sends_plain {
            return None;
        }
        let (room, inner) = packet.split_headroom(header.len())?;
        let (ecn, hash) = self.look_plain(inner, facts.max_inner, meta)?;
        let usual = P::IS_UDP && usize::from(facts.usual) > FIRST;
        if !(usual && self.put_usual(room, facts, header, inner, meta, ecn, hash)) {
            packet::copy(room, header);
            self.protocol.patch_plain(room.get_mut(facts.tunnel.into()..)?, inner, meta, hash);
            let headers = room.get_mut(facts.l3.into()..)?;
            self.outer.patch_plain(P::IS_UDP, facts, headers, inner.len(), ecn, hash)?;
        }
        if P::IS_UDP && self.outer.udp_checksum != UdpChecksum::Zero {
            let headers = room.get_mut(facts.l3.into()..)?;
            self.sum(facts.ip?, facts.udp_sum, headers, usual, inner, meta.inner_checksum)?;
        }
        packet.grow_front(header.len());
        Some(())
    }

    /// The ECN bits and the flow hash of a packet of at most `max` bytes that is plain, to be sent as most are.
    // The caller knows that the endpoint sends plain packets.
    #[inline(always)]
    fn look_plain(&self, inner: &[u8], max: u16, meta: &EncapMeta) -> Option<(u8, u32)> {
        if matches!(meta.inner_checksum, InnerChecksum::Partial { .. }) {
            return None;
        }
        let payload = self.protocol.plain_payload();
        let plain = Plain::new(payload, inner)?;
        if inner.len() > max.into() || plain.ecn() > self.outer.max_plain_ecn {
            return None;
        }
        let hash = match meta.hash {
            Some(hash) => hash,
            None if P::NEEDS_HASH || P::IS_UDP => self.outer.keys.plain_flow(payload, plain, inner),
            None => 0,
        };
        Some((plain.ecn(), hash))
    }

    /// The same for every packet and every endpoint. Answers how many bytes the headers have.
    // With copies, so that nobody has to keep a packet or what he knows of it in memory for the sake of this call.
    #[cold]
    #[inline(never)]
    pub(super) fn encap_any(
        &self,
        mut packet: Packet<'_>,
        remote: &Remote,
        meta: EncapMeta,
    ) -> Result<usize, EncapError> {
        let header = &*remote.header;
        let need = header.len();
        let missing = packet::Error::Headroom { need, have: packet.headroom() };
        let (room, inner) = packet.split_headroom(need).ok_or(missing)?;
        let peek = self.check(inner, remote, &meta)?;
        packet::copy(room, header);
        self.patch(room, inner, peek, remote, &meta);
        Ok(need)
    }

    /// The outer headers of `packet` as a value, to be sent as `[header, packet]`.
    ///
    /// # Errors
    ///
    /// [`EncapError`].
    #[inline]
    pub fn header(&self, packet: &[u8], remote: &Remote, meta: &EncapMeta) -> Result<Header, EncapError> {
        let peek = self.check(packet, remote, meta)?;
        let mut header = remote.header;
        self.patch(header.as_mut_slice(), packet, peek, remote, meta);
        Ok(header)
    }

    /// Encapsulates a burst: each packet with the remote and the knowledge that stand at its place in
    /// `plan`, and what came of it at its place in `results`. Returns how many were handled: as many as the
    /// shortest of the three slices has.
    pub fn encap_batch(
        &self,
        packets: &mut [Packet<'_>],
        plan: &[(&Remote, EncapMeta)],
        results: &mut [Result<(), EncapError>],
    ) -> usize {
        // Remotes of one endpoint are nearly always alike.
        let usual = match plan {
            [(remote, _), ..] if self.sends_unsummed() => remote.facts.usual.into(),
            _ => 0,
        };
        match usual {
            USUAL_FRAME => self.burst::<USUAL_FRAME>(packets, plan, results),
            USUAL => self.burst::<USUAL>(packets, plan, results),
            FIRST => self.burst::<FIRST>(packets, plan, results),
            _ => self.burst::<0>(packets, plan, results),
        }
    }

    /// Whether packets differ in little, and have no UDP checksum.
    const fn sends_unsummed(&self) -> bool {
        P::IS_UDP && self.sends_plain && matches!(self.outer.udp_checksum, UdpChecksum::Zero)
    }

    /// A burst of which most packets get `N` bytes of the most usual headers, or headers that are [`FIRST`], or, where
    /// `N` is zero, any.
    // One function for each `N`, so that each gets registers of its own.
    #[inline(never)]
    fn burst<const N: usize>(
        &self,
        packets: &mut [Packet<'_>],
        plan: &[(&Remote, EncapMeta)],
        results: &mut [Result<(), EncapError>],
    ) -> usize {
        let mut done = 0;
        for ((packet, (remote, meta)), result) in packets.iter_mut().zip(plan).zip(results) {
            let done_plain = match N {
                0 => (remote.header.bytes())
                    .and_then(|header| self.encap_plain(packet, &remote.facts, header, meta)),
                FIRST => self.encap_first(packet, remote, meta),
                _ => self.encap_usual::<N>(packet, remote, meta),
            };
            match done_plain {
                Some(()) => *result = Ok(()),
                None => self.encap_other(packet, remote, meta, result),
            }
            done += 1;
        }
        done
    }

    /// What [`encap_plain`](Self::encap_plain) does with `N` bytes of the most usual headers over IPv4, for an endpoint
    /// that [sends without UDP checksums](Self::sends_unsummed). `None` for other headers, too.
    #[inline(always)]
    fn encap_usual<const N: usize>(
        &self,
        packet: &mut Packet<'_>,
        remote: &Remote,
        meta: &EncapMeta,
    ) -> Option<()> {
        if usize::from(remote.facts.usual) != N {
            return None;
        }
        let (room, inner) = packet.split_headroom(N)?;
        let (ecn, hash) = self.look_plain(inner, remote.facts.max_inner, meta)?;
        let room = room.first_chunk_mut()?;
        *room = *remote.header.first::<N>()?;
        self.patch_usual(room, remote.facts.ipv4_sum, inner, meta, ecn, hash)?;
        packet.grow_front(N);
        Some(())
    }

    /// The same with headers that start with IPv4 and UDP, and any tunnel behind them.
    #[inline(always)]
    fn encap_first(&self, packet: &mut Packet<'_>, remote: &Remote, meta: &EncapMeta) -> Option<()> {
        let facts = &remote.facts;
        if usize::from(facts.usual) != FIRST {
            return None;
        }
        let header = remote.header.bytes()?;
        let (room, inner) = packet.split_headroom(header.len())?;
        let (ecn, hash) = self.look_plain(inner, facts.max_inner, meta)?;
        packet::copy(room, header);
        let total = header.len().wrapping_add(inner.len());
        let (ip, rest) = room.split_first_chunk_mut()?;
        let (udp, tunnel) = rest.split_first_chunk_mut()?;
        self.protocol.patch_plain(tunnel, inner, meta, hash);
        self.outer.patch_plain_ipv4(facts.ipv4_sum, ip, udp, total, ecn, hash);
        packet.grow_front(header.len());
        Some(())
    }

    /// What [`encap_with`](Self::encap_with) does with a packet that is not as most of its burst are.
    // It writes the result itself: a common value for both ways would be made in one place and copied to another.
    #[cold]
    #[inline(never)]
    fn encap_other(
        &self,
        packet: &mut Packet<'_>,
        remote: &Remote,
        meta: &EncapMeta,
        result: &mut Result<(), EncapError>,
    ) {
        *result = self.encap_with(packet, remote, meta);
    }

    /// Everything that can stand against encapsulation, but headroom.
    #[inline(always)]
    fn check(&self, packet: &[u8], remote: &Remote, meta: &EncapMeta) -> Result<Peek, EncapError> {
        let payload = self.protocol.payload();
        let peek = Peek::new(payload, packet)
            .map_err(|truncated| EncapError::InnerTruncated { need: truncated.need, have: truncated.have })?;
        if payload == Payload::Ip && peek.version.is_none() {
            return Err(EncapError::InnerNotIp);
        }
        if packet.len() > remote.max_inner() {
            return Err(EncapError::TooLong { len: packet.len(), max: remote.max_inner() });
        }
        if let InnerChecksum::Partial { start, offset } = meta.inner_checksum {
            if !meta.inner_checksum.fits(packet.len()) {
                let at = usize::from(start).saturating_add(offset.into());
                return Err(EncapError::PartialChecksum { at, len: packet.len() });
            }
        }
        if peek.tagged && !self.protocol.sends_tags() {
            return Err(EncapError::InnerVlan);
        }
        self.protocol.check(&peek, meta)?;
        Ok(peek)
    }

    /// Completes the outer headers of `packet`, which was checked, in `room`, which holds the remote's.
    #[inline(always)]
    fn patch(&self, room: &mut [u8], packet: &[u8], peek: Peek, remote: &Remote, meta: &EncapMeta) {
        let hash = match meta.hash {
            Some(hash) => hash,
            None if P::NEEDS_HASH || self.outer.needs_hash() => self.outer.keys.flow(packet, peek),
            None => 0,
        };
        let flow = Flow { packet, peek, meta, hash };
        let facts = &remote.facts;
        if let Some(tunnel) = room.get_mut(facts.tunnel.into()..) {
            self.protocol.patch(tunnel, &flow);
        }
        self.outer.patch(P::IS_UDP, facts, room, &flow);
    }
}

/// Value of [`Facts::usual`] for headers that start with IPv4 and UDP, with another tunnel behind: no length, which is
/// at least 36.
pub(super) const FIRST: usize = 1;
