//! Two namespaces, a wire between them, and the program.

use std::{fs, path::PathBuf, time::Duration};

use interop::{Folder, Namespace, Need, Offload, Running, eventually, examples, is_there, veth};
use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

/// Time that anything has to come about.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// What all tests here need.
pub(crate) fn is_possible(test: &str) -> bool {
    let needs = [
        Need::Root,
        Need::Program("ping"),
        Need::Program("ethtool"),
        Need::Device("vxlan"),
        Need::Device("veth"),
    ];
    is_there(test, &needs)
}

/// Returns from the test where it cannot be done.
macro_rules! require_lab {
    () => {{
        fn here() {}
        let test = std::any::type_name_of_val(&here).trim_end_matches("::here");
        if !crate::lab::is_possible(test) {
            return;
        }
    }};
}
pub(crate) use require_lab;

/// The kernel's side and ours.
pub(crate) struct Lab {
    pub(crate) a: Namespace,
    pub(crate) b: Namespace,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let (a, b) = (Namespace::new("a"), Namespace::new("b"));
        veth((&a, "va"), (&b, "vb"), Offload::NoChecksum);
        for (namespace, device, last) in [(&a, "va", 1), (&b, "vb", 2)] {
            namespace.ip(&format!("addr add 10.99.0.{last}/24 dev {device}"));
            namespace.ip(&format!("addr add fd99::{last}/64 dev {device} nodad"));
        }
        Self { a, b }
    }

    /// A vxlan device of the kernel, up, with an address in it.
    pub(crate) fn kernel(&self, name: &str, options: &str, address: &str) {
        self.a.ip(&format!("link add {name} type vxlan {options}"));
        self.a.ip(&format!("addr add {address} dev {name}"));
        self.a.ip(&format!("link set {name} up"));
    }

    /// The program in namespace `b`, its devices with an address each.
    pub(crate) fn ours(&self, options: &str, addresses: &[(&str, &str)]) -> Ours {
        Ours::start(&self.b, options, addresses)
    }
}

/// A pipe that nobody reads, and where it is.
type Unread = (fs::File, Folder);

/// The program, running.
pub(crate) struct Ours {
    pub(crate) running: Running,
    pid: Pid,
}

impl Ours {
    /// Starts it, and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(namespace: &Namespace, options: &str, addresses: &[(&str, &str)]) -> Self {
        let program = examples::program("vtep").to_string_lossy().into_owned();
        let words: Vec<&str> = [&*program].into_iter().chain(options.split_whitespace()).collect();
        let mut running = namespace.spawn(&words);
        running.wait_for("vtep: ", SOON);
        for (device, address) in addresses {
            namespace.ip(&format!("addr add {address} dev {device}"));
        }
        Self { pid: pid_of(&words), running }
    }

    /// Starts it with a stream, 1 or 2, that has a reader who does not read; it is ready when the device is there.
    #[track_caller]
    pub(crate) fn start_unread(lab: &Lab, options: &str, device: &str, stream: u8) -> (Self, Unread) {
        let folder = Folder::new("vtep");
        let pipe = folder.0.join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let reader = fs::File::options().read(true).write(true).open(&pipe).unwrap();
        let command = format!("{} {options}", examples::program("vtep").display());
        let running = lab.b.spawn(["sh", "-c", &format!("exec {command} {stream}> {}", pipe.display())]);
        eventually(SOON, device, || lab.b.try_ip(&format!("link show dev {device} up")).ok());
        let pid = pid_of(&command.split_whitespace().collect::<Vec<_>>());
        (Self { pid, running }, (reader, folder))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    /// What it prints when it is asked.
    #[track_caller]
    pub(crate) fn report(&self) -> String {
        let before = self.running.stdout().len();
        self.signal(Signal::SIGUSR1);
        let whole = |text: &str| {
            let text = text.get(before..)?;
            text.ends_with("# end\n").then(|| text.to_owned())
        };
        let report = self.running.look(SOON, whole);
        report.unwrap_or_else(|| panic!("no report\n{}{}", self.running.stdout(), self.running.stderr()))
    }

    /// Waits until it says a line that begins so, and answers the rest.
    #[track_caller]
    pub(crate) fn says(&self, line: &str) -> String {
        eventually(SOON, line, || {
            let report = self.report();
            report.lines().find_map(|said| said.strip_prefix(line)).map(|rest| rest.trim().to_owned())
        })
    }

    /// The lines of its report between two headings.
    pub(crate) fn section(&self, heading: &str) -> Vec<String> {
        let report = self.report();
        let lines = report.lines().skip_while(|line| *line != heading).skip(1);
        lines.take_while(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    /// The number behind a line of its report that begins so.
    pub(crate) fn number(&self, line: &str) -> u64 {
        let report = self.report();
        let rest = report.lines().find_map(|said| said.strip_prefix(line)).unwrap_or_default();
        rest.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

/// The process with this command line; the fixture starts others that have it at their end.
#[track_caller]
fn pid_of(words: &[&str]) -> Pid {
    let wanted =
        words.iter().flat_map(|word| [word.as_bytes(), &[0]]).flatten().copied().collect::<Vec<u8>>();
    let is_it = |path: &PathBuf| fs::read(path.join("cmdline")).is_ok_and(|found| found == wanted);
    let mut processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let found = processes.find(is_it).unwrap_or_else(|| panic!("no process {words:?}"));
    Pid::from_raw(found.file_name().unwrap().to_str().unwrap().parse().unwrap())
}
