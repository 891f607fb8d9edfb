//! IP prefixes (RFC 4632, section 3.1; RFC 4291, section 2.3).

use core::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// An IP prefix: an address and how many of its bits count; the others are zero.
///
/// ```
/// use encap::table::Prefix;
///
/// let pods: Prefix = "10.1.0.0/16".parse()?;
/// assert!(pods.contains([10, 1, 2, 3].into()));
/// assert!("10.1.0.1/16".parse::<Prefix>().is_err());
/// # Ok::<(), encap::table::PrefixError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Prefix {
    address: IpAddr,
    len: u8,
}

/// Why something is no prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// The text is not an IP address, a slash and a number.
    #[error("not a prefix: an IP address, a slash and a number of bits are needed")]
    Syntax,
    /// Longer than an address.
    #[error("a prefix of {len} bits: at most {max}")]
    TooLong {
        /// Bits that were asked for.
        len: u8,
        /// Bits of an address.
        max: u8,
    },
    /// Bits that do not count are set.
    #[error("bits are set in {address} behind the first {len}")]
    HostBits {
        /// The address.
        address: IpAddr,
        /// Bits that count.
        len: u8,
    },
}

impl Prefix {
    /// All addresses of IPv4.
    pub const IPV4_DEFAULT: Self = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), len: 0 };
    /// All addresses of IPv6.
    pub const IPV6_DEFAULT: Self = Self { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), len: 0 };

    /// The first `len` bits of `address`, which has no others.
    ///
    /// # Errors
    ///
    /// [`PrefixError::TooLong`], [`PrefixError::HostBits`].
    pub fn new(address: IpAddr, len: u8) -> Result<Self, PrefixError> {
        let prefix = Self::of(address, len)?;
        if prefix.address == address { Ok(prefix) } else { Err(PrefixError::HostBits { address, len }) }
    }

    /// The first `len` bits of `address`, whatever follows them.
    ///
    /// # Errors
    ///
    /// [`PrefixError::TooLong`].
    pub const fn of(address: IpAddr, len: u8) -> Result<Self, PrefixError> {
        let max = bits(address);
        if len > max { Err(PrefixError::TooLong { len, max }) } else { Ok(Self::truncate(address, len)) }
    }

    /// The prefix of this address alone.
    pub const fn host(address: IpAddr) -> Self {
        Self { address, len: bits(address) }
    }

    /// The first `len` bits of `address`, or as many as there are.
    #[inline]
    pub(super) const fn truncate(address: IpAddr, len: u8) -> Self {
        let max = bits(address);
        let len = if len > max { max } else { len };
        let rest = max.wrapping_sub(len) as u32;
        let address = match address {
            IpAddr::V4(address) => {
                let mask = if rest == 32 { 0 } else { u32::MAX.wrapping_shl(rest) };
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let mask = if rest == 128 { 0 } else { u128::MAX.wrapping_shl(rest) };
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        };
        Self { address, len }
    }

    /// The first address.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits count.
    pub const fn prefix_len(&self) -> u8 {
        self.len
    }

    /// Whether it is a prefix of `address`.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::truncate(address, self.len) == *self
    }
}

/// Bits of an address of this family.
const fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        Self::host(address)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, len) = text.split_once('/').ok_or(PrefixError::Syntax)?;
        // Numbers only: no sign, which parsing an integer allows.
        if !len.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(PrefixError::Syntax);
        }
        let address = address.parse().map_err(|_| PrefixError::Syntax)?;
        Self::new(address, len.parse().map_err(|_| PrefixError::Syntax)?)
    }
}

#[cfg(feature = "serde")]
crate::wire::serde_text::text!(Prefix, "a prefix like 10.1.0.0/16");

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn text_survives() {
        for text in ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "::/0", "fd01::/64", "fd01::1/128"] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
        assert_eq!("0.0.0.0/0".parse(), Ok(Prefix::IPV4_DEFAULT));
        assert_eq!("::/0".parse(), Ok(Prefix::IPV6_DEFAULT));
        assert_eq!("10.1.2.3/32".parse(), Ok(Prefix::host([10, 1, 2, 3].into())));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "/",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0/8 ",
            "/8",
            "::/0/0",
            "10.0.0.0/256",
        ] {
            assert_eq!(text.parse::<Prefix>(), Err(PrefixError::Syntax), "{text:?}");
        }
        assert_eq!("10.0.0.0/33".parse::<Prefix>(), Err(PrefixError::TooLong { len: 33, max: 32 }));
        assert_eq!("::/129".parse::<Prefix>(), Err(PrefixError::TooLong { len: 129, max: 128 }));
    }

    #[test]
    fn every_bit_behind_the_prefix_is_refused() {
        for (zero, max) in [(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 32), (Ipv6Addr::UNSPECIFIED.into(), 128)] {
            for len in 0..=max {
                for bit in 0..max {
                    let address = match zero {
                        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(1 << (31 - bit))),
                        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(1 << (127 - bit))),
                    };
                    let prefix = Prefix::new(address, len);
                    assert_eq!(prefix.is_ok(), bit < len, "bit {bit} of {len}");
                    assert_eq!(Prefix::of(zero, len).unwrap().contains(address), bit >= len);
                }
            }
        }
    }

    #[test]
    fn families_are_apart() {
        assert!(!Prefix::IPV4_DEFAULT.contains(Ipv6Addr::UNSPECIFIED.into()));
        assert!(!Prefix::IPV6_DEFAULT.contains(Ipv4Addr::UNSPECIFIED.into()));
        assert!(
            !Prefix::of(Ipv6Addr::UNSPECIFIED.into(), 32).unwrap().contains(Ipv4Addr::UNSPECIFIED.into())
        );
    }
}
