//! The network between VTEPs: things that happen at some time, in order, and chance.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use encap::time::Instant;

/// Something that happens.
pub(crate) enum Event {
    /// An underlay packet reaches the VTEP at this place.
    Packet { node: usize, bytes: Vec<u8> },
    /// A frame reaches the host at this place.
    Frame { host: usize, bytes: Vec<u8> },
    /// A host wanted to be woken, if nothing has happened since.
    Wake { host: usize, round: u64 },
}

/// What is yet to happen: the earliest first, and at the same time what was put first.
#[derive(Default)]
pub(crate) struct Queue {
    order: BinaryHeap<Reverse<(Instant, u64)>>,
    events: BTreeMap<u64, Event>,
    next: u64,
}

impl Queue {
    pub(crate) fn put(&mut self, at: Instant, event: Event) {
        self.order.push(Reverse((at, self.next)));
        self.events.insert(self.next, event);
        self.next += 1;
    }

    pub(crate) fn next(&mut self) -> Option<(Instant, Event)> {
        let Reverse((at, number)) = self.order.pop()?;
        Some((at, self.events.remove(&number)?))
    }
}

/// Latency and loss, and what came of them.
pub(crate) struct Wire {
    pub(crate) latency: Duration,
    /// Packets lost of a million.
    pub(crate) loss: u64,
    pub(crate) chance: Chance,
    pub(crate) carried: u64,
    pub(crate) lost: u64,
}

impl Wire {
    /// Whether a packet gets through.
    pub(crate) fn carries(&mut self) -> bool {
        let is_lost = self.chance.next() % 1_000_000 < self.loss;
        *(if is_lost { &mut self.lost } else { &mut self.carried }) += 1;
        !is_lost
    }
}

/// Numbers that look random, the same ones for the same seed (SplitMix64, <https://doi.org/10.1145/2714064.2660195>).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
}
