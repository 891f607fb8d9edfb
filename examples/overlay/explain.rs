//! One packet, byte by byte.

use std::fmt::{Display, Write as _};

use encap::wire::{checksum::State, ethernet, icmpv4, ipv4, udp, vxlan};

/// The bytes of a VXLAN packet over IPv4 with an echo request in it, and what they mean.
pub(crate) fn explain(packet: &[u8]) -> Option<String> {
    let mut page = Page { packet, at: 0, text: String::new() };
    let (outer, rest) = ipv4::Header::parse(packet).ok()?;
    page.layer("outer IPv4: what the underlay sees and routes");
    page.ipv4(&outer)?;
    let (udp, rest) = udp::Header::parse(rest).ok()?;
    page.layer("outer UDP");
    page.row(2, format_args!("source port {}: other flows have others, to spread them", udp.source_port))?;
    page.row(2, format_args!("destination port {}: VXLAN", udp.destination_port))?;
    page.row(2, format_args!("{} bytes from here on", udp.length))?;
    page.row(2, if udp.checksum == 0 { "no checksum" } else { "checksum" })?;
    let (vxlan, rest) = vxlan::Header::parse(rest).ok()?;
    page.layer("VXLAN");
    page.row(4, "flags: there is a segment; the rest is reserved")?;
    page.row(4, format_args!("segment (VNI) {}, and a reserved byte", vxlan.vni()?))?;
    let (link, rest) = ethernet::Header::parse(rest).ok()?;
    page.layer("inner Ethernet: the frame as the host sent it, from here to the end");
    page.row(6, format_args!("to {}", link.destination))?;
    page.row(6, format_args!("from {}", link.source))?;
    page.row(2, "what follows: IPv4")?;
    let (inner, rest) = ipv4::Header::parse(rest).ok()?;
    page.layer("inner IPv4");
    page.ipv4(&inner)?;
    let message = inner.payload(rest).ok()?;
    let (icmp, _) = icmpv4::Header::parse(message).ok()?;
    let (identifier, number) = icmp.echo()?;
    page.layer("inner ICMP");
    let sum = if icmpv4::verify(message) == State::Good { "good" } else { "bad" };
    page.row(4, format_args!("echo request, its checksum: {sum}"))?;
    page.row(4, format_args!("identifier {identifier}, number {number}"))?;
    let left = packet.len().checked_sub(page.at)?;
    page.row(6, format_args!("and {} more bytes of payload", left.checked_sub(6)?))?;
    Some(page.text)
}

struct Page<'a> {
    packet: &'a [u8],
    at: usize,
    text: String,
}

impl Page<'_> {
    fn layer(&mut self, name: &str) {
        // A String takes everything.
        let _ = writeln!(self.text, "{name}");
    }

    /// The next bytes, and their meaning.
    fn row(&mut self, len: usize, meaning: impl Display) -> Option<()> {
        let end = self.at.checked_add(len)?;
        let bytes = self.packet.get(self.at..end)?;
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(self.text, "{:5}  {:<17}  {meaning}", self.at, hex.join(" ")).ok()?;
        self.at = end;
        Some(())
    }

    /// A header without options.
    fn ipv4(&mut self, header: &ipv4::Header) -> Option<()> {
        let bytes = self.packet.get(self.at..self.at.checked_add(ipv4::Header::MIN_LEN)?)?;
        let sum = if ipv4::verify(bytes) == State::Good { "good" } else { "bad" };
        let fragments = if header.dont_fragment { "not to be fragmented" } else { "may be fragmented" };
        self.row(4, format_args!("version 4, five words of header; {} bytes in all", header.total_len))?;
        self.row(4, format_args!("identification {}; {fragments}", header.identification))?;
        let (ttl, protocol) = (header.ttl, header.protocol.0);
        self.row(4, format_args!("TTL {ttl}, protocol {protocol}, checksum: {sum}"))?;
        self.row(4, format_args!("from {}", header.source))?;
        self.row(4, format_args!("to {}", header.destination))
    }
}

/// Where in such a packet the VXLAN header is.
pub(crate) const VXLAN: usize = ipv4::Header::MIN_LEN + udp::Header::LEN;
