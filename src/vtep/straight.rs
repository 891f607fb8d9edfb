//! The straight way of a frame: to a remote over IPv4 whose headers are made and whose next hop is known, if there is
//! nothing to be asked, told or made first. Most frames go this way, in three steps: the frame is looked at, its remote
//! is found, its headers are written.

use core::net::IpAddr;

use super::{Config, Engine, Output, OverlayMeta, ShortCircuit, TooBig};
use crate::{
    packet::Packet,
    table::{Record, RemoteId, Words},
    tunnel::{
        self, Framing, InnerChecksum, Link, Look, Payload, Plain, Template, USUAL, USUAL_FRAME,
        vxlan::{self, Vxlan},
    },
    wire::{MacAddr, Vni},
};

/// What is the same for all frames that go straight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Straight<'t> {
    endpoint: tunnel::Straight<'t, Vxlan>,
    /// The port of remotes, and so ours.
    port: u16,
    /// Bytes of outer headers.
    pub(super) outer: usize,
    /// Whether the next hop is in them, where a remote has none of its own.
    is_complete: bool,
}

impl<'t> Straight<'t> {
    /// `None` where no frame goes straight.
    pub(super) fn of(config: &Config, ipv4: Option<&'t vxlan::Endpoint>) -> Option<Self> {
        let endpoint = ipv4?.straight()?;
        let (outer, is_complete) = match config.framing {
            Framing::Ip => (USUAL, true),
            Framing::Ethernet(Link { next_hop, vlan: None, .. }) => (USUAL_FRAME, next_hop != MacAddr::ZERO),
            _ => return None,
        };
        let straight = Self { endpoint, port: config.dstport, outer, is_complete };
        (config.too_big != TooBig::Fragment && config.rsc == ShortCircuit::Off).then_some(straight)
    }

    /// Looks at a frame, before anybody knows where it goes; `None` where it does not go straight wherever that is.
    #[inline(always)]
    pub(super) fn look(&self, meta: &OverlayMeta, frame: &[u8], plain: Plain, to: &mut Look) -> Option<()> {
        if meta.gso.is_some() {
            return None;
        }
        if let InnerChecksum::Partial { start, offset } = meta.inner_checksum {
            // It would stand behind the end of the frame: the other way says what that is.
            if usize::from(start).saturating_add(offset.into()).saturating_add(2) > frame.len() {
                return None;
            }
        }
        self.endpoint.look(frame, plain, meta.hash, to)
    }
}

impl<'t> Engine<'t> {
    /// Finds the remote that a frame goes to, with `N` bytes of outer headers before it; `None` where there is no
    /// straight way for this frame.
    #[inline(always)]
    pub(super) fn find_straight<const N: usize>(
        &self,
        straight: &Straight<'_>,
        look: &Look,
        id: RemoteId,
    ) -> Option<Record<'t>> {
        let record = self.fdb.remotes.record_of(id)?;
        // Of the headers of VXLAN over IPv4 the usual ones have such a length, and no others.
        if !record.is_ipv4_with(tunnel::Remote::FACTS + N) {
            return None;
        }
        // We ourselves, maybe with another segment.
        if record.ipv4() == straight.endpoint.local() && record.port() == straight.port {
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
        match straight.outer {
            USUAL => {
                let to = self.find_straight::<USUAL>(straight, &look, id)?;
                straight.send::<USUAL>(meta, &look, &to, packet, output)
            }
            _ => {
                let to = self.find_straight::<USUAL_FRAME>(straight, &look, id)?;
                straight.send::<USUAL_FRAME>(meta, &look, &to, packet, output)
            }
        }
    }
}

impl Straight<'_> {
    /// Puts `N` bytes of outer headers before a frame that was looked at, and whose remote was found. Answers how long
    /// it was; `None` for those that go another way, which are left as they were. The caller counts.
    #[inline(always)]
    pub(super) fn send<const N: usize>(
        &self,
        meta: &OverlayMeta,
        look: &Look,
        to: &Record<'_>,
        packet: &mut Packet<'_>,
        output: &mut Output,
    ) -> Option<usize> {
        self.endpoint.encap::<N>(packet, &mut Sending { to, meta, output }, look)
    }
}

/// A frame on its way: the table's record is read where it lies, as late as can be.
// What is read early is what the optimiser has to keep somewhere, since it does not move loads of atomics.
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
        if N != USUAL {
            if let (Some(mac), Some(to)) = (self.to.next_hop(), room.first_chunk_mut()) {
                *to = mac.0;
            }
        }
    }

    #[inline(always)]
    fn vni(&self) -> Vni {
        self.to.vni().unwrap_or(self.meta.vni)
    }

    // Who finds that not all of it holds writes the output once more.
    #[inline(always)]
    fn finish<const N: usize>(&mut self) -> bool {
        let to = self.to;
        *self.output = Output::Send {
            remote: to.id,
            address: IpAddr::V4(to.ipv4()),
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
