use chrono::{DateTime, Utc};
use serde::Serialize;

/// One bubble of a conversation, as the patient's phone shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    pub id: String,
    pub direction: Direction,
    pub at: DateTime<Utc>,
    /// `text`, `document`, `template`, …
    pub kind: String,
    pub header: Option<String>,
    pub text: String,
    pub footer: Option<String>,
    pub attachment: Option<Attachment>,
    pub choices: Vec<Choice>,
    /// What the button that opens a list says.
    pub list_button: Option<String>,
    /// The message this one answers.
    pub reply_to: Option<String>,
    /// The other side's emoji on this message.
    pub reaction: Option<String>,
    pub template: Option<String>,
    pub opaque: Option<String>,
    pub status: Status,
    /// Everything that was reported of it, in order.
    pub events: Vec<Event>,
}

impl Message {
    pub(crate) fn new(direction: Direction, kind: &str, at: DateTime<Utc>) -> Self {
        Self {
            id: String::new(),
            direction,
            at,
            kind: kind.to_owned(),
            header: None,
            text: String::new(),
            footer: None,
            attachment: None,
            choices: Vec::new(),
            list_button: None,
            reply_to: None,
            reaction: None,
            template: None,
            opaque: None,
            status: Status::Accepted,
            events: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the business to the patient.
    Outbound,
    /// From the patient to the business.
    Inbound,
}

/// How far a message came, in the order in which ticks appear.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Accepted,
    Failed,
    Sent,
    Delivered,
    Read,
}

impl Status {
    /// The word in a status webhook.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Failed => "failed",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

/// One status as it was reported.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    pub status: Status,
    pub at: DateTime<Utc>,
    pub error_code: Option<u32>,
}

/// A file, a place or a picture in a bubble.
#[derive(Clone, Debug, Serialize)]
pub struct Attachment {
    /// `document`, `image`, `video`, `audio`, `sticker`, `location`, `contacts`.
    pub kind: String,
    /// Served under `/_sim/media/`.
    pub media_id: Option<String>,
    pub link: Option<String>,
    pub filename: Option<String>,
    pub mime_type: Option<String>,
    pub size_bytes: Option<usize>,
    pub sha256: Option<String>,
}

impl Attachment {
    pub(crate) fn new(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            media_id: None,
            link: None,
            filename: None,
            mime_type: None,
            size_bytes: None,
            sha256: None,
        }
    }
}

/// Something the patient can tap.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// `reply`, `quick_reply`, `row`, `url`, `phone_number`, `copy_code`, `flow`, …
    pub kind: String,
    pub id: String,
    pub title: String,
    pub description: Option<String>,
    pub section: Option<String>,
    pub url: Option<String>,
}

impl Choice {
    pub(crate) fn new(kind: &str, id: &str, title: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            id: id.to_owned(),
            title: title.to_owned(),
            description: None,
            section: None,
            url: None,
        }
    }
}
