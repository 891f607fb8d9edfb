//! Packets as they are offered, and what became of them.

use encap::Packet;

use super::Input;
use crate::common::ROOM;

/// A packet behind so many bytes of room.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) headroom: usize,
    pub(super) bytes: Vec<u8>,
}

/// What was decided, and what the packet is then.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome<O> {
    pub(super) output: O,
    /// Where it starts in its buffer.
    pub(super) start: usize,
    pub(super) made: Vec<u8>,
    /// The bytes before it, and before where it was.
    before: Vec<u8>,
}

const BEFORE: u8 = 0xee;
const BEHIND: [u8; 9] = [0x77; 9];

impl Input<'_> {
    /// Room for all headers, as a rule.
    pub(super) fn offer(&mut self, bytes: Vec<u8>) -> Offer {
        let room = usize::from(self.byte());
        Offer { headroom: if room < ROOM { ROOM } else { room - ROOM }, bytes }
    }
}

impl Offer {
    /// Has this one handled alone.
    pub(super) fn take<O>(&self, handle: impl FnOnce(&mut Packet<'_>) -> O) -> Outcome<O> {
        let mut outcomes = take_all([self].into_iter(), |packets| vec![handle(&mut packets[0])]);
        outcomes.pop().unwrap()
    }
}

/// Has all of them handled together.
pub(super) fn take_all<'a, O, I>(
    offers: I,
    handle: impl FnOnce(&mut [Packet<'_>]) -> Vec<O>,
) -> Vec<Outcome<O>>
where
    I: Iterator<Item = &'a Offer> + Clone,
{
    let buffer = |offer: &Offer| [&vec![BEFORE; offer.headroom][..], &offer.bytes, &BEHIND].concat();
    let mut buffers: Vec<_> = offers.clone().map(buffer).collect();
    let packets = offers.clone().zip(&mut buffers);
    let mut packets: Vec<_> = packets
        .map(|(offer, buffer)| Packet::new(buffer, offer.headroom, offer.bytes.len()).unwrap())
        .collect();
    let outputs = handle(&mut packets);
    assert_eq!(outputs.len(), packets.len());
    let ranges: Vec<_> = packets.into_iter().map(Packet::into_range).collect();
    let places = ranges.into_iter().zip(buffers.iter().zip(offers));
    let outcomes = outputs.into_iter().zip(places).map(|(output, ((start, len), (buffer, offer)))| {
        assert!(buffer.ends_with(&BEHIND), "written behind the packet");
        let (made, before) = (&buffer[start..start + len], &buffer[..start.min(offer.headroom)]);
        Outcome { output, start, made: made.to_vec(), before: before.to_vec() }
    });
    outcomes.collect()
}

impl<O: std::fmt::Debug> Outcome<O> {
    /// The packet is where it was and what it was.
    pub(super) fn assert_left_as_it_was(&self, offer: &Offer) {
        assert_eq!((self.start, &self.made), (offer.headroom, &offer.bytes), "{:?}", self.output);
    }

    /// Nothing is written before the packet.
    pub(super) fn assert_nothing_before(&self) {
        let is_written = self.before.iter().any(|&byte| byte != BEFORE);
        assert!(!is_written, "written before the packet: {:?}", self.output);
    }

    /// The packet lies within what was there.
    pub(super) fn assert_within(&self, offer: &Offer) {
        let (end, had) = (self.start + self.made.len(), offer.headroom + offer.bytes.len());
        assert!(self.start >= offer.headroom && end <= had, "{:?}: {}..{end}", self.output, self.start);
    }
}
