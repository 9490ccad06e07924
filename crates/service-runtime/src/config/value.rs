use std::{
    net::SocketAddr,
    num::{NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use secrecy::SecretString;
use url::Url;

use super::ByteSize;

/// A type that a setting can have.
pub trait ConfigValue: Sized {
    /// Its name on the reference page.
    const KIND: &'static str;
    /// Completes "expected …".
    const EXPECTED: &'static str;
    /// Whether a fault may quote the value.
    const QUOTABLE: bool = true;

    fn parse(text: &str) -> Option<Self>;

    /// What an absent setting without a default means, if it may be absent.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T: ConfigValue> ConfigValue for Option<T> {
    const KIND: &'static str = T::KIND;
    const EXPECTED: &'static str = T::EXPECTED;
    const QUOTABLE: bool = T::QUOTABLE;

    fn parse(text: &str) -> Option<Self> {
        T::parse(text).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl ConfigValue for String {
    const KIND: &'static str = "text";
    const EXPECTED: &'static str = "text";

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl ConfigValue for SecretString {
    const KIND: &'static str = "secret";
    const EXPECTED: &'static str = "text";
    const QUOTABLE: bool = false;

    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl ConfigValue for Duration {
    const KIND: &'static str = "duration";
    const EXPECTED: &'static str = "a duration like 30s";

    fn parse(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok()
    }
}

impl ConfigValue for ByteSize {
    const KIND: &'static str = "size";
    const EXPECTED: &'static str = "a size like 10MiB";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl ConfigValue for Url {
    const KIND: &'static str = "URL";
    const EXPECTED: &'static str = "a URL like https://example.org/";
    // A URL can carry a password.
    const QUOTABLE: bool = false;

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl ConfigValue for PathBuf {
    const KIND: &'static str = "path";
    const EXPECTED: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

impl ConfigValue for bool {
    const KIND: &'static str = "true or false";
    const EXPECTED: &'static str = "true or false";

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }
}

macro_rules! from_str {
    ($($kind:ty: $name:literal, $expected:literal;)+) => {$(
        impl ConfigValue for $kind {
            const KIND: &'static str = $name;
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+};
}

from_str! {
    SocketAddr: "address", "an address like 127.0.0.1:8080";
    u8: "number", "a whole number from 0 to 255";
    u16: "number", "a whole number from 0 to 65535";
    u32: "number", "a whole number from 0";
    u64: "number", "a whole number from 0";
    usize: "number", "a whole number from 0";
    NonZeroU16: "number", "a whole number from 1 to 65535";
    NonZeroU32: "number", "a whole number from 1";
    NonZeroU64: "number", "a whole number from 1";
    NonZeroUsize: "number", "a whole number from 1";
    f64: "number", "a number";
}
