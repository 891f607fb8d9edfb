//! Values that have a text, for serde: that text.

/// Serialize as what Display writes, Deserialize through FromStr.
macro_rules! text {
    ($name:ident, $expecting:literal) => {
        const _: () = {
            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_str(Text)
                }
            }

            struct Text;

            impl serde::de::Visitor<'_> for Text {
                type Value = $name;

                fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    f.write_str($expecting)
                }

                fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                    text.parse().map_err(E::custom)
                }
            }
        };
    };
}

pub(crate) use text;
