//! What people and control planes do to the forwarding database, by the names that `bridge fdb` has for it.

use core::{hint::black_box, sync::atomic::Ordering::Relaxed};

use super::{
    super::{
        Destination, Error, HandleKind, ListId, MacKind, RemoteId,
        bucket::{Locked, Place, Slot},
        clock::{ETERNAL, Now},
        handle::Handle,
    },
    Fdb, State,
    entry::{Entry, NewEntry},
    key,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

/// What an operation did. This enum is complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// There is a new entry.
    Created,
    /// The entry was there and is another now, or has a destination more or less.
    Updated,
    /// Everything was as asked for.
    Unchanged,
    /// The entry is gone.
    Removed,
}

impl<'t> Fdb<'t> {
    /// Adds an entry; a VNI that the tables do not know yet is added too, unless the entry is refused: with
    /// [`Error::Busy`] it may be there. An all-zero or multicast MAC with a remote gets a replication list of its own,
    /// for [`append`](Self::append) to add to.
    ///
    /// In a full table a learned entry makes room: of those in 64 places, one of whoever has most. Which is not told,
    /// but [that it went](super::super::Tables::untold). It is gone also where the new one is refused after that, for
    /// want of room for its list, say.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`], whatever the destination of what is there, also for one that has expired unless the new one
    /// says what time it is ([`NewEntry::at`]); [`Error::Full`], of the table only where there is no learned entry in
    /// the 64 places, most of which are others at the next try; [`Error::Stale`] for a destination that was removed;
    /// [`Error::MacKind`] for a replication list as the destination of a unicast MAC; [`Error::DestinationKind`] for
    /// the list that another entry made for itself; [`Error::SweepPending`] for a dynamic entry in a table that was not
    /// swept in time; that and [`Error::QuiescePending`] for any that needs a VNI or a list where there is only room
    /// that sweeps, or a worker's quiescent point, have yet to free; [`Error::Busy`].
    pub fn add(&self, vni: Vni, mac: MacAddr, entry: impl Into<NewEntry>) -> Result<(), Error> {
        let new = entry.into();
        if let Some(aim) = self.aim(vni, &mac) {
            // The processor fetches that line together with the bucket's, which it would otherwise wait for first.
            black_box(self.touch_aim(&aim, new.writes_cold()));
            if self.enter(&aim, &new, &mut 0) {
                return Ok(());
            }
        }
        self.add_closely(vni, mac, &new)
    }

    /// The same, where something may be in the way.
    #[inline(never)]
    pub(super) fn add_closely(&self, vni: Vni, mac: MacAddr, new: &NewEntry) -> Result<(), Error> {
        self.check("add", mac, new)?;
        match self.there(vni, mac, new)? {
            Some(_) => Err(Error::Exists),
            None => self.create(vni, mac, new),
        }
    }

    /// Adds a remote to an all-zero or multicast entry, behind those that are there as long as there is room (see
    /// [`Lists::append`](super::super::Lists::append)); or adds the entry. What else is said about the entry is said
    /// anew. A remote that differs only in that it says the entry's VNI is there already. An entry that has expired is
    /// there with all its remotes, unless the new one says what time it is ([`NewEntry::at`]). In a full table a
    /// learned entry makes room for a new one, as for [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// [`Error::OneDestination`] for a unicast MAC that has another destination (Linux: success, and nothing appended);
    /// [`Error::DestinationKind`] where either destination is no remote, or the entry has a list that is somebody's own
    /// ([`Lists::append`](super::super::Lists::append) adds to that); otherwise as for [`add`](Self::add).
    pub fn append(&self, vni: Vni, mac: MacAddr, entry: impl Into<NewEntry>) -> Result<Change, Error> {
        let new = entry.into();
        self.check("append", mac, &new)?;
        let Some((mut locked, place, slot)) = self.there(vni, mac, &new)? else {
            return self.create(vni, mac, &new).map(|()| Change::Created);
        };
        let handle = Handle(slot.content.value);
        let pushed = match (kind(mac), new.destination) {
            (_, new) if handle.kind() != Handle::LIST && self.leads_to(vni, handle, new) => false,
            (MacKind::Unicast, _) => return Err(Error::OneDestination),
            (_, Destination::Remote(remote)) if self.lists().is_owned(handle) => {
                self.lists().push(handle, remote, self.is_same(vni, remote))?
            }
            _ => return Err(Error::DestinationKind { operation: "append" }),
        };
        // What is there stays, also where it is the same by another name.
        let value = self.destination(handle).map_or(handle, Destination::handle);
        let rewritten = self.rewrite(&mut locked, place, &slot, &new, value)?;
        Ok(if pushed || rewritten { Change::Updated } else { Change::Unchanged })
    }

