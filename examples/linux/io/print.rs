//! Words on standard output and standard error, for which nobody waits.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Standard output.
pub static STDOUT: Printer = Printer::new(Stream::Out);

/// Standard error.
pub static STDERR: Printer = Printer::new(Stream::Err);

/// What is to be printed on a stream, in the order in which it was said. A thread of its own prints it, so that nobody
/// waits for who reads slowly or not at all: then the room for what is not read yet gets full, and what finds none is
/// lost, and counted.
#[derive(Debug)]
pub struct Printer {
    stream: Stream,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug)]
enum Stream {
    Out,
    Err,
}

#[derive(Debug)]
struct State {
    /// Whether there is a thread that prints.
    has_thread: bool,
    texts: VecDeque<String>,
    /// Of these, and of the one that is being printed.
    bytes: usize,
    lost: u64,
}

impl Printer {
    const fn new(stream: Stream) -> Self {
        let state = State { has_thread: false, texts: VecDeque::new(), bytes: 0, lost: 0 };
        Self { stream, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Prints a text, now or a little later: all of it or nothing, but at the end. However long it is, there is room for
    /// one.
    pub fn print(&'static self, text: String) {
        let mut state = self.lock();
        if !state.has_thread {
            state.has_thread = thread::Builder::new().spawn(move || self.serve()).is_ok();
        }
        let is_full = state.bytes > 0 && state.bytes.saturating_add(text.len()) > ROOM;
        if is_full || !state.has_thread {
            state.lost += 1;
            return;
        }
        state.bytes += text.len();
        state.texts.push_back(text);
        self.changed.notify_all();
    }

    /// How many texts were lost.
    pub fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// Waits until everything is printed, but half a second at most: before the end, which takes the threads with it.
    pub fn flush(&self) {
        let all = self.changed.wait_timeout_while(self.lock(), PATIENCE, |state| state.bytes > 0);
        drop(all);
    }

    fn serve(&self) {
        let mut state = self.lock();
        loop {
            let Some(text) = state.texts.pop_front() else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            self.stream.write(text.as_bytes());
            state = self.lock();
            state.bytes -= text.len();
            self.changed.notify_all();
        }
    }

    /// Nobody panics with it half written.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    /// Whoever does not listen does not want to know: that is nobody's end.
    fn write(self, bytes: &[u8]) {
        let _ = match self {
            Self::Out => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
            Self::Err => io::stderr().write_all(bytes),
        };
    }
}

/// Waits for the readers of both streams, as [`Printer::flush`] does.
pub fn flush() {
    STDOUT.flush();
    STDERR.flush();
}

/// Texts that both streams have lost.
pub fn lost() -> u64 {
    STDOUT.lost().saturating_add(STDERR.lost())
}

/// Says a line on standard error, as `eprintln!` does, by [`STDERR`].
#[macro_export]
macro_rules! tell {
    ($($words:tt)*) => {
        $crate::print::STDERR.print(format!("{}\n", format_args!($($words)*)))
    };
}

/// Bytes that may wait to be read.
const ROOM: usize = 1 << 20;

/// How long the end waits for a reader.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_lost_and_counted() {
        static PRINTER: Printer = Printer::new(Stream::Err);
        // Somebody who does not come to print.
        PRINTER.lock().has_thread = true;
        for (len, lost) in [(ROOM + 1, 0), (1, 1), (1, 2)] {
            PRINTER.print("x".repeat(len));
            assert_eq!(PRINTER.lost(), lost);
        }
        PRINTER.lock().texts.clear();
        PRINTER.lock().bytes = ROOM - 1;
        for (len, lost) in [(1, 2), (1, 3)] {
            PRINTER.print("x".repeat(len));
            assert_eq!(PRINTER.lost(), lost);
        }
        PRINTER.flush();
        assert_eq!(PRINTER.lock().texts.len(), 1);
    }
}
