//! New entries: room for them, and their places.

use super::{
    super::{
        Destination, Error, MacKind, Resource,
        bucket::{Busy, Content, Dead, Slot},
        clock::{Clock, Now},
        handle::Handle,
        list::OWNED,
        vni::Domain,
    },
    Fdb,
    account::Limit,
    entry::NewEntry,
    key,
    operations::kind,
};
use crate::wire::{MacAddr, Vni};

impl<'t> Fdb<'t> {
    pub(super) fn create(
        &self,
        vni: Vni,
        domain: &Domain<'t>,
        mac: MacAddr,
        new: &NewEntry,
    ) -> Result<(), Error> {
        let now = self.now(new);
        let full = |limit| match limit {
            Limit::Vni => Error::Full { what: Resource::EntriesOfVni, limit: self.vni_limit(domain) },
            _ => Error::Full { what: Resource::Entries, limit: self.limits.entries },
        };
        let mut taken = self.take_configured(domain, &mut 0);
        for _ in 0..HELP_TRIES {
            if taken.is_ok() || !self.help(now) {
                break;
            }
            taken = self.take_configured(domain, &mut 0);
        }
        taken.map_err(full)?;
        let created = self.destination_of(mac, new).and_then(|value| {
            let content = Content { value: value.0, tag: new.tag(), stamp: self.stamp(now, new.state) };
            let slot = Slot { key: key(domain.number, mac), content, cold: new.cold() };
            let put = match self.put(now, vni, &slot) {
                Ok(Put::New) => return Ok(()),
                Ok(Put::There) => Error::Exists,
                Ok(Put::Full) => full(Limit::Table),
                // The VNI or the destination was removed meanwhile.
                Ok(Put::Dead) | Err(Busy) => Error::Busy,
            };
            if value != new.destination.handle() {
                self.lists().free_owned(value);
            }
            Err(put)
        });
        if created.is_err() {
            self.give_configured(domain);
        }
        created
    }

    /// The value of a new entry: its destination, or a list that starts with it.
    fn destination_of(&self, mac: MacAddr, new: &NewEntry) -> Result<Handle, Error> {
        match new.destination {
            Destination::Remote(remote) if kind(mac) != MacKind::Unicast => {
                self.lists().create(OWNED, &[remote])
            }
            destination => Ok(destination.handle()),
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
            // Under the lock, which no sweep passes by: numbers that are used again are not those of this entry.
            if !self.domain_of(slot.key).is_some_and(|domain| domain.is(vni)) || self.is_dead(now, slot) {
                return Ok(Put::Dead);
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
            let dead = Dead { is: &is_dead, settle: &|slot| self.settle(slot) };
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
