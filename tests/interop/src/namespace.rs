//! Network namespaces that go away with their value, whatever happens, and what is done in them.

use std::{
    fs::{self, File},
    os::fd::AsRawFd,
    panic::resume_unwind,
    process, thread,
    time::Duration,
};

use nix::sched::{CloneFlags, setns, unshare};

use crate::process::{Finished, Running};

/// Time that a command has.
const LIMIT: Duration = Duration::from_secs(20);

/// A network namespace. It has no name in `/run/netns`: it lives as long as the value and the programs in it, and
/// its devices with it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// A new namespace with loopback up and IPv6 addresses usable at once. The name is for messages.
    ///
    /// # Panics
    ///
    /// Without root.
    #[track_caller]
    pub fn new(name: &str) -> Self {
        let file = thread::scope(|scope| {
            let made = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET)?;
                File::open("/proc/thread-self/ns/net")
            });
            made.join().unwrap()
        });
        let file = file.unwrap_or_else(|error| panic!("namespace {name}: {error}"));
        let namespace = Self { name: name.to_owned(), file };
        for scope in ["default", "all"] {
            namespace.sysctl(&format!("net/ipv6/conf/{scope}/accept_dad"), "0");
            namespace.sysctl(&format!("net/ipv6/conf/{scope}/router_solicitations"), "0");
        }
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs `inside` in this namespace: what sockets it opens and which programs it starts are there.
    pub fn enter<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.file, CloneFlags::CLONE_NEWNET)
                    .unwrap_or_else(|error| panic!("{}: {error}", self.name));
                inside()
            });
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// A path that `ip … netns PATH` takes.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.file.as_raw_fd())
    }

    /// Runs a program to its end, 20 seconds at most.
    #[track_caller]
    pub fn run<I: IntoIterator<Item: AsRef<str>> + Send>(&self, words: I) -> Finished {
        self.run_within(LIMIT, words)
    }

    /// Runs a program to its end, within this time.
    pub fn run_within<I: IntoIterator<Item: AsRef<str>> + Send>(
        &self,
        limit: Duration,
        words: I,
    ) -> Finished {
        self.enter(|| Running::start(words)).finish(limit)
    }

    /// Starts a program in the background.
    pub fn spawn<I: IntoIterator<Item: AsRef<str>> + Send>(&self, words: I) -> Running {
        self.enter(|| Running::start(words))
    }

    /// `ip` with these words, and what it prints.
    ///
    /// # Panics
    ///
    /// Where it fails.
    #[track_caller]
    pub fn ip(&self, words: &str) -> String {
        self.command(&format!("ip {words}"))
    }

    /// `bridge` with these words, and what it prints.
    ///
    /// # Panics
    ///
    /// Where it fails.
    #[track_caller]
    pub fn bridge(&self, words: &str) -> String {
        self.command(&format!("bridge {words}"))
    }

    /// A command, its words parted by spaces, and what it prints.
    ///
    /// # Panics
    ///
    /// Where it fails.
    #[track_caller]
    pub fn command(&self, words: &str) -> String {
        let finished = self.run(words.split_whitespace());
        assert!(finished.is_ok(), "in {}: {finished}", self.name);
        finished.stdout
    }

    /// `ip` with these words; the error is what it complains of.
    ///
    /// # Errors
    ///
    /// Where it fails.
    pub fn try_ip(&self, words: &str) -> Result<String, String> {
        let finished = self.run(["ip"].into_iter().chain(words.split_whitespace()).collect::<Vec<_>>());
        if finished.is_ok() { Ok(finished.stdout) } else { Err(finished.stderr) }
    }

    /// Sets a variable below `/proc/sys`.
    ///
    /// # Panics
    ///
    /// Where it is not there.
    #[track_caller]
    pub fn sysctl(&self, name: &str, value: &str) {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        self.enter(|| fs::write(&path, value)).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Switches IPv6 off, so that devices do not speak by themselves.
    pub fn without_ipv6(&self) {
        for scope in ["default", "all"] {
            self.sysctl(&format!("net/ipv6/conf/{scope}/disable_ipv6"), "1");
        }
    }

    /// Takes offloads away from a device.
    #[track_caller]
    pub fn offload(&self, device: &str, offload: Offload) {
        let features = match offload {
            Offload::All => return,
            Offload::NoChecksum => "tx off",
            Offload::None => "tx off rx off sg off tso off gso off gro off",
        };
        self.command(&format!("ethtool -K {device} {features}"));
    }
}

/// What a device leaves to a network card that is not there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offload {
    /// Everything: raw sockets then see unfinished checksums.
    All,
    /// Everything but checksums, which are finished before a raw socket sees them.
    NoChecksum,
    /// Nothing: no packet is longer than the MTU either.
    None,
}

/// Joins two namespaces by a pair of devices with these names, both up.
#[track_caller]
pub fn veth(a: (&Namespace, &str), b: (&Namespace, &str), offload: Offload) {
    let ((first, one), (second, two)) = (a, b);
    let peer = second.path();
    first.ip(&format!("link add {one} type veth peer name {two} netns {peer}"));
    for (namespace, device) in [a, b] {
        namespace.offload(device, offload);
        namespace.ip(&format!("link set dev {device} up"));
    }
}

/// How many answers came.
#[derive(Clone, Debug)]
pub struct Ping {
    /// Requests.
    pub sent: u32,
    /// Answers.
    pub received: u32,
    /// What the program said.
    pub text: String,
}

impl Ping {
    /// Every request was answered.
    ///
    /// # Panics
    ///
    /// Where one was not.
    #[track_caller]
    pub fn all(&self) {
        assert!(self.sent > 0 && self.sent == self.received, "{}", self.text);
    }

    /// No request was answered.
    ///
    /// # Panics
    ///
    /// Where one was.
    #[track_caller]
    pub fn none(&self) {
        assert!(self.sent > 0 && self.received == 0, "{}", self.text);
    }
}

/// Pings `count` times, each with a second for the answer. `target` may have options of `ping` before the address.
#[track_caller]
pub fn ping(namespace: &Namespace, target: &str, count: u32) -> Ping {
    let words = format!("ping -n -c {count} -i 0.05 -W 1 {target}");
    let finished =
        namespace.run_within(Duration::from_secs(2 * u64::from(count) + 5), words.split_whitespace());
    let text = finished.to_string();
    // "3 packets transmitted, 3 received, 0% packet loss, time 2003ms"
    let summary = finished.stdout.lines().find(|line| line.contains(" packets transmitted, "));
    let mut numbers = summary
        .unwrap_or_default()
        .split(", ")
        .map(|part| part.split(' ').next().and_then(|number| number.parse().ok()));
    let mut next = || numbers.next().flatten();
    match (next(), next()) {
        (Some(sent), Some(received)) => Ping { sent, received, text },
        _ => Ping { sent: count, received: 0, text },
    }
}
