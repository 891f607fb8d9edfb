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
    let words = ["encap", "--write", "nothing"].into_iter().chain(flags.split_whitespace());
    let args = Args::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    args.tunnel().unwrap().send(Start::Ethernet, frame).unwrap()
}

fn ethernet(flags: &str, frame: &[u8]) -> Vec<u8> {
    ip(&format!("{flags} --framing ethernet"), frame)
}

/// The first bytes of a frame that has IPv4, whose header says so.
fn shortened(frame: &[u8], len: usize) -> Vec<u8> {
    let (header, _) = ipv4::Header::parse(&frame[14..]).unwrap();
    let header = ipv4::Header { total_len: (len - 14) as u16, ..header }.with_checksum();
    [&frame[..14], &header.fixed_bytes(), &frame[34..len]].concat()
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
    let all = ethernet(&format!("{ALL} --payload ethernet"), tcp4);
    let read_all = |checksum| gre(0x6558, Some((7, 0)), checksum);
    let nested = ethernet("--type vxlan --vni 42", &all);
    let last_port = "--vni 16777215 --port 8472 --vlan 100:5 --flow-label hash";
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
        // GRE headers that cannot be read: version 1, source routes, a key that is not there.
        Packet::new(in_gre.clone()).broken(35, 0x01, "gre-version"),
        Packet::new(in_gre.clone()).broken(34, 0x40, "gre-routing"),
        Packet::new(shortened(&in_gre, 38)).broken(34, 0x20, "gre-truncated"),
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
        let expected = json!({ "frame": frame, "layers": layers, "inner_len": inner_len, "drop": drop });
        assert_eq!(line, &expected);
    }
}
