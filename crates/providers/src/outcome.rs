use std::{error::Error, fmt, time::Duration};

use domain::ErrorClass;
use secrecy::SecretString;

/// The provider's id of an uploaded file.
pub type MediaId = String;

/// The provider took the message. It is on its way, not delivered.
#[derive(Clone)]
pub struct Accepted {
    /// The provider's id of the message. It contains the patient's number, lightly encoded.
    pub wamid: String,
    /// The number as the provider spells it, which may differ from the one sent to.
    pub wa_id: Option<String>,
    /// For templates: whether it is held back at first.
    pub message_status: Option<String>,
    pub usage: Usage,
    /// What the provider's support asks for.
    pub trace_id: Option<String>,
}

redacted_debug!(Accepted {
    message_status,
    usage,
    trace_id
});

/// Why there is no answer that says yes, by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No byte of the request was written: it can be made again.
    #[error("the provider was not asked")]
    NotSent { source: TransportError },
    /// The request was written and its answer not understood: the provider may have acted on it.
    #[error("whether the provider took the request is not known")]
    Ambiguous { source: TransportError },
    /// The provider answered that it did not do it.
    #[error("{0}")]
    Rejected(Box<Rejection>),
}

/// What went wrong between us and the provider. Contains no address, token or body.
#[derive(Debug, thiserror::Error)]
#[error("{trouble}")]
pub struct TransportError {
    pub trouble: Trouble,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TransportError {
    pub fn new(trouble: Trouble) -> Self {
        Self {
            trouble,
            source: None,
        }
    }

    pub(crate) fn caused_by(
        trouble: Trouble,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            trouble,
            source: Some(source.into()),
        }
    }
}

/// The kinds of trouble on the way to the provider and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("the request could not be built")]
    Unbuildable,
    #[error("no connection to the provider")]
    Unreachable,
    #[error("no answer in time")]
    TimedOut,
    #[error("the connection was lost")]
    ConnectionLost,
    #[error("the answer (HTTP status {status}) could not be understood")]
    UnreadableAnswer { status: u16 },
}

/// A provider's no.
#[derive(Debug)]
pub struct Rejection {
    pub classified: Classified,
    /// The provider's number for the error.
    pub code: i64,
    pub subcode: Option<i64>,
    pub http_status: u16,
    /// What the provider's support asks for.
    pub trace_id: Option<String>,
    /// The provider's own words. They may repeat parts of the request, even the token: not for logs.
    pub details: Option<SecretString>,
    pub usage: Usage,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {}", self.classified.meaning, self.code)?;
        if let Some(trace_id) = &self.trace_id {
            write!(f, ", trace {trace_id}")?;
        }
        f.write_str(")")
    }
}

/// What a provider's error means and asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classified {
    pub class: ErrorClass,
    pub public_code: PublicCode,
    /// What happened and what to do, in our words.
    pub meaning: &'static str,
    /// How long to wait at least; otherwise the class's own schedule applies.
    pub hold: Option<Duration>,
    /// How many tries of one message may end with this code, where it may be the message's own fault.
    pub max_attempts: Option<u32>,
    /// Refused before anything was processed: the same send can be repeated without a duplicate.
    pub replay_safe: bool,
}

/// The codes under which the LIMS learns of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublicCode {
    SessionNotFound,
    SessionExpired,
    InvalidPhoneNumber,
    SendFailed,
    FileSizeExceeded,
    RateLimitExceeded,
    UnauthorizedAccess,
}

impl PublicCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionNotFound => "WHATSAPP_SESSION_NOT_FOUND",
            Self::SessionExpired => "WHATSAPP_SESSION_EXPIRED",
            Self::InvalidPhoneNumber => "INVALID_PHONE_NUMBER",
            Self::SendFailed => "MESSAGE_SEND_FAILED",
            Self::FileSizeExceeded => "FILE_SIZE_EXCEEDED",
            Self::RateLimitExceeded => "RATE_LIMIT_EXCEEDED",
            Self::UnauthorizedAccess => "UNAUTHORIZED_ACCESS",
        }
    }
}

impl fmt::Display for PublicCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How much of its limits the provider says is used: reason to slow down before it refuses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the app, which all tenants share.
    pub app: Option<Load>,
    /// Of the accounts that the call touched.
    pub accounts: Vec<AccountLoad>,
}

impl Usage {
    /// Of the limit that is closest to being exceeded; 0 if nothing was said.
    pub fn highest_percent(&self) -> u32 {
        let accounts = self.accounts.iter().map(|account| &account.load);
        let percents = accounts.chain(&self.app).map(Load::highest_percent);
        percents.max().unwrap_or(0)
    }
}

/// Used parts of one limit, in percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    pub calls_percent: u32,
    pub cpu_percent: u32,
    pub time_percent: u32,
}

impl Load {
    fn highest_percent(&self) -> u32 {
        self.calls_percent
            .max(self.cpu_percent)
            .max(self.time_percent)
    }
}

/// Used parts of one limit of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLoad {
    pub account_id: String,
    /// Which group of calls is counted.
    pub kind: String,
    pub load: Load,
    /// Over the limit, and for how long.
    pub regain_access: Option<Duration>,
}
