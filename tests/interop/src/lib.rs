//! `encap` against programs that nobody of this project wrote: what the tests in `tests/` share.
//!
//! - [`require!`] says what a test needs, and skips it or fails it where that is missing.
//! - [`Namespace`] is a network namespace that goes away with its value; [`veth`] joins two.
//! - [`Running`] is a program in the background, killed with its value; [`Namespace::run`] waits for one.
//! - [`ping`], [`tcp::transfer`] and [`eventually`] are what to look at.
//! - [`Tap`] and [`uml::Uml`] are wires ([`Wire`]) that a test sends frames into and receives them from.
//! - [`examples::program`] is a program of `examples/linux`, built once; [`node::Node`] is one at work.
//! - [`bytes`] makes packets without any help of the library's; [`compare`] has two judge them, [`Case`] by case.
//!
//! ```no_run
//! use std::time::Duration;
//! use interop::{Namespace, Need, Offload, ping, require, veth};
//!
//! fn hosts_reach_each_other() {
//!     require!(Need::Root, Need::Program("ping"));
//!     let (a, b) = (Namespace::new("a"), Namespace::new("b"));
//!     veth((&a, "va"), (&b, "vb"), Offload::NoChecksum);
//!     a.ip("addr add 10.99.0.1/24 dev va");
//!     b.ip("addr add 10.99.0.2/24 dev vb");
//!     let server = a.spawn(["sleep", "10"]); // killed at the end of the test
//!     ping(&a, "10.99.0.2", 3).all();
//! }
//! ```

pub mod bytes;
mod case;
pub mod engine;
pub mod examples;
mod folder;
pub mod kernel;
pub mod line;
mod namespace;
mod need;
pub mod node;
pub mod ovs;
mod process;
mod serial;
mod tap;
pub mod tcp;
pub mod uml;
mod wait;
mod wire;

pub use self::{
    case::{Case, case, compare},
    folder::Folder,
    namespace::{Namespace, Offload, Ping, ping, veth},
    need::{Need, is_there},
    process::{Finished, Running},
    serial::{Alone, alone},
    tap::Tap,
    wait::eventually,
    wire::Wire,
};
