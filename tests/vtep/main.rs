//! The VTEP engine.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

mod anything;
mod arp;
mod arrivals;
mod common;
mod config;
mod counters;
mod engine;
mod events;
mod flannel;
mod flood;
mod frames;
mod group;
mod gso;
mod hazards;
mod icmp;
mod l3;
mod l3_forwarding;
mod learning;
mod nd;
mod network;
mod next_hop;
mod options;
mod pmtu;
mod pmtu_of_lists;
mod properties;
mod receive;
#[cfg(feature = "serde")]
mod serde;
mod short_circuit;
mod short_ways;
#[path = "../table/stop.rs"]
mod stop;
mod story;
mod transmit;
mod trunk;
mod trust;
#[allow(dead_code, reason = "the fuzz target uses more of it")]
mod vtep_model;
