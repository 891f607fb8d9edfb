//! Remotes: the other ends of tunnels.

use core::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::atomic::{
        AtomicU32,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use super::{
    Error, HandleKind, RemoteId, Resource,
    bucket::{Added, Busy, Cold, Content, Key, Map, Slot},
    census::{Census, LAST},
    generation::Window,
    handle::{GENERATIONS, Handle},
    hash::Seed,
    line::{Line, Words, fence},
    meta::{self, Meta},
    settings::Underlay,
    worker::Workers,
};
use crate::wire::{MacAddr, Vni};

/// The other end of a tunnel, as the tables hold it.
///
/// Address, port, VNI and egress name it; the rest can be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Remote {
    /// Its address in the underlay.
    pub address: IpAddr,
    /// UDP destination port; 0 for tunnels without one.
    pub port: u16,
    /// The VNI that goes into the tunnel header, where it is not that of the entry which names this remote.
    pub vni: Option<Vni>,
    /// What the caller's packets leave by: an interface, a VRF; 0 if there is no choice.
    pub egress: u32,
    /// The next hop's MAC address, where the outer framing is Ethernet and it is known.
    pub next_hop: Option<MacAddr>,
    /// The longest outer IP packet on the way there, in bytes; 0 where nothing is known.
    pub mtu: u16,
    /// Who shares the room for what is learned with it.
    pub quota: Quota,
}

/// Who shares the room for learned entries: when a table is full, nobody below its fair share loses any.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Quota {
    /// The remote is a group of its own.
    #[default]
    Own,
    /// All remotes of this group, counted from 0, share.
    Shared(u16),
}

impl Remote {
    /// The remote at this address, with nothing special about it.
    pub const fn new(address: IpAddr, port: u16) -> Self {
        Self { address, port, vni: None, egress: 0, next_hop: None, mtu: 0, quota: Quota::Own }
    }

    /// Sets the VNI that goes into the tunnel header.
    pub const fn vni(self, vni: Vni) -> Self {
        Self { vni: Some(vni), ..self }
    }

    /// Sets what packets leave by.
    pub const fn egress(self, egress: u32) -> Self {
        Self { egress, ..self }
    }

    /// Sets the next hop's MAC address.
    pub const fn next_hop(self, mac: MacAddr) -> Self {
        Self { next_hop: Some(mac), ..self }
    }

    /// Sets the MTU of the way there, in bytes of outer IP packet.
    pub const fn mtu(self, mtu: u16) -> Self {
        Self { mtu, ..self }
    }

    /// Sets who shares the room for what is learned.
    pub const fn quota(self, quota: Quota) -> Self {
        Self { quota, ..self }
    }

    /// What names it.
    fn identity(&self) -> [u32; 8] {
        let [a, b, c, d] = match self.address {
            IpAddr::V4(address) => [address.to_bits(), 0, 0, 0],
            IpAddr::V6(address) => words(address),
        };
        let vni = self.vni.map_or(0, |vni| HAS_VNI | vni.value());
        let family = if self.address.is_ipv6() { 6 } else { 4 };
        [a, b, c, d, self.port.into(), vni, self.egress, family]
    }

    fn to_words(self) -> [u32; RECORD_WORDS] {
        let [a, b, c, d, port, vni, egress, family] = self.identity();
        let [m0, m1, m2, m3, m4, m5] = self.next_hop.unwrap_or(MacAddr::ZERO).0;
        let has_mac = if self.next_hop.is_some() { HAS_MAC } else { 0 };
        let quota = match self.quota {
            Quota::Own => 0,
            Quota::Shared(group) => 1 + u32::from(group),
        };
        [
            u32::from(self.mtu) << 16 | family,
            a,
            b,
            c,
            d,
            port,
            vni,
            egress,
            u32::from_be_bytes([m0, m1, m2, m3]),
            u32::from_be_bytes([0, 0, m4, m5]) | has_mac,
            quota,
        ]
    }

