//! What a received ICMP error says about a packet of ours, and how much of that packet it quotes (RFC 792;
//! RFC 4443, section 3; RFC 4884, section 4).
//!
//! ```text
//!  +---------+--------+--------------------------------------------------+
//!  |   IP    |  ICMP  | IP header of ours | at least 8 bytes behind it    |
//!  +---------+--------+--------------------------------------------------+
//!   reporter  problem   Quote::source …     Quote::payload
//! ```
//!
//! Anybody can send such an error. Before anything is done about it, what it quotes must be compared with
//! what was sent: addresses, ports, identifiers (RFC 5927, section 4).

use core::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use super::{
    Error, IpProtocol,
    checksum::{State, Sum},
    icmpv4, icmpv6, ipv4, ipv6,
};

/// An ICMP error, of either version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Report<'a> {
    /// Who sent it: a router on the way, or the other end.
    pub reporter: IpAddr,
    /// What it says.
    pub problem: Problem,
    /// What it says this about.
    pub quote: Quote<'a>,
}

/// What a [`Report`] says.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Problem {
    /// By ICMP.
    V4(icmpv4::Problem),
    /// By ICMPv6.
    V6(icmpv6::Problem),
}

/// How long a path's MTU holds that a report told, before a larger one is tried: twice the least (RFC 1191, section 3;
/// RFC 8201, section 4), and as Linux has it in `net.ipv4.route.mtu_expires`.
pub const MTU_EXPIRES: Duration = Duration::from_secs(600);

/// The packet that a report quotes, as far as it does: our packet as it arrived at the reporter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quote<'a> {
    /// The source address that it had.
    pub source: IpAddr,
    /// The destination address that it had.
    pub destination: IpAddr,
    /// What its payload is; behind extension headers of IPv6, what follows them.
    pub protocol: IpProtocol,
    /// Whether the payload does not begin with its header: a fragment, and not the first.
    pub later_fragment: bool,
    /// The payload from its first byte on: at least eight bytes, and no more than the packet had or the
    /// report quotes.
    pub payload: &'a [u8],
}

/// Least number of bytes that are quoted behind the IP header (RFC 792: "64 bits").
pub const MIN_PAYLOAD: usize = 8;

/// Why a packet is not a report that can be relied on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAReport {
    /// Its own headers or those that it quotes are broken, or end early; or it quotes another version of IP.
    #[error(transparent)]
    Broken(#[from] Error),
    /// It is no ICMP packet.
    #[error("protocol {0} is not ICMP")]
    Protocol(IpProtocol),
    /// It is a fragment.
    #[error("an ICMP message in fragments")]
    Fragment,
    /// Its checksum, or that of its IPv4 header, is wrong.
    #[error("wrong checksum in an ICMP packet")]
    Checksum,
    /// It says nothing about a packet: a query, a redirect, a source quench, or something unknown.
    #[error("ICMP type {0} is no report about a packet")]
    Type(u8),
    /// It quotes fewer than [`MIN_PAYLOAD`] bytes behind the IP header.
    #[error("{MIN_PAYLOAD} bytes behind the quoted header needed, {have} there")]
    ShortQuote {
        /// Bytes that there were.
        have: usize,
    },
}

/// The report in an IP packet of either version, as it was received.
///
/// # Errors
///
/// [`NotAReport`]. Extension headers between IPv6 and ICMPv6 are not followed.
pub fn parse(packet: &[u8]) -> Result<Report<'_>, NotAReport> {
    if packet.first().is_some_and(|first| first >> 4 == 6) {
        let (header, rest) = ipv6::Header::parse(packet)?;
        let message = header.payload(rest)?;
        match header.next_header {
            IpProtocol::ICMPV6 => {}
            IpProtocol::FRAGMENT => return Err(NotAReport::Fragment),
            other => return Err(NotAReport::Protocol(other)),
        }
        let (problem, quote) = ipv6(header.source, header.destination, message)?;
        return Ok(Report { reporter: header.source.into(), problem: Problem::V6(problem), quote });
    }
    let (header, rest) = ipv4::Header::parse(packet)?;
    let message = header.payload(rest)?;
    let (head, _) = packet.split_at_checked(header.header_len()).unwrap_or((packet, &[]));
    if ipv4::verify(head) != State::Good {
        return Err(NotAReport::Checksum);
    }
    if header.protocol != IpProtocol::ICMP {
        return Err(NotAReport::Protocol(header.protocol));
    }
    if header.is_fragment() {
        return Err(NotAReport::Fragment);
    }
    let (problem, quote) = ipv4(message)?;
    Ok(Report { reporter: header.source.into(), problem: Problem::V4(problem), quote })
}

