//! The headers of an IP packet as fixed arrays that can be written to, for [`rewrite`](super::rewrite).

use super::{Error, IpProtocol, Layer, LengthSource, checksum, icmpv6, ipv4, ipv6, rewrite::Refused, udp};

/// The fixed part of an IP header.
pub(super) enum Ip<'a> {
    V4(&'a mut [u8; ipv4::Header::MIN_LEN]),
    V6(&'a mut [u8; ipv6::Header::LEN]),
}

/// The header that begins behind IP.
pub(super) enum Transport<'a> {
    Tcp(&'a mut [u8; TCP_MIN_LEN]),
    /// The header and its payload, as long as its length says.
    Udp(&'a mut [u8; udp::Header::LEN], &'a mut [u8]),
    Icmpv6(&'a mut [u8; icmpv6::Header::LEN]),
    /// One that no function here changes, and whose checksum is none of theirs, also where it covers addresses.
    Other(IpProtocol),
    /// None: a fragment, and not the first.
    Later,
}

impl<'a> Transport<'a> {
    /// The header of kind `protocol` at the front of `bytes`.
    fn new(protocol: IpProtocol, version: u8, bytes: &'a mut [u8]) -> Result<Self, Error> {
        let have = bytes.len();
        Ok(match (protocol, version) {
            (IpProtocol::TCP, _) => {
                Self::Tcp(bytes.first_chunk_mut().ok_or(Error::truncated(Layer::Tcp, TCP_MIN_LEN, have))?)
            }
            (IpProtocol::UDP, _) => {
                let truncated = Error::truncated(Layer::Udp, udp::Header::LEN, have);
                let (header, rest) = bytes.split_first_chunk_mut().ok_or(truncated)?;
                let stated = udp::Header::from_bytes(header).payload_len().unwrap_or(0);
                Self::Udp(header, inside(rest, 0, stated))
            }
            (IpProtocol::ICMPV6, 6) => {
                let truncated = Error::truncated(Layer::Icmpv6, icmpv6::Header::LEN, have);
                Self::Icmpv6(bytes.first_chunk_mut().ok_or(truncated)?)
            }
            _ => Self::Other(protocol),
        })
    }

    pub(super) fn ports(&mut self) -> Result<&mut [u8; 4], Refused> {
        match self {
            Self::Tcp([ports @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _])
            | Self::Udp([ports @ .., _, _, _, _], _) => Ok(ports),
            other => Err(other.without()),
        }
    }

    /// Why this header lacks a field that others have.
    pub(super) fn without(&self) -> Refused {
        match self {
            Self::Tcp(_) => Refused::Protocol(IpProtocol::TCP),
            Self::Udp(..) => Refused::Protocol(IpProtocol::UDP),
            Self::Icmpv6(_) => Refused::Protocol(IpProtocol::ICMPV6),
            Self::Other(protocol) => Refused::Protocol(*protocol),
            Self::Later => Refused::Fragment,
        }
    }

    /// Corrects the checksum after bytes that it covers changed from `old` to `new`.
    pub(super) fn fix(&mut self, old: &[u8], new: &[u8]) {
        match self {
            Self::Tcp([_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, c0, c1, _, _])
            | Self::Icmpv6([_, _, c0, c1, ..]) => fix([c0, c1], old, new),
            // RFC 768: zero means that there is none, so a checksum never becomes zero.
            Self::Udp([_, _, _, _, _, _, c0, c1], _) if [*c0, *c1] != [0, 0] => {
                fix([c0, c1], old, new);
                if [*c0, *c1] == [0, 0] {
                    [*c0, *c1] = [0xff, 0xff];
                }
            }
            Self::Udp(..) | Self::Other(_) | Self::Later => {}
        }
    }
}

/// The IP header, and all bytes behind its fixed part, those of options that IHL announces included.
pub(super) fn ip(packet: &mut [u8]) -> Result<(Ip<'_>, &mut [u8]), Error> {
    let have = packet.len();
    if packet.first().is_some_and(|first| first >> 4 == 6) {
        let truncated = Error::truncated(Layer::Ipv6, ipv6::Header::LEN, have);
        let (header, rest) = packet.split_first_chunk_mut().ok_or(truncated)?;
        return Ok((Ip::V6(header), rest));
    }
    let truncated = Error::truncated(Layer::Ipv4, ipv4::Header::MIN_LEN, have);
    let (header, rest) = packet.split_first_chunk_mut().ok_or(truncated)?;
    let (_, options) = ipv4::Header::fixed(header)?;
    if rest.len() < options {
        // At most 15 words of four bytes.
        let need = options.saturating_add(ipv4::Header::MIN_LEN);
        return Err(Error::Truncated { layer: Layer::Ipv4, needed_by: LengthSource::Ihl, need, have });
    }
    Ok((Ip::V4(header), rest))
}

/// The IP header and the transport header.
pub(super) fn parts(packet: &mut [u8]) -> Result<(Ip<'_>, Transport<'_>), Error> {
    all_parts(packet).map(|(ip, transport, _)| (ip, transport))
}

/// The IP header, the transport header inside the packet that the lengths in it describe, and whether a
/// source route or a routing header has stops left (RFC 791, section 3.1; RFC 8200, section 4.4).
pub(super) fn all_parts(packet: &mut [u8]) -> Result<(Ip<'_>, Transport<'_>, bool), Error> {
    let (ip, rest) = ip(packet)?;
    let mut routed = false;
    let transport = match &ip {
        Ip::V4(header) => {
            let (fields, options) = ipv4::Header::fixed(header)?;
            let stated = usize::from(fields.total_len).saturating_sub(ipv4::Header::MIN_LEN);
            routed = ipv4::leads_on(rest.get(..options).unwrap_or_default());
            let bytes = inside(rest, options, stated);
            match fields.fragment_offset.value() {
                0 => Transport::new(fields.protocol, 4, bytes)?,
                _ => Transport::Later,
            }
        }
        Ip::V6(header) => {
            let fields = ipv6::Header::from_bytes(header)?;
            let stated = usize::from(fields.payload_len);
            let payload = inside(rest, 0, stated);
            let mut chain = ipv6::Extensions::new(fields.next_header, payload);
            for extension in chain.by_ref() {
                let extension = extension?;
                let stops = extension.bytes.get(3).is_some_and(|&left| left != 0);
                routed |= extension.protocol == IpProtocol::ROUTING && stops;
            }
            // The chain is inside the payload, so this is its length.
            let (protocol, later) = (chain.protocol(), chain.is_later_fragment());
            let skip = payload.len().saturating_sub(chain.rest().len());
            if later { Transport::Later } else { Transport::new(protocol, 6, inside(payload, skip, stated))? }
        }
    };
    Ok((ip, transport, routed))
}

/// The bytes from `start` on, up to `end` or where there are no more.
fn inside(bytes: &mut [u8], start: usize, end: usize) -> &mut [u8] {
    let end = end.min(bytes.len());
    bytes.get_mut(start..end).unwrap_or_default()
}

/// Corrects a checksum after bytes that it covers, a whole number of words, changed from `old` to `new`.
pub(super) fn fix([c0, c1]: [&mut u8; 2], old: &[u8], new: &[u8]) {
    let mut checksum = u16::from_be_bytes([*c0, *c1]);
    for (old, new) in old.chunks_exact(2).zip(new.chunks_exact(2)) {
        if let (&[o0, o1], &[n0, n1]) = (old, new) {
            checksum = checksum::update(checksum, u16::from_be_bytes([o0, o1]), u16::from_be_bytes([n0, n1]));
        }
    }
    [*c0, *c1] = checksum.to_be_bytes();
}

/// Length of a TCP header without options, in bytes.
const TCP_MIN_LEN: usize = 20;
