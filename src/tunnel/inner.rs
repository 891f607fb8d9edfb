//! What a tunnel must know of the packet that it carries: where its IP header is, and four of its fields.

use core::net::IpAddr;

use super::underlay::IpHeader;
use crate::wire::{Ecn, EtherType, vlan};

/// What a tunnel carries.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Payload {
    /// Ethernet frames.
    Ethernet,
    /// IPv4 and IPv6 packets.
    Ip,
}

impl Payload {
    /// Whether a packet of this EtherType is of this kind.
    #[inline]
    pub(crate) const fn takes(self, protocol: EtherType) -> bool {
        match self {
            Self::Ethernet => matches!(protocol, EtherType::TEB),
            Self::Ip => matches!(protocol, EtherType::IPV4 | EtherType::IPV6),
        }
    }
}

/// The carried packet ends before the header that it announces does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Truncated {
    pub(crate) need: usize,
    pub(crate) have: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum IpVersion {
    V4,
    V6,
}

/// Facts about a carried packet.
#[derive(Clone, Copy, Debug)]
#[expect(unnameable_types, reason = "in a signature of the sealed `Protocol`")]
pub struct Peek {
    /// What is behind the Ethernet header and its tags.
    pub(crate) ethertype: EtherType,
    /// Where that starts: [`l3`](Self::l3). Small, as all of it, to be handed on in a register.
    l3: u8,
    /// Which IP it is; `None` for everything else, and for bytes that only claim to be IP.
    pub(crate) version: Option<IpVersion>,
    /// DS field; zero where there is no IP.
    pub(crate) ds_field: u8,
    /// Whether there is a VLAN tag.
    pub(crate) tagged: bool,
}

impl Peek {
    /// Looks at a packet of this kind. Behind an EtherType of IPv4 there must be 20 bytes, behind one of
    /// IPv6 40; nothing else is asked of them.
    #[inline(always)]
    pub(crate) fn new(payload: Payload, packet: &[u8]) -> Result<Self, Truncated> {
        match payload {
            Payload::Ethernet => Self::ethernet(packet),
            Payload::Ip => Self::ip(packet),
        }
    }

    /// Looks at a packet of the kind that this EtherType says.
    #[inline(always)]
    pub(crate) fn of_protocol(protocol: EtherType, packet: &[u8]) -> Result<Self, Truncated> {
        match protocol {
            EtherType::TEB => Self::ethernet(packet),
            protocol => Self::l3_of(Self::opaque(protocol, 0), packet),
        }
    }

    #[inline(always)]
    fn ethernet(frame: &[u8]) -> Result<Self, Truncated> {
        let Some((&[.., t0, t1], rest)) = frame.split_first_chunk::<14>() else {
            return Err(Truncated { need: 14, have: frame.len() });
        };
        let ethertype = EtherType(u16::from_be_bytes([t0, t1]));
        match ethertype {
            EtherType::IPV4 => Self::ipv4(Self::opaque(ethertype, 14), rest),
            EtherType::IPV6 => Self::ipv6(Self::opaque(ethertype, 14), rest),
            _ if ethertype.is_vlan() => Self::tagged(frame, ethertype),
            _ => Ok(Self::opaque(ethertype, 14)),
        }
    }

    /// Behind VLAN tags: out of line, since few frames have any.
    #[cold]
    #[inline(never)]
    fn tagged(frame: &[u8], ethertype: EtherType) -> Result<Self, Truncated> {
        match vlan::skip_tags(ethertype, frame.get(14..).unwrap_or_default()) {
            Ok(untagged) => {
                let l3 = frame.len().saturating_sub(untagged.payload.len());
                let opaque = Self { tagged: true, ..Self::opaque(untagged.ethertype, l3 as u8) };
                Self::l3_of(opaque, untagged.payload)
            }
            // A tag that is cut off, or more tags than are followed: carried, but not looked into.
            Err(_) => Ok(Self { tagged: true, ..Self::opaque(ethertype, 14) }),
        }
    }

    #[inline(always)]
    fn ip(packet: &[u8]) -> Result<Self, Truncated> {
        match packet.first().map(|first| first >> 4) {
            Some(4) => Self::ipv4(Self::opaque(EtherType::IPV4, 0), packet),
            Some(6) => Self::ipv6(Self::opaque(EtherType::IPV6, 0), packet),
            Some(_) => Ok(Self::opaque(EtherType(0), 0)),
            None => Err(Truncated { need: 20, have: 0 }),
        }
    }

    /// `opaque` with what is known of its EtherType, at the front of `bytes`.
    #[inline(always)]
    fn l3_of(opaque: Self, bytes: &[u8]) -> Result<Self, Truncated> {
        match opaque.ethertype {
            EtherType::IPV4 => Self::ipv4(opaque, bytes),
            EtherType::IPV6 => Self::ipv6(opaque, bytes),
            _ => Ok(opaque),
        }
    }

    #[inline(always)]
    fn ipv4(opaque: Self, bytes: &[u8]) -> Result<Self, Truncated> {
        match bytes.first_chunk::<20>() {
            Some(&[v_ihl, ds_field, ..]) if v_ihl >> 4 == 4 => {
                Ok(Self { version: Some(IpVersion::V4), ds_field, ..opaque })
            }
            Some(_) => Ok(opaque),
            None => Err(opaque.truncated(20, bytes)),
        }
    }

