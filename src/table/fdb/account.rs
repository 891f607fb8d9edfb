//! Who pays for an entry: counts per table, VNI, remote and quota group.

use core::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::{
    super::{
        Quota, RemoteId,
        census::{Refused, Seen},
        handle::Handle,
        line::AtomicU32,
        room::{self, Room},
        vni::Domain,
    },
    Fdb, Limits,
};

/// The account of a learned entry; noted in its cookie, so that it is given back to whom it was taken from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Account {
    /// The remote's own.
    Own,
    /// That of all remotes of the VNI that are not configured.
    Unconfigured,
    /// That of a quota group.
    Shared(u16),
}

impl Account {
    /// That of a remote which somebody configured.
    pub(super) const fn of(quota: Quota) -> Self {
        match quota {
            Quota::Own => Self::Own,
            Quota::Shared(group) => Self::Shared(group),
        }
    }

    /// Whether this is one account of several remotes, and the other one is it, too.
    fn is_shared_with(self, other: Self) -> bool {
        self == other && self != Self::Own
    }

    pub(super) const fn to_cookie(self) -> u32 {
        match self {
            Self::Own => 0,
            Self::Unconfigured => 1,
            Self::Shared(group) => 2 + group as u32,
        }
    }

    pub(super) const fn from_cookie(cookie: u32) -> Self {
        match cookie {
            0 => Self::Own,
            1 => Self::Unconfigured,
            group => Self::Shared(group.wrapping_sub(2) as u16),
        }
    }
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Limit {
    Table,
    Vni,
    Quota,
    /// Not a limit: what the entry would belong to was flushed meanwhile.
    Over,
}

impl<'t> Fdb<'t> {
    /// Which account an entry learned from this remote goes to.
    pub(super) fn account(&self, remote: RemoteId, configured: bool) -> Account {
        if !configured {
            return Account::Unconfigured;
        }
        self.remotes.get(remote).map_or(Account::Own, |remote| Account::of(remote.quota))
    }

    /// The counter of an account that is not the remote's own.
    fn counter(&self, domain: &Domain<'t>, account: Account) -> Option<&'t AtomicU32> {
        match account {
            Account::Own => None,
            Account::Unconfigured => Some(domain.unconfigured()),
            Account::Shared(group) => self.quotas.get(usize::from(group)),
        }
    }

    /// How many learned entries an account has.
    pub(super) fn balance(&self, domain: &Domain<'t>, remote: usize, account: Account) -> u32 {
        match self.counter(domain, account) {
            Some(counter) => counter.load(Relaxed),
            None => self.remotes.learned_at(remote).read().1,
        }
    }

    /// The most entries of a VNI.
    pub(super) fn vni_limit(&self, domain: &Domain<'_>) -> u32 {
        match domain.limit().load(Relaxed) {
            0 => self.limits.vni,
            limit => limit,
        }
    }

    /// Counts an entry that somebody adds. If any are `paid`, which were counted for the table ahead, it is one of
    /// those there.
    #[inline(always)]
    pub(super) fn take_configured(&self, domain: &Domain<'_>, paid: &mut u32) -> Result<(), Limit> {
        let (limit, learned) = (self.vni_limit(domain), domain.learned().read().1);
        let count = |count: u32| (count < limit.saturating_sub(learned)).then(|| count.wrapping_add(1));
        let counted = domain.configured().fetch_update(SeqCst, Relaxed, count);
        let before = counted.map_err(|_| Limit::Vni)?;
        // Somebody may have learned meanwhile: whoever counts later sees the other, and is one too many.
        let now = domain.learned().count();
        if now > learned && before.saturating_add(now) >= limit {
            room::uncount(domain.configured());
            return Err(Limit::Vni);
        }
        if !spend(paid) && !self.room_for_configured().count(1) {
            room::uncount(domain.configured());
            return Err(Limit::Table);
        }
        Ok(())
    }

    /// The room of the table for entries that somebody adds.
    pub(super) fn room_for_configured(&self) -> Room<'t> {
        let limit = self.limits.entries;
        Room { counter: self.meta.configured(), most: limit, others: self.meta.learned(), limit }
    }

    /// The same for those that are learned.
    pub(super) fn room_for_learned(&self) -> Room<'t> {
        let Limits { entries: limit, learned: most, .. } = self.limits;
        Room { counter: self.meta.learned(), most, others: self.meta.configured(), limit }
    }

