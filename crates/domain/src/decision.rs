use std::{fmt, str::FromStr};

use crate::ApiKeyId;

/// What a person decided about work that could not go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// A message in doubt was sent.
    Sent,
    /// A message in doubt was not sent: it is sent anew.
    NotSent,
    /// A dead letter is tried again.
    Replayed,
    /// A dead letter is let go.
    Discarded,
}

named!(Decision, "decision", {
    Sent => "sent",
    NotSent => "not_sent",
    Replayed => "replayed",
    Discarded => "discarded",
});

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decider {
    /// Whoever holds this key of the API.
    Key(ApiKeyId),
    /// Whoever works as the owner of the database.
    Operator,
}

impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// The provider's id of a message, as somebody tells it. It contains the patient's number: for the record, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Wamid(String);

/// A text that is no id of the provider's. Never contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the provider's id of the message: wamid. and what follows it")]
pub struct InvalidWamid;

/// Longer than any that the provider gives.
const LONGEST_WAMID: usize = 256;

impl Wamid {
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for Wamid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wamid(..)")
    }
}

impl FromStr for Wamid {
    type Err = InvalidWamid;

    fn from_str(text: &str) -> Result<Self, InvalidWamid> {
        let rest = text.strip_prefix("wamid.").unwrap_or_default();
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=_-.".contains(&byte);
        if rest.is_empty() || text.len() > LONGEST_WAMID || !rest.bytes().all(is_usual) {
            return Err(InvalidWamid);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Why a dead letter was let go, in words that are kept and shown: what looks like the number of a patient is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscardReason(String);

/// What to do about a reason that is not taken. Never contains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReason {
    #[error("expected 1 to 200 characters on one line")]
    Shape,
    #[error(
        "it has six digits in a row or more, which may be a patient's number: say it without, and name nobody"
    )]
    Digits,
}

const MOST_CHARACTERS: usize = 200;
const TOO_MANY_DIGITS: usize = 6;
/// What people write between the digits of one number.
const SEPARATORS: [char; 7] = [' ', '-', '.', '/', '(', ')', '+'];

impl DiscardReason {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DiscardReason {
    type Err = InvalidReason;

    fn from_str(text: &str) -> Result<Self, InvalidReason> {
        let text = text.trim();
        if text.is_empty()
            || text.chars().count() > MOST_CHARACTERS
            || text.chars().any(char::is_control)
        {
            return Err(InvalidReason::Shape);
        }
        if longest_number(text) >= TOO_MANY_DIGITS {
            return Err(InvalidReason::Digits);
        }
        Ok(Self(text.to_owned()))
    }
}

fn longest_number(text: &str) -> usize {
    let (mut longest, mut digits) = (0, 0);
    for character in text.chars().filter(|it| !SEPARATORS.contains(it)) {
        digits = if character.is_numeric() {
            digits + 1
        } else {
            0
        };
        longest = longest.max(digits);
    }
    longest
}
