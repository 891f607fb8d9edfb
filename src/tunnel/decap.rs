//! Decapsulation: the outer headers checked and stripped, the inner packet left in place.

use core::net::IpAddr;

use super::{
    Anomalies, DecapMeta, DropReason, Encapsulation, Endpoint, Framing, OuterFacts, Protocol, Start,
    carried::{Carried, ecn_of},
    ecn,
    inner::{Plain, goes_back},
    protocol::Opened,
    underlay,
    view::View,
};
use crate::{
    packet::Packet,
    wire::{EtherType, checksum::State, is_unicast},
};

/// A packet that came out of a tunnel, and what its outer headers said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Inner {
    /// What the tunnel's own header said.
    pub encapsulation: Encapsulation,
    /// What the outer headers said; `None` where a socket has taken them and the caller did not say.
    pub outer: Option<OuterFacts>,
    /// What the packet is: [`EtherType::TEB`] for an Ethernet frame.
    pub protocol: EtherType,
    /// Bytes that were stripped off the front.
    pub stripped: usize,
}

#[cfg(feature = "etherparse")]
impl Inner {
    /// The inner packet as etherparse reads it; `packet` is what decapsulation left.
    ///
    /// # Errors
    ///
    /// etherparse's own.
    pub fn sliced<'a>(
        &self,
        packet: &'a [u8],
    ) -> Result<etherparse::SlicedPacket<'a>, etherparse::err::packet::SliceError> {
        match self.protocol {
            EtherType::TEB => etherparse::SlicedPacket::from_ethernet(packet),
            protocol => etherparse::SlicedPacket::from_ether_type(protocol.into(), packet),
        }
    }
}

impl<P: Protocol> Endpoint<P> {
    /// Checks the outer headers of `packet` and strips them; bytes behind the end that the headers state, the
    /// link's padding, are cut off. The inner packet gets its ECN field by RFC 6040.
    ///
    /// # Errors
    ///
    /// The first [`DropReason`] that applies; the packet is left as it was.
    #[inline]
    pub fn decap(&self, packet: &mut Packet<'_>) -> Result<Inner, DropReason> {
        self.decap_with(packet, &DecapMeta::new())
    }

    /// As [`decap`](Self::decap), with what the caller knows of the packet.
    ///
    /// # Errors
    ///
    /// The first [`DropReason`] that applies; the packet is left as it was.
    // As for encapsulation: what is in line is short, and asks less where it knows the caller.
    #[inline(always)]
    pub fn decap_with(&self, packet: &mut Packet<'_>, meta: &DecapMeta) -> Result<Inner, DropReason> {
        if let Some((inner, end)) = packet.bytes().and_then(|bytes| self.checked_plain(bytes, meta)) {
            packet.narrow(inner.stripped, end);
            return Ok(inner);
        }
        self.decap_long(packet, meta)
    }

    #[inline(always)]
    fn decap_long(&self, packet: &mut Packet<'_>, meta: &DecapMeta) -> Result<Inner, DropReason> {
        let (inner, carried) = self.checked_any(packet.as_slice(), *meta)?;
        carried.strip_from(packet);
        Ok(inner)
    }

    /// All checks of decapsulation, for who has some of his own before anything is stripped.
    #[inline(always)]
    pub(crate) fn checked(&self, packet: &[u8], meta: &DecapMeta) -> Result<(Inner, Carried), DropReason> {
        if let Some((inner, end)) = self.checked_plain(packet, meta) {
            return Ok((inner, Carried::unchanged(&inner, end)));
        }
        self.checked_any(packet, *meta)
    }

