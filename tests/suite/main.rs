//! Tests of the crate as its users see it: the laws of the codecs, known packets, and other
//! implementations.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that goes wrong should panic"
)]

mod differential;
#[cfg(feature = "etherparse")]
mod etherparse;
mod golden;
mod icmp_error;
mod icmp_quote;
mod laws;
mod layering;
mod ndp;
mod rewrite;
mod scapy;
#[cfg(feature = "serde")]
mod serde;
mod strategies;
mod wire_props;
