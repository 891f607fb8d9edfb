//! VLAN tags (IEEE 802.1Q, clause 9.6), stacked or alone.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-----+-+-----------------------+-------------------------------+
//! | PCP |D|        VLAN ID        |           EtherType           |
//! +-----+-+-----------------------+-------------------------------+
//! ```
//!
//! The EtherType before these four bytes says that they are a tag, and of which kind
//! ([`EtherType::is_vlan`]); the one in them says what follows.

use super::{Error, EtherType, Layer, bounded::bounded, debug::debug_as};

bounded! {
    /// VLAN identifier: 0 carries a priority only, 4095 is reserved (802.1Q, table 9-2).
    VlanId(u16), max 0x0fff
}

bounded! {
    /// Priority code point: 0 to 7.
    Pcp(u8), max 7
}

/// A tag: what follows the EtherType that announced it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Header {
    /// Priority.
    pub priority: Pcp,
    /// Whether the frame may be dropped first when there is congestion (DEI).
    pub drop_eligible: bool,
    /// The VLAN.
    pub id: VlanId,
    /// What follows: another tag or the payload.
    pub ethertype: EtherType,
}

debug_as! { "vlan::Header", Header { priority, drop_eligible, id, ethertype } }

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 4;

    /// Any four bytes are a tag.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let [c0, c1, t0, t1] = *bytes;
        Self {
            priority: Pcp::truncate(c0 >> 5),
            drop_eligible: c0 & DEI != 0,
            id: VlanId::truncate(u16::from_be_bytes([c0, c1])),
            ethertype: EtherType(u16::from_be_bytes([t0, t1])),
        }
    }

    /// The tag at the front of `bytes`, and what follows it.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] for fewer than [`LEN`](Self::LEN) bytes.
    pub const fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        match bytes.split_first_chunk() {
            Some((head, rest)) => Ok((Self::from_bytes(head), rest)),
            None => Err(Error::truncated(Layer::Vlan, Self::LEN, bytes.len())),
        }
    }

    /// The tag in network byte order.
    #[inline(always)]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [i0, i1] = self.id.value().to_be_bytes();
        let [t0, t1] = self.ethertype.0.to_be_bytes();
        let dei = if self.drop_eligible { DEI } else { 0 };
        [self.priority.value() << 5 | dei | i0, i1, t0, t1]
    }
}

/// What stands behind the tags of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Untagged<'a> {
    /// The outermost tag, where there is one.
    pub outer: Option<Header>,
    /// What the payload is.
    pub ethertype: EtherType,
    /// The payload.
    pub payload: &'a [u8],
}

/// Follows the tags that `ethertype` announces at the front of `bytes`, [`MAX_TAGS`] of them at most.
///
/// # Errors
///
/// [`Error::Truncated`] where an announced tag is not there, [`Error::TooMany`] for a longer stack.
#[inline]
pub fn skip_tags(mut ethertype: EtherType, mut bytes: &[u8]) -> Result<Untagged<'_>, Error> {
    let mut outer = None;
    for _ in 0..MAX_TAGS {
        if !ethertype.is_vlan() {
            return Ok(Untagged { outer, ethertype, payload: bytes });
        }
        let (tag, rest) = Header::parse(bytes)?;
        outer = outer.or(Some(tag));
        ethertype = tag.ethertype;
        bytes = rest;
    }
    if ethertype.is_vlan() {
        return Err(Error::TooMany { layer: Layer::Vlan, max: MAX_TAGS });
    }
    Ok(Untagged { outer, ethertype, payload: bytes })
}

/// How many tags in a row are followed.
pub const MAX_TAGS: usize = 4;

const DEI: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let bytes = [
            0x70, 0x64, // priority 3, drop eligible, VLAN 100
            0x86, 0xdd, // IPv6
        ];
        let tag = Header {
            priority: Pcp::truncate(3),
            drop_eligible: true,
            id: VlanId::truncate(100),
            ethertype: EtherType::IPV6,
        };
        assert_eq!(Header::parse(&bytes), Ok((tag, &[][..])));
        assert_eq!(tag.to_bytes(), bytes);
    }

    #[test]
    fn ieee8021q_s9_6_every_tag_control_word() {
        for word in 0..=u16::MAX {
            let [c0, c1] = word.to_be_bytes();
            let tag = Header::from_bytes(&[c0, c1, 8, 0]);
            assert_eq!(u16::from(tag.priority.value()), word >> 13);
            assert_eq!(tag.drop_eligible, word & 0x1000 != 0);
            assert_eq!(tag.id.value(), word & 0x0fff);
            assert_eq!(tag.to_bytes(), [c0, c1, 8, 0]);
        }
    }

    #[test]
    fn stacks_are_followed_to_a_limit() {
        const TAGS: [u8; 20] =
            [0, 1, 0x88, 0xa8, 0, 2, 0x91, 0x00, 0, 3, 0x81, 0x00, 0, 4, 0x08, 0x00, 0, 5, 0x08, 0x00];
        let untagged = skip_tags(EtherType::VLAN, &TAGS).unwrap();
        assert_eq!(untagged.outer.map(|tag| tag.id.value()), Some(1));
        assert_eq!((untagged.ethertype, untagged.payload), (EtherType::IPV4, &TAGS[16..]));

        let mut endless = TAGS;
        [endless[14], endless[15]] = [0x81, 0x00];
        let too_many = Error::TooMany { layer: Layer::Vlan, max: MAX_TAGS };
        assert_eq!(skip_tags(EtherType::VLAN, &endless), Err(too_many));
        assert_eq!(skip_tags(EtherType::VLAN, &TAGS[..6]), Err(Error::truncated(Layer::Vlan, 4, 2)));
        let none = Untagged { outer: None, ethertype: EtherType::ARP, payload: &[] };
        assert_eq!(skip_tags(EtherType::ARP, &[]), Ok(none));
    }
}