    /// The checks for what most packets over IPv4 are ([`glance`](super::glance)), where the inner one keeps its ECN
    /// field; and where in the packet it ends. `None` for all others and all errors: [`Self::checked_any`] knows.
    // In line, so that nothing goes through memory but what the caller wants.
    #[inline(always)]
    pub(crate) fn checked_plain(&self, packet: &[u8], meta: &DecapMeta) -> Option<(Inner, usize)> {
        // Who knows the outer facts has a packet without outer headers.
        if !self.opens_plain || meta.outer.is_some() {
            return None;
        }
        let glance = self.outer.glance_ipv4(P::IS_UDP, P::MIN_PLAIN, packet, meta, &self.policy)?;
        let opened = self.protocol.open_plain(glance.payload, &self.policy, self.fatal)?;
        plain::<P>(Some(glance.facts), glance.end, opened)
    }

    /// The same over IPv6.
    #[inline(always)]
    pub(crate) fn checked_plain_ipv6(&self, packet: &[u8], meta: &DecapMeta) -> Option<(Inner, usize)> {
        let IpAddr::V6(local) = self.outer.local else { return None };
        let is_plain = self.outer.framing != Framing::Payload && self.protocol.opens_plain();
        if !is_plain || meta.outer.is_some() {
            return None;
        }
        let glance = self.outer.glance_ipv6(P::IS_UDP, local, packet, meta, &self.policy)?;
        let opened = self.protocol.open_plain(glance.payload, &self.policy, self.fatal)?;
        plain::<P>(Some(glance.facts), glance.end, opened)
    }

    /// The same for endpoints of other kinds: over IPv6, without outer headers, with extensions.
    #[inline(always)]
    pub(crate) fn checked_at_a_glance(&self, packet: &[u8], meta: DecapMeta) -> Option<(Inner, usize)> {
        let mut seen = Anomalies::NONE;
        let (outer, payload, end) = match (self.outer.framing, self.outer.local) {
            _ if meta.outer.is_some() => {
                meta.outer.iter().for_each(|outer| self.judge(outer, &mut seen));
                (meta.outer, packet, packet.len())
            }
            (Framing::Payload, _) => (None, packet, packet.len()),
            (_, IpAddr::V4(_)) => {
                let glance = self.outer.glance_ipv4(P::IS_UDP, 0, packet, &meta, &self.policy)?;
                (Some(glance.facts), glance.payload, glance.end)
            }
            (_, IpAddr::V6(local)) => {
                let glance = self.outer.glance_ipv6(P::IS_UDP, local, packet, &meta, &self.policy)?;
                (Some(glance.facts), glance.payload, glance.end)
            }
        };
        let opened = self.protocol.open(View::whole(payload), &self.policy, &mut seen).ok()?;
        let (protocol, inner) = (opened.protocol, opened.payload.bytes());
        if !seen.and(self.fatal).is_empty() {
            return None;
        }
        plain::<P>(outer, end, (opened.encapsulation, protocol, inner))
    }

    /// The checks for every packet.
    // With a copy, so that nobody has to keep what he knows in memory for the sake of this call.
    #[inline(never)]
    fn checked_any(&self, packet: &[u8], meta: DecapMeta) -> Result<(Inner, Carried), DropReason> {
        if !self.opens_plain || meta.outer.is_some() {
            if let Some((inner, end)) = self.checked_at_a_glance(packet, meta) {
                return Ok((inner, Carried::unchanged(&inner, end)));
            }
        }
        self.walked(packet, &meta)
    }

    /// The checks one by one, from the outside in.
    #[inline(always)]
    pub(super) fn walked(&self, packet: &[u8], meta: &DecapMeta) -> Result<(Inner, Carried), DropReason> {
        let mut seen = Anomalies::NONE;
        let read = self.read(View::whole(packet), meta, &mut seen);
        let fatal = seen.and(self.fatal).first();
        match (read, fatal) {
            (Ok((outer, carried)), None) => Ok((carried.inner(outer), carried)),
            (Ok(_), Some(reason)) => Err(reason),
            // The first one in the order of the checks.
            (Err(reason), fatal) => Err(fatal.map_or(reason, |fatal| fatal.min(reason))),
        }
    }

