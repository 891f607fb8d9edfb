//! The VNIs that the tables know, and a small number for each: its domain.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::{
    Error, Resource,
    bucket::{Added, Busy, Cold, Content, Key, Map, Slot},
    census::{Census, LAST},
    generation::Window,
    line::{AtomicU32, Line, Words},
    meta::{self, Meta},
    worker::Workers,
};
use crate::wire::Vni;

/// Words of the front for so many VNIs: at least as many as the eight bits that it does not store can say.
pub(crate) const fn front(vnis: usize) -> usize {
    let words = vnis.saturating_mul(2).next_power_of_two();
    if words < 256 { 256 } else { words }
}

/// VNI to domain, and a line of numbers for each domain.
///
/// The front is a word for each value of a VNI's low bits: the rest of the VNI in its upper half, the domain in
/// its lower one. Of several VNIs with the same low bits the first is there; the map knows all.
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
    fn front(&self, vni: Vni) -> Option<&'t AtomicU32> {
        let words = self.front.len().wrapping_mul(Line::WORDS);
        Words(self.front).get(vni.value() as usize & words.wrapping_sub(1))
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
        // Of the word of another VNI more than 16 bits are left: too many for a number.
        let number = self.front(vni)?.load(Acquire) ^ vni.value() >> 8 << 16;
        let line = self.lines.get(number.wrapping_sub(1) as usize)?;
        Some(Domain { number: number as u16, line }).filter(|domain| domain.is(vni))
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
                domain.line.word(NAME).store(0, Release);
                meta::uncount(self.meta.vnis());
                return self.find(vni)?.ok_or(Error::Busy);
            }
            Ok(Added::Full) | Err(Busy) => {
                domain.line.word(NAME).store(0, Release);
                meta::uncount(self.meta.vnis());
                return Err(if added.is_err() { Error::Busy } else { self.full() });
            }
        }
        if let Some(front) = self.front(vni) {
            // Where another VNI is in front, the map is asked.
            let _ = front.compare_exchange(0, vni.value() >> 8 << 16 | value, AcqRel, Relaxed);
        }
        Ok(domain)
    }

    const fn full(&self) -> Error {
        Error::Full { what: Resource::Vnis, limit: self.lines.len() as u32 }
    }

    /// A line that no entry names: never used, or swept since its VNI was removed.
    fn claim(&self, vni: Vni) -> Result<Domain<'t>, Error> {
        let limit = self.lines.len();
        let start = self.meta.vnis().load(Relaxed) as usize;
        if !meta::count_below(self.meta.vnis(), limit as u32) {
            return Err(self.full());
        }
        for at in 0..limit {
            let index = start.wrapping_add(at) % limit;
            let Some(line) = self.lines.get(index) else { break };
            let name = line.word(NAME).load(Acquire);
            if name != 0 && (name != REMOVED || !self.forgotten(line)) {
                continue;
            }
            if line.word(NAME).compare_exchange(name, CLAIMED, AcqRel, Relaxed).is_err() {
                continue;
            }
            let (generation, _) = Census(line.word(LEARNED)).read();
            Census(line.word(LEARNED)).begin(generation.max(1));
            line.word(LIMIT).store(0, Relaxed);
            line.word(VLAN).store(0, Relaxed);
            line.word(NAME).store(vni.value() | LIVE, Release);
            return Ok(Domain { number: (index as u16).wrapping_add(1), line });
        }
        meta::uncount(self.meta.vnis());
        Err(Error::SweepPending)
    }

    /// Whether no entry and no worker can name the domain of this line any more.
    fn forgotten(&self, line: &Line) -> bool {
        let passes = self.meta.passes().load(Acquire).wrapping_sub(line.word(WINDOW_PASSES).load(Relaxed));
        passes >= 2 && self.workers.passed(line.word(EPOCH).load(Relaxed))
    }

    /// Forgets `vni` and with it, at once, all that is known of it.
    pub(crate) fn remove(&self, vni: Vni) -> Result<(), Error> {
        let domain = self.find(vni)?.ok_or(Error::NotFound)?;
        let mut locked = self.map.lock(key(vni))?;
        let (place, _) = locked.find(key(vni)).ok_or(Error::NotFound)?;
        if let Some(front) = self.front(vni) {
            let word = vni.value() >> 8 << 16 | u32::from(domain.number);
            let _ = front.compare_exchange(word, 0, AcqRel, Relaxed);
        }
        locked.remove(place);
        domain.line.word(NAME).store(CLAIMED, Release);
        domain.line.word(EPOCH).store(self.meta.next_epoch(), Relaxed);
        domain.line.word(WINDOW_PASSES).store(self.meta.passes().load(Acquire), Relaxed);
        domain.line.word(WINDOW_MARKS).store(0, Relaxed);
        domain.line.word(NAME).store(REMOVED, Release);
        meta::uncount(self.meta.vnis());
        self.meta.note_deaths();
        Ok(())
    }
}

impl<'t> Domain<'t> {
    #[inline]
    pub(crate) fn is(&self, vni: Vni) -> bool {
        self.line.word(NAME).load(Acquire) == vni.value() | LIVE
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

    /// One more than the VLAN that frames of the VNI are tagged with; 0 for none.
    #[inline]
    pub(crate) fn vlan(&self) -> &'t AtomicU32 {
        self.line.word(VLAN)
    }

    /// Entries that were learned from remotes that are not configured.
    pub(crate) fn unconfigured(&self) -> &'t AtomicU32 {
        self.line.word(UNCONFIGURED)
    }

    /// Forgets all that was learned, at once.
    pub(crate) fn flush_learned(&self, passes: u32) -> Result<u32, Error> {
        let lock = self.line.word(FLUSHING);
        if lock.compare_exchange(0, 1, Acquire, Relaxed).is_err() {
            return Err(Error::Busy);
        }
        let window = Window { marks: self.line.word(WINDOW_MARKS), passes: self.line.word(WINDOW_PASSES) };
        let next = window.next(self.learned().read().0, LAST, passes);
        let flushed = next.map(|next| self.learned().begin(next)).ok_or(Error::SweepPending);
        lock.store(0, Release);
        flushed
    }
}

/// Keys of this map are 24 bits wide; the rest is what no other use of the hash has.
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
const FLUSHING: usize = 8;
const VLAN: usize = 9;

// States of a name; a live one carries the VNI.
const LIVE: u32 = 1 << 24;
const REMOVED: u32 = 1 << 25;
const CLAIMED: u32 = 1 << 26;
