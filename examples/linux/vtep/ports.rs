//! Devices, and the segments that their frames are of.

use encap::{vtep::OverlayMeta, wire::Vni};
use encap_linux::Device;

/// A device.
pub(crate) struct Port {
    pub(crate) device: Device,
    pub(crate) carries: Carries,
}

/// What a device carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Carries {
    /// One segment.
    Segment(Vni),
    /// Several, told apart by VLANs: the engine knows which has which.
    Trunk(Vec<Vni>),
}

impl Port {
    /// What there is to say of its frames.
    pub(crate) fn meta(&self) -> OverlayMeta {
        match self.carries {
            Carries::Segment(vni) => OverlayMeta::new(vni),
            Carries::Trunk(_) => OverlayMeta::trunk(),
        }
    }

    /// Whether frames of this segment go to it.
    pub(crate) fn has(&self, vni: Vni) -> bool {
        match &self.carries {
            Carries::Segment(only) => *only == vni,
            Carries::Trunk(all) => all.contains(&vni),
        }
    }
}
