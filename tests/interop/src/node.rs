//! A program of `examples/linux` at work, and what it counts.

use std::time::Duration;

use crate::{Finished, Namespace, Running, eventually, examples};

/// Time for a program to start, on a machine that does much else.
const START: Duration = Duration::from_secs(20);

/// A program in a namespace. It prints its counters on SIGUSR1, with an empty line at the end.
#[derive(Debug)]
pub struct Node<'n> {
    namespace: &'n Namespace,
    name: String,
    running: Running,
}

impl<'n> Node<'n> {
    /// Starts the program with these arguments, and waits until it says on standard error that its device is there.
    ///
    /// # Panics
    ///
    /// Where it is not.
    #[track_caller]
    pub fn start(namespace: &'n Namespace, name: &str, arguments: &str) -> Self {
        let mut running = Self::spawn(namespace, name, arguments);
        let up = format!("{name}: ");
        eventually(START, &format!("{name} {arguments}"), || {
            let said = running.stderr();
            assert!(running.is_alive(), "{name} {arguments}\n{said}");
            (said.contains(&up) && said.ends_with('\n')).then_some(())
        });
        Self { namespace, name: name.to_owned(), running }
    }

    /// Runs the program where it is to refuse these arguments, and returns what it says.
    ///
    /// # Panics
    ///
    /// Where it does not end, or ends well.
    #[track_caller]
    pub fn refused(namespace: &Namespace, name: &str, arguments: &str) -> String {
        failed(Self::spawn(namespace, name, arguments))
    }

    fn spawn(namespace: &Namespace, name: &str, arguments: &str) -> Running {
        let program = examples::program(name);
        let words = [program.to_str().unwrap()].into_iter().chain(arguments.split_whitespace());
        namespace.spawn(words.collect::<Vec<_>>())
    }

    /// What the program prints on SIGUSR1.
    ///
    /// # Panics
    ///
    /// Where it prints nothing.
    #[track_caller]
    pub fn report(&self) -> Report {
        let before = self.running.stdout().len();
        self.signal("USR1");
        let report = self.running.look(START, |text| {
            let new = text.get(before..)?;
            new.ends_with("\n\n").then(|| new.to_owned())
        });
        Report(report.unwrap_or_else(|| panic!("{} reports nothing", self.name)))
    }

    /// Waits until the program ends by itself, badly, and returns what it says.
    ///
    /// # Panics
    ///
    /// Where it does not end, or ends well.
    #[track_caller]
    pub fn fails(self) -> String {
        failed(self.running)
    }

    /// Ends the program by this signal; it says good-bye by its status.
    ///
    /// # Panics
    ///
    /// Where it fails or does not end.
    #[track_caller]
    pub fn stop(self, signal: &str) -> Finished {
        self.signal(signal);
        let finished = self.running.finish(START);
        assert!(finished.is_ok(), "{finished}");
        finished
    }

    /// Signals the program itself, and not what guards its time.
    #[track_caller]
    fn signal(&self, signal: &str) {
        let line = format!("pkill -{signal} --ns $$ --nslist net -f '^/[^ ]*/{} '", self.name);
        self.namespace.run(["sh", "-c", &line]).ok();
    }
}

/// What a program says that ends by itself, badly.
#[track_caller]
fn failed(running: Running) -> String {
    let finished = running.finish(START);
    assert!(finished.status.is_some() && !finished.is_ok(), "{finished}");
    finished.stderr
}

/// What a program counts.
#[derive(Clone, Debug)]
pub struct Report(pub String);

impl Report {
    /// The number behind this name, zero where there is none.
    pub fn count(&self, name: &str) -> u64 {
        let number = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        self.0.lines().find_map(number).unwrap_or(0)
    }
}
