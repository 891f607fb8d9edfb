//! Ageing in 16-bit stamps.
//!
//! A tick is a power of two of microseconds, at most half of max(1 ms, ageing / 256): an entry is never given up
//! before its time, and less than max(1 ms, ageing / 256) after it. Stamps wrap; a sweep comes by before two
//! ticks with the same stamp could be mistaken for each other, or else everything that ages counts as expired.

use core::{sync::atomic::Ordering::Relaxed, time::Duration};

use super::line::AtomicU32;
use crate::time::{Instant, micros};

/// How long an entry that ages stays without being confirmed. This enum is complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Ageing {
    /// So long.
    After(Duration),
    /// For ever. Sweeps have to come by all the same, see [`Tables::age`](super::Tables::age): without them nothing
    /// new is learned. Ages are then told up to 12,289 ticks: 107 minutes in the forwarding database, or more than 12
    /// times the time that it was built with where this was [set](super::Tables::set_ageing) later; more than 12 times
    /// as long as a neighbour counts as reachable. (At most 305 days.)
    Never,
}

/// 300 s, as Linux has it.
impl Default for Ageing {
    fn default() -> Self {
        Self::After(Duration::from_secs(300))
    }
}

/// What a stamp counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Clock {
    shift: u32,
}

impl Clock {
    /// Fine enough for the shorter of two durations.
    pub(crate) fn new(ageing: Ageing) -> Self {
        let tick = match ageing {
            Ageing::After(duration) => (micros(duration) / 256).max(1_000) / 2,
            Ageing::Never => 1 << 19,
        };
        // At most 2^31 µs, with which 32 bits of ticks last for centuries; with the shortest, of 256 µs, 12 days.
        Self { shift: tick.ilog2().min(31) }
    }

    /// Whole ticks that are not shorter than `ageing`; `None` where they are more than stamps can tell apart.
    pub(crate) fn ticks(self, ageing: Ageing) -> Option<u16> {
        match ageing {
            Ageing::Never => Some(NEVER),
            Ageing::After(duration) => {
                let ticks = micros(duration).div_ceil(1u64.wrapping_shl(self.shift)).saturating_add(1);
                u16::try_from(ticks).ok().filter(|&ticks| ticks <= LONGEST)
            }
        }
    }

    /// `now` for comparing stamps with, and for making them.
    #[inline]
    pub(crate) fn at(self, now: Instant, words: Ages<'_>) -> Now {
        let stamp = (now.as_micros().wrapping_shr(self.shift) % STAMPS) as u16;
        let present = Now { stamp: stamp.wrapping_add(1), limit: words.limit.load(Relaxed) as u16 };
        // Read once: it may be set just now, for the first time, and what is 0 here is not overdue.
        let swept = words.swept.load(Relaxed);
        let since = self.tick(now).wrapping_sub(swept);
        if since > OVERDUE { present.unless_overdue(since, swept) } else { present }
    }

    /// The same for moving entries, where no time may be known: then it is that at which this sweep began, or the last
    /// one. What has expired by then must not move out of a sweep's way.
    #[cold]
    pub(crate) fn known(now: Now, words: Ages<'_>, began: Began<'_>) -> Now {
        let stamp = began.stamp.load(Relaxed) as u16;
        if now != Now::UNKNOWN || stamp == 0 {
            return now;
        }
        // As in `at`; a shared function cost lookups a few instructions.
        let present = Now { stamp, limit: words.limit.load(Relaxed) as u16 };
        let swept = words.swept.load(Relaxed);
        let since = began.tick.load(Relaxed).wrapping_sub(swept);
        if since > OVERDUE { present.unless_overdue(since, swept) } else { present }
    }

    /// Notes when a sweep begins.
    pub(crate) fn begin_sweep(self, now: Instant, words: Ages<'_>, began: Began<'_>) {
        began.tick.store(self.tick(now).max(1), Relaxed);
        began.stamp.store(self.at(now, words).stamp().into(), Relaxed);
    }

    /// The number of this tick.
    #[inline]
    pub(crate) const fn tick(self, now: Instant) -> u32 {
        now.as_micros().wrapping_shr(self.shift) as u32
    }

