//! Each call, and what the rules say to its answer.

use std::{net::IpAddr, num::NonZeroU32};

use encap::{
    table::{
        Ageing, Change, Destination, Error, Event, Filter, HandleKind, LearnFrom, Learned, MacKind, Members,
        NewEntry, Quota, Refusal, Remote, RemoteId, Resource, State,
    },
    wire::{MacAddr, Vni},
};

use super::{
    Run, is_listed,
    op::{self, How, New, Op},
    pick,
    reference::{Account, Far, Known, Learning, Listed, Segment, place},
};

impl Run {
    pub(super) fn call(&mut self, op: Op) {
        match op {
            Op::Put { how, vni, mac, new } => self.put(how, vni, mac, new),
            Op::Delete { vni, mac } => self.delete(vni, mac),
            Op::DeleteDestination { vni, mac, to } => {
                if let Some(to) = self.destination(to) {
                    self.delete_destination(vni, mac, to);
                }
            }
            Op::Learn { vni, mac, remote } => {
                if let Some(remote) = self.remote(remote) {
                    self.learn(vni, mac, remote);
                }
            }
            Op::Flush { what, value, also_vni, budget } => self.flush(what, value, also_vni, budget),
            Op::FlushLearned { vni } => self.flush_learned(vni),
            Op::FlushLearnedFrom { remote } => {
                if let Some(remote) = self.remote(remote) {
                    self.flush_learned_from(remote);
                }
            }
            Op::Wait { steps } => self.wait(u32::from(steps % 4) + 1),
            Op::Back { steps } => {
                // What is dead now could come to life again, unless it is gone.
                self.sweep();
                let back = self.unit * 10 * u32::from(steps % 4);
                self.model.now = encap::time::Instant::from_micros(
                    self.model.now.as_micros().saturating_sub(back.as_micros() as u64),
                );
            }
            Op::Sleep => self.model.now = self.model.now.saturating_add(self.unit * 75 * 1_000),
            Op::Sweep => self.sweep(),
            Op::SweepSome { budget } => {
                self.sweep_some(usize::from(budget) % 40);
                self.remove_unused(false);
            }
            Op::SetAgeing { long } => {
                self.sweep();
                if self.model.ageing.is_some() {
                    let ageing = self.unit * if long { 75 } else { 35 };
                    self.tables.set_ageing(Ageing::After(ageing)).unwrap();
                    self.model.ageing = Some(ageing);
                }
            }
            Op::Remote { how, name, quota } => self.add_remote(how, name, quota),
            Op::RemoveRemote { remote } => {
                if let Some(id) = self.remote(remote) {
                    let alive = self.model.far(id).is_some();
                    let stale = Err(STALE);
                    assert_eq!(self.tables.remotes().remove(id), if alive { Ok(()) } else { stale });
                    self.model.remove_remote(id);
                }
            }
            Op::ChangeRemote { remote, what, value } => self.change_remote(remote, what, value),
            Op::AddVni { vni } => {
                let known = self.model.know(vni).map(|_| ());
                assert_eq!(self.tables.fdb().add_vni(vni), known);
            }
            Op::RemoveVni { vni } => {
                assert_eq!(self.tables.fdb().remove_vni(vni), self.model.forget(vni));
            }
            Op::SetLimit { vni, limit } => {
                let limit = NonZeroU32::new(u32::from(limit % 8));
                let known = self.model.know(vni).map(|_| ());
                assert_eq!(self.tables.fdb().set_limit(vni, limit), known);
                if let Some(segment) = self.model.vnis.get_mut(&vni) {
                    segment.limit = limit.map(NonZeroU32::get);
                }
            }
            Op::AddMembers { group, members } => self.add_members(group, members),
            Op::AppendMember { group, list, remote } => self.append_member(group, list, remote),
            Op::DeleteMember { group, list, remote } => self.delete_member(group, list, remote),
            Op::RemoveMembers { group, list } => self.remove_members(group, list),
            Op::Worker { what } => self.work(what),
        }
    }

