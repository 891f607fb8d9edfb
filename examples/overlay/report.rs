//! What is left at the end: results, tables, counters.

use std::fmt::Write as _;

use encap::{
    table::{Destination, Entry},
    vtep::Counters,
    wire::{MacAddr, Vni},
};

use super::{bulk::Rate, network::Network, node::Node};

/// The results of pings that are shown one by one.
const SHOWN: usize = 24;

/// A line for each ping; they are done then.
pub(crate) fn pings(network: &mut Network) -> String {
    let mut text = String::new();
    let (mut all, mut sent, mut received) = (0, 0_u64, 0_u64);
    for host in &mut network.hosts {
        let Some(ping) = host.ping.take() else { continue };
        all += 1;
        sent += u64::from(ping.sent);
        received += u64::from(ping.received);
        if all <= SHOWN {
            let _ = writeln!(text, "{} > {}: {}", host.address.ip, ping.target, ping.result());
        }
    }
    if all > SHOWN {
        let _ = writeln!(text, "and {} more", all - SHOWN);
    }
    if all > 1 {
        let _ = writeln!(text, "{all} pings: {sent} sent, {received} received");
    }
    text
}

/// The tables of a VTEP: `bridge fdb show`, and `ip neigh`.
pub(crate) fn tables(network: &Network, node: &Node, vnis: &[Vni]) -> String {
    let Node { address, vtep, .. } = node;
    let mut text = format!("vtep {address}, as bridge fdb show has it:\n");
    let mut entries: Vec<Entry> = vtep.fdb().dump(network.now).collect();
    entries.sort_by_key(|entry| (entry.vni, entry.mac));
    for entry in entries {
        let show = vtep.fdb().show(&entry).default_port(vtep.config().dstport);
        let lines = if vnis.len() > 1 { format!("{show:#}") } else { show.to_string() };
        for line in lines.lines() {
            let what = match (entry.mac, entry.destination) {
                (MacAddr::ZERO, _) => "  # whatever is unknown, or for everybody",
                (_, Destination::Local) => "  # on this side",
                _ => "  # learned",
            };
            let _ = writeln!(text, "  {line:<58}{what}");
        }
    }
    let mut neighbors: Vec<_> = vtep.neighbors().dump(network.now).collect();
    neighbors.sort_by_key(|neighbor| (neighbor.vni, neighbor.address));
    let _ = writeln!(text, "neighbours, as ip neigh has them:");
    for neighbor in neighbors {
        let line = if vnis.len() > 1 { format!("{neighbor:#}") } else { neighbor.to_string() };
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// What a VTEP has counted.
pub(crate) fn counters(node: &Node) -> String {
    let mut all: Counters = node.bulk;
    all += *node.worker.counters();
    let mut text = format!(
        "vtep {}: {} sent, {} delivered, {} answered itself",
        node.address, all.sent, all.delivered, all.replies
    );
    for (reason, count) in all.drops() {
        let _ = write!(text, ", {count} dropped: {reason}");
    }
    text.push('\n');
    text
}

/// How fast it was.
pub(crate) fn rate(rate: &Rate) -> String {
    let Rate { frames, bytes, encap, decap, .. } = rate;
    let per_second = |seconds: f64| if seconds > 0.0 { *frames as f64 / seconds } else { 0.0 };
    let (out, back) = (encap.as_secs_f64(), decap.as_secs_f64());
    let both = per_second(out + back);
    format!(
        "{} packets per second encapsulated and decapsulated, {:.1} Gbit/s of frames of {bytes} bytes, on one core\n\
         ({} per second encapsulated, {} per second decapsulated)\n",
        thousands(both as u64),
        both * (*bytes as f64) * 8.0 / 1e9,
        thousands(per_second(out) as u64),
        thousands(per_second(back) as u64),
    )
}

/// With commas, as people read numbers.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
