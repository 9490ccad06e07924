//! Outbound messages: immutable content, the small state row that changes, the timeline that explains it.

mod accept;
mod doubt;
mod history;
mod state;
mod timeline;

use chrono::{DateTime, Utc};
use domain::{AttachmentId, Lane, MessageId, SenderNumberId, TenantId};

use crate::{Connection, Error, Result};

pub use accept::{Acceptance, IdempotencyKey, NewMessage, accept, send_work};
pub use doubt::{Doubts, InDoubt, count_doubts, list_in_doubt};
pub use history::{
    Doubt, HistoryFilter, HistoryRow, Stats, count_history, find_stats, list_history,
};
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

pub async fn find_message(connection: &mut Connection, id: MessageId) -> Result<Option<Message>> {
    let row = sqlx::query!(
        r#"
        SELECT id, tenant_id, sender_number_id, lane, recipient, recipient_hash, content, attachment_id, expires_at, created_at
        FROM messages WHERE id = $1
        "#,
        id.as_uuid()
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Message {
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
    })
    .transpose()
}