    fn wait(&mut self, steps: u32) {
        let now = self.model.now.saturating_add(self.unit * 10 * steps);
        // Swept in time, or not for so long that there is no doubt.
        let since = now.saturating_since(self.model.swept);
        if since > self.unit * 35 * 15 && since < self.unit * 75 * 200 {
            self.sweep();
        }
        self.model.now = now;
    }

    fn put(&mut self, how: How, vni: Vni, mac: MacAddr, new: New) {
        let Some(to) = self.destination(new.to) else { return };
        let (entry, known) = self.entry(vni, to, new);
        let fdb = self.tables.fdb();
        let answer = match how {
            How::Add => fdb.add(vni, mac, entry).map(|()| Change::Created),
            How::Append => fdb.append(vni, mac, entry),
            How::Replace => fdb.replace(vni, mac, entry),
        };
        let operation = match how {
            How::Add => "add",
            How::Append => "append",
            How::Replace => "replace",
        };
        if how == How::Replace && is_listed(mac) {
            let kind = if mac == MacAddr::ZERO { MacKind::Zero } else { MacKind::Multicast };
            assert_eq!(answer, Err(Error::MacKind { operation, kind }));
            return;
        }
        if let Err(error) = self.model.check(operation, mac, to) {
            assert_eq!(answer, Err(error));
            return;
        }
        let segment = match self.model.know(vni) {
            Ok(segment) => segment,
            Err(error) => return assert_eq!(answer, Err(error)),
        };
        let key = (segment.number, mac);
        let there = self.model.entries.get(&key).copied().filter(|there| self.model.is_present(&key, there));
        // Who says no time sees what is expired, where it was not found by somebody else.
        let seen = there.filter(|there| !known.state.ages() || !self.model.is_expired(there));
        if let Some(there) = seen {
            let expected = self.change(how, operation, mac, there, known);
            if !self.model.is_expired(&there) || answer == expected {
                assert_eq!(answer, expected);
                if answer.is_ok() {
                    self.rewrite(key, there, known);
                }
                return;
            }
        }
        self.model.remove(key);
        self.create(key, segment, known, answer);
    }

    fn entry(&self, vni: Vni, to: Destination, new: New) -> (NewEntry, Known) {
        let now = self.model.now;
        let (state, mut entry) = match new.state {
            0..3 => (State::Permanent, NewEntry::to(to)),
            3 => (State::Static, NewEntry::to(to).as_static()),
            4..6 => (State::Dynamic, NewEntry::to(to).dynamic(now)),
            _ => (State::ExternLearn, NewEntry::to(to).extern_learn()),
        };
        let (router, sticky) = (new.flags & 1 != 0, new.flags & 6 == 2);
        entry = if router { entry.router() } else { entry };
        entry = if sticky { entry.sticky() } else { entry };
        let (origin, cookie) = (new.cookie & 3, u32::from(new.cookie >> 2));
        let known = Known { vni, to, state, router, sticky, origin, cookie, confirmed: now, learned: None };
        (entry.origin(origin, cookie), known)
    }

    /// What becomes of an entry that is there.
    fn change(
        &self,
        how: How,
        operation: &'static str,
        mac: MacAddr,
        there: Known,
        known: Known,
    ) -> Result<Change, Error> {
        let other = Err(Error::DestinationKind { operation });
        let mut updated = (there.state, there.router, there.sticky, there.origin, there.cookie)
            != (known.state, known.router, known.sticky, known.origin, known.cookie);
        match (how, there.to, known.to) {
            (How::Add, ..) => return Err(Error::Exists),
            (How::Append, Destination::List(list), Destination::Remote(remote)) => {
                updated |= !self.model.lists[&list].members.contains(&remote);
            }
            (How::Append, Destination::List(_), _) => return other,
            (How::Append, old, new) if old == new => updated |= there.learned.is_some(),
            (How::Append, ..) if mac.is_unicast() => {
                return Err(Error::MacKind { operation, kind: MacKind::Unicast });
            }
            (How::Append, ..) => return other,
            (How::Replace, old, new) => {
                let is_group = |to| matches!(to, Destination::Group(_));
                if is_group(old) != is_group(new) {
                    return other;
                }
                updated |= old != new || there.learned.is_some();
            }
        }
        Ok(if updated { Change::Updated } else { Change::Unchanged })
    }

