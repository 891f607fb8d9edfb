//! The capture that `decap` comes with: every tunnel, nested ones, and some of what can be wrong with them.

use std::{env, fs, path::Path};

use clap::Parser;
use encap::{
    tunnel::Start,
    wire::{EtherType, ipv4},
};
use serde_json::{Value, json};

use crate::{
    decap, frames,
    settings::Args,
    temporary,
    write::{CaptureWriter, Link},
};

pub(crate) const BUILT_IN: &[u8] = include_bytes!("../../examples/captures/tunnels.pcapng");

/// A packet of the capture, and what `decap --json` says of it.
struct Packet {
    protocol: EtherType,
    bytes: Vec<u8>,
    /// How many bytes the capture has of it.
    captured: usize,
    layers: Vec<Value>,
    inner_len: Option<usize>,
    drop: Option<&'static str>,
}

impl Packet {
    fn new(bytes: Vec<u8>) -> Self {
        let (protocol, captured) = (EtherType::TEB, bytes.len());
        Self { protocol, bytes, captured, layers: Vec::new(), inner_len: None, drop: None }
    }

    fn raw(self) -> Self {
        Self { protocol: EtherType::IPV4, ..self }
    }

    fn cut(self, captured: usize) -> Self {
        Self { captured, ..self }
    }

    /// The tunnels in it, and the length of the packet inside.
    fn holds<const N: usize>(self, layers: [Value; N], inner_len: usize) -> Self {
        Self { layers: layers.to_vec(), inner_len: Some(inner_len), ..self }
    }

    /// Changes the bits at this place: the reason to drop the packet.
    fn broken(mut self, at: usize, bits: u8, drop: &'static str) -> Self {
        self.bytes[at] ^= bits;
        Self { drop: Some(drop), ..self }
    }
}

/// What `examples/encap` makes of a frame with these flags.
fn ip(flags: &str, frame: &[u8]) -> Vec<u8> {
    // Nothing in the file depends on how flows are hashed.
    let is_over_udp = ["vxlan", "geneve", "udp"].iter().any(|name| flags.contains(name));
    let port = if is_over_udp { "--source-ports=50000-50000" } else { "--seed=0" };
    let words = ["encap", "--write", "nothing", port].into_iter().chain(flags.split_whitespace());
    let args = Args::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    args.tunnel().unwrap().send(Start::Ethernet, frame).unwrap()
}

fn ethernet(flags: &str, frame: &[u8]) -> Vec<u8> {
    ip(&format!("{flags} --framing ethernet"), frame)
}

/// The frame, its IPv4 header as long as it is.
fn fitted(frame: &[u8]) -> Vec<u8> {
    let (header, _) = ipv4::Header::parse(&frame[14..]).unwrap();
    let header = ipv4::Header { total_len: (frame.len() - 14) as u16, ..header }.with_checksum();
    [&frame[..14], &header.fixed_bytes(), &frame[34..]].concat()
}

fn vxlan(vni: u32) -> Value {
    json!({ "type": "vxlan", "vni": vni })
}

fn gre(proto: u16, key_and_sequence: Option<(u32, u32)>, checksum: Option<&str>) -> Value {
    let (key, seq) = key_and_sequence.unzip();
    json!({ "type": "gre", "proto": proto, "key": key, "seq": seq, "checksum": checksum })
}

