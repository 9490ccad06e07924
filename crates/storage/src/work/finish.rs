use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::{Losses, Scope, WorkId, WorkKind};
use uuid::Uuid;

use super::by_id;
use crate::{Connection, Result, listener::CHANNEL};

/// What becomes of claimed work.
#[derive(Debug, Clone, PartialEq)]
pub enum Disposition {
    Done,
    /// Waits until `due_at`. `failed` spends one of the retry schedule's attempts.
    Retry {
        due_at: DateTime<Utc>,
        failed: bool,
        reason: String,
    },
    /// Waits until the scope is resumed.
    Hold {
        scope: Scope,
        reason: String,
    },
    Dead {
        reason: String,
    },
}

/// A claim and its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    pub id: WorkId,
    pub attempt: i32,
    /// This claim's counted.
    pub losses: Losses,
    pub disposition: Disposition,
}

impl Finished {
    fn key(&self) -> (Uuid, i32) {
        (self.id.as_uuid(), self.attempt)
    }
}

/// Records outcomes and tells the releasers what has room now, or waits again: each statement by itself, as `WorkSignal` says
/// it; a text is passed on once, when the transaction commits. Returns the work whose claim was still the caller's.
pub async fn finish(
    connection: &mut Connection,
    finished: &[Finished],
    now: DateTime<Utc>,
) -> Result<HashSet<WorkId>> {
    // As `by_id` has it.
    let mut finished: Vec<&Finished> = finished.iter().collect();
    finished.sort_unstable_by_key(|it| it.key());
    let mut ours = HashSet::with_capacity(finished.len());
    ours.extend(retry(connection, &finished).await?);
    ours.extend(done(connection, &finished).await?);
    ours.extend(hold(connection, &finished).await?);
    ours.extend(dead(connection, &finished, now).await?);
    Ok(ours.into_iter().map(WorkId::from_uuid).collect())
}