    fn from_words(words: [u32; RECORD_WORDS]) -> Self {
        let [first, a, b, c, d, port, vni, egress, mac_high, mac_low, quota] = words;
        let ([m0, m1, m2, m3], [_, _, m4, m5]) = (mac_high.to_be_bytes(), mac_low.to_be_bytes());
        Self {
            address: match first & 0xff {
                6 => IpAddr::V6(address(a, b, c, d)),
                _ => IpAddr::V4(Ipv4Addr::from_bits(a)),
            },
            port: port as u16,
            vni: (vni & HAS_VNI != 0).then_some(Vni::truncate(vni)),
            egress,
            next_hop: (mac_low & HAS_MAC != 0).then_some(MacAddr([m0, m1, m2, m3, m4, m5])),
            mtu: (first >> 16) as u16,
            quota: quota.checked_sub(1).map_or(Quota::Own, |group| Quota::Shared(group as u16)),
        }
    }
}

/// The words of an IPv6 address, first to last.
pub(crate) fn words(address: Ipv6Addr) -> [u32; 4] {
    let bits = address.to_bits();
    [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
}

/// The IPv6 address of these words.
pub(crate) fn address(a: u32, b: u32, c: u32, d: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits([a, b, c, d].into_iter().fold(0, |bits, word| bits << 32 | u128::from(word)))
}

/// The table of remotes.
///
/// A remote has two records, and a word of state that says which of them holds. Readers compare the state before
/// and after; writers fill the other record and switch. So a reader waits for nobody, and a record that changes
/// twice while it is read is read again.
#[derive(Clone, Copy, Debug)]
pub struct Remotes<'t> {
    pub(crate) map: Map<'t>,
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
    /// [`Error::Exists`], [`Error::Full`], [`Error::Busy`]; [`Error::Family`] or [`Error::NotUnicast`] for an
    /// address that the underlay cannot have; [`Error::NoSuchQuota`]; [`Error::SweepPending`] where there is only
    /// room that a sweep or a worker's quiescent point has not freed yet.
    pub fn add(&self, remote: &Remote) -> Result<RemoteId, Error> {
        self.check(remote)?;
        self.insert(remote, CONFIGURED, usize::MAX)
    }

    /// The remote of this name, added if it is not there; what is there is not changed, but counts as configured
    /// from now on.
    ///
    /// # Errors
    ///
    /// Those of [`add`](Self::add) but [`Error::Exists`].
    pub fn find_or_add(&self, remote: &Remote) -> Result<RemoteId, Error> {
        match self.find(remote) {
            Some(id) if self.is_configured(id) => Ok(id),
            // What was learned from it is learned anew, on its own account.
            Some(id) => {
                self.remove(id)?;
                self.add(remote)
            }
            None => self.add(remote),
        }
    }

    /// The remote of this name, added as one that was not configured if it is not there: for learning from
    /// anybody. Bounded work, however many there are.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] where there are as many as
    /// [`Settings::unconfigured_remotes`](super::Settings::unconfigured_remotes) says; otherwise as for
    /// [`add`](Self::add).
    pub fn find_or_learn(&self, remote: &Remote) -> Result<RemoteId, Error> {
        if let Some(id) = self.find(remote) {
            return Ok(id);
        }
        self.check(remote)?;
        if !meta::count_below(self.meta.unconfigured(), self.unconfigured_limit) {
            return Err(Error::Full { what: Resource::UnconfiguredRemotes, limit: self.unconfigured_limit });
        }
        self.insert(remote, 0, LEARN_SEARCH).inspect_err(|_| {
            meta::uncount(self.meta.unconfigured());
        })
    }

    fn check(&self, remote: &Remote) -> Result<(), Error> {
        let (family, unicast) = match remote.address {
            IpAddr::V4(a) => (self.underlay != Underlay::Ipv6, !a.is_multicast() && !a.is_broadcast()),
            IpAddr::V6(a) => (self.underlay != Underlay::Ipv4, !a.is_multicast()),
        };
        match remote.quota {
            _ if !family => Err(Error::Family),
            _ if !unicast || remote.address.is_unspecified() => Err(Error::NotUnicast),
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
        let full = Error::Full { what: Resource::Remotes, limit: self.count };
        if !meta::count_below(self.meta.remotes(), self.count) {
            return Err(full);
        }
        let Some((index, state)) = self.claim(search) else {
            meta::uncount(self.meta.remotes());
            return Err(Error::SweepPending);
        };
        let learned = self.learned_at(index).read().0.max(1);
        self.learned_at(index).begin(learned);
        let state = state & !(LAST << LEARNED_SHIFT) | learned << LEARNED_SHIFT;
        let flipped = self.write(index, state, &remote.to_words(), &[]);
        let handle = Handle::new(Handle::REMOTE, generation(state), index as u32);
        let free = |answer: Error| {
            // Nobody has seen the handle.
            self.set_state(index, flipped & !(LIVE | LOCK | CONFIGURED));
            meta::uncount(self.meta.remotes());
            Err(answer)
        };
        self.set_state(index, flipped & !(LOCK | CONFIGURED) | LIVE | configured);
        let content = Content { value: handle.0, tag: 0, stamp: 0 };
        match self
            .map
            .add(&Slot { key: self.key(remote), content, cold: Cold::default() }, self.meta.relocations())
        {
            Ok(Added::New) => Ok(RemoteId(handle)),
            Ok(Added::There(_)) => free(Error::Exists),
            Ok(Added::Full) => free(full),
            Err(Busy) => free(Error::Busy),
        }
    }

    /// Locks a slot that nobody uses and that no worker can still name.
    fn claim(&self, search: usize) -> Option<(usize, u32)> {
        let count = self.count as usize;
        let start = self.meta.remote_rotor().load(Relaxed) as usize;
        for at in 0..count.min(search) {
            let index = start.wrapping_add(at) % count;
            let word = self.states.get(index)?;
            let state = word.load(Acquire);
            if state & (LIVE | LOCK) != 0 || !self.is_nobodys(index, state) {
                continue;
            }
            if word.compare_exchange(state, state | LOCK, Acquire, Relaxed).is_ok() {
                self.meta.remote_rotor().store(index.wrapping_add(1) as u32, Relaxed);
                return Some((index, state | LOCK));
            }
        }
        // The next search goes on where this one ended.
        self.meta
            .remote_rotor()
            .store(start.wrapping_add(search.min(count)) as u32 % self.count.max(1), Relaxed);
        None
    }

    /// Whether no worker can hold a handle of this slot, and no entry can carry the next generation.
    fn is_nobodys(&self, index: usize, state: u32) -> bool {
        let load = |word| self.account(index, word).map_or(0, |word| word.load(Relaxed));
        let passes = self.meta.passes().load(Acquire).wrapping_sub(load(REMOVED_PASSES));
        let wrapped = generation(state) == 0 && load(REMOVED_EPOCH) != 0;
        load(REMOVED_EPOCH) == 0 || (self.workers.passed(load(REMOVED_EPOCH)) && (!wrapped || passes >= 2))
    }

    /// Removes a remote: entries and members that name it are as if they were not there. Its room is used again
    /// when every worker has passed a quiescent point.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Busy`], or [`Error::SweepPending`] where too much was flushed since the last
    /// sweep.
    pub fn remove(&self, id: RemoteId) -> Result<(), Error> {
        let remote = self.get(id).ok_or(STALE)?;
        let mut index_of = self.map.lock(self.key(&remote))?;
        let state = self.lock(id)?;
        let index = id.0.index();
        let state = match self.begin_generation(index, state) {
            Ok((state, _)) => state,
            Err(error) => {
                self.set_state(index, state & !LOCK);
                return Err(error);
            }
        };
        if let Some((place, _)) =
            index_of.find(self.key(&remote)).filter(|(_, slot)| slot.content.value == id.0.0)
        {
            index_of.remove(place);
        }
        let next = generation(state).wrapping_add(1) & GENERATIONS;
        let removed = state & !(LIVE | GENERATIONS << GENERATION_SHIFT) | next << GENERATION_SHIFT;
        // Withdrawn first: who reads the epoch that begins now does not find it any more.
        self.set_state(index, removed);
        if state & CONFIGURED == 0 {
            meta::uncount(self.meta.unconfigured());
        }
        let store = |word, value| {
            if let Some(word) = self.account(index, word) {
                word.store(value, Release);
            }
        };
        store(REMOVED_PASSES, self.meta.passes().load(Acquire));
        store(REMOVED_EPOCH, self.meta.next_epoch().max(1));
        self.set_state(index, removed & !LOCK);
        meta::uncount(self.meta.remotes());
        self.meta.note_deaths();
        Ok(())
    }

    /// Forgets at once what was learned from this remote; answers how many entries that were.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Busy`], or [`Error::SweepPending`] where it was flushed 254 times since the last
    /// two sweeps.
    pub fn flush_learned(&self, id: RemoteId) -> Result<u32, Error> {
        let state = self.lock(id)?;
        let begun = self.begin_generation(id.0.index(), state);
        self.set_state(id.0.index(), begun.map_or(state, |(state, _)| state) & !LOCK);
        self.meta.note_deaths();
        begun.map(|(_, flushed)| flushed)
    }

    /// Under the lock: the state with the next generation of what is learned, and how many entries that ends.
    fn begin_generation(&self, index: usize, state: u32) -> Result<(u32, u32), Error> {
        let (Some(marks), Some(passes)) =
            (self.account(index, WINDOW_MARKS), self.account(index, WINDOW_PASSES))
        else {
            return Err(STALE);
        };
        let census = self.learned_at(index);
        let next = Window { marks, passes }.next(census.read().0, LAST, self.meta.passes().load(Acquire));
        let next = next.ok_or(Error::SweepPending)?;
        let flushed = census.begin(next);
        let own = self.record(index).is_some_and(|remote| remote.quota == Quota::Own);
        if flushed > 0 && own && state & CONFIGURED != 0 {
            meta::uncount(self.meta.active_quotas());
        }
        Ok((state & !(LAST << LEARNED_SHIFT) | next << LEARNED_SHIFT, flushed))
    }

    /// The remote that has the same address, port, VNI and egress.
    pub fn find(&self, remote: &Remote) -> Option<RemoteId> {
        let found = self.map.find(self.key(remote), |_, _| true).ok()??;
        let id = RemoteId(Handle(found.value));
        (self.get(id)?.identity() == remote.identity()).then_some(id)
    }

    /// What a handle names; `None` where it was removed.
    pub fn get(&self, id: RemoteId) -> Option<Remote> {
        self.read(id, &mut []).map(|(remote, _)| remote)
    }

    /// The remote and its outer header, as many bytes of it as fit into `header`; answers how many those are.
    pub fn read(&self, id: RemoteId, header: &mut [u8]) -> Option<(Remote, usize)> {
        let state = self.states.get(id.0.index())?;
        for _ in 0..RETRIES {
            let before = state.load(Acquire);
            if !is_alive(before, id.0) {
                return None;
            }
            let record = self.record_start(id.0.index(), before);
            let words = self.words(record)?;
            let len = self.read_header(record, words, header)?;
            fence(Acquire);
            if (state.load(Relaxed) ^ before) & !LOCK == 0 {
                return Some((Remote::from_words(words), len));
            }
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

    /// Entries learned from it that hold now.
    pub fn learned(&self, id: RemoteId) -> Option<u32> {
        self.get(id)?;
        Some(self.learned_at(id.0.index()).read().1)
    }

    /// Sets the next hop's MAC address, or says that it is not known.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Busy`].
    pub fn set_next_hop(&self, id: RemoteId, mac: Option<MacAddr>) -> Result<(), Error> {
        self.change(id, |remote| remote.next_hop = mac)
    }

    /// Sets the MTU of the way there, in bytes of outer IP packet.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Busy`].
    pub fn set_mtu(&self, id: RemoteId, mtu: u16) -> Result<(), Error> {
        self.change(id, |remote| remote.mtu = mtu)
    }

    /// Changes what does not name a remote.
    fn change(&self, id: RemoteId, change: impl FnOnce(&mut Remote)) -> Result<(), Error> {
        let state = self.lock(id)?;
        let index = id.0.index();
        let start = self.record_start(index, state);
        let old = self.words(start).unwrap_or_default();
        let mut remote = Remote::from_words(old);
        change(&mut remote);
        let mut new = remote.to_words();
        new[0] |= old[0] & HEADER_LEN;
        let mut header = [0; 64];
        let header = header.get_mut(..self.header.div_ceil(4)).unwrap_or_default();
        for (at, word) in header.iter_mut().enumerate() {
            let word_of_header = start.wrapping_add(RECORD_WORDS).wrapping_add(at);
            *word = self.records.get(word_of_header).map_or(0, |word| word.load(Relaxed));
        }
        let flipped = self.write(index, state, &new, header);
        self.set_state(index, flipped & !LOCK);
        Ok(())
    }

    /// Sets the prebuilt outer header: bytes that the tables only keep.
    ///
    /// # Errors
    ///
    /// [`Error::Stale`], [`Error::Busy`]; [`Error::HeaderTooLong`] where it is longer than
    /// [`Capacity::header`](super::Capacity::header).
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
        let remotes = *self;
        (0..self.count).filter_map(move |index| {
            let state = remotes.states.get(index as usize)?.load(Acquire);
            let id = RemoteId(Handle::new(Handle::REMOTE, generation(state), index));
            Some((id, remotes.get(id)?))
        })
    }

    /// How many remotes there are.
    pub fn count(&self) -> usize {
        self.meta.remotes().load(Relaxed) as usize
    }

    /// What a value word of the forwarding database names, if that is still there.
    #[inline]
    pub(crate) fn resolve(&self, handle: Handle) -> Option<RemoteId> {
        let state = self.states.get(handle.index())?.load(Acquire);
        let id = Handle::new(Handle::REMOTE, generation(state), handle.index() as u32);
        let alive = match handle.kind() {
            Handle::LEARNED => state & LIVE != 0 && learned_generation(state) == handle.generation(),
            _ => is_alive(state, handle),
        };
        alive.then_some(RemoteId(id))
    }

    /// What a learned entry says to name this remote, and whether it is configured.
    #[inline]
    pub(crate) fn learned_handle(&self, id: RemoteId) -> Option<(Handle, bool)> {
        let state = self.states.get(id.0.index())?.load(Acquire);
        let handle = Handle::new(Handle::LEARNED, learned_generation(state), id.0.index() as u32);
        is_alive(state, id.0).then_some((handle, state & CONFIGURED != 0))
    }

    pub(crate) fn learned_at(&self, index: usize) -> Census<'t> {
        static NONE: AtomicU32 = AtomicU32::new(0);
        Census(self.account(index, LEARNED).unwrap_or(&NONE))
    }

    /// Removes a remote that was not configured if nothing is learned from it any more; for the sweep.
    pub(crate) fn remove_unused(&self, index: usize) {
        let Some(state) = self.states.get(index).map(|state| state.load(Acquire)) else { return };
        if state & (LIVE | CONFIGURED) == LIVE && self.learned_at(index).read().1 == 0 {
            // Who learns from it just now finds the handle stale; somebody at work here leaves it for next time.
            let _ = self.remove(RemoteId(Handle::new(Handle::REMOTE, generation(state), index as u32)));
        }
    }

    fn key(&self, remote: &Remote) -> Key {
        Key(self.seed.fingerprint(&remote.identity()))
    }

    fn account(&self, index: usize, word: usize) -> Option<&'t AtomicU32> {
        self.accounts.get(index.wrapping_mul(ACCOUNT_WORDS).wrapping_add(word))
    }

    fn lock(&self, id: RemoteId) -> Result<u32, Error> {
        let word = self.states.get(id.0.index()).ok_or(STALE)?;
        for _ in 0..SPINS {
            let state = word.load(Acquire);
            if !is_alive(state, id.0) {
                return Err(STALE);
            }
            let free = state & LOCK == 0;
            if free && word.compare_exchange(state, state | LOCK, Acquire, Relaxed).is_ok() {
                return Ok(state | LOCK);
            }
            core::hint::spin_loop();
        }
        Err(Error::Busy)
    }

    /// Only by who holds the lock.
    fn set_state(&self, index: usize, state: u32) {
        if let Some(word) = self.states.get(index) {
            word.store(state, Release);
        }
    }

    /// The record that holds, under the lock.
    fn record(&self, index: usize) -> Option<Remote> {
        let state = self.states.get(index)?.load(Relaxed);
        Some(Remote::from_words(self.words(self.record_start(index, state))?))
    }

    /// First word of the record that holds by this state.
    const fn record_start(&self, index: usize, state: u32) -> usize {
        index.wrapping_mul(2).wrapping_add((state >> FLIPS_SHIFT & 1) as usize).wrapping_mul(self.stride)
    }

    fn words(&self, start: usize) -> Option<[u32; RECORD_WORDS]> {
        let mut words = [0; RECORD_WORDS];
        for (at, word) in words.iter_mut().enumerate() {
            *word = self.records.get(start.wrapping_add(at))?.load(Relaxed);
        }
        Some(words)
    }

    fn read_header(&self, start: usize, words: [u32; RECORD_WORDS], header: &mut [u8]) -> Option<usize> {
        let len = ((words[0] & HEADER_LEN) >> 8) as usize;
        let first = start.wrapping_add(RECORD_WORDS);
        for (at, chunk) in header.get_mut(..len.min(header.len()))?.chunks_mut(4).enumerate() {
            let word = self.records.get(first.wrapping_add(at))?.load(Relaxed).to_ne_bytes();
            chunk.iter_mut().zip(word).for_each(|(to, from)| *to = from);
        }
        Some(len.min(header.len()))
    }

    /// Fills the record that does not hold, under the lock; answers the state in which it does.
    fn write(&self, index: usize, state: u32, words: &[u32; RECORD_WORDS], header: &[u32]) -> u32 {
        let flipped = state.wrapping_add(1 << FLIPS_SHIFT);
        let start = self.record_start(index, flipped);
        // Whoever reads a word of this record also reads that the state has changed before.
        fence(Release);
        for (at, &word) in words.iter().chain(header).enumerate() {
            if let Some(to) = self.records.get(start.wrapping_add(at)) {
                to.store(word, Relaxed);
            }
        }
        flipped
    }
}

