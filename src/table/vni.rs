//! The VNIs that the tables know, and a small number for each: its domain.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

use super::{
    Error, Resource,
    bucket::{Added, Busy, Cold, Content, Key, Map, Slot},
    census::{Census, LAST},
    generation::Window,
    line::{AtomicU32, Line},
    meta::Meta,
    room,
    worker::Workers,
};
use crate::wire::Vni;

/// Lines of the front for so many VNIs: two places for each, and no fewer than 256, since a place does not say the
/// lowest eight bits of its VNI.
pub(crate) const fn front(vnis: usize) -> usize {
    let places = vnis.saturating_mul(2).next_power_of_two();
    if places < 256 { 256 / PLACES } else { places / PLACES }
}

/// VNI to domain, and a line of numbers for each domain.
///
/// The front has a place for each value of a VNI's low bits: a word with the rest of the VNI in its upper half and
/// the domain in its lower one, and a word with the generation of what is learned, for a first look: where an entry
/// says another one, the domain's line is asked. Of several VNIs with the same low bits the first is there; the map
/// knows all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vnis<'t> {
    pub(crate) map: Map<'t>,
    pub(crate) front: &'t [Line],
    pub(crate) lines: &'t [Line],
    pub(crate) meta: Meta<'t>,
    pub(crate) workers: Workers<'t>,
}

/// A VNI that the tables know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Domain<'t> {
    /// Counted from 1; part of the key of every entry of the VNI.
    pub(crate) number: u16,
    line: &'t Line,
}

