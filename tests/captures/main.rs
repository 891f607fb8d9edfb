//! The examples on real captures, with tshark as the judge.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that goes wrong should panic"
)]

mod built_in;
mod choices;
mod decap;
mod differences;
mod encap;
mod formats;
#[path = "../../examples/encap/frames.rs"]
mod frames;
#[path = "../../examples/decap/json.rs"]
mod json;
#[path = "../../examples/decap/look.rs"]
mod look;
mod overlay;
mod programs;
#[path = "../../examples/capture/read.rs"]
mod read;
#[path = "../../examples/decap/report.rs"]
mod report;
mod robust;
#[path = "../../examples/encap/settings.rs"]
mod settings;
mod tshark;
#[path = "../../examples/encap/tunnel.rs"]
mod tunnel;
#[path = "../../examples/encap/values.rs"]
mod values;
#[path = "../../examples/capture/write.rs"]
mod write;

use std::path::PathBuf;

/// A file of this test run's own.
fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}
