/// The language a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    English,
    Hindi,
}

impl Language {
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en-IN",
            Self::Hindi => "hi-IN",
        }
    }
}

/// A phrase in both languages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) english: &'static str,
    pub(super) hindi: &'static str,
}

pub(super) const fn words(english: &'static str, hindi: &'static str) -> Words {
    Words { english, hindi }
}

impl Words {
    pub(super) fn to(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::Hindi => self.hindi,
        }
    }
}
