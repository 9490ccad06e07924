use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::{FlowId, Lane, MessageId, TenantId, WorkId, WorkKind};
use uuid::Uuid;

use super::insert::signal;
use crate::{Connection, Error, Result, error::parse};

/// Work that was given up, kept until somebody replays or discards it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub id: WorkId,
    pub kind: WorkKind,
    pub flow: FlowId,
    pub lane: Lane,
    pub subject: Uuid,
    pub tenant_id: Option<TenantId>,
    /// The message that it is about, if it is about one.
    pub message_id: Option<MessageId>,
    pub pair: Option<Vec<u8>>,
    pub attempt: i32,
    pub reason: String,
    pub traceparent: Option<String>,
    pub created_at: DateTime<Utc>,
    pub died_at: DateTime<Utc>,
}

/// Which dead letters: those that all of it fits.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    pub tenant_id: Option<TenantId>,
    pub kind: Option<WorkKind>,
    /// A part of the reason, whatever its case.
    pub reason: Option<String>,
    pub died_before: Option<DateTime<Utc>>,
    pub died_after: Option<DateTime<Utc>>,
}

impl DeadLetterFilter {
    /// Whether it finds every dead letter, of one tenant or all.
    pub fn is_open(&self) -> bool {
        self.kind.is_none()
            && self.reason.is_none()
            && self.died_before.is_none()
            && self.died_after.is_none()
    }
}

struct Row {
    id: Uuid,
    kind: String,
    flow: Uuid,
    lane: i16,
    subject: Uuid,
    tenant_id: Option<Uuid>,
    message_id: Option<Uuid>,
    pair: Option<Vec<u8>>,
    attempt: i32,
    reason: String,
    traceparent: Option<String>,
    created_at: DateTime<Utc>,
    died_at: DateTime<Utc>,
}

impl TryFrom<Row> for DeadLetter {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: WorkId::from_uuid(row.id),
            kind: parse("dead_letters.kind", &row.kind)?,
            flow: FlowId::from_uuid(row.flow),
            lane: Lane::try_from(row.lane).map_err(|_| Error::Unreadable {
                column: "dead_letters.lane",
            })?,
            subject: row.subject,
            tenant_id: row.tenant_id.map(TenantId::from_uuid),
            message_id: row.message_id.map(MessageId::from_uuid),
            pair: row.pair,
            attempt: row.attempt,
            reason: row.reason,
            traceparent: row.traceparent,
            created_at: row.created_at,
            died_at: row.died_at,
        })
    }
}

/// The latest first, from the one after `after` on: its instant and id.
pub async fn list_dead_letters(
    connection: &mut Connection,
    filter: &DeadLetterFilter,
    after: Option<(DateTime<Utc>, WorkId)>,
    limit: i64,
) -> Result<Vec<DeadLetter>> {
    let (after_at, after_id) = after.unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT l.id, l.kind, l.flow, l.lane, l.subject, l.tenant_id, l.pair, l.attempt, l.reason, l.traceparent, l.created_at, l.died_at,
               CASE l.kind WHEN 'send' THEN l.subject
                           WHEN 'callback' THEN (SELECT d.message_id FROM callback_deliveries AS d WHERE d.id = l.subject) END AS message_id
        FROM dead_letters AS l
        WHERE ($1::uuid IS NULL OR l.tenant_id = $1) AND ($2::text IS NULL OR l.kind = $2)
          AND ($3::text IS NULL OR position(lower($3) IN lower(l.reason)) > 0)
          AND ($4::timestamptz IS NULL OR l.died_at < $4) AND ($5::timestamptz IS NULL OR l.died_at > $5)
          AND ($6::timestamptz IS NULL OR (l.died_at, l.id) < ($6, $7::uuid))
        ORDER BY l.died_at DESC, l.id DESC LIMIT $8
        "#,
        filter.tenant_id.map(|id| id.as_uuid()),
        filter.kind.map(WorkKind::as_str),
        filter.reason,
        filter.died_before,
        filter.died_after,
        after_at,
        after_id.map(|id| id.as_uuid()),
        limit
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(DeadLetter::try_from).collect()
}

