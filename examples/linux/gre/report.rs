//! What is counted besides the tunnel's own counters.

use std::{collections::BTreeMap, fmt::Write, io};

use encap::{
    time::Instant,
    tunnel::{DropReason, EncapError, gre::Tunnel},
};
use encap_linux::print;

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Report {
    dropped: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
    /// What was tried, and how often the kernel refused it for which reason.
    errors: BTreeMap<(&'static str, String), u64>,
    /// Packets of the tunnel's that are neither IPv4 nor IPv6, and which a device for these cannot take.
    pub(crate) unknown: u64,
    /// ICMP errors that told a path's MTU, and others.
    pub(crate) mtus: u64,
    pub(crate) failures: u64,
    /// ICMP errors to the underlay, in all and in this second.
    unreachables: u64,
    recent: (u64, u32),
}

impl Report {
    /// A packet that came was dropped.
    pub(crate) fn dropped(&mut self, reason: DropReason) {
        *self.dropped.entry(reason.name()).or_default() += 1;
    }

    /// A packet was not sent.
    pub(crate) fn refused(&mut self, error: &EncapError) {
        let name = match error {
            EncapError::InnerTruncated { .. } => "truncated",
            EncapError::InnerNotIp => "not-ip",
            EncapError::TooLong { .. } => "too-long",
            EncapError::Loop => "loop",
            EncapError::EncapLimit { .. } => "encap-limit",
            _ => "other",
        };
        *self.refused.entry(name).or_default() += 1;
    }

    /// The kernel has refused something. That is counted, and nobody's end.
    pub(crate) fn failed(&mut self, what: &'static str, error: &io::Error) {
        *self.errors.entry((what, error.to_string())).or_default() += 1;
    }

    /// Whether one more sender may be told that its packets are for nobody: a thousand each second.
    pub(crate) fn may_refuse(&mut self, now: Instant) -> bool {
        let second = now.as_micros() / 1_000_000;
        let (last, count) = self.recent;
        let count = if last == second { count } else { 0 };
        self.recent = (second, count + 1);
        let may = count < 1_000;
        self.unreachables += u64::from(may);
        may
    }

    /// One line for each number that is not zero, and for what the tunnel is now; an empty one at the end.
    pub(crate) fn text(&self, tunnel: &Tunnel) -> String {
        let counters = tunnel.counters();
        let mut text = format!("local {} remote {} mtu {}\n", tunnel.local(), tunnel.remote(), tunnel.mtu());
        let numbers = [
            ("rx_packets", counters.rx_packets),
            ("rx_bytes", counters.rx_bytes),
            ("multicast", counters.multicast),
            ("rx_errors", counters.rx_errors),
            ("rx_crc_errors", counters.rx_crc_errors),
            ("rx_fifo_errors", counters.rx_fifo_errors),
            ("rx_length_errors", counters.rx_length_errors),
            ("rx_frame_errors", counters.rx_frame_errors),
            ("rx_keepalives", counters.rx_keepalives),
            ("tx_packets", counters.tx_packets),
            ("tx_bytes", counters.tx_bytes),
            ("tx_errors", counters.tx_errors),
            ("tx_carrier_errors", counters.tx_carrier_errors),
            ("collisions", counters.collisions),
            ("undeliverable", self.unknown),
            ("icmp mtu", self.mtus),
            ("icmp failure", self.failures),
            ("icmp port-unreachable sent", self.unreachables),
            ("unprinted", print::lost()),
        ];
        let dropped = self.dropped.iter().map(|(name, count)| (format!("dropped {name}"), *count));
        let refused = self.refused.iter().map(|(name, count)| (format!("refused {name}"), *count));
        let errors = self.errors.iter().map(|((what, why), count)| (format!("{what}: {why}"), *count));
        let numbers = numbers.iter().map(|(name, count)| ((*name).to_owned(), *count));
        for (name, count) in
            numbers.chain(dropped).chain(refused).chain(errors).filter(|(_, count)| *count > 0)
        {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} {count}");
        }
        text.push('\n');
        text
    }
}
