//! The VTEP engine.

mod common;
mod flannel;
mod icmp;
mod l3;
mod story;
