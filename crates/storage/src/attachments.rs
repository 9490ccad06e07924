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

/// The provider's id of a file for a number, until it forgets it.
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
