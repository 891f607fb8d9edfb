//! Each call, and what the rules say to its answer; here those of remotes, lists, workers and time.

use std::{net::IpAddr, num::NonZeroU32};

use encap::{
    table::{Ageing, Error, HandleKind, Members, Quota, Remote, RemoteId, Resource},
    time::Instant,
};

use super::{
    Run,
    op::{self, How, Op},
    reference::{Far, Listed},
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
                self.model.now =
                    Instant::from_micros(self.model.now.as_micros().saturating_sub(back.as_micros() as u64));
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
        if what % 3 == 2 && header.len() > 88 {
            return assert_eq!(answer, Err(Error::HeaderTooLong { needed: header.len(), had: 88 }));
        }
        let stale = Err(STALE);
        let Some(far) = self.model.far_mut(id) else { return assert_eq!(answer, stale) };
        if what % 3 == 0 && mac.is_some_and(|mac| !mac.is_unicast()) {
            return assert_eq!(answer, Err(Error::NextHopMac));
        }
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
        if added == Err(Error::QuiescePending) {
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
pub(super) fn remote(number: u8) -> Remote {
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

const fn kind(group: bool) -> HandleKind {
    if group { HandleKind::Group } else { HandleKind::List }
}

pub(super) const STALE: Error = Error::Stale(HandleKind::Remote);
