//! What people and control planes do to neighbours, by the names that `ip neigh` has for it.

use core::{net::IpAddr, sync::atomic::Ordering::Relaxed};

use super::{
    super::{
        Change, Error,
        clock::{Clock, ETERNAL, Now},
        store::{Step, Stored},
        vni::Domain,
    },
    Neighbor, Neighbors, NewNeighbor, RECORD_WORDS, Record, has_expired,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni, is_unicast},
};

impl<'t> Neighbors<'t> {
    /// Adds a neighbour; a VNI that the tables do not know yet is added too. A group's MAC address is taken, since a
    /// cluster of servers may have one; it is never learned.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`], also for one that has expired unless the new one says what time it is; [`Error::Full`], also
    /// where all the others were learned: none gives way;
    /// [`Error::NotUnicast`] for the address of a group or of nobody; [`Error::ZeroMac`] for the all-zero MAC in a
    /// state that has one; [`Error::SweepPending`] for one that ages in a table that was not swept in time;
    /// [`Error::SweepPending`] or [`Error::QuiescePending`] for any that needs a VNI where there is only room that a
    /// sweep, or a worker's quiescent point, has not freed yet; [`Error::Busy`].
    pub fn add(&self, vni: Vni, address: IpAddr, neighbor: impl Into<NewNeighbor>) -> Result<(), Error> {
        self.put(vni, address, neighbor.into(), false).map(|_| ())
    }

    /// Adds a neighbour, or says anew all that is said of it. Whoever looks it up meanwhile finds what was there
    /// or what is there.
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add) but [`Error::Exists`].
    pub fn replace(
        &self,
        vni: Vni,
        address: IpAddr,
        neighbor: impl Into<NewNeighbor>,
    ) -> Result<Change, Error> {
        self.put(vni, address, neighbor.into(), true)
    }

    /// Removes a neighbour; answers what it was.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also for one that has expired, which is gone then; [`Error::Busy`].
    pub fn delete(&self, now: Instant, vni: Vni, address: IpAddr) -> Result<Neighbor, Error> {
        let now = self.now(now);
        let domain = self.vnis.find(vni)?.ok_or(Error::NotFound)?;
        let deleted = self.change(now, &domain, vni, address, |old| {
            Ok((old.and_then(|old| self.live(now, vni, old)), Step::Remove))
        });
        deleted?.ok_or(Error::NotFound)
    }

    /// The neighbour that has `address`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Busy`].
    pub fn get(&self, now: Instant, vni: Vni, address: IpAddr) -> Result<Neighbor, Error> {
        self.lookup(now, vni, address)?.ok_or(Error::NotFound)
    }

    fn put(&self, vni: Vni, address: IpAddr, new: NewNeighbor, replace: bool) -> Result<Change, Error> {
        if !is_unicast(address) {
            return Err(Error::NotUnicast);
        }
        if new.state.is_valid() && new.mac == MacAddr::ZERO {
            return Err(Error::ZeroMac);
        }
        let now = new.now.map_or(Now::UNKNOWN, |now| self.start(now));
        // Its age could not be told: nobody would find it.
        if new.state.ages() && now.trusts_no_stamp() {
            return Err(Error::SweepPending);
        }
        let domain = match self.vnis.find(vni)? {
            Some(domain) => domain,
            // Nothing of this VNI can be there: a full table refuses before it adds the VNI.
            None if self.meta.neighbors().load(Relaxed) >= self.store.limit => return Err(self.store.full()),
            None => self.vnis.find_or_add(vni)?,
        };
        let NewNeighbor { mac, state, router, .. } = new;
        let words = Record { domain: domain.number, address, mac, state, router }.to_words();
        let new = Stored { words, stamp: if state.ages() { now.stamp() } else { ETERNAL } };
        self.change(now, &domain, vni, address, |old| {
            let live = old.filter(|old| !has_expired(now, &Record::from_words(old.words), old.stamp));
            match live {
                None => Ok((Change::Created, Step::Put(new))),
                Some(_) if !replace => Err(Error::Exists),
                Some(old) if old.words == new.words => Ok((Change::Unchanged, Step::Touch(new.stamp))),
                Some(_) => Ok((Change::Updated, Step::Put(new))),
            }
        })
    }

    /// Lets `decide` say what becomes of the record of `address`.
    pub(super) fn change<T>(
        &self,
        now: Now,
        domain: &Domain<'t>,
        vni: Vni,
        address: IpAddr,
        decide: impl Fn(Option<Stored<RECORD_WORDS>>) -> Result<(T, Step<RECORD_WORDS>), Error>,
    ) -> Result<T, Error> {
        let known = Clock::known(now, self.meta.neighbor_ages(), self.meta.neighbors_began());
        self.store.change(
            self.key(domain.number, address),
            |words| Record::is(words, domain.number, address),
            |stored| self.is_dead(known, stored),
            // Looked at under the lock: a sweep that finds nothing of a VNI that was removed comes later.
            |old| if domain.is(vni) { decide(old) } else { Err(Error::Busy) },
        )
    }
}
