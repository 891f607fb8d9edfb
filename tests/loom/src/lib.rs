//! The lock-free tables of `encap`, run by [loom] in the orders that the memory model allows.
//!
//! The source files are the crate's own, by `#[path]`; only `line.rs` is not: its words are loom's, which also
//! answer what another processor might still read. [`model`] is what all models share, [`bucket`] has those of the
//! bucket protocol, and [`planted`] shows that they fail where the protocol is broken. [`remotes`], [`records`] and
//! [`mtus`] are about remotes, [`unconfigured`] about those that nobody configured, [`lists`] about their lists,
//! [`vnis`], [`lookups`] and [`entering`] about the forwarding database, [`words`] about clocks, gateways, counters and VLANs.
//! `tests/` names them all.
//!
//! # What is not covered
//!
//! - Executions with more preemptions than the bound that each model names. `LOOM_MAX_PREEMPTIONS=4` sets it.
//! - Loads of what is stored later (load buffering), which loom does not have.
//! - The total order of SeqCst accesses, which loom has of fences only: they are run as accesses that acquire and
//!   release, or, where a model needs that order, with a fence after each update.
//! - Versions and counts that wrap.
//! - More than two threads at once.
//! - Neighbours, routes and multicast groups, beyond the map that they share.
//!
//! [loom]: https://docs.rs/loom

pub mod bucket;
pub mod entering;
#[allow(dead_code, reason = "models need no groups")]
#[path = "../../../src/wire/ip_addr.rs"]
mod ip_addr;
pub mod lists;
pub mod lookups;
#[path = "../../../src/mix.rs"]
mod mix;
pub mod model;
pub mod mtus;
pub mod planted;
pub mod records;
pub mod remotes;
mod table;
mod tables;
#[allow(dead_code, reason = "models need no clock")]
#[path = "../../../src/time.rs"]
mod time;
pub mod unconfigured;
pub mod vnis;
pub mod words;
mod wire {
    pub(crate) use encap::wire::{MacAddr, VlanId, Vni, icmp_quote};

    pub(crate) use crate::ip_addr::{is_ipv4_mapped, is_link_local, is_unicast};
}
