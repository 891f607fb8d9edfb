//! `examples/encap` under every combination of settings, with tshark as the judge.

use std::{collections::BTreeMap, fs::File};

use clap::Parser;
use encap::{
    tunnel::{EncapError, Start},
    wire::EtherType,
};
use serde_json::{Value, json};

use crate::{
    choices::combinations,
    decap, frames,
    settings::Args,
    temporary, tshark,
    tunnel::Skip,
    write::{CaptureWriter, Link},
};

/// What outer headers inherit from a frame.
#[derive(Clone, Copy)]
struct Inner {
    dscp: u64,
    ecn: u64,
    /// Zero where there is no IP.
    ttl: u64,
    dont_fragment: bool,
    /// Zero where there is no IP.
    ethertype: u64,
    tagged: bool,
}

/// Frames, and what is known of them: those that come with the example, and one with a VLAN tag.
fn inner() -> Vec<(Vec<u8>, Inner)> {
    let ip = |dscp, ecn, ttl, dont_fragment, ethertype| Inner {
        dscp,
        ecn,
        ttl,
        dont_fragment,
        ethertype,
        tagged: false,
    };
    let known = [
        ip(0, 0, 0, false, 0),
        ip(0, 0, 17, true, 0x0800),
        ip(18, 2, 17, false, 0x0800),
        ip(46, 1, 23, true, 0x86dd),
        ip(0, 3, 23, true, 0x86dd),
    ];
    let mut all: Vec<_> = frames::built_in().into_iter().zip(known).collect();
    let (frame, inner) = all[2].clone();
    all.push(([&frame[..12], &[0x81, 0, 0x60, 9], &frame[12..]].concat(), Inner { tagged: true, ..inner }));
    all
}

/// The fields that are asked for: of the outermost header that has them.
const FIELDS: &[&str] = &[
    "eth.src",
    "eth.dst",
    "vlan.id",
    "vlan.priority",
    "ip.src",
    "ip.dst",
    "ip.ttl",
    "ip.dsfield.dscp",
    "ip.dsfield.ecn",
    "ip.flags.df",
    "ip.id",
    "ip.checksum.status",
    "ipv6.src",
    "ipv6.dst",
    "ipv6.hlim",
    "ipv6.tclass.dscp",
    "ipv6.tclass.ecn",
    "ipv6.flow",
    "udp.srcport",
    "udp.dstport",
    "udp.checksum",
    "udp.checksum.status",
    "vxlan.flags",
    "vxlan.vni",
    "vxlan.gbp",
    "vxlan.next_proto",
    "geneve.flags",
    "geneve.proto_type",
    "geneve.vni",
    "geneve.option.length",
    "geneve.option.class",
    "geneve.option.type",
    "gre.flags_and_version",
    "gre.proto",
    "gre.checksum.status",
    "gre.key",
    "gre.sequence_number",
];

/// A packet that was written: the flags that made it, the fields that it must have, and what it carries.
struct Sent {
    flags: String,
    fields: BTreeMap<&'static str, String>,
    inner: Inner,
}

