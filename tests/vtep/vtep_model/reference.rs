//! What a VTEP should decide, by plain maps.

use std::collections::{BTreeMap, BTreeSet};

use encap::{
    table::LearnFrom,
    vtep::{Accept, DropReason},
};

use super::op::GROUPS;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Remote(u8),
    Here,
    Nowhere,
}

/// An entry of the forwarding database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) place: Place,
    /// The step at which it was confirmed, if it ages.
    pub(crate) confirmed: Option<u32>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Expected {
    To(Vec<u8>),
    Drop(DropReason),
}

#[derive(Debug)]
pub(crate) struct Model {
    learning: bool,
    accept: Accept,
    learn_from: LearnFrom,
    /// Steps that have passed.
    pub(crate) now: u32,
    /// Segments that somebody named.
    pub(crate) known: BTreeSet<u8>,
    pub(crate) entries: BTreeMap<(u8, u8), Known>,
    pub(crate) floods: BTreeMap<u8, Vec<u8>>,
    pub(crate) neighbors: BTreeMap<(u8, u8), u8>,
}

/// Steps after which an entry is expired: 28 of them are 308 s.
const AGEING: u32 = 28;

impl Model {
    /// Remotes that somebody added; those from there on are strangers.
    pub(crate) const CONFIGURED: u8 = 4;
    pub(crate) const REMOTES: u8 = 6;

    pub(crate) fn new(learning: bool, accept: Accept, learn_from: LearnFrom) -> Self {
        Self {
            learning,
            accept,
            learn_from,
            now: 0,
            known: BTreeSet::new(),
            entries: BTreeMap::new(),
            floods: BTreeMap::new(),
            neighbors: BTreeMap::new(),
        }
    }

    pub(crate) fn know(&mut self, vni: u8) {
        self.known.insert(vni);
    }

    pub(crate) fn live(&self, key: (u8, u8)) -> Option<Known> {
        let known = self.entries.get(&key).copied()?;
        known.confirmed.is_none_or(|confirmed| self.now - confirmed < AGEING).then_some(known)
    }

    /// Where a frame goes.
    pub(crate) fn decide(&self, vni: u8, to: u8) -> Expected {
        match self.live((vni, to)).map(|known| known.place) {
            Some(Place::Remote(remote)) => Expected::To(vec![remote]),
            Some(Place::Here) => Expected::Drop(DropReason::LocalDestination),
            Some(Place::Nowhere) => Expected::Drop(DropReason::Blackhole),
            None => match self.floods.get(&vni) {
                Some(remotes) => Expected::To(remotes.clone()),
                None => Expected::Drop(DropReason::NoDestination),
            },
        }
    }

    /// Learns from a packet, or says why it is dropped.
    pub(crate) fn receive(&mut self, vni: u8, remote: u8, from: u8) -> Option<DropReason> {
        let configured = remote < Self::CONFIGURED;
        if !self.known.contains(&vni) {
            return Some(DropReason::UnknownVni);
        }
        if self.accept == Accept::Configured && !configured {
            return Some(DropReason::UnknownSender);
        }
        if !self.learning {
            return None;
        }
        if from >= GROUPS {
            return Some(DropReason::InvalidSource);
        }
        let teaches = configured || self.learn_from == LearnFrom::Any;
        let confirmed = Some(self.now);
        match self.live((vni, from)) {
            Some(known) if known.place == Place::Remote(remote) => {
                let confirmed = if teaches { known.confirmed.and(confirmed) } else { known.confirmed };
                self.entries.insert((vni, from), Known { confirmed, ..known });
            }
            Some(known) if known.confirmed.is_none() => return Some(DropReason::SourceElsewhere),
            _ if teaches => {
                self.entries.insert((vni, from), Known { place: Place::Remote(remote), confirmed });
            }
            _ => {}
        }
        None
    }
}