impl<'t> Vnis<'t> {
    #[inline]
    fn place(&self, vni: Vni) -> Option<Front<'t>> {
        let vni = vni.value() as usize;
        let line = self.front.get((vni / PLACES) & self.front.len().wrapping_sub(1))?;
        let word = vni % PLACES * 2;
        Some(Front { name: line.word(word), generation: line.word(word | 1) })
    }

    /// Number and generation, four times over, of `vni` if it is in front. Whoever uses them sees by [`Meta::epoch`]
    /// whether the VNI was removed meanwhile; the generation is only right where an entry says the same.
    #[inline]
    pub(crate) fn glance(&self, vni: Vni) -> Option<(u16, u32)> {
        let place = self.place(vni)?;
        // Of another VNI's word more than 16 bits are left here, and of the word of a free place maybe 0: neither is a
        // number.
        let number = place.name.load(Acquire) ^ vni.value() >> 8 << 16;
        let generation = place.generation.load(Acquire);
        if number.wrapping_sub(1) < 0xffff { Some((number as u16, generation)) } else { None }
    }

    #[inline]
    pub(crate) fn domain(&self, number: u16) -> Option<Domain<'t>> {
        Some(Domain { number, line: self.lines.get(usize::from(number).wrapping_sub(1))? })
    }

    pub(crate) fn find(&self, vni: Vni) -> Result<Option<Domain<'t>>, Busy> {
        self.in_front(vni).map_or_else(|| self.find_in_map(vni), |domain| Ok(Some(domain)))
    }

    /// The domain of `vni` if that is in front, as most are; otherwise the map knows.
    #[inline]
    pub(crate) fn in_front(&self, vni: Vni) -> Option<Domain<'t>> {
        let (number, _) = self.glance(vni)?;
        self.domain(number).filter(|domain| domain.is(vni))
    }

    #[cold]
    pub(crate) fn find_in_map(&self, vni: Vni) -> Result<Option<Domain<'t>>, Busy> {
        let number = self.map.find(key(vni), |_, _| true)?.map_or(0, |found| found.value as u16);
        Ok(self.domain(number).filter(|domain| domain.is(vni)))
    }

    /// The domain of `vni`, a new one if it has none.
    pub(crate) fn find_or_add(&self, vni: Vni) -> Result<Domain<'t>, Error> {
        if let Some(domain) = self.find(vni)? {
            return Ok(domain);
        }
        let domain = self.claim(vni)?;
        let value = u32::from(domain.number);
        let content = Content { value, tag: 0, stamp: 0 };
        let added =
            self.map.add(&Slot { key: key(vni), content, cold: Cold::default() }, self.meta.relocations());
        match added {
            Ok(Added::New) => {}
            Ok(Added::There(_)) => {
                // Somebody else was faster.
                self.give_back(&domain);
                return self.find(vni)?.ok_or(Error::Busy);
            }
            Ok(Added::Full) | Err(Busy) => {
                self.give_back(&domain);
                return Err(if added.is_err() { Error::Busy } else { self.full() });
            }
        }
        self.put_in_front(vni, &domain);
        Ok(domain)
    }

    /// Gives back the line of a VNI that could not be added. Whoever knows its number from before may have put
    /// something there, so nobody gets it before a sweep.
    fn give_back(&self, domain: &Domain<'_>) {
        domain.line.word(NAME).store(CLAIMED, Release);
        self.retire(domain);
        self.meta.note_deaths();
    }

    /// Has a line wait for sweeps and workers.
    fn retire(&self, domain: &Domain<'_>) {
        self.workers.note_freed(domain.line.word(EPOCH), domain.line.word(WINDOW_PASSES));
        domain.line.word(WINDOW_MARKS).store(0, Relaxed);
        domain.line.word(NAME).store(REMOVED, Release);
        room::uncount(self.meta.vnis());
    }

    /// Where another VNI is in front, or somebody is at work on this one, the map is asked from now on.
    fn put_in_front(&self, vni: Vni, domain: &Domain<'t>) {
        let (Some(place), true) = (self.place(vni), domain.lock()) else { return };
        let name = vni.value() >> 8 << 16 | u32::from(domain.number);
        // Not one that was removed meanwhile: nobody would take it away.
        if domain.is(vni) && place.name.compare_exchange(0, name, AcqRel, Relaxed).is_ok() {
            place.generation.store(four_times(domain.learned().read().0), Release);
        }
        domain.unlock();
    }

    /// Under the domain's lock: its place in front, if it has that.
    fn place_of(&self, vni: Vni, domain: &Domain<'t>) -> Option<Front<'t>> {
        let name = vni.value() >> 8 << 16 | u32::from(domain.number);
        self.place(vni).filter(|place| place.name.load(Relaxed) == name)
    }

    const fn full(&self) -> Error {
        Error::Full { what: Resource::Vnis, limit: self.lines.len() as u32 }
    }

    /// A line that no entry names: never used, or swept since its VNI was removed.
    fn claim(&self, vni: Vni) -> Result<Domain<'t>, Error> {
        let limit = self.lines.len();
        let start = self.meta.vnis().load(Relaxed) as usize;
        if !room::count_below(self.meta.vnis(), limit as u32) {
            return Err(self.full());
        }
        let mut refused = Error::SweepPending;
        for at in 0..limit {
            let index = start.wrapping_add(at) % limit;
            let Some(line) = self.lines.get(index) else { break };
            let name = line.word(NAME).load(Acquire);
            if name != 0 && name != REMOVED {
                continue;
            }
            if let Err(pending) = self.check_forgotten(line) {
                refused = pending.or_before(refused);
                continue;
            }
            if line.word(NAME).compare_exchange(name, CLAIMED, AcqRel, Relaxed).is_err() {
                continue;
            }
            // Another VNI may have come and gone since the name was read: its entries are still in their buckets.
            if let Err(pending) = self.check_forgotten(line) {
                line.word(NAME).store(REMOVED, Release);
                refused = pending.or_before(refused);
                continue;
            }
            let (generation, _) = Census(line.word(LEARNED)).read();
            Census(line.word(LEARNED)).begin(generation.max(1));
            line.word(LIMIT).store(0, Relaxed);
            let domain = Domain { number: (index as u16).wrapping_add(1), line };
            domain.forget_vlan();
            domain.claims().fetch_add(1, Relaxed);
            line.word(NAME).store(vni.value() | LIVE, Release);
            return Ok(domain);
        }
        room::uncount(self.meta.vnis());
        Err(refused)
    }

    /// Whether no entry and no worker can name the domain of this line any more.
    fn check_forgotten(&self, line: &Line) -> Result<(), Error> {
        self.workers.check_freed(line.word(EPOCH), line.word(WINDOW_PASSES), true)
    }

    /// Forgets `vni` and with it, at once, all that is known of it.
    pub(crate) fn remove(&self, vni: Vni) -> Result<(), Error> {
        let domain = self.find(vni)?.ok_or(Error::NotFound)?;
        let mut locked = self.map.lock(key(vni))?;
        // Removed meanwhile and added again, it has another number: that one stays.
        let of_domain = |slot: &Slot| slot.content.value == u32::from(domain.number);
        let found = locked.find(key(vni)).filter(|(_, slot)| of_domain(slot));
        let (place, _) = found.ok_or(Error::NotFound)?;
        if !domain.lock() {
            return Err(Error::Busy);
        }
        if let Some(front) = self.place_of(vni, &domain) {
            // A place that nobody has says no generation.
            front.generation.store(0, Release);
            front.name.store(0, Release);
        }
        locked.remove(place);
        domain.line.word(NAME).store(CLAIMED, Release);
        domain.unlock();
        self.retire(&domain);
        self.meta.note_deaths();
        Ok(())
    }

    /// Forgets all that was learned in `vni`, at once; answers how much that was.
    pub(crate) fn flush_learned(&self, vni: Vni) -> Result<u32, Error> {
        let domain = self.find(vni)?.ok_or(Error::NotFound)?;
        if !domain.lock() {
            return Err(Error::Busy);
        }
        if !domain.is(vni) {
            domain.unlock();
            return Err(Error::NotFound);
        }
        let (marks, passes) = (domain.line.word(WINDOW_MARKS), domain.line.word(WINDOW_PASSES));
        let generation = domain.learned().read().0;
        let next = Window { marks, passes }.next(generation, LAST, self.meta.passes().load(Acquire));
        let flushed = next.map(|next| {
            let flushed = domain.learned().begin(next);
            if let Some(front) = self.place_of(vni, &domain) {
                front.generation.store(four_times(next), Release);
            }
            flushed
        });
        domain.unlock();
        flushed.ok_or(Error::SweepPending)
    }
}

