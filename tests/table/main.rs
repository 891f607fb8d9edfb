//! The tables: every rule by name; a model that says what holds after any sequence of operations.
#![allow(
    clippy::expect_used,
    clippy::field_reassign_with_default,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; settings grow"
)]

mod adversary;
mod bridge;
mod common;
mod expiry;
mod fdb_bulk;
mod fdb_burst;
mod fdb_model;
mod fdb_operations;
mod fdb_properties;
mod groups;
mod learning;
mod limits;
mod lists;
mod loader;
mod loader_round;
mod moves;
mod neighbor;
mod neighbor_model;
mod neighbor_snoop;
mod neighbor_stress;
mod never;
mod overdue;
mod remotes;
mod route;
mod route_stress;
#[cfg(feature = "serde")]
mod serde;
mod show;
mod stop;
mod stress;
mod sweep;
mod untold;
