//! What tshark says of a capture.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Whether tshark can be asked. CI must have it; elsewhere its absence is said.
pub(crate) fn is_installed() -> bool {
    let found = Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        assert!(std::env::var_os("CI").is_none(), "tshark is not installed");
        println!("SKIPPED: tshark is not installed");
    }
    found
}

/// tshark on a capture, ports as our examples have them, all checksums verified, no fragments put together.
fn tshark(capture: &Path) -> Command {
    let mut command = Command::new("tshark");
    command.arg("-n").arg("-r").arg(capture).stderr(Stdio::null());
    for decode in ["udp.port==8472,vxlan", "udp.port==8285,ip"] {
        command.args(["-d", decode]);
    }
    for preference in [
        "ip.check_checksum:TRUE",
        "udp.check_checksum:TRUE",
        "udp.ignore_ipv6_zero_checksum:TRUE",
        "tcp.check_checksum:TRUE",
        "tcp.analyze_sequence_numbers:FALSE",
        "ip.defragment:FALSE",
        "ipv6.defragment:FALSE",
    ] {
        command.args(["-o", preference]);
    }
    command
}

/// A packet as a list of protocols, from the outside in.
pub(crate) struct Packet {
    pub(crate) protocols: Vec<Protocol>,
}

/// A header, and the fields that were found in it.
pub(crate) struct Protocol {
    pub(crate) name: String,
    fields: Vec<(String, String)>,
}

impl Protocol {
    /// What a field shows, where the header has it.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, show)| show.as_str())
    }

    /// A field that is a number, in decimal or hexadecimal.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.numbers(name).next()
    }

    /// A field that is a number, each time that it occurs.
    pub(crate) fn numbers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = u64> {
        self.fields.iter().filter(move |(field, _)| field == name).map(move |(_, show)| {
            let number = match show.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => show.parse(),
            };
            number.unwrap_or_else(|error| panic!("{name}={show}: {error}"))
        })
    }
}

/// Every packet of the capture, dissected.
pub(crate) fn dissect(capture: &Path) -> Vec<Packet> {
    let mut child = tshark(capture).args(["-T", "pdml"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut packets: Vec<Packet> = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
        // Strings out of packets may be anything.
        let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
        let line = line.trim_start();
        if line.starts_with("<packet>") {
            packets.push(Packet { protocols: Vec::new() });
        } else if line.starts_with("<proto ") {
            let name = attribute(line, "name").unwrap().to_owned();
            packets.last_mut().unwrap().protocols.push(Protocol { name, fields: Vec::new() });
        } else if line.starts_with("<field ") {
            let field = attribute(line, "name").unwrap().to_owned();
            let show = attribute(line, "show").unwrap_or_default().to_owned();
            let protocol = packets.last_mut().unwrap().protocols.last_mut().unwrap();
            protocol.fields.push((field, show));
        }
    }
    // Damaged files end in an error, after what could be read.
    child.wait().unwrap();
    packets
}

/// The first occurrence of each field in each packet that passes the filter, empty where it does not occur.
pub(crate) fn fields(capture: &Path, filter: &str, names: &[&str]) -> Vec<Vec<String>> {
    let mut command = tshark(capture);
    command.args(["-Y", filter, "-T", "fields", "-E", "occurrence=f", "-E", "separator=/t"]);
    for name in names {
        command.args(["-e", name]);
    }
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = line.split_once(&format!(" {name}=\""))?;
    value.split_once('"').map(|(value, _)| value)
}
