//! What the threads of the program have in common besides the engine.

use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time,
};

use encap::{time::Instant, vtep::Counters};

/// The engine's time, which begins with the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(time::Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(time::Instant::now())
    }

    pub(crate) fn now(self) -> Instant {
        Instant::from_secs(1).saturating_add(self.0.elapsed())
    }
}

/// What is counted and noted; each thread writes, the main one reads.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    counters: [Mutex<Counters>; 2],
    /// What was tried, and how often the kernel refused it with which number; zero where it was not the kernel.
    errors: Mutex<BTreeMap<(&'static str, i32), u64>>,
    /// Frames that came with this policy.
    policies: Mutex<BTreeMap<u16, u64>>,
}

/// Which way a thread's packets go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Out,
    In,
}

impl Shared {
    pub(crate) fn publish(&self, way: Way, counters: &Counters) {
        let [out, back] = &self.counters;
        *lock(match way {
            Way::Out => out,
            Way::In => back,
        }) = *counters;
    }

    /// The counters of all threads.
    pub(crate) fn counters(&self) -> Counters {
        let mut sum = Counters::ZERO;
        for counters in &self.counters {
            sum += *lock(counters);
        }
        sum
    }

    /// The kernel has refused something. That is counted, and nobody's end.
    pub(crate) fn failed(&self, what: &'static str, error: &io::Error) {
        let count = &mut *lock(&self.errors);
        *count.entry((what, error.raw_os_error().unwrap_or(0))).or_default() += 1;
    }

    pub(crate) fn errors(&self) -> Vec<(&'static str, io::Error, u64)> {
        let errors = &*lock(&self.errors);
        let error = |number| match number {
            0 => io::ErrorKind::InvalidData.into(),
            number => io::Error::from_raw_os_error(number),
        };
        errors.iter().map(|(&(what, number), &count)| (what, error(number), count)).collect()
    }

    pub(crate) fn with_policy(&self, policy: u16) {
        *lock(&self.policies).entry(policy).or_default() += 1;
    }

    pub(crate) fn policies(&self) -> BTreeMap<u16, u64> {
        lock(&self.policies).clone()
    }
}

/// Nobody leaves a number half written, so that one that a thread left by panicking is good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
