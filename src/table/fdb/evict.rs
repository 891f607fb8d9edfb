//! Room in a full table: the dead go first, and then those who have more than a fair share; for what somebody adds,
//! those who have most.

use core::sync::atomic::Ordering::Relaxed;

use super::{
    super::{
        bucket::{Key, Locked, Place, Slot},
        clock::Now,
        handle::Handle,
        vni::Domain,
    },
    Fdb,
    account::Account,
    entry::Entry,
};

impl<'t> Fdb<'t> {
    /// Makes room in a full table: at the cost of who has more than a fair share or, for what somebody adds, of who has
    /// most. In the newcomer's own places or, where nobody has that there, in some others, which are as random.
    /// `Some(None)` where the dead were enough.
    pub(super) fn give_way(&self, now: Now, key: Key, newcomer: Newcomer) -> Option<Option<Entry>> {
        let rotor = self.meta.evict_rotor();
        // The first pair is the newcomer's own. The others are other ones each time after a search that found nothing.
        let step = u64::from(rotor.load(Relaxed)).saturating_add(1);
        let key = |pair: u64| Key(key.0.wrapping_add(pair.wrapping_mul(step)));
        let pairs = || (0..GIVE_WAY).filter_map(|pair| self.map.lock(key(pair)).ok());
        let evict = |share| {
            pairs().find_map(|mut locked| {
                if self.bury(now, &mut locked) {
                    return Some(None);
                }
                self.evict(now, &mut locked, share).map(Some)
            })
        };
        if newcomer != Newcomer::Configured {
            return evict(self.share(newcomer));
        }
        let most = pairs().filter_map(|locked| self.richest(&locked)).map(|(most, ..)| most).max();
        // Who has most may have less by now: then anybody gives way.
        let gone = evict(most.unwrap_or(0).saturating_sub(1)).or_else(|| evict(0));
        match gone {
            None => _ = rotor.fetch_add(1, Relaxed),
            Some(None) => {}
            Some(Some(_)) => _ = self.meta.untold().fetch_add(1, Relaxed),
        }
        gone
    }

    /// The fair share of an account: what there is room for, divided by the accounts that have entries, the newcomer
    /// included.
    fn share(&self, newcomer: Newcomer) -> u32 {
        let room = self.limits.entries.saturating_sub(self.meta.configured().load(Relaxed));
        let accounts = self.meta.active().saturating_add(u32::from(newcomer == Newcomer::Account));
        room.min(self.limits.learned) / accounts.max(1)
    }

    /// Removes, from two buckets, the learned entry whose account is furthest above the share; none, where none is
    /// above.
    fn evict(&self, now: Now, locked: &mut Locked<'t>, share: u32) -> Option<Entry> {
        let (_, place, slot) = self.richest(locked).filter(|(most, ..)| *most > share)?;
        let evicted = self.entry(now, &slot);
        self.remove_from(locked, place, &slot);
        evicted
    }

    /// The learned entry, of those in two buckets, whose account has most, and how much that is.
    fn richest(&self, locked: &Locked<'t>) -> Option<(u32, Place, Slot)> {
        let balance = |slot: &Slot| {
            let handle = Handle(slot.content.value);
            let domain = handle.is_learned().then(|| self.domain_of(slot.key)).flatten()?;
            Some(self.balance(&domain, handle.index(), Account::from_cookie(slot.cold.cookie)))
        };
        let candidates = locked.slots().into_iter().flatten();
        let candidates = candidates.filter_map(|(place, slot)| Some((balance(&slot)?, place, slot)));
        candidates.max_by_key(|(balance, ..)| *balance)
    }

    /// Whether an account has no learned entry yet.
    pub(super) fn is_new(&self, domain: &Domain<'t>, handle: Handle, account: Account) -> bool {
        self.balance(domain, handle.index(), account) == 0
    }

    /// In a full table with dead entries somewhere: goes on looking for them until there is room for one more;
    /// answers whether there is. Two that look at the same time look at the same buckets: that costs time and
    /// nothing else.
    pub(super) fn help(&self, now: Now) -> bool {
        let left = self.meta.dead_buckets();
        for _ in 0..HELP {
            let before = left.load(Relaxed);
            let Some(bucket) = before.min(self.map.len() as u32).checked_sub(1) else { return false };
            let any = self.bury_bucket(now, bucket as usize);
            let _ = left.compare_exchange(before, bucket, Relaxed, Relaxed);
            if any {
                return true;
            }
        }
        false
    }
}

/// For whom somebody gives way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Newcomer {
    /// An entry that somebody configures.
    Configured,
    /// The first learned entry of an account,
    Account,
    /// or one more.
    Learned,
}

/// Pairs of buckets looked at for who has to give way.
const GIVE_WAY: u64 = 8;

/// Buckets looked through for dead entries when the table is full, by each that finds it so.
const HELP: usize = 64;
