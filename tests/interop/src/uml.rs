//! User-mode Linux: another kernel as a process, for which no rights are needed. The test holds the other end of
//! its wire.

use std::{
    fs,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{PermissionsExt, symlink},
    },
    path::Path,
    time::Duration,
};

use command_fds::{CommandFdExt, FdMapping};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socketpair, sockopt},
};

use crate::{Folder, Namespace, Running, Wire, tap::readable};

/// The program; see [`Need::Program`](crate::Need::Program).
pub const PROGRAM: &str = "/usr/bin/linux.uml";

/// A kernel with one network device, `vec0`. It is switched off when the value is dropped.
#[derive(Debug)]
pub struct Uml {
    console: Running,
    wire: OwnedFd,
    folder: Folder,
    commands: u32,
}

/// Our end of the wire, as its number in the process of the kernel.
const WIRE: i32 = 3;

const MODULES: &str = "/usr/lib/uml/modules";

/// Time for the kernel to start, on a machine that does much else.
const BOOT: Duration = Duration::from_secs(60);

/// Prepares the kernel, then obeys the console until nobody is there any more.
const INIT: &str = r#"#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
stty -echo
dmesg -n 1
ip link set lo up
ethtool -K vec0 tx off >/dev/null
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
sysctl -qw net.ipv6.conf.default.router_solicitations=0
echo "console ready"
while read -r line; do
    eval "$line" 2>&1
    echo "status $?"
done
echo o >/proc/sysrq-trigger
sleep 1
"#;

impl Uml {
    /// Starts the kernel with these modules, its device up as 02:00:00:00:00:02.
    ///
    /// # Panics
    ///
    /// Where it does not come up.
    #[track_caller]
    pub fn boot(modules: &[&str]) -> Self {
        let uml = Self::boot_with(modules, &format!("fd,fd={WIRE}"), None);
        uml.sh_up()
    }

    /// As [`boot`](Self::boot), with what follows `vec0:transport=`, and in this namespace: what the device sends does
    /// not come out of the wire then.
    ///
    /// # Panics
    ///
    /// Where it does not come up.
    #[track_caller]
    pub fn boot_in(namespace: &Namespace, transport: &str, modules: &[&str]) -> Self {
        Self::boot_with(modules, transport, Some(namespace)).sh_up()
    }

    fn sh_up(mut self) -> Self {
        self.sh("ip link set vec0 address 02:00:00:00:00:02 up");
        self
    }

    #[track_caller]
    fn boot_with(modules: &[&str], transport: &str, namespace: Option<&Namespace>) -> Self {
        let folder = Folder::new("uml");
        let versions = fs::read_dir(MODULES).unwrap_or_else(|error| panic!("{MODULES}: {error}"));
        let version = versions.flatten().next().unwrap_or_else(|| panic!("{MODULES} is empty")).path();
        fs::create_dir_all(folder.0.join("lib/modules")).unwrap();
        symlink(&version, folder.0.join("lib/modules").join(version.file_name().unwrap())).unwrap();
        let init = folder.0.join("init");
        fs::write(&init, INIT).unwrap();
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).unwrap();

        let (wire, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
        for end in [&wire, &theirs] {
            setsockopt(end, sockopt::SndBuf, &(1 << 20)).unwrap();
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        }
        let text = folder.0.to_str().unwrap();
        let arguments = [
            PROGRAM.to_owned(),
            "mem=128M".to_owned(),
            "root=/dev/root".to_owned(),
            "rootfstype=hostfs".to_owned(),
            "rootflags=/".to_owned(),
            "ro".to_owned(),
            format!("init={text}/init"),
            "con=null".to_owned(),
            "con0=fd:0,fd:1".to_owned(),
            "quiet".to_owned(),
            // Whatever goes wrong, the process ends.
            "panic=1".to_owned(),
            "noreboot".to_owned(),
            format!("vec0:transport={transport},depth=64"),
        ];
        let start = || {
            Running::start_alone(&arguments, |command| {
                command.env("HOME", text).env("TMPDIR", text);
                command.fd_mappings(vec![FdMapping { parent_fd: theirs, child_fd: WIRE }]).unwrap();
            })
        };
        let console = match namespace {
            Some(namespace) => namespace.enter(start),
            None => start(),
        };
        let mut uml = Self { console, wire, folder, commands: 0 };
        uml.console.wait_for("console ready", BOOT);
        if !modules.is_empty() {
            let folder = uml.folder.0.display();
            uml.sh(&format!("modprobe -d {folder} -a {}", modules.join(" ")));
        }
        uml
    }