/// What is known of the outer header of a packet with these flags.
fn outer(flags: &str, inner: Inner) -> BTreeMap<&'static str, String> {
    let ttl = match flags {
        _ if flags.contains("--ttl 255") => 255,
        _ if flags.contains("--ttl inherit") && inner.ttl != 0 => inner.ttl,
        _ => 64,
    };
    let dscp = match flags {
        _ if flags.contains("--dscp 63") => 63,
        _ if flags.contains("--dscp inherit") => inner.dscp,
        _ => 0,
    };
    // RFC 6040, section 4.1; Linux starts a mark anew as ECT(0).
    let ecn = match inner.ecn {
        _ if flags.contains("--ecn compatibility") => 0,
        3 if flags.contains("--ecn linux") => 2,
        ecn => ecn,
    };
    let mut fields = BTreeMap::new();
    if flags.contains("2001:db8::5") {
        fields.insert("ipv6.src", "2001:db8::5".to_owned());
        fields.insert("ipv6.dst", "2001:db8:ffff::66".to_owned());
        fields.insert("ipv6.hlim", ttl.to_string());
        fields.insert("ipv6.tclass.dscp", dscp.to_string());
        fields.insert("ipv6.tclass.ecn", ecn.to_string());
        if flags.contains("--flow-label inherit") {
            let label = if inner.ethertype == 0x86dd { "0x0abcde" } else { "0x000000" };
            fields.insert("ipv6.flow", label.to_owned());
        }
    } else {
        fields.insert("ip.src", "203.0.113.5".to_owned());
        fields.insert("ip.dst", "203.0.113.66".to_owned());
        fields.insert("ip.ttl", ttl.to_string());
        fields.insert("ip.dsfield.dscp", dscp.to_string());
        fields.insert("ip.dsfield.ecn", ecn.to_string());
        fields.insert("ip.checksum.status", "1".to_owned());
        if flags.contains("--df inherit") {
            let counts = !flags.contains("--df inherit-ipv4") || inner.ethertype == 0x0800;
            fields.insert("ip.flags.df", u8::from(inner.dont_fragment && counts).to_string());
        }
    }
    if flags.contains("--type vxlan ") {
        fields.insert("vxlan.flags", "0x0800".to_owned());
    }
    if flags.contains("--type gre") && !flags.contains("--payload ethernet") {
        fields.insert("gre.proto", format!("0x{:04x}", inner.ethertype));
    }
    if flags.contains("--payload ip") {
        let next = if inner.ethertype == 0x0800 { 1 } else { 2 };
        let (name, shown) = match flags {
            _ if flags.contains("--type geneve") => {
                ("geneve.proto_type", format!("0x{:04x}", inner.ethertype))
            }
            _ => ("vxlan.next_proto", next.to_string()),
        };
        fields.insert(name, shown);
    }
    fields
}

/// Whether the tunnel takes a frame with a VLAN tag, or an IP packet out of it.
fn sends_tags(flags: &str) -> bool {
    flags.contains("--inner-vlan")
        || flags.contains("--payload ip")
        || !["vxlan", "nvgre"].iter().any(|kind| flags.contains(kind))
}