#[inline]
const fn is_alive(state: u32, handle: Handle) -> bool {
    state & LIVE != 0 && generation(state) == handle.generation()
}

#[inline]
const fn generation(state: u32) -> u32 {
    state >> GENERATION_SHIFT & GENERATIONS
}

#[inline]
const fn learned_generation(state: u32) -> u32 {
    state >> LEARNED_SHIFT & LAST
}

/// Lines of a record that holds an outer header of so many bytes.
pub(crate) const fn record_lines(header: u32) -> usize {
    Words::lines(RECORD_WORDS + header.div_ceil(4) as usize)
}

const STALE: Error = Error::Stale(HandleKind::Remote);

/// Words of a record before its outer header.
const RECORD_WORDS: usize = 11;

/// Bits of a record's first word: the length of its header in bytes.
const HEADER_LEN: u32 = 0xff00;

/// Marks a VNI that is there.
const HAS_VNI: u32 = 1 << 24;

/// Marks a next hop that is there.
const HAS_MAC: u32 = 1 << 16;

// A word of state: flips (12 bits, the lowest of which names the record that holds) | generation of what is
// learned (8) | generation (9) | …
const LIVE: u32 = 1;
const CONFIGURED: u32 = 2;
const LOCK: u32 = 4;
const GENERATION_SHIFT: u32 = 3;
const LEARNED_SHIFT: u32 = 12;
const FLIPS_SHIFT: u32 = 20;

/// Words of each remote that only writers need.
pub(crate) const ACCOUNT_WORDS: usize = 5;
const LEARNED: usize = 0;
const WINDOW_MARKS: usize = 1;
const WINDOW_PASSES: usize = 2;
const REMOVED_EPOCH: usize = 3;
const REMOVED_PASSES: usize = 4;

/// How often a reader reads a record that changes.
const RETRIES: usize = 8;

/// How often a writer tries to get a lock.
const SPINS: usize = 64;

/// Slots looked at for a remote that a packet brings.
const LEARN_SEARCH: usize = 64;

const _: () = assert!(Line::WORDS == 16 && record_lines(84) == 2);
