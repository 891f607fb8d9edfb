//! A node of flannel's udp backend on Linux: IP packets of a TUN device, in UDP.
//!
//! The socket receives and sends, so that both ports of a datagram are the node's, as flannel has it.

#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used))]

mod args;
mod node;

use std::process::ExitCode;

use clap::Parser;
use encap_linux::{print, tell};

use self::{args::Args, node::Node};

fn main() -> ExitCode {
    let code = match Node::new(&Args::parse()).and_then(|node| Ok(node.run()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("flannel_udp: {error}");
            ExitCode::FAILURE
        }
    };
    print::flush();
    code
}
