//! ICMP errors as a router or a tunnel sends them: which packets get one, and what it looks like
//! (RFC 1812, section 4.3.2; RFC 4443, section 2.4).
//!
//! An error quotes the packet that it is about from its first byte on. So there is nothing to copy: the
//! headers made here go in front of the packet, which is cut to the quote.
//!
//! ```text
//!  +------------+----------+------------------------------+
//!  |     IP     |   ICMP   | quote: the offending packet  |  cut off
//!  +------------+----------+------------------------------+ - - - - -
//!  |<---- Headers::bytes ->|<------ quote_len ----------->|
//! ```
//!
//! Two rules are the caller's, who knows more than the packet: no error about a frame that came as
//! link-layer broadcast or multicast or to a directed broadcast address (RFC 1122, section 3.2.2), and a
//! limit on the rate of errors (RFC 1812, section 4.3.2.8; RFC 4443, section 2.4(f)).

use core::net::{Ipv4Addr, Ipv6Addr};

use super::{
    Dscp, Ecn, Error, FlowLabel, FragmentOffset, IpProtocol, Layer,
    checksum::{State, Sum},
    icmpv4, icmpv6, ipv4, ipv6, is_host, is_unicast,
};

/// The most bytes of an ICMP error (RFC 1812, section 4.3.2.3).
pub const MAX_IPV4_LEN: usize = ipv4::MIN_ACCEPTED as usize;

/// The most bytes of an ICMPv6 error: the least MTU of IPv6 (RFC 4443, section 2.4(c)).
pub const MAX_IPV6_LEN: usize = ipv6::MIN_MTU as usize;

/// Length of the headers of an ICMP error over IPv4, in bytes.
pub const IPV4_HEADERS: usize = ipv4::Header::MIN_LEN + icmpv4::Header::LEN;

/// Length of the headers of an ICMP error over IPv6, in bytes.
pub const IPV6_HEADERS: usize = ipv6::Header::LEN + icmpv6::Header::LEN;

/// The headers of an ICMP error, to be sent in front of the first bytes of the packet that it is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Headers<const N: usize> {
    /// IP header and ICMP header, with their checksums.
    pub bytes: [u8; N],
    /// How many bytes of the offending packet belong behind them: never more than it has.
    pub quote_len: usize,
}

/// Why no error may be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Suppressed {
    /// The packet is broken before it shows whether an error may be sent: its IP header, its chain of
    /// extension headers, or the type of an ICMP message (RFC 1812, section 4.3.2.7).
    #[error("no ICMP error about a broken packet: {0}")]
    Broken(#[from] Error),
    /// The checksum of its IPv4 header is wrong (RFC 1812, sections 4.3.2.7 and 5.2.2).
    #[error("no ICMP error about a packet with a wrong IPv4 header checksum")]
    HeaderChecksum,
    /// It went to more than one host (RFC 1122, section 3.2.2; RFC 4443, section 2.4(e.3)).
    #[error("no ICMP error about a packet to a group, or to everybody")]
    Destination,
    /// Its source is not the address of one host (RFC 1122, section 3.2.2; RFC 4443, section 2.4(e.6)).
    #[error("no ICMP error to a source that is not a host's address")]
    Source,
    /// It is a fragment, and not the first (RFC 1122, section 3.2.2).
    #[error("no ICMP error about a fragment other than the first")]
    Fragment,
    /// It is an ICMP error, or an ICMP message that might be one (RFC 1122, section 3.2.2; RFC 4443,
    /// section 2.4(e.1)).
    #[error("no ICMP error about an ICMP error")]
    IcmpError,
    /// It is an ICMPv6 redirect (RFC 4443, section 2.4(e.2)).
    #[error("no ICMP error about a redirect")]
    Redirect,
}

