//! What is known of report files, and the ids that providers gave them.

use chrono::{DateTime, Utc};
use domain::{AttachmentId, SenderNumberId, TenantId};

use crate::{Connection, Result};

/// A file in the object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub id: AttachmentId,
    pub tenant_id: TenantId,
    pub media_type: String,
    pub size_bytes: i64,
    pub sha256: Vec<u8>,
    /// Sealed.
    pub filename: Vec<u8>,
    pub created_at: DateTime<Utc>,
}

pub async fn insert_attachments(
    connection: &mut Connection,
    attachments: &[Attachment],
) -> Result<()> {
    if attachments.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO attachments (id, tenant_id, media_type, size_bytes, sha256, filename, created_at)
        SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bytea[], $6::bytea[], $7::timestamptz[])
        "#,
        &attachments.iter().map(|a| a.id.as_uuid()).collect::<Vec<_>>(),
        &attachments.iter().map(|a| a.tenant_id.as_uuid()).collect::<Vec<_>>(),
        &attachments.iter().map(|a| a.media_type.clone()).collect::<Vec<_>>(),
        &attachments.iter().map(|a| a.size_bytes).collect::<Vec<_>>(),
        &attachments.iter().map(|a| a.sha256.clone()).collect::<Vec<_>>(),
        &attachments.iter().map(|a| a.filename.clone()).collect::<Vec<_>>(),
        &attachments.iter().map(|a| a.created_at).collect::<Vec<_>>()
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn find_attachment(
    connection: &mut Connection,
    id: AttachmentId,
) -> Result<Option<Attachment>> {
    let row = sqlx::query!(
        "SELECT id, tenant_id, media_type, size_bytes, sha256, filename, created_at FROM attachments WHERE id = $1",
        id.as_uuid()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Attachment {
        id: AttachmentId::from_uuid(row.id),
        tenant_id: TenantId::from_uuid(row.tenant_id),
        media_type: row.media_type,
        size_bytes: row.size_bytes,
        sha256: row.sha256,
        filename: row.filename,
        created_at: row.created_at,
    }))
}

/// The provider's id of this file for this number, if it was uploaded and still lives.
pub async fn find_media_upload(
    connection: &mut Connection,
    attachment: AttachmentId,
    number: SenderNumberId,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!(
        "SELECT media_id FROM media_uploads WHERE attachment_id = $1 AND sender_number_id = $2 AND expires_at > $3",
        attachment.as_uuid(),
        number.as_uuid(),
        now
    )
    .fetch_optional(connection)
    .await?)
}

/// Remembers an upload.
#[derive(Debug, Clone)]
pub struct MediaUpload {
    pub attachment_id: AttachmentId,
    pub sender_number_id: SenderNumberId,
    pub tenant_id: TenantId,
    pub media_id: String,
    pub expires_at: DateTime<Utc>,
}

pub async fn upsert_media_upload(connection: &mut Connection, upload: &MediaUpload) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO media_uploads (attachment_id, sender_number_id, tenant_id, media_id, expires_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT ON CONSTRAINT media_uploads_pkey DO UPDATE SET media_id = excluded.media_id, expires_at = excluded.expires_at
        "#,
        upload.attachment_id.as_uuid(),
        upload.sender_number_id.as_uuid(),
        upload.tenant_id.as_uuid(),
        upload.media_id,
        upload.expires_at
    )
    .execute(connection)
    .await?;
    Ok(())
}
