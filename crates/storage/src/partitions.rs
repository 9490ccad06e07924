//! Time partitions, created ahead and dropped by retention, and what else goes with age.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{Connection, Error, Result};

/// Makes the monthly partitions up to this instant; returns how many were made.
pub async fn ensure_partitions(
    connection: &mut Connection,
    ahead_until: DateTime<Utc>,
) -> Result<i32> {
    Ok(
        sqlx::query_scalar!(r#"SELECT ensure_partitions($1) AS "created!""#, ahead_until)
            .fetch_one(connection)
            .await?,
    )
}

/// Rows that one call of `forget` deletes at most of each table.
const FORGOTTEN: i64 = 5_000;

/// Deletes a batch of what goes with the months that lie wholly before this instant: states, keys, unmatched statuses.
/// Returns how many rows; to be called, each time in a transaction of its own, until there are none. Refused for an instant
/// less than 31 days ago.
pub async fn forget(
    connection: &mut Connection,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    if before > now - TimeDelta::days(31) {
        return Err(Error::Refused("retention must keep at least 31 days"));
    }
    let states = sqlx::query!(
        r#"
        DELETE FROM message_state WHERE message_id IN (
            SELECT message_id FROM message_state
            WHERE message_id < uuid_floor(date_trunc('month', $1::timestamptz, 'UTC')) LIMIT $2)
        "#,
        before,
        FORGOTTEN
    )
    .execute(&mut *connection)
    .await?;
    let keys = sqlx::query!(
        r#"
        DELETE FROM idempotency_keys WHERE (tenant_id, key) IN (
            SELECT tenant_id, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2)
        "#,
        before,
        FORGOTTEN
    )
    .execute(&mut *connection)
    .await?;
    let statuses = sqlx::query!(
        "DELETE FROM unmatched_statuses WHERE id IN (SELECT id FROM unmatched_statuses WHERE received_at < $1 LIMIT $2)",
        before,
        FORGOTTEN
    )
    .execute(connection)
    .await?;
    Ok(states.rows_affected() + keys.rows_affected() + statuses.rows_affected())
}

/// Drops the partitions that lie wholly before this instant, after `forget`: a short transaction, because it locks the tables.
/// Refused for an instant less than 31 days ago. Returns how many partitions were dropped.
pub async fn drop_partitions(connection: &mut Connection, before: DateTime<Utc>) -> Result<i32> {
    Ok(
        sqlx::query_scalar!(r#"SELECT drop_partitions($1) AS "dropped!""#, before)
            .fetch_one(connection)
            .await?,
    )
}

/// Forgets windows that have closed.
pub async fn drop_closed_windows(connection: &mut Connection, now: DateTime<Utc>) -> Result<u64> {
    Ok(sqlx::query!(
        "DELETE FROM conversation_windows WHERE expires_at < $1",
        now
    )
    .execute(connection)
    .await?
    .rows_affected())
}

/// The first and the last of these ids. A list of ids alone has every month looked at for each of them; with a condition on both
/// ends, only the months in which they lie.
pub(crate) fn span(ids: &[Uuid]) -> (Uuid, Uuid) {
    let first = ids.iter().min().copied().unwrap_or_default();
    (first, ids.iter().max().copied().unwrap_or_default())
}
