//! Raw webhook deliveries: append-only, sealed, kept byte for byte.

use chrono::{DateTime, Utc};
use domain::{EventId, FlowId, Lane, TenantId, WorkId, WorkKind};
use uuid::Uuid;

use crate::{Connection, Result, partitions::span, work};

/// A delivery to store, and the work of looking at it.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: EventId,
    pub app_key: String,
    /// Header names and values, without the secret ones.
    pub headers: serde_json::Value,
    /// Sealed; opens to the exact bytes received.
    pub body: Vec<u8>,
    pub received_at: DateTime<Utc>,
    pub work: WorkId,
    pub flow: FlowId,
    pub traceparent: Option<String>,
}

/// A stored delivery.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: EventId,
    pub app_key: String,
    /// Whose app sent it; none is the platform's.
    pub app_tenant: Option<TenantId>,
    pub body: Vec<u8>,
    pub received_at: DateTime<Utc>,
}

/// Stores deliveries and their work in one statement, which outside of a transaction is one by itself. With `lease_until`
/// the work is born released: its inserter publishes the hint. Otherwise its owners are told.
pub async fn insert_events(
    connection: &mut Connection,
    events: &[&NewEvent],
    lease_until: Option<DateTime<Utc>>,
) -> Result<()> {
    let state = if lease_until.is_some() {
        "released"
    } else {
        "waiting"
    };
    sqlx::query!(
        r#"
        WITH stored AS (
            INSERT INTO events (id, app_key, headers, body, received_at)
            SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::jsonb[], $4::bytea[], $5::timestamptz[])
        )
        INSERT INTO work (id, kind, flow, partition, lane, subject, state, due_at, lease_until, traceparent, created_at)
        SELECT item.id, $10, item.flow, item.partition, $11, item.event, $12, item.received_at, $13, item.traceparent, item.received_at
        FROM UNNEST($6::uuid[], $7::uuid[], $8::smallint[], $1::uuid[], $5::timestamptz[], $9::text[])
             AS item (id, flow, partition, event, received_at, traceparent)
        "#,
        &events.iter().map(|e| e.id.as_uuid()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.app_key.as_str()).collect::<Vec<_>>() as _,
        &events.iter().map(|e| &e.headers).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.body.as_slice()).collect::<Vec<_>>() as _,
        &events.iter().map(|e| e.received_at).collect::<Vec<_>>(),
        &events.iter().map(|e| e.work.as_uuid()).collect::<Vec<Uuid>>(),
        &events.iter().map(|e| e.flow.as_uuid()).collect::<Vec<Uuid>>(),
        &events.iter().map(|e| e.flow.partition()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.traceparent.as_deref()).collect::<Vec<_>>() as _,
        WorkKind::Event.as_str(),
        Lane::Report.as_i16(),
        state,
        lease_until,
    )
    .execute(&mut *connection)
    .await?;
    if lease_until.is_none() {
        let places = events.iter().map(|e| (WorkKind::Event, e.flow.partition()));
        work::signal(connection, places).await?;
    }
    Ok(())
}

pub async fn list_events(connection: &mut Connection, ids: &[EventId]) -> Result<Vec<Event>> {
    let ids: Vec<Uuid> = ids.iter().map(EventId::as_uuid).collect();
    let (first, last) = span(&ids);
    let rows = sqlx::query!(
        r#"
        SELECT e.id AS "id!", e.app_key AS "app_key!", a.tenant_id AS "app_tenant?", e.body AS "body!", e.received_at AS "received_at!"
        FROM events AS e LEFT JOIN webhook_apps AS a ON a.key = e.app_key
        WHERE e.id = ANY ($1) AND e.id BETWEEN $2 AND $3
        "#,
        &ids,
        first,
        last
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Event {
            id: EventId::from_uuid(row.id),
            app_key: row.app_key,
            app_tenant: row.app_tenant.map(TenantId::from_uuid),
            body: row.body,
            received_at: row.received_at,
        })
        .collect())
}
