//! Against scapy, in both directions: its random packets are read here, and ours there.
//!
//! Where python3 with scapy is missing the tests say so and pass; with the environment variable `CI` set
//! they fail.

use std::{
    env,
    io::Write,
    process::{Command, Stdio},
};

use encap::wire::{
    Error, EtherType, IpProtocol, Layer, arp,
    checksum::{State, Sum},
    ds_field, ethernet, gre, ipv4, ipv6, udp, vlan, vxlan,
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{laws, strategies as any_header};

/// Packets of each kind, in each direction.
const COUNT: usize = 400;

/// The same packets every time; the environment variable `SCAPY_SEED` gives others.
const SEED: &str = "2784";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/scapy_oracle.py");

/// What scapy built is read as it says, and written back to the same bytes.
#[test]
fn scapy_writes_we_read() {
    if !scapy_is_there() {
        return;
    }
    let seed = env::var("SCAPY_SEED").unwrap_or(SEED.to_owned());
    let packets = oracle(&["write", &seed, &COUNT.to_string()], "");
    assert_eq!(packets.len(), 9 * COUNT);
    for packet in &packets {
        let data = bytes(&packet["hex"]);
        let payload = bytes(&packet["payload"]);
        match packet["kind"].as_str().unwrap() {
            "ethernet" => {
                let (header, rest) = ethernet::Header::parse(&data).unwrap();
                same(packet, ethernet_fields(&header), &header.to_bytes(), &data);
                assert_eq!(rest, payload);
            }
            "vlan" => {
                let (header, rest) = vlan::Header::parse(&data).unwrap();
                same(packet, vlan_fields(&header), &header.to_bytes(), &data);
                assert_eq!(rest, payload);
            }
            "tags" => {
                let (header, rest) = ethernet::Header::parse(&data).unwrap();
                let found = vlan::skip_tags(header.ethertype, rest).unwrap();
                assert_eq!(json!(found.outer.map(|tag| tag.id.value())), packet["outer"]);
                assert_eq!((found.ethertype, found.payload), (EtherType::IPV4, &payload[..]), "{packet}");
            }
            "arp" => {
                let (header, rest) = arp::Header::parse(&data).unwrap();
                same(packet, arp_fields(&header), &header.to_bytes(), &data);
                assert_eq!(rest, payload);
            }
            "ipv4" => {
                let (header, rest) = ipv4::Header::parse(&data).unwrap();
                let len = header.header_len();
                let mut expected = data.clone();
                expected[6] &= 0x7f; // the reserved flag
                same(packet, ipv4_fields(&header), &header.to_bytes()[..len], &expected);
                assert_eq!(header.payload(rest), Ok(&payload[..]));
                checksum(packet, ipv4::verify(&data[..len]));
            }
            "ipv6" => {
                let (header, rest) = ipv6::Header::parse(&data).unwrap();
                same(packet, ipv6_fields(&header), &header.to_bytes(), &data);
                let rest = header.payload(rest).unwrap();
                let mut chain = ipv6::Extensions::new(header.next_header, rest);
                let found: Vec<Value> =
                    chain.by_ref().map(|extension| extension_fields(&extension.unwrap())).collect();
                let written = packet["chain"].as_array().unwrap();
                // In a later fragment scapy's next headers are the middle of something.
                if chain.is_later_fragment() {
                    assert!(written.starts_with(&found), "{packet}");
                    continue;
                }
                assert_eq!(found, *written);
                assert_eq!(
                    (json!(chain.protocol().0), chain.rest()),
                    (packet["upper"].clone(), &payload[..])
                );
            }
            "udp" => {
                let (header, rest) = udp::Header::parse(&data).unwrap();
                same(packet, udp_fields(&header), &header.to_bytes(), &data);
                assert_eq!(header.payload(rest), Ok(&payload[..]));
                let pseudo = pseudo(&bytes(&packet["packet"]), header.length);
                checksum(packet, udp::verify(pseudo, &data));
                if packet["checksum"] == "Good" {
                    assert_eq!(header.with_checksum(pseudo, rest), header, "{packet}");
                }
            }
            "vxlan" => {
                let (header, rest) = vxlan::Header::parse(&data).unwrap();
                same(packet, vxlan_fields(&header), &header.to_bytes(), &data);
                assert_eq!(header.vni().is_some(), data[0] & 8 != 0);
                assert_eq!(rest, payload);
            }
            "gre" => gre_packet(packet, &data, &payload),
            other => panic!("{other}"),
        }
    }
}

fn gre_packet(packet: &Value, data: &[u8], payload: &[u8]) {
    let (header, rest) = match (gre::Header::parse(data), packet["refused"].as_str()) {
        (Ok(parsed), None) => parsed,
        (Err(Error::SourceRouting), Some("SourceRouting")) => return,
        (Err(Error::Version { layer: Layer::Gre, .. }), Some("Version")) => return,
        (other, _) => panic!("{other:?}: {packet}"),
    };
    let len = header.header_len();
    let mut expected = data.to_vec();
    if header.checksum.is_some() {
        expected[6..8].fill(0); // Reserved1
    }
    same(packet, gre_fields(&header), &header.to_bytes()[..len], &expected);
    assert_eq!(rest, payload);
    checksum(packet, gre::verify(data));
    if packet["checksum"] == "Good" && data[..len] == expected[..len] {
        assert_eq!(header.with_checksum(payload), header, "{packet}");
    }
}

/// What we emit scapy reads as we meant it.
#[test]
fn we_write_scapy_reads() {
    if !scapy_is_there() {
        return;
    }
    let mut runner = TestRunner::deterministic();
    let mut sent = Vec::new();
    for _ in 0..COUNT {
        let ethernet = sample(&mut runner, any_header::ethernet());
        // Below are lengths, for which scapy has another class.
        if ethernet.ethertype.0 >= 0x600 {
            send(&mut sent, "ethernet", &ethernet.to_bytes(), ethernet_fields(&ethernet));
        }
        let tag = sample(&mut runner, any_header::vlan());
        send(&mut sent, "vlan", &tag.to_bytes(), vlan_fields(&tag));
        let arp = sample(&mut runner, any_header::arp());
        send(&mut sent, "arp", &arp.to_bytes(), arp_fields(&arp));
        let ipv4 = sample(&mut runner, any_header::ipv4());
        send(&mut sent, "ipv4", &ipv4.to_bytes()[..ipv4.header_len()], ipv4_fields(&ipv4));
        let ipv6 = sample(&mut runner, any_header::ipv6());
        send(&mut sent, "ipv6", &ipv6.to_bytes(), ipv6_fields(&ipv6));
        let udp = sample(&mut runner, any_header::udp());
        send(&mut sent, "udp", &udp.to_bytes(), udp_fields(&udp));
        let vxlan = sample(&mut runner, any_header::vxlan());
        // Group Policy and GPE at once overlap; scapy reads their fields one behind the other.
        if vxlan.to_bytes()[0] & 0x84 != 0x84 {
            send(&mut sent, "vxlan", &vxlan.to_bytes(), vxlan_fields(&vxlan));
        }
        let gre = sample(&mut runner, any_header::gre());
        // PPTP, for which scapy has another class.
        if gre.protocol != EtherType(0x880b) {
            send(&mut sent, "gre", &gre.to_bytes()[..gre.header_len()], gre_fields(&gre));
        }
    }
    let lines: String = sent.iter().map(|(line, _)| format!("{line}\n")).collect();
    let found = oracle(&["read"], &lines);
    assert_eq!(found.len(), sent.len());
    for ((line, expected), found) in sent.iter().zip(&found) {
        assert_eq!(expected, found, "{line}");
    }
}

fn send(sent: &mut Vec<(Value, Value)>, kind: &str, bytes: &[u8], fields: Value) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    sent.push((json!({ "kind": kind, "hex": hex }), fields));
}

