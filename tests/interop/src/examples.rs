//! The programs of `examples/linux`.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The program of this name, with all others of the package built first, once per test process.
///
/// # Panics
///
/// Where they cannot be built, or there is none of this name.
#[track_caller]
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/linux");
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| package.join("target"), PathBuf::from);
        let target = std::path::absolute(target).unwrap();
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--release", "--bins", "--manifest-path"]);
        cargo.arg(package.join("Cargo.toml")).arg("--target-dir").arg(&target);
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        target.join("release")
    });
    let path = folder.join(name);
    assert!(path.is_file(), "examples/linux has no program {name}");
    path
}
