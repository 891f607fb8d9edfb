//! A frame to one remote.

use core::net::IpAddr;

use super::{
    DropReason, Engine, Gso, Output, OverlayMeta, TooBig, Worker,
    overlay::{Front, MAX_FRONT},
    trunk::Tag,
    way::{Hop, NoWay, Straight, Way},
};
use crate::{
    packet::Packet,
    table::{Raw, RemoteId, VniCounters, Words},
    time::Instant,
    tunnel::{EncapError, EncapMeta, USUAL, USUAL_FRAME, icmp},
    wire::{EtherType, MacAddr, Vni, icmp_error, icmpv4, icmpv6, ipv4, ipv6, vlan},
};

impl Engine<'_> {
    /// Puts the outer headers of `id` before the frame, if there is nothing to be asked, told or made first: most frames
    /// go this way, and nothing of it goes through memory. `None` for all others, which are left as they were. The caller
    /// counts.
    #[inline(always)]
    pub(super) fn send_straight(
        &self,
        meta: &OverlayMeta,
        id: RemoteId,
        packet: &mut Packet<'_>,
    ) -> Option<Output> {
        if meta.gso.is_some() || self.config.too_big == TooBig::Fragment {
            return None;
        }
        let endpoint = self.ipv4?;
        let mut way = self.straight(id, self.config.local?)?;
        let encap = EncapMeta {
            hash: meta.hash,
            // Packets that have one go the other way.
            identification: None,
            vni: Some(way.vni().unwrap_or(meta.vni)),
            sequence: None,
            group_policy: meta.policy,
            inner_checksum: meta.inner_checksum,
        };
        let outer = match self.hop {
            Hop::None => {
                endpoint.encap_straight::<USUAL>(packet, &mut way, &encap)?;
                USUAL
            }
            _ => {
                endpoint.encap_straight::<USUAL_FRAME>(packet, &mut way, &encap)?;
                USUAL_FRAME
            }
        };
        let Straight { address, port, egress, .. } = way;
        Some(Output::Send {
            remote: id,
            address: IpAddr::V4(address),
            port,
            egress,
            outer: outer as u16,
            // Those that are to be finished go the other way.
            checksum: meta.inner_checksum,
            gso: None,
        })
    }

    /// Puts the outer headers of `id` before the frame.
    pub(super) fn send(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        id: RemoteId,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        let mut raw = Raw::EMPTY;
        self.fdb.remotes.read_raw(id, &mut raw).ok_or(DropReason::NoRemote)?;
        let raw = &mut raw;
        let mut way = match self.way(id, raw) {
            Ok(way) => way,
            Err(NoWay::Here(vni)) => {
                return self.hand_over(worker, vni.unwrap_or(meta.vni), meta, packet);
            }
            Err(NoWay::Unresolved { address, egress }) => {
                return Ok(Output::Resolve { remote: id, address, egress });
            }
            Err(NoWay::Gone) => return Err(DropReason::NoRemote),
        };
        let longest = meta.gso.map_or(packet.len(), Gso::segment_len);
        if longest > way.max {
            match self.too_big(worker, now, meta, way.max, packet) {
                // Nobody can be told.
                Err(DropReason::TooBig) if self.config.too_big == TooBig::Fragment => {}
                told => return told,
            }
        }
        let len = packet.len() as u64;
        let gso = match meta.gso {
            None => None,
            Some(gso) => Some(way.cut_later(self.config, gso, packet.len())?),
        };
        let encap = way.meta(worker, meta);
        way.encap(packet, &encap).map_err(reason)?;
        self.count_sent(worker, meta.vni, len);
        let Way { address, raw, .. } = &way;
        // No headers are longer than that.
        let outer = (packet.len() as u64).wrapping_sub(len) as u16;
        Ok(Output::Send {
            remote: id,
            address: *address,
            port: raw.port(),
            egress: raw.egress(),
            outer,
            checksum: meta.inner_checksum.behind(outer),
            gso,
        })
    }

    /// Delivers a frame of a local host on this side.
    pub(super) fn hand_over(
        &self,
        worker: &mut Worker,
        vni: Vni,
        meta: &OverlayMeta,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        let domain = self.fdb.vnis.find(vni).ok().flatten().ok_or(DropReason::UnknownVni)?;
        let (len, vlan) = (packet.len() as u64, domain.vlan_id());
        vlan.map_or(Ok(()), |vlan| Tag::of(vlan).put(packet))?;
        self.count_delivered(worker, vni, len);
        Ok(Output::Deliver { vni, source: None, port: Some(meta.port), policy: meta.policy, vlan })
    }

    pub(super) fn count_sent(&self, worker: &mut Worker, vni: Vni, bytes: u64) {
        worker.counters.sent = worker.counters.sent.wrapping_add(1);
        worker.counters.sent_bytes = worker.counters.sent_bytes.wrapping_add(bytes);
        self.tally_sent(worker, vni, bytes);
    }

    pub(super) fn tally_sent(&self, worker: &Worker, vni: Vni, bytes: u64) {
        self.tally(worker, vni, &VniCounters { sent: 1, sent_bytes: bytes, ..VniCounters::default() });
    }

    pub(super) fn count_delivered(&self, worker: &mut Worker, vni: Vni, bytes: u64) {
        worker.counters.delivered = worker.counters.delivered.wrapping_add(1);
        worker.counters.delivered_bytes = worker.counters.delivered_bytes.wrapping_add(bytes);
        let more = VniCounters { delivered: 1, delivered_bytes: bytes, ..VniCounters::default() };
        self.tally(worker, vni, &more);
    }

    /// Tells the sender of a frame that is too long, in its place, if it may be told: never by fragments.
    fn too_big(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        max: usize,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        if self.config.too_big == TooBig::Drop {
            return Err(DropReason::TooBig);
        }
        let front = Front::of(packet.as_slice()).ok_or(DropReason::TooBig)?;
        let Front { link, l3, .. } = front;
        // About what goes to many nobody is told (RFC 1122, section 3.2.2), nor many about anything.
        if link.destination.is_multicast() || !link.source.is_unicast() {
            return Err(DropReason::TooBig);
        }
        let ip = packet.as_slice().get(l3..).unwrap_or_default();
        let mtu = max.saturating_sub(l3);
        let answer = match front.ethertype {
            EtherType::IPV4 => ipv4::Header::parse(ip).ok().and_then(|(header, _)| {
                let mtu = u16::try_from(mtu).ok().filter(|&mtu| mtu >= MIN_MTU_IPV4)?;
                let may =
                    header.dont_fragment && !header.more_fragments && header.fragment_offset.value() == 0;
                may.then_some(Answer::V4(header, mtu))
            }),
            EtherType::IPV6 => ipv6::Header::parse(ip).ok().and_then(|(header, _)| {
                let mtu = u32::try_from(mtu).ok().filter(|&mtu| mtu >= MIN_MTU_IPV6)?;
                // The answer comes from the destination.
                (!header.destination.is_multicast()).then_some(Answer::V6(header, mtu))
            }),
            _ => None,
        };
        let answer = answer.ok_or(DropReason::TooBig)?;
        // The tag of a trunk is put back afterwards.
        let tag = if meta.trunk { vlan::Header::LEN } else { 0 };
        if packet.headroom() < MAX_ANSWER.saturating_add(tag) {
            return Err(DropReason::NoHeadroom);
        }
        if !worker.may_report(now, self.config.icmp_rate) {
            return Err(DropReason::ReportLimit);
        }
        // In front of the IP packet go the answer's headers; Ethernet's, tags and all, is put before them again.
        let mut head = [0; MAX_FRONT];
        let head = head.get_mut(..l3).ok_or(DropReason::TooBig)?;
        head.copy_from_slice(packet.as_slice().get(..l3).unwrap_or_default());
        packet.strip(l3).map_err(|_| DropReason::TooBig)?;
        let told = match answer {
            Answer::V4(header, mtu) => {
                let problem = icmpv4::Problem::FragmentationNeeded { mtu };
                icmp::report_ipv4(packet, problem, header.destination, header.ttl)
            }
            Answer::V6(header, mtu) => {
                let problem = icmpv6::Problem::PacketTooBig { mtu };
                icmp::report_ipv6(packet, problem, header.destination, header.hop_limit)
            }
        };
        if let (Some(addresses), true) = (head.first_chunk_mut(), told.is_ok()) {
            let MacAddr([d0, d1, d2, d3, d4, d5]) = link.source;
            let MacAddr([s0, s1, s2, s3, s4, s5]) = link.destination;
            *addresses = [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5];
        }
        for &byte in head.iter().rev() {
            *packet.prepend().map_err(|_| DropReason::NoHeadroom)? = [byte];
        }
        told.map_err(|_| DropReason::TooBig)?;
        worker.counters.replies = worker.counters.replies.wrapping_add(1);
        Ok(Output::Reply)
    }
}

enum Answer {
    V4(ipv4::Header, u16),
    V6(ipv6::Header, u32),
}

pub(super) const fn reason(error: EncapError) -> DropReason {
    match error {
        EncapError::InnerTruncated { .. } | EncapError::InnerNotIp => DropReason::FrameTruncated,
        EncapError::InnerVlan => DropReason::InnerVlan,
        EncapError::TooLong { .. } => DropReason::TooBig,
        EncapError::Packet(_) => DropReason::NoHeadroom,
        EncapError::PartialChecksum { .. } => DropReason::BadMeta,
        // Only tunnels of GRE say so.
        EncapError::SequenceMissing
        | EncapError::Loop
        | EncapError::EncapLimit { .. }
        | EncapError::NoDestination
        | EncapError::NoKeepalives => DropReason::BadMeta,
    }
}

/// Below these MTUs nobody is told (RFC 791, section 3.1: every host takes 576 bytes; RFC 8200, section 5).
const MIN_MTU_IPV4: u16 = 576;
const MIN_MTU_IPV6: u32 = 1_280;

/// Headers of the longest answer: IPv6 and ICMPv6.
const MAX_ANSWER: usize = icmp_error::IPV6_HEADERS;
