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

/// Stores these or replaces those of the same file and number; the last to expire counts. Of a file that is no longer known
/// there is nothing to be stored.
pub async fn upsert_media_uploads(
    connection: &mut Connection,
    uploads: &[MediaUpload],
) -> Result<()> {
    if uploads.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO media_uploads (attachment_id, sender_number_id, tenant_id, media_id, expires_at)
        SELECT DISTINCT ON (item.attachment_id, item.sender_number_id) item.*
        FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])
            AS item (attachment_id, sender_number_id, tenant_id, media_id, expires_at)
        WHERE EXISTS (SELECT FROM attachments AS a WHERE a.id = item.attachment_id)
        ORDER BY item.attachment_id, item.sender_number_id, item.expires_at DESC
        ON CONFLICT ON CONSTRAINT media_uploads_pkey DO UPDATE SET media_id = excluded.media_id, expires_at = excluded.expires_at
        "#,
        &uploads.iter().map(|it| it.attachment_id.as_uuid()).collect::<Vec<_>>(),
        &uploads.iter().map(|it| it.sender_number_id.as_uuid()).collect::<Vec<_>>(),
        &uploads.iter().map(|it| it.tenant_id.as_uuid()).collect::<Vec<_>>(),
        &uploads.iter().map(|it| it.media_id.clone()).collect::<Vec<_>>(),
        &uploads.iter().map(|it| it.expires_at).collect::<Vec<_>>()
    )
    .execute(connection)
    .await?;
    Ok(())
}