fn sample<T: std::fmt::Debug>(runner: &mut TestRunner, strategy: impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

#[track_caller]
fn same(packet: &Value, fields: Value, emitted: &[u8], expected: &[u8]) {
    assert_eq!(fields, packet["fields"], "{packet}");
    assert_eq!(*emitted, expected[..emitted.len()], "{packet}");
    for codec in 0..8 {
        laws::wire(&[&[codec], expected].concat());
    }
}

#[track_caller]
fn checksum(packet: &Value, state: State) {
    assert_eq!(format!("{state:?}"), packet["checksum"].as_str().unwrap(), "{packet}");
}

/// The pseudo header of a datagram of this length behind an IP header.
fn pseudo(ip: &[u8], len: u16) -> Sum {
    match ip[0] >> 4 {
        4 => {
            let header = ipv4::Header::from_bytes(ip.try_into().unwrap()).unwrap();
            Sum::pseudo_ipv4(header.source, header.destination, IpProtocol::UDP, len)
        }
        _ => {
            let header = ipv6::Header::from_bytes(ip.try_into().unwrap()).unwrap();
            Sum::pseudo_ipv6(header.source, header.destination, IpProtocol::UDP, len.into())
        }
    }
}

fn ethernet_fields(header: &ethernet::Header) -> Value {
    json!({
        "dst": header.destination.to_string(),
        "src": header.source.to_string(),
        "type": header.ethertype.0,
    })
}

fn vlan_fields(tag: &vlan::Header) -> Value {
    json!({
        "prio": tag.priority.value(),
        "dei": tag.drop_eligible,
        "vlan": tag.id.value(),
        "type": tag.ethertype.0,
    })
}

fn arp_fields(packet: &arp::Header) -> Value {
    json!({
        "op": packet.operation.0,
        "hwsrc": packet.sender_mac.to_string(),
        "psrc": packet.sender_ip.to_string(),
        "hwdst": packet.target_mac.to_string(),
        "pdst": packet.target_ip.to_string(),
    })
}

fn ipv4_fields(header: &ipv4::Header) -> Value {
    json!({
        "tos": ds_field(header.dscp, header.ecn),
        "len": header.total_len,
        "id": header.identification,
        "df": header.dont_fragment,
        "mf": header.more_fragments,
        "frag": header.fragment_offset.value(),
        "ttl": header.ttl,
        "proto": header.protocol.0,
        "chksum": header.checksum,
        "src": header.source.to_string(),
        "dst": header.destination.to_string(),
        "options": header.options.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    })
}

fn ipv6_fields(header: &ipv6::Header) -> Value {
    json!({
        "tc": ds_field(header.dscp, header.ecn),
        "fl": header.flow_label.value(),
        "plen": header.payload_len,
        "nh": header.next_header.0,
        "hlim": header.hop_limit,
        "src": format!("{:032x}", header.source.to_bits()),
        "dst": format!("{:032x}", header.destination.to_bits()),
    })
}

fn extension_fields(extension: &ipv6::Extension<'_>) -> Value {
    let fragment = extension.fragment().map(|fragment| {
        json!({
            "offset": fragment.offset.value(),
            "m": fragment.more_fragments,
            "id": fragment.identification,
        })
    });
    json!({ "protocol": extension.protocol.0, "len": extension.bytes.len(), "fragment": fragment })
}

fn udp_fields(header: &udp::Header) -> Value {
    json!({
        "sport": header.source_port,
        "dport": header.destination_port,
        "len": header.length,
        "chksum": header.checksum,
    })
}

fn vxlan_fields(header: &vxlan::Header) -> Value {
    let [flags, a, b, c, .., last] = header.to_bytes();
    let between = u32::from_be_bytes([0, a, b, c]);
    assert_eq!(header.reserved() >> 32 & 0x00ff_ffff, u64::from(between));
    json!({ "flags": flags, "between": between, "vni": header.vni_field().value(), "last": last })
}

fn gre_fields(header: &gre::Header) -> Value {
    json!({
        "reserved": header.reserved.value(),
        "proto": header.protocol.0,
        "chksum": header.checksum,
        "key": header.key.map(|key| key.0),
        "sequence": header.sequence,
    })
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn scapy_is_there() -> bool {
    let probe = Command::new("python3").args(["-c", "import scapy"]).stderr(Stdio::null()).status();
    let there = probe.is_ok_and(|status| status.success());
    if !there {
        assert!(env::var_os("CI").is_none(), "scapy is not installed");
        println!("SKIPPED: scapy is not installed");
    }
    there
}

/// The JSON values, one a line, that the script prints for this input.
fn oracle(arguments: &[&str], input: &str) -> Vec<Value> {
    let mut child = Command::new("python3")
        .arg(SCRIPT)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    writer.join().unwrap().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
