//! Packets that have been through tunnels of this host already: in a loop they would grow without end.

use core::net::IpAddr;

use crate::{
    tunnel::{
        Anomalies, Payload, Start,
        inner::{IpVersion, Peek},
        underlay,
        view::View,
    },
    wire::{
        EtherType, IpProtocol,
        gre::{self, Key},
        is_unicast,
    },
};

/// Whether a tunnel from `local` must not wrap `packet`: this host has done that five times already, as often as Linux
/// does; or once in the tunnel to `own` with its key. Between two hosts there may be many tunnels. Where the address is
/// left to a socket, any may be this host's.
#[inline]
pub(super) fn is_loop(
    packet: &[u8],
    payload: Payload,
    local: IpAddr,
    own: Option<(IpAddr, Option<Key>)>,
) -> bool {
    may_be_gre(packet, payload) && {
        let (mut level, mut times) = (open(packet, payload), 0u32);
        loop {
            match level {
                Some(outer) if outer.source == local || !is_unicast(local) => {
                    times = times.saturating_add(1);
                    let is_own = own == Some((outer.destination, outer.key)) && outer.payload == payload;
                    if times == LIMIT || is_own {
                        break true;
                    }
                    level = open(outer.inner, outer.payload);
                }
                _ => break false,
            }
        }
    }
}

/// Whether it is worth a closer look.
#[inline]
fn may_be_gre(packet: &[u8], payload: Payload) -> bool {
    let Ok(peek) = Peek::new(payload, packet) else { return false };
    let at = match peek.version {
        Some(IpVersion::V4) => 9,
        Some(IpVersion::V6) => 6,
        None => return false,
    };
    let protocol = packet.get(peek.l3().saturating_add(at)).copied().map(IpProtocol);
    matches!(protocol, Some(IpProtocol::GRE | IpProtocol::DESTINATION_OPTIONS))
}

/// The outer headers of a GRE packet.
struct Level<'a> {
    source: IpAddr,
    destination: IpAddr,
    key: Option<Key>,
    payload: Payload,
    inner: &'a [u8],
}

#[cold]
fn open(packet: &[u8], payload: Payload) -> Option<Level<'_>> {
    let start = match payload {
        Payload::Ethernet => Start::Ethernet,
        Payload::Ip => Start::Ip,
    };
    let ip = underlay::ip(View::whole(packet), start, &mut Anomalies::default()).ok()?;
    if ip.protocol != IpProtocol::GRE || ip.is_later_fragment {
        return None;
    }
    let (header, inner) = gre::Header::parse(ip.payload.bytes()).ok()?;
    let payload = if header.protocol == EtherType::TEB { Payload::Ethernet } else { Payload::Ip };
    let (source, destination) = (ip.header.source(), ip.header.destination());
    Some(Level { source, destination, key: header.key, payload, inner })
}

/// The kernel's limit of tunnels that send one packet through one another.
const LIMIT: u32 = 5;