async fn done(connection: &mut Connection, finished: &[&Finished]) -> Result<Vec<Uuid>> {
    let (ids, attempts): (Vec<_>, Vec<_>) = finished
        .iter()
        .filter(|f| f.disposition == Disposition::Done)
        .map(|f| f.key())
        .unzip();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"
        DELETE FROM work
        WHERE id = ANY ($1::uuid[]) AND attempt = ($2::integer[])[width_bucket(id, $1)] AND state = 'claimed'
        RETURNING id, pg_notify($3, kind || ':room:' || partition) AS "told: ()"
        "#,
        &ids,
        &attempts,
        CHANNEL
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

async fn retry(connection: &mut Connection, finished: &[&Finished]) -> Result<Vec<Uuid>> {
    let (mut ids, mut attempts, mut losses) = (vec![], vec![], vec![]);
    let (mut due, mut failed, mut reasons) = (vec![], vec![], vec![]);
    for item in finished {
        if let Disposition::Retry {
            due_at,
            failed: spends,
            reason,
        } = &item.disposition
        {
            let (id, attempt) = item.key();
            ids.push(id);
            attempts.push(attempt);
            losses.push(item.losses.count());
            due.push(*due_at);
            failed.push(i32::from(*spends));
            reasons.push(reason.clone());
        }
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"
        UPDATE work SET state = 'waiting', lease_until = NULL, due_at = ($3::timestamptz[])[width_bucket(id, $1)],
            failures = failures + ($4::integer[])[width_bucket(id, $1)], reason = ($5::text[])[width_bucket(id, $1)],
            losses = ($6::integer[])[width_bucket(id, $1)]
        WHERE id = ANY ($1::uuid[]) AND attempt = ($2::integer[])[width_bucket(id, $1)] AND state = 'claimed'
        RETURNING id, pg_notify($7, kind || ':' || partition) AS "told: ()"
        "#,
        &ids,
        &attempts,
        &due,
        &failed,
        &reasons,
        &losses,
        CHANNEL
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

async fn hold(connection: &mut Connection, finished: &[&Finished]) -> Result<Vec<Uuid>> {
    let (mut ids, mut attempts, mut scopes, mut reasons) = (vec![], vec![], vec![], vec![]);
    for item in finished {
        if let Disposition::Hold { scope, reason } = &item.disposition {
            let (id, attempt) = item.key();
            ids.push(id);
            attempts.push(attempt);
            scopes.push(scope.as_str().to_owned());
            reasons.push(reason.clone());
        }
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"
        UPDATE work SET state = 'held', lease_until = NULL, hold_scope = ($3::text[])[width_bucket(id, $1)],
            reason = ($4::text[])[width_bucket(id, $1)]
        WHERE id = ANY ($1::uuid[]) AND attempt = ($2::integer[])[width_bucket(id, $1)] AND state = 'claimed'
        RETURNING id, pg_notify($5, kind || ':room:' || partition) AS "told: ()"
        "#,
        &ids,
        &attempts,
        &scopes,
        &reasons,
        CHANNEL
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

async fn dead(
    connection: &mut Connection,
    finished: &[&Finished],
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>> {
    let (mut ids, mut attempts, mut reasons) = (vec![], vec![], vec![]);
    for item in finished {
        if let Disposition::Dead { reason } = &item.disposition {
            let (id, attempt) = item.key();
            ids.push(id);
            attempts.push(attempt);
            reasons.push(reason.clone());
        }
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"
        WITH gone AS (
            DELETE FROM work
            WHERE id = ANY ($1::uuid[]) AND attempt = ($2::integer[])[width_bucket(id, $1)] AND state = 'claimed'
            RETURNING work.*, ($3::text[])[width_bucket(id, $1)] AS cause
        ), buried AS (
            INSERT INTO dead_letters (id, kind, flow, lane, subject, tenant_id, pair, attempt, reason, traceparent, created_at, died_at)
            SELECT id, kind, flow, lane, subject, tenant_id, pair, attempt, cause, traceparent, created_at, $4 FROM gone
        )
        SELECT id, pg_notify($5, kind || ':room:' || partition) AS "told: ()" FROM gone
        "#,
        &ids,
        &attempts,
        &reasons,
        now,
        CHANNEL
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Takes back work that nobody is acting on: its subject was settled by other means. Claimed work is left to its consumer.
pub async fn cancel(connection: &mut Connection, kind: WorkKind, subjects: &[Uuid]) -> Result<u64> {
    if subjects.is_empty() {
        return Ok(0);
    }
    let result = sqlx::query!(
        "DELETE FROM work WHERE kind = $1 AND subject = ANY ($2) AND state <> 'claimed'",
        kind.as_str(),
        subjects
    )
    .execute(connection)
    .await?;
    Ok(result.rows_affected())
}

/// Which of these claims are still the caller's and may have been acted on; locked to the end of the transaction.
pub async fn list_begun(
    connection: &mut Connection,
    claims: &[(WorkId, i32)],
) -> Result<HashSet<WorkId>> {
    let ours = lock_claims(connection, claims).await?;
    let begun = ours.into_iter().filter(|(_, begun)| *begun);
    Ok(begun.map(|(id, _)| id).collect())
}

/// Which of these claims are still the caller's; locked to the end of the transaction.
pub async fn list_claimed(
    connection: &mut Connection,
    claims: &[(WorkId, i32)],
) -> Result<HashSet<WorkId>> {
    let ours = lock_claims(connection, claims).await?;
    Ok(ours.into_iter().map(|(id, _)| id).collect())
}

/// The claims that are still the caller's, and whether they were begun.
async fn lock_claims(
    connection: &mut Connection,
    claims: &[(WorkId, i32)],
) -> Result<Vec<(WorkId, bool)>> {
    let (ids, attempts) = by_id(claims);
    let rows = sqlx::query!(
        r#"
        SELECT id, begun FROM work
        WHERE id = ANY ($1::uuid[]) AND attempt = ($2::integer[])[width_bucket(id, $1)] AND state = 'claimed'
        ORDER BY id FOR UPDATE
        "#,
        &ids,
        &attempts
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|row| (WorkId::from_uuid(row.id), row.begun))
        .collect())
}