/// The headers of an ICMP error that `source` sends, with time to live `ttl`, about the IPv4 packet
/// `offending`. Bytes behind the packet's total length are padding, and not quoted.
///
/// The error cannot be fragmented, its precedence is Internetwork Control (RFC 1812, section 4.3.2.5).
///
/// # Errors
///
/// [`Suppressed`], the reasons checked in the order of its variants; [`Suppressed::Broken`] for an ICMP message without
/// a type last.
pub fn ipv4(
    offending: &[u8],
    problem: icmpv4::Problem,
    source: Ipv4Addr,
    ttl: u8,
) -> Result<Headers<IPV4_HEADERS>, Suppressed> {
    let (about, rest) = ipv4::Header::parse(offending)?;
    let (head, _) = offending.split_at_checked(about.header_len()).unwrap_or((offending, &[]));
    if ipv4::verify(head) != State::Good {
        return Err(Suppressed::HeaderChecksum);
    }
    if !is_unicast(about.destination.into()) {
        return Err(Suppressed::Destination);
    }
    if !is_ipv4_host(about.source) {
        return Err(Suppressed::Source);
    }
    if about.fragment_offset.value() != 0 {
        return Err(Suppressed::Fragment);
    }
    let payload = rest.get(..about.payload_len()).unwrap_or(rest);
    if about.protocol == IpProtocol::ICMP {
        let &kind = payload.first().ok_or(Error::truncated(Layer::Icmpv4, icmpv4::Header::LEN, 0))?;
        if !icmpv4::Type(kind).is_query() {
            return Err(Suppressed::IcmpError);
        }
    }

    let quote = quote(offending, about.total_len.into(), MAX_IPV4_LEN - IPV4_HEADERS);
    let header = ipv4::Header {
        dscp: INTERNETWORK_CONTROL,
        ecn: Ecn::NotEct,
        total_len: stated(IPV4_HEADERS, quote),
        identification: 0,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: FragmentOffset::truncate(0),
        ttl,
        protocol: IpProtocol::ICMP,
        checksum: 0,
        source,
        destination: about.source,
        options: ipv4::Options::NONE,
    };
    let bytes =
        joined(&header.with_checksum().fixed_bytes(), &problem.header().with_checksum(quote).to_bytes());
    Ok(Headers { bytes, quote_len: quote.len() })
}

/// The headers of an ICMPv6 error that `source` sends, with hop limit `hop_limit`, about the IPv6 packet
/// `offending`. Bytes behind the packet's payload length are padding, and not quoted.
///
/// About a packet to a group there may be a packet too big, so that path MTU discovery works for groups,
/// and a parameter problem of code 2 that points to an option whose type asks for it there, too (RFC 4443,
/// section 2.4(e.3)).
///
/// # Errors
///
/// [`Suppressed`], the reasons checked in the order of its variants; [`Suppressed::Broken`] for the chain of extension
/// headers and for an ICMPv6 message without a type when they are reached.
pub fn ipv6(
    offending: &[u8],
    problem: icmpv6::Problem,
    source: Ipv6Addr,
    hop_limit: u8,
) -> Result<Headers<IPV6_HEADERS>, Suppressed> {
    let (about, rest) = ipv6::Header::parse(offending)?;
    let payload = rest.get(..about.payload_len.into()).unwrap_or(rest);
    if about.destination.is_multicast() && !is_told_of_groups(problem, payload) {
        return Err(Suppressed::Destination);
    }
    if !is_host(about.source.into()) {
        return Err(Suppressed::Source);
    }
    let mut chain = ipv6::Extensions::new(about.next_header, payload);
    for extension in &mut chain {
        extension?;
    }
    if chain.is_later_fragment() {
        return Err(Suppressed::Fragment);
    }
    if chain.protocol() == IpProtocol::ICMPV6 {
        let &kind = chain.rest().first().ok_or(Error::truncated(Layer::Icmpv6, icmpv6::Header::LEN, 0))?;
        match icmpv6::Type(kind) {
            icmpv6::Type::REDIRECT => return Err(Suppressed::Redirect),
            kind if kind.is_error() => return Err(Suppressed::IcmpError),
            _ => {}
        }
    }

    let len = ipv6::Header::LEN + usize::from(about.payload_len);
    let quote = quote(offending, len, MAX_IPV6_LEN - IPV6_HEADERS);
    let header = ipv6::Header {
        dscp: Dscp::truncate(0),
        ecn: Ecn::NotEct,
        flow_label: FlowLabel::truncate(0),
        payload_len: stated(icmpv6::Header::LEN, quote),
        next_header: IpProtocol::ICMPV6,
        hop_limit,
        source,
        destination: about.source,
    };
    let pseudo = Sum::pseudo_ipv6(source, about.source, IpProtocol::ICMPV6, header.payload_len.into());
    let bytes = joined(&header.to_bytes(), &problem.header().with_checksum(pseudo, quote).to_bytes());
    Ok(Headers { bytes, quote_len: quote.len() })
}

