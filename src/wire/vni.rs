//! The 24 bits that name an overlay segment.

use core::str::FromStr;

use super::bounded::bounded;

bounded! {
    /// Virtual Network Identifier: 24 bits that name one overlay segment.
    ///
    /// Zero is legal on the wire: RFC 7348, section 5, excludes no value.
    ///
    /// ```
    /// use encap::wire::Vni;
    ///
    /// const TENANT: Vni = Vni::new(42).unwrap();
    /// assert_eq!(TENANT.value(), 42);
    /// assert_eq!(Vni::new(0x0100_0000), None);
    /// assert_eq!("42".parse(), Ok(TENANT));
    /// // Where a number comes from a configuration, `try_from` tells one that is too large; `truncate` would not.
    /// assert!(Vni::try_from(16_777_217).is_err());
    /// assert_eq!(Vni::truncate(16_777_217), Vni::truncate(1));
    /// ```
    Vni(u32), max 0x00ff_ffff
}

/// The text is not a decimal number, or one of more than 24 bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a VNI: a decimal number of at most 16777215 is needed")]
pub struct ParseVniError;

/// Decimal, as [`Display`](core::fmt::Display) writes it: digits and nothing else.
impl FromStr for Vni {
    type Err = ParseVniError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |digit: u8| char::from(digit).to_digit(10);
        let value = text.bytes().try_fold(0u32, |value, byte| {
            // Too large is too large, however many digits follow.
            Some(value.saturating_mul(10).saturating_add(digit(byte)?))
        });
        value.filter(|_| !text.is_empty()).and_then(Self::new).ok_or(ParseVniError)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn text_there_and_back() {
        for value in [0, 1, 9, 10, 42, 4_096, 0x00ff_ffff] {
            let vni = Vni::truncate(value);
            assert_eq!(vni.to_string().parse(), Ok(vni));
        }
        assert_eq!("0042".parse(), Ok(Vni::truncate(42)));
    }

    #[test]
    fn text_that_is_no_vni() {
        for text in
            ["", " 1", "1 ", "+1", "-1", "0x2a", "1_000", "16777216", "4294967338", "99999999999999999999"]
        {
            assert_eq!(text.parse::<Vni>(), Err(ParseVniError), "{text:?}");
        }
    }
}
