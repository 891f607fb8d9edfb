//! What a test needs: where it is missing, CI fails and everybody else is told.

use std::{env, path::Path, process::Command};

/// Something that a test cannot do without.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// The rights to make network namespaces and raw sockets.
    Root,
    /// A program, by its name in `PATH` or by its path.
    Program(&'static str),
    /// A module of Python 3.
    Python(&'static str),
    /// A kind of device that the running kernel can make.
    Device(&'static str),
}

impl Need {
    /// Why this is missing; `None` where it is there.
    fn missing(self) -> Option<String> {
        let there = match self {
            Self::Root => nix::unistd::geteuid().is_root(),
            Self::Program(name) if name.contains('/') => Path::new(name).exists(),
            Self::Program(name) => {
                let path = env::var_os("PATH").unwrap_or_default();
                let places = ["/usr/sbin", "/sbin"].map(Into::into);
                env::split_paths(&path).chain(places).any(|place| place.join(name).exists())
            }
            Self::Python(name) => {
                let import = Command::new("python3").args(["-c", &format!("import {name}")]).output();
                import.is_ok_and(|output| output.status.success())
            }
            Self::Device(kind) => {
                let namespace = crate::Namespace::new("probe");
                let options = if kind == "vxlan" { "id 1 dstport 4789" } else { "" };
                namespace.try_ip(&format!("link add probe type {kind} {options}")).is_ok()
            }
        };
        (!there).then(|| match self {
            Self::Root => "root".to_owned(),
            Self::Program(name) => format!("the program {name}"),
            Self::Python(name) => format!("python3 with {name}"),
            Self::Device(kind) => format!("a kernel with {kind} devices"),
        })
    }
}

/// Whether all of this is there. Where something is not, the test is to be skipped, which is printed.
///
/// # Panics
///
/// Where something is missing although the environment variable `CI` is set.
pub fn is_there(test: &str, needs: &[Need]) -> bool {
    let Some(missing) = needs.iter().find_map(|need| need.missing()) else { return true };
    assert!(env::var_os("CI").is_none(), "{test}: {missing} is missing");
    eprintln!("SKIPPED: {test}: {missing} is missing");
    false
}

/// Returns from the test, which prints that it is skipped, where one of these is missing; with the environment
/// variable `CI` set it fails.
#[macro_export]
macro_rules! require {
    ($($need:expr),+ $(,)?) => {{
        fn here() {}
        let test = std::any::type_name_of_val(&here).trim_end_matches("::here");
        if !$crate::is_there(test, &[$($need),+]) {
            return;
        }
    }};
}
