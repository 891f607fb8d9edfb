//! What the library sends, tshark reads.

use std::{collections::BTreeMap, env, fs, time::Duration};

use interop::{Folder, Need, Running, require};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::{
    COUNT,
    sample::{Sample, sample},
    settings::{any_inner, any_outer, any_tunnel},
};

fn runner() -> TestRunner {
    let mut seed = [0x5e; 32];
    if let Ok(other) = env::var("INTEROP_SEED") {
        seed[..8].copy_from_slice(&other.parse::<u64>().unwrap().to_le_bytes());
    }
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// A pcap file of Ethernet frames.
fn pcap<'a>(packets: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut file = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0xffff, 1].map(u32::to_le_bytes).concat();
    for packet in packets {
        let len = packet.len() as u32;
        file.extend([0, 0, len, len].map(u32::to_le_bytes).concat());
        file.extend(packet);
    }
    file
}

#[test]
fn tshark_reads_what_we_send() {
    require!(Need::Program("tshark"));
    let mut runner = runner();
    let cases = (any_outer(), any_tunnel(), any_inner());
    let samples: Vec<Sample> = (0..COUNT)
        .map(|_| {
            let (outer, tunnel, inner) = cases.new_tree(&mut runner).unwrap().current();
            sample(&outer, &tunnel, &inner)
        })
        .collect();
    let folder = Folder::new("tshark");
    let file = folder.0.join("sent.pcap");
    fs::write(&file, pcap(samples.iter().map(|sample| &*sample.packet))).unwrap();
    let mut names: Vec<&str> = samples.iter().flat_map(|sample| sample.expected.keys().copied()).collect();
    names.sort_unstable();
    names.dedup();
    names.extend([
        "udp.srcport",
        "tcp.checksum.status",
        "icmp.checksum.status",
        "_ws.malformed",
        "_ws.expert.severity",
        "_ws.expert.message",
        "frame.protocols",
    ]);
    let options = "-n -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE -d udp.port==8472,vxlan -T fields -E occurrence=a -E aggregator=,";
    let fields = names.iter().flat_map(|name| ["-e", name]);
    let words = ["tshark", "-r", file.to_str().unwrap()].into_iter().chain(options.split(' ')).chain(fields);
    let output = Running::start(words).finish(Duration::from_secs(120)).ok();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), samples.len());
    let mut wrong = Vec::new();
    for (line, sample) in lines.iter().zip(&samples) {
        let values: BTreeMap<&str, Vec<&str>> =
            names.iter().copied().zip(line.split('\t').map(|value| value.split(',').collect())).collect();
        let numbers =
            |name: &str| -> Vec<u64> { values[name].iter().filter_map(|value| number(value)).collect() };
        let mut problems = Vec::new();
        for (name, expected) in &sample.expected {
            let found = numbers(name);
            if found.get(..expected.len()) != Some(expected) {
                problems.push(format!("{name}: {expected:?}, tshark {:?}", values[name]));
            }
        }
        // Those of the inner packet, too.
        for name in ["ip.checksum.status", "udp.checksum.status", "icmp.checksum.status"] {
            let outer = usize::from(sample.expected.contains_key(name));
            if values.contains_key(name) && numbers(name).iter().skip(outer).any(|status| *status != 1) {
                problems.push(format!("{name}: tshark {:?}", values[name]));
            }
        }
        if let (Some((first, last)), Some(&port)) = (sample.ports, numbers("udp.srcport").first()) {
            if !(u64::from(first)..=u64::from(last)).contains(&port) {
                problems.push(format!("source port {port}"));
            }
        }
        if values["_ws.malformed"] != [""] {
            problems.push(format!("malformed: {:?}", values["frame.protocols"]));
        }
        if !problems.is_empty() {
            let packet: String = sample.packet.iter().map(|byte| format!("{byte:02x}")).collect();
            wrong.push(format!("{}\n  {}\n  {packet}", sample.about, problems.join("; ")));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ\n{}",
        wrong.len(),
        samples.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
    println!("{} packets, {} fields: tshark says the same", samples.len(), names.len());
}

/// Decimal or, behind 0x, not.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}
