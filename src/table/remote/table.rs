//! The table of remotes: what people and packets do to it.

use core::{
    net::IpAddr,
    sync::atomic::Ordering::{Acquire, Relaxed, Release},
};

use super::{
    super::{
        Error, RemoteId, Resource, Underlay,
        bucket::{Added, Busy, Cold, Content, Map, Slot},
        handle::Handle,
        hash::Seed,
        line::{Line, Words, fence, spin_loop},
        meta::Meta,
        room,
        worker::Workers,
    },
    HEADER_LEN, Quota, Remote,
    slot::{CONFIGURED, LIVE, LOCK, STALE, is_alive, is_whole, name, with_learned},
};
use crate::wire::{MacAddr, is_ipv4_mapped, is_unicast};

/// The table of remotes.
///
/// A remote has two records, and a word of state that says which of them holds. Readers compare the state before
/// and after; writers fill the other record and switch. So a reader waits for nobody, and a record that changes
/// twice while it is read is read again.
///
/// Two words more for each remote are what handles of it must be equal to: the handle itself, and that which entries
/// say which were learned from it. So a use reads two words that lie beside each other, and neither the state nor a
/// record.
#[derive(Clone, Copy, Debug)]
pub struct Remotes<'t> {
    pub(crate) map: Map<'t>,
    pub(crate) names: &'t [Line],
    pub(crate) states: Words<'t>,
    pub(crate) accounts: Words<'t>,
    pub(crate) records: Words<'t>,
    /// Words of one record.
    pub(crate) stride: usize,
    /// Bytes of outer header that a record holds.
    pub(crate) header: usize,
    pub(crate) count: u32,
    pub(crate) quotas: u32,
    pub(crate) unconfigured_limit: u32,
    pub(crate) underlay: Underlay,
    pub(crate) seed: Seed,
    pub(crate) meta: Meta<'t>,
    pub(crate) workers: Workers<'t>,
}

impl<'t> Remotes<'t> {
    /// Adds a remote.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`], [`Error::Full`], [`Error::Busy`]; [`Error::Family`], [`Error::NotUnicast`] or
    /// [`Error::Ipv4Mapped`] for an address that the underlay cannot have; [`Error::NextHopMac`] for a MAC address that
    /// no next hop has; [`Error::NoSuchQuota`]; [`Error::QuiescePending`] or [`Error::SweepPending`] where there is
    /// only room that a worker's quiescent point, or sweeps, have yet to free.
    pub fn add(&self, remote: &Remote) -> Result<RemoteId, Error> {
        self.check(remote, true)?;
        self.insert(remote, CONFIGURED, usize::MAX)
    }

