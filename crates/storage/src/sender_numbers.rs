//! The WhatsApp numbers that tenants send from.

use chrono::{DateTime, Utc};
use domain::{Scope, SenderNumberId, TenantId};

use crate::{Connection, Result};

#[derive(Debug, Clone, PartialEq)]
pub struct SenderNumber {
    pub id: SenderNumberId,
    pub tenant_id: TenantId,
    pub phone_number_id: String,
    pub waba_id: String,
    pub display_phone_number: String,
    pub rate_per_second: f64,
    pub burst: i32,
    /// The app whose token it sends with, if it is one of ours.
    pub app_key: Option<String>,
}

impl SenderNumber {
    /// What every send of this number depends on.
    pub fn scopes(&self) -> Vec<Scope> {
        [
            Some(Scope::credential(self.id)),
            Some(Scope::number(self.id)),
            Some(Scope::account(&self.waba_id)),
            self.app_key.as_deref().map(Scope::app),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

struct Row {
    id: uuid::Uuid,
    tenant_id: uuid::Uuid,
    phone_number_id: String,
    waba_id: String,
    display_phone_number: String,
    rate_per_second: f64,
    burst: i32,
    app_key: Option<String>,
}

impl From<Row> for SenderNumber {
    fn from(row: Row) -> Self {
        Self {
            id: SenderNumberId::from_uuid(row.id),
            tenant_id: TenantId::from_uuid(row.tenant_id),
            phone_number_id: row.phone_number_id,
            waba_id: row.waba_id,
            display_phone_number: row.display_phone_number,
            rate_per_second: row.rate_per_second,
            burst: row.burst,
            app_key: row.app_key,
        }
    }
}

/// Violates `sender_numbers_phone_number_id_key` if any tenant has this number already, `sender_numbers_app_fkey` if there is
/// no such app.
pub async fn insert_sender_number(
    connection: &mut Connection,
    number: &SenderNumber,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO sender_numbers (id, tenant_id, provider, phone_number_id, waba_id, display_phone_number, rate_per_second, burst, app_key, created_at)
        VALUES ($1, $2, 'meta', $3, $4, $5, $6, $7, $8, $9)
        "#,
        number.id.as_uuid(),
        number.tenant_id.as_uuid(),
        number.phone_number_id,
        number.waba_id,
        number.display_phone_number,
        number.rate_per_second,
        number.burst,
        number.app_key,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The tenant's number; the oldest if it has several.
pub async fn find_sender_number_of(
    connection: &mut Connection,
    tenant: TenantId,
) -> Result<Option<SenderNumber>> {
    Ok(list_sender_numbers_of(connection, &[tenant]).await?.pop())
}

/// The number of each of these tenants that has one; the oldest if it has several.
pub async fn list_sender_numbers_of(
    connection: &mut Connection,
    tenants: &[TenantId],
) -> Result<Vec<SenderNumber>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT DISTINCT ON (tenant_id)
               id, tenant_id, phone_number_id, waba_id, display_phone_number, rate_per_second, burst, app_key
        FROM sender_numbers WHERE tenant_id = ANY ($1) ORDER BY tenant_id, id
        "#,
        &tenants.iter().map(TenantId::as_uuid).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(SenderNumber::from).collect())
}

pub async fn list_sender_numbers(
    connection: &mut Connection,
    ids: &[SenderNumberId],
) -> Result<Vec<SenderNumber>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT id, tenant_id, phone_number_id, waba_id, display_phone_number, rate_per_second, burst, app_key
        FROM sender_numbers WHERE id = ANY ($1)
        "#,
        &ids.iter().map(SenderNumberId::as_uuid).collect::<Vec<_>>()
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(SenderNumber::from).collect())
}

/// Whose numbers these provider ids are; unknown ids are left out.
pub async fn list_by_phone_number_ids(
    connection: &mut Connection,
    ids: &[String],
) -> Result<Vec<SenderNumber>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT id, tenant_id, phone_number_id, waba_id, display_phone_number, rate_per_second, burst, app_key
        FROM sender_numbers WHERE provider = 'meta' AND phone_number_id = ANY ($1)
        "#,
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(SenderNumber::from).collect())
}

/// Says with which app's token these numbers send. Returns those that there are and that the app may speak of.
pub async fn assign_app(
    connection: &mut Connection,
    app: &str,
    phone_number_ids: &[String],
) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        r#"
        UPDATE sender_numbers AS n SET app_key = a.key FROM webhook_apps AS a
        WHERE a.key = $1 AND n.provider = 'meta' AND n.phone_number_id = ANY ($2)
          AND (a.tenant_id IS NULL OR a.tenant_id = n.tenant_id)
        RETURNING n.phone_number_id
        "#,
        app,
        phone_number_ids
    )
    .fetch_all(connection)
    .await?)
}
