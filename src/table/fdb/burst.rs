//! Many entries at once, while the processor waits for memory once per 32 of them.
//!
//! All lines that entries may be written to are asked for before the first is. Those whose way is free go in one after
//! the other, counted for the table all together; the others take the same ways as they would alone.

use core::hint::black_box;

use super::{
    super::{Error, RemoteId, clock::Now, line::FETCHES},
    Fdb, Learned, NewEntry,
    enter::Aim,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

impl Fdb<'_> {
    /// Many entries at once: as if [`add`](Self::add) was called for each, in order, but faster. One answer per entry,
    /// and what one is refused for stops no other; of two slices of different lengths the shorter one counts.
    pub fn add_batch(&self, entries: &[(Vni, MacAddr, NewEntry)], answers: &mut [Result<(), Error>]) {
        for (entries, answers) in entries.chunks(BATCH).zip(answers.chunks_mut(BATCH)) {
            self.add_some(entries, answers);
        }
    }

    /// At most [`BATCH`] entries.
    #[inline(never)]
    fn add_some(&self, entries: &[(Vni, MacAddr, NewEntry)], answers: &mut [Result<(), Error>]) {
        let cold = entries.iter().any(|(_, _, new)| new.writes_cold());
        let aims = self.aims(entries, |(vni, mac, _)| (*vni, mac), cold);
        let lines = aims.iter().flatten();
        black_box(lines.fold(0, |touched, aim| touched | self.map.touch_away(&aim.spot, cold)));
        let room = self.room_for_configured();
        let mut paid = room.count_ahead(entries.len().min(answers.len()) as u32);
        for ((&(vni, mac, ref new), aim), answer) in entries.iter().zip(&aims).zip(answers) {
            // Written to where it stays: an answer that is made elsewhere and copied is waited for.
            *answer = Ok(());
            if !aim.as_ref().is_some_and(|aim| self.enter(aim, new, &mut paid)) {
                *answer = self.add_closely(vni, mac, new);
            }
        }
        room.give_back(paid);
    }

    /// What many frames say, in order: as if [`learn`](Self::learn) was called for each, but faster where much of it is
    /// not known yet. One answer per frame; of two slices of different lengths the shorter one counts.
    pub fn learn_batch(&self, now: Instant, sources: &[(Vni, MacAddr, RemoteId)], answers: &mut [Learned]) {
        let present = self.clock.at(now, self.meta.fdb_ages());
        for (sources, answers) in sources.chunks(BATCH).zip(answers.chunks_mut(BATCH)) {
            self.learn_some(now, present, sources, answers);
        }
    }

    /// At most [`BATCH`] sources.
    #[inline(never)]
    fn learn_some(
        &self,
        now: Instant,
        present: Now,
        sources: &[(Vni, MacAddr, RemoteId)],
        answers: &mut [Learned],
    ) {
        let aims = self.aims(sources, |(vni, mac, _)| (*vni, mac), false);
        let lines = aims.iter().flatten();
        black_box(lines.fold(0, |touched, aim| touched | self.map.touch_away(&aim.spot, self.writes_cold())));
        // A bit for each that nobody knows yet; the first one's is the lowest.
        let mut new = 0u32;
        for aim in aims.iter().rev() {
            let seems_new = aim.as_ref().is_some_and(|aim| self.map.seems_new(&aim.spot));
            new = new << 1 | u32::from(seems_new);
        }
        let is_new = |at: u32| new.wrapping_shr(at) & 1 != 0;
        if self.writes_cold() {
            let lines = (0..BATCH as u32).zip(&aims).filter(|&(at, _)| is_new(at));
            let lines = lines.filter_map(|(_, aim)| aim.as_ref());
            black_box(lines.fold(0, |touched, aim| touched | self.map.touch_cold(&aim.spot)));
        }
        let room = self.room_for_learned();
        let mut paid = if new.count_ones() > 1 { room.count_ahead(new.count_ones()) } else { 0 };
        for ((at, aim), (&(vni, mac, remote), answer)) in
            (0..BATCH as u32).zip(&aims).zip(sources.iter().zip(answers))
        {
            *answer = Learned::New { evicted: None };
            let Some(aim) = aim.as_ref().filter(|_| is_new(at)) else {
                *answer = self.learn(now, vni, mac, remote);
                continue;
            };
            if !self.enter_learned(present, aim, remote, &mut paid) {
                *answer = self.learn_closely(now, present, vni, mac, remote);
            }
        }
        room.give_back(paid);
    }
}

impl<'t> Fdb<'t> {
    /// Where entries of at most [`BATCH`] addresses go, whose lines are asked for: each as soon as it is known, or one
    /// after the other and nothing between, so that as many as can be are asked for at once.
    #[inline(always)]
    fn aims<T>(&self, of: &[T], key: impl Fn(&T) -> (Vni, &MacAddr), cold: bool) -> [Option<Aim<'t>>; BATCH] {
        let mut aims = [None; BATCH];
        for (of, aim) in of.iter().zip(&mut aims) {
            let (vni, mac) = key(of);
            if let Some(found) = self.aim(vni, mac) {
                if FETCHES {
                    self.touch_aim(&found, cold);
                }
                *aim = Some(found);
            }
        }
        if !FETCHES {
            black_box(aims.iter().flatten().fold(0, |touched, aim| touched | self.touch_aim(aim, cold)));
        }
        aims
    }
}

/// Entries that wait for memory together.
const BATCH: usize = 32;
