//! Entries of the forwarding database, as they are shown and as they are made.

use core::time::Duration;

use super::super::{
    Destination,
    bucket::{Cold, Content},
    handle::Handle,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

/// Where an entry comes from, and so whether it ages and whether learning may move it.
///
/// | state | `bridge fdb` | ages | learning may move it |
/// |---|---|---|---|
/// | permanent | `permanent`, `local`, nothing | no | no |
/// | static | `static`, `temp` | no | no |
/// | dynamic | `dynamic` | yes | yes |
/// | learned | (the data plane's) | yes | yes |
/// | extern-learn | `extern_learn dynamic` | no | yes |
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum State {
    /// Somebody's order, for ever.
    #[default]
    Permanent,
    /// Somebody's order.
    Static,
    /// Somebody's suggestion: it ages and moves.
    Dynamic,
    /// Learned from a packet.
    Learned,
    /// Learned by a control plane: it moves, but stays until the control plane takes it back.
    ExternLearn,
}

impl State {
    /// Whether an entry of this state goes when it is not confirmed for the ageing time.
    pub const fn ages(self) -> bool {
        matches!(self, Self::Dynamic | Self::Learned)
    }

    /// Whether learning may point an entry of this state elsewhere.
    pub const fn moves(self) -> bool {
        !matches!(self, Self::Permanent | Self::Static)
    }
}

/// An entry of the forwarding database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The overlay segment.
    pub vni: Vni,
    /// The address; all zeroes for the default destination.
    pub mac: MacAddr,
    /// Where frames to it go.
    pub destination: Destination,
    /// Where the entry comes from.
    pub state: State,
    /// The address is a router's (`NTF_ROUTER`).
    pub router: bool,
    /// Learning must not move it, whatever its state (`NTF_STICKY`).
    pub sticky: bool,
    /// The control plane that made it; 0 for nobody in particular.
    pub origin: u8,
    /// What that control plane noted.
    pub cookie: u32,
    /// Time since it was confirmed, to the tick, for entries that age.
    pub age: Option<Duration>,
}

/// An entry to be: a destination, and what is said about it. A destination alone makes a permanent entry.
///
/// ```
/// # use encap::table::{Destination, NewEntry};
/// let entry = NewEntry::to(Destination::Blackhole).as_static().origin(7, 1);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NewEntry {
    pub(crate) destination: Destination,
    pub(crate) state: State,
    pub(crate) router: bool,
    pub(crate) sticky: bool,
    pub(crate) origin: u8,
    pub(crate) cookie: u32,
    pub(crate) now: Option<Instant>,
}

impl NewEntry {
    /// A permanent entry.
    pub fn to(destination: impl Into<Destination>) -> Self {
        Self {
            destination: destination.into(),
            state: State::Permanent,
            router: false,
            sticky: false,
            origin: 0,
            cookie: 0,
            now: None,
        }
    }

    /// Makes it static.
    #[must_use]
    pub const fn as_static(self) -> Self {
        Self { state: State::Static, ..self }
    }

    /// Makes it dynamic, confirmed `now`.
    #[must_use]
    pub const fn dynamic(self, now: Instant) -> Self {
        Self { state: State::Dynamic, now: Some(now), ..self }
    }

    /// Says what time it is, as [`dynamic`](Self::dynamic) does, of one that does not age: an entry of its own address
    /// that has expired by now is not in its way, nor one where it would go in a full table. For the limit of a VNI and
    /// the room of lists, what has expired counts until a sweep.
    #[must_use]
    pub const fn at(self, now: Instant) -> Self {
        Self { now: Some(now), ..self }
    }

    /// Makes it one that a control plane learned.
    #[must_use]
    pub const fn extern_learn(self) -> Self {
        Self { state: State::ExternLearn, ..self }
    }

    /// Says that the address is a router's.
    #[must_use]
    pub const fn router(self) -> Self {
        Self { router: true, ..self }
    }

    /// Says that learning must not move it.
    #[must_use]
    pub const fn sticky(self) -> Self {
        Self { sticky: true, ..self }
    }

    /// Says whose entry it is, and something for them to know it by: the number of a resync, say, for
    /// [`Filter::older_than`](super::Filter::older_than).
    #[must_use]
    pub const fn origin(self, origin: u8, cookie: u32) -> Self {
        Self { origin, cookie, ..self }
    }

    pub(crate) const fn cold(&self) -> Cold {
        Cold { cookie: self.cookie, origin: self.origin }
    }

    /// Whether its cold words say anything.
    #[inline(always)]
    pub(crate) const fn writes_cold(&self) -> bool {
        self.cookie != 0 || self.origin != 0
    }

    /// The tag of the entry: what is learned needs that for its generation, and has no attributes to say.
    pub(crate) const fn tag(&self) -> u8 {
        Attributes { state: self.state, router: self.router, sticky: self.sticky }.to_byte()
    }
}

impl<D: Into<Destination>> From<D> for NewEntry {
    fn from(destination: D) -> Self {
        Self::to(destination)
    }
}

/// What the tag of an entry says that was not learned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Attributes {
    pub(crate) state: State,
    pub(crate) router: bool,
    pub(crate) sticky: bool,
}

impl Attributes {
    const LEARNED: Self = Self { state: State::Learned, router: false, sticky: false };

    pub(crate) const fn of(content: Content) -> Self {
        if Handle(content.value).is_learned() { Self::LEARNED } else { Self::from_byte(content.tag) }
    }

    const fn to_byte(self) -> u8 {
        let state = match self.state {
            State::Permanent => 0,
            State::Static => 1,
            State::Dynamic => 2,
            State::Learned => 3,
            State::ExternLearn => 4,
        };
        state | (self.router as u8) << 3 | (self.sticky as u8) << 4
    }

    const fn from_byte(byte: u8) -> Self {
        let state = match byte & 7 {
            0 => State::Permanent,
            1 => State::Static,
            2 => State::Dynamic,
            3 => State::Learned,
            _ => State::ExternLearn,
        };
        Self { state, router: byte & 8 != 0, sticky: byte & 16 != 0 }
    }
}
