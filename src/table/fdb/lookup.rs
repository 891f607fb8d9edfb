//! Lookups: where a frame goes, one at a time and in batches.
//!
//! There are two ways. The short one reads each word once and has an answer for what is as it should be: a VNI in
//! front, a bucket that nobody is at work on, an entry that was not flushed. Whatever else it meets it leaves to the
//! long one, which asks the lines that are right whatever happens, and looks again.

use core::{
    hint::black_box,
    sync::atomic::Ordering::{Acquire, Relaxed},
};

use super::{
    super::{
        Destination, GroupId, ListId, RemoteId,
        bucket::{Busy, Content, Home, Key, Look, Peek},
        clock::{ETERNAL, Now},
        handle::Handle,
        line::fence,
        vni::Domain,
    },
    Fdb,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

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
        let now = self.clock.at(now, self.meta.fdb_ages());
        let epoch = self.meta.epoch().load(Acquire);
        let Some(sought) = self.seek(vni, mac) else { return self.look_closely(now, vni, mac) };
        if let Look::Here(content) = sought.home.look(sought.key) {
            let handle = Handle(content.value);
            let current = u32::from(content.tag) == sought.generation || !handle.is_learned();
            if current && now.is_young(content.stamp) {
                if let Some(remote) = self.remotes.resolve(handle) {
                    if self.is_epoch(epoch) {
                        return Lookup::Found(Destination::Remote(remote));
                    }
                }
            }
        }
        self.look_on(now, vni, mac, &sought, epoch)
    }

    /// Many lookups at once, while the processor waits for memory once per 32 of them: all first buckets are
    /// asked for before the first is looked at, and so are all second ones. One answer per key; of two slices of
    /// different lengths the shorter one counts.
    pub fn lookup_batch(&self, now: Instant, keys: &[(Vni, MacAddr)], answers: &mut [Lookup]) {
        let now = self.clock.at(now, self.meta.fdb_ages());
        let count = keys.len().min(answers.len());
        let (keys, answers) =
            (keys.get(..count).unwrap_or_default(), answers.get_mut(..count).unwrap_or_default());
        for (keys, answers) in keys.chunks(BATCH).zip(answers.chunks_mut(BATCH)) {
            self.look_all(now, keys, answers);
        }
    }

    /// At most [`BATCH`] lookups. What is true of most keys is said of all, without a branch that depends on the key; those
    /// of which it is not true are noted, and come next.
    #[inline(never)]
    fn look_all(&self, now: Now, keys: &[(Vni, MacAddr)], answers: &mut [Lookup]) {
        let epoch = self.meta.epoch().load(Acquire);
        let mut sought = [Sought { home: Home::empty(), key: Key(0), generation: NOT_IN_FRONT }; BATCH];
        for (&(vni, mac), sought) in keys.iter().zip(&mut sought) {
            if let Some(found) = self.seek(vni, mac) {
                *sought = found;
            }
        }
        black_box(sought.iter().zip(keys).fold(0, |touched, (sought, _)| touched | sought.home.touch()));
        let mut open = 0u32;
        for (sought, answer) in sought.iter().zip(&mut *answers) {
            let peek = sought.home.peek(sought.key);
            open <<= 1;
            if peek.all {
                *answer = Lookup::Unknown;
                continue;
            }
            let (remote, wrong) = self.remote_if(now, &peek, sought.generation);
            *answer = Lookup::Found(Destination::Remote(remote));
            open |= u32::from(wrong != 0);
        }
        open = open.reverse_bits().wrapping_shr(BATCH.wrapping_sub(answers.len()) as u32);
        if open != 0 {
            self.look_away(now, epoch, keys, &sought, open, answers);
        }
        if !self.is_epoch(epoch) {
            for (&(vni, mac), answer) in keys.iter().zip(answers) {
                *answer = self.look_closely(now, vni, mac);
            }
        }
    }

    /// Those lookups of a batch that go on in their second buckets, or in the long way.
    #[inline(never)]
    fn look_away(
        &self,
        now: Now,
        epoch: u32,
        keys: &[(Vni, MacAddr)],
        sought: &[Sought<'t>; BATCH],
        open: u32,
        answers: &mut [Lookup],
    ) {
        let mut away = [Home::empty(); BATCH];
        for (sought, away) in Bits(open).filter_map(|at| sought.get(at)).zip(&mut away) {
            *away = self.map.away(sought.key).unwrap_or(*away);
        }
        black_box(away.iter().zip(Bits(open)).fold(0, |touched, (away, _)| touched | away.touch()));
        for (at, away) in Bits(open).zip(away) {
            let (Some(sought), Some(answer)) = (sought.get(at), answers.get_mut(at)) else { continue };
            let (remote, wrong) = self.remote_if(now, &away.peek(sought.key), sought.generation);
            if wrong == 0 {
                *answer = Lookup::Found(Destination::Remote(remote));
            } else if let Some(&(vni, mac)) = keys.get(at) {
                *answer = self.look_on(now, vni, mac, sought, epoch);
            }
        }
    }

    /// Where to look for `mac`, if its VNI is in front.
    #[inline(always)]
    fn seek(&self, vni: Vni, mac: MacAddr) -> Option<Sought<'t>> {
        let (number, generation) = self.vnis.glance(vni)?;
        let key = key(number, mac);
        Some(Sought { home: self.map.home(key)?, key, generation })
    }

    /// The remote that an entry names, and zero if that is the answer.
    #[inline(always)]
    fn remote_if(&self, now: Now, peek: &Peek, generation: u32) -> (RemoteId, u32) {
        let Content { value, tag, stamp } = peek.content;
        let flushed = (u32::from(tag) ^ generation) & 0u32.wrapping_sub(value & 1);
        let (remote, gone) = self.remotes.peek(Handle(value));
        (remote, peek.differs | flushed | gone | u32::from(!now.is_young(stamp)))
    }

    /// Whether `mac` was learned from this remote in this tick: the short way of learning. Whether the remote is configured
    /// was asked when it was learned.
    #[inline(always)]
    pub(super) fn is_fresh(&self, now: Now, vni: Vni, mac: MacAddr, remote: RemoteId) -> bool {
        let epoch = self.meta.epoch().load(Acquire);
        let Some(sought) = self.seek(vni, mac) else { return false };
        let Some(content) = self.seen(&sought) else { return false };
        u32::from(content.tag) == sought.generation
            && content.stamp == now.stamp()
            && !now.is_overdue()
            && self.remotes.learned_handle(remote) == Some(Handle(content.value))
            && self.is_epoch(epoch)
    }

    /// The remote behind which `mac` is, if there is nothing to learn from a frame that comes from there: it was learned
    /// in this tick, or somebody said so for good.
    #[inline(always)]
    pub(crate) fn settled(&self, now: Instant, vni: Vni, mac: MacAddr) -> Option<RemoteId> {
        let now = self.clock.at(now, self.meta.fdb_ages());
        let epoch = self.meta.epoch().load(Acquire);
        let sought = self.seek(vni, mac)?;
        let content = self.seen(&sought)?;
        let handle = Handle(content.value);
        let settled = if handle.is_learned() {
            u32::from(content.tag) == sought.generation && content.stamp == now.stamp() && !now.is_overdue()
        } else {
            content.stamp == ETERNAL
        };
        self.remotes.resolve(handle).filter(|_| settled && self.is_epoch(epoch))
    }

    /// What is in the buckets of a key, if one look at each tells.
    #[inline(always)]
    fn seen(&self, sought: &Sought<'t>) -> Option<Content> {
        match sought.home.look(sought.key) {
            Look::Here(content) => Some(content),
            Look::NotHere(_) => match self.map.away(sought.key)?.look(sought.key) {
                Look::Here(content) => Some(content),
                _ => None,
            },
            Look::Unsure => None,
        }
    }

    /// What is to be said of a key, if its first bucket does not name the remote of a young entry.
    #[inline(never)]
    fn look_on(&self, now: Now, vni: Vni, mac: MacAddr, sought: &Sought<'t>, epoch: u32) -> Lookup {
        let found = match sought.home.look(sought.key) {
            _ if sought.generation == NOT_IN_FRONT => return self.look_closely(now, vni, mac),
            Look::Here(content) => Some(content),
            Look::NotHere(control) if sought.home.is_all(control) => None,
            Look::NotHere(control) => {
                match self.map.away(sought.key).map(|away| (away, away.look(sought.key))) {
                    Some((_, Look::Here(content))) => Some(content),
                    Some((away, Look::NotHere(second)))
                        if sought.home.is_unchanged(control) && away.is_unchanged(second) =>
                    {
                        None
                    }
                    _ => return self.look_closely(now, vni, mac),
                }
            }
            Look::Unsure => return self.look_closely(now, vni, mac),
        };
        let answer = match found {
            None => Lookup::Unknown,
            Some(found) => {
                let handle = Handle(found.value);
                let current = u32::from(found.tag) == sought.generation || !handle.is_learned();
                if found.value == 0 || !current {
                    return self.look_closely(now, vni, mac);
                }
                self.answer(now, found)
            }
        };
        if self.is_epoch(epoch) { answer } else { self.look_closely(now, vni, mac) }
    }

    /// What an entry says, if it still says something.
    #[inline]
    fn answer(&self, now: Now, found: Content) -> Lookup {
        match self.destination(Handle(found.value)) {
            Some(destination) if !now.expired(found.stamp) => Lookup::Found(destination),
            _ => Lookup::Unknown,
        }
    }

    /// Whether nothing that the tables can be asked for was removed since the epoch was looked at: what was found as
    /// that of a VNI was of that VNI.
    #[inline(always)]
    fn is_epoch(&self, epoch: u32) -> bool {
        fence(Acquire);
        self.meta.epoch().load(Relaxed) == epoch
    }

    /// The long way.
    #[inline(never)]
    fn look_closely(&self, now: Now, vni: Vni, mac: MacAddr) -> Lookup {
        let domain = match self.vnis.find(vni) {
            Ok(Some(domain)) => domain,
            Ok(None) => return Lookup::Unknown,
            Err(Busy) => return Lookup::Busy,
        };
        match self.map.find_anywhere(key(domain.number, mac), current(domain)) {
            Ok(Some(found)) => {
                let answer = self.answer(now, found);
                // The number that was looked up was this VNI's all the time.
                if domain.is(vni) { answer } else { Lookup::Unknown }
            }
            Ok(None) => Lookup::Unknown,
            Err(Busy) => Lookup::Busy,
        }
    }

    /// What a value says, if what it names is still there.
    #[inline]
    pub(crate) fn destination(&self, handle: Handle) -> Option<Destination> {
        match self.remotes.resolve(handle) {
            Some(remote) => Some(Destination::Remote(remote)),
            None => self.other_destination(handle),
        }
    }

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