    fn rewrite(&mut self, key: (u32, MacAddr), there: Known, known: Known) {
        let mut to = known.to;
        if let (Destination::List(list), Destination::Remote(remote)) = (there.to, known.to) {
            let members = &mut self.model.lists.get_mut(&list).unwrap().members;
            if !members.contains(&remote) {
                members.push(remote);
            }
            to = there.to;
        }
        self.model.entries.insert(key, Known { to, ..known });
    }

    fn create(&mut self, key: (u32, MacAddr), segment: Segment, known: Known, answer: Result<Change, Error>) {
        let model = &self.model;
        let in_vni = model.count(|key, known| {
            key.0 == segment.number
                && known.learned.is_none_or(|learning| learning.vni_flushes == segment.flushes)
        });
        let (limit, limits, all) = (model.limit_of(segment), model.limits, model.count_all());
        let full_vni = Error::Full { what: Resource::EntriesOfVni, limit };
        let full = Error::Full { what: Resource::Entries, limit: limits.entries };
        let makes_list = is_listed(key.1) && matches!(known.to, Destination::Remote(_));
        match answer {
            Ok(change) => {
                assert_eq!(change, Change::Created);
                assert!(!in_vni.must_be_full(limit) && !all.must_be_full(limits.entries));
                assert!(!(known.state.ages() && model.is_overdue()), "it would not be found");
            }
            Err(error) if error == full_vni => return assert!(in_vni.may_be_full(limit)),
            Err(error) if error == full => {
                return assert!(all.may_be_full(limits.entries) && !in_vni.must_be_full(limit));
            }
            Err(Error::SweepPending) => return assert!(makes_list && model.held_lines > 0),
            Err(Error::Busy) => return assert!(known.state.ages() && model.is_overdue()),
            Err(error) => panic!("{error:?}"),
        }
        let mut known = known;
        if let (true, Destination::Remote(remote)) = (makes_list, known.to) {
            known.to = self.tables.fdb().get(self.model.now, known.vni, key.1).unwrap().destination;
            let Destination::List(list) = known.to else { panic!("{:?}", known.to) };
            self.model.lists.insert(list, Listed { members: vec![remote], owned: true });
            self.lists.push(list);
        }
        self.model.entries.insert(key, known);
    }

    fn delete(&mut self, vni: Vni, mac: MacAddr) {
        let answer = self.tables.fdb().delete(self.model.now, vni, mac);
        match self.model.live(vni, mac) {
            Some(known) => {
                assert!(self.model.agrees(&answer.unwrap(), &known));
                self.model.remove(self.model.key(vni, mac).unwrap());
            }
            None => assert_eq!(answer, Err(Error::NotFound)),
        }
    }

    fn delete_destination(&mut self, vni: Vni, mac: MacAddr, to: Destination) {
        let answer = self.tables.fdb().delete_destination(self.model.now, vni, mac, to);
        let Some(known) = self.model.live(vni, mac) else {
            return assert_eq!(answer, Err(Error::NotFound));
        };
        let key = self.model.key(vni, mac).unwrap();
        if let (Destination::List(list), Destination::Remote(remote)) = (known.to, to) {
            let was_there = self.model.far(remote).is_none() && answer.is_ok();
            let members = &mut self.model.lists.get_mut(&list).unwrap().members;
            let before = members.len();
            members.retain(|&member| member != remote);
            if members.len() == before && !was_there {
                return assert_eq!(answer, Err(Error::NoSuchDestination));
            }
            // A member that was removed elsewhere may be gone already.
            if self.model.far(remote).is_none() && answer == Err(Error::NoSuchDestination) {
                return;
            }
            let members = self.model.lists[&list].members.clone();
            if !self.model.members(&members).is_empty() {
                return assert_eq!(answer, Ok(Change::Updated));
            }
        } else if known.to != to {
            return assert_eq!(answer, Err(Error::NoSuchDestination));
        }
        assert_eq!(answer, Ok(Change::Removed));
        self.model.remove(key);
    }

