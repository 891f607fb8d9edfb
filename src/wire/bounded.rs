//! Integers narrower than their Rust type, checked once when they are made.

/// The value does not fit the field that it is meant for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{value} is too large for a {field}: at most {max}")]
pub struct OutOfRange {
    /// Name of the field's type.
    pub field: &'static str,
    /// The value that was offered.
    pub value: u32,
    /// The largest value that fits.
    pub max: u32,
}

/// Defines a newtype over an unsigned integer with a largest value, so that encoding it cannot fail.
macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident($int:ty), max $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
        #[cfg_attr(feature = "serde", serde(try_from = "u32", into = "u32"))]
        pub struct $name($int);

        impl $name {
            /// The largest value.
            pub const MAX: Self = Self($max);

            /// The value as this type, or `None` where it does not fit.
            pub const fn new(value: $int) -> Option<Self> {
                if value <= $max { Some(Self(value)) } else { None }
            }

            /// The low bits of `value`, those that [`MAX`](Self::MAX) has: for constants, and for what was masked
            /// anyway. Of a number that somebody configured use `try_from`, which refuses what does not fit.
            pub const fn truncate(value: $int) -> Self {
                Self(value & $max)
            }

            /// The value, at most [`MAX`](Self::MAX).
            pub const fn value(self) -> $int {
                self.0
            }
        }

        impl TryFrom<u32> for $name {
            type Error = $crate::wire::OutOfRange;

            fn try_from(value: u32) -> Result<Self, Self::Error> {
                <$int>::try_from(value).ok().and_then(Self::new).ok_or($crate::wire::OutOfRange {
                    field: stringify!($name),
                    value,
                    max: $max,
                })
            }
        }

        impl From<$name> for u32 {
            fn from(value: $name) -> Self {
                value.0.into()
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, f)
            }
        }

        const _: () = assert!(($max as u64 + 1).is_power_of_two(), "truncate() masks with MAX");
    };
}

pub(crate) use bounded;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Dscp, FlowLabel, FragmentOffset, Pcp, VlanId, Vni};

    /// The largest value fits, the next one does not, and the error says so.
    macro_rules! edges {
        ($($name:ident $bits:literal)*) => { $(
            let max = (1u32 << $bits) - 1;
            assert_eq!($name::try_from(max), Ok($name::MAX));
            assert_eq!(u32::from($name::MAX), max);
            let error = OutOfRange { field: stringify!($name), value: max + 1, max };
            assert_eq!($name::try_from(max + 1), Err(error));
            assert_eq!($name::try_from(u32::MAX).map_err(|e| e.value), Err(u32::MAX));
        )* };
    }

    #[test]
    fn edges_of_every_bounded_type() {
        edges!(Vni 24 VlanId 12 Dscp 6 FlowLabel 20 Pcp 3 FragmentOffset 13);
    }

    #[test]
    fn truncate_keeps_the_low_bits() {
        assert_eq!(Vni::truncate(0xff12_3456).value(), 0x12_3456);
        assert_eq!(Dscp::truncate(0xff), Dscp::MAX);
    }
}