    #[inline(always)]
    fn ipv6(opaque: Self, bytes: &[u8]) -> Result<Self, Truncated> {
        match bytes.first_chunk::<40>() {
            Some(&[b0, b1, ..]) if b0 >> 4 == 6 => {
                Ok(Self { version: Some(IpVersion::V6), ds_field: b0 << 4 | b1 >> 4, ..opaque })
            }
            Some(_) => Ok(opaque),
            None => Err(opaque.truncated(40, bytes)),
        }
    }

    /// The error for a header of `need` bytes, where `bytes` are all that there is behind the Ethernet header.
    #[cold]
    fn truncated(&self, need: usize, bytes: &[u8]) -> Truncated {
        Truncated { need: need.saturating_add(self.l3()), have: bytes.len().saturating_add(self.l3()) }
    }

    #[inline(always)]
    const fn opaque(ethertype: EtherType, l3: u8) -> Self {
        Self { ethertype, l3, version: None, ds_field: 0, tagged: false }
    }

    /// Where what is behind the Ethernet header and its tags starts.
    #[inline(always)]
    pub(crate) const fn l3(&self) -> usize {
        self.l3 as usize
    }

    /// TTL or hop limit of `packet`, which was looked at; zero where there is no IP.
    pub(crate) fn ttl(&self, packet: &[u8]) -> u8 {
        let ip = packet.get(self.l3()..).unwrap_or_default();
        match (self.version, ip) {
            (Some(IpVersion::V4), [_, _, _, _, _, _, _, _, ttl, ..]) => *ttl,
            (Some(IpVersion::V6), [_, _, _, _, _, _, _, ttl, ..]) => *ttl,
            _ => 0,
        }
    }

    /// Whether `packet`, which was looked at, must not be fragmented: DF of IPv4, always for IPv6.
    pub(crate) fn dont_fragment(&self, packet: &[u8]) -> bool {
        let ip = packet.get(self.l3()..).unwrap_or_default();
        match (self.version, ip) {
            (Some(IpVersion::V4), [_, _, _, _, _, _, flags, ..]) => flags & 0x40 != 0,
            (version, _) => version == Some(IpVersion::V6),
        }
    }

    /// The ECN bits of the DS field.
    #[inline]
    pub(crate) const fn ecn(&self) -> Ecn {
        Ecn::from_ds_field(self.ds_field)
    }
}

/// What there is to know of what most packets are: untagged frames of IP or of anything else, and IP packets; IPv4
/// without options, and with four bytes behind its header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    version: Option<IpVersion>,
    ecn: u8,
}

impl Plain {
    /// Bytes of the shortest frame: with an IPv4 header and ports.
    pub(crate) const MIN_FRAME: usize = 38;

    /// What it is; `None` where it takes a second look.
    #[inline(always)]
    pub(crate) fn new(payload: Payload, packet: &[u8]) -> Option<Self> {
        match payload {
            Payload::Ethernet => {
                let &[_, _, _, _, _, _, _, _, _, _, _, _, t0, t1, b0, b1, ..] =
                    packet.first_chunk::<{ Self::MIN_FRAME }>()?;
                // EtherType, version, header length and DS field at a glance.
                let word = u32::from_be_bytes([t0, t1, b0, b1]);
                if word & 0xffff_ff00 == 0x0800_4500 {
                    return Some(Self::ipv4(word as u8));
                }
                match EtherType((word >> 16) as u16) {
                    EtherType::IPV4 => None,
                    EtherType::IPV6 => (b0 >> 4 == 6 && packet.len() >= 54).then_some(Self::ipv6(word as u8)),
                    ethertype => (!ethertype.is_vlan()).then_some(Self::OTHER),
                }
            }
            Payload::Ip => {
                let &[b0, b1, ..] = packet.first_chunk::<24>()?;
                match b0 {
                    0x45 => Some(Self::ipv4(b1)),
                    0x60..=0x6f if packet.len() >= 40 => Some(Self::ipv6(b1)),
                    _ => None,
                }
            }
        }
    }

    /// The same for a carried packet of this EtherType, which may be another one.
    #[inline(always)]
    pub(crate) fn of_protocol(protocol: EtherType, packet: &[u8]) -> Option<Self> {
        match protocol {
            EtherType::TEB => Self::new(Payload::Ethernet, packet),
            EtherType::IPV4 | EtherType::IPV6 if ip_ethertype(packet) == protocol => {
                Self::new(Payload::Ip, packet)
            }
            EtherType::IPV4 | EtherType::IPV6 => None,
            _ => Some(Self::OTHER),
        }
    }

    const fn ipv4(second: u8) -> Self {
        Self { version: Some(IpVersion::V4), ecn: second & 3 }
    }

    const fn ipv6(second: u8) -> Self {
        Self { version: Some(IpVersion::V6), ecn: second >> 4 & 3 }
    }

    const OTHER: Self = Self { version: None, ecn: 0 };