    /// Runs a line of shell in the kernel, and returns what it prints.
    ///
    /// # Panics
    ///
    /// Where it fails, or takes longer than 20 seconds.
    #[track_caller]
    pub fn sh(&mut self, line: &str) -> String {
        let (status, text) = self.try_sh(line);
        assert_eq!(status, 0, "{line}\n{text}");
        text
    }

    /// As [`sh`](Self::sh), with the exit status.
    ///
    /// # Panics
    ///
    /// Where it takes longer than 20 seconds.
    #[track_caller]
    pub fn try_sh(&mut self, line: &str) -> (i32, String) {
        assert!(!line.contains('\n'), "one line: {line:?}");
        self.commands += 1;
        let mark = format!("end of {}", self.commands);
        self.console.write(&format!("{line}; status=$?; echo \"{mark}, $status\"\n"));
        let begin = format!("end of {}, ", self.commands - 1);
        let found = self.console.look(Duration::from_secs(20), |text| {
            let after = match text.split_once(&begin) {
                Some((_, after)) => after.split_once('\n')?.1,
                None => text.split_once("console ready")?.1,
            };
            let (output, rest) = after.split_once(&format!("{mark}, "))?;
            let status = rest.split_once('\n')?.0.trim().parse().ok()?;
            Some((status, output.replace('\r', "")))
        });
        let (status, output) =
            found.unwrap_or_else(|| panic!("no answer to {line:?}:\n{}", self.console.stdout()));
        let output = output.lines().filter(|line| !line.starts_with("status ")).collect::<Vec<_>>();
        (status, output.join("\n").trim().to_owned())
    }

    /// Where its script is.
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// The wire for a thread of its own; frames go to whoever reads first.
    pub fn wire(&self) -> UmlWire {
        UmlWire(self.wire.try_clone().unwrap())
    }

    /// Sends a line of shell to the kernel without waiting for its end: its wire needs the test meanwhile. The next
    /// [`sh`](Self::sh) waits for it; [`finish`](Self::finish) returns what it printed.
    pub fn start(&mut self, line: &str) {
        self.commands += 1;
        self.console.write(&format!("{line}; status=$?; echo \"end of {}, $status\"\n", self.commands));
    }

    /// What a line of [`start`](Self::start) printed, once it is through; `None` where it is not within `limit`.
    pub fn finish(&self, limit: Duration) -> Option<(i32, String)> {
        let (begin, mark) =
            (format!("end of {}, ", self.commands - 1), format!("end of {}, ", self.commands));
        self.console.look(limit, |text| {
            let after = text.split_once(&begin).map_or(text, |(_, after)| after);
            let (output, rest) = after.split_once(&mark)?;
            let status = rest.split_once('\n')?.0.trim().parse().ok()?;
            let output = output.replace('\r', "");
            let lines: Vec<_> = output.lines().skip(1).filter(|line| !line.starts_with("status ")).collect();
            Some((status, lines.join("\n")))
        })
    }
}

impl Wire for Uml {
    fn send(&self, frame: &[u8]) {
        send_frame(&self.wire, frame);
    }

    fn receive(&self, limit: Duration) -> Option<Vec<u8>> {
        receive_frame(&self.wire, limit)
    }
}

/// The wire of a kernel, without the kernel.
#[derive(Debug)]
pub struct UmlWire(OwnedFd);

impl Wire for UmlWire {
    fn send(&self, frame: &[u8]) {
        send_frame(&self.0, frame);
    }

    fn receive(&self, limit: Duration) -> Option<Vec<u8>> {
        receive_frame(&self.0, limit)
    }
}

fn send_frame(wire: &OwnedFd, frame: &[u8]) {
    // The kernel's end takes as many as its socket holds.
    for _ in 0..2_000 {
        match send(wire.as_raw_fd(), frame, MsgFlags::MSG_NOSIGNAL) {
            Err(Errno::EAGAIN) => std::thread::sleep(Duration::from_millis(1)),
            sent => return assert_eq!(sent, Ok(frame.len())),
        }
    }
    panic!("the kernel does not read its wire");
}

fn receive_frame(wire: &OwnedFd, limit: Duration) -> Option<Vec<u8>> {
    if !readable(wire, limit) {
        return None;
    }
    let mut buffer = vec![0; 65_536];
    let len = recv(wire.as_raw_fd(), &mut buffer, MsgFlags::empty()).ok()?;
    buffer.truncate(len);
    (len > 0).then_some(buffer)
}
