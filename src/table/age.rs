//! The sweep: what is expired, flushed or orphaned goes, a few lines at a time.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

use super::{
    Event, Tables,
    bucket::Busy,
    clock::Clock,
    fdb::Fdb,
    line::{Line, fence},
    remote::sweep_period,
};
use crate::time::Instant;

/// What a step of the sweep did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct Aged {
    /// Entries that were removed, those included of which no event tells because they were flushed before.
    pub removed: usize,
    /// The sweep came to its end: the next call begins a new one.
    pub complete: bool,
    /// It did, but could not look everywhere, since somebody was at work: what waits for a sweep waits for the next
    /// one, which [`Tables::next_sweep`] has begin soon.
    pub skipped: bool,
    /// Somebody else is sweeping: nothing was done.
    pub busy: bool,
}

impl<S: AsRef<[Line]>> Tables<S> {
    /// Goes on with the sweep for at most `budget` lines of [`sweep_lines`](Self::sweep_lines), and tells what
    /// expired. Entries that are expired are not used before that either; a sweep gives their room back, and
    /// numbers of what was flushed or removed. Only an MTU that was [learned](super::Remotes::learn_mtu) holds until a
    /// sweep comes by. `each` is called under the lock of what it tells: all but lookups of entries in the same place
    /// is [`Error::Busy`](super::Error::Busy).
    ///
    /// It should come around once in an ageing time, as [`next_sweep`](Self::next_sweep) says, and must come around in
    /// time: for the forwarding database within 20 times the [ageing](super::Settings::ageing) that the tables were
    /// built with, whatever was [set](Self::set_ageing) since, or two and a half hours where that is for ever; for
    /// neighbours within 20 times what [`Settings::reachable`](super::Settings::reachable) says, which is ten minutes
    /// by default. Otherwise, at the latest after twice as long, everything that ages counts as expired, or as old
    /// where nothing expires, and nothing new is learned, until one has come around. (Times below a quarter of a
    /// second are as one of that here.)
    ///
    /// After 2^32 ticks without a sweep nobody can tell any more that time has gone by, and what had expired is found
    /// again. Those are more than four million ageing times: 70 years for one of 300 s, but 12 days for a quarter of a
    /// second and less.
    pub fn age(&self, now: Instant, budget: usize, mut each: impl FnMut(Event)) -> Aged {
        let (fdb, groups, neighbors) = (self.fdb(), self.groups(), self.neighbors());
        let meta = fdb.meta;
        let mut aged = Aged::default();
        if meta.sweep_state().fetch_or(SWEEPING, Acquire) & SWEEPING != 0 {
            return Aged { busy: true, ..aged };
        }
        let _unlock = Unlock(&meta);
        // Who locks a bucket from now on finds removed what was removed before; who has one locked by now is seen by
        // this sweep. (See `Locked::fence`.)
        fence(SeqCst);
        let mut at = meta.sweep_cursor().load(Relaxed) as usize;
        if at == 0 {
            fdb.clock.begin_sweep(now, meta.fdb_ages(), meta.fdb_began());
            neighbors.clock.begin_sweep(now, meta.neighbor_ages(), meta.neighbors_began());
            meta.sweep_state().fetch_and(!SKIPPED, Relaxed);
        }
        let present = fdb.clock.at(now, meta.fdb_ages());
        let present_neighbors = neighbors.clock.at(now, meta.neighbor_ages());
        let lines = Lines::of(&fdb, groups.buckets(), neighbors.buckets());
        for _ in 0..budget {
            let done = match lines.at(at) {
                Part::Entries(bucket) => fdb.sweep_bucket(present, bucket, &mut each),
                Part::Lists(line) => fdb.lists().sweep(line).map(|()| 0),
                Part::Groups(bucket) => groups.sweep_bucket(bucket),
                Part::Remotes(first) => {
                    // Where this sweep could not look, any remote may be named: none goes.
                    let looked = meta.sweep_state().load(Relaxed) & SKIPPED == 0;
                    for index in first..first.saturating_add(REMOTES) {
                        if looked {
                            fdb.remotes.remove_unused(index);
                        }
                        fdb.remotes.see_to_place(index);
                        if let Some((remote, mtu)) = fdb.remotes.expire_mtu(now, index) {
                            each(Event::MtuExpired { remote, mtu });
                        }
                    }
                    Ok(0)
                }
                Part::Addresses(bucket) => fdb.remotes.sweep_places(bucket).map(|()| 0),
                Part::Neighbors(bucket) => {
                    let mut tell = |gone| each(Event::NeighborExpired(gone));
                    neighbors.sweep_bucket(present_neighbors, bucket, &mut tell)
                }
                Part::End => break,
            };
            match done {
                Ok(removed) => aged.removed = aged.removed.saturating_add(removed),
                Err(Busy) => {
                    meta.sweep_state().fetch_or(SKIPPED, Relaxed);
                }
            }
            at = at.saturating_add(1);
        }
        aged.complete = matches!(lines.at(at), Part::End);
        if aged.complete {
            at = 0;
            aged.skipped = meta.sweep_state().load(Relaxed) & SKIPPED != 0;
            if aged.skipped {
                // It does not count, but the next one waits from here on.
                fdb.clock.begin_sweep(now, meta.fdb_ages(), meta.fdb_began());
            } else {
                meta.fdb_swept().store(meta.fdb_sweep_began().load(Relaxed), Relaxed);
                meta.neighbors_swept().store(meta.neighbors_sweep_began().load(Relaxed), Relaxed);
                meta.passes().fetch_add(1, Release);
            }
        }
        meta.sweep_cursor().store(at as u32, Relaxed);
        aged
    }

