//! What encap is after and what it reaches: every goal as a ratio to something measured in the same run.
#![deny(unsafe_code)]
#![allow(clippy::missing_panics_doc)]

#[path = "../../cases/mod.rs"]
mod cases;
mod ffi;
mod flow;
mod goals;
mod machine;
mod measure;
mod report;

use cases::traffic;

fn main() {
    machine::pin(0);
    machine::describe(false);
    let only = std::env::args().nth(1).map(|a| a.split(',').map(str::to_owned).collect()).unwrap_or_default();
    let mut report = report::Report::new(only, true, false);
    println!("{}", report::head());
    goals::run(&mut report);
}
