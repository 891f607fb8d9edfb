//! Signals, as something that can be waited for.

use std::{
    io::{self, ErrorKind, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    flag, low_level,
};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// An end: SIGINT, SIGTERM.
    Stop,
    /// Files to be read again: SIGHUP.
    Reload,
    /// Tables and counters: SIGUSR1.
    Print,
}

/// Signals of the process, from now on.
#[derive(Debug)]
pub struct Signals {
    reader: UnixStream,
    flags: Vec<(Signal, Arc<AtomicBool>)>,
}

impl Signals {
    /// Takes over those that ask for something of this; the others do what they do to every process.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn new(wanted: &[Signal]) -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let flags: Vec<_> = wanted.iter().map(|&signal| (signal, Arc::default())).collect();
        for (signal, raised) in &flags {
            let numbers: &[i32] = match signal {
                Signal::Stop => &[SIGINT, SIGTERM],
                Signal::Reload => &[SIGHUP],
                Signal::Print => &[SIGUSR1],
            };
            for &number in numbers {
                // In this order, so that who wakes up sees which it was.
                flag::register(number, Arc::clone(raised))?;
                low_level::pipe::register(number, writer.try_clone()?)?;
            }
        }
        Ok(Self { reader, flags })
    }

    /// The signals that came since this was asked last.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn pending(&mut self) -> io::Result<impl Iterator<Item = Signal> + '_> {
        match self.reader.read(&mut [0; 64]) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        let raised = |(signal, flag): &(Signal, Arc<AtomicBool>)| {
            flag.swap(false, Ordering::Relaxed).then_some(*signal)
        };
        Ok(self.flags.iter().filter_map(raised))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
