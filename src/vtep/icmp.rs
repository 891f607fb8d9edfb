//! ICMP errors about our packets: what the underlay says of a remote.
//!
//! Anybody can send such an error, so what it quotes must be a packet of ours: our address, a remote that the tables
//! know, its port, a source port out of our range where those are ours and not a socket's, and, where the quote is long
//! enough, a VXLAN header with a VNI that the tables know (RFC 5927, section 4; Linux checks as much).

use core::net::IpAddr;

use super::Engine;
use crate::{
    table::{Remote, RemoteId, scope},
    time::Instant,
    tunnel::Framing,
    wire::{
        IpProtocol, Vni,
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
        /// it left: of several remotes that differ in that alone, the one that was there first learns, and one with an
        /// egress of its own is known only if it was there first of all at its address. Those that are link-local are
        /// told apart by what the error came in by.
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
    pub(super) fn underlay_icmp(&self, now: Instant, ingress: u32, packet: &[u8]) -> PathReport {
        self.report(now, ingress, packet).unwrap_or(PathReport::NotOurs)
    }

    fn report(&self, now: Instant, ingress: u32, packet: &[u8]) -> Option<PathReport> {
        let report = icmp_quote::parse(packet).ok()?;
        let quote = report.quote;
        let (from, port) = quote.ports().filter(|_| quote.protocol == IpProtocol::UDP)?;
        let (least, most) = self.config.srcport;
        let is_sockets = self.config.framing == Framing::Payload;
        if !self.is_local(quote.source) || !(is_sockets || (least..=most).contains(&from)) {
            return None;
        }
        let remotes = self.quoted_remotes(&quote, port, ingress)?;
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

    /// The remotes that a quoted datagram can have been sent to. `None` where it has no VNI of ours, as far as there is
    /// a VXLAN header.
    fn quoted_remotes(&self, quote: &Quote<'_>, port: u16, ingress: u32) -> Option<[Option<RemoteId>; 3]> {
        let (_, rest) = udp::Header::parse(quote.payload).ok()?;
        // Routers need not quote more than eight bytes.
        let vni = match vxlan::Header::parse(rest) {
            Ok((header, _)) => Some(header.vni()?),
            Err(_) => None,
        };
        let remotes = self.remotes_at(quote.destination, port, ingress, vni);
        let has = |id, vni| self.fdb.remotes.get(id).is_some_and(|remote| remote.vni == Some(vni));
        let is_ours = |vni| remotes.into_iter().flatten().any(|id| has(id, vni)) || self.fdb.knows(vni);
        vni.is_none_or(is_ours).then_some(remotes)
    }

    /// The remotes that a datagram to this address and port can be for, the way to whom is the same: that without a VNI
    /// of its own, that with this one, and the first at the address, whatever it has. The egress counts where the
    /// address is link-local.
    pub(super) fn remotes_at(
        &self,
        address: IpAddr,
        port: u16,
        egress: u32,
        vni: Option<Vni>,
    ) -> [Option<RemoteId>; 3] {
        let remotes = self.fdb.remotes;
        let first = remotes.find_by_address(address, egress);
        let first = first.filter(|&id| remotes.get(id).is_some_and(|remote| remote.port == port));
        let plain = Remote::new(address, port).egress(scope(address, egress));
        let with_vni = vni.and_then(|vni| remotes.find(&plain.vni(vni)));
        let plain = remotes.find(&plain);
        [plain, with_vni, first.filter(|_| first != plain && first != with_vni)]
    }
}