/// What the ICMP message `message` reports, and about what: the payload of an IPv4 packet, all of it.
///
/// # Errors
///
/// [`NotAReport::Broken`], [`Checksum`](NotAReport::Checksum), [`Type`](NotAReport::Type) and
/// [`ShortQuote`](NotAReport::ShortQuote), in this order, and `Broken` for the quoted header.
pub fn ipv4(message: &[u8]) -> Result<(icmpv4::Problem, Quote<'_>), NotAReport> {
    let (header, rest) = icmpv4::Header::parse(message)?;
    if icmpv4::verify(message) != State::Good {
        return Err(NotAReport::Checksum);
    }
    let problem = header.problem().ok_or(NotAReport::Type(header.kind.0))?;
    let [_, words, ..] = header.rest;
    let original = original(rest, usize::from(words).saturating_mul(4));

    let (about, rest) = ipv4::Header::parse(original)?;
    let payload = rest.get(..about.payload_len()).unwrap_or(rest);
    let quote = Quote {
        source: about.source.into(),
        destination: about.destination.into(),
        protocol: about.protocol,
        later_fragment: about.fragment_offset.value() != 0,
        payload,
    };
    Ok((problem, long_enough(quote)?))
}

/// What the ICMPv6 message `message` between these addresses reports, and about what: the payload of an
/// IPv6 packet, all of it.
///
/// # Errors
///
/// [`NotAReport::Broken`], [`Checksum`](NotAReport::Checksum), [`Type`](NotAReport::Type) and
/// [`ShortQuote`](NotAReport::ShortQuote), in this order, and `Broken` for the quoted headers.
pub fn ipv6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    message: &[u8],
) -> Result<(icmpv6::Problem, Quote<'_>), NotAReport> {
    let (header, rest) = icmpv6::Header::parse(message)?;
    // A message fits into a packet, so its length fits into 32 bits.
    let pseudo = Sum::pseudo_ipv6(source, destination, IpProtocol::ICMPV6, message.len() as u32);
    if icmpv6::verify(pseudo, message) != State::Good {
        return Err(NotAReport::Checksum);
    }
    let problem = header.problem().ok_or(NotAReport::Type(header.kind.0))?;
    let extended = matches!(problem, icmpv6::Problem::Unreachable(_) | icmpv6::Problem::TimeExceeded(_));
    let [words, ..] = header.rest;
    let original = original(rest, if extended { usize::from(words).saturating_mul(8) } else { 0 });

    let (about, rest) = ipv6::Header::parse(original)?;
    let payload = rest.get(..about.payload_len.into()).unwrap_or(rest);
    let mut chain = ipv6::Extensions::new(about.next_header, payload);
    for extension in &mut chain {
        extension?;
    }
    let quote = Quote {
        source: about.source.into(),
        destination: about.destination.into(),
        protocol: chain.protocol(),
        later_fragment: chain.is_later_fragment(),
        payload: chain.rest(),
    };
    Ok((problem, long_enough(quote)?))
}

impl Problem {
    /// The MTU of the path, where that is what it says: for IPv4 no less than what every host takes (RFC 791, section
    /// 3.1); smaller ones are forged, or of routers that do not know (RFC 1191, section 5). `None` for one over IPv6
    /// that is less than what every link carries: such a message is to be discarded (RFC 8201, section 4).
    pub const fn path_mtu(self) -> Option<u16> {
        match self {
            Self::V4(icmpv4::Problem::FragmentationNeeded { mtu }) => {
                Some(if mtu < ipv4::MIN_ACCEPTED { ipv4::MIN_ACCEPTED } else { mtu })
            }
            Self::V6(icmpv6::Problem::PacketTooBig { mtu }) if mtu >= ipv6::MIN_MTU as u32 => {
                Some(if mtu > u16::MAX as u32 { u16::MAX } else { mtu as u16 })
            }
            _ => None,
        }
    }
}

impl Quote<'_> {
    /// Source and destination port, where the payload is UDP, TCP or SCTP and begins with them.
    pub fn ports(&self) -> Option<(u16, u16)> {
        let with_ports = matches!(self.protocol, IpProtocol::UDP | IpProtocol::TCP | IpProtocol::SCTP);
        let &[s0, s1, d0, d1] = self.payload.first_chunk().filter(|_| with_ports && !self.later_fragment)?;
        Some((u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])))
    }
}

/// The quote itself: all of `quoted`, or its first `len` bytes where extensions may follow that are no part
/// of our packet (RFC 4884, section 4). Zero is for senders that do not know extensions.
fn original(quoted: &[u8], len: usize) -> &[u8] {
    match len {
        0 => quoted,
        len => quoted.get(..len).unwrap_or(quoted),
    }
}

fn long_enough(quote: Quote<'_>) -> Result<Quote<'_>, NotAReport> {
    match quote.payload.len() {
        have @ 0..MIN_PAYLOAD => Err(NotAReport::ShortQuote { have }),
        _ => Ok(quote),
    }
}