    /// Points a unicast entry elsewhere, or adds it. Nothing of what was there stays; one that has expired is there
    /// unless the new one says what time it is ([`NewEntry::at`]). In a full table a learned entry makes room for a new
    /// one, as for [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// [`Error::MacKind`] for all-zero and multicast MACs; [`Error::DestinationKind`] where only one of the old and
    /// the new destination is a next-hop group; otherwise as for [`add`](Self::add).
    pub fn replace(&self, vni: Vni, mac: MacAddr, entry: impl Into<NewEntry>) -> Result<Change, Error> {
        let new = entry.into();
        let kind = kind(mac);
        if kind != MacKind::Unicast {
            return Err(Error::MacKind { operation: "replace", kind });
        }
        self.check("replace", mac, &new)?;
        let Some((mut locked, place, slot)) = self.there(vni, mac, &new)? else {
            return self.create(vni, mac, &new).map(|()| Change::Created);
        };
        let (old, value) = (Handle(slot.content.value), new.destination.handle());
        if (old.kind() == Handle::GROUP) != (value.kind() == Handle::GROUP) {
            return Err(Error::DestinationKind { operation: "replace" });
        }
        let rewritten = self.rewrite(&mut locked, place, &slot, &new, value)?;
        Ok(if rewritten { Change::Updated } else { Change::Unchanged })
    }

    /// Removes an entry with all its destinations; answers what it was.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also for one that has expired, which is gone then; [`Error::Busy`].
    pub fn delete(&self, now: Instant, vni: Vni, mac: MacAddr) -> Result<Entry, Error> {
        let now = self.clock.at(now, self.meta.fdb_ages());
        let (mut locked, place, slot) = self.found(now, vni, mac)?;
        let entry = self.entry(now, &slot).ok_or(Error::NotFound)?;
        self.remove_from(&mut locked, place, &slot);
        Ok(entry)
    }

    /// Removes one destination of an entry, and with the last one the entry. A list or group that is somebody's own is
    /// one destination: its members stay. A remote that differs only in that it says the entry's VNI, or does not, is
    /// the same destination.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], as for [`delete`](Self::delete); [`Error::NoSuchDestination`] (Linux: success, and nothing
    /// removed); [`Error::Busy`].
    pub fn delete_destination(
        &self,
        now: Instant,
        vni: Vni,
        mac: MacAddr,
        destination: impl Into<Destination>,
    ) -> Result<Change, Error> {
        let now = self.clock.at(now, self.meta.fdb_ages());
        let (mut locked, place, slot) = self.found(now, vni, mac)?;
        let (handle, destination) = (Handle(slot.content.value), destination.into());
        match destination {
            Destination::Remote(remote) if self.lists().is_owned(handle) => {
                match self.lists().delete_where(handle, self.is_same(vni, remote))? {
                    (0, _) => return Err(Error::NoSuchDestination),
                    (_, true) => return Ok(Change::Updated),
                    (_, false) => {}
                }
            }
            _ if !self.leads_to(vni, handle, destination) => return Err(Error::NoSuchDestination),
            _ => {}
        }
        self.remove_from(&mut locked, place, &slot);
        Ok(Change::Removed)
    }

    /// The entry of `mac`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Busy`].
    pub fn get(&self, now: Instant, vni: Vni, mac: MacAddr) -> Result<Entry, Error> {
        let now = self.clock.at(now, self.meta.fdb_ages());
        let (_locked, _, slot) = self.locked(vni, mac)?;
        self.entry(now, &slot).filter(|_| !self.is_dead(now, &slot)).ok_or(Error::NotFound)
    }

