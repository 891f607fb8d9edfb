//! The laws of one codec, picked by the first byte.
#![no_main]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/suite/laws/mod.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::wire(data));
