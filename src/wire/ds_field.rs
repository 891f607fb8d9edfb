//! The DS field of IPv4 and IPv6: six bits of DSCP (RFC 2474, section 3), two of ECN (RFC 3168,
//! section 5).
//!
//! ```text
//!   0   1   2   3   4   5   6   7
//! +---+---+---+---+---+---+---+---+
//! |         DSCP          |  ECN  |
//! +---+---+---+---+---+---+---+---+
//! ```

use core::fmt;

use super::bounded::bounded;

bounded! {
    /// Differentiated Services Code Point: how routers should treat the packet (RFC 2474).
    Dscp(u8), max 0x3f
}

/// Explicit Congestion Notification: the two low bits of the DS field (RFC 3168, section 5).
///
/// All four values are here, so this enum is complete.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Ecn {
    /// 00: the transport does not use ECN.
    #[default]
    NotEct,
    /// 01: ECN-capable transport, code point 1.
    Ect1,
    /// 10: ECN-capable transport, code point 0.
    Ect0,
    /// 11: congestion experienced.
    Ce,
}

impl Ecn {
    /// The ECN bits of a DS field.
    pub const fn from_ds_field(ds_field: u8) -> Self {
        match ds_field & 3 {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The bits, 0 to 3.
    pub const fn value(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Ecn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotEct => "Not-ECT",
            Self::Ect1 => "ECT(1)",
            Self::Ect0 => "ECT(0)",
            Self::Ce => "CE",
        })
    }
}

/// DSCP and ECN as the one byte that they share.
pub const fn ds_field(dscp: Dscp, ecn: Ecn) -> u8 {
    dscp.value() << 2 | ecn.value()
}

impl Dscp {
    /// The DSCP bits of a DS field.
    pub const fn from_ds_field(ds_field: u8) -> Self {
        Self::truncate(ds_field >> 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3168_s5_every_ds_field_survives() {
        for byte in 0..=u8::MAX {
            let (dscp, ecn) = (Dscp::from_ds_field(byte), Ecn::from_ds_field(byte));
            assert_eq!(dscp.value(), byte >> 2);
            assert_eq!(ecn.value(), byte & 3);
            assert_eq!(ds_field(dscp, ecn), byte);
        }
    }
}
