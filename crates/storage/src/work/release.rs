use chrono::{DateTime, Utc};
use domain::{FlowId, Lane, WorkId, WorkKind};
use uuid::Uuid;

use super::by_id;
use crate::{Connection, Error, Result};

/// A flow and lane in which something waits, and since or until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingFlow {
    pub flow: FlowId,
    pub lane: Lane,
    pub first_due_at: DateTime<Utc>,
}

/// How much of a flow is out of our hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    pub flow: FlowId,
    /// Released or claimed.
    pub out: u32,
    /// Of these, not acted on yet: what may still happen all at once.
    pub unused: u32,
    /// The pair of each that is unused and has one.
    pub unused_pairs: Vec<Vec<u8>>,
}

impl InFlight {
    pub const fn none(flow: FlowId) -> Self {
        Self {
            flow,
            out: 0,
            unused: 0,
            unused_pairs: Vec::new(),
        }
    }

    /// How many that are unused go to this pair.
    pub fn count_unused(&self, pair: &[u8]) -> u32 {
        let of_pair = self.unused_pairs.iter().filter(|it| *it == pair);
        u32::try_from(of_pair.count()).unwrap_or(u32::MAX)
    }
}

/// How many of a flow may be picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowPermits {
    pub flow: FlowId,
    pub permits: u32,
}

/// Due work that may be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub id: WorkId,
    pub flow: FlowId,
    pub attempt: i32,
    pub pair: Option<Vec<u8>>,
    pub traceparent: Option<String>,
}

/// The flows of these partitions in which something waits. Costs one index probe a flow and lane, whatever their backlog.
pub async fn list_waiting_flows(
    connection: &mut Connection,
    kind: WorkKind,
    partitions: &[i16],
) -> Result<Vec<WaitingFlow>> {
    let rows = sqlx::query!(
        r#"
        SELECT waiting.flow AS "flow!", waiting.lane AS "lane!", waiting.due_at AS "due_at!"
        FROM UNNEST($2::smallint[]) AS owned (partition)
        CROSS JOIN LATERAL (
            -- A loose index scan: from each (flow, lane) straight to the next.
            WITH RECURSIVE step AS (
                (SELECT w.flow, w.lane, w.due_at FROM work AS w
                 WHERE w.kind = $1 AND w.partition = owned.partition AND w.phase = 'waiting'
                 ORDER BY w.flow, w.lane, w.due_at LIMIT 1)
                UNION ALL
                SELECT next.flow, next.lane, next.due_at FROM step CROSS JOIN LATERAL (
                    SELECT w.flow, w.lane, w.due_at FROM work AS w
                    WHERE w.kind = $1 AND w.partition = owned.partition AND w.phase = 'waiting'
                      AND (w.flow, w.lane) > (step.flow, step.lane)
                    ORDER BY w.flow, w.lane, w.due_at LIMIT 1) AS next
            )
            SELECT * FROM step
        ) AS waiting
        "#,
        kind.as_str(),
        partitions
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let lane = Lane::try_from(row.lane).map_err(|_| Error::Unreadable {
                column: "work.lane",
            })?;
            Ok(WaitingFlow {
                flow: FlowId::from_uuid(row.flow),
                lane,
                first_due_at: row.due_at,
            })
        })
        .collect()
}

/// What of these partitions is released or claimed, by flow.
pub async fn list_in_flight(
    connection: &mut Connection,
    kind: WorkKind,
    partitions: &[i16],
) -> Result<Vec<InFlight>> {
    let rows = sqlx::query!(
        r#"
        SELECT flow, count(*) AS "out!", count(*) FILTER (WHERE unused) AS "unused!",
               coalesce(array_agg(pair) FILTER (WHERE unused AND pair IS NOT NULL), '{}') AS "unused_pairs!"
        FROM (SELECT *, state = 'released' OR NOT begun AS unused FROM work) AS work
        WHERE kind = $1 AND partition = ANY ($2) AND phase = 'out'
        GROUP BY flow
        "#,
        kind.as_str(),
        partitions
    )
    .fetch_all(connection)
    .await?;
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(rows
        .into_iter()
        .map(|row| InFlight {
            flow: FlowId::from_uuid(row.flow),
            out: count(row.out),
            unused: count(row.unused),
            unused_pairs: row.unused_pairs,
        })
        .collect())
}

