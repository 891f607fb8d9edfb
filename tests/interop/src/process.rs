//! Programs: run to their end within a time limit, or kept in the background and killed at last.

use std::{
    fmt,
    io::{Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// However the test ends, also if it is killed itself: no program lives longer.
const LIFE: &str = "600";

/// A program in the background. It is killed, with what it started, when the value is dropped.
pub struct Running {
    name: String,
    child: Child,
    text: [Text; 2],
    readers: Vec<JoinHandle<()>>,
}

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it was called.
    pub name: String,
    /// How it ended; `None` where it was killed because its time was up.
    pub status: Option<ExitStatus>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Finished {
    /// Whether it ended in time and well.
    pub fn is_ok(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// What it printed.
    ///
    /// # Panics
    ///
    /// Where it failed or was killed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.is_ok(), "{self}");
        self.stdout
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, status, stdout, stderr } = self;
        match status {
            Some(status) => write!(f, "{name}: {status}\n{stdout}{stderr}"),
            None => write!(f, "{name}: took too long, killed\n{stdout}{stderr}"),
        }
    }
}

impl Running {
    /// Starts a program in the namespace of this thread.
    ///
    /// # Panics
    ///
    /// Where it cannot be started.
    #[track_caller]
    pub fn start<I: IntoIterator<Item: AsRef<str>>>(words: I) -> Self {
        Self::start_with(words, |_| {})
    }

    /// As [`start`](Self::start), with what else there is to set.
    ///
    /// # Panics
    ///
    /// Where it cannot be started.
    #[track_caller]
    pub fn start_with<I: IntoIterator<Item: AsRef<str>>>(words: I, set: impl FnOnce(&mut Command)) -> Self {
        let words: Vec<String> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        let mut command = Command::new("timeout");
        command.args(["--foreground", "--signal=KILL", LIFE]).args(&words);
        set(&mut command);
        Self::spawn(words.join(" "), command)
    }

    /// Starts a program that ends by itself when its standard input does, and may begin a session of its own.
    ///
    /// # Panics
    ///
    /// Where it cannot be started.
    #[track_caller]
    pub(crate) fn start_alone(words: &[String], set: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        set(&mut command);
        Self::spawn(words.join(" "), command)
    }

    #[track_caller]
    fn spawn(name: String, mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).env("LC_ALL", "C.UTF-8");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (text, mut readers) = ([Text::default(), Text::default()], Vec::new());
        let [out, err] = text.clone();
        if let Some(stdout) = child.stdout.take() {
            readers.push(thread::spawn(move || out.fill(stdout)));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(thread::spawn(move || err.fill(stderr)));
        }
        Self { name, child, text, readers }
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        self.text[0].so_far()
    }

    /// What it has complained of so far.
    pub fn stderr(&self) -> String {
        self.text[1].so_far()
    }

    /// Waits until it has printed a line that `wanted` is in, and returns the line.
    ///
    /// # Panics
    ///
    /// Where it ends without, or `limit` passes.
    #[track_caller]
    pub fn wait_for(&mut self, wanted: &str, limit: Duration) -> String {
        let found = self.text[0].wait(limit, |text| {
            text.split_inclusive('\n')
                .find(|line| line.ends_with('\n') && line.contains(wanted))
                .map(str::to_owned)
        });
        found.unwrap_or_else(|| {
            let (name, out, err) = (&self.name, self.stdout(), self.stderr());
            panic!("{name}: {wanted:?} is not printed within {limit:?}\n{out}{err}")
        })
    }

    /// Writes to its standard input.
    ///
    /// # Panics
    ///
    /// Where nobody reads it.
    #[track_caller]
    pub fn write(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap_or_else(|| panic!("{}: no standard input", self.name));
        let written = stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush());
        written.unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// What is in its standard output is looked at until there is an answer or `limit` passes.
    pub fn look<T>(&self, limit: Duration, look: impl FnMut(&str) -> Option<T>) -> Option<T> {
        self.text[0].wait(limit, look)
    }

    /// Whether it runs still.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal to it and all that it started.
    pub fn signal(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.child.id() as i32), signal);
    }

    /// Waits for its end, with nothing more to read for it; kills it after `limit`.
    pub fn finish(mut self, limit: Duration) -> Finished {
        drop(self.child.stdin.take());
        let end = Instant::now() + limit;
        let status = loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(3)),
                Ok(status) => break status,
                Err(_) => break None,
            }
        };
        self.kill();
        let (stdout, stderr) = (self.stdout(), self.stderr());
        Finished { name: self.name.clone(), status, stdout, stderr }
    }

    fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            // A grandchild in a group of its own may hold the pipe open.
            let end = Instant::now() + Duration::from_secs(1);
            while !reader.is_finished() && Instant::now() < end {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Running").field(&self.name).finish()
    }
}

/// What comes out of a pipe.
#[derive(Clone, Default)]
struct Text(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    ended: bool,
}

impl Text {
    fn fill(&self, mut pipe: impl Read) {
        let (state, changed) = &*self.0;
        let mut buffer = [0; 4096];
        loop {
            let len = pipe.read(&mut buffer).unwrap_or(0);
            let mut state = state.lock().unwrap();
            state.bytes.extend_from_slice(&buffer[..len]);
            state.ended = len == 0;
            changed.notify_all();
            if len == 0 {
                return;
            }
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().unwrap().bytes).into_owned()
    }

    fn wait<T>(&self, limit: Duration, mut look: impl FnMut(&str) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        let (lock, changed) = &*self.0;
        let mut state = lock.lock().unwrap();
        loop {
            if let Some(found) = look(&String::from_utf8_lossy(&state.bytes)) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = changed.wait_timeout(state, left).unwrap().0;
        }
    }
}
