//! The forwarding database: which remote has this MAC.
//!
//! (VNI, MAC) names a destination. A lookup reads the word of the VNI, one bucket of the map (two for those
//! that were displaced), and the word of state of the remote; it writes nothing and waits for nobody.

mod account;
mod dump;
mod entry;
mod flush;
mod learn;
mod operations;
mod show;
mod vnis;

pub use self::{
    dump::{Cursor, Dump},
    entry::{Entry, NewEntry, State},
    flush::{Filter, Flushed},
    learn::{Evicted, Learned, Refusal},
    operations::Change,
    show::{Row, Show, Target},
};

use core::hint::black_box;

use super::{
    Destination, GroupId, LearnFrom, ListId, Lists, Remotes,
    bucket::{Busy, Content, Home, Key, Map, Near},
    clock::{Clock, Now},
    handle::Handle,
    line::Words,
    meta::Meta,
    vni::{Domain, Vnis},
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

/// The forwarding database of [`Tables`](super::Tables).
#[derive(Clone, Copy, Debug)]
pub struct Fdb<'t> {
    pub(crate) map: Map<'t>,
    pub(crate) vnis: Vnis<'t>,
    pub(crate) remotes: Remotes<'t>,
    pub(crate) lists: Lists<'t>,
    pub(crate) quotas: Words<'t>,
    pub(crate) meta: Meta<'t>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
}

/// What the settings say about the forwarding database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) entries: u32,
    pub(crate) learned: u32,
    pub(crate) quota: u32,
    pub(crate) vni: u32,
    pub(crate) learn_from: LearnFrom,
}

/// What the forwarding database knows of an address.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[must_use]
pub enum Lookup {
    /// Where it is.
    Found(Destination),
    /// Nothing: no entry, or one that is expired or whose remote was removed.
    #[default]
    Unknown,
    /// Entries kept moving in its place; to be treated as unknown.
    Busy,
}

impl Lookup {
    /// Where the address is, if that is known.
    pub const fn destination(self) -> Option<Destination> {
        match self {
            Self::Found(destination) => Some(destination),
            _ => None,
        }
    }
}

impl<'t> Fdb<'t> {
    /// Where `mac` is. Exactly this entry: whoever floods what is unknown looks [`MacAddr::ZERO`] up next.
    #[inline]
    pub fn lookup(&self, now: Instant, vni: Vni, mac: MacAddr) -> Lookup {
        self.lookup_bits(now, vni, bits(mac))
    }

    fn lookup_bits(&self, now: Instant, vni: Vni, mac: u64) -> Lookup {
        let now = self.clock.at(now, self.meta.fdb_ages());
        match self.vnis.in_front(vni) {
            Some(domain) => self.lookup_in(now, vni, domain, mac),
            None => self.lookup_behind(now, vni, mac),
        }
    }

    #[cold]
    fn lookup_behind(&self, now: Now, vni: Vni, mac: u64) -> Lookup {
        match self.vnis.find_in_map(vni) {
            Ok(Some(domain)) => self.lookup_in(now, vni, domain, mac),
            Ok(None) => Lookup::Unknown,
            Err(Busy) => Lookup::Busy,
        }
    }

    #[inline]
    fn lookup_in(&self, now: Now, vni: Vni, domain: Domain<'t>, mac: u64) -> Lookup {
        let key = key_of_bits(domain.number, mac);
        match self.map.home(key) {
            Some(home) => self.look(now, vni, domain, home, key),
            None => Lookup::Unknown,
        }
    }

