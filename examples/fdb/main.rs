//! Fills tables from what `bridge fdb show` and `ip neigh show` print, and prints them back in the same words.
//!
//! ```text
//! cargo run --release --example fdb -- FDB-FILE [--neigh NEIGH-FILE] [--vni VNI] [--via NAME=NUMBER]
//! ```
//!
//! The tables go to standard output. Lines that they cannot hold, and words that they cannot keep, are told by
//! number on standard error.

mod bridge;
mod load;
mod neigh;
#[path = "../capture/pipe.rs"]
mod pipe;
mod words;

use std::{
    collections::{BTreeMap, HashSet},
    error::Error,
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use clap::Parser;
use encap::{
    table::{Entry, Neighbor, Settings, Tables},
    time::Instant,
    wire::Vni,
};

use self::{
    load::{Names, Report},
    words::Record,
};

/// Reads a forwarding database as `bridge fdb show` prints it, fills tables with it, and prints those.
///
/// Text and JSON (`bridge -j`, `ip -j`) are read, also with times (`-s`): those are not kept, ages begin now.
#[derive(Parser)]
#[command(name = "fdb")]
struct Args {
    /// What `bridge fdb show` printed.
    file: PathBuf,
    /// What `ip neigh show` printed.
    #[arg(long, value_name = "FILE")]
    neigh: Option<PathBuf>,
    /// The VNI of lines that say none: that of the device, where the file is of one.
    #[arg(long)]
    vni: Option<Number<Vni>>,
    /// A tunnel's device, and its VNI; lines of other devices are left out. Can be repeated.
    #[arg(long, value_name = "NAME[=VNI]")]
    dev: Vec<String>,
    /// The number of an interface that remotes are reached by. Can be repeated.
    #[arg(long, value_name = "NAME=NUMBER")]
    via: Vec<String>,
    /// The UDP port of lines that say none.
    #[arg(long, default_value_t = 4789, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

/// A number that has fewer bits than its type.
#[derive(Clone, Copy)]
struct Number<T>(T);

impl<T: TryFrom<u32, Error: fmt::Display>> FromStr for Number<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse::<u32>().map_err(|error| error.to_string())?;
        T::try_from(number).map(Self).map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    pipe::exit_code("fdb", run(&Args::parse()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let names = names(args)?;
    let entries = read(&args.file, words::Form::Fdb)?;
    let neighbors = args.neigh.as_deref().map(|path| read(path, words::Form::Neigh)).transpose()?;
    let neighbors_read = neighbors.as_deref().unwrap_or_default();
    let capacity = load::capacity(entries.len(), neighbors_read.len());
    let lines: Vec<_> = (0..capacity.lines()).map(|_| encap::table::Line::new()).collect();
    // Nobody chooses the keys of this table to annoy us.
    let tables = Tables::with_settings(lines, capacity, Settings::default(), [0x5eed, 0xbeef])?;

    let loaded = load::fdb(&tables, &names, NOW, &entries, |remote| tables.remotes().find_or_add(remote));
    tell(&args.file, entries.len(), &loaded);
    if let Some(path) = &args.neigh {
        let loaded = load::neighbors(&tables, &names, NOW, neighbors_read, HashSet::new());
        tell(path, neighbors_read.len(), &loaded);
    }
    print(args, &tables)?;
    if loaded.used.is_empty() { Err("nothing to fill a table with".into()) } else { Ok(()) }
}

fn names(args: &Args) -> Result<Names, String> {
    let mut names = Names { vni: args.vni.map(|vni| vni.0), port: args.port, ..Names::default() };
    for device in &args.dev {
        let (name, vni) = match device.split_once('=') {
            Some((name, vni)) => {
                let vni = vni.parse::<Number<Vni>>().map_err(|error| format!("--dev {device}: {error}"))?;
                (name, Some(vni.0))
            }
            None => (device.as_str(), None),
        };
        names.devices.insert(name.to_owned(), vni);
    }
    let mut numbers = BTreeMap::new();
    for via in &args.via {
        let (name, number) = via.split_once('=').ok_or("--via: a name and a number with = between them")?;
        let number = number.parse().map_err(|error| format!("--via {via}: {error}"))?;
        numbers.insert(name.to_owned(), number);
    }
    names.via = Some(numbers);
    Ok(names)
}

fn read(path: &Path, form: words::Form) -> Result<Vec<Record>, String> {
    let named = |error: &dyn Error| format!("{}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&error))?;
    words::records(&text, form).map_err(|error| named(&error))
}

fn tell<K>(path: &Path, records: usize, report: &Report<K>) {
    for (number, remark) in &report.remarks {
        pipe::tell(format_args!("{}:{number}: {remark}", path.display()));
    }
    pipe::tell(format_args!("{}: {} of {records} lines used", path.display(), report.used.len()));
}

fn print<S: AsRef<[encap::table::Line]>>(args: &Args, tables: &Tables<S>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let fdb = tables.fdb();
    let mut entries: Vec<Entry> = fdb.dump(NOW).collect();
    entries.sort_by_key(|entry| (entry.vni, entry.mac));
    let mut neighbors: Vec<Neighbor> = tables.neighbors().dump(NOW).collect();
    neighbors.sort_by_key(|neighbor| (neighbor.vni, neighbor.address));
    // A device of one VNI does not say it, one of many does.
    let usual = args.vni.map(|vni| vni.0);
    let says_vni = entries.iter().map(|entry| entry.vni).any(|vni| Some(vni) != usual)
        || neighbors.iter().map(|neighbor| neighbor.vni).any(|vni| Some(vni) != usual);
    for entry in &entries {
        let show = fdb.show(entry).default_port(args.port);
        if says_vni { writeln!(out, "{show:#}")? } else { writeln!(out, "{show}")? }
    }
    if args.neigh.is_some() {
        writeln!(out, "# neighbours")?;
    }
    for neighbor in &neighbors {
        if says_vni { writeln!(out, "{neighbor:#}")? } else { writeln!(out, "{neighbor}")? }
    }
    Ok(())
}

/// A time to count from.
const NOW: Instant = Instant::from_secs(1);
