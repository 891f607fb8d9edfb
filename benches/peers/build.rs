//! Compiles the contestants in C for the target that rustc compiles for, and DPDK's where that is installed.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=c");
    println!("cargo::rustc-check-cfg=cfg(dpdk)");
    let is_x86 = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    let march = if is_x86 { format!("-march={}", target_cpu()) } else { format!("-mcpu={}", target_cpu()) };
    c().flag(&march).file("c/twin.c").compile("twin");
    let Ok(dpdk) = pkg_config::Config::new().cargo_metadata(false).probe("libdpdk") else {
        println!("cargo::warning=DPDK is not installed (Debian: dpdk-dev): its rows will be skipped");
        return;
    };
    let mut build = c();
    build.includes(&dpdk.include_paths).flag("-include").flag("rte_config.h").flag(&march);
    if target_cpu() == "x86-64" {
        // Its headers do not compile for less; the loops here use no instruction of it.
        build.flag("-mssse3");
    }
    build.warnings(false).file("c/dpdk.c").compile("peers_dpdk");
    for library in ["eal", "hash", "ring", "mempool", "mbuf", "net", "rcu", "kvargs", "telemetry"] {
        println!("cargo::rustc-link-lib=rte_{library}");
    }
    println!("cargo::rustc-cfg=dpdk");
}

fn c() -> cc::Build {
    let mut build = cc::Build::new();
    build.compiler("gcc").opt_level(3).debug(false).std("gnu11");
    build
}

/// What `RUSTFLAGS` says, by the name that gcc has for it too; without them what rustc starts from.
fn target_cpu() -> String {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let named = flags.split('\u{1f}').rev().find_map(|flag| flag.split_once("target-cpu="));
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let least = if arch == "x86_64" { "x86-64" } else { "generic" };
    named.map_or(least.into(), |(_, cpu)| cpu.into())
}
