//! Remotes by their address alone: who sent a packet, since its source port says nothing.
//!
//! The index of remotes has a second kind of key: an address and, where that is link-local, an interface. It names one
//! of the remotes that are there, the first, but a configured one before others. Its stamp counts them: nobody is
//! looked for in vain.

use core::{
    net::IpAddr,
    sync::atomic::Ordering::{Acquire, SeqCst},
};

use super::{
    super::{
        Error, RemoteId,
        bucket::{Added, Busy, Cold, Content, Key, Slot},
        handle::Handle,
        line::fence,
    },
    Remote, Remotes,
    slot::{is_alive, name},
};
use crate::wire::is_link_local;

impl Remotes<'_> {
    /// A remote at this address, whatever its port and VNI: the one that was there first. The egress counts where the
    /// address is link-local, and only there.
    pub fn find_by_address(&self, address: IpAddr, egress: u32) -> Option<RemoteId> {
        let found = self.map.find(self.place_key(address, egress), |_, _| true).ok()??;
        let id = RemoteId(Handle(found.value));
        (self.get(id)?.place() == (address, scope(address, egress))).then_some(id)
    }

    /// Counts a remote that is alive, from now on, at its address. It stands for the address if no other one does.
    pub(super) fn stand(&self, id: RemoteId, remote: &Remote) -> Result<(), Error> {
        // Who is giving the place up just now sees this one alive, or it is seen here that he is gone.
        fence(SeqCst);
        let key = self.place_key(remote.address, remote.egress);
        let content = Content { value: id.0.0, tag: 0, stamp: 1 };
        match self.map.add(&Slot { key, content, cold: Cold::default() }, self.meta.relocations()) {
            Ok(Added::New) => return Ok(()),
            Ok(Added::There(_)) => {}
            Ok(Added::Full) => return Err(self.full()),
            Err(Busy) => return Err(Error::Busy),
        }
        let mut locked = self.map.lock(key)?;
        // Gone in this moment: the caller tries again.
        let (place, slot) = locked.find(key).ok_or(Error::Busy)?;
        locked.set_stamp(place, slot.content.stamp.saturating_add(1));
        if self.gives_way(Handle(slot.content.value), id) {
            locked.set_value(place, id.0.0);
        }
        Ok(())
    }

    /// Has a remote stand for its address where it could not when it came, or is configured and who stands is not.
    pub(super) fn step_up(&self, id: RemoteId, remote: &Remote) -> Result<(), Error> {
        let key = self.place_key(remote.address, remote.egress);
        // Looked at first without a lock: mostly there is nothing to do.
        if self.map.find(key, |_, _| true)?.is_some_and(|found| !self.gives_way(Handle(found.value), id)) {
            return Ok(());
        }
        let mut locked = self.map.lock(key)?;
        let Some((place, slot)) = locked.find(key) else {
            drop(locked);
            return self.stand(id, remote);
        };
        // One that is gone by now has looked for another one, or will.
        if self.lives(id.0) && self.gives_way(Handle(slot.content.value), id) {
            locked.set_value(place, id.0.0);
        }
        Ok(())
    }

    /// Whether one remote stands for an address no longer once the other is there.
    fn gives_way(&self, old: Handle, new: RemoteId) -> bool {
        !self.lives(old) || (!self.is_configured(RemoteId(old)) && self.is_configured(new))
    }

    /// A remote that is gone does not count at its address any more. If it stood for that, another one does from now
    /// on, if there is one. Where somebody else is at work in the same place, that is left to the next one that is
    /// added there, or to the sweep.
    pub(super) fn stand_down(&self, index: usize, remote: &Remote) {
        let key = self.place_key(remote.address, remote.egress);
        // Whether another one has to be found.
        let count_out = || {
            let mut locked = self.map.lock(key).ok()?;
            let (place, slot) = locked.find(key)?;
            // A count that was ever full stays so: it may be too low.
            let left = match slot.content.stamp {
                u16::MAX => u16::MAX,
                count => count.saturating_sub(1),
            };
            let alone = left == 0 && !self.lives(Handle(slot.content.value));
            if alone {
                locked.remove(place);
            } else {
                locked.set_stamp(place, left.max(1));
            }
            (!alone && !self.lives(Handle(slot.content.value))).then_some(())
        };
        if count_out().is_some() {
            let _ = self.pass_on(key, index, |other| other.place() == remote.place());
        }
    }

    /// Has another remote that is there stand for an address, in place of one that is gone; or nobody. Looked for from
    /// that one's index on and around: those of one address often lie, and go, one after the other.
    fn pass_on(&self, key: Key, index: usize, is_there: impl Fn(&Remote) -> bool) -> Result<(), Busy> {
        for _ in 0..TRIES {
            fence(SeqCst);
            let mut heirs = self.iter_from(index).filter(|(_, other)| is_there(other)).map(|(heir, _)| heir);
            let first = heirs.next();
            let heir = first.into_iter().chain(heirs).find(|&heir| self.is_configured(heir)).or(first);
            self.point(key, heir)?;
            // It may have gone meanwhile, and found that it does not stand for the address.
            if heir.is_none_or(|heir| self.lives(heir.0)) {
                return Ok(());
            }
        }
        Err(Busy)
    }

    /// Points the key of an address that names one which is gone to another one, or to none.
    fn point(&self, key: Key, to: Option<RemoteId>) -> Result<(), Busy> {
        let mut locked = self.map.lock(key)?;
        let Some((place, slot)) = locked.find(key) else { return Ok(()) };
        match to {
            _ if self.lives(Handle(slot.content.value)) => {}
            Some(to) => locked.set_value(place, to.0.0),
            None => locked.remove(place),
        }
        Ok(())
    }

    /// Has a remote be known by its address, if it is not for what somebody else was doing there; for the sweep.
    pub(crate) fn see_to_place(&self, index: usize) {
        let Some(state) = self.states.get(index).map(|state| state.load(Acquire)) else { return };
        let id = RemoteId(name(index, state));
        if let Some(remote) = self.get(id) {
            // Somebody at work there again leaves it for next time.
            let _ = self.step_up(id, &remote);
        }
    }

    /// Has nobody who is gone stand for an address by a bucket of the index, before anything else has its handle; for
    /// the sweep.
    pub(crate) fn sweep_places(&self, bucket: usize) -> Result<(), Busy> {
        for slot in self.map.bucket(bucket)?.into_iter().flatten() {
            // The key of a remote itself counts nobody, and goes with that.
            if slot.content.stamp != 0 && !self.lives(Handle(slot.content.value)) {
                let index = Handle(slot.content.value).index();
                let is_there = |other: &Remote| self.place_key(other.address, other.egress) == slot.key;
                self.pass_on(slot.key, index, is_there)?;
            }
        }
        Ok(())
    }

    fn lives(&self, handle: Handle) -> bool {
        self.states.get(handle.index()).is_some_and(|state| is_alive(state.load(Acquire), handle))
    }

    /// Key of all remotes at an address.
    fn place_key(&self, address: IpAddr, egress: u32) -> Key {
        let [a, b, c, d, _, _, egress, family] =
            Remote::new(address, 0).egress(scope(address, egress)).identity();
        Key(self.seed.fingerprint(&[a, b, c, d, NO_PORT, egress, family]))
    }
}

impl Remote {
    /// What tells hosts in the underlay apart: the address and, where that is link-local, the interface.
    pub(crate) const fn place(&self) -> (IpAddr, u32) {
        (self.address, scope(self.address, self.egress))
    }
}

/// What tells apart those who have the same address: the interface where that is link-local, otherwise nothing.
pub(crate) const fn scope(address: IpAddr, egress: u32) -> u32 {
    if is_link_local(address) { egress } else { 0 }
}

/// In a key, more than any port.
const NO_PORT: u32 = 1 << 16;

/// Heirs that may go while they are looked for.
const TRIES: usize = 4;
