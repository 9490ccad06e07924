use std::fmt;
use std::str::FromStr;

use crate::{MessageId, SenderNumberId, TemplateId};

/// What becomes of an unconfirmed message about which nothing is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum UnconfirmedPolicy {
    /// Wait for a person: a report is never sent twice.
    #[default]
    Park,
    /// Send again, counted and shown.
    Resend,
}

named!(UnconfirmedPolicy, "policy for unconfirmed messages", {
    Park => "park",
    Resend => "resend",
});

/// What held work waits for: releasing the scope releases everything that is held on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// A text that names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected credential:num_.., number:num_.., template:tpl_.. or message:msg_..")]
pub struct InvalidScope;

impl Scope {
    /// Until the number's access token is replaced.
    pub fn credential(number: SenderNumberId) -> Self {
        Self(format!("credential:{number}"))
    }

    /// Until the number may send again.
    pub fn number(number: SenderNumberId) -> Self {
        Self(format!("number:{number}"))
    }

    /// Until the template can be used again.
    pub fn template(template: TemplateId) -> Self {
        Self(format!("template:{template}"))
    }

    /// Until someone decides about this one message.
    pub fn message(message: MessageId) -> Self {
        Self(format!("message:{message}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scope = match text.split_once(':') {
            Some(("credential", id)) => id.parse().map(Self::credential),
            Some(("number", id)) => id.parse().map(Self::number),
            Some(("template", id)) => id.parse().map(Self::template),
            Some(("message", id)) => id.parse().map(Self::message),
            _ => return Err(InvalidScope),
        };
        scope.map_err(|_| InvalidScope)
    }
}

serde_as_text!(Scope);