    /// Whether a packet is for somebody else, whatever else is wrong with it.
    pub(crate) fn is_for_others(&self, packet: &[u8], meta: &DecapMeta) -> bool {
        let mut seen = Anomalies::NONE;
        let read = self.read(View::whole(packet), meta, &mut seen);
        let refused = seen.and(self.fatal);
        let mut reasons = read.err().map_or(refused, |reason| refused.with(reason)).into_iter();
        reasons.any(DropReason::is_not_ours) || P::IS_UDP && self.has_no_port(packet, meta)
    }

    /// What the tunnel's own header says of a packet that was refused for that header, or for what is behind it.
    pub(crate) fn encapsulation(&self, packet: &[u8], meta: &DecapMeta) -> Option<Encapsulation> {
        let opened = self.open(View::whole(packet), meta, &mut Anomalies::default(), |_, _, _| {});
        opened.ok().map(|(_, opened)| opened.encapsulation)
    }

    /// Whether a packet is a later fragment: whose datagram that is, only its first one says.
    fn has_no_port(&self, packet: &[u8], meta: &DecapMeta) -> bool {
        let ip = |start| underlay::ip(View::whole(packet), start, &mut Anomalies::default()).ok();
        self.start(meta).and_then(ip).is_some_and(|ip| ip.is_later_fragment)
    }

    /// Where the outer headers of a packet begin; `None` where it has none any more.
    #[inline(always)]
    const fn start(&self, meta: &DecapMeta) -> Option<Start> {
        match (meta.outer, self.outer.framing) {
            (Some(_), _) | (None, Framing::Payload) => None,
            (None, Framing::Ip) => Some(Start::Ip),
            (None, Framing::Ethernet(_)) => Some(Start::Ethernet),
        }
    }

    /// Decapsulates a burst: each packet with the knowledge that stands at its place in `metas`, and what came of it
    /// at its place in `results`. Returns how many were handled: as many as the shortest of the three slices has.
    pub fn decap_batch(
        &self,
        packets: &mut [Packet<'_>],
        metas: &[DecapMeta],
        results: &mut [Result<Inner, DropReason>],
    ) -> usize {
        let mut done = 0;
        for ((packet, meta), result) in packets.iter_mut().zip(metas).zip(results) {
            match packet.bytes().and_then(|bytes| self.checked_plain(bytes, meta)) {
                Some((inner, end)) => {
                    packet.narrow(inner.stripped, end);
                    *result = Ok(inner);
                }
                None => self.decap_any(packet, meta, result),
            }
            done += 1;
        }
        done
    }

    /// What [`decap_with`](Self::decap_with) does with a packet that is not plain.
    // It writes the result itself: a common value for both ways would be made in one place and copied to another.
    #[cold]
    #[inline(never)]
    fn decap_any(&self, packet: &mut Packet<'_>, meta: &DecapMeta, result: &mut Result<Inner, DropReason>) {
        *result = self.decap_long(packet, meta);
    }

    #[inline(always)]
    fn read(
        &self,
        view: View<'_>,
        meta: &DecapMeta,
        seen: &mut Anomalies,
    ) -> Result<(Option<OuterFacts>, Carried), DropReason> {
        let (outer, opened) = self.open(view, meta, seen, |_, _, _| {})?;
        if let (true, Some(outer)) = (P::FINDS_LOOPS, outer) {
            let loops = goes_back(opened.protocol, opened.payload.bytes(), outer.source);
            seen.insert_if(loops, DropReason::InnerLoop);
        }
        Ok((outer, Carried::new(opened, ecn_of(outer), &self.policy, seen)?))
    }

    /// Reads down to the tunnel's own header, and not into what it carries. `check_ends` sees source and destination as
    /// soon as they are known: before whatever else may be wrong with a packet that is for others.
    #[inline(always)]
    pub(crate) fn open<'a>(
        &self,
        view: View<'a>,
        meta: &DecapMeta,
        seen: &mut Anomalies,
        check_ends: impl FnOnce(IpAddr, IpAddr, &mut Anomalies),
    ) -> Result<(Option<OuterFacts>, Opened<'a>), DropReason> {
        let Some(start) = self.start(meta) else {
            if let Some(outer) = &meta.outer {
                self.judge(outer, seen);
                check_ends(outer.source, outer.destination, seen);
            }
            return Ok((meta.outer, self.protocol.open(view, &self.policy, seen)?));
        };
        let ip = underlay::header(view, start, seen)?;
        let (source, destination, local) = (ip.header.source(), ip.header.destination(), self.outer.local);
        if ip.header.is_v4() != local.is_ipv4() {
            return Err(DropReason::NotIp);
        }
        seen.insert_if(source == local, DropReason::MartianSource);
        let ours = destination == local || destination.is_multicast();
        seen.insert_if(!ours, DropReason::OtherDestination);
        check_ends(source, destination, seen);
        let ip = ip.upper(seen)?;
        if ip.leads_on {
            // No policy makes this ours: a socket of any address does not get it either.
            return Err(DropReason::OtherDestination);
        }
        if ip.protocol != P::PROTOCOL {
            return Err(DropReason::OtherProtocol);
        }
        if ip.is_later_fragment {
            return Err(DropReason::Fragment);
        }
        let (mut packet, mut facts) = (ip.payload, ip.facts());
        facts.vlan = meta.vlan.or(facts.vlan);
        if P::IS_UDP {
            let udp = underlay::udp(&ip, &self.policy, seen)?;
            if udp.header.destination_port != self.outer.port {
                return Err(DropReason::OtherPort);
            }
            packet = udp.payload;
            facts.source_port = udp.header.source_port;
            facts.destination_port = udp.header.destination_port;
            facts.udp_checksum = if meta.udp_checksum_verified && udp.header.checksum != 0 {
                State::Good
            } else {
                underlay::verify_udp(&ip, &udp, &self.policy, seen)
            };
        }
        Ok((Some(facts), self.protocol.open(packet, &self.policy, seen)?))
    }
}

