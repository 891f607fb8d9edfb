//! `gre::Tunnel`: what is ours by default and what `linux` makes of it.

use std::net::IpAddr;

use encap::{
    time::Instant,
    tunnel::{
        DropReason, EncapError,
        gre::{Config, Received, Tunnel},
    },
    wire::gre::Header,
};

use crate::common::{edit, ends};

mod encap_limit;
mod in_udp;
mod keepalive;
mod lookup;
mod nbma;
mod order;
mod receive;
mod reports;
mod send;
mod settings;

/// Settings of one end of a tunnel, or of the other.
type Set<'a> = &'a dyn Fn(Config) -> Config;

/// A tunnel from the first end to the second.
pub(crate) fn tunnel(v6: bool, set: impl FnOnce(Config) -> Config) -> Tunnel {
    let (a, b) = ends(v6);
    set(Tunnel::new(a, b)).build().unwrap()
}

/// Its other end.
pub(crate) fn peer(v6: bool, set: impl FnOnce(Config) -> Config) -> Tunnel {
    let (a, b) = ends(v6);
    set(Tunnel::new(b, a)).build().unwrap()
}

pub(crate) fn send(tunnel: &mut Tunnel, packet: &[u8]) -> Result<Vec<u8>, EncapError> {
    edit(packet, |packet| tunnel.encap(packet)).map(|((), made)| made)
}

pub(crate) fn receive(tunnel: &mut Tunnel, packet: &[u8]) -> Result<(Received, Vec<u8>), DropReason> {
    receive_at(tunnel, Instant::ZERO, packet)
}

pub(crate) fn receive_at(
    tunnel: &mut Tunnel,
    now: Instant,
    packet: &[u8],
) -> Result<(Received, Vec<u8>), DropReason> {
    edit(packet, |packet| tunnel.decap(now, packet))
}

/// An outer packet from `source` to `destination` around GRE, without options or extension headers.
pub(crate) fn outer(source: IpAddr, destination: IpAddr, gre: &[u8]) -> Vec<u8> {
    let mut packet = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let [l0, l1] = ((20 + gre.len()) as u16).to_be_bytes();
            let fixed = [0x45, 0, l0, l1, 0, 0, 0x40, 0, 64, 47, 0, 0];
            let mut header = [&fixed[..], &source.octets(), &destination.octets()].concat();
            crate::common::fix_ipv4(&mut header);
            header
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let [l0, l1] = (gre.len() as u16).to_be_bytes();
            [&[0x60, 0, 0, 0, l0, l1, 47, 64][..], &source.octets(), &destination.octets()].concat()
        }
        _ => unreachable!(),
    };
    packet.extend(gre);
    packet
}

/// A packet for [`peer`] with this GRE header, its checksum made right where it has one.
pub(crate) fn to_peer(v6: bool, header: Header, payload: &[u8]) -> Vec<u8> {
    let header = if header.checksum.is_some() { header.with_checksum(payload) } else { header };
    let gre = [&header.to_bytes()[..header.header_len()], payload].concat();
    outer(ends(v6).0, ends(v6).1, &gre)
}
