use std::fmt;

use sqlx::FromRow;
use uuid::Uuid;

use crate::ids::{DeliveryId, LabId, MessageId};

/// What the database says, row by row.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    pub messages: Vec<MessageRow>,
    pub timeline: Vec<TimelineRow>,
    pub work: Vec<WorkRow>,
    pub dead_letters: Vec<DeadLetterRow>,
    pub deliveries: Vec<DeliveryRow>,
    pub keys: Vec<KeyRow>,
}

/// A message's state, and whether its content is there, too.
#[derive(Debug, Clone, FromRow)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says whether one column is filled"
)]
pub struct MessageRow {
    pub message_id: MessageId,
    pub lab_id: LabId,
    pub has_content: bool,
    #[sqlx(try_from = "String")]
    pub state: State,
    pub attempts: i32,
    pub resends: i32,
    /// The states in which it was at some time.
    pub was_sent: bool,
    pub was_delivered: bool,
    pub was_read: bool,
    pub was_failed: bool,
    pub was_unconfirmed: bool,
    pub failure_class: Option<String>,
    pub failure_detail: Option<String>,
}

/// An entry of a message's timeline; of its detail only what is compared.
#[derive(Debug, Clone, FromRow)]
pub struct TimelineRow {
    pub message_id: MessageId,
    pub kind: String,
    /// Of attempts and callbacks.
    pub result: Option<String>,
    /// Of statuses.
    pub status: Option<String>,
    /// Of callbacks.
    pub delivery_id: Option<String>,
}

/// Something that is still to be done.
#[derive(Debug, Clone, FromRow)]
pub struct WorkRow {
    pub kind: String,
    pub subject: Uuid,
    pub state: String,
    pub reason: Option<String>,
}

/// Work that was given up.
#[derive(Debug, Clone, FromRow)]
pub struct DeadLetterRow {
    pub kind: String,
    pub subject: Uuid,
    pub reason: String,
}

/// A callback and whether its endpoint took it.
#[derive(Debug, Clone, FromRow)]
pub struct DeliveryRow {
    pub id: DeliveryId,
    /// Absent: it is about what a patient wrote.
    pub message_id: Option<MessageId>,
    pub was_delivered: bool,
}

/// Which message answers an idempotency key.
#[derive(Debug, Clone, FromRow)]
pub struct KeyRow {
    pub lab_id: LabId,
    pub key: String,
    pub message_id: MessageId,
}

/// Where a message is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Queued,
    Unconfirmed,
    Sent,
    Delivered,
    Read,
    Failed,
    Expired,
    Cancelled,
}

impl State {
    pub(crate) const ALL: [Self; 8] = [
        Self::Queued,
        Self::Unconfirmed,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// Whether it is still to be found out what becomes of the message.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Unconfirmed)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Unconfirmed => "unconfirmed",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl TryFrom<String> for State {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::named(&name).ok_or_else(|| format!("an unknown state, {name}"))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
