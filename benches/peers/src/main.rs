//! What encap is after and what it reaches: every goal as a ratio to something measured in the same run.
#![deny(unsafe_code)]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a bench, not the packet path; its cases are for other packages too"
)]

mod args;
#[path = "../../cases/mod.rs"]
mod cases;
mod charts;
mod ffi;
mod flow;
mod goals;
mod growth;
mod machine;
mod measure;
mod memory;
mod report;
mod rerun;
mod svg;

use std::process::ExitCode;

use args::Args;
use cases::traffic;
use report::Report;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(goals::kernel::SENDER) => return code(goals::kernel::send()),
        Some(goals::kernel::SINK) => return code(goals::kernel::sink()),
        Some("-h" | "--help") => {
            println!("{}", args::USAGE);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", args::USAGE);
            return ExitCode::FAILURE;
        }
    };
    if args.huge && rerun::with_huge_pages() {
        return ExitCode::SUCCESS;
    }
    code(run(&args))
}

fn code(result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> std::io::Result<()> {
    if args.memory {
        memory::print();
        return Ok(());
    }
    if args.growth {
        return grow(args);
    }
    let targets = match &args.target {
        Some(target) => vec![target.as_str()],
        None => vec!["x86-64", "native"],
    };
    // Before anything is measured, since compilers keep processors busy.
    for target in targets.iter().filter(|&&target| target != machine::target()) {
        rerun::build(target)?;
    }
    let mut rows = Vec::new();
    for target in targets {
        if target == machine::target() {
            // In a thread of its own, which alone is bound to a processor: a later child must not inherit that.
            machine::describe(args.huge);
            let measured = std::thread::scope(|scope| scope.spawn(|| measure_here(args)).join());
            rows.extend(measured.map_err(|_| std::io::Error::other("contestants do not agree"))?);
        } else {
            rows.extend(rerun::run(target, args)?);
        }
    }
    if let Some(csv) = &args.csv {
        report::write_csv(csv, &rows)?;
    }
    if let Some(dir) = &args.svg {
        charts::write(dir, &rows)?;
    }
    Ok(())
}

/// The charts of growth, for the target of this build.
fn grow(args: &Args) -> std::io::Result<()> {
    machine::describe(args.huge);
    machine::pin(0);
    let charts = growth::run(args.quick);
    growth::write(&charts, args.csv.as_deref(), args.svg.as_deref())
}

fn measure_here(args: &Args) -> Vec<report::Row> {
    ffi::start(args.huge);
    machine::pin(0);
    let mut report = Report::new(args.only.clone(), args.quick, args.huge);
    println!("\n{}", report::head());
    goals::run(&mut report);
    println!();
    report.rows
}
