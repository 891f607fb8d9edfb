//! `examples/decap` against tshark, on every capture that others have made.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use encap::tunnel::{DropReason, Profile};
use serde_json::{Value, json};

use crate::{built_in::BUILT_IN, differences::DIFFERENCES, json::Json, look::Found, read, tshark};

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
            let json = Json::new(frame.number, found.as_ref());
            lines.push(serde_json::to_value(json).unwrap());
        }
        Ok(())
    };
    let end = read();
    (lines, end)
}

/// The tunnels of a line, without what is odd about them.
pub(crate) fn headers(line: &Value) -> Value {
    let mut layers = line["layers"].clone();
    for layer in layers.as_array_mut().unwrap() {
        layer.as_object_mut().unwrap().remove("anomalies");
    }
    layers
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

#[test]
fn the_built_in_capture_as_tshark_reads_it() {
    if !tshark::is_installed() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/captures/tunnels.pcapng");
    let (ours, _) = json(BUILT_IN);
    let theirs = tshark::dissect(&path);
    assert_eq!(ours.len(), theirs.len());
    for (ours, packet) in ours.iter().zip(&theirs) {
        compare(ours, packet).unwrap();
    }
}

/// Whether we and tshark see the same tunnels in a packet, and the same faults around them.
fn compare(ours: &Value, packet: &tshark::Packet) -> Result<(), String> {
    let Theirs { layers, stopped, faults } = Theirs::new(packet);
    let names: Vec<_> = packet.protocols.iter().map(|protocol| protocol.name.as_str()).collect();
    let (theirs, names) = (Value::from(layers), names.join(":"));
    if headers(ours) != theirs {
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
    DropReason::GeneveCriticalOption,
    DropReason::ControlMessage,
    DropReason::GreChecksum,
];

/// What tshark says of a packet, in our words.
struct Theirs {
    layers: Vec<Value>,
    /// Why we must not read on.
    stopped: Option<DropReason>,
    /// What is wrong with the headers of the tunnels and those around them.
    faults: Vec<DropReason>,
}

impl Theirs {
    fn new(packet: &tshark::Packet) -> Self {
        let mut theirs = Self { layers: Vec::new(), stopped: None, faults: Vec::new() };
        // Faults of headers that have turned out to be around no tunnel yet.
        let mut pending = Vec::new();
        let (mut ip, mut port) = (None, 0);
        let mut next = packet.protocols.iter().peekable();
        while let Some(protocol) = next.next() {
            let layer = match protocol.name.as_str() {
                "ip" | "ipv6" => {
                    (ip, port) = (Some(protocol), 0);
                    if protocol.number("ip.checksum.status") == Some(0) {
                        pending.push(DropReason::Ipv4Checksum);
                    }
                    continue;
                }
                "udp" => {
                    port = protocol.number("udp.dstport").unwrap_or(0);
                    pending.extend(ip.and_then(|ip| udp_checksum(ip, protocol)));
                    let inside = next.peek().map(|protocol| protocol.name.as_str());
                    match (port, inside) {
                        (8285, Some("ip" | "ipv6")) => Ok(json!({ "type": "ip-udp" })),
                        _ => continue,
                    }
                }
                // tshark has one name for both.
                "vxlan" if port == 4790 => vxlan_gpe(protocol, &mut pending),
                "vxlan" => vxlan(protocol, &mut pending),
                "geneve" => geneve(protocol, &mut pending),
                "gre" => gre(protocol, port == 4754, &mut pending),
                // Type I has no header.
                "erspan" if protocol.field("erspan.version").is_none() => continue,
                "erspan" => erspan(protocol),
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

/// What is wrong with a UDP checksum. Unfinished ones, the sum of the pseudo header alone, are fine, and were when
/// the packet left the host; tshark only says that there are such.
fn udp_checksum(ip: &tshark::Protocol, udp: &tshark::Protocol) -> Option<DropReason> {
    let is_ipv6 = ip.name == "ipv6";
    let checksum = udp.number("udp.checksum")?;
    if checksum == 0 {
        return is_ipv6.then_some(DropReason::UdpChecksumMissing);
    }
    if udp.number("udp.checksum.status")? != 0 {
        return None;
    }
    let names = if is_ipv6 { ["ipv6.src", "ipv6.dst"] } else { ["ip.src", "ip.dst"] };
    let mut sum = 17 + udp.number("udp.length")?;
    for name in names {
        let address = match ip.field(name)?.parse().unwrap() {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        sum += address.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(pair[1])).sum::<u64>();
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    (sum != checksum).then_some(DropReason::UdpChecksum)
}

fn vxlan(protocol: &tshark::Protocol, faults: &mut Vec<DropReason>) -> Result<Value, DropReason> {
    let number = |name| protocol.number(name).ok_or(DropReason::VxlanTruncated);
    let vni = number("vxlan.vni")?;
    if number("vxlan.flag_i")? == 0 {
        faults.push(DropReason::VxlanNoVni);
    }
    if number("vxlan.flag_g")? == 0 {
        return Ok(json!({ "type": "vxlan", "vni": vni }));
    }
    Ok(json!({
        "type": "vxlan-gbp",
        "vni": vni,
        "group": number("vxlan.gbp")?,
        "dont_learn": number("vxlan.flag_d")? == 1,
        "applied": number("vxlan.flag_a")? == 1,
    }))
}

fn vxlan_gpe(protocol: &tshark::Protocol, faults: &mut Vec<DropReason>) -> Result<Value, DropReason> {
    let number = |name| protocol.number(name).ok_or(DropReason::VxlanTruncated);
    let vni = number("vxlan.vni")?;
    if number("vxlan.i_bit")? == 0 {
        faults.push(DropReason::VxlanNoVni);
    }
    let has_next = number("vxlan.p_bit")? == 1;
    let next = has_next.then(|| number("vxlan.next_proto")).transpose()?;
    Ok(json!({ "type": "vxlan-gpe", "vni": vni, "next": next }))
}

fn geneve(protocol: &tshark::Protocol, faults: &mut Vec<DropReason>) -> Result<Value, DropReason> {
    let number = |name| protocol.number(name).ok_or(DropReason::GeneveTruncated);
    if number("geneve.version")? != 0 {
        return Err(DropReason::GeneveVersion);
    }
    if number("geneve.flags.oam")? == 1 {
        faults.push(DropReason::ControlMessage);
    }
    // The first length is that of all options together; tshark counts an option's own header.
    let numbers = |name| protocol.numbers(name).collect::<Vec<_>>();
    let [lengths, classes, types] =
        ["geneve.option.length", "geneve.option.class", "geneve.option.type"].map(numbers);
    if lengths[0] != lengths[1..].iter().sum::<u64>() {
        return Err(DropReason::GeneveTruncated);
    }
    if types.iter().any(|kind| kind & 0x80 != 0) {
        faults.push(DropReason::GeneveCriticalOption);
    }
    let options = lengths[1..].iter().zip(classes).zip(types);
    let options = options.map(|((len, class), kind)| json!({ "class": class, "type": kind, "len": len - 4 }));
    Ok(json!({
        "type": "geneve",
        "vni": number("geneve.vni")?,
        "proto": number("geneve.proto_type")?,
        "options": options.collect::<Vec<_>>(),
    }))
}

fn gre(
    protocol: &tshark::Protocol,
    over_udp: bool,
    faults: &mut Vec<DropReason>,
) -> Result<Value, DropReason> {
    let number = |name| protocol.number(name).ok_or(DropReason::GreTruncated);
    let optional = |flag, name| if number(flag)? == 0 { Ok(None) } else { number(name).map(Some) };
    if number("gre.flags.routing")? == 1 {
        return Err(DropReason::GreRouting);
    }
    let proto = number("gre.proto")?;
    let seq = optional("gre.flags.sequence_number", "gre.sequence_number")?;
    match number("gre.flags.version")? {
        0 => {}
        1 => {
            return Ok(json!({
                "type": "gre1",
                "proto": proto,
                "call_id": number("gre.key.call_id")?,
                "seq": seq,
                "ack": optional("gre.flags.ack", "gre.ack_number")?,
            }));
        }
        _ => return Err(DropReason::GreVersion),
    }
    let checksum = match optional("gre.flags.checksum", "gre.checksum.status")? {
        None => Some("absent"),
        Some(0) => {
            faults.push(DropReason::GreChecksum);
            Some("bad")
        }
        Some(1) => Some("good"),
        Some(2) => None,
        Some(status) => panic!("gre.checksum.status {status}"),
    };
    let key = optional("gre.flags.key", "gre.key")?;
    Ok(match (key, checksum, seq, proto) {
        // tshark does not know NVGRE, which is this form of GRE (RFC 7637, section 3.2).
        (Some(key), Some("absent"), None, 0x6558) => {
            json!({ "type": "nvgre", "vsid": key >> 8, "flow_id": key & 0xff })
        }
        _ => {
            let name = if over_udp { "gre-udp" } else { "gre" };
            json!({ "type": name, "proto": proto, "key": key, "seq": seq, "checksum": checksum })
        }
    })
}

fn erspan(protocol: &tshark::Protocol) -> Result<Value, DropReason> {
    let number = |name| protocol.number(name).ok_or(DropReason::ErspanTruncated);
    let version = number("erspan.version")?;
    let mut layer = json!({
        "session": number("erspan.spanid")?,
        "vlan": number("erspan.vlan")?,
        "cos": number("erspan.cos")?,
        "truncated": number("erspan.truncated")? == 1,
    });
    if protocol.number("erspan.o") == Some(1) {
        // The subheader.
        number("erspan.platid")?;
    }
    match version {
        1 => {
            layer["type"] = "erspan2".into();
            layer["index"] = number("erspan.index")?.into();
        }
        2 => {
            layer["type"] = "erspan3".into();
            layer["timestamp"] = number("erspan.timestamp")?.into();
            layer["sgt"] = number("erspan.sgt")?.into();
        }
        _ => return Err(DropReason::ErspanVersion),
    }
    Ok(layer)
}
