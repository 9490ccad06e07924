use std::fmt;
use std::str::FromStr;

use crate::UnknownName;

/// A language that patients are written to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Language {
    #[default]
    English,
    Hindi,
}

impl Language {
    pub const ALL: &'static [Self] = &[Self::English, Self::Hindi];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Hindi => "hi",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Any region and case of a known language: `en_US`, `hi-IN`, `EN`.
impl FromStr for Language {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let tag = text.split(['_', '-']).next().unwrap_or_default();
        Self::ALL
            .iter()
            .find(|language| language.as_str().eq_ignore_ascii_case(tag))
            .copied()
            .ok_or(UnknownName {
                what: "language",
                expected: &["en", "hi"],
            })
    }
}

serde_as_text!(Language);