    /// The remote of this name, added if it is not there. What is there is not changed; one that was not configured
    /// is from now on, with the quota that is said here, and what was learned from it is learned anew.
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add) but [`Error::Exists`].
    pub fn find_or_add(&self, remote: &Remote) -> Result<RemoteId, Error> {
        match self.find(remote) {
            Some(id) => self.configure(id, remote).map(|()| id),
            None => self.add(remote),
        }
        .map_err(has_come_or_gone)
    }

    fn configure(&self, id: RemoteId, remote: &Remote) -> Result<(), Error> {
        if !self.is_configured(id) {
            self.mark_configured(id, remote)?;
        }
        // Also for one that is configured since a call which came as far as that.
        self.step_up(id, remote)
    }

    fn mark_configured(&self, id: RemoteId, remote: &Remote) -> Result<(), Error> {
        self.check(remote, true)?;
        let (index, state) = (id.0.index(), self.lock(id)?);
        let unlock = |answer| {
            self.set_state(index, state & !LOCK);
            answer
        };
        if state & CONFIGURED != 0 {
            return unlock(Ok(()));
        }
        // Entries count on the account of before: they are forgotten.
        let (begun, _) = match self.begin_generation(index, state) {
            Ok(begun) => begun,
            Err(error) => return unlock(Err(error)),
        };
        let changed = self.change_locked(index, begun, |there| there.quota = remote.quota) | CONFIGURED;
        // Before the new name is told: who learns by it counts on the account of a remote that is configured.
        if let Some(word) = self.states.get(index) {
            word.store(changed, Release);
        }
        self.set_state(index, changed & !LOCK);
        room::uncount(self.meta.unconfigured());
        self.meta.note_deaths();
        Ok(())
    }

    /// The remote of this name, added as one that was not configured if it is not there: for learning from
    /// anybody. Bounded work, however many there are.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] where there are as many as
    /// [`Settings::unconfigured_remotes`](super::super::Settings::unconfigured_remotes) says; otherwise as for
    /// [`add`](Self::add).
    pub fn find_or_learn(&self, remote: &Remote) -> Result<RemoteId, Error> {
        if let Some(id) = self.find(remote) {
            return Ok(id);
        }
        self.check(remote, false)?;
        self.insert(remote, 0, LEARN_SEARCH).map_err(has_come_or_gone)
    }

    /// Packets are sent to a group, and come from none.
    fn check(&self, remote: &Remote, group: bool) -> Result<(), Error> {
        let other = match remote.address {
            IpAddr::V4(_) => Underlay::Ipv6,
            IpAddr::V6(_) => Underlay::Ipv4,
        };
        let somebody = is_unicast(remote.address) || group && remote.address.is_multicast();
        match remote.quota {
            _ if is_ipv4_mapped(remote.address) => Err(Error::Ipv4Mapped),
            _ if self.underlay == other => Err(Error::Family),
            _ if !somebody => Err(Error::NotUnicast),
            _ if !remote.has_next_hop_mac() => Err(Error::NextHopMac),
            Quota::Shared(quota) if u32::from(quota) >= self.quotas => {
                Err(Error::NoSuchQuota { quota, had: self.quotas })
            }
            _ => Ok(()),
        }
    }

    fn insert(&self, remote: &Remote, configured: u32, search: usize) -> Result<RemoteId, Error> {
        if self.find(remote).is_some() {
            return Err(Error::Exists);
        }
        self.count_in(configured)?;
        let claimed = self.claim(search);
        let (index, state) = claimed.inspect_err(|_| self.count_out(configured))?;
        let learned = self.learned_at(index).read().0.max(1);
        self.learned_at(index).begin(learned);
        let state = with_learned(state, learned);
        self.forget_learned_mtu(index);
        let flipped = self.write(index, state, &remote.to_words(), &[]);
        let handle = name(index, state);
        // Whoever adds it is about to use it.
        self.note_use(handle);
        let free = |answer: Error| {
            // Nobody has seen the handle.
            self.set_state(index, flipped & !(LIVE | LOCK | CONFIGURED));
            self.count_out(configured);
            Err(answer)
        };
        let content = Content { value: handle.0, tag: 0, stamp: 0 };
        match self
            .map
            .add(&Slot { key: self.key(remote), content, cold: Cold::default() }, self.meta.relocations())
        {
            Ok(Added::New) => {
                // Alive when it is in the index, not before: nobody removes what is only half there.
                self.set_state(index, flipped & !(LOCK | CONFIGURED) | LIVE | configured);
                let id = RemoteId(handle);
                // Nobody would know it by its packets. Where it cannot even go, it stays as it is, and counts.
                self.stand(id, remote).map(|()| id).or_else(|error| self.remove(id).and(Err(error)))
            }
            Ok(Added::There(_)) => free(Error::Exists),
            Ok(Added::Full) => free(self.full()),
            Err(Busy) => free(Error::Busy),
        }
    }

    /// Counts a remote that is to come, in this state.
    fn count_in(&self, state: u32) -> Result<(), Error> {
        let limit = self.unconfigured_limit;
        if state & CONFIGURED == 0 && !room::count_below(self.meta.unconfigured(), limit) {
            return Err(Error::Full { what: Resource::UnconfiguredRemotes, limit });
        }
        if room::count_below(self.meta.remotes(), self.count) {
            return Ok(());
        }
        self.count_out_unconfigured(state);
        Err(self.full())
    }

    /// Counts one out that was in this state, and is not alive any more or never was.
    pub(super) fn count_out(&self, state: u32) {
        self.count_out_unconfigured(state);
        room::uncount(self.meta.remotes());
    }

    fn count_out_unconfigured(&self, state: u32) {
        if state & CONFIGURED == 0 {
            room::uncount(self.meta.unconfigured());
        }
    }

    pub(super) const fn full(&self) -> Error {
        Error::Full { what: Resource::Remotes, limit: self.count }
    }

    /// As [`Fdb::flush_learned_from`](super::super::Fdb::flush_learned_from).
    pub(crate) fn flush_learned(&self, id: RemoteId) -> Result<u32, Error> {
        let state = self.lock(id)?;
        let begun = self.begin_generation(id.0.index(), state);
        self.set_state(id.0.index(), begun.map_or(state, |(state, _)| state) & !LOCK);
        self.meta.note_deaths();
        begun.map(|(_, flushed)| flushed)
    }

    /// The remote that has the same address, port, VNI and egress.
    pub fn find(&self, remote: &Remote) -> Option<RemoteId> {
        let found = self.map.find(self.key(remote), |_, _| true).ok()??;
        let id = RemoteId(Handle(found.value));
        (self.get(id)?.identity() == remote.identity()).then_some(id)
    }

    /// What a handle names; `None` where it was removed, or changed at each of many looks.
    pub fn get(&self, id: RemoteId) -> Option<Remote> {
        self.read(id, &mut []).map(|(remote, _)| remote)
    }

    /// The remote and its outer header, as many bytes of it as fit into `header`; answers how many those are.
    pub fn read(&self, id: RemoteId, header: &mut [u8]) -> Option<(Remote, usize)> {
        let state = self.states.get(id.0.index())?;
        for tried in 0..RETRIES {
            let before = state.load(Acquire);
            if !is_alive(before, id.0) {
                return None;
            }
            let record = self.record_start(id.0.index(), before);
            let words = self.words(record)?;
            let len = self.read_header(record, &words, header)?;
            fence(Acquire);
            if is_whole(before, state.load(Relaxed)) {
                return Some((Remote::from_words(words), len));
            }
            pause(tried);
        }
        None
    }

    /// Whether somebody configured it, rather than that it was learned from.
    pub fn is_configured(&self, id: RemoteId) -> bool {
        self.states.get(id.0.index()).is_some_and(|state| {
            let state = state.load(Acquire);
            is_alive(state, id.0) && state & CONFIGURED != 0
        })
    }

    /// Entries learned from it since it was last flushed; those that died otherwise count until they are swept.
    pub fn learned(&self, id: RemoteId) -> Option<u32> {
        self.get(id)?;
        Some(self.learned_at(id.0.index()).read().1)
    }

    /// Sets the next hop's MAC address, or says that it is not known.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Busy`]; [`Error::NextHopMac`] for an address that no next hop has.
    pub fn set_next_hop(&self, id: RemoteId, mac: Option<MacAddr>) -> Result<(), Error> {
        let mut answer = Ok(());
        self.change(id, |remote| {
            let changed = Remote { next_hop: mac, ..*remote };
            if changed.has_next_hop_mac() { *remote = changed } else { answer = Err(Error::NextHopMac) }
        })?;
        answer
    }

    /// Sets the prebuilt outer header: bytes that the tables only keep. A [`Vtep`](crate::vtep::Vtep) keeps the
    /// outer headers of its remotes there, in a form of its own, and sends what it finds: other bytes go out before its
    /// frames as they are.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Busy`]; [`Error::HeaderTooLong`] where it is longer than
    /// [`Capacity::header`](super::super::Capacity::header).
    pub fn set_header(&self, id: RemoteId, header: &[u8]) -> Result<(), Error> {
        if header.len() > self.header {
            return Err(Error::HeaderTooLong { needed: header.len(), had: self.header });
        }
        let state = self.lock(id)?;
        let index = id.0.index();
        let mut words = self.words(self.record_start(index, state)).ok_or(STALE)?;
        words[0] = words[0] & !HEADER_LEN | (header.len() as u32) << 8;
        let mut bytes = [0; 64];
        for (word, chunk) in bytes.iter_mut().zip(header.chunks(4)) {
            let mut four = [0; 4];
            four.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            *word = u32::from_ne_bytes(four);
        }
        let flipped =
            self.write(index, state, &words, bytes.get(..header.len().div_ceil(4)).unwrap_or_default());
        self.set_state(index, flipped & !LOCK);
        Ok(())
    }

    /// All remotes, configured or not; those that come and go meanwhile may be among them.
    pub fn iter(&self) -> impl Iterator<Item = (RemoteId, Remote)> + 't {
        self.iter_from(0)
    }

    /// The same from this index on, and around.
    pub(super) fn iter_from(&self, first: usize) -> impl Iterator<Item = (RemoteId, Remote)> + 't {
        let (remotes, count) = (*self, self.count as usize);
        (first..count).chain(0..first.min(count)).filter_map(move |index| {
            let id = RemoteId(name(index, remotes.states.get(index)?.load(Acquire)));
            Some((id, remotes.get(id)?))
        })
    }

    /// How many remotes there are.
    pub fn count(&self) -> usize {
        self.meta.remotes().load(Relaxed) as usize
    }
}

/// Somebody else has just added what was not there a moment ago, or removed what was: the next call finds it so.
const fn has_come_or_gone(error: Error) -> Error {
    match error {
        Error::Exists | Error::Stale(_) => Error::Busy,
        error => error,
    }
}

/// Waits for a moment, a longer one each time: a reader and a writer can fall into step, so that each look fails as the
/// one before did.
#[cold]
pub(super) fn pause(tried: usize) {
    for _ in 0..tried {
        spin_loop();
    }
}

/// How often a reader reads a record that changes twice meanwhile. Beside a writer who does nothing else one look in
/// ten to one in four fails, and seldom five in a row.
pub(super) const RETRIES: usize = 32;

/// Slots looked at for a remote that a packet brings.
const LEARN_SEARCH: usize = 64;
