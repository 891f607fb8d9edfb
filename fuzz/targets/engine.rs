//! Frames, packets and ICMP errors, good ones changed, into a VTEP, flannel's backend and a GRE tunnel.
#![no_main]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/vtep/anything/mod.rs"]
mod anything;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/vtep/common.rs"]
mod common;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/vtep/frames.rs"]
mod frames;

libfuzzer_sys::fuzz_target!(|data: &[u8]| anything::engine(data));