/// Whether this may be the address of a host beyond this one. RFC 1122, section 3.2.2, excludes "a zero
/// address, a loopback address, a broadcast address, a multicast address, or a Class E address".
fn is_ipv4_host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    !matches!(first, 0 | 127 | 224..)
}

/// Whether there may be an error about a packet to a group whose IPv6 payload this is (RFC 4443, section 2.4(e.3)).
fn is_told_of_groups(problem: icmpv6::Problem, payload: &[u8]) -> bool {
    match problem {
        icmpv6::Problem::PacketTooBig { .. } => true,
        icmpv6::Problem::ParameterProblem { code: 2, pointer } => (pointer as usize)
            .checked_sub(ipv6::Header::LEN)
            .and_then(|at| payload.get(at))
            // RFC 8200, section 4.2: of 10 and 11, only 10 is "regardless of whether or not the packet's Destination
            // Address was a multicast address".
            .is_some_and(|&option| option >> 6 == 0b10),
        _ => false,
    }
}

/// The start of a packet that is `len` bytes long by its header and may be cut short: at most `max` bytes.
fn quote(packet: &[u8], len: usize, max: usize) -> &[u8] {
    packet.get(..len.min(max)).unwrap_or(packet)
}

/// A length field for `header` and `quote` bytes: no more than [`MAX_IPV6_LEN`], so nothing is cut.
fn stated(header: usize, quote: &[u8]) -> u16 {
    header.saturating_add(quote.len()) as u16
}

/// One array of two.
fn joined<const A: usize, const B: usize, const N: usize>(a: &[u8; A], b: &[u8; B]) -> [u8; N] {
    const { assert!(A + B == N) };
    let mut both = [0; N];
    for (to, from) in both.iter_mut().zip(a.iter().chain(b)) {
        *to = *from;
    }
    both
}

/// Class selector 6 (RFC 2474, section 4.2.2.2): precedence Internetwork Control.
const INTERNETWORK_CONTROL: Dscp = Dscp::truncate(48);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        #[rustfmt::skip]
        let offending = [
            0x45, 0, 0, 28, 0, 1, 0x40, 0, 64, 17, 0x26, 0xcc, 10, 1, 0, 1, 10, 1, 0, 2, // IPv4
            3, 0xe8, 7, 0xd0, 0, 8, 0, 0, // UDP
        ];
        let problem = icmpv4::Problem::FragmentationNeeded { mtu: 1450 };
        let error = ipv4(&offending, problem, Ipv4Addr::new(10, 1, 0, 254), 64);
        #[rustfmt::skip]
        let bytes = [
            0x45, 0xc0, 0, 56, 0, 0, 0x40, 0, // precedence 6; 56 bytes; DF
            64, 1, 0x25, 0x05, // time to live; ICMP; checksum
            10, 1, 0, 254, 10, 1, 0, 1, // router to sender
            3, 4, 0xeb, 0x91, 0, 0, 0x05, 0xaa, // fragmentation needed; checksum; MTU 1450
        ];
        assert_eq!(error, Ok(Headers { bytes, quote_len: 28 }));
    }
}
