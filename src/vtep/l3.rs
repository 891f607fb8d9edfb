//! Routing into VXLAN: IP packets without Ethernet, as flannel's and Calico's VXLAN and EVPN's symmetric routing have
//! it.
//!
//! The longest prefix names a gateway in a segment, or the segment in which the destination itself is; the neighbour
//! table has its MAC address, the forwarding database the remote; the packet gets an Ethernet header from our own MAC
//! address to that one. On the way back a frame to our own MAC address is stripped, and delivered as IP.

use super::{
    DropReason, Engine, Miss, Output, OverlayMeta, Worker, forwarding::Ip, overlay_burst::each, send::Origin,
};
use crate::{
    packet::Packet,
    table::NextHop,
    time::Instant,
    wire::{EtherType, Vni, ethernet, is_unicast},
};

impl Engine<'_> {
    /// An IP packet that is to be routed into a segment: by [`routes`](super::Vtep::routes) to a gateway or a host, by
    /// [`neighbors`](super::Vtep::neighbors) to its MAC address. What is answered in its place is an IP packet, from
    /// [`Config::router`](super::Config::router) or [`router6`](super::Config::router6), or without those as if from
    /// its destination. Where the answer is [`Output::Deliver`], because the way there leads to this side, or
    /// [`Output::Replicate`], it is an Ethernet frame by then; where it is [`Output::DeliverIp`], because the MAC
    /// address is our own besides, it is what it was. Its TTL is not touched: who routes it here counts that down. What
    /// no router forwards is dropped: from or to addresses of one link, with a wrong header checksum
    /// ([`DropReason::Unroutable`]), or with a TTL of 0 ([`DropReason::TtlExpired`]).
    ///
    /// The frames come from [`Config::address`](super::Config::address): without one, packets are dropped
    /// ([`DropReason::InvalidSource`]), since who learns from frames takes none from nobody.
    ///
    /// Of `meta`, the segment means nothing; the route says which. A [`remote`](OverlayMeta::remote) takes the place of
    /// the entry that the gateway's MAC address has in the forwarding database. An IP packet has no tag, so one of a
    /// [`trunk`](OverlayMeta::trunk) is dropped.
    pub fn handle_ip(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        packet: &mut Packet<'_>,
    ) -> Output {
        let mut vni = None;
        let output = self.route_ip(worker, now, meta, &mut vni, packet);
        output.unwrap_or_else(|reason| self.refuse(worker, vni, reason))
    }

    /// A burst of IP packets that are to be routed, as [`handle_overlay_batch`](Self::handle_overlay_batch).
    pub fn handle_ip_batch(
        &self,
        worker: &mut Worker,
        now: Instant,
        metas: &[OverlayMeta],
        packets: &mut [Packet<'_>],
        outputs: &mut [Output],
    ) -> usize {
        each(metas, packets, outputs, |meta, packet| self.handle_ip(worker, now, meta, packet))
    }

    fn route_ip(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        known: &mut Option<Vni>,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        // A tag is of an Ethernet frame.
        if meta.trunk {
            return Err(DropReason::BadMeta);
        }
        let ip = Ip::of(packet.as_slice()).ok_or(DropReason::FrameTruncated)?;
        let route = self.routes().lookup(ip.destination).ok().flatten();
        let gateway = route.and_then(|route| match route.via {
            NextHop::Gateway { vni, address } => Some((vni, address)),
            NextHop::Segment { vni } => Some((vni, ip.destination)),
            NextHop::Peer { .. } => None,
        });
        *known = gateway.map(|(vni, _)| vni);
        if meta.from_tunnel {
            return Err(DropReason::SplitHorizon);
        }
        if self.is_outer(packet.as_slice()) {
            return Err(DropReason::Loop);
        }
        ip.check(packet.as_slice())?;
        if ip.ttl == 0 {
            return Err(DropReason::TtlExpired);
        }
        let (vni, address) = gateway.ok_or(DropReason::NoRoute)?;
        if !self.config.address.is_unicast() {
            return Err(DropReason::InvalidSource);
        }
        // A group in a segment is nobody's neighbour, and nobody is to be asked for it.
        if !is_unicast(address) {
            return Err(DropReason::NoNeighbor);
        }
        let neighbor = self.neighbors.lookup(now, vni, address).ok().flatten();
        let Some(neighbor) = neighbor.filter(|neighbor| neighbor.is_valid()) else {
            worker.miss_l3(self.config, Miss::L3 { vni, address });
            return Err(DropReason::NoNeighbor);
        };
        let found = match meta.remote {
            Some(remote) => remote.into(),
            None => self.destination(worker, now, vni, neighbor.mac)?,
        };
        let link = ethernet::Header {
            destination: neighbor.mac,
            source: self.config.address,
            ethertype: ip.ethertype(),
        };
        *packet.prepend().map_err(|_| DropReason::NoHeadroom)? = link.to_bytes();
        // What was counted from the front of the packet is counted from that of the frame now.
        let behind = ethernet::Header::LEN as u16;
        let meta = OverlayMeta {
            vni,
            inner_checksum: meta.inner_checksum.behind(behind),
            gso: meta.gso.map(|gso| gso.behind(behind)),
            ..*meta
        };
        let sent = self.forward(worker, now, &meta, Origin::Routed, found, packet);
        // What goes back to who offered it goes as it came, an answer too; what goes on stays a frame.
        if matches!(sent, Ok(Output::Reply | Output::Resolve { .. }) | Err(_)) {
            packet.strip(ethernet::Header::LEN).map_err(|_| DropReason::FrameTruncated)?;
        }
        sent
    }

    /// Whether a frame out of a tunnel, or one that needs none, is for our own router.
    pub(super) fn is_routed(&self, link: &ethernet::Header) -> bool {
        self.config.l3
            && link.destination == self.config.address
            && matches!(link.ethertype, EtherType::IPV4 | EtherType::IPV6)
    }
}
