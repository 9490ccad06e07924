use chrono::{DateTime, Utc};
use domain::{PARTITIONS, Scope, WorkKind};
use uuid::Uuid;

use super::insert::signal;
use crate::{Connection, Result, error::parse};

/// Why something waits, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    pub state: String,
    pub due_at: DateTime<Utc>,
    pub reason: Option<String>,
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

/// The cause was mended: what was paused for this scope goes on, work held for it waits no longer. Returns how much was freed.
pub async fn resume(connection: &mut Connection, scope: &Scope, now: DateTime<Utc>) -> Result<u64> {
    lock_scope(connection, scope).await?;
    let lifted = sqlx::query!("DELETE FROM pauses WHERE scope = $1", scope.as_str())
        .execute(&mut *connection)
        .await?
        .rows_affected();
    let held = wake_held(connection, std::slice::from_ref(scope), now).await?;
    if lifted > 0 {
        signal_sends(connection).await?;
    }
    Ok(lifted + held)
}

/// Work held for these scopes waits no longer. Returns how much there was.
pub(super) async fn wake_held(
    connection: &mut Connection,
    scopes: &[Scope],
    now: DateTime<Utc>,
) -> Result<u64> {
    let scopes: Vec<String> = scopes.iter().map(|s| s.as_str().to_owned()).collect();
    let rows = sqlx::query!(
        r#"
        UPDATE work SET state = 'waiting', hold_scope = NULL, reason = NULL, due_at = $2
        WHERE hold_scope = ANY ($1) AND state = 'held' RETURNING kind, partition
        "#,
        &scopes,
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

/// Wakes whoever may send: which flows a scope concerns is not known here.
pub(super) async fn signal_sends(connection: &mut Connection) -> Result<()> {
    let places = (0..PARTITIONS).map(|partition| (WorkKind::Send, partition));
    signal(connection, places).await
}

/// What the work of this kind on this subject waits for; `None` if there is no such work. `scopes` are those that it depends on.
pub async fn find_wait(
    connection: &mut Connection,
    kind: WorkKind,
    subject: Uuid,
    scopes: &[Scope],
) -> Result<Option<Wait>> {
    let scopes: Vec<String> = scopes.iter().map(|s| s.as_str().to_owned()).collect();
    let row = sqlx::query!(
        r#"
        SELECT w.state, w.due_at,
               coalesce((SELECT p.reason FROM pauses AS p WHERE p.scope = ANY ($3) ORDER BY p.paused_at LIMIT 1), w.reason) AS reason
        FROM work AS w WHERE w.kind = $1 AND w.subject = $2
        "#,
        kind.as_str(),
        subject,
        &scopes
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Wait {
        state: row.state,
        due_at: row.due_at,
        reason: row.reason,
    }))
}
