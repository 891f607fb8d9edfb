//! The short way in: an entry of an address that nobody knows, with nothing in its way.
//!
//! Where anything else is the case nothing is done, and the long ways ([`Fdb::add_closely`], [`Fdb::learn_closely`])
//! know what to make of it.

use core::sync::atomic::Ordering::Relaxed;

use super::{
    super::{
        Destination, RemoteId,
        bucket::{Cold, Content, Slot, Spot},
        clock::{ETERNAL, Now},
        vni::Domain,
    },
    Fdb,
    account::Account,
    entry::NewEntry,
    key,
};
use crate::wire::{MacAddr, Vni};

/// Where an entry goes, if its VNI is in front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim<'t> {
    vni: Vni,
    domain: Domain<'t>,
    pub(super) spot: Spot,
}

impl<'t> Fdb<'t> {
    #[inline(always)]
    pub(super) fn aim(&self, vni: Vni, mac: &MacAddr) -> Option<Aim<'t>> {
        let (number, _) = self.vnis.glance(vni)?;
        let domain = self.vnis.domain(number)?;
        let spot = self.map.spot(key(number, *mac));
        // Neither a group's nor zero: with the bit that says group as its sign, the address is a number above zero.
        // (For two comparisons it would be read byte by byte.)
        let unicast = ((spot.key.0 << 16).rotate_right(17) as i64) > 0;
        if unicast { Some(Aim { vni, domain, spot }) } else { None }
    }

    /// Asks for each line that an entry is written to. Cold ones where they are: see
    /// [`writes_cold`](Self::writes_cold).
    #[inline(always)]
    pub(super) fn touch_aim(&self, aim: &Aim<'t>, cold: bool) -> u32 {
        self.map.touch(&aim.spot) | if cold { self.map.touch_cold(&aim.spot) } else { 0 }
    }

    /// Whether cold words say anything of what is learned from a remote which somebody configured: its quota group.
    #[inline(always)]
    pub(super) const fn writes_cold(&self) -> bool {
        self.remotes.quotas != 0
    }

    /// Adds an entry that leads to a remote; answers whether it is there now. `paid` are entries that were counted for
    /// the table ahead.
    #[inline(always)]
    pub(super) fn enter(&self, aim: &Aim<'t>, new: &NewEntry, paid: &mut u32) -> bool {
        let Destination::Remote(remote) = new.destination else { return false };
        let stamp = if new.state.ages() {
            let now = self.now(new);
            if now.trusts_no_stamp() {
                return false;
            }
            now.stamp()
        } else {
            ETERNAL
        };
        let Some(berth) = self.map.berth(&aim.spot) else { return false };
        // Asked under the lock, past which no sweep gets: so nobody else is given the numbers in this entry before it
        // is there.
        if !aim.domain.is_still(aim.vni)
            || self.remotes.begin_use(remote).is_err()
            || self.take_configured(&aim.domain, paid).is_err()
        {
            return false;
        }
        let content = Content { value: remote.0.0, tag: new.tag(), stamp };
        berth.fill(&Slot { key: aim.spot.key, content, cold: new.cold() });
        true
    }

    /// The same for one that is learned from a remote which somebody configured.
    #[inline(always)]
    pub(super) fn enter_learned(&self, now: Now, aim: &Aim<'t>, remote: RemoteId, paid: &mut u32) -> bool {
        // Not the first entry of all either, with which time begins.
        if now.trusts_no_stamp() || self.meta.fdb_swept().load(Relaxed) == 0 {
            return false;
        }
        let (Some(handle), Some(quota)) = (self.remotes.learned_handle(remote), self.remotes.quota(remote))
        else {
            return false;
        };
        let account = Account::of(quota);
        // Counts that were read before the lock was taken need not be waited for after it.
        let (of_remote, of_vni) = (self.remotes.learned_at(handle.index()), aim.domain.learned());
        let seen = (of_remote.peek(), of_vni.peek());
        let generation = seen.1.generation();
        let Some(berth) = self.map.berth(&aim.spot) else { return false };
        if !(aim.domain.is_still(aim.vni) && self.remotes.is_still(handle)) {
            return false;
        }
        if account == Account::Own {
            match of_remote.add_to(seen.0, handle.generation(), self.limits.quota) {
                Ok(0) => self.note_active(),
                Ok(_) => {}
                Err(_) => return false,
            }
        } else if self.take_account(&aim.domain, handle, account).is_err() {
            return false;
        }
        if self.take_learned(&aim.domain, seen.1, generation, paid).is_err() {
            self.give_account(&aim.domain, handle, account);
            return false;
        }
        let content = Content { value: handle.0, tag: generation as u8, stamp: now.stamp() };
        let cold = Cold { cookie: account.to_cookie(), origin: 0 };
        berth.fill(&Slot { key: aim.spot.key, content, cold });
        true
    }
}