fn packets() -> Vec<Packet> {
    let frames = frames::built_in();
    let [arp, udp4, tcp4, udp6, _] = frames.as_slice() else { panic!("{} frames", frames.len()) };
    let ip_udp = || json!({ "type": "ip-udp" });
    const ALL: &str = "--type gre --key 7 --sequence --checksum";
    const V6: &str = "--local 2001:db8::1 --remote 2001:db8::2";

    let in_vxlan = ethernet("--type vxlan --vni 42", udp4);
    let in_vxlan6 = ethernet(&format!("--type vxlan --vni 42 {V6}"), udp4);
    let in_gre = ethernet("--type gre", udp4);
    let mut in_nvgre = ethernet("--type nvgre --vni 5001", udp4);
    in_nvgre[41] = 7;
    let all = ethernet(&format!("{ALL} --payload ethernet"), tcp4);
    let read_all = |checksum| gre(0x6558, Some((7, 0)), checksum);
    let nested = ethernet("--type vxlan --vni 42", &all);
    // GRE's sequence number is 9; session 5, VLAN 100, COS 3.
    let erspan2 = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 9, 0x10, 100, 0x60, 5, 0, 0, 0, 7];
    let erspan3 = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 9, 0x20, 100, 0x60, 5, 0, 1, 0, 0, 0, 8, 0x80, 0];
    // Of PPTP: 4 bytes of payload for call 6, sequence number 1, acknowledgment 2; PPP.
    let pptp = [0x30, 0x81, 0x88, 0x0b, 0, 4, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0x03, 0xc0, 0x21];
    let mirrored = |header: &[u8]| fitted(&[&in_gre[..34], header, udp4].concat());
    let mirror =
        |proto| json!({ "type": "gre", "proto": proto, "key": null, "seq": 9, "checksum": "absent" });
    let last_port = "--vni 16777215 --port 8472 --vlan 100:5 --flow-label 703710";
    vec![
        Packet::new(arp.clone()),
        Packet::new(ethernet("--type vxlan --vni 42", arp)).holds([vxlan(42)], arp.len()),
        Packet::new(in_vxlan.clone()).holds([vxlan(42)], udp4.len()),
        Packet::new(ethernet(&format!("--type vxlan {last_port} {V6}"), tcp4))
            .holds([vxlan(16_777_215)], tcp4.len()),
        Packet::new(in_gre.clone()).holds([gre(0x0800, None, Some("absent"))], udp4.len() - 14),
        Packet::new(ethernet(&format!("{ALL} {V6}"), udp6))
            .holds([gre(0x86dd, Some((7, 0)), Some("good"))], udp6.len() - 14),
        Packet::new(all.clone()).holds([read_all(Some("good"))], tcp4.len()),
        Packet::new(ip("--type ip-udp", udp6)).raw().holds([ip_udp()], udp6.len() - 14),
        Packet::new(nested.clone()).holds([vxlan(42), read_all(Some("good"))], tcp4.len()),
        Packet::new(ip("--type ip-udp", &nested))
            .raw()
            .holds([ip_udp(), vxlan(42), read_all(Some("good"))], tcp4.len()),
        Packet::new(ethernet("--type vxlan-gbp --vni 42 --group 4660 --applied", udp4)).holds(
            [json!({ "type": "vxlan-gbp", "vni": 42, "group": 4660, "dont_learn": false, "applied": true })],
            udp4.len(),
        ),
        Packet::new(ethernet("--type vxlan-gpe --vni 42 --payload ip", udp6))
            .holds([json!({ "type": "vxlan-gpe", "vni": 42, "next": 2 })], udp6.len() - 14),
        Packet::new(ethernet(
            "--type geneve --vni 42 --option 0102:01:deadbeef0badcafe --option ffff:2:",
            udp4,
        ))
        .holds(
            [json!({ "type": "geneve", "vni": 42, "proto": 25944, "options": [
                    { "class": 258, "type": 1, "len": 8 },
                    { "class": 65535, "type": 2, "len": 0 },
                ] })],
            udp4.len(),
        ),
        Packet::new(in_nvgre).holds([json!({ "type": "nvgre", "vsid": 5001, "flow_id": 7 })], udp4.len()),
        Packet::new(ethernet(&format!("--type gre-udp --key 7 {V6}"), udp4)).holds(
            [json!({ "type": "gre-udp", "proto": 2048, "key": 7, "seq": null, "checksum": "absent" })],
            udp4.len() - 14,
        ),
        Packet::new(mirrored(&erspan2)).holds(
            [
                mirror(35006),
                json!({
                    "type": "erspan2", "session": 5, "vlan": 100, "cos": 3, "truncated": false, "index": 7,
                }),
            ],
            udp4.len(),
        ),
        Packet::new(mirrored(&erspan3)).holds(
            [
                mirror(8939),
                json!({
                    "type": "erspan3", "session": 5, "vlan": 100, "cos": 3, "truncated": false,
                    "timestamp": 65536, "sgt": 8,
                }),
            ],
            udp4.len(),
        ),
        Packet::new(fitted(&[&in_gre[..34], &pptp].concat()))
            .holds([json!({ "type": "gre1", "proto": 34827, "call_id": 6, "seq": 1, "ack": 2 })], 4),
        // Cut by the capture: in the frame inside, before it, and where a checksum would cover the rest.
        Packet::new(in_vxlan.clone()).cut(90).holds([vxlan(42)], 40),
        Packet::new(in_vxlan.clone()).cut(45),
        Packet::new(all.clone()).cut(90).holds([read_all(None)], 40),
        // The I flag; ECN of the outer header, marked, where the inner one says that it cannot be.
        Packet::new(in_vxlan.clone()).holds([vxlan(42)], udp4.len()).broken(42, 0x08, "vxlan-no-vni"),
        Packet::new(in_vxlan6.clone()).holds([vxlan(42)], udp4.len()).broken(15, 0x30, "inner-ecn"),
        // Checksums, by a bit of the data.
        Packet::new(in_vxlan6.clone()).holds([vxlan(42)], udp4.len()).broken(
            in_vxlan6.len() - 1,
            1,
            "udp-checksum",
        ),
        Packet::new(all.clone()).holds([read_all(Some("bad"))], tcp4.len()).broken(
            all.len() - 1,
            1,
            "gre-checksum",
        ),
        // GRE headers that cannot be read: version 2, source routes, a key that is not there.
        Packet::new(in_gre.clone()).broken(35, 0x02, "gre-version"),
        Packet::new(in_gre.clone()).broken(34, 0x40, "gre-routing"),
        Packet::new(fitted(&in_gre[..38])).broken(34, 0x20, "gre-truncated"),
    ]
}

