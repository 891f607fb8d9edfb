//! Lookups in batches.
//!
//! What is true of most keys is said of all, without a branch that depends on the key: nobody can predict which of them
//! lie in their second buckets. Those of which it is not true are noted, and come next.

use core::{hint::black_box, sync::atomic::Ordering::Acquire};

use super::{
    super::{
        Destination,
        bucket::{Home, Key},
        clock::Now,
        line::FETCHES,
    },
    Fdb, Lookup,
    lookup::Sought,
};
use crate::{
    time::Instant,
    wire::{MacAddr, Vni},
};

impl<'t> Fdb<'t> {
    /// Many lookups at once, while the processor waits for memory once per 32 of them: all first buckets are
    /// asked for before the first is looked at, and so are all second ones. One answer per key; of two slices of
    /// different lengths the shorter one counts.
    pub fn lookup_batch(&self, now: Instant, keys: &[(Vni, MacAddr)], answers: &mut [Lookup]) {
        let now = self.clock.at(now, self.meta.fdb_ages());
        let count = keys.len().min(answers.len());
        let (keys, answers) =
            (keys.get(..count).unwrap_or_default(), answers.get_mut(..count).unwrap_or_default());
        for (keys, answers) in keys.chunks(BATCH).zip(answers.chunks_mut(BATCH)) {
            self.look_all(now, keys, answers);
        }
    }

    /// At most [`BATCH`] lookups.
    #[inline(never)]
    fn look_all(&self, now: Now, keys: &[(Vni, MacAddr)], answers: &mut [Lookup]) {
        let epoch = self.meta.epoch().load(Acquire);
        let mut sought = Batch::new();
        let to = sought.homes.iter_mut().zip(&mut sought.keys).zip(&mut sought.generations);
        for (&(vni, ref mac), ((home, key), generation)) in keys.iter().zip(to) {
            if let Some(found) = self.seek(vni, mac) {
                if FETCHES {
                    found.touch();
                }
                (*home, *key, *generation) = (found.home, found.key, found.generation);
            }
        }
        if !FETCHES {
            black_box(sought.homes.iter().zip(keys).fold(0, |touched, (home, _)| touched | home.touch()));
        }
        let is_far = FETCHES && self.map.len() > FAR;
        let mut right = 0u32;
        let from = sought.homes.iter().zip(&sought.keys).zip(&sought.generations);
        for (((home, key), generation), answer) in from.zip(&mut *answers) {
            let peek = home.peek(*key);
            right <<= 1;
            if peek.is_nowhere() {
                *answer = Lookup::Unknown;
                right |= 1;
                continue;
            }
            let (remote, wrong) = self.judge(now, &peek, *generation);
            *answer = Lookup::Found(Destination::Remote(remote));
            right |= u32::from(wrong == 0);
            if is_far & (wrong != 0) {
                self.away(*home, *key).map(Home::touch);
            }
        }
        // The first key's bit is the highest so far.
        let open = (!right).reverse_bits().wrapping_shr(BATCH.wrapping_sub(answers.len()) as u32);
        if open != 0 {
            self.look_again(now, epoch, keys, &sought, open, answers);
        }
        if !self.is_epoch(epoch) {
            for (&(vni, mac), answer) in keys.iter().zip(answers) {
                *answer = self.look_closely(now, vni, mac);
            }
        }
    }

    /// Those lookups of a batch that go on in their second buckets, or have no answer but that there is none.
    #[inline(never)]
    fn look_again(
        &self,
        now: Now,
        epoch: u32,
        keys: &[(Vni, MacAddr)],
        sought: &Batch<'t>,
        open: u32,
        answers: &mut [Lookup],
    ) {
        if !FETCHES && self.map.len() > FAR {
            let (mut bits, mut touched) = (open, 0);
            while let Some(at) = next(&mut bits) {
                let (Some(&home), Some(&key)) = (sought.homes.get(at), sought.keys.get(at)) else { break };
                touched |= self.away(home, key).map_or(0, Home::touch);
            }
            black_box(touched);
        }
        let mut bits = open;
        while let Some(at) = next(&mut bits) {
            let (Some(&home), Some(&key), Some(&generation), Some(&(vni, mac)), Some(answer)) = (
                sought.homes.get(at),
                sought.keys.get(at),
                sought.generations.get(at),
                keys.get(at),
                answers.get_mut(at),
            ) else {
                break;
            };
            let away = self.away(home, key);
            if let Some(away) = away {
                let (remote, wrong) = self.judge(now, &away.peek(key), generation);
                if wrong == 0 {
                    *answer = Lookup::Found(Destination::Remote(remote));
                    continue;
                }
            }
            *answer = if key != NO_KEY && home.lacks(away.unwrap_or(home), key) {
                Lookup::Unknown
            } else {
                self.look_on(now, vni, mac, &Sought { home, key, generation }, epoch)
            };
        }
    }
}

/// Keys on their way. Apart, so that clearing them beforehand takes few and wide stores.
struct Batch<'t> {
    homes: [Home<'t>; BATCH],
    keys: [Key; BATCH],
    generations: [u32; BATCH],
}

impl Batch<'_> {
    fn new() -> Self {
        Self { homes: [Home::empty(); BATCH], keys: [NO_KEY; BATCH], generations: [0; BATCH] }
    }
}

/// The key of a VNI that is not in front: domains are counted from 1.
const NO_KEY: Key = Key(0);

/// The number of the lowest bit that is set, which is cleared.
#[inline(always)]
const fn next(bits: &mut u32) -> Option<usize> {
    let lowest = *bits;
    *bits = lowest & lowest.wrapping_sub(1);
    if lowest != 0 { Some(lowest.trailing_zeros() as usize) } else { None }
}

/// Lookups that wait for memory together.
const BATCH: usize = 32;

/// A table with more buckets than these is too large for the near caches, and the second bucket of a key that is not
/// in its first one is asked for ahead. Where the processor can be told to fetch a line ([`FETCHES`]), each is asked
/// for as soon as it is known to be needed: worth it from 4 MiB of buckets on. Where only a load fetches a line, they
/// are loaded all together, before the first of them is looked at: from 256 KiB on.
const FAR: usize = if FETCHES { 1 << 16 } else { 1 << 12 };
