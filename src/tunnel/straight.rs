//! Encapsulation with the most usual headers, which are kept where others may be changing them: they are read as late
//! as can be, and at the end the template says whether they hold.
//!
//! In two steps, so that what the headers take from a packet can be read while a table is asked where it goes.

use core::net::Ipv4Addr;

use super::{EncapMeta, Endpoint, Protocol, UdpChecksum, inner::Plain, remote::Facts};
use crate::{packet::Packet, wire::Vni};

/// A remote where it is kept, as [`Remote::to_bytes`](super::Remote::to_bytes) made it, over IPv4 and with outer
/// headers that end in those of IPv4, UDP and a tunnel of eight bytes: to be read piece by piece.
pub(crate) trait Template {
    /// The four bytes number `AT` of what patches need to know.
    fn facts<const AT: usize>(&self) -> [u8; 4];

    /// Writes the outer headers.
    fn fill<const N: usize>(&self, room: &mut [u8; N]);

    /// The segment.
    fn vni(&self) -> Vni;

    /// Reads what else there is to read, and answers whether all that was read belongs together.
    fn finish<const N: usize>(&mut self) -> bool;
}

/// What the outer headers take from a packet.
// No byte of it is left over: many of them are cleared at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    hash: u32,
    len: u16,
    ecn: u16,
}

impl Look {
    /// Whether the packet fits, by the four bytes number 2 of what patches need to know of a remote.
    #[inline(always)]
    pub(crate) const fn fits(&self, facts: [u8; 4]) -> bool {
        self.len <= Facts::max_inner(facts)
    }
}

/// An endpoint whose packets differ in little, and have no UDP checksum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Straight<'e, P>(&'e Endpoint<P>);

impl<P: Protocol> Endpoint<P> {
    /// The endpoint, if that is true of it.
    pub(crate) fn straight(&self) -> Option<Straight<'_, P>> {
        let plain = P::IS_UDP && self.sends_plain && self.outer.udp_checksum == UdpChecksum::Zero;
        plain.then_some(Straight(self))
    }
}

impl<P: Protocol> Straight<'_, P> {
    /// The endpoint's own address.
    pub(crate) fn local(&self) -> Ipv4Addr {
        self.0.outer.local_ipv4
    }

    /// Looks at a packet, of which a flow hash may be known. `None` where its headers are not made by patches alone.
    // Written where it is to be: an answer by value is packed into one word, and unpacked again.
    #[inline(always)]
    pub(crate) fn look(&self, packet: &[u8], plain: Plain, hash: Option<u32>, to: &mut Look) -> Option<()> {
        let Endpoint { protocol, outer, .. } = self.0;
        let hash = match hash {
            Some(hash) => hash,
            None => outer.keys.plain_flow(protocol.plain_payload(), plain, packet),
        };
        *to = Look { hash, len: u16::try_from(packet.len()).ok()?, ecn: plain.ecn().into() };
        (plain.ecn() <= outer.max_plain_ecn).then_some(())
    }

    /// Puts the outer headers before a packet that was looked at, and that [fits](Look::fits); answers how long it was.
    /// `None` where there is no room, or the template does not hold: what is in the headroom may then have changed.
    #[inline(always)]
    pub(crate) fn encap<const N: usize>(
        &self,
        packet: &mut Packet<'_>,
        template: &mut impl Template,
        look: &Look,
    ) -> Option<usize> {
        let (room, inner) = packet.split_headroom(N)?;
        let len = inner.len();
        let room: &mut [u8; N] = room.first_chunk_mut()?;
        template.fill(room);
        let meta = EncapMeta { vni: Some(template.vni()), ..EncapMeta::new() };
        let ipv4_sum = Facts::ipv4_sum(template.facts::<0>());
        self.0.patch_usual(room, ipv4_sum, inner, &meta, look.ecn as u8, look.hash)?;
        if !template.finish::<N>() {
            return None;
        }
        packet.grow_front(N);
        Some(len)
    }
}