    fn learn(&mut self, vni: Vni, mac: MacAddr, from: RemoteId) {
        let answer = self.tables.fdb().learn(self.model.now, vni, mac, from);
        let refused = |why| assert_eq!(answer, Learned::Refused(why));
        let model = &self.model;
        if !mac.is_unicast() {
            return refused(Refusal::InvalidSource);
        }
        let Some(&segment) = model.vnis.get(&vni) else { return refused(Refusal::UnknownVni) };
        let Some(far) = model.far(from) else { return refused(Refusal::StaleRemote) };
        if !far.configured && model.limits.learn_from == LearnFrom::Configured {
            return refused(Refusal::UnconfiguredRemote);
        }
        let key = (segment.number, mac);
        let Some(known) = model.live(vni, mac) else { return self.discover(key, segment, from, answer) };
        let Destination::Remote(there) = known.to else { return refused(Refusal::Static) };
        let here = place(&far.remote);
        if place(&model.far(there).unwrap().remote) == here {
            assert_eq!(answer, Learned::Refreshed);
            // A clock that was ahead is waited for.
            let confirmed = known.confirmed.max(model.now);
            self.model.entries.insert(key, Known { confirmed, ..known });
            return;
        }
        match known.state {
            State::Permanent | State::Static => return refused(Refusal::Static),
            _ if known.sticky => return refused(Refusal::Sticky),
            _ => {}
        }
        let learned = known.learned.map(|_| self.learning(segment, from));
        if let Some(learning) = learned {
            let (count, limit) = (model.count_account(learning.account), model.limits.quota);
            if answer == Learned::Refused(Refusal::QuotaLimit) {
                return assert!(count.may_be_full(limit));
            }
            assert!(!count.must_be_full(limit));
        }
        assert_eq!(answer, Learned::Moved { from: there });
        let confirmed = model.now;
        self.model.entries.insert(key, Known { to: from.into(), confirmed, learned, ..known });
    }

    fn learning(&self, segment: Segment, from: RemoteId) -> Learning {
        Learning {
            vni_flushes: segment.flushes,
            remote_flushes: self.model.far(from).unwrap().flushes,
            account: self.model.account(segment, from).unwrap(),
        }
    }

    fn discover(&mut self, key: (u32, MacAddr), segment: Segment, from: RemoteId, answer: Learned) {
        let model = &self.model;
        let (learning, limits) = (self.learning(segment, from), model.limits);
        // Of the dead, those in the place of the newcomer do not count.
        let mine = |other: &(u32, MacAddr)| *other == key;
        let in_vni = model.count(|key, known| {
            key.0 == segment.number
                && known.learned.is_none_or(|learning| learning.vni_flushes == segment.flushes)
                && !mine(key)
        });
        let all = model.count(|key, _| !mine(key));
        let learned = model.count(|key, known| known.learned.is_some() && !mine(key));
        let account = match learning.account {
            Account::Own(id) => model.count_learned_from(id),
            account => model.count_account(account),
        };
        let vni_limit = model.limit_of(segment);
        match answer {
            Learned::Refused(Refusal::VniLimit) => return assert!(in_vni.may_be_full(vni_limit)),
            Learned::Refused(Refusal::QuotaLimit) => return assert!(account.may_be_full(limits.quota)),
            Learned::Refused(Refusal::TableFull) => {
                return assert!(all.may_be_full(limits.entries) || learned.may_be_full(limits.learned));
            }
            Learned::Busy => return assert!(model.is_overdue(), "busy without anybody else"),
            Learned::New { evicted } => {
                assert!(!in_vni.must_be_full(vni_limit) && !account.must_be_full(limits.quota));
                match evicted {
                    None => {
                        assert!(!all.must_be_full(limits.entries) && !learned.must_be_full(limits.learned))
                    }
                    Some(evicted) => {
                        assert!(all.may_be_full(limits.entries) || learned.may_be_full(limits.learned));
                        let victim = model.live(evicted.vni, evicted.mac).unwrap();
                        assert_eq!(victim.to, Destination::Remote(evicted.remote));
                        let learning_of_victim = victim.learned.expect("only what was learned gives way");
                        if model.count_all().live == model.count_all().all {
                            let share = model.fair_share(learning.account);
                            let has = model.count_account(learning_of_victim.account).all;
                            assert!(has > share, "{has} is no more than a fair share of {share}");
                        }
                        let victim = model.key(evicted.vni, evicted.mac).unwrap();
                        self.model.remove(victim);
                    }
                }
            }
            answer => panic!("{answer:?}"),
        }
        assert!(!self.model.is_overdue(), "it would not be found");
        self.model.remove(key);
        let known = Known {
            vni: *self.model.vnis.iter().find(|(_, known)| known.number == key.0).unwrap().0,
            to: from.into(),
            state: State::Learned,
            router: false,
            sticky: false,
            origin: 0,
            cookie: 0,
            confirmed: self.model.now,
            learned: Some(learning),
        };
        self.model.entries.insert(key, known);
    }

