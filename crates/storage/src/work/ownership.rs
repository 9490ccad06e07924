use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::{PARTITIONS, WorkKind};
use uuid::Uuid;

use super::insert::signal_owners;
use crate::{Connection, Result};

/// What a replica owns after a round of `hold_partitions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// Was its before and still is.
    pub kept: Vec<i16>,
    /// Was nobody's, or another's until then.
    pub taken: Vec<i16>,
    pub replicas: u32,
}

impl Ownership {
    pub fn partitions(&self) -> BTreeSet<i16> {
        self.kept.iter().chain(&self.taken).copied().collect()
    }
}

/// Renews what `replica` owns, gives up what is over its fair share, and takes what is free up to that share. When that
/// changes what the others may have, they are told.
/// The lease must be renewed well before it ends; whoever fails to must stop releasing at `lease_until`.
pub async fn hold_partitions(
    connection: &mut Connection,
    kind: WorkKind,
    replica: Uuid,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
) -> Result<Ownership> {
    let lease = Lease {
        kind,
        replica,
        now,
        until: lease_until,
    };
    lock(connection, kind).await?;
    let came = say_alive(connection, &lease).await?;
    let lost = forget_lost(connection, &lease).await?;
    let replicas = count_replicas(connection, kind).await?.max(1);
    let share = (i64::from(PARTITIONS) + replicas - 1) / replicas;
    let (kept, freed) = keep(connection, &lease, share).await?;
    let wanted = share - i64::try_from(kept.len()).unwrap_or(i64::MAX);
    let taken = if wanted > 0 {
        take(connection, &lease, wanted).await?
    } else {
        Vec::new()
    };
    if came || lost || freed {
        signal_owners(connection, kind).await?;
    }
    Ok(Ownership {
        kept,
        taken,
        replicas: u32::try_from(replicas).unwrap_or(u32::MAX),
    })
}

struct Lease {
    kind: WorkKind,
    replica: Uuid,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// One replica at a time, to the end of the transaction: they would take the same rows, in another order.
async fn lock(connection: &mut Connection, kind: WorkKind) -> Result<()> {
    sqlx::query!(
        r#"SELECT pg_advisory_xact_lock(hashtextextended('labwire.partition_owners.' || $1::text, 0)) AS "locked: ()""#,
        kind.as_str()
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// Says that this replica lives. Returns whether it is new.
async fn say_alive(connection: &mut Connection, lease: &Lease) -> Result<bool> {
    let known = sqlx::query!(
        "UPDATE replicas SET seen_until = $3 WHERE kind = $1 AND id = $2",
        lease.kind.as_str(),
        lease.replica,
        lease.until
    )
    .execute(&mut *connection)
    .await?;
    if known.rows_affected() > 0 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO replicas (kind, id, seen_until) VALUES ($1, $2, $3)",
        lease.kind.as_str(),
        lease.replica,
        lease.until
    )
    .execute(connection)
    .await?;
    Ok(true)
}

/// Forgets replicas that were not seen for the whole of their lease. Returns whether there were any.
async fn forget_lost(connection: &mut Connection, lease: &Lease) -> Result<bool> {
    let lost = sqlx::query!(
        "DELETE FROM replicas WHERE kind = $1 AND seen_until <= $2",
        lease.kind.as_str(),
        lease.now
    )
    .execute(connection)
    .await?;
    Ok(lost.rows_affected() > 0)
}

async fn count_replicas(connection: &mut Connection, kind: WorkKind) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM replicas WHERE kind = $1"#,
        kind.as_str()
    )
    .fetch_one(connection)
    .await?)
}

/// Renews a fair share of what is owned and frees the rest. Returns what is kept, and whether anything was freed.
async fn keep(connection: &mut Connection, lease: &Lease, share: i64) -> Result<(Vec<i16>, bool)> {
    let rows = sqlx::query!(
        r#"
        WITH mine AS (
            SELECT partition, row_number() OVER (ORDER BY partition) AS place
            FROM partition_owners WHERE kind = $1 AND owner_id = $2 AND lease_until > $3
        ), freed AS (
            DELETE FROM partition_owners AS o USING mine
            WHERE o.kind = $1 AND o.partition = mine.partition AND o.owner_id = $2 AND mine.place > $5
            RETURNING o.partition
        ), kept AS (
            UPDATE partition_owners AS o SET lease_until = $4 FROM mine
            WHERE o.kind = $1 AND o.partition = mine.partition AND o.owner_id = $2 AND mine.place <= $5
            RETURNING o.partition
        )
        SELECT partition AS "partition!", true AS "is_kept!" FROM kept UNION ALL SELECT partition, false FROM freed
        "#,
        lease.kind.as_str(),
        lease.replica,
        lease.now,
        lease.until,
        share
    )
    .fetch_all(connection)
    .await?;
    let freed = rows.iter().any(|row| !row.is_kept);
    let kept = rows.into_iter().filter(|row| row.is_kept);
    Ok((kept.map(|row| row.partition).collect(), freed))
}

/// Takes partitions that nobody owns.
async fn take(connection: &mut Connection, lease: &Lease, wanted: i64) -> Result<Vec<i16>> {
    Ok(sqlx::query_scalar!(
                r#"
                INSERT INTO partition_owners (kind, partition, owner_id, lease_until)
                SELECT $1, free.partition, $2, $4
                FROM generate_series(0, $5::integer - 1) AS series (n)
                CROSS JOIN LATERAL (SELECT series.n::smallint AS partition) AS free
                WHERE NOT EXISTS (
                    SELECT FROM partition_owners AS o WHERE o.kind = $1 AND o.partition = free.partition AND o.lease_until > $3)
                ORDER BY random() LIMIT $6
                ON CONFLICT ON CONSTRAINT partition_owners_pkey DO UPDATE
                    SET owner_id = excluded.owner_id, lease_until = excluded.lease_until
                    WHERE partition_owners.lease_until <= $3
                RETURNING partition
                "#,
                lease.kind.as_str(),
                lease.replica,
                lease.now,
                lease.until,
                i32::from(PARTITIONS),
                wanted
            )
            .fetch_all(connection)
    .await?)
}

/// Gives everything up at once and tells the others, so that they need not wait for the lease to end.
pub async fn yield_partitions(
    connection: &mut Connection,
    kind: WorkKind,
    replica: Uuid,
) -> Result<()> {
    sqlx::query!(
        "DELETE FROM partition_owners WHERE kind = $1 AND owner_id = $2",
        kind.as_str(),
        replica
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM replicas WHERE kind = $1 AND id = $2",
        kind.as_str(),
        replica
    )
    .execute(&mut *connection)
    .await?;
    signal_owners(connection, kind).await
}
