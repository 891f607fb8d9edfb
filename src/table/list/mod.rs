//! Replication lists and next-hop groups: chains of lines that hold remotes.
//!
//! ```text
//! word 0       1      2               13        14      15
//!      +-------+------+---------------+---------+-------+
//!      | state | next | 12 members    | epoch   |passes |
//!      +-------+------+---------------+---------+-------+
//! state: generation (9 bits) | doomed | group | owned | head | used | lock
//! next: generation of the next line (9 bits) | its index and one (21); 0 at the end
//! ```
//!
//! A member keeps its position for as long as it is in, so whoever walks a chain meets it exactly once. New
//! members come last, as long as there is a line for them; without one they come where others have gone. A line
//! whose members are all gone is unlinked, but leads on to the next for those who are just reading it; it is used
//! again when all workers have passed a quiescent point.

mod chain;

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use self::chain::Link;
use super::{
    Error, GroupId, ListId, RemoteId, Resource, bucket::Busy, handle::Handle, hash::Seed, line::Line,
    meta::Meta, remote::Remotes, worker::Workers,
};

/// Lines for so many lists and members: the first line of each list is its own.
pub(crate) const fn lines(lists: u32, members: u32) -> usize {
    (lists as usize).saturating_add((members as usize).div_ceil(MEMBERS))
}

/// The table of replication lists and next-hop groups.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'t> {
    pub(crate) lines: &'t [Line],
    pub(crate) remotes: Remotes<'t>,
    pub(crate) seed: Seed,
    pub(crate) meta: Meta<'t>,
    pub(crate) workers: Workers<'t>,
}

impl<'t> Lists<'t> {
    /// A replication list of these remotes, in this order; each of them once.
    ///
    /// # Errors
    ///
    /// [`Error::Full`]; [`Error::QuiescePending`], seldom [`Error::SweepPending`], where there is only room that a
    /// worker's quiescent point, or sweeps, have yet to free; [`Error::Stale`] for a remote that was removed;
    /// [`Error::Busy`] where a sweep comes by just then, or somebody is at work on one of the remotes.
    pub fn add_list(&self, members: &[RemoteId]) -> Result<ListId, Error> {
        self.create(0, members).map(ListId)
    }

    /// A next-hop group of these remotes, each of them once.
    ///
    /// # Errors
    ///
    /// As for [`add_list`](Self::add_list).
    pub fn add_group(&self, members: &[RemoteId]) -> Result<GroupId, Error> {
        self.create(GROUP, members).map(GroupId)
    }

    /// Adds a remote; answers whether it is new there. It comes last, unless there is no room behind the others: then
    /// it takes the place of one that has gone, wherever that was. A list is of no VNI: one that says a VNI and one
    /// that does not are two here, where [`Fdb::append`](super::Fdb::append) knows the entry's.
    ///
    /// # Errors
    ///
    /// [`Error::Full`], [`Error::Busy`], [`Error::Stale`]; [`Error::QuiescePending`] and [`Error::SweepPending`]
    /// as for [`add_list`](Self::add_list).
    pub fn append(&self, list: impl Into<Members>, remote: RemoteId) -> Result<bool, Error> {
        self.push(list.into().0, remote, |member| member == remote)
    }

    /// Takes a remote out; answers whether it was there.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], [`Error::Stale`].
    pub fn delete(&self, list: impl Into<Members>, remote: RemoteId) -> Result<bool, Error> {
        let head = list.into().0;
        self.lock(head)?;
        let found = self.take_out(head, |member| member == remote.0);
        self.unlock(head);
        Ok(found > 0)
    }

    /// Removes a list or group: entries that name it are as if they were not there.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`], [`Error::Stale`].
    pub fn remove(&self, list: impl Into<Members>) -> Result<(), Error> {
        let head = list.into().0;
        self.lock(head)?;
        self.free(head);
        self.meta.note_deaths();
        Ok(())
    }

