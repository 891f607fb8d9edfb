//! ICMP errors about our packets: what the underlay says of a remote.
//!
//! Anybody can send such an error, so what it quotes must be a packet of ours: our address, a remote that the tables
//! know, its port, a source port out of our range where those are ours and not a socket's, and, where the quote is long
//! enough, a VXLAN header with a VNI that the tables know (RFC 5927, section 4; Linux checks as much).

use super::Engine;
use crate::{
    table::{Remote, RemoteId},
    time::Instant,
    tunnel::Framing,
    wire::{
        IpProtocol,
        icmp_quote::{self, Problem, Quote},
        icmpv6, udp, vxlan,
    },
};

/// What an ICMP error says of a remote.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub enum PathReport {
    /// Packets to the remote may have this many bytes, and the tables know it from now on, for as long as
    /// [`mtu_expires`](crate::table::Settings::mtu_expires) says: paths change (RFC 1191, section 6.3). It is less than
    /// what was set or told before, or the same once more.
    Mtu {
        /// The remote; others at the same address may have learned it as well. The packet does not say by what egress
        /// it left: of several remotes that differ in that alone, the one that was there first learns.
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
    /// It is about a packet of ours, and changes nothing: an MTU that is no less than the one that holds, or less than
    /// any link over IPv6 has (RFC 8201, section 4); or while somebody else was at work on the remote.
    Ignored,
    /// It is about no packet of ours, and means nothing.
    NotOurs,
}

impl Engine<'_> {
    pub(super) fn underlay_icmp(&self, now: Instant, packet: &[u8]) -> PathReport {
        self.report(now, packet).unwrap_or(PathReport::NotOurs)
    }

    fn report(&self, now: Instant, packet: &[u8]) -> Option<PathReport> {
        let report = icmp_quote::parse(packet).ok()?;
        let quote = report.quote;
        let (from, port) = quote.ports().filter(|_| quote.protocol == IpProtocol::UDP)?;
        let (least, most) = self.config.srcport;
        let is_sockets = self.config.framing == Framing::Payload;
        if !self.is_local(quote.source) || !(is_sockets || (least..=most).contains(&from)) {
            return None;
        }
        let remotes = self.quoted_remotes(&quote, port)?;
        let mut remotes = remotes.into_iter().flatten().peekable();
        let first = *remotes.peek()?;
        let mtu = match (report.problem.path_mtu(), report.problem) {
            (Some(mtu), _) => mtu,
            (None, Problem::V6(icmpv6::Problem::PacketTooBig { .. })) => return Some(PathReport::Ignored),
            (None, problem) => return Some(PathReport::Unreachable { remote: first, problem }),
        };
        let is_less = mtu < self.config.mtu;
        // Where somebody is at work on the remote, the next packet that is too long brings the next report.
        let learns = |id| is_less && self.fdb.remotes.learn_mtu(now, id, mtu) == Ok(true);
        let learned = remotes.map(|remote| learns(remote).then_some(remote)).fold(None, Option::or);
        Some(learned.map_or(PathReport::Ignored, |remote| PathReport::Mtu { remote, mtu }))
    }

    /// The remotes that a quoted datagram can have been sent to, whose way is the same: that without a VNI of its own,
    /// that with the one that is quoted, and the first at the address, whatever it has. `None` where it has no VNI of
    /// ours, as far as there is a VXLAN header.
    fn quoted_remotes(&self, quote: &Quote<'_>, port: u16) -> Option<[Option<RemoteId>; 3]> {
        let remotes = self.fdb.remotes;
        let plain = Remote::new(quote.destination, port);
        let first = remotes.find_by_address(quote.destination, 0).and_then(|id| Some((id, remotes.get(id)?)));
        let first = first.filter(|(_, remote)| remote.port == port);
        let (_, rest) = udp::Header::parse(quote.payload).ok()?;
        let with_vni = match vxlan::Header::parse(rest) {
            Ok((header, _)) => {
                let vni = header.vni()?;
                let with_vni = remotes.find(&plain.vni(vni));
                let of_remote =
                    with_vni.is_some() || first.is_some_and(|(_, remote)| remote.vni == Some(vni));
                if !of_remote && !self.fdb.knows(vni) {
                    return None;
                }
                with_vni
            }
            // Routers need not quote more than eight bytes.
            Err(_) => None,
        };
        let (plain, first) = (remotes.find(&plain), first.map(|(id, _)| id));
        Some([plain, with_vni, first.filter(|_| first != plain && first != with_vni)])
    }
}
