//! VXLAN Generic Protocol Extension (draft-ietf-nvo3-vxlan-gpe-12, section 3): VXLAN that says what it carries.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+---+-+-+-+-+-------------------------------+---------------+
//! |R|R|Ver|I|P|B|O|       Reserved                | Next Protocol |
//! +-+-+---+-+-+-+-+-------------------------------+---------------+
//! |                VXLAN Network Identifier (VNI) |   Reserved    |
//! +-----------------------------------------------+---------------+
//! ```

use super::{Error, EtherType, Layer, Vni, debug::debug_as};

/// UDP destination port (IANA).
pub const PORT: u16 = 4790;

/// What VXLAN-GPE carries.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct NextProtocol(pub u8);

impl NextProtocol {
    /// IPv4.
    pub const IPV4: Self = Self(1);
    /// IPv6.
    pub const IPV6: Self = Self(2);
    /// Ethernet.
    pub const ETHERNET: Self = Self(3);
    /// Network Service Header (RFC 8300).
    pub const NSH: Self = Self(4);
    /// MPLS, unicast.
    pub const MPLS: Self = Self(5);

    /// The EtherType of what is carried, [`EtherType::TEB`] for Ethernet; `None` for other numbers.
    pub const fn ethertype(self) -> Option<EtherType> {
        match self {
            Self::IPV4 => Some(EtherType::IPV4),
            Self::IPV6 => Some(EtherType::IPV6),
            Self::ETHERNET => Some(EtherType::TEB),
            Self::NSH => Some(EtherType::NSH),
            Self::MPLS => Some(EtherType::MPLS),
            _ => None,
        }
    }

    /// The number of what has this EtherType.
    pub const fn from_ethertype(ethertype: EtherType) -> Option<Self> {
        match ethertype {
            EtherType::IPV4 => Some(Self::IPV4),
            EtherType::IPV6 => Some(Self::IPV6),
            EtherType::TEB => Some(Self::ETHERNET),
            EtherType::NSH => Some(Self::NSH),
            EtherType::MPLS => Some(Self::MPLS),
            _ => None,
        }
    }
}

/// A VXLAN-GPE header, every bit of it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header(u64);

debug_as! { "vxlan_gpe::Header", Header: version, next_protocol, vni, is_bum, is_oam, reserved }

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 8;

    /// The header of a payload of this kind on segment `vni`: version 0, I and P set, all else zero.
    #[inline]
    pub const fn new(vni: Vni, next: NextProtocol) -> Self {
        Self(I | P | (next.0 as u64) << NEXT_SHIFT | (vni.value() as u64) << VNI_SHIFT)
    }

    /// Any eight bytes are a header; what they mean, the accessors tell.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(u64::from_be_bytes(*bytes))
    }

    /// The header at the front of `bytes`, and what follows it.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] for fewer than [`LEN`](Self::LEN) bytes.
    #[inline]
    pub const fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        match bytes.split_first_chunk() {
            Some((head, rest)) => Ok((Self::from_bytes(head), rest)),
            None => Err(Error::truncated(Layer::VxlanGpe, Self::LEN, bytes.len())),
        }
    }

    /// The header in network byte order.
    #[inline(always)]
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0.to_be_bytes()
    }

    /// The version: 0, or something that is to be dropped (section 3.1).
    #[inline]
    pub const fn version(self) -> u8 {
        (self.0 >> VERSION_SHIFT) as u8 & 3
    }

    /// The segment, or `None` where the I flag is clear.
    #[inline]
    pub const fn vni(self) -> Option<Vni> {
        if self.0 & I == 0 { None } else { Some(self.vni_field()) }
    }

    /// What stands where the segment belongs, whether the I flag is set or not.
    #[inline]
    pub const fn vni_field(self) -> Vni {
        Vni::truncate((self.0 >> VNI_SHIFT) as u32)
    }

    /// What the payload is, or `None` where the P flag is clear.
    #[inline]
    pub const fn next_protocol(self) -> Option<NextProtocol> {
        if self.0 & P == 0 { None } else { Some(NextProtocol((self.0 >> NEXT_SHIFT) as u8)) }
    }

    /// Whether the frame was flooded: broadcast, unknown unicast or multicast (the B flag).
    #[inline]
    pub const fn is_bum(self) -> bool {
        self.0 & BUM != 0
    }

    /// Whether the payload is for operations, administration and maintenance, not to be forwarded (the O flag).
    #[inline]
    pub const fn is_oam(self) -> bool {
        self.0 & O != 0
    }

    /// The reserved bits.
    #[inline]
    pub const fn reserved(self) -> u64 {
        self.0 & RESERVED
    }
}

/// The reserved bits: as a number, the first byte on the wire at the top.
pub const RESERVED: u64 = 0xc0ff_ff00_0000_00ff;

/// The B flag, which older drafts and Linux do not know.
pub const BUM: u64 = 0x0200_0000_0000_0000;

const VERSION_SHIFT: u32 = 60;
const I: u64 = 0x0800_0000_0000_0000;
const P: u64 = 0x0400_0000_0000_0000;
const O: u64 = 0x0100_0000_0000_0000;
const NEXT_SHIFT: u32 = 32;
const VNI_SHIFT: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let bytes = [
            0x0c, 0, 0, 1, // I, P; IPv4
            0, 0, 0x64, 0, // VNI 100
        ];
        let header = Header::new(Vni::truncate(100), NextProtocol::IPV4);
        assert_eq!(Header::parse(&bytes), Ok((header, &[][..])));
        assert_eq!(header.to_bytes(), bytes);
        assert_eq!((header.version(), header.reserved()), (0, 0));
    }

    #[test]
    fn gpe_s3_1_every_flag_byte() {
        for byte in 0..=u8::MAX {
            let header = Header::from_bytes(&[byte, 0, 0, 3, 0, 0, 0x64, 0]);
            assert_eq!(header.version(), byte >> 4 & 3);
            assert_eq!(header.vni().is_some(), byte & 8 != 0);
            assert_eq!(header.next_protocol(), (byte & 4 != 0).then_some(NextProtocol::ETHERNET));
            assert_eq!((header.is_bum(), header.is_oam()), (byte & 2 != 0, byte & 1 != 0));
            assert_eq!(header.reserved() != 0, byte & 0xc0 != 0);
        }
    }

    #[test]
    fn gpe_s3_2_next_protocols_and_their_ethertypes() {
        for number in 0..=u8::MAX {
            let next = NextProtocol(number);
            assert_eq!(next.ethertype().is_some(), (1..=5).contains(&number));
            if let Some(ethertype) = next.ethertype() {
                assert_eq!(NextProtocol::from_ethertype(ethertype), Some(next));
            }
        }
        assert_eq!(NextProtocol::from_ethertype(EtherType::ARP), None);
    }
}