#[test]
fn every_combination_of_settings_pleases_tshark() {
    if !tshark::is_installed() {
        return;
    }
    let path = temporary("encap.pcapng");
    let mut writer = CaptureWriter::create(&path, None, Link::Ethernet).unwrap();
    let mut frames = inner().into_iter().cycle();
    let mut all = Vec::new();
    for (flags, choices) in combinations() {
        let words = ["encap", "--write", "nothing"].into_iter().chain(flags.split_whitespace());
        let args = Args::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(args.misplaced(), None);
        let mut tunnel = args.tunnel().unwrap();
        let (packet, inner) = loop {
            let (frame, inner) = frames.next().unwrap();
            match tunnel.send(Start::Ethernet, &frame) {
                Ok(packet) => {
                    assert!(!inner.tagged || sends_tags(&flags), "{flags}");
                    break (packet, inner);
                }
                Err(Skip::NotIp) => assert_eq!(inner.ethertype, 0, "{flags}"),
                // RFC 7348, section 6.1; RFC 7637, section 3.3.
                Err(error) => {
                    assert!(inner.tagged && !sends_tags(&flags), "{flags}: {error}");
                    assert_eq!(error, Skip::Encap(EncapError::InnerVlan));
                }
            }
        };
        let protocol = match (args.framing_is_ip(), packet[0] >> 4) {
            (false, _) => EtherType::TEB,
            (true, 4) => EtherType::IPV4,
            (true, _) => EtherType::IPV6,
        };
        assert!(writer.write(0, protocol, &packet, packet.len()).unwrap());
        let mut fields = outer(&flags, inner);
        fields.extend(choices.into_iter().map(|(name, value)| (name, value.to_owned())));
        // Without a tag outside, tshark shows the one inside.
        if fields.get("vlan.id").is_some_and(String::is_empty) {
            fields.remove("vlan.id").filter(|_| !inner.tagged).map(|none| fields.insert("vlan.id", none));
        }
        all.push(Sent { flags, fields, inner });
    }
    writer.finish().unwrap();
    println!("{} packets", all.len());

    // Not malformed, no bad checksum, nothing to warn of.
    let complaints = "_ws.malformed || _ws.expert.severity >= \"Warning\" || ip.checksum.status == 0 || \
        udp.checksum.status == 0 || tcp.checksum.status == 0 || gre.checksum.status == 0";
    let complaints = tshark::fields(&path, complaints, &["frame.number", "_ws.expert.message"]);
    for complaint in complaints.iter().take(20) {
        let number: usize = complaint[0].parse().unwrap();
        println!("{complaint:?}: {}", all[number - 1].flags);
    }
    assert!(complaints.is_empty(), "{} complaints", complaints.len());

    let packets = tshark::fields(&path, "frame", FIELDS);
    assert_eq!(packets.len(), all.len());
    for (packet, Sent { flags, fields, inner }) in packets.iter().zip(&all) {
        let shown = |name: &str| packet[FIELDS.iter().position(|field| *field == name).unwrap()].as_str();
        for (name, value) in fields {
            assert_eq!(shown(name), value, "{name} of {flags}");
        }
        if flags.contains("--flow-label hash") {
            // RFC 6438: a label of zero says that there is none.
            assert_ne!(shown("ipv6.flow"), "0x000000", "{flags}");
        }
        if fields.contains_key("udp.dstport") && !flags.contains("--source-ports") {
            assert!(shown("udp.srcport").parse::<u16>().unwrap() >= 49152, "{flags}");
        }
        if flags.contains("--type gre") && !flags.contains("--checksum") && inner.ethertype != 0 {
            assert_eq!(shown("gre.checksum.status"), "", "{flags}");
        }
    }

    // And we read what we write.
    let (lines, end) = decap::json(File::open(&path).unwrap());
    end.unwrap();
    assert_eq!(lines.len(), all.len());
    for (line, Sent { flags, fields, inner }) in lines.iter().zip(&all) {
        let number = |name| {
            let value = fields.get(name)?;
            let digits = value.strip_prefix("0x");
            Some(digits.map_or(value.parse(), |digits| u32::from_str_radix(digits, 16)).unwrap())
        };
        let gre = json!({
            "proto": number("gre.proto"),
            "key": number("gre.key"),
            "seq": number("gre.sequence_number"),
            "checksum": if flags.contains("--checksum") { "good" } else { "absent" },
        });
        let name = flags.split_whitespace().nth(1).unwrap();
        let mut layer = match name {
            "vxlan" => json!({ "vni": number("vxlan.vni") }),
            "vxlan-gbp" => json!({
                "vni": number("vxlan.vni"),
                "group": number("vxlan.gbp"),
                "dont_learn": flags.contains("--dont-learn"),
                "applied": flags.contains("--applied"),
            }),
            "vxlan-gpe" => json!({ "vni": number("vxlan.vni"), "next": number("vxlan.next_proto") }),
            "geneve" => json!({
                "vni": number("geneve.vni"),
                "proto": number("geneve.proto_type"),
                "options": match flags.contains("--option") {
                    true => json!([
                        { "class": 0x102, "type": 0x80, "len": 4 },
                        { "class": 0x103, "type": 1, "len": 0 },
                    ]),
                    false => json!([]),
                },
            }),
            "nvgre" => json!({
                "vsid": if flags.contains("--vni 4096") { 4096 } else { 16_777_214 },
                // Any number: it belongs to the flow.
                "flow_id": line["layers"][0]["flow_id"],
            }),
            "ip-udp" => json!({}),
            _ => gre,
        };
        layer["type"] = name.into();
        assert_eq!(decap::headers(line), Value::from(vec![layer]), "{flags}");
        let drop = match flags {
            _ if flags.contains("2001:") && flags.contains("checksum zero") => Some("udp-checksum-missing"),
            // The C flag: nobody knows that option.
            _ if flags.contains("--option") => Some("geneve-critical-option"),
            _ if flags.contains("vxlan") && inner.tagged && !flags.contains("--payload ip") => {
                Some("inner-vlan")
            }
            _ => None,
        };
        assert_eq!(line["drop"].as_str(), drop, "{flags}");
    }
}

#[test]
fn a_packet_whose_header_does_not_say_its_length_is_left_out() {
    let flags = ["encap", "--write", "OUT", "--type", "gre"];
    let mut tunnel = Args::parse_from(flags).tunnel().unwrap();
    // From IPv6 on: TCP that a network card was to cut, and nothing at all.
    let mut packet = frames::built_in()[4][14..].to_vec();
    packet[4..6].fill(0);
    assert_eq!(tunnel.send(Start::Ip, &packet), Err(Skip::NotIp));
    packet[6] = 59;
    assert_eq!(tunnel.send(Start::Ip, &packet[..40]).map(|packet| packet.len()), Ok(64));
}
