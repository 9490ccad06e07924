use chrono::{DateTime, Utc};
use domain::{MessageId, MessageState, TenantId};

use crate::{Connection, Result, error::parse};

/// Which of a tenant's messages to list; times are of acceptance, `until` exclusive.
#[derive(Debug, Clone)]
pub struct HistoryFilter {
    pub tenant_id: TenantId,
    pub state: Option<MessageState>,
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub limit: i64,
    pub offset: i64,
}

/// A message in a list; `recipient` and `content` are sealed.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    pub id: MessageId,
    pub state: MessageState,
    pub recipient: Vec<u8>,
    pub content: Vec<u8>,
    pub has_attachment: bool,
    pub failure: Option<serde_json::Value>,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub read_at: Option<DateTime<Utc>>,
    pub doubt: Option<Doubt>,
}

/// Of a message in doubt: since when, and whether its send waits for somebody's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    pub since: DateTime<Utc>,
    pub is_parked: bool,
}

/// A tenant's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    pub total: i64,
    pub this_month: i64,
    pub reached: i64,
    pub settled: i64,
    pub last_sent_at: Option<DateTime<Utc>>,
}

/// Newest first.
pub async fn list_history(
    connection: &mut Connection,
    filter: &HistoryFilter,
) -> Result<Vec<HistoryRow>> {
    let rows = sqlx::query!(
        r#"
        SELECT m.id, s.state, m.recipient, m.content, m.attachment_id IS NOT NULL AS "has_attachment!",
               coalesce(s.failure, s.given_up) AS failure, m.created_at, s.sent_at, s.delivered_at, s.read_at,
               CASE WHEN s.state = 'unconfirmed' THEN coalesce(s.unconfirmed_at, s.updated_at) END AS doubted_at,
               s.state = 'unconfirmed' AND NOT EXISTS (
                   SELECT FROM work AS w
                   WHERE w.subject = m.id AND w.kind = 'send' AND NOT (w.state = 'held' AND starts_with(w.hold_scope, 'message:'))) AS "is_parked!"
        FROM messages AS m JOIN message_state AS s ON s.message_id = m.id
        WHERE m.tenant_id = $1 AND ($2::text IS NULL OR s.state = $2)
          AND m.id >= uuid_floor(coalesce($3::timestamptz, 'epoch')) AND ($4::timestamptz IS NULL OR m.id < uuid_floor($4))
        ORDER BY m.id DESC LIMIT $5 OFFSET $6
        "#,
        filter.tenant_id.as_uuid(),
        filter.state.map(MessageState::as_str),
        filter.from,
        filter.until,
        filter.limit,
        filter.offset
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(HistoryRow {
                id: MessageId::from_uuid(row.id),
                state: parse("message_state.state", &row.state)?,
                recipient: row.recipient,
                content: row.content,
                has_attachment: row.has_attachment,
                failure: row.failure,
                created_at: row.created_at,
                sent_at: row.sent_at,
                delivered_at: row.delivered_at,
                read_at: row.read_at,
                doubt: row.doubted_at.map(|since| Doubt {
                    since,
                    is_parked: row.is_parked,
                }),
            })
        })
        .collect()
}

/// How many messages the filter matches, whatever its limit and offset.
pub async fn count_history(connection: &mut Connection, filter: &HistoryFilter) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM message_state AS s
        WHERE s.tenant_id = $1 AND ($2::text IS NULL OR s.state = $2)
          AND s.message_id >= uuid_floor(coalesce($3::timestamptz, 'epoch'))
          AND ($4::timestamptz IS NULL OR s.message_id < uuid_floor($4))
        "#,
        filter.tenant_id.as_uuid(),
        filter.state.map(MessageState::as_str),
        filter.from,
        filter.until
    )
    .fetch_one(connection)
    .await?)
}

/// Counts over all of a tenant's messages: settled ones have reached the patient or never will.
pub async fn find_stats(
    connection: &mut Connection,
    tenant: TenantId,
    month: DateTime<Utc>,
) -> Result<Stats> {
    Ok(sqlx::query_as!(
        Stats,
        r#"
        SELECT count(*) AS "total!",
               count(*) FILTER (WHERE message_id >= uuid_floor($2)) AS "this_month!",
               count(*) FILTER (WHERE state IN ('delivered', 'read')) AS "reached!",
               count(*) FILTER (WHERE state IN ('delivered', 'read', 'failed', 'expired')) AS "settled!",
               max(sent_at) AS last_sent_at
        FROM message_state WHERE tenant_id = $1
        "#,
        tenant.as_uuid(),
        month
    )
    .fetch_one(connection)
    .await?)
}
