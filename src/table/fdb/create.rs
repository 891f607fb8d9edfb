//! New entries: room for them, and their places.

use core::sync::atomic::Ordering::Relaxed;

use super::{
    super::{
        Destination, Error, MacKind, RemoteId, Resource,
        bucket::{Busy, Content, Dead, Key, Slot},
        clock::{Clock, Now},
        handle::Handle,
        list::OWNED,
        room,
        vni::Domain,
    },
    Fdb,
    account::Limit,
    entry::NewEntry,
    evict::Newcomer,
    key,
    operations::kind,
};
use crate::wire::{MacAddr, Vni};

impl<'t> Fdb<'t> {
    /// Adds an entry that is not there, and its VNI where the tables do not know that. Its room comes first, be it at
    /// the cost of a learned one: a list that was made for what is refused would keep its line until all workers are
    /// quiescent.
    pub(super) fn create(&self, vni: Vni, mac: MacAddr, new: &NewEntry) -> Result<(), Error> {
        let Some(domain) = self.vnis.find(vni)? else { return self.create_first(vni, mac, new) };
        let key = key(domain.number, mac);
        self.take_with_help(self.now(new), key, || self.take_configured(&domain, &mut 0))
            .map_err(|limit| self.refused(&domain, limit))?;
        let created = self.destination_of(mac, new).and_then(|value| {
            self.put_new(vni, &domain, mac, new, value).inspect_err(|_| self.free_list(new, value))
        });
        created.inspect_err(|_| self.give_configured(&domain))
    }

    /// The same for the first entry of a VNI. Its room in the table and its list come first: what is refused adds no
    /// VNI.
    fn create_first(&self, vni: Vni, mac: MacAddr, new: &NewEntry) -> Result<(), Error> {
        if self.limits.vni == 0 {
            return Err(Error::Full { what: Resource::EntriesOfVni, limit: 0 });
        }
        let room = self.room_for_configured();
        let count = || if room.count(1) { Ok(()) } else { Err(Limit::Table) };
        self.take_with_help(self.now(new), key(0, mac), count).map_err(|_| self.full())?;
        let put = |value| {
            let domain = self.vnis.find_or_add(vni)?;
            self.take_configured(&domain, &mut 1).map_err(|limit| self.refused(&domain, limit))?;
            self.put_new(vni, &domain, mac, new, value).inspect_err(|_| {
                room::uncount(domain.configured());
            })
        };
        let value = self.destination_of(mac, new);
        let created = value.and_then(|value| put(value).inspect_err(|_| self.free_list(new, value)));
        created.inspect_err(|_| room.give_back(1))
    }

    /// Takes room; where there is none, what died and was not removed yet goes first, and then what was learned, of who
    /// has most of that.
    fn take_with_help(&self, now: Now, key: Key, take: impl Fn() -> Result<(), Limit>) -> Result<(), Limit> {
        let mut taken = take();
        let give_way = || self.give_way(now, key, Newcomer::Configured).is_some();
        for _ in 0..HELP_TRIES {
            if taken.is_ok() || !(self.help(now) || taken == Err(Limit::Table) && give_way()) {
                break;
            }
            taken = take();
        }
        taken
    }

    fn refused(&self, domain: &Domain<'_>, limit: Limit) -> Error {
        match limit {
            Limit::Vni => Error::Full { what: Resource::EntriesOfVni, limit: self.vni_limit(domain) },
            _ => self.full(),
        }
    }

    const fn full(&self) -> Error {
        Error::Full { what: Resource::Entries, limit: self.limits.entries }
    }

    /// Puts an entry for which room was taken.
    fn put_new(
        &self,
        vni: Vni,
        domain: &Domain<'t>,
        mac: MacAddr,
        new: &NewEntry,
        value: Handle,
    ) -> Result<(), Error> {
        let now = self.now(new);
        let content = Content { value: value.0, tag: new.tag(), stamp: self.stamp(now, new.state) };
        match self.put(now, vni, &Slot { key: key(domain.number, mac), content, cold: new.cold() }) {
            Ok(Put::New) => Ok(()),
            Ok(Put::There) => Err(Error::Exists),
            Ok(Put::Full) => Err(self.full()),
            // The VNI or the destination was removed meanwhile.
            Ok(Put::Dead) | Err(Busy) => Err(Error::Busy),
        }
    }

    /// Frees the list that was made for an entry which did not come.
    fn free_list(&self, new: &NewEntry, value: Handle) {
        if value != new.destination.handle() {
            self.lists().free_owned(value);
        }
    }

    /// The value of a new entry: its destination, or a list that starts with it.
    fn destination_of(&self, mac: MacAddr, new: &NewEntry) -> Result<Handle, Error> {
        match new.destination {
            Destination::Remote(remote) if kind(mac) != MacKind::Unicast => {
                self.new_list(self.now(new), remote)
            }
            destination => Ok(destination.handle()),
        }
    }

    /// A list of one; where there is no room, those of entries that died and were not removed yet go first.
    fn new_list(&self, now: Now, remote: RemoteId) -> Result<Handle, Error> {
        let mut made = self.lists().create(OWNED, &[remote]);
        for _ in 0..HELP_TRIES {
            if !matches!(made, Err(Error::Full { .. })) || !self.help(now) {
                break;
            }
            made = self.lists().create(OWNED, &[remote]);
        }
        match made {
            // There may be more of them where nobody has looked yet.
            Err(Error::Full { .. }) if self.meta.dead_buckets().load(Relaxed) > 0 => Err(Error::SweepPending),
            made => made,
        }
    }

    /// Puts an entry into its place, between those that live.
    pub(super) fn put(&self, now: Now, vni: Vni, slot: &Slot) -> Result<Put, Busy> {
        for _ in 0..PUT_TRIES {
            let mut locked = self.map.lock_to_add(slot.key)?;
            locked.fence();
            if let Some((place, there)) = locked.find(slot.key) {
                if !self.is_dead(now, &there) {
                    return Ok(Put::There);
                }
                self.remove_from(&mut locked, place, &there);
            }
            // Asked under the lock, past which no sweep gets: so nobody else is given the numbers in this entry before
            // it is there.
            if !self.domain_of(slot.key).is_some_and(|domain| domain.is(vni)) || self.is_dead(now, slot) {
                return Ok(Put::Dead);
            }
            match self.begin_use(Handle(slot.content.value)) {
                Ok(()) => {}
                Err(Error::Busy) => return Err(Busy),
                Err(_) => return Ok(Put::Dead),
            }
            if locked.insert(slot).is_some() || (self.bury(now, &mut locked) && locked.insert(slot).is_some())
            {
                return Ok(Put::New);
            }
            drop(locked);
            let known = Clock::known(now, self.meta.fdb_ages(), self.meta.fdb_began());
            let is_dead = |slot: &Slot| {
                let dead = self.is_dead(known, slot);
                if !dead {
                    self.note_use(slot);
                }
                dead
            };
            let settle = |slot: &Slot| {
                self.note_untold(known, slot);
                self.settle(slot);
            };
            let dead = Dead { is: &is_dead, settle: &settle };
            if !self.map.relocate(slot.key, self.meta.relocations(), &dead)? {
                return Ok(Put::Full);
            }
        }
        Err(Busy)
    }
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Put {
    New,
    There,
    Full,
    Dead,
}

/// How often dead entries are looked for, where all that are found may be of other VNIs.
const HELP_TRIES: usize = 16;

/// How often room is made for an entry before somebody else takes it.
const PUT_TRIES: usize = 4;
