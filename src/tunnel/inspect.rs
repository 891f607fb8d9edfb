//! Inspection: every tunnel header of a packet, from the outside in, for analysers.
//!
//! The same reading as decapsulation, except that nothing is dropped: what is odd is collected, and captures
//! that are cut short are read as far as they go, as are frames that ERSPAN's sender has cut.

use core::{fmt, ops::Range};

use super::{
    Anomalies, DropReason, Encapsulation, OuterFacts, Profile, Start,
    carried::Carried,
    find::{Found, find},
    inner::goes_back,
    protocol::Opened,
    view::View,
};
use crate::{packet::Packet, wire::EtherType};

/// The most tunnels inside each other that are followed.
pub const MAX_DEPTH: usize = 8;

/// A tunnel header that was found.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Layer {
    /// What it said.
    pub encapsulation: Encapsulation,
    /// What the headers around it said.
    pub outer: OuterFacts,
    /// What it carries: [`EtherType::TEB`] for an Ethernet frame.
    pub protocol: EtherType,
    /// Where in the inspected bytes the carried packet is; it ends early where they were cut.
    pub payload: Range<usize>,
    /// Length that the carried packet had before a capture cut it, in bytes. How much the sender of ERSPAN has cut off
    /// nobody says: that is not counted.
    pub wire_len: usize,
    /// What is odd about it: the headers around it, its own, and those of what it carries as far as whoever strips it
    /// must read them.
    pub anomalies: Anomalies,
}

impl Layer {
    /// A short name for logs and counters: that of the encapsulation, and `gre-udp` for GRE in UDP.
    pub const fn name(&self) -> &'static str {
        match self.encapsulation {
            Encapsulation::Gre { .. } if self.outer.destination_port != 0 => "gre-udp",
            _ => self.encapsulation.name(),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OuterFacts { source, destination, ttl, .. } = self.outer;
        write!(f, "{source} > {destination} ttl {ttl}: {}, {} bytes", self.encapsulation, self.payload.len())
    }
}

/// What was found in a packet.
#[derive(Clone, Debug)]
pub struct Inspection {
    layers: [Option<Layer>; MAX_DEPTH],
    innermost: Option<Carried>,
    anomalies: Anomalies,
    fatal: Anomalies,
    truncated: bool,
}

impl Inspection {
    /// The tunnel headers, from the outside in.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().flatten()
    }

    /// Everything that is odd about the packet, as far as it is a tunnel's: what is odd about any
    /// [layer](Layer::anomalies), and why reading ended.
    pub const fn anomalies(&self) -> Anomalies {
        self.anomalies
    }

    /// Why an endpoint with the profile's policy would drop the packet, as far as it is known to be a tunnel's: of a
    /// fragment other than the first nobody knows.
    pub fn drop_reason(&self) -> Option<DropReason> {
        self.anomalies.and(self.fatal).first()
    }

    /// Whether a capture cut the packet before all headers could be read that say whether there is a tunnel, or
    /// another one, and those of the tunnels themselves: then there may have been more. What ERSPAN's sender says that
    /// it has cut ([`erspan::Header::truncated`](crate::wire::erspan::Header::truncated)) is read in the same way.
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Takes in what was seen of the packet `view`, and why reading ended there if it did; answers what is odd
    /// about it.
    fn add(&mut self, view: View<'_>, seen: Anomalies, end: Option<DropReason>) -> Anomalies {
        let is_cut = |reason: &DropReason| reason.is_truncation() && !view.is_complete();
        self.truncated |= end.as_ref().is_some_and(is_cut);
        let odd = end.filter(|reason| !is_cut(reason)).map_or(seen, |reason| seen.with(reason));
        self.anomalies = self.anomalies.or(odd);
        odd
    }
}

/// Looks for tunnels in a packet that is all there.
pub fn inspect(packet: &[u8], profile: &Profile) -> Inspection {
    inspect_capture(packet, packet.len(), profile)
}

/// Looks for tunnels in the first bytes of a packet that had `wire_len` bytes before a capture cut it.
pub fn inspect_capture(packet: &[u8], wire_len: usize, profile: &Profile) -> Inspection {
    let mut found = Inspection {
        layers: [const { None }; MAX_DEPTH],
        innermost: None,
        anomalies: Anomalies::NONE,
        // Of whom the packets are for, inspection knows only that some are to go on.
        fatal: profile.policy.fatal().with(DropReason::OtherDestination),
        truncated: false,
    };
    let mut view = View::captured(packet, wire_len);
    let mut start = profile.start;
    // The ECN field that a packet would have now, had the tunnels around it been left one by one.
    let mut ecn = None;
    let mut around = None;
    for depth in 0..=profile.max_depth {
        let mut seen = Anomalies::NONE;
        let tunnel = find(view, start, around, profile, &mut seen);
        if depth == profile.max_depth || usize::from(depth) == MAX_DEPTH {
            found.truncated |= matches!(tunnel, Ok(Found::Cut));
            let is_none = matches!(tunnel, Ok(Found::Nothing | Found::Cut));
            found.anomalies.insert_if(!is_none, DropReason::TooDeep);
            break;
        }
        let (outer, opened) = match tunnel {
            Ok(Found::Tunnel(outer, opened)) => (outer, opened),
            Ok(Found::Nothing) => break,
            Ok(Found::Cut) => {
                found.truncated = true;
                break;
            }
            Err(reason) => {
                found.add(view, seen, Some(reason));
                break;
            }
        };
        let Opened { encapsulation, protocol, payload } = opened;
        let there = payload.there();
        if let Encapsulation::Gre { .. } = encapsulation {
            seen.insert_if(goes_back(protocol, payload.bytes(), outer.source), DropReason::InnerLoop);
        }
        let marked = ecn.unwrap_or(outer.ecn());
        let carried = Carried::new(Opened { payload: there, ..opened }, marked, &profile.policy, &mut seen);
        let is_cut = matches!(encapsulation, Encapsulation::Erspan(header) if header.truncated);
        let inside = if is_cut { payload.cut() } else { payload };
        let anomalies = found.add(inside, seen, carried.err());
        if let Some(slot) = found.layers.get_mut(usize::from(depth)) {
            let (payload, wire_len) = (there.start..there.end, payload.wire_len());
            *slot = Some(Layer { encapsulation, outer, protocol, payload, wire_len, anomalies });
        }
        let Ok(carried) = carried else { break };
        found.innermost = Some(carried);
        // ERSPAN's header has no ECN field: the mark is still for what is behind.
        ecn = carried.ecn.or(Some(marked));
        (view, around, start) = (inside, Some(outer), Start::EtherType(protocol));
    }
    found
}

/// Strips all tunnels off `packet`, as many as the profile follows, and returns how many there were. The
/// packet inside gets its ECN field as if the tunnels had been left one by one.
///
/// # Errors
///
/// The first [`DropReason`] of any of them, [`DropReason::TooDeep`] where more are inside each other than the
/// profile follows, [`DropReason::InnerTruncated`] where ERSPAN's sender has cut a frame so short that there may have
/// been more; the packet is left as it was.
pub fn strip(packet: &mut Packet<'_>, profile: &Profile) -> Result<usize, DropReason> {
    let found = inspect(packet.as_slice(), profile);
    if let Some(reason) = found.drop_reason() {
        return Err(reason);
    }
    if found.truncated {
        return Err(DropReason::InnerTruncated);
    }
    if let Some(carried) = found.innermost {
        carried.strip_from(packet);
    }
    Ok(found.layers().count())
}
