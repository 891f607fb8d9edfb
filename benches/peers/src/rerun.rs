//! The same program for another target, or with other pages.

use std::{env, io, path::PathBuf, process::Command};

use crate::{
    args::Args,
    report::{self, Row},
};

/// Says to the allocator that it may have huge pages.
const TUNABLES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");

/// Runs this program again with huge pages, unless it has them; whether it did.
pub fn with_huge_pages() -> bool {
    if env::var(TUNABLES.0).is_ok_and(|value| value == TUNABLES.1) {
        return false;
    }
    let again = env::current_exe()
        .and_then(|this| Command::new(this).args(env::args().skip(1)).env(TUNABLES.0, TUNABLES.1).status());
    match again {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => {
            eprintln!("no huge pages: {error}");
            false
        }
    }
}

fn target_dir(target: &str) -> PathBuf {
    let own = env::current_exe().ok().and_then(|this| Some(this.parent()?.parent()?.to_owned()));
    own.unwrap_or_else(env::temp_dir).join(format!("for-{target}"))
}

fn cargo(verb: &str, target: &str) -> Command {
    let mut command = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    command.args([verb, "--release", "--locked", "--quiet", "--manifest-path", manifest]);
    command.arg("--target-dir").arg(target_dir(target));
    command.env_remove("CARGO_ENCODED_RUSTFLAGS");
    command.env("RUSTFLAGS", if target == "native" { "-Ctarget-cpu=native" } else { "" });
    command
}

/// Builds this program for the other target.
pub fn build(target: &str) -> io::Result<()> {
    succeed(cargo("build", target))
}

/// Runs it there, and reads what it found.
pub fn run(target: &str, args: &Args) -> io::Result<Vec<Row>> {
    let csv = env::temp_dir().join(format!("encap-peers-{}-{target}.csv", std::process::id()));
    let mut command = cargo("run", target);
    command.arg("--").args(args.for_child(target, &csv));
    let rows = succeed(command).and_then(|()| report::read_csv(&csv));
    let _ = std::fs::remove_file(&csv);
    rows
}

fn succeed(mut command: Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}
