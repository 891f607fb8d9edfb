//! The straight way of a frame: to a remote whose headers are made and whose next hop is known, if there is nothing to
//! be asked, told or made first. Most frames go this way, in three steps: the frame is looked at, its remote
//! is found, its headers are written.

use core::net::IpAddr;

use super::{Config, Engine, Output, OverlayMeta, ShortCircuit, TooBig};
use crate::{
    packet::Packet,
    table::{Fields, Record, RemoteId},
    tunnel::{
        self, Framing, InnerChecksum, Link, Look, Payload, Plain, Template, USUAL, USUAL_FRAME, USUAL_V6,
        USUAL_V6_FRAME,
        vxlan::{self, Vxlan},
    },
    wire::{MacAddr, Vni},
};

/// What is the same for all frames that go straight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Straight<'t> {
    /// What looks at frames: an endpoint of either family, since both take the same from them.
    endpoint: tunnel::Straight<'t, Vxlan>,
    ipv4: Option<tunnel::Straight<'t, Vxlan>>,
    ipv6: Option<tunnel::Straight<'t, Vxlan>>,
    /// The port of remotes, and so ours.
    port: u16,
    pub(super) kind: Kind,
    /// Whether the next hop is in the headers, where a remote has none of its own.
    is_complete: bool,
}

/// What outer headers there are. Most VTEPs have those of IPv4, without UDP checksums: for these nothing else is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Those, from IP on,
    Ipv4,
    /// or from Ethernet on.
    Ipv4Frame,
    /// Of either IP, with or without UDP checksums, from IP on,
    Any,
    /// or from Ethernet on.
    AnyFrame,
}

impl<'t> Straight<'t> {
    /// `None` where no frame goes straight.
    pub(super) fn of(config: &Config, endpoints: [Option<&'t vxlan::Endpoint>; 2]) -> Option<Self> {
        let [ipv4, ipv6] = endpoints.map(|endpoint| endpoint?.straight());
        let is_ipv4 = ipv6.is_none() && !ipv4?.sums();
        let (kind, is_complete) = match config.framing {
            Framing::Ip => (if is_ipv4 { Kind::Ipv4 } else { Kind::Any }, true),
            Framing::Ethernet(Link { next_hop, vlan: None, .. }) => {
                (if is_ipv4 { Kind::Ipv4Frame } else { Kind::AnyFrame }, next_hop != MacAddr::ZERO)
            }
            _ => return None,
        };
        let straight = Self { endpoint: ipv4.or(ipv6)?, ipv4, ipv6, port: config.dstport, kind, is_complete };
        (config.too_big != TooBig::Fragment && config.rsc == ShortCircuit::Off).then_some(straight)
    }

    /// Looks at a frame, before anybody knows where it goes; `None` where it does not go straight wherever that is.
    #[inline(always)]
    pub(super) fn look(&self, meta: &OverlayMeta, frame: &[u8], plain: Plain, to: &mut Look) -> Option<()> {
        // The other way says what a checksum is that has no place in the frame.
        if meta.gso.is_some() || !meta.inner_checksum.fits(frame.len()) {
            return None;
        }
        self.endpoint.look(frame, plain, meta.hash, to)
    }
}

impl<'t> Engine<'t> {
    /// Finds the remote that a frame goes to, with `V4` bytes of outer headers before it or, over IPv6, `V6`, which is
    /// zero where all are [`Kind::Ipv4`] or [`Kind::Ipv4Frame`]; `None` where there is no straight way for this frame.
    #[inline(always)]
    pub(super) fn find_straight<const V4: usize, const V6: usize>(
        &self,
        straight: &Straight<'_>,
        look: &Look,
        id: RemoteId,
    ) -> Option<Record<'t>> {
        let record = self.fdb.remotes.record_of(id)?;
        // By the length of its headers: of all that VXLAN can have only the usual ones are that long.
        let is_local = if V6 != 0 && record.is_ipv6_with(tunnel::Remote::FACTS + V6) {
            straight.ipv6?.local() == record.ipv6()
        } else if record.is_ipv4_with(tunnel::Remote::FACTS + V4) {
            straight.ipv4::<V6>()?.local_ipv4() == record.ipv4()
        } else {
            return None;
        };
        // We ourselves, maybe with another segment.
        if is_local && record.port() == straight.port {
            return None;
        }
        if !straight.is_complete && record.next_hop().is_none() {
            return None;
        }
        look.fits(record.header_word::<2>()).then_some(record)
    }

