//! The VXLAN header (RFC 7348, section 5): eight bytes between UDP and the inner Ethernet frame.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------+-----------------------------------------------+
//! |R|R|R|R|I|R|R|R|                   Reserved                    |
//! +---------------+-------------------------------+---------------+
//! |      VXLAN Network Identifier (VNI)           |   Reserved    |
//! +-----------------------------------------------+---------------+
//! ```
//!
//! Extensions (Group Policy, GPE) live in the reserved bits, and receivers differ in what they do about
//! bits that they do not know. The header therefore keeps all 64 bits; which of them are fatal is one
//! AND in the tunnel's policy.

use super::{Error, Layer, Vni, debug::debug_as};

/// UDP destination port (IANA).
pub const PORT: u16 = 4789;

/// UDP destination port of the time before the IANA number; Linux and flannel still start with it.
pub const LINUX_PORT: u16 = 8472;

/// A VXLAN header, every bit of it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header(u64);

debug_as! { "vxlan::Header", Header: vni, reserved }

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 8;

    /// The header of a frame on segment `vni`: I flag set, reserved bits zero (section 5).
    #[inline]
    pub const fn new(vni: Vni) -> Self {
        Self(I | (vni.value() as u64) << VNI_SHIFT)
    }

    /// Any eight bytes are a header; whether they name a segment, [`vni`](Self::vni) tells.
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
            None => Err(Error::truncated(Layer::Vxlan, Self::LEN, bytes.len())),
        }
    }

    /// The header in network byte order.
    #[inline(always)]
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0.to_be_bytes()
    }

    /// The segment, or `None` where the I flag is clear, so that the field means nothing.
    #[inline]
    pub const fn vni(self) -> Option<Vni> {
        if self.0 & I == 0 { None } else { Some(self.vni_field()) }
    }

    /// What stands where the segment belongs, whether the I flag is set or not.
    #[inline]
    pub const fn vni_field(self) -> Vni {
        Vni::truncate((self.0 >> VNI_SHIFT) as u32)
    }

    /// Whether there is a segment, and none of these reserved bits.
    #[inline(always)]
    pub(crate) const fn has_vni_only(self, reserved: u64) -> bool {
        self.0 & (I | RESERVED & reserved) == I
    }

    /// The bits that RFC 7348 reserves: sent as zero and ignored on receipt, unless an extension or a
    /// stricter policy claims them.
    #[inline]
    pub const fn reserved(self) -> u64 {
        self.0 & RESERVED
    }
}

/// All bits but the I flag and the VNI: as a number, the first byte on the wire at the top.
pub const RESERVED: u64 = !(I | VNI);

const I: u64 = 0x0800_0000_0000_0000;
const VNI: u64 = 0x0000_0000_ffff_ff00;
const VNI_SHIFT: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: [u8; 8] = [
        0x08, 0, 0, 0, // I; reserved
        0, 0, 0x2a, 0, // VNI 42; reserved
    ];

    #[test]
    fn golden() {
        let header = Header::new(Vni::truncate(42));
        assert_eq!(header.to_bytes(), GOLDEN);
        assert_eq!(Header::parse(&GOLDEN), Ok((header, &[][..])));
    }

    #[test]
    fn rfc7348_s5_without_the_i_flag_there_is_no_vni() {
        for flags in 0..=u8::MAX {
            let header = Header::from_bytes(&[flags, 0, 0, 0, 0, 0, 0x2a, 0]);
            assert_eq!(header.vni().is_some(), flags & 0x08 != 0, "flags {flags:#04x}");
            assert_eq!(header.vni_field().value(), 42);
        }
    }

    #[test]
    fn rfc7348_s5_reserved_bits_are_sent_as_zero_and_kept_on_receipt() {
        assert_eq!(Header::new(Vni::MAX).reserved(), 0);
        for bit in 0..64 {
            let header = Header(1 << bit);
            assert_eq!(header.to_bytes(), (1u64 << bit).to_be_bytes());
            assert_eq!(header.reserved() != 0, bit < 8 || (32..59).contains(&bit) || bit > 59, "bit {bit}");
        }
    }

    #[test]
    fn every_vni_survives() {
        for value in 0..=Vni::MAX.value() {
            let vni = Vni::truncate(value);
            assert_eq!(Header::from_bytes(&Header::new(vni).to_bytes()).vni(), Some(vni));
        }
    }
}