    /// The members of a list or group, first to last. One that is in during the whole walk is met exactly once, if who
    /// walks is a registered worker: else a line that is taken for another list meanwhile ends the walk early. Nothing,
    /// where the handle is of a list that was removed.
    pub fn members(&self, list: impl Into<Members>) -> Walk<'t> {
        let head = list.into().0;
        Walk {
            lists: *self,
            head,
            line: head.index(),
            generation: head.generation(),
            position: 0,
            left: self.lines.len(),
        }
    }

    /// The member of a group that flows of this hash go to. A member that goes takes no flows but its own with
    /// it, and one that comes takes its share of each (highest random weight).
    pub fn pick(&self, group: GroupId, flow: u32) -> Option<RemoteId> {
        let weight = |member: &RemoteId| self.seed.hash(u64::from(flow) << 32 | u64::from(member.0.0));
        self.members(group).max_by_key(weight)
    }

    /// Lines in use.
    pub fn used(&self) -> usize {
        self.lines.iter().fold(0, |used: usize, line| {
            used.saturating_add((line.word(STATE).load(Relaxed) & USED != 0).into())
        })
    }

    fn full(&self) -> Error {
        Error::Full { what: Resource::Members, limit: self.lines.len() as u32 }
    }

    pub(crate) fn create(&self, kind: u32, members: &[RemoteId]) -> Result<Handle, Error> {
        let index = self.claim(HEAD | kind)?;
        let line = self.lines.get(index).ok_or_else(|| self.full())?;
        self.fill(head_of(index, line.word(STATE).load(Relaxed)), members)
    }

    /// Puts the members into a new list, which is freed where that fails.
    fn fill(&self, head: Handle, members: &[RemoteId]) -> Result<Handle, Error> {
        let push = |&new: &RemoteId| self.push(head, new, |member| member == new).map(|_| ());
        let pushed = members.iter().try_for_each(push);
        pushed.inspect_err(|_| self.doom(head)).map(|()| head)
    }

    /// Frees a list, or has whoever holds its lock free it.
    fn doom(&self, head: Handle) {
        let Some(line) = self.lines.get(head.index()) else { return };
        line.word(STATE).fetch_or(DOOMED, AcqRel);
        if self.lock(head).is_ok() {
            self.free(head);
        }
    }

    /// Deletes the members that `which` names; answers how many went and whether others are left.
    pub(crate) fn delete_where(
        &self,
        head: Handle,
        which: impl Fn(RemoteId) -> bool,
    ) -> Result<(usize, bool), Error> {
        self.lock(head)?;
        let found = self.take_out(head, |member| which(RemoteId(member)));
        let left = self
            .chain(head)
            .flat_map(|line| (MEMBER..MEMBER + MEMBERS).map(|at| Handle(line.word(at).load(Relaxed))))
            .any(|member| member.0 != 0 && self.remotes.resolve(member).is_some());
        self.unlock(head);
        Ok((found, left))
    }

    /// Whether the forwarding database made this list, for one of its entries.
    pub(crate) fn is_owned(&self, head: Handle) -> bool {
        self.lines.get(head.index()).is_some_and(|line| {
            let state = line.word(STATE).load(Acquire);
            self.is_head(head, state) && state & OWNED != 0
        })
    }

    /// Whether an entry with this list leads anywhere: an entry's own list goes with its last member, somebody's own
    /// list may wait for members.
    pub(crate) fn leads_on(&self, head: Handle) -> bool {
        self.is_alive(head) && (!self.is_owned(head) || self.members(Members(head)).next().is_some())
    }

    /// Frees a list if the forwarding database made it.
    pub(crate) fn free_owned(&self, head: Handle) {
        if self.is_owned(head) {
            self.doom(head);
        }
    }

    /// Whether what the handle names is there.
    pub(crate) fn is_alive(&self, head: Handle) -> bool {
        self.lines.get(head.index()).is_some_and(|line| self.is_head(head, line.word(STATE).load(Acquire)))
    }

    /// Takes out of the list in this line, if one begins there, the members that were removed, and notes that the
    /// others are in use; for the sweep.
    pub(crate) fn sweep(&self, index: usize) -> Result<(), Busy> {
        let state = self.lines.get(index).map_or(0, |line| line.word(STATE).load(Acquire));
        if state & (USED | HEAD) != USED | HEAD {
            return Ok(());
        }
        let head = head_of(index, state);
        match self.lock(head) {
            Ok(()) => {}
            Err(Error::Busy) => return Err(Busy),
            // Removed just now.
            Err(_) => return Ok(()),
        }
        self.take_out(head, |member| {
            let gone = self.remotes.resolve(member).is_none();
            if !gone {
                self.remotes.note_use(member);
            }
            gone
        });
        self.unlock(head);
        Ok(())
    }
}

/// The handle of the list or group that begins in this line, by its state.
const fn head_of(index: usize, state: u32) -> Handle {
    let kind = if state & GROUP == 0 { Handle::LIST } else { Handle::GROUP };
    Handle::new(kind, state >> GENERATION_SHIFT, index as u32)
}

/// A replication list or a next-hop group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Members(Handle);

impl From<ListId> for Members {
    fn from(list: ListId) -> Self {
        Self(list.0)
    }
}

impl From<GroupId> for Members {
    fn from(group: GroupId) -> Self {
        Self(group.0)
    }
}

/// The members of a list, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'t> {
    lists: Lists<'t>,
    head: Handle,
    /// Where it is, and the line's generation then.
    line: usize,
    generation: u32,
    position: usize,
    /// Lines that may still come: the walk ends whatever the links say.
    left: usize,
}

impl Iterator for Walk<'_> {
    type Item = RemoteId;

    fn next(&mut self) -> Option<RemoteId> {
        while self.left > 0 && self.lists.is_alive(self.head) {
            let line = self.lists.lines.get(self.line)?;
            while self.position < MEMBERS {
                let member = Handle(line.word(MEMBER + self.position).load(Acquire));
                self.position = self.position.saturating_add(1);
                if line.word(STATE).load(Acquire) >> GENERATION_SHIFT != self.generation {
                    return None;
                }
                if let Some(remote) = (member.0 != 0).then(|| self.lists.remotes.resolve(member)).flatten() {
                    return Some(remote);
                }
            }
            let link = Link::of(line.word(NEXT).load(Acquire));
            // The link of another list, if another one has taken the line.
            if line.word(STATE).load(Acquire) >> GENERATION_SHIFT != self.generation {
                return None;
            }
            let Link { line, generation } = link?;
            *self = Self { line, generation, position: 0, left: self.left.saturating_sub(1), ..*self };
        }
        None
    }
}

/// Members of a line.
pub(crate) const MEMBERS: usize = 12;

// Words of a line.
const STATE: usize = 0;
const NEXT: usize = 1;
const MEMBER: usize = 2;
const EPOCH: usize = 14;
const PASSES: usize = 15;

// Bits of the state, below the generation.
const LOCK: u32 = 1;
const USED: u32 = 2;
const HEAD: u32 = 4;
pub(crate) const OWNED: u32 = 8;
pub(crate) const GROUP: u32 = 16;
const DOOMED: u32 = 32;
const GENERATION_SHIFT: u32 = 6;

#[cfg(test)]
mod tests;
