//! `examples/decap` against tshark, on every capture that others have made.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use encap::tunnel::{DropReason, Profile};
use serde_json::{Value, json};

use crate::{differences::DIFFERENCES, json::Json, look::Found, read, tshark};

/// The captures, next to the project and no part of it; none where they are missing, which is said.
pub(crate) fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    let Ok(sources) = fs::read_dir(folder) else {
        println!("SKIPPED: the captures of others are not here");
        return Vec::new();
    };
    let mut captures = Vec::new();
    for source in sources.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        captures.extend(fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()));
    }
    captures.sort();
    captures
}

/// What `decap --json` prints of a capture, up to where it cannot be read.
pub(crate) fn json(capture: impl Read) -> (Vec<Value>, Result<(), read::ReadError>) {
    let mut lines = Vec::new();
    let read = || {
        let mut capture = read::Capture::new(capture)?;
        while let Some(frame) = capture.next()? {
            let found = Found::new(&frame, Profile::ANALYSIS);
            let json = Json::new(frame.number, found.as_ref().map(|found| &found.inspection));
            lines.push(serde_json::to_value(json).unwrap());
        }
        Ok(())
    };
    let end = read();
    (lines, end)
}

#[test]
fn every_capture_as_tshark_reads_it() {
    let captures = captures();
    if captures.is_empty() || !tshark::is_installed() {
        return;
    }
    let queue = Mutex::new(captures.iter());
    let found = Mutex::new(BTreeMap::new());
    let (packets, headers) = (Mutex::new(0), Mutex::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(capture) = queue.lock().unwrap().next() else { break };
                    let name = capture.file_name().unwrap().to_str().unwrap();
                    let (ours, end) = json(fs::File::open(capture).unwrap());
                    end.unwrap_or_else(|error| panic!("{name}: {error}"));
                    let theirs = tshark::dissect(capture);
                    assert_eq!(ours.len(), theirs.len(), "packets of {name}");
                    for (frame, (ours, packet)) in (1..).zip(ours.iter().zip(&theirs)) {
                        assert_eq!(ours["frame"], frame);
                        *packets.lock().unwrap() += 1;
                        *headers.lock().unwrap() += ours["layers"].as_array().unwrap().len();
                        if let Err(difference) = compare(ours, packet) {
                            found.lock().unwrap().insert((name.to_owned(), frame), difference);
                        }
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    for listed in DIFFERENCES {
        for frame in listed.frames {
            let gone = found.remove(&(listed.capture.to_owned(), *frame)).is_none();
            assert!(!gone, "{} {frame}: no longer a difference: {}", listed.capture, listed.why);
        }
    }
    for ((name, frame), difference) in &found {
        println!("{name} {frame}: {difference}");
    }
    assert!(found.is_empty(), "{} differences that nobody has explained", found.len());
    let (packets, headers) = (packets.into_inner().unwrap(), headers.into_inner().unwrap());
    println!("{} captures, {packets} packets, {headers} tunnel headers", captures.len());
}

/// Whether we and tshark see the same tunnels in a packet, and the same faults around them.
fn compare(ours: &Value, packet: &tshark::Packet) -> Result<(), String> {
    let Theirs { layers, stopped, faults } = Theirs::new(packet);
    let names: Vec<_> = packet.protocols.iter().map(|protocol| protocol.name.as_str()).collect();
    let (theirs, names) = (Value::from(layers), names.join(":"));
    if ours["layers"] != theirs {
        return Err(format!("we say {ours}, tshark {theirs}: {names}"));
    }
    let drop = ours["drop"].as_str().map(reason);
    let ours_is_theirs = drop.is_none_or(|drop| !CHECKED.contains(&drop) || faults.contains(&drop));
    // Where several apply, the first one in the order of the checks is reported.
    let theirs_is_ours =
        faults.into_iter().chain(stopped).all(|fault| drop.is_some_and(|drop| drop <= fault));
    if ours_is_theirs && theirs_is_ours { Ok(()) } else { Err(format!("we say {ours}: {names}")) }
}

fn reason(name: &str) -> DropReason {
    *DropReason::ALL.iter().find(|reason| reason.name() == name).unwrap()
}

/// The reasons to drop a packet of which tshark has an opinion wherever it has one of the tunnel.
const CHECKED: &[DropReason] = &[
    DropReason::Ipv4Checksum,
    DropReason::UdpChecksumMissing,
    DropReason::UdpChecksum,
    DropReason::VxlanNoVni,
    DropReason::GreChecksum,
];

/// What tshark says of a packet, in our words.
struct Theirs {
    layers: Vec<Value>,
    /// The header that we must not read on behind.
    stopped: Option<DropReason>,
    /// What is wrong with the headers of the tunnels and those around them.
    faults: Vec<DropReason>,
}

impl Theirs {
    fn new(packet: &tshark::Packet) -> Self {
        let mut theirs = Self { layers: Vec::new(), stopped: None, faults: Vec::new() };
        // Faults of headers that have turned out to be around no tunnel yet.
        let mut pending = Vec::new();
        let mut next = packet.protocols.iter().peekable();
        let mut is_ipv6 = false;
        while let Some(protocol) = next.next() {
            let layer = match protocol.name.as_str() {
                "ip" | "ipv6" => {
                    is_ipv6 = protocol.name == "ipv6";
                    if protocol.number("ip.checksum.status") == Some(0) {
                        pending.push(DropReason::Ipv4Checksum);
                    }
                    continue;
                }
                "udp" => {
                    match protocol.number("udp.checksum.status") {
                        Some(0) => pending.push(DropReason::UdpChecksum),
                        _ if is_ipv6 && protocol.number("udp.checksum") == Some(0) => {
                            pending.push(DropReason::UdpChecksumMissing);
                        }
                        _ => {}
                    }
                    let port = protocol.number("udp.dstport");
                    let inside = next.peek().map(|protocol| protocol.name.as_str());
                    match (port, inside) {
                        // VXLAN-GPE, which tshark calls VXLAN, and which is not read yet.
                        (Some(4790), _) => break,
                        (Some(8285), Some("ip" | "ipv6")) => Ok(json!({ "type": "ip-udp" })),
                        _ => continue,
                    }
                }
                "vxlan" => {
                    if protocol.number("vxlan.flag_i") == Some(0) {
                        pending.push(DropReason::VxlanNoVni);
                    }
                    let vni = protocol.number("vxlan.vni").ok_or(DropReason::VxlanTruncated);
                    vni.map(|vni| json!({ "type": "vxlan", "vni": vni }))
                }
                "gre" => {
                    if protocol.number("gre.checksum.status") == Some(0) {
                        pending.push(DropReason::GreChecksum);
                    }
                    gre(protocol)
                }
                // Not read yet.
                "geneve" => break,
                _ => continue,
            };
            theirs.faults.append(&mut pending);
            match layer {
                Ok(layer) => theirs.layers.push(layer),
                Err(reason) => {
                    // What the capture has cut off is no fault of the packet's.
                    let is_cut = packet.protocols.iter().any(|protocol| protocol.name == "_ws.short");
                    theirs.stopped = Some(reason).filter(|reason| !(is_cut && reason.is_truncation()));
                    break;
                }
            }
        }
        theirs
    }
}

fn gre(protocol: &tshark::Protocol) -> Result<Value, DropReason> {
    let number = |name| protocol.number(name).ok_or(DropReason::GreTruncated);
    if number("gre.flags.routing")? == 1 {
        return Err(DropReason::GreRouting);
    }
    if number("gre.flags.version")? != 0 {
        return Err(DropReason::GreVersion);
    }
    let optional = |flag, name| if number(flag)? == 0 { Ok(None) } else { number(name).map(Some) };
    let checksum = match optional("gre.flags.checksum", "gre.checksum.status")? {
        None => Some("absent"),
        Some(0) => Some("bad"),
        Some(1) => Some("good"),
        Some(2) => None,
        Some(status) => panic!("gre.checksum.status {status}"),
    };
    Ok(json!({
        "type": "gre",
        "proto": number("gre.proto")?,
        "key": optional("gre.flags.key", "gre.key")?,
        "seq": optional("gre.flags.sequence_number", "gre.sequence_number")?,
        "checksum": checksum,
    }))
}
