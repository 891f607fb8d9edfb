//! Any bytes as Geneve options: the iterator ends, and what it yields adds up.
#![no_main]

#[allow(dead_code, reason = "there is a target for each law")]
#[path = "../../tests/tunnel/laws.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::geneve_option(data));
