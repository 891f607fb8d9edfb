//! GRE (RFC 2784, RFC 2890): IP packets or Ethernet frames directly over IP or in UDP (RFC 8086), with key, checksum
//! and sequence number as wanted.
//!
//! An [`Endpoint`] has no state and sends to any number of remotes. A [`Tunnel`] is an endpoint with one remote: it
//! numbers what it sends, judges the numbers that it receives, and knows keepalives. Which of many tunnels a packet is
//! for, [`Tunnels`] finds.

mod config;
mod counters;
mod endpoint;
mod keepalive;
mod lookup;
mod prove;
mod receive;
mod selector;
mod sequence;
mod tunnel;

pub use config::{ChecksumRule, Config};
pub use counters::Counters;
pub(crate) use endpoint::open;
pub use endpoint::{Endpoint, Gre, OVERHEAD_IPV4, OVERHEAD_IPV6, UdpEndpoint};
pub use lookup::{Tunnels, TunnelsError};
pub use receive::Received;
pub use selector::{Arrived, InputKey, Selector};
pub use sequence::{SequenceFilter, SequenceRule};
pub use tunnel::Tunnel;
