//! Whole packets: every rule that the tunnels enforce, by name; the laws that fuzzing asserts; vectors of a
//! running kernel.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

mod analysis;
mod common;
mod config;
mod extensions;
mod geneve;
mod gre_receive;
mod gre_tunnel;
mod inspection;
mod laws;
mod outer_fields;
mod properties;
mod udp_checksum;
mod underway;
mod vectors;
mod vxlan_receive;
