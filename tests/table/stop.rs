//! Ends the threads of a test, also where an assertion fails: a scope waits for them, and would wait for ever.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Sets the flag when dropped.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}
