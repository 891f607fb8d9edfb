//! ICMP errors made in place from the packets that they are about.
//!
//! The rules are those of [`wire::icmp_error`](crate::wire::icmp_error). The quote is the front of the packet
//! and stays where it is; headers go into the headroom.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use encap::{Packet, tunnel::icmp, wire::icmpv4::Problem};
//!
//! # let datagram: [u8; 28] = [
//! #     0x45, 0, 0, 28, 0, 1, 0x40, 0, 64, 17, 0x26, 0xcc, 10, 1, 0, 1, 10, 1, 0, 2,
//! #     3, 0xe8, 7, 0xd0, 0, 8, 0, 0,
//! # ];
//! // 10.1.0.1 sent `datagram`, which is too large for the tunnel.
//! let mut buffer = [0; 128];
//! buffer[64..92].copy_from_slice(&datagram);
//! let mut packet = Packet::new(&mut buffer, 64, 28)?;
//! icmp::report_ipv4(&mut packet, Problem::FragmentationNeeded { mtu: 1450 }, "10.1.0.254".parse()?, 64)?;
//! assert_eq!(packet.len(), 20 + 8 + 28); // a packet to 10.1.0.1
//! # Ok(())
//! # }
//! ```

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::{
    packet::{self, Packet},
    wire::{
        icmp_error::{self, Headers, Suppressed},
        icmpv4, icmpv6,
    },
};

/// Why a packet was not turned into an ICMP error. It is left as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// There must be no error about this packet.
    #[error(transparent)]
    Suppressed(#[from] Suppressed),
    /// There is too little headroom: [`icmp_error::IPV4_HEADERS`] or [`icmp_error::IPV6_HEADERS`] are needed.
    #[error(transparent)]
    Packet(#[from] packet::Error),
}

/// Turns an IPv4 packet into the ICMP error about it that `source` sends with time to live `ttl`.
///
/// # Errors
///
/// [`ReportError`]; the packet is left as it was.
pub fn report_ipv4(
    packet: &mut Packet<'_>,
    problem: icmpv4::Problem,
    source: Ipv4Addr,
    ttl: u8,
) -> Result<(), ReportError> {
    let headers = icmp_error::ipv4(packet.as_slice(), problem, source, ttl)?;
    Ok(put(packet, &headers)?)
}

/// Turns an IPv6 packet into the ICMPv6 error about it that `source` sends with hop limit `hop_limit`.
///
/// # Errors
///
/// [`ReportError`]; the packet is left as it was.
pub fn report_ipv6(
    packet: &mut Packet<'_>,
    problem: icmpv6::Problem,
    source: Ipv6Addr,
    hop_limit: u8,
) -> Result<(), ReportError> {
    let headers = icmp_error::ipv6(packet.as_slice(), problem, source, hop_limit)?;
    Ok(put(packet, &headers)?)
}

/// Cuts the packet to the quote and puts the headers before it.
pub(crate) fn put<const N: usize>(
    packet: &mut Packet<'_>,
    headers: &Headers<N>,
) -> Result<(), packet::Error> {
    *packet.prepend()? = headers.bytes;
    // The quote is part of the packet, so this cannot fail.
    packet.trim(N.saturating_add(headers.quote_len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{checksum::State, ipv4, ipv6};

    const TOO_LARGE: icmpv4::Problem = icmpv4::Problem::FragmentationNeeded { mtu: 1450 };
    const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 254);

    /// 1500 bytes of UDP from 10.1.0.1 to 10.1.0.2, or 1280 bytes from fd01::1 to fd01::2, behind 64 bytes
    /// of headroom that hold something else.
    fn buffer(version: u8) -> [u8; 1600] {
        let mut buffer = [0xee; 1600];
        for (byte, at) in buffer[64..].iter_mut().zip(0u8..=255) {
            *byte = at;
        }
        if version == 4 {
            let header = [0x45, 0, 0x05, 0xdc, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 1, 0, 2];
            let header = ipv4::Header::from_bytes(&header).unwrap().with_checksum();
            buffer[64..84].copy_from_slice(&header.fixed_bytes());
        } else {
            buffer[64..72].copy_from_slice(&[0x60, 0, 0, 0, 0x04, 0xd8, 17, 64]);
            buffer[72..104].fill(0);
            (buffer[72], buffer[87], buffer[88], buffer[103]) = (0xfd, 1, 0xfd, 2);
        }
        buffer
    }

    #[test]
    fn an_error_is_headers_before_the_front_of_the_packet() {
        let (before, mut buffer) = (buffer(4), buffer(4));
        let mut packet = Packet::new(&mut buffer, 64, 1500).unwrap();
        report_ipv4(&mut packet, TOO_LARGE, ROUTER, 64).unwrap();
        assert_eq!((packet.headroom(), packet.len()), (36, 576));
        let (header, message) = ipv4::Header::parse(packet.as_slice()).unwrap();
        assert_eq!((header.source, header.destination), (ROUTER, Ipv4Addr::new(10, 1, 0, 1)));
        assert_eq!((header.total_len, ipv4::verify(&packet.as_slice()[..20])), (576, State::Good));
        assert_eq!(icmpv4::verify(message), State::Good);
        assert_eq!(icmpv4::Header::parse(message).unwrap().0.problem(), Some(TOO_LARGE));
        assert_eq!(message[8..], before[64..][..548]);
    }

    #[test]
    fn an_error_over_ipv6_too() {
        let (before, mut buffer) = (buffer(6), buffer(6));
        let mut packet = Packet::new(&mut buffer, 64, 1280).unwrap();
        let problem = icmpv6::Problem::PacketTooBig { mtu: 1280 };
        report_ipv6(&mut packet, problem, Ipv6Addr::LOCALHOST, 64).unwrap();
        assert_eq!((packet.headroom(), packet.len()), (16, 1280));
        let (header, message) = ipv6::Header::parse(packet.as_slice()).unwrap();
        assert_eq!(message.len(), usize::from(header.payload_len));
        let pseudo = crate::wire::checksum::Sum::pseudo_ipv6(
            header.source,
            header.destination,
            header.next_header,
            header.payload_len.into(),
        );
        assert_eq!(icmpv6::verify(pseudo, message), State::Good);
        assert_eq!(icmpv6::Header::parse(message).unwrap().0.problem(), Some(problem));
        assert_eq!(message[8..], before[64..][..1232]);
    }

    #[test]
    fn what_is_refused_stays_as_it_was() {
        let (before, mut buffer) = (buffer(4), buffer(4));
        let mut packet = Packet::new(&mut buffer[64..], 0, 1500).unwrap();
        let error = packet::Error::Headroom { need: 28, have: 0 };
        assert_eq!(report_ipv4(&mut packet, TOO_LARGE, ROUTER, 64), Err(error.into()));
        assert_eq!(packet.into_range(), (0, 1500));
        let mut packet = Packet::new(&mut buffer, 64, 20).unwrap();
        packet.as_mut_slice()[8] = 0; // the checksum is wrong now
        let error = Suppressed::HeaderChecksum.into();
        assert_eq!(report_ipv4(&mut packet, TOO_LARGE, ROUTER, 64), Err(error));
        assert_eq!(packet.into_range(), (64, 20));
        buffer[72] = 64;
        assert_eq!(buffer, before);
    }
}
