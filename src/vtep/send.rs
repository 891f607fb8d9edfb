//! A frame to one remote.

use core::net::IpAddr;

use super::{
    DropReason, Engine, Output, OverlayMeta, TooBig, Worker,
    trunk::Tag,
    way::{NoWay, Way},
};
use crate::{
    packet::Packet,
    table::{Fields, Raw, RemoteId, VniCounters},
    time::Instant,
    tunnel::{EncapError, Payload, Peek},
    wire::{Vni, ethernet},
};

/// How a frame came to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    /// A local host sent it into its segment. What goes to many has reached the segment's hosts here already.
    Bridged,
    /// A router made it, ours or, by a short circuit, we in the place of one: no host of the segment has it.
    Routed,
}

/// A remote that a frame is to go to.
#[derive(Clone, Copy, Debug)]
pub(super) struct To {
    remote: RemoteId,
    /// Whether the segment's hosts on this side have the frame already, should the remote be us.
    is_copy: bool,
}

impl To {
    /// The one remote that an entry, a group or the caller names.
    pub(super) const fn one(remote: RemoteId) -> Self {
        Self { remote, is_copy: false }
    }

    /// A member of a list.
    pub(super) fn member(remote: RemoteId, origin: Origin) -> Self {
        Self { remote, is_copy: origin == Origin::Bridged }
    }
}

impl Engine<'_> {
    /// Puts the outer headers of a remote before the frame.
    pub(super) fn send(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        to: To,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        let mut output = Output::Pass;
        if let Some(len) = self.try_straight(meta, to.remote, packet, &mut output) {
            self.count_sent(worker, meta.vni, len as u64);
            return Ok(output);
        }
        self.send_any(worker, now, meta, to, packet)
    }

    /// The same for frames that do not go straight.
    pub(super) fn send_any(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        To { remote: id, is_copy }: To,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        let mut raw = Raw::EMPTY;
        self.fdb.remotes.read_raw(id, &mut raw).ok_or(DropReason::NoRemote)?;
        let raw = &mut raw;
        let mut way = match self.way(id, raw) {
            Ok(way) => way,
            Err(NoWay::Here(vni)) => {
                let vni = vni.unwrap_or(meta.vni);
                if is_copy && vni == meta.vni {
                    return Err(DropReason::LocalDestination);
                }
                return self.hand_over(worker, vni, meta, packet);
            }
            Err(NoWay::Unresolved { address, egress }) => {
                return Ok(Output::Resolve { remote: id, address, egress });
            }
            Err(NoWay::Gone) => return Err(DropReason::NoRemote),
        };
        if meta.longest(packet.len()) > way.max {
            match self.too_big(worker, now, meta, way.max, packet) {
                // Nobody can be told, or not now.
                Err(_) if self.may_fragment(way.address, packet.as_slice()) => {}
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

    /// Whether a frame that is too long for the way to this address is sent all the same: not with an outer header that
    /// forbids whoever is to fragment it to do so.
    pub(super) fn may_fragment(&self, to: IpAddr, frame: &[u8]) -> bool {
        let has_df = || Peek::new(Payload::Ethernet, frame).is_ok_and(|peek| self.config.df.of(&peek, frame));
        self.config.too_big == TooBig::Fragment && !(to.is_ipv4() && has_df())
    }

    /// Delivers a frame of a local host on this side, as if it came out of a tunnel.
    pub(super) fn hand_over(
        &self,
        worker: &mut Worker,
        vni: Vni,
        meta: &OverlayMeta,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        check_header(packet.as_slice())?;
        let domain = self.fdb.vnis.find(vni).ok().flatten().ok_or(DropReason::UnknownVni)?;
        let (len, vlan) = (packet.len() as u64, domain.vlan_id());
        let (link, _) = ethernet::Header::parse(packet.as_slice()).map_err(|_| DropReason::FrameTruncated)?;
        if self.is_routed(&link) {
            if self.is_nested(packet.as_slice().get(ethernet::Header::LEN..).unwrap_or_default()) {
                return Err(DropReason::Nested);
            }
            packet.strip(ethernet::Header::LEN).map_err(|_| DropReason::FrameTruncated)?;
            self.count_delivered(worker, vni, len);
            return Ok(Output::DeliverIp { vni, source: None });
        }
        vlan.and_then(Tag::of).map_or(Ok(()), |tag| tag.put(packet))?;
        self.count_delivered(worker, vni, len);
        let policy = meta.policy.filter(|_| self.config.gbp);
        Ok(Output::Deliver { vni, source: None, port: Some(meta.port), policy, vlan })
    }

    pub(super) fn count_sent(&self, worker: &mut Worker, vni: Vni, bytes: u64) {
        worker.counters.sent(1, bytes);
        self.tally_sent(worker, vni, bytes);
    }

    pub(super) fn tally_sent(&self, worker: &Worker, vni: Vni, bytes: u64) {
        self.tally(worker, vni, &VniCounters { sent: 1, sent_bytes: bytes, ..VniCounters::default() });
    }

    pub(super) fn count_delivered(&self, worker: &mut Worker, vni: Vni, bytes: u64) {
        worker.counters.delivered(bytes);
        let more = VniCounters { delivered: 1, delivered_bytes: bytes, ..VniCounters::default() };
        self.tally(worker, vni, &more);
    }
}

/// Whether a frame has the IP header that it announces, without which none is sent, nor handed over on this side.
pub(super) fn check_header(frame: &[u8]) -> Result<(), DropReason> {
    Peek::new(Payload::Ethernet, frame).map(|_| ()).map_err(|_| DropReason::FrameTruncated)
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
