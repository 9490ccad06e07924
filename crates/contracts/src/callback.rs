use chrono::{DateTime, Utc};
use domain::{ErrorClass, InboundMessageId, MessageId, MessageState, TenantId};
use serde::{Deserialize, Serialize};

/// What a LIMS is told. Thin on purpose: it names the message, and the API tells the rest to those
/// who may know it. Never a phone number, a name or a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackPayload {
    pub r#type: CallbackType,
    /// When the callback was made; the same each time it is delivered.
    pub timestamp: DateTime<Utc>,
    pub data: CallbackData,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CallbackType {
    #[serde(rename = "message.sent")]
    Sent,
    #[serde(rename = "message.delivered")]
    Delivered,
    #[serde(rename = "message.read")]
    Read,
    #[serde(rename = "message.failed")]
    Failed,
    #[serde(rename = "message.unconfirmed")]
    Unconfirmed,
    #[serde(rename = "message.expired")]
    Expired,
    #[serde(rename = "message.cancelled")]
    Cancelled,
    #[serde(rename = "message.received")]
    Received,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CallbackData {
    Update(MessageUpdate),
    Received(InboundReceived),
}

/// A message of the LIMS came to a new state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageUpdate {
    pub lab_id: TenantId,
    pub message_id: MessageId,
    pub state: MessageState,
    pub occurred_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CallbackError>,
}

/// Why a message failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackError {
    /// Our stable code, as in the API's problems, for example `MESSAGE_SEND_FAILED`.
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_code: Option<i64>,
    pub class: ErrorClass,
}

/// A patient wrote to the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundReceived {
    pub lab_id: TenantId,
    pub inbound_id: InboundMessageId,
    pub kind: InboundKind,
    pub occurred_at: DateTime<Utc>,
}

/// What sort of message a patient wrote; the content is for the API to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InboundKind {
    Text,
    Image,
    Video,
    Audio,
    Document,
    Sticker,
    Location,
    Contacts,
    Button,
    Interactive,
    Reaction,
    Order,
    /// Anything else, also kinds that the provider adds later.
    #[serde(other)]
    Unsupported,
}

impl CallbackPayload {
    /// The callback for a message's new state; `None` for `queued`, which the LIMS knows from its own request.
    pub fn updated(timestamp: DateTime<Utc>, update: MessageUpdate) -> Option<Self> {
        let r#type = CallbackType::of_state(update.state)?;
        Some(Self {
            r#type,
            timestamp,
            data: CallbackData::Update(update),
        })
    }

    pub fn received(timestamp: DateTime<Utc>, received: InboundReceived) -> Self {
        Self {
            r#type: CallbackType::Received,
            timestamp,
            data: CallbackData::Received(received),
        }
    }
}

impl CallbackType {
    pub const fn of_state(state: MessageState) -> Option<Self> {
        match state {
            MessageState::Queued => None,
            MessageState::Unconfirmed => Some(Self::Unconfirmed),
            MessageState::Sent => Some(Self::Sent),
            MessageState::Delivered => Some(Self::Delivered),
            MessageState::Read => Some(Self::Read),
            MessageState::Failed => Some(Self::Failed),
            MessageState::Expired => Some(Self::Expired),
            MessageState::Cancelled => Some(Self::Cancelled),
        }
    }
}
