//! Neighbor discovery of IPv6: solicitations and advertisements (RFC 4861, sections 4.3 and 4.4).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+---------------+-------------------------------+
//! |     Type      |   Code (0)    |           Checksum            |
//! +-+-+-+---------+---------------+-------------------------------+
//! |R|S|O|                     Reserved                            |
//! +-+-+-+---------------------------------------------------------+
//! |                  Target Address (16 bytes)                    |
//! +---------------------------------------------------------------+
//! |                          Options …                            |
//! +---------------------------------------------------------------+
//! ```
//!
//! R, S and O are an advertisement's. The options are in [`ndp_option`](super::ndp_option), the checks on
//! receipt in [`ndp_check`](super::ndp_check). Out of scope: messages of routers, and redirects.

use core::net::Ipv6Addr;

use super::{
    Dscp, Ecn, Error, FlowLabel, IpProtocol, Layer, MacAddr, checksum::Sum, icmpv6::Type, ipv6,
    ndp_option::NeighborOption,
};

/// A Neighbor Solicitation: who has the target address?
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Solicitation {
    /// Checksum over pseudo header and message, as received or as to be sent.
    pub checksum: u16,
    /// The address that is asked about.
    pub target: Ipv6Addr,
}

/// A Neighbor Advertisement: the target address is the sender's, or that of somebody it answers for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Advertisement {
    /// Checksum over pseudo header and message, as received or as to be sent.
    pub checksum: u16,
    /// Whether the target is a router (the R flag).
    pub router: bool,
    /// Whether somebody asked (the S flag).
    pub solicited: bool,
    /// Whether this replaces what the receiver knew (the O flag).
    pub overrides: bool,
    /// The address that is advertised.
    pub target: Ipv6Addr,
}

/// Length of a solicitation or an advertisement without options, in bytes.
pub const MESSAGE_LEN: usize = 24;

impl Solicitation {
    /// Length without options, in bytes.
    pub const LEN: usize = MESSAGE_LEN;

    /// The solicitation in these bytes; reserved bits are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for another type, or a code other than zero.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, Error> {
        match fields(bytes, Type::NEIGHBOR_SOLICITATION) {
            Ok((checksum, _, target)) => Ok(Self { checksum, target }),
            Err(error) => Err(error),
        }
    }

    /// The solicitation at the front of `bytes`, and its options. A receiver asks for more:
    /// [`check_solicitation`](super::ndp_check::check_solicitation).
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] for fewer than [`LEN`](Self::LEN) bytes, and those of
    /// [`from_bytes`](Self::from_bytes).
    pub const fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        match bytes.split_first_chunk() {
            Some((head, rest)) => match Self::from_bytes(head) {
                Ok(message) => Ok((message, rest)),
                Err(error) => Err(error),
            },
            None => Err(Error::truncated(Layer::NeighborDiscovery, Self::LEN, bytes.len())),
        }
    }

    /// The solicitation in network byte order, reserved bits zero.
    #[inline(always)]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        bytes(Type::NEIGHBOR_SOLICITATION, self.checksum, 0, self.target)
    }
}

impl Advertisement {
    /// Length without options, in bytes.
    pub const LEN: usize = MESSAGE_LEN;

    /// The advertisement in these bytes; reserved bits are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for another type, or a code other than zero.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Result<Self, Error> {
        match fields(bytes, Type::NEIGHBOR_ADVERTISEMENT) {
            Ok((checksum, flags, target)) => Ok(Self {
                checksum,
                router: flags & R != 0,
                solicited: flags & S != 0,
                overrides: flags & O != 0,
                target,
            }),
            Err(error) => Err(error),
        }
    }

    /// The advertisement at the front of `bytes`, and its options. A receiver asks for more:
    /// [`check_advertisement`](super::ndp_check::check_advertisement).
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] for fewer than [`LEN`](Self::LEN) bytes, and those of
    /// [`from_bytes`](Self::from_bytes).
    pub const fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        match bytes.split_first_chunk() {
            Some((head, rest)) => match Self::from_bytes(head) {
                Ok(message) => Ok((message, rest)),
                Err(error) => Err(error),
            },
            None => Err(Error::truncated(Layer::NeighborDiscovery, Self::LEN, bytes.len())),
        }
    }

    /// The advertisement in network byte order, reserved bits zero.
    #[inline(always)]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let flags = if self.router { R } else { 0 }
            | if self.solicited { S } else { 0 }
            | if self.overrides { O } else { 0 };
        bytes(Type::NEIGHBOR_ADVERTISEMENT, self.checksum, flags, self.target)
    }
}