    /// What tells whether a remote is the same destination for entries of a VNI: that is also the one which a remote
    /// without one of its own is sent.
    fn is_same(&self, vni: Vni, remote: RemoteId) -> impl Fn(RemoteId) -> bool + use<'t> {
        let remotes = self.remotes;
        let place = move |id| {
            let remote = remotes.get(id)?;
            Some((remote.address, remote.port, remote.vni.unwrap_or(vni), remote.egress))
        };
        let wanted = place(remote);
        move |other| other == remote || wanted.is_some_and(|wanted| place(other) == Some(wanted))
    }

    /// Whether the handle of an entry names this destination.
    fn leads_to(&self, vni: Vni, handle: Handle, destination: Destination) -> bool {
        match (self.destination(handle), destination) {
            (Some(Destination::Remote(there)), Destination::Remote(remote)) => {
                self.is_same(vni, remote)(there)
            }
            (there, destination) => there == Some(destination),
        }
    }

    fn check(&self, operation: &'static str, mac: MacAddr, new: &NewEntry) -> Result<(), Error> {
        match new.destination {
            // It goes with that entry.
            Destination::List(ListId(list)) if self.lists().is_owned(list) => {
                Err(Error::DestinationKind { operation })
            }
            Destination::List(_) if kind(mac) == MacKind::Unicast => {
                Err(Error::MacKind { operation: "a replication list", kind: MacKind::Unicast })
            }
            destination if self.destination(destination.handle()).is_none() => {
                Err(Error::Stale(HandleKind::of(destination)))
            }
            // Its age could not be told.
            _ if new.state.ages() && self.now(new).trusts_no_stamp() => Err(Error::SweepPending),
            _ => Ok(()),
        }
    }

    /// The present of an operation that may know none.
    pub(super) fn now(&self, new: &NewEntry) -> Now {
        match new.now {
            Some(now) => {
                self.clock.start(now, self.meta.fdb_ages());
                self.clock.at(now, self.meta.fdb_ages())
            }
            None => Now::UNKNOWN,
        }
    }

    /// The live entry of `mac`, for who removes it. A dead one is removed here, and not found.
    fn found(&self, now: Now, vni: Vni, mac: MacAddr) -> Result<(Locked<'t>, Place, Slot), Error> {
        let (mut locked, place, slot) = self.locked(vni, mac)?;
        if self.is_dead(now, &slot) {
            self.remove_from(&mut locked, place, &slot);
            return Err(Error::NotFound);
        }
        Ok((locked, place, slot))
    }

    /// The entry of `mac`, locked, live or dead.
    fn locked(&self, vni: Vni, mac: MacAddr) -> Result<(Locked<'t>, Place, Slot), Error> {
        let domain = self.vnis.find(vni)?.ok_or(Error::NotFound)?;
        if self.map.len() == 0 {
            return Err(Error::NotFound);
        }
        let locked = self.map.lock(key(domain.number, mac))?;
        let (place, slot) = locked.find(key(domain.number, mac)).ok_or(Error::NotFound)?;
        Ok((locked, place, slot))
    }

    /// The same for an operation that adds: nothing is no error, and a dead entry is removed.
    fn there(
        &self,
        vni: Vni,
        mac: MacAddr,
        new: &NewEntry,
    ) -> Result<Option<(Locked<'t>, Place, Slot)>, Error> {
        let Some(domain) = self.vnis.find(vni)? else { return Ok(None) };
        let key = key(domain.number, mac);
        // Without a lock: whoever puts the entry looks again under one.
        if self.map.find(key, |_, _| true)?.is_none() {
            return Ok(None);
        }
        let mut locked = self.map.lock(key)?;
        let Some((place, slot)) = locked.find(key) else { return Ok(None) };
        let now = self.now(new);
        if self.is_dead(now, &slot) {
            self.note_untold(now, &slot);
            self.remove_from(&mut locked, place, &slot);
            return Ok(None);
        }
        Ok(Some((locked, place, slot)))
    }

    pub(super) const fn stamp(&self, now: Now, state: State) -> u16 {
        if state.ages() { now.stamp() } else { ETERNAL }
    }

    /// Says anew all that an entry says; answers whether anything is different but its age.
    fn rewrite(
        &self,
        locked: &mut Locked<'t>,
        place: Place,
        slot: &Slot,
        new: &NewEntry,
        value: Handle,
    ) -> Result<bool, Error> {
        self.begin_use(value)?;
        let learned = Handle(slot.content.value).is_learned();
        if let (true, Some(domain)) = (learned, self.domain_of(slot.key)) {
            // Somebody's from now on: it counts for the table and the VNI alone.
            domain.configured().fetch_add(1, Relaxed);
            self.meta.configured().fetch_add(1, Relaxed);
        }
        if slot.cold != new.cold() {
            locked.set_cold(place, new.cold());
        }
        if slot.content.value != value.0 {
            locked.set_value(place, value.0);
        }
        // After the value: the entry may have expired, which who says no time does not know, and must not be found with
        // the old value and the new stamp.
        locked.set_said(place, new.tag(), self.stamp(self.now(new), new.state));
        if learned {
            self.settle(slot);
        }
        Ok((slot.cold, slot.content.value, slot.content.tag) != (new.cold(), value.0, new.tag()))
    }

    /// The destinations of an entry: one remote, or those of its list or group in order.
    pub fn remotes_of(&self, destination: Destination) -> impl Iterator<Item = RemoteId> + use<'t> {
        let (one, many) = match destination {
            Destination::Remote(remote) => (Some(remote), None),
            Destination::List(list) => (None, Some(self.lists().members(list))),
            Destination::Group(group) => (None, Some(self.lists().members(group))),
            _ => (None, None),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

pub(super) const fn kind(mac: MacAddr) -> MacKind {
    match mac {
        _ if mac.is_unicast() => MacKind::Unicast,
        _ if mac.is_multicast() => MacKind::Multicast,
        _ => MacKind::Zero,
    }
}