impl<'t> Domain<'t> {
    #[inline]
    pub(crate) fn is(&self, vni: Vni) -> bool {
        self.line.word(NAME).load(Acquire) == vni.value() | LIVE
    }

    /// The same, asked under the lock of a bucket that an entry of the VNI goes into: of two, one who removed it and
    /// then looks for locks and one who has a lock and then looks here, one sees the other.
    #[inline]
    pub(crate) fn is_still(&self, vni: Vni) -> bool {
        self.line.word(NAME).load(SeqCst) == vni.value() | LIVE
    }

    /// The VNI, unless it was removed.
    pub(crate) fn vni(&self) -> Option<Vni> {
        let name = self.line.word(NAME).load(Acquire);
        (name & LIVE != 0).then_some(Vni::truncate(name))
    }

    /// The generation of what is learned now, and how much has been.
    #[inline]
    pub(crate) fn learned(&self) -> Census<'t> {
        Census(self.line.word(LEARNED))
    }

    /// Entries that were not learned.
    pub(crate) fn configured(&self) -> &'t AtomicU32 {
        self.line.word(CONFIGURED)
    }

    /// The most entries; 0 where there is no limit but the table's.
    pub(crate) fn limit(&self) -> &'t AtomicU32 {
        self.line.word(LIMIT)
    }

    /// The way to the VLAN that frames of the VNI are tagged with.
    #[inline]
    pub(crate) fn vlan(&self) -> &'t AtomicU32 {
        self.line.word(VLAN)
    }

    /// How many VNIs have had this number, or the same one again.
    #[inline]
    pub(crate) fn claims(&self) -> &'t AtomicU32 {
        self.line.word(CLAIMS)
    }

    /// Entries that were learned from remotes that are not configured.
    pub(crate) fn unconfigured(&self) -> &'t AtomicU32 {
        self.line.word(UNCONFIGURED)
    }

    /// Whoever gets it changes what is in front.
    fn lock(&self) -> bool {
        self.line.word(FRONT_LOCK).compare_exchange(0, 1, Acquire, Relaxed).is_ok()
    }

    fn unlock(&self) {
        self.line.word(FRONT_LOCK).store(0, Release);
    }
}

/// The place of a VNI in the front: a word each.
struct Front<'t> {
    /// The rest of the VNI, and the domain; 0 where there is none.
    name: &'t AtomicU32,
    /// Of what is learned, once for each slot of a bucket.
    generation: &'t AtomicU32,
}

const fn four_times(generation: u32) -> u32 {
    generation.wrapping_mul(0x0101_0101)
}

/// The key of a VNI in the map: its 24 bits, and one above them, so that none has the words of a slot that was never
/// used.
const fn key(vni: Vni) -> Key {
    Key(1 << 40 | vni.value() as u64)
}

// Words of a domain's line.
const NAME: usize = 0;
const LEARNED: usize = 1;
const CONFIGURED: usize = 2;
const LIMIT: usize = 3;
const UNCONFIGURED: usize = 4;
const WINDOW_MARKS: usize = 5;
const WINDOW_PASSES: usize = 6;
const EPOCH: usize = 7;
const FRONT_LOCK: usize = 8;
const VLAN: usize = 9;
const CLAIMS: usize = 10;

/// Places of a line of the front.
const PLACES: usize = Line::WORDS / 2;

// States of a name; a live one carries the VNI.
const LIVE: u32 = 1 << 24;
const REMOVED: u32 = 1 << 25;
const CLAIMED: u32 = 1 << 26;
