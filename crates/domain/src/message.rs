use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::{FlowId, MessageId, SenderNumberId, TemplateId};

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

/// What work waits for: resuming the scope lets everything go on that waits for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// A text that names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected credential:num_.., number:num_.., account:.., app:.., pair:..:.., template:tpl_.. or message:msg_.."
)]
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

    /// Until the WhatsApp Business account may be called again.
    pub fn account(waba_id: &str) -> Self {
        Self(format!("account:{waba_id}"))
    }

    /// Until the provider's app may be called again.
    pub fn app(key: &str) -> Self {
        Self(format!("app:{key}"))
    }

    /// Until the flow may write to this recipient again; `pair` is a keyed hash.
    pub fn pair(flow: FlowId, pair: &[u8]) -> Self {
        let mut text = format!("pair:{}:", flow.as_uuid().simple());
        for byte in pair {
            // Writing to a string cannot fail.
            write!(text, "{byte:02x}").ok();
        }
        Self(text)
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

    /// What kind of thing it names: for labels and switches.
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or("", |(kind, _)| kind)
    }

    /// Whether what it names may be several tenants'.
    pub fn is_shared(&self) -> bool {
        matches!(self.kind(), "account" | "app")
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
            Some(("account", id)) if !id.is_empty() => return Ok(Self::account(id)),
            Some(("app", key)) if !key.is_empty() => return Ok(Self::app(key)),
            Some(("pair", ids)) if ids.contains(':') => return Ok(Self(format!("pair:{ids}"))),
            _ => return Err(InvalidScope),
        };
        scope.map_err(|_| InvalidScope)
    }
}

serde_as_text!(Scope);
