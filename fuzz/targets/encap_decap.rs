//! What goes into a tunnel comes out, whatever the settings, which the first bytes choose.
#![no_main]

#[allow(dead_code, reason = "there is a target for each law")]
#[path = "../../tests/tunnel/laws.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::encap_decap(data));
