//! The machine: who else is at work, and where we run.

use std::{fs, process::Command};

/// Keeps this thread on one processor, where there is `taskset` to ask.
pub fn pin(processor: usize) {
    let Ok(thread) = fs::read_link("/proc/thread-self") else { return };
    let Some(thread) = thread.file_name() else { return };
    let _ = Command::new("taskset").args(["-cp", &processor.to_string()]).arg(thread).output();
}

/// Prints what a reader of the figures must know.
pub fn describe() {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find(|line| line.starts_with("model name")).unwrap_or("").to_owned();
    println!("{} ({} processors)", model.replace("model name\t: ", ""), cpus.matches("processor\t").count());
    println!("load {}", read("/proc/loadavg").trim());
    println!("transparent huge pages: {}", read("/sys/kernel/mm/transparent_hugepage/enabled").trim());
}

/// MiB of this process in huge pages.
pub fn huge_pages() -> u64 {
    let smaps = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = smaps.lines().find(|line| line.starts_with("AnonHugePages")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// What the compiler compiled for.
pub const TARGET: &str = if cfg!(target_feature = "avx512f") {
    "avx512"
} else if cfg!(target_feature = "avx2") {
    "avx2"
} else {
    std::env::consts::ARCH
};