    pub(super) fn give_configured(&self, domain: &Domain<'_>) {
        room::uncount(self.meta.configured());
        room::uncount(domain.configured());
    }

    /// Counts a learned entry on the account of its remote.
    pub(super) fn take_account(
        &self,
        domain: &Domain<'t>,
        handle: Handle,
        account: Account,
    ) -> Result<(), Limit> {
        let own = if account == Account::Own { self.limits.quota } else { u32::MAX };
        let before = self.count_at(handle, own)?;
        let first = match self.counter(domain, account) {
            None => before == 0,
            Some(counter) => {
                let limit = self.limits.quota;
                let count = |count: u32| (count < limit).then(|| count.wrapping_add(1));
                match counter.fetch_update(Relaxed, Relaxed, count) {
                    Ok(before) => before == 0,
                    Err(_) => {
                        self.remotes.learned_at(handle.index()).remove(handle.generation());
                        return Err(Limit::Quota);
                    }
                }
            }
        };
        if first {
            self.note_active();
        }
        Ok(())
    }

    /// Counts a learned entry at its remote; answers how many there were.
    fn count_at(&self, handle: Handle, limit: u32) -> Result<u32, Limit> {
        let counted = self.remotes.learned_at(handle.index()).add(handle.generation(), limit);
        counted.map_err(|refused| match refused {
            Refused::Full => Limit::Quota,
            Refused::Over => Limit::Over,
        })
    }

    /// [`take_account`](Self::take_account) for an entry that comes from another account. Where both are the same one
    /// it takes nothing of that: it is on it already, and a full account is not in its way.
    pub(super) fn take_over(
        &self,
        domain: &Domain<'t>,
        handle: Handle,
        account: Account,
        from: Account,
    ) -> Result<(), Limit> {
        if account.is_shared_with(from) {
            return self.count_at(handle, u32::MAX).map(|_| ());
        }
        self.take_account(domain, handle, account)
    }

    /// [`give_account`](Self::give_account) for an entry that was [taken over](Self::take_over).
    pub(super) fn give_over(&self, domain: &Domain<'t>, handle: Handle, account: Account, to: Account) {
        if account.is_shared_with(to) {
            self.remotes.learned_at(handle.index()).remove(handle.generation());
        } else {
            self.give_account(domain, handle, account);
        }
    }

    /// Notes that an account has its first learned entry.
    pub(super) fn note_active(&self) {
        self.meta.active_quotas().fetch_add(1, Relaxed);
    }

    pub(super) fn give_account(&self, domain: &Domain<'t>, handle: Handle, account: Account) {
        let before = self.remotes.learned_at(handle.index()).remove(handle.generation());
        let last = match self.counter(domain, account) {
            None => before == Some(1),
            Some(counter) => room::uncount(counter) == 1,
        };
        if last {
            room::uncount(self.meta.active_quotas());
        }
    }

    /// Counts a learned entry everywhere but on its account; as [`take_configured`](Self::take_configured).
    #[inline(always)]
    pub(super) fn take_learned(
        &self,
        domain: &Domain<'_>,
        seen: Seen,
        generation: u32,
        paid: &mut u32,
    ) -> Result<(), Limit> {
        let (limit, configured) = (self.vni_limit(domain), domain.configured().load(Relaxed));
        let census = domain.learned();
        let before = census.add_to(seen, generation, limit.saturating_sub(configured));
        let before = before.map_err(|refused| match refused {
            Refused::Full => Limit::Vni,
            Refused::Over => Limit::Over,
        })?;
        // As for those that somebody adds.
        let now = domain.configured().load(SeqCst);
        if now > configured && before.saturating_add(now) >= limit {
            census.remove(generation);
            return Err(Limit::Vni);
        }
        if !spend(paid) && !self.room_for_learned().count(1) {
            census.remove(generation);
            return Err(Limit::Table);
        }
        Ok(())
    }

    pub(super) fn give_learned(&self, domain: &Domain<'_>, generation: u32) {
        domain.learned().remove(generation);
        room::uncount(self.meta.learned());
    }
}

/// Takes one of those that were counted ahead; answers whether there was one.
#[inline(always)]
const fn spend(paid: &mut u32) -> bool {
    let any = *paid > 0;
    *paid = paid.saturating_sub(1);
    any
}
