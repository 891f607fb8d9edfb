//! What the kernel's tables were last told to hold, and how many entries lead to a remote.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
};

use encap::{
    table::{Destination, RemoteId},
    wire::{MacAddr, Vni},
};

/// Everything that was told, and in which round last.
#[derive(Debug, Default)]
pub(crate) struct Known {
    entries: HashMap<Key, (Destination, u32)>,
    pub(crate) neighbors: HashMap<(Vni, IpAddr), u32>,
    uses: HashMap<RemoteId, usize>,
}

/// An address, and the destination where it can have several.
type Key = (Vni, MacAddr, Option<Destination>);

fn key(segment: Vni, mac: MacAddr, destination: Destination) -> Key {
    (segment, mac, (!mac.is_unicast()).then_some(destination))
}

impl Known {
    /// Notes an entry; answers the destination that it had before.
    pub(crate) fn insert(
        &mut self,
        segment: Vni,
        mac: MacAddr,
        destination: Destination,
        round: u32,
    ) -> Option<Destination> {
        let before = self.entries.insert(key(segment, mac, destination), (destination, round));
        before.map(|(before, _)| before)
    }

    /// Whether there was this entry, which is not known any more.
    pub(crate) fn remove(&mut self, segment: Vni, mac: MacAddr, destination: Destination) -> bool {
        match self.entries.entry(key(segment, mac, destination)) {
            Entry::Occupied(entry) if entry.get().0 == destination => {
                entry.remove();
                true
            }
            _ => false,
        }
    }

    /// The entries that were not told in this round.
    pub(crate) fn others(&self, round: u32) -> Vec<(Vni, MacAddr, Destination)> {
        let others = self.entries.iter().filter(|(_, (_, last))| *last != round);
        others.map(|(&(segment, mac, _), &(destination, _))| (segment, mac, destination)).collect()
    }

    /// One more leads there.
    pub(crate) fn lead(&mut self, destination: Destination) {
        if let Destination::Remote(remote) = destination {
            *self.uses.entry(remote).or_default() += 1;
        }
    }

    /// One less leads there; answers the remote if that was the last.
    pub(crate) fn leave(&mut self, destination: Destination) -> Option<RemoteId> {
        let Destination::Remote(remote) = destination else { return None };
        let uses = self.uses.get_mut(&remote)?;
        *uses -= 1;
        if *uses > 0 {
            return None;
        }
        self.uses.remove(&remote);
        Some(remote)
    }
}
