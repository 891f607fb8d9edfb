//! Reads a capture and shows the tunnels in it.
//!
//! ```text
//! cargo run --release --example decap -- FILE [--json] [--write OUT.pcap]
//! ```
//!
//! Without FILE it reads a small capture that comes with the example. A packet that an endpoint would drop
//! is shown with the reason, and with the headers that could be read.

mod json;
mod look;
#[path = "../capture/pipe.rs"]
mod pipe;
#[path = "../capture/read.rs"]
mod read;
mod report;
#[path = "../capture/write.rs"]
mod write;

use std::{
    error::Error,
    fs::{self, File},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use encap::tunnel::Profile;
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    json::Json,
    look::Found,
    read::{Capture, Frame},
    report::{Line, Table},
    write::{CaptureWriter, Link},
};

/// Shows the tunnels in a capture, and what is inside them: VXLAN (UDP ports 4789 and 8472) with or without group
/// policies, VXLAN-GPE (4790), Geneve (6081), GRE, NVGRE and ERSPAN, GRE in UDP (4754), and plain IP in UDP (8285).
/// One of these ports that is said to be another tunnel's is that one's alone.
#[derive(Parser)]
#[command(name = "decap")]
struct Args {
    /// A pcap or pcapng file. Without it: a small one that comes with the example.
    file: Option<PathBuf>,
    /// One JSON object per packet on a line of its own, and no table.
    ///
    /// Of GRE, `checksum` is absent, good or bad, and null where a cut capture does not tell. A tunnel about which
    /// something is odd has `anomalies`, by name. `drop` is the first reason that counts of all of them, and of what
    /// ended the reading.
    #[arg(long)]
    json: bool,
    /// Write the innermost packets here, those that an endpoint would drop as well: as pcapng where the name
    /// ends in .pcapng. Else as pcap, with an Ethernet header of zeros before IP packets.
    #[arg(long, value_name = "OUT")]
    write: Option<PathBuf>,
    /// One more UDP destination port of VXLAN. Can be repeated.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    vxlan_port: Vec<u16>,
    /// One more UDP destination port of VXLAN-GPE.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    gpe_port: Vec<u16>,
    /// One more UDP destination port of Geneve.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    geneve_port: Vec<u16>,
    /// One more UDP destination port of GRE.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    gre_udp_port: Vec<u16>,
    /// One more UDP destination port of plain IP.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ip_udp_port: Vec<u16>,
}

fn main() -> ExitCode {
    pipe::exit_code("decap", run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let profile = profile(args)?;
    let path = args.file.as_deref();
    let mut out = Output::new(path, args.write.is_some());
    let name = path.map_or("the built-in capture".into(), |path| path.display().to_string());
    let named = |error: &dyn Error| format!("{name}: {error}");
    let capture = match path {
        Some(path) => Capture::new(out.bar.wrap_read(File::open(path).map_err(|error| named(&error))?)),
        None => Capture::new(BUILT_IN),
    };
    let mut capture = capture.map_err(|error| named(&error))?;
    let inner = match &args.write {
        Some(new) => Some(CaptureWriter::create(new, path, Link::Ethernet)?),
        None => None,
    };
    let mut job =
        Job { profile, is_json: args.json, inner, unwritten: 0, strangers: 0, table: Table::default() };
    // An error comes after what could be read.
    let end = loop {
        match capture.next() {
            Ok(Some(frame)) => {
                if let Err(error) = job.add(&frame, &mut out.lines) {
                    break Err(error.into());
                }
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(named(&error).into()),
        }
        out.step()?;
    };
    if !args.json {
        write!(out.lines, "{}", job.table)?;
    }
    out.finish()?;
    if let Some(inner) = job.inner {
        inner.finish()?;
    }
    if job.unwritten > 0 {
        pipe::tell(format_args!(
            "decap: {} inner packets were not written: their protocol has no EtherType",
            job.unwritten
        ));
    }
    match job.strangers {
        0 => end,
        some => end.and(Err(format!("{name}: {some} packets have a link type that is not known").into())),
    }
}

/// What is done with every packet, and what came of it.
struct Job {
    profile: Profile,
    is_json: bool,
    /// Where the innermost packets go.
    inner: Option<CaptureWriter>,
    unwritten: u64,
    /// Packets whose link type is not known.
    strangers: u64,
    table: Table,
}

impl Job {
    fn add(&mut self, frame: &Frame<'_>, lines: &mut Vec<u8>) -> io::Result<()> {
        let found = Found::new(frame, self.profile);
        let inspection = found.as_ref().map(|found| &found.inspection);
        if self.is_json {
            serde_json::to_writer(&mut *lines, &Json::new(frame.number, found.as_ref()))?;
            writeln!(lines)?;
        } else {
            self.table.add(inspection);
            writeln!(lines, "{}", Line { frame: frame.number, found: inspection })?;
        }
        self.strangers += u64::from(found.is_none());
        if let (Some(inner), Some(packet)) = (&mut self.inner, found.as_ref().and_then(Found::innermost)) {
            let written = inner.write(frame.time, packet.protocol, packet.bytes, packet.wire_len)?;
            self.unwritten += u64::from(!written);
        }
        Ok(())
    }
}

fn profile(args: &Args) -> Result<Profile, String> {
    let mut profile = Profile::ANALYSIS;
    let kinds = [
        (&mut profile.vxlan_ports, &args.vxlan_port),
        (&mut profile.gpe_ports, &args.gpe_port),
        (&mut profile.geneve_ports, &args.geneve_port),
        (&mut profile.gre_udp_ports, &args.gre_udp_port),
        (&mut profile.ip_udp_ports, &args.ip_udp_port),
    ];
    let asked: Vec<u16> = kinds.iter().flat_map(|(_, more)| more.iter().copied()).collect();
    for (ports, more) in kinds {
        // Whoever had them, they are whose they are said to be.
        for &port in &asked {
            *ports = ports.without(port);
        }
        for &port in more {
            *ports = ports.with(port).ok_or("more than eight ports of one kind")?;
        }
    }
    Ok(profile)
}

/// Lines on their way to standard output, and a progress bar for long files on a terminal.
struct Output {
    lines: Vec<u8>,
    bar: ProgressBar,
    /// Whether there is more to do when whoever reads them has gone.
    goes_on: bool,
}

impl Output {
    fn new(file: Option<&Path>, goes_on: bool) -> Self {
        let len = file.and_then(|path| fs::metadata(path).ok()).map_or(0, |metadata| metadata.len());
        let is_long = len >= 4 << 20 && io::stderr().is_terminal();
        let bar = if is_long { ProgressBar::new(len) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {eta} left") {
            bar.set_style(style);
        }
        Self { lines: Vec::new(), bar, goes_on }
    }

    /// Whole lines only go out, so that the bar stands below them.
    fn step(&mut self) -> io::Result<()> {
        if self.lines.len() < 1 << 14 { Ok(()) } else { self.send() }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.bar.finish_and_clear();
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        let mut stdout = io::stdout();
        let mut send = || stdout.write_all(&self.lines).and_then(|()| stdout.flush());
        let sent = if io::stdout().is_terminal() { self.bar.suspend(send) } else { send() };
        self.lines.clear();
        match sent {
            Err(error) if self.goes_on && pipe::is_broken(&error) => Ok(()),
            sent => sent,
        }
    }
}

const BUILT_IN: &[u8] = include_bytes!("../captures/tunnels.pcapng");
