//! What flags mean: numbers as `ip tunnel` reads them.

use std::{net::Ipv4Addr, str::FromStr, time::Duration};

use encap::{
    tunnel::{OuterDscp, OuterFlowLabel, Ttl},
    wire::{Dscp, FlowLabel, gre::Key},
};

/// A number, in base 16 behind 0x and in base 8 behind 0, or four bytes with dots between them.
pub(crate) fn key(text: &str) -> Result<Key, String> {
    if text.contains('.') {
        return parse(text).map(|key: Ipv4Addr| Key(key.to_bits()));
    }
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    u32::from_str_radix(digits, radix).map(Key).map_err(|error| format!("{text}: {error}"))
}

/// A number, or `inherit`, which zero is too.
pub(crate) fn ttl(text: &str) -> Result<Ttl, String> {
    match text {
        "inherit" | "0" => Ok(Ttl::Inherit),
        _ => parse(text).map(Ttl::Fixed),
    }
}

/// A byte in base 16, or `inherit`, which one is too. ECN is the tunnel's, so that its two bits do not matter.
pub(crate) fn tos(text: &str) -> Result<OuterDscp, String> {
    if text == "inherit" {
        return Ok(OuterDscp::Inherit);
    }
    let byte = u8::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16);
    match byte.map_err(|error| format!("{text}: {error}"))? {
        1 => Ok(OuterDscp::Inherit),
        byte => Ok(OuterDscp::Fixed(Dscp::truncate(byte >> 2))),
    }
}

/// A number in base 16, as `ip -6 tunnel` has it.
pub(crate) fn flow_label(text: &str) -> Result<OuterFlowLabel, String> {
    let number = u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16);
    let label = FlowLabel::try_from(number.map_err(|error| format!("{text}: {error}"))?);
    label.map(OuterFlowLabel::Fixed).map_err(|error| error.to_string())
}

/// A number, or `none`.
pub(crate) fn encap_limit(text: &str) -> Result<EncapLimit, String> {
    if text == "none" { Ok(EncapLimit(None)) } else { parse(text).map(|limit| EncapLimit(Some(limit))) }
}

/// How often packets may be wrapped once more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncapLimit(pub(crate) Option<u8>);

/// Seconds, or `never`.
pub(crate) fn expires(text: &str) -> Result<Expires, String> {
    if text == "never" {
        return Ok(Expires(None));
    }
    parse(text).map(|seconds| Expires(Some(Duration::from_secs(seconds))))
}

/// How long what a router told holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expires(pub(crate) Option<Duration>);

fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| format!("{text}: {}", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_every_form() {
        for text in ["0x111111", "0.17.17.17", "1118481", "04210421"] {
            assert_eq!(key(text), Ok(Key(0x11_1111)), "{text}");
        }
        assert_eq!(key("0"), Ok(Key(0)));
        for text in ["", "0x", "x", "4294967296", "1.2.3", "-1", "09"] {
            assert!(key(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ttl_and_tos() {
        assert_eq!([ttl("0"), ttl("inherit")], [Ok(Ttl::Inherit), Ok(Ttl::Inherit)]);
        assert_eq!(ttl("255"), Ok(Ttl::Fixed(255)));
        assert!(ttl("256").is_err());
        assert_eq!([tos("1"), tos("inherit")], [Ok(OuterDscp::Inherit), Ok(OuterDscp::Inherit)]);
        for text in ["b8", "0xb8", "ba"] {
            assert_eq!(tos(text), Ok(OuterDscp::Fixed(Dscp::truncate(46))));
        }
        assert!(tos("100").is_err());
    }
}
