//! Masks of 64 bits, for serde: in formats for people a text in hexadecimal, since not all of them have numbers as
//! large; numbers are read as well.

use core::fmt;

use serde::{Deserialize as _, Deserializer, Serializer, de};

pub(crate) fn serialize<S: Serializer>(mask: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.collect_str(&format_args!("{mask:#018x}"))
    } else {
        serializer.serialize_u64(*mask)
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Mask)
    } else {
        u64::deserialize(deserializer)
    }
}

struct Mask;

impl de::Visitor<'_> for Mask {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mask of 64 bits, as 0x0123456789abcdef or as a number")
    }

    fn visit_u64<E>(self, mask: u64) -> Result<u64, E> {
        Ok(mask)
    }

    fn visit_i64<E: de::Error>(self, mask: i64) -> Result<u64, E> {
        u64::try_from(mask).map_err(|_| E::invalid_value(de::Unexpected::Signed(mask), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+'));
        let mask = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        mask.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
