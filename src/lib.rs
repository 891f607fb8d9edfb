//! Overlay networks as a library: VXLAN, Geneve, GRE, NVGRE and IP-in-UDP, from the bytes of a header to whole packets.
//!
//! # Layers
//!
//! Imports go one way, from the last of these to the first, and each layer serves alone.
//!
//! - [`wire`]: one header per file. A header is an owned `Copy` value; `parse` and `to_bytes` are pure
//!   functions over bytes.
//! - [`packet`]: a packet somewhere in the caller's buffer, with room before it for headers to come.
//! - [`table`]: who is where: a forwarding database, neighbours, routes, remotes; bounded, ageing, shared by all
//!   cores without waiting.
//! - [`tunnel`]: whole packets. An endpoint is configured once; then it encapsulates and decapsulates in place.
//! - [`vtep`]: what to do with this frame: one decision each, by the tables and with the tunnels.
//!
//! [`table`] and [`vtep`] need a processor that compares and swaps 32 bits atomically (`target_has_atomic = "32"`), as
//! nearly all do. Where it does not (`thumbv6m`, `riscv32imc`, `msp430`), the crate is the other layers.
//!
//! # A packet's walk
//!
//! A frame that a local host sends: [`vtep::Vtep::handle_overlay`] reads what it must of it; the neighbour table may
//! answer ARP or Neighbor Discovery in its place; or the forwarding database names the remote, whose outer headers the
//! table of remotes holds ready. A packet from the underlay walks the same way back: [`vtep::Vtep::handle_underlay`]
//! has it checked, learns its sender after all checks, and answers segment and frame, or one reason to drop it.
//!
//! The tunnels below do their part alone as well. A frame that leaves: [`tunnel::Endpoint::encap`] looks at the frame
//! as far as it must (its IP header, through VLAN tags; its flow), copies the outer headers that [`tunnel::Remote`]
//! holds ready into the headroom, and patches lengths, checksums, source port and what is inherited. A packet that
//! arrives: [`tunnel::Endpoint::decap`] checks it from the outside in, in the order of [`tunnel::DropReason`], strips
//! the outer headers, and brings a congestion mark inside; or it refuses with one reason. For analysers,
//! [`tunnel::inspect()`] reads the same way, but collects what is odd instead of refusing it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use encap::{Packet, tunnel::vxlan, wire::Vni};
//!
//! let tunnel = vxlan::Endpoint::new("192.0.2.1".parse()?).ttl(64).mtu(1_500).build()?;
//! let remote = tunnel.remote("192.0.2.2".parse()?, Vni::truncate(42))?;
//! let mut buffer = [0; 256];
//! let mut packet = Packet::new(&mut buffer, tunnel.headroom(), 100)?;
//! tunnel.encap(&mut packet, &remote)?;
//! # Ok(())
//! # }
//! ```
//!
//! Some names mean something else in each module:
//!
//! | name | `table` | `tunnel` | `vtep` |
//! |---|---|---|---|
//! | `Remote` | address, port, MTU… of a VTEP: a row | outer headers, made by one endpoint | |
//! | `Config` | [`table::Settings`] | of one GRE tunnel ([`tunnel::gre`]) | of a VTEP; of a node ([`vtep::ip_udp`]) |
//! | `ConfigError` | [`table::BuildError`] | what [`tunnel::Builder`] refuses | what a VTEP or node refuses |
//! | `Error` | why a change is refused | [`tunnel::EncapError`] | |
//! | `DropReason` | | of a packet that arrives | of either way; has the former as `Decap` |
//! | `Counters` | [`table::VniCounters`], of one VNI | of one GRE tunnel ([`tunnel::gre`]) | of one worker |
//! | `Output` | | | of a VTEP; of a node ([`vtep::ip_udp`]) |
//!
//! [`wire::Error`] is of bytes that are no header, [`packet::Error`] of buffers without room.
//!
//! # Promises
//!
//! Each of them is tested.
//!
//! 1. `no_std`, no `unsafe`, and no allocation on any packet path, with or without the `alloc` feature.
//! 2. No input makes it panic, loop, read outside the packet, or overflow.
//! 3. Encoding cannot fail once the value exists: every field's type is bounded ([`wire::Vni`],
//!    [`wire::Dscp`]…).
//! 4. What `parse` returns is valid; accessors cannot fail.
//! 5. No socket, no clock, no thread, no randomness inside: `now`, the hash seed and the storage are parameters.
//! 6. One decision per input, as a return value, and bounded work per call.
//! 7. What the RFCs leave open, or the kernel does differently, is a named setting with a documented default
//!    ([`tunnel::Policy`], [`tunnel::Builder`]).
//! 8. A refused packet is left as it was.
//!
//! # Other crates
//!
//! With feature `simd`, which is a default one, `safe_arch` offers what safe code has no words for: on x86-64 lines of
//! tables are fetched before they are read, and long checksums are summed by vectors.
//!
//! With feature `etherparse`, headers convert from and to those of `etherparse` by `From` (`TryFrom` where one side can
//! hold what the other cannot): among them those of Ethernet and VLAN tags, ARP, IPv4 with its options, IPv6 and UDP,
//! and the values in them, such as [`wire::EtherType`], [`wire::VlanId`] and [`wire::Dscp`]. Each type lists its own;
//! VXLAN and GRE are not in `etherparse`. [`tunnel::Inner`] parses the inner packet with it. A major bump of
//! `etherparse` is a breaking release of this crate.
//!
//! With feature `bytes`, `packet::edit` works on `BytesMut`; with feature `serde`, headers, addresses, bounded values,
//! settings and counters serialize, never past their bounds.
//!
//! # Conventions
//!
//! All values are in host byte order, all lengths in bytes. Errors of headers and packets say which header, what was
//! needed, and what there was; errors of settings name the field and what is wrong with it. A reason to drop a packet
//! is a name, which is also that of a counter.
#![no_std]
#![forbid(unsafe_code)]
// Without compare and swap there is no `table` and no `vtep`, and what only they use is dead.
#![cfg_attr(not(target_has_atomic = "32"), allow(dead_code, unused_imports))]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(feature = "alloc")]
extern crate alloc;

mod mix;
pub mod packet;
#[cfg(target_has_atomic = "32")]
pub mod table;
pub mod time;
pub mod tunnel;
#[cfg(target_has_atomic = "32")]
pub mod vtep;
pub mod wire;

pub use packet::Packet;

/// The example in README.md is compiled and run.
#[cfg(all(doctest, feature = "alloc"))]
#[doc = include_str!("../README.md")]
struct Readme;