    /// When to go on with the sweep, or to begin the next one: at once while one is under way, otherwise an eighth of
    /// the shortest ageing time after the last one began. One that [could not look everywhere](Aged::skipped) does not
    /// count: the next one is due in the tick after its end, which is half a millisecond later or a 512th of the ageing
    /// time that the tables were built with at most; half a second where that is for ever.
    pub fn next_sweep(&self, now: Instant) -> Instant {
        let (fdb, neighbors) = (self.fdb(), self.neighbors());
        let meta = fdb.meta;
        if meta.sweep_cursor().load(Relaxed) != 0 {
            return now;
        }
        let mtus = sweep_period(self.settings().mtu_expires);
        let due = |clock: Clock, ages| {
            let (since, period) = clock.since_sweep(now, ages);
            let wait = period.min(mtus).saturating_sub(since);
            Instant::from_micros(now.as_micros().saturating_add(wait))
        };
        let due = due(fdb.clock, meta.fdb_ages()).min(due(neighbors.clock, meta.neighbor_ages()));
        let is_just_over = meta.fdb_sweep_began().load(Relaxed) == fdb.clock.tick(now).max(1);
        if is_just_over && meta.sweep_state().load(Relaxed) & SKIPPED != 0 {
            return due.max(fdb.clock.next_tick(now));
        }
        due
    }

    /// How many lines a whole sweep looks at.
    pub fn sweep_lines(&self) -> usize {
        Lines::of(&self.fdb(), self.groups().buckets(), self.neighbors().buckets()).total()
    }
}

/// The lines of each part of a sweep, in order: all that names remotes comes before those.
#[derive(Clone, Copy, Debug)]
struct Lines([usize; 6]);

/// A part, and where in it the sweep is.
enum Part {
    Entries(usize),
    Lists(usize),
    Groups(usize),
    Remotes(usize),
    /// Buckets of the index of remotes: which of them stands for an address.
    Addresses(usize),
    Neighbors(usize),
    End,
}

impl Lines {
    fn of(fdb: &Fdb<'_>, groups: usize, neighbors: usize) -> Self {
        let (entries, lists) = (fdb.map.len(), fdb.lists().lines.len());
        let (remotes, addresses) = ((fdb.remotes.count as usize).div_ceil(REMOTES), fdb.remotes.map.len());
        Self([entries, lists, groups, remotes, addresses, neighbors])
    }

    fn total(self) -> usize {
        self.0.into_iter().fold(0, usize::saturating_add)
    }

    fn at(self, mut at: usize) -> Part {
        let remotes = |at: usize| Part::Remotes(at.saturating_mul(REMOTES));
        let parts: [fn(usize) -> Part; 6] =
            [Part::Entries, Part::Lists, Part::Groups, remotes, Part::Addresses, Part::Neighbors];
        for (lines, part) in self.0.into_iter().zip(parts) {
            let Some(rest) = at.checked_sub(lines) else { return part(at) };
            at = rest;
        }
        Part::End
    }
}

/// Ends the sweep's turn, also when a caller's callback panics.
struct Unlock<'a, 't>(&'a super::meta::Meta<'t>);

impl Drop for Unlock<'_, '_> {
    fn drop(&mut self) {
        self.0.sweep_state().fetch_and(!SWEEPING, Release);
    }
}

/// Remotes that count as a line of the sweep.
const REMOTES: usize = 4;

// Bits of the sweep's state.
const SWEEPING: u32 = 1;
const SKIPPED: u32 = 2;

#[cfg(test)]
mod tests;
