use chrono::{DateTime, Utc};
use serde_json::Value;

/// One thing that a webhook tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    Status(Status),
    Inbound(Inbound),
    Account(Account),
    Errors(Errors),
    /// A field that concerns nothing of ours.
    Unknown {
        field: String,
    },
    /// An element that could not be understood, as a JSON pointer into the body.
    Malformed {
        pointer: String,
    },
}

/// What became of a message that we sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Status {
    pub phone_number_id: String,
    pub waba_id: String,
    pub wamid: String,
    pub status: StatusKind,
    pub at: DateTime<Utc>,
    /// What we gave with the message.
    pub opaque: Option<String>,
    pub recipient_id: Option<String>,
    pub recipient_user_id: Option<String>,
    pub errors: Vec<StatusError>,
}

redacted_debug!(Status {
    phone_number_id,
    status,
    at,
    opaque,
    errors
});

/// Meta's statuses of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusKind {
    Sent,
    Delivered,
    Read,
    /// Of a voice message.
    Played,
    Failed,
    Unknown(String),
}

impl From<String> for StatusKind {
    fn from(status: String) -> Self {
        match status.as_str() {
            "sent" => Self::Sent,
            "delivered" => Self::Delivered,
            "read" => Self::Read,
            "played" => Self::Played,
            "failed" => Self::Failed,
            _ => Self::Unknown(status),
        }
    }
}

/// Why a message failed, in Meta's words, which may name the patient.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusError {
    pub code: i64,
    pub title: Option<String>,
    pub message: Option<String>,
    pub details: Option<String>,
}

redacted_debug!(StatusError { code });

/// What a patient sent to a number.
#[derive(Clone, PartialEq)]
pub struct Inbound {
    pub phone_number_id: String,
    pub waba_id: String,
    pub wamid: String,
    /// The patient's number, without plus. Patients with a user name may hide it.
    pub from: Option<String>,
    /// The patient's id for this business.
    pub from_user_id: Option<String>,
    pub profile_name: Option<String>,
    pub at: DateTime<Utc>,
    /// Meta's type of the message.
    pub kind: String,
    /// What there is to read: the text, a button's or row's title, a caption.
    pub text: Option<String>,
    /// The message that this one answers.
    pub context_wamid: Option<String>,
    pub media: Option<InboundMedia>,
    /// The whole message.
    pub raw: Value,
}

redacted_debug!(Inbound {
    phone_number_id,
    at,
    kind
});

/// A file that a patient sent, to be fetched within seven days.
#[derive(Clone, PartialEq, Eq)]
pub struct InboundMedia {
    pub id: String,
    pub mime_type: Option<String>,
    pub filename: Option<String>,
}

redacted_debug!(InboundMedia { id, mime_type });

/// News of an account: its numbers, templates, limits, the wishes of its patients.
#[derive(Clone, PartialEq)]
pub struct Account {
    pub waba_id: String,
    pub field: String,
    pub value: Value,
}

redacted_debug!(Account { waba_id, field });

/// Errors of a number that belong to no message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    pub phone_number_id: String,
    pub waba_id: String,
    pub errors: Vec<StatusError>,
}
