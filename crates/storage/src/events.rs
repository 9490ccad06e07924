//! Raw webhook deliveries: append-only, sealed, kept byte for byte.

use chrono::{DateTime, Utc};
use domain::{EventId, TenantId};

use crate::{Connection, Result};

/// A delivery to store.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: EventId,
    pub app_key: String,
    /// Header names and values, without the secret ones.
    pub headers: serde_json::Value,
    /// Sealed; opens to the exact bytes received.
    pub body: Vec<u8>,
    pub received_at: DateTime<Utc>,
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

pub async fn insert_events(connection: &mut Connection, events: &[NewEvent]) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO events (id, app_key, headers, body, received_at)
        SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::jsonb[], $4::bytea[], $5::timestamptz[])
        "#,
        &events.iter().map(|e| e.id.as_uuid()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.app_key.clone()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.headers.clone()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.body.clone()).collect::<Vec<_>>(),
        &events.iter().map(|e| e.received_at).collect::<Vec<_>>()
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn list_events(connection: &mut Connection, ids: &[EventId]) -> Result<Vec<Event>> {
    let rows = sqlx::query!(
        r#"
        SELECT e.id AS "id!", e.app_key AS "app_key!", a.tenant_id AS "app_tenant?", e.body AS "body!", e.received_at AS "received_at!"
        FROM events AS e LEFT JOIN webhook_apps AS a ON a.key = e.app_key
        WHERE e.id = ANY ($1)
        "#,
        &ids.iter().map(EventId::as_uuid).collect::<Vec<_>>()
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
