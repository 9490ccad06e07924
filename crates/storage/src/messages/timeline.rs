use chrono::{DateTime, Utc};
use domain::{MessageId, TenantId};
use uuid::Uuid;

use crate::{Connection, Result};

/// Something that happened to a message, to remember.
#[derive(Debug, Clone)]
pub struct NewTimelineEntry {
    pub message_id: MessageId,
    pub tenant_id: TenantId,
    pub at: DateTime<Utc>,
    pub kind: &'static str,
    /// Ids, codes and counts: never patient data.
    pub detail: serde_json::Value,
}

/// Something that happened to a message.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineEntry {
    pub at: DateTime<Utc>,
    pub kind: String,
    pub detail: serde_json::Value,
}

pub async fn insert_timeline(
    connection: &mut Connection,
    entries: &[NewTimelineEntry],
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO timeline (message_id, id, tenant_id, at, kind, detail)
        SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::jsonb[])
        "#,
        &entries.iter().map(|e| e.message_id.as_uuid()).collect::<Vec<_>>(),
        &entries.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        &entries.iter().map(|e| e.tenant_id.as_uuid()).collect::<Vec<_>>(),
        &entries.iter().map(|e| e.at).collect::<Vec<_>>(),
        &entries.iter().map(|e| e.kind.to_owned()).collect::<Vec<_>>(),
        &entries.iter().map(|e| e.detail.clone()).collect::<Vec<_>>()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What happened to a message, in the order in which it was learned.
pub async fn list_timeline(
    connection: &mut Connection,
    message: MessageId,
) -> Result<Vec<TimelineEntry>> {
    Ok(sqlx::query_as!(
        TimelineEntry,
        "SELECT at, kind, detail FROM timeline WHERE message_id = $1 ORDER BY id",
        message.as_uuid()
    )
    .fetch_all(connection)
    .await?)
}

/// How many attempts of a message ended with this code of the provider.
pub async fn count_attempts(
    connection: &mut Connection,
    message: MessageId,
    code: i64,
) -> Result<u32> {
    let count = sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM timeline
        WHERE message_id = $1 AND kind = 'attempt' AND detail -> 'code' = to_jsonb($2::bigint)
        "#,
        message.as_uuid(),
        code
    )
    .fetch_one(connection)
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
