//! What a tunnel's own header said.

use core::fmt;

use crate::wire::{
    Vni,
    checksum::State,
    gre::{self, Key},
    vxlan,
};

/// What a tunnel's own header said.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Encapsulation {
    /// VXLAN.
    Vxlan(vxlan::Header),
    /// GRE.
    Gre {
        /// Its header.
        header: gre::Header,
        /// What is known of its checksum.
        checksum: State,
    },
    /// Plain IP in UDP, which has no header of its own.
    IpUdp,
}

impl Encapsulation {
    /// The segment, where the encapsulation names one.
    pub const fn vni(&self) -> Option<Vni> {
        match self {
            Self::Vxlan(header) => header.vni(),
            _ => None,
        }
    }

    /// The GRE key, where there is one.
    pub const fn key(&self) -> Option<Key> {
        match self {
            Self::Gre { header, .. } => header.key,
            _ => None,
        }
    }

    /// The GRE sequence number, where there is one.
    pub const fn sequence(&self) -> Option<u32> {
        match self {
            Self::Gre { header, .. } => header.sequence,
            _ => None,
        }
    }
}

impl fmt::Display for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vxlan(header) => match header.vni() {
                Some(vni) => write!(f, "VXLAN vni {vni}"),
                None => f.write_str("VXLAN without vni"),
            },
            Self::Gre { header, checksum } => {
                write!(f, "GRE protocol {}", header.protocol)?;
                if let Some(key) = header.key {
                    write!(f, " key {key}")?;
                }
                if let Some(sequence) = header.sequence {
                    write!(f, " seq {sequence}")?;
                }
                match checksum {
                    State::Absent => Ok(()),
                    State::Good => f.write_str(" checksum good"),
                    State::Bad => f.write_str(" checksum bad"),
                    State::Unverified => f.write_str(" checksum unverified"),
                }
            }
            Self::IpUdp => f.write_str("IP in UDP"),
        }
    }
}
