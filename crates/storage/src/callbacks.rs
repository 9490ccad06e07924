//! Where a tenant wants to hear of its messages, and what was told.

use chrono::{DateTime, Utc};
use domain::{CallbackDeliveryId, CallbackEndpointId, MessageId, TenantId};
use uuid::Uuid;

use crate::{Connection, Result, partitions::span};

/// A tenant's endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: CallbackEndpointId,
    pub tenant_id: TenantId,
    pub url: String,
    /// Sealed.
    pub secret: Vec<u8>,
}

/// A callback to be delivered.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    pub id: CallbackDeliveryId,
    pub tenant_id: TenantId,
    pub endpoint_id: CallbackEndpointId,
    pub message_id: Option<MessageId>,
    /// The exact body: ids and states.
    pub payload: String,
}

/// A callback and where it goes.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: CallbackDeliveryId,
    pub tenant_id: TenantId,
    pub message_id: Option<MessageId>,
    pub payload: String,
    pub delivered_at: Option<DateTime<Utc>>,
    /// `None` once the endpoint was removed or disabled.
    pub endpoint: Option<Endpoint>,
}

/// What came of one attempt.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub id: CallbackDeliveryId,
    pub status: Option<i32>,
    pub error: Option<String>,
    pub delivered_at: Option<DateTime<Utc>>,
}

/// What the last attempt at a callback came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAttempt {
    pub status: Option<i32>,
    pub error: Option<String>,
}

/// Makes this the tenant's endpoint; any other one is disabled.
pub async fn set_endpoint(
    connection: &mut Connection,
    endpoint: &Endpoint,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE callback_endpoints SET disabled_at = $3 WHERE tenant_id = $1 AND url <> $2 AND disabled_at IS NULL",
        endpoint.tenant_id.as_uuid(),
        endpoint.url,
        now
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        r#"
        INSERT INTO callback_endpoints (id, tenant_id, url, secret, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT ON CONSTRAINT callback_endpoints_url_key DO UPDATE SET secret = excluded.secret, disabled_at = NULL
        "#,
        endpoint.id.as_uuid(),
        endpoint.tenant_id.as_uuid(),
        endpoint.url,
        endpoint.secret,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The enabled endpoints of these tenants.
pub async fn list_endpoints(
    connection: &mut Connection,
    tenants: &[TenantId],
) -> Result<Vec<Endpoint>> {
    let rows = sqlx::query!(
        "SELECT id, tenant_id, url, secret FROM callback_endpoints WHERE tenant_id = ANY ($1) AND disabled_at IS NULL",
        &tenants.iter().map(TenantId::as_uuid).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Endpoint {
            id: CallbackEndpointId::from_uuid(row.id),
            tenant_id: TenantId::from_uuid(row.tenant_id),
            url: row.url,
            secret: row.secret,
        })
        .collect())
}

pub async fn insert_deliveries(
    connection: &mut Connection,
    deliveries: &[NewDelivery],
    now: DateTime<Utc>,
) -> Result<()> {
    if deliveries.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        INSERT INTO callback_deliveries (id, tenant_id, endpoint_id, message_id, payload, created_at)
        SELECT item.*, $6 FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[]) AS item
        "#,
        &deliveries.iter().map(|d| d.id.as_uuid()).collect::<Vec<_>>(),
        &deliveries.iter().map(|d| d.tenant_id.as_uuid()).collect::<Vec<_>>(),
        &deliveries.iter().map(|d| d.endpoint_id.as_uuid()).collect::<Vec<_>>(),
        &deliveries.iter().map(|d| d.message_id.map(|id| id.as_uuid())).collect::<Vec<_>>() as _,
        &deliveries.iter().map(|d| d.payload.clone()).collect::<Vec<_>>(),
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Those of these callbacks that are stored.
pub async fn list_deliveries(
    connection: &mut Connection,
    ids: &[CallbackDeliveryId],
) -> Result<Vec<Delivery>> {
    let ids: Vec<Uuid> = ids.iter().map(CallbackDeliveryId::as_uuid).collect();
    let (first, last) = span(&ids);
    let rows = sqlx::query!(
        r#"
        SELECT d.id, d.tenant_id, d.message_id, d.payload, d.delivered_at,
               e.id AS "endpoint_id?", e.url AS "url?", e.secret AS "secret?"
        FROM callback_deliveries AS d
        LEFT JOIN callback_endpoints AS e ON e.id = d.endpoint_id AND e.disabled_at IS NULL
        WHERE d.id = ANY ($1) AND d.id BETWEEN $2 AND $3
        "#,
        &ids,
        first,
        last
    )
    .fetch_all(connection)
    .await?;
    let deliveries = rows.into_iter().map(|row| {
        let tenant_id = TenantId::from_uuid(row.tenant_id);
        let endpoint = match (row.endpoint_id, row.url, row.secret) {
            (Some(id), Some(url), Some(secret)) => Some(Endpoint {
                id: CallbackEndpointId::from_uuid(id),
                tenant_id,
                url,
                secret,
            }),
            _ => None,
        };
        Delivery {
            id: CallbackDeliveryId::from_uuid(row.id),
            tenant_id,
            message_id: row.message_id.map(MessageId::from_uuid),
            payload: row.payload,
            delivered_at: row.delivered_at,
            endpoint,
        }
    });
    Ok(deliveries.collect())
}

/// `None` if the callback is no longer stored.
pub async fn find_last_attempt(
    connection: &mut Connection,
    id: CallbackDeliveryId,
) -> Result<Option<LastAttempt>> {
    Ok(sqlx::query_as!(
        LastAttempt,
        "SELECT last_status AS status, last_error AS error FROM callback_deliveries WHERE id = $1",
        id.as_uuid()
    )
    .fetch_optional(connection)
    .await?)
}

pub async fn record_attempts(connection: &mut Connection, attempts: &[Attempt]) -> Result<()> {
    if attempts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = attempts.iter().map(|a| a.id.as_uuid()).collect();
    let (first, last) = span(&ids);
    sqlx::query!(
        r#"
        UPDATE callback_deliveries AS d
        SET attempts = d.attempts + 1, last_status = item.status, last_error = item.error,
            delivered_at = coalesce(d.delivered_at, item.delivered_at)
        FROM UNNEST($1::uuid[], $2::integer[], $3::text[], $4::timestamptz[]) AS item (id, status, error, delivered_at)
        WHERE d.id = ANY ($1) AND d.id BETWEEN $5 AND $6 AND d.id = item.id
        "#,
        &ids,
        &attempts.iter().map(|a| a.status).collect::<Vec<_>>() as _,
        &attempts.iter().map(|a| a.error.clone()).collect::<Vec<_>>() as _,
        &attempts.iter().map(|a| a.delivered_at).collect::<Vec<_>>() as _,
        first,
        last
    )
    .execute(connection)
    .await?;
    Ok(())
}