    /// When the next tick begins.
    pub(crate) const fn next_tick(self, now: Instant) -> Instant {
        let ticks = now.as_micros().wrapping_shr(self.shift).saturating_add(1);
        Instant::from_micros(ticks.saturating_mul(1u64.wrapping_shl(self.shift)))
    }

    /// Notes that a time is known, before the first stamp of a table is made.
    pub(crate) fn start(self, now: Instant, words: Ages<'_>) {
        if words.swept.load(Relaxed) == 0 {
            // Somebody else's first time is as good.
            let _ = words.swept.compare_exchange(0, self.tick(now).max(1), Relaxed, Relaxed);
        }
    }

    /// How many microseconds ago the last sweep began, and how many the next one should wait after that.
    pub(crate) fn since_sweep(self, now: Instant, words: Ages<'_>) -> (u64, u64) {
        let time = |ticks: u32| u64::from(ticks).wrapping_shl(self.shift);
        let limit = match words.limit.load(Relaxed) as u16 {
            // Nothing ages, but what was removed wants its room back.
            NEVER => LONGEST,
            limit => limit,
        };
        let period = time(u32::from(limit / SWEEPS).max(1));
        let since = match words.swept.load(Relaxed) {
            // The first sweep sets the time.
            0 => period,
            swept => match self.tick(now).wrapping_sub(swept) {
                // The clock was set back.
                since if since >= u32::from(FUTURE).wrapping_neg() => 0,
                since => time(since),
            },
        };
        (since, period)
    }

    /// The time that so many ticks take.
    pub(crate) const fn duration(self, ticks: u16) -> Duration {
        Duration::from_micros((ticks as u64).wrapping_shl(self.shift))
    }
}

/// The words of a table that ages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages<'t> {
    /// Tick at which the last complete sweep began; 0 before any time was known.
    pub(crate) swept: &'t AtomicU32,
    /// Ticks after which an entry is expired.
    pub(crate) limit: &'t AtomicU32,
}

/// When the sweep began that is under way, or the last one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began<'t> {
    pub(crate) tick: &'t AtomicU32,
    /// 0 before the first.
    pub(crate) stamp: &'t AtomicU32,
}

/// The present, in ticks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Now {
    stamp: u16,
    /// Age at which an entry is expired.
    limit: u16,
}

impl Now {
    /// No time is known: nothing is expired.
    pub(crate) const UNKNOWN: Self = Self { stamp: 1, limit: NEVER };

    /// This present, for a table whose last sweep was long ago, in the future, or never.
    #[cold]
    fn unless_overdue(self, since: u32, swept: u32) -> Self {
        // Not where the last sweep is, for a clock that was set back, a little ahead.
        let overdue = swept != 0 && since < (FUTURE as u32).wrapping_neg();
        let limit = match self.limit {
            limit if !overdue => limit,
            NEVER => NEVER_UNSWEPT,
            _ => 0,
        };
        Self { limit, ..self }
    }

    /// Whether the table was not swept in time, so that no stamp is trusted and everything that ages counts as expired.
    #[inline]
    pub(crate) const fn is_overdue(self) -> bool {
        self.limit == 0
    }

    /// The same, also of a table in which nothing expires: what is new there would be old at once.
    #[inline]
    pub(crate) const fn trusts_no_stamp(self) -> bool {
        matches!(self.limit, 0 | NEVER_UNSWEPT)
    }

    /// The stamp of what is confirmed now; never [`ETERNAL`].
    #[inline]
    pub(crate) const fn stamp(self) -> u16 {
        self.stamp
    }

    /// Ticks since `stamp`; none where the stamp is of a clock that is ahead.
    #[inline]
    pub(crate) const fn age(self, stamp: u16) -> u16 {
        let age = self.since(stamp);
        if age > FUTURE { 0 } else { age }
    }

    /// Whether what is confirmed again has to say so: it was confirmed in another tick. Not where that is one of the
    /// next few: of two cores whose clocks differ a little, none undoes what the other one stores.
    #[inline]
    pub(crate) const fn renews(self, stamp: u16) -> bool {
        let since = self.since(stamp);
        since != 0 && since < NEARLY
    }