pub async fn find_dead_letters(
    connection: &mut Connection,
    ids: &[WorkId],
) -> Result<Vec<DeadLetter>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT l.id, l.kind, l.flow, l.lane, l.subject, l.tenant_id, l.pair, l.attempt, l.reason, l.traceparent, l.created_at, l.died_at,
               CASE l.kind WHEN 'send' THEN l.subject
                           WHEN 'callback' THEN (SELECT d.message_id FROM callback_deliveries AS d WHERE d.id = l.subject) END AS message_id
        FROM dead_letters AS l WHERE l.id = ANY ($1)
        "#,
        &ids.iter().map(WorkId::as_uuid).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(DeadLetter::try_from).collect()
}

/// Takes these out of the dead letters. Of two who try it at once one gets each: those returned are the caller's.
pub async fn take_dead_letters(
    connection: &mut Connection,
    ids: &[WorkId],
) -> Result<HashSet<WorkId>> {
    let rows = sqlx::query_scalar!(
        "DELETE FROM dead_letters WHERE id = ANY ($1) RETURNING id",
        &ids.iter().map(WorkId::as_uuid).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(WorkId::from_uuid).collect())
}

/// Makes work of dead letters that were taken, with a fresh retry budget. The attempt number goes on, so old hints stay stale.
/// A subject that has work again needs no other: its letter is let go. Returns what waits now.
pub async fn revive(
    connection: &mut Connection,
    letters: &[&DeadLetter],
    now: DateTime<Utc>,
) -> Result<HashSet<WorkId>> {
    if letters.is_empty() {
        return Ok(HashSet::new());
    }
    let column = |f: fn(&DeadLetter) -> Uuid| letters.iter().map(|l| f(l)).collect::<Vec<_>>();
    let rows = sqlx::query!(
        r#"
        INSERT INTO work (id, kind, flow, partition, lane, subject, tenant_id, pair, attempt, traceparent, created_at, state, due_at,
                          expires_at)
        SELECT item.*, 'waiting', $12, (SELECT m.expires_at FROM messages AS m WHERE item.kind = 'send' AND m.id = item.subject)
        FROM UNNEST($1::uuid[], $2::text[], $3::uuid[], $4::smallint[], $5::smallint[], $6::uuid[], $7::uuid[], $8::bytea[],
                    $9::integer[], $10::text[], $11::timestamptz[])
             AS item (id, kind, flow, partition, lane, subject, tenant_id, pair, attempt, traceparent, created_at)
        ON CONFLICT ON CONSTRAINT work_subject_key DO NOTHING
        RETURNING id, kind, partition
        "#,
        &column(|l| l.id.as_uuid()),
        &letters.iter().map(|l| l.kind.as_str().to_owned()).collect::<Vec<_>>(),
        &column(|l| l.flow.as_uuid()),
        &letters.iter().map(|l| l.flow.partition()).collect::<Vec<_>>(),
        &letters.iter().map(|l| l.lane.as_i16()).collect::<Vec<_>>(),
        &column(|l| l.subject),
        &letters.iter().map(|l| l.tenant_id.map(|id| id.as_uuid())).collect::<Vec<_>>() as _,
        &letters.iter().map(|l| l.pair.clone()).collect::<Vec<_>>() as _,
        &letters.iter().map(|l| l.attempt).collect::<Vec<_>>(),
        &letters.iter().map(|l| l.traceparent.clone()).collect::<Vec<_>>() as _,
        &letters.iter().map(|l| l.created_at).collect::<Vec<_>>(),
        now
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut places = Vec::with_capacity(rows.len());
    for row in &rows {
        places.push((parse::<WorkKind>("work.kind", &row.kind)?, row.partition));
    }
    signal(connection, places.into_iter()).await?;
    Ok(rows.iter().map(|row| WorkId::from_uuid(row.id)).collect())
}

/// How many there are of each kind that there are any of.
pub async fn count_dead_letters(connection: &mut Connection) -> Result<Vec<(WorkKind, i64)>> {
    let rows = sqlx::query!(r#"SELECT kind, count(*) AS "count!" FROM dead_letters GROUP BY kind"#)
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|row| Ok((parse("dead_letters.kind", &row.kind)?, row.count)))
        .collect()
}
