use chrono::{DateTime, Utc};
use domain::{FlowId, Lane, Losses, TenantId, WorkId, WorkKind};
use uuid::Uuid;

use super::{Claim, by_id};
use crate::{Connection, Error, Result, error::parse};

struct Row {
    id: Uuid,
    kind: String,
    flow: Uuid,
    lane: i16,
    subject: Uuid,
    tenant_id: Option<Uuid>,
    attempt: i32,
    failures: i32,
    losses: i32,
    begun: bool,
    traceparent: Option<String>,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for Claim {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: WorkId::from_uuid(row.id),
            kind: parse("work.kind", &row.kind)?,
            flow: FlowId::from_uuid(row.flow),
            lane: Lane::try_from(row.lane).map_err(|_| Error::Unreadable {
                column: "work.lane",
            })?,
            subject: row.subject,
            tenant_id: row.tenant_id.map(TenantId::from_uuid),
            attempt: row.attempt,
            failures: row.failures,
            losses: Losses::of(row.losses),
            begun: row.begun,
            traceparent: row.traceparent,
            created_at: row.created_at,
        })
    }
}

/// Claims released work. The attempt number must be the one in the hint: a redelivered or stale hint claims nothing.
///
/// A claim of what may be done twice is not waited for until the disk has it: a crash of the server takes it back, and
/// another has it then under the same number. Of a send there is one claim of each number, ever.
pub async fn claim(
    connection: &mut Connection,
    work: &[(WorkId, i32)],
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> Result<Vec<Claim>> {
    let (ids, attempts) = by_id(work);
    let rows = sqlx::query_as!(
        Row,
        r#"
        UPDATE work SET state = 'claimed', attempt = attempt + 1, begun = false, lease_until = $4
        WHERE id = ANY (ARRAY(
            SELECT w.id FROM work AS w
            WHERE w.id = ANY ($1::uuid[]) AND w.attempt = ($2::integer[])[width_bucket(w.id, $1)] AND w.state = 'released' AND w.lease_until > $3
              AND set_config('synchronous_commit', CASE w.kind WHEN 'send' THEN current_setting('synchronous_commit') ELSE 'off' END, true) <> ''
            -- Whoever has it locked makes the hint stale: there is nothing to wait for.
            FOR UPDATE OF w SKIP LOCKED))
        RETURNING id, kind, flow, lane, subject, tenant_id, attempt, failures, losses, begun, traceparent, created_at
        "#,
        &ids,
        &attempts,
        now,
        lease_until
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Claim::try_from).collect()
}

/// Claims due work that nobody released, if `owner` still owns its partition: what its releaser keeps for its own process needs
/// no hint. Counts as released and claimed at once; waits for the disk as a claim does.
pub async fn claim_due(
    connection: &mut Connection,
    owner: Uuid,
    work: &[WorkId],
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> Result<Vec<Claim>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        UPDATE work SET state = 'claimed', attempt = attempt + 1, begun = false, lease_until = $3, reason = NULL
        WHERE id = ANY (ARRAY(
            SELECT w.id FROM work AS w
            JOIN partition_owners AS o ON o.kind = w.kind AND o.partition = w.partition AND o.owner_id = $2 AND o.lease_until > $4
            WHERE w.id = ANY ($1) AND w.state = 'waiting'
              AND set_config('synchronous_commit', CASE w.kind WHEN 'send' THEN current_setting('synchronous_commit') ELSE 'off' END, true) <> ''
            -- Whoever has it locked is about to cancel it; if not, the next turn finds it.
            FOR UPDATE OF w SKIP LOCKED
            -- Until this is committed nobody takes the partition, so that the next owner sees all that was claimed.
            FOR SHARE OF o))
        RETURNING id, kind, flow, lane, subject, tenant_id, attempt, failures, losses, begun, traceparent, created_at
        "#,
        &work.iter().map(WorkId::as_uuid).collect::<Vec<_>>(),
        owner,
        lease_until,
        now
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Claim::try_from).collect()
}

/// Records that claims are about to be acted on outside and renews their leases. A claim that is not returned, by id and
/// attempt, is no longer the caller's: it must not act on it.
pub async fn begin(
    connection: &mut Connection,
    claims: &[(WorkId, i32)],
    lease_until: DateTime<Utc>,
) -> Result<Vec<(WorkId, i32)>> {
    let (ids, attempts) = by_id(claims);
    let rows = sqlx::query!(
        r#"
        UPDATE work SET begun = true, lease_until = $3
        WHERE id = ANY ($1::uuid[]) AND attempt = ($2::integer[])[width_bucket(id, $1)] AND state = 'claimed' AND NOT begun
        RETURNING id, attempt
        "#,
        &ids,
        &attempts,
        lease_until
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (WorkId::from_uuid(row.id), row.attempt))
        .collect())
}

/// How many rows one statement of the sweep takes: what is left is taken at the next turn.
const SWEEP: i64 = 1000;

/// Released but never claimed, lease over: waits again. Returns how many.
pub async fn reclaim_released(
    connection: &mut Connection,
    kind: WorkKind,
    partitions: &[i16],
    now: DateTime<Utc>,
) -> Result<u64> {
    let result = sqlx::query!(
        r#"
        UPDATE work SET state = 'waiting', lease_until = NULL
        WHERE id = ANY (ARRAY(
            SELECT id FROM work
            WHERE kind = $1 AND partition = ANY ($2) AND phase = 'out' AND state = 'released' AND lease_until <= $3
            LIMIT $4
            FOR UPDATE SKIP LOCKED))
        "#,
        kind.as_str(),
        partitions,
        now,
        SWEEP
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected())
}

/// How many of the abandoned one call claims at most.
pub const ABANDONED_AT_ONCE: usize = 256;

/// Claimed, lease over: the consumer died or hangs. The loss is counted when what it means is recorded: whoever takes it over may
/// be lost, too, without having tried anything. Claims it anew for the caller, who decides what that means;
/// `begun` tells whether the lost consumer may have acted.
pub async fn claim_abandoned(
    connection: &mut Connection,
    kind: WorkKind,
    partitions: &[i16],
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> Result<Vec<Claim>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        UPDATE work SET attempt = attempt + 1, lease_until = $4
        WHERE id = ANY (ARRAY(
            SELECT id FROM work
            WHERE kind = $1 AND partition = ANY ($2) AND phase = 'out' AND state = 'claimed' AND lease_until <= $3
            LIMIT $5
            -- A consumer that is just recording its outcome goes first.
            FOR UPDATE SKIP LOCKED))
        RETURNING id, kind, flow, lane, subject, tenant_id, attempt, failures, losses + 1 AS "losses!", begun, traceparent, created_at
        "#,
        kind.as_str(),
        partitions,
        now,
        lease_until,
        i64::try_from(ABANDONED_AT_ONCE).unwrap_or(i64::MAX)
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Claim::try_from).collect()
}
