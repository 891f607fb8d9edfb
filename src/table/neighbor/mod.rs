//! Neighbours: who has this IP address (RFC 826; RFC 4861, section 5.1).
//!
//! (VNI, IP address) names a MAC address and what is known of it. A lookup reads the word of the VNI, a bucket
//! and a record; it writes nothing and waits for nobody.

mod ahead;
mod dump;
mod entry;
mod learn;
mod operations;
mod snoop;
mod state;

use core::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::Ordering::{Acquire, Relaxed},
};

pub(crate) use self::ahead::{Hint, Question};
pub(crate) use self::entry::RECORD_WORDS;
use self::entry::Record;
pub use self::{
    dump::{NeighborCursor, NeighborDump, NeighborsFlushed},
    entry::{Neighbor, NewNeighbor},
    learn::{NeighborLearned, NeighborRefusal},
    state::NeighborState,
};
use super::{
    Error, Snooping,
    address::to_words,
    bucket::{Busy, Key},
    clock::{Clock, ETERNAL, Now},
    hash::Seed,
    line::fence,
    meta::Meta,
    store::{Store, Stored},
    vni::Vnis,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

/// The neighbour table of [`Tables`](super::Tables).
///
/// What is reachable counts as stale when it was not confirmed for
/// [`Settings::reachable`](super::Settings::reachable), and what ages is not found any more when it was not
/// confirmed for [`Settings::neighbor_ageing`](super::Settings::neighbor_ageing), swept or not.
///
/// ```
/// use encap::{table::{Capacity, Line, Tables}, time::Instant, wire::{MacAddr, Vni}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// const CAPACITY: Capacity = Capacity { neighbors: 64, vnis: 4, ..Capacity::NONE };
/// static LINES: [Line; CAPACITY.lines()] = [const { Line::new() }; CAPACITY.lines()];
/// let tables = Tables::new(&LINES, CAPACITY, [0x5eed, 0xbeef])?;
/// let neighbors = tables.neighbors();
/// let vni = Vni::new(42).ok_or("a VNI has 24 bits")?;
/// neighbors.add(vni, "10.1.0.2".parse()?, MacAddr([2, 0, 0, 0, 1, 2]))?;
///
/// let neighbor = neighbors.get(Instant::ZERO, vni, "10.1.0.2".parse()?)?;
/// assert_eq!(neighbor.to_string(), "10.1.0.2 lladdr 02:00:00:00:01:02 PERMANENT");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Neighbors<'t> {
    pub(crate) store: Store<'t, RECORD_WORDS>,
    pub(crate) vnis: Vnis<'t>,
    pub(crate) meta: Meta<'t>,
    pub(crate) clock: Clock,
    /// Age at which what is reachable is stale.
    pub(crate) reachable: u16,
    pub(crate) snooping: Snooping,
    pub(crate) seed: Seed,
}

