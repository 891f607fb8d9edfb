//! The inputs from which fuzzing starts, replayed: what the fuzz targets assert holds for them.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that goes wrong should panic"
)]

#[path = "vtep/anything/mod.rs"]
mod anything;
#[allow(dead_code, reason = "the tests of the VTEP use more of it")]
#[path = "vtep/common.rs"]
mod common;
#[allow(dead_code, reason = "the tests of the VTEP use more of it")]
#[path = "vtep/frames.rs"]
mod frames;
#[allow(dead_code, reason = "the tests of the laws use more of it")]
#[path = "suite/laws/mod.rs"]
mod laws;
#[path = "table/fdb_model/mod.rs"]
mod model;
#[path = "tunnel/laws.rs"]
mod tunnel_laws;
#[path = "vtep/vtep_model/mod.rs"]
mod vtep_model;

/// Calls `target` with each of its seeds.
fn replay(name: &str, target: fn(&[u8])) {
    let seeds = format!("{}/fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for seed in std::fs::read_dir(seeds).unwrap() {
        let seed = seed.unwrap().path();
        println!("{}", seed.display());
        target(&std::fs::read(seed).unwrap());
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn wire() {
    replay("wire", laws::wire);
}

#[test]
fn decap() {
    replay("decap", tunnel_laws::decap);
}

#[test]
fn encap_decap() {
    replay("encap_decap", tunnel_laws::encap_decap);
}

#[test]
fn geneve_option() {
    replay("geneve_option", tunnel_laws::geneve_option);
}

#[test]
fn vtep() {
    replay("vtep", vtep_model::vtep);
}

#[test]
fn engine() {
    replay("engine", anything::engine);
}

#[test]
fn tables() {
    replay("tables", model::tables);
}
