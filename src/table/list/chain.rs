//! The chain of lines behind a list: taken, linked, unlinked, given back.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

use super::{
    super::{
        Error, HandleKind, RemoteId,
        handle::{GENERATIONS, Handle},
        line::{Line, fence, spin_loop},
    },
    DOOMED, EPOCH, GENERATION_SHIFT, HEAD, LOCK, Lists, MEMBER, MEMBERS, NEXT, PASSES, STATE, USED, head_of,
};

impl<'t> Lists<'t> {
    /// Takes a line that nobody can still be reading.
    pub(super) fn claim(&self, state: u32) -> Result<usize, Error> {
        let count = self.lines.len();
        let start = self.meta.list_rotor().load(Relaxed) as usize;
        let mut refused = self.full();
        for at in 0..count {
            let index = start.wrapping_add(at) % count;
            let Some(line) = self.lines.get(index) else { break };
            let old = line.word(STATE).load(Acquire);
            if old & USED != 0 {
                continue;
            }
            if let Err(pending) = self.check_free(line, old) {
                refused = pending.or_before(refused);
                continue;
            }
            // The line's next generation begins when it is used again: who still walks its last use notices.
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
        Err(refused)
    }

    /// Whether a line that is not in use is nobody's any more.
    fn check_free(&self, line: &Line, state: u32) -> Result<(), Error> {
        self.workers.check_freed(line.word(EPOCH), line.word(PASSES), next_generation(state) == 0)
    }

    /// Gives back a line that nothing leads to any more.
    pub(super) fn retire(&self, line: &Line) {
        let generation = line.word(STATE).load(Relaxed) >> GENERATION_SHIFT << GENERATION_SHIFT;
        // Withdrawn first: who reads the epoch that begins now does not find it any more.
        line.word(STATE).store(generation | USED | LOCK, Release);
        self.workers.note_freed(line.word(EPOCH), line.word(PASSES));
        line.word(STATE).store(generation, Release);
    }

    /// Removes a locked list with all its lines.
    pub(super) fn free(&self, head: Handle) {
        let mut next = head.index();
        for _ in 0..self.lines.len() {
            let Some(line) = self.lines.get(next) else { return };
            let after = line.word(NEXT).load(Relaxed);
            self.retire(line);
            match Link::of(after) {
                Some(link) => next = link.line,
                None => return,
            }
        }
    }

    pub(super) fn is_head(&self, head: Handle, state: u32) -> bool {
        state & (USED | HEAD) == USED | HEAD && head_of(head.index(), state) == head
    }

    pub(super) fn lock(&self, head: Handle) -> Result<(), Error> {
        let stale =
            Error::Stale(if head.kind() == Handle::LIST { HandleKind::List } else { HandleKind::Group });
        let line = self.lines.get(head.index()).ok_or(stale)?;
        for _ in 0..SPINS {
            let state = line.word(STATE).load(Acquire);
            if !self.is_head(head, state) {
                return Err(stale);
            }
            let free = state & LOCK == 0;
            // SeqCst for `Remotes::begin_use`.
            if free && line.word(STATE).compare_exchange(state, state | LOCK, SeqCst, Relaxed).is_ok() {
                return Ok(());
            }
            spin_loop();
        }
        Err(Error::Busy)
    }

    pub(super) fn unlock(&self, head: Handle) {
        if let Some(line) = self.lines.get(head.index()) {
            let doomed = line.word(STATE).fetch_and(!LOCK, AcqRel) & DOOMED != 0;
            if doomed && self.lock(head).is_ok() {
                self.free(head);
            }
        }
    }

    /// Adds a remote to a list unless it is there already, by what `is` says of a member.
    pub(crate) fn push(
        &self,
        head: Handle,
        remote: RemoteId,
        is: impl Fn(RemoteId) -> bool,
    ) -> Result<bool, Error> {
        if self.remotes.resolve(remote.0).is_none() {
            return Err(Error::Stale(HandleKind::Remote));
        }
        self.lock(head)?;
        let pushed = self.remotes.begin_use(remote).and_then(|()| self.push_locked(head, remote, is));
        self.unlock(head);
        pushed
    }

    fn push_locked(
        &self,
        head: Handle,
        remote: RemoteId,
        is: impl Fn(RemoteId) -> bool,
    ) -> Result<bool, Error> {
        let (mut last, mut hole, mut end) = (None, None, None);
        for line in self.chain(head) {
            last = Some(line);
            for position in MEMBER..MEMBER + MEMBERS {
                let member = line.word(position).load(Relaxed);
                if member != 0 && is(RemoteId(Handle(member))) {
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
        let mut refused = self.full();
        if let (Some(last), None) = (last, end) {
            match self.claim(0) {
                Ok(index) => {
                    let line = self.lines.get(index).ok_or(refused)?;
                    // The member is there before anybody can come by.
                    line.word(MEMBER).store(remote.0.0, Release);
                    let generation = line.word(STATE).load(Relaxed) >> GENERATION_SHIFT;
                    last.word(NEXT).store(Link { line: index, generation }.word(), Release);
                    return Ok(true);
                }
                Err(error) => refused = error,
            }
        }
        // Without a line to spare, a hole has to do: the order is lost before the member is.
        let (line, position) = end.or(hole).ok_or(refused)?;
        line.word(position).store(remote.0.0, Release);
        Ok(true)
    }

    /// Takes the members out that `which` names, and unlinks lines that are empty then. Under the lock.
    pub(super) fn take_out(&self, head: Handle, which: impl Fn(Handle) -> bool) -> usize {
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
    pub(super) fn chain(&self, head: Handle) -> impl Iterator<Item = &'t Line> {
        let lines = self.lines;
        let mut next = Some(head.index());
        (0..lines.len()).map_while(move |_| {
            let line = lines.get(next?)?;
            next = Link::of(line.word(NEXT).load(Relaxed)).map(|link| link.line);
            Some(line)
        })
    }
}

/// Where a chain goes on.
///
/// The generation is that of the line when it was linked. Who walks needs it from here: by the time that he comes to
/// the line, it may be part of another list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) line: usize,
    pub(super) generation: u32,
}

impl Link {
    /// The link that a word says; zero is the end.
    pub(super) const fn of(word: u32) -> Option<Self> {
        match (word & LINES).checked_sub(1) {
            Some(line) => Some(Self { line: line as usize, generation: word >> LINK_SHIFT }),
            None => None,
        }
    }

    const fn word(self) -> u32 {
        self.generation << LINK_SHIFT | (self.line as u32).wrapping_add(1) & LINES
    }
}

/// Bits of a link below the generation. An index has 20 bits, and one more is said than the index, since 0 is no link.
const LINK_SHIFT: u32 = 21;
const LINES: u32 = (1 << LINK_SHIFT) - 1;

/// The generation of a line's next use.
const fn next_generation(state: u32) -> u32 {
    (state >> GENERATION_SHIFT).wrapping_add(1) & GENERATIONS
}

/// How often a writer tries to get a lock.
const SPINS: usize = 64;
