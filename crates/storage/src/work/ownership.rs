use chrono::{DateTime, Utc};
use domain::{PARTITIONS, WorkKind};
use uuid::Uuid;

use crate::{Connection, Result};

/// What a replica owns after a round of `hold_partitions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    pub partitions: Vec<i16>,
    pub replicas: u32,
}

/// Renews what `replica` owns, gives up what is over its fair share, and takes what is free up to that share.
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
    let replicas = count_replicas(connection, &lease).await?.max(1);
    let share = (i64::from(PARTITIONS) + replicas - 1) / replicas;
    let mut partitions = keep(connection, &lease, share).await?;
    let wanted = share - i64::try_from(partitions.len()).unwrap_or(i64::MAX);
    if wanted > 0 {
        partitions.extend(take(connection, &lease, wanted).await?);
    }
    partitions.sort_unstable();
    Ok(Ownership {
        partitions,
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

/// Says that this replica lives, and counts those that do.
async fn count_replicas(connection: &mut Connection, lease: &Lease) -> Result<i64> {
    sqlx::query!(
        r#"
        INSERT INTO replicas (kind, id, seen_until) VALUES ($1, $2, $3)
        ON CONFLICT ON CONSTRAINT replicas_pkey DO UPDATE SET seen_until = excluded.seen_until
        "#,
        lease.kind.as_str(),
        lease.replica,
        lease.until
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM replicas WHERE kind = $1 AND seen_until <= $2",
        lease.kind.as_str(),
        lease.now
    )
    .execute(&mut *connection)
    .await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM replicas WHERE kind = $1"#,
        lease.kind.as_str()
    )
    .fetch_one(&mut *connection)
    .await?)
}

/// Renews a fair share of what is owned and frees the rest.
async fn keep(connection: &mut Connection, lease: &Lease, share: i64) -> Result<Vec<i16>> {
    Ok(sqlx::query_scalar!(
        r#"
        WITH mine AS (
            SELECT partition, row_number() OVER (ORDER BY partition) AS place
            FROM partition_owners WHERE kind = $1 AND owner_id = $2 AND lease_until > $3
        ), freed AS (
            DELETE FROM partition_owners AS o USING mine
            WHERE o.kind = $1 AND o.partition = mine.partition AND o.owner_id = $2 AND mine.place > $5
        )
        UPDATE partition_owners AS o SET lease_until = $4 FROM mine
        WHERE o.kind = $1 AND o.partition = mine.partition AND o.owner_id = $2 AND mine.place <= $5
        RETURNING o.partition
        "#,
        lease.kind.as_str(),
        lease.replica,
        lease.now,
        lease.until,
        share
    )
    .fetch_all(&mut *connection)
    .await?)
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

/// Gives everything up at once, so that the others need not wait for the lease to end.
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
    .execute(connection)
    .await?;
    Ok(())
}