    /// Many lookups at once, while the processor waits for memory once per 32 of them: all first buckets are
    /// asked for before the first is looked at. One answer per key; of two slices of different lengths the
    /// shorter one counts.
    pub fn lookup_batch(&self, now: Instant, keys: &[(Vni, MacAddr)], answers: &mut [Lookup]) {
        let now = self.clock.at(now, self.meta.fdb_ages());
        for (keys, answers) in keys.chunks(BATCH).zip(answers.chunks_mut(BATCH)) {
            let mut homes: [Option<(Domain<'t>, Home<'t>, Key)>; BATCH] = [None; BATCH];
            let mut touched = 0;
            for ((&(vni, mac), slot), answer) in keys.iter().zip(&mut homes).zip(answers.iter_mut()) {
                if let Some(domain) = self.vnis.in_front(vni) {
                    let key = key(domain.number, mac);
                    *slot = self.map.home(key).map(|home| (domain, home, key));
                    *answer = Lookup::Unknown;
                } else {
                    *answer = self.lookup_behind(now, vni, bits(mac));
                }
            }
            for (_, home, _) in homes.iter().flatten() {
                touched |= home.touch();
            }
            black_box(touched);
            for ((&(vni, _), slot), answer) in keys.iter().zip(&homes).zip(answers) {
                if let &Some((domain, home, key)) = slot {
                    *answer = self.look(now, vni, domain, home, key);
                }
            }
        }
    }

    #[inline(always)]
    fn look(&self, now: Now, vni: Vni, domain: Domain<'t>, home: Home<'t>, key: Key) -> Lookup {
        match home.find(key, current(domain)) {
            Near::Found(found) => self.answer(now, vni, domain, found),
            Near::Nothing => Lookup::Unknown,
            Near::NotHere(control) => self.look_farther(now, vni, domain, key, control),
        }
    }

    #[inline(never)]
    fn look_farther(&self, now: Now, vni: Vni, domain: Domain<'t>, key: Key, control: Option<u32>) -> Lookup {
        match self.map.find_farther(key, control, current(domain)) {
            Ok(Some(found)) => self.answer(now, vni, domain, found),
            Ok(None) => Lookup::Unknown,
            Err(Busy) => Lookup::Busy,
        }
    }

    #[inline]
    fn answer(&self, now: Now, vni: Vni, domain: Domain<'t>, found: Content) -> Lookup {
        if now.expired(found.stamp) {
            return Lookup::Unknown;
        }
        match self.destination(Handle(found.value)) {
            // The number that was looked up was this VNI's all the time.
            Some(destination) if domain.is(vni) => Lookup::Found(destination),
            _ => Lookup::Unknown,
        }
    }

    /// What a value says, if what it names is still there.
    #[inline]
    pub(crate) fn destination(&self, handle: Handle) -> Option<Destination> {
        match handle.kind() {
            Handle::REMOTE | Handle::LEARNED => self.remotes.resolve(handle).map(Destination::Remote),
            _ => self.other_destination(handle),
        }
    }

    #[inline(never)]
    fn other_destination(&self, handle: Handle) -> Option<Destination> {
        match handle.kind() {
            Handle::LIST if self.lists.leads_on(handle) => Some(Destination::List(ListId(handle))),
            Handle::GROUP if self.lists.is_alive(handle) => Some(Destination::Group(GroupId(handle))),
            _ if handle == Handle::LOCAL => Some(Destination::Local),
            _ if handle == Handle::BLACKHOLE => Some(Destination::Blackhole),
            _ => None,
        }
    }
}

/// Whether what was learned was learned since the VNI's last flush.
#[inline]
fn current(domain: Domain<'_>) -> impl Fn(u32, u8) -> bool {
    move |value, tag| Handle(value).kind() != Handle::LEARNED || u32::from(tag) == domain.learned().read().0
}

#[inline]
const fn bits(mac: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

#[inline]
const fn key_of_bits(domain: u16, mac: u64) -> Key {
    Key((domain as u64) << 48 | mac)
}

#[inline]
const fn key(domain: u16, mac: MacAddr) -> Key {
    key_of_bits(domain, bits(mac))
}

/// What a key was made of.
const fn parts(key: Key) -> (u16, MacAddr) {
    let [a, b, c, d, e, f, low, high] = key.0.to_le_bytes();
    (u16::from_le_bytes([low, high]), MacAddr([a, b, c, d, e, f]))
}

/// Lookups that wait for memory together.
const BATCH: usize = 32;
