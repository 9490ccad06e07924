//! One text form per value: what is displayed, stored, sent as JSON and parsed back is the same string.

/// A string that is not one of the names of an enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what}, expected one of: {}", .expected.join(", "))]
pub struct UnknownName {
    pub(crate) what: &'static str,
    pub(crate) expected: &'static [&'static str],
}

/// Serializes a type by its `Display` and deserializes it by its `FromStr`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text =
                    <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Gives an enum its names: `ALL`, `as_str`, `Display`, `FromStr` and serde.
macro_rules! named {
    ($type:ident, $what:literal, { $($variant:ident $(($inner:path))? => $name:literal),+ $(,)? }) => {
        impl $type {
            pub const ALL: &'static [Self] = &[$(Self::$variant $(($inner))?),+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant $(($inner))? => $name),+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($name => Ok(Self::$variant $(($inner))?),)+
                    _ => Err($crate::UnknownName { what: $what, expected: &[$($name),+] }),
                }
            }
        }

        serde_as_text!($type);
    };
}
