//! Whole packets: encapsulation and decapsulation, settings proven once.
//!
//! An [`Endpoint`] is made from settings by [`Builder::build`], which finds what cannot work; then it makes a
//! [`Remote`] of every other end, with all outer headers written ahead. Per packet [`Endpoint::encap`] copies
//! them and patches what differs: lengths, checksums, source port, and what is inherited from the packet.
//! [`Endpoint::decap`] checks a received packet in the order of [`DropReason`] and strips the outer headers.
//! Both work in place and leave alone what they refuse.
//!
//! [`inspect()`] reads like decapsulation, but for analysers: all tunnels of a packet, nothing dropped.

mod carried;
mod counts;
mod decap;
mod drop_reason;
pub mod ecn;
mod encap;
mod encapsulation;
mod endpoint;
mod entropy;
mod error;
mod extensions;
mod find;
pub mod geneve;
mod glance;
pub mod gre;
pub mod icmp;
mod inner;
mod inspect;
pub mod ip_udp;
mod meta;
pub mod nvgre;
mod offload;
mod outer;
mod patch;
mod policy;
mod profile;
mod protocol;
mod remote;
mod settings;
mod straight;
#[cfg(test)]
mod two_ways;
mod underlay;
mod usual;
mod view;
pub mod vxlan;

pub(crate) use counts::{Counts, Reason};
pub use decap::Inner;
pub use drop_reason::{Anomalies, DropReason, Iter as AnomaliesIter};
pub use encapsulation::Encapsulation;
pub(crate) use endpoint::EPHEMERAL;
pub use endpoint::{Builder, Endpoint};
pub use error::{ConfigError, EncapError};
pub use inner::Payload;
pub(crate) use inner::{IpVersion, Peek, Plain};
pub use inspect::{Inspection, Layer, MAX_DEPTH, inspect, inspect_capture, strip};
pub use meta::{DecapMeta, EncapMeta, InnerChecksum};
pub use policy::Policy;
pub use profile::{Ports, Profile};
pub use protocol::{OverUdp, Protocol};
pub(crate) use remote::Kept;
pub use remote::Remote;
pub use settings::{DontFragment, Framing, Link, OuterDscp, OuterFlowLabel, Ttl, UdpChecksum};
pub(crate) use straight::{Look, Straight, Template};
pub use underlay::{OuterFacts, Start};
pub(crate) use usual::{USUAL, USUAL_FRAME, USUAL_V6, USUAL_V6_FRAME};