/// How much of these partitions is released and nobody has claimed.
pub async fn count_released(
    connection: &mut Connection,
    kind: WorkKind,
    partitions: &[i16],
) -> Result<u32> {
    let count = sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM work
        WHERE kind = $1 AND partition = ANY ($2) AND phase = 'out' AND state = 'released'
        "#,
        kind.as_str(),
        partitions
    )
    .fetch_one(connection)
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Due work of each flow, no more than its permits, reply before report before bulk and oldest first.
/// Takes no lock: the owner of a partition is alone in releasing it, and `release` looks at the state again.
pub async fn pick_due(
    connection: &mut Connection,
    kind: WorkKind,
    flows: &[FlowPermits],
    now: DateTime<Utc>,
) -> Result<Vec<Candidate>> {
    let rows = sqlx::query!(
        r#"
        SELECT picked.id, wanted.flow AS "flow!", picked.attempt, picked.pair, picked.traceparent
        FROM UNNEST($2::uuid[], $3::smallint[], $4::bigint[]) AS wanted (flow, partition, permits)
        CROSS JOIN LATERAL (
            SELECT due.* FROM UNNEST('{0,1,2}'::smallint[]) AS lanes (lane)
            CROSS JOIN LATERAL (
                SELECT w.id, w.lane, w.due_at, w.attempt, w.pair, w.traceparent FROM work AS w
                WHERE w.kind = $1 AND w.partition = wanted.partition AND w.flow = wanted.flow AND w.lane = lanes.lane
                  AND w.phase = 'waiting' AND w.due_at <= $5
                ORDER BY w.due_at, w.id LIMIT wanted.permits
            ) AS due
            ORDER BY due.lane, due.due_at, due.id LIMIT wanted.permits
        ) AS picked
        "#,
        kind.as_str(),
        &flows.iter().map(|f| f.flow.as_uuid()).collect::<Vec<_>>(),
        &flows.iter().map(|f| f.flow.partition()).collect::<Vec<_>>(),
        &flows.iter().map(|f| i64::from(f.permits)).collect::<Vec<_>>(),
        now
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Candidate {
            id: WorkId::from_uuid(row.id),
            flow: FlowId::from_uuid(row.flow),
            attempt: row.attempt,
            pair: row.pair,
            traceparent: row.traceparent,
        })
        .collect())
}

/// Marks work as released, if `owner` still owns its partition. Returns what was released. Nobody waits until the disk has it:
/// what a crash of the server takes back waits as it did, and its hint claims nothing.
pub async fn release(
    connection: &mut Connection,
    owner: Uuid,
    work: &[WorkId],
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> Result<Vec<WorkId>> {
    let rows = sqlx::query!(
        r#"
        UPDATE work SET state = 'released', lease_until = $3, reason = NULL
        WHERE id = ANY (ARRAY(
            SELECT w.id FROM work AS w
            JOIN partition_owners AS o ON o.kind = w.kind AND o.partition = w.partition AND o.owner_id = $2 AND o.lease_until > $4
            WHERE w.id = ANY ($1) AND w.state = 'waiting'
            -- Whoever has it locked is about to cancel it; if not, the next turn finds it.
            FOR UPDATE OF w SKIP LOCKED
            -- Until this is committed nobody takes the partition, so that the next owner sees all that was released.
            FOR SHARE OF o))
        RETURNING id, set_config('synchronous_commit', 'off', true) AS commits
        "#,
        &work.iter().map(WorkId::as_uuid).collect::<Vec<_>>(),
        owner,
        lease_until,
        now
    )
    .fetch_all(connection)
    .await?;
    let ids = rows.into_iter().map(|row| WorkId::from_uuid(row.id));
    Ok(ids.collect())
}

/// Moves the due instant of waiting or just released work: its recipient's pair limit, or a hint that could not be published.
pub async fn postpone(
    connection: &mut Connection,
    work: &[(WorkId, DateTime<Utc>)],
    reason: &str,
) -> Result<()> {
    let (ids, due) = by_id(work);
    sqlx::query!(
        r#"
        UPDATE work SET state = 'waiting', lease_until = NULL, due_at = ($2::timestamptz[])[width_bucket(id, $1)], reason = $3
        WHERE id = ANY ($1::uuid[]) AND state IN ('waiting', 'released')
        "#,
        &ids,
        &due,
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}
