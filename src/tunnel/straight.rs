//! Encapsulation with the most usual headers, which are kept where others may be changing them: they are read as late
//! as can be, and at the end the template says whether they hold.
//!
//! In two steps, so that what the headers take from a packet can be read while a table is asked where it goes.

use core::net::{IpAddr, Ipv4Addr};

use super::{
    EncapMeta, Endpoint, InnerChecksum, Protocol, USUAL, USUAL_V6, USUAL_V6_FRAME, UdpChecksum,
    inner::{IpVersion, Plain},
    remote::Facts,
};
use crate::{packet::Packet, wire::Vni};

/// A remote where it is kept, as [`Remote::to_bytes`](super::Remote::to_bytes) made it, with outer headers that end in
/// those of IP, UDP and a tunnel of eight bytes: to be read piece by piece.
pub(crate) trait Template {
    /// The four bytes number `AT` of what patches need to know.
    fn facts<const AT: usize>(&self) -> [u8; 4];

    /// Writes the outer headers.
    fn fill<const N: usize>(&self, room: &mut [u8; N]);

    /// The segment.
    fn vni(&self) -> Vni;

    /// What is known of the packet's checksum.
    fn inner_checksum(&self) -> InnerChecksum;

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

/// An endpoint whose packets differ in little.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Straight<'e, P>(&'e Endpoint<P>);

impl<P: Protocol> Endpoint<P> {
    /// The endpoint, if that is true of it.
    pub(crate) fn straight(&self) -> Option<Straight<'_, P>> {
        (P::IS_UDP && self.sends_plain).then_some(Straight(self))
    }
}

impl<P: Protocol> Straight<'_, P> {
    /// The endpoint's own address.
    pub(crate) const fn local(&self) -> IpAddr {
        self.0.local()
    }

    /// The same where that is one of IPv4.
    pub(crate) const fn local_ipv4(&self) -> Ipv4Addr {
        self.0.outer.local_ipv4
    }

    /// Whether packets have an outer UDP checksum.
    pub(crate) fn sums(&self) -> bool {
        self.0.outer.udp_checksum != UdpChecksum::Zero
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

    /// Puts the outer headers, of `N` bytes, before a packet that was looked at, and that [fits](Look::fits); answers
    /// how long it was. `None` where there is no room, or the template does not hold: what is in the headroom may then
    /// have changed. `SUMS` is false only for an endpoint of which is known that it does not [sum](Self::sums).
    #[inline(always)]
    pub(crate) fn encap<const N: usize, const SUMS: bool>(
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
        let (facts, ecn) = (template.facts::<0>(), look.ecn as u8);
        if is_ipv6(N) {
            self.0.patch_usual_v6(room, inner, &meta, ecn, look.hash)?;
        } else {
            self.0.patch_usual(room, Facts::ipv4_sum(facts), inner, &meta, ecn, look.hash)?;
        }
        if SUMS && self.sums() {
            let (version, len) = if is_ipv6(N) { (IpVersion::V6, USUAL_V6) } else { (IpVersion::V4, USUAL) };
            let headers = room.get_mut(N.saturating_sub(len)..)?;
            self.0.sum(version, Facts::udp_sum(facts), headers, true, inner, template.inner_checksum())?;
        }
        if !template.finish::<N>() {
            return None;
        }
        packet.grow_front(N);
        Some(len)
    }
}

/// Whether outer headers of so many bytes, Ethernet before them or not, are those of IPv6: of no two kinds are there as
/// many.
const fn is_ipv6(len: usize) -> bool {
    len == USUAL_V6 || len == USUAL_V6_FRAME
}
