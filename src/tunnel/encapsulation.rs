//! What a tunnel's own header said.

use core::fmt;

use super::Policy;
use crate::wire::{
    EtherType, Vni,
    checksum::State,
    erspan, geneve,
    gre::{self, Key},
    gre1, nvgre, vxlan,
    vxlan_gbp::GroupPolicy,
    vxlan_gpe,
};

/// What a tunnel's own header said.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Encapsulation {
    /// VXLAN.
    Vxlan(vxlan::Header),
    /// VXLAN with a group policy: the G flag is set, and the receiver knows the extension or guesses it.
    VxlanGbp(vxlan::Header),
    /// VXLAN with the Generic Protocol Extension.
    VxlanGpe(vxlan_gpe::Header),
    /// Geneve. Its options: [`Inner::geneve_options`](super::Inner::geneve_options),
    /// [`Layer::geneve_options`](super::Layer::geneve_options).
    Geneve(geneve::Header),
    /// GRE.
    Gre {
        /// Its header.
        header: gre::Header,
        /// What is known of its checksum.
        checksum: State,
    },
    /// NVGRE.
    Nvgre(nvgre::Header),
    /// Enhanced GRE, of PPTP. Found by inspection only.
    Gre1(gre1::Header),
    /// ERSPAN, behind the GRE header that carries it. Found by inspection only.
    Erspan(erspan::Header),
    /// Plain IP in UDP, which has no header of its own.
    IpUdp,
}

impl Encapsulation {
    /// A short name for logs and counters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Vxlan(_) => "vxlan",
            Self::VxlanGbp(_) => "vxlan-gbp",
            Self::VxlanGpe(_) => "vxlan-gpe",
            Self::Geneve(_) => "geneve",
            Self::Gre { .. } => "gre",
            Self::Nvgre(_) => "nvgre",
            Self::Gre1(_) => "gre1",
            Self::Erspan(erspan::Header { kind: erspan::Kind::II { .. }, .. }) => "erspan2",
            Self::Erspan(_) => "erspan3",
            Self::IpUdp => "ip-udp",
        }
    }

    /// The segment, where the encapsulation names one.
    pub const fn vni(&self) -> Option<Vni> {
        // One way for all of VXLAN: with more ways than three a compiler makes a table of places to jump to.
        let vxlan = match self {
            Self::Vxlan(header) | Self::VxlanGbp(header) => *header,
            Self::VxlanGpe(header) => vxlan::Header::from_bytes(&header.to_bytes()),
            Self::Geneve(header) => return Some(header.vni()),
            Self::Nvgre(header) => return Some(header.vsid),
            _ => return None,
        };
        vxlan.vni()
    }

    /// The GRE key, where there is one.
    pub const fn key(&self) -> Option<Key> {
        match self {
            Self::Gre { header, .. } => header.key,
            _ => None,
        }
    }

    /// The group policy of VXLAN, where there is one.
    pub const fn group_policy(&self) -> Option<GroupPolicy> {
        match self {
            Self::VxlanGbp(header) => header.group_policy(),
            _ => None,
        }
    }

    /// Whether the frames that this carries may have VLAN tags.
    pub(crate) const fn takes_tags(&self, policy: &Policy) -> bool {
        match self {
            Self::Vxlan(_) | Self::VxlanGbp(_) | Self::VxlanGpe(_) => policy.allow_inner_vlan,
            Self::Nvgre(_) => false,
            _ => true,
        }
    }

    /// Whether this is the answer to a GRE keepalive: GRE's protocol 0.
    pub const fn is_keepalive(&self) -> bool {
        matches!(self, Self::Gre { header: gre::Header { protocol: EtherType(0), .. }, .. })
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
            Self::Vxlan(header) => write_vni(f, "VXLAN", header.vni()),
            Self::VxlanGbp(header) => {
                write_vni(f, "VXLAN-GBP", header.vni())?;
                let policy = header.group_policy().unwrap_or_default();
                write!(f, " group {}", policy.id)?;
                f.write_str(if policy.dont_learn { " don't-learn" } else { "" })?;
                f.write_str(if policy.applied { " applied" } else { "" })
            }
            Self::VxlanGpe(header) => {
                write_vni(f, "VXLAN-GPE", header.vni())?;
                match header.next_protocol() {
                    Some(next) => write!(f, " next {}", next.0),
                    None => f.write_str(" without next protocol"),
                }
            }
            Self::Geneve(header) => {
                write!(f, "Geneve vni {} protocol {}", header.vni(), header.protocol())?;
                match header.options_len().bytes() {
                    0 => Ok(()),
                    bytes => write!(f, " with {bytes} bytes of options"),
                }
            }
            Self::Nvgre(header) => write!(f, "NVGRE vsid {} flow {}", header.vsid, header.flow_id),
            Self::Gre1(header) => write!(f, "enhanced GRE call {}", header.call_id),
            Self::Erspan(header) => {
                let cut = if header.truncated { " cut" } else { "" };
                write!(f, "ERSPAN session {} vlan {}{cut}", header.session, header.vlan)
            }
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

fn write_vni(f: &mut fmt::Formatter<'_>, name: &str, vni: Option<Vni>) -> fmt::Result {
    match vni {
        Some(vni) => write!(f, "{name} vni {vni}"),
        None => write!(f, "{name} without vni"),
    }
}
