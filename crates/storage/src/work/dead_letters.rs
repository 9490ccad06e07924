use chrono::{DateTime, Utc};
use domain::{FlowId, TenantId, WorkId, WorkKind};
use uuid::Uuid;

use super::insert::signal;
use crate::{Connection, Result, error::parse};

/// Work that was given up, kept until somebody replays or forgets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub id: WorkId,
    pub kind: WorkKind,
    pub subject: Uuid,
    pub tenant_id: Option<TenantId>,
    pub attempt: i32,
    pub reason: String,
    pub died_at: DateTime<Utc>,
}

/// The latest dead letters of a kind.
pub async fn list_dead_letters(
    connection: &mut Connection,
    kind: WorkKind,
    limit: i64,
) -> Result<Vec<DeadLetter>> {
    let rows = sqlx::query!(
        r#"
        SELECT id, kind, subject, tenant_id, attempt, reason, died_at FROM dead_letters
        WHERE kind = $1 ORDER BY died_at DESC LIMIT $2
        "#,
        kind.as_str(),
        limit
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(DeadLetter {
                id: WorkId::from_uuid(row.id),
                kind: parse("dead_letters.kind", &row.kind)?,
                subject: row.subject,
                tenant_id: row.tenant_id.map(TenantId::from_uuid),
                attempt: row.attempt,
                reason: row.reason,
                died_at: row.died_at,
            })
        })
        .collect()
}

/// Puts dead letters back to work with a fresh retry budget. The attempt number goes on, so old hints stay stale.
pub async fn replay_dead_letters(
    connection: &mut Connection,
    work: &[WorkId],
    now: DateTime<Utc>,
) -> Result<u64> {
    let rows = sqlx::query!(
        r#"
        WITH risen AS (DELETE FROM dead_letters WHERE id = ANY ($1) RETURNING *),
        partitioned AS (SELECT risen.*, item.partition FROM risen JOIN UNNEST($1::uuid[], $2::smallint[]) AS item (id, partition) USING (id))
        INSERT INTO work (id, kind, flow, partition, lane, subject, tenant_id, pair, state, due_at, attempt, traceparent, created_at)
        SELECT id, kind, flow, partition, lane, subject, tenant_id, pair, 'waiting', $3, attempt, traceparent, created_at FROM partitioned
        ON CONFLICT ON CONSTRAINT work_subject_key DO NOTHING
        RETURNING kind, partition
        "#,
        &work.iter().map(WorkId::as_uuid).collect::<Vec<_>>(),
        &partitions_of(&mut *connection, work).await?,
        now
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut places = Vec::with_capacity(rows.len());
    for row in &rows {
        places.push((parse::<WorkKind>("work.kind", &row.kind)?, row.partition));
    }
    signal(connection, places.into_iter()).await?;
    Ok(rows.len() as u64)
}

/// The partition is a function of the flow that only `domain` knows.
async fn partitions_of(connection: &mut Connection, work: &[WorkId]) -> Result<Vec<i16>> {
    let ids: Vec<Uuid> = work.iter().map(WorkId::as_uuid).collect();
    let rows = sqlx::query!(
        "SELECT id, flow FROM dead_letters WHERE id = ANY ($1)",
        &ids
    )
    .fetch_all(connection)
    .await?;
    Ok(ids
        .iter()
        .map(|id| {
            rows.iter()
                .find(|row| row.id == *id)
                .map_or(0, |row| FlowId::from_uuid(row.flow).partition())
        })
        .collect())
}
