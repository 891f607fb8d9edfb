//! What the programs of this package have in common: devices, sockets, batches, waiting and signals, for an engine that
//! has none of them.
//!
//! - [`Device`]: a TUN or TAP device, whose packets are read and written one at a time.
//! - [`udp`], [`raw`], [`icmp`]: sockets, with what the outer headers said that the kernel takes off.
//! - [`multicast`]: groups, on a device.
//! - [`Receiver`]: many packets for one system call, each in a buffer of its own with room before it.
//! - [`Transmitter`]: many packets for one system call, each in two parts; also past the kernel's IP, and in
//!   fragments.
//! - [`Segments`], [`Coalescer`]: packets of the kernel that are several, cut and joined.
//! - [`neighbors`], [`kind`]: what the kernel knows of forwarding databases and neighbours, and of devices.
//! - [`Waiter`], [`Signals`]: until something happens.
//! - [`mod@print`], [`tell`]: on standard output and standard error, whether somebody listens or not.
//!
//! Nothing here blocks but [`Waiter::wait`], [`Transmitter::send`] where a socket's buffer is full, and at the end
//! [`print::flush`].

#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used))]

mod coalesce;
mod device;
mod facts;
mod fragments;
mod gso;
pub mod icmp;
pub mod kind;
mod link;
pub mod multicast;
pub mod neighbors;
mod next_hop;
pub mod print;
pub mod raw;
mod receive;
mod segment;
mod signals;
mod tcp;
mod transmit;
pub mod udp;
mod virtio;
mod wait;

#[cfg(test)]
mod offload_tests;
#[cfg(test)]
mod tests;

pub use self::{
    coalesce::Coalescer,
    device::{Device, Layer, Settings},
    receive::{HEADROOM, Received, Receiver},
    segment::{Malformed, Segments},
    signals::{Signal, Signals},
    transmit::{BATCH, Datagram, Transmitter},
    wait::Waiter,
};