    /// Ticks since `stamp`. Stamps go around, and stamp 0, which no tick has ([`ETERNAL`]), is not counted.
    #[inline]
    const fn since(self, stamp: u16) -> u16 {
        self.stamp.wrapping_sub(stamp).wrapping_sub((self.stamp < stamp) as u16)
    }

    /// Whether what was confirmed at `stamp` may be used, as far as a first look tells. Where it says no,
    /// [`expired`](Self::expired) may still say no, too: of what a clock that was ahead confirmed, and in the last tick
    /// before the limit, where stamp 0 lies between, which no tick has.
    #[inline]
    pub(crate) const fn is_young(self, stamp: u16) -> bool {
        (self.stamp.wrapping_sub(stamp) < self.limit) | (stamp == ETERNAL)
    }

    /// The same of the stamp in the upper half of a word, whatever is in the lower one. For one lookup alone: batches,
    /// which have no branch here, take a fifth longer with it.
    #[inline(always)]
    pub(crate) const fn is_young_above(self, above: u32) -> bool {
        // With all ones below, nothing is borrowed from the age.
        let age = ((self.stamp as u32) << 16 | 0xffff).wrapping_sub(above);
        age < (self.limit as u32) << 16 || above < 1 << 16
    }

    /// Whether what was confirmed at `stamp` must not be used any more.
    #[inline]
    pub(crate) const fn expired(self, stamp: u16) -> bool {
        // No age reaches NEVER, and every age the limit 0 of a table that was not swept in time.
        let since = self.since(stamp);
        since >= self.limit && stamp != ETERNAL && (since <= FUTURE || self.is_overdue())
    }

    /// The same by another age than the table's; a table that was not swept in time trusts no stamp.
    #[inline]
    pub(crate) const fn expired_after(self, stamp: u16, limit: u16) -> bool {
        stamp != ETERNAL && limit != NEVER && (self.trusts_no_stamp() || self.age(stamp) >= limit)
    }

    /// The stamp that a sweep gives to what does not expire and is too old for its own: stamps go around, and by that
    /// it would be young again. The new one is of the longest age that can be told. Where no stamp is trusted,
    /// everything gets it.
    pub(crate) const fn held_back(self, stamp: u16) -> Option<u16> {
        let since = self.since(stamp);
        let old = since > LONGEST && since <= FUTURE || since != LONGEST && self.trusts_no_stamp();
        if stamp == ETERNAL || !old {
            return None;
        }
        // One less where stamp 0 lies between, which `since` does not count.
        Some(self.stamp.wrapping_sub(LONGEST).wrapping_sub((self.stamp <= LONGEST) as u16))
    }
}

/// Sweeps in an ageing time.
pub(crate) const SWEEPS: u16 = 8;

/// How many stamps there are: all of 16 bits but [`ETERNAL`], so that no tick counts as another.
const STAMPS: u64 = 0xffff;

/// The stamp of what does not age.
pub(crate) const ETERNAL: u16 = 0;

/// The limit of a table in which nothing expires.
pub(crate) const NEVER: u16 = u16::MAX;

/// The same, where it was not swept in time: no age that is told reaches it either.
const NEVER_UNSWEPT: u16 = NEVER - 1;

/// Ages above are those of stamps from the future. So a clock may jump back by as many ticks as this less four, and
/// nothing is older for it.
const FUTURE: u16 = 0x8001;

/// Ages above are those of the next few ticks.
const NEARLY: u16 = u16::MAX - 4;

/// Ticks without a complete sweep after which no stamp is trusted.
const OVERDUE: u32 = 0x5000;

/// The longest age that can be told: twelve times what a clock is made for, which is less than 1,024 ticks, and the
/// one that had begun. With the time between two sweeps it does not come past [`FUTURE`].
const LONGEST: u16 = 12 * 1_024 + 1;

const _: () = assert!(LONGEST as u32 + OVERDUE <= FUTURE as u32 && FUTURE < NEVER_UNSWEPT);
