//! What is found in packets, for people: a line for each, and a table at the end.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

use encap::tunnel::{DropReason, Inspection};

/// A packet in a line for people.
pub(crate) struct Line<'a> {
    pub(crate) frame: u64,
    pub(crate) found: Option<&'a Inspection>,
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}  ", self.frame)?;
        let Some(found) = self.found else { return f.write_str("link type not known") };
        let mut separator = "";
        for layer in found.layers() {
            write!(f, "{separator}{layer}")?;
            separator = " | ";
        }
        let reason = found.drop_reason();
        if separator.is_empty() {
            f.write_str(match (reason, found.is_truncated()) {
                (Some(_), _) => "a tunnel's header that cannot be read",
                (None, true) => "headers that cannot be read",
                (None, false) => "no tunnel",
            })?;
        }
        if let Some(reason) = reason {
            write!(f, "  DROP {reason}")?;
        }
        if found.is_truncated() {
            f.write_str("  (cut before its headers end)")?;
        }
        Ok(())
    }
}

/// Counts of all packets.
#[derive(Default)]
pub(crate) struct Table {
    tunnels: BTreeMap<&'static str, Count>,
    drops: BTreeMap<DropReason, u64>,
    packets: u64,
    tunnelled: u64,
    cut: u64,
}

#[derive(Default)]
struct Count {
    headers: u64,
    bytes: u64,
}

impl Table {
    pub(crate) fn add(&mut self, found: Option<&Inspection>) {
        self.packets += 1;
        let Some(found) = found else { return };
        for layer in found.layers() {
            let count = self.tunnels.entry(layer.name()).or_default();
            count.headers += 1;
            count.bytes += layer.payload.len() as u64;
        }
        if let Some(reason) = found.drop_reason() {
            *self.drops.entry(reason).or_default() += 1;
        }
        self.tunnelled += u64::from(found.layers().next().is_some());
        self.cut += u64::from(found.is_truncated());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.tunnels.is_empty() {
            writeln!(f, "\n{:<24}{:>10}{:>14}", "tunnel", "headers", "bytes inside")?;
        }
        for (name, Count { headers, bytes }) in &self.tunnels {
            writeln!(f, "{name:<24}{headers:>10}{bytes:>14}")?;
        }
        if !self.drops.is_empty() {
            writeln!(f, "\n{:<24}{:>10}", "drop reason", "packets")?;
        }
        for (reason, packets) in &self.drops {
            writeln!(f, "{:<24}{packets:>10}", reason.name())?;
        }
        let Self { packets, tunnelled, cut, drops, .. } = self;
        let dropped: u64 = drops.values().sum();
        writeln!(
            f,
            "\n{packets} packets, {tunnelled} with tunnels, {dropped} to drop, {cut} cut before their headers end"
        )
    }
}
