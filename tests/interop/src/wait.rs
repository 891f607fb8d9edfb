//! Waiting for what comes about by itself.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Tries until there is an answer.
///
/// # Panics
///
/// Where there is none within `limit`; `what` says for what was waited.
#[track_caller]
pub fn eventually<T>(limit: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
