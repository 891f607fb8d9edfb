//! What a tunnel carries, found and not yet stripped.

use super::{
    Anomalies, DropReason, Encapsulation, Inner, OuterFacts, Policy, ecn,
    inner::{IpVersion, Peek},
    protocol::Opened,
};
use crate::{
    packet::Packet,
    wire::{Ecn, EtherType, ipv4, ipv6},
};

/// The ECN field of the outer header; that of a header which nobody told us about counts as Not-ECT.
#[inline(always)]
pub(crate) fn ecn_of(outer: Option<OuterFacts>) -> Ecn {
    outer.map_or(Ecn::NotEct, |outer| outer.ecn())
}

/// A packet found inside the one that carries it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    pub(crate) encapsulation: Encapsulation,
    pub(crate) protocol: EtherType,
    /// Where in the carrying packet it starts and ends.
    start: usize,
    end: usize,
    /// Its ECN field once it is out, where it has one and somebody looked.
    pub(crate) ecn: Option<Ecn>,
    changes_ecn: bool,
    /// Whether its marks and those outside do not come about together: see [`ecn::is_suspicious`].
    pub(crate) is_suspicious: bool,
    /// Which IP it is, and where, counted from its own front, that starts.
    version: Option<IpVersion>,
    l3: usize,
}

impl Carried {
    /// What came out, as far as `end`, and nothing of it changes.
    #[inline(always)]
    pub(super) const fn unchanged(inner: &Inner, end: usize) -> Self {
        let Inner { encapsulation, protocol, stripped: start, .. } = *inner;
        Self {
            encapsulation,
            protocol,
            start,
            end,
            ecn: None,
            changes_ecn: false,
            is_suspicious: false,
            version: None,
            l3: 0,
        }
    }

    /// Looks at what an opened tunnel carries.
    #[inline(always)]
    pub(crate) fn new(
        opened: Opened<'_>,
        outer: Ecn,
        policy: &Policy,
        seen: &mut Anomalies,
    ) -> Result<Self, DropReason> {
        let Opened { encapsulation, protocol, payload } = opened;
        let peek = Peek::of_protocol(protocol, payload.bytes()).map_err(|_| DropReason::InnerTruncated)?;
        seen.insert_if(peek.tagged && !encapsulation.takes_tags(policy), DropReason::InnerVlan);
        let mut ecn = None;
        if peek.version.is_some() {
            ecn = ecn::decapsulate(peek.ecn(), outer);
            seen.insert_if(ecn.is_none(), DropReason::InnerEcn);
        }
        Ok(Self {
            encapsulation,
            protocol,
            start: payload.start,
            end: payload.end,
            ecn,
            changes_ecn: ecn.is_some_and(|ecn| ecn != peek.ecn()),
            is_suspicious: peek.version.is_some() && ecn::is_suspicious(peek.ecn(), outer),
            version: peek.version,
            l3: peek.l3(),
        })
    }

    /// What came out.
    #[inline(always)]
    pub(crate) const fn inner(&self, outer: Option<OuterFacts>) -> Inner {
        let Self { encapsulation, protocol, start: stripped, .. } = *self;
        Inner { encapsulation, outer, protocol, stripped }
    }

    /// The carried packet, in the one in which this was found.
    pub(crate) fn bytes<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(self.start..self.end).unwrap_or_default()
    }

    /// Makes `packet`, in which this was found, the carried packet.
    #[inline(always)]
    pub(crate) fn strip_from(&self, packet: &mut Packet<'_>) {
        // It lies inside the packet, so nothing fails here.
        let _ = packet.trim(self.end.min(packet.len()));
        let _ = packet.strip(self.start.min(packet.len()));
        if let (true, Some(ecn)) = (self.changes_ecn, self.ecn) {
            let ip = packet.as_mut_slice().get_mut(self.l3..).unwrap_or_default();
            match self.version {
                Some(IpVersion::V4) => ip.first_chunk_mut().into_iter().for_each(|ip| ipv4::set_ecn(ip, ecn)),
                Some(IpVersion::V6) => ip.first_chunk_mut().into_iter().for_each(|ip| ipv6::set_ecn(ip, ecn)),
                None => {}
            }
        }
    }
}
