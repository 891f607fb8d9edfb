//! How often something may be done: ICMP errors (RFC 1812, section 4.3.2.8; RFC 4443, section 2.4(f)), learning.

use core::time::Duration;

use crate::time::Instant;

/// A bucket of tokens: each time takes one, and they come back with time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// Tokens that are gone, in millionths.
    used: u64,
    last: Instant,
}

impl Bucket {
    /// Whether it may be done now, and then counts it: `per_second` times in a second, and `at_once` times at once.
    pub(super) fn take(&mut self, now: Instant, per_second: u32, at_once: u32) -> bool {
        self.used = self.used(now, per_second);
        // Where a clock was set back, time goes on from there; where it only runs a little backwards, it stands still.
        if now >= self.last || self.last.saturating_since(now) > SET_BACK {
            self.last = now;
        }
        let used = self.used.saturating_add(TOKEN);
        let may = per_second > 0 && used <= TOKEN.saturating_mul(at_once.into());
        if may {
            self.used = used;
        }
        may
    }

    /// What is not yet back now, in millionths of a token.
    pub(super) fn used(&self, now: Instant, per_second: u32) -> u64 {
        let passed = now.saturating_since(self.last).as_micros().min(u64::MAX.into()) as u64;
        self.used.saturating_sub(passed.saturating_mul(per_second.into()))
    }
}

const TOKEN: u64 = 1_000_000;

/// A clock that goes backwards by more was set.
const SET_BACK: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut bucket = Bucket::default();
        let now = Instant::from_secs(5);
        assert_eq!((0..100).filter(|_| bucket.take(now, 1_000, 50)).count(), 50);
        let later = Instant::from_millis(5_010);
        assert_eq!((0..100).filter(|_| bucket.take(later, 1_000, 50)).count(), 10);
        // A clock that runs backwards brings nothing.
        assert!(!bucket.take(now, 1_000, 50));
        assert!(!bucket.take(later, 1_000, 50));
        assert!(!Bucket::default().take(now, 0, 50), "none at all");
    }

    #[test]
    fn a_clock_that_was_set_back_starves_nobody() {
        let mut bucket = Bucket::default();
        let (late, early) = (Instant::from_secs(5_000), Instant::from_secs(1_000));
        assert_eq!((0..100).filter(|_| bucket.take(late, 10, 10)).count(), 10);
        assert!(!bucket.take(early, 10, 10));
        let seconds = (1..=20).map(|second| early.saturating_add(Duration::from_secs(second)));
        assert_eq!(seconds.filter(|&now| bucket.take(now, 10, 10)).count(), 20);
    }
}
