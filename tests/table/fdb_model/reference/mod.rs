//! The rules of the forwarding database over plain maps: what is dead stays in place until it is swept, or until
//! its place is wanted.

mod state;

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use encap::{
    table::{
        Destination, Entry, Error, GroupId, HandleKind, ListId, Lookup, MacKind, Remote, RemoteId, Resource,
    },
    time::Instant,
    wire::{MacAddr, Vni},
};

pub(crate) use self::state::{Account, Count, Far, Known, Learning, Limits, Listed, Segment};

/// All that is known, and what may still take room.
pub(crate) struct Model {
    pub(crate) limits: Limits,
    pub(crate) now: Instant,
    /// `None`: for ever.
    pub(crate) ageing: Option<Duration>,
    /// When the last complete sweep began, and the one that is under way.
    pub(crate) swept: Instant,
    pub(crate) sweeping: Option<Instant>,
    pub(crate) sweeps: u32,
    /// Whoever was there, in the order of coming.
    pub(crate) remotes: Vec<(RemoteId, Far)>,
    pub(crate) vnis: BTreeMap<Vni, Segment>,
    /// VNIs that were removed and whose places are not free yet: the sweeps then, and whether a worker may know.
    pub(crate) removed_vnis: Vec<(u32, bool)>,
    pub(crate) segments: u32,
    /// Places of remotes and lists that a worker may still know.
    pub(crate) held_remotes: u32,
    pub(crate) held_lines: u32,
    pub(crate) has_worker: bool,
    pub(crate) lists: BTreeMap<ListId, Listed>,
    pub(crate) groups: BTreeMap<GroupId, Vec<RemoteId>>,
    pub(crate) entries: BTreeMap<(u32, MacAddr), Known>,
}

impl Model {
    pub(crate) const fn new(limits: Limits, now: Instant, ageing: Option<Duration>) -> Self {
        Self {
            limits,
            now,
            ageing,
            swept: now,
            sweeping: None,
            sweeps: 0,
            remotes: Vec::new(),
            vnis: BTreeMap::new(),
            removed_vnis: Vec::new(),
            segments: 0,
            held_remotes: 0,
            held_lines: 0,
            has_worker: false,
            lists: BTreeMap::new(),
            groups: BTreeMap::new(),
            entries: BTreeMap::new(),
        }
    }

    pub(crate) fn far(&self, id: RemoteId) -> Option<&Far> {
        self.remotes.iter().rev().find(|(known, far)| *known == id && far.alive).map(|(_, far)| far)
    }

    pub(crate) fn far_mut(&mut self, id: RemoteId) -> Option<&mut Far> {
        self.remotes.iter_mut().rev().find(|(known, far)| *known == id && far.alive).map(|(_, far)| far)
    }

    pub(crate) fn named(&self, remote: &Remote) -> Option<RemoteId> {
        let name = |remote: &Remote| (remote.address, remote.port, remote.vni, remote.egress);
        self.remotes.iter().find(|(_, far)| far.alive && name(&far.remote) == name(remote)).map(|(id, _)| *id)
    }

    /// What names a destination is there.
    pub(crate) fn is_there(&self, to: Destination) -> bool {
        match to {
            Destination::Remote(id) => self.far(id).is_some(),
            // An entry's own list goes with its last member.
            Destination::List(id) => self.lists.get(&id).is_some_and(|list| {
                !list.owned || list.members.iter().any(|&member| self.far(member).is_some())
            }),
            Destination::Group(id) => self.groups.contains_key(&id),
            _ => true,
        }
    }

    /// Neither it, nor its VNI, nor what it names was removed or flushed.
    pub(crate) fn is_present(&self, key: &(u32, MacAddr), known: &Known) -> bool {
        let Some(segment) = self.vnis.get(&known.vni).filter(|segment| segment.number == key.0) else {
            return false;
        };
        let current = |learning: Learning| {
            let Destination::Remote(id) = known.to else { return false };
            learning.vni_flushes == segment.flushes
                && self.far(id).is_some_and(|far| far.flushes == learning.remote_flushes)
        };
        self.is_there(known.to) && known.learned.is_none_or(current)
    }

    /// A table that nobody sweeps for so long that its stamps may have come around.
    pub(crate) fn is_overdue(&self) -> bool {
        let Some(ageing) = self.ageing else {
            let tick = |at: Instant| at.as_micros() >> 19;
            return tick(self.now).saturating_sub(tick(self.swept)) > 0x5000;
        };
        let since = self.now.saturating_since(self.swept);
        assert!(since <= ageing * 20 || since >= ageing * 160, "the model cannot tell");
        since > ageing * 20
    }

    pub(crate) fn is_expired(&self, known: &Known) -> bool {
        let old = |ageing| self.is_overdue() || self.now.saturating_since(known.confirmed) >= ageing;
        known.state.ages() && self.ageing.is_some_and(old)
    }

