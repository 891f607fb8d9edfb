//! Tests that cannot bear others beside them.

use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static LOCK: RwLock<()> = RwLock::new(());

/// While this lives no other test of the same file that asks for it runs. Cargo runs one file after the other.
#[derive(Debug)]
pub struct Alone {
    _guard: Guard,
}

#[derive(Debug)]
#[expect(dead_code, reason = "held, not read")]
enum Guard {
    Alone(RwLockWriteGuard<'static, ()>),
    Beside(RwLockReadGuard<'static, ()>),
}

/// Waits until no other test that asks for it runs.
pub fn alone() -> Alone {
    let guard = LOCK.write().unwrap_or_else(|poisoned| {
        LOCK.clear_poison();
        poisoned.into_inner()
    });
    Alone { _guard: Guard::Alone(guard) }
}

impl Alone {
    /// Waits until no test runs that must be alone; others may run beside.
    pub fn not() -> Self {
        let guard = LOCK.read().unwrap_or_else(|poisoned| {
            LOCK.clear_poison();
            poisoned.into_inner()
        });
        Self { _guard: Guard::Beside(guard) }
    }
}