impl Neighbors<'_> {
    /// Who has `address`; for packets.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where neighbours kept changing in its place; to be treated as unknown.
    #[inline]
    pub fn lookup(&self, now: Instant, vni: Vni, address: IpAddr) -> Result<Option<Neighbor>, Error> {
        let now = self.now(now);
        let epoch = self.meta.epoch().load(Acquire);
        let Some((number, _)) = self.vnis.glance(vni) else { return self.lookup_closely(now, vni, address) };
        let stored = self.find(number, address)?;
        fence(Acquire);
        if self.meta.epoch().load(Relaxed) != epoch {
            return self.lookup_closely(now, vni, address);
        }
        Ok(stored.and_then(|stored| self.live(now, vni, stored)))
    }

    /// MAC address and state of who has `address`: as much of [`lookup`](Self::lookup) as an answer needs.
    #[inline(always)]
    pub(crate) fn answer(
        &self,
        now: Instant,
        vni: Vni,
        address: Ipv4Addr,
    ) -> Option<(MacAddr, NeighborState)> {
        if let Some((stored, now)) = self.glance(now, vni, address) {
            let record = Record::from_words(stored.words);
            let alive = !has_expired(now, &record, stored.stamp);
            return alive.then(|| (record.mac, self.state(now, &record, stored.stamp)));
        }
        self.answer_closely(now, vni, address)
    }

    #[inline(never)]
    fn answer_closely(&self, now: Instant, vni: Vni, address: Ipv4Addr) -> Option<(MacAddr, NeighborState)> {
        let neighbor = self.lookup(now, vni, address.into()).ok().flatten()?;
        Some((neighbor.mac, neighbor.state))
    }

    /// The record of `address`, where one look at its first bucket finds it.
    #[inline(always)]
    fn glance(&self, now: Instant, vni: Vni, address: Ipv4Addr) -> Option<(Stored<RECORD_WORDS>, Now)> {
        let now = self.now(now);
        let epoch = self.meta.epoch().load(Acquire);
        let (number, _) = self.vnis.glance(vni)?;
        let stored = self.store.glance(self.key(number, address.into()))?;
        fence(Acquire);
        let unchanged = self.meta.epoch().load(Relaxed) == epoch;
        (unchanged && Record::is(&stored.words, number, address.into())).then_some((stored, now))
    }

    /// [`lookup`](Self::lookup) for a VNI that is not in front, or while something is removed.
    #[inline(never)]
    fn lookup_closely(&self, now: Now, vni: Vni, address: IpAddr) -> Result<Option<Neighbor>, Error> {
        let Some(domain) = self.vnis.find(vni)? else { return Ok(None) };
        let stored = self.find(domain.number, address)?;
        // The number that was looked up was this VNI's all the time.
        Ok(stored.filter(|_| domain.is(vni)).and_then(|stored| self.live(now, vni, stored)))
    }

    /// Neighbours that take room: those of all VNIs, and what expired but was not swept yet.
    pub fn count(&self) -> usize {
        self.store.count()
    }

    #[inline]
    fn now(&self, now: Instant) -> Now {
        self.clock.at(now, self.meta.neighbor_ages())
    }

    /// The present, from which on there are stamps.
    fn start(&self, now: Instant) -> Now {
        self.clock.start(now, self.meta.neighbor_ages());
        self.now(now)
    }

    #[inline]
    fn find(&self, domain: u16, address: IpAddr) -> Result<Option<Stored<RECORD_WORDS>>, Busy> {
        self.store.find(self.key(domain, address), |words| Record::is(words, domain, address))
    }

    #[inline]
    fn key(&self, domain: u16, address: IpAddr) -> Key {
        let ([a, b, c, d], v6) = to_words(address);
        let domain = u32::from(domain);
        Key(if v6 {
            self.seed.fingerprint(&[domain | 1 << 16, a, b, c, d])
        } else {
            self.seed.fingerprint(&[domain, a])
        })
    }

    /// The neighbour of a record, unless it has expired.
    #[inline]
    fn live(&self, now: Now, vni: Vni, stored: Stored<RECORD_WORDS>) -> Option<Neighbor> {
        let record = Record::from_words(stored.words);
        (!has_expired(now, &record, stored.stamp)).then(|| self.show(now, vni, record, stored.stamp))
    }

    /// The neighbour of a record, expired or not.
    #[inline]
    fn show(&self, now: Now, vni: Vni, record: Record, stamp: u16) -> Neighbor {
        // While a neighbour begins to age it may still have the stamp of one that does not.
        let age = || if stamp == ETERNAL { 0 } else { now.age(stamp) };
        Neighbor {
            vni,
            address: record.address,
            mac: record.mac,
            state: self.state(now, &record, stamp),
            router: record.router,
            age: record.state.ages().then(|| self.clock.duration(age())),
        }
    }

    /// The state now: what was reachable too long ago is stale.
    #[inline]
    fn state(&self, now: Now, record: &Record, stamp: u16) -> NeighborState {
        match record.state {
            NeighborState::Reachable if now.expired_after(stamp, self.reachable) => NeighborState::Stale,
            state => state,
        }
    }

    /// The VNI of a record, unless it was removed.
    fn vni_of(&self, record: &Record) -> Option<Vni> {
        self.vnis.domain(record.domain)?.vni()
    }

    /// Whether no lookup finds this record any more.
    fn is_dead(&self, now: Now, stored: &Stored<RECORD_WORDS>) -> bool {
        let record = Record::from_words(stored.words);
        has_expired(now, &record, stored.stamp) || self.vni_of(&record).is_none()
    }
}

#[inline]
fn has_expired(now: Now, record: &Record, stamp: u16) -> bool {
    record.state.ages() && now.expired(stamp)
}
