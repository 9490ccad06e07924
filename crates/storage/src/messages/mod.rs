//! Outbound messages: immutable content, the small state row that changes, the timeline that explains it.

mod accept;
mod doubt;
mod history;
mod sendable;
mod state;
mod timeline;

use chrono::{DateTime, Utc};
use domain::{AttachmentId, Lane, MessageId, SenderNumberId, TenantId};
use uuid::Uuid;

use crate::{Connection, Error, Result};

pub use accept::{Acceptance, IdempotencyKey, NewMessage, accept, send_work};
pub use doubt::{Doubts, InDoubt, count_doubts, list_in_doubt};
pub use history::{
    Doubt, HistoryFilter, HistoryRow, Stats, count_history, find_stats, list_history,
};
pub use sendable::{Sendable, SendableFile, list_sendable};
pub use state::{
    MessageRow, find_state, list_expired, list_ids_by_wamid, lock_states, update_states,
};
pub use timeline::{
    NewTimelineEntry, TimelineEntry, count_attempts, insert_timeline, list_timeline,
};

/// What was accepted; `recipient` and `content` are sealed.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: MessageId,
    pub tenant_id: TenantId,
    pub sender_number_id: SenderNumberId,
    pub lane: Lane,
    pub recipient: Vec<u8>,
    pub recipient_hash: Vec<u8>,
    pub content: Vec<u8>,
    pub attachment_id: Option<AttachmentId>,
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    tenant_id: Uuid,
    sender_number_id: Uuid,
    lane: i16,
    recipient: Vec<u8>,
    recipient_hash: Vec<u8>,
    content: Vec<u8>,
    attachment_id: Option<Uuid>,
    expires_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for Message {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: MessageId::from_uuid(row.id),
            tenant_id: TenantId::from_uuid(row.tenant_id),
            sender_number_id: SenderNumberId::from_uuid(row.sender_number_id),
            lane: Lane::try_from(row.lane).map_err(|_| Error::Unreadable {
                column: "messages.lane",
            })?,
            recipient: row.recipient,
            recipient_hash: row.recipient_hash,
            content: row.content,
            attachment_id: row.attachment_id.map(AttachmentId::from_uuid),
            expires_at: row.expires_at,
            created_at: row.created_at,
        })
    }
}

pub async fn find_message(connection: &mut Connection, id: MessageId) -> Result<Option<Message>> {
    let row = sqlx::query_as!(
        Row,
        r#"
        SELECT id, tenant_id, sender_number_id, lane, recipient, recipient_hash, content, attachment_id, expires_at, created_at
        FROM messages WHERE id = $1
        "#,
        id.as_uuid()
    )
    .fetch_optional(connection)
    .await?;
    row.map(Message::try_from).transpose()
}
