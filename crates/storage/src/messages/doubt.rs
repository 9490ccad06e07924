use chrono::{DateTime, Utc};
use domain::{MessageId, TenantId};

use super::Doubt;
use crate::{Connection, Result};

/// How much is in doubt, over all tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubts {
    pub unconfirmed: i64,
    /// Of these, how many wait for somebody's decision: their send is held for it, or was given up.
    pub parked: i64,
    /// Since when the one among them is in doubt that has been so longest.
    pub parked_since: Option<DateTime<Utc>>,
}

/// A message in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InDoubt {
    pub message_id: MessageId,
    pub tenant_id: TenantId,
    pub doubt: Doubt,
    pub resends: i32,
    /// When the tenant's policy applies, if nobody decides and nothing is heard.
    pub due_at: Option<DateTime<Utc>>,
}

pub async fn count_doubts(connection: &mut Connection) -> Result<Doubts> {
    Ok(sqlx::query_as!(
        Doubts,
        r#"
        SELECT count(*) AS "unconfirmed!",
               count(*) FILTER (WHERE doubt.is_parked) AS "parked!",
               min(doubt.unconfirmed_at) FILTER (WHERE doubt.is_parked) AS parked_since
        FROM (
            SELECT s.unconfirmed_at, w.id IS NULL OR w.state = 'held' AND starts_with(w.hold_scope, 'message:') AS is_parked
            FROM message_state AS s LEFT JOIN LATERAL (SELECT * FROM work WHERE subject = s.message_id AND kind = 'send' OFFSET 0) AS w ON true
            WHERE s.unconfirmed_at IS NOT NULL AND s.state = 'unconfirmed') AS doubt
        "#
    )
    .fetch_one(connection)
    .await?)
}

/// The messages in doubt, those first that have been so longest.
pub async fn list_in_doubt(
    connection: &mut Connection,
    only_parked: bool,
    limit: i64,
) -> Result<Vec<InDoubt>> {
    let rows = sqlx::query!(
        r#"
        SELECT s.message_id, s.tenant_id, s.unconfirmed_at AS "unconfirmed_at!", s.resends,
               w.id IS NULL OR w.state = 'held' AND starts_with(w.hold_scope, 'message:') AS "is_parked!",
               CASE WHEN w.state = 'waiting' THEN w.due_at END AS due_at
        FROM message_state AS s
        LEFT JOIN LATERAL (SELECT * FROM work WHERE subject = s.message_id AND kind = 'send' OFFSET 0) AS w ON true
        WHERE s.unconfirmed_at IS NOT NULL AND s.state = 'unconfirmed'
          AND (NOT $1 OR w.id IS NULL OR w.state = 'held' AND starts_with(w.hold_scope, 'message:'))
        ORDER BY s.unconfirmed_at, s.message_id LIMIT $2
        "#,
        only_parked,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| InDoubt {
            message_id: MessageId::from_uuid(row.message_id),
            tenant_id: TenantId::from_uuid(row.tenant_id),
            doubt: Doubt {
                since: row.unconfirmed_at,
                is_parked: row.is_parked,
            },
            resends: row.resends,
            due_at: row.due_at,
        })
        .collect())
}
