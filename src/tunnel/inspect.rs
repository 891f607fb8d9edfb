//! Inspection: every tunnel header of a packet, from the outside in, for analysers.
//!
//! The same reading as decapsulation, except that nothing is dropped: what is odd is collected, and captures
//! that are cut short are read as far as they go.

use core::{fmt, ops::Range};

use super::{
    Anomalies, DropReason, Encapsulation, OuterFacts, Policy, Start,
    decap::Carried,
    gre, ip_udp,
    protocol::Opened,
    underlay::{self, View},
    vxlan,
};
use crate::{
    packet::Packet,
    wire::{EtherType, IpProtocol, vxlan::LINUX_PORT, vxlan::PORT},
};

/// Which tunnels to look for, and what of them is worth dropping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Profile {
    /// The first header of a packet.
    pub start: Start,
    /// UDP destination ports of VXLAN.
    pub vxlan_ports: Ports,
    /// UDP destination ports of plain IP in UDP.
    pub ip_udp_ports: Ports,
    /// Whether to look for GRE.
    pub gre: bool,
    /// How many tunnels inside each other are followed, [`MAX_DEPTH`] at most.
    pub max_depth: u8,
    /// What counts as a reason to drop a packet.
    pub policy: Policy,
}

/// The most tunnels inside each other that are followed.
pub const MAX_DEPTH: usize = 8;

impl Profile {
    /// All tunnels on their usual ports, in Ethernet frames, judged by the RFCs; sent to anybody.
    pub const ANALYSIS: Self = Self {
        start: Start::Ethernet,
        vxlan_ports: Ports::two(PORT, LINUX_PORT),
        ip_udp_ports: Ports::one(ip_udp::PORT),
        gre: true,
        max_depth: MAX_DEPTH as u8,
        policy: Policy { allow_any_destination: true, ..Policy::RFC },
    };
}

/// A few UDP ports.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ports([u16; 8]);

impl Ports {
    /// No port.
    pub const NONE: Self = Self([0; 8]);

    /// This port alone.
    pub const fn one(port: u16) -> Self {
        Self::two(port, 0)
    }

    const fn two(a: u16, b: u16) -> Self {
        Self([a, b, 0, 0, 0, 0, 0, 0])
    }

    /// The set with `port` in it, or `None` where there are eight others already.
    pub fn with(mut self, port: u16) -> Option<Self> {
        if !self.contains(port) {
            *self.0.iter_mut().find(|slot| **slot == 0)? = port;
        }
        Some(self)
    }

    /// Whether `port`, which is not zero, is in the set.
    #[inline]
    pub fn contains(&self, port: u16) -> bool {
        port != 0 && self.0.contains(&port)
    }
}

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

    /// Everything that is odd about the packet, as far as it is a tunnel's.
    pub const fn anomalies(&self) -> Anomalies {
        self.anomalies
    }

    /// Why an endpoint with the profile's policy would drop the packet, or `None` where it would not.
    pub fn drop_reason(&self) -> Option<DropReason> {
        self.anomalies.and(self.fatal).first()
    }

    /// Whether a capture cut the packet before all headers could be read.
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Takes in that reading ended for `reason` in the packet `view`.
    fn stop(&mut self, view: View<'_>, seen: Anomalies, reason: DropReason) {
        self.anomalies = self.anomalies.or(seen);
        if reason.is_truncation() && !view.is_complete() {
            self.truncated = true;
        } else {
            self.anomalies = self.anomalies.with(reason);
        }
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
        fatal: profile.policy.fatal(),
        truncated: false,
    };
    let mut view = View::captured(packet, wire_len);
    let mut start = profile.start;
    // The ECN field that a packet would have now, had the tunnels around it been left one by one.
    let mut ecn = None;
    for depth in 0..=profile.max_depth {
        let mut seen = Anomalies::NONE;
        let tunnel = find(view, start, profile, &mut seen);
        let slot = found.layers.get_mut(usize::from(depth)).filter(|_| depth < profile.max_depth);
        let Some(slot) = slot else {
            found.anomalies.insert_if(!matches!(tunnel, Ok(None)), DropReason::TooDeep);
            break;
        };
        let (outer, opened) = match tunnel {
            Ok(Some(tunnel)) => tunnel,
            Ok(None) => break,
            Err(reason) => {
                found.stop(view, seen, reason);
                break;
            }
        };
        let Opened { encapsulation, protocol, payload } = opened;
        let range = payload.start.min(packet.len())..payload.end.min(packet.len());
        *slot = Some(Layer { encapsulation, outer, protocol, payload: range });
        match Carried::new(opened, ecn.unwrap_or(outer.ecn()), &mut seen) {
            Ok(carried) => {
                found.anomalies = found.anomalies.or(seen);
                found.innermost = Some(carried);
                ecn = carried.ecn;
            }
            Err(reason) => {
                found.stop(payload, seen, reason);
                break;
            }
        }
        view = payload;
        start = match protocol {
            EtherType::TEB => Start::Ethernet,
            protocol => Start::EtherType(protocol),
        };
    }
    found
}

/// The next tunnel in a packet: what is around it, and what its own header says. What is wrong with a packet
/// that is not known to be a tunnel's is none of our business: it is `None`.
fn find<'a>(
    view: View<'a>,
    start: Start,
    profile: &Profile,
    seen: &mut Anomalies,
) -> Result<Option<(OuterFacts, Opened<'a>)>, DropReason> {
    let Ok(ip) = underlay::ip(view, start, seen) else { return Ok(None) };
    let mut facts = ip.facts();
    match ip.protocol {
        IpProtocol::GRE if profile.gre => {
            let opened = gre::open(ip.payload, &profile.policy, seen)?;
            Ok(Some((facts, opened)))
        }
        IpProtocol::UDP => {
            let Ok(udp) = underlay::udp(&ip, seen) else { return Ok(None) };
            let port = udp.header.destination_port;
            let is_vxlan = profile.vxlan_ports.contains(port);
            if !is_vxlan && !profile.ip_udp_ports.contains(port) {
                return Ok(None);
            }
            (facts.source_port, facts.destination_port) = (udp.header.source_port, port);
            facts.udp_checksum = underlay::verify_udp(&ip, &udp, true, seen);
            let opened = if is_vxlan {
                vxlan::open(udp.payload, &profile.policy, seen)?
            } else {
                ip_udp::open(udp.payload)?
            };
            Ok(Some((facts, opened)))
        }
        _ => Ok(None),
    }
}

/// Strips all tunnels off `packet`, as many as the profile follows, and returns how many there were. The
/// packet inside gets its ECN field as if the tunnels had been left one by one.
///
/// # Errors
///
/// The first [`DropReason`] of any of them, [`DropReason::TooDeep`] where more are inside each other than the
/// profile follows; the packet is left as it was.
pub fn strip(packet: &mut Packet<'_>, profile: &Profile) -> Result<usize, DropReason> {
    let found = inspect(packet.as_slice(), profile);
    if let Some(reason) = found.drop_reason() {
        return Err(reason);
    }
    if let Some(carried) = found.innermost {
        carried.strip_from(packet);
    }
    Ok(found.layers().count())
}
