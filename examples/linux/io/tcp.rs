//! Where the headers of a frame with TCP are, as cutting and joining need it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use encap::wire::{EtherType, IpProtocol, checksum::Sum, ethernet};

use crate::Layer;

/// Where the IP header starts, and whether it is one of IPv6; `None` for frames with tags and for what is not IP.
pub(crate) fn ip(layer: Layer, frame: &[u8]) -> Option<(usize, bool)> {
    let (l3, ethertype) = match layer {
        Layer::Ip => (0, None),
        Layer::Ethernet => {
            let (header, _) = ethernet::Header::parse(frame).ok()?;
            (ethernet::Header::LEN, Some(header.ethertype))
        }
    };
    match (frame.get(l3)? >> 4, ethertype) {
        (4, None | Some(EtherType::IPV4)) => Some((l3, false)),
        (6, None | Some(EtherType::IPV6)) => Some((l3, true)),
        _ => None,
    }
}

/// The sum of the pseudo header of a segment of `len` bytes; `ip` starts with the IP header.
pub(crate) fn pseudo(ip: &[u8], is_ipv6: bool, protocol: IpProtocol, len: usize) -> Option<Sum> {
    let (source, destination) = if is_ipv6 {
        let source: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
        let destination: [u8; 16] = ip.get(24..40)?.try_into().ok()?;
        (IpAddr::V6(Ipv6Addr::from(source)), IpAddr::V6(Ipv6Addr::from(destination)))
    } else {
        let source: [u8; 4] = ip.get(12..16)?.try_into().ok()?;
        let destination: [u8; 4] = ip.get(16..20)?.try_into().ok()?;
        (IpAddr::V4(Ipv4Addr::from(source)), IpAddr::V4(Ipv4Addr::from(destination)))
    };
    Sum::pseudo(source, destination, protocol, u32::try_from(len).ok()?)
}

/// Writes the length of an IP packet that `frame` ends with, and its checksum where it has one; `l4` is the end of the
/// IP header.
pub(crate) fn set_ip_len(head: &mut [u8], l3: usize, l4: usize, is_ipv6: bool, len: usize) -> Option<()> {
    let ip = head.get_mut(l3..l4)?;
    if is_ipv6 {
        return put(ip, 4, u16::try_from(len.checked_sub(40)?).ok()?);
    }
    put(ip, 2, u16::try_from(len).ok()?)?;
    put(ip, 10, 0)?;
    let checksum = Sum::ZERO.add_bytes(ip).checksum();
    put(ip, 10, checksum)
}

/// The 16-bit number at `at`.
pub(crate) fn get(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(u16::from_be_bytes(bytes))
}

/// The 32-bit number at `at`.
pub(crate) fn get_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}

/// Writes a 16-bit number at `at`.
pub(crate) fn put(bytes: &mut [u8], at: usize, value: u16) -> Option<()> {
    bytes.get_mut(at..at.checked_add(2)?)?.copy_from_slice(&value.to_be_bytes());
    Some(())
}

/// Writes a 32-bit number at `at`.
pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) -> Option<()> {
    bytes.get_mut(at..at.checked_add(4)?)?.copy_from_slice(&value.to_be_bytes());
    Some(())
}

/// In a TCP header: the sequence number, the flags, the checksum.
pub(crate) const SEQUENCE: usize = 4;
pub(crate) const FLAGS: usize = 13;
pub(crate) const CHECKSUM: usize = 16;

/// Flags of TCP.
pub(crate) const FIN: u8 = 0x01;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;
pub(crate) const CWR: u8 = 0x80;
