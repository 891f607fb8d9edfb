//! Which tunnels inspection looks for.

use super::{MAX_DEPTH, Policy, Start, ip_udp};
use crate::wire::{geneve, gre, vxlan, vxlan_gpe};

/// Which tunnels to look for, and what of them is worth dropping.
///
/// A port that several kinds of tunnels have is that of the first of them, in the order of the fields: one of
/// [`Profile::ANALYSIS`] that is to be another's has to be [taken away](Ports::without).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Profile {
    /// The first header of a packet.
    pub start: Start,
    /// UDP destination ports of VXLAN.
    pub vxlan_ports: Ports,
    /// UDP destination ports of VXLAN-GPE.
    pub gpe_ports: Ports,
    /// UDP destination ports of Geneve.
    pub geneve_ports: Ports,
    /// UDP destination ports of GRE in UDP.
    pub gre_udp_ports: Ports,
    /// UDP destination ports of plain IP in UDP.
    pub ip_udp_ports: Ports,
    /// Whether to look for GRE.
    pub gre: bool,
    /// How many tunnels inside each other are followed, [`MAX_DEPTH`] at most. ERSPAN counts besides the GRE that
    /// carries it.
    pub max_depth: u8,
    /// What counts as a reason to drop a packet.
    pub policy: Policy,
}

impl Profile {
    /// All tunnels on their usual ports, in Ethernet frames.
    pub const ANALYSIS: Self = Self {
        start: Start::Ethernet,
        vxlan_ports: Ports::two(vxlan::PORT, vxlan::LINUX_PORT),
        gpe_ports: Ports::one(vxlan_gpe::PORT),
        geneve_ports: Ports::one(geneve::PORT),
        gre_udp_ports: Ports::one(gre::UDP_PORT),
        ip_udp_ports: Ports::one(ip_udp::PORT),
        gre: true,
        max_depth: MAX_DEPTH as u8,
        policy: Policy::ANALYSIS,
    };

    /// What a UDP destination port carries.
    pub(crate) fn over_udp(&self, port: u16) -> Option<UdpPayload> {
        let kinds = [
            (&self.vxlan_ports, UdpPayload::Vxlan),
            (&self.gpe_ports, UdpPayload::VxlanGpe),
            (&self.geneve_ports, UdpPayload::Geneve),
            (&self.gre_udp_ports, UdpPayload::Gre),
            (&self.ip_udp_ports, UdpPayload::Ip),
        ];
        kinds.into_iter().find(|(ports, _)| ports.contains(port)).map(|(_, kind)| kind)
    }
}

/// What UDP carries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum UdpPayload {
    Vxlan,
    VxlanGpe,
    Geneve,
    Gre,
    Ip,
}

/// A few UDP ports: a set, equal to another one with the same ports.
// Zero is a place where none is; the others stand there once.
#[derive(Clone, Copy, Debug, Default, Eq)]
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

    /// The set without `port`.
    #[must_use]
    pub fn without(mut self, port: u16) -> Self {
        for slot in self.0.iter_mut().filter(|slot| **slot == port) {
            *slot = 0;
        }
        self
    }

    /// Whether `port`, which is not zero, is in the set.
    #[inline]
    pub fn contains(&self, port: u16) -> bool {
        port != 0 && self.0.contains(&port)
    }

    fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|&port| port == 0 || other.contains(port))
    }
}

impl PartialEq for Ports {
    fn eq(&self, other: &Self) -> bool {
        self.is_within(other) && other.is_within(self)
    }
}
