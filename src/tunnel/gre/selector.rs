//! What tells tunnels apart, and what of a packet says which of them it is for.

use core::net::IpAddr;

use super::endpoint::reason;
use crate::{
    tunnel::{Anomalies, DropReason, Payload, Start, underlay, view::View},
    wire::{
        EtherType, IpProtocol, Vni, erspan,
        gre::{self, Key},
    },
};

/// Which key the packets of a tunnel have.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum InputKey {
    /// None.
    #[default]
    Absent,
    /// This one.
    Key(Key),
    /// One of NVGRE with this segment, whatever its FlowID is (RFC 7637, section 3.2).
    Vsid(Vni),
}

/// What tells one tunnel from others. The order is that in which [`Tunnels`](super::Tunnels) wants them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Selector {
    /// Address of the other end; unspecified for any.
    pub remote: IpAddr,
    /// Our own address; unspecified for any.
    pub local: IpAddr,
    /// The key of received packets.
    pub key: InputKey,
    /// What the tunnel carries.
    pub payload: Payload,
    /// The interface or VRF of the underlay that it belongs to: a preference and not a condition, as in Linux.
    pub link: Option<u32>,
    /// The caller's name for the tunnel. Where tunnels differ in their link alone, a larger one is the newer tunnel.
    pub id: u32,
    /// Whether the tunnel is up; otherwise no packet is for it.
    pub is_up: bool,
}

impl Selector {
    /// A tunnel that is up, without key and link.
    pub const fn new(id: u32, payload: Payload, local: IpAddr, remote: IpAddr) -> Self {
        Self { remote, local, key: InputKey::Absent, payload, link: None, id, is_up: true }
    }

    /// With this key.
    #[must_use]
    pub const fn key(self, key: InputKey) -> Self {
        Self { key, ..self }
    }

    /// Of this interface.
    #[must_use]
    pub const fn link(self, link: u32) -> Self {
        Self { link: Some(link), ..self }
    }

    /// Up or down.
    #[must_use]
    pub const fn up(self, is_up: bool) -> Self {
        Self { is_up, ..self }
    }

    /// Whether the kernel would not tell the two apart when it makes them (`EEXIST`).
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let all = |it: &Self| (it.remote, it.local, it.key, it.payload, it.link);
        all(self) == all(other)
    }
}

/// What of a received packet says which tunnel it is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Arrived {
    /// Outer source: the tunnel's remote.
    pub source: IpAddr,
    /// Outer destination: the tunnel's local address, or its multicast group.
    pub destination: IpAddr,
    /// The GRE header.
    pub header: gre::Header,
    /// The interface or VRF that it came from.
    pub link: Option<u32>,
}

impl Arrived {
    /// A packet with these addresses and this header.
    pub const fn new(source: IpAddr, destination: IpAddr, header: gre::Header) -> Self {
        Self { source, destination, header, link: None }
    }

    /// Reads what is needed, and judges nothing that the tunnel's `decap` will judge.
    ///
    /// # Errors
    ///
    /// [`DropReason`] where the packet is not GRE over IP, or broken before the end of the GRE header.
    pub fn read(packet: &[u8], start: Start) -> Result<Self, DropReason> {
        let ip = underlay::ip(View::whole(packet), start, &mut Anomalies::default())?;
        if ip.is_later_fragment {
            return Err(DropReason::Fragment);
        }
        if ip.protocol != IpProtocol::GRE {
            return Err(DropReason::OtherProtocol);
        }
        let (header, _) = gre::Header::parse(ip.payload.bytes()).map_err(reason)?;
        Ok(Self::new(ip.header.source(), ip.header.destination(), header))
    }

    /// From this interface.
    #[must_use]
    pub const fn link(self, link: u32) -> Self {
        Self { link: Some(link), ..self }
    }
}

/// Which tunnels packets of this EtherType are for; `None` for ERSPAN, which Linux has devices of its own for.
pub(super) const fn payload_of(protocol: EtherType) -> Option<Payload> {
    match protocol {
        EtherType::TEB => Some(Payload::Ethernet),
        erspan::ETHERTYPE_II | erspan::ETHERTYPE_III => None,
        _ => Some(Payload::Ip),
    }
}
