//! A GRE tunnel on Linux, as the kernel's own: between a TUN or TAP device and raw sockets.
//!
//! Outer headers are ours: they are sent by a raw socket that leaves them alone, so that TTL, DS field, DF and
//! extension headers are what the options say. What is received comes by a raw socket of protocol 47, over IPv6 without
//! its header, of which the kernel then says what it was.

#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used))]

mod answer;
mod args;
mod engine;
mod node;
mod report;
mod values;

use std::{error::Error, process::ExitCode};

use clap::Parser;
use encap_linux::{print, tell};

use self::{args::Args, node::Node};

fn main() -> ExitCode {
    let code = match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell!("gre: {error}");
            ExitCode::FAILURE
        }
    };
    print::flush();
    code
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    args.check_mtu()?;
    let tunnel = args.tunnel()?;
    if args.remote.is_multicast() && args.remote.is_ipv6() {
        return Err("multicast groups are supported over IPv4 alone".into());
    }
    let node = Node::new(args, tunnel)?;
    tell!("gre: {}, local {} remote {}, mtu {}", node.name(), args.local, args.remote, args.mtu(&tunnel));
    Ok(node.run()?)
}