impl<P: Protocol> Endpoint<P> {
    /// Takes in what is odd about the addresses of a packet of which somebody told us: the same as where we read them.
    fn judge(&self, outer: &OuterFacts, seen: &mut Anomalies) {
        let (source, local) = (outer.source, self.outer.local);
        // Where the destination is not known, it is taken to be right.
        let destination = if outer.destination.is_unspecified() { local } else { outer.destination };
        // A source `::ffff:a.b.c.d` stays IPv6: such a packet is not for an IPv4 endpoint.
        let is_alike = |address: IpAddr| address.is_ipv4() == local.is_ipv4();
        seen.insert_if(!(is_alike(source) && is_alike(destination)), DropReason::NotIp);
        // What came to a socket of any address, and nobody says to which, may have come to loopback.
        let may_be_loopback = destination.is_unspecified() && is_unicast(source);
        let is_martian = underlay::is_martian(source, destination) && !may_be_loopback;
        seen.insert_if(is_martian || source == local, DropReason::MartianSource);
        // A socket with a wildcard address takes what is for any of the host's.
        let ours = destination == local || destination.is_multicast() || local.is_unspecified();
        seen.insert_if(!ours, DropReason::OtherDestination);
    }
}

/// What came out of an opened tunnel whose payload ends at `end`, where that is plain and nothing of it changes.
#[inline(always)]
fn plain<P: Protocol>(
    outer: Option<OuterFacts>,
    end: usize,
    (encapsulation, protocol, inner): (Encapsulation, EtherType, &[u8]),
) -> Option<(Inner, usize)> {
    if !ecn::is_kept(Plain::of_protocol(protocol, inner)?.ecn(), outer.map_or(0, |outer| outer.ds_field)) {
        return None;
    }
    if P::FINDS_LOOPS && outer.is_some_and(|outer| goes_back(protocol, inner, outer.source)) {
        return None;
    }
    Some((Inner { encapsulation, outer, protocol, stripped: end.wrapping_sub(inner.len()) }, end))
}