    /// Sends a frame straight that nobody has looked at; answers how long it was.
    #[inline(never)]
    pub(super) fn try_straight(
        &self,
        meta: &OverlayMeta,
        id: RemoteId,
        packet: &mut Packet<'_>,
        output: &mut Output,
    ) -> Option<usize> {
        let straight = self.straight.as_ref()?;
        let frame = packet.bytes()?;
        let mut look = Look::default();
        straight.look(meta, frame, Plain::new(Payload::Ethernet, frame)?, &mut look)?;
        match straight.kind {
            Kind::Ipv4 => self.try_kind::<USUAL, 0>(straight, &look, meta, id, packet, output),
            Kind::Ipv4Frame => self.try_kind::<USUAL_FRAME, 0>(straight, &look, meta, id, packet, output),
            Kind::Any => self.try_kind::<USUAL, USUAL_V6>(straight, &look, meta, id, packet, output),
            Kind::AnyFrame => {
                self.try_kind::<USUAL_FRAME, USUAL_V6_FRAME>(straight, &look, meta, id, packet, output)
            }
        }
    }

    #[inline(always)]
    fn try_kind<const V4: usize, const V6: usize>(
        &self,
        straight: &Straight<'_>,
        look: &Look,
        meta: &OverlayMeta,
        id: RemoteId,
        packet: &mut Packet<'_>,
        output: &mut Output,
    ) -> Option<usize> {
        let to = self.find_straight::<V4, V6>(straight, look, id)?;
        straight.send::<V4, V6>(meta, look, &to, packet, output)
    }
}

impl<'t> Straight<'t> {
    /// The endpoint of IPv4, which is there if all are of that kind.
    #[inline(always)]
    const fn ipv4<const V6: usize>(&self) -> Option<tunnel::Straight<'t, Vxlan>> {
        if V6 == 0 { Some(self.endpoint) } else { self.ipv4 }
    }

    /// Puts outer headers before a frame that was looked at, and whose remote was found. Answers how long it was;
    /// `None` for those that go another way, which are left as they were. The caller counts.
    #[inline(always)]
    pub(super) fn send<const V4: usize, const V6: usize>(
        &self,
        meta: &OverlayMeta,
        look: &Look,
        to: &Record<'_>,
        packet: &mut Packet<'_>,
        output: &mut Output,
    ) -> Option<usize> {
        let mut sending = Sending { to, meta, output };
        if V6 != 0 && to.is_ipv6_with(tunnel::Remote::FACTS + V6) {
            return self.ipv6?.encap::<V6, true>(packet, &mut sending, look);
        }
        let endpoint = self.ipv4::<V6>()?;
        if V6 != 0 {
            endpoint.encap::<V4, true>(packet, &mut sending, look)
        } else {
            endpoint.encap::<V4, false>(packet, &mut sending, look)
        }
    }
}

/// A frame on its way: the table's record is read where it lies, as late as can be.
// The optimiser does not move loads of atomics: what was read early it would have to keep somewhere.
struct Sending<'a, 't> {
    to: &'a Record<'t>,
    meta: &'a OverlayMeta,
    output: &'a mut Output,
}

impl Template for Sending<'_, '_> {
    #[inline(always)]
    fn facts<const AT: usize>(&self) -> [u8; 4] {
        self.to.header_word::<AT>()
    }

    #[inline(always)]
    fn fill<const N: usize>(&self, room: &mut [u8; N]) {
        self.to.copy_header(tunnel::Remote::FACTS, room);
        // One of its own, or the one that all have.
        if N == USUAL_FRAME || N == USUAL_V6_FRAME {
            if let (Some(mac), Some(to)) = (self.to.next_hop(), room.first_chunk_mut()) {
                *to = mac.0;
            }
        }
    }

    #[inline(always)]
    fn vni(&self) -> Vni {
        self.to.vni().unwrap_or(self.meta.vni)
    }

    #[inline(always)]
    fn inner_checksum(&self) -> InnerChecksum {
        self.meta.inner_checksum
    }

    // Where the record was changed meanwhile, the caller goes another way and writes the output anew.
    #[inline(always)]
    fn finish<const N: usize>(&mut self) -> bool {
        let to = self.to;
        let address = if N < USUAL_V6 { IpAddr::V4(to.ipv4()) } else { IpAddr::V6(to.ipv6()) };
        *self.output = Output::Send {
            remote: to.id,
            address,
            port: to.port(),
            egress: to.egress(),
            outer: N as u16,
            checksum: self.meta.inner_checksum,
            gso: None,
        };
        if let Output::Send { checksum: checksum @ InnerChecksum::Partial { .. }, .. } = self.output {
            *checksum = checksum.behind(N as u16);
        }
        to.is_whole()
    }
}
