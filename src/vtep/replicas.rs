//! One frame to many remotes.

use super::{
    DropReason, Engine, Flood, Miss, Worker,
    send::{NoWay, reason},
};
use crate::{
    packet::Header,
    table::{Remote, RemoteId, Walk},
};

/// A copy of a flooded frame: to be sent as `[header, frame]`.
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
}

/// The copies of a flooded frame, in the list's order. A remote to which there is no way, or no way for a frame as
/// long as this, gets none, and the drop is counted; a next hop that is not known is a [`Miss`] as well.
#[derive(Debug)]
pub struct Replicas<'a> {
    engine: Engine<'a>,
    worker: &'a mut Worker,
    flood: Flood,
    members: Walk<'a>,
    frame: &'a [u8],
}

impl<'a> Engine<'a> {
    pub(super) fn replicas(&self, worker: &'a mut Worker, flood: &Flood, frame: &'a [u8]) -> Replicas<'a> {
        let members = self.fdb.lists.members(flood.list);
        Replicas { engine: *self, worker, flood: *flood, members, frame }
    }
}

impl Iterator for Replicas<'_> {
    type Item = Replica;

    fn next(&mut self) -> Option<Replica> {
        loop {
            let id = self.members.next()?;
            match self.copy(id) {
                Ok(replica) => return Some(replica),
                Err(reason) => self.worker.counters.drop(reason),
            }
        }
    }
}

impl Replicas<'_> {
    fn copy(&mut self, id: RemoteId) -> Result<Replica, DropReason> {
        let way = self.engine.way(id).map_err(|no| match no {
            NoWay::Here(_) => DropReason::LocalDestination,
            NoWay::Unresolved(Remote { address, egress, .. }) => {
                self.worker.miss(Miss::NextHop { remote: id, address, egress });
                DropReason::Unresolved
            }
            NoWay::Gone => DropReason::NoRemote,
        })?;
        if self.frame.len() > way.max {
            return Err(DropReason::TooBig);
        }
        let meta = self.engine.encap_meta(self.worker, self.flood.vni, &way.remote, &self.flood.meta);
        let header = way.endpoint.header(self.frame, &way.outer, &meta).map_err(reason)?;
        let counters = &mut self.worker.counters;
        counters.sent = counters.sent.wrapping_add(1);
        counters.sent_bytes = counters.sent_bytes.wrapping_add(self.frame.len() as u64);
        let Remote { address, port, egress, .. } = way.remote;
        Ok(Replica { remote: id, address, port, egress, header })
    }
}