    /// Its ECN bits; zero where it has none.
    #[inline(always)]
    pub(crate) const fn ecn(self) -> u8 {
        self.ecn
    }

    /// Which IP it is.
    #[inline(always)]
    pub(crate) const fn version(self) -> Option<IpVersion> {
        self.version
    }
}

/// Which IP a packet is that is [`Plain`], and where.
#[inline(always)]
pub(crate) fn plain_ip(payload: Payload, packet: &[u8]) -> Option<(IpVersion, usize)> {
    match (payload, packet) {
        (Payload::Ethernet, [_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x00, ..]) => {
            Some((IpVersion::V4, 14))
        }
        (Payload::Ethernet, [_, _, _, _, _, _, _, _, _, _, _, _, 0x86, 0xdd, ..]) => {
            Some((IpVersion::V6, 14))
        }
        (Payload::Ethernet, _) => None,
        (Payload::Ip, _) if ip_ethertype(packet) == EtherType::IPV6 => Some((IpVersion::V6, 0)),
        (Payload::Ip, _) => Some((IpVersion::V4, 0)),
    }
}

/// What the EtherType of a packet is which is known to be IP.
#[inline(always)]
pub(crate) const fn ip_ethertype(packet: &[u8]) -> EtherType {
    match packet {
        [b0, ..] if *b0 >> 4 == 6 => EtherType::IPV6,
        _ => EtherType::IPV4,
    }
}

/// The source and the destination of an IP packet.
#[inline(always)]
pub(crate) fn ends(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    let header = match packet.first()? >> 4 {
        4 => IpHeader::V4(packet.first_chunk()?),
        _ => IpHeader::V6(packet.first_chunk()?),
    };
    Some((header.source(), header.destination()))
}

/// Whether a carried packet of this EtherType is for the end of the tunnel that encapsulated it (RFC 2784, section
/// 3.1).
#[inline(always)]
pub(crate) fn goes_back(protocol: EtherType, packet: &[u8], encapsulator: IpAddr) -> bool {
    matches!(protocol, EtherType::IPV4 | EtherType::IPV6)
        && ends(packet).is_some_and(|(_, destination)| destination == encapsulator)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    fn frame(tags: &[u8], ethertype: u16, l3: &[u8]) -> Vec<u8> {
        [&[2; 12], tags, &ethertype.to_be_bytes(), l3].concat()
    }

    #[test]
    fn a9_fields_are_read_through_vlan_tags() {
        let mut ip = [0; 20];
        (ip[0], ip[1], ip[6], ip[8]) = (0x45, 0xb9, 0x40, 33);
        for tags in [&[][..], &[0x81, 0, 0, 5], &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 5]] {
            let packet = frame(tags, 0x0800, &ip);
            let peek = Peek::new(Payload::Ethernet, &packet).unwrap();
            assert_eq!((peek.l3(), peek.version), (14 + tags.len(), Some(IpVersion::V4)));
            assert_eq!((peek.ds_field, peek.ttl(&packet), peek.dont_fragment(&packet)), (0xb9, 33, true));
            assert_eq!((peek.ecn(), peek.tagged), (Ecn::Ect1, !tags.is_empty()));
        }
        let mut ip = [0; 40];
        (ip[0], ip[1], ip[7]) = (0x6b, 0x90, 9);
        let peek = Peek::new(Payload::Ip, &ip).unwrap();
        assert_eq!((peek.version, peek.ds_field, peek.ttl(&ip)), (Some(IpVersion::V6), 0xb9, 9));
        assert!(peek.dont_fragment(&ip));
    }

    #[test]
    fn a7a_a_header_that_is_announced_must_be_there() {
        for (ethertype, need) in [(0x0800, 20), (0x86dd, 40)] {
            let tag = [0x81, 0, 0, 5];
            for len in 0..need {
                let truncated = |l3| Some(Truncated { need: l3 + need, have: l3 + len });
                assert_eq!(Peek::ethernet(&frame(&[], ethertype, &[0; 40][..len])).err(), truncated(14));
                assert_eq!(Peek::ethernet(&frame(&tag, ethertype, &[0; 40][..len])).err(), truncated(18));
            }
            assert!(Peek::ethernet(&frame(&[], ethertype, &[0; 40][..need])).is_ok());
        }
        assert_eq!(Peek::ethernet(&[0; 13]).err(), Some(Truncated { need: 14, have: 13 }));
        assert_eq!(Peek::ip(&[]).err(), Some(Truncated { need: 20, have: 0 }));
        assert_eq!(Peek::ip(&[0x60; 39]).err(), Some(Truncated { need: 40, have: 39 }));
    }

    #[test]
    fn bytes_that_only_claim_to_be_ip_are_carried_unread() {
        let packet = frame(&[], 0x0800, &[0xff; 20]);
        let peek = Peek::new(Payload::Ethernet, &packet).unwrap();
        assert_eq!((peek.version, peek.ds_field, peek.ttl(&packet)), (None, 0, 0));
        assert!(!peek.dont_fragment(&packet));
        assert_eq!(Peek::new(Payload::Ip, &[0x50]).unwrap().version, None);
    }
}
