//! What those outside the pipeline wrote down, one line for each thing that happened to them.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::State;
use crate::ids::{LabId, MessageId};

/// A report that the LIMS posted, and how that ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "PostedLine")]
pub struct Posted {
    pub key: String,
    pub lab_id: LabId,
    pub phone: String,
    pub sha256: String,
    /// The first try.
    pub posted_at: DateTime<Utc>,
    pub expect: Expectation,
    pub answer: Answer,
}

/// How a post ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Acknowledged {
        message_id: MessageId,
        acked_at: DateTime<Utc>,
    },
    /// Never answered with 202: the message exists or not.
    GaveUp,
}

/// What the LIMS knows beforehand of the patient's phone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    Delivered,
    Failed,
    #[default]
    Any,
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Any => "anything",
        })
    }
}

#[derive(Deserialize)]
struct PostedLine {
    key: String,
    lab_id: LabId,
    phone: String,
    sha256: String,
    posted_at: DateTime<Utc>,
    #[serde(default)]
    expect: Expectation,
    message_id: Option<MessageId>,
    acked_at: Option<DateTime<Utc>>,
    #[serde(default)]
    gave_up: bool,
}

impl TryFrom<PostedLine> for Posted {
    type Error = &'static str;

    fn try_from(line: PostedLine) -> Result<Self, Self::Error> {
        let answer = match (line.gave_up, line.message_id, line.acked_at) {
            (true, None, None) => Answer::GaveUp,
            (false, Some(message_id), Some(acked_at)) => Answer::Acknowledged {
                message_id,
                acked_at,
            },
            _ => return Err("expected `message_id` and `acked_at`, or `gave_up` alone"),
        };
        Ok(Self {
            key: line.key,
            lab_id: line.lab_id,
            phone: line.phone,
            sha256: line.sha256,
            posted_at: line.posted_at,
            expect: line.expect,
            answer,
        })
    }
}

/// A send that the provider accepted: what the patient really gets.
#[derive(Debug, Clone, Deserialize)]
pub struct Send {
    /// Our id, if the send carried one.
    pub opaque: Option<String>,
    pub phone_number_id: String,
    pub to: String,
    pub media_sha256: Option<String>,
    pub at: DateTime<Utc>,
    pub fate: Vec<ProviderStatus>,
}

/// Something that became of a send.
#[derive(Debug, Clone, Deserialize)]
pub struct ProviderStatus {
    pub status: StatusName,
    pub code: Option<i64>,
    /// Whether a webhook of it was answered with 200.
    pub told: bool,
}

/// What a provider can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusName {
    Sent,
    Delivered,
    Read,
    Failed,
}

impl StatusName {
    /// The state of a message of which this is the most that is known.
    pub(crate) const fn state(self) -> State {
        match self {
            Self::Sent => State::Sent,
            Self::Delivered => State::Delivered,
            Self::Read => State::Read,
            Self::Failed => State::Failed,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        self.state().as_str()
    }
}

impl fmt::Display for StatusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state().fmt(f)
    }
}

/// A callback that the LIMS' receiver got and answered with success.
#[derive(Debug, Clone, Deserialize)]
pub struct Post {
    pub at: DateTime<Utc>,
    pub headers: Headers,
    pub body: String,
}

/// The headers of Standard Webhooks; one that was not there is empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Headers {
    pub webhook_id: String,
    pub webhook_timestamp: String,
    pub webhook_signature: String,
}

/// What an operator said of an unconfirmed message.
#[derive(Debug, Clone, Deserialize)]
pub struct OperatorDecision {
    pub message_id: MessageId,
    pub decision: Decision,
    pub at: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Sent,
    NotSent,
}
