//! IEEE 802 MAC addresses.

use core::{fmt, net::IpAddr, str::FromStr};

use super::ndp;

/// A 48-bit MAC address, in transmission order.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// 00:00:00:00:00:00: in a forwarding database the default destination, never a host.
    pub const ZERO: Self = Self([0; 6]);

    /// Whether the group bit is set: multicast or broadcast.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether a host may send from this address: neither a group nor zero.
    pub const fn is_unicast(self) -> bool {
        let [a, b, c, d, e, f] = self.0;
        let front = u32::from_ne_bytes([a, b, c, d]);
        !self.is_multicast() && front | u16::from_ne_bytes([e, f]) as u32 != 0
    }

    /// That of a multicast group (RFC 1112, section 6.4; RFC 2464, section 7); `None` where the address is no group's.
    pub(crate) const fn of_group(address: IpAddr) -> Option<Self> {
        match address {
            IpAddr::V4(group) if group.is_multicast() => {
                let [_, b, c, d] = group.octets();
                Some(Self([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
            }
            IpAddr::V6(group) if group.is_multicast() => Some(ndp::group_mac(group)),
            _ => None,
        }
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"00:00:00:00:00:00";
        for (digits, byte) in text.chunks_mut(3).zip(self.0) {
            digits.iter_mut().zip(hex(byte)).for_each(|(digit, hex)| *digit = hex);
        }
        // Padded as a whole, where a column has a width.
        f.pad(core::str::from_utf8(&text).unwrap_or_default())
    }
}

/// A byte in hexadecimal.
pub(super) fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15]
        .map(|digit| if digit < 10 { b'0' | digit } else { (b'a' - 10).wrapping_add(digit) })
}

/// The text is not six hexadecimal bytes with colons between them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a MAC address: six hexadecimal bytes with colons between them are needed")]
pub struct ParseMacAddrError;

impl FromStr for MacAddr {
    type Err = ParseMacAddrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.as_bytes().split(|&byte| byte == b':');
        let mut bytes = [0; 6];
        for byte in &mut bytes {
            *byte = parts.next().and_then(hexadecimal).ok_or(ParseMacAddrError)?;
        }
        if parts.next().is_some() { Err(ParseMacAddrError) } else { Ok(Self(bytes)) }
    }
}

/// One or two hexadecimal digits.
fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let value = match *digits {
        [low] => digit(low)?,
        [high, low] => digit(high)? << 4 | digit(low)?,
        _ => return None,
    };
    u8::try_from(value).ok()
}

#[cfg(feature = "serde")]
super::serde_text::text!(MacAddr, "a MAC address like 02:00:00:00:00:01");

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn text_survives() {
        let mac = MacAddr([0x5e, 0xf8, 0x4f, 0, 0xe3, 0x37]);
        assert_eq!(mac.to_string(), "5e:f8:4f:00:e3:37");
        assert_eq!("5e:f8:4f:0:E3:37".parse(), Ok(mac));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "1",
            "1:2:3:4:5",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:g",
            "001:2:3:4:5:6",
            "+1:2:3:4:5:6",
            "1:2:3:4:5:",
        ] {
            assert_eq!(text.parse::<MacAddr>(), Err(ParseMacAddrError), "{text:?}");
        }
    }

    #[test]
    fn kinds_of_address() {
        assert!(MacAddr::BROADCAST.is_multicast() && !MacAddr::BROADCAST.is_unicast());
        assert!(!MacAddr::ZERO.is_multicast() && !MacAddr::ZERO.is_unicast());
        for first in 0..=u8::MAX {
            let mac = MacAddr([first, 0, 0, 0, 0, 1]);
            assert_eq!(mac.is_unicast(), first % 2 == 0);
        }
    }
}
