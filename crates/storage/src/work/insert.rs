use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::{FlowId, Lane, TenantId, WorkId, WorkKind};
use uuid::Uuid;

use crate::{Connection, News, Result, WorkSignal, listener::CHANNEL};

/// Work to be done.
#[derive(Debug, Clone)]
pub struct NewWork {
    pub id: WorkId,
    pub kind: WorkKind,
    pub flow: FlowId,
    pub lane: Lane,
    pub subject: Uuid,
    pub tenant_id: Option<TenantId>,
    pub pair: Option<Vec<u8>>,
    pub due_at: DateTime<Utc>,
    /// From when on it is not to be begun any more, if ever.
    pub expires_at: Option<DateTime<Utc>>,
    pub traceparent: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// Inserts work and signals it. With `lease_until` the work is born released: its inserter publishes the hint itself.
/// A subject has one work at a time; a second one is not inserted.
pub async fn insert(
    connection: &mut Connection,
    work: &[NewWork],
    lease_until: Option<DateTime<Utc>>,
) -> Result<()> {
    if work.is_empty() {
        return Ok(());
    }
    let column = |f: fn(&NewWork) -> Uuid| work.iter().map(f).collect::<Vec<_>>();
    let state = if lease_until.is_some() {
        "released"
    } else {
        "waiting"
    };
    sqlx::query!(
        r#"
        INSERT INTO work (id, kind, flow, partition, lane, subject, tenant_id, pair, state, due_at, expires_at, lease_until, traceparent, created_at)
        SELECT item.id, item.kind, item.flow, item.partition, item.lane, item.subject, item.tenant_id, item.pair, $13,
               item.due_at, item.expires_at, $14, item.traceparent, item.created_at
        FROM UNNEST($1::uuid[], $2::text[], $3::uuid[], $4::smallint[], $5::smallint[], $6::uuid[], $7::uuid[], $8::bytea[],
                    $9::timestamptz[], $10::timestamptz[], $11::text[], $12::timestamptz[])
             AS item (id, kind, flow, partition, lane, subject, tenant_id, pair, due_at, expires_at, traceparent, created_at)
        ON CONFLICT (subject) DO NOTHING
        -- As `WorkSignal` says it; each is told once, when the transaction commits.
        RETURNING CASE WHEN state = 'waiting' THEN pg_notify($15, kind || ':' || partition) END AS "told: ()"
        "#,
        &column(|w| w.id.as_uuid()),
        &work.iter().map(|w| w.kind.as_str().to_owned()).collect::<Vec<_>>(),
        &column(|w| w.flow.as_uuid()),
        &work.iter().map(|w| w.flow.partition()).collect::<Vec<_>>(),
        &work.iter().map(|w| w.lane.as_i16()).collect::<Vec<_>>(),
        &column(|w| w.subject),
        &work.iter().map(|w| w.tenant_id.map(|t| t.as_uuid())).collect::<Vec<_>>() as _,
        &work.iter().map(|w| w.pair.clone()).collect::<Vec<_>>() as _,
        &work.iter().map(|w| w.due_at).collect::<Vec<_>>(),
        &work.iter().map(|w| w.expires_at).collect::<Vec<_>>() as _,
        &work.iter().map(|w| w.traceparent.clone()).collect::<Vec<_>>() as _,
        &work.iter().map(|w| w.created_at).collect::<Vec<_>>(),
        state,
        lease_until,
        CHANNEL,
    )
    .fetch_all(connection)
    .await?;
    Ok(())
}

/// Wakes the owners of these partitions when the transaction commits.
pub async fn signal(
    connection: &mut Connection,
    places: impl Iterator<Item = (WorkKind, i16)>,
) -> Result<()> {
    let signals = places.map(|(kind, partition)| WorkSignal {
        kind,
        news: News::Work(partition),
    });
    notify(connection, signals).await
}

/// Tells the replicas that share this kind of work that there may be partitions to take, or to give up.
pub(super) async fn signal_owners(connection: &mut Connection, kind: WorkKind) -> Result<()> {
    let news = News::Owners;
    notify(connection, std::iter::once(WorkSignal { kind, news })).await
}

/// Says each of them once, when the transaction commits.
pub(super) async fn notify(
    connection: &mut Connection,
    signals: impl Iterator<Item = WorkSignal>,
) -> Result<()> {
    let payloads: BTreeSet<String> = signals.map(WorkSignal::payload).collect();
    if payloads.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"SELECT pg_notify($1, payload) AS "notified: ()" FROM UNNEST($2::text[]) AS payload"#,
        CHANNEL,
        &payloads.into_iter().collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    Ok(())
}
