//! Operations of people: entries that are added, changed and deleted.

use encap::{
    table::{Change, Destination, Error, MacKind, NewEntry, Resource, State},
    wire::{MacAddr, Vni},
};

use super::{
    Run, is_listed,
    op::{How, New},
    reference::{Known, Listed, Segment},
};

impl Run {
    pub(super) fn put(&mut self, how: How, vni: Vni, mac: MacAddr, new: New) {
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
        if known.state.ages() && self.model.is_overdue() {
            assert_eq!(answer, Err(Error::SweepPending));
            return;
        }
        let makes_list = is_listed(mac) && matches!(to, Destination::Remote(_));
        if !self.model.vnis.contains_key(&vni) && self.is_refused_before_its_vni(answer, makes_list) {
            return;
        }
        let segment = match self.model.know(vni) {
            Ok(segment) => segment,
            Err(error) => {
                // The list that was made for it is freed.
                self.model.held_lines += u32::from(makes_list && self.model.has_worker);
                return assert_eq!(answer, Err(error));
            }
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

    /// Whether there was no room for the first entry of a VNI: then that is not added.
    fn is_refused_before_its_vni(&mut self, answer: Result<Change, Error>, makes_list: bool) -> bool {
        let limit = self.model.limits.entries;
        let all = self.model.count_all();
        let gave_way = all.may_be_full(limit) && self.give_way();
        match answer {
            Err(Error::Full { what: Resource::Entries, .. }) => {
                assert!(all.may_be_full(limit) && !gave_way);
                true
            }
            Err(Error::QuiescePending) => makes_list && self.model.held_lines > 0,
            _ => {
                assert!(gave_way || !all.must_be_full(limit));
                false
            }
        }
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
            (How::Append, Destination::List(list), Destination::Remote(remote))
                if self.model.lists[&list].owned =>
            {
                updated |= !self.model.lists[&list].members.contains(&remote);
            }
            (How::Append, Destination::List(_), _) => return other,
            (How::Append, old, new) if old == new => updated |= there.learned.is_some(),
            (How::Append, ..) if mac.is_unicast() => {
                return Err(Error::OneDestination);
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
        let held_lines = model.held_lines;
        let gave_way = all.may_be_full(limits.entries) && self.give_way();
        match answer {
            Ok(change) => {
                assert_eq!(change, Change::Created);
                assert!(!in_vni.must_be_full(limit) && (gave_way || !all.must_be_full(limits.entries)));
            }
            Err(error) if error == full_vni => return assert!(in_vni.may_be_full(limit)),
            Err(error) if error == full => {
                return assert!(all.may_be_full(limits.entries) && !in_vni.must_be_full(limit));
            }
            Err(Error::QuiescePending) => return assert!(makes_list && held_lines > 0),
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

    /// In a full table a learned entry may have gone for one that was added.
    fn give_way(&mut self) -> bool {
        let (fdb, now) = (self.tables.fdb(), self.model.now);
        let is_gone = |known: &Known, mac| fdb.get(now, known.vni, mac) == Err(Error::NotFound);
        // Not of a VNI that was removed, though there may be one with its name again.
        let live = self.model.entries.iter().filter(|(key, known)| {
            self.model.key(known.vni, key.1) == Some(**key) && self.model.live(known.vni, key.1).is_some()
        });
        let gone: Vec<_> = live.filter(|(key, known)| is_gone(known, key.1)).map(|(key, _)| *key).collect();
        assert!(gone.len() <= 1, "{gone:?}");
        for key in &gone {
            assert!(self.model.entries[key].learned.is_some());
            self.model.remove(*key);
        }
        !gone.is_empty()
    }

    pub(super) fn delete(&mut self, vni: Vni, mac: MacAddr) {
        let answer = self.tables.fdb().delete(self.model.now, vni, mac);
        match self.model.live(vni, mac) {
            Some(known) => {
                assert!(self.model.agrees(&answer.unwrap(), &known));
                self.model.remove(self.model.key(vni, mac).unwrap());
            }
            None => assert_eq!(answer, Err(Error::NotFound)),
        }
    }

    pub(super) fn delete_destination(&mut self, vni: Vni, mac: MacAddr, to: Destination) {
        let answer = self.tables.fdb().delete_destination(self.model.now, vni, mac, to);
        let Some(known) = self.model.live(vni, mac) else {
            return assert_eq!(answer, Err(Error::NotFound));
        };
        let key = self.model.key(vni, mac).unwrap();
        let own = |to| matches!(to, Destination::List(list) if self.model.lists[&list].owned);
        if let (true, Destination::List(list), Destination::Remote(remote)) = (own(known.to), known.to, to) {
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
}
