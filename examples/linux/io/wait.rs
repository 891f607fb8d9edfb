//! Until something can be read.

use std::{io, os::fd::BorrowedFd, time::Duration};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// What is waited for: devices, receivers, signals, in an order of the caller's.
#[derive(Debug)]
pub struct Waiter<'fd> {
    fds: Vec<PollFd<'fd>>,
}

impl<'fd> Waiter<'fd> {
    /// Waits for these.
    pub fn new(fds: impl IntoIterator<Item = BorrowedFd<'fd>>) -> Self {
        Self { fds: fds.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect() }
    }

    /// Waits until there is something to read or `timeout` is over; without one, for ever.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        // Rounded up: who wakes up too early waits again, and again.
        let timeout = timeout.map_or(PollTimeout::NONE, |timeout| {
            PollTimeout::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut self.fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether reading the one in this place would not wait: there is something, or an error, or an end.
    pub fn is_ready(&self, place: usize) -> bool {
        self.fds.get(place).and_then(PollFd::any).unwrap_or(false)
    }
}