    pub(crate) fn is_live(&self, key: &(u32, MacAddr), known: &Known) -> bool {
        self.is_present(key, known) && !self.is_expired(known)
    }

    pub(crate) fn key(&self, vni: Vni, mac: MacAddr) -> Option<(u32, MacAddr)> {
        Some((self.vnis.get(&vni)?.number, mac))
    }

    pub(crate) fn live(&self, vni: Vni, mac: MacAddr) -> Option<Known> {
        let key = self.key(vni, mac)?;
        self.entries.get(&key).filter(|known| self.is_live(&key, known)).copied()
    }

    pub(crate) fn lookup(&self, vni: Vni, mac: MacAddr) -> Lookup {
        self.live(vni, mac).map_or(Lookup::Unknown, |known| Lookup::Found(known.to))
    }

    pub(crate) fn all_live(&self) -> Vec<(Vni, MacAddr)> {
        let live = self.entries.iter().filter(|(key, known)| self.is_live(key, known));
        let mut live: Vec<_> = live.map(|(key, known)| (known.vni, key.1)).collect();
        live.sort();
        live
    }

    /// Whether an entry is shown as it is.
    pub(crate) fn agrees(&self, entry: &Entry, known: &Known) -> bool {
        let age = self.now.saturating_since(known.confirmed);
        let slack = self.ageing.map_or(Duration::MAX, |ageing| (ageing / 256).max(Duration::from_millis(1)));
        let age_agrees = match entry.age {
            None => !known.state.ages(),
            Some(told) => known.state.ages() && told.abs_diff(age) < slack,
        };
        (entry.vni, entry.destination, entry.state) == (known.vni, known.to, known.state)
            && (entry.router, entry.sticky, entry.origin) == (known.router, known.sticky, known.origin)
            && entry.cookie == known.cookie
            && age_agrees
    }

    /// Entries for which `counts` holds.
    pub(crate) fn count(&self, counts: impl Fn(&(u32, MacAddr), &Known) -> bool) -> Count {
        let mut count = Count { live: 0, all: 0 };
        for (key, known) in self.entries.iter().filter(|(key, known)| counts(key, known)) {
            count.all += 1;
            count.live += u32::from(self.is_live(key, known));
        }
        count
    }

    pub(crate) fn count_all(&self) -> Count {
        self.count(|_, _| true)
    }

    pub(crate) fn count_configured_of(&self, segment: Segment) -> Count {
        self.count(|key, known| key.0 == segment.number && known.learned.is_none())
    }

    /// What was flushed with the VNI counts no more.
    pub(crate) fn count_learned_of(&self, segment: Segment) -> Count {
        let current = |learning: Learning| learning.vni_flushes == segment.flushes;
        self.count(|key, known| key.0 == segment.number && known.learned.is_some_and(current))
    }

    /// What was flushed with the remote counts no more.
    pub(crate) fn count_learned_from(&self, id: RemoteId) -> Count {
        let Some(far) = self.far(id) else { return Count { live: 0, all: 0 } };
        let current = |learning: Learning| learning.remote_flushes == far.flushes;
        self.count(|_, known| known.to == Destination::Remote(id) && known.learned.is_some_and(current))
    }

    /// Whether an entry, a list or a group of somebody's names it.
    pub(crate) fn is_named(&self, id: RemoteId) -> bool {
        let mut lists = self.lists.iter().filter(|(list, _)| !self.is_orphan(**list));
        self.count(|_, known| known.to == Destination::Remote(id) && known.learned.is_none()).live > 0
            || lists.any(|(_, list)| list.members.contains(&id))
            || self.groups.values().any(|members| members.contains(&id))
    }

    pub(crate) fn count_account(&self, account: Account) -> Count {
        match account {
            Account::Own(id) => self.count_learned_from(id),
            _ => self.count(|_, known| known.learned.is_some_and(|learning| learning.account == account)),
        }
    }

    pub(crate) fn limit_of(&self, segment: Segment) -> u32 {
        segment.limit.unwrap_or(self.limits.vni)
    }

    /// Who pays for what is learned from this remote.
    pub(crate) fn account(&self, segment: Segment, id: RemoteId) -> Option<Account> {
        let far = self.far(id)?;
        Some(match far.remote.quota {
            _ if !far.configured => Account::Unconfigured(segment.number),
            encap::table::Quota::Shared(group) => Account::Shared(group),
            _ => Account::Own(id),
        })
    }

    /// What every learned account may have of a full table; only where nothing dead takes room.
    pub(crate) fn fair_share(&self, newcomer: Account) -> u32 {
        let mut accounts: Vec<_> =
            self.entries.values().filter_map(|known| Some(known.learned?.account)).collect();
        let (all, learned) = (self.entries.len() as u32, accounts.len() as u32);
        accounts.push(newcomer);
        accounts.sort();
        accounts.dedup();
        let room = self.limits.learned.min(self.limits.entries - (all - learned));
        room / accounts.len() as u32
    }

