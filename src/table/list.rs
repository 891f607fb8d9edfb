//! Replication lists and next-hop groups: chains of lines that hold remotes.
//!
//! ```text
//! word 0       1      2               13        14      15
//!      +-------+------+---------------+---------+-------+
//!      | state | next | 12 members    | epoch   |passes |
//!      +-------+------+---------------+---------+-------+
//! state: generation (9 bits) | … | group | owned | head | used | lock
//! ```
//!
//! A member keeps its position for as long as it is in, so whoever walks a chain meets it exactly once. New
//! members come last. A line whose members are all gone is unlinked, but leads on to the next for those who are
//! just reading it; it is used again when all workers have passed a quiescent point.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{
    Error, GroupId, HandleKind, ListId, RemoteId, Resource,
    handle::{GENERATIONS, Handle},
    hash::Seed,
    line::{Line, fence},
    meta::Meta,
    remote::Remotes,
    worker::Workers,
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
    /// [`Error::Full`], or [`Error::Stale`] for a remote that was removed.
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

    /// Adds a remote at the end; answers whether it is new there.
    ///
    /// # Errors
    ///
    /// [`Error::Full`], [`Error::Busy`], [`Error::Stale`].
    pub fn append(&self, list: impl Into<Members>, remote: RemoteId) -> Result<bool, Error> {
        self.push(list.into().0, remote)
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

    /// The members of a list or group, first to last. One that is in during the whole walk is met exactly once;
    /// nothing, where the handle is of one that was removed.
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
        self.lines.iter().filter(|line| line.word(STATE).load(Relaxed) & USED != 0).count()
    }

    fn full(&self) -> Error {
        Error::Full { what: Resource::Members, limit: self.lines.len() as u32 }
    }

    pub(crate) fn create(&self, kind: u32, members: &[RemoteId]) -> Result<Handle, Error> {
        let index = self.claim(HEAD | kind)?;
        let line = self.lines.get(index).ok_or_else(|| self.full())?;
        let generation = line.word(STATE).load(Relaxed) >> GENERATION_SHIFT;
        let handle_kind = if kind & GROUP == 0 { Handle::LIST } else { Handle::GROUP };
        let head = Handle::new(handle_kind, generation, index as u32);
        for &member in members {
            if let Err(error) = self.push(head, member) {
                self.lock(head)?;
                self.free(head);
                return Err(error);
            }
        }
        Ok(head)
    }

    /// Takes a line that nobody can still be reading.
    fn claim(&self, state: u32) -> Result<usize, Error> {
        let count = self.lines.len();
        let start = self.meta.list_rotor().load(Relaxed) as usize;
        let mut pending = false;
        for at in 0..count {
            let index = start.wrapping_add(at) % count;
            let Some(line) = self.lines.get(index) else { break };
            let old = line.word(STATE).load(Acquire);
            if old & USED != 0 {
                continue;
            }
            if !self.is_nobodys(line, old) {
                pending = true;
                continue;
            }
            // The next generation begins with the next use: who still walks the line of before notices.
            let generation = next_generation(old) << GENERATION_SHIFT;
            if line.word(STATE).compare_exchange(old, generation | USED | LOCK, Acquire, Relaxed).is_err() {
                continue;
            }
            fence(Release);
            line.word(NEXT).store(0, Relaxed);
            for member in MEMBER..MEMBER + MEMBERS {
                line.word(member).store(0, Relaxed);
            }
            line.word(STATE).store(generation | USED | state, Release);
            self.meta.list_rotor().store(index.wrapping_add(1) as u32, Relaxed);
            return Ok(index);
        }
        Err(if pending { Error::SweepPending } else { self.full() })
    }

    fn is_nobodys(&self, line: &Line, state: u32) -> bool {
        let epoch = line.word(EPOCH).load(Relaxed);
        let passes = self.meta.passes().load(Acquire).wrapping_sub(line.word(PASSES).load(Relaxed));
        let wrapped = next_generation(state) == 0;
        epoch == 0 || (self.workers.passed(epoch) && (!wrapped || passes >= 2))
    }

    /// Gives back a line that nothing leads to any more.
    fn retire(&self, line: &Line) {
        let generation = line.word(STATE).load(Relaxed) >> GENERATION_SHIFT << GENERATION_SHIFT;
        // Withdrawn first: who reads the epoch that begins now does not find it any more.
        line.word(STATE).store(generation | USED | LOCK, Release);
        line.word(PASSES).store(self.meta.passes().load(Acquire), Relaxed);
        line.word(EPOCH).store(self.meta.next_epoch().max(1), Release);
        line.word(STATE).store(generation, Release);
    }

    /// Removes a locked list with all its lines.
    fn free(&self, head: Handle) {
        let mut next = head.index();
        for _ in 0..self.lines.len() {
            let Some(line) = self.lines.get(next) else { return };
            let after = line.word(NEXT).load(Relaxed);
            self.retire(line);
            match after.checked_sub(1) {
                Some(index) => next = index as usize,
                None => return,
            }
        }
    }

    fn is_head(&self, head: Handle, state: u32) -> bool {
        let kind = if state & GROUP == 0 { Handle::LIST } else { Handle::GROUP };
        state & (USED | HEAD) == USED | HEAD
            && state >> GENERATION_SHIFT == head.generation()
            && kind == head.kind()
    }

    fn lock(&self, head: Handle) -> Result<&'t Line, Error> {
        let stale =
            Error::Stale(if head.kind() == Handle::LIST { HandleKind::List } else { HandleKind::Group });
        let line = self.lines.get(head.index()).ok_or(stale)?;
        for _ in 0..SPINS {
            let state = line.word(STATE).load(Acquire);
            if !self.is_head(head, state) {
                return Err(stale);
            }
            let free = state & LOCK == 0;
            if free && line.word(STATE).compare_exchange(state, state | LOCK, Acquire, Relaxed).is_ok() {
                return Ok(line);
            }
            core::hint::spin_loop();
        }
        Err(Error::Busy)
    }

    fn unlock(&self, head: Handle) {
        if let Some(line) = self.lines.get(head.index()) {
            line.word(STATE).store(line.word(STATE).load(Relaxed) & !LOCK, Release);
        }
    }

    pub(crate) fn push(&self, head: Handle, remote: RemoteId) -> Result<bool, Error> {
        if self.remotes.resolve(remote.0).is_none() {
            return Err(Error::Stale(HandleKind::Remote));
        }
        self.lock(head)?;
        let pushed = self.push_locked(head, remote);
        self.unlock(head);
        pushed
    }

    fn push_locked(&self, head: Handle, remote: RemoteId) -> Result<bool, Error> {
        let (mut last, mut hole, mut end) = (None, None, None);
        for line in self.chain(head) {
            last = Some(line);
            for position in MEMBER..MEMBER + MEMBERS {
                let member = line.word(position).load(Relaxed);
                if member == remote.0.0 {
                    return Ok(false);
                }
                if member != 0 {
                    end = None;
                } else {
                    hole = hole.or(Some((line, position)));
                    end = end.or(Some((line, position)));
                }
            }
        }
        if end.is_none() {
            if let (Some(last), Ok(index)) = (last, self.claim(0)) {
                end = self.lines.get(index).map(|line| (line, MEMBER));
                // The member is there before anybody can come by.
                if let Some((line, position)) = end {
                    line.word(position).store(remote.0.0, Release);
                    last.word(NEXT).store((index as u32).wrapping_add(1), Release);
                    return Ok(true);
                }
            }
        }
        // Without a line to spare, a hole has to do: the order is lost before the member is.
        let (line, position) = end.or(hole).ok_or_else(|| self.full())?;
        line.word(position).store(remote.0.0, Release);
        Ok(true)
    }

    /// Takes the members out that `which` names, and unlinks lines that are empty then. Under the lock.
    fn take_out(&self, head: Handle, which: impl Fn(Handle) -> bool) -> usize {
        let mut found = 0usize;
        let mut before: Option<&Line> = None;
        for line in self.chain(head) {
            let mut left = false;
            for position in MEMBER..MEMBER + MEMBERS {
                let member = line.word(position).load(Relaxed);
                if member != 0 && which(Handle(member)) {
                    line.word(position).store(0, Release);
                    found = found.saturating_add(1);
                } else {
                    left |= member != 0;
                }
            }
            match before {
                Some(before) if !left => {
                    before.word(NEXT).store(line.word(NEXT).load(Relaxed), Release);
                    self.retire(line);
                }
                _ => before = Some(line),
            }
        }
        found
    }

    /// The lines of a locked list; the next one is read before a line is handed out.
    fn chain(&self, head: Handle) -> impl Iterator<Item = &'t Line> {
        let lines = self.lines;
        let mut next = Some(head.index());
        (0..lines.len()).map_while(move |_| {
            let line = lines.get(next?)?;
            next = line.word(NEXT).load(Relaxed).checked_sub(1).map(|index| index as usize);
            Some(line)
        })
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
            .any(|line| (MEMBER..MEMBER + MEMBERS).any(|at| line.word(at).load(Relaxed) != 0));
        self.unlock(head);
        Ok((found, left))
    }

    /// Frees a list if the forwarding database made it.
    pub(crate) fn free_owned(&self, head: Handle) {
        if self.lines.get(head.index()).is_some_and(|line| line.word(STATE).load(Acquire) & OWNED != 0)
            && self.lock(head).is_ok()
        {
            self.free(head);
        }
    }

    /// Whether what the handle names is there.
    pub(crate) fn is_alive(&self, head: Handle) -> bool {
        self.lines.get(head.index()).is_some_and(|line| self.is_head(head, line.word(STATE).load(Acquire)))
    }

    /// Takes out of the list in this line, if one begins there, the members that were removed; for the sweep.
    /// Answers whether it could look.
    pub(crate) fn sweep(&self, index: usize) -> bool {
        let Some(state) = self.lines.get(index).map(|line| line.word(STATE).load(Acquire)) else {
            return true;
        };
        if state & (USED | HEAD) != USED | HEAD {
            return true;
        }
        let kind = if state & GROUP == 0 { Handle::LIST } else { Handle::GROUP };
        let head = Handle::new(kind, state >> GENERATION_SHIFT, index as u32);
        match self.lock(head) {
            Ok(_) => {
                self.take_out(head, |member| self.remotes.resolve(member).is_none());
                self.unlock(head);
                true
            }
            Err(error) => error != Error::Busy,
        }
    }
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
            let next = line.word(NEXT).load(Acquire).checked_sub(1)? as usize;
            let generation = self.lists.lines.get(next)?.word(STATE).load(Acquire) >> GENERATION_SHIFT;
            fence(Acquire);
            // Still linked from a line that is still in its place: the generation is that of this list.
            if line.word(STATE).load(Relaxed) >> GENERATION_SHIFT != self.generation {
                return None;
            }
            *self = Self { line: next, generation, position: 0, left: self.left.saturating_sub(1), ..*self };
        }
        None
    }
}

const fn next_generation(state: u32) -> u32 {
    (state >> GENERATION_SHIFT).wrapping_add(1) & GENERATIONS
}

/// Members of a line.
const MEMBERS: usize = 12;

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
const GENERATION_SHIFT: u32 = 5;

/// How often a writer tries to get a lock.
const SPINS: usize = 64;
