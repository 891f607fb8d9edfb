//! What the programs of this package have in common: devices, sockets, batches, waiting and signals, for an engine that
//! has none of them.
//!
//! - [`Device`]: a TUN or TAP device, whose packets are read and written one at a time.
//! - [`udp`], [`raw`], [`icmp`]: sockets, with what the outer headers said that the kernel takes off.
//! - [`Receiver`]: many packets for one system call, each in a buffer of its own with room before it.
//! - [`Transmitter`]: many packets for one system call, each in two parts.
//! - [`Waiter`], [`Signals`]: until something happens.
//!
//! Nothing here blocks but [`Waiter::wait`], and [`Transmitter::send`] where a socket's buffer is full.

#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod device;
mod facts;
pub mod icmp;
pub mod raw;
mod receive;
mod signals;
mod transmit;
pub mod udp;
mod wait;

#[cfg(test)]
mod tests;

pub use self::{
    device::{Device, Layer, Settings},
    receive::{HEADROOM, Received, Receiver},
    signals::{Signal, Signals},
    transmit::{BATCH, Datagram, Transmitter},
    wait::Waiter,
};
