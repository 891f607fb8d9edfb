//! ICMP errors about our packets: what the underlay says of a remote.
//!
//! Anybody can send such an error, so what it quotes must be a packet of ours: our address, a remote that the tables
//! know, its port, a source port out of our range, and, where the quote is long enough, a VXLAN header with a VNI that
//! the tables know (RFC 5927, section 4; Linux checks as much).

use core::net::IpAddr;

use super::Engine;
use crate::{
    table::{Remote, RemoteId},
    wire::{
        IpProtocol,
        icmp_quote::{self, Problem},
        icmpv4, icmpv6, udp, vxlan,
    },
};

/// What an ICMP error says of a remote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum Underlay {
    /// Packets to the remote may have this many bytes, and the tables know it from now on. It holds until somebody
    /// says otherwise by [`Remotes::set_mtu`](crate::table::Remotes::set_mtu): paths change, so try again after some
    /// ten minutes (RFC 1191, section 6.3).
    Mtu {
        /// The remote.
        remote: RemoteId,
        /// Bytes of outer IP packet.
        mtu: u16,
    },
    /// Packets do not reach the remote.
    Unreachable {
        /// The remote.
        remote: RemoteId,
        /// Why not.
        problem: Problem,
    },
    /// It is about no packet of ours, and means nothing.
    NotOurs,
}

impl Engine<'_> {
    pub(super) fn underlay_icmp(&self, packet: &[u8]) -> Underlay {
        self.report(packet).unwrap_or(Underlay::NotOurs)
    }

    fn report(&self, packet: &[u8]) -> Option<Underlay> {
        let report = icmp_quote::parse(packet).ok()?;
        let quote = report.quote;
        let (_, port) = quote.ports().filter(|_| quote.protocol == IpProtocol::UDP)?;
        let id = self.fdb.remotes.find(&Remote::new(quote.destination, port))?;
        let known = self.is_local(quote.source) && self.is_our_flow(quote.payload);
        if !known {
            return None;
        }
        let mtu = match report.problem {
            Problem::V4(icmpv4::Problem::FragmentationNeeded { mtu }) => Some(u32::from(mtu)),
            Problem::V6(icmpv6::Problem::PacketTooBig { mtu }) => Some(mtu),
            _ => None,
        };
        let Some(mtu) = mtu else {
            return Some(Underlay::Unreachable { remote: id, problem: report.problem });
        };
        let mtu = u16::try_from(mtu).unwrap_or(u16::MAX).max(least(quote.destination));
        let old = self.fdb.remotes.get(id)?.mtu;
        // Only ever less: who forges a larger one gains nothing.
        if old == 0 || mtu < old {
            self.fdb.remotes.set_mtu(id, mtu).ok()?;
        }
        Some(Underlay::Mtu { remote: id, mtu })
    }

    /// Whether a quoted datagram can be ours: its source port, and its VXLAN header as far as there is one.
    fn is_our_flow(&self, datagram: &[u8]) -> bool {
        let Ok((udp, rest)) = udp::Header::parse(datagram) else { return false };
        let (first, last) = self.config.srcport;
        let port = (first..=last).contains(&udp.source_port);
        let vni = match vxlan::Header::parse(rest) {
            Ok((header, _)) => header.vni().is_some_and(|vni| self.fdb.knows(vni)),
            // Routers need not quote more than eight bytes.
            Err(_) => true,
        };
        port && vni
    }
}

/// The least MTU that there can be (RFC 791, section 3.1: 68; RFC 8200, section 5: 1,280), with which a VTEP could
/// send anything: smaller ones are forged.
const fn least(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => 576,
        IpAddr::V6(_) => 1_280,
    }
}
