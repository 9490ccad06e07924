use chrono::{DateTime, Utc};
use domain::{AttachmentId, MessageId, TenantId};
use uuid::Uuid;

use super::{Message, MessageRow, Row, state};
use crate::{Connection, Error, Result, attachments::Attachment, partitions::span};

/// A message and all that is stored for a send of it.
#[derive(Debug, Clone)]
pub struct Sendable {
    pub message: Message,
    pub row: MessageRow,
    pub file: Option<SendableFile>,
    /// Until when free-form messages to this recipient are allowed, if they ever were.
    pub window_until: Option<DateTime<Utc>>,
}

/// A message's file.
#[derive(Debug, Clone)]
pub struct SendableFile {
    pub attachment: Attachment,
    /// The provider's id of it for the message's number, while the provider keeps it.
    pub media_id: Option<String>,
}

struct Found {
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
    base: String,
    given_up_at: Option<DateTime<Utc>>,
    given_up: Option<serde_json::Value>,
    wamid: Option<String>,
    attempts: i32,
    resends: i32,
    sent_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    read_at: Option<DateTime<Utc>>,
    failed_at: Option<DateTime<Utc>>,
    failure: Option<serde_json::Value>,
    unconfirmed_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    media_type: Option<String>,
    size_bytes: Option<i64>,
    sha256: Option<Vec<u8>>,
    filename: Option<Vec<u8>>,
    file_created_at: Option<DateTime<Utc>>,
    media_id: Option<String>,
    window_until: Option<DateTime<Utc>>,
}

impl TryFrom<Found> for Sendable {
    type Error = Error;

    fn try_from(found: Found) -> Result<Self> {
        let tenant_id = TenantId::from_uuid(found.tenant_id);
        let described = (found.attachment_id.zip(found.media_type)).zip(found.filename);
        let measured = (found.size_bytes.zip(found.sha256)).zip(found.file_created_at);
        let file = described.zip(measured).map(
            |(((id, media_type), filename), ((size_bytes, sha256), created_at))| SendableFile {
                attachment: Attachment {
                    id: AttachmentId::from_uuid(id),
                    tenant_id,
                    media_type,
                    size_bytes,
                    sha256,
                    filename,
                    created_at,
                },
                media_id: found.media_id,
            },
        );
        let message = Row {
            id: found.id,
            tenant_id: found.tenant_id,
            sender_number_id: found.sender_number_id,
            lane: found.lane,
            recipient: found.recipient,
            recipient_hash: found.recipient_hash,
            content: found.content,
            attachment_id: found.attachment_id,
            expires_at: found.expires_at,
            created_at: found.created_at,
        };
        let state = state::Row {
            message_id: found.id,
            tenant_id: found.tenant_id,
            base: found.base,
            given_up_at: found.given_up_at,
            given_up: found.given_up,
            wamid: found.wamid,
            attempts: found.attempts,
            resends: found.resends,
            sent_at: found.sent_at,
            delivered_at: found.delivered_at,
            read_at: found.read_at,
            failed_at: found.failed_at,
            failure: found.failure,
            unconfirmed_at: found.unconfirmed_at,
            updated_at: found.updated_at,
        };
        Ok(Self {
            message: message.try_into()?,
            row: state.try_into()?,
            file,
            window_until: found.window_until,
        })
    }
}

/// These messages, those that are stored; no lock is taken.
pub async fn list_sendable(
    connection: &mut Connection,
    ids: &[MessageId],
    now: DateTime<Utc>,
) -> Result<Vec<Sendable>> {
    let ids: Vec<Uuid> = ids.iter().map(MessageId::as_uuid).collect();
    let (first, last) = span(&ids);
    let rows = sqlx::query_as!(
        Found,
        r#"
        SELECT m.id, m.tenant_id, m.sender_number_id, m.lane, m.recipient, m.recipient_hash, m.content, m.attachment_id, m.expires_at,
               m.created_at,
               s.base, s.given_up_at, s.given_up, s.wamid, s.attempts, s.resends, s.sent_at, s.delivered_at, s.read_at, s.failed_at,
               s.failure, s.unconfirmed_at, s.updated_at,
               a.media_type AS "media_type?", a.size_bytes AS "size_bytes?", a.sha256 AS "sha256?",
               a.filename AS "filename?", a.created_at AS "file_created_at?",
               u.media_id AS "media_id?", w.expires_at AS "window_until?"
        FROM messages AS m JOIN message_state AS s ON s.message_id = m.id
        -- One probe for each: with the OFFSET a join cannot read a whole table instead.
        LEFT JOIN LATERAL (SELECT * FROM attachments WHERE id = m.attachment_id OFFSET 0) AS a ON true
        LEFT JOIN LATERAL (
            SELECT * FROM media_uploads
            WHERE attachment_id = m.attachment_id AND sender_number_id = m.sender_number_id AND expires_at > $2 OFFSET 0) AS u ON true
        LEFT JOIN LATERAL (
            SELECT * FROM conversation_windows
            WHERE sender_number_id = m.sender_number_id AND contact_hash = m.recipient_hash OFFSET 0) AS w ON true
        WHERE m.id = ANY ($1) AND m.id BETWEEN $3 AND $4 AND s.message_id = ANY ($1)
        "#,
        &ids,
        now,
        first,
        last
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Sendable::try_from).collect()
}