/// The advertisement that answers a solicitation: by [`to_bytes`](Self::to_bytes) a whole IPv6 packet.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Answer {
    /// Source address of the solicitation; unspecified where the solicitor only wants to know whether its
    /// own address is taken.
    pub solicitor: Ipv6Addr,
    /// The address that was asked about.
    pub target: Ipv6Addr,
    /// The MAC address that it belongs to.
    pub mac: MacAddr,
    /// Whether it is a router's.
    pub router: bool,
    /// Whether the answer replaces what the solicitor knew: not, where it is given for somebody else who may
    /// answer too (section 7.2.8).
    pub overrides: bool,
}

impl Answer {
    /// Length in bytes: IPv6, advertisement, and the option with the target's address.
    pub const LEN: usize = ipv6::Header::LEN + Advertisement::LEN + 8;

    /// Where the answer goes to: the solicitor, or all nodes where it has no address yet (section 7.2.4).
    pub fn destination(&self) -> Ipv6Addr {
        if self.solicitor.is_unspecified() { ALL_NODES } else { self.solicitor }
    }

    /// The IPv6 packet, with its checksum. It is sent from the target address; S is set exactly where the
    /// solicitor has an address (section 7.2.4).
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let message = Advertisement {
            checksum: 0,
            router: self.router,
            solicited: !self.solicitor.is_unspecified(),
            overrides: self.overrides,
            target: self.target,
        };
        let option = NeighborOption::target_address(self.mac);
        packet(self.target, self.destination(), message.to_bytes(), option)
    }
}

/// The IPv6 packet that asks who has `target`, where nobody is known yet (section 7.2.2).
pub(crate) fn question(source: Ipv6Addr, mac: MacAddr, target: Ipv6Addr) -> [u8; Answer::LEN] {
    let message = Solicitation { checksum: 0, target };
    packet(source, solicited_node(target), message.to_bytes(), NeighborOption::source_address(mac))
}

/// The IPv6 packet with this message, whose checksum is still zero, and this option.
fn packet(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    mut message: [u8; MESSAGE_LEN],
    option: [u8; 8],
) -> [u8; Answer::LEN] {
    let ip = ipv6::Header {
        dscp: Dscp::truncate(0),
        ecn: Ecn::NotEct,
        flow_label: FlowLabel::truncate(0),
        payload_len: (Answer::LEN - ipv6::Header::LEN) as u16,
        next_header: IpProtocol::ICMPV6,
        hop_limit: HOP_LIMIT,
        source,
        destination,
    };
    let pseudo = Sum::pseudo_ipv6(source, destination, IpProtocol::ICMPV6, ip.payload_len.into());
    let sum = pseudo.add_bytes(&message).add_bytes(&option);
    let [_, _, c0, c1, ..] = &mut message;
    [*c0, *c1] = sum.checksum().to_be_bytes();
    let mut bytes = [0; Answer::LEN];
    let parts = ip.to_bytes().into_iter().chain(message).chain(option);
    for (to, from) in bytes.iter_mut().zip(parts) {
        *to = from;
    }
    bytes
}

/// The group of all nodes on a link (RFC 4291, section 2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Hop limit of every message of neighbour discovery: no router can have forwarded it (section 3.1).
pub const HOP_LIMIT: u8 = 255;

/// The group to which a solicitation for `target` goes where nobody is known yet (RFC 4291, section 2.7.1).
pub const fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a as u16, u16::from_be_bytes([b, c]))
}

/// The MAC address of a group of IPv6 (RFC 2464, section 7).
pub const fn group_mac(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr([0x33, 0x33, a, b, c, d])
}

