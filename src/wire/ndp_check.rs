//! Which received solicitations and advertisements are valid (RFC 4861, sections 7.1.1 and 7.1.2): others
//! must be discarded silently.
//!
//! The checks take the whole IPv6 packet, for some of them are about its header.

use core::net::Ipv6Addr;

use super::{
    Error, IpProtocol,
    checksum::{State, Sum},
    icmpv6::{self, Type},
    ipv6,
    ndp::{Advertisement, HOP_LIMIT, MESSAGE_LEN, Solicitation, solicited_node},
    ndp_option::{OptionType, Options},
};

/// A valid message, the header that it came with, and its options, none of which is broken.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a, M> {
    /// The IPv6 header.
    pub ip: ipv6::Header,
    /// The solicitation or advertisement.
    pub message: M,
    /// The options.
    pub options: Options<'a>,
}

/// Why a packet is no valid solicitation or advertisement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The IPv6 header is broken, or the packet shorter than it says.
    #[error(transparent)]
    Broken(#[from] Error),
    /// There is something else than ICMPv6 behind the IPv6 header: extension headers too, which a fragment
    /// must not have (RFC 6980) and nobody else needs.
    #[error("no ICMPv6 behind the IPv6 header, but protocol {0}")]
    Protocol(IpProtocol),
    /// Of another type.
    #[error("ICMPv6 type {0} is not the one that was expected")]
    Type(u8),
    /// "The IP Hop Limit field has a value of 255, i.e., the packet could not possibly have been forwarded by
    /// a router."
    #[error("hop limit {0}, not 255")]
    HopLimit(u8),
    /// "ICMP Checksum is valid."
    #[error("wrong ICMPv6 checksum")]
    Checksum,
    /// "ICMP Code is 0."
    #[error("ICMPv6 code {0}, not 0")]
    Code(u8),
    /// "ICMP length (derived from the IP length) is 24 or more octets."
    #[error("{have} bytes, fewer than {MESSAGE_LEN}")]
    TooShort {
        /// Bytes that there were.
        have: usize,
    },
    /// "Target Address is not a multicast address."
    #[error("the target {0} is a group")]
    MulticastTarget(Ipv6Addr),
    /// "All included options have a length that is greater than zero", and end with the packet.
    #[error(transparent)]
    Option(Error),
    /// "If the IP source address is the unspecified address, the IP destination address is a solicited-node
    /// multicast address."
    #[error("from nobody, but to {0}, not to a solicited-node group")]
    UnspecifiedSourceDestination(Ipv6Addr),
    /// "If the IP source address is the unspecified address, there is no source link-layer address option in
    /// the message."
    #[error("from nobody, but with the sender's address as an option")]
    UnspecifiedSourceOption,
    /// "If the IP Destination Address is a multicast address the Solicited flag is zero."
    #[error("an answer to somebody (S), but sent to the group {0}")]
    SolicitedMulticast(Ipv6Addr),
}

/// The solicitation in an IPv6 packet, if it is valid (RFC 4861, section 7.1.1).
///
/// # Errors
///
/// [`Invalid`], in the order of its variants, but [`TooShort`](Invalid::TooShort) at once where there is not
/// even a header of ICMPv6.
pub fn check_solicitation(packet: &[u8]) -> Result<Received<'_, Solicitation>, Invalid> {
    let (ip, bytes, options) = check(packet, Type::NEIGHBOR_SOLICITATION)?;
    let message = Solicitation::from_bytes(bytes)?;
    not_a_group(message.target)?;
    good_options(options)?;
    if ip.source.is_unspecified() {
        if ip.destination != solicited_node(ip.destination) {
            return Err(Invalid::UnspecifiedSourceDestination(ip.destination));
        }
        // No option is broken, so that all of them are seen.
        if options.flatten().any(|option| option.kind == OptionType::SOURCE_ADDRESS) {
            return Err(Invalid::UnspecifiedSourceOption);
        }
    }
    Ok(Received { ip, message, options })
}

/// The advertisement in an IPv6 packet, if it is valid (RFC 4861, section 7.1.2).
///
/// # Errors
///
/// [`Invalid`], as for [`check_solicitation`], but [`SolicitedMulticast`](Invalid::SolicitedMulticast) before
/// [`Option`](Invalid::Option).
pub fn check_advertisement(packet: &[u8]) -> Result<Received<'_, Advertisement>, Invalid> {
    let (ip, bytes, options) = check(packet, Type::NEIGHBOR_ADVERTISEMENT)?;
    let message = Advertisement::from_bytes(bytes)?;
    not_a_group(message.target)?;
    if ip.destination.is_multicast() && message.solicited {
        return Err(Invalid::SolicitedMulticast(ip.destination));
    }
    good_options(options)?;
    Ok(Received { ip, message, options })
}

/// What both sections ask for, up to the length.
fn check(packet: &[u8], kind: Type) -> Result<(ipv6::Header, &[u8; MESSAGE_LEN], Options<'_>), Invalid> {
    let (ip, rest) = ipv6::Header::parse(packet)?;
    let message = ip.payload(rest)?;
    if ip.next_header != IpProtocol::ICMPV6 {
        return Err(Invalid::Protocol(ip.next_header));
    }
    let (header, _) =
        icmpv6::Header::parse(message).map_err(|_| Invalid::TooShort { have: message.len() })?;
    if header.kind != kind {
        return Err(Invalid::Type(header.kind.0));
    }
    if ip.hop_limit != HOP_LIMIT {
        return Err(Invalid::HopLimit(ip.hop_limit));
    }
    let pseudo = Sum::pseudo_ipv6(ip.source, ip.destination, IpProtocol::ICMPV6, ip.payload_len.into());
    if icmpv6::verify(pseudo, message) != State::Good {
        return Err(Invalid::Checksum);
    }
    if header.code != 0 {
        return Err(Invalid::Code(header.code));
    }
    let Some((bytes, options)) = message.split_first_chunk() else {
        return Err(Invalid::TooShort { have: message.len() });
    };
    Ok((ip, bytes, Options::new(options)))
}

fn not_a_group(target: Ipv6Addr) -> Result<(), Invalid> {
    if target.is_multicast() { Err(Invalid::MulticastTarget(target)) } else { Ok(()) }
}

fn good_options(mut options: Options<'_>) -> Result<(), Invalid> {
    options.try_for_each(|option| option.map(drop)).map_err(Invalid::Option)
}