    /// Makes a VNI known, as every operation that adds does.
    pub(crate) fn know(&mut self, vni: Vni) -> Result<Segment, Error> {
        if let Some(&segment) = self.vnis.get(&vni) {
            return Ok(segment);
        }
        let limit = self.limits.vnis;
        if self.vnis.len() as u32 >= limit {
            return Err(Error::Full { what: Resource::Vnis, limit });
        }
        let free = |&(sweeps, held): &(u32, bool)| !held && self.sweeps - sweeps >= 2;
        if self.vnis.len() + self.removed_vnis.len() >= limit as usize {
            let swept = self.removed_vnis.iter().any(|&(sweeps, _)| self.sweeps - sweeps >= 2);
            let pending = if swept { Error::QuiescePending } else { Error::SweepPending };
            let free = self.removed_vnis.iter().position(free).ok_or(pending)?;
            self.removed_vnis.remove(free);
        }
        self.segments += 1;
        let segment = Segment { number: self.segments, flushes: 0, limit: None };
        self.vnis.insert(vni, segment);
        Ok(segment)
    }

    pub(crate) fn forget(&mut self, vni: Vni) -> Result<(), Error> {
        self.vnis.remove(&vni).ok_or(Error::NotFound)?;
        self.removed_vnis.push((self.sweeps, self.has_worker));
        Ok(())
    }

    pub(crate) fn remove_remote(&mut self, id: RemoteId) {
        let held = u32::from(self.has_worker);
        if let Some(far) = self.far_mut(id) {
            far.alive = false;
            self.held_remotes += held;
        }
    }

    /// Where a new remote finds a place.
    pub(crate) fn place_for_remote(&self) -> Result<(), Error> {
        let (limit, alive) =
            (self.limits.remotes, self.remotes.iter().filter(|(_, far)| far.alive).count() as u32);
        match () {
            () if alive >= limit => Err(Error::Full { what: Resource::Remotes, limit }),
            () if alive + self.held_remotes >= limit => Err(Error::QuiescePending),
            () => Ok(()),
        }
    }

    /// Removes an entry, with the list that was made for it.
    pub(crate) fn remove(&mut self, key: (u32, MacAddr)) -> Option<Known> {
        let known = self.entries.remove(&key)?;
        if let Destination::List(list) = known.to {
            if self.lists.get(&list).is_some_and(|list| list.owned) {
                self.remove_list(list);
            }
        }
        Some(known)
    }

    /// A list that was made for an entry that is dead: it goes when that is found.
    pub(crate) fn is_orphan(&self, list: ListId) -> bool {
        let lives = |(key, known): (&(u32, MacAddr), &Known)| {
            known.to == Destination::List(list) && self.is_live(key, known)
        };
        self.lists.get(&list).is_some_and(|list| list.owned) && !self.entries.iter().any(lives)
    }

    pub(crate) fn remove_list(&mut self, list: ListId) -> bool {
        self.held_lines += u32::from(self.has_worker);
        self.lists.remove(&list).is_some()
    }

    /// A sweep that saw everything as it is now.
    pub(crate) fn sweep(&mut self) {
        let dead: Vec<_> = self
            .entries
            .iter()
            .filter(|(key, known)| !self.is_live(key, known))
            .map(|(key, _)| *key)
            .collect();
        for key in dead {
            self.remove(key);
        }
        self.bury_members();
    }

    pub(crate) fn bury_members(&mut self) {
        let alive: Vec<_> = self.remotes.iter().filter(|(_, far)| far.alive).map(|(id, _)| *id).collect();
        for list in self.lists.values_mut() {
            list.members.retain(|member| alive.contains(member));
        }
        for members in self.groups.values_mut() {
            members.retain(|member| alive.contains(member));
        }
    }

    /// The members of a list that are there.
    pub(crate) fn members(&self, members: &[RemoteId]) -> Vec<RemoteId> {
        members.iter().copied().filter(|&member| self.far(member).is_some()).collect()
    }

    /// What any operation that adds refuses by its arguments alone.
    pub(crate) fn check(&self, operation: &'static str, mac: MacAddr, to: Destination) -> Result<(), Error> {
        let stale = match to {
            Destination::List(list) => {
                if self.lists.get(&list).is_some_and(|list| list.owned) {
                    return Err(Error::DestinationKind { operation });
                }
                if mac.is_unicast() {
                    return Err(Error::MacKind { operation: "a replication list", kind: MacKind::Unicast });
                }
                HandleKind::List
            }
            Destination::Group(_) => HandleKind::Group,
            _ => HandleKind::Remote,
        };
        if self.is_there(to) { Ok(()) } else { Err(Error::Stale(stale)) }
    }
}

/// The same host: address, and for link-local ones the interface.
pub(crate) fn place(remote: &Remote) -> (IpAddr, Option<u32>) {
    let link_local = matches!(remote.address, IpAddr::V6(a) if a.is_unicast_link_local());
    (remote.address, link_local.then_some(remote.egress))
}
