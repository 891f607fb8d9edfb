//! One frame to many remotes.

use core::mem;

use super::{
    DropReason, Engine, Flood, Gso, Miss, Output, OverlayMeta, TooBig, Worker,
    send::{Origin, check_header, reason},
    way::{NoWay, Way},
};
use crate::{
    packet::{Header, Packet},
    table::{Fields, ListId, Raw, Remote, RemoteId, Walk},
    time::Instant,
    wire::{Vni, ethernet},
};

/// A copy of a flooded frame: to be sent as `[header, frame]`, written into a buffer of its own by
/// [`Packet::copy_of`], or to be handed over on this side.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Replica {
    /// To this remote.
    pub remote: RemoteId,
    /// Its address, for who sends by a socket.
    pub address: core::net::IpAddr,
    /// UDP port of the remote.
    pub port: u16,
    /// What packets to the remote leave by.
    pub egress: u32,
    /// The outer headers of this copy.
    pub header: Header,
    /// The copy needs no tunnel, because the remote is us: it goes to this segment here, and `header` is empty (Linux:
    /// `localbypass`). That is another segment than the frame's, unless a router made the frame. A trunk's tag is the
    /// caller's to put, and what is for our own MAC address his to route.
    pub local: Option<Vni>,
    /// Segments that the copy is to be cut into.
    pub gso: Option<Gso>,
}

/// The copies of a flooded frame, in the list's order. A remote to which there is no way, or no way for a frame as
/// long as this, gets none, and the drop is counted; a next hop that is not known is a [`Miss`] as well. Where the list
/// or all of its remotes are gone since the decision, that counts once, as [`NoRemote`](DropReason::NoRemote). A frame
/// to one host that is too long for some of them is here only where nobody could be told.
#[derive(Debug)]
pub struct Replicas<'a, 'w> {
    engine: Engine<'a>,
    worker: &'a mut Worker<'w>,
    flood: Flood,
    members: Walk<'a>,
    /// Whether there was a member, or it is counted that there was none.
    is_told: bool,
    frame: &'a [u8],
}

impl<'t> Engine<'t> {
    /// The copies of a frame for [`Output::Replicate`]: one header each, in the list's order, to be sent before the
    /// same frame.
    pub fn replicas<'a, 'w>(
        &self,
        worker: &'a mut Worker<'w>,
        flood: &Flood,
        frame: &'a [u8],
    ) -> Replicas<'a, 'w>
    where
        't: 'a,
    {
        let members = self.fdb.lists().members(flood.list);
        Replicas { engine: *self, worker, flood: *flood, members, is_told: false, frame }
    }

    /// Has a frame go to all members of a list. One to a single host, behind whomever that is, must get to all of them:
    /// where it is too long for one, its sender is told.
    pub(super) fn replicate(
        &self,
        worker: &mut Worker,
        now: Instant,
        meta: &OverlayMeta,
        origin: Origin,
        list: ListId,
        packet: &mut Packet<'_>,
    ) -> Result<Output, DropReason> {
        let flood = Output::Replicate(Flood { list, meta: *meta, origin });
        let link = ethernet::Header::parse(packet.as_slice());
        if !link.is_ok_and(|(link, _)| link.destination.is_unicast()) {
            return Ok(flood);
        }
        let lengths = self.fdb.lists().members(list).map(|member| self.longest_to(member));
        let (least, most) =
            lengths.fold((usize::MAX, 0), |(least, most), max| (least.min(max), most.max(max)));
        let longest = meta.longest(packet.len());
        if longest <= least {
            return Ok(flood);
        }
        match self.too_big(worker, now, meta, least, packet) {
            // Nobody can be told, or not now: then those get it who can.
            Err(_) if longest <= most || self.config.too_big == TooBig::Fragment => Ok(flood),
            told => told,
        }
    }

    /// The longest frame that a member of a list can get; of any length where there is no tunnel to it.
    fn longest_to(&self, id: RemoteId) -> usize {
        let mut raw = Raw::EMPTY;
        if self.fdb.remotes.read_raw(id, &mut raw).is_none() {
            return usize::MAX;
        }
        self.way(id, &mut raw).map_or(usize::MAX, |way| way.max)
    }
}

impl Iterator for Replicas<'_, '_> {
    type Item = Replica;

    fn next(&mut self) -> Option<Replica> {
        loop {
            let member = self.members.next();
            let is_told = mem::replace(&mut self.is_told, true);
            let reason = match member.map(|id| self.copy(id)) {
                Some(Ok(replica)) => return Some(replica),
                Some(Err(reason)) => reason,
                None if is_told => return None,
                None => DropReason::NoRemote,
            };
            let _ = self.engine.refuse(self.worker, Some(self.flood.meta.vni), reason);
        }
    }
}

impl Replicas<'_, '_> {
    fn copy(&mut self, id: RemoteId) -> Result<Replica, DropReason> {
        let (engine, len) = (&self.engine, self.frame.len() as u64);
        let mut raw = Raw::EMPTY;
        engine.fdb.remotes.read_raw(id, &mut raw).ok_or(DropReason::NoRemote)?;
        let mut way = match engine.way(id, &mut raw) {
            Ok(way) => way,
            Err(NoWay::Here(vni)) => {
                let vni = vni.unwrap_or(self.flood.meta.vni);
                check_header(self.frame)?;
                if !engine.fdb.knows(vni) {
                    return Err(DropReason::UnknownVni);
                }
                if vni == self.flood.meta.vni && self.flood.origin == Origin::Bridged {
                    return Err(DropReason::LocalDestination);
                }
                engine.count_delivered(self.worker, vni, len);
                let remote = engine.fdb.remotes.get(id).ok_or(DropReason::NoRemote)?;
                let Remote { address, port, egress, .. } = remote;
                return Ok(Replica {
                    remote: id,
                    address,
                    port,
                    egress,
                    header: Header::EMPTY,
                    local: Some(vni),
                    gso: self.flood.meta.gso,
                });
            }
            Err(NoWay::Unresolved { address, egress }) => {
                self.worker.miss(Miss::NextHop { remote: id, address, egress });
                return Err(DropReason::Unresolved);
            }
            Err(NoWay::Gone) => return Err(DropReason::NoRemote),
        };
        let whole = self.frame.len();
        if self.flood.meta.longest(whole) > way.max && !engine.may_fragment(way.address, self.frame) {
            return Err(DropReason::TooBig);
        }
        let gso = match self.flood.meta.gso {
            None => None,
            Some(gso) => Some(way.cut_later(engine.config, gso, whole)?),
        };
        let header = way.header(self.frame, &way.meta(self.worker, &self.flood.meta)).map_err(reason)?;
        engine.count_sent(self.worker, self.flood.meta.vni, len);
        let Way { address, raw, .. } = &way;
        let (port, egress) = (raw.port(), raw.egress());
        Ok(Replica { remote: id, address: *address, port, egress, header, local: None, gso })
    }
}