/// Rewrites the file where the environment says so.
#[test]
fn the_built_in_capture_is_what_the_examples_make() {
    let path = temporary("tunnels.pcapng");
    let mut writer = CaptureWriter::create(&path, None, Link::Ethernet).unwrap();
    for (number, Packet { protocol, bytes, captured, .. }) in (0..).zip(&packets()) {
        // A packet every tenth of a second, from the beginning of 2026 on.
        let time = 1_767_225_600_000_000_000 + number * 100_000_000;
        assert!(writer.write(time, *protocol, &bytes[..*captured], bytes.len()).unwrap());
    }
    writer.finish().unwrap();
    let made = fs::read(path).unwrap();
    if env::var_os("ENCAP_BLESS").is_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/captures");
        fs::write(folder.join("tunnels.pcapng"), &made).unwrap();
    }
    assert!(made == BUILT_IN, "not what the examples make: run with ENCAP_BLESS=1, then once more");
}

#[test]
fn the_built_in_capture_is_read_as_it_was_made() {
    let (lines, end) = decap::json(BUILT_IN);
    end.unwrap();
    let packets = packets();
    assert_eq!(lines.len(), packets.len());
    for (frame, (line, Packet { layers, inner_len, drop, .. })) in (1..).zip(lines.iter().zip(packets)) {
        // What is odd is told of the tunnel that it is about, which has been found.
        let anomalies = line["layers"].as_array().unwrap().last().map(|layer| &layer["anomalies"]);
        if let Some(anomalies) = anomalies {
            assert_eq!(anomalies[0].as_str(), drop, "{frame}");
        }
        let mut line = line.clone();
        line["layers"] = decap::headers(&line);
        let expected = json!({ "frame": frame, "layers": layers, "inner_len": inner_len, "drop": drop });
        assert_eq!(line, expected);
    }
}