/// Checksum, flags and target of a message of kind `kind`.
const fn fields(bytes: &[u8; MESSAGE_LEN], kind: Type) -> Result<(u16, u8, Ipv6Addr), Error> {
    let [found, code, c0, c1, flags, _, _, _, target @ ..] = *bytes;
    if found != kind.0 {
        return Err(unsupported("type", found));
    }
    if code != 0 {
        return Err(unsupported("code", code));
    }
    Ok((u16::from_be_bytes([c0, c1]), flags, Ipv6Addr::from_bits(u128::from_be_bytes(target))))
}

const fn bytes(kind: Type, checksum: u16, flags: u8, target: Ipv6Addr) -> [u8; MESSAGE_LEN] {
    let [c0, c1] = checksum.to_be_bytes();
    let [t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15] = target.octets();
    #[rustfmt::skip]
    let bytes = [
        kind.0, 0, c0, c1, flags, 0, 0, 0,
        t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15,
    ];
    bytes
}

const fn unsupported(field: &'static str, value: u8) -> Error {
    Error::Unsupported { layer: Layer::NeighborDiscovery, field, value: value as u16 }
}

const R: u8 = 0x80;
const S: u8 = 0x40;
const O: u8 = 0x20;

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Ipv6Addr = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 2);

    #[test]
    fn golden() {
        // From the Linux kernel's answer for a neighbour that it knows.
        let mut bytes = [0; 24];
        bytes[..5].copy_from_slice(&[136, 0, 0x1b, 0x97, 0x60]); // advertisement; checksum; S and O
        (bytes[8], bytes[9], bytes[23]) = (0xfd, 0x01, 2); // target
        let advertisement = Advertisement {
            checksum: 0x1b97,
            router: false,
            solicited: true,
            overrides: true,
            target: ASKED,
        };
        assert_eq!(Advertisement::parse(&bytes), Ok((advertisement, &[][..])));
        assert_eq!(advertisement.to_bytes(), bytes);

        [bytes[0], bytes[2], bytes[3], bytes[4]] = [135, 0x95, 0, 0];
        let solicitation = Solicitation { checksum: 0x9500, target: ASKED };
        assert_eq!(Solicitation::parse(&bytes), Ok((solicitation, &[][..])));
        assert_eq!(solicitation.to_bytes(), bytes);
    }

    #[test]
    fn s4_4_every_flag_byte() {
        for flags in 0..=u8::MAX {
            let mut bytes = Solicitation { checksum: 0, target: ASKED }.to_bytes();
            (bytes[0], bytes[4]) = (136, flags);
            let header = Advertisement::from_bytes(&bytes).unwrap();
            let set = (header.router, header.solicited, header.overrides);
            assert_eq!(set, (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x20 != 0));
            bytes[4] &= 0xe0;
            assert_eq!(header.to_bytes(), bytes);
        }
    }

    #[test]
    fn s7_2_4_who_has_no_address_is_answered_at_all_nodes_and_unsolicited() {
        let mac = MacAddr([2, 0, 0, 0, 1, 2]);
        let asker = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 1);
        for (solicitor, destination, solicited) in
            [(asker, asker, true), (Ipv6Addr::UNSPECIFIED, ALL_NODES, false)]
        {
            let answer = Answer { solicitor, target: ASKED, mac, router: false, overrides: true }.to_bytes();
            let (ip, message) = ipv6::Header::parse(&answer).unwrap();
            assert_eq!((ip.source, ip.destination, ip.hop_limit), (ASKED, destination, 255));
            let (advertisement, _) = Advertisement::parse(message).unwrap();
            assert_eq!(advertisement.solicited, solicited);
        }
    }

    #[test]
    fn rfc4291_s2_7_1_solicited_node_group_and_rfc2464_s7_its_mac() {
        let group = solicited_node(Ipv6Addr::new(0xfd01, 2, 3, 4, 5, 6, 0x0e07, 0x6c89));
        assert_eq!(group, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff07, 0x6c89));
        assert_eq!(group_mac(group), MacAddr([0x33, 0x33, 0xff, 0x07, 0x6c, 0x89]));
        assert_eq!(group_mac(ALL_NODES), MacAddr([0x33, 0x33, 0, 0, 0, 1]));
    }
}
