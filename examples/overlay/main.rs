//! An overlay network in one process, without privileges: VTEPs, hosts behind them, and an underlay of memory between
//! them, with latency and loss.
//!
//! ```text
//! cargo run --release --example overlay -- [--vteps N] [--hosts N] [--vni N]... [--latency MS] [--loss PERCENT]
//! ```
//!
//! The VTEPs are the library's; this example plays the network around them. Time is virtual: the same seed tells
//! the same story, but for the packets per second at its end.

mod bulk;
mod explain;
mod frames;
mod host;
mod network;
mod node;
#[path = "../capture/pipe.rs"]
mod pipe;
mod report;
mod story;
mod underlay;

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
    str::FromStr,
};

use clap::Parser;
use encap::wire::Vni;

/// Hosts find each other through an overlay of VTEPs, ping each other, and send in bulk; all in this process.
#[derive(Parser)]
#[command(name = "overlay")]
struct Args {
    /// VTEPs, at 192.0.2.1 and on.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=64))]
    vteps: u8,
    /// Hosts behind each VTEP in each segment, at 10.1.0.1 and on in the first segment, 10.2.0.1 in the second.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    hosts: u16,
    /// A segment. Can be repeated; the hosts of one do not hear those of another.
    #[arg(long, value_name = "N", default_value = "42", value_parser = vni)]
    vni: Vec<Vni>,
    /// How long the underlay takes to carry a packet, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=10_000))]
    latency: u64,
    /// How many packets of a hundred the underlay loses.
    #[arg(long, value_name = "PERCENT", default_value = "3")]
    loss: Loss,
    /// Which packets those are, and where entries lie in the tables.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Frames to send in bulk, both ways together.
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    packets: u64,
    /// Results only, and not what happens hop by hop.
    #[arg(long)]
    quiet: bool,
}

/// Packets lost of a million.
#[derive(Clone, Copy)]
struct Loss(u64);

impl FromStr for Loss {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent: f64 = text.parse().map_err(|_| "a number is needed")?;
        if !(0.0..=100.0).contains(&percent) {
            return Err("between 0 and 100".into());
        }
        Ok(Self((percent * 10_000.0).round() as u64))
    }
}

fn vni(text: &str) -> Result<Vni, String> {
    let number: u32 = text.parse().map_err(|_| "a number is needed")?;
    Vni::new(number).ok_or_else(|| format!("at most {}", Vni::MAX))
}

fn main() -> ExitCode {
    pipe::exit_code("overlay", run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut known = args.vni.clone();
    known.sort_unstable();
    known.dedup();
    if known.len() != args.vni.len() {
        return Err("a segment is named twice".into());
    }
    if known.len() > 16 {
        return Err("more than 16 segments".into());
    }
    let mut out = io::stdout().lock();
    let end = story::tell(args, &mut out);
    out.flush()?;
    end
}
