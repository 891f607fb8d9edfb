//! GRE (RFC 2784, RFC 2890): IP packets or Ethernet frames directly over IP or in UDP (RFC 8086), with key, checksum
//! and sequence number as wanted.
//!
//! An [`Endpoint`] has no state and sends to any number of remotes. A [`Tunnel`] is an endpoint with one remote: it
//! numbers what it sends, judges the numbers that it receives, and knows keepalives and what routers say of its path.
//! Which of many tunnels a packet is for, [`Tunnels`] finds; [`Reorder`] puts late packets in their place, where they
//! are not to be dropped.

mod config;
mod counters;
mod encap_limit;
mod endpoint;
mod keepalive;
mod limited;
mod lookup;
mod nesting;
mod prove;
mod receive;
mod reorder;
mod reports;
mod selector;
mod send;
mod sequence;
mod tunnel;

pub use config::{ChecksumRule, Config};
pub use counters::Counters;
pub(crate) use endpoint::open;
pub use endpoint::{Endpoint, Gre, OVERHEAD_IPV4, OVERHEAD_IPV6, UdpEndpoint};
pub use lookup::{Tunnels, TunnelsError};
pub use receive::Received;
pub use reorder::{Pushed, Reorder, Slot};
pub use reports::PathReport;
pub use selector::{Arrived, InputKey, Selector};
pub use sequence::{SequenceFilter, SequenceRule};
pub use tunnel::Tunnel;
