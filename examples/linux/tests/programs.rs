//! The programs as programs: exit codes.

#![allow(clippy::unwrap_used, reason = "a test that goes wrong should panic")]

use std::{fs::File, process::Command};

#[test]
fn nobody_ends_because_nobody_listens() {
    for (program, flags) in [
        (env!("CARGO_BIN_EXE_vtep"), "--tap t --vni 1 --local 127.0.0.1 --fdb-file none"),
        (env!("CARGO_BIN_EXE_gre"), "--tun t --local 127.0.0.1 --remote 0.0.0.0"),
        (env!("CARGO_BIN_EXE_flannel_udp"), "--tun t --listen 127.0.0.1 --listen 127.0.0.2"),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = Command::new(program).args(flags.split(' ')).stderr(full).status().unwrap();
        // As it ends where somebody reads why, and not by a panic.
        assert_eq!(ended.code(), Some(1), "{program}");
    }
}
