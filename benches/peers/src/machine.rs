//! The machine: what it is, who else is at work, and where we run.

use std::{
    fs,
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use core_affinity::CoreId;

/// The processors that were ours before we bound ourselves to one.
fn cores() -> &'static [CoreId] {
    static CORES: OnceLock<Vec<CoreId>> = OnceLock::new();
    CORES.get_or_init(|| core_affinity::get_core_ids().unwrap_or_default())
}

/// Keeps this thread on one processor.
pub fn pin(processor: usize) {
    let core = cores().get(processor % cores().len().max(1));
    if !core.is_some_and(|&core| core_affinity::set_for_current(core)) {
        eprintln!("not pinned to processor {processor}: the figures are less certain");
    }
}

/// How many processors we may use.
pub fn processors() -> usize {
    cores().len()
}

/// Tells the thread on the other processor to stop when dropped, also by a panic: a scope waits for its threads.
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Prints what a reader of the figures must know.
pub fn describe(huge: bool) {
    let load = read("/proc/loadavg");
    let modes = read("/sys/kernel/mm/transparent_hugepage/enabled");
    println!("machine: {} ({} processors), load {}", model(), processors(), load.trim());
    println!("compilers: {}; {}", version("rustc"), version("gcc"));
    println!("target: {} ({})", target(), features().join(" "));
    println!("pages of tables: {} (transparent huge pages: {})", page_kind(huge), modes.trim());
}

/// The kind of pages that tables lie in.
pub const fn page_kind(huge: bool) -> &'static str {
    if huge { "2 MiB where the kernel has them" } else { "4 KiB" }
}

fn model() -> String {
    let cpus = read("/proc/cpuinfo");
    let field = |name: &str| {
        let line = cpus.lines().find(|line| line.starts_with(name)).unwrap_or("");
        line.split_once(": ").map_or("?", |(_, value)| value).to_owned()
    };
    format!("{}, family {} model {}", field("model name"), field("cpu family"), field("model\t"))
}

/// Time stamp counter ticks in a nanosecond, as the kernel found it.
pub fn ticks_per_ns() -> Option<f64> {
    let cpus = read("/proc/cpuinfo");
    let line = cpus.lines().find(|line| line.starts_with("bogomips"))?;
    // Two loops of a delay are one tick.
    Some(line.split_once(": ")?.1.trim().parse::<f64>().ok()? / 2_000.0)
}

fn version(compiler: &str) -> String {
    let output = Command::new(compiler).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("?").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What the compiler compiled for: `x86-64`, or `native` for anything with more.
pub fn target() -> String {
    if cfg!(target_feature = "avx2") { "native".into() } else { std::env::consts::ARCH.replace('_', "-") }
}

fn features() -> Vec<&'static str> {
    let all = [
        ("sse4.2", cfg!(target_feature = "sse4.2")),
        ("bmi2", cfg!(target_feature = "bmi2")),
        ("avx2", cfg!(target_feature = "avx2")),
        ("avx512bw", cfg!(target_feature = "avx512bw")),
        ("avx512vnni", cfg!(target_feature = "avx512vnni")),
    ];
    let there: Vec<_> = all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect();
    if there.is_empty() { vec!["sse2 only"] } else { there }
}
