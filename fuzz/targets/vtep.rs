//! Random frames, packets and operations at random times: a VTEP decides as its model says.
#![no_main]

#[allow(dead_code)]
#[path = "../../tests/vtep/vtep_model/mod.rs"]
mod model;

libfuzzer_sys::fuzz_target!(|data: &[u8]| model::vtep(data));
