//! Any operations on the tables: they answer as the model says.
#![no_main]

#[path = "../../tests/table/fdb_model/mod.rs"]
mod model;

libfuzzer_sys::fuzz_target!(|data: &[u8]| model::tables(data));