/// A key on its way.
#[derive(Clone, Copy, Debug)]
struct Sought<'t> {
    home: Home<'t>,
    key: Key,
    /// What is learned of the VNI, by the front.
    generation: u32,
}

/// Whether what was learned was learned since the VNI's last flush.
#[inline]
pub(super) fn current(domain: Domain<'_>) -> impl Fn(u32, u8) -> bool {
    move |value, tag| !Handle(value).is_learned() || u32::from(tag) == domain.learned().read().0
}

#[inline]
pub(super) const fn key(domain: u16, mac: MacAddr) -> Key {
    let [a, b, c, d, e, f] = mac.0;
    Key(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]) << 16 | domain as u64)
}

/// What a key was made of.
pub(super) const fn parts(key: Key) -> (u16, MacAddr) {
    let [low, high, a, b, c, d, e, f] = key.0.to_le_bytes();
    (u16::from_le_bytes([low, high]), MacAddr([a, b, c, d, e, f]))
}

/// The numbers of the bits that are set.
#[derive(Clone, Copy)]
struct Bits(u32);

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let bits = self.0;
        self.0 = bits & bits.wrapping_sub(1);
        (bits != 0).then_some(bits.trailing_zeros() as usize)
    }
}

/// No generation: that of a VNI that is not in front.
const NOT_IN_FRONT: u32 = u32::MAX;

/// Lookups that wait for memory together.
const BATCH: usize = 32;
