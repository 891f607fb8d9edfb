//! The VTEP engine.

mod common;
mod icmp;
mod l3;
mod story;
