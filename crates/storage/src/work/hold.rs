use chrono::{DateTime, Utc};
use domain::{FlowId, Scope, TenantId, WorkKind};
use uuid::Uuid;

use super::insert::signal;
use crate::{Connection, Result, error::parse};

/// A flow that must not be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFlowPause {
    pub kind: WorkKind,
    pub flow: FlowId,
    pub scope: Scope,
    pub tenant_id: Option<TenantId>,
    pub reason: String,
    /// `None`: until `resume` is called for the scope.
    pub until: Option<DateTime<Utc>>,
}

/// A pause in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowPause {
    pub flow: FlowId,
    pub until: Option<DateTime<Utc>>,
}

/// Why something waits, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub state: String,
    pub due_at: DateTime<Utc>,
    pub reason: Option<String>,
}

/// Pauses flows; a pause of the same scope is prolonged, never shortened.
pub async fn insert_pauses(
    connection: &mut Connection,
    pauses: &[NewFlowPause],
    now: DateTime<Utc>,
) -> Result<()> {
    for pause in pauses {
        sqlx::query!(
            r#"
            INSERT INTO flow_pauses (kind, flow, scope, tenant_id, reason, until, since) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT ON CONSTRAINT flow_pauses_pkey DO UPDATE SET
                reason = excluded.reason,
                until = CASE WHEN flow_pauses.until IS NULL OR excluded.until IS NULL THEN NULL
                             ELSE greatest(flow_pauses.until, excluded.until) END
            "#,
            pause.kind.as_str(),
            pause.flow.as_uuid(),
            pause.scope.as_str(),
            pause.tenant_id.map(|id| id.as_uuid()),
            pause.reason,
            pause.until,
            now
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The pauses in force among these flows; those that have run out are removed.
pub async fn list_pauses(
    connection: &mut Connection,
    kind: WorkKind,
    flows: &[FlowId],
    now: DateTime<Utc>,
) -> Result<Vec<FlowPause>> {
    let flows: Vec<Uuid> = flows.iter().map(FlowId::as_uuid).collect();
    let rows = sqlx::query!(
        "SELECT flow, until FROM flow_pauses WHERE kind = $1 AND flow = ANY ($2)",
        kind.as_str(),
        &flows
    )
    .fetch_all(&mut *connection)
    .await?;
    let over = rows
        .iter()
        .any(|row| row.until.is_some_and(|until| until <= now));
    if over {
        sqlx::query!(
            "DELETE FROM flow_pauses WHERE kind = $1 AND flow = ANY ($2) AND until <= $3",
            kind.as_str(),
            &flows,
            now
        )
        .execute(connection)
        .await?;
    }
    Ok(rows
        .into_iter()
        .filter(|row| row.until.is_none_or(|until| until > now))
        .map(|row| FlowPause {
            flow: FlowId::from_uuid(row.flow),
            until: row.until,
        })
        .collect())
}

/// Serialises pausing for a cause with mending it: whoever comes second sees the first. Held to the end of the transaction.
pub async fn lock_scope(connection: &mut Connection, scope: &Scope) -> Result<()> {
    sqlx::query!(
        r#"SELECT pg_advisory_xact_lock(hashtextextended($1, 0)) AS "locked: ()""#,
        scope.as_str()
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// The cause was mended: flows paused for this scope go on, work held for it waits no longer. Returns how much was freed.
pub async fn resume(connection: &mut Connection, scope: &Scope, now: DateTime<Utc>) -> Result<u64> {
    lock_scope(connection, scope).await?;
    let flows = sqlx::query!(
        "DELETE FROM flow_pauses WHERE scope = $1 RETURNING kind, flow",
        scope.as_str()
    )
    .fetch_all(&mut *connection)
    .await?;
    let held = sqlx::query!(
        r#"
        UPDATE work SET state = 'waiting', hold_scope = NULL, reason = NULL, due_at = $2
        WHERE hold_scope = $1 AND state = 'held' RETURNING kind, flow
        "#,
        scope.as_str(),
        now
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut places = Vec::new();
    for (kind, flow) in flows
        .iter()
        .map(|r| (&r.kind, r.flow))
        .chain(held.iter().map(|r| (&r.kind, r.flow)))
    {
        places.push((
            parse::<WorkKind>("work.kind", kind)?,
            FlowId::from_uuid(flow).partition(),
        ));
    }
    signal(connection, places.into_iter()).await?;
    Ok((flows.len() + held.len()) as u64)
}

/// What the work of this kind on this subject waits for; `None` if there is no such work.
pub async fn find_wait(
    connection: &mut Connection,
    kind: WorkKind,
    subject: Uuid,
) -> Result<Option<Wait>> {
    let row = sqlx::query!(
        r#"
        SELECT w.state, w.due_at,
               coalesce((SELECT p.reason FROM flow_pauses AS p WHERE p.kind = w.kind AND p.flow = w.flow ORDER BY p.since LIMIT 1), w.reason) AS reason
        FROM work AS w WHERE w.kind = $1 AND w.subject = $2
        "#,
        kind.as_str(),
        subject
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Wait {
        state: row.state,
        due_at: row.due_at,
        reason: row.reason,
    }))
}