    fn flush(&mut self, what: u8, value: u8, also_vni: bool, budget: u8) {
        let filter = self.filter(what, value, also_vni);
        let (mut cursor, mut entries, mut remotes) = (Default::default(), 0, 0);
        let mut events = Vec::new();
        loop {
            let budget = usize::from(budget % 8) + 1;
            let done =
                self.tables.fdb().flush(self.model.now, &filter, cursor, budget, |event| events.push(event));
            (entries, remotes) = (entries + done.entries, remotes + done.remotes);
            match done.next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        for event in events {
            match event {
                Event::Removed(entry) => {
                    entries -= 1;
                    let key = self.flushed(&filter, entry);
                    let known = self.model.entries[&key];
                    let (gone, left) = self.take_named(&filter, known);
                    assert!(left == 0 && (gone > 0 || !names_remotes(&filter)), "{entry:?}");
                    self.model.remove(key);
                }
                Event::RemotesRemoved { entry, remotes: count } => {
                    remotes -= count;
                    let key = self.flushed(&filter, entry);
                    let (gone, left) = self.take_named(&filter, self.model.entries[&key]);
                    assert!(gone == count && left > 0, "{entry:?}");
                }
                event => panic!("{event:?}"),
            }
        }
        assert_eq!((entries, remotes), (0, 0));
        for (vni, mac) in self.model.all_live() {
            let known = self.model.live(vni, mac).unwrap();
            if self.names(&filter, &known) {
                let is_remote = matches!(known.to, Destination::Remote(_) | Destination::List(_));
                let left = names_remotes(&filter) && (!is_remote || self.take_named(&filter, known).0 == 0);
                assert!(left, "{known:?} should have gone by {filter:?}");
            }
        }
    }

    fn filter(&self, what: u8, value: u8, also_vni: bool) -> Filter {
        let mut filter = Filter::ALL;
        filter.vni = also_vni.then(|| op::vni(value >> 4));
        match what % 16 {
            0 => {}
            1 => filter.vni = Some(op::vni(value)),
            2 => {
                let states =
                    [State::Permanent, State::Static, State::Dynamic, State::Learned, State::ExternLearn];
                filter.state = Some(states[usize::from(value) % 5]);
            }
            3 => filter.router = Some(value & 1 != 0),
            4 => filter.sticky = Some(value & 1 != 0),
            5 => filter.origin = Some(value & 3),
            6 => filter.older_than = Some(u32::from(value >> 2)),
            7 => filter = Filter::untouched(value & 3, u32::from(value >> 2)),
            8 => filter.group = pick(&self.groups, value).copied(),
            9 => filter.port = Some(remote(value).port),
            10 => filter.remote_vni = Some(op::vni(value)),
            11 => filter.egress = Some(remote(value).egress),
            _ => filter.address = Some(remote(value).address),
        }
        filter
    }

    /// Whether the filter says so of the entry.
    fn names(&self, filter: &Filter, known: &Known) -> bool {
        let older = |than: u32| known.learned.is_none() && known.cookie.wrapping_sub(than) >= 1 << 31;
        filter.vni.is_none_or(|vni| vni == known.vni)
            && filter.state.is_none_or(|state| state == known.state)
            && filter.router.is_none_or(|router| router == known.router)
            && filter.sticky.is_none_or(|sticky| sticky == known.sticky)
            && filter.origin.is_none_or(|origin| origin == known.origin)
            && filter.older_than.is_none_or(older)
            && filter.group.is_none_or(|group| known.to == Destination::Group(group))
    }

    fn names_remote(&self, filter: &Filter, vni: Vni, id: RemoteId) -> bool {
        self.model.far(id).is_some_and(|far| {
            let Remote { address, port, egress, vni: own, .. } = far.remote;
            filter.address.is_none_or(|wanted| wanted == address)
                && filter.port.is_none_or(|wanted| wanted == port)
                && filter.egress.is_none_or(|wanted| wanted == egress)
                && filter.remote_vni.is_none_or(|wanted| wanted == own.unwrap_or(vni))
        })
    }

    /// An event is of an entry that is there, and that the filter names.
    fn flushed(&self, filter: &Filter, entry: encap::table::Entry) -> (u32, MacAddr) {
        let known = self.model.live(entry.vni, entry.mac).unwrap();
        assert!(self.names(filter, &known) && self.model.agrees(&entry, &known), "{entry:?}");
        self.model.key(entry.vni, entry.mac).unwrap()
    }

    /// Takes the remotes that a filter names out of an entry; answers how many went, and how many stay.
    fn take_named(&mut self, filter: &Filter, known: Known) -> (usize, usize) {
        if !names_remotes(filter) {
            return (0, 0);
        }
        match known.to {
            Destination::Remote(id) => {
                let named = self.names_remote(filter, known.vni, id);
                (named.into(), (!named).into())
            }
            Destination::List(list) => {
                let before = self.model.lists[&list].members.clone();
                let (gone, left): (Vec<_>, Vec<_>) =
                    before.into_iter().partition(|&id| self.names_remote(filter, known.vni, id));
                let there = self.model.members(&left).len();
                self.model.lists.get_mut(&list).unwrap().members = left;
                (gone.len(), there)
            }
            _ => (0, 1),
        }
    }

    fn flush_learned(&mut self, vni: Vni) {
        let answer = self.tables.fdb().flush_learned(vni);
        let Some(&segment) = self.model.vnis.get(&vni) else {
            return assert_eq!(answer, Err(Error::NotFound));
        };
        match answer {
            Ok(count) => {
                assert!(self.model.count_learned_of(segment).admits(count));
                self.model.vnis.get_mut(&vni).unwrap().flushes += 1;
            }
            Err(error) => assert!(error == Error::SweepPending && segment.flushes >= 200),
        }
    }

    fn flush_learned_from(&mut self, id: RemoteId) {
        let answer = self.tables.fdb().flush_learned_from(id);
        let count = self.model.count_learned_from(id);
        let stale = Err(STALE);
        let Some(far) = self.model.far_mut(id) else { return assert_eq!(answer, stale) };
        match answer {
            Ok(answer) => {
                assert!(count.admits(answer));
                far.flushes += 1;
            }
            Err(error) => assert!(error == Error::SweepPending && far.flushes >= 100),
        }
    }

    fn add_remote(&mut self, how: How, name: u8, quota: u8) {
        let quota = [Quota::Own, Quota::Own, Quota::Shared(0), Quota::Shared(1), Quota::Shared(2)]
            [usize::from(quota) % 5];
        let remote = remote(name).quota(quota);
        let remotes = self.tables.remotes();
        let answer = match how {
            How::Add => remotes.add(&remote),
            How::Append => remotes.find_or_learn(&remote),
            How::Replace => remotes.find_or_add(&remote),
        };
        let there = self.model.named(&remote);
        if let (How::Append, Some(id)) = (how, there) {
            return assert_eq!(answer, Ok(id));
        }
        let unknown_quota = Error::NoSuchQuota { quota: 2, had: self.model.limits.quotas };
        match (how, there) {
            (How::Replace, Some(id)) if self.model.far(id).unwrap().configured => {
                return assert_eq!(answer, Ok(id));
            }
            _ if quota == Quota::Shared(2) => return assert_eq!(answer, Err(unknown_quota)),
            (How::Replace, Some(id)) => {
                // Somebody's from now on; what was learned is learned anew, on its own account.
                assert_eq!(answer, Ok(id));
                let far = self.model.far_mut(id).unwrap();
                (far.configured, far.flushes, far.remote.quota) = (true, far.flushes + 1, quota);
                return;
            }
            (_, Some(_)) => return assert_eq!(answer, Err(Error::Exists)),
            (_, None) => {}
        }
        let unconfigured =
            self.model.remotes.iter().filter(|(_, far)| far.alive && !far.configured).count() as u32;
        let limit = self.model.limits.unconfigured;
        if how == How::Append && unconfigured >= limit {
            let full = Error::Full { what: Resource::UnconfiguredRemotes, limit };
            return assert_eq!(answer, Err(full));
        }
        assert_eq!(answer.map(|_| ()), self.model.place_for_remote());
        if let Ok(id) = answer {
            assert!(self.model.remotes.iter().all(|(known, _)| *known != id), "a handle of before");
            let configured = how != How::Append;
            self.model
                .remotes
                .push((id, Far { remote, header: vec![], alive: true, configured, flushes: 0 }));
        }
    }

    fn change_remote(&mut self, number: u8, what: u8, value: u8) {
        let Some(id) = self.remote(number) else { return };
        let remotes = self.tables.remotes();
        let mac = (value & 1 != 0).then_some(op::mac(value));
        let header: Vec<_> = (0..value % 90).collect();
        let answer = match what % 3 {
            0 => remotes.set_next_hop(id, mac),
            1 => remotes.set_mtu(id, value.into()),
            _ => remotes.set_header(id, &header),
        };
        if what % 3 == 2 && header.len() > 84 {
            return assert_eq!(answer, Err(Error::HeaderTooLong { needed: header.len(), had: 84 }));
        }
        let stale = Err(STALE);
        let Some(far) = self.model.far_mut(id) else { return assert_eq!(answer, stale) };
        assert_eq!(answer, Ok(()));
        match what % 3 {
            0 => far.remote.next_hop = mac,
            1 => far.remote.mtu = value.into(),
            _ => far.header = header,
        }
    }

    fn add_members(&mut self, group: bool, members: [u8; 3]) {
        let mut members: Vec<_> = members.iter().filter_map(|&number| self.remote(number)).collect();
        let lists = self.tables.lists();
        let added = if group {
            lists.add_group(&members).map(|id| self.groups.push(id))
        } else {
            lists.add_list(&members).map(|id| self.lists.push(id))
        };
        let all_there = members.iter().all(|&id| self.model.far(id).is_some());
        if added == Err(Error::SweepPending) {
            return assert!(self.model.held_lines > 0);
        }
        if !all_there {
            // What was taken was given back.
            self.model.held_lines += u32::from(self.model.has_worker);
            return assert_eq!(added, Err(STALE));
        }
        assert_eq!(added, Ok(()));
        let mut seen = Vec::new();
        members.retain(|id| {
            !seen.contains(id) && {
                seen.push(*id);
                true
            }
        });
        if let (true, Some(&id)) = (group, self.groups.last()) {
            assert!(self.model.groups.insert(id, members).is_none());
        } else if let Some(&id) = self.lists.last() {
            assert!(self.model.lists.insert(id, Listed { members, owned: false }).is_none());
        }
    }

    fn append_member(&mut self, group: bool, list: u8, number: u8) {
        let Some((members, id)) = self.members(group, list).zip(self.remote(number)) else { return };
        let answer = self.tables.lists().append(members, id);
        let alive = self.model.far(id).is_some();
        match self.listed(group, list) {
            _ if !alive => assert_eq!(answer, Err(STALE)),
            None => assert_eq!(answer, Err(Error::Stale(kind(group)))),
            Some(members) => {
                assert_eq!(answer, Ok(!members.contains(&id)));
                if answer == Ok(true) {
                    members.push(id);
                }
            }
        }
    }

    fn delete_member(&mut self, group: bool, list: u8, number: u8) {
        let Some((members, id)) = self.members(group, list).zip(self.remote(number)) else { return };
        let answer = self.tables.lists().delete(members, id);
        let alive = self.model.far(id).is_some();
        match self.listed(group, list) {
            None => assert_eq!(answer, Err(Error::Stale(kind(group)))),
            Some(members) => {
                let there = members.contains(&id);
                // A member that was removed elsewhere may be gone already.
                assert!(answer == Ok(there) || (!alive && there && answer == Ok(false)));
                members.retain(|&member| member != id);
            }
        }
    }

    fn remove_members(&mut self, group: bool, list: u8) {
        let Some(members) = self.members(group, list) else { return };
        let answer = self.tables.lists().remove(members);
        let removed = match group {
            true => self.model.groups.remove(&self.group(list).unwrap()).is_some(),
            false => self.model.remove_list(self.list(list).unwrap()),
        };
        assert_eq!(answer, if removed { Ok(()) } else { Err(Error::Stale(kind(group))) });
    }

    /// A list or group, dead or alive.
    fn members(&self, group: bool, number: u8) -> Option<Members> {
        if group { self.group(number).map(Into::into) } else { self.list(number).map(Into::into) }
    }

    fn listed(&mut self, group: bool, number: u8) -> Option<&mut Vec<RemoteId>> {
        if group {
            self.group(number).and_then(|id| self.model.groups.get_mut(&id))
        } else {
            self.list(number).and_then(|id| self.model.lists.get_mut(&id)).map(|list| &mut list.members)
        }
    }

    fn work(&mut self, what: u8) {
        match (what % 4, self.worker.take()) {
            (0, None) => self.worker = Some(self.tables.register().unwrap()),
            (0, Some(worker)) => {
                let full = Error::Full { what: Resource::Workers, limit: 1 };
                assert_eq!(self.tables.register(), Err(full));
                self.worker = Some(worker);
                return;
            }
            (1, Some(worker)) => self.tables.unregister(worker),
            (_, Some(worker)) => {
                self.tables.quiesce(&worker);
                self.worker = Some(worker);
            }
            (_, None) => {}
        }
        self.model.has_worker = self.worker.is_some();
        (self.model.held_remotes, self.model.held_lines) = (0, 0);
        self.model.removed_vnis.iter_mut().for_each(|(_, held)| *held = false);
    }
}

/// Remotes that differ in one thing or another: address, family, port, VNI, egress.
fn remote(number: u8) -> Remote {
    let v4 = |last| Remote::new(IpAddr::from([192, 0, 2, last]), 4789);
    let link_local = Remote::new(IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]), 4789);
    match number % 32 {
        0 => Remote::new(IpAddr::from([192, 0, 2, 1]), 8472),
        1 => v4(1).vni(op::vni(0)),
        2 => v4(1).vni(op::vni(1)),
        3 => v4(1).egress(1),
        4 => link_local,
        5 => link_local.egress(1),
        6 => Remote::new(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]), 4789),
        last => v4(last),
    }
}

const fn names_remotes(filter: &Filter) -> bool {
    filter.address.is_some()
        || filter.port.is_some()
        || filter.remote_vni.is_some()
        || filter.egress.is_some()
}

const fn kind(group: bool) -> HandleKind {
    if group { HandleKind::Group } else { HandleKind::List }
}

const STALE: Error = Error::Stale(HandleKind::Remote);
