//! Puts the frames of a capture into a tunnel and writes what goes over the underlay as a new capture.
//!
//! ```text
//! cargo run --release --example encap -- [FILE] --type vxlan --vni 42 --write OUT.pcap
//! ```
//!
//! Without FILE it takes a few frames of its own. Settings that cannot work together are refused by the
//! library; what it says is printed.

mod frames;
#[path = "../capture/pipe.rs"]
mod pipe;
#[path = "../capture/read.rs"]
mod read;
mod settings;
mod tunnel;
mod values;
#[path = "../capture/write.rs"]
mod write;

use std::{
    collections::BTreeMap,
    error::Error,
    fs::File,
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, error::ErrorKind};
use encap::{tunnel::Start, wire::EtherType};

use self::{
    read::Capture,
    settings::Args,
    tunnel::Tunnel,
    write::{CaptureWriter, Link},
};

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some((flag, setting)) = args.misplaced() {
        let message = format!("{flag} has no meaning for this {setting}");
        Args::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    pipe::exit_code("encap", run(&args))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let tunnel = args.tunnel()?;
    let name = args.file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let named = |error: &dyn Error| format!("{name}: {error}");
    let input = match &args.file {
        Some(path) => {
            let file = File::open(path).map_err(|error| named(&error))?;
            Some(Capture::new(file).map_err(|error| named(&error))?)
        }
        None => None,
    };
    let (link, start) =
        if args.framing_is_ip() { (Link::Ip, Start::Ip) } else { (Link::Ethernet, Start::Ethernet) };
    let out = CaptureWriter::create(&args.write, args.file.as_deref(), link)?;
    let mut job = Job { tunnel, start, out, sent: 0, skipped: BTreeMap::new() };
    let read = match input {
        None => {
            for (number, frame) in (1..).zip(frames::built_in()) {
                job.add(number, 0, Ok((Start::Ethernet, &frame)))?;
            }
            Ok(())
        }
        Some(mut capture) => loop {
            let frame = match capture.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            let packet = match frame.start() {
                _ if frame.wire_len > frame.data.len() => Err("the capture has cut it"),
                Some((start, link_len)) => Ok((start, frame.data.get(link_len..).unwrap_or_default())),
                None => Err("its link type is not known"),
            };
            job.add(frame.number, frame.time, packet)?;
        },
    };
    let Job { out, sent, skipped, .. } = job;
    out.finish()?;
    let told = tell(sent, &skipped);
    read.map_err(|error| named(&error))?;
    if sent == 0 {
        return Err("nothing to encapsulate".into());
    }
    Ok(told?)
}

fn tell(sent: u64, skipped: &BTreeMap<String, Skipped>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{sent} packets encapsulated")?;
    for (reason, Skipped { packets, first }) in skipped {
        writeln!(out, "{packets} left out, number {first} the first: {reason}")?;
    }
    out.flush()
}

struct Job {
    tunnel: Tunnel,
    /// What the packets that are sent start with.
    start: Start,
    out: CaptureWriter,
    sent: u64,
    skipped: BTreeMap<String, Skipped>,
}

/// How many packets were left out for a reason, and the number of the first.
struct Skipped {
    packets: u64,
    first: u64,
}

impl Job {
    fn add(&mut self, number: u64, time: u64, packet: Result<(Start, &[u8]), &str>) -> io::Result<()> {
        let sent = packet
            .map_err(str::to_owned)
            .and_then(|(start, packet)| self.tunnel.send(start, packet).map_err(|skip| skip.to_string()));
        match sent {
            Ok(sent) => {
                let protocol = match (self.start, sent.first()) {
                    (Start::Ethernet, _) => EtherType::TEB,
                    (_, Some(first)) if first >> 4 == 6 => EtherType::IPV6,
                    _ => EtherType::IPV4,
                };
                self.out.write(time, protocol, &sent, sent.len())?;
                self.sent += 1;
            }
            Err(reason) => {
                let none = Skipped { packets: 0, first: number };
                self.skipped.entry(reason).or_insert(none).packets += 1;
            }
        }
        Ok(())
    }
}
