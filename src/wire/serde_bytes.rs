//! Byte strings with a bound, for serde: a sequence of bytes, refused where it is too long.

/// Serialize as a sequence of bytes, Deserialize through the type's own `new(&[u8]) -> Option<Self>`.
macro_rules! bounded_bytes {
    ($name:ident, $max:literal, $expecting:literal) => {
        const _: () = {
            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_seq(self.as_bytes())
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_seq(Bytes)
                }
            }

            struct Bytes;

            impl<'de> serde::de::Visitor<'de> for Bytes {
                type Value = $name;

                fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    f.write_str($expecting)
                }

                fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<$name, A::Error> {
                    use serde::de::Error as _;

                    let mut bytes = [0u8; $max];
                    let mut len: usize = 0;
                    while let Some(byte) = seq.next_element()? {
                        *bytes.get_mut(len).ok_or_else(|| A::Error::invalid_length(len + 1, &self))? = byte;
                        len += 1;
                    }
                    bytes.get(..len).and_then($name::new).ok_or_else(|| A::Error::invalid_length(len, &self))
                }
            }
        };
    };
}

pub(crate) use bounded_bytes;
